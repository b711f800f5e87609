//! Constants and default values as columns of one row, and nulls filled with them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, Scalar, StringArray};
use arrow_schema::DataType as Arrow;
use serde_json::Value;

use super::scalar::{Builder, Cell};
use super::text::instant_of_micros;
use super::{arrow, from_values};
use crate::collection::{BatchError, DataType, DefaultValue, Field, LengthUnit};

/// A plan's constant or default as a column of one row of `to`, or why it does not fit. JSON's null becomes a null.
pub fn constant(value: &Value, to: &Field, unit: LengthUnit, json_scalars: bool) -> Result<ArrayRef, String> {
    let converted =
        from_values(vec![Some(value.clone())], to, unit, false, json_scalars).map_err(|error| match error {
            BatchError::Unsupported(_) => format!("a plan holds no values of {}", to.type_text()),
            error => error.to_string(),
        })?;
    match converted.misfits.into_iter().next() {
        None => Ok(converted.array),
        Some(misfit) => Err(misfit.reason),
    }
}

/// The same as the default value of a field, in the type that servers store it in. Lengths are held against characters,
/// which refuses nothing that a server takes; [`constant`] knows the server's unit. Fails for types that have no default
/// value: arrays and vectors, and for null.
pub fn default_value(value: &Value, to: &Field) -> Result<DefaultValue, String> {
    if to.data_type == DataType::Array {
        return Err(format!("{} has no default value", to.type_text()));
    }
    let column = constant(value, to, LengthUnit::Characters, true)?;
    let text = || column.as_string_opt::<i32>().map(|texts| DefaultValue::Text(texts.value(0).to_owned()));
    let read = match to.data_type {
        _ if column.is_null(0) => return Err("null is no default value".to_owned()),
        DataType::Bool => column.as_boolean_opt().map(|values| DefaultValue::Bool(values.value(0))),
        DataType::Int8 => column.as_primitive_opt::<Int8Type>().map(|v| DefaultValue::Int(v.value(0).into())),
        DataType::Int16 => column.as_primitive_opt::<Int16Type>().map(|v| DefaultValue::Int(v.value(0).into())),
        DataType::Int32 => column.as_primitive_opt::<Int32Type>().map(|v| DefaultValue::Int(v.value(0))),
        DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(|v| DefaultValue::Long(v.value(0))),
        DataType::Float => column.as_primitive_opt::<Float32Type>().map(|v| DefaultValue::Float(v.value(0))),
        DataType::Double => column.as_primitive_opt::<Float64Type>().map(|v| DefaultValue::Double(v.value(0))),
        DataType::VarChar | DataType::Text | DataType::Geometry | DataType::Timestamptz => text(),
        DataType::Json => column.as_binary_opt::<i32>().map(|v| DefaultValue::Bytes(v.value(0).to_vec())),
        _ => None,
    };
    read.ok_or_else(|| format!("{} has no default value", to.type_text()))
}

/// The default value of a field as a column of one row, to fill nulls with. Fails where the value is not of the field's
/// type.
pub fn default_array(default: &DefaultValue, to: &Field) -> Result<ArrayRef, String> {
    let cell = match default {
        DefaultValue::Bool(value) => Cell::Bool(*value),
        DefaultValue::Int(value) => Cell::Int((*value).into()),
        DefaultValue::Long(value) => Cell::Int((*value).into()),
        DefaultValue::Float(value) => Cell::Single(*value),
        DefaultValue::Double(value) => Cell::Double(*value),
        DefaultValue::Bytes(bytes) if to.data_type == DataType::Json => {
            return Ok(Arc::new(BinaryArray::from_iter_values([bytes])));
        }
        DefaultValue::Bytes(bytes) => Cell::Text(String::from_utf8_lossy(bytes)),
        // As JSON, it is the document itself.
        DefaultValue::Text(text) if to.data_type == DataType::Json => {
            return Ok(Arc::new(BinaryArray::from_iter_values([text.as_bytes()])));
        }
        DefaultValue::Text(text) => Cell::Text(Cow::Borrowed(text)),
        DefaultValue::Timestamp(micros) => {
            let text = instant_of_micros(*micros).ok_or_else(|| format!("{default} is outside TIMESTAMPTZ"))?;
            if to.data_type == DataType::Timestamptz {
                return Ok(Arc::new(StringArray::from_iter_values([text])));
            }
            Cell::Text(Cow::Owned(text))
        }
    };
    let mut builder = Builder::new(to.data_type, 1).map_err(|error| error.to_string())?;
    builder.push(Ok(Some(cell)));
    let converted = builder.finish().map_err(|error| error.to_string())?;
    match converted.misfits.into_iter().next() {
        None => Ok(converted.array),
        Some(misfit) => Err(misfit.reason),
    }
}

/// `column` with its nulls replaced by the one row of `with`; the very same column where there is nothing to do. Fails where
/// `with` is of another form or has not one row, and where the result would not fit into one Arrow array.
pub fn fill_nulls(column: &ArrayRef, with: &ArrayRef) -> Result<ArrayRef, BatchError> {
    if with.len() != 1 {
        return Err(BatchError::Arrow(format!("nulls are filled with one value, and not with {}", with.len())));
    }
    if with.data_type() != column.data_type() {
        return Err(BatchError::Arrow(format!(
            "nulls of {} cannot be filled with {}",
            column.data_type(),
            with.data_type()
        )));
    }
    if column.null_count() == 0 || with.is_null(0) {
        return Ok(Arc::clone(column));
    }
    // Arrow's kernel panics where offsets overflow. Truth values take less than a byte each, so elements are counted too.
    let bytes = |array: &ArrayRef| array.to_data().get_slice_memory_size().unwrap_or(usize::MAX);
    let elements = |array: &ArrayRef| match array.as_list_opt::<i32>().map(|lists| lists.value_offsets()) {
        Some([first, .., last]) => last.abs_diff(*first) as usize,
        _ => 0,
    };
    let filled = |measure: &dyn Fn(&ArrayRef) -> usize| {
        measure(with).saturating_mul(column.null_count()).saturating_add(measure(column))
    };
    let has_offsets = matches!(column.data_type(), Arrow::Utf8 | Arrow::Binary | Arrow::List(_));
    if has_offsets && i32::try_from(filled(&bytes).max(filled(&elements))).is_err() {
        return Err(BatchError::Arrow("a filled column is larger than 2 GiB: use smaller batches".to_owned()));
    }
    let nulls = BooleanArray::from_iter((0..column.len()).map(|row| Some(column.is_null(row))));
    arrow_select::zip::zip(&nulls, &Scalar::new(Arc::clone(with)), column).map_err(arrow)
}
