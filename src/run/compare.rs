//! Holds the rows of both sides against each other, range by range, and narrows a range that differs down to its keys.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt};

use super::{Event, JobError, Observer, reader};
use crate::cluster::{ReadSide, Scan};
use crate::collection::{Field, Fingerprint, Key, KeyRange, RowBatch, RowHasher};
use crate::diff::{Difference, DifferenceKind, RowDiff};
use crate::mapping::Columns;
use crate::plan::resolved::Verify;
use crate::state::Split;

/// Differences that are listed by key.
pub const EXAMPLES: usize = 100;

/// One side of a comparison.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The cluster.
    pub read: &'a dyn ReadSide,
    /// What to read there; the partition is the split's.
    pub scan: &'a Scan,
}

/// What differs in one range, and what it takes to mend it.
#[derive(Debug, Default)]
pub struct RangeDiff {
    /// What differs.
    pub diff: RowDiff,
    /// The source's rows that are missing on the target, differ there, or stand there more than once; as mapped.
    pub to_write: Vec<RowBatch>,
    /// Keys that only the target has.
    pub extra: Vec<Key>,
    /// Fingerprint of the source's rows, as mapped.
    pub fingerprint: Fingerprint,
    /// Rows of the source beyond the first of their key.
    pub source_doubled: u64,
}

/// The fields that a level of verification compares.
pub fn compared(columns: &Columns, level: Verify) -> Vec<Field> {
    match level {
        Verify::Full => columns.write.clone(),
        Verify::Counts => columns.write.iter().filter(|field| field.primary_key).cloned().collect(),
    }
}

/// Compares one range: `columns` maps the source's rows, and `fields` of the mapped rows count.
pub async fn compare(
    source: Side<'_>,
    target: Side<'_>,
    split: &Split,
    columns: &Columns,
    fields: &[Field],
) -> Result<RangeDiff, JobError> {
    let range = &split.range;
    let scan_of = |scan: &Scan| Scan { partition: split.partition.clone(), ..scan.clone() };
    let (source_scan, target_scan) = (scan_of(source.scan), scan_of(target.scan));
    // With `counts` the keys alone travel; with `full`, and so for mending, everything does.
    let keys_only = fields.len() == 1 && columns.write.len() > 1;
    let read_fields = if keys_only { fields } else { &columns.read };
    let (here, there) = futures::try_join!(
        reader::read(source.read, &source_scan, range, read_fields),
        reader::read(target.read, &target_scan, range, fields),
    )?;
    let mapped = if keys_only {
        here.batches
    } else {
        here.batches.iter().map(|batch| columns.apply(batch)).collect::<Result<Vec<_>, _>>()?
    };
    let hasher = RowHasher::new(fields.to_vec());
    let mut result = RangeDiff { source_doubled: here.physical - here.distinct, ..RangeDiff::default() };
    let mut expected: HashMap<Key, (usize, usize, u128)> = HashMap::new();
    for (number, batch) in mapped.iter().enumerate() {
        hasher.each(batch, |row, hash| {
            result.fingerprint.add(hash);
            expected.insert(batch.key(row), (number, row, hash));
        })?;
    }
    let doubled_keys =
        if there.doubled() > 0 { doubled_keys(target, &target_scan, &there.batches).await? } else { HashSet::new() };
    result.diff.doubled = there.doubled();
    let mut keep: Vec<Vec<bool>> = mapped.iter().map(|batch| vec![false; batch.rows()]).collect();
    let mut note = |key: Key, kind, fields: Vec<String>| {
        if result.diff.examples.len() < EXAMPLES {
            result.diff.examples.push(Difference { key, partition: split.partition.clone(), kind, fields });
        }
    };
    let (mut differing, mut extra) = (0, Vec::new());
    for batch in &there.batches {
        let mut found = Vec::new();
        hasher.each(batch, |row, hash| found.push((row, hash)))?;
        for (row, hash) in found {
            let key = batch.key(row);
            match expected.remove(&key) {
                None => {
                    note(key.clone(), DifferenceKind::Extra, Vec::new());
                    extra.push(key);
                }
                Some((number, source_row, source_hash)) => {
                    if doubled_keys.contains(&key) {
                        keep[number][source_row] = true;
                        note(key, DifferenceKind::Doubled, Vec::new());
                    } else if source_hash != hash {
                        differing += 1;
                        keep[number][source_row] = true;
                        let names = differing_fields(fields, (&mapped[number], source_row), (batch, row))?;
                        note(key, DifferenceKind::Differing, names);
                    }
                }
            }
        }
    }
    let mut missing: Vec<(Key, (usize, usize, u128))> = expected.into_iter().collect();
    missing.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, (number, row, _)) in &missing {
        keep[*number][*row] = true;
        note(key.clone(), DifferenceKind::Missing, Vec::new());
    }
    result.diff.missing = missing.len() as u64;
    result.diff.differing = differing;
    result.diff.extra = extra.len() as u64;
    result.extra = extra;
    for (batch, keep) in mapped.iter().zip(keep) {
        if !keys_only && keep.iter().any(|keep| *keep) {
            result.to_write.push(batch.filter(&arrow_array::BooleanArray::from(keep))?);
        }
    }
    Ok(result)
}

/// Which of the returned keys the target holds more than once, by halving.
async fn doubled_keys(target: Side<'_>, scan: &Scan, batches: &[RowBatch]) -> Result<HashSet<Key>, JobError> {
    let keys: Vec<Key> = batches.iter().flat_map(RowBatch::keys).collect();
    let mut found = HashSet::new();
    let mut open: Vec<&[Key]> = keys.chunks(reader::KEYS_AT_ONCE).collect();
    while let Some(part) = open.pop() {
        let counted = target.read.count_keys(scan, part).await?;
        if counted <= part.len() as u64 {
            continue;
        }
        if counted == part.len() as u64 * 2 || part.len() == 1 {
            // All of them are doubled, or there is only one to blame.
            found.extend(part.iter().cloned());
            continue;
        }
        let (left, right) = part.split_at(part.len() / 2);
        open.extend([left, right]);
    }
    Ok(found)
}

fn differing_fields(
    fields: &[Field],
    ours: (&RowBatch, usize),
    theirs: (&RowBatch, usize),
) -> Result<Vec<String>, JobError> {
    let mut names = Vec::new();
    for field in fields.iter().filter(|field| !field.primary_key) {
        let hasher = RowHasher::new(vec![field.clone()]);
        let a = hasher.fingerprint(&ours.0.slice(ours.1, 1))?;
        let b = hasher.fingerprint(&theirs.0.slice(theirs.1, 1))?;
        if a != b {
            names.push(field.name.clone());
        }
    }
    Ok(names)
}

/// Everything that [`compare_all`] found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// What differs.
    pub diff: RowDiff,
    /// Rows of the source, as mapped.
    pub rows: u64,
    /// Rows of the source beyond the first of their key.
    pub source_doubled: u64,
    /// Ranges that differ, and ranges in all.
    pub ranges: (usize, usize),
}

/// Compares all ranges, `at_once` at a time. Rows to write are not kept.
pub async fn compare_all(
    source: Side<'_>,
    target: Side<'_>,
    splits: &[Split],
    columns: &Columns,
    level: Verify,
    at_once: usize,
    (observer, address): (&dyn Observer, &str),
) -> Result<Comparison, JobError> {
    let fields = compared(columns, level);
    let mut found =
        futures::stream::iter(splits).map(|split| compare(source, target, split, columns, &fields)).buffered(at_once);
    let mut all = Comparison { ranges: (0, splits.len()), ..Comparison::default() };
    while let Some(range) = found.try_next().await? {
        observer.event(address, &Event::Rows(range.fingerprint.rows));
        all.rows += range.fingerprint.rows;
        all.source_doubled += range.source_doubled;
        if range.diff != RowDiff::default() {
            all.ranges.0 += 1;
        }
        all.diff.merge(range.diff, EXAMPLES);
    }
    all.diff.extra += outside(target, splits).await?;
    Ok(all)
}

/// Rows of the target in partitions that no split reads.
async fn outside(target: Side<'_>, splits: &[Split]) -> Result<u64, JobError> {
    if splits.iter().all(|split| split.partition.is_none()) {
        return Ok(0);
    }
    let whole = Scan { partition: None, ..target.scan.clone() };
    let all = target.read.count(&whole, &KeyRange::ALL).await?;
    let partitions: HashSet<_> = splits.iter().filter_map(|split| split.partition.clone()).collect();
    let mut within = 0;
    for partition in partitions {
        within += target.read.count(&Scan { partition: Some(partition), ..whole.clone() }, &KeyRange::ALL).await?;
    }
    Ok(all.saturating_sub(within))
}
