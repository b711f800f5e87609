//! The records of a journal: what a line of it says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::managed::ManagedStep;
use crate::collection::{Fingerprint, KeyRange};
use crate::plan::resolved::Engine;

/// Version of the journal's format. Raised when a reader of the old one would misunderstand the new one. A journal keeps the
/// format that it began with, and those of older formats are gone on with.
pub const FORMAT: u32 = 2;

/// The format of jobs that the migration service of Zilliz Cloud does: they have records that a reader of format 2 would call
/// damage.
pub const MANAGED_FORMAT: u32 = 3;

/// The newest format that this version reads.
pub const NEWEST_FORMAT: u32 = MANAGED_FORMAT;

/// The format from which on each line's checksum covers the one before it.
pub const CHAINED: u32 = 2;

/// The first record: what the job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    pub format: u32,
    /// Version of vecferry that wrote it.
    pub tool: String,
    /// The run that it belongs to.
    pub run: String,
    /// The plan's name.
    pub plan: String,
    /// The plan's file, as the user named it.
    pub plan_file: String,
    /// `migration.database.collection` of the target.
    pub address: String,
    /// Hash of everything that decides which rows arrive in which shape.
    pub plan_hash: String,
    /// Address of the source cluster, without credentials.
    pub source_uri: String,
    /// `database.collection` there.
    pub source: String,
    /// Address of the target cluster, without credentials.
    pub target_uri: String,
    /// `database.collection` there.
    pub target: String,
    /// The source's id.
    pub source_id: i64,
    /// Whether rows go into a collection that the run did not make.
    pub converging: bool,
    /// Bytes of one row, for figures of bytes.
    pub row_bytes: u64,
    /// When it began.
    pub started: jiff::Timestamp,
    /// The saved plan that it carries out, by its checksum; none where a plan file was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_plan: Option<String>,
    /// Who moves the rows.
    #[serde(default, skip_serializing_if = "Engine::is_direct")]
    pub engine: Engine,
}

impl Header {
    /// What is left of a header of which nothing is understood.
    pub(super) fn unknown() -> Self {
        Self {
            format: FORMAT,
            tool: String::new(),
            run: String::new(),
            plan: String::new(),
            plan_file: String::new(),
            address: String::new(),
            plan_hash: String::new(),
            source_uri: String::new(),
            source: String::new(),
            target_uri: String::new(),
            target: String::new(),
            source_id: 0,
            converging: false,
            row_bytes: 0,
            started: jiff::Timestamp::UNIX_EPOCH,
            saved_plan: None,
            engine: Engine::Direct,
        }
    }
}

/// A range of keys, in some partitions where the collection has named ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Partitions of the source that it reads; empty where it reads all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", alias = "partition", deserialize_with = "one_or_many")]
    pub partitions: Vec<String>,
    /// The keys.
    pub range: KeyRange,
    /// Rows that it held when the list was made.
    pub rows: u64,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// Every row was verified.
    Successful,
    /// It gave up; the same command goes on.
    Failed,
    /// Somebody stopped it; the same command goes on.
    Canceled,
}

/// One record. Each but the first changes the job in one small way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Record {
    /// What the job is.
    Begin(Box<Header>),
    /// A process took it up.
    Attempt {
        /// Its id in the operating system.
        pid: u32,
        /// When.
        at: jiff::Timestamp,
    },
    /// The request that makes the collection is about to be sent.
    Creating,
    /// The collection was made.
    Created {
        /// The server's id for it; 0 where it has none.
        id: i64,
    },
    /// The source is about to be loaded for the copy, and is to be released again afterwards.
    LoadingSource {
        /// Partitions to release; empty stands for the whole collection.
        partitions: Vec<String>,
    },
    /// The splits, once and for all.
    Splits {
        /// In ascending order of partitions and keys.
        list: Vec<Split>,
    },
    /// Rows of a split are about to be sent.
    Started {
        /// Number of the split, from 0.
        split: usize,
    },
    /// The target acknowledged every row of a split.
    Done {
        /// Number of the split.
        split: usize,
        /// What arrived: rows and fingerprint as mapped.
        fingerprint: Fingerprint,
        /// Rows of the source beyond the first of their key.
        doubled: u64,
        /// Rows that were sent; fewer than arrived where the target had them already.
        written: u64,
        /// Rows that went to the quarantine instead.
        #[serde(default, skip_serializing_if = "is_zero")]
        quarantined: u64,
        /// Rows that each rule of the mapping touched.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        touched: BTreeMap<String, u64>,
        /// When.
        at: jiff::Timestamp,
    },
    /// A split turned out not to be what it was marked as, and will be written again.
    Reopened {
        /// Number of the split.
        split: usize,
    },
    /// A write or a read was repeated.
    Retried {
        /// Class of its error; empty in older journals.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        class: String,
        /// Why, in the server's words.
        reason: String,
    },
    /// The journal was brought back from an export. Whether the run went on after that was made, nobody knows, so whatever is
    /// not known to have arrived may have been sent.
    Restored {
        /// When.
        at: jiff::Timestamp,
    },
    /// Something about the migration service, where that moves the rows.
    Managed(ManagedStep),
    /// What the job is busy with, for people.
    Phase {
        /// One word.
        name: String,
        /// When.
        at: jiff::Timestamp,
    },
    /// It ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// What was verified.
        rows: u64,
        /// Why it failed.
        error: Option<String>,
        /// When.
        at: jiff::Timestamp,
    },
}

/// The first journals named one partition for each split.
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Names::deserialize(deserializer)? {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
