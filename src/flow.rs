//! The whole way, as a story: look at both sides, decide, run, prove.
//!
//! `plan` looks and decides; `apply` goes on to run; `verify` looks and proves. Each begins with [`look`].

mod cloud;
pub mod follow;
pub mod inspect;
mod look;
mod preflight;
pub mod restore;
mod saved;
mod select;
pub mod stored;
mod unmade;
mod wanted;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::cluster::{ClusterError, Moment};
use crate::diagnostic::{Diagnostic, Span};
use crate::diff::{self, ChangeSet, Entry, Work};
use crate::plan::ResolvedPlan;
use crate::plan::resolved::{OnExisting, Verify};
use crate::run::{
    self, Census, Execution, JobError, ManagedPair, Observer, Pace, Report, Rooms, Side, Sides, Task, Verified,
    compare_all,
};
use crate::state::{Remembered, StateError, Store};

use cloud::Clouds;
pub use cloud::Waiting;
pub use look::look;
pub use saved::{look_again, save};
pub use select::{Pattern, Selecting};

/// Collections that are verified at once: most of the time is waiting until a server has loaded them.
const VERIFIED_AT_ONCE: usize = 8;

/// Why a command could not even begin.
#[derive(Debug)]
pub enum FlowError {
    /// The plan turned out to be wrong once the clusters were seen.
    Invalid(Vec<Diagnostic>),
    /// No connection could be opened to a cluster that the plan names there.
    Connect(Box<ClusterError>, Span),
    /// A cluster could not be talked to.
    Cluster(ClusterError),
    /// A cluster of Zilliz Cloud is not there, or cannot be talked to as it stands.
    NotReady {
        /// What is wrong, where, and what to do.
        found: Box<Diagnostic>,
        /// Whether waiting may be all that is needed.
        temporary: bool,
    },
    /// Something that had to be done before anything could be looked at was not.
    Job(JobError),
    /// The state could not be read.
    State(StateError),
    /// What `--target` or `--exclude` say takes none of the addresses.
    NothingSelected {
        /// As they were written.
        idle: Vec<String>,
        /// What there is.
        addresses: Vec<String>,
    },
}

impl From<ClusterError> for FlowError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl From<StateError> for FlowError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// One migration of one plan, with its clusters open.
pub struct Stage {
    /// The plan's name and file.
    pub plan: (String, String),
    /// Its clusters.
    pub sides: Sides,
    /// Its limits.
    pub pace: Pace,
    /// The clusters as the migration service knows them, where it is to move the rows and can.
    pub managed: Option<Arc<ManagedPair>>,
    /// As of when its source was looked at.
    moment: OnceLock<Moment>,
}

/// Everything that was seen, and what is to be done about it.
pub struct View {
    /// Where the state is.
    pub store: Store,
    /// The migrations, of all plans.
    pub stages: Vec<Stage>,
    /// What is to be done.
    pub changes: ChangeSet,
    /// For each entry, its stage and what was counted of its source.
    pub details: Vec<Detail>,
    /// What else there is to know.
    pub warnings: Vec<Diagnostic>,
    /// What the plans say, with names in place of patterns and without what was not selected.
    pub plans: Vec<ResolvedPlan>,
    /// The saved plan that is carried out, by its checksum.
    pub saved_plan: Option<String>,
    /// Addresses that were not selected.
    pub not_selected: Vec<String>,
    /// What the control planes of Zilliz Cloud said.
    clouds: Clouds,
}

impl View {
    /// What is shown of what was decided.
    pub fn diff(&self) -> diff::Diff {
        self.changes.diff(&self.not_selected)
    }

    /// Makes the clusters that the plans want and that are not there, and waits until they can be talked to. What was looked at is
    /// then out of date, and the caller looks again.
    ///
    /// # Errors
    ///
    /// Why one of them could not be made.
    pub async fn make_clusters(&self, run: &str, waiting: &Waiting<'_>) -> Result<(), JobError> {
        self.clouds.make(&self.store, run, self.saved_plan.as_deref(), waiting).await
    }
}

/// What belongs to an entry and is not part of the diff.
pub struct Detail {
    /// Number of its stage.
    pub stage: usize,
    /// The census of its source, where one was taken.
    pub census: Option<Census>,
}

/// How the look is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every row of the source as the plan maps it, beside what [`Depth::Rows`] looks at.
    Everything,
    /// Schemas and keys, and for plans that converge the rows of both sides.
    Rows,
    /// Schemas only: the caller goes through the rows itself.
    Schemas,
}

/// A name for a new run: the time and four characters that no other run of that second has.
pub fn new_run() -> String {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &unique[..4])
}

/// Does what the change set says. Entries without work are left out of the reports.
pub async fn apply(view: &mut View, run: &str, observer: &dyn Observer, stop: &CancellationToken) -> Vec<Report> {
    let mut tasks = Vec::new();
    for (entry, detail) in view.changes.entries.iter().zip(&mut view.details) {
        if entry.work == Work::None {
            continue;
        }
        let stage = &view.stages[detail.stage];
        tasks.push(Task {
            entry,
            sides: stage.sides.clone(),
            pace: &stage.pace,
            plan: stage.plan.clone(),
            census: detail.census.take(),
            managed: stage.managed.clone(),
        });
    }
    let saved_plan = view.saved_plan.as_deref();
    let execution = Execution { store: &view.store, run, observer, stop, saved_plan };
    run::execute(&execution, tasks).await
}

/// Holds both sides of every entry against each other. Collections that are not loaded are loaded for it and released.
pub async fn verify(
    view: &View,
    level: Option<Verify>,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> Vec<Verified> {
    // Entries that read one collection take turns, and so do those where one reads what another wrote: the one that ends first
    // would release it under the other.
    let entries = &view.changes.entries;
    let sources: HashSet<&diff::Place> = entries.iter().map(|entry| &entry.seen.from).collect();
    let targets: HashSet<&diff::Place> = entries.iter().map(|entry| &entry.seen.to).collect();
    let mut by_source: BTreeMap<Option<&diff::Place>, Vec<usize>> = BTreeMap::new();
    for (number, entry) in entries.iter().enumerate() {
        let chained = targets.contains(&entry.seen.from) || sources.contains(&entry.seen.to);
        by_source.entry((!chained).then_some(&entry.seen.from)).or_default().push(number);
    }
    let in_turn = |numbers: Vec<usize>| async move {
        let mut ended = Vec::new();
        for number in numbers {
            let (entry, stage) = (&view.changes.entries[number], &view.stages[view.details[number].stage]);
            let level = level.unwrap_or(entry.seen.settings.verify);
            let result = match stop.is_cancelled() {
                true => Err(run::JobError::Interrupted),
                false => verify_one(entry, stage, level, observer, stop).await,
            };
            ended.push((number, verified(entry, level, result)));
        }
        ended
    };
    let mut all: Vec<(usize, Verified)> = futures::stream::iter(by_source.into_values().map(in_turn))
        .buffer_unordered(VERIFIED_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, verified)| verified).collect()
}

fn verified(entry: &Entry, level: Verify, result: Result<run::Comparison, run::JobError>) -> Verified {
    let seen = &entry.seen;
    Verified {
        address: seen.address.clone(),
        from: seen.from.clone(),
        to: seen.to.clone(),
        level,
        extra_counts: seen.settings.on_existing != OnExisting::Converge || seen.settings.prune,
        result,
    }
}

async fn verify_one(
    entry: &Entry,
    stage: &Stage,
    level: Verify,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> Result<run::Comparison, run::JobError> {
    let seen = &entry.seen;
    let absent = |place: &diff::Place| run::JobError::Absent(place.to_string());
    let (Some(source), Some(mapping)) = (&seen.source, &seen.mapping) else {
        return Err(seen.source_error.clone().map_or_else(|| absent(&seen.from), run::JobError::Blocked));
    };
    let target = seen.target.as_ref().ok_or_else(|| absent(&seen.to))?;
    for (place, live, needs_index) in
        [(&seen.from, source, seen.source_load_needs_index), (&seen.to, target, seen.target_load_needs_index)]
    {
        if let Some(field) = diff::unloadable(live).filter(|_| needs_index) {
            let message =
                format!("`{place}` cannot be read: it is not loaded, and without an index on `{field}` it cannot be");
            return Err(run::JobError::Blocked(message));
        }
    }
    let read_source = &*stage.sides.source;
    let read_target: &dyn crate::cluster::ReadSide = &*stage.sides.target;
    let source_guard = run::loaded(read_source, &seen.from.database, source).await?;
    let target_guard = match run::loaded(read_target, &seen.to.database, target).await {
        Ok(guard) => guard,
        Err(error) => {
            source_guard.release().await?;
            return Err(error);
        }
    };
    let comparing = async {
        let moment = read_source.moment(&seen.from.database, &source.name).await?;
        let source_scan = run::scan(&seen.from.database, source, seen.settings.filter.as_deref(), moment);
        let (groups, fields) = (run::groups(mapping), &mapping.columns.read);
        let rooms = Rooms::new(&stage.pace);
        let census = run::census(read_source, &source_scan, &groups, fields, run::Keys::Cheaply, &rooms).await?;
        let total = census.rows.distinct();
        observer.event(&seen.address, &run::Event::Begun { done: 0, total, row_bytes: census.rows.row_bytes });
        observer.event(&seen.address, &run::Event::Phase("verifying"));
        let moment = read_target.moment(&seen.to.database, &target.name).await?;
        let target_scan = crate::cluster::Scan {
            key: mapping.columns.key.clone(),
            ..run::scan(&seen.to.database, target, None, moment)
        };
        compare_all(
            Side { read: read_source, scan: &source_scan },
            Side { read: read_target, scan: &target_scan },
            &census.splits,
            mapping,
            level,
            &rooms,
            (observer, &seen.address),
        )
        .await
    };
    // What was loaded for the comparison is released also when somebody asks to stop.
    let result = tokio::select! {
        result = comparing => result,
        () = stop.cancelled() => Err(run::JobError::Interrupted),
    };
    let event = match &result {
        Ok(_) => run::Event::Succeeded,
        Err(error) => run::Event::Failed(error.to_string()),
    };
    observer.event(&seen.address, &event);
    let released = futures::join!(source_guard.release(), target_guard.release());
    let comparison = result?;
    released.0?;
    released.1?;
    Ok(comparison)
}

/// What the state knows of every target it has heard of.
pub fn jobs(store: &Store) -> Result<Vec<Remembered>, StateError> {
    store.jobs()
}
