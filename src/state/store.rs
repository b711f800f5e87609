//! The state's folder: where everything lies, and who may touch it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::durable::make_folder;
use super::journal::{self, Journal};
use super::lock::{Holder, Lock};
use super::owner::Owner;
use super::quarantine::Quarantine;
use super::requests::Requests;
use super::{Header, Job, StateError};

/// The state's folder.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What the state remembers of one target.
#[derive(Debug)]
pub struct Remembered {
    /// Which.
    pub id: JobId,
    /// The job, or why its journal cannot be read. Of one that a newer version wrote, what is understood of it.
    pub job: Result<Job, StateError>,
    /// Who writes to it.
    pub holder: Holder,
    /// Its journal.
    pub journal: PathBuf,
}

/// Which target collection a journal and a lock belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(String);

impl JobId {
    /// The id of a target: a readable name and a hash of its full address, so that no two targets share one.
    pub fn of(uri: &str, database: &str, collection: &str) -> Self {
        let digest = Sha256::digest(format!("{uri}\n{database}\n{collection}"));
        let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let readable: String = format!("{database}.{collection}")
            .chars()
            .map(
                |character| {
                    if character.is_ascii_alphanumeric() || "._-".contains(character) { character } else { '_' }
                },
            )
            .take(80)
            .collect();
        Self(format!("{readable}-{hash}"))
    }

    /// The id under which a job is kept, if it is the one that follows from its header. A header has the database and the
    /// collection in one word, and both may hold dots.
    pub(super) fn matching(name: &str, header: &Header) -> Option<Self> {
        let target = &header.target;
        let dots = target.match_indices('.').map(|(at, _)| at);
        dots.map(|at| Self::of(&header.target_uri, &target[..at], &target[at + 1..])).find(|id| id.0 == name)
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Store {
    /// The state in that folder, which need not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a target's journal is, or would be.
    pub fn journal_path(&self, id: &JobId) -> PathBuf {
        self.root.join("jobs").join(format!("{}.journal", id.0))
    }

    fn lock_path(&self, id: &JobId) -> PathBuf {
        self.root.join("locks").join(format!("{}.lock", id.0))
    }

    /// Locks a target for writing. Fails at once where another process has it.
    pub fn lock(&self, id: &JobId, run: &str) -> Result<Lock, StateError> {
        self.prepare()?;
        Lock::take(&self.lock_path(id), run)
    }

    /// What the state remembers of a target, or none. Readable while a run writes.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, StateError> {
        journal::read(&self.journal_path(id))
    }

    /// Who writes to a target.
    pub fn holder(&self, id: &JobId) -> Holder {
        Lock::holder(&self.lock_path(id))
    }

    /// All targets that somebody writes to or may write to, sorted.
    pub fn held(&self) -> Result<Vec<(JobId, Owner)>, StateError> {
        let mut held: Vec<(JobId, Owner)> = Vec::new();
        for id in self.files("locks", ".lock")? {
            if let Some(owner) = self.holder(&id).owner() {
                held.push((id, owner.clone()));
            }
        }
        held.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(held)
    }

    /// Frees a lock whose owner cannot be seen from here.
    pub fn unlock(&self, id: &JobId, seen: &Owner) -> Result<(), StateError> {
        Lock::clear(&self.lock_path(id), seen)
    }

    /// Requests to stop.
    pub fn requests(&self) -> Requests {
        Requests::new(self.root.join("requests"))
    }

    /// Starts a journal anew. An older one of the same target is kept beside it, with the time in its name.
    pub fn begin(&self, id: &JobId, header: Header) -> Result<Journal, StateError> {
        self.prepare()?;
        Journal::create(&self.journal_path(id), header)
    }

    /// Goes on with the journal of a target.
    pub fn resume(&self, id: &JobId) -> Result<Journal, StateError> {
        Journal::open(&self.journal_path(id))
    }

    /// Forgets a job: its journal gets a name that nothing looks for, which is returned.
    pub fn forget(&self, id: &JobId) -> Result<PathBuf, StateError> {
        let _lock = self.lock(id, "state-rm")?;
        Ok(journal::move_aside(&self.journal_path(id))?)
    }

    /// Where a run keeps rows that do not fit.
    pub fn quarantine(&self, id: &JobId, run: &str) -> Quarantine {
        Quarantine::new(self.root.join("quarantine").join(&id.0).join(run))
    }

    /// All jobs, with the error in place of one that cannot be read. Sorted by file name.
    pub fn jobs(&self) -> Result<Vec<Remembered>, StateError> {
        let mut found = Vec::new();
        for id in self.files("jobs", ".journal")? {
            let path = self.journal_path(&id);
            let job = match journal::glance(&path) {
                Ok(None) => continue,
                Ok(Some(job)) => Ok(job),
                Err(error) => Err(error),
            };
            found.push(Remembered { holder: self.holder(&id), job, journal: path, id });
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Names of a folder's files with that end, without it.
    fn files(&self, folder: &str, end: &str) -> Result<Vec<JobId>, StateError> {
        let folder = self.root.join(folder);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in fs_err::read_dir(folder)? {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(end)).map(|name| JobId(name.to_owned())));
        }
        Ok(names)
    }

    /// Makes the folders, with a note for people and for Git.
    pub(super) fn prepare(&self) -> Result<(), StateError> {
        for folder in ["jobs", "locks"] {
            make_folder(&self.root.join(folder))?;
        }
        let ignore = self.root.join(".gitignore");
        if !ignore.exists() {
            fs_err::write(
                ignore,
                "# vecferry's state: it belongs to the machine that runs the plans, not into Git.\n*\n",
            )?;
        }
        Ok(())
    }
}
