//! A plan's settings for one collection, compiled against the live source into what the target should be and into column
//! operations over a batch. No I/O: everything comes in by value.

mod columns;
mod schema;
#[cfg(test)]
mod tests;

pub use columns::Columns;
pub use schema::compile;

use crate::collection::{CollectionSchema, Index};

/// Something about the collection that a reader of the diff should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Field that it is about, if any.
    pub field: Option<String>,
    /// What is the matter, one sentence without a full stop.
    pub message: String,
    /// What to do, where there is something to do.
    pub help: Option<String>,
}

impl Remark {
    fn new(field: Option<&str>, message: impl Into<String>) -> Self {
        Self { field: field.map(str::to_owned), message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What the target should be.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// What the target is made from.
    pub schema: CollectionSchema,
    /// Named partitions to have, the default one included; empty with a partition key.
    pub partitions: Vec<String>,
    /// Indexes to have.
    pub indexes: Vec<Index>,
    /// Properties that are set only after the copy: a row's time to live counts from its writing.
    pub late_properties: Vec<(String, String)>,
    /// From rows of the source to rows of the target.
    pub columns: Columns,
    /// Reasons why it cannot be done. With any, the rest of the mapping is for display only.
    pub blocked: Vec<Remark>,
    /// What changes on the way although nobody asked for it.
    pub notes: Vec<Remark>,
    /// What could go wrong.
    pub warnings: Vec<Remark>,
}
