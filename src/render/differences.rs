//! Rows that differ, by key, with the signs of `rclone check`.

use super::Style;
use super::words::{self, Tone, clean, paint, wrap};
use crate::diff::{Difference, DifferenceKind, RowDiff};

/// What the signs mean, for whoever sees them for the first time.
pub(super) const LEGEND: &str =
    "Signs: + missing on the target, * differs, - only on the target, 2 more than once on the target";

/// Rows that differ, in words: `3 missing, 1 differing`. Kinds without rows are left out.
pub(super) fn counts(diff: &RowDiff) -> String {
    let parts: Vec<String> = [
        (diff.missing, "missing on the target"),
        (diff.differing, "differing"),
        (diff.extra, "only on the target"),
        (diff.doubled, "doubled on the target"),
    ]
    .iter()
    .filter(|(rows, _)| *rows > 0)
    .map(|(rows, what)| format!("{} {what}", words::number(*rows)))
    .collect();
    if diff.untold {
        let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        return format!("the rows differ as a whole, and no key tells which{parts}");
    }
    if parts.is_empty() { "no differences".to_owned() } else { parts.join(", ") }
}

/// The keys that are known, at most `most` of them, one a line, and how many rows more there are. Nothing where no key is
/// known: the counts have been said.
pub(super) fn list(diff: &RowDiff, most: usize, indent: usize, style: Style) -> String {
    let mut text = String::new();
    let margin = " ".repeat(indent);
    let room = style.width.saturating_sub(indent + 2);
    for difference in diff.examples.iter().take(most) {
        let (sign, tone) = sign(difference.kind);
        for (number, line) in wrap(&described(difference), room).iter().enumerate() {
            let sign = if number == 0 { paint(style, tone, sign) } else { " ".to_owned() };
            text.push_str(&format!("{margin}{sign} {line}\n"));
        }
    }
    let more = more(diff, most);
    if more > 0 && !text.is_empty() {
        text.push_str(&format!("{margin}… and {} more\n", words::number(more)));
    }
    text
}

fn sign(kind: DifferenceKind) -> (&'static str, Tone) {
    match kind {
        DifferenceKind::Missing => ("+", Tone::Bad),
        DifferenceKind::Differing => ("*", Tone::Careful),
        DifferenceKind::Extra => ("-", Tone::Careful),
        DifferenceKind::Doubled => ("2", Tone::Bad),
    }
}

fn described(difference: &Difference) -> String {
    let mut text = clean(&difference.key.to_string());
    if let Some(partition) = &difference.partition {
        text.push_str(&format!(" in partition {}", clean(partition)));
    }
    if !difference.fields.is_empty() {
        let fields: Vec<String> = difference.fields.iter().map(|field| clean(field)).collect();
        text.push_str(&format!(" in {}", fields.join(", ")));
    }
    text
}

/// Rows that are not listed. A doubled key is listed once, however many rows it has too many.
fn more(diff: &RowDiff, most: usize) -> u64 {
    let listed = |kind| diff.examples.iter().take(most).filter(|difference| difference.kind == kind).count() as u64;
    diff.missing.saturating_sub(listed(DifferenceKind::Missing))
        + diff.differing.saturating_sub(listed(DifferenceKind::Differing))
        + diff.extra.saturating_sub(listed(DifferenceKind::Extra))
        + diff.doubled.saturating_sub(listed(DifferenceKind::Doubled))
}
