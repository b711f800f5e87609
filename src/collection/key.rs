//! Primary keys and ranges of them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A primary key. Text compares by its UTF-8 bytes, which is the order in which Milvus compares and returns it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// An INT64 key.
    Int(i64),
    /// A VARCHAR key.
    Text(String),
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            // One collection has keys of one type only; this arm just makes the order total.
            (Self::Int(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Int(_)) => Ordering::Greater,
        }
    }
}

impl fmt::Display for Key {
    /// Text is quoted and escaped, so that a key with a line break or a terminal escape stays on its line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// The keys above `after` up to and including `to`; none stands for no bound on that side. Ranges that follow one another
/// in a list share a border, so together they leave no gap, whatever keys come to exist later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    /// Exclusive lower bound.
    pub after: Option<Key>,
    /// Inclusive upper bound.
    pub to: Option<Key>,
}

impl KeyRange {
    /// Every key.
    pub const ALL: Self = Self { after: None, to: None };

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| key > after) && self.to.as_ref().is_none_or(|to| key <= to)
    }

    /// The ranges between consecutive borders, from the first key that can be to the last. `borders` must ascend.
    pub fn between(borders: &[Key]) -> Vec<Self> {
        let mut ranges = Vec::with_capacity(borders.len() + 1);
        let mut after = None;
        for border in borders {
            ranges.push(Self { after, to: Some(border.clone()) });
            after = Some(border.clone());
        }
        ranges.push(Self { after, to: None });
        ranges
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.after, &self.to) {
            (None, None) => write!(f, "all keys"),
            (None, Some(to)) => write!(f, "keys up to {to}"),
            (Some(after), None) => write!(f, "keys above {after}"),
            (Some(after), Some(to)) => write!(f, "keys above {after} up to {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the borders, each key lies in exactly one of the ranges between them.
        #[test]
        fn ranges_cover_each_key_once(mut borders in prop::collection::btree_set(any::<i64>(), 0..8), key in any::<i64>()) {
            borders.insert(i64::MIN);
            let borders: Vec<Key> = borders.into_iter().map(Key::Int).collect();
            let ranges = KeyRange::between(&borders);
            prop_assert_eq!(ranges.iter().filter(|range| range.contains(&Key::Int(key))).count(), 1);
        }

        #[test]
        fn text_is_ordered_by_its_bytes(a in ".*", b in ".*") {
            prop_assert_eq!(Key::Text(a.clone()).cmp(&Key::Text(b.clone())), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
