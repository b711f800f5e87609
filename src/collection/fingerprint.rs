//! Fingerprints: the sum, modulo 2^128, of a hash of each row. The order of rows does not matter, and both a lost and a
//! doubled row show. Verification compares nothing else, so what is not hashed here is not proven.

use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray,
    ListArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{ArrowNativeType, ToByteSlice};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::{BatchError, DataType, Field, JsonHasher, RowBatch};

/// The sum of row hashes and the number of rows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// Rows.
    pub rows: u64,
    /// Sum of their hashes modulo 2^128.
    pub sum: u128,
}

impl Fingerprint {
    /// Adds one row.
    pub fn add(&mut self, hash: u128) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Adds the rows of another fingerprint.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}", self.rows, self.sum)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = text
            .split_once(':')
            .and_then(|(rows, sum)| Some(Self { rows: rows.parse().ok()?, sum: u128::from_str_radix(sum, 16).ok()? }));
        parsed.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a fingerprint (rows:hash)")))
    }
}

/// Hashes rows over a fixed list of fields. Two hashers agree where names and types of the fields agree, in whatever order
/// the fields come.
#[derive(Debug, Clone)]
pub struct RowHasher {
    fields: Vec<Field>,
}

impl RowHasher {
    /// A hasher over `fields`.
    pub fn new(mut fields: Vec<Field>) -> Self {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Self { fields }
    }

    /// Fingerprint of all rows of a batch.
    pub fn fingerprint(&self, batch: &RowBatch) -> Result<Fingerprint, BatchError> {
        let mut fingerprint = Fingerprint::default();
        // From the last to the first: the last were received last and are still in the cache, and the first are sent next.
        self.each_of(batch, (0..batch.rows()).rev(), |_, hash| fingerprint.add(hash))?;
        Ok(fingerprint)
    }

    /// Fingerprint of all rows of several batches.
    pub fn fingerprint_of(&self, batches: &[RowBatch]) -> Result<Fingerprint, BatchError> {
        let mut fingerprint = Fingerprint::default();
        for batch in batches {
            fingerprint.merge(self.fingerprint(batch)?);
        }
        Ok(fingerprint)
    }

    /// Calls `row` with the number and the hash of each row.
    pub fn each(&self, batch: &RowBatch, row: impl FnMut(usize, u128)) -> Result<(), BatchError> {
        self.each_of(batch, 0..batch.rows(), row)
    }

    fn each_of(
        &self,
        batch: &RowBatch,
        numbers: impl Iterator<Item = usize>,
        mut row: impl FnMut(usize, u128),
    ) -> Result<(), BatchError> {
        let columns = self
            .fields
            .iter()
            .map(|field| {
                let array = batch.column(&field.name).ok_or_else(|| BatchError::MissingColumn(field.name.clone()))?;
                Column::new(field, array)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (mut bytes, mut json) = (Vec::with_capacity(256), JsonHasher::default());
        for number in numbers {
            bytes.clear();
            for column in &columns {
                column.write(number, &mut json, &mut bytes);
            }
            row(number, XxHash3_128::oneshot(&bytes));
        }
        Ok(())
    }
}

/// A column with its type settled once, so that no row pays for finding out.
enum Column<'a> {
    Bool(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Text(&'a StringArray),
    Instant(&'a StringArray),
    Json(&'a BinaryArray, bool),
    Sparse(&'a BinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
    Float32s(&'a FixedSizeListArray, &'a [f32]),
    Float16s(&'a FixedSizeListArray, &'a [half::f16]),
    Int8s(&'a FixedSizeListArray, &'a [i8]),
    List(&'a ListArray, Box<Column<'a>>),
}

impl<'a> Column<'a> {
    fn new(field: &Field, array: &'a ArrayRef) -> Result<Self, BatchError> {
        let expected = field.arrow().ok_or_else(|| BatchError::Unsupported(field.name.clone()))?;
        if *array.data_type() != expected {
            return Err(BatchError::Type {
                column: field.name.clone(),
                found: array.data_type().to_string(),
                expected: expected.to_string(),
            });
        }
        Ok(match field.data_type {
            DataType::Array => {
                let list = array.as_list::<i32>();
                let element = Field::new("item", field.element_type.unwrap_or(DataType::Unknown(0)));
                Self::List(list, Box::new(Self::new(&element, list.values())?))
            }
            DataType::Bool => Self::Bool(array.as_boolean()),
            DataType::Int8 => Self::Int8(array.as_primitive()),
            DataType::Int16 => Self::Int16(array.as_primitive()),
            DataType::Int32 => Self::Int32(array.as_primitive()),
            DataType::Int64 => Self::Int64(array.as_primitive()),
            DataType::Float => Self::Float(array.as_primitive()),
            DataType::Double => Self::Double(array.as_primitive()),
            DataType::VarChar | DataType::Text | DataType::Geometry => Self::Text(array.as_string()),
            DataType::Timestamptz => Self::Instant(array.as_string()),
            DataType::Json => Self::Json(array.as_binary(), field.name == super::DYNAMIC_FIELD),
            DataType::SparseFloatVector => Self::Sparse(array.as_binary()),
            DataType::BFloat16Vector | DataType::BinaryVector => Self::Fixed(array.as_fixed_size_binary()),
            DataType::FloatVector => {
                let list = array.as_fixed_size_list();
                Self::Float32s(list, list.values().as_primitive::<Float32Type>().values())
            }
            DataType::Float16Vector => {
                let list = array.as_fixed_size_list();
                Self::Float16s(list, list.values().as_primitive::<Float16Type>().values())
            }
            DataType::Int8Vector => {
                let list = array.as_fixed_size_list();
                Self::Int8s(list, list.values().as_primitive::<Int8Type>().values())
            }
            DataType::ArrayOfStruct | DataType::Unknown(_) => {
                return Err(BatchError::Unsupported(field.name.clone()));
            }
        })
    }

    /// Appends a row's value, so that no two different rows give the same bytes: a marker for null, then values of fixed
    /// size as they are and others behind their length.
    fn write(&self, row: usize, json: &mut JsonHasher, out: &mut Vec<u8>) {
        match self {
            Self::Bool(array) => {
                if mark(*array, row, out) {
                    out.push(u8::from(array.value(row)));
                }
            }
            Self::Int8(array) => primitive(array, row, out),
            Self::Int16(array) => primitive(array, row, out),
            Self::Int32(array) => primitive(array, row, out),
            Self::Int64(array) => primitive(array, row, out),
            Self::Float(array) => float(array, f32::NAN, row, out),
            Self::Double(array) => float(array, f64::NAN, row, out),
            Self::Text(array) => {
                if mark(*array, row, out) {
                    sized(array.value(row).as_bytes(), out);
                }
            }
            Self::Instant(array) => {
                if mark(*array, row, out) {
                    // Servers write the same instant with the offset of their own time zone.
                    match array.value(row).parse::<jiff::Timestamp>() {
                        Ok(instant) => out.extend_from_slice(&instant.as_nanosecond().to_le_bytes()),
                        Err(_) => sized(array.value(row).as_bytes(), out),
                    }
                }
            }
            Self::Json(array, dynamic) => {
                // A row without dynamic keys is `{}` to some servers and null to others.
                if *dynamic && array.is_null(row) {
                    out.push(1);
                    out.extend_from_slice(&json.hash(b"{}").to_le_bytes());
                } else if mark(*array, row, out) {
                    out.extend_from_slice(&json.hash(array.value(row)).to_le_bytes());
                }
            }
            Self::Sparse(array) => {
                if mark(*array, row, out) {
                    sparse(array.value(row), out);
                }
            }
            Self::Fixed(array) => {
                if mark(*array, row, out) {
                    out.extend_from_slice(array.value(row));
                }
            }
            Self::Float32s(list, values) => vector(list, values, row, out),
            Self::Float16s(list, values) => vector(list, values, row, out),
            Self::Int8s(list, values) => vector(list, values, row, out),
            Self::List(list, items) => {
                if mark(*list, row, out) {
                    let offsets = list.value_offsets();
                    let range = offsets[row].as_usize()..offsets[row + 1].as_usize();
                    out.extend_from_slice(&(range.len() as u64).to_le_bytes());
                    for item in range {
                        items.write(item, json, out);
                    }
                }
            }
        }
    }
}

/// Writes whether there is a value, and says so.
fn mark(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> bool {
    let present = array.is_valid(row);
    out.push(u8::from(present));
    present
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn primitive<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize, out: &mut Vec<u8>) {
    if mark(array, row, out) {
        out.extend_from_slice(array.values()[row].to_byte_slice());
    }
}

/// All that are no number count as one: 2.3.5 returns the bits of a NaN as they came until it has flushed the row, and other
/// bits from then on.
fn float<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, nan: T::Native, row: usize, out: &mut Vec<u8>) {
    if mark(array, row, out) {
        let value = array.values()[row];
        let value = if value.partial_cmp(&value).is_none() { nan } else { value };
        out.extend_from_slice(value.to_byte_slice());
    }
}

fn vector<T: ArrowNativeType>(list: &FixedSizeListArray, values: &[T], row: usize, out: &mut Vec<u8>) {
    if mark(list, row, out) {
        let start = list.value_offset_at(row);
        let end = start + list.value_length().as_usize();
        out.extend_from_slice(values[start..end].to_byte_slice());
    }
}

/// A sparse vector by its (index, value) pairs, in the order of the indexes, whatever order they came in.
fn sparse(bytes: &[u8], out: &mut Vec<u8>) {
    let (pairs, rest) = bytes.as_chunks::<8>();
    let index = |pair: &[u8; 8]| u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]);
    if pairs.is_sorted_by_key(index) {
        return sized(bytes, out);
    }
    let mut pairs = pairs.to_vec();
    pairs.sort_by_key(index);
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(pairs.as_flattened());
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder, StringBuilder};
    use proptest::prelude::*;

    use super::*;

    fn fields() -> Vec<Field> {
        let mut vector = Field::new("v", DataType::FloatVector);
        vector.params.insert("dim".into(), "2".into());
        vec![
            Field { primary_key: true, ..Field::new("id", DataType::Int64) },
            Field::new("title", DataType::VarChar),
            Field { element_type: Some(DataType::VarChar), ..Field::new("tags", DataType::Array) },
            vector,
        ]
    }

    type Row = (i64, Option<String>, Vec<String>, [f32; 2]);

    fn batch(rows: &[Row]) -> RowBatch {
        let item = |data_type| arrow_schema::Field::new("item", data_type, false);
        let mut tags = ListBuilder::new(StringBuilder::new()).with_field(item(arrow_schema::DataType::Utf8));
        let mut vectors =
            FixedSizeListBuilder::new(Float32Builder::new(), 2).with_field(item(arrow_schema::DataType::Float32));
        for row in rows {
            row.2.iter().for_each(|tag| tags.values().append_value(tag));
            tags.append(true);
            vectors.values().append_slice(&row.3);
            vectors.append(true);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>()),
            Arc::new(tags.finish()),
            Arc::new(vectors.finish()),
        ];
        RowBatch::new(&fields(), columns).unwrap()
    }

    fn print(rows: &[Row]) -> Fingerprint {
        RowHasher::new(fields()).fingerprint(&batch(rows)).unwrap()
    }

    #[test]
    fn what_belongs_where_counts() {
        let row = |title: Option<&str>, tags: &[&str]| {
            (1, title.map(str::to_owned), tags.iter().map(|tag| (*tag).to_owned()).collect(), [0.0, 1.0])
        };
        let prints: Vec<_> = [
            row(None, &[]),
            row(Some(""), &[]),
            row(None, &[""]),
            row(Some("a"), &["b"]),
            row(Some(""), &["ab"]),
            row(Some(""), &["a", "b"]),
        ]
        .iter()
        .map(|row| print(std::slice::from_ref(row)))
        .collect();
        for (i, a) in prints.iter().enumerate() {
            for b in &prints[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn a_fingerprint_survives_being_written() {
        let fingerprint = Fingerprint { rows: 7, sum: u128::MAX - 3 };
        let text = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), fingerprint);
        assert!(serde_json::from_str::<Fingerprint>("\"7\"").is_err());
    }

    #[test]
    fn sparse_vectors_are_compared_by_their_pairs() {
        let pair = |index: u32, value: f32| [index.to_le_bytes(), value.to_le_bytes()].concat();
        let written = |bytes: Vec<u8>| {
            let mut out = Vec::new();
            sparse(&bytes, &mut out);
            out
        };
        let (a, b) = (pair(1, 0.5), pair(70_000, 2.0));
        assert_eq!(written([a.clone(), b.clone()].concat()), written([b, a.clone()].concat()));
        assert_ne!(written(a), written(pair(1, 0.25)));
    }

    proptest! {
        /// Order does not count, a lost, doubled or changed row does, and slices add up to the whole.
        #[test]
        fn a_fingerprint_is_a_multiset(
            rows in prop::collection::vec((any::<i64>(), any::<Option<String>>(), prop::collection::vec(".{0,3}", 0..3), any::<[f32; 2]>()), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = print(&rows);
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert_eq!(print(&reversed), whole);

            let cut = cut.index(rows.len());
            let hasher = RowHasher::new(fields());
            let full = batch(&rows);
            let mut sum = hasher.fingerprint(&full.slice(0, cut)).unwrap();
            sum.merge(hasher.fingerprint(&full.slice(cut, rows.len() - cut)).unwrap());
            prop_assert_eq!(sum, whole);

            let mut doubled = rows.clone();
            doubled.push(rows[cut].clone());
            prop_assert_ne!(print(&doubled), whole);
            let mut changed = rows.clone();
            changed[cut].2.push("x".into());
            prop_assert_ne!(print(&changed).sum, whole.sum);
        }
    }

    #[test]
    fn what_is_no_number_counts_as_one_and_zeros_as_two() {
        let hash = |value: f64| {
            let field = Field { primary_key: true, ..Field::new("x", DataType::Double) };
            let column: ArrayRef = Arc::new(PrimitiveArray::<Float64Type>::from(vec![value]));
            let rows = RowBatch::new(std::slice::from_ref(&field), vec![column]).unwrap();
            RowHasher::new(vec![field]).fingerprint(&rows).unwrap()
        };
        assert_eq!(hash(f64::NAN), hash(f64::from_bits(0x7ff8_0000_0000_0001)));
        assert_ne!(hash(f64::NAN), hash(f64::INFINITY));
        assert_ne!(hash(0.0), hash(-0.0));
    }
}
