//! Goes through the keys of a collection once: how many rows, how many keys, which are doubled, and where to cut the splits.
//!
//! Only keys travel, a few bytes a row. Integer keys are cut into pieces by a thin sample, each piece read in one answer and
//! held against `count(*)`; other keys are walked page by page. Borders need not be exact to be right: splits that share
//! their borders leave no gap whatever the borders are.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::{JobError, reader};
use crate::cluster::{ErrorKind, FIRST_PAGE, Fitting, Moment, ReadSide, Scan};
use crate::collection::{DataType, Field, Key, KeyRange, LiveCollection, RowBatch};
use crate::diff::Rows;
use crate::mapping::Mapping;
use crate::state::Split;

/// Bytes of rows that a split holds, roughly. With four splits in flight, each held once as read and once as sent, a run
/// stays far below 256 MiB.
const SPLIT_BYTES: u64 = 8 << 20;
/// Keys that are read in one answer.
const PIECE: u64 = 150_000;
/// Keys of a page where keys are walked.
const PAGE: usize = 16_384;
/// Pieces that are read at once.
const AT_ONCE: usize = 3;
/// Doubled keys that are named.
const EXAMPLES: usize = 3;
/// Rows that are read whole to learn their size.
const SAMPLE_ROWS: usize = 100;

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

/// Takes the census of a loaded collection, of the columns `fields`, group of partitions by group. No split gets more rows
/// than `most_rows`.
pub async fn census(
    read: &dyn ReadSide,
    scan: &Scan,
    groups: &[Vec<String>],
    fields: &[Field],
    most_rows: u64,
) -> Result<Census, JobError> {
    let mut rows = Rows::default();
    let mut splits = Vec::new();
    for partitions in groups {
        let scan = &Scan { partitions: partitions.clone(), ..scan.clone() };
        let physical = read.count(scan, &KeyRange::ALL).await?;
        if rows.row_bytes == 0 && physical > 0 {
            rows.row_bytes = row_bytes(read, scan, fields).await?;
        }
        let split_rows = (SPLIT_BYTES / rows.row_bytes.max(1)).clamp(1, most_rows.max(1));
        let walk = walk(read, scan, physical, split_rows).await?;
        rows.physical += walk.physical;
        rows.doubled = Some(rows.doubled.unwrap_or_default() + walk.doubled);
        rows.doubled_keys.extend(walk.doubled_keys);
        rows.doubled_keys.truncate(EXAMPLES);
        rows.unreadable += walk.unreadable;
        if !walk.unreadable_place.is_empty() {
            rows.unreadable_place = walk.unreadable_place;
        }
        let (borders, counts): (Vec<Key>, Vec<u64>) = walk.borders.into_iter().unzip();
        let counts = counts.into_iter().chain([walk.rest]);
        splits.extend(KeyRange::between(&borders).into_iter().zip(counts).map(|(range, rows)| Split {
            partitions: partitions.clone(),
            range,
            rows,
        }));
    }
    if groups.len() > 1 {
        let whole = Scan { partitions: groups.concat(), ..scan.clone() };
        let physical = read.count(&whole, &KeyRange::ALL).await?;
        let walk = walk(read, &whole, physical, u64::MAX).await?;
        if walk.physical < rows.physical {
            // Rows went away meanwhile, which must not be taken for keys that stand in two partitions.
            return Err(JobError::Moving(scan.collection.clone()));
        }
        let keys = walk.physical.saturating_sub(walk.doubled).saturating_sub(walk.unreadable);
        rows.crossing = (rows.distinct() - rows.unreadable.min(rows.distinct())).saturating_sub(keys);
    }
    Ok(Census { splits, rows, moment: scan.moment })
}

/// Bytes of one row, from the first rows.
async fn row_bytes(read: &dyn ReadSide, scan: &Scan, fields: &[Field]) -> Result<u64, JobError> {
    let mut limit = SAMPLE_ROWS;
    loop {
        match read.read_next(scan, &KeyRange::ALL, fields, limit).await {
            Ok(page) => return Ok((page.bytes() as u64).div_ceil((page.rows() as u64).max(1)).max(1)),
            Err(error) if error.kind == ErrorKind::TooLarge && limit > 1 => limit /= 10,
            Err(error) => return Err(error.into()),
        }
    }
}

#[derive(Debug, Default)]
struct Walk {
    keys: u64,
    physical: u64,
    doubled: u64,
    doubled_keys: Vec<Key>,
    unreadable: u64,
    unreadable_place: String,
    /// Last key of each full split, and its rows.
    borders: Vec<(Key, u64)>,
    /// Rows after the last border.
    rest: u64,
}

async fn walk(read: &dyn ReadSide, scan: &Scan, physical: u64, split_rows: u64) -> Result<Walk, JobError> {
    let pieces = pieces(read, scan, physical).await?;
    let mut walk = Walk::default();
    let mut found = futures::stream::iter(pieces).map(|range| piece_of_keys(read, scan, range)).buffered(AT_ONCE);
    while let Some((piece, mut rest)) = found.try_next().await? {
        walk.add(piece, split_rows);
        walk.has_an_end(read, scan, physical).await?;
        // What did not fit one answer is walked here, a piece at a time, so that no more than a few pieces are ever held.
        while let Some(range) = rest {
            let (piece, after) = piece_by_pages(read, scan, range).await?;
            walk.add(piece, split_rows);
            walk.has_an_end(read, scan, physical).await?;
            rest = after;
        }
    }
    Ok(walk)
}

impl Walk {
    /// Refuses a server that has always another page. Rows may come and go meanwhile, so there is room beside the count.
    async fn has_an_end(&self, read: &dyn ReadSide, scan: &Scan, counted: u64) -> Result<(), JobError> {
        let room = |counted: u64| counted.saturating_mul(2).saturating_add(PIECE);
        if self.keys <= room(counted) || self.keys <= room(read.count(scan, &KeyRange::ALL).await?) {
            return Ok(());
        }
        Err(JobError::Moving(scan.collection.clone()))
    }

    fn add(&mut self, piece: Piece, split_rows: u64) {
        self.keys += piece.keys.len() as u64;
        self.physical += piece.physical;
        self.doubled += piece.doubled;
        self.doubled_keys.extend(piece.doubled_keys);
        self.unreadable += piece.unreadable;
        if !piece.unreadable_place.is_empty() {
            self.unreadable_place = piece.unreadable_place;
        }
        for key in piece.keys {
            self.rest += 1;
            if self.rest == split_rows {
                self.borders.push((key, split_rows));
                self.rest = 0;
            }
        }
    }
}

/// Ranges of roughly [`PIECE`] keys each, by a sample of the keys; one range where no sample is to be had.
async fn pieces(read: &dyn ReadSide, scan: &Scan, physical: u64) -> Result<Vec<KeyRange>, JobError> {
    let count = physical / PIECE + 1;
    if count == 1 {
        return Ok(vec![KeyRange::ALL]);
    }
    // About 200 keys of the sample for each piece keep the pieces even to some 7 %.
    let mut sample = match read.sample_keys(scan, PIECE / 200).await {
        Ok(Some(sample)) => sample,
        Ok(None) => return Ok(vec![KeyRange::ALL]),
        Err(error) if matches!(error.kind, ErrorKind::TooLarge | ErrorKind::Refused) => return Ok(vec![KeyRange::ALL]),
        Err(error) => return Err(error.into()),
    };
    sample.sort();
    sample.dedup();
    // No more pieces than the sample has keys: the count may be one that no collection has.
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(sample.len() + 1);
    let mut borders: Vec<Key> =
        (1..count).filter_map(|piece| sample.get(piece * sample.len() / count).cloned()).collect();
    borders.dedup();
    Ok(KeyRange::between(&borders))
}

#[derive(Debug, Default)]
struct Piece {
    keys: Vec<Key>,
    physical: u64,
    doubled: u64,
    doubled_keys: Vec<Key>,
    unreadable: u64,
    unreadable_place: String,
}

/// The keys of a range in one answer if that is complete, or its first piece page by page and what is left of the range.
async fn piece_of_keys(
    read: &dyn ReadSide,
    scan: &Scan,
    range: KeyRange,
) -> Result<(Piece, Option<KeyRange>), JobError> {
    let physical = read.count(scan, &range).await?;
    // A range that holds far more keys than it should (a sample that caught none) is walked, so that memory stays bounded.
    let most = if scan.key.data_type == DataType::Int64 { PIECE * 4 } else { PIECE };
    if physical <= most && !scan.moment.snapshot {
        match read.read_range(scan, &range, std::slice::from_ref(&scan.key)).await {
            Ok(rows) => {
                let (rows, _) = rows.distinct()?;
                if rows.rows() as u64 == physical {
                    return Ok((Piece { keys: reader::sorted_keys(&[rows]), physical, ..Piece::default() }, None));
                }
            }
            Err(error) if error.kind == ErrorKind::TooLarge => {}
            Err(error) => return Err(error.into()),
        }
    }
    piece_by_pages(read, scan, range).await
}

/// The first [`PIECE`] keys of a range by the cursor that loses none, and what is left of the range.
async fn piece_by_pages(
    read: &dyn ReadSide,
    scan: &Scan,
    range: KeyRange,
) -> Result<(Piece, Option<KeyRange>), JobError> {
    let mut rest = range.clone();
    let mut batches: Vec<RowBatch> = Vec::new();
    let mut keys = 0;
    // Pages of keys alone hold more rows than those of whole rows.
    let (mut ended, limit) = (false, Fitting::new(PAGE));
    while keys < PIECE && !ended {
        let page = reader::page(read, scan, &rest, std::slice::from_ref(&scan.key), &limit).await?;
        match page.max_key() {
            Some(last) => {
                ended = rest.to.as_ref() == Some(&last);
                rest.after = Some(last);
                keys += page.rows() as u64;
                batches.push(page.distinct()?.0);
            }
            None => ended = true,
        }
    }
    let covered = if ended { range } else { KeyRange { after: range.after, to: rest.after.clone() } };
    let keys = reader::sorted_keys(&batches);
    let physical = read.count(scan, &covered).await?;
    let mut piece = Piece { physical, ..Piece::default() };
    if (keys.len() as u64) < physical {
        let of_returned = reader::count_named(read, scan, &keys).await?;
        piece.doubled = of_returned.saturating_sub(keys.len() as u64);
        piece.unreadable = physical.saturating_sub(of_returned);
        if piece.unreadable > 0 {
            piece.unreadable_place = reader::name_unreadable(read, scan, &covered, &batches).await?;
        }
        if piece.doubled > 0 {
            piece.doubled_keys = name_doubled(read, scan, &keys).await?;
        }
    }
    piece.keys = keys;
    Ok((piece, (!ended).then_some(rest)))
}

/// A few keys that are doubled, by halving: some twenty counts for each.
async fn name_doubled(read: &dyn ReadSide, scan: &Scan, keys: &[Key]) -> Result<Vec<Key>, JobError> {
    let mut found = Vec::new();
    let mut open = vec![keys];
    while let Some(part) = open.pop() {
        if found.len() == EXAMPLES {
            break;
        }
        if reader::count_named(read, scan, part).await? <= part.len() as u64 {
            continue;
        }
        if let [key] = part {
            found.push(key.clone());
            continue;
        }
        let (left, right) = part.split_at(part.len() / 2);
        open.push(right);
        open.push(left);
    }
    Ok(found)
}
