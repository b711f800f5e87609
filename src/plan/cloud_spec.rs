//! Clusters of Zilliz Cloud as a plan or a profile writes them: by the id of one that exists, or to be made. The doc comments
//! become the JSON Schema, as those of `model.rs`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::model::{MilvusSpec, TimeoutsSpec, TlsSpec};
use super::values::{SecretSpec, whole};

/// A cluster of Zilliz Cloud, whose address the service is asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["cluster_id"]}, {"required": ["create"]}]))]
pub(crate) struct CloudSpec {
    /// A cluster that exists, by the id that the console shows. Example: `cluster_id: in01-108240180a4faf8`
    #[schemars(length(max = 64), regex(pattern = "^[A-Za-z0-9-]+$"))]
    pub(crate) cluster_id: Option<String>,
    /// A cluster that `apply` makes, once; one of its name in its project is taken as it is. Under `targets` only. Example: `create: {name: kb-prod, project_id: proj-a1b2c3, region: aws-us-west-2, plan: serverless, password_file: kb-prod.password}`
    pub(crate) create: Option<CreateSpec>,
    /// The key that the service is asked with, by reference. It opens the cluster too, unless `token`, or `username` and `password`, say otherwise. Example: `api_key: {env: ZILLIZ_API_KEY}`
    pub(crate) api_key: SecretSpec,
    /// The service's address; without it, `https://api.cloud.zilliz.com`, or `https://api.cloud.zilliz.com.cn` where `region` begins with `ali-` or `tc-`. Example: `api: https://api.cloud.zilliz.com.cn`
    pub(crate) api: Option<String>,
    /// Where the cluster is, which says which address the service has there. Example: `region: ali-cn-hangzhou`
    #[schemars(length(max = 64), regex(pattern = "^[a-z0-9-]+$"))]
    pub(crate) region: Option<String>,
    /// Whether `apply` resumes the cluster where it is suspended; without it, `false`: a suspended cluster blocks. Example: `resume: true`
    pub(crate) resume: Option<bool>,
    /// The database of migrations over this endpoint that name none; without it, `default`. Example: `database: kb`
    #[schemars(length(min = 1))]
    pub(crate) database: Option<String>,
    /// An API key or `user:password` for the cluster itself, by reference; without it, the `api_key`. Example: `token: {env: OLD_TOKEN}`
    pub(crate) token: Option<SecretSpec>,
    /// The user to log in as, together with `password`. Example: `username: db_admin`
    #[schemars(length(min = 1))]
    pub(crate) username: Option<String>,
    /// The user's password, by reference. Example: `password: {file: kb-prod.password}`
    pub(crate) password: Option<SecretSpec>,
    /// TLS settings; without them, the system's certificate authorities. Example: `tls: {ca: certs/ca.pem}`
    pub(crate) tls: Option<TlsSpec>,
    /// How long to wait. Example: `timeouts: {connect: 10s, request: 60s}`
    pub(crate) timeouts: Option<TimeoutsSpec>,
}

/// A cluster to be made. What it costs begins with the answer of the service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSpec {
    /// Its name, by which it is known again: unique in its project. Example: `name: kb-prod`
    #[schemars(length(min = 1, max = 200))]
    pub(crate) name: String,
    /// The project that it belongs to, by its id. Example: `project_id: proj-a1b2c3d4e5f6a1b2c3d4e5`
    #[schemars(length(max = 64), regex(pattern = "^[A-Za-z0-9-]+$"))]
    pub(crate) project_id: String,
    /// Where it is made. Example: `region: aws-us-west-2`
    #[schemars(length(max = 64), regex(pattern = "^[a-z0-9-]+$"))]
    pub(crate) region: String,
    /// What it is paid for. Example: `plan: standard`
    pub(crate) plan: CloudPlanSpec,
    /// What its compute units are made for, not with `plan: serverless`; without it, `performance_optimized`. Example: `cu_type: capacity_optimized`
    pub(crate) cu_type: Option<CuTypeSpec>,
    /// How many compute units it has, not with `plan: serverless`: 1, 2, 4, then by 4 to 64, by 8 to 256 and by 16 to 1024; up to 32 with `plan: standard`. Example: `cu_size: 4`
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 1_024))]
    pub(crate) cu_size: Option<u32>,
    /// Free text about it. Example: `description: knowledge base`
    pub(crate) description: Option<String>,
    /// The file that its first user's password is written to, for the owner's eyes only: the service says it once. Relative paths start at the folder of the file that says it. Example: `password_file: kb-prod.password`
    #[schemars(length(min = 1))]
    pub(crate) password_file: String,
}

/// What a cluster is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CloudPlanSpec {
    /// Serverless: by what is stored and asked, without compute units of its own.
    Serverless,
    /// Dedicated, Standard.
    Standard,
    /// Dedicated, Enterprise.
    Enterprise,
}

/// What compute units are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CuTypeSpec {
    /// Speed.
    PerformanceOptimized,
    /// Many rows.
    CapacityOptimized,
    /// Very many rows that are rarely asked for.
    TieredStorage,
}

/// Who moves the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EngineSpec {
    /// vecferry reads and writes them, with everything that a plan can say.
    Direct,
    /// The migration service of Zilliz Cloud does, between two of its clusters and in the source's shape; vecferry starts its
    /// jobs, follows them and proves what arrived.
    ZillizCloud,
}

/// A connection of vecferry.toml: to an address, or to a cluster of Zilliz Cloud.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum ProfileSpec {
    /// A cluster of Zilliz Cloud.
    Cloud(Box<CloudProfileSpec>),
    /// Any endpoint.
    Milvus(Box<MilvusSpec>),
}

/// A connection of vecferry.toml to a cluster of Zilliz Cloud.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudProfileSpec {
    /// A cluster of Zilliz Cloud by its id, or one to be made, instead of an address. Example: `zilliz_cloud: {cluster_id: in01-108240180a4faf8, api_key: {env: ZILLIZ_API_KEY}}`
    pub(crate) zilliz_cloud: CloudSpec,
}

/// By hand, so that the schema decides by one key and then says what is wrong within, instead of "one of two".
impl JsonSchema for ProfileSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ProfileSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let cloud = generator.subschema_for::<CloudProfileSpec>();
        let milvus = generator.subschema_for::<MilvusSpec>();
        json_schema!({
            "description": "A connection: to an address, or to a cluster of Zilliz Cloud.",
            "type": "object",
            "if": {"required": ["zilliz_cloud"]},
            "then": cloud,
            "else": milvus
        })
    }
}
