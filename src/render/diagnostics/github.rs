//! Diagnostics as GitHub's workflow commands, which become annotations on a change request.

use super::counts;
use super::whereabouts::Whereabouts;
use crate::diagnostic::{Diagnostic, Severity};
use crate::render::{count, words};

/// Annotations of one kind that GitHub shows for one step. The log has all of them.
const SHOWN: usize = 10;

/// One line for each diagnostic, errors first, and a word about how many there are where GitHub shows fewer.
pub fn github(diagnostics: &[Diagnostic], here: &Whereabouts) -> String {
    let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics.iter().partition(|diagnostic| diagnostic.is_error());
    let mut lines: String = errors.iter().chain(&warnings).map(|diagnostic| command(diagnostic, here)).collect();
    if errors.len().max(warnings.len()) > SHOWN {
        let (errors, warnings) = counts(diagnostics);
        let message = format!(
            "There are {} and {}. GitHub shows {SHOWN} of a kind for each step; the log of this step has all of them.",
            count(errors, "error"),
            count(warnings, "warning")
        );
        lines.push_str(&format!("::notice title=vecferry::{}\n", data(&message)));
    }
    lines
}

fn command(diagnostic: &Diagnostic, here: &Whereabouts) -> String {
    let kind = match diagnostic.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut place = String::new();
    if let Some(span) = &diagnostic.span {
        let start = span.start();
        let file = property(&here.in_repository(&span.source.name));
        // Without an end: an annotation stands under its first line, and GitHub refuses a mark that ends behind the file.
        place = format!("file={file},line={},col={},", start.line, start.column);
    }
    let mut message = words::calm(&diagnostic.message);
    if let Some(address) = &diagnostic.address {
        message = format!("{}: {message}", words::clean(address));
    }
    if let Some(help) = &diagnostic.help {
        message.push_str(&format!("\nhelp: {}", words::calm(help)));
    }
    format!("::{kind} {place}title={}::{}\n", property(diagnostic.code.info().id), data(&message))
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What stands behind a `=`, where `:` and `,` would end it.
fn property(text: &str) -> String {
    data(&words::clean(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Code, SourceText, Span};

    fn finding(code: Code, file: &str, message: &str) -> Diagnostic {
        let source = Arc::new(SourceText::new(file, "version: 1\n中: x\n"));
        Diagnostic::new(code, message).at(Span::new(&source, 14..15))
    }

    #[test]
    fn nothing_in_a_message_ends_its_command() {
        let nasty =
            finding(Code::UnknownKey, "a,b:c%.yaml", "100% wrong\r\n::error::x").help("do:\nthis").about("k\nb");
        assert_eq!(
            github(&[nasty], &Whereabouts::default()),
            "::error file=a%2Cb%3Ac%25.yaml,line=2,col=2,title=VF0201::k\\nb: 100%25 wrong\\r%0A::error::x%0Ahelp: do:%0Athis\n"
        );
    }

    #[test]
    fn errors_come_first_and_what_is_not_shown_is_counted() {
        let mut all = vec![finding(Code::UnusedEndpoint, "p.yaml", "a warning")];
        all.extend((0..SHOWN).map(|number| finding(Code::UnknownKey, "p.yaml", &format!("error {number}"))));
        let few = github(&all, &Whereabouts::default());
        assert_eq!(few.lines().count(), SHOWN + 1);
        assert!(few.starts_with("::error ") && few.lines().last().is_some_and(|last| last.starts_with("::warning ")));
        all.push(finding(Code::UnknownKey, "p.yaml", "one more"));
        let many = github(&all, &Whereabouts::default());
        let last = many.lines().last().expect("a line");
        assert!(last.starts_with("::notice title=vecferry::There are 11 errors and 1 warning."), "{last}");
    }

    #[test]
    fn a_message_about_no_file_names_none() {
        let nowhere = Diagnostic::new(Code::NoConnection, "nobody answers");
        assert_eq!(github(&[nowhere], &Whereabouts::default()), "::error title=VF1016::nobody answers\n");
    }
}
