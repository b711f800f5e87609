//! Some collections that go to the migration service together: opened, asked for, followed, and each looked at afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tokio::sync::mpsc::UnboundedReceiver;

use super::execute::{EndedTask, Execution, Release, Report, Task, open};
use super::job::{Job, Sides, Success, Tools};
use super::managed::{ManagedPair, REST, Start, beat};
use super::managed_service::{self, Answer};
use super::retries::{self, Retried, Retry};
use super::{Event, JobError};
use crate::cluster::zilliz::{CloudMigration, DatabaseToMigrate};
use crate::crash_point;
use crate::state::{JobEnd, JobId, Lock, ManagedStep, Record};

/// Collections that are verified at once: most of the time is waiting until a server has loaded them.
const VERIFIED_AT_ONCE: usize = 4;
/// Requests that one run sends for a collection: each may be lost, or find the cluster busy.
const MOST_REQUESTS: u32 = 5;
/// The service's code for an action that a cluster's state does not allow just now.
const NOT_NOW: i32 = 40_003;

/// A collection of the batch, with its lock.
struct Held<'a> {
    number: usize,
    task: Task<'a>,
    lock: Lock,
    sides: Sides,
    started: Instant,
}

/// A collection of the batch at work.
pub(super) struct Member<'a> {
    pub(super) number: usize,
    pub(super) job: Job<'a>,
    told: UnboundedReceiver<Retry>,
    /// How it ended; none as long as it has not.
    pub(super) result: Option<Result<Success, JobError>>,
}

impl Member<'_> {
    pub(super) fn is_going(&self) -> bool {
        self.result.is_none()
    }

    pub(super) fn fail(&mut self, error: JobError) {
        self.result.get_or_insert(Err(error));
    }

    /// Writes a record of the service. A collection that cannot, or that another run has taken over, is given up.
    pub(super) async fn record(&mut self, step: ManagedStep) {
        let recorded = async {
            self.job.check_lock()?;
            self.job.record(&Record::Managed(step)).await
        };
        if let Err(error) = recorded.await {
            self.fail(error);
        }
    }
}

/// The members that have not ended.
pub(super) fn going<'m, 'a>(members: &'m mut [Member<'a>]) -> impl Iterator<Item = &'m mut Member<'a>> {
    members.iter_mut().filter(|member| member.is_going())
}

/// The report on a task that could not begin.
pub(super) fn failed(execution: &Execution<'_>, number: usize, task: &Task<'_>, error: JobError) -> EndedTask {
    let address = task.entry.seen.address.clone();
    execution.observer.event(&address, &Event::Failed(error.to_string()));
    let report = Report {
        address,
        work: task.entry.work,
        result: Err(error),
        took: std::time::Duration::ZERO,
        retried: Retried::new(),
        splits: (0, 0),
    };
    (number, report, None)
}

/// Does all that is to be done for the tasks of one job.
pub(super) async fn run<'a>(
    execution: &Execution<'_>,
    pair: &ManagedPair,
    start: Start,
    tasks: Vec<(usize, Task<'a>)>,
) -> Vec<EndedTask> {
    let (mut ended, mut held, mut journals) = (Vec::new(), Vec::new(), Vec::new());
    for (number, task) in tasks {
        let to = &task.entry.seen.to;
        let id = JobId::of(&to.uri, &to.database, &to.collection);
        let opened = match execution.stop.is_cancelled() {
            true => Err(JobError::Interrupted),
            false => open(execution, &task, &id).await,
        };
        match opened {
            Ok((lock, journal)) => {
                let (watch, told) = retries::watch();
                let sides = Sides {
                    source: task.sides.source.watched(Arc::clone(&watch)),
                    target: task.sides.target.watched_writing(watch),
                };
                let quarantine = execution.store.quarantine(&id, &journal.job().header.run);
                held.push(Held { number, task, lock, sides, started: Instant::now() });
                journals.push((journal, quarantine, told));
            }
            Err(error) => ended.push(failed(execution, number, &task, error)),
        }
    }
    let mut members = Vec::new();
    for (held, (journal, quarantine, told)) in held.iter().zip(journals) {
        let entry = held.task.entry;
        let (Some(mapping), Some(source)) = (&entry.seen.mapping, &entry.seen.source) else { continue };
        let tools = Tools {
            quarantine,
            sides: &held.sides,
            observer: execution.observer,
            pace: held.task.pace,
            stop: execution.stop,
            // The source may have changed since the look, and the job copied it as it was then.
            census: None,
            lock: &held.lock,
        };
        let job = Job::new(entry, mapping, source, journal, tools);
        members.push(Member { number: held.number, job, told, result: None });
    }
    for member in &mut members {
        if let Err(error) = member.job.begin() {
            member.fail(error);
        }
    }
    carry_out(execution, pair, start, &mut members).await;
    for member in members {
        let Some(held) = held.iter().find(|held| held.number == member.number) else { continue };
        let result = member.job.end(member.result.unwrap_or(Err(JobError::Bug))).await;
        let release = member.job.source_to_release().map(|partitions| Release {
            source: Arc::clone(&held.task.sides.source),
            from: held.task.entry.seen.from.clone(),
            partitions,
        });
        let report = Report {
            address: held.task.entry.seen.address.clone(),
            work: held.task.entry.work,
            result,
            took: held.started.elapsed(),
            retried: member.job.repeated(),
            splits: (0, 0),
        };
        ended.push((held.number, report, release));
    }
    ended
}

/// One step after the other until each member has ended.
async fn carry_out(execution: &Execution<'_>, pair: &ManagedPair, start: Start, members: &mut [Member<'_>]) {
    let (mut next, mut requests) = (start, 0);
    while going(members).next().is_some() {
        next = match next {
            Start::Ask => {
                requests += 1;
                match ask(execution, pair, members).await {
                    Some(Answer::Started(job)) => Start::Follow(job),
                    Some(Answer::NotNow(error)) if requests < MOST_REQUESTS => {
                        tracing::info!(%error, "the cluster takes no migration just now");
                        managed_service::pause(beat() * REST, execution.stop).await;
                        Start::Ask
                    }
                    Some(Answer::Lost(_)) if requests < MOST_REQUESTS => Start::Settle,
                    Some(Answer::NotNow(error) | Answer::Lost(error)) => {
                        going(members).for_each(|member| member.fail(error.clone().into()));
                        return;
                    }
                    None => return,
                }
            }
            Start::Follow(job) => match managed_service::follow(pair, &job, members, execution.stop).await {
                Some(next) => next,
                None => return,
            },
            Start::Settle => {
                let Some(there) = managed_service::settle(pair, members, execution.stop).await else { return };
                for member in members.iter_mut().filter(|member| there.contains(&member.number)) {
                    managed_service::say(member, "", None, None, Some(JobEnd::Unknown)).await;
                }
                look(members, JobEnd::Unknown, |member| there.contains(&member.number)).await;
                Start::Ask
            }
            Start::Look(end) => {
                look(members, end, |_| true).await;
                return;
            }
        };
    }
}

/// Looks at the target of some members, several at once.
async fn look(members: &mut [Member<'_>], end: JobEnd, which: impl Fn(&Member<'_>) -> bool) {
    futures::stream::iter(going(members).filter(|member| which(member)))
        .for_each_concurrent(VERIFIED_AT_ONCE, |member| async move {
            let result = member.job.guarded(member.job.arrive(end), &mut member.told).await;
            member.result = Some(result);
        })
        .await;
}

/// Makes room on the target, and asks for a job. None where nobody is left to ask for.
async fn ask(execution: &Execution<'_>, pair: &ManagedPair, members: &mut [Member<'_>]) -> Option<Answer> {
    futures::stream::iter(going(members))
        .for_each_concurrent(VERIFIED_AT_ONCE, |member| async move {
            if let Err(error) = member.job.guarded(member.job.make_room(), &mut member.told).await {
                member.fail(error);
            }
        })
        .await;
    managed_service::wait_for_clusters(pair, members, execution.stop).await;
    let collections: Vec<String> = going(members).map(|member| member.job.entry.seen.from.to_string()).collect();
    let request = uuid::Uuid::new_v4().simple().to_string();
    for member in going(members) {
        let (request, collections) = (request.clone(), collections.clone());
        member.record(ManagedStep::Asking { request, collections, at: jiff::Timestamp::now() }).await;
    }
    let mut databases: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for member in going(members) {
        let seen = &member.job.entry.seen;
        let pair = (seen.from.database.clone(), seen.to.database.clone());
        databases.entry(pair).or_default().push(seen.from.collection.clone());
    }
    if databases.is_empty() {
        return None;
    }
    let databases = databases.into_iter().map(|((from, to), collections)| DatabaseToMigrate { from, to, collections });
    let migration = CloudMigration { from: pair.from.clone(), to: pair.to.clone(), databases: databases.collect() };
    let answer = match managed_service::within_grace(pair.control.migrate(&migration), execution.stop).await {
        Some(answer) => answer,
        None => {
            going(members).for_each(|member| member.fail(JobError::StillGoing { job: None }));
            return None;
        }
    };
    crash_point::reached("migration asked for");
    match answer {
        Ok(job) => {
            for member in going(members) {
                member.record(ManagedStep::Asked { job: job.clone(), at: jiff::Timestamp::now() }).await;
            }
            Some(Answer::Started(job))
        }
        Err(error) if managed_service::may_have_started(&error) => Some(Answer::Lost(error)),
        Err(error) => {
            for member in going(members) {
                member.record(ManagedStep::Refused { at: jiff::Timestamp::now() }).await;
            }
            if error.code == Some(NOT_NOW) || error.is_transient() {
                return Some(Answer::NotNow(error));
            }
            going(members).for_each(|member| member.fail(error.clone().into()));
            None
        }
    }
}
