//! What somebody else wrote to the source while it was copied: noticed by reading the source once more beside the proof, named,
//! and carried over.
//!
//! With `verify: full` every range of the source is read again while the target is, and held against what was sent: the two
//! servers answer side by side, so this costs little time. With `sample` the ranges of the sample are, with `counts` only
//! counted. A change that comes after a range was read for the last time is not noticed: then it is the next plan's.

use std::fmt;

use super::job::Job;
use super::{JobError, mapped};
use crate::cluster::Scan;
use crate::collection::RowHasher;
use crate::diff::{DifferenceKind, RowDiff};
use crate::mapping::Columns;
use crate::state::{Split, Tally};

/// Keys that are named for each kind of change.
const KEYS: usize = 3;

/// Rows of the source that are no longer what was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// The rows, as a target that holds what was copied differs from the source: missing ones were added, ones that only the
    /// target has were removed.
    pub rows: RowDiff,
    /// Ranges that changed, where no key tells which rows did.
    pub ranges: usize,
}

impl Moved {
    /// Whether nothing moved.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |kind: DifferenceKind| {
            let of_kind = self.rows.examples.iter().filter(|example| example.kind == kind);
            let keys: Vec<String> = of_kind.take(KEYS).map(|example| example.key.to_string()).collect();
            if keys.is_empty() { String::new() } else { format!(" ({})", keys.join(", ")) }
        };
        let parts = [
            (self.rows.missing, "added", DifferenceKind::Missing),
            (self.rows.extra, "removed", DifferenceKind::Extra),
            (self.rows.differing, "changed", DifferenceKind::Differing),
        ];
        let mut said: Vec<String> = parts
            .into_iter()
            .filter(|(rows, ..)| *rows > 0)
            .map(|(rows, word, kind)| format!("{rows} {word}{}", keys(kind)))
            .collect();
        if self.ranges > 0 || said.is_empty() {
            said.push(format!("rows of {} ranges of keys", self.ranges.max(1)));
        }
        f.write_str(&said.join(", "))
    }
}

impl Job<'_> {
    /// Whether the rows of a split on the source are no longer those that were copied. Where keys are doubled, only counts tell:
    /// which copy of such a key the server returns may change from one reading to the next.
    pub(super) async fn has_moved(
        &self,
        source: &Scan,
        split: &Split,
        copied: &Tally,
        (columns, hasher): (&Columns, &RowHasher),
    ) -> Result<bool, JobError> {
        let now = mapped::read_mapped(&*self.sides.source, source, split, columns).await?;
        let found = hasher.fingerprint_of(&now.batches)?;
        let counts = (found.rows, now.doubled, now.quarantined.len() as u64);
        let counted_alike = counts == (copied.fingerprint.rows, copied.doubled, copied.quarantined);
        let doubled = now.doubled > 0 || copied.doubled > 0;
        Ok(now.failed.0 > 0 || !counted_alike || (!doubled && found != copied.fingerprint))
    }
}
