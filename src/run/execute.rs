//! All collections of a change set, many at once. One collection's failure never stops the others, and never hides.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::census::{Census, SplitSize};
use super::job::{Job, Sides, Success, Tools};
use super::lanes::Lanes;
use super::retries::{self, Retried};
use super::throttle::Throttle;
use super::{Event, JobError, ManagedPair, Memory, Observer, managed};
use crate::cluster::ReadSide;
use crate::diff::{Entry, MARK_RUN, Place, Prior, Work};
use crate::mapping::Rewrite;
use crate::plan::resolved::{Engine, Limits};
use crate::state::{FORMAT, Header, JobId, Journal, Lock, MANAGED_FORMAT, StateError, Store};

/// Collections in progress at once. Most of a small collection's time is waiting for the server to make, flush, index and load it,
/// and a server flushes two hundred of them as fast as one.
const COLLECTIONS: usize = 256;
/// Splits that are read while others are written. Reading a split takes a server a fraction of what writing it takes another, so
/// this is enough for the next rows to be there; more of them press on servers that share a machine.
const AHEAD: usize = 2;
/// Collections that are made at once. Servers do that one after another, and answer all else that changes or describes collections
/// behind it. So the first ones get their rows while others are still to be made, and the seconds that a flush takes without
/// anything to do pass beside that; more than one at once, because a server may be far away.
const MADE_AT_ONCE: usize = 16;
/// A wait for a lock that nobody needs to hear of.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// How long a source may take to be released once somebody asked to stop.
const RELEASE_GRACE: Duration = Duration::from_secs(2);

/// What is executed, beside the entries themselves.
pub struct Execution<'a> {
    /// Where the state is.
    pub store: &'a Store,
    /// Name of this run, for collections that it takes up first.
    pub run: &'a str,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// Asks to stop.
    pub stop: &'a CancellationToken,
    /// The saved plan that is carried out, by its checksum.
    pub saved_plan: Option<&'a str>,
}

/// One entry with what belongs to it.
pub struct Task<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Its clusters.
    pub sides: Sides,
    /// Its migration's limits.
    pub pace: &'a Pace,
    /// Name of the plan and its file.
    pub plan: (String, String),
    /// The census that the diff was made from, if one was taken.
    pub census: Option<Census>,
    /// Its clusters as the migration service knows them, where that is to move the rows.
    pub managed: Option<Arc<ManagedPair>>,
}

/// The limits of a migration, as its collections share them.
pub struct Pace {
    /// One for each split that is read at once, while nothing is written.
    pub(super) reads: Semaphore,
    /// One for each split that is read ahead of those that are written.
    pub(super) ahead: Semaphore,
    /// One for each split that is written at once.
    pub(super) writes: Lanes,
    /// One for each collection that is made at once.
    pub(super) making: Semaphore,
    pub(super) at_once: usize,
    pub(super) split: SplitSize,
    pub(super) throttle: Throttle,
    /// Shared by all migrations.
    pub(super) memory: Arc<Memory>,
}

impl Pace {
    /// A pace within these limits.
    pub fn new(limits: &Limits, memory: &Arc<Memory>) -> Self {
        let at_once = limits.concurrency.max(1);
        Self {
            reads: Semaphore::new(at_once),
            ahead: Semaphore::new(at_once.min(AHEAD)),
            writes: Lanes::new(at_once),
            making: Semaphore::new(MADE_AT_ONCE),
            at_once,
            split: SplitSize { rows: limits.split_rows, bytes: memory.split_bytes() },
            throttle: Throttle::new(limits.write_mb_per_s),
            memory: Arc::clone(memory),
        }
    }
}

/// How one collection went.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub address: String,
    /// What was to be done.
    pub work: Work,
    /// How it ended.
    pub result: Result<Success, JobError>,
    /// How long it took.
    pub took: Duration,
    /// Requests that were repeated, by class.
    pub retried: Retried,
    /// Splits that are done, and all that there are.
    pub splits: (usize, usize),
}

/// The number of a task, how it ended, and what is to be released on its source.
pub(super) type EndedTask = (usize, Report, Option<Release>);

/// Executes all tasks that have work, and reports on each in their order.
pub async fn execute(execution: &Execution<'_>, tasks: Vec<Task<'_>>) -> Vec<Report> {
    let (by_service, direct): (Vec<_>, Vec<_>) =
        tasks.into_iter().enumerate().partition(|(_, task)| managed::is_managed(task));
    let direct = futures::stream::iter(direct)
        .map(|(number, task)| async move {
            let started = Instant::now();
            let (address, work) = (task.entry.seen.address.clone(), task.entry.work);
            let Ended { result, release, retried, splits } = one(execution, task).await;
            if let Err(error) = &result {
                tracing::info!(%address, %error, "a collection failed");
            }
            (number, Report { address, work, result, took: started.elapsed(), retried, splits }, release)
        })
        .buffer_unordered(COLLECTIONS)
        .collect::<Vec<EndedTask>>();
    let (mut ended, more) = futures::join!(direct, managed::execute(execution, by_service));
    ended.extend(more);
    ended.sort_by_key(|(number, ..)| *number);
    let mut reports = Vec::with_capacity(ended.len());
    let mut released = HashSet::new();
    for (_, mut report, release) in ended {
        // Only now, because another task may have read the same collection.
        if let Some(release) = release
            && released.insert(release.from.clone())
        {
            let Release { source, from, partitions } = release;
            let releasing = source.release(&from.database, &from.collection, &partitions);
            if let Err(error) = while_asked(execution.stop, releasing).await
                && report.result.is_ok()
            {
                report.result = Err(error);
            }
        }
        reports.push(report);
    }
    reports
}

/// A source collection that was loaded for the copy, and is to be released again.
pub(super) struct Release {
    pub(super) source: Arc<dyn ReadSide>,
    pub(super) from: Place,
    pub(super) partitions: Vec<String>,
}

/// How the release of a source ended. Who asked to stop waits a moment for it and no longer; the journal remembers what is
/// to be released, so the next run does it.
async fn while_asked(
    stop: &CancellationToken,
    releasing: impl Future<Output = crate::cluster::Result<()>>,
) -> Result<(), JobError> {
    let given_up = async {
        stop.cancelled().await;
        tokio::time::sleep(RELEASE_GRACE).await;
    };
    tokio::select! {
        released = releasing => Ok(released?),
        () = given_up => Err(JobError::Interrupted),
    }
}

/// What is left of a task when it ended.
struct Ended {
    result: Result<Success, JobError>,
    release: Option<Release>,
    retried: Retried,
    splits: (usize, usize),
}

impl Ended {
    fn with(result: Result<Success, JobError>) -> Self {
        Self { result, release: None, retried: Retried::new(), splits: (0, 0) }
    }
}

async fn one(execution: &Execution<'_>, task: Task<'_>) -> Ended {
    let seen = &task.entry.seen;
    let (Some(mapping), Some(source)) = (&seen.mapping, &seen.source) else {
        return Ended::with(Ok(Success::default()));
    };
    if execution.stop.is_cancelled() {
        return Ended::with(Err(JobError::Interrupted));
    }
    let id = JobId::of(&seen.to.uri, &seen.to.database, &seen.to.collection);
    let (lock, journal) = match open(execution, &task, &id).await {
        Ok(opened) => opened,
        Err(error) => {
            execution.observer.event(&seen.address, &Event::Failed(error.to_string()));
            return Ended::with(Err(error));
        }
    };
    let quarantine = execution.store.quarantine(&id, &journal.job().header.run);
    let (watch, told) = retries::watch();
    let sides = Sides {
        source: task.sides.source.watched(Arc::clone(&watch)),
        target: task.sides.target.watched_writing(watch),
    };
    let tools = Tools {
        quarantine,
        sides: &sides,
        observer: execution.observer,
        pace: task.pace,
        stop: execution.stop,
        census: task.census,
        lock: &lock,
    };
    let job = Job::new(task.entry, mapping, source, journal, tools);
    let result = job.run(told).await;
    let release = job.source_to_release().map(|partitions| Release {
        source: Arc::clone(&task.sides.source),
        from: seen.from.clone(),
        partitions,
    });
    Ended { result, release, retried: job.repeated(), splits: job.splits_done() }
}

/// Locks the target and opens its journal. The lock comes first: only with it does nobody else write to the journal. What was
/// decided was decided before it, so the state is read again, and must be what the decision was made from: between the diff
/// and somebody's `yes`, another run may have begun or finished the same job.
pub(super) async fn open(execution: &Execution<'_>, task: &Task<'_>, id: &JobId) -> Result<(Lock, Journal), JobError> {
    let lock = lock(execution, task, id).await?;
    let now = execution.store.job(id)?.as_ref().map(Prior::of);
    if now != task.entry.seen.prior {
        let run = now.map_or_else(|| "another run".to_owned(), |prior| format!("run {}", prior.run));
        return Err(JobError::Overtaken { target: task.entry.seen.to.to_string(), run });
    }
    drop_half_written(task).await?;
    Ok((lock, journal(execution, task, id).await?))
}

/// Takes the lock. Where its owner is on another machine, it takes a while until it shows whether that one lives.
async fn lock(execution: &Execution<'_>, task: &Task<'_>, id: &JobId) -> Result<Lock, JobError> {
    let mut locking = pin!(execution.store.lock_in_time(id, execution.run));
    if let Ok(locked) = tokio::time::timeout(SHORT_WAIT, locking.as_mut()).await {
        return Ok(locked?);
    }
    execution.observer.event(&task.entry.seen.address, &Event::Phase("waiting for the lock"));
    tokio::select! {
        locked = locking => Ok(locked?),
        () = execution.stop.cancelled() => Err(JobError::Interrupted),
    }
}

/// Where a job starts over because nothing tells which rows arrived, drops what it made while its old journal still says that
/// it made it. With a new journal in its place, a kill before the drop would leave a collection that is nobody's.
async fn drop_half_written(task: &Task<'_>) -> Result<(), JobError> {
    let seen = &task.entry.seen;
    let starts_over = seen.mapping.as_ref().is_some_and(|mapping| mapping.columns.rewrite == Rewrite::StartOver);
    let Some(prior) = seen.prior.as_ref().filter(|prior| !prior.finished && starts_over) else { return Ok(()) };
    if task.entry.work != Work::Refill {
        return Ok(());
    }
    let live = task.sides.target.describe(&seen.to.database, &seen.to.collection).await?;
    if live.is_some_and(|live| live.mark.get(MARK_RUN) == Some(&prior.run)) {
        task.sides.target.drop_collection(&seen.to.database, &seen.to.collection).await?;
    }
    Ok(())
}

/// The journal to go on with, or a new one. A new one waits for the disk a few times, which the other collections need not wait for.
async fn journal(execution: &Execution<'_>, task: &Task<'_>, id: &JobId) -> Result<Journal, StateError> {
    let seen = &task.entry.seen;
    let begun = seen.prior.as_ref().filter(|prior| !prior.finished && prior.plan_hash == seen.plan_hash);
    let goes_on = match task.entry.work {
        Work::Resume => true,
        // It remembers which collections earlier jobs did not bring.
        Work::Refill if task.entry.is_managed() => begun.is_some_and(|prior| prior.managed.is_some()),
        // What a finished job copied is still true when only its indexes or its load state are touched.
        Work::Touch => execution
            .store
            .job(id)?
            .is_some_and(|job| job.is_successful() && job.header.plan_hash == task.entry.seen.plan_hash),
        _ => false,
    };
    let (store, id) = (execution.store.clone(), id.clone());
    let new = (!goes_on).then(|| header(execution, task));
    let opening = move || match new {
        Some(header) => store.begin(&id, header),
        None => store.resume(&id),
    };
    tokio::task::spawn_blocking(opening).await.map_err(std::io::Error::other)?
}

fn header(execution: &Execution<'_>, task: &Task<'_>) -> Header {
    let seen = &task.entry.seen;
    Header {
        format: if managed::is_managed(task) { MANAGED_FORMAT } else { FORMAT },
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        run: execution.run.to_owned(),
        plan: task.plan.0.clone(),
        plan_file: task.plan.1.clone(),
        address: seen.address.clone(),
        plan_hash: seen.plan_hash.clone(),
        source_uri: seen.from.uri.clone(),
        source: seen.from.to_string(),
        target_uri: seen.to.uri.clone(),
        target: seen.to.to_string(),
        source_id: seen.source.as_ref().map_or(0, |source| source.id),
        converging: matches!(task.entry.work, Work::Converge | Work::Touch),
        row_bytes: seen.source_rows.as_ref().map_or(0, |rows| rows.row_bytes),
        started: jiff::Timestamp::now(),
        saved_plan: execution.saved_plan.map(str::to_owned),
        engine: if managed::is_managed(task) { Engine::ZillizCloud } else { Engine::Direct },
    }
}
