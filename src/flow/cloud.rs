//! Clusters of Zilliz Cloud that plans name: their control planes are asked before anything else is looked at, so that all that
//! follows speaks of addresses as it does for any other cluster.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{FlowError, Selecting};
use crate::cluster::zilliz::{self, Cluster, ControlPlane, Standing};
use crate::cluster::{ClusterError, ErrorKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::diff::{ClusterEntry, LiveCluster, PriorCluster, SeenCluster, decide_cluster};
use crate::plan::resolved::{CloudCluster, Endpoint, Engine, Migration, NewCluster, Units, WhichCluster};
use crate::plan::tiers::{self, Class, What};
use crate::plan::{Address, ResolvedPlan};
use crate::run::clusters::{Making, is_taken, of_name, usable};
use crate::run::{JobError, ManagedPair};
use crate::state::{JobId, Store};

/// Most collections of one job of the migration service, where nobody says.
const MOST_COLLECTIONS: usize = 10;

/// What may be done so that a cluster can be looked at: it is waited for and, where the plan says so, resumed. Commands that only
/// look have none of this.
pub struct Waiting<'a> {
    /// Asks to stop.
    pub stop: &'a CancellationToken,
    /// Who is told what is waited for, a sentence at a time.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// What the control planes said.
#[derive(Default)]
pub struct Clouds {
    controls: HashMap<String, Arc<dyn ControlPlane>>,
    /// By [`key`].
    clusters: HashMap<String, Found>,
    /// The clusters, in the order of the plans.
    order: Vec<String>,
    pairs: HashMap<String, Arc<ManagedPair>>,
}

/// One cluster.
struct Found {
    control: Arc<dyn ControlPlane>,
    cloud: CloudCluster,
    entry: ClusterEntry,
    /// As it was when it was last looked at; none before it is made.
    cluster: Option<Cluster>,
}

/// What tells clusters apart. The debug form holds references to secrets and never a secret.
fn key(cloud: &CloudCluster) -> String {
    format!("{} {}", control_key(cloud), cloud.placeholder())
}

fn control_key(cloud: &CloudCluster) -> String {
    format!("{} {:?}", cloud.api, cloud.api_key)
}

impl Clouds {
    /// Asks about every cluster of Zilliz Cloud that the selected migrations name, and puts addresses and tiers into the plans.
    pub(super) async fn locate(
        plans: &mut [ResolvedPlan],
        store: &Store,
        selecting: &Selecting,
        waiting: Option<&Waiting<'_>>,
    ) -> Result<Self, FlowError> {
        let mut clouds = Self::default();
        for migration in plans.iter_mut().flat_map(|plan| &mut plan.migrations) {
            if !selecting.may_take(migration) {
                continue;
            }
            for endpoint in [&mut migration.source, &mut migration.target] {
                clouds.place(endpoint, store, waiting).await?;
            }
        }
        Ok(clouds)
    }

    /// The clusters as they were decided about.
    pub(super) fn entries(&self) -> Vec<ClusterEntry> {
        self.order.iter().filter_map(|key| self.clusters.get(key)).map(|found| found.entry.clone()).collect()
    }

    /// Why nothing can be written to a cluster, where it is to be made and cannot be.
    pub(super) fn blocked(&self, endpoint: &Endpoint) -> Option<String> {
        let found = self.clusters.get(&key(endpoint.cloud.as_ref()?))?;
        let note = found.entry.blocked.first()?;
        Some(format!("cluster `{}` cannot be made: {}", endpoint.name, note.message))
    }

    /// The clusters of a migration as the migration service knows them, where it is to move the rows and both are there.
    pub(super) fn pair(&mut self, migration: &Migration) -> Option<Arc<ManagedPair>> {
        if migration.engine != Engine::ZillizCloud {
            return None;
        }
        let found = |endpoint: &Endpoint| endpoint.cloud.as_ref().and_then(|cloud| self.clusters.get(&key(cloud)));
        let (from, to) = (found(&migration.source)?, found(&migration.target)?);
        let (from_id, to_id) = (from.cluster.as_ref()?.id.clone(), to.cluster.as_ref()?.id.clone());
        let control = Arc::clone(&to.control);
        let of_job = |endpoint| tiers::most(What::CollectionsOfJob, Class::of(endpoint));
        let most = [of_job(&migration.source), of_job(&migration.target)].into_iter().flatten().min();
        let most_collections = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST_COLLECTIONS);
        let pair = ManagedPair { control, from: from_id, to: to_id, most_collections };
        let name = format!("{} {} {}", control_key(&to.cloud), pair.from, pair.to);
        Some(Arc::clone(self.pairs.entry(name).or_insert_with(|| Arc::new(pair))))
    }

    async fn place(
        &mut self,
        endpoint: &mut Endpoint,
        store: &Store,
        waiting: Option<&Waiting<'_>>,
    ) -> Result<(), FlowError> {
        let Some(cloud) = endpoint.cloud.clone() else { return Ok(()) };
        let key = key(&cloud);
        if !self.clusters.contains_key(&key) {
            let found = self.look(&cloud, endpoint, store, waiting).await?;
            self.order.push(key.clone());
            self.clusters.insert(key.clone(), found);
        }
        let Some(found) = self.clusters.get_mut(&key) else { return Ok(()) };
        if !found.entry.seen.names.contains(&endpoint.name) {
            found.entry.seen.names.push(endpoint.name.clone());
        }
        endpoint.uri = match &found.cluster {
            Some(cluster) => address(cluster, endpoint, &found.control)?,
            None => cloud.placeholder(),
        };
        if let Some(cluster) = &found.cluster {
            endpoint.tier = cluster.tier;
            endpoint.units = Units::of_service(&cluster.cu_type, cluster.cu_size);
        }
        Ok(())
    }

    async fn look(
        &mut self,
        cloud: &CloudCluster,
        endpoint: &Endpoint,
        store: &Store,
        waiting: Option<&Waiting<'_>>,
    ) -> Result<Found, FlowError> {
        let here = |error: ClusterError| FlowError::Connect(Box::new(error), endpoint.span.clone());
        let control = match self.controls.get(&control_key(cloud)) {
            Some(control) => Arc::clone(control),
            None => {
                let control = zilliz::connect(cloud, &endpoint.name).await.map_err(here)?;
                self.controls.insert(control_key(cloud), Arc::clone(&control));
                control
            }
        };
        let (seen, candidates) = match &cloud.which {
            WhichCluster::Id(id) => {
                let found = control.cluster(id).await.map_err(here)?;
                let found = found.filter(|cluster| cluster.standing != Standing::Gone);
                let Some(cluster) = found else { return Err(missing(id, endpoint, control.api())) };
                (seen(cloud, None, vec![live(&cluster)], None, false), vec![cluster])
            }
            WhichCluster::Make(new) => {
                let made = store.made_cluster(&JobId::of_cluster(&new.project_id, &new.name))?;
                let mut candidates = of_name(control.clusters().await.map_err(here)?, new);
                let known = made.as_ref().and_then(|made| made.id.clone());
                if let Some(id) = known
                    && candidates.iter().all(|cluster| cluster.id != id)
                    && let Some(renamed) = control.cluster(&id).await.map_err(here)?
                    && renamed.standing != Standing::Gone
                {
                    candidates.push(renamed);
                }
                let prior = made.map(|made| PriorCluster { run: made.run, id: made.id, saved_plan: made.saved_plan });
                let asked = prior.as_ref().is_some_and(|prior| prior.id.is_none());
                let taken = is_taken(&new.password_file, asked);
                let found = candidates.iter().map(live).collect();
                (seen(cloud, Some(new), found, prior, taken), candidates)
            }
        };
        let mut entry = decide_cluster(seen);
        let mut cluster = entry.live.as_ref().and_then(|live| candidates.into_iter().find(|one| one.id == live.id));
        if let Some(found) = cluster.take() {
            let ready = ready(found, cloud, endpoint, &*control, waiting).await?;
            entry.live = Some(live(&ready));
            cluster = Some(ready);
        }
        Ok(Found { control, cloud: cloud.clone(), entry, cluster })
    }

    /// Makes the clusters that are to be made, and waits until each can be talked to. The caller looks at everything again.
    ///
    /// # Errors
    ///
    /// The first that could not be made, after all others were.
    pub(super) async fn make(
        &self,
        store: &Store,
        run: &str,
        saved_plan: Option<&str>,
        waiting: &Waiting<'_>,
    ) -> Result<(), JobError> {
        let wanted = self.clusters.values().filter(|found| found.is_to_be_made());
        let making = wanted.filter_map(|found| Some((found, found.entry.seen.wanted.as_ref()?)));
        let making = making.map(|(found, new)| async move {
            let control = &*found.control;
            let Waiting { stop, tell } = waiting;
            let cluster = Making { control, new, store, run, saved_plan, stop, tell }.make().await?;
            usable(control, &cluster.id, stop, tell).await.map(|_| ())
        });
        futures::future::join_all(making).await.into_iter().collect()
    }
}

impl Found {
    fn is_to_be_made(&self) -> bool {
        self.entry.action == crate::diff::Action::Create
    }
}

fn seen(
    cloud: &CloudCluster,
    wanted: Option<&NewCluster>,
    found: Vec<LiveCluster>,
    prior: Option<PriorCluster>,
    password_file_exists: bool,
) -> SeenCluster {
    SeenCluster {
        names: Vec::new(),
        wanted: wanted.cloned(),
        placeholder: cloud.placeholder(),
        found,
        prior,
        password_file_exists,
    }
}

fn live(cluster: &Cluster) -> LiveCluster {
    LiveCluster {
        id: cluster.id.clone(),
        name: cluster.name.clone(),
        region: cluster.region.clone(),
        plan: cluster.plan.clone(),
        tier: cluster.tier,
        status: cluster.status.clone(),
        cu_type: cluster.cu_type.clone(),
        cu_size: cluster.cu_size,
        is_running: cluster.standing == Standing::Running,
        is_migrating: cluster.standing == Standing::Migrating,
    }
}

/// A cluster that can be talked to.
async fn ready(
    cluster: Cluster,
    cloud: &CloudCluster,
    endpoint: &Endpoint,
    control: &dyn ControlPlane,
    waiting: Option<&Waiting<'_>>,
) -> Result<Cluster, FlowError> {
    let here = |error: JobError| match error {
        JobError::Cluster(error) => FlowError::Connect(Box::new(error), endpoint.span.clone()),
        error => FlowError::Job(error),
    };
    let about = |code, what: &str| {
        let message = format!("cluster {} ({}) {what}", cluster.id, cluster.name);
        Diagnostic::new(code, message).at(endpoint.span.clone())
    };
    match (cluster.standing, waiting) {
        (Standing::Running | Standing::Migrating | Standing::Unclear, _) if cluster.connect_address.is_some() => {
            return Ok(cluster);
        }
        (Standing::Suspended, _) if !cloud.resume => {
            let found = about(Code::ClusterSuspended, &format!("is suspended: its status is {}", cluster.status))
                .help("resume it in the console, or say `resume: true` so that `apply` resumes it");
            return Err(FlowError::NotReady { found: Box::new(found), temporary: false });
        }
        (Standing::Suspended, None) => {
            let found = about(Code::ClusterSuspended, &format!("is suspended: its status is {}", cluster.status))
                .help("`apply` resumes it, because the plan says `resume: true`; to see the diff before, resume it in the console");
            return Err(FlowError::NotReady { found: Box::new(found), temporary: false });
        }
        (Standing::Suspended, Some(waiting)) => {
            (waiting.tell)(&format!("resuming cluster {} ({})", cluster.id, cluster.name));
            control.resume(&cluster.id).await.map_err(|error| here(error.into()))?;
        }
        (_, None) => {
            let found = about(Code::ClusterNotReady, &format!("is not ready: its status is {}", cluster.status))
                .help("run the same command again once it is RUNNING; `apply` waits for it");
            return Err(FlowError::NotReady { found: Box::new(found), temporary: true });
        }
        (_, Some(_)) => {}
    }
    let Some(Waiting { stop, tell }) = waiting else { return Ok(cluster) };
    usable(control, &cluster.id, stop, tell).await.map_err(here)
}

fn missing(id: &str, endpoint: &Endpoint, api: &str) -> FlowError {
    let message = format!("{api} knows no cluster {id} that this API key may see");
    let found = Diagnostic::new(Code::ClusterMissing, message)
        .at(endpoint.span.clone())
        .help("check `cluster_id`, and that the key belongs to its organization and may see its project; `vecferry cloud clusters` lists what it sees");
    FlowError::NotReady { found: Box::new(found), temporary: false }
}

/// The address for clients, in the spelling that plans have.
fn address(cluster: &Cluster, endpoint: &Endpoint, control: &Arc<dyn ControlPlane>) -> Result<String, FlowError> {
    let said = cluster.connect_address.as_deref().unwrap_or_default();
    let refused = |kind, message: String| {
        let action = format!("find the address of cluster {}", cluster.id);
        let error = ClusterError::new(kind, control.api(), &action, message);
        FlowError::Connect(Box::new(error), endpoint.span.clone())
    };
    match Address::parse(said) {
        Ok(address) if address.is_https() || address.is_loopback() => Ok(address.uri()),
        Ok(_) => Err(refused(ErrorKind::Config, "the login would cross the network unencrypted".to_owned())),
        Err(_) => Err(refused(ErrorKind::Nonsense, format!("`{said}` is no address"))),
    }
}
