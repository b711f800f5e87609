//! JSON objects taken apart and put together: keys of the dynamic field that become columns, columns that become keys, and
//! what is lost where the dynamic field is dropped.
//!
//! An object is cut into its members and not read into values, so what nobody asked for keeps its bytes: numbers such as
//! `1e400`, integers of thirty digits, escapes, the order of members, and members of the same name. Where such members are
//! lifted, the last one counts, as it does to every reader of JSON that vecferry knows of, and all of them are removed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::convert::{Misfit, Texts, exact, excerpt};
use crate::collection::BatchError;

/// Most keys that a census keeps.
const MOST_KEYS: usize = 10_000;
/// Most characters of an example in a census.
const EXAMPLE: usize = 40;

/// A place within the objects whose values become a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lift {
    /// Keys that lead to it, from outside in; none of them: the object itself.
    pub keys: Vec<String>,
    /// Whether it stays in the object too. Otherwise its member is removed, and the objects around it stay, as `{}` where
    /// nothing else is in them.
    pub keep: bool,
}

/// What comes of a column of objects.
#[derive(Debug, Clone)]
pub struct Reworked {
    /// One list for each lift, one entry for each row. None where a key is missing, its value is null, or the way to it
    /// leads through something that is no object; and where it is in `unreadable`.
    pub lifted: Vec<Vec<Option<Value>>>,
    /// Lifted values with a number that would change by being read, by ascending row, each with the number of its lift.
    pub unreadable: Vec<(usize, Misfit)>,
    /// The column of objects afterwards; none if it was not asked for. It is the very same column where no row changed.
    pub column: Option<ArrayRef>,
    /// What did not fit, by ascending row, and as often for a row as it has reasons:
    ///
    /// - a row that is no JSON object, while something is to be lifted from it, added to it or checked in it. It is null in
    ///   `column`;
    /// - a key that is to be added and exists. What exists stays;
    /// - a key with the name of a declared field. It is left out of `column`.
    pub misfits: Vec<Misfit>,
}

/// Takes objects apart and puts them together, with one parse for each row.
///
/// `column` is the dynamic field or a JSON field with `rows` rows; without one, every row begins as `{}`. A null counts as
/// `{}`, and stays null where nothing is added to it. Lifting comes before adding, so a key can be lifted and added again.
/// `sinks` are keys with the values that they get, one for each row; None adds nothing. `declared` are names that the
/// target's schema declares and the source's did not: servers refuse a dynamic key of that name.
///
/// Fails where `column` is no column of JSON, where lengths differ, and where the new column would not fit into one Arrow
/// array.
pub fn rework(
    column: Option<&ArrayRef>,
    rows: usize,
    lifts: &[Lift],
    sinks: &[(String, Vec<Option<Value>>)],
    declared: &[String],
    wants_column: bool,
) -> Result<Reworked, BatchError> {
    let documents = column.map(documents_of).transpose()?;
    let lengths = documents.iter().map(|documents| ("the JSON column", documents.len()));
    for (name, length) in lengths.chain(sinks.iter().map(|(key, values)| (key.as_str(), values.len()))) {
        if length != rows {
            return Err(BatchError::Length { column: name.to_owned(), rows: length, expected: rows });
        }
    }
    let work = Work {
        whole: lifts.iter().enumerate().filter(|(_, lift)| lift.keys.is_empty()).collect(),
        wanted: lifts
            .iter()
            .enumerate()
            .filter(|(_, lift)| !lift.keys.is_empty())
            .map(|(at, lift)| Wanted { lift: at, keys: &lift.keys, keep: lift.keep })
            .collect(),
        sinks: sinks
            .iter()
            .map(|(key, values)| (key.as_str(), Value::from(key.as_str()).to_string(), values))
            .collect(),
        declared: declared.iter().map(String::as_str).collect(),
    };
    let mut lifted = vec![vec![None; rows]; lifts.len()];
    let (mut misfits, mut unreadable) = (Vec::new(), Vec::new());
    let mut changed = Vec::new();
    for row in 0..rows {
        let bytes = documents.filter(|documents| documents.is_valid(row)).map(|documents| documents.value(row));
        if work.leaves_alone(row, bytes) {
            continue;
        }
        let mut complain = |lift: Option<usize>, reason| match lift {
            Some(lift) => unreadable.push((lift, Misfit { row, reason })),
            None => misfits.push(Misfit { row, reason }),
        };
        match work.row(row, bytes.unwrap_or(b"{}"), &mut lifted, &mut complain) {
            Ok(None) => {}
            Ok(Some(text)) => changed.push((row, Some(text))),
            Err(reason) => {
                complain(None, reason);
                changed.push((row, None));
            }
        }
    }
    let column = if wants_column { Some(rebuilt(column, documents, rows, changed)?) } else { None };
    Ok(Reworked { lifted, unreadable, column, misfits })
}

fn documents_of(column: &ArrayRef) -> Result<&BinaryArray, BatchError> {
    column.as_binary_opt().ok_or_else(|| BatchError::Arrow(format!("{} is no JSON", column.data_type())))
}

/// The column with some of its rows replaced; `changed` ascends.
fn rebuilt(
    column: Option<&ArrayRef>,
    documents: Option<&BinaryArray>,
    rows: usize,
    changed: Vec<(usize, Option<String>)>,
) -> Result<ArrayRef, BatchError> {
    if let Some(column) = column
        && changed.is_empty()
    {
        return Ok(Arc::clone(column));
    }
    let mut texts = Texts::new(rows);
    let mut changed = changed.into_iter().peekable();
    for row in 0..rows {
        if let Some((_, text)) = changed.next_if(|(changed, _)| *changed == row) {
            texts.push(text.as_ref().map(|text| text.as_bytes()));
        } else {
            match documents {
                None => texts.push(Some(b"{}")),
                Some(documents) => texts.push(documents.is_valid(row).then(|| documents.value(row))),
            }
        }
    }
    texts.binary()
}

/// What is to be done with every row.
struct Work<'a> {
    whole: Vec<(usize, &'a Lift)>,
    wanted: Vec<Wanted<'a>>,
    /// Key, key as JSON, values.
    sinks: Vec<(&'a str, String, &'a Vec<Option<Value>>)>,
    declared: HashSet<&'a str>,
}

/// What is left of a lift on the way to its value.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    lift: usize,
    keys: &'a [String],
    keep: bool,
}

impl Work<'_> {
    /// Whether a row needs no look at all. A null has nothing to lift or to check.
    fn leaves_alone(&self, row: usize, bytes: Option<&[u8]>) -> bool {
        let looks = !self.wanted.is_empty() || !self.declared.is_empty();
        let adds = self.sinks.iter().any(|(_, _, values)| values.get(row).is_some_and(Option::is_some));
        let lifts_all = !self.whole.is_empty();
        if bytes.is_none() { !adds && !lifts_all } else { !looks && !adds && !lifts_all }
    }

    /// Reworks one row, and returns its new text if it changed. What it complains of comes with the number of the lift that it
    /// is about, if it is about one. The error is the reason why it is no object.
    fn row(
        &self,
        row: usize,
        bytes: &[u8],
        lifted: &mut [Vec<Option<Value>>],
        complain: &mut impl FnMut(Option<usize>, String),
    ) -> Result<Option<String>, String> {
        let no_object = || format!("`{}` is no JSON object", excerpt(&String::from_utf8_lossy(bytes)));
        let text = std::str::from_utf8(bytes).map_err(|_| no_object())?;
        let mut members = members(text).ok_or_else(no_object)?;
        let mut found = vec![None; lifted.len()];
        let mut changed = false;
        for (at, lift) in &self.whole {
            if let Some(found) = found.get_mut(*at) {
                *found = Some(text);
            }
            changed |= !lift.keep && !members.is_empty();
        }
        changed |= take(&mut members, &self.wanted, &mut found);
        if self.whole.iter().any(|(_, lift)| !lift.keep) {
            members.clear();
        }
        for (at, (column, found)) in lifted.iter_mut().zip(found).enumerate() {
            match found.map(exact).transpose() {
                Ok(value) => {
                    if let Some(entry) = column.get_mut(row) {
                        *entry = value.filter(|value| !value.is_null());
                    }
                }
                Err(reason) => complain(Some(at), reason),
            }
        }
        if !self.declared.is_empty() {
            members.retain(|member| match &member.name {
                Some(name) if self.declared.contains(name.as_ref()) => {
                    complain(None, format!("the key `{}` has the name of a field of the target", excerpt(name)));
                    changed = true;
                    false
                }
                _ => true,
            });
        }
        for (key, quoted, values) in &self.sinks {
            let Some(Some(value)) = values.get(row) else { continue };
            if members.iter().any(|member| member.name.as_deref() == Some(*key)) {
                complain(None, format!("the key `{}` exists already", excerpt(key)));
            } else {
                let name = Some(Cow::Borrowed(*key));
                members.push(Member { name, key: quoted, value: Cow::Owned(value.to_string()) });
                changed = true;
            }
        }
        Ok(changed.then(|| write(&members)))
    }
}

/// One member of an object.
struct Member<'a> {
    /// Its name; none where the key holds half of a surrogate pair, which no name does.
    name: Option<Cow<'a, str>>,
    /// As it was written, in its quotes.
    key: &'a str,
    value: Cow<'a, str>,
}

/// The members of a JSON object, none where the text is no object.
fn members(text: &str) -> Option<Vec<Member<'_>>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<Member<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                let key = key.get();
                members.push(Member { name: name(key), key, value: Cow::Borrowed(value.get()) });
            }
            Ok(members)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Members).ok()?;
    reader.end().ok()?;
    Some(members)
}

fn name(key: &str) -> Option<Cow<'_, str>> {
    if key.contains('\\') {
        return serde_json::from_str(key).map(Cow::Owned).ok();
    }
    key.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
}

/// Finds the values that are wanted, removes those that are not kept, and says whether it removed any.
fn take<'a>(members: &mut Vec<Member<'a>>, wanted: &[Wanted<'_>], found: &mut [Option<&'a str>]) -> bool {
    let mut changed = false;
    members.retain_mut(|member| {
        let Cow::Borrowed(value) = member.value else { return true };
        let name = member.name.as_deref();
        let mut removed = false;
        let mut deeper = Vec::new();
        for wanted in wanted {
            let Some((key, rest)) = wanted.keys.split_first() else { continue };
            if name != Some(key.as_str()) {
                continue;
            }
            if let Some(found) = found.get_mut(wanted.lift) {
                *found = rest.is_empty().then_some(value);
            }
            if rest.is_empty() {
                removed |= !wanted.keep;
            } else {
                deeper.push(Wanted { keys: rest, ..*wanted });
            }
        }
        if !deeper.is_empty()
            && let Some(mut inner) = self::members(value)
            && take(&mut inner, &deeper, found)
        {
            member.value = Cow::Owned(write(&inner));
            changed = true;
        }
        changed |= removed;
        !removed
    });
    changed
}

fn write(members: &[Member<'_>]) -> String {
    let mut text = String::from("{");
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(member.key);
        text.push(':');
        text.push_str(&member.value);
    }
    text.push('}');
    text
}

/// The keys of objects, counted, for what is lost where the dynamic field is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyCensus {
    /// What was seen of each key.
    pub keys: BTreeMap<String, KeySeen>,
    /// Rows that are no JSON object and have no keys to count.
    pub unreadable: u64,
    /// Whether there are more keys than are kept: rows that use ids for keys have no end of them.
    pub more: bool,
}

/// What was seen of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySeen {
    /// Rows that have it.
    pub count: u64,
    /// What its values were: bool, int, float, string, array, object, null.
    pub types: BTreeSet<&'static str>,
    /// The first of its values as JSON, at most 40 characters, with control characters as blanks.
    pub example: String,
}

impl KeyCensus {
    /// Counts the keys of a column. Fails where it is no column of JSON.
    pub fn add(&mut self, column: &ArrayRef) -> Result<(), BatchError> {
        let documents = documents_of(column)?;
        for row in (0..documents.len()).filter(|row| documents.is_valid(*row)) {
            let text = std::str::from_utf8(documents.value(row)).ok();
            let Some(members) = text.and_then(members) else {
                self.unreadable += 1;
                continue;
            };
            // A key that a row has twice is one key, and its last value is the one that counts.
            let members: BTreeMap<_, _> = members
                .into_iter()
                .map(|member| (member.name.unwrap_or(Cow::Borrowed(member.key)), member.value))
                .collect();
            for (key, value) in members {
                let seen = match self.keys.get_mut(key.as_ref()) {
                    Some(seen) => seen,
                    None => self.keys.entry(key.into_owned()).or_insert_with(|| KeySeen {
                        count: 0,
                        types: BTreeSet::new(),
                        example: example(&value),
                    }),
                };
                seen.count += 1;
                seen.types.insert(type_of(&value));
            }
        }
        Ok(())
    }

    /// Adds what another census counted. Where both have an example, the first stays.
    pub fn merge(&mut self, other: Self) {
        self.unreadable += other.unreadable;
        self.more |= other.more;
        for (key, theirs) in other.keys {
            let full = self.keys.len() >= MOST_KEYS;
            match self.keys.get_mut(&key) {
                None if full => self.more = true,
                None => {
                    self.keys.insert(key, theirs);
                }
                Some(seen) => {
                    seen.count += theirs.count;
                    seen.types.extend(theirs.types);
                }
            }
        }
    }
}

/// The kind of a JSON value, by how it is written.
fn type_of(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b't' | b'f') => "bool",
        Some(b'"') => "string",
        Some(b'[') => "array",
        Some(b'{') => "object",
        Some(b'n') | None => "null",
        Some(_) if value.contains(['.', 'e', 'E']) => "float",
        Some(_) => "int",
    }
}

/// The beginning of a JSON text. Line breaks between its parts are all that it can have of control characters, but for
/// U+007F and its like within strings.
fn example(value: &str) -> String {
    let shown = |character: char| if character.is_control() { ' ' } else { character };
    if value.chars().nth(EXAMPLE).is_none() {
        return value.chars().map(shown).collect();
    }
    value.chars().take(EXAMPLE - 1).map(shown).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
