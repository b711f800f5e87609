//! Columns from the wire to Arrow. Vectors move by their buffer, or in one copy; only text, integers and values of varying
//! length are gone through one by one.
//!
//! Facts this rests on (tried on 2.3.5 and milvus-lite 3.2.2): columns come in any order, so they are matched by name; a
//! nullable scalar comes at full length with placeholders and a validity list, a nullable vector without placeholders; the
//! validity stands beside the data or, in newest servers, within it; an empty array comes without its typed member.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Float32Array, Int8Array, ListArray,
    UInt32Array, new_empty_array,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType as Arrow, Field as ArrowField};
use bytes::Bytes;

use super::gather;
use super::values::{self, Refused, Spans, Values};
use super::wire::{self, Column, Data, Malformed, Piece, Pieces};
use crate::collection::{BatchError, DataType, Field, RowBatch};

/// Most bytes that a column of vectors may take with its nulls; as much as a whole answer may hold.
const MOST_ROOM: usize = 256 << 20;

/// A batch with the columns of `fields`, taken out of an answer. Other columns are dropped.
pub fn batch(fields: &[Field], mut answer: Vec<Column>) -> Result<RowBatch, BatchError> {
    let key = fields
        .iter()
        .find(|field| field.primary_key)
        .ok_or_else(|| BatchError::MissingColumn("primary key".to_owned()))?;
    // An answer without rows may leave out its columns, or bring them empty.
    let keys = answer.iter().find(|data| data.name == key.name);
    let has_keys = keys.is_some();
    let rows = keys.map_or(Ok(0), key_rows).map_err(|Malformed| BatchError::Malformed(key.name.clone()))?;
    if rows == 0 {
        for data in answer {
            let Some(field) = fields.iter().find(|field| field.name == data.name) else { continue };
            match column(field, data, 0) {
                Err(BatchError::Length { rows: 1.., .. }) if !has_keys => {
                    return Err(BatchError::MissingColumn(key.name.clone()));
                }
                Err(error @ (BatchError::Length { rows: 1.., .. } | BatchError::Malformed(_))) => return Err(error),
                _ => {}
            }
        }
        return RowBatch::new(fields, fields.iter().map(empty).collect::<Result<_, _>>()?);
    }
    let columns = fields
        .iter()
        .map(|field| {
            let position = answer
                .iter()
                .position(|data| data.name == field.name)
                .ok_or_else(|| BatchError::MissingColumn(field.name.clone()))?;
            column(field, answer.swap_remove(position), rows)
        })
        .collect::<Result<Vec<_>, _>>()?;
    RowBatch::new(fields, columns)
}

/// The number in an answer to `count(*)`.
pub fn count(answer: &[Column]) -> Option<i64> {
    let Some(Data::Scalars(scalars)) = answer.first()?.data.as_ref() else { return None };
    let (3, counts) = Parts::of(scalars, 1..=16, 17).ok()?.data? else { return None };
    let mut first = None;
    let whole = wire::varints(counts, |count| {
        first.get_or_insert(count as i64);
        Ok(())
    });
    whole.ok().and(first)
}

fn empty(field: &Field) -> Result<ArrayRef, BatchError> {
    let form = field.arrow().ok_or_else(|| BatchError::Unsupported(field.name.clone()))?;
    Ok(new_empty_array(&form))
}

fn key_rows(data: &Column) -> Result<usize, Malformed> {
    let Some(Data::Scalars(scalars)) = &data.data else { return Ok(0) };
    match Parts::of(scalars, 1..=16, 17)?.data {
        Some((tag @ (3 | 6), keys)) => values::count(tag, keys),
        _ => Ok(0),
    }
}

/// What stands in a `ScalarField` or a `VectorField`.
#[derive(Debug, Default)]
struct Parts<'a> {
    /// Field 1 of a `VectorField`.
    dim: usize,
    /// The values: which of the members it is, and its bytes.
    data: Option<(u32, &'a [u8])>,
    valid: Vec<bool>,
}

impl<'a> Parts<'a> {
    /// `members` are the numbers of the fields that values may stand in, `validity` that of the list of nulls.
    fn of(message: &'a [u8], members: std::ops::RangeInclusive<u32>, validity: u32) -> Result<Self, Malformed> {
        let mut parts = Self::default();
        for piece in Pieces::of(message) {
            match piece? {
                (tag, Piece::Bytes(values)) if members.contains(&tag) => parts.data = Some((tag, values)),
                (tag, _) if members.contains(&tag) => return Err(Malformed),
                (tag, Piece::Varint(valid)) if tag == validity => parts.valid.push(valid != 0),
                (tag, Piece::Bytes(valid)) if tag == validity => {
                    parts.valid.extend(valid.iter().map(|valid| *valid != 0))
                }
                (1, Piece::Varint(dim)) => parts.dim = usize::try_from(dim as i64).unwrap_or_default(),
                _ => {}
            }
        }
        Ok(parts)
    }
}

/// One column, with nulls where its validity says so.
fn column(field: &Field, data: Column, rows: usize) -> Result<ArrayRef, BatchError> {
    let malformed = |Malformed| BatchError::Malformed(field.name.clone());
    let (values, inner) = match &data.data {
        Some(Data::Scalars(message)) => {
            let parts = Parts::of(message, 1..=16, 17).map_err(malformed)?;
            let values = match parts.data {
                Some((tag, values)) => scalar(field, tag, values)?,
                // A column in which every row is null, or every array empty, may come without data.
                None => empty(field)?,
            };
            (values, parts.valid)
        }
        Some(Data::Vectors(message)) => {
            let parts = Parts::of(message, 2..=8, 9).map_err(malformed)?;
            let values = match parts.data {
                Some((tag, values)) => vector(field, tag, message.slice_ref(values), parts.dim)?,
                None => empty(field)?,
            };
            (values, parts.valid)
        }
        Some(Data::Structs(_)) => {
            return Err(BatchError::Unsupported(field.name.clone()));
        }
        None => (empty(field)?, Vec::new()),
    };
    let valid = if inner.is_empty() { data.valid } else { inner };
    with_nulls(field, values, valid, rows)
}

/// Sets nulls, and makes room for them where the values came without placeholders.
fn with_nulls(field: &Field, values: ArrayRef, valid: Vec<bool>, rows: usize) -> Result<ArrayRef, BatchError> {
    let length = |found| BatchError::Length { column: field.name.clone(), rows: found, expected: rows };
    if valid.is_empty() || valid.iter().all(|valid| *valid) {
        return if values.len() == rows { Ok(values) } else { Err(length(values.len())) };
    }
    if valid.len() != rows {
        return Err(length(valid.len()));
    }
    let present = valid.iter().filter(|valid| **valid).count();
    if values.len() == rows {
        let nulls = NullBuffer::new(BooleanBuffer::from(valid));
        let data = values
            .to_data()
            .into_builder()
            .nulls(Some(nulls))
            .build()
            .map_err(|error| BatchError::Arrow(error.to_string()))?;
        return Ok(arrow_array::make_array(data));
    }
    if values.len() != present {
        return Err(length(values.len()));
    }
    // Arrow makes room for vectors that are null, so a list of bits can ask for more memory than there is.
    let room = field.data_type.typical_bytes(field.dim()).saturating_mul(rows);
    if field.data_type.is_vector() && field.data_type != DataType::SparseFloatVector && room > MOST_ROOM {
        return Err(BatchError::TooLarge(field.name.clone()));
    }
    let mut next = 0_u32;
    let places: UInt32Array = valid
        .iter()
        .map(|valid| {
            valid.then(|| {
                let place = next;
                next += 1;
                place
            })
        })
        .collect();
    arrow_select::take::take(&values, &places, None).map_err(|error| BatchError::Arrow(error.to_string()))
}

/// Values of a scalar column, without nulls. `tag` says which member of `ScalarField` they are.
fn scalar(field: &Field, tag: u32, message: &[u8]) -> Result<ArrayRef, BatchError> {
    if field.data_type == DataType::Array && tag == 8 {
        return Ok(Arc::new(list(field, message)?));
    }
    let mut values = Values::of(field.data_type).ok_or_else(|| refused(field, Refused::Holds(values::name(tag))))?;
    values.append(tag, message).map_err(|error| refused(field, error))?;
    values.finish().map_err(|error| no_values(field, &error))
}

fn refused(field: &Field, error: Refused) -> BatchError {
    match error {
        Refused::Malformed => BatchError::Malformed(field.name.clone()),
        Refused::Holds(found) => BatchError::Type {
            column: field.name.clone(),
            found: found.to_owned(),
            expected: field.data_type.to_string(),
        },
    }
}

/// Text that is no text.
fn no_values(field: &Field, error: &str) -> BatchError {
    BatchError::Arrow(format!("column `{}`: {error}", field.name))
}

/// The arrays of a column, their elements end to end.
fn list(field: &Field, message: &[u8]) -> Result<ListArray, BatchError> {
    let unsupported = || BatchError::Unsupported(field.name.clone());
    let malformed = |Malformed| BatchError::Malformed(field.name.clone());
    let element = Field::new(field.name.clone(), field.element_type.unwrap_or(DataType::Unknown(0)));
    let form = element.arrow().ok_or_else(unsupported)?;
    let mut values = Values::of(element.data_type).ok_or_else(unsupported)?;
    let mut ends = vec![0_i32];
    for piece in Pieces::of(message) {
        let row = match piece.map_err(malformed)? {
            (1, Piece::Bytes(row)) => row,
            (1, _) => return Err(malformed(Malformed)),
            _ => continue,
        };
        if let Some((tag, items)) = Parts::of(row, 1..=16, 17).map_err(malformed)?.data {
            values.append(tag, items).map_err(|error| refused(&element, error))?;
        }
        ends.push(i32::try_from(values.len()).map_err(|_| malformed(Malformed))?);
    }
    ListArray::try_new(
        Arc::new(ArrowField::new("item", form, false)),
        OffsetBuffer::new(ends.into()),
        values.finish().map_err(|error| no_values(field, &error))?,
        None,
    )
    .map_err(|error| BatchError::Arrow(error.to_string()))
}

/// Values of a vector column, without nulls. `tag` says which member of `VectorField` they are.
fn vector(field: &Field, tag: u32, message: Bytes, dim: usize) -> Result<ArrayRef, BatchError> {
    let mismatch = |found: String| BatchError::Type { column: field.name.clone(), found, expected: field.type_text() };
    let malformed = |Malformed| BatchError::Malformed(field.name.clone());
    let declared = field.dim();
    if field.data_type != DataType::SparseFloatVector && declared != Some(dim) {
        return Err(mismatch(format!("vectors of dimension {dim}")));
    }
    match (field.data_type, tag) {
        (DataType::FloatVector, 2) => {
            let values = numbers(wire::fixed::<4>(&message).map_err(malformed)?);
            fixed_list(field, Arrow::Float32, dim, Arc::new(Float32Array::new(values, None)))
        }
        (DataType::Float16Vector, 4) => {
            if !message.len().is_multiple_of(2) {
                return Err(BatchError::Length { column: field.name.clone(), rows: message.len(), expected: dim });
            }
            fixed_list(field, Arrow::Float16, dim, Arc::new(Float16Array::new(numbers(message), None)))
        }
        (DataType::Int8Vector, 7) => {
            fixed_list(field, Arrow::Int8, dim, Arc::new(Int8Array::new(numbers(message), None)))
        }
        (DataType::BFloat16Vector, 5) => fixed_bytes(field, dim.saturating_mul(2), message),
        (DataType::BinaryVector, 3) => fixed_bytes(field, dim.div_ceil(8), message),
        (DataType::SparseFloatVector, 6) => {
            let mut rows = Spans::default();
            rows.append(&message).map_err(malformed)?;
            Ok(Arc::new(rows.binary().map_err(|error| no_values(field, &error))?))
        }
        (_, tag) => Err(mismatch(vector_name(tag).to_owned())),
    }
}

/// Numbers where they lie, if that is the memory of their column alone and they begin at an address that such numbers may stand at,
/// and otherwise copied. Sharing other memory would keep all of it from being freed.
fn numbers<T: ArrowNativeType>(bytes: Bytes) -> ScalarBuffer<T> {
    let values = bytes.len() / size_of::<T>();
    let aligned = bytes.as_ptr().align_offset(align_of::<T>()) == 0;
    let buffer =
        if aligned && bytes.len() >= gather::LARGE { Buffer::from(bytes) } else { Buffer::from_slice_ref(&bytes[..]) };
    ScalarBuffer::new(buffer, 0, values)
}

fn fixed_list(field: &Field, item: Arrow, dim: usize, values: ArrayRef) -> Result<ArrayRef, BatchError> {
    if dim == 0 || !values.len().is_multiple_of(dim) {
        return Err(BatchError::Length { column: field.name.clone(), rows: values.len(), expected: dim });
    }
    let width = i32::try_from(dim).map_err(|_| BatchError::Unsupported(field.name.clone()))?;
    FixedSizeListArray::try_new(Arc::new(ArrowField::new("item", item, false)), width, values, None)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| BatchError::Arrow(error.to_string()))
}

fn fixed_bytes(field: &Field, width: usize, bytes: Bytes) -> Result<ArrayRef, BatchError> {
    if width == 0 || !bytes.len().is_multiple_of(width) {
        return Err(BatchError::Length { column: field.name.clone(), rows: bytes.len(), expected: width });
    }
    let width = i32::try_from(width).map_err(|_| BatchError::Unsupported(field.name.clone()))?;
    FixedSizeBinaryArray::try_new(width, numbers::<u8>(bytes).into_inner(), None)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| BatchError::Arrow(error.to_string()))
}

/// What `VectorField` holds under a number.
fn vector_name(tag: u32) -> &'static str {
    match tag {
        2 => "float vectors",
        3 => "binary vectors",
        4 => "float16 vectors",
        5 => "bfloat16 vectors",
        6 => "sparse vectors",
        7 => "int8 vectors",
        _ => "arrays of vectors",
    }
}

#[cfg(test)]
mod tests {
    use milvus::proto::milvus::QueryResults;
    use milvus::proto::schema::{
        FieldData, LongArray, ScalarField, VectorField, field_data, scalar_field, vector_field,
    };
    use prost::Message;

    use super::*;

    /// By way of the wire.
    fn batch(fields: &[Field], fields_data: Vec<FieldData>) -> Result<RowBatch, BatchError> {
        let sent = QueryResults { fields_data, ..QueryResults::default() }.encode_to_vec();
        super::batch(fields, wire::Answer::decode(Bytes::from(sent)).unwrap().fields_data)
    }

    fn keys(keys: &[i64]) -> FieldData {
        let data = Some(scalar_field::Data::LongData(LongArray { data: keys.to_vec() }));
        FieldData {
            field_name: "id".into(),
            field: Some(field_data::Field::Scalars(ScalarField { data, valid_data: Vec::new() })),
            ..FieldData::default()
        }
    }

    fn vectors(data: Option<vector_field::Data>, dim: i64, valid_data: Vec<bool>) -> FieldData {
        FieldData {
            field_name: "v".into(),
            field: Some(field_data::Field::Vectors(VectorField { dim, data, valid_data: Vec::new() })),
            valid_data,
            ..FieldData::default()
        }
    }

    fn fields(data_type: DataType, dim: usize) -> [Field; 2] {
        let mut vector = Field { nullable: true, ..Field::new("v", data_type) };
        vector.params.insert("dim".into(), dim.to_string());
        [Field { primary_key: true, ..Field::new("id", DataType::Int64) }, vector]
    }

    #[test]
    fn columns_without_keys_are_not_taken_for_an_empty_answer() {
        let fields = fields(DataType::Int8Vector, 2);
        let four = || vectors(Some(vector_field::Data::Int8Vector(vec![1, 2, 3, 4])), 2, Vec::new());
        assert_eq!(batch(&fields, vec![four()]).unwrap_err(), BatchError::MissingColumn("id".into()));
        assert!(matches!(batch(&fields, vec![four(), keys(&[])]), Err(BatchError::Length { rows: 2, .. })));
        // Empty answers come in all forms.
        let empty = || vectors(Some(vector_field::Data::Int8Vector(Vec::new())), 0, Vec::new());
        for answer in [vec![], vec![empty()], vec![keys(&[])], vec![keys(&[]), empty()]] {
            assert_eq!(batch(&fields, answer).unwrap().rows(), 0);
        }
    }

    #[test]
    fn half_a_number_is_no_number() {
        let odd = vectors(Some(vector_field::Data::Float16Vector(vec![0; 5])), 2, Vec::new());
        assert!(matches!(
            batch(&fields(DataType::Float16Vector, 2), vec![keys(&[1]), odd]),
            Err(BatchError::Length { rows: 5, .. })
        ));
    }

    #[test]
    fn a_few_bits_do_not_cost_gigabytes() {
        let rows: Vec<i64> = (0..1_000).collect();
        let nulls = vectors(None, 1 << 20, vec![false; rows.len()]);
        let fields = fields(DataType::FloatVector, 1 << 20);
        assert_eq!(batch(&fields, vec![keys(&rows), nulls]).unwrap_err(), BatchError::TooLarge("v".into()));
    }
}
