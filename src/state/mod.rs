//! What survives the process: a journal for each target collection and a lock beside it. All of it lies in a folder, or in a
//! bucket of an object store (`bucket`).
//!
//! # Files
//!
//! ```text
//! <state>/jobs/<name>-<hash>.journal      one line a record, appended and synced; see `journal`
//! <state>/jobs/<name>-<hash>.tail         how many records that journal has at least; see `tail`
//! <state>/jobs/<name>-<hash>.<time>.old   a journal that was begun anew, replaced or forgotten; nothing reads it
//! <state>/locks/<name>-<hash>.lock        locked while a run writes to the target, and says who; see `lock` and `owner`
//! <state>/clusters/<name>-<hash>.json     a cluster that a run had made, or asked for; see `clusters`
//! <state>/requests/<run>.request          asks a run to stop; see `requests`
//! <state>/quarantine/<name>-<hash>/<run>/split-00012.ndjson   rows that do not fit; see `quarantine`
//! ```
//!
//! # What survives what
//!
//! A record counts once it is on the disk (`fdatasync`, and the folder's entry when the file is new), and what it announces is done
//! only then. One that says what was found or begun is there with the next of those. The process may be killed between any two records or in the middle of one: a torn last line is cut off when the journal is opened for
//! writing, and passed over by readers. A line that is damaged, missing or in another place is refused, because a journal that
//! forgets a record would let a run insert rows a second time. The operating system drops a lock when its owner dies, however
//! it dies.

mod bucket;
mod clusters;
mod disk;
mod durable;
mod error;
mod job;
pub(crate) mod journal;
mod lock;
mod managed;
mod owner;
mod quarantine;
mod record;
mod replay;
mod requests;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod transfer;

pub use clusters::MadeCluster;
pub use error::{RemoteKind, StateError};
pub use job::{Job, Progress, Tally};
pub use journal::Journal;
pub use lock::{Holder, Lock};
pub use managed::{JobEnd, Managed, ManagedStage, ManagedStep};
pub use owner::Owner;
pub use quarantine::{Quarantine, QuarantinedRow};
#[cfg(any(test, feature = "fuzzing"))]
pub use record::NEWEST_FORMAT;
pub use record::{FORMAT, Header, MANAGED_FORMAT, Outcome, Record, Split};
pub use requests::Requests;
pub use store::{JobId, Remembered, Store};
pub use transfer::{Export, Imported};
