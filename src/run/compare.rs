//! Holds the rows of both sides against each other, range by range, and narrows a range that differs down to its keys.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;

use super::mapped::{self, MappedRows};
use super::{Event, JobError, Observer, Rooms, whole};
use crate::cluster::{ReadSide, Scan};
use crate::collection::{Field, Fingerprint, Key, KeyRange, RowBatch, RowHasher};
use crate::diff::{Difference, DifferenceKind, RowDiff};
use crate::mapping::{Columns, Mapping, Touched, merge_touched};
use crate::plan::resolved::Verify;
use crate::state::{QuarantinedRow, Split};

/// Differences that are listed by key.
pub const EXAMPLES: usize = 100;

/// One side of a comparison.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The cluster.
    pub read: &'a dyn ReadSide,
    /// What to read there; the partitions are the split's.
    pub scan: &'a Scan,
}

/// What differs in one range, and what it takes to mend it.
#[derive(Debug, Default)]
pub struct RangeDiff {
    /// What differs.
    pub diff: RowDiff,
    /// The source's rows that are missing on the target, differ there, or stand there more than once; as mapped.
    pub to_write: Vec<RowBatch>,
    /// Source keys of the rows of the target that differ or stand there more than once.
    pub to_replace: Vec<Key>,
    /// Keys that only the target has.
    pub extra: Vec<Key>,
    /// Fingerprint of the source's rows, as mapped.
    pub fingerprint: Fingerprint,
    /// Rows of the source beyond the first of their key.
    pub source_doubled: u64,
    /// Rows of the source that go to the quarantine.
    pub quarantined: Vec<QuarantinedRow>,
    /// Rows that each rule touched.
    pub touched: Touched,
}

/// Compares one range, for the rows of both sides of which the caller has taken room. `columns` are the mapping's, or only its key.
pub async fn compare(
    source: Side<'_>,
    target: Side<'_>,
    split: &Split,
    mapping: &Mapping,
    columns: &Columns,
    rooms: &Rooms<'_>,
) -> Result<RangeDiff, JobError> {
    let target_partition = mapping.target_partition(&split.partitions);
    let target_scan =
        Scan { partitions: target_partition.map(str::to_owned).into_iter().collect(), ..target.scan.clone() };
    let fields = &columns.write;
    let (here, there) = futures::try_join!(
        mapped::read_mapped(source.read, source.scan, split, columns),
        mapped::read_target(target.read, &target_scan, &split.range, columns),
    )?;
    rooms.learn(&here.batches);
    rooms.learn(&there.batches);
    here.all_fit(&source.scan.collection)?;
    let MappedRows { batches: mapped, doubled, quarantined, touched, .. } = here;
    let hasher = RowHasher::new(fields.clone());
    let mut result = RangeDiff { source_doubled: doubled, quarantined, touched, ..RangeDiff::default() };
    let mut expected: HashMap<Key, (usize, usize, u128)> = HashMap::new();
    for (number, batch) in mapped.iter().enumerate() {
        hasher.each(batch, |row, hash| {
            result.fingerprint.add(hash);
            expected.insert(batch.key(row), (number, row, hash));
        })?;
    }
    let doubled_keys = match there.doubled() {
        0 => HashSet::new(),
        _ => doubled_keys(target, &target_scan, columns, &there.batches).await?,
    };
    result.diff.doubled = there.doubled();
    let mut keep: Vec<Vec<bool>> = mapped.iter().map(|batch| vec![false; batch.rows()]).collect();
    let mut note = |key: Key, kind, fields: Vec<String>| {
        if result.diff.examples.len() < EXAMPLES {
            let partition = target_partition.map(str::to_owned);
            result.diff.examples.push(Difference { key, partition, kind, fields });
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
                        result.to_replace.push(key.clone());
                        note(key, DifferenceKind::Doubled, Vec::new());
                    } else if source_hash != hash {
                        differing += 1;
                        keep[number][source_row] = true;
                        result.to_replace.push(key.clone());
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
    // Copies of a row that only the target has are no doubles of the source's rows: where such rows are left alone, so are they.
    let foreign: Vec<Key> = extra.iter().filter(|key| doubled_keys.contains(key)).cloned().collect();
    for keys in foreign.chunks(super::reader::KEYS_AT_ONCE) {
        let copies = mapped::count_known(target.read, &target_scan, columns, keys).await?;
        result.diff.doubled = result.diff.doubled.saturating_sub(copies.saturating_sub(keys.len() as u64));
    }
    result.extra = extra;
    // Rows of which only the key was read cannot be written.
    let complete = columns.write.len() == mapping.columns.write.len();
    for (batch, keep) in mapped.iter().zip(keep) {
        if complete && keep.iter().any(|keep| *keep) {
            result.to_write.push(batch.filter(&arrow_array::BooleanArray::from(keep))?);
        }
    }
    Ok(result)
}

/// Which of the returned keys the target holds more than once, by halving.
async fn doubled_keys(
    target: Side<'_>,
    scan: &Scan,
    columns: &Columns,
    batches: &[RowBatch],
) -> Result<HashSet<Key>, JobError> {
    let keys: Vec<Key> = batches.iter().flat_map(RowBatch::keys).collect();
    let mut found = HashSet::new();
    let mut open: Vec<&[Key]> = keys.chunks(super::reader::KEYS_AT_ONCE).collect();
    while let Some(part) = open.pop() {
        let counted = mapped::count_known(target.read, scan, columns, part).await?;
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

/// The ranges of which every field is compared although the level asks for keys only: one out of ten, other ones each time, so
/// that a look repeated often enough has seen all of them.
pub(super) struct Sample(Option<usize>);

/// One range out of so many is in a sample.
const SAMPLED: usize = 10;

impl Sample {
    pub(super) fn new(level: Verify, ranges: usize) -> Self {
        let moment = usize::try_from(jiff::Timestamp::now().as_microsecond().unsigned_abs()).unwrap_or_default();
        Self((level == Verify::Sample).then(|| moment % ranges.clamp(1, SAMPLED)))
    }

    pub(super) fn takes(&self, number: usize) -> bool {
        self.0.is_some_and(|first| number % SAMPLED == first)
    }
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
    /// Rows of the source that do not fit and are in quarantine.
    pub quarantined: u64,
    /// Rows that each rule touched.
    pub touched: Touched,
    /// Ranges that differ, and ranges in all.
    pub ranges: (usize, usize),
}

/// Compares all ranges, as many at a time as there is room for. Rows to write are not kept.
pub async fn compare_all(
    source: Side<'_>,
    target: Side<'_>,
    splits: &[Split],
    mapping: &Mapping,
    level: Verify,
    rooms: &Rooms<'_>,
    (observer, address): (&dyn Observer, &str),
) -> Result<Comparison, JobError> {
    if mapping.columns.identity.is_none() {
        return whole::compare(source, target, splits, mapping, level, rooms, (observer, address)).await;
    }
    let narrow = mapping.columns.narrowed(level);
    let sample = Sample::new(level, splits.len());
    let found = rooms.each(splits, 2, |number, split| {
        let columns = if sample.takes(number) { &mapping.columns } else { &narrow };
        async move {
            let found = compare(source, target, split, mapping, columns, rooms).await?;
            Ok(RangeDiff { to_write: Vec::new(), ..found })
        }
    });
    let mut found = std::pin::pin!(found);
    let mut all = Comparison { ranges: (0, splits.len()), ..Comparison::default() };
    while let Some(range) = found.try_next().await? {
        observer.event(address, &Event::Rows(range.fingerprint.rows));
        all.rows += range.fingerprint.rows;
        all.source_doubled += range.source_doubled;
        all.quarantined += range.quarantined.len() as u64;
        merge_touched(&mut all.touched, range.touched);
        if range.diff != RowDiff::default() {
            all.ranges.0 += 1;
        }
        all.diff.merge(range.diff, EXAMPLES);
    }
    all.diff.extra += outside(target, mapping).await?;
    Ok(all)
}

/// Rows of the target in partitions that no split reads.
async fn outside(target: Side<'_>, mapping: &Mapping) -> Result<u64, JobError> {
    let partitions: HashSet<_> = mapping.routes.iter().filter_map(|route| route.to.clone()).collect();
    if partitions.is_empty() {
        return Ok(0);
    }
    let whole = Scan { partitions: Vec::new(), ..target.scan.clone() };
    let all = target.read.count(&whole, &KeyRange::ALL).await?;
    let mut within = 0;
    for partition in partitions {
        within += target.read.count(&Scan { partitions: vec![partition], ..whole.clone() }, &KeyRange::ALL).await?;
    }
    Ok(all.saturating_sub(within))
}
