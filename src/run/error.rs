//! Why a job ended before its end.

use super::Moved;
use crate::cluster::ClusterError;
use crate::collection::BatchError;
use crate::diff::RowDiff;
use crate::state::StateError;

/// Why a job ended before its end. In each case the same command goes on where it stopped, once the reason is gone.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A cluster said no, or nothing.
    #[error("{0}")]
    Cluster(#[from] ClusterError),
    /// The state could not be written or read.
    #[error("{0}")]
    State(#[from] StateError),
    /// Rows are not what they should be.
    #[error("{0}")]
    Batch(#[from] BatchError),
    /// The server counts rows that it never returns.
    #[error("{source_name}: {count} rows in {range} are counted but never returned, with keys such as {keys}")]
    Unreadable {
        /// Which collection.
        source_name: String,
        /// How many.
        count: u64,
        /// Where.
        range: String,
        /// A few of them.
        keys: String,
    },
    /// Rows came and went while they were read.
    #[error("{0} is being written to: its rows change while they are read")]
    Moving(String),
    /// Somebody writes to the source faster than it can be caught up with.
    #[error("`{source_name}` is being written to: since it was copied, {moved}")]
    SourceMoves {
        /// Which collection.
        source_name: String,
        /// What changed.
        moved: Box<Moved>,
    },
    /// The target is not the one that the run made.
    #[error("{0}")]
    Fenced(String),
    /// The source's partitions are no longer those that the splits were made of.
    #[error("{0}")]
    Repartitioned(String),
    /// The server made something else than it was asked for.
    #[error("the target was not made as asked: {0}")]
    MadeOtherwise(String),
    /// Verification found differences that could not be mended.
    #[error("verification found differences: {} missing, {} differing, {} only on the target, {} doubled", .0.missing, .0.differing, .0.extra, .0.doubled)]
    Different(Box<RowDiff>),
    /// Rows that the source no longer has stand on a target where no key tells which they are.
    #[error("`{target_name}` holds {rows} rows that the source no longer has, and no key tells which they are")]
    LeftBehind {
        /// `database.collection`.
        target_name: String,
        /// How many.
        rows: u64,
    },
    /// A row does not fit, and nothing in the plan says what to do with it.
    #[error("{collection}: field `{field}` of the row with key {key}: {reason}{}", further(*others))]
    Unfit {
        /// The source's collection.
        collection: String,
        /// Field of the target.
        field: String,
        /// The source's key.
        key: String,
        /// What does not fit.
        reason: String,
        /// Further rows of the same split that do not fit.
        others: u64,
    },
    /// The field that is to be the primary key has values that stand in several rows.
    #[error("`{field}` cannot become the primary key: {rows} rows have a value that another row has too ({examples})")]
    NotUnique {
        /// Field of the target.
        field: String,
        /// Rows beyond the first of their value.
        rows: u64,
        /// A few values with the keys of their rows.
        examples: String,
    },
    /// Rows may have been written twice into a collection where nothing tells them apart.
    #[error("an answer to an insert into `{0}` was lost, and nothing there tells its rows apart")]
    MustStartOver(String),
    /// Answers to inserts were lost again and again.
    #[error("answers to inserts into `{0}` were lost again and again while it was put right")]
    Unsettled(String),
    /// A search by a computed field finds nothing.
    #[error("the function that fills `{field}` does not work: a search for the text of {rows} rows found none of them")]
    NotSearchable {
        /// Field of the target.
        field: String,
        /// Rows that were searched for.
        rows: usize,
    },
    /// The state of the target changed after the diff was made.
    #[error("{run} changed the state of `{target}` since the diff was made")]
    Overtaken {
        /// `database.collection`.
        target: String,
        /// Which run, as far as it is known.
        run: String,
    },
    /// There is no such collection.
    #[error("`{0}` does not exist")]
    Absent(String),
    /// It could not be looked at.
    #[error("{0}")]
    Blocked(String),
    /// A bug ended the job; its message is on stderr.
    #[error("a bug in vecferry ended the work on this collection; the message is above")]
    Bug,
    /// The migration service moved it, and did not bring what it should.
    #[error("{}, and {found}", service_said(job.as_deref(), word, reason.as_deref()))]
    Managed {
        /// Id of the service's job, where it was heard.
        job: Option<String>,
        /// The service's last word for the job.
        word: String,
        /// Its reason, where it gave one.
        reason: Option<String>,
        /// What is wrong with the target, in words that go on a sentence.
        found: String,
        /// What differs, where both sides could be compared.
        diff: Option<Box<RowDiff>>,
        /// Whether the job itself says that it did not do it.
        gave_up: bool,
    },
    /// Somebody asked the run to stop, and the service's job goes on without it.
    #[error("stopped following {}: the migration service goes on by itself", job.as_deref().unwrap_or("a job"))]
    StillGoing {
        /// Id of the job, where it was heard.
        job: Option<String>,
    },
    /// Somebody asked the run to stop.
    #[error("interrupted")]
    Interrupted,
}

fn further(number: u64) -> String {
    match number {
        0 => String::new(),
        1 => ", and one row more".to_owned(),
        number => format!(", and {number} rows more"),
    }
}

/// What the service said of a job.
fn service_said(job: Option<&str>, word: &str, reason: Option<&str>) -> String {
    let job = job.map_or_else(|| "a job".to_owned(), |job| format!("job {job}"));
    let word = if word.is_empty() { "is over".to_owned() } else { format!("ended as {word}") };
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{job} of the migration service {word}{reason}")
}

impl JobError {
    /// Rows that differ, where that is the reason.
    pub fn difference(&self) -> Option<&RowDiff> {
        match self {
            Self::Different(diff) => Some(diff),
            Self::Managed { diff, .. } => diff.as_deref(),
            _ => None,
        }
    }

    /// Whether it ended only because somebody asked it to.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted | Self::StillGoing { .. })
    }

    /// What to do next, in one sentence.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Cluster(error) => error.help(),
            Self::State(error) => error.help(),
            Self::Batch(_) => {
                "this looks like a bug in the server or in vecferry; please report it with the message above"
            }
            Self::Unreadable { .. } => {
                "give those rows other keys or delete them on the source, or leave them out with `where`"
            }
            Self::Moving(_) | Self::SourceMoves { .. } => "stop the writers, then run the same command again",
            Self::Fenced(_) => "drop that collection to start over, or give the plan another `target`",
            Self::Repartitioned(_) => {
                "drop the target collection and run the same command again, to start over with the partitions of now"
            }
            Self::MadeOtherwise(_) => {
                "the server does not hold what the plan asks for; leave that out, or choose another target"
            }
            Self::LeftBehind { .. } => {
                "rows were deleted on the source while it was copied; drop the target collection and run the same command again, to start over"
            }
            Self::Different(_) => "run the same command again; `vecferry verify` lists the keys",
            Self::Unfit { .. } => {
                "say what to do with such rows (`on_misfit` or `on_null` of the field), or leave them out with `where`; `vecferry plan --scan` counts them"
            }
            Self::NotUnique { .. } => "choose another primary key, or make the values unique on the source",
            Self::MustStartOver(_) => "run the same command again: it makes the collection anew and starts over",
            Self::Unsettled(_) => "run the same command again: it goes on where it stopped",
            Self::NotSearchable { .. } => "check the analyzer of the function's input field",
            Self::Overtaken { .. } => "look at the new diff: run the same command again",
            Self::Absent(_) => "check the names in the plan, or apply it first",
            Self::Blocked(_) => "see that it can be read, or leave it out of the plan",
            Self::Bug => {
                "please report it with the message above; running the same command again goes on where it stopped"
            }
            Self::Managed { gave_up: true, .. } => {
                "the job's log is in the console of Zilliz Cloud (Jobs, View Details); run the same command again to ask for this collection alone, or use `engine: direct`"
            }
            Self::Managed { .. } => {
                "drop the target collection and run the same command again, or use `on_existing: replace`; `vecferry verify` lists the keys"
            }
            Self::StillGoing { .. } => {
                "run the same command again: it follows the job; to stop the job itself, cancel it in the console of Zilliz Cloud (Jobs)"
            }
            Self::Interrupted => "run the same command again: it goes on where it stopped",
        }
    }

    /// Whether running the same command again may be all that is needed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Cluster(error) => error.is_transient(),
            Self::State(StateError::Remote(error)) => error.kind.is_temporary(),
            Self::Interrupted
            | Self::StillGoing { .. }
            | Self::Moving(_)
            | Self::SourceMoves { .. }
            | Self::MustStartOver(_)
            | Self::Unsettled(_) => true,
            _ => false,
        }
    }
}
