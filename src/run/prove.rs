//! Proves the copy: the target is read by the ranges it was written in, and each range must hold what its record says.
//!
//! A range that does not is compared with the source row by row and mended: rows that are missing, differ or stand there
//! more than once are upserted, which removes every older row of their keys; rows that only the target has are deleted where
//! the run made the collection. Then everything is read again. This is what catches an insert that was in flight when its
//! sender died and landed after the upsert that was to replace it.
//!
//! The source is counted again, and as much of it read again as the plan asks for, so that what somebody wrote to it meanwhile is
//! noticed, named and carried over; see `moved`. That needs nothing of the target, so it is done while the target is
//! indexed and loaded, or while it is flushed where nothing is to be loaded.
//!
//! # As of when the target is read
//!
//! The first query as of a moment waits until the server has come so far, some fifth of a second. So where it makes no difference, the
//! target is read as of a moment that was taken before it was loaded: after the last row was acknowledged, so each row of this
//! run shows. What may land between that moment and the proof is a request of ours that the network held back. It makes no difference where
//! no run before this one wrote to that target and this one began with nothing: each request then brings rows as this attempt read
//! them, so one that lands twice changes no row, and an insert that does so changes their number. For that the rows are counted, as of the
//! moment when the proof began and beside the reading; where their number is another one, all is read again as of then. Everywhere
//! else, and whenever something was mended, the target is read as of a moment that is as fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt};

use super::compare::{EXAMPLES, Sample};
use super::job::{Job, Success};
use super::moved::{Again, Moved};
use super::{JobError, mapped, reader, whole};
use crate::cluster::{Moment, Scan};
use crate::collection::{Fingerprint, KeyRange, RowBatch, RowHasher};
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

/// How hard each range is looked at.
pub(super) struct Looks {
    level: Verify,
    sample: Sample,
    again: Again,
}

/// How it is known that no key stands in the target twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// The rows of each split are counted.
    EachSplit,
    /// All rows are counted, by whoever looks at the splits.
    Together,
}

/// What the target holds.
pub(super) enum There {
    /// Numbers of the ranges that hold something else than their records say.
    Differing(BTreeSet<usize>),
    /// All rows as one sum, and physical rows.
    Sum(Fingerprint, u64),
}

/// What the proof has found and put right so far.
#[derive(Debug, Default)]
struct Found {
    mended: u64,
    extra: u64,
    moved: Moved,
}

impl Job<'_> {
    /// How hard the first look is.
    pub(super) fn looks(&self) -> Looks {
        let (level, ranges) = (self.entry.verify(), self.state(|job| job.progress.len()));
        let again = Again::of(ranges, self.entry.seen.settings.live_source);
        Looks { level, sample: Sample::new(level, ranges), again }
    }

    /// Mends what differs by a first look at both sides, looks again, and says what was proven.
    pub(super) async fn prove(
        &self,
        mut looks: Looks,
        mut moved: BTreeSet<usize>,
        mut there: There,
    ) -> Result<Success, JobError> {
        let mut found = Found::default();
        let mut last = RowDiff::default();
        for round in 0..=ROUNDS {
            if round > 0 {
                (there, moved) = futures::try_join!(self.look_at_target(&looks, None), self.look_at_source(&looks))?;
            }
            let differing = match there {
                There::Sum(sum, physical) => return self.prove_as_a_whole(&looks, moved, (sum, physical)).await,
                There::Differing(ref differing) => differing,
            };
            let numbers = differing.union(&moved).copied();
            let wrong = |number| Wrong { target: differing.contains(&number), source: moved.contains(&number) };
            let bad: BTreeMap<usize, Wrong> = numbers.map(|number| (number, wrong(number))).collect();
            if bad.is_empty() {
                return Ok(self.proven(found));
            }
            if round == ROUNDS {
                let moving = bad.values().all(|wrong| wrong.source && !wrong.target);
                return Err(if moving { self.still_moving(found.moved) } else { JobError::Different(Box::new(last)) });
            }
            let (source, target) = (self.source_scan().await?, self.target_scan().await?);
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
            looks.again = looks.again.after(bad.into_keys(), source_changed);
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

    /// Whether that number, which needs no loaded target, is that of the rows that were sent. Where it is not to be had, rows are counted.
    pub(super) async fn agrees_with_the_server(&self) -> bool {
        let to = &self.entry.seen.to;
        let sent: u64 = self.state(|job| job.tallies().map(|tally| tally.written).sum());
        self.sides.target.statistics(&to.database, &to.collection).await.is_ok_and(|counted| counted == sent)
    }

    /// What is proven where nothing had to be put right.
    pub(super) fn proven_at_once(&self) -> Success {
        self.proven(Found::default())
    }

    fn still_moving(&self, moved: Moved) -> JobError {
        JobError::SourceMoves { source_name: self.entry.seen.from.to_string(), moved: Box::new(moved) }
    }

    /// The same where rows cannot be told apart by the source's key. What differs is written again as a whole where an upsert
    /// can do that, once; elsewhere the run is marked as one that starts over.
    async fn prove_as_a_whole(
        &self,
        looks: &Looks,
        mut moved: BTreeSet<usize>,
        (mut there, mut physical): (Fingerprint, u64),
    ) -> Result<Success, JobError> {
        let upserts = self.mapping.columns.rewrite == Rewrite::Upsert;
        let mut found = Found::default();
        loop {
            let mut expected = Fingerprint::default();
            self.state(|job| job.tallies().for_each(|tally| expected.merge(tally.fingerprint)));
            let open = self.state(|job| job.splits_done() < job.progress.len());
            let difference = whole::difference(expected, there, physical, looks.level);
            if difference == RowDiff::default() && moved.is_empty() && !open {
                return Ok(self.proven(found));
            }
            found.moved.ranges += moved.len();
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
            let source = self.source_scan().await?;
            for number in 0..self.state(|job| job.progress.len()) {
                self.reopen(number).await?;
                self.copy_split(number, &source, None).await?;
            }
            found.mended = expected.rows.max(1);
            ((there, physical), moved) =
                futures::try_join!(self.sum_of_target(looks.level), self.look_at_source(looks))?;
        }
    }

    async fn sum_of_target(&self, level: Verify) -> Result<(Fingerprint, u64), JobError> {
        let target = self.target_scan().await?;
        whole::of_target(&*self.sides.target, &target, &self.mapping.columns, level, &self.rooms).await
    }

    /// The splits with their numbers and how far they are.
    pub(super) fn splits(&self) -> Vec<(usize, Split, Progress)> {
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

    /// What the target holds; as of `early`, a moment after all was written, where one was taken. Then its rows are counted as of now.
    pub(super) async fn look_at_target(&self, looks: &Looks, early: Option<Moment>) -> Result<There, JobError> {
        if self.mapping.columns.identity.is_none() {
            let (sum, physical) = self.sum_of_target(looks.level).await?;
            return Ok(There::Sum(sum, physical));
        }
        let Some(early) = early else {
            return Ok(There::Differing(
                self.splits_that_differ(&self.target_scan().await?, looks, Counted::EachSplit).await?,
            ));
        };
        let early = self.target_scan_as_of(early);
        let counting = async {
            let now = self.target_scan().await?;
            let rows = self.sides.target.count(&now, &KeyRange::ALL).await?;
            Ok((now, rows))
        };
        let (differing, (now, rows)) =
            futures::try_join!(self.splits_that_differ(&early, looks, Counted::Together), counting)?;
        let expected: u64 = self.state(|job| job.tallies().map(|tally| tally.fingerprint.rows).sum());
        if !differing.is_empty() || rows == expected {
            return Ok(There::Differing(differing));
        }
        tracing::info!(rows, expected, "rows came or went since the target was loaded");
        Ok(There::Differing(self.splits_that_differ(&now, looks, Counted::EachSplit).await?))
    }

    /// Whether whatever a request of ours may still bring to the target shows in the number of its rows.
    pub(super) fn shows_in_a_count(&self) -> bool {
        !self.converging() && self.entry.seen.prior.is_none()
    }

    /// The splits that hold something else on the target than their records say.
    async fn splits_that_differ(
        &self,
        target: &Scan,
        looks: &Looks,
        counted: Counted,
    ) -> Result<BTreeSet<usize>, JobError> {
        let all = (self.mapping.columns.clone(), RowHasher::new(self.mapping.columns.write.clone()));
        let narrow = self.mapping.columns.narrowed(looks.level);
        let keys = (narrow.clone(), RowHasher::new(narrow.write.clone()));
        let checks = futures::stream::iter(self.splits()).map(|(number, split, progress)| {
            let whole = looks.takes_all_of(number);
            let (columns, hasher) = if whole { &all } else { &keys };
            async move {
                let Progress::Done(tally) = progress else { return Ok(Some(number)) };
                let _room = self.room_to_read(&split, 1).await?;
                let scan = self.target_scan_of(target, &split);
                let is_expected = |batches: &[RowBatch]| -> Result<bool, JobError> {
                    let (found, expected) = (hasher.fingerprint_of(batches)?, tally.fingerprint);
                    Ok(if whole { found == expected } else { found.rows == expected.rows })
                };
                if counted == Counted::Together && columns.keeps_key() {
                    let rows = reader::read_uncounted(&*self.sides.target, &scan, &split.range, &columns.write).await?;
                    if let Some(rows) = rows.map(|rows| [rows]) {
                        if whole {
                            self.rooms.learn(&rows);
                        }
                        if is_expected(&rows)? {
                            return Ok(None);
                        }
                    }
                }
                let rows = mapped::read_target(&*self.sides.target, &scan, &split.range, columns).await?;
                if whole {
                    self.rooms.learn(&rows.batches);
                }
                let same = is_expected(&rows.batches)?;
                Ok::<_, JobError>((!same || rows.physical != rows.distinct).then_some(number))
            }
        });
        let found: Vec<Option<usize>> = checks.buffer_unordered(self.pace.at_once).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Compares a split with the source and writes what differs. Returns what was found.
    async fn mend(&self, number: usize, source: &Scan, target: &Scan) -> Result<RowDiff, JobError> {
        let Some((split, before)) = self.split_of(number) else {
            return Ok(RowDiff::default());
        };
        self.check_partitions(&split)?;
        let _room = self.room_to_read(&split, 2).await?;
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

impl Looks {
    /// Whether every field of that range's rows is read.
    fn takes_all_of(&self, number: usize) -> bool {
        self.level == Verify::Full || self.sample.takes(number)
    }

    /// Whether that range of the source is read again.
    pub(super) fn reads_again(&self, number: usize) -> bool {
        self.takes_all_of(number) && self.again.takes(number)
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
