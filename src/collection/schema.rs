//! What a collection looks like, in words that no connector owns.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::DataType;

/// Name of the hidden JSON field that holds the keys no declared field takes.
pub const DYNAMIC_FIELD: &str = "$meta";

/// Name of the partition that every collection has.
pub const DEFAULT_PARTITION: &str = "_default";

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its type.
    pub data_type: DataType,
    /// Type of the elements where `data_type` is an array.
    pub element_type: Option<DataType>,
    /// Type parameters as the server spells them: `dim`, `max_length`, `max_capacity`, `enable_analyzer`, `mmap.enabled` …
    pub params: BTreeMap<String, String>,
    /// Whether it is the primary key.
    pub primary_key: bool,
    /// Whether the server makes the keys.
    pub auto_id: bool,
    /// Whether it is the partition key.
    pub partition_key: bool,
    /// Whether it is the clustering key.
    pub clustering_key: bool,
    /// Whether it holds nulls.
    pub nullable: bool,
    /// Stored where a row brings nothing.
    pub default: Option<DefaultValue>,
    /// Whether a function of the collection computes it; such fields are neither read nor written.
    pub function_output: bool,
}

impl Field {
    /// A plain field with no role and no parameters.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            data_type,
            element_type: None,
            params: BTreeMap::new(),
            primary_key: false,
            auto_id: false,
            partition_key: false,
            clustering_key: false,
            nullable: false,
            default: None,
            function_output: false,
        }
    }

    /// The hidden dynamic field.
    pub fn dynamic() -> Self {
        Self::new(DYNAMIC_FIELD, DataType::Json)
    }

    /// Dimension of a dense vector (bits for binary ones).
    pub fn dim(&self) -> Option<usize> {
        self.params.get("dim")?.parse().ok()
    }

    /// Longest text that the field takes; the unit is the server's ([`super::LengthUnit`]).
    pub fn max_length(&self) -> Option<usize> {
        self.params.get("max_length")?.parse().ok()
    }

    /// Most elements that an array takes.
    pub fn max_capacity(&self) -> Option<usize> {
        self.params.get("max_capacity")?.parse().ok()
    }

    /// The Arrow form of its values, or none where vecferry cannot carry the type.
    pub fn arrow(&self) -> Option<arrow_schema::DataType> {
        self.data_type.arrow(self.element_type, self.dim())
    }

    /// Type with its measure, as people write it: `VARCHAR(512)`, `FLOAT_VECTOR(768)`, `ARRAY<INT64>(100)`.
    pub fn type_text(&self) -> String {
        let measure = |value: Option<usize>| value.map(|value| format!("({value})")).unwrap_or_default();
        match self.data_type {
            DataType::Array => {
                let element = self.element_type.map_or_else(|| "?".to_owned(), |element| element.to_string());
                let length = if self.element_type == Some(DataType::VarChar) {
                    measure(self.max_length())
                } else {
                    String::new()
                };
                format!("ARRAY<{element}{length}>{}", measure(self.max_capacity()))
            }
            DataType::VarChar | DataType::Text => {
                format!("{}{}", self.data_type, measure(self.max_length()))
            }
            _ if self.data_type.is_vector() => format!("{}{}", self.data_type, measure(self.dim())),
            _ => self.data_type.to_string(),
        }
    }
}

/// A default value, with the type that the server stores it in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultValue {
    /// For BOOL.
    Bool(bool),
    /// For INT8, INT16 and INT32.
    Int(i32),
    /// For INT64.
    Long(i64),
    /// For FLOAT.
    Float(f32),
    /// For DOUBLE.
    Double(f64),
    /// For VARCHAR, GEOMETRY and, as text, TIMESTAMPTZ.
    Text(String),
    /// For JSON.
    Bytes(Vec<u8>),
    /// For TIMESTAMPTZ, in microseconds since 1970-01-01 UTC.
    Timestamp(i64),
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Bytes(value) => write!(f, "{}", String::from_utf8_lossy(value)),
            Self::Timestamp(value) => write!(f, "{value} µs"),
        }
    }
}

/// What a function computes. The numbers are those of the protocol (`schema.proto`, enum `FunctionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FunctionKind {
    /// Sparse vectors for full-text search.
    Bm25,
    /// Dense vectors by a model outside the server.
    TextEmbedding,
    /// MinHash signatures.
    MinHash,
    /// Any other, by its number.
    Other(i32),
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bm25 => f.write_str("BM25"),
            Self::TextEmbedding => f.write_str("TEXT_EMBEDDING"),
            Self::MinHash => f.write_str("MINHASH"),
            Self::Other(number) => write!(f, "function type {number}"),
        }
    }
}

/// A function of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it computes.
    pub kind: FunctionKind,
    /// Fields it reads.
    pub inputs: Vec<String>,
    /// Fields it fills.
    pub outputs: Vec<String>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
}

/// How fresh reads are unless a request says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Sees every write.
    Strong,
    /// Sees the client's own writes.
    Session,
    /// Sees writes older than a few seconds.
    Bounded,
    /// Sees writes some time later.
    Eventually,
    /// Each request says.
    Customized,
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strong => "Strong",
            Self::Session => "Session",
            Self::Bounded => "Bounded",
            Self::Eventually => "Eventually",
            Self::Customized => "Customized",
        })
    }
}

/// What a collection is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionSchema {
    /// Free text.
    pub description: String,
    /// Declared fields in the server's order, without the hidden dynamic field.
    pub fields: Vec<Field>,
    /// Whether rows may bring keys that no field declares.
    pub dynamic_field: bool,
    /// Functions that fill fields.
    pub functions: Vec<Function>,
    /// Number of shards (virtual channels); 0 where the server does not say.
    pub shards: u32,
    /// Default consistency of reads; none where the server does not say.
    pub consistency: Option<Consistency>,
    /// Properties such as `collection.ttl.seconds` and `mmap.enabled`, without vecferry's own mark.
    pub properties: BTreeMap<String, String>,
    /// Number of partitions behind a partition key; none without one or where the server does not say.
    pub key_partitions: Option<u32>,
    /// Names of fields made of sub-fields, which vecferry does not carry yet.
    pub struct_fields: Vec<String>,
}

impl CollectionSchema {
    /// The primary key. Every collection that a server describes has one.
    pub fn primary_key(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.primary_key)
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether a field is the partition key; such a collection has no named partitions.
    pub fn has_partition_key(&self) -> bool {
        self.fields.iter().any(|field| field.partition_key)
    }

    /// The columns that are read or written: every declared field that no function computes, then the dynamic field.
    pub fn columns(&self) -> Vec<Field> {
        let mut columns: Vec<Field> = self.fields.iter().filter(|field| !field.function_output).cloned().collect();
        if self.dynamic_field {
            columns.push(Field::dynamic());
        }
        columns
    }

    /// A guess at the bytes of one row, for estimates before a row was seen.
    pub fn typical_row_bytes(&self) -> usize {
        self.columns().iter().map(|field| field.data_type.typical_bytes(field.dim())).sum()
    }
}

/// An index as a server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Field that it is built on.
    pub field: String,
    /// Its name.
    pub name: String,
    /// `index_type`, `metric_type`, `params` … as the server spells them.
    pub params: BTreeMap<String, String>,
}

impl Index {
    /// `HNSW` and the like.
    pub fn index_type(&self) -> Option<&str> {
        self.params.get("index_type").map(String::as_str)
    }

    /// `COSINE` and the like.
    pub fn metric_type(&self) -> Option<&str> {
        self.params.get("metric_type").map(String::as_str)
    }

    /// Type, metric and parameters on one line.
    pub fn text(&self) -> String {
        let mut text = self.index_type().unwrap_or("default").to_owned();
        if let Some(metric) = self.metric_type() {
            text.push_str(&format!(", {metric}"));
        }
        for (key, value) in &self.params {
            if key != "index_type" && key != "metric_type" {
                text.push_str(&format!(", {key} {value}"));
            }
        }
        text
    }
}

/// Whether a collection can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadState {
    /// No part is loaded.
    NotLoaded,
    /// Some part is loaded, or it is on its way.
    Loading,
    /// All of it is loaded.
    Loaded,
}

impl fmt::Display for LoadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLoaded => "not loaded",
            Self::Loading => "partly loaded",
            Self::Loaded => "loaded",
        })
    }
}

/// A collection that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveCollection {
    /// The server's number for it; a collection made anew has another. 0 where the server has none.
    pub id: i64,
    /// Its name, never an alias.
    pub name: String,
    /// What it is made from.
    pub schema: CollectionSchema,
    /// Names of all partitions, [`DEFAULT_PARTITION`] included. Empty where a partition key takes their place.
    pub partitions: Vec<String>,
    /// Its indexes.
    pub indexes: Vec<Index>,
    /// Whether it can be searched.
    pub load_state: LoadState,
    /// Partitions that are not loaded, where others are.
    pub unloaded_partitions: Vec<String>,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// vecferry's own mark in its properties, by key.
    pub mark: BTreeMap<String, String>,
}
