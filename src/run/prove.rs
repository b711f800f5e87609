//! Proves the copy: the target is read by the ranges it was written in, and each range must hold what its record says.
//!
//! A range that does not is compared with the source row by row and mended: rows that are missing, differ or stand there
//! more than once are upserted, which removes every older row of their keys; rows that only the target has are deleted where
//! the run made the collection. Then everything is read again. This is what catches an insert that was in flight when its
//! sender died and landed after the upsert that was to replace it.
//!
//! The source is counted again, and as much of it read again as the plan asks for, so that what somebody wrote to it meanwhile is
//! noticed, named and carried over; see `moved`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt};

use super::compare::{EXAMPLES, Sample};
use super::job::{Job, Success};
use super::moved::{Again, Moved};
use super::{JobError, mapped, whole};
use crate::cluster::Scan;
use crate::collection::{Fingerprint, KeyRange, RowHasher};
use crate::diff::RowDiff;
use crate::mapping::{Rewrite, merge_touched};
use crate::plan::resolved::Verify;
use crate::state::{Progress, Split, Tally};

/// How often what differs is mended before the job gives up.
const ROUNDS: usize = 3;

/// What is wrong with a split.
#[derive(Debug, Clone, Copy, Default)]
struct Wrong {
    /// The target does not hold what the split's record says.
    target: bool,
    /// The source no longer holds what was copied.
    source: bool,
}

/// What the proof has found and put right so far.
#[derive(Debug, Default)]
struct Found {
    mended: u64,
    extra: u64,
    moved: Moved,
}

impl Job<'_> {
    /// Reads the target, mends what differs, and says what was proven.
    pub(super) async fn prove(&self) -> Result<Success, JobError> {
        if self.mapping.columns.identity.is_none() {
            return self.prove_as_a_whole().await;
        }
        let mut found = Found::default();
        let live_source = self.entry.seen.settings.live_source;
        let mut again = Again::of(self.state(|job| job.progress.len()), live_source);
        let mut last = RowDiff::default();
        for round in 0..=ROUNDS {
            let (source, target) = (self.source_scan().await?, self.target_scan().await?);
            let mut bad = self.splits_that_differ(&source, &target, &again).await?;
            for number in self.splits_that_moved().await? {
                bad.entry(number).or_default().source = true;
            }
            if bad.is_empty() {
                return Ok(self.proven(found));
            }
            if round == ROUNDS {
                let moving = bad.values().all(|wrong| wrong.source && !wrong.target);
                return Err(if moving { self.still_moving(found.moved) } else { JobError::Different(Box::new(last)) });
            }
            (last, found.extra) = (RowDiff::default(), 0);
            let mut in_order = true;
            for (number, wrong) in &bad {
                if self.stop.is_cancelled() {
                    return Err(JobError::Interrupted);
                }
                let diff = self.mend(*number, &source, &target).await?;
                in_order &= !diff.has_work() && (diff.extra == 0 || self.leaves_extra());
                last.merge(diff.clone(), EXAMPLES);
                found.note(diff, *wrong, self.leaves_extra());
            }
            if in_order {
                // Nothing but rows that only the target has, which a plan that converges leaves alone.
                return Ok(self.proven(found));
            }
            let source_changed = bad.values().any(|wrong| wrong.source);
            again = again.after(bad.into_keys(), source_changed);
        }
        Err(JobError::Different(Box::new(last)))
    }

    /// Whether the server's own number of flushed rows proves as much as counting them does: nothing but plain inserts went into a
    /// collection that this very attempt made, each acknowledged, so there is nothing that the number could hide. It ignores rows
    /// that were deleted or replaced, which is why it proves nothing elsewhere.
    pub(super) fn is_counted_by_the_server(&self) -> bool {
        self.may_be_counted_by_the_server() && self.state(|job| job.splits_done() == job.progress.len())
    }

    /// The same while rows are still to come.
    pub(super) fn may_be_counted_by_the_server(&self) -> bool {
        self.entry.verify() == Verify::Counts
            && !self.entry.seen.settings.load
            && !self.converging()
            && self.mapping.searched.is_empty()
            && !self.resent.load(Ordering::Relaxed)
            && self.state(|job| job.attempts == 1)
    }

    /// Proves by that number, which needs no loaded target. None where it does not agree or is not to be had: then rows are counted.
    pub(super) async fn prove_by_statistics(&self) -> Result<Option<Success>, JobError> {
        let to = &self.entry.seen.to;
        let sent: u64 = self.state(|job| job.tallies().map(|tally| tally.written).sum());
        let Ok(counted) = self.sides.target.statistics(&to.database, &to.collection).await else { return Ok(None) };
        if counted != sent || !self.splits_that_moved().await?.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.proven(Found::default())))
    }

    fn still_moving(&self, moved: Moved) -> JobError {
        JobError::SourceMoves { source_name: self.entry.seen.from.to_string(), moved: Box::new(moved) }
    }

    /// The same where rows cannot be told apart by the source's key. What differs is written again as a whole where an upsert
    /// can do that, once; elsewhere the run is marked as one that starts over.
    async fn prove_as_a_whole(&self) -> Result<Success, JobError> {
        let upserts = self.mapping.columns.rewrite == Rewrite::Upsert;
        let mut found = Found::default();
        loop {
            let level = self.entry.verify();
            let mut expected = Fingerprint::default();
            self.state(|job| job.tallies().for_each(|tally| expected.merge(tally.fingerprint)));
            let open = self.state(|job| job.splits_done() < job.progress.len());
            let (source, target) = (self.source_scan().await?, self.target_scan().await?);
            let columns = &self.mapping.columns;
            let moved = self.splits_that_moved_as_a_whole(&source).await?;
            let (there, physical) =
                whole::of_target(&*self.sides.target, &target, columns, level, (self.pace.at_once, self.pace.split))
                    .await?;
            let difference = whole::difference(expected, there, physical, level);
            if difference == RowDiff::default() && moved == 0 && !open {
                return Ok(self.proven(found));
            }
            found.moved.ranges += moved;
            if !upserts || found.mended > 0 {
                self.reopen(0).await?;
                if upserts && difference.extra > 0 && !self.converging() {
                    let target_name = self.entry.seen.to.to_string();
                    return Err(JobError::LeftBehind { target_name, rows: difference.extra });
                }
                let only_moved = difference == RowDiff::default() && !open;
                return Err(match only_moved {
                    true => self.still_moving(found.moved),
                    false => JobError::Different(Box::new(difference)),
                });
            }
            for number in 0..self.state(|job| job.progress.len()) {
                self.reopen(number).await?;
                self.copy_split(number, &source, None).await?;
            }
            found.mended = expected.rows.max(1);
        }
    }

    /// How many ranges of the source are no longer what was copied.
    async fn splits_that_moved_as_a_whole(&self, source: &Scan) -> Result<usize, JobError> {
        let counted = self.splits_that_moved().await?.len();
        if counted > 0 || self.entry.verify() != Verify::Full {
            return Ok(counted);
        }
        let columns = &self.mapping.columns;
        let hasher = RowHasher::new(columns.write.clone());
        let splits = self.splits();
        let again = Again::of(splits.len(), self.entry.seen.settings.live_source);
        let splits = splits.into_iter().filter(|(number, ..)| again.takes(*number));
        let looks = futures::stream::iter(splits).map(|(_, split, progress)| {
            let hasher = &hasher;
            async move {
                let Progress::Done(tally) = progress else { return Ok(false) };
                let _room = self.room_to_read(&split, 1).await?;
                self.has_moved(source, &split, &tally, (columns, hasher)).await
            }
        });
        let moved: Vec<bool> = looks.buffered(self.pace.at_once).try_collect().await?;
        Ok(moved.into_iter().filter(|moved| *moved).count())
    }

    /// The splits with their numbers and how far they are.
    fn splits(&self) -> Vec<(usize, Split, Progress)> {
        self.state(|job| {
            let splits = job.splits.iter().flatten().cloned().zip(job.progress.iter().cloned());
            splits.enumerate().map(|(number, (split, progress))| (number, split, progress)).collect()
        })
    }

    /// Whether rows that only the target has stay: where the plan writes into a collection as it stands, unless it prunes.
    pub(super) fn leaves_extra(&self) -> bool {
        self.converging() && !self.entry.seen.settings.prune
    }

    fn proven(&self, found: Found) -> Success {
        let Found { mended, extra, moved } = found;
        self.state(|job| {
            let mut success = Success { mended, extra, moved, ..Success::default() };
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

    /// The splits that hold something else than their records say, on the target or on the source. Of the source, `again` is
    /// read.
    async fn splits_that_differ(
        &self,
        source: &Scan,
        target: &Scan,
        again: &Again,
    ) -> Result<BTreeMap<usize, Wrong>, JobError> {
        let level = self.entry.verify();
        let all = (self.mapping.columns.clone(), RowHasher::new(self.mapping.columns.write.clone()));
        let narrow = self.mapping.columns.narrowed(level);
        let keys = (narrow.clone(), RowHasher::new(narrow.write.clone()));
        let splits = self.splits();
        let sample = Sample::new(level, splits.len());
        let checks = futures::stream::iter(splits).map(|(number, split, progress)| {
            let whole = level == Verify::Full || sample.takes(number);
            let (columns, hasher) = if whole { &all } else { &keys };
            let read_again = whole && again.takes(number);
            async move {
                let _room = self.room_to_read(&split, if read_again { 2 } else { 1 }).await?;
                let Progress::Done(tally) = progress else {
                    return Ok((number, Wrong { target: true, source: false }));
                };
                let on_target = async {
                    let scan = self.target_scan_of(target, &split);
                    let rows = mapped::read_target(&*self.sides.target, &scan, &split.range, columns).await?;
                    if whole {
                        self.learn_size(&rows.batches);
                    }
                    let found = hasher.fingerprint_of(&rows.batches)?;
                    let expected = tally.fingerprint;
                    let same = if whole { found == expected } else { found.rows == expected.rows };
                    Ok::<_, JobError>(!same || rows.physical != rows.distinct)
                };
                let on_source = async {
                    match read_again {
                        true => self.has_moved(source, &split, &tally, (columns, hasher)).await,
                        false => Ok(false),
                    }
                };
                let (target, source) = futures::try_join!(on_target, on_source)?;
                Ok::<_, JobError>((number, Wrong { target, source }))
            }
        });
        let found: Vec<(usize, Wrong)> = checks.buffered(self.pace.at_once).try_collect().await?;
        Ok(found.into_iter().filter(|(_, wrong)| wrong.target || wrong.source).collect())
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
        self.reopen(number).await?;
        let (found, written) = self.put_right(number, &split, source, target).await?;
        self.done(number, Tally::of(&found, before + written)).await?;
        Ok(found.diff)
    }

    /// Where the rows of a split are on the target.
    fn target_scan_of(&self, target: &Scan, split: &Split) -> Scan {
        let partition = self.mapping.target_partition(&split.partitions);
        Scan { partitions: partition.map(str::to_owned).into_iter().collect(), ..target.clone() }
    }
}

impl Found {
    /// Counts what was found in a split and put right: as what somebody wrote to the source where the target held what was
    /// copied, and else as what had gone wrong with the copy.
    fn note(&mut self, diff: RowDiff, wrong: Wrong, leaves_extra: bool) {
        if leaves_extra {
            self.extra += diff.extra;
        }
        if wrong.source {
            let extra = if leaves_extra { 0 } else { diff.extra };
            self.moved.rows.merge(RowDiff { extra, doubled: 0, ..diff }, EXAMPLES);
        } else {
            self.mended += diff.missing + diff.differing + diff.doubled + if leaves_extra { 0 } else { diff.extra };
        }
    }
}
