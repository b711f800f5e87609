//! JSON: columns of it read and written, and single values as JSON.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeListArray};
use arrow_schema::DataType as Arrow;
use half::bf16;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::scalar::{Builder, Cell, Reader};
use super::text::{Texts, excerpt};
use super::{Conversion, Converted, Kind, Misfit, arrow, kind, limits, list, without};
use crate::collection::{BatchError, DataType, Field, LengthUnit};

/// How values are held against their field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub unit: LengthUnit,
    pub truncate: bool,
    pub json_scalars: bool,
}

/// Values as a column of `to`; for keys lifted out of JSON, and for constants. None and JSON's null become null. The rules
/// are those of a JSON column, but that a string is good for GEOMETRY too. Fails for vectors, and where the column would not
/// fit into one Arrow array.
pub fn from_values(
    values: Vec<Option<Value>>,
    to: &Field,
    unit: LengthUnit,
    truncate: bool,
    json_scalars: bool,
) -> Result<Converted, BatchError> {
    build(values.into_iter().map(Ok).collect(), to, Rules { unit, truncate, json_scalars })
}

/// The same for values of which some are known to be misfits.
pub(super) fn build(
    values: Vec<Result<Option<Value>, String>>,
    to: &Field,
    rules: Rules,
) -> Result<Converted, BatchError> {
    let converted = match kind(to.data_type) {
        Kind::Number | Kind::Text | Kind::Instant | Kind::Geometry => {
            let mut builder = Builder::new(to.data_type, values.len())?;
            for value in &values {
                builder.push(match value {
                    Ok(value) => Ok(value.as_ref().and_then(Cell::of)),
                    Err(reason) => Err(reason.clone()),
                });
            }
            builder.finish()?
        }
        Kind::Json => documents(values, rules.json_scalars)?,
        Kind::Array => return list::from_values(values, to, rules),
        Kind::Dense | Kind::Bits | Kind::Sparse | Kind::None => {
            return Err(BatchError::Unsupported(to.name.clone()));
        }
    };
    limits::fit(converted, to, rules.unit, rules.truncate)
}

fn documents(values: Vec<Result<Option<Value>, String>>, json_scalars: bool) -> Result<Converted, BatchError> {
    let mut texts = Texts::new(values.len());
    let mut misfits = Vec::new();
    for (row, value) in values.into_iter().enumerate() {
        match value {
            Ok(None | Some(Value::Null)) => texts.push(None),
            Ok(Some(value)) if json_scalars || value.is_object() => texts.push(Some(value.to_string().as_bytes())),
            Ok(Some(value)) => {
                texts.push(None);
                misfits.push(Misfit { row, reason: is_no_object(&value.to_string()) });
            }
            Err(reason) => {
                texts.push(None);
                misfits.push(Misfit { row, reason });
            }
        }
    }
    Ok(Converted { array: texts.binary()?, misfits, truncated: Vec::new() })
}

fn is_no_object(text: &str) -> String {
    format!("`{}` is no JSON object, and the target's JSON holds nothing else", excerpt(text))
}

/// Why a value is of no use for a type.
pub(super) fn is_no(value: &Value, to: DataType) -> String {
    format!("`{}` is no {to}", excerpt(&value.to_string()))
}

/// A JSON text as a value. Fails where it is no JSON, and where reading it would change a number: integers beyond 64 bits
/// would lose digits, and floats beyond the range of a double cannot be read at all.
pub fn exact(text: &str) -> Result<Value, String> {
    let value =
        serde_json::from_str(text).map_err(|error| format!("`{}` cannot be read as JSON: {error}", excerpt(text)))?;
    match oversized(text) {
        None => Ok(value),
        Some(number) => Err(format!("{} is an integer beyond 64 bits", excerpt(number))),
    }
}

/// The first integer of a JSON text that is beyond 64 bits.
fn oversized(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    // Most texts have no number of so many digits, and need no closer look.
    if !bytes.windows(19).any(|window| window.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = text.get(at..)?;
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
                let number = rest.get(..end.unwrap_or(rest.len()))?;
                let integer = !number.contains(['.', 'e', 'E']);
                if integer && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                    return Some(number);
                }
                at += number.len().max(1);
            }
            _ => at += 1,
        }
    }
    None
}

/// The JSON text of a row, without blanks around it.
fn raw(bytes: &[u8]) -> Result<&str, String> {
    let no = || format!("`{}` is no JSON", excerpt(&String::from_utf8_lossy(bytes)));
    let text = std::str::from_utf8(bytes).map_err(|_| no())?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| no())?;
    Ok(raw.get())
}

fn documents_of(column: &ArrayRef) -> Result<&BinaryArray, BatchError> {
    column.as_binary_opt().ok_or_else(|| BatchError::Arrow(format!("{} is no JSON", column.data_type())))
}

/// A JSON column into text, numbers, points in time, or arrays.
pub(super) fn read(conversion: &Conversion, column: &ArrayRef) -> Result<Converted, BatchError> {
    let documents = documents_of(column)?;
    let rows = (0..documents.len()).map(|row| documents.is_valid(row).then(|| raw(documents.value(row))).transpose());
    if kind(conversion.to.data_type) != Kind::Text {
        let values = rows.map(|row| row.and_then(|text| text.map(exact).transpose())).collect();
        let Conversion { unit, truncate, json_scalars, .. } = *conversion;
        return build(values, &conversion.to, Rules { unit, truncate, json_scalars });
    }
    let mut texts = Texts::new(documents.len());
    let mut misfits = Vec::new();
    for (row, text) in rows.enumerate() {
        match text {
            Ok(None | Some("null")) => texts.push(None),
            Ok(Some(text)) if text.starts_with('"') => match serde_json::from_str::<String>(text) {
                Ok(text) => texts.push(Some(text.as_bytes())),
                // Half of a surrogate pair is JSON and no text.
                Err(_) => {
                    texts.push(None);
                    misfits.push(Misfit { row, reason: format!("`{}` is no text", excerpt(text)) });
                }
            },
            Ok(Some(text)) => texts.push(Some(text.as_bytes())),
            Err(reason) => {
                texts.push(None);
                misfits.push(Misfit { row, reason });
            }
        }
    }
    Ok(Converted { array: texts.utf8()?, misfits, truncated: Vec::new() })
}

/// Text that is JSON already into a JSON column, byte for byte.
pub(super) fn parse_texts(column: &ArrayRef, json_scalars: bool) -> Result<Converted, BatchError> {
    let array = arrow_cast::cast(column, &Arrow::Binary).map_err(arrow)?;
    let documents = documents_of(&array)?;
    let mut misfits = Vec::new();
    for row in (0..documents.len()).filter(|row| documents.is_valid(*row)) {
        match raw(documents.value(row)) {
            Ok(text) if json_scalars || text.starts_with('{') => {}
            Ok(text) => misfits.push(Misfit { row, reason: is_no_object(text) }),
            Err(reason) => misfits.push(Misfit { row, reason }),
        }
    }
    Ok(Converted { array: without(array, &misfits)?, misfits, truncated: Vec::new() })
}

/// Scalars and arrays as JSON text, into a JSON column or one of text.
pub(super) fn write(from: &Field, to: &Field, column: &ArrayRef) -> Result<Converted, BatchError> {
    let mut texts = Texts::new(column.len());
    let mut misfits = Vec::new();
    let lists = (kind(from.data_type) == Kind::Array).then(|| column.as_list_opt::<i32>()).flatten();
    let scalars = Reader::new(column);
    let mut text = String::new();
    for row in 0..column.len() {
        text.clear();
        let written = if column.is_null(row) {
            Ok(false)
        } else if let Some(lists) = lists {
            write_list(&lists.value(row), to.data_type, &mut text).map(|()| true)
        } else if let Some(cell) = scalars.and_then(|scalars| scalars.cell(row)) {
            write_cell(&cell, to.data_type, &mut text).map(|()| true)
        } else {
            Err(format!("{} is no {}", from.data_type, to.data_type))
        };
        texts.push(matches!(written, Ok(true)).then_some(text.as_bytes()));
        if let Err(reason) = written {
            misfits.push(Misfit { row, reason });
        }
    }
    let array = if to.data_type == DataType::Json { texts.binary()? } else { texts.utf8()? };
    Ok(Converted { array, misfits, truncated: Vec::new() })
}

fn write_cell(cell: &Cell<'_>, to: DataType, out: &mut String) -> Result<(), String> {
    match cell {
        Cell::Text(text) => out.push_str(&Value::String(text.clone().into_owned()).to_string()),
        cell => out.push_str(&cell.text(to)?),
    }
    Ok(())
}

fn write_list(items: &ArrayRef, to: DataType, out: &mut String) -> Result<(), String> {
    let reader = Reader::new(items).ok_or_else(|| format!("an array of {} has no JSON", items.data_type()))?;
    out.push('[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(',');
        }
        match reader.cell(item) {
            None => out.push_str("null"),
            Some(cell) => write_cell(&cell, to, out).map_err(|reason| format!("element {item}: {reason}"))?,
        }
    }
    out.push(']');
    Ok(())
}

/// One value of a column as JSON, for the dynamic field and for files of rows that did not fit.
///
/// - Null, a row that does not exist, and a column of another form than `field` says: null.
/// - NaN and infinities, which JSON has no word for: null, also within arrays and vectors.
/// - FLOAT: the shortest number that reads back as the same FLOAT, so 0.1 and not 0.10000000149011612.
/// - ARRAY and dense vectors of numbers: a list. BINARY_VECTOR: a list of bytes. SPARSE_FLOAT_VECTOR: an object from index
///   to value.
/// - JSON: its value. A text that is no JSON, or whose numbers would change by being read (see [`exact`]), becomes a string,
///   which loses no digit.
pub fn to_value(field: &Field, column: &ArrayRef, row: usize) -> Value {
    if row >= column.len() || column.is_null(row) || field.arrow().as_ref() != Some(column.data_type()) {
        return Value::Null;
    }
    match kind(field.data_type) {
        Kind::Json => column.as_binary_opt::<i32>().map_or(Value::Null, |documents| {
            let text = String::from_utf8_lossy(documents.value(row));
            exact(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
        }),
        Kind::Array => column.as_list_opt::<i32>().map_or(Value::Null, |lists| values_of(&lists.value(row))),
        Kind::Dense if field.data_type == DataType::BFloat16Vector => {
            let numbers = column.as_fixed_size_binary_opt().map(|rows| rows.value(row).as_chunks::<2>().0);
            let numbers = numbers.unwrap_or_default().iter().map(|pair| single(bf16::from_le_bytes(*pair).to_f32()));
            Value::Array(numbers.collect())
        }
        Kind::Dense => column.as_fixed_size_list_opt().map_or(Value::Null, |lists| dense(lists, row)),
        Kind::Bits => {
            let bytes = column.as_fixed_size_binary_opt().map(|rows| rows.value(row)).unwrap_or_default();
            Value::Array(bytes.iter().map(|byte| Value::from(*byte)).collect())
        }
        Kind::Sparse => {
            let bytes = column.as_binary_opt::<i32>().map(|rows| rows.value(row)).unwrap_or_default();
            let pairs = bytes.as_chunks::<8>().0.iter().map(|[a, b, c, d, value @ ..]| {
                (u32::from_le_bytes([*a, *b, *c, *d]).to_string(), single(f32::from_le_bytes(*value)))
            });
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        _ => Reader::new(column).and_then(|reader| reader.cell(row)).map_or(Value::Null, |cell| value_of(&cell)),
    }
}

fn value_of(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Bool(value) => Value::Bool(*value),
        // Whatever comes out of a column has 64 bits at most.
        Cell::Int(value) => i64::try_from(*value).map_or(Value::Null, Value::from),
        Cell::Single(value) => single(*value),
        Cell::Double(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        Cell::Text(text) => Value::String(text.clone().into_owned()),
        Cell::Compound(text) => Value::String(text.clone()),
    }
}

/// By way of its own shortest text: widened, it would show digits that it never had.
fn single(value: f32) -> Value {
    let shortest = format!("{value:?}").parse().unwrap_or(f64::NAN);
    Number::from_f64(shortest).map_or(Value::Null, Value::Number)
}

fn values_of(items: &ArrayRef) -> Value {
    let Some(reader) = Reader::new(items) else { return Value::Null };
    let values = (0..items.len()).map(|item| reader.cell(item).map_or(Value::Null, |cell| value_of(&cell)));
    Value::Array(values.collect())
}

fn dense(lists: &FixedSizeListArray, row: usize) -> Value {
    let items = lists.value(row);
    match items.as_primitive_opt::<arrow_array::types::Float16Type>() {
        Some(halves) => Value::Array(halves.values().iter().map(|half| single(half.to_f32())).collect()),
        None => values_of(&items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_change_are_found_where_they_stand() {
        for (text, expected) in [
            ("18446744073709551616", Some("18446744073709551616")),
            (r#"{"a\"1234567890123456789012":[1,-99999999999999999999]}"#, Some("-99999999999999999999")),
            (r#"{"a":"99999999999999999999\\"}"#, None),
            ("[18446744073709551615,-9223372036854775808]", None),
            ("[0.99999999999999999999, 99999999999999999999e1]", None),
            ("\"ä99999999999999999999\"", None),
        ] {
            assert_eq!(oversized(text), expected, "{text}");
        }
        assert!(exact("1e400").unwrap_err().contains("out of range"));
    }
}
