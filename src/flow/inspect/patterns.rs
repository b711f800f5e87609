//! Many collections of the same kind: one entry with a pattern in place of one for each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::entry::Drafted;
use crate::plan::draft::{Entry, Part};

/// Collections up to which each has an entry of its own: what people still read.
const EACH: usize = 50;
/// Collections of a pattern that are listed beside it.
const LISTED: usize = 20;

/// The entries of a plan. Where there are many, those that say the same become one with `pattern`.
pub(super) fn entries(drafted: Vec<Drafted>, pattern: Option<&str>) -> Vec<Entry> {
    let each = |drafted: Vec<Drafted>| drafted.into_iter().map(|one| one.entry).collect();
    let Some(pattern) = pattern.filter(|_| drafted.len() > EACH) else {
        return each(drafted);
    };
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for kind in drafted.iter().filter_map(kind) {
        *kinds.entry(kind).or_default() += 1;
    }
    // The most frequent; of several, the first in the order of their words, so that the same cluster gives the same plan.
    let most = kinds.into_iter().rev().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 1);
    let Some((most, _)) = most else { return each(drafted) };
    let (alike, others): (Vec<_>, Vec<_>) = drafted.into_iter().partition(|one| kind(one).as_ref() == Some(&most));
    let mut entries = vec![together(&alike, &others, pattern)];
    entries.extend(others.into_iter().map(|one| one.entry));
    entries
}

/// What an entry says besides its name; none where a pattern could not say it.
fn kind(one: &Drafted) -> Option<String> {
    let shape = one.entry.shape();
    let named = shape.iter().any(|(key, _)| *key == "target");
    let words: Vec<String> = shape.iter().map(|(key, value)| format!("{key}={value}")).collect();
    (!one.entry.off && !named).then(|| words.join("\n"))
}

fn together(alike: &[Drafted], others: &[Drafted], pattern: &str) -> Entry {
    let mut about =
        vec![format!("{} collections that are moved alike. New ones that fit the pattern are moved too.", alike.len())];
    about.extend(alike.iter().take(LISTED).map(|one| format!("  {}: {}", one.name, one.size)));
    if alike.len() > LISTED {
        about.push(format!("  and {} more", alike.len() - LISTED));
    }
    let mut notes: BTreeMap<&str, usize> = BTreeMap::new();
    for note in alike.iter().flat_map(|one| &one.notes) {
        *notes.entry(note).or_default() += 1;
    }
    about.extend(notes.into_iter().take(LISTED).map(|(note, times)| format!("- {note} ({times} of them)")));
    let mut parts = vec![Part::new("match", pattern)];
    if !others.is_empty() {
        let names: Vec<Value> = others.iter().map(|one| globset::escape(&one.name).into()).collect();
        parts.push(
            Part::new("exclude", names).comment("Each has an entry of its own below, or cannot be moved as it is."),
        );
    }
    let said = alike.first().into_iter().flat_map(|one| &one.entry.parts);
    parts.extend(said.filter(|part| !part.off && part.key != "source").cloned());
    Entry { about, parts, off: false }
}
