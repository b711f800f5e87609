//! Goes through the keys of a collection: how many rows, how many keys, which are doubled or never returned, and where a
//! split is full.
//!
//! Only keys travel, a few bytes a row. They are cut into pieces by a thin sample, each piece read in one answer and held
//! against `count(*)`; where no sample is to be had, keys are walked page by page.

use futures::{StreamExt, TryStreamExt};

use super::{JobError, Rooms, reader};
use crate::cluster::{ErrorKind, Fitting, ReadSide, Sampling, Scan};
use crate::collection::{DataType, Key, KeyRange, RowBatch};

/// Keys that are read in one answer at most.
const PIECE: u64 = 150_000;
/// Keys of a page where keys are walked.
const PAGE: usize = 16_384;
/// Keys of text up to which the first ones tell how long they are. Of more a sample does, because what comes first may be shorter.
const FEW: u64 = 50_000;
/// Pieces that are read at once.
const AT_ONCE: usize = 3;
/// Doubled keys that are named.
pub const EXAMPLES: usize = 3;

/// What was found among the keys.
#[derive(Debug, Default)]
pub struct Walk {
    keys: u64,
    /// Physical rows.
    pub physical: u64,
    /// Rows beyond the first of their key.
    pub doubled: u64,
    /// A few keys that are doubled.
    pub doubled_keys: Vec<Key>,
    /// Rows that are counted and never returned.
    pub unreadable: u64,
    /// Where one of them is.
    pub unreadable_place: String,
    /// Last key of each full split, and its rows.
    pub borders: Vec<(Key, u64)>,
    /// Rows after the last border.
    pub rest: u64,
}

/// Goes through all keys, of which the server counts `physical` rows, and cuts them after each `split_rows`.
pub async fn walk(
    read: &dyn ReadSide,
    scan: &Scan,
    physical: u64,
    split_rows: u64,
    rooms: &Rooms<'_>,
) -> Result<Walk, JobError> {
    let pieces = pieces(read, scan, physical, rooms).await?;
    walk_pieces(read, scan, pieces, physical, split_rows, rooms).await
}

/// The same for the keys of one range.
pub async fn walk_range(
    read: &dyn ReadSide,
    scan: &Scan,
    range: &KeyRange,
    physical: u64,
    split_rows: u64,
    rooms: &Rooms<'_>,
) -> Result<Walk, JobError> {
    walk_pieces(read, scan, vec![range.clone()], physical, split_rows, rooms).await
}

async fn walk_pieces(
    read: &dyn ReadSide,
    scan: &Scan,
    pieces: Vec<KeyRange>,
    physical: u64,
    split_rows: u64,
    rooms: &Rooms<'_>,
) -> Result<Walk, JobError> {
    let mut walk = Walk::default();
    let most = most_keys(rooms);
    // What is gone through in one piece was counted just now.
    let counted = (pieces.len() == 1).then_some(physical);
    // Room is taken in the order of the pieces, which is that in which they are taken up below: the first one always has it.
    let with_room = |range| async move { (range, rooms.for_keys(most.min(physical)).await) };
    let found = futures::stream::iter(pieces).then(with_room).map(|(range, room)| async move {
        let room = room?;
        let (piece, rest) = piece_of_keys(read, scan, range, counted, rooms).await?;
        Ok::<_, JobError>((piece, rest, room))
    });
    let mut found = std::pin::pin!(found.buffered(AT_ONCE));
    while let Some((piece, mut rest, _room)) = found.try_next().await? {
        walk.add(piece, split_rows);
        walk.has_an_end(read, scan, physical).await?;
        // What did not fit one answer is walked here, a piece at a time, so that no more than a few pieces are ever held.
        while let Some(range) = rest {
            let (piece, after) = piece_by_pages(read, scan, range, rooms).await?;
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

/// Keys of a piece.
fn most_keys(rooms: &Rooms<'_>) -> u64 {
    rooms.keys().min(PIECE)
}

/// Ranges of roughly as many keys as a piece has, by a sample of the keys; one range where no sample is to be had.
async fn pieces(read: &dyn ReadSide, scan: &Scan, physical: u64, rooms: &Rooms<'_>) -> Result<Vec<KeyRange>, JobError> {
    let count = physical / most_keys(rooms) + 1;
    let length_is_known = scan.key.data_type == DataType::Int64 || physical <= FEW;
    if count == 1 && length_is_known {
        return Ok(vec![KeyRange::ALL]);
    }
    // About 200 keys of the sample for each piece keep the pieces even to some 7 %. Where keys are so long that this would be more than
    // a piece itself, pieces are less even, and those that are too large are gone through page by page.
    let sampled = count.saturating_mul(200).min(rooms.keys());
    let most = sampled.saturating_mul(8).min(rooms.keys());
    let _room = rooms.for_keys(most.min(physical)).await?;
    let mut sample = match read.sample_keys(scan, Sampling::Even, (physical / sampled).max(1), most).await {
        Ok(Some(sample)) => sample,
        Ok(None) => return Ok(vec![KeyRange::ALL]),
        Err(error) if matches!(error.kind, ErrorKind::TooLarge | ErrorKind::Refused) => return Ok(vec![KeyRange::ALL]),
        Err(error) => return Err(error.into()),
    };
    rooms.learn_keys(sample.iter());
    sample.sort();
    sample.dedup();
    // No more pieces than the sample has keys: the count may be one that no collection has.
    let count = usize::try_from(physical / most_keys(rooms) + 1).unwrap_or(usize::MAX).min(sample.len() + 1);
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
    counted: Option<u64>,
    rooms: &Rooms<'_>,
) -> Result<(Piece, Option<KeyRange>), JobError> {
    let physical = match counted {
        Some(physical) => physical,
        None => read.count(scan, &range).await?,
    };
    // A range that holds far more keys than it should (a sample that caught none) is walked, so that memory stays bounded.
    let most = if scan.key.data_type == DataType::Int64 { most_keys(rooms) * 4 } else { most_keys(rooms) };
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
    piece_by_pages(read, scan, range, rooms).await
}

/// The keys of a range that make a piece, by number or by bytes, read by the cursor that loses none; and what is left of the range.
async fn piece_by_pages(
    read: &dyn ReadSide,
    scan: &Scan,
    range: KeyRange,
    rooms: &Rooms<'_>,
) -> Result<(Piece, Option<KeyRange>), JobError> {
    let (most, most_bytes) = (most_keys(rooms), rooms.bytes_of_keys());
    let mut rest = range.clone();
    let mut batches: Vec<RowBatch> = Vec::new();
    let (mut keys, mut bytes) = (0, 0);
    // Pages of keys alone hold more rows than those of whole rows.
    let (mut ended, limit) = (false, Fitting::new(PAGE.min(usize::try_from(most).unwrap_or(PAGE))));
    // The first keys of a collection may be far shorter than these.
    while keys < most && bytes < most_bytes && !ended {
        let page = reader::page(read, scan, &rest, std::slice::from_ref(&scan.key), &limit).await?;
        match page.max_key() {
            Some(last) => {
                ended = rest.to.as_ref() == Some(&last);
                rest.after = Some(last);
                keys += page.rows() as u64;
                bytes += page.bytes() as u64;
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
            // What came after the pages were read is for whoever reads the splits, and proves them.
            match reader::unreadable(read, scan, &covered, &batches).await? {
                (_, true) => piece.unreadable = 0,
                (place, false) => piece.unreadable_place = place,
            }
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
