//! The checked plan: what the rest of vecferry reads. Every default is filled in, every reference between parts of the
//! file is followed, and nothing here depends on how the file was written. Secrets are still references.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::collection::{Consistency, DataType, FieldPath, FunctionKind};
use crate::diagnostic::Span;

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

/// A cluster that the plan names, with everything that is needed to open a connection except the secrets themselves.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The key under `sources:` or `targets:`.
    pub name: String,
    /// `http://host:port` or `https://host:port`, without user info, path or query. Where `cloud` is given and the control
    /// plane was not asked yet, a name for the cluster that no address has: [`CloudCluster::placeholder`].
    pub uri: String,
    /// The cluster of Zilliz Cloud that it is, where the plan names it by its id or wants it made.
    pub cloud: Option<CloudCluster>,
    /// How to log in.
    pub auth: Auth,
    /// TLS settings; used where the uri is `https`.
    pub tls: Tls,
    /// What kind of cluster it is, as far as its limits go.
    pub tier: Tier,
    /// Its compute units, where the plan or the control plane says them.
    pub units: Option<Units>,
    /// Deadline for opening a connection. Default 10 s.
    pub connect_timeout: Duration,
    /// Deadline for one request. Default 60 s.
    pub request_timeout: Duration,
    /// How long a request is repeated after its first transient error.
    pub retry_timeout: Duration,
    /// Where the plan declares it, for messages.
    pub span: Span,
}

/// A cluster of Zilliz Cloud, which its control plane knows.
#[derive(Debug, Clone)]
pub struct CloudCluster {
    /// Base address of the control plane: `https://host` or, for a simulator on this machine, `http://127.0.0.1:port`.
    pub api: String,
    /// The key that the control plane is asked with.
    pub api_key: SecretRef,
    /// Which cluster.
    pub which: WhichCluster,
    /// Whether it is resumed where it is suspended.
    pub resume: bool,
}

impl CloudCluster {
    /// What stands for the address until the control plane says it: `zilliz_cloud:in01-…`, or `zilliz_cloud:proj-…/name` for a
    /// cluster that is to be made.
    pub fn placeholder(&self) -> String {
        match &self.which {
            WhichCluster::Id(id) => format!("zilliz_cloud:{id}"),
            WhichCluster::Make(new) => format!("zilliz_cloud:{}/{}", new.project_id, new.name),
        }
    }
}

/// Which cluster of Zilliz Cloud.
#[derive(Debug, Clone)]
pub enum WhichCluster {
    /// One that exists, by its id.
    Id(String),
    /// One that is made where there is none of its name in its project.
    Make(NewCluster),
}

/// A cluster that a plan wants made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCluster {
    /// Its name, unique in its project.
    pub name: String,
    /// The project, by its id.
    pub project_id: String,
    /// The region, as the control plane names it: `aws-us-west-2`.
    pub region: String,
    /// Its plan.
    pub plan: CloudPlan,
    /// Free text.
    pub description: Option<String>,
    /// File that its one-time password is written to, with mode 0600. Relative paths start at the plan file's folder.
    pub password_file: PathBuf,
}

/// What a cluster is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloudPlan {
    /// Serverless, without compute units of its own.
    Serverless,
    /// Dedicated, Standard.
    Standard {
        /// The type of its compute units.
        cu_type: CuType,
        /// How many it has.
        cu_size: u32,
    },
    /// Dedicated, Enterprise.
    Enterprise {
        /// The type of its compute units.
        cu_type: CuType,
        /// How many it has.
        cu_size: u32,
    },
}

impl CloudPlan {
    /// The service's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serverless => "Serverless",
            Self::Standard { .. } => "Standard",
            Self::Enterprise { .. } => "Enterprise",
        }
    }

    /// The type and number of its compute units, where it has its own.
    pub fn units(self) -> Option<(CuType, u32)> {
        match self {
            Self::Serverless => None,
            Self::Standard { cu_type, cu_size } | Self::Enterprise { cu_type, cu_size } => Some((cu_type, cu_size)),
        }
    }
}

/// What a compute unit (CU) is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CuType {
    /// Speed.
    PerformanceOptimized,
    /// Many rows.
    CapacityOptimized,
    /// Very many rows that are rarely asked for.
    TieredStorage,
}

/// The compute units of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// Their type; none where the service says a word that vecferry does not know.
    pub kind: Option<CuType>,
    /// How many there are.
    pub size: u32,
}

impl Units {
    /// Those that the service describes in its words; none where the cluster has none of its own.
    pub fn of_service(kind: &str, size: u32) -> Option<Self> {
        let known = [CuType::PerformanceOptimized, CuType::CapacityOptimized, CuType::TieredStorage];
        let kind = known.into_iter().find(|known| known.service_word().eq_ignore_ascii_case(kind));
        (size > 0).then_some(Self { kind, size })
    }
}

impl CuType {
    /// The service's word.
    pub fn service_word(self) -> &'static str {
        match self {
            Self::PerformanceOptimized => "Performance-optimized",
            Self::CapacityOptimized => "Capacity-optimized",
            Self::TieredStorage => "Tiered-storage",
        }
    }
}

/// What kind of cluster an endpoint is. Limits differ by it that no server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Zilliz Cloud, Free.
    Free,
    /// Zilliz Cloud, Serverless.
    Serverless,
    /// Zilliz Cloud, Dedicated.
    Dedicated,
    /// Zilliz Cloud in the customer's own account.
    Byoc,
    /// Milvus that somebody runs.
    #[default]
    SelfHosted,
}

impl Tier {
    /// The word that plans use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Serverless => "serverless",
            Self::Dedicated => "dedicated",
            Self::Byoc => "byoc",
            Self::SelfHosted => "self_hosted",
        }
    }
}

/// How to log in. Holds references, never the secret.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No credentials are sent.
    None,
    /// An API key or `user:password`, sent as it is.
    Token(SecretRef),
    /// User name in the clear, password by reference.
    Password {
        /// The user name.
        username: String,
        /// The password.
        password: SecretRef,
    },
}

/// Where a secret comes from. It is read when a connection is opened and at no other time.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; a trailing line break is cut off. Relative paths start at the plan file's folder.
    File(PathBuf),
    /// A command and its arguments; its standard output is the secret, a trailing line break cut off.
    Command(Vec<String>),
    /// Text in the plan itself, accepted for loopback addresses only.
    Literal(secrecy::SecretString),
}

/// TLS settings. The default is the system's roots and the host of the uri as server name.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Name to expect in the server's certificate.
    pub server_name: Option<String>,
}

/// How hard a run may press.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Megabytes (10^6 bytes) a second written to the target; none: as fast as it takes them.
    pub write_mb_per_s: Option<f64>,
    /// Splits in flight at once, over all collections of the migration. Default 4.
    pub concurrency: usize,
    /// Most rows of a split. Default [`SPLIT_ROWS`].
    pub split_rows: u64,
}

/// Most rows of a split, where nothing else is said: servers answer larger ones slowly, and progress would be coarse.
pub const SPLIT_ROWS: u64 = 40_000;

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
}

/// The target's primary key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Distinct keys and physical rows, range by range.
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
        }
    }
}
