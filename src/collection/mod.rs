//! The words that every room shares: schemas, data types, keys and ranges of keys, batches of rows and their fingerprints.
//!
//! Nothing here opens a connection or a file. A connector (`cluster`) translates its wire format into these words and back.

mod batch;
mod capabilities;
mod data_type;
mod field_path;
mod fingerprint;
mod json_value;
mod key;
mod schema;

pub use batch::{BatchError, RowBatch};
pub use capabilities::{Capabilities, LengthUnit};
pub use data_type::DataType;
pub use field_path::FieldPath;
pub use fingerprint::{Fingerprint, RowHasher};
pub use json_value::JsonHasher;
pub use key::{Key, KeyRange};
pub use schema::{
    CollectionSchema, Consistency, DEFAULT_PARTITION, DYNAMIC_FIELD, DefaultValue, Field, Function, FunctionKind,
    Index, LiveCollection, LoadState,
};
