//! The plan file as it is written, format version 1. The doc comments become the descriptions in the JSON Schema, which
//! editors show while a plan is typed; so they speak to its author, and each holds an example.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cloud_spec::{CloudSpec, EngineSpec, ProfileSpec};
use super::field_spec::FieldSpec;
use super::shape_spec::{FunctionSpec, IndexesSpec, PartitionsSpec, PrimaryKeySpec, Property};
use super::values::{DatabaseSpec, Duration, SecretSpec, ShardsSpec, Version, whole};

/// A plan: which collections go from which cluster to which, and what they look like on arrival.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    /// The plan format that the file is written in. Example: `version: 1`
    #[expect(dead_code, reason = "there is one version, and reading it checks it")]
    pub(crate) version: Version,
    /// The plan's name in output and state; without it, the file's name. Example: `name: knowledge-base-to-dedicated`
    #[schemars(length(min = 1, max = 200))]
    pub(crate) name: Option<String>,
    /// The JSON Schema of this file, for editors that look for it here. Example: `$schema: ../schemas/plan.v1.schema.json`
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "accepted for editors, without a meaning of its own")]
    pub(crate) schema: Option<String>,
    /// The clusters that are read, each under a name of your choice. Example: `sources: {old: {profile: staging}}`
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z0-9_-]+$"}, "minProperties" = 1))]
    pub(crate) sources: BTreeMap<String, EndpointSpec>,
    /// The clusters that are written, each under a name of your choice. Example: `targets: {new: {profile: production}}`
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z0-9_-]+$"}, "minProperties" = 1))]
    pub(crate) targets: BTreeMap<String, EndpointSpec>,
    /// What to move, in this order. Example: `migrations: [{from: old, to: new, collections: [{source: articles}]}]`
    #[schemars(length(min = 1))]
    pub(crate) migrations: Vec<MigrationSpec>,
}

/// A cluster: its address, its id in Zilliz Cloud, or a profile of vecferry.toml.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["milvus"]}, {"required": ["zilliz_cloud"]}, {"required": ["profile"]}]))]
pub(crate) struct EndpointSpec {
    /// Any Milvus or Zilliz Cloud endpoint. Example: `milvus: {uri: "http://127.0.0.1:19530"}`
    pub(crate) milvus: Option<MilvusSpec>,
    /// A cluster of Zilliz Cloud by its id, or one to be made, whose address the service is asked for. Example: `zilliz_cloud: {cluster_id: in01-108240180a4faf8, api_key: {env: ZILLIZ_API_KEY}}`
    pub(crate) zilliz_cloud: Option<CloudSpec>,
    /// A connection under `[profiles.NAME]` in vecferry.toml, so that one plan serves several environments. Example: `profile: staging`
    pub(crate) profile: Option<String>,
}

/// How to connect to a Milvus or Zilliz Cloud endpoint.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MilvusSpec {
    /// `http://host:port` or `https://host:port`. The port may be left out: 19530 for http, 443 for https. Example: `uri: https://in01-xxxx.aws-us-west-2.vectordb.zillizcloud.com`
    pub(crate) uri: String,
    /// The database of migrations over this endpoint that name none; without it, `default`. Example: `database: kb`
    #[schemars(length(min = 1))]
    pub(crate) database: Option<String>,
    /// An API key or `user:password`, by reference. Example: `token: {env: OLD_TOKEN}`
    pub(crate) token: Option<SecretSpec>,
    /// The user to log in as, together with `password`. Example: `username: migrator`
    #[schemars(length(min = 1))]
    pub(crate) username: Option<String>,
    /// The user's password, by reference. Example: `password: {file: /run/secrets/milvus}`
    pub(crate) password: Option<SecretSpec>,
    /// TLS settings, for `https://` only; without them, the system's certificate authorities. Example: `tls: {ca: certs/ca.pem}`
    pub(crate) tls: Option<TlsSpec>,
    /// What kind of cluster it is, because limits differ that no server tells; without it, `self_hosted`. Example: `tier: serverless`
    pub(crate) tier: Option<TierSpec>,
    /// How long to wait. Example: `timeouts: {connect: 10s, request: 60s}`
    pub(crate) timeouts: Option<TimeoutsSpec>,
}

/// TLS settings of a connection. Relative paths start at the folder of the file that they stand in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSpec {
    /// PEM file with the certificate authorities to trust instead of the system's. Example: `ca: certs/ca.pem`
    #[schemars(length(min = 1))]
    pub(crate) ca: Option<String>,
    /// PEM file with the client's certificate, together with `client_key`. Example: `client_cert: certs/client.pem`
    #[schemars(length(min = 1))]
    pub(crate) client_cert: Option<String>,
    /// PEM file with the private key of `client_cert`. Example: `client_key: certs/client.key`
    #[schemars(length(min = 1))]
    pub(crate) client_key: Option<String>,
    /// The name to expect in the server's certificate, where it is not the address's host. Example: `server_name: milvus.internal`
    #[schemars(length(min = 1))]
    pub(crate) server_name: Option<String>,
}

/// How long to wait for a server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeoutsSpec {
    /// For a connection to be opened; without it, 10 seconds. Example: `connect: 10s`
    pub(crate) connect: Option<Duration>,
    /// For the answer to one request; without it, 60 seconds. Example: `request: 2m`
    pub(crate) request: Option<Duration>,
    /// How long a request is repeated while the server is unavailable or has no connection; without it, 2 minutes. A server that
    /// says that it gets too much is given ten minutes and more. Example: `retry: 5m`
    pub(crate) retry: Option<Duration>,
}

/// Collections that go from one cluster to another.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MigrationSpec {
    /// The migration's name, unique in the plan; without it, `<from>-to-<to>`. Example: `name: kb`
    #[schemars(length(min = 1, max = 200))]
    pub(crate) name: Option<String>,
    /// The cluster to read: a key under `sources`. Example: `from: old`
    pub(crate) from: String,
    /// The cluster to write: a key under `targets`. Example: `to: new`
    pub(crate) to: String,
    /// Who moves the rows; without it, `direct`. Example: `engine: zilliz_cloud`
    pub(crate) engine: Option<EngineSpec>,
    /// The database: one name for both sides, or `{from, to}`. Without it, the endpoint's own, or `default`. Example: `database: {from: default, to: kb}`
    pub(crate) database: Option<DatabaseSpec>,
    /// The collections to move. Example: `collections: [{source: articles, target: articles_v2}]`
    #[schemars(length(min = 1))]
    pub(crate) collections: Vec<CollectionSpec>,
    /// How the copies are proven, where a collection does not say otherwise; without it, `full`. Example: `verify: full`
    pub(crate) verify: Option<VerifySpec>,
    /// How hard the run may press on the clusters. Example: `limits: {write_mb_per_s: 16, concurrency: 4}`
    pub(crate) limits: Option<LimitsSpec>,
}

/// One collection by name, or all that fit a pattern, and what they look like on arrival.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["source"]}, {"required": ["match"]}]))]
pub(crate) struct CollectionSpec {
    /// The collection's name on the source. Example: `source: articles`
    pub(crate) source: Option<String>,
    /// Its name on the target; without it, the same. Only with `source`. Example: `target: articles_v2`
    pub(crate) target: Option<String>,
    /// A glob pattern over the source's collections: `*`, `?`, `[a-z]`, `{a,b}`. Example: `match: "logs_*"`
    #[serde(rename = "match")]
    pub(crate) pattern: Option<String>,
    /// Patterns of names to leave out. Only with `match`. Example: `exclude: ["logs_tmp_*"]`
    pub(crate) exclude: Option<Vec<String>>,
    /// Shards on the target: a number from 1 to 16, or `auto` for one per about 100 million rows; without it, as the source. Example: `shards: 2`
    pub(crate) shards: Option<ShardsSpec>,
    /// Whether the target takes fields that its schema does not name; without it, as the source. Example: `dynamic_field: true`
    pub(crate) dynamic_field: Option<bool>,
    /// The primary key: a field's name, or who makes the keys and where the old ones go; without it, as the source, with each row keeping its key. Example: `primary_key: {auto_id: true, keep_as: legacy_id}`
    pub(crate) primary_key: Option<PrimaryKeySpec>,
    /// Fields that differ from the source's, by their names on the target; `$meta.KEY` is a key of the dynamic field. What is not named is carried as it is. Example: `fields: {headline: {from: title, max_length: 512}}`
    pub(crate) fields: Option<BTreeMap<String, FieldSpec>>,
    /// Fields to leave behind. Example: `drop: [internal_score]`
    pub(crate) drop: Option<Vec<String>>,
    /// A Milvus filter expression over the source; only rows that fit are copied. Example: `where: "year >= 2015"`
    #[serde(rename = "where")]
    pub(crate) filter: Option<String>,
    /// What becomes of named partitions; without it, `copy`. Example: `partitions: copy`
    pub(crate) partitions: Option<PartitionsSpec>,
    /// Partitions behind the partition key, from 1 to 4096; without it, as the source, or as many as the server makes. Example: `num_partitions: 64`
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 4_096))]
    pub(crate) num_partitions: Option<u32>,
    /// Indexes on the target, for all fields or by field; without it, `auto`. Example: `indexes: copy`
    pub(crate) indexes: Option<IndexesSpec>,
    /// Functions by name: what the target is to have, or `none` to leave the source's behind. Example: `functions: {search: {type: bm25, input_fields: [text], output_fields: [text_sparse]}}`
    pub(crate) functions: Option<BTreeMap<String, FunctionSpec>>,
    /// Properties of the target by name, over the source's; `null` leaves the source's behind. Example: `properties: {collection.ttl.seconds: 86400}`
    pub(crate) properties: Option<BTreeMap<String, Property>>,
    /// How fresh reads of the target are unless a request says otherwise; without it, as the source. Example: `consistency: bounded`
    pub(crate) consistency: Option<ConsistencySpec>,
    /// Free text about the target; without it, the source's. Example: `description: articles of the knowledge base`
    pub(crate) description: Option<String>,
    /// Names that point to the target once its copy is proven. Only with `source`. Example: `aliases: [articles_live]`
    pub(crate) aliases: Option<Vec<String>>,
    /// Whether the target is left loaded, ready for queries; without it, `false`. Example: `load: true`
    pub(crate) load: Option<bool>,
    /// What to do where the target collection exists; without it, `fail`. Example: `on_existing: converge`
    pub(crate) on_existing: Option<OnExistingSpec>,
    /// With `on_existing: converge`: whether rows that only the target has are removed; without it, they are reported and left alone. Example: `prune: true`
    pub(crate) prune: Option<bool>,
    /// How this copy is proven; without it, as the migration says. Example: `verify: counts`
    pub(crate) verify: Option<VerifySpec>,
    /// Whether somebody goes on writing to the source while it is copied. Then all of it is read once more when its last row was copied, and what was added, removed or changed since is carried over; without it, `false`: it is counted, and some of its ranges are read again. Example: `live_source: true`
    pub(crate) live_source: Option<bool>,
}

/// How hard a run may press on the clusters.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsSpec {
    /// Megabytes (10^6 bytes) a second written to the target; without it, as fast as it takes them. Example: `write_mb_per_s: 16`
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1_000_000))]
    pub(crate) write_mb_per_s: Option<f64>,
    /// Parts of collections (of some 8 MB each) that are in flight at once, over all collections of the migration; without it, 4. Example: `concurrency: 4`
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 64))]
    pub(crate) concurrency: Option<u32>,
    /// Most rows of such a part, or hardly more where a sample of the keys told where to cut: smaller ones use less memory, and repeat less after a crash; without it, 200000. A part holds a 32nd of the rows or 40000, whichever is more, as far as this and its bytes allow. It counts for copies that begin after it was set. Example: `split_rows: 10000`
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) split_rows: Option<u32>,
}

/// How a copy is proven.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerifySpec {
    /// Rows are counted: on the target by the server's own number of flushed rows where each was sent once, and else keys and physical rows, range by range.
    Counts,
    /// The same, and every field of the rows in one range out of ten, other ones each time.
    Sample,
    /// Every field of every row is read again from the target and compared.
    Full,
}

/// How fresh reads are unless a request says otherwise.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConsistencySpec {
    /// They see every write.
    Strong,
    /// They see the client's own writes.
    Session,
    /// They see writes that are older than a few seconds.
    Bounded,
    /// They see writes some time later.
    Eventually,
}

/// What kind of cluster an endpoint is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TierSpec {
    /// Zilliz Cloud, Free.
    Free,
    /// Zilliz Cloud, Serverless.
    Serverless,
    /// Zilliz Cloud, Dedicated.
    Dedicated,
    /// Zilliz Cloud in an account of your own.
    Byoc,
    /// Milvus that somebody runs.
    SelfHosted,
}

/// What to do where the target collection exists.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnExistingSpec {
    /// Refuse, unless this plan made it.
    Fail,
    /// Write the rows that are missing or differ, and leave the rest alone.
    Converge,
    /// Drop it with all its rows and make it anew.
    Replace,
}

/// `vecferry.toml`: what belongs to the machine and not to the migration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsFile {
    /// Where runs keep their state. Example: `state.url = "s3://team-state/vecferry"`
    pub(crate) state: Option<StateSpec>,
    /// Limits of migrations that set none. Example: `limits.concurrency = 4`
    pub(crate) limits: Option<LimitsSpec>,
    /// Connections that a plan's source or target can name with `profile`. Example: `profiles.staging.uri = "http://10.0.0.5:19530"`
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z0-9_-]+$"}))]
    pub(crate) profiles: BTreeMap<String, ProfileSpec>,
}

/// Where runs keep their state.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateSpec {
    /// A folder; relative paths start at the folder of vecferry.toml. Example: `path = ".vecferry"`
    #[schemars(length(min = 1))]
    pub(crate) path: Option<String>,
    /// The same as a URL, for a place that several machines share: a bucket, or a folder. Example: `url = "s3://team-state/vecferry"`
    #[schemars(length(min = 1))]
    pub(crate) url: Option<String>,
    /// How long a lock in a bucket holds after its run was last heard of; without it, 90 seconds. Example: `lease = "90s"`
    pub(crate) lease: Option<Duration>,
}
