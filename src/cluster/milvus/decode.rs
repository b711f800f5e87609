//! Columns from the wire to Arrow. Numbers and vectors move by their buffer; only text, small integers and values of
//! varying length are gone through one by one.
//!
//! Facts this rests on (tried on 2.3.5 and milvus-lite 3.2.2): columns come in any order, so they are matched by name; a
//! nullable scalar comes at full length with placeholders and a validity list, a nullable vector without placeholders; the
//! validity stands beside the data or, in newest servers, within it; an empty array comes without its typed member.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, StringArray, UInt32Array, new_empty_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType as Arrow, Field as ArrowField};
use milvus::proto::schema::{FieldData, ScalarField, field_data, scalar_field, vector_field};

use crate::collection::{BatchError, DataType, Field, RowBatch};

/// Most bytes that a column of vectors may take with its nulls; as much as a whole answer may hold.
const MOST_ROOM: usize = 256 << 20;

/// A batch with the columns of `fields`, taken out of an answer. Other columns are dropped.
pub fn batch(fields: &[Field], mut answer: Vec<FieldData>) -> Result<RowBatch, BatchError> {
    let key = fields
        .iter()
        .find(|field| field.primary_key)
        .ok_or_else(|| BatchError::MissingColumn("primary key".to_owned()))?;
    // An answer without rows may leave out its columns, or bring them empty.
    let keys = answer.iter().find(|data| data.field_name == key.name);
    let has_keys = keys.is_some();
    let rows = keys.map_or(0, scalar_rows);
    if rows == 0 {
        for data in answer {
            let Some(field) = fields.iter().find(|field| field.name == data.field_name) else { continue };
            match column(field, data, 0) {
                Err(BatchError::Length { rows: 1.., .. }) if !has_keys => {
                    return Err(BatchError::MissingColumn(key.name.clone()));
                }
                Err(error @ BatchError::Length { rows: 1.., .. }) => return Err(error),
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
                .position(|data| data.field_name == field.name)
                .ok_or_else(|| BatchError::MissingColumn(field.name.clone()))?;
            column(field, answer.swap_remove(position), rows)
        })
        .collect::<Result<Vec<_>, _>>()?;
    RowBatch::new(fields, columns)
}

fn empty(field: &Field) -> Result<ArrayRef, BatchError> {
    let form = field.arrow().ok_or_else(|| BatchError::Unsupported(field.name.clone()))?;
    Ok(new_empty_array(&form))
}

fn scalar_rows(data: &FieldData) -> usize {
    match &data.field {
        Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::LongData(keys)), .. })) => {
            keys.data.len()
        }
        Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::StringData(keys)), .. })) => {
            keys.data.len()
        }
        _ => 0,
    }
}

/// One column, with nulls where its validity says so.
fn column(field: &Field, data: FieldData, rows: usize) -> Result<ArrayRef, BatchError> {
    let outer = data.valid_data;
    let (values, inner) = match data.field {
        Some(field_data::Field::Scalars(scalars)) => {
            let values = match scalars.data {
                Some(values) => scalar(field, values)?,
                // A column in which every row is null, or every array empty, may come without data.
                None => empty(field)?,
            };
            (values, scalars.valid_data)
        }
        Some(field_data::Field::Vectors(vectors)) => {
            let dim = usize::try_from(vectors.dim).unwrap_or_default();
            let values = match vectors.data {
                Some(values) => vector(field, values, dim)?,
                None => empty(field)?,
            };
            (values, vectors.valid_data)
        }
        Some(field_data::Field::StructArrays(_)) => {
            return Err(BatchError::Unsupported(field.name.clone()));
        }
        None => (empty(field)?, Vec::new()),
    };
    let valid = if inner.is_empty() { outer } else { inner };
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

/// Values of a scalar column, without nulls.
fn scalar(field: &Field, values: scalar_field::Data) -> Result<ArrayRef, BatchError> {
    use scalar_field::Data;
    let mismatch = |found: &str| BatchError::Type {
        column: field.name.clone(),
        found: found.to_owned(),
        expected: field.data_type.to_string(),
    };
    Ok(match (field.data_type, values) {
        (DataType::Bool, Data::BoolData(values)) => Arc::new(BooleanArray::from(values.data)),
        (DataType::Int8, Data::IntData(values)) => Arc::new(
            small(values.data, |v| i8::try_from(v).ok())
                .map(Int8Array::from)
                .ok_or_else(|| mismatch("a larger number"))?,
        ),
        (DataType::Int16, Data::IntData(values)) => Arc::new(
            small(values.data, |v| i16::try_from(v).ok())
                .map(Int16Array::from)
                .ok_or_else(|| mismatch("a larger number"))?,
        ),
        (DataType::Int32, Data::IntData(values)) => Arc::new(Int32Array::new(values.data.into(), None)),
        (DataType::Int64, Data::LongData(values)) => Arc::new(Int64Array::new(values.data.into(), None)),
        (DataType::Float, Data::FloatData(values)) => Arc::new(Float32Array::new(values.data.into(), None)),
        (DataType::Double, Data::DoubleData(values)) => Arc::new(Float64Array::new(values.data.into(), None)),
        (DataType::VarChar | DataType::Text | DataType::Timestamptz | DataType::Geometry, Data::StringData(values)) => {
            Arc::new(StringArray::from(values.data))
        }
        (DataType::Geometry, Data::GeometryWktData(values)) => Arc::new(StringArray::from(values.data)),
        (DataType::Json, Data::JsonData(values)) => Arc::new(BinaryArray::from_iter_values(values.data)),
        (DataType::Array, Data::ArrayData(rows)) => Arc::new(list(field, rows.data)?),
        (_, other) => return Err(mismatch(&wire_name(&other))),
    })
}

fn small<T>(values: Vec<i32>, narrow: impl Fn(i32) -> Option<T>) -> Option<Vec<T>> {
    values.into_iter().map(narrow).collect()
}

/// The arrays of a column, their elements end to end.
fn list(field: &Field, rows: Vec<ScalarField>) -> Result<ListArray, BatchError> {
    let element = Field::new(field.name.clone(), field.element_type.unwrap_or(DataType::Unknown(0)));
    let form = element.arrow().ok_or_else(|| BatchError::Unsupported(field.name.clone()))?;
    let mut lengths = Vec::with_capacity(rows.len());
    let mut parts: Vec<ArrayRef> = Vec::with_capacity(rows.len());
    for row in rows {
        match row.data {
            Some(values) => {
                let part = scalar(&element, values)?;
                lengths.push(part.len());
                parts.push(part);
            }
            None => lengths.push(0),
        }
    }
    let values = if parts.is_empty() {
        new_empty_array(&form)
    } else {
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        arrow_select::concat::concat(&parts).map_err(|error| BatchError::Arrow(error.to_string()))?
    };
    ListArray::try_new(
        Arc::new(ArrowField::new("item", form, false)),
        OffsetBuffer::from_lengths(lengths),
        values,
        None,
    )
    .map_err(|error| BatchError::Arrow(error.to_string()))
}

/// Values of a vector column, without nulls.
fn vector(field: &Field, values: vector_field::Data, dim: usize) -> Result<ArrayRef, BatchError> {
    use vector_field::Data;
    let mismatch = |found: String| BatchError::Type { column: field.name.clone(), found, expected: field.type_text() };
    let declared = field.dim();
    if field.data_type != DataType::SparseFloatVector && declared != Some(dim) {
        return Err(mismatch(format!("vectors of dimension {dim}")));
    }
    match (field.data_type, values) {
        (DataType::FloatVector, Data::FloatVector(values)) => {
            fixed_list(field, Arrow::Float32, dim, Arc::new(Float32Array::new(values.data.into(), None)))
        }
        (DataType::Float16Vector, Data::Float16Vector(bytes)) => {
            if !bytes.len().is_multiple_of(2) {
                return Err(BatchError::Length { column: field.name.clone(), rows: bytes.len(), expected: dim });
            }
            let values = bytes.len() / 2;
            let buffer = ScalarBuffer::<half::f16>::new(aligned(bytes), 0, values);
            fixed_list(field, Arrow::Float16, dim, Arc::new(Float16Array::new(buffer, None)))
        }
        (DataType::Int8Vector, Data::Int8Vector(bytes)) => {
            let values = bytes.len();
            let buffer = ScalarBuffer::<i8>::new(Buffer::from_vec(bytes), 0, values);
            fixed_list(field, Arrow::Int8, dim, Arc::new(Int8Array::new(buffer, None)))
        }
        (DataType::BFloat16Vector, Data::Bfloat16Vector(bytes)) => fixed_bytes(field, dim.saturating_mul(2), bytes),
        (DataType::BinaryVector, Data::BinaryVector(bytes)) => fixed_bytes(field, dim.div_ceil(8), bytes),
        (DataType::SparseFloatVector, Data::SparseFloatVector(values)) => {
            Ok(Arc::new(BinaryArray::from_iter_values(values.contents)))
        }
        (_, other) => Err(mismatch(vector_name(&other).to_owned())),
    }
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

fn fixed_bytes(field: &Field, width: usize, bytes: Vec<u8>) -> Result<ArrayRef, BatchError> {
    if width == 0 || !bytes.len().is_multiple_of(width) {
        return Err(BatchError::Length { column: field.name.clone(), rows: bytes.len(), expected: width });
    }
    let width = i32::try_from(width).map_err(|_| BatchError::Unsupported(field.name.clone()))?;
    FixedSizeBinaryArray::try_new(width, Buffer::from_vec(bytes), None)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| BatchError::Arrow(error.to_string()))
}

/// Bytes at an address that 16-bit numbers may stand at. Allocators give one, so the copy is for the case that none is
/// promised.
fn aligned(bytes: Vec<u8>) -> Buffer {
    let buffer = Buffer::from_vec(bytes);
    if buffer.as_ptr().align_offset(align_of::<half::f16>()) == 0 {
        buffer
    } else {
        Buffer::from_slice_ref(buffer.as_slice())
    }
}

fn wire_name(data: &scalar_field::Data) -> String {
    use scalar_field::Data;
    match data {
        Data::BoolData(_) => "booleans",
        Data::IntData(_) => "32-bit integers",
        Data::LongData(_) => "64-bit integers",
        Data::FloatData(_) => "floats",
        Data::DoubleData(_) => "doubles",
        Data::StringData(_) => "strings",
        Data::JsonData(_) => "JSON values",
        Data::ArrayData(_) => "arrays",
        _ => "values of another type",
    }
    .to_owned()
}

fn vector_name(data: &vector_field::Data) -> &'static str {
    use vector_field::Data;
    match data {
        Data::FloatVector(_) => "float vectors",
        Data::BinaryVector(_) => "binary vectors",
        Data::Float16Vector(_) => "float16 vectors",
        Data::Bfloat16Vector(_) => "bfloat16 vectors",
        Data::SparseFloatVector(_) => "sparse vectors",
        Data::Int8Vector(_) => "int8 vectors",
        Data::VectorArray(_) => "arrays of vectors",
    }
}

#[cfg(test)]
mod tests {
    use milvus::proto::schema::{LongArray, VectorField};

    use super::*;

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
