//! What a job of the migration service says, in its own words, and what becomes of it when nobody follows it.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use crate::state::{Job, ManagedStage};

/// Seconds after which a word that the service keeps saying is told with its age.
const LONG: i64 = 600;
/// How a job is stopped that goes on by itself: no request does it.
pub(super) const LEFT: &str = "goes on without vecferry: run the same apply again to follow it, or cancel it in the console of Zilliz Cloud (Jobs)";

/// How it stands with the service, in one sentence; none where nothing was asked of it.
pub(super) fn remark(job: &Job, running: bool, now: jiff::Timestamp) -> Option<String> {
    let managed = job.managed.as_ref()?;
    let name = match &managed.job {
        Some(job) => format!("job {job} of the migration service"),
        None => "the migration service was asked for a job, whose id is not known".to_owned(),
    };
    let mut text = match managed.stage() {
        ManagedStage::NotAsked => return None,
        _ if managed.word.is_empty() => name,
        _ => format!("{name}: {}", managed.word),
    };
    if let Some(percent) = managed.percent.filter(|_| managed.end.is_none()) {
        text.push_str(&format!(", {percent} %"));
    }
    if let Some(reason) = managed.reason.as_ref().filter(|reason| !reason.is_empty() && job.error.is_none()) {
        text.push_str(&format!(" ({reason})"));
    }
    if managed.may_be_going() {
        match managed.since.map(|since| now.duration_since(since).as_secs()) {
            Some(seconds) if running && seconds >= LONG => {
                let since = managed.since.unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC");
                text.push_str(&format!(", since {since}"));
            }
            _ if !running => text.push_str(&format!("; {LEFT}")),
            _ => {}
        }
    }
    Some(text)
}

/// Percent that the service tells while its job is at work.
pub(super) fn percent(job: &Job) -> Option<u64> {
    job.managed.as_ref().filter(|managed| managed.may_be_going()).and_then(|managed| managed.percent).map(u64::from)
}

/// The same for machines.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct Service<'a> {
    /// The job's id; null where it was not heard yet.
    job: Option<&'a str>,
    /// The service's own word for how it stands; null before it was asked.
    state: Option<&'a str>,
    /// Since when it says that.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    since: Option<jiff::Timestamp>,
    /// Percent, where it says it.
    percent: Option<u8>,
    /// Its reason, where it gives one.
    reason: Option<&'a str>,
    /// When it was asked for the job.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    asked: Option<jiff::Timestamp>,
    /// The collections that it was asked for together.
    asked_together: &'a [String],
    /// Whether the job goes on, as far as is known.
    may_be_going: bool,
    /// Jobs before this one that ended without bringing the collection.
    failed_before: u64,
}

impl<'a> Service<'a> {
    /// None where vecferry moves the rows itself.
    pub(super) fn of(job: &'a Job) -> Option<Self> {
        let managed = job.managed.as_ref()?;
        Some(Self {
            job: managed.job.as_deref(),
            state: Some(managed.word.as_str()).filter(|word| !word.is_empty()),
            since: managed.since,
            percent: managed.percent,
            reason: managed.reason.as_deref(),
            asked: managed.asked,
            asked_together: &managed.collections,
            may_be_going: managed.may_be_going(),
            failed_before: managed.failures,
        })
    }
}
