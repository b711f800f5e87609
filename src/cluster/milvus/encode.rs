//! Columns from Arrow to the wire, in the form that inserts want, which is not the form that queries answer with.
//!
//! - Ids of fields stay zero: Milvus finds the key by id first, and ids of another cluster point at the wrong column.
//! - Empty arrays get their typed member: Milvus 2.3.5 dies of an array without one.
//! - Nullable columns are sent without placeholders, with the validity list beside the data and never within it.
//! - Every value is checked against its field before anything is sent: 2.3.5 acknowledges a column of the wrong type, dies
//!   of it, and dies again at every start.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{ArrowNativeType, ToByteSlice};
use milvus::proto::schema::{
    ArrayArray, BoolArray, DoubleArray, FieldData, FloatArray, GeometryWktArray, IntArray, JsonArray, LongArray,
    ScalarField, SparseFloatArray, StringArray as WireStrings, VectorField, field_data, scalar_field, vector_field,
};

use crate::collection::{Capabilities, DYNAMIC_FIELD, DataType, Field, LengthUnit, RowBatch};

/// The columns of `rows` as an insert or upsert into fields of `fields` wants them. An error names field, key and reason.
pub fn columns(fields: &[Field], rows: &RowBatch, capabilities: &Capabilities) -> Result<Vec<FieldData>, String> {
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

fn column(field: &Field, array: &ArrayRef, capabilities: &Capabilities) -> FieldData {
    let nullable = field.nullable && capabilities.nullable;
    // Servers from 2.5 to 2.6.11 want the validity of defaulted fields spelled out, older ones none at all.
    let spelled_out = nullable || (field.default.is_some() && capabilities.defaults);
    let valid_data = if spelled_out { (0..array.len()).map(|row| array.is_valid(row)).collect() } else { Vec::new() };
    let array = if array.null_count() > 0 && field.name != DYNAMIC_FIELD { &without_nulls(array) } else { array };
    let data = if field.data_type.is_vector() {
        field_data::Field::Vectors(vectors(field, array))
    } else {
        field_data::Field::Scalars(scalars(field.data_type, field.element_type, array))
    };
    FieldData {
        r#type: field.data_type.number(),
        field_name: field.name.clone(),
        field: Some(data),
        field_id: 0,
        is_dynamic: field.name == DYNAMIC_FIELD,
        valid_data,
    }
}

/// The values that are there. Filtering by the validity of the array itself cannot fail.
fn without_nulls(array: &ArrayRef) -> ArrayRef {
    let keep = BooleanArray::from_iter((0..array.len()).map(|row| Some(array.is_valid(row))));
    arrow_select::filter::filter(array, &keep).unwrap_or_else(|_| array.clone())
}

fn scalars(data_type: DataType, element: Option<DataType>, array: &ArrayRef) -> ScalarField {
    use scalar_field::Data;
    let data = match data_type {
        DataType::Bool => {
            let values = array.as_boolean();
            Data::BoolData(BoolArray { data: values.values().iter().collect() })
        }
        DataType::Int8 => Data::IntData(IntArray {
            data: array.as_primitive::<Int8Type>().values().iter().map(|v| i32::from(*v)).collect(),
        }),
        DataType::Int16 => Data::IntData(IntArray {
            data: array.as_primitive::<Int16Type>().values().iter().map(|v| i32::from(*v)).collect(),
        }),
        DataType::Int32 => Data::IntData(IntArray { data: array.as_primitive::<Int32Type>().values().to_vec() }),
        DataType::Int64 => Data::LongData(LongArray { data: array.as_primitive::<Int64Type>().values().to_vec() }),
        DataType::Float => Data::FloatData(FloatArray { data: array.as_primitive::<Float32Type>().values().to_vec() }),
        DataType::Double => {
            Data::DoubleData(DoubleArray { data: array.as_primitive::<Float64Type>().values().to_vec() })
        }
        DataType::Geometry => Data::GeometryWktData(GeometryWktArray { data: texts(array) }),
        DataType::Json => {
            let values = array.as_binary::<i32>();
            // A row without dynamic keys is an empty object to every server.
            let data = (0..values.len())
                .map(|row| if values.is_valid(row) { values.value(row).to_vec() } else { b"{}".to_vec() });
            Data::JsonData(JsonArray { data: data.collect() })
        }
        DataType::Array => {
            let lists = array.as_list::<i32>();
            let element = element.unwrap_or(DataType::Unknown(0));
            let data = (0..lists.len()).map(|row| scalars(element, None, &lists.value(row))).collect();
            Data::ArrayData(ArrayArray { data, element_type: element.number() })
        }
        _ => Data::StringData(WireStrings { data: texts(array) }),
    };
    ScalarField { data: Some(data), valid_data: Vec::new() }
}

fn texts(array: &ArrayRef) -> Vec<String> {
    let texts = array.as_string::<i32>();
    (0..texts.len()).map(|row| texts.value(row).to_owned()).collect()
}

fn vectors(field: &Field, array: &ArrayRef) -> VectorField {
    use vector_field::Data;
    let data = match field.data_type {
        DataType::SparseFloatVector => {
            let values = array.as_binary::<i32>();
            let contents: Vec<Vec<u8>> = (0..values.len()).map(|row| values.value(row).to_vec()).collect();
            let dim = contents
                .iter()
                .flat_map(|row| row.as_chunks::<8>().0)
                .map(|pair| i64::from(u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]])) + 1)
                .max()
                .unwrap_or_default();
            return VectorField {
                dim,
                data: Some(Data::SparseFloatVector(SparseFloatArray { contents, dim })),
                valid_data: Vec::new(),
            };
        }
        DataType::Float16Vector => Data::Float16Vector(items::<Float16Type>(array).to_byte_slice().to_vec()),
        DataType::Int8Vector => Data::Int8Vector(items::<Int8Type>(array).to_byte_slice().to_vec()),
        DataType::BFloat16Vector => Data::Bfloat16Vector(bytes(array)),
        DataType::BinaryVector => Data::BinaryVector(bytes(array)),
        _ => Data::FloatVector(FloatArray { data: items::<Float32Type>(array).to_vec() }),
    };
    let dim = field.dim().and_then(|dim| i64::try_from(dim).ok()).unwrap_or_default();
    VectorField { dim, data: Some(data), valid_data: Vec::new() }
}

/// The numbers of all vectors of a column, end to end; a slice brings only its own.
fn items<T: arrow_array::ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    let list = array.as_fixed_size_list();
    let width = list.value_length().as_usize();
    let start = if list.is_empty() { 0 } else { list.value_offset_at(0) };
    &list.values().as_primitive::<T>().values()[start..start + list.len() * width]
}

/// The bytes of all vectors of a column, end to end.
fn bytes(array: &ArrayRef) -> Vec<u8> {
    let values = array.as_fixed_size_binary();
    (0..values.len()).flat_map(|row| values.value(row)).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int16Builder, ListBuilder};
    use arrow_array::{BinaryArray, Int64Array, StringArray};

    use super::super::capabilities::{self, Version};
    use super::super::decode;
    use super::*;

    fn new_server() -> Capabilities {
        capabilities::of(Version::parse("2.6.20"))
    }

    fn key() -> (Field, ArrayRef) {
        (Field { primary_key: true, ..Field::new("id", DataType::Int64) }, Arc::new(Int64Array::from(vec![7, -8, 9])))
    }

    /// Encodes a column beside a key, and decodes what was encoded.
    fn through(field: &Field, array: ArrayRef) -> Result<(Vec<FieldData>, ArrayRef), String> {
        let (key_field, keys) = key();
        let fields = [key_field, field.clone()];
        let rows = RowBatch::new(&fields, vec![keys, array]).map_err(|error| error.to_string())?;
        let wire = columns(&fields, &rows, &new_server())?;
        let back = decode::batch(&fields, wire.clone()).map_err(|error| error.to_string())?;
        Ok((wire, back.column(&field.name).unwrap().clone()))
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
