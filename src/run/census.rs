//! Looks at the rows of a collection before they are copied: how many, how large, and where to cut the splits.
//!
//! Where it costs little beside the copy, the keys are gone through one by one (`walk`), which also finds the doubled ones and
//! those that are never returned, before anything is made. Elsewhere the borders are found by a sample and by counts
//! (`borders`), and whoever reads a split proves it and finds what is doubled in it. Borders need not be exact to be right:
//! splits that share their borders leave no gap whatever the borders are.

use std::sync::Arc;
use std::time::Instant;

use super::borders::{Sized, cut};
use super::walk::{EXAMPLES, walk};
use super::{JobError, Rooms};
use crate::cluster::{ErrorKind, FIRST_PAGE, Fitting, Moment, ReadSide, Scan};
use crate::collection::{DataType, Field, Key, KeyRange, LiveCollection};
use crate::diff::Rows;
use crate::mapping::Mapping;
use crate::state::Split;

/// Most rows of a collection whose keys are gone through whatever that costs beside its copy: a tenth of a second at most.
const FEW_ROWS: u64 = 50_000;
/// Bytes of a row from which on its keys are gone through, INT64 and VARCHAR. Going through a key costs a server 1.2 µs or 2 µs,
/// and copying a row some 3 µs and 20 µs for each kilobyte, so that it is 2 % of the copy from there on.
const LARGE_ROWS: (u64, u64) = (3_000, 5_000);
/// Splits that a collection is cut in, about, where only the number of its rows limits them, and how many rows they hold at least.
/// A server looks at every row of its segments for each page: at ten million rows that costs 0.1 s a split, as much as 40,000 short
/// rows, so a split of a large collection has to be larger. Ever more splits of a small one would only wait for each other.
const SPLITS: u64 = 32;
const SMALL_SPLIT: u64 = 40_000;
/// Rows that are read whole to learn their size, and how many bytes of them at most, as far as the schema tells.
const SAMPLE_ROWS: usize = 100;
const SAMPLE_BYTES: usize = 1 << 20;

/// Whether a census has to know about each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Each key is gone through, so that doubled ones are known.
    Each,
    /// Only where that is cheap beside the copy; else doubled keys are found by those who read the splits.
    Cheaply,
}

/// How large a split may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSize {
    /// Most rows.
    pub rows: u64,
    /// Most bytes of rows, by the size of a row that a census takes from the first ones.
    pub bytes: u64,
}

impl SplitSize {
    /// Rows of a split of a collection of so many rows, of so many bytes each.
    fn rows_of(&self, physical: u64, row_bytes: u64) -> u64 {
        let rows = (physical / SPLITS).max(SMALL_SPLIT).min(self.rows);
        rows.min(self.bytes / row_bytes.max(1)).max(1)
    }
}

/// What a census found.
#[derive(Debug, Clone)]
pub struct Census {
    /// The splits, in ascending order, without gaps.
    pub splits: Vec<Split>,
    /// The rows.
    pub rows: Rows,
    /// As of when; the copy reads at the same moment.
    pub moment: Moment,
}

/// The scan that reads all of a collection.
pub fn scan(database: &str, live: &LiveCollection, filter: Option<&str>, moment: Moment) -> Scan {
    let key = live.schema.primary_key().cloned();
    Scan {
        database: database.to_owned(),
        collection: live.name.clone(),
        partitions: Vec::new(),
        filter: filter.map(str::to_owned),
        within: None,
        key: key.unwrap_or_else(|| Field::new("", DataType::Int64)),
        moment,
        page: Arc::new(Fitting::new(FIRST_PAGE)),
    }
}

/// The partitions that are read together, one group for each: those whose rows go to one place.
pub fn groups(mapping: &Mapping) -> Vec<Vec<String>> {
    mapping.routes.iter().map(|route| route.from.clone()).collect()
}

/// Takes the census of a loaded collection, of the columns `fields`, group of partitions by group. No split gets larger
/// than there is room for; doubled keys beyond the first of each do not count as such where the keys are not gone through.
pub async fn census(
    read: &dyn ReadSide,
    scan: &Scan,
    groups: &[Vec<String>],
    fields: &[Field],
    keys: Keys,
    rooms: &Rooms<'_>,
) -> Result<Census, JobError> {
    if groups.is_empty() {
        return Ok(Census { splits: Vec::new(), rows: Rows::default(), moment: scan.moment });
    }
    let whole = Scan { partitions: groups.concat(), ..scan.clone() };
    let physical = read.count(&whole, &KeyRange::ALL).await?;
    let row_bytes = match fixed_row_bytes(fields) {
        _ if physical == 0 => 0,
        Some(bytes) => bytes,
        None => row_bytes(read, &whole, fields, rooms).await?,
    };
    rooms.expect(row_bytes);
    let split_rows = rooms.pace.split.rows_of(physical, row_bytes);
    let counted = Rows { physical, row_bytes, ..Rows::default() };
    let begin = Instant::now();
    let by_counts = match keys {
        Keys::Cheaply if !is_cheap(&scan.key, &counted) => {
            by_counts(read, &whole, groups, counted.clone(), split_rows, rooms).await?
        }
        _ => None,
    };
    let census = match by_counts {
        Some(census) => census,
        None => key_by_key(read, &whole, groups, &counted, split_rows, rooms).await?,
    };
    let (collection, splits, seconds) = (&whole.collection, census.splits.len(), begin.elapsed().as_secs_f64());
    tracing::info!(%collection, rows = physical, row_bytes, splits, seconds, "the splits are cut");
    Ok(census)
}

/// Whether going through the keys costs little beside copying the rows.
fn is_cheap(key: &Field, rows: &Rows) -> bool {
    let large = if key.data_type == DataType::Int64 { LARGE_ROWS.0 } else { LARGE_ROWS.1 };
    rows.physical <= FEW_ROWS || rows.row_bytes >= large
}

/// Goes through the keys of each group, and through those of all groups together where there are several.
async fn key_by_key(
    read: &dyn ReadSide,
    whole: &Scan,
    groups: &[Vec<String>],
    counted: &Rows,
    split_rows: u64,
    rooms: &Rooms<'_>,
) -> Result<Census, JobError> {
    let mut rows = Rows { row_bytes: counted.row_bytes, ..Rows::default() };
    let mut splits = Vec::new();
    for partitions in groups {
        let scan = &Scan { partitions: partitions.clone(), ..whole.clone() };
        let physical = if groups.len() == 1 { counted.physical } else { read.count(scan, &KeyRange::ALL).await? };
        let walk = walk(read, scan, physical, split_rows, rooms).await?;
        rows.physical += walk.physical;
        rows.doubled = Some(rows.doubled.unwrap_or_default() + walk.doubled);
        rows.doubled_keys.extend(walk.doubled_keys);
        rows.doubled_keys.truncate(EXAMPLES);
        rows.unreadable += walk.unreadable;
        if !walk.unreadable_place.is_empty() {
            rows.unreadable_place = walk.unreadable_place;
        }
        let (borders, counts): (Vec<Key>, Vec<u64>) = walk.borders.into_iter().unzip();
        let ranges = KeyRange::between(&borders).into_iter().zip(counts.into_iter().chain([walk.rest]));
        splits.extend(of_group(partitions, ranges));
    }
    if groups.len() > 1 {
        let physical = read.count(whole, &KeyRange::ALL).await?;
        let walk = walk(read, whole, physical, u64::MAX, rooms).await?;
        if walk.physical < rows.physical {
            // Rows went away meanwhile, which must not be taken for keys that stand in two partitions.
            return Err(JobError::Moving(whole.collection.clone()));
        }
        let keys = walk.physical.saturating_sub(walk.doubled).saturating_sub(walk.unreadable);
        rows.crossing = (rows.distinct() - rows.unreadable.min(rows.distinct())).saturating_sub(keys);
    }
    Ok(Census { splits, rows, moment: whole.moment })
}

/// The same without going through the keys; none where that does not do. Several groups need it all the same, once and not twice:
/// nothing else shows that a key stands in two partitions. Where none stands twice in all of them, none does in one.
async fn by_counts(
    read: &dyn ReadSide,
    whole: &Scan,
    groups: &[Vec<String>],
    mut rows: Rows,
    split_rows: u64,
    rooms: &Rooms<'_>,
) -> Result<Option<Census>, JobError> {
    if groups.len() > 1 {
        let walk = walk(read, whole, rows.physical, u64::MAX, rooms).await?;
        if walk.doubled + walk.unreadable > 0 {
            return Ok(None);
        }
        rows.doubled = Some(0);
    }
    let cutting = async {
        let mut splits = Vec::new();
        for partitions in groups {
            let scan = &Scan { partitions: partitions.clone(), ..whole.clone() };
            let physical = if groups.len() > 1 { read.count(scan, &KeyRange::ALL).await? } else { rows.physical };
            let Some(ranges) = cut(read, scan, physical, split_rows, rooms).await? else { return Ok(None) };
            splits.extend(of_group(partitions, ranges));
        }
        Ok::<_, JobError>(Some(splits))
    };
    // The one key that Milvus 2.3.5 is known to count and never return is found before anything is made.
    let largest = async {
        let range = KeyRange { after: Some(Key::Int(i64::MAX - 1)), to: None };
        Ok(if whole.key.data_type == DataType::Int64 { read.count(whole, &range).await? } else { 0 })
    };
    let (splits, largest) = futures::try_join!(cutting, largest)?;
    Ok(splits.filter(|_| largest == 0).map(|splits| Census { splits, rows, moment: whole.moment }))
}

fn of_group(partitions: &[String], ranges: impl IntoIterator<Item = Sized>) -> impl Iterator<Item = Split> {
    ranges.into_iter().map(|(range, rows)| Split { partitions: partitions.to_vec(), range, rows })
}

/// Bytes of each row, where the schema says it: none of its values may be longer than in another row, or missing.
fn fixed_row_bytes(fields: &[Field]) -> Option<u64> {
    let widths = fields.iter().map(|field| field.data_type.fixed_bytes(field.dim()).filter(|_| !field.nullable));
    widths.sum::<Option<usize>>().map(|bytes| (bytes as u64).max(1))
}

/// Bytes of one row, from the first rows, whose keys tell how long those are.
async fn row_bytes(read: &dyn ReadSide, scan: &Scan, fields: &[Field], rooms: &Rooms<'_>) -> Result<u64, JobError> {
    let known: usize = fields.iter().filter_map(|field| field.data_type.fixed_bytes(field.dim())).sum();
    let mut limit = (SAMPLE_BYTES / known.max(1)).clamp(1, SAMPLE_ROWS);
    let _room = rooms.for_bytes(SAMPLE_BYTES as u64).await?;
    loop {
        match read.read_next(scan, &KeyRange::ALL, fields, limit).await {
            Ok(page) => {
                rooms.learn_keys(page.keys());
                return Ok((page.bytes() as u64).div_ceil((page.rows() as u64).max(1)).max(1));
            }
            Err(error) if error.kind == ErrorKind::TooLarge && limit > 1 => limit /= 10,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_grow_with_the_collection_as_far_as_rows_and_bytes_may() {
        let most = SplitSize { rows: 200_000, bytes: 8 << 20 };
        let sizes = [0, 100_000, 1_000_000, 3_200_000, 10_000_000].map(|rows| most.rows_of(rows, 40));
        assert_eq!(sizes, [40_000, 40_000, 40_000, 100_000, 200_000]);
        assert_eq!(most.rows_of(10_000_000, 4_096), 2_048);
        assert_eq!(most.rows_of(10_000_000, 1 << 30), 1);
        assert_eq!(SplitSize { rows: 10, ..most }.rows_of(10_000_000, 40), 10);
        assert_eq!(SplitSize { rows: 0, bytes: 0 }.rows_of(5, 0), 1);
    }

    #[test]
    fn a_row_is_as_long_as_its_schema_says_only_where_no_value_may_be_longer_or_missing() {
        let key = Field::new("id", DataType::Int64);
        let year = Field::new("year", DataType::Int32);
        assert_eq!(fixed_row_bytes(&[key.clone(), year.clone()]), Some(12));
        assert_eq!(fixed_row_bytes(&[key.clone(), Field::new("title", DataType::VarChar)]), None);
        assert_eq!(fixed_row_bytes(&[key.clone(), Field::new("terms", DataType::SparseFloatVector)]), None);
        assert_eq!(fixed_row_bytes(&[key.clone(), Field::dynamic()]), None);
        assert_eq!(fixed_row_bytes(&[key, Field { nullable: true, ..year }]), None);
    }
}
