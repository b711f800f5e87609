//! Whether a field that is to become the primary key holds each value once. Only hashes are kept, 16 bytes a row; the few
//! values that stand twice are looked up in a second reading.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use twox_hash::XxHash3_128;

use super::{JobError, Rooms, mapped};
use crate::cluster::{ReadSide, Scan};
use crate::collection::{Field, Key};
use crate::mapping::Columns;
use crate::state::Split;

/// Values that are named.
const EXAMPLES: usize = 5;
/// Rows that are named for each of them.
const KEYS: usize = 3;

/// What was found of values that stand in several rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubles {
    /// Rows beyond the first of their value.
    pub rows: u64,
    /// A few values, each with the source's keys of its rows.
    pub examples: Vec<String>,
}

/// Looks for values of the target's field `name` that several rows would have.
pub async fn doubles(
    read: &dyn ReadSide,
    scan: &Scan,
    splits: &[Split],
    columns: &Columns,
    name: &str,
    rooms: &Rooms<'_>,
) -> Result<Doubles, JobError> {
    let columns = columns.only(name);
    let mut hashes: Vec<u128> = Vec::new();
    {
        let mut parts = std::pin::pin!(rooms.each(splits, 1, |_, split| {
            let columns = &columns;
            async move {
                let values = values(read, scan, split, columns).await?;
                Ok(values.into_iter().map(|(value, _)| hash(&value)).collect::<Vec<_>>())
            }
        }));
        while let Some(part) = parts.try_next().await? {
            hashes.extend(part);
        }
    }
    hashes.sort_unstable();
    let rows = hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    if rows == 0 {
        return Ok(Doubles::default());
    }
    // Each value once, however many rows have it.
    let doubled: HashSet<u128> = hashes
        .chunk_by(|a, b| a == b)
        .filter(|rows| rows.len() > 1)
        .filter_map(|rows| rows.first().copied())
        .take(EXAMPLES)
        .collect();
    let mut keys: HashMap<Key, Vec<String>> = HashMap::new();
    for split in splits {
        let _room = rooms.to_read(split, 1).await?;
        for (value, key) in values(read, scan, split, &columns).await? {
            if doubled.contains(&hash(&value)) {
                keys.entry(value).or_default().push(key.to_string());
            }
        }
    }
    let shown = |(value, keys): (Key, Vec<String>)| {
        let more = keys.len().saturating_sub(KEYS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{value} in the rows {}{more}", keys.into_iter().take(KEYS).collect::<Vec<_>>().join(", "))
    };
    let mut examples: Vec<String> = keys.into_iter().map(shown).collect();
    examples.sort();
    Ok(Doubles { rows, examples })
}

/// The values of a split, each with its row's key on the source.
async fn values(
    read: &dyn ReadSide,
    scan: &Scan,
    split: &Split,
    columns: &Columns,
) -> Result<Vec<(Key, Key)>, JobError> {
    let rows = mapped::read_mapped(read, scan, split, columns).await?;
    let mut found = Vec::new();
    for batch in &rows.batches {
        let fields: Vec<Field> =
            columns.write.iter().map(|field| Field { primary_key: true, ..field.clone() }).collect();
        found.extend(batch.select(&fields)?.keys().zip(batch.keys()));
    }
    Ok(found)
}

fn hash(key: &Key) -> u128 {
    match key {
        Key::Int(value) => XxHash3_128::oneshot(&value.to_le_bytes()),
        Key::Text(value) => XxHash3_128::oneshot(value.as_bytes()),
    }
}
