//! One column of the source becomes one column of the target: what can become what, and what of it does not fit.
//!
//! A *misfit* is a value that the new type cannot hold without changing its meaning. Its row is listed with the reason and
//! its value becomes null; whoever asked decides what becomes of the row. A null stays null.
//!
//! | from | to | rule |
//! |---|---|---|
//! | INT8 … INT64 | INT8 … INT64 | in range, or a misfit |
//! | INT8 … INT64 | FLOAT, DOUBLE | exact, or a misfit |
//! | DOUBLE | FLOAT | rounded to nearest; a finite value that becomes infinite is a misfit; NaN and infinities pass |
//! | FLOAT | DOUBLE | exact |
//! | FLOAT, DOUBLE | INT8 … INT64 | integral and in range, or a misfit |
//! | BOOL | numbers | 0 and 1 |
//! | numbers | BOOL | 0 and 1 only |
//! | BOOL, numbers | VARCHAR, TEXT | `true`; decimal; the shortest text that reads back as the same number (`1.5`, `1e300`); NaN and infinities are misfits |
//! | VARCHAR, TEXT | BOOL, numbers | the whole text, no blanks around it; `true` and `false` in any case; text that means NaN or an infinity is a misfit |
//! | VARCHAR, TEXT | TIMESTAMPTZ | RFC 3339 with its offset, written anew in UTC; finer than a microsecond and leap seconds are misfits |
//! | VARCHAR, TEXT | GEOMETRY | unchecked |
//! | VARCHAR, TEXT | JSON | valid JSON, and an object unless the target's JSON takes any value |
//! | TIMESTAMPTZ, GEOMETRY | VARCHAR, TEXT | the text as it is |
//! | BOOL, numbers, TIMESTAMPTZ, ARRAY | JSON | their JSON value, where the target's JSON takes any value; NaN and infinities are misfits |
//! | JSON | VARCHAR, TEXT | a string becomes its text, anything else stays the JSON text that it is, byte for byte |
//! | JSON | BOOL, numbers, TIMESTAMPTZ | by its kind: a string as VARCHAR, a number as a number, true and false as BOOL, null as null |
//! | JSON | ARRAY | an array whose elements fit, each by the line above; a null element is a misfit |
//! | JSON | JSON | shared |
//! | ARRAY | ARRAY | element by element; one misfit makes the whole row one |
//! | ARRAY | VARCHAR, TEXT | its JSON text |
//! | FLOAT_VECTOR, FLOAT16_VECTOR, BFLOAT16_VECTOR | each other | rounded to nearest, ties to even; a finite value that becomes infinite is a misfit |
//! | FLOAT_VECTOR, FLOAT16_VECTOR, BFLOAT16_VECTOR | INT8_VECTOR | `x × scale`, rounded to nearest, ties to even; outside -128 … 127 or NaN is a misfit |
//! | INT8_VECTOR | FLOAT_VECTOR, FLOAT16_VECTOR, BFLOAT16_VECTOR | `x ÷ scale`, rounded to nearest |
//! | BINARY_VECTOR, SPARSE_FLOAT_VECTOR | themselves | shared |
//!
//! Everything else is impossible, and so are dense vectors of different dimensions. JSON numbers that are integers beyond
//! 64 bits or too large for a double are misfits wherever they would have to become a number.
//!
//! After that come the limits of the target: text longer than `max_length` and arrays longer than `max_capacity` are
//! misfits, or are cut where truncation was asked for.

mod fill;
mod json;
mod limits;
mod list;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod vector;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};

pub use fill::{constant, default_array, default_value, fill_nulls};
pub use json::{from_values, to_value};

pub(super) use json::exact;
pub(super) use text::{Texts, excerpt};

use crate::collection::{BatchError, DataType, Field, LengthUnit};

/// How one column becomes another.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The field whose column comes in.
    pub from: Field,
    /// The field whose column comes out.
    pub to: Field,
    /// Between float and int8 vectors: an int8 number is the float times this, rounded.
    pub scale: f64,
    /// What `max_length` of `to` counts.
    pub unit: LengthUnit,
    /// Whether text and arrays that are too long are cut instead of being misfits.
    pub truncate: bool,
    /// Whether a JSON field of the target takes any value and not only objects.
    pub json_scalars: bool,
}

/// A column in its new form.
#[derive(Debug, Clone)]
pub struct Converted {
    /// The Arrow form of the target's field; null where the input was null and where it did not fit.
    pub array: ArrayRef,
    /// What did not fit, by ascending row, at most one for a row.
    pub misfits: Vec<Misfit>,
    /// Rows that were cut, ascending.
    pub truncated: Vec<usize>,
}

impl Converted {
    fn whole(array: ArrayRef) -> Self {
        Self { array, misfits: Vec::new(), truncated: Vec::new() }
    }
}

/// A value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its row in the batch.
    pub row: usize,
    /// Why, e.g. "`abc` is no INT64", "300 is outside INT8", "12 bytes, but max_length is 8". Values are cut to 60
    /// characters, and control characters in them are escaped.
    pub reason: String,
}

/// What a type converts like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// BOOL too.
    Number,
    /// VARCHAR and TEXT.
    Text,
    Instant,
    Geometry,
    Json,
    Array,
    /// Vectors of numbers.
    Dense,
    Bits,
    Sparse,
    None,
}

fn kind(data_type: DataType) -> Kind {
    match data_type {
        DataType::Bool
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float
        | DataType::Double => Kind::Number,
        DataType::VarChar | DataType::Text => Kind::Text,
        DataType::Timestamptz => Kind::Instant,
        DataType::Geometry => Kind::Geometry,
        DataType::Json => Kind::Json,
        DataType::Array => Kind::Array,
        DataType::FloatVector | DataType::Float16Vector | DataType::BFloat16Vector | DataType::Int8Vector => {
            Kind::Dense
        }
        DataType::BinaryVector => Kind::Bits,
        DataType::SparseFloatVector => Kind::Sparse,
        DataType::ArrayOfStruct | DataType::Unknown(_) => Kind::None,
    }
}

impl Conversion {
    /// Whether values of `from` can become values of `to` at all. The error says why none ever could.
    pub fn check(from: &Field, to: &Field, json_scalars: bool) -> Result<(), String> {
        let impossible = || Err(format!("{} cannot become {}", from.type_text(), to.type_text()));
        if from.arrow().is_none() || to.arrow().is_none() {
            return impossible();
        }
        match (kind(from.data_type), kind(to.data_type)) {
            (Kind::Number | Kind::Text | Kind::Json, Kind::Number)
            | (Kind::Number | Kind::Text | Kind::Json | Kind::Instant | Kind::Geometry | Kind::Array, Kind::Text)
            | (Kind::Text | Kind::Json | Kind::Instant, Kind::Instant)
            | (Kind::Text | Kind::Geometry, Kind::Geometry)
            | (Kind::Text | Kind::Json, Kind::Json)
            | (Kind::Sparse, Kind::Sparse) => Ok(()),
            (Kind::Number | Kind::Instant, Kind::Json) if json_scalars => Ok(()),
            (Kind::Array, Kind::Json) if json_scalars => Ok(()),
            (Kind::Number | Kind::Instant | Kind::Array, Kind::Json) => {
                Err(format!("{} cannot become JSON: JSON fields of the target hold objects only", from.type_text()))
            }
            (Kind::Array, Kind::Array) => {
                Self::check(&list::item(from), &list::item(to), json_scalars).or_else(|_| impossible())
            }
            (Kind::Json, Kind::Array) => {
                let element = kind(to.element_type.unwrap_or(DataType::Unknown(0)));
                if matches!(element, Kind::Number | Kind::Text | Kind::Instant) { Ok(()) } else { impossible() }
            }
            (Kind::Dense, Kind::Dense) | (Kind::Bits, Kind::Bits) => {
                if from.dim() == to.dim() && from.dim() != Some(0) { Ok(()) } else { impossible() }
            }
            _ => impossible(),
        }
    }

    /// Whether the column can be shared unchanged without looking at a value: the values have the same form on both sides,
    /// and nothing that `from` lets in is too long for `to`. A length on the source may count characters where the target
    /// counts bytes, of which UTF-8 has four to a character at most.
    pub fn is_identity(&self) -> bool {
        if self.from.arrow() != self.to.arrow() || self.from.arrow().is_none() {
            return false;
        }
        let text_fits = || match (self.to.max_length(), self.from.max_length()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(most), Some(length)) => match self.unit {
                LengthUnit::Characters => length <= most,
                LengthUnit::Bytes => length.checked_mul(4).is_some_and(|bytes| bytes <= most),
            },
        };
        match (kind(self.from.data_type), kind(self.to.data_type)) {
            (Kind::Text | Kind::Geometry | Kind::Instant, Kind::Text) => {
                self.to.data_type == DataType::Text
                    || self.to.max_length().is_none()
                    || (self.from.data_type == DataType::VarChar && text_fits())
            }
            (Kind::Text, Kind::Geometry) => true,
            (Kind::Array, Kind::Array) => {
                let capacity_fits = match (self.to.max_capacity(), self.from.max_capacity()) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(most), Some(capacity)) => capacity <= most,
                };
                let texts = self.to.element_type == Some(DataType::VarChar);
                self.from.element_type == self.to.element_type && capacity_fits && (!texts || text_fits())
            }
            // Binary vectors of some dimensions have the same number of bytes.
            _ => self.from.data_type == self.to.data_type && self.from.dim() == self.to.dim(),
        }
    }

    /// The column in its new form; the very same one where nothing had to change. Fails where `column` is not of the form
    /// that `from` says, where [`Self::check`] fails, and where the new column would not fit into one Arrow array (2 GiB of
    /// text).
    pub fn apply(&self, column: &ArrayRef) -> Result<Converted, BatchError> {
        expect(&self.from, column)?;
        if self.is_identity() {
            return Ok(Converted::whole(Arc::clone(column)));
        }
        Self::check(&self.from, &self.to, self.json_scalars).map_err(BatchError::Arrow)?;
        let converted = match (kind(self.from.data_type), kind(self.to.data_type)) {
            (Kind::Dense, Kind::Dense) => return vector::convert(self, column),
            (Kind::Array, Kind::Array) => return list::convert(self, column),
            (Kind::Json, _) => json::read(self, column)?,
            (Kind::Text, Kind::Json) => json::parse_texts(column, self.json_scalars)?,
            (Kind::Array, _) | (_, Kind::Json) => json::write(&self.from, &self.to, column)?,
            _ => scalar::convert(column, self.from.data_type, self.to.data_type)?,
        };
        limits::fit(converted, &self.to, self.unit, self.truncate)
    }
}

/// Refuses a column that is not of the form that its field says.
fn expect(field: &Field, column: &ArrayRef) -> Result<(), BatchError> {
    let expected = field.arrow().ok_or_else(|| BatchError::Unsupported(field.name.clone()))?;
    if *column.data_type() == expected {
        return Ok(());
    }
    Err(BatchError::Type {
        column: field.name.clone(),
        found: column.data_type().to_string(),
        expected: expected.to_string(),
    })
}

fn arrow(error: arrow_schema::ArrowError) -> BatchError {
    BatchError::Arrow(error.to_string())
}

/// `array` with null in the rows of `misfits`. The values stay where they are, behind the null.
fn without(array: ArrayRef, misfits: &[Misfit]) -> Result<ArrayRef, BatchError> {
    if misfits.is_empty() {
        return Ok(array);
    }
    let mut gone = vec![false; array.len()];
    for misfit in misfits {
        if let Some(row) = gone.get_mut(misfit.row) {
            *row = true;
        }
    }
    arrow_select::nullif::nullif(&array, &BooleanArray::from(gone)).map_err(arrow)
}
