//! How `apply` went, for machines. A new minor version of the format only adds; arrays are never null.

use std::collections::BTreeMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Ending, count, is_incomplete};
use crate::diff::{Change, Diff, Difference, Note, RowDiff, Work};
use crate::render::changes;
use crate::render::values::Failure;
use crate::run::{JobError, Moved, Report, Success};

/// Version of the document. 1.1 added `untold` to differences.
const FORMAT_VERSION: &str = "1.1";

/// How `vecferry apply --output json` ended, collection by collection, and what it had decided to do.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(in crate::render) struct Document<'a> {
    /// Version of this document: readers refuse a major version that they do not know.
    #[cfg_attr(test, schemars(regex(pattern = r"^1\.[0-9]+$")))]
    format_version: &'static str,
    /// Collections in which something was to be done, in the order of the plan. Others are in `plan` only.
    collections: Vec<Collection<'a>>,
    /// Collections in which nothing could be done, and why.
    blocked: Vec<Blocked<'a>>,
    /// How many collections ended in which way.
    summary: Summary,
    /// The command that goes on with what is left; null where nothing is.
    next: Option<&'a str>,
    /// What was to be done, as `vecferry plan --output json` writes it.
    plan: changes::Document<'a>,
}

/// How one collection ended.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Collection<'a> {
    /// The plan's name for it: `migration.database.collection` of the target.
    address: &'a str,
    /// What was to be done.
    work: Work,
    /// How it ended: `SUCCESSFUL`, `FAILED` or `CANCELED`.
    #[cfg_attr(test, schemars(extend("enum" = ["SUCCESSFUL", "FAILED", "CANCELED"])))]
    state: &'static str,
    /// How long it took.
    seconds: f64,
    /// Rows that were proven to be on the target; null where it did not end well, as are most figures below.
    rows_verified: Option<u64>,
    /// Rows that were sent.
    rows_written: Option<u64>,
    /// Id of the migration service's job that moved the rows; null where vecferry did, or the id is not known.
    service_job: Option<&'a str>,
    /// Rows of the source whose key was there already; each key arrived once.
    source_doubled: Option<u64>,
    /// Rows that were written again or removed because the verification asked for it.
    rows_mended: Option<u64>,
    /// What somebody wrote to the source while it was copied; null where nothing was seen.
    source_written_to: Option<WrittenTo<'a>>,
    /// How many requests were repeated, by the class of their error.
    retries: &'a BTreeMap<&'static str, u64>,
    /// Rows that only the target has and that were left alone.
    rows_only_on_target: Option<u64>,
    /// Rows that do not fit and are in quarantine.
    rows_quarantined: Option<u64>,
    /// The folder where those are; null where there are none.
    quarantine: Option<&'a str>,
    /// Rows that each rule of the plan changed, by the rule in words.
    rows_touched: Option<&'a BTreeMap<String, u64>>,
    /// Rows that still differ, where that is why it failed.
    difference: Option<&'a RowDiff>,
    /// Why it failed or was canceled.
    error: Option<Failure>,
}

/// What somebody wrote to the source while it was copied.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct WrittenTo<'a> {
    /// Rows that were added.
    rows_added: u64,
    /// Rows that were removed.
    rows_removed: u64,
    /// Rows of which a field was changed.
    rows_changed: u64,
    /// Ranges of keys that changed, where no key tells which rows did.
    ranges: usize,
    /// A few keys of each kind.
    examples: &'a [Difference],
}

/// A collection in which nothing could be done.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Blocked<'a> {
    /// The plan's name for it.
    address: &'a str,
    /// Why.
    reasons: &'a [Note],
}

/// Collections by how they ended.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Summary {
    /// All done, and proven.
    successful: usize,
    /// Not done, for the reason in `error`.
    failed: usize,
    /// Stopped on request.
    canceled: usize,
    /// Nothing could be done.
    blocked: usize,
}

/// The page as one JSON document.
pub fn json(reports: &[Report], blocked: &[&Change], command: &str, diff: &Diff) -> Value {
    let document = Document {
        format_version: FORMAT_VERSION,
        collections: reports.iter().map(Collection::of).collect(),
        blocked: blocked.iter().map(|change| Blocked { address: &change.address, reasons: &change.blocked }).collect(),
        summary: Summary {
            successful: count(reports, Ending::Successful),
            failed: count(reports, Ending::Failed),
            canceled: count(reports, Ending::Canceled),
            blocked: blocked.len(),
        },
        next: is_incomplete(reports, blocked).then_some(command),
        plan: changes::Document::of(diff),
    };
    // Every key is a text, so there is nothing that JSON could not hold.
    serde_json::to_value(document).unwrap_or_default()
}

impl<'a> Collection<'a> {
    fn of(report: &'a Report) -> Self {
        let success = report.result.as_ref().ok();
        let error = report.result.as_ref().err();
        Self {
            address: &report.address,
            work: report.work,
            state: Ending::of(report).word(),
            seconds: report.took.as_secs_f64(),
            rows_verified: success.map(|success| success.rows),
            rows_written: success.map(|success| success.written),
            service_job: service_job(&report.result),
            source_doubled: success.map(|success| success.doubled),
            rows_mended: success.map(|success| success.mended),
            source_written_to: moved(report).map(|moved| WrittenTo {
                rows_added: moved.rows.missing,
                rows_removed: moved.rows.extra,
                rows_changed: moved.rows.differing,
                ranges: moved.ranges,
                examples: &moved.rows.examples,
            }),
            retries: &report.retried,
            rows_only_on_target: success.map(|success| success.extra),
            rows_quarantined: success.map(|success| success.quarantined),
            quarantine: success.and_then(|success| success.quarantine.as_deref()),
            rows_touched: success.map(|success| &success.touched),
            difference: error.and_then(JobError::difference),
            error: error.map(Failure::from),
        }
    }
}

/// What somebody wrote to the source meanwhile, whether it was caught up with or not.
fn moved(report: &Report) -> Option<&Moved> {
    match &report.result {
        Ok(success) => Some(&success.moved).filter(|moved| !moved.is_empty()),
        Err(JobError::SourceMoves { moved, .. }) => Some(moved),
        Err(_) => None,
    }
}

/// The job of the migration service, where its id is known.
fn service_job(result: &Result<Success, JobError>) -> Option<&str> {
    match result {
        Ok(success) => success.moved_by.as_deref().filter(|job| !job.is_empty()),
        Err(JobError::Managed { job, .. } | JobError::StillGoing { job }) => job.as_deref(),
        Err(_) => None,
    }
}
