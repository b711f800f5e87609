//! A change set as people review it and as machines read it. Everything that is shown was decided in `diff`.

mod block;
mod json;
mod markdown;

use super::Style;
use super::words::{self, Tone, paint};
use crate::diff::{ASSUMED_BYTES_PER_SECOND, Action, Change, Diff, Sign, estimated_seconds};

pub use json::json;
pub use markdown::markdown;

/// Said where there is nothing to do.
const NO_CHANGES: &str = "No changes. Target matches the plan.";

/// The whole change set for a terminal. Its last line is the summary, which scripts read.
pub fn text(diff: &Diff, style: Style) -> String {
    let mut text = String::new();
    text.push_str(&legend(diff, style));
    let mut folded = false;
    for change in &diff.changes {
        let rows = block::rows(change, style);
        // Entries of one line stand together.
        let stands_with_last = folded && rows.len() == 1;
        if !text.is_empty() && !stands_with_last {
            text.push('\n');
        }
        folded = rows.len() == 1;
        for row in &rows {
            text.push_str(&row.terminal(style));
            text.push('\n');
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    if let Some(total) = total(diff) {
        for line in words::wrap(&total, style.width) {
            text.push_str(&format!("{line}\n"));
        }
    }
    if diff.changes.iter().all(|change| change.action == Action::Unchanged) {
        text.push_str(&format!("{NO_CHANGES}\n"));
    }
    if let Some(line) = not_selected(diff) {
        text.push_str(&format!("{line}\n"));
    }
    // Never coloured: a script that looks for it must find it under `--color always` too.
    text.push_str(&format!("{}\n", diff.summary()));
    text
}

/// What the signs mean, for those that occur.
fn legend(diff: &Diff, style: Style) -> String {
    const WORDS: [(Action, &str); 5] = [
        (Action::Create, "create"),
        (Action::Update, "update"),
        (Action::Replace, "drop and make anew"),
        (Action::Unchanged, "nothing to do"),
        (Action::Blocked, "blocked"),
    ];
    let occurs = |action| diff.changes.iter().any(|change| change.action == action);
    let mut parts: Vec<String> = WORDS
        .iter()
        .filter(|(action, _)| occurs(*action))
        .map(|(action, word)| format!("{} {word}", sign(*action).0))
        .collect();
    let passing =
        |change: &Change| block::shows_lines(change) && change.lines.iter().any(|line| line.sign == Sign::Passing);
    if diff.changes.iter().any(passing) {
        parts.push(format!("{} for the time of the run only", block::PASSING));
    }
    if parts.is_empty() {
        return String::new();
    }
    let legend = format!("Signs: {}", parts.join(", "));
    let lines = words::wrap(&legend, style.width);
    lines.iter().map(|line| format!("{}\n", paint(style, Tone::Quiet, line))).collect()
}

/// Sign of an action, and how it is meant.
fn sign(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Create => ("+", Tone::Good),
        Action::Update => ("~", Tone::Careful),
        Action::Replace => ("-/+", Tone::Bad),
        Action::Unchanged => ("=", Tone::Quiet),
        Action::Blocked => ("!", Tone::Bad),
    }
}

/// What all entries copy together, where there is more than one to copy.
fn total(diff: &Diff) -> Option<String> {
    let copied: Vec<&Change> = diff.changes.iter().filter(|change| change.rows_to_copy > 0).collect();
    if copied.len() < 2 {
        return None;
    }
    let rows = copied.iter().fold(0_u64, |sum, change| sum.saturating_add(change.rows_to_copy));
    let bytes = copied.iter().fold(0_u64, |sum, change| sum.saturating_add(change.bytes_to_copy));
    let about = copied.iter().any(|change| is_estimated(change));
    Some(format!("To copy in all: {}", amount(rows, bytes, about)))
}

/// That something was left out on purpose, so that nobody takes the diff for the whole plan.
fn not_selected(diff: &Diff) -> Option<String> {
    let number = diff.not_selected.len();
    (number > 0).then(|| format!("Not selected: {} of the plan.", super::count(number, "collection")))
}

/// Whether the number of rows comes from statistics and not from counting.
fn is_estimated(change: &Change) -> bool {
    change.rows.source.as_ref().is_some_and(|rows| rows.estimated)
}

/// Rows, their bytes and the time that they take.
fn amount(rows: u64, bytes: u64, about: bool) -> String {
    let about = if about { "about " } else { "" };
    let mut text = format!("{about}{}", words::rows(rows));
    if bytes > 0 {
        text.push_str(&format!(", about {}", words::bytes(bytes)));
        // Below that, what counts is the time that servers take to make, index and load a collection.
        let seconds = estimated_seconds(bytes);
        if seconds > 1 {
            let rate = words::bytes(ASSUMED_BYTES_PER_SECOND);
            text.push_str(&format!(", about {} at {rate}/s", words::seconds(seconds)));
        }
    }
    text
}

#[cfg(test)]
mod tests;
