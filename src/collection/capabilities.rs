//! What a server can hold. `diff` decides by these values, so it never needs to know which server is behind them.

use std::collections::BTreeSet;

use super::DataType;

/// What a text field's `max_length` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthUnit {
    /// UTF-8 bytes.
    Bytes,
    /// Unicode characters.
    Characters,
}

/// What a server can hold and do.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// Its name and version for messages, e.g. `Milvus 2.3.5`.
    pub server: String,
    /// Types of fields it stores and returns.
    pub types: BTreeSet<DataType>,
    /// Whether fields may hold nulls.
    pub nullable: bool,
    /// Whether vector fields may hold nulls.
    pub nullable_vectors: bool,
    /// Whether default values are kept.
    pub defaults: bool,
    /// Whether an insert may leave out a field that has a default value; Milvus 2.3.5 dies of it.
    pub omitted_defaults: bool,
    /// Whether it runs functions such as BM25.
    pub functions: bool,
    /// Whether it keeps clustering keys.
    pub clustering_key: bool,
    /// Most vector fields in one collection.
    pub max_vector_fields: usize,
    /// Most shards in one collection.
    pub max_shards: u32,
    /// What `max_length` counts.
    pub length_unit: LengthUnit,
    /// Most that `max_length` may be, in `length_unit`.
    pub max_text_length: usize,
    /// Whether names are limited to ASCII letters, digits and underscores, up to 255 of them.
    pub strict_names: bool,
    /// Whether it keeps the number of shards, descriptions, the consistency level and the number of partitions behind a
    /// partition key.
    pub keeps_settings: bool,
    /// Whether each vector field needs an index before the collection can be loaded.
    pub load_needs_index: bool,
    /// Vector types for which AUTOINDEX is refused, or accepted and never built.
    pub no_auto_index: BTreeSet<DataType>,
    /// Whether an array of text needs `max_length` for its elements.
    pub array_text_needs_length: bool,
    /// Whether a JSON field takes values that are no objects: numbers, text, lists.
    pub json_scalars: bool,
    /// Whether a null in a field with a default value is stored as that value.
    pub null_takes_default: bool,
    /// Whether rows may bring their keys to a collection whose keys the server makes.
    pub insert_auto_id: bool,
    /// Whether a JSON field may have a default value; Milvus 2.3.5 dies of one.
    pub json_defaults: bool,
    /// Whether a key of the dynamic field that has a declared field's name overwrites that field, the primary key too.
    pub dynamic_overwrites: bool,
    /// Whether searches in FLOAT16_VECTOR fields find the right rows.
    pub float16_search: bool,
    /// Index types that it is known to have; none where that is not known.
    pub index_types: Option<BTreeSet<&'static str>>,
}

#[cfg(test)]
impl Capabilities {
    /// A server of tests that holds everything.
    pub fn able() -> Self {
        use DataType::{Array, BinaryVector, Float16Vector, FloatVector, Int64, Json, SparseFloatVector, VarChar};
        Self {
            server: "Milvus 9.9.9".into(),
            types: [Array, BinaryVector, Float16Vector, FloatVector, Int64, Json, SparseFloatVector, VarChar].into(),
            nullable: true,
            nullable_vectors: true,
            defaults: true,
            omitted_defaults: true,
            functions: true,
            clustering_key: true,
            max_vector_fields: 4,
            max_shards: 16,
            length_unit: LengthUnit::Bytes,
            max_text_length: 65_535,
            strict_names: true,
            keeps_settings: true,
            load_needs_index: true,
            no_auto_index: [].into(),
            array_text_needs_length: true,
            json_scalars: true,
            null_takes_default: true,
            insert_auto_id: true,
            json_defaults: true,
            dynamic_overwrites: false,
            float16_search: true,
            index_types: None,
        }
    }
}
