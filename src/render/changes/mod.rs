//! A change set as people review it and as machines read it. Everything that is shown was decided in `diff`.

mod block;
mod json;
mod markdown;

use super::Style;
use super::words::{self, Tone, paint};
use crate::diff::{Action, ChangeSet, Entry, Sign};

pub use json::json;
pub use markdown::markdown;

/// Bytes a second that the estimate of the time assumes. It is said beside each estimate, because nobody knows what two
/// clusters can do before they have done it.
const ASSUMED_BYTES_PER_SECOND: u64 = 20_000_000;

/// Said where there is nothing to do.
const NO_CHANGES: &str = "No changes. Target matches the plan.";

/// The whole change set for a terminal. Its last line is the summary, which scripts read.
pub fn text(changes: &ChangeSet, style: Style) -> String {
    let mut text = String::new();
    text.push_str(&legend(changes, style));
    let mut folded = false;
    for entry in &changes.entries {
        let rows = block::rows(entry, style);
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
    if let Some(total) = total(changes) {
        for line in words::wrap(&total, style.width) {
            text.push_str(&format!("{line}\n"));
        }
    }
    if changes.entries.iter().all(|entry| entry.action == Action::Unchanged) {
        text.push_str(&format!("{NO_CHANGES}\n"));
    }
    // Never coloured: a script that looks for it must find it under `--color always` too.
    text.push_str(&format!("{}\n", changes.summary()));
    text
}

/// What the signs mean, for those that occur.
fn legend(changes: &ChangeSet, style: Style) -> String {
    const WORDS: [(Action, &str); 5] = [
        (Action::Create, "create"),
        (Action::Update, "update"),
        (Action::Replace, "drop and make anew"),
        (Action::Unchanged, "nothing to do"),
        (Action::Blocked, "blocked"),
    ];
    let occurs = |action| changes.entries.iter().any(|entry| entry.action == action);
    let mut parts: Vec<String> = WORDS
        .iter()
        .filter(|(action, _)| occurs(*action))
        .map(|(action, word)| format!("{} {word}", sign(*action).0))
        .collect();
    let passing =
        |entry: &Entry| block::shows_lines(entry) && entry.lines.iter().any(|line| line.sign == Sign::Passing);
    if changes.entries.iter().any(passing) {
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
fn total(changes: &ChangeSet) -> Option<String> {
    let copied: Vec<&Entry> = changes.entries.iter().filter(|entry| entry.rows_to_copy > 0).collect();
    if copied.len() < 2 {
        return None;
    }
    let rows = copied.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.rows_to_copy));
    let bytes = copied.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes_to_copy()));
    let about = copied.iter().any(|entry| is_estimated(entry));
    Some(format!("To copy in all: {}", amount(rows, bytes, about)))
}

/// Whether the number of rows comes from statistics and not from counting.
fn is_estimated(entry: &Entry) -> bool {
    entry.seen.source_rows.as_ref().is_some_and(|rows| rows.estimated)
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

/// Seconds that so many bytes take under the assumption.
fn estimated_seconds(bytes: u64) -> u64 {
    bytes.div_ceil(ASSUMED_BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests;
