//! What a broken or hostile server does to an answer.

use arbitrary::{Result, Unstructured};
use milvus::proto::schema::{FieldData, ScalarField, field_data, scalar_field, vector_field};

use super::honest;
use crate::collection::DataType;

/// Does one thing to a column of an answer.
pub fn one(source: &mut Unstructured<'_>, columns: &mut Vec<FieldData>) -> Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let at = source.choose_index(columns.len())?;
    let kind = source.int_in_range(0..=9)?;
    match kind {
        0 => drop(columns.remove(at)),
        1 => {
            let twin = columns[at].clone();
            columns.insert(0, twin);
        }
        2 => columns[at].field = None,
        3 => columns[at].field_name = source.arbitrary()?,
        4 => columns[at].valid_data = source.arbitrary()?,
        5 => match &mut columns[at].field {
            Some(field_data::Field::Scalars(scalars)) => scalars.valid_data = source.arbitrary()?,
            Some(field_data::Field::Vectors(vectors)) => vectors.valid_data = source.arbitrary()?,
            _ => {}
        },
        6 => {
            let (data_type, length) =
                (DataType::from_number(source.int_in_range(1..=26)?), source.int_in_range(0..=7)?);
            let element = Some(DataType::from_number(source.int_in_range(1..=26)?));
            let data = honest::scalars(source, data_type, element, length)?;
            columns[at].field =
                Some(field_data::Field::Scalars(ScalarField { data: Some(data), valid_data: Vec::new() }));
        }
        7 => {
            if let Some(field_data::Field::Vectors(vectors)) = &mut columns[at].field {
                let data_type = DataType::from_number(source.int_in_range(100..=105)?);
                let (dim, rows) = (source.int_in_range(0..=6)?, source.int_in_range(0..=7)?);
                vectors.data = Some(honest::vectors(source, data_type, dim, rows)?);
            }
        }
        8 => {
            if let Some(field_data::Field::Vectors(vectors)) = &mut columns[at].field {
                vectors.dim = source.arbitrary()?;
            }
        }
        _ => shorten(columns[at].field.as_mut(), source.int_in_range(0..=12)?),
    }
    Ok(())
}

/// Cuts a column off.
fn shorten(field: Option<&mut field_data::Field>, length: usize) {
    use scalar_field::Data as Scalar;
    use vector_field::Data as Vector;
    match field {
        Some(field_data::Field::Scalars(scalars)) => match &mut scalars.data {
            Some(Scalar::BoolData(values)) => values.data.truncate(length),
            Some(Scalar::IntData(values)) => values.data.truncate(length),
            Some(Scalar::LongData(values)) => values.data.truncate(length),
            Some(Scalar::FloatData(values)) => values.data.truncate(length),
            Some(Scalar::DoubleData(values)) => values.data.truncate(length),
            Some(Scalar::StringData(values)) => values.data.truncate(length),
            Some(Scalar::JsonData(values)) => values.data.truncate(length),
            Some(Scalar::ArrayData(values)) => values.data.truncate(length),
            _ => {}
        },
        Some(field_data::Field::Vectors(vectors)) => match &mut vectors.data {
            Some(Vector::FloatVector(values)) => values.data.truncate(length),
            Some(Vector::SparseFloatVector(values)) => values.contents.truncate(length),
            Some(
                Vector::BinaryVector(bytes)
                | Vector::Float16Vector(bytes)
                | Vector::Bfloat16Vector(bytes)
                | Vector::Int8Vector(bytes),
            ) => bytes.truncate(length),
            _ => {}
        },
        _ => {}
    }
}
