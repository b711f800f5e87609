//! Room for rows that are read, whoever reads them: bytes of the memory that the whole command has, and the right to read as
//! many splits at once as the migration's limits allow.
//!
//! Whoever holds room may wait for the right to write, and for nothing else of this kind. So there is always somebody who can go on.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, StreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{JobError, Pace};
use crate::collection::{Key, RowBatch};
use crate::state::Split;

/// Bytes that a key takes beside its own, about.
const BESIDE_KEY: u64 = 16;

/// The rooms of one collection.
pub struct Rooms<'a> {
    /// The limits of its migration.
    pub pace: &'a Pace,
    /// The most bytes of a row that were seen, on average over rows that were read together. 0 before any were.
    row_bytes: AtomicU64,
    /// The same of a key.
    key_bytes: AtomicU64,
}

/// Room for the rows of a split, and the right to read it.
#[derive(Debug)]
pub struct Room<'a> {
    /// The right to read.
    pub lane: SemaphorePermit<'a>,
    /// The bytes.
    pub room: SemaphorePermit<'a>,
}

impl<'a> Rooms<'a> {
    /// Within these limits, for rows of unknown size.
    pub fn new(pace: &'a Pace) -> Self {
        Self { pace, row_bytes: AtomicU64::new(0), key_bytes: AtomicU64::new(0) }
    }

    /// Somebody counted on rows of so many bytes.
    pub fn expect(&self, row_bytes: u64) {
        self.row_bytes.fetch_max(row_bytes, Ordering::Relaxed);
    }

    /// The most bytes of a row that anybody knows of, on average over rows that were seen together; 0 before any were.
    pub fn row_bytes(&self) -> u64 {
        self.row_bytes.load(Ordering::Relaxed)
    }

    /// Learns from rows that were read how large they are. A census looks at the first ones, and later ones may be far larger: then
    /// fewer splits are in flight.
    pub fn learn(&self, batches: &[RowBatch]) {
        let rows: usize = batches.iter().map(RowBatch::rows).sum();
        let bytes: usize = batches.iter().map(RowBatch::bytes).sum();
        self.expect(bytes.checked_div(rows).unwrap_or_default() as u64);
    }

    /// Learns from keys that were read how large they are.
    pub fn learn_keys<K: Borrow<Key>>(&self, keys: impl IntoIterator<Item = K>) {
        let bytes = |key: K| match key.borrow() {
            Key::Int(_) => 8,
            Key::Text(text) => text.len() as u64,
        };
        let (number, all) =
            keys.into_iter().map(bytes).fold((0_u64, 0), |(number, all), bytes| (number + 1, all + bytes));
        self.key_bytes.fetch_max(all.checked_div(number).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Bytes of the rows of a split, as far as anybody knows.
    pub fn bytes_of(&self, split: &Split) -> u64 {
        match self.row_bytes() {
            0 => self.pace.split.bytes,
            row_bytes => split.rows.saturating_mul(row_bytes),
        }
    }

    /// What `read` makes of each split, in their order. As many are read at once as the limits allow, each when there is room for its
    /// rows, so many times, which is held until `read` has ended: what it returns is to be small.
    pub fn each<'s, T, F>(
        &'s self,
        splits: &'s [Split],
        times: u64,
        read: impl Fn(usize, &'s Split) -> F + 's,
    ) -> impl Stream<Item = Result<T, JobError>> + 's
    where
        T: 's,
        F: Future<Output = Result<T, JobError>> + 's,
    {
        let with_room = move |(number, split)| {
            let reading = read(number, split);
            async move {
                let _room = self.to_read(split, times).await?;
                reading.await
            }
        };
        futures::stream::iter(splits.iter().enumerate()).map(with_room).buffered(self.pace.at_once)
    }

    /// Waits for room for the rows of a split, so many times, and the right to read it.
    pub async fn to_read(&self, split: &Split, times: u64) -> Result<Room<'a>, JobError> {
        self.enter(split, times, &self.pace.reads).await
    }

    /// The same for a split that is read ahead of its being written.
    pub async fn to_read_ahead(&self, split: &Split) -> Result<Room<'a>, JobError> {
        self.enter(split, 1, &self.pace.ahead).await
    }

    async fn enter(&self, split: &Split, times: u64, lanes: &'a Semaphore) -> Result<Room<'a>, JobError> {
        let room = self.pace.memory.hold(self.bytes_of(split).saturating_mul(times)).await?;
        let lane = lanes.acquire().await.map_err(|_| JobError::Interrupted)?;
        Ok(Room { lane, room })
    }

    /// Bytes of keys that are held together: as many as of rows.
    pub fn bytes_of_keys(&self) -> u64 {
        self.pace.memory.split_bytes()
    }

    /// How many keys that is.
    pub fn keys(&self) -> u64 {
        (self.bytes_of_keys() / self.bytes_of_key()).max(1)
    }

    /// Waits for room for so many keys alone.
    pub async fn for_keys(&self, keys: u64) -> Result<SemaphorePermit<'a>, JobError> {
        self.pace.memory.hold(keys.saturating_mul(self.bytes_of_key())).await
    }

    /// Waits for room for a few rows of so many bytes together.
    pub async fn for_bytes(&self, bytes: u64) -> Result<SemaphorePermit<'a>, JobError> {
        self.pace.memory.hold(bytes).await
    }

    fn bytes_of_key(&self) -> u64 {
        self.key_bytes.load(Ordering::Relaxed).max(8) + BESIDE_KEY
    }
}
