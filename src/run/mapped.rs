//! Rows of a range on both sides, in the same words: the source's as the plan maps them, the target's as they stand.
//!
//! A range is a range of the *source's* keys. On most targets the primary key holds them, and the range is read by it. Where
//! the server made new keys, or another field became the primary key, the range is read by the field that keeps the source's
//! key: pages still turn by the primary key, which is the order that servers keep, and the range is a condition beside it.
//! Such a read returns every copy of a row whose key the server made, so what is doubled there shows by itself; copies of one
//! key show in the number of rows that the server counts.

use std::collections::HashSet;

use crate::cluster::{ReadSide, Scan};
use crate::collection::{Field, Key, KeyRange, RowBatch};
use crate::mapping::{Columns, Touched, Unfit, merge_touched, row_as_json};
use crate::state::{QuarantinedRow, Split};

use super::reader::{self, RangeRows};
use super::{JobError, UNFIT_EXAMPLES};

/// The rows of a split as the plan maps them.
#[derive(Debug, Default)]
pub struct MappedRows {
    /// Rows that fit, each key once.
    pub batches: Vec<RowBatch>,
    /// Rows beyond the first of their key.
    pub doubled: u64,
    /// Rows that go to the quarantine.
    pub quarantined: Vec<QuarantinedRow>,
    /// Rows that stop the copy: how many, and the first of them.
    pub failed: (u64, Vec<Unfit>),
    /// Rows that each rule touched.
    pub touched: Touched,
}

impl MappedRows {
    /// An error where a row does not fit and nothing says what to do with it.
    pub fn all_fit(&self, collection: &str) -> Result<(), JobError> {
        match self.failed.1.first() {
            None => Ok(()),
            Some(unfit) => Err(JobError::Unfit {
                collection: collection.to_owned(),
                field: unfit.field.clone(),
                key: unfit.key.to_string(),
                reason: unfit.reason.clone(),
                others: self.failed.0 - 1,
            }),
        }
    }
}

/// What of a split is read at once: all of it, or one partition after the other where the partition's name goes into each row,
/// with that name.
pub fn parts(split: &Split, columns: &Columns) -> Vec<(Vec<String>, Option<String>)> {
    if !columns.needs_partition() || split.partitions.is_empty() {
        return vec![(split.partitions.clone(), None)];
    }
    split.partitions.iter().map(|name| (vec![name.clone()], Some(name.clone()))).collect()
}

/// Reads a split of the source, proves that all of it was read, and maps it.
pub async fn read_mapped(
    read: &dyn ReadSide,
    scan: &Scan,
    split: &Split,
    columns: &Columns,
) -> Result<MappedRows, JobError> {
    let mut all = MappedRows::default();
    for (partitions, name) in parts(split, columns) {
        let scan = Scan { partitions, ..scan.clone() };
        let rows = reader::read(read, &scan, &split.range, &columns.read).await?;
        all.doubled += rows.doubled();
        for batch in &rows.batches {
            let mapped = columns.apply(batch, name.as_deref())?;
            for unfit in mapped.quarantined {
                all.quarantined.push(QuarantinedRow {
                    key: unfit.key,
                    field: unfit.field,
                    reason: unfit.reason,
                    partition: name.clone(),
                    row: row_as_json(&columns.read, batch, unfit.row),
                });
            }
            all.failed.0 += mapped.failed.len() as u64;
            let room = UNFIT_EXAMPLES.saturating_sub(all.failed.1.len());
            all.failed.1.extend(mapped.failed.into_iter().take(room));
            merge_touched(&mut all.touched, mapped.touched);
            if mapped.rows.rows() > 0 {
                all.batches.push(mapped.rows);
            }
        }
    }
    Ok(all)
}

/// Whether rows of the target are known by another field than its primary key.
fn known_otherwise(columns: &Columns) -> Option<&Field> {
    columns.identity.as_ref().filter(|_| !columns.keeps_key())
}

/// Reads the rows of the target whose source keys lie in `range`.
pub async fn read_target(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    columns: &Columns,
) -> Result<RangeRows, JobError> {
    let Some(identity) = known_otherwise(columns) else {
        return reader::read(read, scan, range, &columns.write).await;
    };
    let Known { batches, doubled, .. } = with_keys(read, scan, range, columns, &columns.write).await?;
    let mut seen = HashSet::new();
    let mut found = RangeRows { batches: Vec::new(), distinct: 0, physical: doubled };
    for batch in batches {
        let keep: Vec<bool> = batch.keys().map(|key| seen.insert(key)).collect();
        found.physical += batch.rows() as u64;
        let kept = if keep.iter().all(|keep| *keep) { batch } else { batch.filter(&keep.into())? };
        found.distinct += kept.rows() as u64;
        found.batches.push(kept);
    }
    tracing::trace!(field = %identity.name, rows = found.physical, "read by the kept key");
    Ok(found)
}

/// The target's primary key, marked as such, and the other ones of `fields` beside it.
pub fn beside_key(columns: &Columns, fields: &[Field]) -> Vec<Field> {
    let mut all = vec![Field { primary_key: true, ..columns.key.clone() }];
    let others = fields.iter().filter(|field| field.name != columns.key.name);
    all.extend(others.map(|field| Field { primary_key: false, ..field.clone() }));
    all
}

/// Rows of the target that are known by another field than their primary key.
struct Known {
    /// The rows, each primary key once.
    batches: Vec<RowBatch>,
    /// Their primary keys, in the same order.
    keys: Vec<Key>,
    /// Rows beyond the first of their primary key, which no server returns.
    doubled: u64,
}

/// The rows of the target whose source keys lie in `range`. Where the server makes the keys, that is every copy of them; where
/// another field became the primary key, a row that was inserted twice has the same key both times, and is only counted.
async fn with_keys(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    columns: &Columns,
    fields: &[Field],
) -> Result<Known, JobError> {
    let identity = columns.identity.clone().unwrap_or_else(|| columns.key.clone());
    let scan = Scan { key: columns.key.clone(), within: Some((identity, range.clone())), ..scan.clone() };
    let rows = reader::read(read, &scan, &KeyRange::ALL, &beside_key(columns, fields)).await?;
    let keys = rows.batches.iter().flat_map(RowBatch::keys).collect();
    let batches = rows.batches.iter().map(|batch| batch.select(fields)).collect::<Result<Vec<_>, _>>()?;
    Ok(Known { batches, keys, doubled: rows.doubled() })
}

/// The primary keys of all rows of the target whose source keys are among `wanted`, which lie in `range`.
pub async fn primary_keys(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    columns: &Columns,
    wanted: &HashSet<Key>,
) -> Result<Vec<Key>, JobError> {
    let Some(identity) = known_otherwise(columns) else {
        return Ok(wanted.iter().cloned().collect());
    };
    let fields = [Field { primary_key: true, ..identity.clone() }];
    let Known { batches, keys, .. } = with_keys(read, scan, range, columns, &fields).await?;
    let known = batches.iter().flat_map(RowBatch::keys);
    Ok(known.zip(keys).filter(|(known, _)| wanted.contains(known)).map(|(_, key)| key).collect())
}

/// Physical rows of the target with one of `keys`, by the field that holds the source's key.
pub async fn count_known(read: &dyn ReadSide, scan: &Scan, columns: &Columns, keys: &[Key]) -> Result<u64, JobError> {
    let key = columns.identity.clone().unwrap_or_else(|| columns.key.clone());
    Ok(read.count_keys(&Scan { key, ..scan.clone() }, keys).await?)
}
