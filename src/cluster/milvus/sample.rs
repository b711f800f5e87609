//! Thin samples of the keys, for choosing borders. Milvus has no query for one, so the keys are those of the rows nearest to a few
//! places that have nothing to do with keys; or integers of one remainder, which takes the server two or three times as long and is even
//! whatever vectors have to do with keys.

use milvus::proto::common::{PlaceholderType, PlaceholderValue};
use milvus::proto::schema::i_ds::IdField;

use super::search::Wanted;
use super::{Milvus, decode, describe, expression};
use crate::cluster::{ErrorKind, Result, Scan};
use crate::collection::{DataType, Field, Key};

/// Divisors, so that keys which step by a round number are not all in or all out.
const PRIMES: [u64; 8] = [7, 31, 127, 509, 2_039, 8_191, 32_749, 131_071];
/// Rows that are searched at each place at most: servers allow no more.
const NEAREST: u64 = 16_384;
/// Places to search at.
const PLACES: usize = 2;

impl Milvus {
    /// Integer keys of one remainder. Where all keys have the remainder that is asked for they are thinned, so that nobody holds them all.
    pub(super) async fn sample_by_remainder(&self, scan: &Scan, one_in: u64, most: u64) -> Result<Vec<Key>> {
        let divisor = PRIMES.into_iter().rev().find(|prime| *prime <= one_in).unwrap_or(PRIMES[0]);
        let expr = expression::sample(&scan.key.name, divisor, Self::condition(scan).as_deref());
        let answer = self.query(scan, expr, vec![scan.key.name.clone()], Vec::new()).await?;
        let batch = decode::batch(std::slice::from_ref(&scan.key), answer.fields_data)
            .map_err(|error| self.client.error(ErrorKind::Nonsense, "sample the keys", error.to_string()))?;
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let step = batch.rows().div_ceil(most).max(1);
        Ok(batch.keys().step_by(step).collect())
    }

    /// Keys of the rows that lie nearest to a few places, by the first vector field that can be searched; none where none can.
    /// Where vectors have to do with keys, the sample is less even, and no border is less right.
    pub(super) async fn sample_by_search(&self, scan: &Scan, most: u64) -> Result<Option<Vec<Key>>> {
        let Some(answer) = self.description(&scan.database, &scan.collection).await? else { return Ok(None) };
        let (schema, _) = describe::read(&answer, self.version.lite);
        let indexes = self.indexes(&scan.database, &scan.collection).await?;
        let searched = schema.fields.iter().find_map(|field| {
            let index = indexes.iter().find(|index| index.field_name == field.name)?;
            Some((field, somewhere(field)?, describe::pairs(&index.params).get("metric_type").cloned()?))
        });
        let Some((field, places, metric)) = searched else { return Ok(None) };
        let nearest = (most / PLACES as u64).clamp(1, NEAREST);
        // Whatever the index is: an HNSW must keep as many candidates as it returns, a DISKANN too, and an IVF look into some lists.
        // Parameters of other indexes are ignored.
        let params = format!(r#"{{"ef":{nearest},"search_list":{nearest},"nprobe":64}}"#);
        let wanted = Wanted {
            field: &field.name,
            metric: &metric,
            params: &params,
            places,
            nearest,
            among: Self::condition(scan).unwrap_or_default(),
        };
        let action = format!("sample the keys of collection `{}`", scan.collection);
        let found = self.search(&action, scan, wanted).await?;
        let ids = found.and_then(|found| found.ids).and_then(|ids| ids.id_field);
        Ok(match ids {
            Some(IdField::StrId(keys)) => Some(keys.data.into_iter().map(Key::Text).collect()),
            Some(IdField::IntId(keys)) => Some(keys.data.into_iter().map(Key::Int).collect()),
            _ => None,
        })
    }
}

/// Places among the vectors of a field, the same each time; none where its type is not known to be searched on all servers.
fn somewhere(field: &Field) -> Option<PlaceholderValue> {
    let dim = field.dim()?;
    let kind = match field.data_type {
        DataType::FloatVector => PlaceholderType::FloatVector,
        DataType::BinaryVector => PlaceholderType::BinaryVector,
        _ => return None,
    };
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        // Xorshift: anything that does not repeat soon will do.
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        (number >> 32) as u32
    };
    let mut place = || -> Vec<u8> {
        if kind == PlaceholderType::BinaryVector {
            return (0..dim / 8).map(|_| next() as u8).collect();
        }
        (0..dim).flat_map(|_| (next() as f32 / u32::MAX as f32 - 0.5).to_le_bytes()).collect()
    };
    let values = (0..PLACES).map(|_| place()).collect();
    Some(PlaceholderValue { tag: "$0".to_owned(), r#type: kind.into(), values, ..Default::default() })
}
