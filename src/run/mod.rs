//! Executes a change set. Makes no choice that the change set has not made.
//!
//! # The promise, and what keeps it
//!
//! Whatever happens to the process, the network or a server, running the same command again ends with the target holding
//! each source row once. By crash or fault:
//!
//! - **Killed before the journal's first record, or before the request that makes the collection**: nothing was written.
//! - **Killed while the collection is made**: the journal says that the request may have been sent, and the collection
//!   carries the run's mark, so the next run knows it as its own.
//! - **Killed, timed out or cut off while rows are written**: the split's `Started` record was on the disk before the first
//!   row was sent. Without a `Done` record it is dirty, and a dirty split is only ever upserted, never inserted.
//! - **An insert lands after the upsert that was to replace it**: verification counts physical rows as well as distinct
//!   keys, range by range; a range that holds more is upserted again, which removes every older row of its keys.
//! - **The target was dropped or made anew by somebody else**: id and mark are looked at before anything is written, again
//!   and again while copying, and before success is declared.
//! - **Two runs at once**: the lock of the operating system lets one in.
//! - **The migration service moves the rows**: what was asked of it is recorded before and after, and `managed` says what each kill
//!   leaves and how the next run goes on.
//! - **A full disk**: a record that cannot be written stops the job before the rows that it announces are sent.

mod borders;
mod census;
pub mod clusters;
mod compare;
mod copy;
mod error;
mod execute;
mod finish;
mod job;
mod lanes;
mod loading;
mod make;
mod managed;
mod managed_arrival;
mod managed_batch;
mod managed_service;
mod mapped;
mod memory;
mod mend;
mod moved;
mod prove;
mod reader;
mod retries;
mod rooms;
mod survey;
#[cfg(test)]
mod tests;
mod throttle;
mod unique;
mod walk;
mod whole;

use crate::diff::Place;
use crate::plan::resolved::Verify;

pub use census::{Census, Keys, census, groups, scan};
pub use compare::{Comparison, Side, compare_all};
pub use error::JobError;
pub use execute::{Execution, Pace, Report, Task, execute};
pub use job::{Sides, Success};
pub use loading::loaded;
pub use managed::{LONGEST_PAUSE, ManagedPair, beat};
pub use memory::Memory;
pub use moved::Moved;
pub use rooms::Rooms;
pub use survey::{lost_keys, survey};
pub use unique::doubles;

/// Rows that do not fit and are named one by one.
pub(crate) const UNFIT_EXAMPLES: usize = 10;

/// How the verification of one collection went.
#[derive(Debug)]
pub struct Verified {
    /// Which.
    pub address: String,
    /// Where its rows come from.
    pub from: Place,
    /// Where they went.
    pub to: Place,
    /// How hard it was looked at.
    pub level: Verify,
    /// Whether rows that only the target has count as differences.
    pub extra_counts: bool,
    /// What was found.
    pub result: Result<Comparison, JobError>,
}

impl Verified {
    /// Whether both sides hold the same rows.
    pub fn is_same(&self) -> bool {
        self.result.as_ref().is_ok_and(|found| !found.diff.has_work() && (found.diff.extra == 0 || !self.extra_counts))
    }
}

/// What is told about a run while it runs. Implementations must be quick: they are called from the copy pipeline.
pub trait Observer: Send + Sync {
    /// Something happened to a collection.
    fn event(&self, address: &str, event: &Event);
}

/// What can happen to a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was begun or taken up: rows done already, rows in all where that is known, and bytes of one row.
    Begun {
        /// Rows done by earlier attempts.
        done: u64,
        /// Rows in all.
        total: u64,
        /// Bytes of one row.
        row_bytes: u64,
    },
    /// It entered a phase, in one word.
    Phase(&'static str),
    /// So many rows more were acknowledged, or were verified.
    Rows(u64),
    /// Indexes grew: rows indexed and rows in all.
    Indexing(u64, u64),
    /// A job of the migration service said something.
    Service {
        /// Its id.
        job: String,
        /// The service's word: `IN_PROGRESS`.
        word: String,
        /// Percent, where the service says it.
        percent: Option<u8>,
        /// Whether it has been waiting for its turn for very long.
        waits: bool,
    },
    /// A request was repeated, and why.
    Retried(String),
    /// It ended well.
    Succeeded,
    /// It ended otherwise, and why.
    Failed(String),
}

/// An observer that tells nobody.
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &str, _: &Event) {}
}
