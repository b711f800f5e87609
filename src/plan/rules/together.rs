//! What the schema can't say about the fields of an entry together, and about what else names them: `drop`, the primary
//! key, functions and indexes.

use std::collections::{HashMap, HashSet};

use super::super::explain::short;
use super::super::model::CollectionSpec;
use super::super::names;
use super::super::report::Report;
use super::super::shape_spec::{FunctionBody, IndexesSpec, PrimaryKeySpec};
use super::super::tree::{Path, child};
use super::fields::{Entry, is_dynamic};
use crate::collection::FieldPath;
use crate::diagnostic::Code;

/// Checks what the parts of an entry say about fields against each other.
pub(super) fn check(report: &mut Report<'_>, at: &Path, collection: &CollectionSpec, entries: &[Entry<'_>]) {
    let by_name: HashMap<&str, &Entry<'_>> = entries.iter().map(|entry| (entry.name, entry)).collect();
    let kept = collection.primary_key.as_ref().and_then(PrimaryKeySpec::body).and_then(|key| key.keep_as.as_deref());
    let fields = Fields {
        at,
        by_name,
        dropped: collection.drop.iter().flatten().map(String::as_str).collect(),
        kept,
        outputs: HashMap::new(),
    };
    check_roles(report, entries);
    check_paths(report, entries);
    check_clashes(report, collection, entries, &fields);
    let fields = check_functions(report, collection, fields);
    check_dropped(report, entries, &fields);
    if let Some(key) = &collection.primary_key {
        check_primary_key(report, key, &fields);
    }
    check_indexes(report, collection, &fields);
}

/// What an entry says about names on the target.
struct Fields<'a> {
    at: &'a Path,
    by_name: HashMap<&'a str, &'a Entry<'a>>,
    dropped: HashSet<&'a str>,
    /// `keep_as` of the primary key.
    kept: Option<&'a str>,
    /// Names of functions by the fields that they fill.
    outputs: HashMap<&'a str, &'a str>,
}

impl Fields<'_> {
    /// Whether a name is dropped, and nothing new is given that name.
    fn is_gone(&self, name: &str) -> bool {
        self.dropped.contains(name)
            && !self.by_name.get(name).is_some_and(|entry| entry.is_filled())
            && self.kept != Some(name)
            && !self.outputs.contains_key(name)
    }
}

fn line(report: &Report<'_>, at: &Path) -> usize {
    report.document.key_span(at).start().line
}

/// One partition key, and one clustering key.
fn check_roles(report: &mut Report<'_>, entries: &[Entry<'_>]) {
    for (key, role) in [("partition_key", "partition key"), ("clustering_key", "clustering key")] {
        let mut first: Option<&Entry<'_>> = None;
        for entry in entries.iter().filter(|entry| !entry.is_dynamic()) {
            if report.is_full() {
                return;
            }
            let said = if key == "partition_key" { entry.spec.partition_key } else { entry.spec.clustering_key };
            if said != Some(true) {
                continue;
            }
            let Some(other) = first else {
                first = Some(entry);
                continue;
            };
            let message = format!("`{}` is the {role} already, in line {}", short(other.name), line(report, &other.at));
            report.key(Code::RoleTwice, &child(&entry.at, key), message, &format!("keep one {role}"));
        }
    }
}

/// Deeper places within JSON are compared up to here only; nobody writes them, and a hostile file might.
const MAX_KEYS: usize = 32;

/// Taking a key out of JSON leaves nothing there for another field.
fn check_paths(report: &mut Report<'_>, entries: &[Entry<'_>]) {
    let mut seen: HashMap<(&str, &[String]), usize> = HashMap::new();
    for (index, path) in entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.place()?))) {
        seen.entry((&path.field, &path.keys)).or_insert(index);
    }
    for (index, entry) in entries.iter().enumerate() {
        let Some(path) = entry.place().filter(|_| !report.is_full()) else {
            continue;
        };
        let keeps = entry.spec.keep == Some(true);
        let other = (1..=path.keys.len().min(MAX_KEYS))
            .filter_map(|depth| seen.get(&(path.field.as_str(), &path.keys[..depth])))
            .filter(|other| **other != index)
            .map(|other| &entries[*other])
            .find(|other| !keeps || other.spec.keep != Some(true));
        let Some(other) = other else {
            continue;
        };
        let message = format!(
            "`{}` takes {} out of the JSON, in line {}",
            short(other.name),
            if other.place() == Some(path) { "the same key" } else { "a key around this one" },
            line(report, &other.at)
        );
        let help = "add `keep: true` to both, so that the key stays where it is for the other";
        report.value(Code::PathTwice, &child(&entry.at, "from"), message, help);
    }
}

/// A row can't hold a field and a key of the dynamic field of the same name, nor one key twice.
fn check_clashes(report: &mut Report<'_>, collection: &CollectionSpec, entries: &[Entry<'_>], fields: &Fields<'_>) {
    let mut sinks: HashMap<&str, &Entry<'_>> = HashMap::new();
    let mut taken: HashSet<&str> = HashSet::new();
    for entry in entries {
        if let Some(path) = entry.place().filter(|path| path.is_dynamic() && path.keys.len() == 1)
            && entry.spec.keep != Some(true)
        {
            taken.insert(&path.keys[0]);
        }
        let Some(key) = &entry.sink else {
            continue;
        };
        if let Some(first) = sinks.insert(key, entry).filter(|_| !report.is_full()) {
            let message = format!("this is the same key as `{}` in line {}", first.name, line(report, &first.at));
            report.key(Code::KeyTwice, &entry.at, message, "remove one of the two");
        }
        let clash = fields.by_name.contains_key(key.as_str()) || fields.kept == Some(key);
        if clash && collection.dynamic_field != Some(false) {
            report.key(
                Code::KeyTwice,
                &entry.at,
                format!("`{}` is a field of the target, so no key of the dynamic field can have that name", short(key)),
                "choose another key, or another name for the field",
            );
        }
    }
    if collection.dynamic_field == Some(false) {
        return;
    }
    for entry in entries {
        let Some(path) = entry.place().filter(|path| path.is_dynamic() && !report.is_full()) else {
            continue;
        };
        let (key, keeps) = (path.keys[0].as_str(), entry.spec.keep == Some(true));
        let stays = keeps || (path.keys.len() > 1 && !taken.contains(key));
        let at = if keeps { child(&entry.at, "keep") } else { child(&entry.at, "from") };
        if stays && (fields.by_name.contains_key(key) || fields.kept == Some(key)) {
            let message =
                format!("`{}` stays in the dynamic field, and the target has a field of that name", short(key));
            let help = if keeps {
                "remove `keep`, or give the field another name: Milvus refuses a row that has both"
            } else {
                "give the field another name: Milvus refuses a row that has both"
            };
            report.value(Code::KeyTwice, &at, message, help);
        }
        if let Some(sink) = sinks.get(key)
            && keeps
            && path.keys.len() == 1
            && sink.is_filled()
            && sink.from.as_ref() != Some(path)
        {
            let message = format!(
                "`{}` puts another value under the key that is kept here, in line {}",
                sink.name,
                line(report, &sink.at)
            );
            report.value(Code::KeyTwice, &at, message, "remove `keep`, or choose another key there");
        }
    }
}

/// What `drop` leaves behind can't be named elsewhere.
fn check_dropped(report: &mut Report<'_>, entries: &[Entry<'_>], fields: &Fields<'_>) {
    for entry in entries {
        if let Some(path) = &entry.from
            && let Some(text) = entry.spec.from.as_deref()
            && path.keys.is_empty()
            && fields.dropped.contains(text)
        {
            report.value(
                Code::DroppedAndUsed,
                &child(&entry.at, "from"),
                format!("`{}` is in `drop`, too", short(text)),
                "remove it from `drop`: a field that another takes its values from is not carried under its old name",
            );
        }
        if !entry.is_dynamic() && !entry.damaged && fields.is_gone(entry.name) {
            report.key(
                Code::DroppedAndUsed,
                &entry.at,
                format!("`{}` is in `drop`, so there is no such field on the target", short(entry.name)),
                "remove it from `drop` or from `fields`, or say with `from` or `value` what fills a new field of that name",
            );
        }
    }
}

fn check_functions<'a>(report: &mut Report<'_>, collection: &'a CollectionSpec, mut fields: Fields<'a>) -> Fields<'a> {
    let mut functions: Vec<(Path, &str, &FunctionBody)> = Vec::new();
    let at_functions = child(fields.at, "functions");
    for (name, spec) in collection.functions.iter().flatten() {
        let at = child(&at_functions, name);
        if name.trim().is_empty() {
            report.key(Code::EmptyName, &at, "the name is empty or blank", "write a name, or remove the key");
        }
        functions.extend(spec.body().map(|body| (at, name.as_str(), body)));
    }
    let keys = report.keys(&at_functions);
    functions.sort_by_key(|(_, name, _)| keys.get(name).copied().unwrap_or_default());
    for (at, name, body) in &functions {
        let inputs: HashSet<&String> = body.input_fields.iter().collect();
        for (index, output) in body.output_fields.iter().enumerate() {
            let at = child(&child(at, "output_fields"), index);
            if names::check_blank(report, &at, output) {
                continue;
            }
            if !names::is_milvus_name(output) {
                let message = format!("Milvus would not create a field named `{}`", short(output));
                report.value(Code::BadFieldName, &at, message, names::NAME_HELP);
            }
            if let Some(other) = fields.outputs.get(output.as_str()) {
                let message = format!("the function `{}` fills `{}` already", short(other), short(output));
                report.value(Code::OutputTwice, &at, message, "let each function fill a field of its own");
            } else {
                fields.outputs.insert(output, name);
            }
            if inputs.contains(output) {
                let message = format!("`{}` is read and filled by the same function", short(output));
                report.value(Code::FunctionReadsItself, &at, message, "name another field to fill");
            }
        }
    }
    for (at, _, body) in &functions {
        for (index, input) in body.input_fields.iter().enumerate() {
            let at = child(&child(at, "input_fields"), index);
            if !names::check_blank(report, &at, input) && fields.is_gone(input) {
                report.value(
                    Code::DroppedAndUsed,
                    &at,
                    format!("`{}` is in `drop`, so the function has nothing to read", short(input)),
                    "remove it from `drop`, or name another field",
                );
            }
        }
    }
    check_outputs(report, &fields);
    fields
}

/// What a function fills is not filled by the plan.
fn check_outputs(report: &mut Report<'_>, fields: &Fields<'_>) {
    for (output, function) in &fields.outputs {
        let Some(entry) = fields.by_name.get(output) else {
            continue;
        };
        let spec = entry.spec;
        for (key, said) in [
            ("from", spec.from.is_some()),
            ("value", spec.value.is_some()),
            ("type", spec.kind.is_some()),
            ("nullable", spec.nullable == Some(true)),
            ("default", spec.default.as_ref().is_some_and(|default| !default.is_null())),
            ("partition_key", spec.partition_key == Some(true)),
            ("clustering_key", spec.clustering_key == Some(true)),
        ] {
            if said {
                report.key(
                    Code::OutputAlsoFilled,
                    &child(&entry.at, key),
                    format!(
                        "the function `{}` fills `{}`, so `{key}` has no place here",
                        short(function),
                        short(output)
                    ),
                    "remove it, or let the function fill another field",
                );
            }
        }
    }
}

fn check_primary_key(report: &mut Report<'_>, key: &PrimaryKeySpec, fields: &Fields<'_>) {
    let at = child(fields.at, "primary_key");
    let at_field = if key.body().is_some() { child(&at, "field") } else { at.clone() };
    let auto = key.body().and_then(|body| body.auto_id) == Some(true);
    if let Some(name) = key.field()
        && !names::check_blank(report, &at_field, name)
    {
        let mut bad = |code: Code, message: String, help: &str| report.value(code, &at_field, message, help);
        if is_dynamic(name) {
            bad(
                Code::BadPrimaryKey,
                "a key of the dynamic field can't be the primary key".to_owned(),
                "lift it into a field under `fields`, such as `id: {from: $meta.id, type: int64}`, and name that",
            );
        } else if let Some(function) = fields.outputs.get(name) {
            bad(
                Code::OutputAlsoFilled,
                format!("the function `{}` fills `{}`, so it can't be the primary key", short(function), short(name)),
                "let the function fill another field",
            );
        } else if fields.is_gone(name) && !auto {
            bad(
                Code::DroppedAndUsed,
                format!("`{}` is in `drop`, so it can't be the primary key", short(name)),
                "remove it from `drop`, or name another field",
            );
        }
    }
    let Some(body) = key.body() else {
        return;
    };
    let damaged = report.document.root.find(&at).is_some_and(|node| node.damaged);
    let allows = body.allow_insert_auto_id == Some(true);
    for (key, said) in [("keep_as", body.keep_as.is_some()), ("allow_insert_auto_id", allows)] {
        if said && !auto && !damaged {
            report.key(
                Code::AutoIdOnly,
                &child(&at, key),
                format!("`{key}` is about keys that the server makes, and here each row keeps its key"),
                "add `auto_id: true`, or remove it",
            );
        }
    }
    let Some(kept) = &body.keep_as else {
        return;
    };
    let at_kept = child(&at, "keep_as");
    if allows {
        report.key(
            Code::KeysKeptTwice,
            &at_kept,
            "with `allow_insert_auto_id: true` the rows bring their keys themselves",
            "remove it, or `allow_insert_auto_id`",
        );
    }
    if names::check_blank(report, &at_kept, kept) {
        return;
    }
    if !names::is_milvus_name(kept) {
        let message = format!("Milvus would not create a field named `{}`", short(kept));
        report.value(Code::BadFieldName, &at_kept, message, names::NAME_HELP);
    }
    let other = if key.field() == Some(kept) {
        Some("the primary key itself".to_owned())
    } else if let Some(entry) = fields.by_name.get(kept.as_str()) {
        Some(format!("a field of that name under `fields`, in line {}", line(report, &entry.at)))
    } else {
        fields.outputs.get(kept.as_str()).map(|function| format!("what the function `{}` fills", short(function)))
    };
    if let Some(other) = other {
        report.value(
            Code::KeptKeyName,
            &at_kept,
            format!("`{}` is {other}", short(kept)),
            "keep the source's keys under a name of their own",
        );
    }
}

fn check_indexes(report: &mut Report<'_>, collection: &CollectionSpec, fields: &Fields<'_>) {
    let Some(IndexesSpec::Each(indexes)) = &collection.indexes else {
        return;
    };
    for name in indexes.keys() {
        let at = child(&child(fields.at, "indexes"), name);
        if name.trim().is_empty() {
            report.key(Code::EmptyName, &at, "the name is empty or blank", "write a name, or remove the key");
        } else if is_dynamic(name) {
            let key = FieldPath::parse(name).ok().and_then(|path| path.keys.into_iter().next());
            let key = key.unwrap_or_else(|| "lang".to_owned());
            report.key(
                Code::IndexOnDynamicKey,
                &at,
                "an index stands on a field, and this is a place in the dynamic field",
                &format!(
                    "lift the key into a field under `fields`, such as `{0}: {{from: $meta.{0}}}`, and index that",
                    short(&key)
                ),
            );
        } else if fields.is_gone(name) {
            report.key(
                Code::DroppedAndUsed,
                &at,
                format!("`{}` is in `drop`, so there is nothing to index", short(name)),
                "remove it from `drop` or from `indexes`",
            );
        }
    }
}
