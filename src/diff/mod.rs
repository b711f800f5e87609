//! Wanted beside live → change set. Pure: everything that was seen comes in by value, and nothing here opens a connection or
//! a file. What `run` does is decided here and nowhere else.

mod change;
mod cluster;
mod decide;
mod limits;
mod lines;
mod managed;
mod order;
mod remarks;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::collection::{CollectionSchema, Key, LiveCollection};
use crate::diagnostic::Code;
use crate::mapping::{Mapping, Remark};
use crate::plan::resolved::{Engine, OnExisting, Settings, Tier, Units, Verify};
use crate::state::{Job, Managed};

pub use change::{ASSUMED_BYTES_PER_SECOND, Change, Diff, Summary, estimated_seconds};
#[cfg(test)]
pub use change::{Counted, RowsOfBoth};
pub use cluster::{ClusterChange, ClusterEntry, LiveCluster, PriorCluster, SeenCluster, decide_cluster};
pub use decide::{MARK_PLAN, MARK_QUARANTINED, MARK_ROWS, MARK_RUN, decide};
pub use lines::{field_text, lines};
pub use remarks::unloadable;

/// What was seen of the rows of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Physical rows, doubled keys counted each time.
    pub physical: u64,
    /// Whether `physical` comes from the server's statistics, because the collection is not loaded: deletes do not show there.
    pub estimated: bool,
    /// Rows beyond the first of their key; none where the keys were not gone through.
    pub doubled: Option<u64>,
    /// A few keys that are doubled.
    pub doubled_keys: Vec<Key>,
    /// Rows that the server counts and never returns.
    pub unreadable: u64,
    /// Where one of them is: a key, or the gap between two keys.
    pub unreadable_place: String,
    /// Rows whose key stands in another partition too.
    pub crossing: u64,
    /// Bytes of one row on the wire, measured or estimated.
    pub row_bytes: u64,
}

impl Rows {
    /// Rows as a server's statistics tell them.
    pub fn estimated(physical: u64, row_bytes: u64) -> Self {
        Self { physical, estimated: true, row_bytes, ..Self::default() }
    }

    /// Rows with each key once, as far as it is known.
    pub fn distinct(&self) -> u64 {
        self.physical - self.doubled.unwrap_or_default().min(self.physical)
    }
}

/// State that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTrouble {
    /// Why.
    pub error: String,
    /// The way out.
    pub help: String,
    /// Whether it is there and is not what it should be; else it could not be read at all.
    pub conflict: bool,
}

/// Rows of both sides held against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowDiff {
    /// Rows that only the source has.
    pub missing: u64,
    /// Rows whose fields differ.
    pub differing: u64,
    /// Rows that only the target has.
    pub extra: u64,
    /// Rows on the target beyond the first of their key.
    pub doubled: u64,
    /// Whether the rows differ as a whole and no key tells which: no field of the target holds the source's key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
    /// A few keys of each kind.
    pub examples: Vec<Difference>,
}

impl RowDiff {
    /// Whether the plan would write something.
    pub fn has_work(&self) -> bool {
        self.untold || self.missing + self.differing + self.doubled > 0
    }

    /// Adds what was found in another range. Examples are kept up to `limit`.
    pub fn merge(&mut self, other: Self, limit: usize) {
        self.missing += other.missing;
        self.differing += other.differing;
        self.extra += other.extra;
        self.doubled += other.doubled;
        self.untold |= other.untold;
        let room = limit.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }
}

/// One key on which both sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The key.
    #[serde(with = "change::plain_key")]
    #[schemars(with = "change::PlainKey")]
    pub key: Key,
    /// Partition, where the collection has named ones.
    pub partition: Option<String>,
    /// How they differ.
    pub kind: DifferenceKind,
    /// Fields in which they differ; empty where a whole row is missing or extra.
    pub fields: Vec<String>,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Only on the source.
    Missing,
    /// Only on the target.
    Extra,
    /// Fields differ.
    Differing,
    /// More than once on the target.
    Doubled,
}

/// What an unfinished or finished run left behind for this target, as the state remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// The run.
    pub run: String,
    /// Hash of what it was asked to do.
    pub plan_hash: String,
    /// Whether it ended successfully.
    pub finished: bool,
    /// The target's id after it was made; 0 where the server has none, none before it was made.
    pub target_id: Option<i64>,
    /// Whether the run may have sent the request that makes the collection.
    pub may_have_created: bool,
    /// Whether the run writes to a collection that it did not make.
    pub converging: bool,
    /// The source's id when it began.
    pub source_id: i64,
    /// Splits in all and splits done.
    pub splits: (u64, u64),
    /// Rows that were verified when it ended, and rows that do not fit.
    pub rows: (u64, u64),
    /// Splits of which nobody knows which rows arrived.
    pub dirty: u64,
    /// The saved plan that it carries out, by its checksum.
    pub saved_plan: Option<String>,
    /// How far it is with the migration service; none where vecferry moved the rows itself.
    pub managed: Option<Managed>,
}

impl Prior {
    /// Whether a collection on the target may be what the run made.
    pub fn may_have_made(&self, live: &LiveCollection) -> bool {
        match &self.managed {
            Some(managed) => managed.asked.is_some() && managed::may_be_its(live, self),
            None => live.mark.get(MARK_RUN) == Some(&self.run),
        }
    }

    /// What a journal says, as far as a decision needs it.
    pub fn of(job: &Job) -> Self {
        Self {
            run: job.header.run.clone(),
            plan_hash: job.header.plan_hash.clone(),
            finished: job.is_successful(),
            target_id: job.target_id,
            may_have_created: job.creating,
            converging: job.header.converging,
            source_id: job.header.source_id,
            splits: (job.progress.len() as u64, job.splits_done() as u64),
            rows: (job.verified_rows, job.rows_quarantined()),
            dirty: job.splits_dirty() as u64,
            saved_plan: job.header.saved_plan.clone(),
            managed: job.managed.clone(),
        }
    }
}

/// A key of the dynamic field that no field of the target takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostKey {
    /// The key.
    pub name: String,
    /// Rows that have it.
    pub rows: u64,
    /// Types of its values.
    pub types: String,
    /// One of its values, as JSON.
    pub example: String,
}

/// Keys of the dynamic field that no field of the target takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostKeys {
    /// By falling number of rows, at most a thousand of them.
    pub keys: Vec<LostKey>,
    /// Keys that are not listed, as far as they were kept apart.
    pub not_listed: usize,
}

/// What reading the whole source as the plan maps it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Survey {
    /// Rows that were read.
    pub rows: u64,
    /// Rows that would stop the copy.
    pub unfit: u64,
    /// Rows that would go to the quarantine.
    pub quarantined: u64,
    /// A few rows of both kinds, each with its reason.
    pub examples: Vec<String>,
    /// Rows that each rule would touch.
    pub touched: std::collections::BTreeMap<String, u64>,
    /// Keys of the dynamic field that would be left behind.
    pub lost_keys: LostKeys,
}

/// Where a collection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Scheme, host and port of the cluster.
    pub uri: String,
    /// Database.
    pub database: String,
    /// Collection.
    pub collection: String,
}

impl std::fmt::Display for Place {
    /// `database.collection`, for where the cluster is clear.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.database, self.collection)
    }
}

/// All that was seen of one collection.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The plan's name for it: `migration.database.collection` of the target.
    pub address: String,
    /// Where it is read.
    pub from: Place,
    /// Where it is written.
    pub to: Place,
    /// What the plan says.
    pub settings: Settings,
    /// Hash of everything that decides which rows arrive in which shape.
    pub plan_hash: String,
    /// The same for a target whose cluster the plan has made, by the name that it has before. Saved plans are held against it.
    pub pinned_hash: String,
    /// Who moves the rows.
    pub engine: Engine,
    /// Kinds of cluster of the source and of the target.
    pub tiers: (Tier, Tier),
    /// Compute units of the target's cluster, where its control plane says them.
    pub units: Option<Units>,
    /// Why the migration service cannot move anything between these clusters, each with what to do; empty where it can, and
    /// for [`Engine::Direct`].
    pub not_managed: Vec<Note>,
    /// The source, if there is one.
    pub source: Option<LiveCollection>,
    /// Why one of the sides could not be looked at, if it could not.
    pub source_error: Option<String>,
    /// Why the state of this target cannot be read, if it cannot.
    pub state_error: Option<StateTrouble>,
    /// The target, if there is one.
    pub target: Option<LiveCollection>,
    /// Whether the target's database exists.
    pub target_database_exists: bool,
    /// The mapping; none without a source.
    pub mapping: Option<Mapping>,
    /// Rows of the source.
    pub source_rows: Option<Rows>,
    /// Rows of the target.
    pub target_rows: Option<Rows>,
    /// Rows of both sides compared, for a plan that converges.
    pub row_diff: Option<RowDiff>,
    /// Where another field becomes the primary key: rows beyond the first of their value, and a few values.
    pub doubled_values: (u64, Vec<String>),
    /// Keys of the dynamic field that are left behind, where they were counted.
    pub lost_keys: Option<LostKeys>,
    /// What reading the whole source found, where somebody asked for it.
    pub survey: Option<Survey>,
    /// Whether somebody asked for it and it could not be: looking loads nothing.
    pub unscanned: bool,
    /// The plan's aliases, and the collection that each points to now.
    pub aliases: Vec<(String, Option<String>)>,
    /// What the state remembers.
    pub prior: Option<Prior>,
    /// Whether loading the source needs an index on each vector field.
    pub source_load_needs_index: bool,
    /// Whether loading the target does.
    pub target_load_needs_index: bool,
}

/// What happens to a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Made and filled.
    Create,
    /// Changed, filled on or completed.
    Update,
    /// Dropped, made anew and filled.
    Replace,
    /// Left alone.
    Unchanged,
    /// Cannot be done.
    Blocked,
}

/// What `run` has to do, in full: it makes no choice of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Nothing.
    None,
    /// Make the collection and copy everything.
    Fill,
    /// Drop the collection, then make it and copy everything.
    Refill,
    /// Go on with the run of that name.
    Resume,
    /// Compare, and write what is missing or differs.
    Converge,
    /// No rows: only indexes, partitions or the load state.
    Touch,
}

/// A reason why a collection is blocked, or a thing to know, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Field that it is about, if any.
    pub field: Option<String>,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do, if there is something.
    pub help: Option<String>,
    /// Code of the reason.
    pub code: Code,
}

impl Note {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), help: None, code }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn of(code: Code, remark: &Remark) -> Self {
        Self { field: remark.field.clone(), message: remark.message.clone(), help: remark.help.clone(), code }
    }
}

/// How a line of the diff is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Comes to be.
    Add,
    /// Differs between the sides.
    Change,
    /// Is left behind or goes away.
    Remove,
    /// Is the same.
    Same,
    /// Done and undone, for the time of the run only.
    Passing,
}

/// One thing that happens to a collection, source beside target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// What it is about: `field`, `shards`, `partition`, `index` …
    pub topic: Cow<'static, str>,
    /// Its name where there are several: the field's, the partition's.
    pub name: String,
    /// How it is marked.
    pub sign: Sign,
    /// On the source, or on the target before, whichever the line compares.
    pub before: Option<String>,
    /// On the target afterwards.
    pub after: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// One collection of the change set.
#[derive(Debug, Clone)]
pub struct Entry {
    /// All that was seen.
    pub seen: Seen,
    /// What happens.
    pub action: Action,
    /// What `run` does.
    pub work: Work,
    /// Why it is blocked; empty unless it is.
    pub blocked: Vec<Note>,
    /// What could go wrong.
    pub warnings: Vec<Note>,
    /// What to know.
    pub notes: Vec<Note>,
    /// One line for each thing that happens.
    pub lines: Vec<Line>,
    /// Rows to copy, as far as it is known.
    pub rows_to_copy: u64,
    /// Rows on the target that are lost.
    pub rows_lost: u64,
    /// Whether an unfinished run of another plan stands in the way.
    pub state_conflict: bool,
}

impl Entry {
    /// Bytes to copy, as far as it is known.
    pub fn bytes_to_copy(&self) -> u64 {
        self.rows_to_copy * self.seen.source_rows.as_ref().map_or(0, |rows| rows.row_bytes)
    }

    /// Schema of the target as it will be.
    pub fn wanted(&self) -> Option<&CollectionSchema> {
        self.seen.mapping.as_ref().map(|mapping| &mapping.schema)
    }

    /// Whether a property of the target that exists is not as the plan wants it.
    pub fn properties_differ(&self) -> bool {
        let (Some(live), Some(mapping)) = (&self.seen.target, &self.seen.mapping) else { return false };
        let wanted =
            mapping.schema.properties.iter().chain(mapping.late_properties.iter().map(|(name, value)| (name, value)));
        wanted.into_iter().any(|(name, value)| live.schema.properties.get(name) != Some(value))
    }

    /// Rows of the source that the completed target lacks because they do not fit.
    pub fn quarantined(&self) -> u64 {
        decide::completed(&self.seen).map(|(_, quarantined)| quarantined).unwrap_or_default()
    }

    /// How the copy is proven.
    pub fn verify(&self) -> Verify {
        self.seen.settings.verify
    }
}

/// The whole change set.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// In the order of the plan.
    pub entries: Vec<Entry>,
    /// Clusters of Zilliz Cloud that the plans name, in the order of the plans.
    pub clusters: Vec<ClusterEntry>,
}

impl ChangeSet {
    /// How many entries there are of each kind.
    pub fn summary(&self) -> Summary {
        Summary::of(self.entries.iter().map(|entry| entry.action))
    }

    /// Whether `apply` would do something.
    pub fn has_changes(&self) -> bool {
        self.entries.iter().any(|entry| entry.work != Work::None)
            || self.clusters.iter().any(|cluster| cluster.action == Action::Create)
    }
}

/// Whether a plan may touch a collection that it did not make.
fn may_take_over(on_existing: OnExisting) -> bool {
    on_existing != OnExisting::Fail
}

#[cfg(test)]
mod tests;
