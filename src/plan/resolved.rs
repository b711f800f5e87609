//! The checked plan: what the rest of vecferry reads. Every default is filled in, every reference between parts of the
//! file is followed, and nothing here depends on how the file was written. Secrets are still references.

mod endpoint;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use crate::collection::{Consistency, DataType, FieldPath, FunctionKind};
use crate::diagnostic::Span;

pub use endpoint::{
    Auth, CloudCluster, CloudPlan, CuType, Endpoint, NewCluster, SecretRef, Tier, Tls, Units, WhichCluster,
};

/// One plan file after syntax, schema and rules have passed.
#[derive(Debug, Clone)]
pub struct ResolvedPlan {
    /// The file as the user named it.
    pub file: PathBuf,
    /// `name:` of the plan, or the file's stem.
    pub name: String,
    /// In the order of the file.
    pub migrations: Vec<Migration>,
}

/// One `migrations:` entry.
#[derive(Debug, Clone)]
pub struct Migration {
    /// `name:`, or `<from>-to-<to>`.
    pub name: String,
    /// The cluster that is read.
    pub source: Endpoint,
    /// The cluster that is written.
    pub target: Endpoint,
    /// Database on the source; `default` where the plan says nothing.
    pub source_database: String,
    /// Database on the target; the source's name where the plan says nothing.
    pub target_database: String,
    /// What to move, in the order of the file.
    pub selections: Vec<Selection>,
    /// How hard the run may press on the clusters.
    pub limits: Limits,
    /// Who moves the rows.
    pub engine: Engine,
}

/// Who moves the rows of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// vecferry reads and writes them itself.
    #[default]
    Direct,
    /// The migration service of Zilliz Cloud does it, on request and followed by vecferry.
    ZillizCloud,
}

impl Engine {
    /// Whether vecferry moves the rows itself.
    pub fn is_direct(&self) -> bool {
        *self == Self::Direct
    }
}

/// How hard a run may press.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// Megabytes (10^6 bytes) a second written to the target; none: as fast as it takes them.
    pub write_mb_per_s: Option<f64>,
    /// Splits in flight at once, over all collections of the migration. Default 4.
    pub concurrency: usize,
    /// Most rows of a split. Default [`SPLIT_ROWS`].
    pub split_rows: u64,
}

/// Most rows of a split, where nothing else is said: as many short ones as its bytes may be. Splits of smaller collections have less.
pub const SPLIT_ROWS: u64 = 200_000;

/// One `collections:` entry.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which source collections.
    pub select: Select,
    /// What they look like on arrival.
    pub settings: Settings,
    /// Where the plan says it, for messages that only a live cluster can cause.
    pub span: Span,
}

/// Which source collections an entry means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// One collection by name.
    Name {
        /// Its name on the source.
        source: String,
        /// Its name on the target.
        target: String,
    },
    /// All collections of the source database whose name fits.
    Glob {
        /// The pattern: `*`, `?`, `[..]` and `{a,b}`.
        pattern: String,
        /// Patterns of names to leave out.
        exclude: Vec<String>,
    },
}

/// What a collection looks like on arrival and how it gets there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Settings {
    /// Shards of the target.
    pub shards: Shards,
    /// Dynamic field on the target; none: as the source has it.
    pub dynamic_field: Option<bool>,
    /// The primary key.
    pub primary_key: PrimaryKey,
    /// Fields that differ from the source's, by their names on the target. A name `$meta.KEY` is a key of the dynamic field.
    pub fields: BTreeMap<String, FieldSettings>,
    /// Fields that are left behind, by their names on the source.
    pub drop: Vec<String>,
    /// A Milvus filter expression over the source; none: every row.
    pub filter: Option<String>,
    /// Named partitions.
    pub partitions: Partitions,
    /// Number of partitions behind a partition key; none: as the source, or the server's default.
    pub num_partitions: Option<u32>,
    /// Indexes of the target.
    pub indexes: Indexes,
    /// Functions by name: added, or none to drop the source's.
    pub functions: BTreeMap<String, Option<FunctionSettings>>,
    /// Properties by name: set, or none to leave the source's behind.
    pub properties: BTreeMap<String, Option<String>>,
    /// Default consistency of reads; none: as the source.
    pub consistency: Option<Consistency>,
    /// Free text; none: as the source.
    pub description: Option<String>,
    /// Names that point to the target once it is verified.
    pub aliases: Vec<String>,
    /// Whether the target is left loaded.
    pub load: bool,
    /// What to do where the target exists.
    pub on_existing: OnExisting,
    /// Whether rows that only the target has are removed where the plan converges.
    pub prune: bool,
    /// How the copy is proven.
    pub verify: Verify,
    /// Whether somebody goes on writing to the source while it is copied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live_source: bool,
}

/// The target's primary key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PrimaryKey {
    /// Field of the target that is the primary key; none: the field that carries the source's key, or has its name.
    pub field: Option<String>,
    /// Whether the server makes the keys; none: no, so that each row keeps its key.
    pub auto_id: Option<bool>,
    /// Scalar field of the target that keeps the source's keys where the server makes new ones.
    pub keep_as: Option<String>,
    /// With `auto_id`: whether rows bring their keys all the same, on servers that offer it.
    pub allow_insert_auto_id: bool,
}

/// One field of the target.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldSettings {
    /// Where its values come from.
    pub origin: Origin,
    /// For a place within JSON: whether the key stays there too. Default no.
    pub keep: bool,
    /// Its type; none: that of where it comes from.
    pub data_type: Option<DataType>,
    /// Type of the elements where `data_type` is an array.
    pub element_type: Option<DataType>,
    /// Longest text, in the target's unit.
    pub max_length: Option<u32>,
    /// Most elements of an array.
    pub max_capacity: Option<u32>,
    /// Between float and int8 vectors: an int8 number is the float times this, rounded. Default 127.
    pub scale: Option<f64>,
    /// Whether it holds nulls.
    pub nullable: Option<bool>,
    /// Default value; none: as the source. [`serde_json::Value::Null`] takes the source's away.
    #[serde(default, deserialize_with = "null_is_a_value", skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// What becomes of a null.
    pub on_null: Option<OnNull>,
    /// What becomes of a row whose value does not fit.
    pub on_misfit: OnMisfit,
    /// Whether it is the partition key; none: as the source.
    pub partition_key: Option<bool>,
    /// Whether it is the clustering key; none: as the source.
    pub clustering_key: Option<bool>,
    /// Free text; none: as the source.
    pub description: Option<String>,
    /// Whether its text is cut into words; none: as the source.
    pub enable_analyzer: Option<bool>,
    /// How its text is cut into words.
    pub analyzer_params: Option<serde_json::Value>,
    /// Whether its words can be matched; none: as the source.
    pub enable_match: Option<bool>,
    /// Whether it is memory-mapped; none: as the source.
    pub mmap: Option<bool>,
}

/// A value that is there, which may be null.
fn null_is_a_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// Where the values of a field come from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The source's field of the same name, or for `$meta.KEY` that key.
    #[default]
    Same,
    /// A field of the source, or a place within JSON. `text` is what the plan says: a field of exactly that name comes first.
    From {
        /// As written.
        text: String,
        /// As a path.
        path: FieldPath,
    },
    /// The same value in every row.
    Value(serde_json::Value),
    /// The name of the partition that the row stands in on the source.
    Partition,
}

/// What becomes of a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnNull {
    /// It stays null.
    Keep,
    /// It becomes the default value.
    Default,
    /// The row does not fit.
    Reject,
}

/// What becomes of a row whose value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnMisfit {
    /// The copy of its collection stops.
    #[default]
    Fail,
    /// The value becomes null.
    Null,
    /// The value is cut to what fits.
    Truncate,
    /// The row goes to a file.
    Quarantine,
}

/// A function of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FunctionSettings {
    /// What it computes.
    pub kind: FunctionKind,
    /// Fields of the target that it reads.
    pub inputs: Vec<String>,
    /// Fields of the target that it fills.
    pub outputs: Vec<String>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Free text.
    pub description: String,
}

/// Shards of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shards {
    /// As many as the source has.
    AsSource,
    /// One for about 100 million rows.
    Auto,
    /// This many.
    Count(u32),
}

/// Named partitions. A collection with a partition key has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Partitions {
    /// The same partitions, empty ones too, each row in its own.
    Copy,
    /// Some of them under other names.
    Some {
        /// Only these are copied; none: all of them.
        only: Option<Vec<String>>,
        /// New names by old ones. Partitions that get the same name become one.
        rename: BTreeMap<String, String>,
    },
    /// All rows in the default partition.
    None,
}

/// Indexes of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Indexes {
    /// AUTOINDEX on each vector field, with the source's metric type where it has one.
    Auto,
    /// What the source has, with its parameters.
    Copy,
    /// None.
    None,
    /// By field of the target; vector fields that are not named as with `Auto`.
    Each(BTreeMap<String, FieldIndex>),
}

/// The index of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FieldIndex {
    /// AUTOINDEX with the source's metric type where it has one.
    Auto,
    /// What the source has.
    Copy,
    /// None.
    None,
    /// This one.
    Is {
        /// `HNSW` and the like.
        index_type: String,
        /// `COSINE` and the like.
        metric_type: Option<String>,
        /// Its name; none: the source's, or the field's.
        name: Option<String>,
        /// Parameters such as `M` and `efConstruction`, each as the server spells it.
        params: BTreeMap<String, String>,
    },
}

/// What to do where the target collection exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnExisting {
    /// Refuse, unless this plan made it.
    Fail,
    /// Write the rows that are missing or differ.
    Converge,
    /// Drop it and make it anew.
    Replace,
}

/// How a copy is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Rows by the server's own number where each was sent once, else distinct keys and physical rows, range by range.
    Counts,
    /// The same, and every field of every row in one range out of ten.
    Sample,
    /// A fingerprint of every field of every row, range by range.
    Full,
}

#[cfg(test)]
impl Settings {
    /// What a plan means that says nothing but what to do where the target exists.
    pub fn plain(on_existing: OnExisting) -> Self {
        Self {
            shards: Shards::AsSource,
            dynamic_field: None,
            primary_key: PrimaryKey::default(),
            fields: BTreeMap::new(),
            drop: Vec::new(),
            filter: None,
            partitions: Partitions::Copy,
            num_partitions: None,
            indexes: Indexes::Auto,
            functions: BTreeMap::new(),
            properties: BTreeMap::new(),
            consistency: None,
            description: None,
            aliases: Vec::new(),
            load: false,
            on_existing,
            prune: false,
            verify: Verify::Full,
            live_source: false,
        }
    }
}
