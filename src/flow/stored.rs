//! What people do with the state beside running plans: look at one job, carry jobs elsewhere, forget one, free a lock, ask a
//! run to stop.

use std::path::PathBuf;

use crate::state::{Export, Holder, Imported, JobId, Owner, Remembered, StateError, Store};

/// The job that somebody means: by its id, or by its run or its address in the plan where that leaves only one.
pub fn find(store: &Store, wanted: &str) -> Result<Remembered, StateError> {
    let mut jobs = store.jobs()?;
    let is_meant = |one: &Remembered| {
        let header = one.job.as_ref().ok().map(|job| &job.header);
        header.is_some_and(|header| header.run == wanted || header.address == wanted)
    };
    if let Some(at) = jobs.iter().position(|one| one.id.to_string() == wanted) {
        return Ok(jobs.swap_remove(at));
    }
    let ids = jobs.iter().map(|one| one.id.to_string()).collect::<Vec<_>>().join(", ");
    let mut meant: Vec<Remembered> = jobs.into_iter().filter(is_meant).collect();
    match (meant.pop(), meant.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            let others = meant.iter().map(|other| format!(", {}", other.id)).collect::<String>();
            let what = format!("`{wanted}` could be several jobs: {}{others}", one.id);
            Err(StateError::Refused { what, help: "name one of them by its id" })
        }
        (None, _) if ids.is_empty() => {
            let what = format!("there is no job `{wanted}`: the state in {store} remembers none");
            Err(StateError::Refused { what, help: "name the plan or where the state lies (`--state DIR|URL`)" })
        }
        (None, _) => {
            let what = format!("there is no job `{wanted}`; there are: {ids}");
            Err(StateError::Refused { what, help: "name one of them by its id" })
        }
    }
}

/// The folder in which a job keeps rows that do not fit, if there is one.
pub fn quarantine(store: &Store, one: &Remembered) -> Result<Option<PathBuf>, StateError> {
    let Ok(job) = &one.job else { return Ok(None) };
    let quarantine = store.quarantine(&one.id, &job.header.run);
    Ok(quarantine.is_there()?.then(|| quarantine.folder().to_owned()))
}

/// All jobs, or one, as a document; and those that cannot be in it.
pub fn export(store: &Store, only: Option<&str>) -> Result<(Export, Vec<(JobId, StateError)>), StateError> {
    let only = only.map(|wanted| find(store, wanted)).transpose()?;
    store.export(only.as_ref().map(|one| &one.id))
}

/// Those of its jobs that a run writes to.
pub fn held(store: &Store, export: &Export) -> Result<Vec<(JobId, Owner)>, StateError> {
    let held = store.held()?;
    Ok(held.into_iter().filter(|(id, _)| export.holds(id)).collect())
}

/// Brings jobs back.
pub fn import(store: &Store, text: &str, force: bool) -> Result<Vec<(JobId, Imported)>, StateError> {
    let export = Export::parse(text)?;
    store.import(&export, force)
}

/// Forgets a job, and says where its journal is now.
pub fn forget(store: &Store, id: &JobId) -> Result<PathBuf, StateError> {
    store.forget(id)
}

/// The locks that a run holds or a target has, and who owns them.
pub fn locks(store: &Store, wanted: &str) -> Result<Vec<(JobId, Holder)>, StateError> {
    let held = store.held()?;
    let found: Vec<(JobId, Holder)> = held
        .iter()
        .filter(|(id, owner)| owner.run == wanted || id.to_string() == wanted)
        .map(|(id, _)| Ok((id.clone(), store.holder(id)?)))
        .collect::<Result<_, StateError>>()?;
    if found.is_empty() {
        let what = format!("nothing is locked by `{wanted}`; {}", locked(&held));
        return Err(StateError::Refused { what, help: "name a run or a job that `vecferry status` shows as running" });
    }
    Ok(found)
}

fn locked(held: &[(JobId, Owner)]) -> String {
    if held.is_empty() {
        return "no lock is held".to_owned();
    }
    let all: Vec<String> = held.iter().map(|(id, owner)| format!("{id} by {owner}")).collect();
    format!("locked are: {}", all.join("; "))
}

/// Frees a lock from an owner that cannot be seen from here.
pub fn unlock(store: &Store, id: &JobId, seen: &Owner) -> Result<(), StateError> {
    store.unlock(id, seen)
}

/// Runs that work on what somebody names: a run as it began, the run that goes on with it, or a job. Each with its targets.
pub fn running(store: &Store, wanted: &str) -> Result<Vec<(JobId, Owner)>, StateError> {
    let held: Vec<(JobId, Owner)> = store.held()?.into_iter().filter(|(_, owner)| !owner.run.is_empty()).collect();
    let begun: Vec<JobId> = store
        .jobs()?
        .into_iter()
        .filter(|one| one.job.as_ref().is_ok_and(|job| job.header.run == wanted))
        .map(|one| one.id)
        .collect();
    let runs: Vec<String> = held
        .iter()
        .filter(|(id, owner)| owner.run == wanted || id.to_string() == wanted || begun.contains(id))
        .map(|(_, owner)| owner.run.clone())
        .collect();
    if runs.is_empty() {
        let ended = if begun.is_empty() { "there is no such run" } else { "it has ended" };
        let mut others: Vec<String> = held.iter().map(|(_, owner)| owner.to_string()).collect();
        others.dedup();
        let what = match others.is_empty() {
            true => format!("`{wanted}` does not run: {ended}, and nothing else runs"),
            false => format!("`{wanted}` does not run: {ended}; what runs: {}", others.join("; ")),
        };
        return Err(StateError::Refused { what, help: "`vecferry status` shows what runs" });
    }
    Ok(held.into_iter().filter(|(_, owner)| runs.contains(&owner.run)).collect())
}

/// Asks runs to stop.
pub fn ask_to_stop(store: &Store, running: &[(JobId, Owner)]) -> Result<(), StateError> {
    let requests = store.requests();
    running.iter().try_for_each(|(_, owner)| requests.ask(&owner.run))
}

/// Takes those requests back, once the runs have ended.
pub fn forget_requests(store: &Store, running: &[(JobId, Owner)]) {
    let requests = store.requests();
    running.iter().for_each(|(_, owner)| requests.forget(&owner.run));
}

/// Whether any of those runs still holds a lock.
pub fn still_run(store: &Store, running: &[(JobId, Owner)]) -> Result<bool, StateError> {
    let held = store.held()?;
    Ok(held.iter().any(|(_, owner)| running.iter().any(|(_, other)| other.run == owner.run)))
}
