//! What is sent to the control plane: paths and bodies, in the words of its reference.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{BackupMigration, BackupPlace, CloudMigration};
use crate::plan::resolved::{CloudPlan, CuType, NewCluster};

/// One of the service's calls. Its limits count requests to each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// Its path, with `{}` where an id is put in.
    pub path: &'static str,
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Method {
    Get,
    Post,
}

const fn get(path: &'static str) -> Call {
    Call { method: Method::Get, path }
}

const fn post(path: &'static str) -> Call {
    Call { method: Method::Post, path }
}

pub(super) const CLUSTERS: Call = get("/v2/clusters");
pub(super) const CLUSTER: Call = get("/v2/clusters/{}");
pub(super) const CREATE_DEDICATED: Call = post("/v2/clusters/createDedicated");
pub(super) const CREATE_SERVERLESS: Call = post("/v2/clusters/createServerless");
pub(super) const RESUME: Call = post("/v2/clusters/{}/resume");
pub(super) const PROJECTS: Call = get("/v2/projects");
pub(super) const REGIONS: Call = get("/v2/regions");
pub(super) const JOB: Call = get("/v2/jobs/{}");
/// The reference marks it as deprecated.
pub(super) const MIGRATE: Call = post("/v2/migrations/toExisting");
pub(super) const MIGRATE_BACKUP: Call = post("/v2/migrations/startByRemote");

pub(super) const IMPORTS: Call = post("/v2/vectordb/jobs/import/list");
pub(super) const IMPORT: Call = post("/v2/vectordb/jobs/import/describe");

/// Things of one page: the most that the service allows.
pub(super) const PAGE: usize = 100;

/// A new cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create<'a> {
    cluster_name: &'a str,
    project_id: &'a str,
    region_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cu_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cu_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl<'a> Create<'a> {
    /// The call and the body that make a cluster.
    pub(super) fn of(new: &'a NewCluster) -> (Call, Self) {
        let (call, plan, cu) = match new.plan {
            CloudPlan::Serverless => (CREATE_SERVERLESS, None, None),
            CloudPlan::Standard { cu_type, cu_size } => (CREATE_DEDICATED, Some("Standard"), Some((cu_type, cu_size))),
            CloudPlan::Enterprise { cu_type, cu_size } => {
                (CREATE_DEDICATED, Some("Enterprise"), Some((cu_type, cu_size)))
            }
        };
        let body = Self {
            cluster_name: &new.name,
            project_id: &new.project_id,
            region_id: &new.region,
            plan,
            cu_type: cu.map(|(cu_type, _)| word(cu_type)),
            cu_size: cu.map(|(_, cu_size)| cu_size),
            description: new.description.as_deref(),
        };
        (call, body)
    }
}

/// The service's word for a type of compute units.
fn word(cu_type: CuType) -> &'static str {
    match cu_type {
        CuType::PerformanceOptimized => "Performance-optimized",
        CuType::CapacityOptimized => "Capacity-optimized",
        CuType::TieredStorage => "Tiered-storage",
    }
}

/// Collections on their way from one cluster to another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Migrate<'a> {
    source: OneCluster<'a>,
    destination: OneCluster<'a>,
    db_collections: Vec<OneDatabase<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneCluster<'a> {
    cluster_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneDatabase<'a> {
    db_name: &'a str,
    dest_db_name: &'a str,
    collections: Vec<OneCollection<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneCollection<'a> {
    collection_name: &'a str,
}

impl<'a> Migrate<'a> {
    /// The body that starts a job.
    pub(super) fn of(migration: &'a CloudMigration) -> Self {
        let named = |name: &'a String| OneCollection { collection_name: name };
        let databases = migration.databases.iter().map(|database| OneDatabase {
            db_name: &database.from,
            dest_db_name: &database.to,
            collections: database.collections.iter().map(named).collect(),
        });
        Self {
            source: OneCluster { cluster_id: &migration.from },
            destination: OneCluster { cluster_id: &migration.to },
            db_collections: databases.collect(),
        }
    }
}

/// A backup on its way into a cluster. It holds keys in the clear, for as long as it takes to write them into a body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MigrateBackup<'a> {
    source: Backup<'a>,
    destination: OneCluster<'a>,
}

/// Every field is optional in the reference, and what is not meant is left out.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Backup<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_path: Option<&'a str>,
}

impl<'a> MigrateBackup<'a> {
    /// The body that starts a job.
    pub(super) fn of(migration: &'a BackupMigration) -> Self {
        let place = match &migration.place {
            BackupPlace::Bucket { cloud, region, bucket, path } => Backup {
                cloud: Some(cloud),
                region: Some(region),
                bucket_name: Some(bucket),
                path: Some(path),
                ..Backup::default()
            },
            BackupPlace::Object { url } => Backup { object_url: Some(url), ..Backup::default() },
            BackupPlace::Volume { name, path } => {
                Backup { stage_name: Some(name), data_path: Some(path), ..Backup::default() }
            }
        };
        let keys = migration.keys.as_ref();
        let source = Backup {
            access_key: keys.map(|keys| keys.access_key.expose_secret()),
            secret_key: keys.map(|keys| keys.secret_key.expose_secret()),
            token: keys.and_then(|keys| keys.session_token.as_ref()).map(ExposeSecret::expose_secret),
            ..place
        };
        Self { source, destination: OneCluster { cluster_id: &migration.to } }
    }
}

/// A page of a cluster's import jobs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Imports<'a> {
    pub cluster_id: &'a str,
    pub page_size: usize,
    pub current_page: usize,
}

/// One import job of a cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Import<'a> {
    pub cluster_id: &'a str,
    pub job_id: &'a str,
}
