//! A change set as a comment on a change request: a table of all entries, and each one's diff behind a click.

use super::super::markup::{self, MARKER, MOST_BYTES};
use super::super::{Style, words};
use super::{NO_CHANGES, block, is_estimated, not_selected, sign, total};
use crate::diff::{Action, Change, Diff};

/// Columns of the diffs: what a comment shows without scrolling.
const STYLE: Style = Style { color: false, width: 100 };
/// Bytes for the table; the diffs have the rest.
const TABLE_BYTES: usize = MOST_BYTES / 3;
/// Bytes for the diff of one change, so that one with a thousand fields leaves room for the others.
const ENTRY_BYTES: usize = 12_000;

/// The change set in Markdown. Where it would be too long for a comment, what is blocked or lost comes first, and how much
/// is left out is said.
pub fn markdown(diff: &Diff) -> String {
    let mut text = format!("{MARKER}**{}**\n\n", diff.summary());
    if diff.changes.iter().all(|change| change.action == Action::Unchanged) {
        text.push_str(&format!("{NO_CHANGES}\n\n"));
    }
    if let Some(total) = total(diff) {
        text.push_str(&format!("{total}\n\n"));
    }
    if let Some(line) = not_selected(diff) {
        text.push_str(&format!("{line}\n\n"));
    }
    if !diff.changes.is_empty() {
        text.push_str(&table(&diff.changes));
        let room = MOST_BYTES.saturating_sub(text.len() + 200);
        text.push_str(&all_details(&diff.changes, room));
    }
    text
}

/// What must not be missing comes first.
fn rank(change: &Change) -> u8 {
    match change.action {
        Action::Blocked => 0,
        Action::Replace => 1,
        Action::Update => 2,
        Action::Create => 3,
        Action::Unchanged => 4,
    }
}

fn table(changes: &[Change]) -> String {
    let lines: Vec<String> = changes.iter().map(table_line).collect();
    let sizes: Vec<(u8, usize)> = changes.iter().zip(&lines).map(|(change, line)| (rank(change), line.len())).collect();
    let taken = markup::fitting(&sizes, TABLE_BYTES);
    let mut text =
        "| | collection | action | rows to copy | rows lost | remarks |\n|---|---|---|--:|--:|---|\n".to_owned();
    text.extend(lines.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(line, _)| line));
    text.push('\n');
    text.push_str(&markup::more(&taken, "collection"));
    text
}

fn table_line(change: &Change) -> String {
    let word = match change.action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "**replace**",
        Action::Unchanged => "unchanged",
        Action::Blocked => "**blocked**",
    };
    let about = if is_estimated(change) { "about " } else { "" };
    let to_copy =
        if change.rows_to_copy > 0 { format!("{about}{}", words::number(change.rows_to_copy)) } else { String::new() };
    let lost = if change.rows_lost > 0 { format!("**{}**", words::number(change.rows_lost)) } else { String::new() };
    let mut codes: Vec<&str> = change.blocked.iter().chain(&change.warnings).map(|note| note.code.info().id).collect();
    codes.sort_unstable();
    codes.dedup();
    let codes = codes.join(", ");
    format!(
        "| `{}` | {} | {word} | {to_copy} | {lost} | {codes} |\n",
        sign(change.action).0,
        markup::code(&change.address)
    )
}

fn all_details(changes: &[Change], room: usize) -> String {
    let told: Vec<&Change> = changes.iter().filter(|change| block::rows(change, STYLE).len() > 1).collect();
    let blocks: Vec<String> = told.iter().map(|change| one_details(change)).collect();
    let sizes: Vec<(u8, usize)> = told.iter().zip(&blocks).map(|(change, text)| (rank(change), text.len())).collect();
    let taken = markup::fitting(&sizes, room);
    let mut text: String =
        blocks.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(block, _)| block).collect();
    text.push_str(&markup::more(&taken, "diff"));
    text
}

fn one_details(change: &Change) -> String {
    let rows: Vec<String> = block::rows(change, STYLE).iter().map(block::Row::diff).collect();
    let diff = markup::cut(&rows.join("\n"), ENTRY_BYTES);
    let summary = format!("{} {}", sign(change.action).0, markup::summary_code(&change.address));
    markup::details(&summary, &markup::fenced("diff", &diff))
}
