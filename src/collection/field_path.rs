//! A place in a row: a field, or a key within a JSON field or within the dynamic field.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DYNAMIC_FIELD;

/// A field and, for a place within JSON, the keys that lead to it from outside in. Written `$meta.a.b` or, for keys that
/// hold a dot or another odd character, `$meta["a.b"]["c"]`, as Milvus' own expressions write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldPath {
    /// The field; [`DYNAMIC_FIELD`] for the dynamic one.
    pub field: String,
    /// Keys within its JSON objects; empty for the field itself.
    pub keys: Vec<String>,
}

impl FieldPath {
    /// Reads a path. Says what is wrong with one that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let start = text.find(['.', '[']).unwrap_or(text.len());
        let (field, mut rest) = text.split_at(start);
        if field.is_empty() {
            return Err("a path begins with the name of a field".to_owned());
        }
        let mut keys = Vec::new();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (key, after) = quoted(inner)?;
                keys.push(key);
                rest = after;
            } else {
                let plain = rest.strip_prefix('.').unwrap_or(rest);
                let end = plain.find(['.', '[']).unwrap_or(plain.len());
                let (key, after) = plain.split_at(end);
                if key.is_empty() {
                    return Err("a key between two dots is empty".to_owned());
                }
                keys.push(key.to_owned());
                rest = after;
            }
        }
        Ok(Self { field: field.to_owned(), keys })
    }

    /// Whether it lies in the dynamic field.
    pub fn is_dynamic(&self) -> bool {
        self.field == DYNAMIC_FIELD
    }
}

/// The key of `["key"]`, whose first bracket is gone already, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let wrong = || "a key in brackets is written `[\"key\"]`".to_owned();
    let mark = text.chars().next().filter(|mark| matches!(mark, '"' | '\'')).ok_or_else(wrong)?;
    let mut key = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            key.push(characters.next().ok_or_else(wrong)?.1);
        } else if character == mark {
            let after = text[at + 1..].strip_prefix(']').ok_or_else(wrong)?;
            return if key.is_empty() { Err("a key in brackets is empty".to_owned()) } else { Ok((key, after)) };
        } else {
            key.push(character);
        }
    }
    Err(wrong())
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)?;
        for key in &self.keys {
            let plain = key.chars().all(|character| character.is_alphanumeric() || "_-$".contains(character));
            if plain { write!(f, ".{key}")? } else { write!(f, "[{key:?}]")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_written() {
        for (text, keys) in [
            ("title", vec![]),
            ("$meta.lang", vec!["lang"]),
            ("$meta.a.b", vec!["a", "b"]),
            ("extra[\"a.b\"].c", vec!["a.b", "c"]),
            ("extra['it\\'s']", vec!["it's"]),
        ] {
            let path = FieldPath::parse(text).unwrap();
            assert_eq!(path.keys, keys, "{text}");
            assert_eq!(FieldPath::parse(&path.to_string()).unwrap(), path, "{text}");
        }
        for wrong in ["", ".a", "a.", "a..b", "a[", "a[b]", "a[\"b\"", "a[\"b\"c", "a[\"\"]"] {
            assert!(FieldPath::parse(wrong).is_err(), "{wrong}");
        }
    }
}
