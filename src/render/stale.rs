//! What is not as it was when a plan was saved.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::markup::{self, MARKER, MOST_BYTES};
use super::words::{Tone, clean, paint, wrap};
use super::{Style, count, values};
use crate::diagnostic::Code;
use crate::saved::Difference;

/// What to do about it.
const HELP: &str = "review what changed, and save the plan again: `vecferry plan PLAN --out FILE`";

fn headline(found: &[Difference]) -> String {
    let number = count(found.len(), "difference");
    format!("the saved plan no longer fits what is there ({number}); nothing was done")
}

/// The differences for a terminal, by collection.
pub fn text(found: &[Difference], style: Style) -> String {
    let error = paint(style, Tone::Bad, &format!("error[{}]", Code::SavedPlanStale.info().id));
    let mut text = format!("{error}: {}\n", headline(found));
    let mut last = None;
    for difference in found {
        if last != Some(&difference.address) {
            text.push_str(&format!("  {}\n", paint(style, Tone::Loud, &clean(&difference.address))));
            last = Some(&difference.address);
        }
        for (number, line) in wrap(&sentence(difference), style.width.saturating_sub(6)).iter().enumerate() {
            let sign = if number == 0 { paint(style, Tone::Bad, "!") } else { " ".to_owned() };
            text.push_str(&format!("    {sign} {line}\n"));
        }
    }
    text.push_str(&format!(" help: {HELP}\n"));
    text
}

fn sentence(difference: &Difference) -> String {
    let what = clean(&difference.what);
    let said = |text: &Option<String>| text.as_deref().map(clean);
    match (said(&difference.saved), said(&difference.now)) {
        (Some(saved), Some(now)) => format!("{what}: was {saved}, is {now}"),
        (Some(saved), None) if saved == "there" => format!("{what}: was there, is gone"),
        (Some(saved), None) => format!("{what}: was {saved}, is gone"),
        (None, Some(now)) if now == "there" => format!("{what}: was not there, is there"),
        (None, Some(now)) => format!("{what}: was not there, is {now}"),
        (None, None) => what,
    }
}

/// The differences for a comment.
pub fn markdown(found: &[Difference]) -> String {
    let mut text = format!("{MARKER}**Stale:** {}.\n\n", headline(found));
    let lines: Vec<String> = found
        .iter()
        .map(|difference| {
            let (address, sentence) = (markup::code(&difference.address), markup::code(&sentence(difference)));
            format!("| {address} | {sentence} |\n")
        })
        .collect();
    let sizes: Vec<(u8, usize)> = lines.iter().map(|line| (0, line.len())).collect();
    let taken = markup::fitting(&sizes, MOST_BYTES.saturating_sub(text.len() + 400));
    text.push_str("| collection | difference |\n|---|---|\n");
    text.extend(lines.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(line, _)| line.as_str()));
    text.push('\n');
    text.push_str(&markup::more(&taken, "difference"));
    text.push_str(&format!("Help: {HELP}\n"));
    text
}

/// What `vecferry apply --output json` prints of a saved plan that it refuses, because not everything is as it was.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct Document<'a> {
    /// Version of this document: readers refuse a major version that they do not know.
    #[cfg_attr(test, schemars(regex(pattern = r"^1\.[0-9]+$")))]
    format_version: &'static str,
    /// The stable code of the message.
    #[cfg_attr(test, schemars(extend("pattern" = "^VF[0-9]{4}$")))]
    code: &'static str,
    /// What happened, in a sentence.
    message: String,
    /// What to do about it.
    help: &'static str,
    /// What is not as it was, one by one.
    differences: &'a [Difference],
}

/// The differences as one JSON document.
pub fn json(found: &[Difference]) -> Value {
    let document = Document {
        format_version: values::FORMAT_VERSION,
        code: Code::SavedPlanStale.info().id,
        message: headline(found),
        help: HELP,
        differences: found,
    };
    // Every key is a text, so there is nothing that JSON could not hold.
    serde_json::to_value(document).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NARROW, NASTY, assert_sound};
    use super::*;
    use crate::render::schemas::{self, tests as schema};

    fn found() -> Vec<Difference> {
        let difference = |collection: &str, what: &str, saved: Option<&str>, now: Option<&str>| Difference {
            address: format!("kb.main.{collection}"),
            what: what.to_owned(),
            saved: saved.map(str::to_owned),
            now: now.map(str::to_owned),
        };
        vec![
            difference("articles", "source field `year`", None, Some("INT32")),
            difference("articles", "source rows", Some("30000"), Some("30001")),
            difference("users", "the target collection", None, Some("there")),
            difference("users", "source partition `p1`", Some("there"), None),
        ]
    }

    #[test]
    fn text_for_people() {
        insta::assert_snapshot!(text(&found(), NARROW));
    }

    #[test]
    fn markdown_for_a_change_request() {
        insta::assert_snapshot!(markdown(&found()));
    }

    #[test]
    fn what_machines_read_fits_the_schema_of_apply() {
        schema::assert_fits(schemas::APPLY, &json(&found()));
        let mut wrong = json(&found());
        wrong["differences"][0]["what"] = Value::Null;
        assert!(!schema::complaints(schemas::APPLY, &wrong).is_empty());
    }

    #[test]
    fn names_from_outside_stay_in_their_place() {
        let nasty = Difference {
            address: NASTY.to_owned(),
            what: NASTY.to_owned(),
            saved: Some(NASTY.to_owned()),
            now: Some(NASTY.to_owned()),
        };
        let all = vec![nasty; 1000];
        assert!(!text(&all, NARROW).contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'));
        assert_sound(&markdown(&all));
    }
}
