//! Clusters of Zilliz Cloud in the diff: which one each name of the plan means, and which are to be made.

use super::super::markup;
use super::super::words::{Tone, clean};
use super::super::{Style, words};
use super::block::{MARGIN, Row, noted};
use super::sign;
use crate::diff::{Action, ClusterChange};

/// What happens to a cluster, in words.
pub(in super::super) fn what(change: &ClusterChange) -> String {
    let facts = clean(&change.facts);
    let status = change.status.as_deref().map(|status| format!(", {}", clean(status))).unwrap_or_default();
    let id = change.id.as_deref().map(|id| format!("{} ", clean(id))).unwrap_or_default();
    match change.action {
        Action::Create => format!("will be made: {facts}"),
        Action::Blocked => format!("cannot be made: {id}{facts}{status}"),
        _ => format!("is {id}{facts}{status}"),
    }
}

/// Its names in the plan.
pub(in super::super) fn names(change: &ClusterChange) -> String {
    change.names.join(", ")
}

/// All clusters for a terminal; nothing where there are none.
pub(super) fn text(clusters: &[ClusterChange], style: Style) -> String {
    let room = style.width.saturating_sub(MARGIN);
    let mut text = String::new();
    for change in clusters {
        for row in rows(change, room) {
            text.push_str(&row.terminal(style));
            text.push('\n');
        }
    }
    text
}

fn rows(change: &ClusterChange, room: usize) -> Vec<Row> {
    let (mark, tone) = sign(change.action);
    let head = format!("cluster {}  {}", clean(&names(change)), what(change));
    let mut lines = words::wrap(&head, room).into_iter();
    let mut rows = vec![Row::head(mark, tone, lines.next().unwrap_or_default())];
    rows.extend(lines.map(|line| Row::new("", Tone::Plain, line)));
    for note in &change.blocked {
        noted(note, "!", Tone::Bad, "blocked", room, &mut rows);
    }
    for note in &change.warnings {
        noted(note, "", Tone::Careful, "warning", room, &mut rows);
    }
    for note in &change.notes {
        noted(note, "", Tone::Quiet, "note", room, &mut rows);
    }
    rows
}

/// All clusters for a comment; nothing where there are none.
pub(super) fn markdown(clusters: &[ClusterChange]) -> String {
    let mut text = String::new();
    for change in clusters {
        let mark = sign(change.action).0;
        text.push_str(&format!(
            "- `{mark}` cluster {} {}\n",
            markup::code(&names(change)),
            markup::referenced(&what(change))
        ));
        let bad = change.blocked.iter().map(|note| ("**blocked**", note));
        let careful = change.warnings.iter().map(|note| ("warning", note));
        for (word, note) in bad.chain(careful).chain(change.notes.iter().map(|note| ("note", note))) {
            let help = note.help.as_deref().map(|help| format!("; {}", markup::referenced(help))).unwrap_or_default();
            let message = markup::referenced(&note.message);
            text.push_str(&format!("  - {word} {}: {message}{help}\n", note.code.info().id));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
