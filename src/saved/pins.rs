//! Pins: what both sides and the state looked like when a plan was saved, in facts that can be held against today's one by one.
//!
//! A difference is a reason not to carry the plan out, whatever it means: what was reviewed was reviewed for what was there. The
//! one exception is what the plan itself has done since: a run that carries out this very plan, by its checksum in the journal, has
//! made its target and loaded its source, and goes on. Once it has ended successfully, there is nothing left that was reviewed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SavedPlan, sha};
use crate::collection::{CollectionSchema, LiveCollection};
use crate::diff::{Action, Change, ChangeSet, ClusterChange, ClusterEntry, Entry, Line, Prior, Rows, Work, field_text};

/// What was seen of one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pin {
    /// The plan's name for it.
    pub address: String,
    /// Hash of everything that decides which rows arrive in which shape.
    pub plan_hash: String,
    /// The source; null where there was none.
    pub source: Option<SidePin>,
    /// The target; null where there was none.
    pub target: Option<SidePin>,
    /// The collections that the plan's aliases led to.
    pub aliases: BTreeMap<String, Option<String>>,
    /// What the state remembered of the target.
    pub state: Option<StatePin>,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SidePin {
    /// The server's number for the collection; 0 where the server has none.
    pub id: i64,
    /// Hash of its schema.
    pub schema_hash: String,
    /// Its shape, piece by piece, in words.
    pub facts: BTreeMap<String, String>,
    /// Its rows, where they were looked at.
    pub rows: Option<RowsPin>,
}

/// Rows of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RowsPin {
    /// Physical rows, doubled keys counted each time.
    pub physical: u64,
    /// Each key once.
    pub distinct: u64,
    /// Whether they come from the server's statistics.
    pub estimated: bool,
}

/// What the state remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatePin {
    /// The last run.
    pub run: String,
    /// Hash of what it was asked to do.
    pub plan_hash: String,
    /// Whether it ended successfully.
    pub finished: bool,
    /// Splits in all and splits done.
    pub splits: (u64, u64),
}

/// One way in which things are not as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// The plan's name for the collection.
    pub address: String,
    /// What differs: `source field year`.
    pub what: String,
    /// How it was when the plan was saved; null where it was not there.
    pub saved: Option<String>,
    /// How it is now; null where it is not there.
    pub now: Option<String>,
}

impl Pin {
    /// What is seen of an entry now.
    pub fn of(entry: &Entry) -> Self {
        let seen = &entry.seen;
        Self {
            address: seen.address.clone(),
            plan_hash: seen.pinned_hash.clone(),
            source: seen.source.as_ref().map(|live| SidePin::of(live, seen.source_rows.as_ref())),
            target: seen.target.as_ref().map(|live| SidePin::of(live, seen.target_rows.as_ref())),
            aliases: seen.aliases.iter().cloned().collect(),
            state: seen.prior.as_ref().map(StatePin::of),
        }
    }
}

impl SidePin {
    fn of(live: &LiveCollection, rows: Option<&Rows>) -> Self {
        Self {
            id: live.id,
            schema_hash: sha::of(&serde_json::json!(live.schema)),
            facts: facts(live),
            rows: rows.map(|rows| RowsPin {
                physical: rows.physical,
                distinct: rows.distinct(),
                estimated: rows.estimated,
            }),
        }
    }
}

impl StatePin {
    fn of(prior: &Prior) -> Self {
        Self {
            run: prior.run.clone(),
            plan_hash: prior.plan_hash.clone(),
            finished: prior.finished,
            splits: prior.splits,
        }
    }

    fn words(&self) -> String {
        let (all, done) = self.splits;
        let end =
            if self.finished { "finished".to_owned() } else { format!("unfinished, {done} of {all} splits done") };
        format!("run {} of {}, {end}", self.run, self.plan_hash)
    }
}

/// A collection's shape in words, by what each is about.
fn facts(live: &LiveCollection) -> BTreeMap<String, String> {
    let mut facts = schema_facts(&live.schema);
    let mut add = |name: String, text: String| {
        facts.insert(name, text);
    };
    live.partitions.iter().for_each(|name| add(format!("partition `{name}`"), "there".to_owned()));
    live.indexes
        .iter()
        .for_each(|index| add(format!("index on `{}`", index.field), format!("{} {:?}", index.name, index.params)));
    live.aliases.iter().for_each(|name| add(format!("alias `{name}`"), "there".to_owned()));
    live.mark.iter().for_each(|(name, value)| add(format!("mark {name}"), value.clone()));
    add("load state".to_owned(), live.load_state.to_string());
    facts
}

fn schema_facts(schema: &CollectionSchema) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut add = |name: String, text: String| {
        facts.insert(name, text);
    };
    for field in &schema.fields {
        let about = if field.description.is_empty() { String::new() } else { format!(" {:?}", field.description) };
        add(format!("field `{}`", field.name), format!("{}{about}", field_text(field)));
    }
    for function in &schema.functions {
        let (inputs, outputs) = (function.inputs.join(", "), function.outputs.join(", "));
        add(
            format!("function `{}`", function.name),
            format!("{} {inputs} → {outputs} {:?}", function.kind, function.params),
        );
    }
    schema.struct_fields.iter().for_each(|name| add(format!("struct field `{name}`"), "there".to_owned()));
    schema.properties.iter().for_each(|(name, value)| add(format!("property {name}"), value.clone()));
    add("dynamic field".to_owned(), if schema.dynamic_field { "on" } else { "off" }.to_owned());
    add("shards".to_owned(), schema.shards.to_string());
    add("description".to_owned(), format!("{:?}", schema.description));
    if let Some(level) = schema.consistency {
        add("consistency".to_owned(), level.to_string());
    }
    if let Some(number) = schema.key_partitions {
        add("partitions of the key".to_owned(), number.to_string());
    }
    facts
}

/// Every way in which what is seen now is not what a plan was saved for. None means that it may be carried out.
pub fn differences(saved: &SavedPlan, now: &ChangeSet) -> Vec<Difference> {
    let mut found: Vec<Difference> =
        saved.clusters.iter().flat_map(|before| cluster(before, &now.clusters, saved.checksum())).collect();
    let entries = &now.entries;
    for (pin, change) in saved.pins.iter().zip(&saved.changes) {
        let Some(entry) = entries.iter().find(|entry| entry.seen.address == pin.address) else {
            found.push(Difference {
                address: pin.address.clone(),
                what: "the collection".to_owned(),
                saved: Some("part of the plan".to_owned()),
                now: None,
            });
            continue;
        };
        let mut of_one = Differences { address: &pin.address, found: Vec::new() };
        of_one.compare(pin, change, entry, saved.checksum());
        found.extend(of_one.found);
    }
    found
}

/// Ways in which a cluster of Zilliz Cloud is not as it was. That this very plan had it made meanwhile is none.
fn cluster(before: &ClusterChange, now: &[ClusterEntry], checksum: &str) -> Vec<Difference> {
    let address = before.names.join(", ");
    let differs = |what: &str, saved: Option<String>, now: Option<String>| {
        (saved != now).then(|| Difference { address: address.clone(), what: what.to_owned(), saved, now })
    };
    let Some(entry) = now.iter().find(|entry| entry.seen.placeholder == before.placeholder) else {
        return differs("the cluster", Some(before.facts.clone()), None).into_iter().collect();
    };
    let after = entry.change();
    let made_by_it = entry.seen.prior.as_ref().is_some_and(|prior| prior.saved_plan.as_deref() == Some(checksum));
    if before.action == Action::Create && made_by_it {
        return Vec::new();
    }
    let id = |change: &ClusterChange| change.id.clone();
    let facts = |change: &ClusterChange| Some(change.facts.clone());
    let found = [
        differs("what happens to the cluster", word(before.action), word(after.action)),
        differs("the cluster's id", id(before), id(&after)),
        differs("the cluster", facts(before), facts(&after)),
    ];
    found.into_iter().flatten().collect()
}

/// Differences of one collection.
struct Differences<'a> {
    address: &'a str,
    found: Vec<Difference>,
}

impl Differences<'_> {
    fn note(&mut self, what: impl Into<String>, saved: Option<String>, now: Option<String>) {
        if saved != now {
            self.found.push(Difference { address: self.address.to_owned(), what: what.into(), saved, now });
        }
    }

    fn compare(&mut self, pin: &Pin, change: &Change, entry: &Entry, checksum: &str) {
        let now = Pin::of(entry);
        let begun = entry.seen.prior.as_ref().filter(|prior| prior.saved_plan.as_deref() == Some(checksum));
        self.note("what the plan says", Some(pin.plan_hash.clone()), Some(now.plan_hash.clone()));
        self.side("source", pin.source.as_ref(), now.source.as_ref(), begun.is_some());
        if let Some(prior) = begun {
            self.since_it_began(prior, pin, &now, entry);
            return;
        }
        self.side("target", pin.target.as_ref(), now.target.as_ref(), false);
        for (alias, behind) in &now.aliases {
            let before = pin.aliases.get(alias).cloned().flatten();
            self.note(format!("what alias `{alias}` leads to on the target"), before, behind.clone());
        }
        let words = |state: &Option<StatePin>| state.as_ref().map(StatePin::words);
        self.note("the state", words(&pin.state), words(&now.state));
        if self.found.is_empty() {
            self.decision(change, &entry.change());
        }
    }

    /// What a run made that carries out this very plan is no difference. All else is: somebody else's collection where the run has
    /// not made its own yet, and anything to do once the plan was carried out to its end, because nobody reviewed that.
    fn since_it_began(&mut self, prior: &Prior, pin: &Pin, now: &Pin, entry: &Entry) {
        let made = entry.seen.target.as_ref().is_some_and(|live| prior.may_have_made(live));
        match (&now.target, &pin.target) {
            // Its rows are what the run writes.
            (Some(target), Some(before)) if prior.converging => self.id("target", before, target),
            (Some(target), before) if !made => self.side("target", before.as_ref(), Some(target), false),
            _ => {}
        }
        if prior.finished && entry.work != Work::None {
            let done = format!("nothing, since run {} ended successfully", prior.run);
            self.note("what is left to do", Some(done), word(entry.work));
        }
    }

    fn id(&mut self, side: &str, saved: &SidePin, now: &SidePin) {
        let id = |pin: &SidePin| Some(format!("collection {}", pin.id));
        self.note(format!("the {side} collection, which was made anew"), id(saved), id(now));
    }

    fn side(&mut self, side: &str, saved: Option<&SidePin>, now: Option<&SidePin>, begun: bool) {
        let (Some(saved), Some(now)) = (saved, now) else {
            let there = |pin: Option<&SidePin>| pin.map(|_| "there".to_owned());
            self.note(format!("the {side} collection"), there(saved), there(now));
            return;
        };
        self.id(side, saved, now);
        let names: std::collections::BTreeSet<&String> = saved.facts.keys().chain(now.facts.keys()).collect();
        for name in names {
            // A run that was stopped while it copied has loaded its source.
            if begun && name == "load state" {
                continue;
            }
            self.note(format!("{side} {name}"), saved.facts.get(name).cloned(), now.facts.get(name).cloned());
        }
        let hash = |pin: &SidePin| Some(pin.schema_hash.clone());
        if self.found.is_empty() {
            self.note(format!("{side} schema"), hash(saved), hash(now));
        }
        if !begun {
            let rows = |pin: &SidePin| pin.rows.map(|rows| rows.words());
            self.note(format!("{side} rows"), rows(saved), rows(now));
        }
    }

    /// What was decided from the same things is the same, but for what rows that were compared one by one show.
    fn decision(&mut self, saved: &Change, now: &Change) {
        self.note("what happens to it", word(saved.action), word(now.action));
        self.note("how it is done", word(saved.work), word(now.work));
        let rows = |change: &Change| {
            let diff = change.rows.difference.as_ref();
            diff.map(|diff| {
                let (missing, differing) = (diff.missing, diff.differing);
                format!("{missing} missing, {differing} differing, {} only there, {} doubled", diff.extra, diff.doubled)
            })
        };
        self.note("rows of the target beside the source's", rows(saved), rows(now));
        self.note("rows to copy", Some(saved.rows_to_copy.to_string()), Some(now.rows_to_copy.to_string()));
        self.note("rows that are lost", Some(saved.rows_lost.to_string()), Some(now.rows_lost.to_string()));
        let lines = |change: &Change| {
            // The database may have been made by this plan, for another of its collections.
            let lines = change.lines.iter().filter(|line| line.topic != "database");
            lines.map(|line: &Line| serde_json::json!(line).to_string()).collect::<Vec<_>>()
        };
        let (before, after) = (lines(saved), lines(now));
        for line in before.iter().filter(|line| !after.contains(line)) {
            self.note("a line of the diff", Some(line.clone()), None);
        }
        for line in after.iter().filter(|line| !before.contains(line)) {
            self.note("a line of the diff", None, Some(line.clone()));
        }
    }
}

impl RowsPin {
    fn words(self) -> String {
        let by = if self.estimated { ", by its statistics" } else { "" };
        match self.physical - self.distinct.min(self.physical) {
            0 => format!("{}{by}", self.physical),
            doubled => format!("{}, {doubled} of them doubled{by}", self.physical),
        }
    }
}

/// The word that the document has for a value.
fn word(value: impl Serialize) -> Option<String> {
    serde_json::json!(value).as_str().map(str::to_owned)
}
