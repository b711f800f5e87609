//! What a job of the migration service says, in its own words, and what becomes of it when nobody follows it.

use serde_json::{Value, json as value};

use crate::state::{Job, Managed, ManagedStage};

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

/// The same for machines; null where vecferry moves the rows itself.
pub(super) fn json(job: &Job) -> Value {
    let Some(managed) = &job.managed else { return Value::Null };
    let Managed { job, word, since, percent, reason, .. } = managed;
    value!({
        "job": job,
        "state": Some(word).filter(|word| !word.is_empty()),
        "since": since,
        "percent": percent,
        "reason": reason,
        "asked": managed.asked,
        "asked_together": managed.collections,
        "may_be_going": managed.may_be_going(),
        "failed_before": managed.failures,
    })
}
