//! Rows of the splits, from the source to the target.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::BackoffBuilder;
use futures::StreamExt;

use super::compare::{Side, compare};
use super::job::Job;
use super::{Event, JobError, reader};
use crate::cluster::{Destination, ErrorKind, Scan};
use crate::collection::{Fingerprint, RowBatch, RowHasher};
use crate::state::{Progress, Record, Split};

/// Bytes of one request. Servers take 64 MiB and more; smaller requests keep the pipeline even.
const REQUEST_BYTES: usize = 8 << 20;
/// How long a write is repeated before the job gives up: longer than a server takes to start again.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether rows of keys that exist may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// None of the rows was ever sent.
    Insert,
    /// Some may have been, so each replaces what is there.
    Upsert,
}

impl Job<'_> {
    /// Copies all splits that are not done. After the first error no new split begins; those in flight end.
    pub(super) async fn copy(&self) -> Result<(), JobError> {
        let open: Vec<usize> = self.state(|job| {
            let open = |progress: &Progress| !matches!(progress, Progress::Done { .. });
            job.progress.iter().enumerate().filter(|(_, progress)| open(progress)).map(|(number, _)| number).collect()
        });
        let source = self.source_scans().await?;
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
            .buffer_unordered(self.at_once);
        let mut first_error = None;
        while let Some(result) = results.next().await {
            if let Err(error) = result {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The scan that reads a split, as long as the source still has the partitions that the splits were made of.
    pub(super) fn scan_of(scans: &[Scan], split: &Split) -> Result<Scan, JobError> {
        scans.iter().find(|scan| scan.partition == split.partition).cloned().ok_or_else(|| {
            JobError::Repartitioned(match &split.partition {
                Some(name) => format!("partition `{name}` is gone from the source since the run began"),
                None => "the source got partitions since the run began".to_owned(),
            })
        })
    }

    pub(super) fn split_of(&self, number: usize) -> Option<(Split, Progress)> {
        self.state(|job| {
            let split = job.splits.as_ref()?.get(number)?.clone();
            Some((split, *job.progress.get(number)?))
        })
    }

    async fn copy_split(&self, number: usize, source: &[Scan], target: Option<&Scan>) -> Result<(), JobError> {
        let _slot = self.slots.acquire().await.map_err(|_| JobError::Interrupted)?;
        if self.stop.is_cancelled() {
            return Err(JobError::Interrupted);
        }
        self.fence_now_and_then().await?;
        let Some((split, progress)) = self.split_of(number) else { return Ok(()) };
        let scan = Self::scan_of(source, &split)?;
        if let Some(target) = target {
            return self.converge_split(number, &split, &scan, target).await;
        }
        let rows = reader::read(&*self.sides.source, &scan, &split.range, &self.mapping.columns.read).await?;
        let hasher = RowHasher::new(self.mapping.columns.write.clone());
        let mut fingerprint = Fingerprint::default();
        let mut mapped = Vec::with_capacity(rows.batches.len());
        for batch in &rows.batches {
            let batch = self.mapping.columns.apply(batch)?;
            fingerprint.merge(hasher.fingerprint(&batch)?);
            mapped.push(batch);
        }
        let mut mode = if progress == Progress::Pending { Mode::Insert } else { Mode::Upsert };
        // From here on the split may have been tried, and the disk knows before the server does.
        self.record(&Record::Started { split: number })?;
        let to = self.destination(split.partition);
        for batch in mapped {
            self.write(&to, batch, &mut mode, |rows| self.tell(&Event::Rows(rows))).await?;
        }
        let doubled = rows.physical - rows.distinct;
        self.done(number, fingerprint, doubled, fingerprint.rows)
    }

    /// Compares a split and writes what is missing or differs. Upserts only: keys that differ are there already.
    async fn converge_split(&self, number: usize, split: &Split, source: &Scan, target: &Scan) -> Result<(), JobError> {
        let found = compare(
            Side { read: &*self.sides.source, scan: source },
            Side { read: &*self.sides.target, scan: target },
            split,
            &self.mapping.columns,
            &self.mapping.columns.write,
        )
        .await?;
        let mut written = 0;
        if !found.to_write.is_empty() {
            self.record(&Record::Started { split: number })?;
            let to = self.destination(split.partition.clone());
            for batch in found.to_write {
                written += batch.rows() as u64;
                self.write_again(&to, batch).await?;
            }
        }
        self.tell(&Event::Rows(found.fingerprint.rows));
        self.done(number, found.fingerprint, found.source_doubled, written)
    }

    pub(super) fn done(
        &self,
        split: usize,
        fingerprint: Fingerprint,
        doubled: u64,
        written: u64,
    ) -> Result<(), JobError> {
        self.record(&Record::Done { split, fingerprint, doubled, written, at: jiff::Timestamp::now() })
    }

    /// Writes rows that may be there already.
    pub(super) async fn write_again(&self, to: &Destination, batch: RowBatch) -> Result<(), JobError> {
        self.write(to, batch, &mut Mode::Upsert, |_| {}).await
    }

    /// Writes a batch in requests of a size that the server takes. `acknowledged` hears of the rows of each.
    async fn write(
        &self,
        to: &Destination,
        batch: RowBatch,
        mode: &mut Mode,
        acknowledged: impl Fn(u64) + Sync,
    ) -> Result<(), JobError> {
        let pieces = batch.bytes().div_ceil(self.throttle.request_bytes(REQUEST_BYTES)).max(1);
        let rows = batch.rows().div_ceil(pieces).max(1);
        let mut open: Vec<RowBatch> =
            (0..batch.rows()).step_by(rows).map(|start| batch.slice(start, rows.min(batch.rows() - start))).collect();
        open.reverse();
        while let Some(piece) = open.pop() {
            match self.send(to, &piece, mode).await {
                Ok(()) => acknowledged(piece.rows() as u64),
                Err(JobError::Cluster(error)) if error.kind == ErrorKind::TooLarge && piece.rows() > 1 => {
                    // Refused before any of it was looked at, so nothing of it landed.
                    let half = piece.rows() / 2;
                    open.push(piece.slice(half, piece.rows() - half));
                    open.push(piece.slice(0, half));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends one request until it is acknowledged. After an error that leaves open whether rows landed, and after any other
    /// that may be gone in a moment, the same rows are sent as an upsert: it makes no difference then whether they did.
    async fn send(&self, to: &Destination, rows: &RowBatch, mode: &mut Mode) -> Result<(), JobError> {
        let started = Instant::now();
        let mut pauses = backon::ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .without_max_times()
            .build();
        loop {
            tokio::select! {
                () = self.throttle.wait(rows.bytes()) => {}
                // Nothing of this request was sent; the split stays dirty for what was sent before.
                () = self.stop.cancelled() => return Err(JobError::Interrupted),
            }
            let result = match mode {
                Mode::Insert => self.sides.target.insert(to, rows).await,
                Mode::Upsert => self.sides.target.upsert(to, rows).await,
            };
            let error = match result {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.kind != ErrorKind::TooLarge {
                *mode = Mode::Upsert;
            }
            if !error.is_transient() || started.elapsed() > PATIENCE {
                return Err(error.into());
            }
            self.retried(&error.to_string())?;
            tokio::select! {
                () = tokio::time::sleep(pauses.next().unwrap_or_default()) => {}
                () = self.stop.cancelled() => return Err(JobError::Interrupted),
            }
            self.fence_now_and_then().await?;
        }
    }
}
