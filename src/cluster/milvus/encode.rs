//! Columns from Arrow to the wire, in the form that inserts want, which is not the form that queries answer with.
//!
//! - Ids of fields stay zero: Milvus finds the key by id first, and ids of another cluster point at the wrong column.
//! - Empty arrays get their typed member: Milvus 2.3.5 dies of an array without one.
//! - Nullable columns are sent without placeholders, with the validity list beside the data and never within it.
//! - Every value is checked against its field before anything is sent: 2.3.5 acknowledges a column of the wrong type, dies
//!   of it, and dies again at every start.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray};
use arrow_buffer::{ArrowNativeType, Buffer};
use bytes::Bytes;
use prost::encoding as proto;

use super::rope::Rope;
use crate::cluster::Destination;
use crate::collection::{Capabilities, DYNAMIC_FIELD, DataType, Field, LengthUnit, RowBatch};

/// The request that inserts or upserts `rows`, which have the same form.
pub fn request(to: &Destination, rows: &RowBatch, capabilities: &Capabilities) -> Result<Rope, String> {
    let mut request = Rope::default();
    let mut head = Vec::new();
    proto::string::encode(2, &to.database, &mut head);
    proto::string::encode(3, &to.collection, &mut head);
    proto::string::encode(4, to.partition.as_ref().unwrap_or(&String::new()), &mut head);
    // Batches are far smaller than 2^32 rows.
    proto::uint32::encode(7, &u32::try_from(rows.rows()).unwrap_or(u32::MAX), &mut head);
    request.bytes(head);
    for column in columns(&to.fields, rows, capabilities)? {
        request.field(5, column);
    }
    Ok(request)
}

/// The columns of `rows` as an insert or upsert into fields of `fields` wants them. An error names field, key and reason.
pub fn columns(fields: &[Field], rows: &RowBatch, capabilities: &Capabilities) -> Result<Vec<Rope>, String> {
    fields
        .iter()
        .map(|field| {
            let array = rows.column(&field.name).ok_or_else(|| format!("field `{}` has no column", field.name))?;
            let expected = field.arrow();
            if expected.as_ref() != Some(array.data_type()) {
                return Err(format!(
                    "field `{}` is {} but its column is {}",
                    field.name,
                    field.type_text(),
                    array.data_type()
                ));
            }
            check(field, array, rows, capabilities)?;
            Ok(column(field, array, capabilities))
        })
        .collect()
}

/// Refuses values that the field cannot hold.
fn check(field: &Field, array: &ArrayRef, rows: &RowBatch, capabilities: &Capabilities) -> Result<(), String> {
    let misfit = |row: usize, reason: String| {
        Err(format!("field `{}` of the row with key {}: {reason}", field.name, rows.key(row)))
    };
    if !field.nullable
        && field.name != DYNAMIC_FIELD
        && let Some(row) = (array.null_count() > 0).then(|| (0..array.len()).find(|row| array.is_null(*row))).flatten()
    {
        return misfit(row, "null, but the target's field is not nullable".to_owned());
    }
    let measure = |text: &str| match capabilities.length_unit {
        LengthUnit::Bytes => text.len(),
        LengthUnit::Characters => text.chars().count(),
    };
    let unit = match capabilities.length_unit {
        LengthUnit::Bytes => "bytes",
        LengthUnit::Characters => "characters",
    };
    match field.data_type {
        DataType::VarChar => {
            let texts = array.as_string::<i32>();
            if let Some(most) = field.max_length() {
                for row in 0..texts.len() {
                    if texts.is_valid(row) && measure(texts.value(row)) > most {
                        let length = measure(texts.value(row));
                        return misfit(row, format!("{length} {unit}, but max_length is {most}"));
                    }
                }
            }
        }
        DataType::Array => {
            let lists = array.as_list::<i32>();
            if let Some(most) = field.max_capacity() {
                for row in 0..lists.len() {
                    let length = lists.value_length(row).as_usize();
                    if lists.is_valid(row) && length > most {
                        return misfit(row, format!("{length} elements, but max_capacity is {most}"));
                    }
                }
            }
            if let (Some(DataType::VarChar), Some(most)) = (field.element_type, field.max_length()) {
                let texts = lists.values().as_string::<i32>();
                for row in 0..lists.len() {
                    let offsets = lists.value_offsets();
                    for item in offsets[row].as_usize()..offsets[row + 1].as_usize() {
                        let length = measure(texts.value(item));
                        if length > most {
                            return misfit(row, format!("an element has {length} {unit}, but max_length is {most}"));
                        }
                    }
                }
            }
        }
        DataType::SparseFloatVector => {
            let vectors = array.as_binary::<i32>();
            for row in 0..vectors.len() {
                if vectors.is_valid(row) && !vectors.value(row).len().is_multiple_of(8) {
                    return misfit(row, "a sparse vector that is not made of pairs of index and value".to_owned());
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A `FieldData`.
fn column(field: &Field, array: &ArrayRef, capabilities: &Capabilities) -> Rope {
    let nullable = field.nullable && capabilities.nullable;
    // Servers from 2.5 to 2.6.11 want the validity of defaulted fields spelled out, older ones none at all.
    let spelled_out = nullable || (field.default.is_some() && capabilities.defaults);
    let mut head = Vec::new();
    proto::int32::encode(1, &field.data_type.number(), &mut head);
    proto::string::encode(2, &field.name, &mut head);
    if field.name == DYNAMIC_FIELD {
        proto::bool::encode(6, &true, &mut head);
    }
    if spelled_out {
        let valid: Vec<bool> = (0..array.len()).map(|row| array.is_valid(row)).collect();
        proto::bool::encode_packed(7, &valid, &mut head);
    }
    let mut column = Rope::default();
    column.bytes(head);
    let array = if array.null_count() > 0 && field.name != DYNAMIC_FIELD { &without_nulls(array) } else { array };
    if field.data_type.is_vector() {
        column.field(4, vectors(field, array));
    } else {
        column.field(3, scalars(field.data_type, field.element_type, array));
    }
    column
}

/// The values that are there. Filtering by the validity of the array itself cannot fail.
fn without_nulls(array: &ArrayRef) -> ArrayRef {
    let keep = BooleanArray::from_iter((0..array.len()).map(|row| Some(array.is_valid(row))));
    arrow_select::filter::filter(array, &keep).unwrap_or_else(|_| array.clone())
}

/// A `ScalarField`.
fn scalars(data_type: DataType, element: Option<DataType>, array: &ArrayRef) -> Rope {
    let (tag, values) = match data_type {
        DataType::Float => (4, packed(memory(array.as_primitive::<Float32Type>().values().inner()))),
        DataType::Double => (5, packed(memory(array.as_primitive::<Float64Type>().values().inner()))),
        DataType::Geometry => (12, texts(array)),
        DataType::Json => (9, objects(array.as_binary())),
        DataType::Array => (8, lists(array, element.unwrap_or(DataType::Unknown(0)))),
        DataType::Bool | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let mut message = Vec::new();
            let tag = member(data_type, array, 0..array.len(), &mut message);
            let mut values = Rope::default();
            values.bytes(message);
            (tag, values)
        }
        _ => (6, texts(array)),
    };
    let mut scalars = Rope::default();
    scalars.field(tag, values);
    scalars
}

/// A message of packed numbers. An empty one has no field, as everybody writes it.
fn packed(values: impl Into<Bytes>) -> Rope {
    let mut content = Rope::default();
    content.bytes(values);
    let mut message = Rope::default();
    if content.len() > 0 {
        message.field(1, content);
    }
    message
}

/// Memory of an array, without a copy.
fn memory(buffer: &Buffer) -> Bytes {
    Bytes::from_owner(buffer.clone())
}

fn texts(array: &ArrayRef) -> Rope {
    let mut texts = Rope::default();
    texts.each(array.as_string::<i32>());
    texts
}

fn objects(values: &BinaryArray) -> Rope {
    let mut objects = Rope::default();
    if values.null_count() == 0 {
        objects.each(values);
    } else {
        // A row without dynamic keys is an empty object to every server.
        let filled = values.iter().map(|value| value.unwrap_or(b"{}"));
        objects.each(&BinaryArray::from_iter_values(filled));
    }
    objects
}

/// An `ArrayArray`, with the typed member in each row.
fn lists(array: &ArrayRef, element: DataType) -> Rope {
    let lists = array.as_list::<i32>();
    // The items of one row, in memory that the next uses again.
    let (mut row, mut message) = (Vec::new(), Vec::new());
    for ends in lists.value_offsets().windows(2) {
        row.clear();
        let tag = member(element, lists.values(), ends[0].as_usize()..ends[1].as_usize(), &mut row);
        head(1, proto::key_len(tag) + proto::encoded_len_varint(row.len() as u64) + row.len(), &mut message);
        head(tag, row.len(), &mut message);
        message.extend_from_slice(&row);
    }
    proto::int32::encode(2, &element.number(), &mut message);
    let mut rope = Rope::default();
    rope.bytes(message);
    rope
}

/// Writes the message of some of the values of an array, and says where in `ScalarField` it stands.
fn member(data_type: DataType, array: &ArrayRef, rows: Range<usize>, out: &mut Vec<u8>) -> u32 {
    match data_type {
        DataType::Bool => {
            if !rows.is_empty() {
                head(1, rows.len(), out);
                out.extend(rows.map(|row| u8::from(array.as_boolean().value(row))));
            }
            1
        }
        DataType::Int8 => integers::<Int8Type>(2, array, rows, out),
        DataType::Int16 => integers::<Int16Type>(2, array, rows, out),
        DataType::Int32 => integers::<Int32Type>(2, array, rows, out),
        DataType::Int64 => integers::<Int64Type>(3, array, rows, out),
        DataType::Float => {
            proto::float::encode_packed(1, &array.as_primitive::<Float32Type>().values()[rows], out);
            4
        }
        DataType::Double => {
            proto::double::encode_packed(1, &array.as_primitive::<Float64Type>().values()[rows], out);
            5
        }
        DataType::Json => each(9, rows, |row| array.as_binary::<i32>().value(row), out),
        DataType::Geometry => each(12, rows, |row| array.as_string::<i32>().value(row).as_bytes(), out),
        _ => each(6, rows, |row| array.as_string::<i32>().value(row).as_bytes(), out),
    }
}

fn integers<T: ArrowPrimitiveType>(tag: u32, array: &ArrayRef, rows: Range<usize>, out: &mut Vec<u8>) -> u32
where
    T::Native: Into<i64>,
{
    let values = array.as_primitive::<T>().values()[rows].iter().map(|value| (*value).into() as u64);
    let length = values.clone().map(proto::encoded_len_varint).sum();
    if length > 0 {
        out.reserve(length + 8);
        head(1, length, out);
        values.for_each(|value| proto::encode_varint(value, out));
    }
    tag
}

fn each<'a>(tag: u32, rows: Range<usize>, value: impl Fn(usize) -> &'a [u8], out: &mut Vec<u8>) -> u32 {
    for row in rows {
        let value = value(row);
        head(1, value.len(), out);
        out.extend_from_slice(value);
    }
    tag
}

/// What stands before a field of that many bytes.
fn head(tag: u32, length: usize, out: &mut Vec<u8>) {
    proto::encode_key(tag, proto::WireType::LengthDelimited, out);
    proto::encode_varint(length as u64, out);
}

/// A `VectorField`.
fn vectors(field: &Field, array: &ArrayRef) -> Rope {
    let mut dim = field.dim().and_then(|dim| i64::try_from(dim).ok()).unwrap_or_default();
    let raw = |bytes: Bytes| {
        let mut raw = Rope::default();
        raw.bytes(bytes);
        raw
    };
    let (tag, values) = match field.data_type {
        DataType::SparseFloatVector => {
            let (rows, largest) = sparse(array.as_binary());
            dim = largest;
            (6, rows)
        }
        DataType::Float16Vector => (4, raw(items::<Float16Type>(array))),
        DataType::Int8Vector => (7, raw(items::<Int8Type>(array))),
        DataType::BFloat16Vector => (5, raw(bytes(array))),
        DataType::BinaryVector => (3, raw(bytes(array))),
        _ => (2, packed(items::<Float32Type>(array))),
    };
    let mut head = Vec::new();
    proto::int64::encode(1, &dim, &mut head);
    let mut vectors = Rope::default();
    vectors.bytes(head);
    vectors.field(tag, values);
    vectors
}

/// A `SparseFloatArray`, and the largest dimension of its rows.
fn sparse(values: &BinaryArray) -> (Rope, i64) {
    let dim = values
        .iter()
        .flatten()
        .flat_map(|row| row.as_chunks::<8>().0)
        .map(|pair| i64::from(u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]])) + 1)
        .max()
        .unwrap_or_default();
    let mut rows = Rope::default();
    rows.each(values);
    let mut tail = Vec::new();
    proto::int64::encode(2, &dim, &mut tail);
    rows.bytes(tail);
    (rows, dim)
}

/// The numbers of all vectors of a column, end to end, without a copy; a slice brings only its own.
fn items<T: ArrowPrimitiveType>(array: &ArrayRef) -> Bytes {
    let list = array.as_fixed_size_list();
    let width = list.value_length().as_usize();
    let start = if list.is_empty() { 0 } else { list.value_offset_at(0) };
    memory(list.values().as_primitive::<T>().values().slice(start, list.len() * width).inner())
}

/// The bytes of all vectors of a column, end to end, without a copy.
fn bytes(array: &ArrayRef) -> Bytes {
    let values = array.as_fixed_size_binary();
    let width = values.value_length().as_usize();
    // A slice of such an array begins where its memory does.
    memory(&values.values().slice_with_length(0, values.len() * width))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int16Builder, ListBuilder};
    use arrow_array::{Int64Array, StringArray};
    use milvus::proto::milvus::{InsertRequest, QueryResults};
    use milvus::proto::schema::{FieldData, ScalarField, VectorField, field_data, scalar_field, vector_field};
    use prost::Message;

    use super::super::capabilities::{self, Version};
    use super::super::{decode, wire};
    use super::*;

    fn new_server() -> Capabilities {
        capabilities::of(Version::parse("2.6.20"))
    }

    fn key() -> (Field, ArrayRef) {
        (Field { primary_key: true, ..Field::new("id", DataType::Int64) }, Arc::new(Int64Array::from(vec![7, -8, 9])))
    }

    fn bytes_of(rope: &Rope) -> Vec<u8> {
        let bytes = rope.clone().pieces().collect::<Vec<_>>().concat();
        assert_eq!(bytes.len(), rope.len());
        bytes
    }

    /// Encodes a column beside a key, and decodes what was encoded, with the generated types in between.
    fn through(field: &Field, array: ArrayRef) -> Result<(Vec<FieldData>, ArrayRef), String> {
        let (key_field, keys) = key();
        let fields = [key_field, field.clone()];
        let rows = RowBatch::new(&fields, vec![keys, array]).map_err(|error| error.to_string())?;
        let to = Destination { database: "d".into(), collection: "c".into(), partition: None, fields: fields.to_vec() };
        let sent = bytes_of(&request(&to, &rows, &new_server())?);
        let sent = InsertRequest::decode(sent.as_slice()).unwrap();
        assert_eq!((sent.db_name.as_str(), sent.collection_name.as_str(), sent.num_rows), ("d", "c", 3));
        let fields_data = sent.fields_data;
        let answer = QueryResults { fields_data: fields_data.clone(), ..QueryResults::default() }.encode_to_vec();
        let answer = wire::Answer::decode(answer.as_slice()).unwrap();
        let back = decode::batch(&fields, answer.fields_data).map_err(|error| error.to_string())?;
        Ok((fields_data, back.column(&field.name).unwrap().clone()))
    }

    #[test]
    fn nullable_text_goes_without_placeholders_and_comes_back() {
        let field = Field { nullable: true, ..Field::new("t", DataType::VarChar) };
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
        let (wire, back) = through(&field, texts.clone()).unwrap();
        assert_eq!(wire[1].valid_data, [true, false, true]);
        let Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::StringData(sent)), .. })) =
            &wire[1].field
        else {
            panic!("{wire:?}")
        };
        assert_eq!(sent.data, ["a", ""]);
        assert_eq!(&back, &texts);
    }

    #[test]
    fn an_empty_array_is_sent_with_its_type() {
        let field = Field { element_type: Some(DataType::Int16), ..Field::new("a", DataType::Array) };
        let item = arrow_schema::Field::new("item", arrow_schema::DataType::Int16, false);
        let mut builder = ListBuilder::new(Int16Builder::new()).with_field(item);
        builder.values().append_slice(&[1, 2]);
        builder.append(true);
        builder.append(true);
        builder.values().append_value(-3);
        builder.append(true);
        let lists: ArrayRef = Arc::new(builder.finish());
        let (wire, back) = through(&field, lists.clone()).unwrap();
        assert_eq!(&back, &lists);
        let Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::ArrayData(rows)), .. })) =
            &wire[1].field
        else {
            panic!("{wire:?}")
        };
        assert!(rows.data.iter().all(|row| row.data.is_some()));
        assert_eq!(rows.element_type, DataType::Int16.number());
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_key() {
        let mut field = Field::new("t", DataType::VarChar);
        field.params.insert("max_length".into(), "3".into());
        let error = through(&field, Arc::new(StringArray::from(vec!["abc", "äöü", ""]))).unwrap_err();
        assert_eq!(error, "field `t` of the row with key -8: 6 bytes, but max_length is 3");
        let error = through(&field, Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]))).unwrap_err();
        assert_eq!(error, "field `t` of the row with key 9: null, but the target's field is not nullable");
    }

    #[test]
    fn a_slice_of_vectors_brings_its_own() {
        let mut field = Field::new("v", DataType::BFloat16Vector);
        field.params.insert("dim".into(), "1".into());
        let all =
            arrow_array::FixedSizeBinaryArray::try_from_iter([[1_u8, 2], [3, 4], [5, 6], [7, 8]].into_iter()).unwrap();
        let (wire, _) = through(&field, Arc::new(all.slice(1, 3))).unwrap();
        let Some(field_data::Field::Vectors(VectorField {
            data: Some(vector_field::Data::Bfloat16Vector(sent)), ..
        })) = &wire[1].field
        else {
            panic!("{wire:?}")
        };
        assert_eq!(sent, &[3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn sparse_rows_keep_their_bytes() {
        let field = Field::new("s", DataType::SparseFloatVector);
        let row: Vec<u8> = [70_000_u32.to_le_bytes(), 1.5_f32.to_le_bytes()].concat();
        let rows: ArrayRef = Arc::new(BinaryArray::from_iter_values([row.clone(), row.clone(), row]));
        let (_, back) = through(&field, rows.clone()).unwrap();
        assert_eq!(&back, &rows);
    }
}
