//! Proves the copy: the target is read by the ranges it was written in, and each range must hold what its record says.
//!
//! A range that does not is compared with the source row by row and mended: rows that are missing, differ or stand there
//! more than once are upserted, which removes every older row of their keys; rows that only the target has are deleted where
//! the run made the collection. Then everything is read again. This is what catches an insert that was in flight when its
//! sender died and landed after the upsert that was to replace it.

use futures::{StreamExt, TryStreamExt};

use super::compare::{EXAMPLES, Side, compare, compared};
use super::job::{Job, Success};
use super::{JobError, reader};
use crate::cluster::Scan;
use crate::collection::{Fingerprint, KeyRange, RowHasher};
use crate::diff::RowDiff;
use crate::plan::resolved::Verify;
use crate::state::{Progress, Split};

/// How often what differs is mended before the job gives up.
const ROUNDS: usize = 3;

impl Job<'_> {
    /// Reads the target, mends what differs, and says what was proven.
    pub(super) async fn prove(&self) -> Result<Success, JobError> {
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
            let source = self.source_scans().await?;
            (last, extra) = (RowDiff::default(), 0);
            let mut in_order = true;
            for number in bad {
                if self.stop.is_cancelled() {
                    return Err(JobError::Interrupted);
                }
                let found = self.mend(number, &source, &target).await?;
                mended += found.missing + found.differing + found.doubled;
                if self.converging() {
                    extra += found.extra;
                } else {
                    mended += found.extra;
                }
                in_order &= !found.has_work() && (found.extra == 0 || self.converging());
                last.merge(found, EXAMPLES);
            }
            if in_order {
                // Nothing but rows that only the target has, which a plan that converges leaves alone.
                return Ok(self.proven(mended, extra));
            }
        }
        Err(JobError::Different(Box::new(last)))
    }

    fn proven(&self, mended: u64, extra: u64) -> Success {
        self.state(|job| {
            let mut success = Success { mended, extra, ..Success::default() };
            for progress in &job.progress {
                if let Progress::Done { fingerprint, doubled, written } = progress {
                    success.rows += fingerprint.rows;
                    success.doubled += doubled;
                    success.written += written;
                }
            }
            success
        })
    }

    /// Numbers of the splits that hold something else on the target than their records say.
    async fn splits_that_differ(&self, target: &Scan) -> Result<Vec<usize>, JobError> {
        let level = self.entry.verify();
        let fields = compared(&self.mapping.columns, level);
        let hasher = RowHasher::new(fields.clone());
        let splits: Vec<(usize, Split, Progress)> = self.state(|job| {
            let splits = job.splits.iter().flatten().cloned();
            splits
                .zip(&job.progress)
                .enumerate()
                .map(|(number, (split, progress))| (number, split, *progress))
                .collect()
        });
        let checks = futures::stream::iter(splits).map(|(number, split, progress)| {
            let (fields, hasher) = (&fields, &hasher);
            async move {
                let _slot = self.slots.acquire().await.map_err(|_| JobError::Interrupted)?;
                if self.stop.is_cancelled() {
                    return Err(JobError::Interrupted);
                }
                let Progress::Done { fingerprint: expected, .. } = progress else { return Ok(Some(number)) };
                let scan = Scan { partition: split.partition, ..target.clone() };
                let rows = reader::read(&*self.sides.target, &scan, &split.range, fields).await?;
                let mut found = Fingerprint::default();
                for batch in &rows.batches {
                    found.merge(hasher.fingerprint(batch)?);
                }
                let same = match level {
                    Verify::Full => found == expected,
                    Verify::Counts => found.rows == expected.rows,
                };
                Ok::<_, JobError>((!same || rows.physical != rows.distinct).then_some(number))
            }
        });
        let found: Vec<Option<usize>> = checks.buffered(self.at_once).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Numbers of the splits that no longer hold as many rows on the source as were copied: somebody wrote to it meanwhile.
    /// The source is counted as a whole first, so that rows in a partition that no split knows of are noticed too.
    async fn splits_that_moved(&self) -> Result<Vec<usize>, JobError> {
        let scans = self.source_scans().await?;
        let Some(first) = scans.first() else { return Ok(Vec::new()) };
        let whole = Scan { partition: None, ..first.clone() };
        let now = self.sides.source.count(&whole, &KeyRange::ALL).await?;
        let splits: Vec<(Split, Progress)> =
            self.state(|job| job.splits.iter().flatten().cloned().zip(job.progress.iter().copied()).collect());
        let held = |progress: &Progress| match progress {
            Progress::Done { fingerprint, doubled, .. } => fingerprint.rows + doubled,
            _ => 0,
        };
        if splits.iter().map(|(_, progress)| held(progress)).sum::<u64>() == now {
            return Ok(Vec::new());
        }
        let (mut moved, mut known) = (Vec::new(), 0);
        for (number, (split, progress)) in splits.iter().enumerate() {
            let scan = Self::scan_of(&scans, split)?;
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
    async fn mend(&self, number: usize, source: &[Scan], target: &Scan) -> Result<RowDiff, JobError> {
        let Some((split, before)) = self.split_of(number) else {
            return Ok(RowDiff::default());
        };
        let scan = Self::scan_of(source, &split)?;
        let found = compare(
            Side { read: &*self.sides.source, scan: &scan },
            Side { read: &*self.sides.target, scan: target },
            &split,
            &self.mapping.columns,
            &self.mapping.columns.write,
        )
        .await?;
        self.fence().await?;
        let mut written = match before {
            Progress::Done { written, .. } => written,
            _ => 0,
        };
        self.reopen(number)?;
        let to = self.destination(split.partition);
        for batch in found.to_write {
            written += batch.rows() as u64;
            self.write_again(&to, batch).await?;
        }
        if !self.converging() {
            for keys in found.extra.chunks(reader::KEYS_AT_ONCE) {
                self.sides.target.delete(&to, &target.key, keys).await?;
            }
        }
        self.done(number, found.fingerprint, found.source_doubled, written)?;
        Ok(found.diff)
    }
}
