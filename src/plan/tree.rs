//! A document as read from a file: values with the places where they stand. YAML and TOML both end up here, so that the
//! schema and the rules know nothing of either.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diagnostic::{SourceText, Span};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Byte range of the value. Of a list or mapping: from its first to its last part.
    pub(crate) range: Range<usize>,
    /// What it is.
    pub(crate) kind: Kind,
    /// A part was taken out because it was invalid, so that nothing may be concluded from its absence.
    pub(crate) damaged: bool,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Null, a boolean, a number or text; never a list or an object.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file, with unique keys.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key's text.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_range: Range<usize>,
    /// Its value.
    pub(crate) node: Node,
}

/// One step down from a mapping or list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A way from the root to a value.
pub(crate) type Path = Vec<Step>;

/// Builds a [`Path`] from keys and indexes.
macro_rules! steps {
    ($($step:expr),* $(,)?) => { $crate::plan::tree::Path::from([$($crate::plan::tree::Step::from($step)),*]) };
}
pub(crate) use steps;

/// A path with one more step.
pub(crate) fn child(path: &[Step], step: impl Into<Step>) -> Path {
    let mut path = path.to_vec();
    path.push(step.into());
    path
}

impl Node {
    pub(crate) fn new(range: Range<usize>, kind: Kind) -> Self {
        Self { range, kind, damaged: false }
    }

    /// The value without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Kind::Scalar(_) | Kind::List(_) => None,
        }
    }

    /// The value one step down.
    pub(crate) fn step(&self, step: &Step) -> Option<&Self> {
        match (step, &self.kind) {
            (Step::Key(key), Kind::Map(_)) => self.entry(key).map(|entry| &entry.node),
            (Step::Index(index), Kind::List(items)) => items.get(*index),
            _ => None,
        }
    }

    /// The value at the end of a path.
    pub(crate) fn find(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, Self::step)
    }

    /// Text at the end of a path.
    pub(crate) fn text(&self, path: &[Step]) -> Option<&str> {
        match &self.find(path)?.kind {
            Kind::Scalar(value) => value.as_str(),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Takes out what the paths lead to and marks what it was taken from.
    pub(crate) fn prune(&mut self, paths: Vec<Path>) {
        // All parts of one parent at once, because a file may have a hundred thousand of them.
        let mut doomed: BTreeMap<Path, HashSet<Step>> = BTreeMap::new();
        for mut path in paths {
            if let Some(last) = path.pop() {
                doomed.entry(path).or_default().insert(last);
            }
        }
        // Inner and later parents first, so that the indexes on the way to the others stay right.
        for (parent, parts) in doomed.iter().rev() {
            let Some(parent) = self.find_mut(parent) else {
                continue;
            };
            match &mut parent.kind {
                Kind::Scalar(_) => continue,
                Kind::List(items) => {
                    let mut index = 0;
                    items.retain(|_| {
                        index += 1;
                        !parts.contains(&Step::Index(index - 1))
                    });
                }
                Kind::Map(entries) => {
                    entries.retain(|entry| !parts.contains(&Step::Key(entry.key.clone())));
                }
            }
            parent.damaged = true;
        }
    }

    fn find_mut(&mut self, path: &[Step]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, step| match (step, &mut node.kind) {
            (Step::Key(key), Kind::Map(entries)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.node)
            }
            (Step::Index(index), Kind::List(items)) => items.get_mut(*index),
            _ => None,
        })
    }
}

/// A document and the text it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The text.
    pub(crate) source: Arc<SourceText>,
    /// The outermost value.
    pub(crate) root: Node,
}

impl Document {
    /// Where a value stands. A list or mapping over several lines is marked at its key, where it has one: a mark over
    /// twenty lines says less than one over the word that introduces them. Where the path leads nowhere, the nearest
    /// value above it.
    pub(crate) fn span(&self, path: &[Step]) -> Span {
        let mut node = &self.root;
        let mut key = None;
        for step in path {
            let next = match step {
                Step::Key(name) => node.entry(name).map(|entry| {
                    key = Some(&entry.key_range);
                    &entry.node
                }),
                Step::Index(_) => {
                    let item = node.step(step);
                    if item.is_some() {
                        key = None;
                    }
                    item
                }
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        let scalar = matches!(node.kind, Kind::Scalar(_));
        let text = self.source.text.get(node.range.clone()).unwrap_or("");
        let range = match key {
            Some(key) if text.is_empty() || (!scalar && text.contains('\n')) => key.clone(),
            _ if !scalar => first_line(&node.range, text),
            _ => node.range.clone(),
        };
        Span::new(&self.source, range)
    }

    /// Where the key of a value stands; the value itself where it has no key.
    pub(crate) fn key_span(&self, path: &[Step]) -> Span {
        if let Some((Step::Key(key), parents)) = path.split_last()
            && let Some(entry) = self.root.find(parents).and_then(|node| node.entry(key))
        {
            return Span::new(&self.source, entry.key_range.clone());
        }
        self.span(path)
    }
}

fn first_line(range: &Range<usize>, text: &str) -> Range<usize> {
    let length = text.find(['\r', '\n']).unwrap_or(text.len());
    range.start..range.start + length
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pruning_keeps_the_other_items_and_marks_the_parent() {
        let item = |n: i64| Node::new(0..0, Kind::Scalar(json!(n)));
        let list = Node::new(0..0, Kind::List(vec![item(0), item(1), item(2), item(3)]));
        let mut root = Node::new(0..0, Kind::Map(vec![Entry { key: "list".to_owned(), key_range: 0..0, node: list }]));
        root.prune(vec![steps!["list", 0], steps!["list", 2], steps!["gone"]]);
        assert_eq!(root.to_value(), json!({"list": [1, 3]}));
        assert!(root.find(&steps!["list"]).is_some_and(|node| node.damaged));
    }
}
