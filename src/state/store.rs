//! The state as a whole: where everything lies, and who may touch it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::bucket::Bucket;
use super::durable::make_folder;
use super::journal::{self, Journal};
use super::lock::{FileLock, Holder, Lock};
use super::owner::Owner;
use super::quarantine::Quarantine;
use super::replay::Later;
use super::requests::Requests;
use super::tail::{Tail, TailFile};
use super::{Header, Job, StateError};
use crate::plan::StatePlace;

/// A journal as it was read, and what is known of its end.
pub(super) type Text = (Vec<u8>, Option<Tail>);

/// The state.
#[derive(Debug, Clone)]
pub struct Store {
    place: Place,
}

/// Where it lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
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
        Self { place: Place::Folder(root.to_owned()) }
    }

    /// The state at that place. A bucket is looked at, a folder need not exist yet.
    pub fn open(place: &StatePlace) -> Result<Self, StateError> {
        match place {
            StatePlace::Folder(root) => Ok(Self::new(root)),
            StatePlace::Bucket { bucket, prefix, lease } => {
                Ok(Self { place: Place::Bucket(Bucket::open(bucket, prefix, *lease)?) })
            }
        }
    }

    /// Where it lies, for the parts of the state that are files of their own.
    pub(super) fn lies(&self) -> &Place {
        &self.place
    }

    /// The state in a store of objects.
    #[cfg(test)]
    pub(super) fn over(bucket: Bucket) -> Self {
        Self { place: Place::Bucket(bucket) }
    }

    /// Where a target's journal is, or would be.
    pub fn journal_path(&self, id: &JobId) -> PathBuf {
        match &self.place {
            Place::Folder(root) => root.join("jobs").join(format!("{}.journal", id.0)),
            Place::Bucket(bucket) => bucket.journal(id),
        }
    }

    /// Locks a target for writing. In a folder this fails at once where another process has it. In a bucket it waits until it
    /// shows whether that one lives, on another machine for up to a lease.
    pub fn lock(&self, id: &JobId, run: &str) -> Result<Lock, StateError> {
        match &self.place {
            Place::Folder(root) => {
                self.prepare()?;
                Ok(Lock::File(FileLock::take(&lock_path(root, id), run)?))
            }
            Place::Bucket(bucket) => {
                let (this, id, run) = (bucket.clone(), id.clone(), run.to_owned());
                bucket.wait(async move { this.lock(&id, &run).await.map(Lock::Lease) })
            }
        }
    }

    /// The same for callers that do something else while it waits.
    pub async fn lock_in_time(&self, id: &JobId, run: &str) -> Result<Lock, StateError> {
        match &self.place {
            Place::Folder(_) => self.lock(id, run),
            Place::Bucket(bucket) => Ok(Lock::Lease(bucket.lock(id, run).await?)),
        }
    }

    /// What the state remembers of a target, or none. Readable while a run writes.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, StateError> {
        match &self.place {
            Place::Folder(_) => journal::read(&self.journal_path(id)),
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                bucket.wait(async move { this.job(&id, Later::Refuse).await })
            }
        }
    }

    /// Who writes to a target.
    pub fn holder(&self, id: &JobId) -> Result<Holder, StateError> {
        match &self.place {
            Place::Folder(root) => Ok(FileLock::holder(&lock_path(root, id))),
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                bucket.wait(async move { Ok(this.holder(&id).await?) })
            }
        }
    }

    /// All targets that somebody writes to or may write to, sorted.
    pub fn held(&self) -> Result<Vec<(JobId, Owner)>, StateError> {
        let mut held: Vec<(JobId, Owner)> = Vec::new();
        for id in self.files("locks", ".lock")? {
            if let Some(owner) = self.holder(&id)?.owner() {
                held.push((id, owner.clone()));
            }
        }
        held.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(held)
    }

    /// Frees a lock whose owner cannot be seen from here.
    pub fn unlock(&self, id: &JobId, seen: &Owner) -> Result<(), StateError> {
        match &self.place {
            Place::Folder(root) => FileLock::clear(&lock_path(root, id), seen),
            Place::Bucket(bucket) => {
                let (this, id, seen) = (bucket.clone(), id.clone(), seen.clone());
                bucket.wait(async move { this.unlock(&id, &seen).await })
            }
        }
    }

    /// Requests to stop.
    pub fn requests(&self) -> Requests {
        match &self.place {
            Place::Folder(root) => Requests::new(root.join("requests")),
            Place::Bucket(bucket) => Requests::in_bucket(bucket.clone()),
        }
    }

    /// Starts a journal anew. An older one of the same target is kept beside it, with the time in its name.
    pub fn begin(&self, id: &JobId, header: Header) -> Result<Journal, StateError> {
        let path = self.journal_path(id);
        match &self.place {
            Place::Folder(_) => {
                self.prepare()?;
                Journal::create(&path, header)
            }
            Place::Bucket(bucket) => {
                let (this, id, job) = (bucket.clone(), id.clone(), Job::new(header.clone()));
                let (writer, end) = bucket.wait(async move { this.begin(&id, &header).await })?;
                Ok(Journal::in_bucket(writer, path, job, end))
            }
        }
    }

    /// Goes on with the journal of a target.
    pub fn resume(&self, id: &JobId) -> Result<Journal, StateError> {
        let path = self.journal_path(id);
        match &self.place {
            Place::Folder(_) => Journal::open(&path),
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                let (writer, job, end) = bucket.wait(async move { this.resume(&id).await })?;
                Ok(Journal::in_bucket(writer, path, job, end))
            }
        }
    }

    /// Forgets a job: its journal gets a name that nothing looks for, which is returned.
    pub fn forget(&self, id: &JobId) -> Result<PathBuf, StateError> {
        let _lock = self.lock(id, "state-rm")?;
        match &self.place {
            Place::Folder(_) => Ok(journal::move_aside(&self.journal_path(id))?),
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                bucket.wait(async move { this.forget(&id).await })
            }
        }
    }

    /// The whole lines of a journal, with what is known of its end; none where there is none.
    pub(super) fn text(&self, id: &JobId) -> Result<Option<Text>, StateError> {
        let path = self.journal_path(id);
        match &self.place {
            Place::Folder(_) => {
                let tail = Tail::of(&path);
                match fs_err::read(&path) {
                    Ok(text) => Ok(Some((text, tail))),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                let text = bucket.wait(async move {
                    let there = this.there(&id).await?;
                    this.text(&id, &there).await
                })?;
                Ok(text.map(|text| (text, None)))
            }
        }
    }

    /// Puts a journal in its place, and says where the one is now that was there.
    pub(super) fn place(&self, id: &JobId, text: String, end: Option<Tail>) -> Result<Option<PathBuf>, StateError> {
        let path = self.journal_path(id);
        match &self.place {
            Place::Folder(_) => {
                let (_, old) = journal::place(&path, text.as_bytes())?;
                if let Some(end) = end {
                    TailFile::write(&path, end);
                }
                Ok(old)
            }
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                bucket.wait(async move { this.place(&id, &text).await })
            }
        }
    }

    /// Where a run keeps rows that do not fit.
    pub fn quarantine(&self, id: &JobId, run: &str) -> Quarantine {
        match &self.place {
            Place::Folder(root) => Quarantine::new(root.join("quarantine").join(&id.0).join(run)),
            Place::Bucket(bucket) => Quarantine::in_bucket(bucket.clone(), &id.0, run),
        }
    }

    /// All jobs, with the error in place of one that cannot be read. Sorted by file name.
    pub fn jobs(&self) -> Result<Vec<Remembered>, StateError> {
        let mut found = Vec::new();
        for id in self.files("jobs", ".journal")? {
            let path = self.journal_path(&id);
            let job = match self.glance(&id) {
                Ok(None) => continue,
                Ok(Some(job)) => Ok(job),
                Err(error @ StateError::Remote(_)) => return Err(error),
                Err(error) => Err(error),
            };
            found.push(Remembered { holder: self.holder(&id)?, job, journal: path, id });
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    fn glance(&self, id: &JobId) -> Result<Option<Job>, StateError> {
        match &self.place {
            Place::Folder(_) => journal::glance(&self.journal_path(id)),
            Place::Bucket(bucket) => {
                let (this, id) = (bucket.clone(), id.clone());
                bucket.wait(async move { this.job(&id, Later::Glance).await })
            }
        }
    }

    /// Names of a folder's files with that end, without it; in a bucket, names have no end.
    fn files(&self, folder: &str, end: &str) -> Result<Vec<JobId>, StateError> {
        let root = match &self.place {
            Place::Folder(root) => root,
            Place::Bucket(bucket) => {
                let (this, folder) = (bucket.clone(), folder.to_owned());
                let names = bucket.wait(async move { this.names(&folder).await })?;
                return Ok(names.into_iter().map(JobId).collect());
            }
        };
        let folder = root.join(folder);
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
        let Place::Folder(root) = &self.place else { return Ok(()) };
        for folder in ["jobs", "locks"] {
            make_folder(&root.join(folder))?;
        }
        let ignore = root.join(".gitignore");
        if !ignore.exists() {
            fs_err::write(
                ignore,
                "# vecferry's state: it belongs to the machine that runs the plans, not into Git.\n*\n",
            )?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Folder(root) => write!(f, "{}", root.display()),
            Place::Bucket(bucket) => f.write_str(bucket.name()),
        }
    }
}

fn lock_path(root: &Path, id: &JobId) -> PathBuf {
    root.join("locks").join(format!("{}.lock", id.0))
}
