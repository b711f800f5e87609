//! A plan that vecferry writes: what it says, and beside each part what its reader should know. Text is made of it by `render`.

use serde_json::{Map, Value};

use super::model::CollectionSpec;
use super::resolve_shape;
use super::resolved::Settings;

/// A plan to write, with one migration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// Where editors find the JSON Schema.
    pub schema: String,
    /// What the plan is as a whole, one paragraph each.
    pub about: Vec<String>,
    /// The cluster that is read.
    pub source: Vec<Part>,
    /// The cluster that is written.
    pub target: Vec<Part>,
    /// What the migration says besides its collections.
    pub migration: Vec<Part>,
    /// Its collections.
    pub entries: Vec<Entry>,
}

/// One key, and what there is to say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Written above it, one paragraph each.
    pub comments: Vec<String>,
    /// The key.
    pub key: String,
    /// What it says.
    pub content: Content,
    /// Whether it is only proposed, and written as a comment.
    pub off: bool,
}

/// What a key says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A value.
    Value(Value),
    /// A mapping, whose parts have comments of their own.
    Parts(Vec<Part>),
}

impl Part {
    /// A key with its value.
    pub fn new(key: &str, value: impl Into<Value>) -> Self {
        Self { comments: Vec::new(), key: key.to_owned(), content: Content::Value(value.into()), off: false }
    }

    /// A key with a mapping.
    pub fn of_parts(key: &str, parts: Vec<Self>) -> Self {
        Self { comments: Vec::new(), key: key.to_owned(), content: Content::Parts(parts), off: false }
    }

    /// The same with a comment above it.
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comments.push(comment.into());
        self
    }

    /// The same as a proposal, which does nothing until somebody takes the comment sign away.
    pub fn proposed(mut self) -> Self {
        self.off = true;
        self
    }

    fn value(&self) -> Value {
        match &self.content {
            Content::Value(value) => value.clone(),
            Content::Parts(parts) => values(parts),
        }
    }
}

/// One entry under `collections`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Written above it, one line each.
    pub about: Vec<String>,
    /// What it says; the first is `source` or `match`.
    pub parts: Vec<Part>,
    /// Whether it is written as a comment as a whole.
    pub off: bool,
}

impl Entry {
    /// What the entry means, as a plan that says it would be understood; none where no plan can say it.
    pub fn settings(&self) -> Option<Settings> {
        let spec: CollectionSpec = serde_json::from_value(values(&self.parts)).ok()?;
        Some(resolve_shape::settings(&spec, None))
    }

    /// What the entry says about its collections besides their names.
    pub fn shape(&self) -> Vec<(&str, Value)> {
        let said = self.parts.iter().filter(|part| !part.off && part.key != "source");
        said.map(|part| (part.key.as_str(), part.value())).collect()
    }
}

fn values(parts: &[Part]) -> Value {
    let said = parts.iter().filter(|part| !part.off).map(|part| (part.key.clone(), part.value()));
    Value::Object(said.collect::<Map<_, _>>())
}
