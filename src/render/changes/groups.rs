//! In which order changes are shown, and which of them stand together. What somebody changed behind the plan's back comes
//! first and apart, and in a long plan collections to which the very same happens are told once, with their names.

use std::collections::HashMap;

use super::block::is_shown;
use crate::diagnostic::Code;
use crate::diff::{Change, Diff, Note};

/// Plans with more changes than these are folded: up to so many, each one can be read.
const READABLE: usize = 12;
/// Changes that are worth folding.
const FEWEST: usize = 3;

/// Said above what was changed behind the plan's back.
pub(in super::super) const DRIFT: &str = "Changed outside of vecferry since the last run:";
/// Said above the rest, where there is drift.
pub(in super::super) const PLANNED: &str = "As the plan says:";

/// One change, or several to which the same happens.
#[derive(Debug)]
pub(in super::super) enum Piece<'a> {
    /// One.
    One(&'a Change),
    /// Several, at least two.
    Alike(Vec<&'a Change>),
}

impl<'a> Piece<'a> {
    /// One of them; what it shares with the others holds for all.
    pub(in super::super) fn first(&self) -> &'a Change {
        match self {
            Self::One(change) => change,
            Self::Alike(changes) => changes[0],
        }
    }

    /// All of them.
    pub(in super::super) fn all(&self) -> &[&'a Change] {
        match self {
            Self::One(change) => std::slice::from_ref(change),
            Self::Alike(changes) => changes,
        }
    }
}

/// All changes as they are shown.
#[derive(Debug)]
pub(in super::super) struct Arranged<'a> {
    /// Those of which something was changed since the last run.
    pub(in super::super) drifted: Vec<Piece<'a>>,
    /// The others.
    pub(in super::super) planned: Vec<Piece<'a>>,
}

impl<'a> Arranged<'a> {
    /// The changes of a diff.
    pub(in super::super) fn of(diff: &'a Diff) -> Self {
        let (drifted, planned): (Vec<_>, Vec<_>) = diff.changes.iter().partition(|change| is_drifted(change));
        let folds = diff.changes.len() > READABLE;
        Self { drifted: pieces(drifted, folds), planned: pieces(planned, folds) }
    }

    /// Both parts, in their order.
    pub(in super::super) fn all(&self) -> impl Iterator<Item = &Piece<'a>> {
        self.drifted.iter().chain(&self.planned)
    }
}

/// Whether somebody changed either side since a run of the plan.
pub(in super::super) fn is_drifted(change: &Change) -> bool {
    let tells = |note: &Note| {
        matches!(note.code, Code::Drifted | Code::TargetReplaced | Code::SourceReplaced | Code::MadeAgain)
    };
    change.blocked.iter().chain(&change.warnings).chain(&change.notes).any(tells)
}

fn pieces(changes: Vec<&Change>, folds: bool) -> Vec<Piece<'_>> {
    if !folds {
        return changes.into_iter().map(Piece::One).collect();
    }
    let mut groups: Vec<Vec<&Change>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for change in changes {
        // Rows that differ are counted for each one.
        let alone = change.rows.difference.is_some() || change.scan.is_some();
        let at = if alone { groups.len() } else { *known.entry(likeness(change)).or_insert(groups.len()) };
        match groups.get_mut(at) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    let fold = |group: Vec<_>| match group.len() {
        FEWEST.. => vec![Piece::Alike(group)],
        _ => group.into_iter().map(Piece::One).collect(),
    };
    groups.into_iter().flat_map(fold).collect()
}

/// What is the same for changes that are told together: everything that is said of one but its name and its rows.
fn likeness(change: &Change) -> String {
    let lines: Vec<_> = change.lines.iter().filter(|line| is_shown(line)).collect();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {lines:?} {:?} {:?} {:?}",
        change.action,
        change.work,
        (&change.source.uri, &change.source.database),
        (&change.target.uri, &change.target.database),
        migration(change),
        change.rows_lost > 0,
        change.blocked,
        change.warnings,
        change.notes,
    )
}

/// Its address without the collection.
pub(in super::super) fn migration(change: &Change) -> &str {
    let address = change.address.strip_suffix(&change.target.collection).unwrap_or(&change.address);
    address.strip_suffix('.').unwrap_or(address)
}

/// Its name beside others of its migration.
pub(in super::super) fn name(change: &Change) -> String {
    let (from, to) = (&change.source.collection, &change.target.collection);
    if from == to { to.clone() } else { format!("{from} → {to}") }
}
