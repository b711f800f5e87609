//! What can be wrong with the state, and the way out of it.

use std::path::{Path, PathBuf};

use super::{JobId, Owner};

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
    #[error("{path} was written by a newer vecferry ({tool}, format {format})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// The version that wrote it.
        tool: String,
    },
    /// Another process writes to the target.
    #[error("locked by {0}")]
    Locked(Box<Owner>),
    /// The lock names an owner on another machine, and nothing here can tell whether that one still lives.
    #[error("locked by {0}, which cannot be seen from this machine")]
    Unseen(Box<Owner>),
    /// The store of the state said no, or nothing.
    #[error("{0}")]
    Remote(#[from] RemoteError),
    /// What somebody asked for does not fit to what is there.
    #[error("{what}")]
    Refused {
        /// What stands in the way.
        what: String,
        /// What to do about it.
        help: &'static str,
    },
}

/// Why state in a bucket cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct RemoteError {
    /// What kind of reason it is.
    pub kind: RemoteKind,
    /// What happened.
    pub(super) what: String,
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteKind {
    /// The store did not answer, for longer than it was waited for.
    Unreachable,
    /// The lock could not be renewed in time, so another run may have it.
    Lapsed,
    /// Another run took over.
    TakenOver,
    /// No credentials, or none that the store takes.
    Denied,
    /// There is no such bucket.
    NoBucket,
    /// The store cannot keep two runs apart.
    Unconditional,
}

impl RemoteKind {
    fn help(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "see that the store can be reached, then run the same command again: it goes on where it stopped"
            }
            Self::Lapsed => "run the same command again once the store can be reached: it goes on where it stopped",
            Self::TakenOver => "let that run finish: what it does not do, the same command does afterwards",
            Self::Denied => {
                "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN` where there is one) to a key that may read, write, list and delete there"
            }
            Self::NoBucket => "make the bucket, or check its name, `AWS_REGION` and `AWS_ENDPOINT_URL_S3`",
            Self::Unconditional => {
                "choose a store that does conditional puts (`If-None-Match` and `If-Match`), or keep the state in a folder"
            }
        }
    }

    /// Whether the same command may be all that is needed.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Unreachable | Self::Lapsed)
    }
}

impl StateError {
    pub(super) fn damaged(path: &Path, line: u64, what: &str) -> Self {
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        Self::Damaged { path: path.to_owned(), line, what: what.to_owned() }
    }

    /// What to do next, in one sentence.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io(_) => "see that the state's folder can be read and written and that its disk is not full",
            Self::Damaged { .. } => {
                "restore an export with `vecferry state import FILE --force`; or drop the target collection and forget the job with `vecferry state rm ID`, where ID is the file's name without `.journal`, to start over"
            }
            Self::Newer { .. } => {
                "use that version of vecferry or a newer one; or drop the target collection and forget the job with `vecferry state rm ID`, where ID is the file's name without `.journal`, to start over"
            }
            Self::Locked(_) => "wait until it has ended, or ask it to stop with `vecferry cancel RUN`",
            Self::Unseen(_) => {
                "wait until it has ended, or ask it to stop with `vecferry cancel RUN`; once you know that it is gone for good, `vecferry unlock RUN` frees the lock, where RUN is that run"
            }
            Self::Remote(error) => error.kind.help(),
            Self::Refused { help, .. } => help,
        }
    }

    /// The same for a job whose id is known, so that it can be followed to the letter.
    pub fn help_for(&self, id: &JobId) -> String {
        let help = match self {
            Self::Damaged { .. } | Self::Newer { .. } => {
                self.help().replace(", where ID is the file's name without `.journal`,", "")
            }
            Self::Unseen(_) => self.help().replace(", where RUN is that run", ""),
            _ => self.help().to_owned(),
        };
        let help = help.replace("`vecferry state rm ID`", &format!("`vecferry state rm {id}`"));
        match self {
            Self::Locked(owner) | Self::Unseen(owner) if !owner.run.is_empty() => {
                help.replace(" RUN`", &format!(" {}`", owner.run))
            }
            _ => help,
        }
    }
}
