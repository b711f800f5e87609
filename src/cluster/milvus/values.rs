//! Values of a scalar column, as they come out of an answer one message after the other: one for a whole column, and one for
//! each row of a column of arrays. No value costs an allocation of its own.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::wire::{Malformed, Piece, Pieces, varints};
use crate::collection::DataType;

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is not what the protocol says.
    Malformed,
    /// It holds something else than the column does.
    Holds(&'static str),
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Values of one type, end to end.
#[derive(Debug)]
pub enum Values {
    Bool(Vec<bool>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Spans),
    /// Text that some servers send as text and others as well-known text of shapes.
    Geometry(Spans),
    Json(Spans),
}

impl Values {
    /// Room for values of a type; none where its values do not come in such messages.
    pub fn of(data_type: DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Bool => Self::Bool(Vec::new()),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float => Self::Float(Vec::new()),
            DataType::Double => Self::Double(Vec::new()),
            DataType::VarChar | DataType::Text | DataType::Timestamptz => Self::Text(Spans::default()),
            DataType::Geometry => Self::Geometry(Spans::default()),
            DataType::Json => Self::Json(Spans::default()),
            _ => return None,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Text(values) | Self::Geometry(values) | Self::Json(values) => values.offsets.len() - 1,
        }
    }

    /// Appends the values of a message, which stands in `ScalarField` under `tag`.
    pub fn append(&mut self, tag: u32, message: &[u8]) -> Result<(), Refused> {
        match (self, tag) {
            (Self::Bool(values), 1) => {
                values.reserve(most_varints(message));
                varints(message, |value| {
                    values.push(value != 0);
                    Ok(())
                })?;
            }
            (Self::Int8(values), 2) => narrow(values, message)?,
            (Self::Int16(values), 2) => narrow(values, message)?,
            (Self::Int32(values), 2) => narrow(values, message)?,
            (Self::Int64(values), 3) => {
                values.reserve(most_varints(message));
                varints(message, |value| {
                    values.push(value as i64);
                    Ok(())
                })?;
            }
            (Self::Float(values), 4) => numbers::<4, _>(message, f32::from_le_bytes, values)?,
            (Self::Double(values), 5) => numbers::<8, _>(message, f64::from_le_bytes, values)?,
            (Self::Text(values) | Self::Geometry(values), 6)
            | (Self::Geometry(values), 12)
            | (Self::Json(values), 9) => {
                values.append(message)?;
            }
            _ => return Err(Refused::Holds(name(tag))),
        }
        Ok(())
    }

    /// All of them. Fails where text is no text.
    pub fn finish(self) -> Result<ArrayRef, String> {
        Ok(match self {
            Self::Bool(values) => Arc::new(BooleanArray::from(values)),
            Self::Int8(values) => Arc::new(Int8Array::from(values)),
            Self::Int16(values) => Arc::new(Int16Array::from(values)),
            Self::Int32(values) => Arc::new(Int32Array::from(values)),
            Self::Int64(values) => Arc::new(Int64Array::from(values)),
            Self::Float(values) => Arc::new(Float32Array::from(values)),
            Self::Double(values) => Arc::new(Float64Array::from(values)),
            Self::Text(values) | Self::Geometry(values) => {
                let (offsets, values) = values.finish();
                Arc::new(StringArray::try_new(offsets, values, None).map_err(|error| error.to_string())?)
            }
            Self::Json(values) => Arc::new(values.binary()?),
        })
    }
}

/// Values of varying length, end to end.
#[derive(Debug)]
pub struct Spans {
    /// Where each begins, and where the last ends. An answer is far smaller than 2 GiB, so they fit.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Default for Spans {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl Spans {
    /// Appends the values of a message that holds field 1 once for each.
    pub fn append(&mut self, message: &[u8]) -> Result<(), Malformed> {
        self.bytes.reserve(message.len());
        for piece in Pieces::of(message) {
            match piece? {
                (1, Piece::Bytes(value)) => {
                    self.bytes.extend_from_slice(value);
                    self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| Malformed)?);
                }
                (1, _) => return Err(Malformed),
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(self) -> (OffsetBuffer<i32>, Buffer) {
        (OffsetBuffer::new(ScalarBuffer::from(self.offsets)), Buffer::from_vec(self.bytes))
    }

    /// All of them as they are.
    pub fn binary(self) -> Result<BinaryArray, String> {
        let (offsets, values) = self.finish();
        BinaryArray::try_new(offsets, values, None).map_err(|error| error.to_string())
    }
}

/// How many integers a message may hold: each ends in a byte of its own.
fn most_varints(message: &[u8]) -> usize {
    message.iter().filter(|byte| **byte < 0x80).count()
}

/// How many values there are in a message of integers, or of values of varying length.
pub fn count(tag: u32, message: &[u8]) -> Result<usize, Malformed> {
    let mut count = 0;
    for piece in Pieces::of(message) {
        match (piece?, tag) {
            ((1, Piece::Bytes(packed)), 3) => count += most_varints(packed),
            ((1, _), _) => count += 1,
            _ => {}
        }
    }
    Ok(count)
}

fn narrow<T: TryFrom<i32>>(values: &mut Vec<T>, message: &[u8]) -> Result<(), Refused> {
    values.reserve(most_varints(message));
    let mut fits = true;
    varints(message, |value| {
        match T::try_from(value as i32) {
            Ok(value) => values.push(value),
            Err(_) => fits = false,
        }
        Ok(())
    })?;
    if fits { Ok(()) } else { Err(Refused::Holds("a larger number")) }
}

fn numbers<const W: usize, T>(
    message: &[u8],
    number: impl Fn([u8; W]) -> T,
    values: &mut Vec<T>,
) -> Result<(), Malformed> {
    for piece in Pieces::of(message) {
        match piece? {
            (1, Piece::Bytes(packed)) => {
                let (packed, rest) = packed.as_chunks::<W>();
                if !rest.is_empty() {
                    return Err(Malformed);
                }
                values.extend(packed.iter().map(|bytes| number(*bytes)));
            }
            (1, Piece::Fixed32(bytes)) if W == 4 => values.extend(bytes.first_chunk::<W>().map(|bytes| number(*bytes))),
            (1, Piece::Fixed64(bytes)) if W == 8 => values.extend(bytes.first_chunk::<W>().map(|bytes| number(*bytes))),
            (1, _) => return Err(Malformed),
            _ => {}
        }
    }
    Ok(())
}

/// What `ScalarField` holds under a number.
pub fn name(tag: u32) -> &'static str {
    match tag {
        1 => "booleans",
        2 => "32-bit integers",
        3 => "64-bit integers",
        4 => "floats",
        5 => "doubles",
        6 => "strings",
        8 => "arrays",
        9 => "JSON values",
        _ => "values of another type",
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type};
    use prost::encoding as proto;

    use super::*;

    fn of(data_type: DataType, tag: u32, message: &[u8]) -> Result<ArrayRef, Refused> {
        let mut values = Values::of(data_type).unwrap();
        values.append(tag, message)?;
        Ok(values.finish().unwrap())
    }

    #[test]
    fn numbers_are_read_packed_unpacked_and_in_several_pieces() {
        let (integers, doubles) = ([7_i64, -1, i64::MIN, i64::MAX, 0], [1.5_f64, -0.0, f64::MAX, 3.0, 4.0]);
        let mut messages = [const { (Vec::new(), Vec::new()) }; 3];
        proto::int64::encode_packed(1, &integers, &mut messages[0].0);
        proto::double::encode_packed(1, &doubles, &mut messages[0].1);
        proto::int64::encode_repeated(1, &integers, &mut messages[1].0);
        proto::double::encode_repeated(1, &doubles, &mut messages[1].1);
        let (some, more) = &mut messages[2];
        proto::int64::encode_packed(1, &integers[..2], some);
        proto::string::encode(9, &"of a later version".to_owned(), some);
        proto::int64::encode(1, &integers[2], some);
        proto::int64::encode_packed(1, &integers[3..], some);
        proto::double::encode_packed(1, &doubles[..4], more);
        proto::double::encode(1, &doubles[4], more);
        for (some, more) in &messages {
            assert_eq!(of(DataType::Int64, 3, some).unwrap().as_primitive::<Int64Type>().values(), &integers[..]);
            assert_eq!(count(3, some), Ok(5));
            assert_eq!(of(DataType::Double, 5, more).unwrap().as_primitive::<Float64Type>().values(), &doubles[..]);
            let whole = super::super::wire::fixed::<8>(&bytes::Bytes::copy_from_slice(more)).unwrap();
            assert_eq!(whole, doubles.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_refused() {
        let mut message = Vec::new();
        proto::int64::encode_packed(1, &[300, 400], &mut message);
        for end in 1..message.len() {
            assert_eq!(of(DataType::Int64, 3, &message[..end]).unwrap_err(), Refused::Malformed, "{end}");
        }
        assert_eq!(of(DataType::Double, 5, &message).unwrap_err(), Refused::Malformed);
        assert_eq!(of(DataType::Double, 3, &message).unwrap_err(), Refused::Holds("64-bit integers"));
        assert_eq!(of(DataType::Int8, 2, &message).unwrap_err(), Refused::Holds("a larger number"));
        // A length that no memory has, and a group.
        assert_eq!(of(DataType::Json, 9, &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap_err(), Refused::Malformed);
        assert_eq!(of(DataType::Json, 9, &[0x0b, 0x0c]).unwrap_err(), Refused::Malformed);
        let mut text = Values::of(DataType::VarChar).unwrap();
        text.append(6, &[0x0a, 0x01, 0xff]).unwrap();
        assert!(text.finish().is_err());
        assert_eq!(of(DataType::VarChar, 6, &[0x0a, 0x00, 0x0a, 0x01, b'a']).unwrap().len(), 2);
    }
}
