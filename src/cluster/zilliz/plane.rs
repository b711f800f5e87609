//! The control plane as vecferry knows it: each of its questions and wishes as calls to the service.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use super::answers::{
    ClusterAnswer, CreatedAnswer, ImportAnswer, ImportsAnswer, JobAnswer, PageAnswer, ProjectAnswer, RegionAnswer,
    StartedAnswer,
};
use super::http::{Deadlines, Http, Request};
use super::requests::{self, Create, Import, Imports, Migrate, MigrateBackup, PAGE};
use super::{
    BackupMigration, CloudImport, CloudJob, CloudMigration, Cluster, ControlPlane, CreatedCluster, Project, Region,
    Standing, codes,
};
use crate::cluster::{Advice, ClusterError, ErrorKind, Result, secret};
use crate::plan::resolved::{CloudCluster, NewCluster};

/// Pages that are asked for at most: a service that always finds one more is not followed for ever.
const MOST_PAGES: usize = 1_000;

/// Opens the control plane of a cluster, which is when its key is read. Nothing is sent yet. `name` is what the plan calls the
/// cluster.
pub async fn connect(cluster: &CloudCluster, name: &str) -> Result<Arc<dyn ControlPlane>> {
    let action = format!("connect to the control plane of `{name}`");
    let key = secret::resolve(&cluster.api_key).await.map_err(|message| {
        let error = ClusterError::new(ErrorKind::Config, &cluster.api, &action, message);
        ClusterError { advice: Some(Advice::KeyReference), ..error }
    })?;
    let http = Http::new(&cluster.api, key, Deadlines::default(), &action)?;
    Ok(Arc::new(Plane::new(http)))
}

/// Whether no page comes after this one, of `here` things, by which what is known grew from `before` to `all`.
fn is_last(here: usize, before: usize, all: usize, count: Option<usize>, size: Option<usize>) -> bool {
    // A count of no more than a full page may be that of the page.
    let full = here >= size.unwrap_or(PAGE).min(PAGE);
    let counted = count.is_some_and(|count| all >= count && (!full || count > here));
    // An empty page is the end, and so is one that was there before.
    all == before || counted
}

/// A control plane that is asked over HTTP.
#[derive(Debug)]
pub(super) struct Plane {
    http: Http,
}

impl Plane {
    pub(super) fn new(http: Http) -> Self {
        Self { http }
    }

    /// One thing by its id; none where there is none, or where the key may not see it.
    async fn find<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<Option<T>> {
        match self.http.one(request).await {
            // The id is all that is asked with, so a wrong parameter is an id that nothing has.
            Err(error) if error.code == Some(codes::BAD_PARAMETER) => Ok(None),
            // A server that knows the path has a code for what is missing; without one, the path is missing too.
            Err(error) if error.kind == ErrorKind::NotFound && error.code.is_some() => Ok(None),
            other => other,
        }
    }
}

#[async_trait]
impl ControlPlane for Plane {
    fn api(&self) -> &str {
        self.http.api()
    }

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        let action = "list the clusters";
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        for page in 1..=MOST_PAGES {
            let query = [("pageSize", PAGE.to_string()), ("currentPage", page.to_string())];
            let request = Request { query: &query, ..Request::question(requests::CLUSTERS, action) };
            let (clusters, count, size) = PageAnswer::known(self.http.many(&request).await?);
            let here = clusters.len();
            let before = all.len();
            all.extend(clusters.into_iter().filter(|cluster| seen.insert(cluster.id.clone())));
            if is_last(here, before, all.len(), count, size) {
                break;
            }
        }
        Ok(all)
    }

    async fn cluster(&self, id: &str) -> Result<Option<Cluster>> {
        let action = format!("describe cluster `{id}`");
        let request = Request::question(requests::CLUSTER, &action).about(id);
        Ok(self.find::<ClusterAnswer>(&request).await?.and_then(ClusterAnswer::known))
    }

    async fn projects(&self) -> Result<Vec<Project>> {
        let request = Request::question(requests::PROJECTS, "list the projects");
        let answers = self.http.many::<ProjectAnswer>(&request).await?;
        Ok(answers.into_iter().filter_map(ProjectAnswer::known).collect())
    }

    async fn regions(&self) -> Result<Vec<Region>> {
        let request = Request::question(requests::REGIONS, "list the regions");
        let answers = self.http.many::<RegionAnswer>(&request).await?;
        Ok(answers.into_iter().filter_map(RegionAnswer::known).collect())
    }

    async fn create(&self, new: &NewCluster) -> Result<CreatedCluster> {
        let action = format!("create cluster `{}`", new.name);
        let (call, body) = Create::of(new);
        self.http.required(&Request::once(call, &body, &action), CreatedAnswer::known, "which cluster was made").await
    }

    async fn resume(&self, id: &str) -> Result<()> {
        let action = format!("resume cluster `{id}`");
        let request = Request::question(requests::RESUME, &action).about(id);
        let Err(error) = self.http.send(&request).await else { return Ok(()) };
        if error.code != Some(codes::NOT_NOW) {
            return Err(error);
        }
        // Somebody else resumed it, or an answer of ours was lost.
        let now = self.cluster(id).await?.map(|cluster| cluster.standing);
        match now {
            Some(Standing::Running | Standing::Coming | Standing::Migrating) => Ok(()),
            _ => Err(error),
        }
    }

    async fn migrate(&self, migration: &CloudMigration) -> Result<String> {
        let action = format!("start a migration from cluster `{}` to cluster `{}`", migration.from, migration.to);
        if migration.databases.is_empty() || migration.databases.iter().any(|database| database.collections.is_empty())
        {
            // The service would take it for all of them.
            let error = self.http.error(ErrorKind::Refused, &action, "no collections are named");
            return Err(ClusterError { nothing_done: true, ..error });
        }
        let body = Migrate::of(migration);
        let request = Request::once(requests::MIGRATE, &body, &action);
        self.http.required(&request, StartedAnswer::known, "which job was started").await
    }

    async fn migrate_from_backup(&self, migration: &BackupMigration) -> Result<String> {
        let action = format!("start a migration of a backup into cluster `{}`", migration.to);
        let (body, secrets) = (MigrateBackup::of(migration), migration.secrets());
        let request = Request { secrets: &secrets, ..Request::once(requests::MIGRATE_BACKUP, &body, &action) };
        self.http.required(&request, StartedAnswer::known, "which job was started").await
    }

    async fn job(&self, id: &str) -> Result<Option<CloudJob>> {
        let action = format!("ask for job `{id}`");
        let request = Request::question(requests::JOB, &action).about(id);
        let job = self.find::<JobAnswer>(&request).await?.and_then(JobAnswer::known);
        // An answer need not repeat what it was asked for.
        Ok(job.map(|job| if job.id.is_empty() { CloudJob { id: id.to_owned(), ..job } } else { job }))
    }

    async fn imports(&self, cluster: &str) -> Result<Vec<CloudImport>> {
        let action = format!("list the import jobs of cluster `{cluster}`");
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        for page in 1..=MOST_PAGES {
            let body = Imports { cluster_id: cluster, page_size: PAGE, current_page: page };
            let answer: Option<ImportsAnswer> =
                self.http.one(&Request::asking(requests::IMPORTS, &body, &action)).await?;
            let (jobs, count, size) = answer.unwrap_or_default().known();
            let (here, before) = (jobs.len(), all.len());
            all.extend(jobs.into_iter().filter(|job| seen.insert(job.id.clone())));
            if is_last(here, before, all.len(), count, size) {
                break;
            }
        }
        Ok(all)
    }

    async fn import(&self, cluster: &str, job: &str) -> Result<Option<CloudImport>> {
        let action = format!("ask for import job `{job}` of cluster `{cluster}`");
        let body = Import { cluster_id: cluster, job_id: job };
        let request = Request::asking(requests::IMPORT, &body, &action);
        match self.http.one::<ImportAnswer>(&request).await {
            Err(error) if error.code == Some(codes::NO_IMPORT) => Ok(None),
            found => Ok(found?.and_then(ImportAnswer::known)),
        }
    }
}
