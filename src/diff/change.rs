//! The change set as people review it and as machines read it: what happens to each collection and why, in values that stand
//! on their own. It can be written down, read again and shown, long after the clusters were looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Action, ChangeSet, ClusterChange, ClusterEntry, Entry, Line, LostKeys, Note, Place, RowDiff, Rows, Survey, Work,
};
use crate::collection::Key;

/// Bytes a second that the estimate of the time assumes. It is said beside each estimate, because nobody knows what two
/// clusters can do before they have done it.
pub const ASSUMED_BYTES_PER_SECOND: u64 = 20_000_000;

/// The rate of saved plans that do not say one.
fn usual_rate() -> u64 {
    ASSUMED_BYTES_PER_SECOND
}

/// What a plan would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// In the order of the plan.
    pub changes: Vec<Change>,
    /// Addresses that the plan names and the command leaves out, by `--target` or `--exclude`.
    pub not_selected: Vec<String>,
    /// Clusters of Zilliz Cloud that the plan names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterChange>,
}

/// What happens to one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The plan's name for it: `migration.database.collection` of the target.
    pub address: String,
    /// Where it is read.
    pub source: Place,
    /// Where it is written.
    pub target: Place,
    /// What happens to the target.
    pub action: Action,
    /// How that is done.
    pub work: Work,
    /// Rows of both sides.
    pub rows: RowsOfBoth,
    /// Rows to copy, as far as it is known.
    pub rows_to_copy: u64,
    /// Bytes to copy, as far as it is known.
    pub bytes_to_copy: u64,
    /// Seconds that those bytes take at the rate that is assumed.
    pub estimated_seconds: u64,
    /// That rate in bytes a second: the usual one, or what the plan of the target's cluster allows where that is less.
    #[serde(default = "usual_rate")]
    pub assumed_bytes_per_second: u64,
    /// Rows on the target that are lost.
    pub rows_lost: u64,
    /// Rows of the source that the completed target lacks, because they do not fit.
    pub rows_quarantined: u64,
    /// What reading the whole source found, where `--scan` asked for it.
    pub scan: Option<Survey>,
    /// Keys of the dynamic field that no field of the target takes, where they were counted.
    pub dynamic_keys_lost: Option<LostKeys>,
    /// One line for each thing that happens, source beside target.
    pub lines: Vec<Line>,
    /// Why it is blocked; empty unless it is.
    pub blocked: Vec<Note>,
    /// What could go wrong.
    pub warnings: Vec<Note>,
    /// What to know.
    pub notes: Vec<Note>,
    /// Whether it is blocked because the state says otherwise than the clusters, such as an unfinished run of another plan.
    pub state_conflict: bool,
}

/// Rows of both sides, none where they were not looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowsOfBoth {
    /// Of the source.
    pub source: Option<Counted>,
    /// Of the target, before.
    pub target: Option<Counted>,
    /// Both held against each other, for a plan that converges.
    pub difference: Option<RowDiff>,
}

/// What was seen of the rows of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// Physical rows, doubled keys counted each time.
    pub physical: u64,
    /// Rows with each key once, as far as it is known.
    pub distinct: u64,
    /// Whether they come from the server's statistics, because the collection is not loaded: deletes do not show there.
    pub estimated: bool,
    /// Rows beyond the first of their key; null where the keys were not gone through.
    pub doubled: Option<u64>,
    /// A few keys that are doubled.
    #[serde(with = "plain_keys")]
    #[schemars(with = "Vec<PlainKey>")]
    pub doubled_keys: Vec<Key>,
    /// Rows that the server counts and never returns.
    pub unreadable: u64,
    /// Rows whose key stands in another partition too.
    pub crossing: u64,
    /// Bytes of one row on the wire, measured or estimated.
    pub row_bytes: u64,
}

impl From<&Rows> for Counted {
    fn from(rows: &Rows) -> Self {
        Self {
            physical: rows.physical,
            distinct: rows.distinct(),
            estimated: rows.estimated,
            doubled: rows.doubled,
            doubled_keys: rows.doubled_keys.clone(),
            unreadable: rows.unreadable,
            crossing: rows.crossing,
            row_bytes: rows.row_bytes,
        }
    }
}

impl Entry {
    /// What is shown of it.
    pub fn change(&self) -> Change {
        let seen = &self.seen;
        Change {
            address: seen.address.clone(),
            source: seen.from.clone(),
            target: seen.to.clone(),
            action: self.action,
            work: self.work,
            rows: RowsOfBoth {
                source: seen.source_rows.as_ref().map(Counted::from),
                target: seen.target_rows.as_ref().map(Counted::from),
                difference: seen.row_diff.clone(),
            },
            rows_to_copy: self.rows_to_copy,
            bytes_to_copy: self.bytes_to_copy(),
            estimated_seconds: estimated_seconds(self.bytes_to_copy(), self.assumed_bytes_per_second()),
            assumed_bytes_per_second: self.assumed_bytes_per_second(),
            rows_lost: self.rows_lost,
            rows_quarantined: self.quarantined(),
            scan: seen.survey.clone(),
            dynamic_keys_lost: seen.lost_keys.clone(),
            lines: self.lines.clone(),
            blocked: self.blocked.clone(),
            warnings: self.warnings.clone(),
            notes: self.notes.clone(),
            state_conflict: self.state_conflict,
        }
    }
}

impl ChangeSet {
    /// What is shown of it, beside the addresses that the command leaves out.
    pub fn diff(&self, not_selected: &[String]) -> Diff {
        Diff {
            changes: self.entries.iter().map(Entry::change).collect(),
            not_selected: not_selected.to_vec(),
            clusters: self.clusters.iter().map(ClusterEntry::change).collect(),
        }
    }
}

impl Diff {
    /// How many changes there are of each kind.
    pub fn summary(&self) -> Summary {
        Summary::of(self.changes.iter().map(|change| change.action))
    }

    /// Whether `apply` would do something.
    pub fn has_changes(&self) -> bool {
        self.changes.iter().any(|change| change.work != Work::None)
            || self.clusters.iter().any(|cluster| cluster.action == Action::Create)
    }
}

/// Entries by what happens to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// To create.
    pub create: usize,
    /// To update.
    pub update: usize,
    /// To replace.
    pub replace: usize,
    /// Unchanged.
    pub unchanged: usize,
    /// Blocked.
    pub blocked: usize,
}

impl Summary {
    /// So many of each.
    pub(super) fn of(actions: impl Iterator<Item = Action>) -> Self {
        let mut summary = Self::default();
        for action in actions {
            *match action {
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Replace => &mut summary.replace,
                Action::Unchanged => &mut summary.unchanged,
                Action::Blocked => &mut summary.blocked,
            } += 1;
        }
        summary
    }
}

impl std::fmt::Display for Summary {
    /// The one line that a test holds fixed, because scripts will read it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { create, update, replace, unchanged, blocked } = self;
        write!(
            f,
            "Plan: {create} to create, {update} to update, {replace} to replace, {unchanged} unchanged, {blocked} blocked."
        )
    }
}

/// Seconds that so many bytes take at a rate.
pub fn estimated_seconds(bytes: u64, bytes_per_second: u64) -> u64 {
    bytes.div_ceil(bytes_per_second.max(1))
}

/// A key as what it is in JSON: a number or a text.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum PlainKey {
    /// An INT64 key.
    Int(i64),
    /// A VARCHAR key.
    Text(String),
}

impl From<&Key> for PlainKey {
    fn from(key: &Key) -> Self {
        match key {
            Key::Int(value) => Self::Int(*value),
            Key::Text(text) => Self::Text(text.clone()),
        }
    }
}

impl From<PlainKey> for Key {
    fn from(key: PlainKey) -> Self {
        match key {
            PlainKey::Int(value) => Self::Int(value),
            PlainKey::Text(text) => Self::Text(text),
        }
    }
}

/// Keys as numbers and texts.
mod plain_keys {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Key, PlainKey};

    pub(super) fn serialize<S: Serializer>(keys: &[Key], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(keys.iter().map(PlainKey::from))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Key>, D::Error> {
        Ok(Vec::<PlainKey>::deserialize(deserializer)?.into_iter().map(Key::from).collect())
    }
}

/// One key as a number or a text.
pub(super) mod plain_key {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Key, PlainKey};

    pub(in super::super) fn serialize<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
        PlainKey::from(key).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        Ok(PlainKey::deserialize(deserializer)?.into())
    }
}
