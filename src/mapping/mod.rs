//! A plan's settings for one collection, compiled against the live source into what the target should be and into column
//! operations over a batch. No I/O: everything comes in by value.

mod build;
mod columns;
mod convert;
mod dynamic;
mod fields;
mod fit;
mod functions;
mod indexes;
mod key;
mod partitions;
mod schema;
#[cfg(test)]
mod tests;

pub use columns::{Columns, Rewrite, Touched, Unfit, merge_touched, row_as_json};
pub use dynamic::{KeyCensus, KeySeen};
pub use partitions::Route;
pub use schema::{compile, settle_shards};

use std::collections::BTreeMap;

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
    /// Where the rows of each partition of the source go.
    pub routes: Vec<Route>,
    /// Whether the plan chooses some of the source's partitions.
    pub chosen: bool,
    /// Named partitions to have, the default one included; empty with a partition key.
    pub partitions: Vec<String>,
    /// Indexes to have.
    pub indexes: Vec<Index>,
    /// Properties that are set only after the copy: a row's time to live counts from its writing.
    pub late_properties: Vec<(String, String)>,
    /// Names that point to the target once it is verified.
    pub aliases: Vec<String>,
    /// From rows of the source to rows of the target.
    pub columns: Columns,
    /// For fields of the target, in a few words where their values come from, unless they are simply carried.
    pub origins: BTreeMap<String, String>,
    /// For each field of the source that lives on, the field of the target that has its roles and its index.
    pub carriers: BTreeMap<String, String>,
    /// Fields that BM25 fills, with the field that it reads: a search proves that they were filled.
    pub searched: Vec<(String, String)>,
    /// Reasons why it cannot be done. With any, the rest of the mapping is for display only.
    pub blocked: Vec<Remark>,
    /// What changes on the way although nobody asked for it.
    pub notes: Vec<Remark>,
    /// What could go wrong.
    pub warnings: Vec<Remark>,
}

impl Mapping {
    /// The partition of the target that rows of these partitions of the source go to.
    pub fn target_partition(&self, partitions: &[String]) -> Option<&str> {
        self.routes.iter().find(|route| route.from == partitions).and_then(|route| route.to.as_deref())
    }

    /// Whether partitions of the source are left behind with their rows.
    pub fn leaves_partitions(&self) -> bool {
        self.chosen
    }

    /// The primary key of the target where it takes its values from the source and is not the source's key, so that nothing
    /// but a look at every row tells whether its values are unique.
    pub fn new_key(&self) -> Option<&str> {
        let key = &self.columns.key;
        (!key.auto_id && !self.columns.keeps_key()).then_some(key.name.as_str())
    }
}

/// What was found while a mapping was compiled.
#[derive(Default)]
struct Remarks {
    blocked: Vec<Remark>,
    notes: Vec<Remark>,
    warnings: Vec<Remark>,
    /// Text fields whose length the two servers count differently.
    in_other_units: Vec<String>,
    /// Fields whose default value the target keeps and does not apply.
    with_defaults: Vec<String>,
}

impl Remarks {
    fn block(&mut self, field: Option<&str>, message: impl Into<String>, help: impl Into<String>) {
        self.blocked.push(Remark::new(field, message).help(help));
    }

    fn note(&mut self, field: Option<&str>, message: impl Into<String>) {
        self.notes.push(Remark::new(field, message));
    }
}

/// "did you mean `x`?" for a name that is not there, or the names that are.
fn suggestion<'a>(name: &str, there: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = there
        .clone()
        .map(|other| (strsim::damerau_levenshtein(other, name), other))
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, near)| format!("did you mean `{near}`?"));
    near.unwrap_or_else(|| format!("there are {}", there.collect::<Vec<_>>().join(", ")))
}
