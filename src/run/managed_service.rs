//! What is asked of the migration service while its job is at work, and what is made of its answers.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::GRACE;
use super::managed::{LONG_PENDING, LONGEST_PAUSE, ManagedPair, REST, SETTLE, Start, beat};
use super::managed_batch::{Member, going};
use super::{Event, JobError};
use crate::cluster::zilliz::{JobState, Standing};
use crate::cluster::{self, ClusterError, ErrorKind};
use crate::state::{JobEnd, ManagedStep};

/// Answers in a row by which there is no such job, before that is believed.
const MISSING: u32 = 3;
/// The service's word for a job that waits for its turn.
const PENDING: &str = "PENDING";

/// What came of a request for a job.
#[derive(Debug)]
pub(super) enum Answer {
    /// A job.
    Started(String),
    /// Nothing, but in a while it may be another answer.
    NotNow(ClusterError),
    /// Nobody knows.
    Lost(ClusterError),
}

/// Whether a job may have been started although the request failed: where the service did not answer, or answered without an
/// id. Where it said no, none was.
pub(super) fn may_have_started(error: &ClusterError) -> bool {
    error.leaves_open() && !matches!(error.kind, ErrorKind::Refused | ErrorKind::NotFound)
}

/// Sleeps, unless somebody asks to stop.
pub(super) async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

/// Waits for an answer, a moment longer where somebody asks to stop; then none.
pub(super) async fn within_grace<T>(answer: impl Future<Output = T>, stop: &CancellationToken) -> Option<T> {
    let given_up = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        answer = answer => Some(answer),
        () = given_up => None,
    }
}

/// Tells a member, its journal and whoever watches what the job says.
pub(super) async fn say(
    member: &mut Member<'_>,
    word: &str,
    percent: Option<u8>,
    reason: Option<&str>,
    end: Option<JobEnd>,
) {
    if let Some(job) = member.job.service_job() {
        member.job.tell(&Event::Service { job, word: word.to_owned(), percent, waits: false });
    }
    let (word, reason) = (word.to_owned(), reason.map(str::to_owned));
    member.record(ManagedStep::Said { word, percent, reason, end, at: jiff::Timestamp::now() }).await;
}

fn fail_all(members: &mut [Member<'_>], error: &ClusterError) {
    going(members).for_each(|member| member.fail(error.clone().into()));
}

fn leave_all(members: &mut [Member<'_>], job: Option<&str>) {
    going(members).for_each(|member| member.fail(JobError::StillGoing { job: job.map(str::to_owned) }));
}

/// Follows a job to its end, and says how to go on: by a look at the target, or where the service no longer knows the job, by
/// what shows of it. None where nobody is left to follow it for.
pub(super) async fn follow(
    pair: &ManagedPair,
    job: &str,
    members: &mut [Member<'_>],
    stop: &CancellationToken,
) -> Option<Start> {
    let (mut last, mut wait, mut missing) = (None, beat(), 0);
    let mut pending_since = Instant::now();
    if stop.is_cancelled() {
        leave_all(members, Some(job));
    }
    for member in going(members) {
        if let Err(error) = member.job.phase("migrating").await {
            member.fail(error);
        }
    }
    loop {
        let answer = tokio::select! {
            answer = pair.control.job(job) => answer,
            () = stop.cancelled() => {
                leave_all(members, Some(job));
                return None;
            }
        };
        match answer {
            Err(error) => {
                fail_all(members, &error);
                return None;
            }
            Ok(None) => {
                missing += 1;
                if missing >= MISSING {
                    tracing::warn!(job, "the control plane no longer knows the job");
                    return Some(Start::Settle);
                }
            }
            Ok(Some(seen)) => {
                missing = 0;
                let end = match seen.state {
                    JobState::Going => None,
                    JobState::Successful => Some(JobEnd::Successful),
                    JobState::Failed => Some(JobEnd::Failed),
                    JobState::Canceled => Some(JobEnd::Canceled),
                };
                let now = Some((seen.status.clone(), seen.progress));
                let is_news = last != now;
                if is_news || end.is_some() {
                    for member in going(members) {
                        say(member, &seen.status, seen.progress, seen.reason.as_deref(), end).await;
                    }
                }
                if let Some(end) = end {
                    return Some(Start::Look(end));
                }
                if seen.status != PENDING {
                    pending_since = Instant::now();
                } else if pending_since.elapsed() >= beat() * LONG_PENDING {
                    pending_since = Instant::now();
                    for member in going(members) {
                        let (job, word) = (job.to_owned(), seen.status.clone());
                        member.job.tell(&Event::Service { job, word, percent: seen.progress, waits: true });
                    }
                }
                wait = if is_news { beat() } else { (wait * 3 / 2).min(beat() * LONGEST_PAUSE) };
                last = now;
            }
        }
        going(members).next()?;
        pause(wait, stop).await;
    }
}

/// Whether a migration is at work in one of the clusters.
async fn migrates(pair: &ManagedPair) -> cluster::Result<bool> {
    for id in [&pair.to, &pair.from] {
        if pair.control.cluster(id).await?.is_some_and(|cluster| cluster.standing == Standing::Migrating) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits as long as another migration is at work in one of the clusters.
pub(super) async fn wait_for_clusters(pair: &ManagedPair, members: &mut [Member<'_>], stop: &CancellationToken) {
    let mut told = false;
    while going(members).next().is_some() {
        if stop.is_cancelled() {
            going(members).for_each(|member| member.fail(JobError::Interrupted));
            return;
        }
        match migrates(pair).await {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => return fail_all(members, &error),
        }
        if !told {
            told = true;
            going(members).for_each(|member| member.job.tell(&Event::Phase("waiting for another migration")));
        }
        pause(beat() * LONGEST_PAUSE, stop).await;
    }
}

/// Finds out what became of a request of which nobody knows whether it started a job, and returns the numbers of those members
/// whose collections are on the target and have come to rest. None where nobody is left to ask for.
pub(super) async fn settle(
    pair: &ManagedPair,
    members: &mut [Member<'_>],
    stop: &CancellationToken,
) -> Option<BTreeSet<usize>> {
    if stop.is_cancelled() {
        leave_all(members, None);
    }
    for member in going(members) {
        if let Err(error) = member.job.phase("looking for the job").await {
            member.fail(error);
        }
    }
    let began = Instant::now();
    let asked = going(members).filter_map(|member| member.job.asked_at()).max();
    let passed = asked.and_then(|asked| Duration::try_from(jiff::Timestamp::now() - asked).ok()).unwrap_or_default();
    let most = (beat() * SETTLE).saturating_sub(passed).max(beat() * REST);
    let (mut migrated, mut rest) = (false, None);
    loop {
        if stop.is_cancelled() {
            leave_all(members, None);
        }
        going(members).next()?;
        match migrates(pair).await {
            Err(error) => {
                fail_all(members, &error);
                return None;
            }
            Ok(true) => (migrated, rest) = (true, None),
            Ok(false) => {
                let mut there = BTreeSet::new();
                for member in going(members) {
                    match member.job.standing().await {
                        Ok(Some(rows)) => {
                            there.insert((member.number, rows));
                        }
                        Ok(None) => {}
                        Err(error) => member.fail(error),
                    }
                }
                if there.is_empty() && !migrated {
                    if began.elapsed() >= most {
                        return Some(BTreeSet::new());
                    }
                } else {
                    match &rest {
                        Some((since, before)) if *before == there => {
                            let since: &Instant = since;
                            if since.elapsed() >= beat() * REST {
                                return Some(there.into_iter().map(|(number, _)| number).collect());
                            }
                        }
                        _ => rest = Some((Instant::now(), there)),
                    }
                }
            }
        }
        pause(beat(), stop).await;
    }
}
