//! Reads the source once as the plan maps it, and counts what each rule would touch, without writing anything.

use futures::TryStreamExt;

use super::mapped::parts;
use super::{JobError, Rooms, UNFIT_EXAMPLES, reader};
use crate::cluster::{ReadSide, Scan};
use crate::collection::{DYNAMIC_FIELD, Field};
use crate::diff::{LostKey, LostKeys, Survey};
use crate::mapping::{KeyCensus, Mapping, merge_touched};
use crate::state::Split;

/// Keys that are listed; beyond that, rows use ids for keys.
const LISTED: usize = 1_000;

/// Reads everything.
pub async fn survey(
    read: &dyn ReadSide,
    scan: &Scan,
    splits: &[Split],
    mapping: &Mapping,
    rooms: &Rooms<'_>,
) -> Result<Survey, JobError> {
    let columns = &mapping.columns;
    let mut fields = columns.read.clone();
    if columns.drops_dynamic && !fields.iter().any(|field| field.name == DYNAMIC_FIELD) {
        fields.push(Field::dynamic());
    }
    let mut parts = std::pin::pin!(rooms.each(splits, 1, |_, split| one(read, scan, split, mapping, &fields, rooms)));
    let mut all = Survey::default();
    let mut lost = KeyCensus::default();
    while let Some((part, keys)) = parts.try_next().await? {
        all.rows += part.rows;
        all.unfit += part.unfit;
        all.quarantined += part.quarantined;
        let room = UNFIT_EXAMPLES.saturating_sub(all.examples.len());
        all.examples.extend(part.examples.into_iter().take(room));
        merge_touched(&mut all.touched, part.touched);
        lost.merge(keys);
    }
    all.lost_keys = listed(lost);
    Ok(all)
}

async fn one(
    read: &dyn ReadSide,
    scan: &Scan,
    split: &Split,
    mapping: &Mapping,
    fields: &[Field],
    rooms: &Rooms<'_>,
) -> Result<(Survey, KeyCensus), JobError> {
    let columns = &mapping.columns;
    let (mut part, mut lost) = (Survey::default(), KeyCensus::default());
    for (partitions, name) in parts(split, columns) {
        let scan = Scan { partitions, ..scan.clone() };
        let rows = reader::read(read, &scan, &split.range, fields).await?;
        rooms.learn(&rows.batches);
        for batch in &rows.batches {
            let mapped = columns.apply(batch, name.as_deref())?;
            part.rows += batch.rows() as u64;
            part.unfit += mapped.failed.len() as u64;
            part.quarantined += mapped.quarantined.len() as u64;
            for unfit in mapped.failed.iter().chain(&mapped.quarantined).take(UNFIT_EXAMPLES) {
                part.examples
                    .push(format!("field `{}` of the row with key {}: {}", unfit.field, unfit.key, unfit.reason));
            }
            merge_touched(&mut part.touched, mapped.touched);
            if columns.drops_dynamic {
                lost.merge(columns.leftovers(batch)?);
            }
        }
    }
    Ok((part, lost))
}

/// Goes through the dynamic field alone, and lists the keys that no field of the target takes.
pub async fn lost_keys(
    read: &dyn ReadSide,
    scan: &Scan,
    splits: &[Split],
    mapping: &Mapping,
    rooms: &Rooms<'_>,
) -> Result<LostKeys, JobError> {
    let fields = [scan.key.clone(), Field::dynamic()];
    let parts = rooms.each(splits, 1, |_, split| {
        let (fields, scan) = (&fields, Scan { partitions: split.partitions.clone(), ..scan.clone() });
        async move {
            let mut lost = KeyCensus::default();
            for batch in reader::read(read, &scan, &split.range, fields).await?.batches {
                lost.merge(mapping.columns.leftovers(&batch)?);
            }
            Ok::<_, JobError>(lost)
        }
    });
    let mut parts = std::pin::pin!(parts);
    let mut lost = KeyCensus::default();
    while let Some(part) = parts.try_next().await? {
        lost.merge(part);
    }
    Ok(listed(lost))
}

fn listed(census: KeyCensus) -> LostKeys {
    let key = |(name, seen): (String, crate::mapping::KeySeen)| LostKey {
        name,
        rows: seen.count,
        types: seen.types.into_iter().collect::<Vec<_>>().join(", "),
        example: seen.example,
    };
    let mut keys: Vec<LostKey> = census.keys.into_iter().map(key).collect();
    keys.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    let not_listed = keys.len().saturating_sub(LISTED) + usize::from(census.more);
    keys.truncate(LISTED);
    LostKeys { keys, not_listed }
}
