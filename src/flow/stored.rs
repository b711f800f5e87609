//! What people do with the state beside running plans: look at one job, carry jobs elsewhere, forget one, free a lock, ask a
//! run to stop.

use std::path::{Path, PathBuf};

use crate::state::{Export, Holder, Imported, JobId, Owner, Remembered, StateError, Store};

/// The job that somebody means: by its id, or by its run or its address in the plan where that leaves only one.
pub fn find(root: &Path, wanted: &str) -> Result<Remembered, StateError> {
    let mut jobs = Store::new(root).jobs()?;
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
            let what = format!("there is no job `{wanted}`: the state in {} remembers none", root.display());
            Err(StateError::Refused { what, help: "name the plan or the state's folder (`--state DIR`)" })
        }
        (None, _) => {
            let what = format!("there is no job `{wanted}`; there are: {ids}");
            Err(StateError::Refused { what, help: "name one of them by its id" })
        }
    }
}

/// The folder in which a job keeps rows that do not fit, if there is one.
pub fn quarantine(root: &Path, one: &Remembered) -> Option<PathBuf> {
    let run = &one.job.as_ref().ok()?.header.run;
    let folder = Store::new(root).quarantine(&one.id, run).folder().to_owned();
    folder.is_dir().then_some(folder)
}

/// All jobs, or one, as a document; and those that cannot be in it.
pub fn export(root: &Path, only: Option<&str>) -> Result<(Export, Vec<(JobId, StateError)>), StateError> {
    let only = only.map(|wanted| find(root, wanted)).transpose()?;
    Store::new(root).export(only.as_ref().map(|one| &one.id))
}

/// Those of its jobs that a run writes to.
pub fn held(root: &Path, export: &Export) -> Result<Vec<(JobId, Owner)>, StateError> {
    let held = Store::new(root).held()?;
    Ok(held.into_iter().filter(|(id, _)| export.holds(id)).collect())
}

/// Brings jobs back.
pub fn import(root: &Path, text: &str, force: bool) -> Result<Vec<(JobId, Imported)>, StateError> {
    let export = Export::parse(text)?;
    Store::new(root).import(&export, force)
}

/// Forgets a job, and says where its journal is now.
pub fn forget(root: &Path, id: &JobId) -> Result<PathBuf, StateError> {
    Store::new(root).forget(id)
}

/// The locks that a run holds or a target has, and who owns them.
pub fn locks(root: &Path, wanted: &str) -> Result<Vec<(JobId, Holder)>, StateError> {
    let store = Store::new(root);
    let held = store.held()?;
    let found: Vec<(JobId, Holder)> = held
        .iter()
        .filter(|(id, owner)| owner.run == wanted || id.to_string() == wanted)
        .map(|(id, _)| (id.clone(), store.holder(id)))
        .collect();
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
pub fn unlock(root: &Path, id: &JobId, seen: &Owner) -> Result<(), StateError> {
    Store::new(root).unlock(id, seen)
}

/// Runs that work on what somebody names: a run as it began, the run that goes on with it, or a job. Each with its targets.
pub fn running(root: &Path, wanted: &str) -> Result<Vec<(JobId, Owner)>, StateError> {
    let store = Store::new(root);
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
pub fn ask_to_stop(root: &Path, running: &[(JobId, Owner)]) -> Result<(), StateError> {
    let requests = Store::new(root).requests();
    running.iter().try_for_each(|(_, owner)| requests.ask(&owner.run))
}

/// Takes those requests back, once the runs have ended.
pub fn forget_requests(root: &Path, running: &[(JobId, Owner)]) {
    let requests = Store::new(root).requests();
    running.iter().for_each(|(_, owner)| requests.forget(&owner.run));
}

/// Whether any of those runs still holds a lock.
pub fn still_run(root: &Path, running: &[(JobId, Owner)]) -> Result<bool, StateError> {
    let held = Store::new(root).held()?;
    Ok(held.iter().any(|(_, owner)| running.iter().any(|(_, other)| other.run == owner.run)))
}
