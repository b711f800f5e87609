//! Proof where no field of the target holds the source's key: all rows of both sides as one sum. A loss or a double shows;
//! which row it is does not.

use futures::TryStreamExt;

use super::compare::{Comparison, Side};
use super::mapped::MappedRows;
use super::{Event, JobError, Keys, Observer, Rooms, census, mapped, reader};
use crate::cluster::{ReadSide, Scan};
use crate::collection::{Fingerprint, KeyRange, RowHasher};
use crate::diff::RowDiff;
use crate::mapping::{Columns, Mapping, merge_touched};
use crate::plan::resolved::Verify;
use crate::state::Split;

/// What the target holds as a whole: each row once, and physical rows.
pub async fn of_target(
    read: &dyn ReadSide,
    scan: &Scan,
    columns: &Columns,
    level: Verify,
    rooms: &Rooms<'_>,
) -> Result<(Fingerprint, u64), JobError> {
    let scan = Scan { partitions: Vec::new(), ..scan.clone() };
    let physical = read.count(&scan, &KeyRange::ALL).await?;
    if level == Verify::Counts {
        return Ok((Fingerprint { rows: physical, sum: 0 }, physical));
    }
    let fields = mapped::beside_key(columns, &columns.write);
    let taken = census(read, &scan, &[Vec::new()], &fields, Keys::Cheaply, rooms).await?;
    // The key is hashed with the rows where it comes from the source, and not where the server made it.
    let hasher = RowHasher::new(columns.write.clone());
    let parts = rooms.each(&taken.splits, 1, |_, split| {
        let (scan, fields, hasher) = (&scan, &fields, &hasher);
        async move {
            let rows = reader::read(read, scan, &split.range, fields).await?;
            rooms.learn(&rows.batches);
            let found = hasher.fingerprint_of(&rows.batches)?;
            Ok::<_, JobError>(found)
        }
    });
    let mut parts = std::pin::pin!(parts);
    let mut all = Fingerprint::default();
    while let Some(part) = parts.try_next().await? {
        all.merge(part);
    }
    Ok((all, physical))
}

/// How two sums differ, as far as sums tell.
pub fn difference(expected: Fingerprint, found: Fingerprint, physical: u64, level: Verify) -> RowDiff {
    RowDiff {
        missing: expected.rows.saturating_sub(found.rows),
        extra: found.rows.saturating_sub(expected.rows),
        doubled: physical.saturating_sub(found.rows),
        untold: level != Verify::Counts && found != expected,
        ..RowDiff::default()
    }
}

/// Compares both sides as wholes.
pub async fn compare(
    source: Side<'_>,
    target: Side<'_>,
    splits: &[Split],
    mapping: &Mapping,
    level: Verify,
    rooms: &Rooms<'_>,
    (observer, address): (&dyn Observer, &str),
) -> Result<Comparison, JobError> {
    let columns = &mapping.columns;
    let hasher = RowHasher::new(columns.write.clone());
    let mut all = Comparison { ranges: (0, splits.len()), ..Comparison::default() };
    let mut expected = Fingerprint::default();
    let parts = rooms.each(splits, 1, |_, split| {
        let hasher = &hasher;
        async move {
            let rows = mapped::read_mapped(source.read, source.scan, split, columns).await?;
            rooms.learn(&rows.batches);
            rows.all_fit(&source.scan.collection)?;
            let found = hasher.fingerprint_of(&rows.batches)?;
            Ok::<_, JobError>((found, MappedRows { batches: Vec::new(), ..rows }))
        }
    });
    let mut parts = std::pin::pin!(parts);
    while let Some((found, part)) = parts.try_next().await? {
        observer.event(address, &Event::Rows(found.rows));
        expected.merge(found);
        all.source_doubled += part.doubled;
        all.quarantined += part.quarantined.len() as u64;
        merge_touched(&mut all.touched, part.touched);
    }
    all.rows = expected.rows;
    let (found, physical) = of_target(target.read, target.scan, columns, level, rooms).await?;
    all.diff = difference(expected, found, physical, level);
    if all.diff != RowDiff::default() {
        all.ranges.0 = splits.len();
    }
    Ok(all)
}
