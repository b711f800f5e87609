//! Proves the copy: the target is read by the ranges it was written in, and each range must hold what its record says.
//!
//! A range that does not is compared with the source row by row and mended: rows that are missing, differ or stand there
//! more than once are upserted, which removes every older row of their keys; rows that only the target has are deleted where
//! the run made the collection. Then everything is read again. This is what catches an insert that was in flight when its
//! sender died and landed after the upsert that was to replace it.

use futures::{StreamExt, TryStreamExt};

use super::compare::{EXAMPLES, Sample};
use super::job::{Job, Success};
use super::{JobError, mapped, whole};
use crate::cluster::Scan;
use crate::collection::{Fingerprint, KeyRange, RowHasher};
use crate::diff::RowDiff;
use crate::mapping::{Rewrite, merge_touched};
use crate::plan::resolved::Verify;
use crate::state::{Progress, Split, Tally};

/// How often what differs is mended before the job gives up.
const ROUNDS: usize = 3;

impl Job<'_> {
    /// Reads the target, mends what differs, and says what was proven.
    pub(super) async fn prove(&self) -> Result<Success, JobError> {
        if self.mapping.columns.identity.is_none() {
            return self.prove_as_a_whole().await;
        }
        let (mut mended, mut extra, mut last) = (0, 0, RowDiff::default());
        for round in 0..=ROUNDS {
            let target = self.target_scan().await?;
            let mut bad = self.splits_that_differ(&target).await?;
            for number in self.splits_that_moved().await? {
                if !bad.contains(&number) {
                    bad.push(number);
                }
            }
            if bad.is_empty() {
                return Ok(self.proven(mended, extra));
            }
            if round == ROUNDS {
                break;
            }
            let source = self.source_scan().await?;
            (last, extra) = (RowDiff::default(), 0);
            let mut in_order = true;
            for number in bad {
                if self.stop.is_cancelled() {
                    return Err(JobError::Interrupted);
                }
                let found = self.mend(number, &source, &target).await?;
                mended += found.missing + found.differing + found.doubled;
                if self.leaves_extra() {
                    extra += found.extra;
                } else {
                    mended += found.extra;
                }
                in_order &= !found.has_work() && (found.extra == 0 || self.leaves_extra());
                last.merge(found, EXAMPLES);
            }
            if in_order {
                // Nothing but rows that only the target has, which a plan that converges leaves alone.
                return Ok(self.proven(mended, extra));
            }
        }
        Err(JobError::Different(Box::new(last)))
    }

    /// The same where rows cannot be told apart by the source's key. What differs is written again as a whole where an upsert
    /// can do that, once; elsewhere the run is marked as one that starts over.
    async fn prove_as_a_whole(&self) -> Result<Success, JobError> {
        let upserts = self.mapping.columns.rewrite == Rewrite::Upsert;
        let mut mended = 0;
        loop {
            let moved = self.splits_that_moved().await?;
            let level = self.entry.verify();
            let mut expected = Fingerprint::default();
            self.state(|job| job.tallies().for_each(|tally| expected.merge(tally.fingerprint)));
            let open = self.state(|job| job.splits_done() < job.progress.len());
            let target = self.target_scan().await?;
            let columns = &self.mapping.columns;
            let (found, physical) =
                whole::of_target(&*self.sides.target, &target, columns, level, self.at_once).await?;
            let difference = whole::difference(expected, found, physical, level);
            if difference == RowDiff::default() && moved.is_empty() && !open {
                return Ok(self.proven(mended, 0));
            }
            if !upserts || mended > 0 {
                self.reopen(0)?;
                return Err(JobError::Different(Box::new(difference)));
            }
            let source = self.source_scan().await?;
            for number in 0..self.state(|job| job.progress.len()) {
                self.reopen(number)?;
                self.copy_split(number, &source, None).await?;
            }
            mended = expected.rows.max(1);
        }
    }

    /// Whether rows that only the target has stay: where the plan writes into a collection as it stands, unless it prunes.
    pub(super) fn leaves_extra(&self) -> bool {
        self.converging() && !self.entry.seen.settings.prune
    }

    fn proven(&self, mended: u64, extra: u64) -> Success {
        self.state(|job| {
            let mut success = Success { mended, extra, ..Success::default() };
            for tally in job.tallies() {
                success.rows += tally.fingerprint.rows;
                success.doubled += tally.doubled;
                success.written += tally.written;
                success.quarantined += tally.quarantined;
                merge_touched(&mut success.touched, tally.touched.clone());
            }
            if success.quarantined > 0 {
                success.quarantine = Some(self.quarantine.folder().display().to_string());
            }
            success
        })
    }

    /// Numbers of the splits that hold something else on the target than their records say.
    async fn splits_that_differ(&self, target: &Scan) -> Result<Vec<usize>, JobError> {
        let level = self.entry.verify();
        let all = (self.mapping.columns.clone(), RowHasher::new(self.mapping.columns.write.clone()));
        let narrow = self.mapping.columns.narrowed(level);
        let keys = (narrow.clone(), RowHasher::new(narrow.write.clone()));
        let splits: Vec<(usize, Split, Progress)> = self.state(|job| {
            let splits = job.splits.iter().flatten().cloned();
            splits
                .zip(&job.progress)
                .enumerate()
                .map(|(number, (split, progress))| (number, split, progress.clone()))
                .collect()
        });
        let sample = Sample::new(level, splits.len());
        let checks = futures::stream::iter(splits).map(|(number, split, progress)| {
            let whole = level == Verify::Full || sample.takes(number);
            let (columns, hasher) = if whole { &all } else { &keys };
            async move {
                let _slot = self.slots.acquire().await.map_err(|_| JobError::Interrupted)?;
                if self.stop.is_cancelled() {
                    return Err(JobError::Interrupted);
                }
                let Progress::Done(Tally { fingerprint: expected, .. }) = progress else { return Ok(Some(number)) };
                let scan = self.target_scan_of(target, &split);
                let rows = mapped::read_target(&*self.sides.target, &scan, &split.range, columns).await?;
                let mut found = Fingerprint::default();
                for batch in &rows.batches {
                    found.merge(hasher.fingerprint(batch)?);
                }
                let same = if whole { found == expected } else { found.rows == expected.rows };
                Ok::<_, JobError>((!same || rows.physical != rows.distinct).then_some(number))
            }
        });
        let found: Vec<Option<usize>> = checks.buffered(self.at_once).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Numbers of the splits that no longer hold as many rows on the source as were copied: somebody wrote to it meanwhile.
    /// The source is counted as a whole first, so that rows in a partition that no split knows of are noticed too.
    async fn splits_that_moved(&self) -> Result<Vec<usize>, JobError> {
        let scan = self.source_scan().await?;
        // Partitions that the plan leaves behind do not count, those that came meanwhile do.
        let left_behind = self.mapping.leaves_partitions();
        let partitions = if left_behind { super::groups(self.mapping).concat() } else { Vec::new() };
        let whole = Scan { partitions, ..scan.clone() };
        let now = self.sides.source.count(&whole, &KeyRange::ALL).await?;
        let splits: Vec<(Split, Progress)> =
            self.state(|job| job.splits.iter().flatten().cloned().zip(job.progress.iter().cloned()).collect());
        let held = |progress: &Progress| match progress {
            Progress::Done(tally) => tally.held(),
            _ => 0,
        };
        if splits.iter().map(|(_, progress)| held(progress)).sum::<u64>() == now {
            return Ok(Vec::new());
        }
        let (mut moved, mut known) = (Vec::new(), 0);
        for (number, (split, progress)) in splits.iter().enumerate() {
            self.check_partitions(split)?;
            let scan = Scan { partitions: split.partitions.clone(), ..scan.clone() };
            let counted = self.sides.source.count(&scan, &split.range).await?;
            known += counted;
            if counted != held(progress) {
                moved.push(number);
            }
        }
        if moved.is_empty() && self.sides.source.count(&whole, &KeyRange::ALL).await? > known {
            return Err(JobError::Repartitioned(
                "the source got a partition with rows in it since the run began".to_owned(),
            ));
        }
        Ok(moved)
    }

    /// Compares a split with the source and writes what differs. Returns what was found.
    async fn mend(&self, number: usize, source: &Scan, target: &Scan) -> Result<RowDiff, JobError> {
        let Some((split, before)) = self.split_of(number) else {
            return Ok(RowDiff::default());
        };
        self.check_partitions(&split)?;
        self.fence().await?;
        let before = match before {
            Progress::Done(tally) => tally.written,
            _ => 0,
        };
        self.reopen(number)?;
        let (found, written) = self.put_right(number, &split, source, target).await?;
        self.done(number, Tally::of(&found, before + written))?;
        Ok(found.diff)
    }

    /// Where the rows of a split are on the target.
    fn target_scan_of(&self, target: &Scan, split: &Split) -> Scan {
        let partition = self.mapping.target_partition(&split.partitions);
        Scan { partitions: partition.map(str::to_owned).into_iter().collect(), ..target.clone() }
    }
}
