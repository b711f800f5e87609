//! The checked plan: what the rest of vecferry reads. Every default is filled in, every reference between parts of the
//! file is followed, and nothing here depends on how the file was written. Secrets are still references.

use std::path::PathBuf;
use std::time::Duration;

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
}

/// A cluster that the plan names, with everything that is needed to open a connection except the secrets themselves.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The key under `sources:` or `targets:`.
    pub name: String,
    /// `http://host:port` or `https://host:port`, without user info, path or query.
    pub uri: String,
    /// How to log in.
    pub auth: Auth,
    /// TLS settings; used where the uri is `https`.
    pub tls: Tls,
    /// Deadline for opening a connection. Default 10 s.
    pub connect_timeout: Duration,
    /// Deadline for one request. Default 60 s.
    pub request_timeout: Duration,
    /// Where the plan declares it, for messages.
    pub span: Span,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Megabytes (10^6 bytes) a second written to the target; none: as fast as it takes them.
    pub write_mb_per_s: Option<f64>,
    /// Splits in flight at once, over all collections of the migration. Default 4.
    pub concurrency: usize,
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Shards of the target.
    pub shards: Shards,
    /// Dynamic field on the target; none: as the source has it.
    pub dynamic_field: Option<bool>,
    /// Fields that are left behind.
    pub drop: Vec<String>,
    /// A Milvus filter expression over the source; none: every row.
    pub filter: Option<String>,
    /// Named partitions.
    pub partitions: Partitions,
    /// Indexes of the target.
    pub indexes: Indexes,
    /// Whether the target is left loaded.
    pub load: bool,
    /// What to do where the target exists.
    pub on_existing: OnExisting,
    /// How the copy is proven.
    pub verify: Verify,
}

/// Shards of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shards {
    /// As many as the source has.
    AsSource,
    /// One for about 100 million rows.
    Auto,
    /// This many.
    Count(u32),
}

/// Named partitions. A collection with a partition key has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    /// The same partitions, empty ones too, each row in its own.
    Copy,
}

/// Indexes of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// AUTOINDEX on each vector field, with the source's metric type where it has one.
    Auto,
    /// What the source has, with its parameters.
    Copy,
    /// None.
    None,
}

/// What to do where the target collection exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// Refuse, unless this plan made it.
    Fail,
    /// Write the rows that are missing or differ.
    Converge,
    /// Drop it and make it anew.
    Replace,
}

/// How a copy is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Distinct keys and physical rows, range by range.
    Counts,
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
            drop: Vec::new(),
            filter: None,
            partitions: Partitions::Copy,
            indexes: Indexes::Auto,
            load: false,
            on_existing,
            verify: Verify::Full,
        }
    }
}
