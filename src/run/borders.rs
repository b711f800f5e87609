//! Cuts a collection into ranges of known size without going through its keys.
//!
//! Borders come from arithmetic where integer keys stand without gaps, else from a thin sample of the keys. What a sample
//! says is a guess, so the rows of a few groups of ranges are counted. Where each group holds what the sample promised, the sample
//! is believed within them too, and a range may be larger than it says by as much as the sample is thin. Where one does not, another
//! sample is taken that is more even; and where that is not to be believed either, the rows below each border are counted, and a range that
//! holds more than a split may is cut again: by equal widths where keys are integers, and by its keys where that does not help or
//! keys are text.
//!
//! Nothing that is proven hangs on these sizes. Who reads a range counts it, and asks for pages where the answer gets too large; what a
//! wrong size costs is memory and time.
//!
//! What it costs, measured on Milvus 2.3.5 with a million rows in one segment (INT64 keys, VARCHAR keys of 36 bytes):
//!
//! | request | INT64 | VARCHAR |
//! |---|---|---|
//! | `count(*)` of all that lies below a key | 4 ms | 8 ms |
//! | 32 of these, 4 at once on two processors | 45 ms | 140 ms |
//! | the first key above another one | 4 ms | 8 ms |
//! | the keys of the 2 thousand rows that are nearest to each of two vectors | 15 ms | 20 ms |
//! | the same of 16 thousand rows | 32 ms | 50 ms |
//! | a sample by one remainder, one in 127 or one in 8191 | 54 ms, 40 ms | |
//! | the keys of 16 thousand rows, by their range or as a page, wherever they lie | 15 ms | 28 ms |
//! | all keys | 1200 to 1600 ms | 2200 ms |
//!
//! A page costs what its rows cost and a count what the segment costs, so counts below a border are asked for and not those
//! between two (one comparison of each key instead of two), and their number must not grow with that of the ranges.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::future::{Either, select};
use futures::{StreamExt, TryStreamExt};

use super::walk::walk_range;
use super::{JobError, Rooms};
use crate::cluster::{ErrorKind, ReadSide, Sampling, Scan};
use crate::collection::{DataType, Key, KeyRange};

/// Counts and walks that are under way at once. Two keep a server of few cores busy; more hide the way there and back.
const AT_ONCE: usize = 4;
/// Keys of the sample for each split: the sizes that they promise are then right to a twelfth.
const SAMPLED: u64 = 150;
/// Keys of the sample for each split that are enough for its size to be believed: it is right to a seventh then.
const PROMISING: u64 = 50;
/// Keys of a sample: at least, because fewer are no quicker to be had, as many as are quickly had, and at most.
const SAMPLE: (u64, u64, u64) = (4_096, 32_768, 200_000);
/// Groups of splits whose rows are counted to see whether a sample holds what it promises, at least; and how much of the time that
/// copying takes their counts may take, one in so many: more groups show more of what is wrong.
const GROUPS: u64 = 8;
const COUNTING: u64 = 250;
/// Nanoseconds for each row of the collection: counts of INT64 and of VARCHAR keys, some at once, and copying it, to which each byte
/// of it adds.
const COUNT: (f64, f64) = (1.4, 4.4);
const COPY: (f64, f64) = (3_000.0, 20.0);
/// Bytes of a row that make its copy so much longer that the sample may have as many keys again as it has at least.
const LONGER: u64 = 64;
/// Most splits of which each is counted. A count looks at all rows of the collection, so for more it is quicker to go through the keys.
const COUNTED: u64 = 500;
/// How full a split is meant to be, in fifths of what it may hold. A sample that is right to a twelfth then leaves one range in
/// a thousand that holds more.
const FIFTHS: u64 = 4;
/// Most ranges that are cut by arithmetic. Beyond it a count is likelier to be wrong than true.
const MOST_DENSE: u64 = 200_000;
/// Pieces of equal width that a range is cut into at a time. More of them would be wasted where keys lie close together.
const WIDTHS: u64 = 32;
/// Splits that a range may hold for its keys to be gone through; where there are more, it is cut by width first.
const WALKED: u64 = 4;

/// A range and the rows that it holds: as they were counted, or the share that a sample gives it of several ranges' count.
pub type Sized = (KeyRange, u64);

/// Ranges of all keys, without a gap, each of at most `split_rows` keys, or hardly more where a sample is believed; none where the
/// server gives no sample, or where going through the keys is quicker.
pub async fn cut(
    read: &dyn ReadSide,
    scan: &Scan,
    physical: u64,
    split_rows: u64,
    rooms: &Rooms<'_>,
) -> Result<Option<Vec<Sized>>, JobError> {
    let split_rows = split_rows.max(1);
    if physical <= split_rows {
        return Ok(Some(vec![(KeyRange::ALL, physical)]));
    }
    let meant = (split_rows.saturating_mul(FIFTHS) / 5).max(1);
    let splits = physical.div_ceil(meant);
    let quick = async {
        if splits.saturating_mul(SAMPLED) > SAMPLE.1 {
            return Ok(None);
        }
        sampled(read, scan, physical, splits, Sampling::Quick, rooms).await
    };
    // Keys without gaps need no sample, and one that is under way is given up then.
    let arithmetic = dense(read, scan, physical, split_rows);
    let (first, quick) = match select(pin!(arithmetic), pin!(quick)).await {
        Either::Left((Ok((_, Some(ranges))), _)) => return Ok(Some(ranges)),
        Either::Left((found, quick)) => (found?.0, quick.await?),
        Either::Right((quick, arithmetic)) => match arithmetic.await? {
            (_, Some(ranges)) => return Ok(Some(ranges)),
            (first, None) => (first, quick?),
        },
    };
    let mut below = Below { read, scan, physical, groups: groups(scan, rooms), known: BTreeMap::new(), counted: 0 };
    if let Some(sample) = quick
        && let Some(ranges) = below.believed(&sample, splits).await?
    {
        return Ok(Some(ranges));
    }
    let Some(sample) = sampled(read, scan, physical, splits, Sampling::Even, rooms).await? else { return Ok(None) };
    if let Some(ranges) = below.believed(&sample, splits).await? {
        return Ok(Some(ranges));
    }
    if splits > COUNTED {
        return Ok(None);
    }
    below.count(by_sample(&sample, splits)).await?;
    if let Some(first) = first {
        below.narrow(first, split_rows).await?;
    }
    below.walk(split_rows, rooms).await?;
    Ok(Some(merged(below.ranges(), split_rows)))
}

/// The smallest integer key.
async fn first_key(read: &dyn ReadSide, scan: &Scan) -> Result<Option<i64>, JobError> {
    let page = read.read_next(scan, &KeyRange::ALL, std::slice::from_ref(&scan.key), 1).await?;
    Ok(page.keys().filter_map(|key| integer(&key)).min())
}

fn integer(key: &Key) -> Option<i64> {
    match key {
        Key::Int(value) => Some(*value),
        Key::Text(_) => None,
    }
}

/// The smallest integer key; and ranges of `split_rows` integers each, where as many rows as there are lie on as many integers: then none
/// can hold more.
async fn dense(
    read: &dyn ReadSide,
    scan: &Scan,
    physical: u64,
    split_rows: u64,
) -> Result<(Option<i64>, Option<Vec<Sized>>), JobError> {
    if scan.key.data_type != DataType::Int64 {
        return Ok((None, None));
    }
    let first = first_key(read, scan).await?;
    let last = first.zip(i64::try_from(physical - 1).ok()).and_then(|(first, more)| first.checked_add(more));
    let (Some(start), Some(last)) = (first, last) else { return Ok((first, None)) };
    if physical / split_rows > MOST_DENSE || read.count(scan, &above(Key::Int(last))).await? > 0 {
        return Ok((first, None));
    }
    let (mut borders, mut sizes, mut left) = (Vec::new(), Vec::new(), physical);
    let mut border = i128::from(start) - 1;
    while left > split_rows {
        border += i128::from(split_rows);
        borders.extend(i64::try_from(border).ok().map(Key::Int));
        sizes.push(split_rows);
        left -= split_rows;
    }
    sizes.push(left);
    Ok((first, Some(KeyRange::between(&borders).into_iter().zip(sizes).collect())))
}

fn above(key: Key) -> KeyRange {
    KeyRange { after: Some(key), to: None }
}

/// A sample of the keys for so many splits, ascending, each key once; none where no sample is to be had. One that would be too large
/// is as good as an empty one.
async fn sampled(
    read: &dyn ReadSide,
    scan: &Scan,
    physical: u64,
    splits: u64,
    sampling: Sampling,
    rooms: &Rooms<'_>,
) -> Result<Option<Vec<Key>>, JobError> {
    let is_text = scan.key.data_type != DataType::Int64;
    let (least, most) = match sampling {
        Sampling::Quick => (SAMPLE.0.saturating_mul(1 + rooms.row_bytes() / LONGER).min(SAMPLE.1), SAMPLE.1),
        // Servers can give no more of text; and what was quickly had of it was not good enough.
        Sampling::Even if is_text => (SAMPLE.1, SAMPLE.1),
        Sampling::Even => (SAMPLE.0, SAMPLE.2),
    };
    let room = rooms.keys().min(physical);
    let wanted = splits.saturating_mul(SAMPLED).clamp(least, most).min(room);
    // The divisor that a server is asked with may be a quarter of what is wanted.
    let most = if is_text || sampling == Sampling::Quick { wanted } else { (4 * wanted).min(room) };
    let _room = rooms.for_keys(most).await?;
    let mut sample = match read.sample_keys(scan, sampling, (physical / wanted.max(1)).max(1), most).await {
        Ok(Some(sample)) => sample,
        Ok(None) => return Ok(None),
        Err(error) if error.kind == ErrorKind::TooLarge => Vec::new(),
        Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Forbidden) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    sample.sort();
    sample.dedup();
    Ok(Some(sample))
}

/// How many groups of splits are counted.
fn groups(scan: &Scan, rooms: &Rooms<'_>) -> u64 {
    let count = if scan.key.data_type == DataType::Int64 { COUNT.0 } else { COUNT.1 };
    let copy = COPY.0 + COPY.1 * rooms.row_bytes() as f64;
    ((copy / count) as u64 / COUNTING).max(GROUPS)
}

/// Borders that the sample says have as many rows between them as a split is meant to hold.
fn by_sample(sample: &[Key], splits: u64) -> Vec<Key> {
    // Fewer ranges than the sample has keys: the count may be one that no collection has.
    let ranges = usize::try_from(splits).unwrap_or(usize::MAX).min(sample.len() / 4 + 1);
    (1..ranges).filter_map(|range| sample.get(place(range, sample.len(), ranges)).cloned()).collect()
}

/// Where in a list of so many keys one of so many parts begins.
fn place(part: usize, keys: usize, parts: usize) -> usize {
    (part as u128 * keys as u128 / parts as u128) as usize
}

/// The rows up to and with each border that was counted.
struct Below<'a> {
    read: &'a dyn ReadSide,
    scan: &'a Scan,
    physical: u64,
    /// Groups of splits to count.
    groups: u64,
    known: BTreeMap<Key, u64>,
    counted: u64,
}

impl Below<'_> {
    /// Ranges as the sample has them, if it is large enough for so many and groups of them hold the rows that it says. A sample of rows
    /// that have something in common says otherwise of some group.
    async fn believed(&mut self, sample: &[Key], splits: u64) -> Result<Option<Vec<Sized>>, JobError> {
        if sample.len() as u64 / splits < PROMISING {
            return Ok(None);
        }
        let groups = splits.min(self.groups) as usize;
        let begins = |group: usize| place(group, sample.len(), groups);
        let borders = (1..groups).filter_map(|group| sample.get(begins(group)).cloned()).collect();
        self.known.clear();
        self.count(borders).await?;
        let (mut borders, mut sizes) = (Vec::new(), Vec::new());
        for (group, (range, rows)) in self.ranges().into_iter().enumerate() {
            let keys = &sample[begins(group)..begins(group + 1)];
            let promised = (u128::from(self.physical) * keys.len() as u128 / sample.len() as u128) as u64;
            if rows.abs_diff(promised) > promised / 5 {
                return Ok(None);
            }
            // What was counted is shared out among the splits of the group.
            let parts = place(group + 1, splits as usize, groups) - place(group, splits as usize, groups);
            let shared = |part: usize| place(part, rows as usize, parts) as u64;
            borders.extend((1..parts).filter_map(|part| keys.get(place(part, keys.len(), parts)).cloned()));
            borders.extend(range.to);
            sizes.extend((0..parts).map(|part| shared(part + 1) - shared(part)));
        }
        Ok(Some(KeyRange::between(&borders).into_iter().zip(sizes).collect()))
    }

    async fn count(&mut self, borders: Vec<Key>) -> Result<(), JobError> {
        self.counted += borders.len() as u64;
        let (read, scan) = (self.read, self.scan);
        let mut counts = futures::stream::iter(borders)
            .map(|border| async move {
                let range = KeyRange { after: None, to: Some(border.clone()) };
                Ok::<_, JobError>((border, read.count(scan, &range).await?))
            })
            .buffer_unordered(AT_ONCE);
        while let Some((border, rows)) = counts.try_next().await? {
            self.known.insert(border, rows);
        }
        Ok(())
    }

    /// What the counts say of the ranges between the borders. Rows may come and go between two counts.
    fn ranges(&self) -> Vec<Sized> {
        let borders: Vec<Key> = self.known.keys().cloned().collect();
        let mut before = 0;
        let counts = self.known.values().copied().chain([self.physical]);
        let sizes = counts.map(|below| below.saturating_sub(std::mem::replace(&mut before, below)));
        let sizes: Vec<u64> = sizes.collect();
        KeyRange::between(&borders).into_iter().zip(sizes).collect()
    }

    /// Cuts ranges of integers that hold far too much, where the sample caught none of their keys, until each is small enough
    /// to be gone through. Gives up after about as many counts as the borders took: what is left is gone through.
    async fn narrow(&mut self, first: i64, split_rows: u64) -> Result<(), JobError> {
        let most = 2 * self.counted + 4 * self.physical / split_rows + 64;
        while self.counted < most {
            let large = |(_, rows): &Sized| *rows > split_rows.saturating_mul(WALKED);
            let mut borders = Vec::new();
            for (range, rows) in self.ranges().into_iter().filter(large) {
                let from = match range.after.as_ref().and_then(integer) {
                    Some(after) => i128::from(after),
                    None => i128::from(first) - 1,
                };
                let to = match range.to.as_ref().and_then(integer) {
                    Some(to) => i128::from(to),
                    None => self.end(first.max(i64::try_from(from).unwrap_or(first))).await?,
                };
                let meant = (split_rows.saturating_mul(FIFTHS) / 5).max(1);
                let pieces = i128::from(rows.div_ceil(meant).min(WIDTHS)).min(to - from);
                let cuts = (1..pieces).map(|piece| from + (to - from) * piece / pieces);
                borders.extend(cuts.filter_map(|cut| i64::try_from(cut).ok()).map(Key::Int));
                // The end of the last range is a border too, so that it is narrower the next time.
                if range.to.is_none() && to < i128::from(i64::MAX) {
                    borders.extend(i64::try_from(to).ok().map(Key::Int));
                }
            }
            if borders.is_empty() {
                break;
            }
            self.count(borders).await?;
        }
        Ok(())
    }

    /// An integer above all keys, at most as far from `first` again as the largest of them is.
    async fn end(&mut self, first: i64) -> Result<i128, JobError> {
        let mut width = i128::from(self.physical);
        loop {
            let end = i128::from(first) + width;
            let Ok(key) = i64::try_from(end) else { return Ok(i128::from(i64::MAX)) };
            self.counted += 1;
            if self.read.count(self.scan, &above(Key::Int(key))).await? == 0 {
                return Ok(end);
            }
            width *= 4;
        }
    }

    /// Goes through the keys of ranges that still hold too much.
    async fn walk(&mut self, split_rows: u64, rooms: &Rooms<'_>) -> Result<(), JobError> {
        let (read, scan) = (self.read, self.scan);
        let large: Vec<Sized> = self.ranges().into_iter().filter(|(_, rows)| *rows > split_rows).collect();
        let mut walks = futures::stream::iter(large)
            .map(|(range, rows)| async move {
                let walk = walk_range(read, scan, &range, rows, split_rows, rooms).await?;
                Ok::<_, JobError>((range, walk.borders))
            })
            .buffer_unordered(AT_ONCE);
        while let Some((range, borders)) = walks.try_next().await? {
            let mut below = range.after.as_ref().and_then(|after| self.known.get(after)).copied().unwrap_or_default();
            for (border, rows) in borders {
                below += rows;
                self.known.entry(border).or_insert(below);
            }
        }
        Ok(())
    }
}

/// Neighbours in one range, where one split may hold them: cutting by width leaves ranges with few rows or none.
fn merged(ranges: Vec<Sized>, split_rows: u64) -> Vec<Sized> {
    let mut merged: Vec<Sized> = Vec::new();
    for (range, rows) in ranges {
        match merged.last_mut() {
            Some((last, before)) if *before + rows <= split_rows => {
                last.to = range.to;
                *before += rows;
            }
            _ => merged.push((range, rows)),
        }
    }
    merged
}
