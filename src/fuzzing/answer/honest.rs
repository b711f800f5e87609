//! Fields, and answers about them in the forms that servers use.

use arbitrary::{Result, Unstructured};
use milvus::proto::schema::{
    ArrayArray, BoolArray, DoubleArray, FieldData, FloatArray, IntArray, JsonArray, LongArray, ScalarField,
    SparseFloatArray, StringArray, VectorField, field_data, scalar_field, vector_field,
};

use crate::collection::{DYNAMIC_FIELD, DataType, Field};

const SCALARS: [DataType; 11] = [
    DataType::Bool,
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::Float,
    DataType::Double,
    DataType::VarChar,
    DataType::Json,
    DataType::Timestamptz,
    DataType::Geometry,
];
const OTHERS: [DataType; 7] = [
    DataType::Array,
    DataType::FloatVector,
    DataType::Float16Vector,
    DataType::BFloat16Vector,
    DataType::BinaryVector,
    DataType::Int8Vector,
    DataType::SparseFloatVector,
];

/// A primary key and a few fields beside it, and how many rows an answer about them has.
pub fn fields(source: &mut Unstructured<'_>) -> Result<(Vec<Field>, usize)> {
    let rows = source.int_in_range(0..=6)?;
    let key = if source.arbitrary()? { DataType::Int64 } else { DataType::VarChar };
    let mut fields = vec![Field { primary_key: true, ..Field::new("id", key) }];
    for number in 0..source.int_in_range(0..=4)? {
        let data_type = match source.arbitrary()? {
            true => *source.choose(&SCALARS)?,
            false => *source.choose(&OTHERS)?,
        };
        let mut field = Field::new(format!("f{number}"), data_type);
        field.nullable = source.arbitrary()?;
        match data_type {
            DataType::Array => field.element_type = Some(*source.choose(&SCALARS)?),
            DataType::BinaryVector => dim(&mut field, source.int_in_range(1..=3)? * 8),
            _ if data_type.is_vector() && data_type != DataType::SparseFloatVector => {
                let small = source.int_in_range(1..=5)?;
                dim(&mut field, small);
            }
            _ => {}
        }
        fields.push(field);
    }
    if source.arbitrary()? {
        fields.push(Field::dynamic());
    }
    Ok((fields, rows))
}

fn dim(field: &mut Field, dim: usize) {
    field.params.insert("dim".into(), dim.to_string());
}

/// A column of each field, in any of the forms that servers answer in: nulls with placeholders or without, their places
/// beside the data or within it, empty arrays without their type.
pub fn columns(source: &mut Unstructured<'_>, fields: &[Field], rows: usize) -> Result<Vec<FieldData>> {
    fields.iter().map(|field| column(source, field, rows)).collect()
}

fn column(source: &mut Unstructured<'_>, field: &Field, rows: usize) -> Result<FieldData> {
    let has_nulls = field.nullable && source.arbitrary()?;
    let valid: Vec<bool> =
        if has_nulls { (0..rows).map(|_| source.arbitrary()).collect::<Result<_>>()? } else { Vec::new() };
    let placeholders = !has_nulls || (!field.data_type.is_vector() && source.arbitrary()?);
    let values = if placeholders { rows } else { valid.iter().filter(|valid| **valid).count() };
    let within = source.arbitrary()?;
    let (beside, inner) = if within { (Vec::new(), valid) } else { (valid, Vec::new()) };
    let data = if field.data_type.is_vector() {
        let dim = field.dim().unwrap_or_default();
        let data = Some(vectors(source, field.data_type, dim, values)?);
        field_data::Field::Vectors(VectorField { dim: dim as i64, data, valid_data: inner })
    } else {
        let data = Some(scalars(source, field.data_type, field.element_type, values)?);
        field_data::Field::Scalars(ScalarField { data, valid_data: inner })
    };
    Ok(FieldData {
        r#type: field.data_type.number(),
        field_name: field.name.clone(),
        field: Some(data),
        field_id: 0,
        is_dynamic: field.name == DYNAMIC_FIELD,
        valid_data: beside,
    })
}

/// `rows` values.
pub fn scalars(
    source: &mut Unstructured<'_>,
    data_type: DataType,
    element: Option<DataType>,
    rows: usize,
) -> Result<scalar_field::Data> {
    use scalar_field::Data;
    fn each<'a, T>(
        source: &mut Unstructured<'a>,
        rows: usize,
        value: impl Fn(&mut Unstructured<'a>) -> Result<T>,
    ) -> Result<Vec<T>> {
        (0..rows).map(|_| value(source)).collect()
    }
    Ok(match data_type {
        DataType::Bool => Data::BoolData(BoolArray { data: each(source, rows, |s| s.arbitrary())? }),
        DataType::Int8 => {
            Data::IntData(IntArray { data: each(source, rows, |s| Ok(i32::from(s.arbitrary::<i8>()?)))? })
        }
        DataType::Int16 => {
            Data::IntData(IntArray { data: each(source, rows, |s| Ok(i32::from(s.arbitrary::<i16>()?)))? })
        }
        DataType::Int32 => Data::IntData(IntArray { data: each(source, rows, |s| s.arbitrary())? }),
        DataType::Int64 => Data::LongData(LongArray { data: each(source, rows, |s| s.arbitrary())? }),
        DataType::Float => Data::FloatData(FloatArray { data: each(source, rows, |s| s.arbitrary())? }),
        DataType::Double => Data::DoubleData(DoubleArray { data: each(source, rows, |s| s.arbitrary())? }),
        DataType::Json => Data::JsonData(JsonArray { data: each(source, rows, json)? }),
        DataType::Array => {
            let element = element.unwrap_or(DataType::Bool);
            let data = each(source, rows, |source| {
                let length = source.int_in_range(0..=3)?;
                // An empty array comes without its typed member, or with it.
                let typed = length > 0 || source.arbitrary()?;
                let data = if typed { Some(scalars(source, element, None, length)?) } else { None };
                Ok(ScalarField { data, valid_data: Vec::new() })
            })?;
            Data::ArrayData(ArrayArray { data, element_type: element.number() })
        }
        _ => Data::StringData(StringArray { data: each(source, rows, |s| s.arbitrary())? }),
    })
}

/// JSON, or what a broken server takes for it.
fn json(source: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    const COMMON: [&str; 6] = ["{}", "null", r#"{"a":1}"#, r#"{"a":1.0,"b":[true,null]}"#, "1e400", r#""\ud800""#];
    match source.arbitrary()? {
        true => Ok(source.choose(&COMMON)?.as_bytes().to_vec()),
        false => source.arbitrary(),
    }
}

/// `rows` vectors.
pub fn vectors(
    source: &mut Unstructured<'_>,
    data_type: DataType,
    dim: usize,
    rows: usize,
) -> Result<vector_field::Data> {
    use vector_field::Data;
    let bytes = |source: &mut Unstructured<'_>, width: usize| -> Result<Vec<u8>> {
        Ok(source.bytes((rows * width).min(1 << 10))?.to_vec())
    };
    Ok(match data_type {
        DataType::Float16Vector => Data::Float16Vector(bytes(source, dim * 2)?),
        DataType::BFloat16Vector => Data::Bfloat16Vector(bytes(source, dim * 2)?),
        DataType::BinaryVector => Data::BinaryVector(bytes(source, dim / 8)?),
        DataType::Int8Vector => Data::Int8Vector(bytes(source, dim)?),
        DataType::SparseFloatVector => {
            let contents = (0..rows)
                .map(|_| Ok(source.bytes(source.len().min(8 * rows.min(3)))?.to_vec()))
                .collect::<Result<_>>()?;
            Data::SparseFloatVector(SparseFloatArray { contents, dim: 0 })
        }
        _ => {
            let data = (0..rows * dim).map(|_| source.arbitrary()).collect::<Result<_>>()?;
            Data::FloatVector(FloatArray { data })
        }
    })
}
