//! What a verification found: one line for each collection, and the keys that differ.

pub(super) mod json;

use super::markup::{self, MARKER, MOST_BYTES};
use super::words::{self, Tone, clean, paint, wrap};
use super::{Style, differences};
use crate::plan::resolved::Verify;
use crate::run::{Comparison, Verified};
pub use json::json;

/// Keys of one collection that a comment lists; the text for people lists all that are known.
const KEYS_IN_COMMENT: usize = 50;
/// How text in a comment is set.
const COMMENT: Style = Style { color: false, width: 100 };

/// How one verification went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Identical,
    Different,
    Failed,
}

impl Verdict {
    fn of(verified: &Verified) -> Self {
        match &verified.result {
            Err(_) => Self::Failed,
            Ok(_) if verified.is_same() => Self::Identical,
            Ok(_) => Self::Different,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Different => "different",
            Self::Failed => "failed",
        }
    }

    fn sign(self) -> (&'static str, Tone) {
        match self {
            Self::Identical => ("=", Tone::Good),
            Self::Different => ("*", Tone::Bad),
            Self::Failed => ("!", Tone::Bad),
        }
    }
}

/// The last line, which scripts read.
fn summary(all: &[Verified]) -> String {
    let count = |verdict| all.iter().filter(|verified| Verdict::of(verified) == verdict).count();
    format!(
        "Verification: {} identical, {} different, {} failed.",
        count(Verdict::Identical),
        count(Verdict::Different),
        count(Verdict::Failed)
    )
}

/// The verification for a terminal.
pub fn text(all: &[Verified], style: Style) -> String {
    let mut text = String::new();
    let lists = |verified: &Verified| verified.result.as_ref().is_ok_and(|found| !found.diff.examples.is_empty());
    if all.iter().any(lists) {
        for line in wrap(differences::LEGEND, style.width) {
            text.push_str(&format!("{}\n", paint(style, Tone::Quiet, &line)));
        }
        text.push('\n');
    }
    for verified in all {
        text.push_str(&one(verified, usize::MAX, style));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{}\n", summary(all)));
    text
}

fn one(verified: &Verified, keys: usize, style: Style) -> String {
    let verdict = Verdict::of(verified);
    let (sign, tone) = verdict.sign();
    let address = clean(&verified.address);
    let mut text = format!(
        "{} {}  {}\n",
        paint(style, tone, sign),
        paint(style, Tone::Loud, &address),
        paint(style, tone, verdict.word())
    );
    let room = style.width.saturating_sub(4);
    let mut say = |line: &str, tone: Tone| {
        for line in wrap(line, room) {
            text.push_str(&format!("    {}\n", paint(style, tone, &line)));
        }
    };
    match &verified.result {
        Ok(found) => {
            say(&compared(verified, found), Tone::Plain);
            if found.source_doubled > 0 {
                say(&doubled_on_source(found.source_doubled), Tone::Plain);
            }
            if found.quarantined > 0 {
                say(&format!("{} do not fit and are in quarantine", words::rows(found.quarantined)), Tone::Careful);
            }
            if found.diff.extra > 0 && !verified.extra_counts {
                say("rows that only the target has do not count as differences", Tone::Plain);
            }
            text.push_str(&differences::list(&found.diff, keys, 4, style));
        }
        Err(error) => {
            say(&format!("error: {}", clean(&error.to_string())), Tone::Bad);
            say(&format!("help: {}", error.help()), Tone::Plain);
        }
    }
    text
}

fn compared(verified: &Verified, found: &Comparison) -> String {
    let what = match verified.level {
        Verify::Full => "every field",
        Verify::Sample => "keys, and every field in one range out of ten",
        Verify::Counts => "keys only",
    };
    format!("{} compared ({what}): {}", words::rows(found.rows), differences::counts(&found.diff))
}

fn doubled_on_source(doubled: u64) -> String {
    format!("the source holds {} of keys that it holds already; each key counts once", words::rows(doubled))
}

/// The verification in Markdown.
pub fn markdown(all: &[Verified]) -> String {
    let mut text = format!("{MARKER}**{}**\n\n", summary(all));
    let rank = |verified: &Verified| u8::from(Verdict::of(verified) == Verdict::Identical);
    let lines: Vec<String> = all.iter().map(table_line).collect();
    let sizes: Vec<(u8, usize)> = all.iter().zip(&lines).map(|(verified, line)| (rank(verified), line.len())).collect();
    let taken = markup::fitting(&sizes, MOST_BYTES / 3);
    text.push_str("| collection | result | rows | missing | differing | only on target | doubled |\n");
    text.push_str("|---|---|--:|--:|--:|--:|--:|\n");
    text.extend(lines.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(line, _)| line));
    text.push('\n');
    text.push_str(&markup::more(&taken, "collection"));
    let told: Vec<&Verified> = all.iter().filter(|verified| Verdict::of(verified) != Verdict::Identical).collect();
    let blocks: Vec<String> = told.iter().map(|verified| details(verified)).collect();
    let room = MOST_BYTES.saturating_sub(text.len() + 200);
    let sizes: Vec<(u8, usize)> = blocks.iter().map(|block| (0, block.len())).collect();
    let taken = markup::fitting(&sizes, room);
    text.extend(blocks.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(block, _)| block));
    text.push_str(&markup::more(&taken, "report"));
    text
}

fn table_line(verified: &Verified) -> String {
    let word = Verdict::of(verified).word();
    let figures = match &verified.result {
        Ok(found) => [found.rows, found.diff.missing, found.diff.differing, found.diff.extra, found.diff.doubled]
            .map(words::number)
            .join(" | "),
        Err(_) => " | | | | ".to_owned(),
    };
    format!("| {} | {word} | {figures} |\n", markup::code(&verified.address))
}

fn details(verified: &Verified) -> String {
    let content = markup::cut(&one(verified, KEYS_IN_COMMENT, COMMENT), 12_000);
    markup::details(&markup::summary_code(&verified.address), &markup::fenced("", &content))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NARROW, NASTY, assert_sound, place, row_diff};
    use super::*;
    use crate::diff::RowDiff;
    use crate::render::schemas::{self, tests as schema};
    use crate::run::JobError;

    fn verified(name: &str, result: Result<Comparison, JobError>) -> Verified {
        Verified {
            address: format!("kb.main.{name}"),
            from: place(19530, "default", name),
            to: place(19531, "main", name),
            level: Verify::Full,
            extra_counts: true,
            result,
        }
    }

    fn all() -> Vec<Verified> {
        let found = |diff| Comparison {
            diff,
            rows: 1_234_567,
            source_doubled: 3,
            quarantined: 2,
            ranges: (2, 40),
            ..Comparison::default()
        };
        let extra = RowDiff { extra: 4, ..RowDiff::default() };
        vec![
            verified("articles", Ok(Comparison { rows: 10, ..Comparison::default() })),
            Verified { extra_counts: false, level: Verify::Counts, ..verified("events", Ok(found(extra))) },
            verified("users", Ok(found(row_diff()))),
            verified("logs", Err(JobError::Moving("default.logs".into()))),
        ]
    }

    #[test]
    fn text_for_people() {
        insta::assert_snapshot!(text(&all(), NARROW));
    }

    #[test]
    fn markdown_for_a_change_request() {
        let markdown = markdown(&all());
        assert_sound(&markdown);
        insta::assert_snapshot!(markdown);
    }

    #[test]
    fn json_for_machines() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&json(&all())).expect("json"));
    }

    #[test]
    fn what_machines_read_fits_the_schema() {
        let untold = Comparison { diff: RowDiff { untold: true, ..RowDiff::default() }, ..Comparison::default() };
        for all in [all(), vec![verified("tags", Ok(untold))], Vec::new()] {
            schema::assert_fits(schemas::VERIFY, &json(&all));
        }
        let mut wrong = json(&all());
        wrong["collections"][0]["verify"] = "half".into();
        assert!(!schema::complaints(schemas::VERIFY, &wrong).is_empty());
    }

    #[test]
    fn the_last_line_is_the_summary() {
        let last = |all: &[Verified]| text(all, NARROW).lines().last().map(str::to_owned);
        assert_eq!(last(&all()).as_deref(), Some("Verification: 2 identical, 1 different, 1 failed."));
        assert_eq!(last(&[]).as_deref(), Some("Verification: 0 identical, 0 different, 0 failed."));
    }

    #[test]
    fn names_from_outside_stay_in_their_place() {
        let mut diff = row_diff();
        diff.examples[1].fields = vec![NASTY.to_owned()];
        diff.examples[2].partition = Some(NASTY.to_owned());
        let all: Vec<_> = (0..300)
            .flat_map(|_| {
                let found = Comparison { diff: diff.clone(), ..Comparison::default() };
                [verified(NASTY, Ok(found)), verified(NASTY, Err(JobError::Fenced(NASTY.to_owned())))]
            })
            .collect();
        assert_sound(&markdown(&all));
        assert!(!text(&all, NARROW).contains(|c: char| c.is_control() && c != '\n'));
    }
}
