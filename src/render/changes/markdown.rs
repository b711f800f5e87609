//! A change set as a comment on a change request: a table of all entries, and each one's diff behind a click.

use super::super::markup::{self, MARKER, MOST_BYTES};
use super::super::{Style, words};
use super::{NO_CHANGES, block, is_estimated, sign, total};
use crate::diff::{Action, ChangeSet, Entry};

/// Columns of the diffs: what a comment shows without scrolling.
const STYLE: Style = Style { color: false, width: 100 };
/// Bytes for the table; the diffs have the rest.
const TABLE_BYTES: usize = MOST_BYTES / 3;
/// Bytes for the diff of one entry, so that one with a thousand fields leaves room for the others.
const ENTRY_BYTES: usize = 12_000;

/// The change set in Markdown. Where it would be too long for a comment, what is blocked or lost comes first, and how much
/// is left out is said.
pub fn markdown(changes: &ChangeSet) -> String {
    let mut text = format!("{MARKER}**{}**\n\n", changes.summary());
    if changes.entries.iter().all(|entry| entry.action == Action::Unchanged) {
        text.push_str(&format!("{NO_CHANGES}\n\n"));
    }
    if let Some(total) = total(changes) {
        text.push_str(&format!("{total}\n\n"));
    }
    if !changes.entries.is_empty() {
        text.push_str(&table(&changes.entries));
        let room = MOST_BYTES.saturating_sub(text.len() + 200);
        text.push_str(&all_details(&changes.entries, room));
    }
    text
}

/// What must not be missing comes first.
fn rank(entry: &Entry) -> u8 {
    match entry.action {
        Action::Blocked => 0,
        Action::Replace => 1,
        Action::Update => 2,
        Action::Create => 3,
        Action::Unchanged => 4,
    }
}

fn table(entries: &[Entry]) -> String {
    let lines: Vec<String> = entries.iter().map(table_line).collect();
    let sizes: Vec<(u8, usize)> = entries.iter().zip(&lines).map(|(entry, line)| (rank(entry), line.len())).collect();
    let taken = markup::fitting(&sizes, TABLE_BYTES);
    let mut text =
        "| | collection | action | rows to copy | rows lost | remarks |\n|---|---|---|--:|--:|---|\n".to_owned();
    text.extend(lines.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(line, _)| line));
    text.push('\n');
    text.push_str(&markup::more(&taken, "collection"));
    text
}

fn table_line(entry: &Entry) -> String {
    let word = match entry.action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "**replace**",
        Action::Unchanged => "unchanged",
        Action::Blocked => "**blocked**",
    };
    let about = if is_estimated(entry) { "about " } else { "" };
    let to_copy =
        if entry.rows_to_copy > 0 { format!("{about}{}", words::number(entry.rows_to_copy)) } else { String::new() };
    let lost = if entry.rows_lost > 0 { format!("**{}**", words::number(entry.rows_lost)) } else { String::new() };
    let mut codes: Vec<&str> = entry.blocked.iter().chain(&entry.warnings).map(|note| note.code.info().id).collect();
    codes.sort_unstable();
    codes.dedup();
    let codes = codes.join(", ");
    format!(
        "| `{}` | {} | {word} | {to_copy} | {lost} | {codes} |\n",
        sign(entry.action).0,
        markup::code(&entry.seen.address)
    )
}

fn all_details(entries: &[Entry], room: usize) -> String {
    let told: Vec<&Entry> = entries.iter().filter(|entry| block::rows(entry, STYLE).len() > 1).collect();
    let blocks: Vec<String> = told.iter().map(|entry| one_details(entry)).collect();
    let sizes: Vec<(u8, usize)> = told.iter().zip(&blocks).map(|(entry, text)| (rank(entry), text.len())).collect();
    let taken = markup::fitting(&sizes, room);
    let mut text: String =
        blocks.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(block, _)| block).collect();
    text.push_str(&markup::more(&taken, "diff"));
    text
}

fn one_details(entry: &Entry) -> String {
    let rows: Vec<String> = block::rows(entry, STYLE).iter().map(block::Row::diff).collect();
    let diff = markup::cut(&rows.join("\n"), ENTRY_BYTES);
    let summary = format!("{} {}", sign(entry.action).0, markup::summary_code(&entry.seen.address));
    markup::details(&summary, &markup::fenced("diff", &diff))
}
