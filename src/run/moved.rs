//! What somebody else wrote to the source while it was copied: noticed by looking at the source once more, named, and carried over.
//!
//! The first such look begins when the last row was copied, beside what the target needs its time for, and it settles the moment that a
//! run speaks of: what is written to the source afterwards is the next plan's. Where ranges had to be mended there is another one.
//!
//! The source is counted again whatever the level. Where the plan says that it is a live one (`live_source`), `verify: full` reads
//! every range of it again and holds it against what was sent. Elsewhere nobody is meant to write to it, and reading all of it
//! twice would cost as much as the copy's own reading; so a few ranges are read again, other ones each time, and the first of
//! them that changed makes the next look read all. With `sample` the ranges of the sample are read again, with `counts` none. A
//! change that comes after a range was read for the last time is not noticed.

use std::collections::BTreeSet;
use std::fmt;

use futures::{StreamExt, TryStreamExt};

use super::job::Job;
use super::prove::Looks;
use super::{JobError, groups, mapped};
use crate::cluster::Scan;
use crate::collection::{KeyRange, RowHasher};
use crate::diff::{DifferenceKind, RowDiff};
use crate::state::{Progress, Split, Tally};

/// Keys that are named for each kind of change.
const KEYS: usize = 3;
/// Of a source that nobody is meant to write to, one range out of so many is read again,
const ONE_IN: usize = 20;
/// and at least so many of them.
const AT_LEAST: usize = 3;

/// Ranges of the source that are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Again {
    /// All of them.
    All,
    /// One out of `one_in`.
    Some {
        /// The first.
        first: usize,
        /// How far they are apart.
        one_in: usize,
    },
    /// These, because they were found to have changed.
    Named(BTreeSet<usize>),
}

impl Again {
    /// What is read again of so many ranges, before anything was found to have changed.
    pub(super) fn of(ranges: usize, live_source: bool) -> Self {
        let one_in = ONE_IN.min(ranges / AT_LEAST);
        if live_source || one_in <= 1 {
            return Self::All;
        }
        let moment = usize::try_from(jiff::Timestamp::now().as_microsecond().unsigned_abs()).unwrap_or_default();
        Self::Some { first: moment % one_in, one_in }
    }

    /// Whether that range is one of them.
    pub(super) fn takes(&self, number: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some { first, one_in } => number % one_in == *first,
            Self::Named(numbers) => numbers.contains(&number),
        }
    }

    /// What is read again after these ranges were mended. One that changed where only some were looked at says that others may have.
    pub(super) fn after(&self, mended: impl IntoIterator<Item = usize>, source_changed: bool) -> Self {
        match self {
            Self::Some { .. } if source_changed => Self::All,
            _ => Self::Named(mended.into_iter().collect()),
        }
    }
}

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
    /// Numbers of the splits that no longer hold on the source what was copied. Ranges are read first and counted last: a row that
    /// comes to a range that was read already is counted.
    pub(super) async fn look_at_source(&self, looks: &Looks) -> Result<BTreeSet<usize>, JobError> {
        let mut moved = self.splits_read_otherwise(looks).await?;
        moved.extend(self.splits_that_moved().await?);
        Ok(moved)
    }

    /// Of the splits that are read again, those that hold other rows than were copied.
    async fn splits_read_otherwise(&self, looks: &Looks) -> Result<BTreeSet<usize>, JobError> {
        let mut splits = self.splits();
        splits.retain(|(number, _, progress)| matches!(progress, Progress::Done(_)) && looks.reads_again(*number));
        if splits.is_empty() {
            return Ok(BTreeSet::new());
        }
        let source = self.source_scan().await?;
        let hasher = RowHasher::new(self.mapping.columns.write.clone());
        let checks = futures::stream::iter(splits).map(|(number, split, progress)| {
            let (source, hasher) = (&source, &hasher);
            async move {
                let Progress::Done(tally) = progress else { return Ok(None) };
                let _room = self.room_to_read(&split, 1).await?;
                Ok::<_, JobError>(self.has_moved(source, &split, &tally, hasher).await?.then_some(number))
            }
        });
        let found: Vec<Option<usize>> = checks.buffer_unordered(self.pace.at_once).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Whether the rows of a split on the source are no longer those that were copied. Where keys are doubled, only counts tell:
    /// which copy of such a key the server returns may change from one reading to the next.
    async fn has_moved(
        &self,
        source: &Scan,
        split: &Split,
        copied: &Tally,
        hasher: &RowHasher,
    ) -> Result<bool, JobError> {
        let now = mapped::read_mapped(&*self.sides.source, source, split, &self.mapping.columns).await?;
        let found = hasher.fingerprint_of(&now.batches)?;
        let counts = (found.rows, now.doubled, now.quarantined.len() as u64);
        let counted_alike = counts == (copied.fingerprint.rows, copied.doubled, copied.quarantined);
        let doubled = now.doubled > 0 || copied.doubled > 0;
        Ok(now.failed.0 > 0 || !counted_alike || (!doubled && found != copied.fingerprint))
    }

    /// Numbers of the splits that no longer hold as many rows on the source as were copied: somebody wrote to it meanwhile.
    /// The source is counted as a whole first, so that rows in a partition that no split knows of are noticed too.
    async fn splits_that_moved(&self) -> Result<Vec<usize>, JobError> {
        let scan = self.source_scan().await?;
        // Partitions that the plan leaves behind do not count, those that came meanwhile do.
        let left_behind = self.mapping.leaves_partitions();
        let partitions = if left_behind { groups(self.mapping).concat() } else { Vec::new() };
        let whole = Scan { partitions, ..scan.clone() };
        let now = self.sides.source.count(&whole, &KeyRange::ALL).await?;
        let splits = self.splits();
        let held = |progress: &Progress| match progress {
            Progress::Done(tally) => tally.held(),
            _ => 0,
        };
        // A split that is not done holds rows too, as many as others may have lost.
        let complete = splits.iter().all(|(.., progress)| matches!(progress, Progress::Done(_)));
        if complete && splits.iter().map(|(.., progress)| held(progress)).sum::<u64>() == now {
            return Ok(Vec::new());
        }
        let (mut moved, mut known) = (Vec::new(), 0);
        for (number, split, progress) in &splits {
            self.check_partitions(split)?;
            let scan = Scan { partitions: split.partitions.clone(), ..scan.clone() };
            let counted = self.sides.source.count(&scan, &split.range).await?;
            known += counted;
            if counted != held(progress) {
                moved.push(*number);
            }
        }
        if moved.is_empty() && self.sides.source.count(&whole, &KeyRange::ALL).await? > known {
            return Err(JobError::Repartitioned(
                "the source got a partition with rows in it since the run began".to_owned(),
            ));
        }
        // What a split that is not done lacks was never copied, and is no change.
        moved.retain(|number| matches!(splits[*number].2, Progress::Done(_)));
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_stands_still_is_read_again_in_part_and_a_live_one_as_a_whole() {
        for ranges in [0, 1, 3, 5] {
            assert_eq!(Again::of(ranges, false), Again::All, "{ranges} ranges cost next to nothing");
        }
        for ranges in [6, 20, 59, 60, 61, 1_000] {
            let again = Again::of(ranges, false);
            let taken = (0..ranges).filter(|number| again.takes(*number)).count();
            assert!(taken >= AT_LEAST && taken <= AT_LEAST.max(ranges / ONE_IN) + 1, "{taken} of {ranges}");
            assert_eq!(Again::of(ranges, true), Again::All);
        }
    }

    #[test]
    fn one_change_in_a_part_makes_the_whole_be_read() {
        let part = Again::Some { first: 1, one_in: 20 };
        assert_eq!(part.after([21], true), Again::All);
        assert_eq!(part.after([2, 4], false), Again::Named(BTreeSet::from([2, 4])));
        assert_eq!(Again::All.after([7], true), Again::Named(BTreeSet::from([7])));
    }
}
