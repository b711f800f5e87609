//! One field of the target as the plan file writes it. As in `model`, the doc comments become descriptions in the JSON
//! Schema, and each of a key holds an example.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::values::whole;
use crate::collection::DataType;

/// One field of the target. What is not said stays as the source has it; an empty mapping means the field as it is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldSpec {
    /// Where the values come from: a field of the source, a place within JSON such as `$meta.a.b` or `extra["a.b"]`, or `$partition` for the name of the partition that the row stands in; without it, the source's field of the same name. Example: `from: $meta.lang`
    #[schemars(length(min = 1))]
    pub(crate) from: Option<String>,
    /// For a place within JSON: whether the key stays in the JSON too; without it, `false`. Example: `keep: true`
    pub(crate) keep: Option<bool>,
    /// The same value for every row, instead of `from`. Example: `value: old-cluster`
    #[schemars(extend("type" = ["boolean", "number", "string", "array", "object"]))]
    pub(crate) value: Option<Value>,
    /// The type on the target; without it, that of where the values come from. Example: `type: varchar`
    #[serde(rename = "type")]
    pub(crate) kind: Option<TypeSpec>,
    /// The type of an array's elements, together with `type: array`. Example: `element_type: int64`
    pub(crate) element_type: Option<ElementTypeSpec>,
    /// The longest text that the field takes, from 1 to 65535. Example: `max_length: 512`
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 65_535))]
    pub(crate) max_length: Option<u32>,
    /// The most elements that an array takes, from 1 to 4096. Example: `max_capacity: 64`
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 4_096))]
    pub(crate) max_capacity: Option<u32>,
    /// Between float and int8 vectors: an int8 number is the float times this, rounded; without it, 127. Example: `scale: 127`
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub(crate) scale: Option<f64>,
    /// Whether the field takes nulls. Example: `nullable: true`
    pub(crate) nullable: Option<bool>,
    /// The value of rows that bring none; `null` takes the source's default away. Example: `default: en`
    #[serde(default, deserialize_with = "given")]
    pub(crate) default: Option<Value>,
    /// What becomes of a null: it stays, it becomes the default, or its row does not fit. Example: `on_null: default`
    pub(crate) on_null: Option<OnNullSpec>,
    /// What becomes of a row whose value does not fit; without it, `fail`. Example: `on_misfit: quarantine`
    #[serde(default, deserialize_with = "given")]
    pub(crate) on_misfit: Option<OnMisfitSpec>,
    /// Whether the field is the partition key. Example: `partition_key: true`
    pub(crate) partition_key: Option<bool>,
    /// Whether the field is the clustering key. Example: `clustering_key: true`
    pub(crate) clustering_key: Option<bool>,
    /// Free text about the field. Example: `description: ISO 639-1 code of the language`
    pub(crate) description: Option<String>,
    /// Whether the text is cut into words, for full-text search. Example: `enable_analyzer: true`
    pub(crate) enable_analyzer: Option<bool>,
    /// How the text is cut into words. Example: `analyzer_params: {type: english}`
    #[schemars(extend("type" = "object"))]
    pub(crate) analyzer_params: Option<Value>,
    /// Whether filters may match the words of the text. Example: `enable_match: true`
    pub(crate) enable_match: Option<bool>,
    /// Whether the field is mapped into memory from disk instead of held in it. Example: `mmap: true`
    pub(crate) mmap: Option<bool>,
}

/// Tells a null, where it means something, from a key that is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A data type of Milvus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TypeSpec {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Float,
    Double,
    Varchar,
    Array,
    Json,
    Geometry,
    Text,
    Timestamptz,
    FloatVector,
    Float16Vector,
    #[serde(rename = "bfloat16_vector")]
    Bfloat16Vector,
    Int8Vector,
    BinaryVector,
    SparseFloatVector,
}

impl TypeSpec {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Bool,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float => DataType::Float,
            Self::Double => DataType::Double,
            Self::Varchar => DataType::VarChar,
            Self::Array => DataType::Array,
            Self::Json => DataType::Json,
            Self::Geometry => DataType::Geometry,
            Self::Text => DataType::Text,
            Self::Timestamptz => DataType::Timestamptz,
            Self::FloatVector => DataType::FloatVector,
            Self::Float16Vector => DataType::Float16Vector,
            Self::Bfloat16Vector => DataType::BFloat16Vector,
            Self::Int8Vector => DataType::Int8Vector,
            Self::BinaryVector => DataType::BinaryVector,
            Self::SparseFloatVector => DataType::SparseFloatVector,
        }
    }
}

/// A data type that an array's elements can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ElementTypeSpec {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Float,
    Double,
    Varchar,
}

impl ElementTypeSpec {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Bool,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float => DataType::Float,
            Self::Double => DataType::Double,
            Self::Varchar => DataType::VarChar,
        }
    }
}

/// What becomes of a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnNullSpec {
    /// It stays null.
    Keep,
    /// It becomes the field's default value.
    Default,
    /// The row does not fit, and `on_misfit` says what becomes of it.
    Reject,
}

/// What becomes of a row whose value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnMisfitSpec {
    /// The copy of its collection stops.
    Fail,
    /// The value becomes null.
    Null,
    /// The text or array is cut to what fits.
    Truncate,
    /// The row goes to a file and not to the target.
    Quarantine,
}

// By hand, because `null` without quotes is no text in YAML, and means the same here.
impl<'de> Deserialize<'de> for OnMisfitSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            Some("fail") => Ok(Self::Fail),
            None | Some("null") => Ok(Self::Null),
            Some("truncate") => Ok(Self::Truncate),
            Some("quarantine") => Ok(Self::Quarantine),
            Some(_) => Err(D::Error::custom("expected `fail`, `null`, `truncate` or `quarantine`")),
        }
    }
}

impl JsonSchema for OnMisfitSpec {
    fn schema_name() -> Cow<'static, str> {
        "OnMisfit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What becomes of a row whose value does not fit: the copy of its collection stops, the value becomes null, the text or array is cut, or the row goes to a file. Example: `quarantine`",
            "enum": ["fail", null, "null", "truncate", "quarantine"]
        })
    }
}
