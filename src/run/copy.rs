//! Rows of the splits, from the source to the target.

use futures::StreamExt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::job::Job;
use super::retries::Retry;
use super::rooms::Room;
use super::{Event, JobError, mapped};
use crate::cluster::{ClusterError, Destination, ErrorKind, Scan};
use crate::collection::{RowBatch, RowHasher};
use crate::mapping::Rewrite;
use crate::state::{Progress, Record, Split, Tally};

/// Bytes of one request. Servers take 64 MiB and more; smaller requests keep the pipeline even.
pub(super) const REQUEST_BYTES: usize = 8 << 20;

/// Whether rows of keys that exist may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// None of the rows was ever sent.
    Insert,
    /// Some may have been, so each replaces what is there.
    Upsert,
    /// None of the rows is there, and after an error that leaves open whether they landed nothing may be sent again: the
    /// server makes the keys, so sending again would double.
    InsertOnce,
}

/// How the writing of rows ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// All were acknowledged.
    All,
    /// Nobody knows which of them landed; the target answers again.
    Open,
}

impl Job<'_> {
    /// Room for the rows of a split, so many times, and the right to read it; unless somebody asked to stop.
    pub(super) async fn room_to_read(&self, split: &Split, times: u64) -> Result<Room<'_>, JobError> {
        self.unless_too_late(self.rooms.to_read(split, times)).await
    }

    /// Room that was waited for, unless somebody asked to stop meanwhile.
    async fn unless_too_late<'r>(
        &self,
        room: impl Future<Output = Result<Room<'r>, JobError>>,
    ) -> Result<Room<'r>, JobError> {
        let room = room.await?;
        if self.stop.is_cancelled() { Err(JobError::Interrupted) } else { Ok(room) }
    }

    /// Copies all splits that are not done: as many are read as are written at the same time. After the first error no new split
    /// begins; those in flight end.
    pub(super) async fn copy(&self) -> Result<(), JobError> {
        let open: Vec<usize> = self.state(|job| {
            let open = |progress: &Progress| !matches!(progress, Progress::Done(_));
            job.progress.iter().enumerate().filter(|(_, progress)| open(progress)).map(|(number, _)| number).collect()
        });
        let source = self.source_scan_since_census().await?;
        let target = if self.converging() { Some(self.target_scan().await?) } else { None };
        let failed = AtomicBool::new(false);
        let mut results = futures::stream::iter(open)
            .map(|number| {
                let (failed, source, target) = (&failed, &source, target.as_ref());
                async move {
                    if failed.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    let result = self.copy_split(number, source, target).await;
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    result
                }
            })
            .buffer_unordered(2 * self.pace.at_once);
        let mut first_error = None;
        while let Some(result) = results.next().await {
            if let Err(error) = result {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Refuses a split that reads other partitions than the plan means now: the source's partitions are no longer those that
    /// the splits were made of.
    pub(super) fn check_partitions(&self, split: &Split) -> Result<(), JobError> {
        if self.mapping.routes.iter().any(|route| route.from == split.partitions) {
            return Ok(());
        }
        Err(JobError::Repartitioned(match split.partitions.as_slice() {
            [] => "the source got partitions since the run began".to_owned(),
            names => {
                format!("the source's partitions are no longer those that the run began with: {}", names.join(", "))
            }
        }))
    }

    pub(super) fn split_of(&self, number: usize) -> Option<(Split, Progress)> {
        self.state(|job| {
            let split = job.splits.as_ref()?.get(number)?.clone();
            Some((split, job.progress.get(number)?.clone()))
        })
    }

    pub(super) async fn copy_split(&self, number: usize, source: &Scan, target: Option<&Scan>) -> Result<(), JobError> {
        let Some((split, progress)) = self.split_of(number) else { return Ok(()) };
        // Comparing brings the rows of both sides into memory, and is mostly reading.
        let Room { lane, room: _room } = match target {
            Some(_) => self.room_to_read(&split, 2).await?,
            None => self.unless_too_late(self.rooms.to_read_ahead(&split)).await?,
        };
        self.check_partitions(&split)?;
        if let Some(target) = target {
            return self.converge_split(number, &split, source, target).await;
        }
        let mut mode = match (self.mapping.columns.rewrite, &progress) {
            (Rewrite::Upsert, Progress::Pending) => Mode::Insert,
            (Rewrite::Upsert, _) => Mode::Upsert,
            (_, Progress::Pending) => Mode::InsertOnce,
            // Left to the proof, which reads the target and so knows what is missing.
            (Rewrite::Remove, _) => return Ok(()),
            (Rewrite::StartOver, _) => return Err(JobError::MustStartOver(self.entry.seen.to.to_string())),
        };
        let rows = mapped::read_mapped(&*self.sides.source, source, &split, &self.mapping.columns).await?;
        rows.all_fit(&self.entry.seen.from.to_string())?;
        self.rooms.learn(&rows.batches);
        let hasher = RowHasher::new(self.mapping.columns.write.clone());
        let fingerprint = hasher.fingerprint_of(&rows.batches)?;
        // Whoever waits for its turn to read need not wait until this split is written.
        drop(lane);
        let _lane = self.pace.writes.enter(self.rooms.bytes_of(&split)).await?;
        if self.stop.is_cancelled() {
            return Err(JobError::Interrupted);
        }
        // From here on the split may have been tried, and the disk knows before the server does.
        self.record(&Record::Started { split: number }).await?;
        self.quarantine.keep(number, &rows.quarantined).await?;
        let to = self.destination(&split);
        for batch in rows.batches {
            let written = self.write(&to, batch, &mut mode, |rows| self.tell(&Event::Rows(rows))).await?;
            if written == Written::Open {
                return match self.mapping.columns.rewrite {
                    Rewrite::StartOver => Err(JobError::MustStartOver(to.collection)),
                    _ => Ok(()),
                };
            }
        }
        let written = fingerprint.rows;
        let quarantined = rows.quarantined.len() as u64;
        self.done(number, Tally { fingerprint, doubled: rows.doubled, written, quarantined, touched: rows.touched })
            .await
    }

    /// Compares a split and writes what is missing or differs.
    async fn converge_split(&self, number: usize, split: &Split, source: &Scan, target: &Scan) -> Result<(), JobError> {
        let (found, written) = self.put_right(number, split, source, target).await?;
        self.tell(&Event::Rows(found.fingerprint.rows));
        self.done(number, Tally::of(&found, written)).await
    }

    pub(super) async fn done(&self, split: usize, tally: Tally) -> Result<(), JobError> {
        let Tally { fingerprint, doubled, written, quarantined, touched } = tally;
        let at = jiff::Timestamp::now();
        self.record(&Record::Done { split, fingerprint, doubled, written, quarantined, touched, at }).await
    }

    /// Writes a batch in requests of a size that the server takes. `acknowledged` hears of the rows of each.
    pub(super) async fn write(
        &self,
        to: &Destination,
        batch: RowBatch,
        mode: &mut Mode,
        acknowledged: impl Fn(u64) + Sync,
    ) -> Result<Written, JobError> {
        let mut rest = Some(batch);
        while let Some(batch) = rest.take() {
            let bytes = self.pace.throttle.request_bytes(self.request.size());
            let pieces = batch.bytes().div_ceil(bytes).max(1);
            let rows = batch.rows().div_ceil(pieces).max(1).min(batch.rows());
            let piece = batch.slice(0, rows);
            match self.send(to, &piece, mode).await {
                Ok(Written::All) => {
                    self.request.fitted(piece.bytes());
                    self.pace.writes.wrote(piece.bytes() as u64);
                    acknowledged(rows as u64);
                    rest = (rows < batch.rows()).then(|| batch.slice(rows, batch.rows() - rows));
                }
                Ok(Written::Open) => return Ok(Written::Open),
                Err(JobError::Cluster(error)) if error.kind == ErrorKind::TooLarge && rows > 1 => {
                    // Refused before any of it was looked at, so nothing of it landed. All splits learn from it.
                    self.request.too_large(piece.bytes());
                    rest = Some(batch);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Written::All)
    }

    /// Sends one request until it is acknowledged. After an error that leaves open whether rows landed, the same rows are sent
    /// as an upsert: it makes no difference then whether they did.
    async fn send(&self, to: &Destination, rows: &RowBatch, mode: &mut Mode) -> Result<Written, JobError> {
        let mut patience = self.sides.target.patience();
        self.pace.throttle.wait(rows.bytes()).await;
        loop {
            self.fence().await?;
            if *mode == Mode::Upsert {
                self.resent.store(true, Ordering::Relaxed);
            }
            let result = match mode {
                Mode::Insert | Mode::InsertOnce => self.sides.target.insert(to, rows).await,
                Mode::Upsert => self.sides.target.upsert(to, rows).await,
            };
            let error = match result {
                Ok(()) => return Ok(Written::All),
                Err(error) => error,
            };
            let open = error.leaves_open();
            if open && *mode == Mode::Insert {
                *mode = Mode::Upsert;
            }
            let (pause, error) = match patience.after(error) {
                Ok(again) => again,
                Err(error) => {
                    // Whose collection is gone is told so, not that an insert failed.
                    if error.kind == ErrorKind::NotFound {
                        self.fence().await?;
                    }
                    return Err(error.into());
                }
            };
            self.retried(&Retry::after(&error))?;
            self.unless_stopped(async {
                tokio::time::sleep(pause).await;
                Ok::<_, JobError>(())
            })
            .await?;
            if open && *mode == Mode::InsertOnce {
                self.answers_again(error).await?;
                return Ok(Written::Open);
            }
        }
    }

    /// Waits until the target answers again after an error of a write, which is the one to tell where it does not.
    async fn answers_again(&self, error: ClusterError) -> Result<(), JobError> {
        match self.fence().await {
            Err(JobError::Cluster(_)) => Err(error.into()),
            answered => answered,
        }
    }
}
