//! What an entry says about a collection besides its fields: the primary key, partitions, indexes and functions. Most can
//! be written as one word or as a mapping, so they read themselves by hand, as those in `values` do.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

/// Reads what is one word or a mapping.
struct WordOr<T, W, M> {
    expected: &'static str,
    word: W,
    mapping: PhantomData<(T, M)>,
    build: fn(M) -> T,
}

impl<'de, T, W, M> Visitor<'de> for WordOr<T, W, M>
where
    W: FnOnce(&str) -> Option<T>,
    M: Deserialize<'de>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        (self.word)(value).ok_or_else(|| E::custom("another word than expected"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(self.build)
    }
}

fn word_or<'de, D, T, M>(
    deserializer: D,
    expected: &'static str,
    word: impl FnOnce(&str) -> Option<T>,
    build: fn(M) -> T,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    M: Deserialize<'de>,
{
    deserializer.deserialize_any(WordOr { expected, word, mapping: PhantomData, build })
}

/// The target's primary key.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrimaryKeyBody {
    /// The field of the target that is the primary key; without it, the one that carries the source's key. Example: `field: id`
    #[schemars(length(min = 1))]
    pub(crate) field: Option<String>,
    /// Whether the server makes the keys; without it, `false`: each row keeps its key. Example: `auto_id: true`
    pub(crate) auto_id: Option<bool>,
    /// With `auto_id: true`: a field of the target that keeps the source's keys. Example: `keep_as: legacy_id`
    #[schemars(length(min = 1))]
    pub(crate) keep_as: Option<String>,
    /// With `auto_id: true`: whether rows bring their keys all the same, on servers that offer it; without it, `false`. Example: `allow_insert_auto_id: true`
    pub(crate) allow_insert_auto_id: Option<bool>,
}

/// The primary key: a field's name, or a mapping.
#[derive(Debug, Clone)]
pub(crate) enum PrimaryKeySpec {
    /// This field.
    Field(String),
    /// More than a name.
    Body(PrimaryKeyBody),
}

impl PrimaryKeySpec {
    /// The name of the field, as far as it is said.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Field(name) => Some(name),
            Self::Body(body) => body.field.as_deref(),
        }
    }

    /// The long form, where it is one.
    pub(crate) fn body(&self) -> Option<&PrimaryKeyBody> {
        match self {
            Self::Field(_) => None,
            Self::Body(body) => Some(body),
        }
    }
}

impl<'de> Deserialize<'de> for PrimaryKeySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let field = |name: &str| Some(Self::Field(name.to_owned()));
        word_or(deserializer, "a field's name or a mapping", field, Self::Body)
    }
}

impl JsonSchema for PrimaryKeySpec {
    fn schema_name() -> Cow<'static, str> {
        "PrimaryKey".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The target's primary key: a field's name, or a mapping. Example: `{auto_id: true, keep_as: legacy_id}`",
            "oneOf": [{"type": "string", "minLength": 1}, generator.subschema_for::<PrimaryKeyBody>()]
        })
    }
}

/// Some of the source's partitions, or all of them under other names.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(crate) struct PartitionsBody {
    /// The partitions whose rows are copied, by their names on the source; without it, all. Example: `only: [y2024, y2025]`
    #[schemars(length(min = 1))]
    pub(crate) only: Option<Vec<String>>,
    /// New names by old ones. Partitions that get the same name become one. Example: `rename: {y2024: archive}`
    #[schemars(extend("minProperties" = 1))]
    pub(crate) rename: Option<BTreeMap<String, String>>,
}

/// What becomes of named partitions.
#[derive(Debug, Clone)]
pub(crate) enum PartitionsSpec {
    /// The target gets the same.
    Copy,
    /// The target gets none.
    None,
    /// Some of them, or under other names.
    Body(PartitionsBody),
}

impl<'de> Deserialize<'de> for PartitionsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = |word: &str| match word {
            "copy" => Some(Self::Copy),
            "none" => Some(Self::None),
            _ => None,
        };
        word_or(deserializer, "`copy`, `none` or a mapping", word, Self::Body)
    }
}

impl JsonSchema for PartitionsSpec {
    fn schema_name() -> Cow<'static, str> {
        "Partitions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What becomes of named partitions. Example: `{only: [y2025]}`",
            "oneOf": [
                {"const": "copy", "description": "The target gets the same partitions, each row in its own."},
                {"const": "none", "description": "The target gets no partitions but the default one, with all rows in it."},
                generator.subschema_for::<PartitionsBody>()
            ]
        })
    }
}

/// The index of a field, spelled out.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldIndexBody {
    /// The index type in Milvus' own spelling. Example: `index_type: HNSW`
    #[schemars(length(min = 1))]
    pub(crate) index_type: String,
    /// The metric type in Milvus' own spelling; without it, the source's. Example: `metric_type: COSINE`
    #[schemars(length(min = 1))]
    pub(crate) metric_type: Option<String>,
    /// The index's name; without it, the source's, or the field's. Example: `name: by_meaning`
    #[schemars(length(min = 1))]
    pub(crate) name: Option<String>,
    /// Parameters of the index type. Example: `params: {M: 16, efConstruction: 200}`
    pub(crate) params: Option<BTreeMap<String, Scalar>>,
}

/// The index of one field.
#[derive(Debug, Clone)]
pub(crate) enum FieldIndexSpec {
    /// AUTOINDEX.
    Auto,
    /// What the source has.
    Copy,
    /// None.
    None,
    /// This one.
    Body(FieldIndexBody),
}

impl<'de> Deserialize<'de> for FieldIndexSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = |word: &str| match word {
            "auto" => Some(Self::Auto),
            "copy" => Some(Self::Copy),
            "none" => Some(Self::None),
            _ => None,
        };
        word_or(deserializer, "`auto`, `copy`, `none` or a mapping", word, Self::Body)
    }
}

impl JsonSchema for FieldIndexSpec {
    fn schema_name() -> Cow<'static, str> {
        "FieldIndex".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The index of one field. Example: `{index_type: HNSW, metric_type: COSINE, params: {M: 16}}`",
            "oneOf": [
                {"const": "auto", "description": "AUTOINDEX, with the source's metric type where it has one."},
                {"const": "copy", "description": "What the source has, with its parameters."},
                {"const": "none", "description": "None."},
                generator.subschema_for::<FieldIndexBody>()
            ]
        })
    }
}

/// Indexes on the target.
#[derive(Debug, Clone)]
pub(crate) enum IndexesSpec {
    /// AUTOINDEX on each vector field.
    Auto,
    /// What the source has.
    Copy,
    /// None.
    None,
    /// By field of the target.
    Each(BTreeMap<String, FieldIndexSpec>),
}

impl<'de> Deserialize<'de> for IndexesSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = |word: &str| match word {
            "auto" => Some(Self::Auto),
            "copy" => Some(Self::Copy),
            "none" => Some(Self::None),
            _ => None,
        };
        word_or(deserializer, "`auto`, `copy`, `none` or a mapping", word, Self::Each)
    }
}

impl JsonSchema for IndexesSpec {
    fn schema_name() -> Cow<'static, str> {
        "Indexes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Indexes on the target: for all fields, or by field of the target. Example: `{embedding: {index_type: HNSW, metric_type: COSINE}}`",
            "oneOf": [
                {"const": "auto", "description": "AUTOINDEX on each vector field, with the source's metric type."},
                {"const": "copy", "description": "What the source has, with its parameters."},
                {"const": "none", "description": "None."},
                {
                    "type": "object",
                    "additionalProperties": generator.subschema_for::<FieldIndexSpec>(),
                    "minProperties": 1
                }
            ]
        })
    }
}

/// What a function computes.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FunctionKindSpec {
    /// Sparse vectors of a text, for full-text search.
    Bm25,
    /// Dense vectors of a text, by a model outside the server.
    TextEmbedding,
    /// MinHash signatures of a text.
    Minhash,
}

/// A function of the target.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionBody {
    /// What it computes. Example: `type: bm25`
    #[serde(rename = "type")]
    pub(crate) kind: FunctionKindSpec,
    /// Fields of the target that it reads. Example: `input_fields: [text]`
    #[schemars(length(min = 1))]
    pub(crate) input_fields: Vec<String>,
    /// Fields of the target that it fills. Example: `output_fields: [text_sparse]`
    #[schemars(length(min = 1))]
    pub(crate) output_fields: Vec<String>,
    /// Its parameters, in Milvus' own spelling. Example: `params: {provider: openai, model_name: text-embedding-3-small}`
    pub(crate) params: Option<BTreeMap<String, Scalar>>,
    /// Free text about the function. Example: `description: full-text search over the text`
    pub(crate) description: Option<String>,
}

/// A function of the target, or that the source's is left behind.
#[derive(Debug, Clone)]
pub(crate) enum FunctionSpec {
    /// The source's function of this name is left behind.
    None,
    /// The target has this one.
    Body(FunctionBody),
}

impl FunctionSpec {
    /// The function, where there is to be one.
    pub(crate) fn body(&self) -> Option<&FunctionBody> {
        match self {
            Self::None => None,
            Self::Body(body) => Some(body),
        }
    }
}

impl<'de> Deserialize<'de> for FunctionSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = |word: &str| (word == "none").then_some(Self::None);
        word_or(deserializer, "`none` or a mapping", word, Self::Body)
    }
}

impl JsonSchema for FunctionSpec {
    fn schema_name() -> Cow<'static, str> {
        "Function".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A function of the target, or `none`. Example: `{type: bm25, input_fields: [text], output_fields: [text_sparse]}`",
            "oneOf": [
                {"const": "none", "description": "The source's function of this name is left behind."},
                generator.subschema_for::<FunctionBody>()
            ]
        })
    }
}

/// A text, number or truth value, as the text that Milvus takes for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar(pub(crate) String);

impl Scalar {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self(text)),
            Value::Bool(_) | Value::Number(_) => Some(Self(value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Value::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("expected a text, a number, `true` or `false`"))
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["boolean", "number", "string"]})
    }
}

/// The value of a property; nothing where the source's is left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Property {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self(None)),
            value => Scalar::of(value)
                .map(|Scalar(text)| Self(Some(text)))
                .ok_or_else(|| D::Error::custom("expected a text, a number, `true`, `false` or `null`")),
        }
    }
}

impl JsonSchema for Property {
    fn schema_name() -> Cow<'static, str> {
        "Property".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Not one list of types, because null is taken out of those: for most keys it is a slip.
        json_schema!({"oneOf": [{"type": ["boolean", "number", "string"]}, {"type": "null"}]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_spelled_as_milvus_does() {
        for (value, text) in [
            (json!(16), "16"),
            (json!(-9_223_372_036_854_775_808_i64), "-9223372036854775808"),
            (json!(0.25), "0.25"),
            (json!(true), "true"),
            (json!("IP"), "IP"),
        ] {
            assert_eq!(Scalar::of(value), Some(Scalar(text.to_owned())));
        }
        assert_eq!(Scalar::of(json!([1])), None);
        assert_eq!(serde_json::from_value::<Property>(json!(null)).expect("null is a value"), Property(None));
    }
}
