//! Diagnostics as a comment on a change request: one table, the errors first.

use super::summary;
use super::whereabouts::Whereabouts;
use crate::diagnostic::{Diagnostic, Severity};
use crate::render::markup::{self, MARKER, MOST_BYTES};
use crate::render::{count, words};

/// Room for the heading and for the word about what is left out.
const MARGIN: usize = 1_000;

/// The comment. `plans` is how many plans there are where all of them are valid.
pub fn markdown(diagnostics: &[Diagnostic], plans: usize, here: &Whereabouts) -> String {
    let valid = !diagnostics.iter().any(Diagnostic::is_error);
    let mut document = String::from(MARKER);
    document.push_str("### vecferry validate\n\n");
    if valid {
        document.push_str(&format!("{} {} valid", count(plans, "plan"), if plans == 1 { "is" } else { "are" }));
        let aside = if diagnostics.is_empty() { String::new() } else { format!(", with {}", summary(diagnostics)) };
        document.push_str(&format!("{aside}.\n"));
    } else {
        document.push_str(&format!("**Invalid**: {}.\n", summary(diagnostics)));
    }
    if diagnostics.is_empty() {
        return document;
    }
    document.push_str("\n| | place | code | what is wrong | what to do |\n|---|---|---|---|---|\n");
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| !diagnostic.is_error());
    let rows: Vec<String> = sorted.iter().map(|diagnostic| row(diagnostic, here)).collect();
    let sizes: Vec<(u8, usize)> = rows.iter().map(|row| (0, row.len())).collect();
    let taken = markup::fitting(&sizes, MOST_BYTES - MARGIN);
    document.extend(rows.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(row, _)| row.as_str()));
    document.push('\n');
    document.push_str(&markup::more(&taken, "message"));
    document
}

fn row(diagnostic: &Diagnostic, here: &Whereabouts) -> String {
    let place = match &diagnostic.span {
        Some(span) => {
            let start = span.start();
            markup::code(&format!("{}:{}:{}", here.in_repository(&span.source.name), start.line, start.column))
        }
        None => String::new(),
    };
    let severity = match diagnostic.severity {
        Severity::Warning => "warning",
        Severity::Error => "**error**",
    };
    let mut message = prose(&diagnostic.message);
    if let Some(address) = &diagnostic.address {
        message = format!("{}: {message}", markup::code(address));
    }
    let help = diagnostic.help.as_deref().map(prose).unwrap_or_default();
    format!("| {severity} | {place} | {} | {message} | {help} |\n", diagnostic.code.info().id)
}

/// A message in a cell. What stands between backticks is code, and everything else is text and nothing more.
fn prose(text: &str) -> String {
    let text = words::clean(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return markup::referenced(&text);
    }
    let piece = |(at, part): (usize, &&str)| match (at % 2, part.is_empty()) {
        (1, true) => "&#96;&#96;".to_owned(),
        (1, false) => markup::code(part),
        _ => markup::referenced(part),
    };
    parts.iter().enumerate().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::diagnostics::tests::everything;
    use crate::render::fixtures::assert_sound;

    #[test]
    fn a_table_for_a_change_request() {
        let document = markdown(&everything(), 0, &Whereabouts::default());
        assert_sound(&document);
        insta::assert_snapshot!(document);
        let fine = markdown(&[], 2, &Whereabouts::default());
        assert!(fine.ends_with("\n2 plans are valid.\n"), "{fine}");
    }

    #[test]
    fn ten_thousand_messages_still_make_a_comment() {
        let many: Vec<_> = everything().into_iter().cycle().take(10_000).collect();
        let document = markdown(&many, 0, &Whereabouts::default());
        assert_sound(&document);
        assert!(document.contains(" more messages; the text output has everything."));
    }
}
