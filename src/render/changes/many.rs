//! Several changes to which the same happens, as one block of rows: what happens, to which, and what it amounts to.

use super::super::words::{self, Tone, clean};
use super::super::{Style, count};
use super::block::{MARGIN, Row, hanging, is_reshaping, lost, notes, push, shape, shows_lines, to_copy, what};
use super::groups::{migration, name};
use super::sign;
use super::sums::Sum;
use crate::diff::{Action, Change, Place};

/// The block of some changes, of which there is one at least.
pub(super) fn rows(changes: &[&Change], style: Style) -> Vec<Row> {
    let Some(first) = changes.first() else { return Vec::new() };
    let room = style.width.saturating_sub(MARGIN);
    let (mark, tone) = sign(first.action);
    let sum = Sum::of(changes.iter().copied());
    let mut rows = vec![Row::head(mark, tone, format!("{}  {}", of(changes), happens(changes)))];
    if first.action != Action::Unchanged {
        let shown = |place: &Place| format!("{} {}", clean(&place.uri), clean(&place.database));
        let places = format!("{} → {}", shown(&first.source), shown(&first.target));
        push(words::wrap(&places, room), "", Tone::Quiet, true, &mut rows);
    }
    if shows_lines(first) {
        shape(&first.lines, room, &mut rows);
        to_copy(first.work, &sum, room, &mut rows);
        lost(first.action, &sum, room, &mut rows);
    }
    notes(first, room, &mut rows);
    let names: Vec<String> = changes.iter().map(|change| named(change)).collect();
    hanging(&format!("they are: {}", names.join(", ")), "", Tone::Plain, room, &mut rows);
    rows
}

/// How many of what: `412 collections of kb.main`.
pub(in super::super) fn of(changes: &[&Change]) -> String {
    let of = changes.first().map(|first| clean(migration(first))).unwrap_or_default();
    format!("{} of {of}", count(changes.len(), "collection"))
}

/// What happens to all of them.
pub(in super::super) fn happens(changes: &[&Change]) -> String {
    let Some(first) = changes.first() else { return String::new() };
    match first.action {
        Action::Unchanged => {
            let seen = changes.iter().filter_map(|change| change.rows.target.as_ref());
            let about = if seen.clone().any(|rows| rows.estimated) { "about " } else { "" };
            let rows = seen.fold(0_u64, |sum, rows| sum.saturating_add(rows.distinct));
            format!("nothing to do, {about}{}", words::rows(rows))
        }
        Action::Create if !is_reshaping(first) => what(first).replacen("it is", "they are", 1),
        Action::Update => what(first).replacen("is ", "are ", 1).replacen("its rows", "their rows", 1),
        Action::Blocked => "are blocked".to_owned(),
        Action::Create | Action::Replace => what(first),
    }
}

/// A name, with what is lost under it.
fn named(change: &Change) -> String {
    let name = clean(&name(change));
    match change.rows_lost {
        0 => name,
        _ => format!("{name} ({} lost)", Sum::of([change]).lost_text()),
    }
}
