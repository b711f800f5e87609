//! A change set as people review it and as machines read it. Everything that is shown was decided in `diff`.

pub(super) mod block;
pub(super) mod clusters;
pub(super) mod digest;
pub(super) mod groups;
mod json;
pub(super) mod many;
mod markdown;
mod sums;

use super::Style;
use super::words::{self, Tone, clean, paint};
use crate::diff::{Action, Change, Diff, Sign};
use block::Row;

pub(super) use groups::{Arranged, Piece};
pub(super) use sums::{Sum, is_estimated};

pub(super) use json::Document;
pub use json::json;
pub use markdown::markdown;

/// Said where there is nothing to do.
const NO_CHANGES: &str = "No changes. Target matches the plan.";

/// The whole change set for a terminal. Its last line is the summary, which scripts read.
pub fn text(diff: &Diff, style: Style) -> String {
    let mut text = String::new();
    text.push_str(&legend(diff, style));
    text.push_str(&clusters::text(&diff.clusters, style));
    let arranged = Arranged::of(diff);
    let apart = !arranged.drifted.is_empty();
    for (heading, part) in [(groups::DRIFT, &arranged.drifted), (groups::PLANNED, &arranged.planned)] {
        if apart && !part.is_empty() {
            text.push_str(&format!("\n{}\n", paint(style, Tone::Loud, heading)));
        }
        blocks(part, style, &mut text);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    for fact in digest::facts(diff) {
        let tone = if fact.bad { Tone::Bad } else { Tone::Plain };
        for line in words::wrap(&format!("{}: {}{}", fact.label, fact.amount, fact.named(clean)), style.width) {
            text.push_str(&format!("{}\n", paint(style, tone, &line)));
        }
    }
    if is_all_the_same(diff) {
        text.push_str(&format!("{NO_CHANGES}\n"));
    }
    if let Some(line) = not_selected(diff) {
        text.push_str(&format!("{line}\n"));
    }
    // Never coloured: a script that looks for it must find it under `--color always` too.
    text.push_str(&format!("{}\n", diff.summary()));
    text
}

/// Whether there is nothing to do and nothing in the way.
fn is_all_the_same(diff: &Diff) -> bool {
    let actions = diff.changes.iter().map(|change| change.action);
    actions.chain(diff.clusters.iter().map(|cluster| cluster.action)).all(|action| action == Action::Unchanged)
}

/// The blocks of a part, each after an empty line. Those of one line stand together.
fn blocks(pieces: &[Piece<'_>], style: Style, text: &mut String) {
    let mut folded = false;
    for piece in pieces {
        let rows = rows(piece, style);
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
}

/// The rows of one change, or of several that are told together.
fn rows(piece: &Piece<'_>, style: Style) -> Vec<Row> {
    match piece {
        Piece::One(change) => block::rows(change, style),
        Piece::Alike(changes) => many::rows(changes, style),
    }
}

/// That something was left out on purpose, so that nobody takes the diff for the whole plan.
fn not_selected(diff: &Diff) -> Option<String> {
    let number = diff.not_selected.len();
    (number > 0).then(|| format!("Not selected: {} of the plan.", super::count(number, "collection")))
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
    let clusters = || diff.clusters.iter().map(|cluster| cluster.action);
    let occurs = |action| diff.changes.iter().map(|change| change.action).chain(clusters()).any(|one| one == action);
    let reshaped = |change: &Change| block::shows_lines(change) && change.lines.iter().any(block::is_reshaped);
    let reshapes = diff.changes.iter().any(reshaped);
    let mut parts: Vec<String> = Vec::new();
    for (action, word) in WORDS.iter().filter(|(action, _)| occurs(*action) || (*action == Action::Update && reshapes))
    {
        let word = match (action, occurs(*action), reshapes) {
            (Action::Update, true, true) => "update or unlike the source",
            (Action::Update, false, _) => "unlike the source",
            _ => word,
        };
        parts.push(format!("{} {word}", sign(*action).0));
    }
    let passing =
        |change: &Change| block::shows_lines(change) && change.lines.iter().any(|line| line.sign == Sign::Passing);
    if diff.changes.iter().any(passing) {
        parts.push(format!("{} for the time of the run only", block::PASSING));
    }
    if parts.is_empty() {
        return String::new();
    }
    // A sign stays on one line with its word.
    let parts: Vec<String> = parts.iter().map(|part| part.replace(' ', "\u{a0}")).collect();
    let lines = words::wrap(&format!("Signs: {}", parts.join(", ")), style.width).into_iter();
    lines.map(|line| format!("{}\n", paint(style, Tone::Quiet, &line.replace('\u{a0}', " ")))).collect()
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

#[cfg(test)]
mod tests;
