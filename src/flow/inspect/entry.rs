//! One collection to one entry of a plan: what must be said so that it can be applied, what could be said, and what to know.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Seen;
use crate::collection::{Capabilities, DYNAMIC_FIELD, DataType, Field, Index, LiveCollection, LoadState};
use crate::diff;
use crate::mapping::{self, Mapping, Remark};
use crate::plan::draft::{Entry, Part};
use crate::plan::{is_milvus_name, resolved::Shards};
use crate::render::row_count;

/// Property that drops rows some time after they were written.
const TTL: &str = "collection.ttl.seconds";
/// Keys of the dynamic field that are named.
const MOST_KEYS: usize = 12;
/// Longest name that Milvus takes.
const LONGEST_NAME: usize = 255;

/// An entry, and what is kept apart for a summary of many.
pub(super) struct Drafted {
    /// Name on the source.
    pub(super) name: String,
    /// In a few words, how much it is.
    pub(super) size: String,
    /// What changes on the way, or could go wrong.
    pub(super) notes: Vec<String>,
    pub(super) entry: Entry,
}

/// The entry of a collection that could not be looked at.
pub(super) fn unreadable(name: &str, reason: &str) -> Drafted {
    let about =
        vec![name.to_owned(), "It is left out, because it could not be looked at:".to_owned(), format!("- {reason}")];
    let entry = Entry { about, parts: vec![Part::new("source", name)], off: true };
    Drafted { name: name.to_owned(), size: String::new(), notes: Vec::new(), entry }
}

/// The names on the target: the same, unless plans take no such name there or the source has it itself.
pub(super) fn target_names(names: &[String], in_place: bool) -> Vec<String> {
    let mut used: BTreeSet<String> = names.iter().filter(|name| in_place || is_milvus_name(name)).cloned().collect();
    let mut free = |wanted: String| {
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| !used.contains(name)).unwrap_or(wanted);
        used.insert(name.clone());
        name
    };
    let name_for = |name: &String| match (in_place, is_milvus_name(name)) {
        (false, true) => name.clone(),
        (true, true) if name.len() + 5 <= LONGEST_NAME => free(format!("{name}_copy")),
        _ => free(tame(name)),
    };
    names.iter().map(name_for).collect()
}

/// A name that Milvus takes, made of one that it does not.
fn tame(name: &str) -> String {
    let letters = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
    let text: String = letters.take(200).collect();
    if text.starts_with(|first: char| first.is_ascii_digit()) || text.is_empty() { format!("c_{text}") } else { text }
}

/// Drafts the entry of one collection. Without a known target it is held against what the source's own server can hold.
pub(super) fn draft(seen: &Seen, target_name: &str, from: &Capabilities, to: Option<&Capabilities>) -> Drafted {
    let live = &seen.live;
    let held_by = to.unwrap_or(from);
    let mut entry = Entry { parts: vec![Part::new("source", live.name.as_str())], ..Entry::default() };
    if target_name != live.name {
        entry.parts.push(Part::new("target", target_name));
    }
    must_be_said(live, held_by, &mut entry);
    let mapping = compiled(seen, &entry, target_name, from, held_by);
    let mut reasons = sentences(mapping.iter().flat_map(|mapping| &mapping.blocked));
    if mapping.is_none() {
        reasons.push("no plan can say it".to_owned());
    }
    if let Some(field) = diff::unloadable(live).filter(|_| from.load_needs_index) {
        reasons.push(format!(
            "it is not loaded and cannot be, because field `{field}` has no index: create one on the source"
        ));
    }
    if let Some(there) = &seen.taken {
        let what = if there == target_name { "a collection" } else { "an alias" };
        reasons.push(format!(
            "the target has {what} `{target_name}` already: choose another `target`, or say `on_existing: converge` or `replace`"
        ));
    }
    let notes = sentences(mapping.iter().flat_map(|mapping| mapping.notes.iter().chain(&mapping.warnings)));
    entry.off = !reasons.is_empty();
    let size = size(seen);
    entry.about = vec![format!("{}: {size}", live.name)];
    entry.about.extend(fields(seen));
    if live.partitions.len() > 1 {
        entry.about.push(format!("  partitions: {}", live.partitions.join(", ")));
    }
    if entry.off {
        let server = to.map_or_else(String::new, |to| format!(" to {}", to.server));
        entry.about.push(format!("It is left out, because it cannot be moved{server} as it is:"));
        entry.about.extend(reasons.iter().map(|reason| format!("- {reason}")));
        if !notes.is_empty() {
            entry.about.push("Besides:".to_owned());
        }
    }
    entry.about.extend(notes.iter().map(|note| format!("- {note}")));
    proposals(seen, held_by, &mut entry);
    Drafted { name: live.name.clone(), size, notes, entry }
}

fn compiled(seen: &Seen, entry: &Entry, target_name: &str, from: &Capabilities, to: &Capabilities) -> Option<Mapping> {
    let settings = entry.settings()?;
    let mut mapping = mapping::compile(&seen.live, &settings, target_name, from, to);
    mapping::settle_shards(&mut mapping, &seen.live, Shards::AsSource, to, seen.rows);
    Some(mapping)
}

/// A sentence for each remark. What is said of several fields in the same words is said once.
fn sentences<'a>(remarks: impl Iterator<Item = &'a Remark>) -> Vec<String> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for remark in remarks {
        let help = remark.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let words = format!("{}{help}", remark.message);
        match said.iter_mut().find(|(other, fields)| *other == words && !fields.is_empty() && remark.field.is_some()) {
            Some((_, fields)) => fields.extend(remark.field.as_deref()),
            None => said.push((words, remark.field.as_deref().into_iter().collect())),
        }
    }
    let sentence = |(words, fields): (String, Vec<&str>)| match fields.as_slice() {
        [] => words,
        fields => {
            format!("{}: {words}", fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", "))
        }
    };
    said.into_iter().map(sentence).collect()
}

/// What the entry has to say so that nothing is lost that the defaults of a plan would lose, and so that the target can hold it.
/// Only what changes no value is said here; the rest is for somebody to decide.
fn must_be_said(live: &LiveCollection, to: &Capabilities, entry: &mut Entry) {
    let mut fields = Map::new();
    let mut why = Vec::new();
    for field in &live.schema.fields {
        let wide = matches!(field.data_type, DataType::Float16Vector | DataType::BFloat16Vector)
            && !to.types.contains(&field.data_type)
            && to.types.contains(&DataType::FloatVector);
        let bare = field.default.is_some()
            && (!to.defaults || field.data_type == DataType::Json && !to.json_defaults)
            && !field.primary_key;
        let mut said = Map::new();
        if wide {
            said.insert("type".to_owned(), "float_vector".into());
            why.push(format!(
                "{} has no {}: every number of `{}` fits FLOAT_VECTOR.",
                to.server, field.data_type, field.name
            ));
        }
        if bare {
            said.insert("default".to_owned(), Value::Null);
            why.push(format!("{} cannot hold the default value of `{}`; rows keep theirs.", to.server, field.name));
        }
        if !said.is_empty() {
            fields.insert(field.name.clone(), Value::Object(said));
        }
    }
    if !fields.is_empty() {
        let mut part = Part::new("fields", fields);
        part.comments = why;
        entry.parts.push(part);
    }
    if !to.functions && !live.schema.functions.is_empty() {
        let none: Map<String, Value> =
            live.schema.functions.iter().map(|function| (function.name.clone(), "none".into())).collect();
        let fills = live.schema.functions.iter().flat_map(|function| &function.outputs).cloned().collect::<Vec<_>>();
        let comment =
            format!("{} runs no functions, so what they compute is left behind: {}.", to.server, fills.join(", "));
        entry.parts.push(Part::new("functions", none).comment(comment));
    }
    let chosen = |index: &Index| index.index_type() != Some("AUTOINDEX");
    let bare = live.schema.fields.iter().any(|field| field.data_type.is_vector() && indexes_of(live, field).is_none());
    if live.indexes.iter().any(chosen) && !bare {
        entry.parts.push(Part::new("indexes", "copy"));
    }
}

/// What somebody may want to say, written as comments.
fn proposals(seen: &Seen, to: &Capabilities, entry: &mut Entry) {
    let live = &seen.live;
    let mut parts = Vec::new();
    if let Some(key) = live.schema.primary_key().filter(|key| key.auto_id) {
        let kept = ["legacy_id", "old_id", "source_key"].into_iter().find(|name| live.schema.field(name).is_none());
        let value = json!({"auto_id": true, "keep_as": kept.unwrap_or("kept_key")});
        let comment =
            format!("To have the server make keys in `{}` as the source's does, and to keep the old ones:", key.name);
        parts.push(Part::new("primary_key", value).comment(comment));
    }
    let said = entry.parts.iter().any(|part| part.key == "fields");
    let free = |name: &str| is_milvus_name(name) && live.schema.field(name).is_none();
    let mut lifts = seen.dynamic_keys.iter().filter(|(name, _)| free(name));
    if let Some((name, column)) =
        lifts.find_map(|(name, value)| Some((name, lifted(name, value, to)?))).filter(|_| !said)
    {
        parts.push(
            Part::new("fields", json!({ name: column })).comment("A key of the dynamic field can become a column:"),
        );
    }
    if live.schema.properties.contains_key(TTL) {
        let comment = "Rows expire some time after they were written, which the copy does anew. To have them stay:";
        parts.push(Part::new("properties", json!({ TTL: null })).comment(comment));
    }
    let aliases: Vec<&String> = live.aliases.iter().filter(|alias| is_milvus_name(alias)).collect();
    if !aliases.is_empty() {
        let comment =
            "Points to the target once every row is verified; a name that points elsewhere there is switched.";
        parts.push(Part::new("aliases", json!(aliases)).comment(comment));
    }
    if live.load_state == LoadState::Loaded {
        parts.push(Part::new("load", true));
    }
    entry.parts.extend(parts.into_iter().map(Part::proposed));
}

/// What a plan says to make a column of a key of the dynamic field, which not every row has; none where the target has no way to
/// say that a row has none.
fn lifted(name: &str, value: &Value, to: &Capabilities) -> Option<Value> {
    let (kind, nothing) = match value {
        Value::Bool(_) => ("bool", json!(false)),
        Value::Number(number) if number.is_f64() => ("double", json!(0.0)),
        Value::Number(_) => ("int64", json!(0)),
        Value::Array(_) | Value::Object(_) => ("json", Value::Null),
        Value::Null | Value::String(_) => ("varchar", json!("")),
    };
    let mut column = json!({"from": format!("{DYNAMIC_FIELD}.{name}"), "type": kind});
    if kind == "varchar" {
        column["max_length"] = 256.into();
    }
    match (to.nullable, nothing) {
        (true, _) => column["nullable"] = true.into(),
        (false, Value::Null) => return None,
        (false, nothing) => column["default"] = nothing,
    }
    Some(column)
}

fn size(seen: &Seen) -> String {
    let live = &seen.live;
    let about = if seen.estimated { "about " } else { "" };
    let shards = match live.schema.shards {
        0 => String::new(),
        1 => ", 1 shard".to_owned(),
        many => format!(", {many} shards"),
    };
    let load = match live.load_state {
        LoadState::Loaded => "loaded",
        LoadState::Loading => "partly loaded",
        LoadState::NotLoaded => "not loaded, so apply loads it for the copy and releases it",
    };
    format!("{about}{}{shards}, {load}", row_count(seen.rows))
}

/// A line for each field: its type, its roles and its index.
fn fields(seen: &Seen) -> Vec<String> {
    let schema = &seen.live.schema;
    let width = schema.fields.iter().map(|field| field.name.chars().count()).max().unwrap_or_default().min(40);
    let mut lines: Vec<String> = schema
        .fields
        .iter()
        .map(|field| {
            let mut words = vec![field.type_text()];
            let mut say = |when: bool, what: &str| {
                if when {
                    words.push(what.to_owned());
                }
            };
            say(field.primary_key, "primary key");
            say(field.auto_id, "made by the server");
            say(field.partition_key, "partition key");
            say(field.clustering_key, "clustering key");
            say(field.nullable, "nullable");
            if let Some(default) = &field.default {
                words.push(format!("default {default}"));
            }
            if let Some(function) = schema.functions.iter().find(|function| function.outputs.contains(&field.name)) {
                words.push(format!("filled by {} ({})", function.name, function.kind));
            }
            if let Some(index) = indexes_of(&seen.live, field) {
                words.push(format!("index {}", index.text()));
            }
            format!("  {:width$}  {}", field.name, words.join(", "))
        })
        .collect();
    if schema.dynamic_field {
        let keys: Vec<&str> = seen.dynamic_keys.keys().take(MOST_KEYS).map(String::as_str).collect();
        let more = if seen.dynamic_keys.len() > MOST_KEYS { ", …" } else { "" };
        let such =
            if keys.is_empty() { String::new() } else { format!(", with keys such as {}{more}", keys.join(", ")) };
        lines.push(format!("  {DYNAMIC_FIELD:width$}  dynamic field{such}"));
    }
    lines
}

fn indexes_of<'a>(live: &'a LiveCollection, field: &Field) -> Option<&'a Index> {
    live.indexes.iter().find(|index| index.field == field.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::CollectionSchema;

    fn seen(rows: u64) -> Seen {
        let key = Field { primary_key: true, ..Field::new("id", DataType::Int64) };
        let mut vector = Field::new("vector", DataType::FloatVector);
        vector.params.insert("dim".into(), "8".into());
        let schema = CollectionSchema {
            description: String::new(),
            fields: vec![key, vector],
            dynamic_field: false,
            functions: Vec::new(),
            shards: 4,
            consistency: None,
            properties: [(TTL.to_owned(), "60".to_owned())].into(),
            key_partitions: None,
            struct_fields: Vec::new(),
        };
        let live = LiveCollection {
            id: 1,
            name: "big".into(),
            schema,
            partitions: vec!["_default".into()],
            indexes: Vec::new(),
            load_state: LoadState::NotLoaded,
            unloaded_partitions: Vec::new(),
            aliases: Vec::new(),
            mark: Default::default(),
        };
        Seen { live, rows, estimated: true, dynamic_keys: Map::new(), taken: None }
    }

    #[test]
    fn shards_that_are_too_many_or_too_few_are_told_beside_the_entry() {
        let able = Capabilities { load_needs_index: false, ..Capabilities::able() };
        let few = Capabilities { max_shards: 2, server: "Small 1.0".into(), ..able.clone() };
        let said = |rows: u64, to: &Capabilities| draft(&seen(rows), "big", &able, Some(to)).entry;
        let huge = said(2_000_000_000, &able);
        let told = huge.about.join("\n");
        assert!(told.contains("about 2,000,000,000 rows, 4 shards, not loaded"), "{told}");
        assert!(told.contains("above a billion") && told.contains("set `shards: 16` or `shards: auto`"), "{told}");
        let told = said(10, &few).about.join("\n");
        assert!(told.contains("2 shards instead of 4: Small 1.0 holds no more"), "{told}");
        let proposed: Vec<&str> = huge.parts.iter().filter(|part| part.off).map(|part| part.key.as_str()).collect();
        assert_eq!((huge.off, proposed), (false, vec!["properties"]));
    }

    #[test]
    fn a_collection_that_cannot_be_read_is_left_out() {
        let needs_index = Capabilities::able();
        let drafted = draft(&seen(10), "big", &needs_index, None);
        assert!(drafted.entry.off);
        let told = drafted.entry.about.join("\n");
        assert!(told.contains("field `vector` has no index"), "{told}");
    }

    #[test]
    fn names_on_the_target_are_those_of_the_source_where_they_can_be() {
        let names = |names: &[&str], in_place| {
            target_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), in_place)
        };
        assert_eq!(names(&["a", "a-b", "a b", "a_b", "1", ""], false), ["a", "a_b_2", "a_b_3", "a_b", "c_1", "c_"]);
        // Where the source is the target too, no name of it is free.
        assert_eq!(names(&["a", "a_copy", "ä"], true), ["a_copy_2", "a_copy_copy", "_"]);
    }

    #[test]
    fn what_is_said_of_several_fields_is_said_once() {
        let remark = |field: Option<&str>, message: &str, help: Option<&str>| Remark {
            field: field.map(str::to_owned),
            message: message.to_owned(),
            help: help.map(str::to_owned),
        };
        let all = [
            remark(Some("a"), "it is odd", Some("mend it")),
            remark(None, "it is odd", Some("mend it")),
            remark(Some("b"), "it is odd", Some("mend it")),
            remark(Some("b"), "it is odd", None),
        ];
        assert_eq!(sentences(all.iter()), ["`a`, `b`: it is odd (mend it)", "it is odd (mend it)", "`b`: it is odd"]);
    }
}
