//! The state for machines. A new minor version of the format only adds; arrays are never null.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::service::Service;
use super::{Shown, StatusEntry};
use crate::render::values::FORMAT_VERSION;
use crate::render::words;
use crate::state::{Holder, Job, Owner};

/// What `vecferry status --output json` prints, and `vecferry cancel` and `vecferry state list` likewise: what the state remembers,
/// job by job.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(in crate::render) struct Document<'a> {
    /// Version of this document: readers refuse a major version that they do not know.
    #[cfg_attr(test, schemars(regex(pattern = r"^1\.[0-9]+$")))]
    format_version: &'static str,
    /// One for each target collection.
    jobs: Vec<OneJob<'a>>,
    /// Of `vecferry cancel` only: whether what was asked to stop has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<bool>,
}

/// What the state remembers of one target collection. What is not known, because the journal cannot be read, is null.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct OneJob<'a> {
    /// The journal's name, which `vecferry state show` takes.
    id: &'a str,
    /// The run that began it.
    run: Option<&'a str>,
    /// The plan's name.
    plan: Option<&'a str>,
    /// The plan's file, as it was named.
    plan_file: Option<&'a str>,
    /// The plan's name for the collection: `migration.database.collection` of the target.
    address: Option<&'a str>,
    /// Where its rows come from.
    source: Option<Side<'a>>,
    /// Where they go.
    target: Option<Side<'a>>,
    /// How it stands; `UNKNOWN` where that cannot be read.
    #[cfg_attr(test, schemars(extend("enum" = ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "CANCELED", "UNKNOWN"])))]
    state: &'static str,
    /// What it is busy with, in a word; empty where it has ended or not begun. A later version may know other words.
    phase: &'a str,
    /// Whether a process writes to the target, as far as it can be seen from here.
    running: bool,
    /// Who holds the lock of the target.
    lock: Option<Lock<'a>>,
    /// Whether a newer version of vecferry wrote it, of which this one does not understand everything.
    newer: bool,
    /// Rows that are done.
    rows_done: u64,
    /// Rows in all.
    rows_total: Option<u64>,
    /// Part of the rows that is done.
    percent_done: Option<u64>,
    /// Rows a second since a process took it up last; null where it does not run.
    rows_per_second: Option<u64>,
    /// Seconds that the rest takes at that rate.
    seconds_left: Option<u64>,
    /// The migration service's job; null where vecferry moves the rows itself.
    service: Option<Service<'a>>,
    /// Requests that were repeated.
    retries: u64,
    /// Rows that do not fit and are in quarantine.
    rows_quarantined: u64,
    /// How often a process took it up.
    attempts: Option<u64>,
    /// When it began.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    started: Option<jiff::Timestamp>,
    /// When something was recorded last.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    touched: Option<jiff::Timestamp>,
    /// Why it failed, or why it cannot be read.
    error: Option<&'a str>,
}

/// A collection of a cluster.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Side<'a> {
    /// Scheme, host and port of the cluster.
    uri: &'a str,
    /// `database.collection` there.
    collection: &'a str,
}

/// Who writes to a target.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Lock<'a> {
    /// Its run.
    run: &'a str,
    /// Its process.
    pid: u32,
    /// The name of its machine.
    host: &'a str,
    /// Since when.
    since: &'a str,
    /// Whether it can be seen from here that it lives; a process of another machine cannot.
    seen: bool,
}

impl<'a> Lock<'a> {
    fn of(owner: &'a Owner, holder: &Holder) -> Self {
        let seen = matches!(holder, Holder::Alive(_));
        Self { run: &owner.run, pid: owner.pid, host: &owner.host, since: &owner.since, seen }
    }
}

/// The state as one JSON document.
pub fn json(entries: &[StatusEntry], now: jiff::Timestamp) -> Value {
    document(entries, None, now)
}

/// The same of jobs that were asked to stop, and whether they have.
pub fn canceled_json(entries: &[StatusEntry], ended: bool, now: jiff::Timestamp) -> Value {
    document(entries, Some(ended), now)
}

fn document(entries: &[StatusEntry], ended: Option<bool>, now: jiff::Timestamp) -> Value {
    let jobs = entries.iter().map(|entry| OneJob::of(entry, &Shown::new(entry, now))).collect();
    // Every key is a text, so there is nothing that JSON could not hold.
    serde_json::to_value(Document { format_version: FORMAT_VERSION, jobs, ended }).unwrap_or_default()
}

/// One job of it.
pub(in crate::render) fn json_one(entry: &StatusEntry, now: jiff::Timestamp) -> Value {
    serde_json::to_value(OneJob::of(entry, &Shown::new(entry, now))).unwrap_or_default()
}

impl<'a> OneJob<'a> {
    fn of(entry: &'a StatusEntry, shown: &Shown<'a>) -> Self {
        let job = entry.job.as_ref().ok();
        let header = job.map(|job| &job.header);
        Self {
            id: &entry.id,
            run: header.map(|header| header.run.as_str()),
            plan: header.map(|header| header.plan.as_str()),
            plan_file: header.map(|header| header.plan_file.as_str()),
            address: header.map(|header| header.address.as_str()),
            source: header.map(|header| Side { uri: &header.source_uri, collection: &header.source }),
            target: header.map(|header| Side { uri: &header.target_uri, collection: &header.target }),
            state: shown.state,
            phase: shown.phase,
            running: entry.is_running(),
            lock: entry.holder.owner().map(|owner| Lock::of(owner, &entry.holder)),
            newer: job.is_some_and(Job::is_newer),
            rows_done: shown.done,
            rows_total: shown.total,
            percent_done: shown.total.and_then(|total| words::percent(shown.done, total)),
            rows_per_second: shown.rate,
            seconds_left: shown.seconds_left,
            service: job.and_then(Service::of),
            retries: shown.retries,
            rows_quarantined: shown.quarantined,
            attempts: job.map(|job| job.attempts),
            started: header.map(|header| header.started),
            touched: job.map(|job| job.touched),
            error: shown.error,
        }
    }
}
