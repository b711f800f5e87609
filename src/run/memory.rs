//! How much memory rows may take: one number for the whole command, whatever the collections, their vectors and the limits are.
//!
//! A split is as large as the budget allows for each of those that may be in flight, and whoever brings rows into memory first
//! takes their bytes out of the budget and waits where too little is left. Splits of an earlier run may be larger than this
//! run would make them: then fewer are in flight. One that is larger than all of the budget goes alone.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::JobError;

/// What the process takes without any rows: code, connections, plans, journals and the borders of splits.
const FIXED: u64 = 48 << 20;
/// What is left for rows at least.
const LEAST: u64 = 16 << 20;
/// How often a row is there at once, at most: in the answer, as columns, and in the request.
const TIMES: u64 = 3;
/// Bytes of rows that a split holds at most. Larger ones are no faster, and a crash repeats more.
const LARGEST_SPLIT: u64 = 8 << 20;
/// Bytes of rows that a split holds at least.
const SMALLEST_SPLIT: u64 = 128 << 10;
/// The budget is counted in units of so many bytes.
const UNIT: u64 = 1 << 10;

/// A budget for rows in memory.
#[derive(Debug)]
pub struct Memory {
    units: u32,
    left: Semaphore,
    split_bytes: u64,
}

impl Memory {
    /// The smallest number of bytes that makes sense.
    pub const LEAST_BYTES: u64 = 64 << 20;

    /// A budget of so many bytes for the whole process, for `concurrency` requests at once on each side.
    pub fn new(bytes: u64, concurrency: usize) -> Self {
        let rows = bytes.saturating_sub(FIXED).max(LEAST);
        let units = u32::try_from(rows / UNIT).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
        // As many are read as are written at the same time.
        let in_flight = 2 * u64::try_from(concurrency.max(1)).unwrap_or(u64::MAX / 2);
        let split_bytes = (rows / TIMES / in_flight).clamp(SMALLEST_SPLIT, LARGEST_SPLIT);
        Self { units, left: Semaphore::new(units as usize), split_bytes }
    }

    /// Bytes of rows that a split is to hold at most.
    pub fn split_bytes(&self) -> u64 {
        self.split_bytes
    }

    /// Waits until rows of so many bytes have room, and holds it until what is returned is dropped.
    pub async fn hold(&self, bytes: u64) -> Result<SemaphorePermit<'_>, JobError> {
        let units = (bytes.saturating_mul(TIMES) / UNIT).clamp(1, u64::from(self.units));
        self.left.acquire_many(units as u32).await.map_err(|_| JobError::Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_get_smaller_with_less_memory_and_with_more_of_them_at_once() {
        assert_eq!(Memory::new(256 << 20, 4).split_bytes(), LARGEST_SPLIT);
        assert_eq!(Memory::new(4 << 30, 4).split_bytes(), LARGEST_SPLIT);
        let small = Memory::new(128 << 20, 4).split_bytes();
        assert!(small < LARGEST_SPLIT && small * 2 * 4 * TIMES <= 80 << 20, "{small}");
        assert!(Memory::new(256 << 20, 32).split_bytes() < LARGEST_SPLIT);
        assert_eq!(Memory::new(0, 10_000).split_bytes(), SMALLEST_SPLIT);
    }

    #[tokio::test]
    async fn rows_wait_for_room_and_what_is_too_large_for_all_of_it_goes_alone() {
        let memory = Memory::new(Memory::LEAST_BYTES, 1);
        let first = memory.hold(1 << 40).await.unwrap();
        assert_eq!(memory.left.available_permits(), 0);
        drop(first);
        let _half = memory.hold((LEAST / TIMES) / 2).await.unwrap();
        let _other = memory.hold((LEAST / TIMES) / 2).await.unwrap();
        assert!(memory.left.try_acquire_many(64).is_err());
    }
}
