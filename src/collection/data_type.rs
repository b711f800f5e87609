//! The data types of Milvus and the one Arrow form that each has inside vecferry.
//!
//! | Milvus | Arrow | remarks |
//! |---|---|---|
//! | BOOL | `Boolean` | |
//! | INT8, INT16, INT32, INT64 | `Int8` … `Int64` | the wire carries the three small ones as 32-bit integers |
//! | FLOAT, DOUBLE | `Float32`, `Float64` | bit for bit, NaN payloads too |
//! | VARCHAR, TEXT | `Utf8` | |
//! | GEOMETRY | `Utf8` | well-known text |
//! | TIMESTAMPTZ | `Utf8` | ISO 8601 with its offset |
//! | JSON, the dynamic field | `Binary` | the server's bytes, not parsed |
//! | ARRAY | `List` of the element's form | elements are never null |
//! | FLOAT_VECTOR | `FixedSizeList<Float32>` of dim | |
//! | FLOAT16_VECTOR | `FixedSizeList<Float16>` of dim | |
//! | BFLOAT16_VECTOR | `FixedSizeBinary(2 × dim)` | little-endian; Arrow has no bfloat16 |
//! | INT8_VECTOR | `FixedSizeList<Int8>` of dim | |
//! | BINARY_VECTOR | `FixedSizeBinary(dim / 8)` | dim counts bits |
//! | SPARSE_FLOAT_VECTOR | `Binary` | each row (u32 index, f32 value) pairs, little-endian |

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType as Arrow, Field as ArrowField};

/// The largest dimension that vecferry carries, in elements or bits. Servers allow at most a quarter of it, and a description
/// that says more would make a single null cost gigabytes.
const MAX_DIM: usize = 1 << 20;

/// A data type of Milvus. The numbers are those of its protocol (`schema.proto`, enum `DataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DataType {
    /// 1
    Bool,
    /// 2
    Int8,
    /// 3
    Int16,
    /// 4
    Int32,
    /// 5
    Int64,
    /// 10
    Float,
    /// 11
    Double,
    /// 21
    #[serde(rename = "VARCHAR")]
    VarChar,
    /// 22
    Array,
    /// 23
    Json,
    /// 24
    Geometry,
    /// 25
    Text,
    /// 26
    Timestamptz,
    /// 100
    BinaryVector,
    /// 101
    FloatVector,
    /// 102
    Float16Vector,
    /// 103
    #[serde(rename = "BFLOAT16_VECTOR")]
    BFloat16Vector,
    /// 104
    SparseFloatVector,
    /// 105
    Int8Vector,
    /// 200, fields made of several sub-fields. Known by name so that a plan can say that it is not copied yet.
    ArrayOfStruct,
    /// A number that this version of vecferry does not know.
    Unknown(i32),
}

impl DataType {
    /// The type behind a number of the protocol.
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Bool,
            2 => Self::Int8,
            3 => Self::Int16,
            4 => Self::Int32,
            5 => Self::Int64,
            10 => Self::Float,
            11 => Self::Double,
            // 20 is the `String` of the first releases; servers treat it as VARCHAR.
            20 | 21 => Self::VarChar,
            22 => Self::Array,
            23 => Self::Json,
            24 => Self::Geometry,
            25 => Self::Text,
            26 => Self::Timestamptz,
            100 => Self::BinaryVector,
            101 => Self::FloatVector,
            102 => Self::Float16Vector,
            103 => Self::BFloat16Vector,
            104 => Self::SparseFloatVector,
            105 => Self::Int8Vector,
            200 => Self::ArrayOfStruct,
            other => Self::Unknown(other),
        }
    }

    /// The number in the protocol.
    pub fn number(self) -> i32 {
        match self {
            Self::Bool => 1,
            Self::Int8 => 2,
            Self::Int16 => 3,
            Self::Int32 => 4,
            Self::Int64 => 5,
            Self::Float => 10,
            Self::Double => 11,
            Self::VarChar => 21,
            Self::Array => 22,
            Self::Json => 23,
            Self::Geometry => 24,
            Self::Text => 25,
            Self::Timestamptz => 26,
            Self::BinaryVector => 100,
            Self::FloatVector => 101,
            Self::Float16Vector => 102,
            Self::BFloat16Vector => 103,
            Self::SparseFloatVector => 104,
            Self::Int8Vector => 105,
            Self::ArrayOfStruct => 200,
            Self::Unknown(number) => number,
        }
    }

    /// Whether values of this type are vectors.
    pub fn is_vector(self) -> bool {
        matches!(
            self,
            Self::BinaryVector
                | Self::FloatVector
                | Self::Float16Vector
                | Self::BFloat16Vector
                | Self::SparseFloatVector
                | Self::Int8Vector
        )
    }

    /// The Arrow form of a field of this type; `element` is the type of an array's elements and `dim` the dimension of a
    /// dense vector (bits for binary ones). None for types that vecferry cannot carry.
    pub fn arrow(self, element: Option<DataType>, dim: Option<usize>) -> Option<Arrow> {
        let dim = dim.filter(|dim| (1..=MAX_DIM).contains(dim));
        let list_of = |item: Arrow, dim: usize| {
            Some(Arrow::FixedSizeList(Arc::new(ArrowField::new("item", item, false)), i32::try_from(dim).ok()?))
        };
        match self {
            Self::Bool => Some(Arrow::Boolean),
            Self::Int8 => Some(Arrow::Int8),
            Self::Int16 => Some(Arrow::Int16),
            Self::Int32 => Some(Arrow::Int32),
            Self::Int64 => Some(Arrow::Int64),
            Self::Float => Some(Arrow::Float32),
            Self::Double => Some(Arrow::Float64),
            Self::VarChar | Self::Text | Self::Geometry | Self::Timestamptz => Some(Arrow::Utf8),
            Self::Json | Self::SparseFloatVector => Some(Arrow::Binary),
            Self::Array => {
                let element = element?;
                if element == Self::Array || element.is_vector() {
                    return None;
                }
                Some(Arrow::List(Arc::new(ArrowField::new("item", element.arrow(None, None)?, false))))
            }
            Self::FloatVector => list_of(Arrow::Float32, dim?),
            Self::Float16Vector => list_of(Arrow::Float16, dim?),
            Self::Int8Vector => list_of(Arrow::Int8, dim?),
            Self::BFloat16Vector => Some(Arrow::FixedSizeBinary(i32::try_from(dim?.checked_mul(2)?).ok()?)),
            Self::BinaryVector => Some(Arrow::FixedSizeBinary(i32::try_from(dim?.div_ceil(8)).ok()?)),
            Self::ArrayOfStruct | Self::Unknown(_) => None,
        }
    }

    /// A rough number of bytes that one value takes on the wire, for estimates before a row was seen. Text and JSON count
    /// as 64 bytes, sparse vectors as 400.
    pub fn typical_bytes(self, dim: Option<usize>) -> usize {
        self.fixed_bytes(dim).unwrap_or(if self == Self::SparseFloatVector { 400 } else { 64 })
    }

    /// Bytes of every value, where no value is longer than another one.
    pub fn fixed_bytes(self, dim: Option<usize>) -> Option<usize> {
        let dim = dim.filter(|dim| *dim <= MAX_DIM).unwrap_or(0);
        Some(match self {
            Self::Bool | Self::Int8 => 1,
            Self::Int16 | Self::Int32 | Self::Float => 4,
            Self::Int64 | Self::Double => 8,
            Self::BinaryVector => dim.div_ceil(8),
            Self::FloatVector => dim * 4,
            Self::Float16Vector | Self::BFloat16Vector => dim * 2,
            Self::Int8Vector => dim,
            _ => return None,
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Bool => "BOOL",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::VarChar => "VARCHAR",
            Self::Array => "ARRAY",
            Self::Json => "JSON",
            Self::Geometry => "GEOMETRY",
            Self::Text => "TEXT",
            Self::Timestamptz => "TIMESTAMPTZ",
            Self::BinaryVector => "BINARY_VECTOR",
            Self::FloatVector => "FLOAT_VECTOR",
            Self::Float16Vector => "FLOAT16_VECTOR",
            Self::BFloat16Vector => "BFLOAT16_VECTOR",
            Self::SparseFloatVector => "SPARSE_FLOAT_VECTOR",
            Self::Int8Vector => "INT8_VECTOR",
            Self::ArrayOfStruct => "ARRAY_OF_STRUCT",
            Self::Unknown(number) => return write!(f, "type {number}"),
        };
        f.pad(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_both_ways() {
        for number in 0..=300 {
            if number != 20 {
                assert_eq!(DataType::from_number(number).number(), number);
            }
        }
    }

    #[test]
    fn an_array_of_arrays_or_vectors_has_no_form() {
        assert_eq!(DataType::Array.arrow(Some(DataType::Array), None), None);
        assert_eq!(DataType::Array.arrow(Some(DataType::SparseFloatVector), None), None);
        assert_eq!(DataType::Unknown(31).arrow(None, None), None);
    }

    #[test]
    fn a_huge_dimension_does_not_overflow() {
        for data_type in [DataType::BFloat16Vector, DataType::FloatVector, DataType::BinaryVector] {
            for dim in [0, MAX_DIM + 1, 1 << 62, usize::MAX] {
                assert_eq!(data_type.arrow(None, Some(dim)), None);
                assert_eq!(data_type.typical_bytes(Some(dim)), 0);
            }
        }
    }
}
