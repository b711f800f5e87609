//! Truth values, numbers and text, one by one; between numbers by Arrow's casts.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, PrimitiveBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType as Arrow;
use serde_json::Value;

use super::text::{Texts, excerpt, instant};
use super::{Converted, Kind, Misfit, arrow, kind, without};
use crate::collection::{BatchError, DataType};

/// A value on its way from one column to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Bool(bool),
    /// Wide enough for both kinds of 64-bit integers.
    Int(i128),
    Single(f32),
    Double(f64),
    Text(Cow<'a, str>),
    /// The JSON text of an array or an object.
    Compound(String),
}

impl<'a> Cell<'a> {
    /// A JSON value; none for null.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Self::Int(value.into()),
                (None, Some(value)) => Self::Int(value.into()),
                // Every number is one of the three.
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Compound(value.to_string()),
        })
    }

    /// As messages show it.
    fn shown(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Single(value) => format!("{value:?}"),
            Self::Double(value) => format!("{value:?}"),
            Self::Text(text) => format!("`{}`", excerpt(text)),
            Self::Compound(text) => format!("`{}`", excerpt(text)),
        }
    }

    fn is_no(&self, to: DataType) -> String {
        format!("{} is no {to}", self.shown())
    }

    fn is_outside(&self, to: DataType) -> String {
        format!("{} is outside {to}", self.shown())
    }

    fn boolean(&self) -> Result<bool, String> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Int(0) => Some(false),
            Self::Int(1) => Some(true),
            Self::Single(value) if *value == 0.0 || *value == 1.0 => Some(*value == 1.0),
            Self::Double(value) if *value == 0.0 || *value == 1.0 => Some(*value == 1.0),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
        .ok_or_else(|| self.is_no(DataType::Bool))
    }

    fn integer<T: TryFrom<i128>>(&self, to: DataType) -> Result<T, String> {
        let whole = match self {
            Self::Bool(value) => i128::from(*value),
            Self::Int(value) => *value,
            Self::Single(value) => integral(f64::from(*value)).ok_or_else(|| self.is_no(to))?,
            Self::Double(value) => integral(*value).ok_or_else(|| self.is_no(to))?,
            Self::Text(text) => match text.parse::<i128>() {
                Ok(value) => value,
                Err(error) if is_overflow(&error) => return Err(self.is_outside(to)),
                Err(_) => return Err(self.is_no(to)),
            },
            Self::Compound(_) => return Err(self.is_no(to)),
        };
        T::try_from(whole).map_err(|_| self.is_outside(to))
    }

    fn single(&self) -> Result<f32, String> {
        let to = DataType::Float;
        match self {
            Self::Bool(value) => Ok(f32::from(*value)),
            // The cast saturates, and no 64-bit integer comes near to where it would.
            Self::Int(value) if (*value as f32) as i128 == *value => Ok(*value as f32),
            Self::Int(_) => Err(format!("{} has no exact {to}", self.shown())),
            Self::Single(value) => Ok(*value),
            Self::Double(value) if value.is_finite() && (*value as f32).is_infinite() => Err(self.is_outside(to)),
            Self::Double(value) => Ok(*value as f32),
            Self::Text(text) => self.finite(text.parse().ok(), f32::is_finite, to),
            Self::Compound(_) => Err(self.is_no(to)),
        }
    }

    fn double(&self) -> Result<f64, String> {
        let to = DataType::Double;
        match self {
            Self::Bool(value) => Ok(f64::from(*value)),
            Self::Int(value) if (*value as f64) as i128 == *value => Ok(*value as f64),
            Self::Int(_) => Err(format!("{} has no exact {to}", self.shown())),
            Self::Single(value) => Ok(f64::from(*value)),
            Self::Double(value) => Ok(*value),
            Self::Text(text) => self.finite(text.parse().ok(), f64::is_finite, to),
            Self::Compound(_) => Err(self.is_no(to)),
        }
    }

    /// A number that was read from this text. Rust reads words such as `nan` and `infinity` too, and makes an infinity of
    /// digits that are too many.
    fn finite<T: Copy>(&self, read: Option<T>, is_finite: fn(T) -> bool, to: DataType) -> Result<T, String> {
        match read {
            Some(value) if is_finite(value) => Ok(value),
            Some(_) if matches!(self, Self::Text(text) if text.contains(|c: char| c.is_ascii_digit())) => {
                Err(self.is_outside(to))
            }
            _ => Err(self.is_no(to)),
        }
    }

    /// Its text. Numbers are written as JSON writes them.
    pub(super) fn text(&self, to: DataType) -> Result<Cow<'_, str>, String> {
        Ok(match self {
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Int(value) => Cow::Owned(value.to_string()),
            // Debug and not Display, which would write 1e300 with three hundred zeros.
            Self::Single(value) if value.is_finite() => Cow::Owned(format!("{value:?}")),
            Self::Double(value) if value.is_finite() => Cow::Owned(format!("{value:?}")),
            Self::Single(_) | Self::Double(_) => return Err(self.is_no(to)),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Compound(text) => Cow::Borrowed(text),
        })
    }

    fn instant(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => instant(text),
            _ => None,
        }
        .ok_or_else(|| self.is_no(DataType::Timestamptz))
    }
}

/// The integer that a float is. A float beyond 128 bits saturates, which is beyond every type of Milvus all the same.
fn integral(value: f64) -> Option<i128> {
    (value.is_finite() && value.fract() == 0.0).then_some(value as i128)
}

fn is_overflow(error: &std::num::ParseIntError) -> bool {
    matches!(error.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow)
}

/// A column with its form settled once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader<'a> {
    Bool(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    Single(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Text(&'a StringArray),
}

impl<'a> Reader<'a> {
    /// None for columns whose values are no single scalars.
    pub(super) fn new(column: &'a ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            Arrow::Boolean => Self::Bool(column.as_boolean_opt()?),
            Arrow::Int8 => Self::Int8(column.as_primitive_opt()?),
            Arrow::Int16 => Self::Int16(column.as_primitive_opt()?),
            Arrow::Int32 => Self::Int32(column.as_primitive_opt()?),
            Arrow::Int64 => Self::Int64(column.as_primitive_opt()?),
            Arrow::Float32 => Self::Single(column.as_primitive_opt()?),
            Arrow::Float64 => Self::Double(column.as_primitive_opt()?),
            Arrow::Utf8 => Self::Text(column.as_string_opt()?),
            _ => return None,
        })
    }

    /// The value of a row, none for null. The row must exist.
    pub(super) fn cell(self, row: usize) -> Option<Cell<'a>> {
        fn number<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
            array.is_valid(row).then(|| array.value(row))
        }
        match self {
            Self::Bool(array) => array.is_valid(row).then(|| Cell::Bool(array.value(row))),
            Self::Int8(array) => number(array, row).map(|value| Cell::Int(value.into())),
            Self::Int16(array) => number(array, row).map(|value| Cell::Int(value.into())),
            Self::Int32(array) => number(array, row).map(|value| Cell::Int(value.into())),
            Self::Int64(array) => number(array, row).map(|value| Cell::Int(value.into())),
            Self::Single(array) => number(array, row).map(Cell::Single),
            Self::Double(array) => number(array, row).map(Cell::Double),
            Self::Text(array) => array.is_valid(row).then(|| Cell::Text(Cow::Borrowed(array.value(row)))),
        }
    }
}

/// A column being built, and what did not fit into it.
#[derive(Debug)]
pub(super) struct Builder {
    to: DataType,
    values: Values,
    rows: usize,
    misfits: Vec<Misfit>,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float(PrimitiveBuilder<Float32Type>),
    Double(PrimitiveBuilder<Float64Type>),
    Text(Texts),
    Instant(Texts),
    Geometry(Texts),
}

impl Builder {
    /// Fails for types whose values are no single scalars.
    pub(super) fn new(to: DataType, rows: usize) -> Result<Self, BatchError> {
        let values = match to {
            DataType::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::Int8 => Values::Int8(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int16 => Values::Int16(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int32 => Values::Int32(PrimitiveBuilder::with_capacity(rows)),
            DataType::Int64 => Values::Int64(PrimitiveBuilder::with_capacity(rows)),
            DataType::Float => Values::Float(PrimitiveBuilder::with_capacity(rows)),
            DataType::Double => Values::Double(PrimitiveBuilder::with_capacity(rows)),
            DataType::VarChar | DataType::Text => Values::Text(Texts::new(rows)),
            DataType::Timestamptz => Values::Instant(Texts::new(rows)),
            DataType::Geometry => Values::Geometry(Texts::new(rows)),
            _ => return Err(BatchError::Arrow(format!("no scalar becomes {to}"))),
        };
        Ok(Self { to, values, rows: 0, misfits: Vec::new() })
    }

    /// Appends a value, or a null where there is none or where it does not fit; an error is a misfit from before.
    pub(super) fn push(&mut self, cell: Result<Option<Cell<'_>>, String>) {
        let fitted = cell.and_then(|cell| self.append(cell.as_ref()));
        if let Err(reason) = fitted {
            self.misfits.push(Misfit { row: self.rows, reason });
            // Appending nothing cannot fail.
            let _ = self.append(None);
        }
        self.rows += 1;
    }

    fn append(&mut self, cell: Option<&Cell<'_>>) -> Result<(), String> {
        let to = self.to;
        match &mut self.values {
            Values::Bool(out) => out.append_option(cell.map(Cell::boolean).transpose()?),
            Values::Int8(out) => out.append_option(cell.map(|cell| cell.integer(to)).transpose()?),
            Values::Int16(out) => out.append_option(cell.map(|cell| cell.integer(to)).transpose()?),
            Values::Int32(out) => out.append_option(cell.map(|cell| cell.integer(to)).transpose()?),
            Values::Int64(out) => out.append_option(cell.map(|cell| cell.integer(to)).transpose()?),
            Values::Float(out) => out.append_option(cell.map(Cell::single).transpose()?),
            Values::Double(out) => out.append_option(cell.map(Cell::double).transpose()?),
            Values::Text(out) => {
                let text = cell.map(|cell| cell.text(to)).transpose()?;
                out.push(text.as_ref().map(|text| text.as_bytes()));
            }
            Values::Instant(out) => {
                let text = cell.map(Cell::instant).transpose()?;
                out.push(text.as_ref().map(|text| text.as_bytes()));
            }
            Values::Geometry(out) => match cell {
                None => out.push(None),
                Some(Cell::Text(text)) => out.push(Some(text.as_bytes())),
                Some(cell) => return Err(cell.is_no(to)),
            },
        }
        Ok(())
    }

    /// The column. Fails where it is too large for Arrow.
    pub(super) fn finish(self) -> Result<Converted, BatchError> {
        let array: ArrayRef = match self.values {
            Values::Bool(mut out) => Arc::new(out.finish()),
            Values::Int8(mut out) => Arc::new(out.finish()),
            Values::Int16(mut out) => Arc::new(out.finish()),
            Values::Int32(mut out) => Arc::new(out.finish()),
            Values::Int64(mut out) => Arc::new(out.finish()),
            Values::Float(mut out) => Arc::new(out.finish()),
            Values::Double(mut out) => Arc::new(out.finish()),
            Values::Text(out) | Values::Instant(out) | Values::Geometry(out) => out.utf8()?,
        };
        Ok(Converted { array, misfits: self.misfits, truncated: Vec::new() })
    }
}

/// Between BOOL, numbers and text of all kinds. Which of them are possible was checked before.
pub(super) fn convert(column: &ArrayRef, from: DataType, to: DataType) -> Result<Converted, BatchError> {
    match (kind(from), kind(to)) {
        // An instant that came as one stays what it is, and text is checked on its way to one.
        (Kind::Text | Kind::Geometry | Kind::Instant, Kind::Text) | (Kind::Text, Kind::Geometry) => {
            Ok(Converted::whole(Arc::clone(column)))
        }
        _ if from == to => Ok(Converted::whole(Arc::clone(column))),
        // Arrow takes every number but 0 for true.
        (Kind::Number, Kind::Number) if to != DataType::Bool => numbers(column, from, to),
        _ => cell_by_cell(column, to),
    }
}

fn cell_by_cell(column: &ArrayRef, to: DataType) -> Result<Converted, BatchError> {
    let reader =
        Reader::new(column).ok_or_else(|| BatchError::Arrow(format!("{} holds no scalars", column.data_type())))?;
    let mut builder = Builder::new(to, column.len())?;
    for row in 0..column.len() {
        builder.push(Ok(reader.cell(row)));
    }
    builder.finish()
}

/// By Arrow's cast, which leaves null what is out of range and rounds without a word; the latter is found by casting back.
fn numbers(column: &ArrayRef, from: DataType, to: DataType) -> Result<Converted, BatchError> {
    let cast = |array: &ArrayRef, to: DataType| {
        let form = to.arrow(None, None).ok_or_else(|| BatchError::Unsupported(to.to_string()))?;
        cast_with_options(array, &form, &CastOptions { safe: true, ..CastOptions::default() }).map_err(arrow)
    };
    let array = cast(column, to)?;
    let is_float = |data_type| matches!(data_type, DataType::Float | DataType::Double);
    let unfit = if (from, to) == (DataType::Double, DataType::Float) {
        overflown(column.as_primitive(), array.as_primitive())
    } else if is_float(from) != is_float(to) && from != DataType::Bool {
        let back = cast(&array, from)?;
        match from {
            DataType::Int8 => differing::<Int8Type>(column, &back),
            DataType::Int16 => differing::<Int16Type>(column, &back),
            DataType::Int32 => differing::<Int32Type>(column, &back),
            DataType::Int64 => differing::<Int64Type>(column, &back),
            DataType::Float => differing::<Float32Type>(column, &back),
            _ => differing::<Float64Type>(column, &back),
        }
    } else if array.null_count() == column.null_count() {
        Vec::new()
    } else {
        (0..array.len()).filter(|row| array.is_null(*row) && column.is_valid(*row)).collect()
    };
    if unfit.is_empty() {
        return Ok(Converted::whole(array));
    }
    let misfits = reasons(column, &unfit, to)?;
    Ok(Converted { array: without(array, &misfits)?, misfits, truncated: Vec::new() })
}

/// Rows that hold a finite number and an infinite one.
fn overflown(wide: &PrimitiveArray<Float64Type>, narrow: &PrimitiveArray<Float32Type>) -> Vec<usize> {
    let pairs = wide.values().iter().zip(narrow.values());
    let lost = pairs.enumerate().filter(|(_, (wide, narrow))| wide.is_finite() && narrow.is_infinite());
    lost.map(|(row, _)| row).filter(|row| wide.is_valid(*row)).collect()
}

/// Rows whose value did not come back as it went.
fn differing<T: ArrowPrimitiveType>(column: &ArrayRef, back: &ArrayRef) -> Vec<usize> {
    let (column, back) = (column.as_primitive::<T>(), back.as_primitive::<T>());
    let differs = |row: &usize| {
        column.is_valid(*row) && (back.is_null(*row) || back.values().get(*row) != column.values().get(*row))
    };
    (0..column.len()).filter(differs).collect()
}

/// Why the values of these rows do not fit; the same words as one by one.
fn reasons(column: &ArrayRef, rows: &[usize], to: DataType) -> Result<Vec<Misfit>, BatchError> {
    let reader = Reader::new(column);
    let mut builder = Builder::new(to, rows.len())?;
    for row in rows {
        builder.push(Ok(reader.and_then(|reader| reader.cell(*row))));
    }
    let mut said: Vec<Option<String>> = vec![None; rows.len()];
    for misfit in builder.misfits {
        if let Some(reason) = said.get_mut(misfit.row) {
            *reason = Some(misfit.reason);
        }
    }
    let misfits = rows.iter().zip(said).map(|(row, reason)| Misfit {
        row: *row,
        reason: reason.unwrap_or_else(|| format!("the value does not fit {to}")),
    });
    Ok(misfits.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NUMBERS: [DataType; 6] =
        [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64, DataType::Float, DataType::Double];

    proptest! {
        #[test]
        fn arrows_casts_agree_with_the_rules_one_by_one(
            from in prop::sample::select(&NUMBERS),
            to in prop::sample::select(&NUMBERS),
            integers in prop::collection::vec((any::<i64>(), 0_u32..64), 0..6),
            floats in prop::collection::vec(prop::num::f64::ANY, 0..6),
        ) {
            let wide = |value: f64| Some(Cell::Double(value));
            let cells = integers.iter().map(|(value, shift)| Some(Cell::Int(i128::from(value >> shift))));
            let mut builder = Builder::new(from, 12).unwrap();
            for cell in cells.chain(floats.iter().flat_map(|value| [wide(*value), wide(value.trunc()), None])) {
                builder.push(Ok(cell));
            }
            let column = builder.finish().unwrap().array;
            let (fast, slow) = (numbers(&column, from, to).unwrap(), cell_by_cell(&column, to).unwrap());
            prop_assert_eq!(fast.misfits, slow.misfits);
            let nulls = |array: &ArrayRef| (0..array.len()).map(|row| array.is_null(row)).collect::<Vec<_>>();
            prop_assert_eq!(nulls(&fast.array), nulls(&slow.array));
            let texts = |array| cell_by_cell(array, DataType::Text).unwrap();
            prop_assert_eq!(&texts(&fast.array).array, &texts(&slow.array).array);
        }
    }
}
