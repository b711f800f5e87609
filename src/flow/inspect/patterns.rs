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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plan::draft::Draft;
    use crate::plan::resolved::Select;
    use crate::{plan, render};

    fn one(name: &str, said: Option<Part>, off: bool) -> Drafted {
        let parts = std::iter::once(Part::new("source", name)).chain(said).collect();
        let entry = Entry { about: vec![name.to_owned()], parts, off };
        Drafted { name: name.to_owned(), size: "1 row".into(), notes: vec!["a note".into()], entry }
    }

    fn plan_of(entries: Vec<Entry>) -> plan::ResolvedPlan {
        let at = |uri: &str| vec![Part::of_parts("milvus", vec![Part::new("uri", uri)])];
        let (source, target) = (at("http://10.0.0.1:1"), at("http://10.0.0.2:1"));
        let text = render::draft::text(&Draft { source, target, entries, ..Draft::default() });
        let (plan, found) = plan::from_bytes(Path::new("plan.yaml"), text.clone().into_bytes());
        plan.unwrap_or_else(|| panic!("{found:?}\n{text}"))
    }

    fn many(number: usize) -> Vec<Drafted> {
        (0..number).map(|number| one(&format!("c{number:03}"), Some(Part::new("indexes", "copy")), false)).collect()
    }

    #[test]
    fn many_alike_become_one_entry_and_the_others_keep_theirs() {
        let mut all = many(60);
        all.push(one("odd[1]*", Some(Part::new("target", "odd")), false));
        all.push(one("plain", None, false));
        all.push(one("blocked", Some(Part::new("indexes", "copy")), true));
        let entries = entries(all, Some("*"));
        assert_eq!(entries.len(), 4);
        assert!(entries[0].about.contains(&"- a note (60 of them)".to_owned()), "{:?}", entries[0].about);
        let plan = plan_of(entries);
        let [all, odd, plain] = plan.migrations[0].selections.as_slice() else { panic!("{plan:?}") };
        let exclude = ["odd[[]1[]][*]", "plain", "blocked"].map(str::to_owned).to_vec();
        assert_eq!(all.select, Select::Glob { pattern: "*".into(), exclude });
        assert_eq!(all.settings.indexes, plan::resolved::Indexes::Copy);
        assert_eq!(odd.select, Select::Name { source: "odd[1]*".into(), target: "odd".into() });
        assert_eq!(plain.select, Select::Name { source: "plain".into(), target: "plain".into() });
    }

    #[test]
    fn few_and_those_that_no_pattern_selects_are_named_one_by_one() {
        assert_eq!(entries(many(EACH), Some("*")).len(), EACH);
        assert_eq!(entries(many(EACH + 1), Some("*")).len(), 1);
        assert_eq!(entries(many(EACH + 1), None).len(), EACH + 1);
    }
}
