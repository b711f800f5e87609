//! Reads a range and proves that it was read.
//!
//! A range is read in one answer and held against `count(*)` of the same range. Where the two differ (doubled keys, which
//! make Milvus 2.3.5 leave out unrelated rows), it is read again by the cursor that loses nothing, to its first empty page.
//! What is still counted and not returned is either further rows of keys that were returned, or keys that the server never
//! returns; counting the returned keys by name tells which. A row that somebody wrote between the reading and the counting looks the
//! same, until the place where it stands is read once more. Who leaves it out a second time is no longer believed.

use super::JobError;
use crate::cluster::{ErrorKind, Fitting, ReadSide, Scan};
use crate::collection::{DataType, Field, Key, KeyRange, RowBatch};

/// Most keys that are asked for by name in one query.
pub const KEYS_AT_ONCE: usize = 5_000;
/// How often a range is read again because its rows changed meanwhile.
const MOVING_TRIES: usize = 3;

/// The rows of a range.
#[derive(Debug)]
pub struct RangeRows {
    /// Each key once.
    pub batches: Vec<RowBatch>,
    /// Rows with each key once.
    pub distinct: u64,
    /// Rows as the server counts them.
    pub physical: u64,
}

impl RangeRows {
    /// Rows beyond the first of their key.
    pub fn doubled(&self) -> u64 {
        self.physical.saturating_sub(self.distinct)
    }
}

/// Reads a range and proves it.
pub async fn read(read: &dyn ReadSide, scan: &Scan, range: &KeyRange, fields: &[Field]) -> Result<RangeRows, JobError> {
    let mut missed = None;
    for _ in 0..MOVING_TRIES {
        let mut counted = 0;
        if !scan.moment.snapshot {
            let (rows, physical) = futures::join!(read.read_range(scan, range, fields), read.count(scan, range));
            let physical = physical?;
            counted = physical;
            match rows {
                Ok(rows) => {
                    let (rows, _) = rows.distinct()?;
                    if rows.rows() as u64 == physical {
                        return Ok(RangeRows { distinct: physical, physical, batches: vec![rows] });
                    }
                }
                Err(error) if error.kind == ErrorKind::TooLarge => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(batches) = by_cursor(read, scan, range, fields, counted).await? else { continue };
        let distinct: u64 = batches.iter().map(|batch| batch.rows() as u64).sum();
        let physical = read.count(scan, range).await?;
        if distinct == physical {
            return Ok(RangeRows { batches, distinct, physical });
        }
        if distinct > physical {
            // Rows were deleted between the reading and the counting.
            continue;
        }
        let of_returned_keys = count_named(read, scan, &sorted_keys(&batches)).await?;
        if of_returned_keys == physical {
            return Ok(RangeRows { batches, distinct, physical });
        }
        if of_returned_keys < physical && read.count(scan, range).await? == physical {
            let (keys, came) = unreadable(read, scan, range, &batches).await?;
            if came && missed.as_ref() != Some(&keys) {
                missed = Some(keys);
                continue;
            }
            return Err(JobError::Unreadable {
                source_name: scan.collection.clone(),
                count: physical - of_returned_keys,
                range: range.to_string(),
                keys,
            });
        }
    }
    Err(JobError::Moving(scan.collection.clone()))
}

/// The rows of a range as one answer has them, each key once, and not held against their number: for whoever knows what they must be
/// and counts them together with others. None where they are to be had in pages only.
pub async fn read_uncounted(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    fields: &[Field],
) -> Result<Option<RowBatch>, JobError> {
    if scan.moment.snapshot {
        return Ok(None);
    }
    match read.read_range(scan, range, fields).await {
        Ok(rows) => Ok(Some(rows.distinct()?.0)),
        Err(error) if error.kind == ErrorKind::TooLarge => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads a range page by page in the order of its keys, until a page is empty. A short page is no end: servers send those at
/// any time. None once more rows came than the server counts, because a broken one may have always another page.
async fn by_cursor(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    fields: &[Field],
    mut counted: u64,
) -> Result<Option<Vec<RowBatch>>, JobError> {
    let mut batches = Vec::new();
    let mut rest = range.clone();
    let mut rows = 0;
    loop {
        let page = page(read, scan, &rest, fields, &scan.page).await?;
        let Some(last) = page.max_key() else {
            return Ok(Some(batches));
        };
        let page = page.distinct()?.0;
        rows += page.rows() as u64;
        batches.push(page);
        if rest.to.as_ref() == Some(&last) {
            return Ok(Some(batches));
        }
        if rows > counted {
            counted = read.count(scan, range).await?;
            if rows > counted {
                return Ok(None);
            }
        }
        rest.after = Some(last);
    }
}

/// The next page of a range. One too large for an answer is asked for in halves, and `size` remembers what fitted.
pub async fn page(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    fields: &[Field],
    size: &Fitting,
) -> Result<RowBatch, JobError> {
    loop {
        let limit = size.size();
        match read.read_next(scan, range, fields, limit).await {
            Err(error) if error.kind == ErrorKind::TooLarge && limit > 1 => size.too_large(limit),
            page => {
                let page = page?;
                size.fitted(page.rows());
                return Ok(page);
            }
        }
    }
}

/// The keys of all batches, ascending.
pub fn sorted_keys(batches: &[RowBatch]) -> Vec<Key> {
    let mut keys: Vec<Key> = batches.iter().flat_map(RowBatch::keys).collect();
    keys.sort();
    keys
}

/// Physical rows of the keys, asked for by name.
pub async fn count_named(read: &dyn ReadSide, scan: &Scan, keys: &[Key]) -> Result<u64, JobError> {
    let mut counted = 0;
    for chunk in keys.chunks(KEYS_AT_ONCE) {
        counted += read.count_keys(scan, chunk).await?;
    }
    Ok(counted)
}

/// Where a key stands that is counted and never returned: the key itself where it is the largest INT64, which is the one that
/// Milvus 2.3.5 is known to count and never return, and else the gap between two returned keys, found by halving. And whether that
/// gap has rows by now, which then came after the others were read.
pub async fn unreadable(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    batches: &[RowBatch],
) -> Result<(String, bool), JobError> {
    let top = Key::Int(i64::MAX);
    let only = KeyRange { after: Some(Key::Int(i64::MAX - 1)), to: Some(top.clone()) };
    let holds_top = scan.key.data_type == DataType::Int64 && range.contains(&top);
    let (gap, known) = if holds_top && read.count(scan, &only).await? > 0 {
        (only, None)
    } else {
        gap(read, scan, range, batches).await?
    };
    let name = if known.is_none() && gap.to.as_ref() == Some(&top) { top.to_string() } else { gap.to_string() };
    let mut rest = gap;
    loop {
        let page = read.read_next(scan, &rest, std::slice::from_ref(&scan.key), KEYS_AT_ONCE).await?;
        let Some(last) = page.max_key() else { return Ok((name, false)) };
        if page.keys().any(|key| Some(&key) != known.as_ref()) {
            return Ok((name, true));
        }
        rest.after = Some(last);
    }
}

/// The range in which more is counted than is returned, and the one key in it that was returned, if one was.
async fn gap(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    batches: &[RowBatch],
) -> Result<(KeyRange, Option<Key>), JobError> {
    let keys = sorted_keys(batches);
    let (mut gap, mut within) = (range.clone(), keys.as_slice());
    while within.len() > 1 {
        let middle = within.len() / 2 - 1;
        let left = KeyRange { after: gap.after.clone(), to: Some(within[middle].clone()) };
        let returned = count_named(read, scan, &within[..=middle]).await?;
        if read.count(scan, &left).await? > returned {
            (gap, within) = (left, &within[..=middle]);
        } else {
            gap.after = Some(within[middle].clone());
            within = &within[middle + 1..];
        }
    }
    Ok((gap, within.first().cloned()))
}
