//! What survives the process: a journal for each target collection and a lock beside it.
//!
//! # Files
//!
//! ```text
//! <state>/jobs/<name>-<hash>.journal   one line a record, appended and synced; see `journal`
//! <state>/locks/<name>-<hash>.lock     locked by the operating system while a run writes to the target; see `lock`
//! <state>/quarantine/<name>-<hash>/<run>/split-00012.ndjson   rows that do not fit; see `quarantine`
//! ```
//!
//! # What survives what
//!
//! A record counts once it is on the disk (`fdatasync`, and the folder's entry when the file is new). The process may be
//! killed between any two records or in the middle of one: a torn last line is cut off when the journal is opened for
//! writing, and passed over by readers. A line that is damaged anywhere else is refused, because a journal that forgets a
//! record would let a run insert rows a second time. The operating system drops a lock when its owner dies, however it dies.

mod job;
pub(crate) mod journal;
mod lock;
mod quarantine;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::crash_point;

pub use job::{FORMAT, Header, Job, Outcome, Progress, Record, Split, Tally};
pub use journal::Journal;
pub use lock::{Lock, Owner};
pub use quarantine::{Quarantine, QuarantinedRow};

/// What can be wrong with the state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system said no.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A journal is damaged, or is none.
    #[error("{path}, line {line}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A journal of a version that this program does not know.
    #[error("{path} was written by a newer vecferry (format {format})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Another process writes to the target.
    #[error("locked by {0}")]
    Locked(Owner),
}

impl StateError {
    /// What to do next, in one sentence.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io(_) => "see that the state's folder can be written and that its disk is not full",
            Self::Damaged { .. } => {
                "restore the file from a backup, or drop the target collection, delete the file and run again to start over"
            }
            Self::Newer { .. } => "use that version of vecferry or a newer one",
            Self::Locked(_) => "wait until it has ended, or stop it",
        }
    }
}

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
    /// The job, or why its journal cannot be read.
    pub job: Result<Job, StateError>,
    /// Whether a living process writes to it.
    pub running: bool,
}

/// Which target collection a journal and a lock belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    fn journal_path(&self, id: &JobId) -> PathBuf {
        self.root.join("jobs").join(format!("{}.journal", id.0))
    }

    /// Locks a target for writing. Fails at once where another process has it.
    pub fn lock(&self, id: &JobId, run: &str) -> Result<Lock, StateError> {
        self.prepare()?;
        Lock::take(&self.root.join("locks").join(format!("{}.lock", id.0)), run)
    }

    /// What the state remembers of a target, or none. Readable while a run writes.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, StateError> {
        journal::read(&self.journal_path(id))
    }

    /// Whether a living process writes to the target right now.
    pub fn is_running(&self, id: &JobId) -> bool {
        Lock::is_held(&self.root.join("locks").join(format!("{}.lock", id.0)))
    }

    /// Starts a journal anew. An older one of the same target is kept beside it, with the time in its name.
    pub fn begin(&self, id: &JobId, header: Header) -> Result<Journal, StateError> {
        self.prepare()?;
        let path = self.journal_path(id);
        if path.exists() {
            let old = path.with_extension(format!("{}.old", jiff::Timestamp::now().as_millisecond()));
            fs_err::rename(&path, old)?;
            crash_point::reached("old journal put aside");
        }
        Journal::create(&path, header)
    }

    /// Where a run keeps rows that do not fit.
    pub fn quarantine(&self, id: &JobId, run: &str) -> Quarantine {
        Quarantine::new(self.root.join("quarantine").join(&id.0).join(run))
    }

    /// Goes on with the journal of a target.
    pub fn resume(&self, id: &JobId) -> Result<Journal, StateError> {
        Journal::open(&self.journal_path(id))
    }

    /// All jobs, with the error in place of one that cannot be read. Sorted by file name.
    pub fn jobs(&self) -> Result<Vec<Remembered>, StateError> {
        let folder = self.root.join("jobs");
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) =
                path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".journal"))
            else {
                continue;
            };
            match journal::read(&path) {
                Ok(Some(job)) => found.push(self.remembered(name, Ok(job))),
                Ok(None) => {}
                Err(error) => found.push(self.remembered(name, Err(error))),
            }
        }
        found.sort_by(|a, b| a.id.0.cmp(&b.id.0));
        Ok(found)
    }

    fn remembered(&self, name: &str, job: Result<Job, StateError>) -> Remembered {
        let id = JobId(name.to_owned());
        let running = self.is_running(&id);
        Remembered { id, job, running }
    }

    /// Makes the folders, with a note for people and for Git.
    fn prepare(&self) -> Result<(), StateError> {
        for folder in ["jobs", "locks"] {
            fs_err::create_dir_all(self.root.join(folder))?;
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
