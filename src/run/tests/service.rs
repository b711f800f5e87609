//! The migration service in memory, over the collections of a world: it takes its time, refuses names that exist, and fails when
//! it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::fake::Stage;
use super::script::Trouble;
use super::world::Collection;
use crate::cluster::zilliz::{
    BackupMigration, CloudJob, CloudMigration, Cluster, ControlPlane, CreatedCluster, JobState, Project, Region,
    Standing,
};
use crate::cluster::{ClusterError, ErrorKind, Result};
use crate::collection::{DataType, Index};
use crate::plan::resolved::{NewCluster, Tier};

/// Looks at a job after which it ends.
const LOOKS: u8 = 4;

/// A job.
#[derive(Debug, Clone)]
pub struct FakeJob {
    pub migration: CloudMigration,
    pub looks: u8,
    pub ended: Option<(JobState, &'static str, String)>,
}

/// What the service remembers, and what it is told to do.
#[derive(Debug, Default)]
pub struct Remembered {
    pub jobs: Vec<FakeJob>,
    /// Collections of the source that it cannot move.
    pub bad: BTreeSet<String>,
    /// Collections of which it loses a row without a word.
    pub loses: BTreeSet<String>,
    /// What it says instead of `IN_PROGRESS`.
    pub word: Option<&'static str>,
    /// Whether somebody cancels the next job in the console.
    pub cancels: bool,
    /// Answers to the next requests for a job.
    pub answers: Vec<ClusterError>,
    /// Whether it forgets its jobs.
    pub forgets: bool,
    /// Looks for which a job of somebody else keeps the target busy.
    pub busy: u8,
}

/// The service, over one world.
#[derive(Clone)]
pub struct FakeService {
    pub stage: Stage,
    pub remembered: Arc<Mutex<Remembered>>,
}

impl FakeService {
    pub fn new(stage: Stage) -> Self {
        Self { stage, remembered: Arc::default() }
    }

    pub fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and does what happens to it. Whether its answer is lost, and whether the process dies after it.
    async fn call<T: Send>(&self, what: &str, effect: impl FnOnce(&Self) -> Result<T> + Send) -> Result<T> {
        tokio::task::yield_now().await;
        let trouble = {
            let mut world = self.stage.world();
            let trouble = world.begin();
            let came = trouble.map(|trouble| format!(" → {trouble:?}")).unwrap_or_default();
            let line = format!("{:4} service: {what}{came}", world.calls);
            world.trace.push(line);
            trouble
        };
        match trouble {
            Some(Trouble::Fails(kind)) => return Err(self.stage.world().error(kind, what)),
            Some(Trouble::DiesBefore) => {
                self.stage.death.notify_one();
                return std::future::pending().await;
            }
            Some(Trouble::Stop) => self.stage.stop.cancel(),
            _ => {}
        }
        let done = effect(self);
        match trouble {
            Some(Trouble::DiesAfter) => {
                self.stage.death.notify_one();
                std::future::pending().await
            }
            Some(Trouble::AnswerLost) => Err(self.stage.world().error(ErrorKind::Transient, what)),
            _ => done,
        }
    }

    /// Each question is a moment in which jobs get on.
    fn gets_on(&self) {
        let mut remembered = self.remembered();
        let (bad, loses, cancels) =
            (remembered.bad.clone(), remembered.loses.clone(), std::mem::take(&mut remembered.cancels));
        remembered.busy = remembered.busy.saturating_sub(1);
        let Some(job) = remembered.jobs.iter_mut().find(|job| job.ended.is_none()) else {
            remembered.cancels = cancels;
            return;
        };
        if cancels {
            job.ended = Some((JobState::Canceled, "CANCELED", String::new()));
            return;
        }
        job.looks += 1;
        if job.looks < LOOKS {
            return;
        }
        let mut failures = Vec::new();
        let mut world = self.stage.world();
        for database in &job.migration.databases {
            for name in &database.collections {
                if world.target.contains_key(name) {
                    failures.push(format!("collection {name} exists"));
                } else if bad.contains(name) {
                    failures.push(format!("collection {name} cannot be read"));
                } else if let Some(source) = world.source.get(name).cloned() {
                    let id = world.new_id();
                    let mut rows = source.rows.clone();
                    if loses.contains(name) {
                        rows.pop();
                    }
                    let vectors = source.schema.fields.iter().filter(|field| field.data_type == DataType::FloatVector);
                    let indexes = vectors.map(|field| Index {
                        field: field.name.clone(),
                        name: field.name.clone(),
                        params: BTreeMap::from([("index_type".into(), "AUTOINDEX".into())]),
                    });
                    let made = Collection {
                        rows,
                        partitions: source.partitions.clone(),
                        indexes: indexes.collect(),
                        ..Collection::new(id, source.schema.clone())
                    };
                    world.target.insert(name.clone(), made);
                } else {
                    failures.push(format!("there is no collection {name}"));
                }
            }
        }
        job.ended = Some(match failures.is_empty() {
            true => (JobState::Successful, "SUCCESSFUL", String::new()),
            false => (JobState::Failed, "FAILED", failures.join("; ")),
        });
    }
}

#[async_trait]
impl ControlPlane for FakeService {
    fn api(&self) -> &'static str {
        "http://service:1"
    }

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        Ok(Vec::new())
    }

    async fn cluster(&self, id: &str) -> Result<Option<Cluster>> {
        self.call(&format!("cluster {id}"), |service| {
            service.gets_on();
            let remembered = service.remembered();
            let migrates = remembered.busy > 0 || remembered.jobs.iter().any(|job| job.ended.is_none());
            let (standing, status) =
                if migrates { (Standing::Migrating, "MIGRATING") } else { (Standing::Running, "RUNNING") };
            Ok(Some(Cluster {
                id: id.to_owned(),
                name: id.to_owned(),
                project_id: "proj-1".into(),
                region: String::new(),
                plan: "Standard".into(),
                tier: Tier::Dedicated,
                standing,
                status: status.into(),
                cu_type: String::new(),
                cu_size: 1,
                connect_address: None,
                create_progress: None,
            }))
        })
        .await
    }

    async fn projects(&self) -> Result<Vec<Project>> {
        Ok(Vec::new())
    }

    async fn regions(&self) -> Result<Vec<Region>> {
        Ok(Vec::new())
    }

    async fn create(&self, _: &NewCluster) -> Result<CreatedCluster> {
        Err(self.stage.world().error(ErrorKind::Refused, "make a cluster"))
    }

    async fn resume(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn migrate(&self, migration: &CloudMigration) -> Result<String> {
        self.call("migrate", |service| {
            let mut remembered = service.remembered();
            if !remembered.answers.is_empty() {
                return Err(remembered.answers.remove(0));
            }
            remembered.jobs.push(FakeJob { migration: migration.clone(), looks: 0, ended: None });
            Ok(format!("job-{}", remembered.jobs.len()))
        })
        .await
    }

    async fn migrate_from_backup(&self, _: &BackupMigration) -> Result<String> {
        unreachable!("no plan asks for it")
    }

    async fn job(&self, id: &str) -> Result<Option<CloudJob>> {
        self.call(&format!("look at {id}"), |service| {
            service.gets_on();
            let remembered = service.remembered();
            let number: usize = id.trim_start_matches("job-").parse().unwrap_or_default();
            let job = remembered.jobs.get(number.wrapping_sub(1)).filter(|_| !remembered.forgets);
            Ok(job.map(|job| {
                let (state, status, reason) = match &job.ended {
                    Some((state, status, reason)) => (*state, (*status).to_owned(), reason.clone()),
                    None if job.looks < 2 => (JobState::Going, "PENDING".to_owned(), String::new()),
                    None => (JobState::Going, remembered.word.unwrap_or("IN_PROGRESS").to_owned(), String::new()),
                };
                let progress = Some(job.looks.min(LOOKS) * (100 / LOOKS));
                let reason = Some(reason).filter(|reason| !reason.is_empty());
                CloudJob { id: id.to_owned(), kind: "MIGRATION".into(), state, status, progress, reason }
            }))
        })
        .await
    }
}
