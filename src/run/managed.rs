//! Collections that the migration service of Zilliz Cloud moves: its jobs, from the request that starts one to the proof on the
//! target.
//!
//! Collections of one pair of clusters go in jobs of as many as the service takes, one job after the other: nothing says that a
//! cluster takes two at a time. One that an earlier job did not bring goes alone, so that it cannot hold back others for ever.
//!
//! # What survives what
//!
//! The service keeps no list of jobs that could be asked, cancels none on request, and refuses a name that the target has. So a
//! second job may fail, but never doubles a row; and whatever a job says of itself, the target is read and compared. For each
//! collection, by crash or fault:
//!
//! - **Killed before `Asking` is recorded**: nothing was asked. The target held no collection of the name, and a plan that
//!   replaces drops it first; killed after the drop, there is nothing left to drop.
//! - **Killed between `Asking` and `Asked`, or the answer to the request is lost, or holds no id**: a job may be at work that
//!   nobody knows by name. Clusters that say MIGRATING are waited for. Collections that stand on the target were not there
//!   before, so they are that job's: once their rows stay the same for [`REST`] beats they are compared. Where nothing shows
//!   within [`SETTLE`] beats after the request, it is sent again.
//! - **Killed after `Asked`**: the job is followed by its id. Where the service no longer knows the job, it goes on as above.
//! - **Killed after `Said` with an end**: the job is over. What is on the target is looked at, and what is not is asked for again.
//! - **Killed after `Created`, or while the target is compared**: the target is known by its id and compared again.
//! - **Killed after `Missed`**: a failed job's leavings, known by their id, are dropped and asked for again. What a job left that
//!   says it did well is dropped only by a plan that says `on_existing: replace`, and else compared once more.
//! - **Killed while aliases are switched, or between the mark on the target and `Ended`**: it is compared once more.
//!
//! A beat is two seconds. Debug builds take another from `VECFERRY_BEAT_MS`, for tests.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::execute::{EndedTask, Execution, Task};
use super::{JobError, managed_batch};
use crate::cluster::zilliz::ControlPlane;
use crate::diff::{Action, Work};
use crate::state::{JobEnd, ManagedStage};

/// Pause between two questions, in beats, when nothing changes for long.
pub const LONGEST_PAUSE: u32 = 5;
/// Beats for which collections of a job without a name have to stay the same.
pub(super) const REST: u32 = 5;
/// Beats after which a request that left no trace is sent again.
pub(super) const SETTLE: u32 = 60;
/// Beats that the service may take for its indexes after the job ended.
pub(super) const INDEXES: u32 = 60;
/// Beats after which a job that waits for its turn is told of.
pub(super) const LONG_PENDING: u32 = 300;

/// The unit of all pauses.
pub fn beat() -> Duration {
    #[cfg(debug_assertions)]
    if let Some(wanted) = std::env::var("VECFERRY_BEAT_MS").ok().and_then(|beat| beat.parse().ok()) {
        return Duration::from_millis(wanted);
    }
    Duration::from_secs(2)
}

/// Tasks with their numbers.
type Tasks<'a> = Vec<(usize, Task<'a>)>;

/// Two clusters as the migration service knows them.
pub struct ManagedPair {
    /// The control plane that is asked.
    pub control: Arc<dyn ControlPlane>,
    /// Id of the source cluster.
    pub from: String,
    /// Id of the target cluster.
    pub to: String,
    /// Most collections of one job.
    pub most_collections: usize,
}

impl ManagedPair {
    fn is(&self, other: &Self) -> bool {
        (self.control.api(), &self.from, &self.to) == (other.control.api(), &other.from, &other.to)
    }
}

/// Where some collections begin that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// A job is asked for.
    Ask,
    /// A job was asked for, and nobody knows whether there is one.
    Settle,
    /// A job is at work.
    Follow(String),
    /// The job is over.
    Look(JobEnd),
}

/// Whether the migration service does it.
pub(super) fn is_managed(task: &Task<'_>) -> bool {
    task.entry.is_managed() && matches!(task.entry.work, Work::Fill | Work::Refill | Work::Resume)
}

/// Executes the tasks, pair by pair at once and each pair's jobs in turn.
pub(super) async fn execute(execution: &Execution<'_>, tasks: Tasks<'_>) -> Vec<EndedTask> {
    let mut ended = Vec::new();
    let mut pairs: Vec<(Arc<ManagedPair>, Tasks<'_>)> = Vec::new();
    for (number, task) in tasks {
        let Some(pair) = task.managed.clone() else {
            let error = JobError::Blocked("the migration service does not know its clusters".to_owned());
            ended.push(managed_batch::failed(execution, number, &task, error));
            continue;
        };
        match pairs.iter_mut().find(|(known, _)| known.is(&pair)) {
            Some((_, tasks)) => tasks.push((number, task)),
            None => pairs.push((pair, vec![(number, task)])),
        }
    }
    let in_turn = pairs.into_iter().map(|(pair, tasks)| async move {
        let mut ended = Vec::new();
        for (start, tasks) in batches(tasks, pair.most_collections) {
            ended.extend(managed_batch::run(execution, &pair, start, tasks).await);
        }
        ended
    });
    let mut all = futures::stream::iter(in_turn).buffer_unordered(usize::MAX);
    while let Some(more) = all.next().await {
        ended.extend(more);
    }
    ended
}

/// The tasks of one pair in the order in which they are done: what earlier runs asked for, then what is to be asked for.
fn batches(tasks: Tasks<'_>, most: usize) -> Vec<(Start, Tasks<'_>)> {
    let mut begun: Vec<(String, Start, Tasks<'_>)> = Vec::new();
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for (number, task) in tasks {
        let (start, request, failures) = start_of(&task);
        if start != Start::Ask {
            let mine = |(known, as_well, _): &&mut (String, Start, Tasks<'_>)| *known == request && *as_well == start;
            match begun.iter_mut().find(mine) {
                Some((.., tasks)) => tasks.push((number, task)),
                None => begun.push((request, start, vec![(number, task)])),
            }
        } else if failures > 0 {
            alone.push((Start::Ask, vec![(number, task)]));
        } else {
            together.push((number, task));
        }
    }
    let mut all: Vec<_> = begun.into_iter().map(|(_, start, tasks)| (start, tasks)).collect();
    while !together.is_empty() {
        let rest = together.split_off(most.clamp(1, together.len()));
        all.push((Start::Ask, std::mem::replace(&mut together, rest)));
    }
    all.extend(alone);
    all
}

/// Where a task begins, the request that it belongs to, and how many jobs failed to bring it.
fn start_of(task: &Task<'_>) -> (Start, String, u64) {
    let entry = task.entry;
    let unfinished =
        entry.seen.prior.as_ref().filter(|prior| !prior.finished && prior.plan_hash == entry.seen.plan_hash);
    let Some(managed) = unfinished.and_then(|prior| prior.managed.as_ref()) else {
        return (Start::Ask, String::new(), 0);
    };
    let start = match (entry.work, managed.stage()) {
        (Work::Resume, ManagedStage::Open) => Start::Settle,
        (Work::Resume, ManagedStage::Going(job)) => Start::Follow(job),
        (Work::Resume, ManagedStage::Over(end) | ManagedStage::Missed(end)) if entry.action == Action::Update => {
            Start::Look(end)
        }
        _ => Start::Ask,
    };
    (start, managed.request.clone(), managed.failures)
}
