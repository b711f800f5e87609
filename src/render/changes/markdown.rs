//! A change set as a comment on a change request: a table of all entries, and each one's diff behind a click.

use super::super::markup::{self, MARKER, MOST_BYTES};
use super::super::{Style, count, words};
use super::block::Row;
use super::groups::{self, Arranged, Piece, migration};
use super::sums::Sum;
use super::{NO_CHANGES, block, clusters, digest, is_all_the_same, not_selected, rows, sign};
use crate::diff::{Action, Diff};

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
    text.push_str(&clusters::markdown(&diff.clusters));
    if is_all_the_same(diff) {
        text.push_str(&format!("{NO_CHANGES}\n\n"));
    }
    let facts = digest::facts(diff);
    for fact in &facts {
        let label = if fact.bad { format!("**{}**", fact.label) } else { fact.label.to_owned() };
        text.push_str(&format!("- {label}: {}{}\n", fact.amount, fact.named(markup::code)));
    }
    if !facts.is_empty() {
        text.push('\n');
    }
    if let Some(line) = not_selected(diff) {
        text.push_str(&format!("{line}\n\n"));
    }
    let arranged = Arranged::of(diff);
    let apart = !arranged.drifted.is_empty();
    let mut room = TABLE_BYTES;
    for (heading, part) in [(groups::DRIFT, &arranged.drifted), (groups::PLANNED, &arranged.planned)] {
        if part.is_empty() {
            continue;
        }
        if apart {
            text.push_str(&format!("**{heading}**\n\n"));
        }
        let table = table(part, room);
        room = room.saturating_sub(table.len());
        text.push_str(&table);
    }
    let pieces: Vec<&Piece<'_>> = arranged.all().collect();
    let room = MOST_BYTES.saturating_sub(text.len() + 200);
    text.push_str(&all_details(&pieces, room));
    text
}

/// What must not be missing comes first.
fn rank(piece: &Piece<'_>) -> u8 {
    match piece.first().action {
        Action::Blocked => 0,
        Action::Replace => 1,
        Action::Update => 2,
        Action::Create => 3,
        Action::Unchanged => 4,
    }
}

fn table(pieces: &[Piece<'_>], room: usize) -> String {
    let lines: Vec<String> = pieces.iter().map(table_line).collect();
    let sizes: Vec<(u8, usize)> = pieces.iter().zip(&lines).map(|(piece, line)| (rank(piece), line.len())).collect();
    let taken = markup::fitting(&sizes, room);
    let mut text =
        "| | collection | action | rows to copy | rows lost | remarks |\n|---|---|---|--:|--:|---|\n".to_owned();
    text.extend(lines.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(line, _)| line));
    text.push('\n');
    text.push_str(&more(pieces.iter().zip(&taken), "collection"));
    text
}

/// How many collections are left out, where any are.
fn more<'a>(pieces: impl Iterator<Item = (&'a Piece<'a>, &'a bool)>, noun: &str) -> String {
    let left: usize = pieces.filter(|(_, taken)| !**taken).map(|(piece, _)| piece.all().len()).sum();
    markup::more(&vec![false; left], noun)
}

fn table_line(piece: &Piece<'_>) -> String {
    let first = piece.first();
    let word = match first.action {
        Action::Create if block::is_reshaping(first) => "create in another shape",
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "**replace**",
        Action::Unchanged => "unchanged",
        Action::Blocked => "**blocked**",
    };
    let sum = Sum::of(piece.all().iter().copied());
    let about = if sum.about { "about " } else { "" };
    let to_copy = if sum.rows > 0 { format!("{about}{}", words::number(sum.rows)) } else { String::new() };
    let lost = if sum.lost > 0 { format!("**{}**", words::number(sum.lost)) } else { String::new() };
    let mut codes: Vec<&str> = first.blocked.iter().chain(&first.warnings).map(|note| note.code.info().id).collect();
    codes.sort_unstable();
    codes.dedup();
    let codes = codes.join(", ");
    let which = called(piece, markup::code);
    format!("| `{}` | {which} | {word} | {to_copy} | {lost} | {codes} |\n", sign(first.action).0)
}

/// What a piece is called, with names as `shown` writes them.
fn called(piece: &Piece<'_>, shown: fn(&str) -> String) -> String {
    match piece {
        Piece::One(change) => shown(&change.address),
        Piece::Alike(changes) => {
            format!("{} of {}", count(changes.len(), "collection"), shown(migration(piece.first())))
        }
    }
}

fn all_details(pieces: &[&Piece<'_>], room: usize) -> String {
    let told: Vec<&Piece<'_>> = pieces.iter().copied().filter(|piece| rows(piece, STYLE).len() > 1).collect();
    let blocks: Vec<String> = told.iter().map(|piece| one_details(piece)).collect();
    let sizes: Vec<(u8, usize)> = told.iter().zip(&blocks).map(|(piece, text)| (rank(piece), text.len())).collect();
    let taken = markup::fitting(&sizes, room);
    let mut text: String =
        blocks.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(block, _)| block).collect();
    text.push_str(&more(told.iter().copied().zip(&taken), "diff"));
    text
}

fn one_details(piece: &Piece<'_>) -> String {
    let rows: Vec<String> = rows(piece, STYLE).iter().map(Row::diff).collect();
    let diff = markup::cut(&rows.join("\n"), ENTRY_BYTES);
    let summary = format!("{} {}", sign(piece.first().action).0, called(piece, markup::summary_code));
    markup::details(&summary, &markup::fenced("diff", &diff))
}
