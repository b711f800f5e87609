//! What the schema can't say about one field of the target. Rules across the fields of an entry are in `together`.

use super::super::explain::short;
use super::super::field_spec::{ElementTypeSpec, FieldSpec, OnMisfitSpec, OnNullSpec, TypeSpec};
use super::super::model::CollectionSpec;
use super::super::names;
use super::super::report::Report;
use super::super::resolve_shape::PARTITION;
use super::super::tree::{Path, child};
use super::fits::{Room, misfit};
use crate::collection::{DYNAMIC_FIELD, DataType, FieldPath};
use crate::diagnostic::Code;

/// A key under `fields` and what is known about it.
pub(super) struct Entry<'a> {
    pub(super) at: Path,
    pub(super) name: &'a str,
    pub(super) spec: &'a FieldSpec,
    /// An invalid part of it was taken out, so that nothing may be concluded from what it does not say.
    pub(super) damaged: bool,
    /// `from`, where it is a field or a place within JSON that can be read.
    pub(super) from: Option<FieldPath>,
    /// For `$meta.KEY`: that key.
    pub(super) sink: Option<String>,
}

impl Entry<'_> {
    /// Whether its values come from elsewhere than the source's field of the same name.
    pub(super) fn is_filled(&self) -> bool {
        self.spec.from.is_some() || self.spec.value.is_some()
    }

    /// Whether it is a key of the dynamic field, or meant to be.
    pub(super) fn is_dynamic(&self) -> bool {
        is_dynamic(self.name)
    }

    /// The place within JSON that its values come from.
    pub(super) fn place(&self) -> Option<&FieldPath> {
        self.from.as_ref().filter(|path| !path.keys.is_empty())
    }

    fn key(&self, key: &str) -> Path {
        child(&self.at, key)
    }

    fn data_type(&self) -> Option<DataType> {
        self.spec.kind.map(TypeSpec::data_type)
    }

    fn room(&self) -> Room {
        Room {
            data_type: self.data_type(),
            element_type: self.spec.element_type.map(ElementTypeSpec::data_type),
            max_length: self.spec.max_length,
            max_capacity: self.spec.max_capacity,
        }
    }
}

/// Whether a name is, or is meant to be, a place in the dynamic field.
pub(super) fn is_dynamic(name: &str) -> bool {
    name.strip_prefix(DYNAMIC_FIELD).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The word that plans use for a type.
fn word(data_type: DataType) -> String {
    data_type.to_string().to_lowercase()
}

/// Checks each field of an entry, and hands them over in the order of the file.
pub(super) fn check<'a>(report: &mut Report<'_>, at: &Path, collection: &'a CollectionSpec) -> Vec<Entry<'a>> {
    let at = child(at, "fields");
    let keys = report.keys(&at);
    let known = |name: &str| keys.get(name).copied().unwrap_or_default();
    let mut entries: Vec<Entry<'_>> = collection
        .fields
        .iter()
        .flatten()
        .map(|(name, spec)| {
            let (_, damaged) = known(name);
            Entry { at: child(&at, name), name, spec, damaged, from: None, sink: None }
        })
        .collect();
    entries.sort_by_key(|entry| known(entry.name).0);
    let key = collection.primary_key.as_ref().and_then(|key| key.field());
    for entry in &mut entries {
        if report.is_full() {
            break;
        }
        entry.from = check_from(report, entry);
        if entry.is_dynamic() {
            entry.sink = check_sink(report, entry, collection);
            continue;
        }
        check_name(report, entry);
        check_settings(report, entry);
        check_constants(report, entry);
        check_nulls(report, entry);
        check_partition_key(report, entry);
        if key == Some(entry.name) {
            check_primary_key(report, entry);
        }
    }
    entries
}

/// Reads where the values come from, and reports what can't be read.
fn check_from(report: &mut Report<'_>, entry: &Entry<'_>) -> Option<FieldPath> {
    let spec = entry.spec;
    if spec.from.is_some() && spec.value.is_some() {
        report.key(
            Code::FromAndValue,
            &entry.key("value"),
            "`value` can't be given together with `from`",
            "keep `from` to carry what the source has, or `value` to write the same into every row",
        );
    }
    let at = entry.key("from");
    let path = match spec.from.as_deref() {
        None | Some(PARTITION) => None,
        Some(text) if text.trim().is_empty() => {
            names::check_blank(report, &at, text);
            return None;
        }
        Some(text) => match FieldPath::parse(text) {
            Ok(path) if path.is_dynamic() && path.keys.is_empty() => {
                report.value(
                    Code::BadPath,
                    &at,
                    "this names the whole dynamic field and no key in it",
                    "write `$meta.KEY`; keys that no field takes stay in the dynamic field by themselves",
                );
                return None;
            }
            Ok(path) if path.field.starts_with('$') && !path.is_dynamic() => {
                report.value(
                    Code::BadPath,
                    &at,
                    format!("`{}` is nothing that values can come from", short(text)),
                    "write a field's name, `$meta.KEY` for a key of the dynamic field, or `$partition` for the name of the row's partition",
                );
                return None;
            }
            Ok(path) => Some(path),
            Err(why) => {
                report.value(
                    Code::BadPath,
                    &at,
                    format!("the path can't be read: {why}"),
                    "write it like `$meta.a.b`, or `$meta[\"a.b\"]` for a key that holds a dot",
                );
                return None;
            }
        },
    };
    if spec.keep.is_some() && !entry.damaged && path.as_ref().is_none_or(|path| path.keys.is_empty()) {
        report.key(
            Code::KeepWithoutPath,
            &entry.key("keep"),
            "`keep` is about a key within JSON, and the values of this field come from no such place",
            "remove it, or let `from` name a key, such as `from: $meta.lang`",
        );
    }
    path
}

/// Checks a key of the dynamic field, and says which it is.
fn check_sink(report: &mut Report<'_>, entry: &Entry<'_>, collection: &CollectionSpec) -> Option<String> {
    let bad = |report: &mut Report<'_>, message: String, help: &str| {
        report.key(Code::BadDynamicKey, &entry.at, message, help);
    };
    let key = match FieldPath::parse(entry.name).map(|path| path.keys) {
        Ok(keys) if keys.len() == 1 => keys.into_iter().next(),
        Ok(_) => {
            bad(
                report,
                format!("`{}` is not one key of the dynamic field", short(entry.name)),
                "name one key directly within it, such as `$meta.lang`; its value may be a mapping",
            );
            None
        }
        Err(why) => {
            bad(report, format!("the key can't be read: {why}"), "write it like `$meta.lang` or `$meta[\"a.b\"]`");
            None
        }
    };
    if collection.dynamic_field == Some(false) {
        bad(
            report,
            format!("`{}` is a key of the dynamic field, and `dynamic_field: false` leaves none", short(entry.name)),
            "remove `dynamic_field: false`, or give the field a name of its own",
        );
    }
    // Every key that a field can have, but those that say where the values come from and what becomes of nulls.
    let FieldSpec {
        from: _,
        keep: _,
        value: _,
        on_null,
        kind,
        element_type,
        max_length,
        max_capacity,
        scale,
        nullable,
        default,
        on_misfit,
        partition_key,
        clustering_key,
        description,
        enable_analyzer,
        analyzer_params,
        enable_match,
        mmap,
    } = entry.spec;
    for (key, said) in [
        ("type", kind.is_some()),
        ("element_type", element_type.is_some()),
        ("max_length", max_length.is_some()),
        ("max_capacity", max_capacity.is_some()),
        ("scale", scale.is_some()),
        ("nullable", nullable.is_some()),
        ("default", default.is_some()),
        ("on_misfit", on_misfit.is_some()),
        ("partition_key", partition_key.is_some()),
        ("clustering_key", clustering_key.is_some()),
        ("description", description.is_some()),
        ("enable_analyzer", enable_analyzer.is_some()),
        ("analyzer_params", analyzer_params.is_some()),
        ("enable_match", enable_match.is_some()),
        ("mmap", mmap.is_some()),
    ] {
        if said {
            report.key(
                Code::BadDynamicKey,
                &entry.key(key),
                format!("a key of the dynamic field has no `{key}`"),
                "only `from`, `keep`, `value` and `on_null` go with `$meta.KEY`; for more, give the field a name of its own",
            );
        }
    }
    if *on_null == Some(OnNullSpec::Default) {
        report.value(
            Code::BadDynamicKey,
            &entry.key("on_null"),
            "a key of the dynamic field has no default value",
            "write `keep` for a null in the JSON, or `reject`",
        );
    }
    key
}

fn check_name(report: &mut Report<'_>, entry: &Entry<'_>) {
    if entry.name.trim().is_empty() {
        report.key(Code::EmptyName, &entry.at, "the name is empty or blank", "write a name, or remove the key");
        return;
    }
    // The name of a field that the source has may be odd; whether the target takes it is known when both are looked at.
    let is_new = entry.is_filled() && entry.spec.from.as_deref() != Some(entry.name);
    if entry.name.starts_with('$') || (is_new && !names::is_milvus_name(entry.name)) {
        let help = if entry.name.starts_with('$') {
            "a name does not start with `$`; a key of the dynamic field is written `$meta.KEY`"
        } else {
            names::NAME_HELP
        };
        report.key(
            Code::BadFieldName,
            &entry.at,
            format!("Milvus would not create a field named `{}`", short(entry.name)),
            help,
        );
    }
}

/// Settings that only some types have.
fn check_settings(report: &mut Report<'_>, entry: &Entry<'_>) {
    let spec = entry.spec;
    let element = spec.element_type.map(ElementTypeSpec::data_type);
    let data_type = entry.data_type();
    if data_type == Some(DataType::Array) && element.is_none() && !entry.damaged {
        report.value(
            Code::MissingElementType,
            &entry.key("type"),
            "an array needs the type of its elements",
            "add `element_type`, for example `element_type: int64`",
        );
    }
    let mut odd = |key: &str, message: String, help: &str| {
        report.key(Code::SettingOfOtherType, &entry.key(key), message, help);
    };
    if element.is_some() && data_type != Some(DataType::Array) && !(data_type.is_none() && entry.damaged) {
        odd("element_type", "`element_type` goes with `type: array`".to_owned(), "add `type: array`, or remove it");
    }
    let Some(data_type) = data_type else {
        return;
    };
    let is_text = matches!(data_type, DataType::VarChar | DataType::Text);
    let of_texts = data_type == DataType::Array && matches!(element, None | Some(DataType::VarChar));
    let is_scaled = matches!(
        data_type,
        DataType::Int8Vector | DataType::FloatVector | DataType::Float16Vector | DataType::BFloat16Vector
    );
    for (key, said, right, whose) in [
        ("max_length", spec.max_length.is_some(), is_text || of_texts, "texts and arrays of texts"),
        ("max_capacity", spec.max_capacity.is_some(), data_type == DataType::Array, "arrays"),
        ("scale", spec.scale.is_some(), is_scaled, "int8 vectors and the float vectors that they come from"),
        ("enable_analyzer", spec.enable_analyzer == Some(true), is_text, "texts"),
        ("analyzer_params", spec.analyzer_params.is_some(), is_text, "texts"),
        ("enable_match", spec.enable_match == Some(true), is_text, "texts"),
    ] {
        if said && !right {
            let message = format!("`{key}` is a setting of {whose}, and this field is {}", word(data_type));
            odd(key, message, "remove it, or change `type`");
        }
    }
    if spec.on_misfit == Some(OnMisfitSpec::Truncate) && !matches!(data_type, DataType::VarChar | DataType::Array) {
        report.value(
            Code::CannotBeCut,
            &entry.key("on_misfit"),
            format!("{} can't be cut to what fits", word(data_type)),
            "only varchar and array can; write `fail`, `null` or `quarantine`",
        );
    }
}

/// `default` and `value`.
fn check_constants(report: &mut Report<'_>, entry: &Entry<'_>) {
    let room = entry.room();
    if let Some(default) = entry.spec.default.as_ref().filter(|default| !default.is_null()) {
        let at = entry.key("default");
        match room.data_type {
            Some(data_type) if data_type.is_vector() || data_type == DataType::Array => report.value(
                Code::BadDefault,
                &at,
                format!("Milvus has no default values for fields of type {}", word(data_type)),
                "remove it",
            ),
            _ => {
                if let Some(why) = misfit(default, room) {
                    report.value(Code::BadDefault, &at, format!("this is no value of the field: {why}"), FIT_HELP);
                }
            }
        }
    }
    let Some(value) = &entry.spec.value else {
        return;
    };
    let at = entry.key("value");
    match room.data_type {
        None if !entry.damaged => report.value(
            Code::ValueWithoutType,
            &at,
            "a constant needs the type of its field",
            "add `type`, for example `type: varchar`",
        ),
        Some(data_type) if data_type.is_vector() => report.value(
            Code::BadConstant,
            &at,
            "a vector field can't be filled with a constant",
            "let `from` name a vector field, or leave the field out",
        ),
        _ => {
            if let Some(why) = misfit(value, room) {
                report.value(Code::BadConstant, &at, format!("this is no value of the field: {why}"), FIT_HELP);
            }
        }
    }
}

const FIT_HELP: &str = "change it, or what the field can hold";

/// What is said about nulls must agree.
fn check_nulls(report: &mut Report<'_>, entry: &Entry<'_>) {
    let spec = entry.spec;
    let no_default = spec.default.as_ref().is_none_or(serde_json::Value::is_null);
    if spec.nullable == Some(false) && spec.on_null == Some(OnNullSpec::Keep) {
        report.value(
            Code::NullContradiction,
            &entry.key("on_null"),
            "nulls can't be kept in a field with `nullable: false`",
            "write `on_null: default` or `reject`, or `nullable: true`",
        );
    }
    if spec.on_null == Some(OnNullSpec::Default) && spec.default.as_ref().is_some_and(serde_json::Value::is_null) {
        report.value(
            Code::NullContradiction,
            &entry.key("on_null"),
            "nulls can't become the default value, which `default: null` takes away",
            "give the field a `default`, or write `on_null: keep` or `reject`",
        );
    }
    let becomes_null = spec.on_misfit == Some(OnMisfitSpec::Null);
    if becomes_null && spec.nullable == Some(false) && no_default && !entry.damaged {
        report.value(
            Code::NullContradiction,
            &entry.key("on_misfit"),
            "a value can't become null in a field with `nullable: false` and no default",
            "write `nullable: true`, give a `default`, or choose `fail` or `quarantine`",
        );
    }
}

fn check_partition_key(report: &mut Report<'_>, entry: &Entry<'_>) {
    let spec = entry.spec;
    if spec.partition_key != Some(true) {
        return;
    }
    let mut bad = |key: &str, message: &str, help: &str| {
        report.value(Code::BadPartitionKey, &entry.key(key), message, help);
    };
    if let Some(data_type) = entry.data_type()
        && !matches!(data_type, DataType::Int64 | DataType::VarChar)
    {
        bad(
            "type",
            &format!("a partition key is int64 or varchar, and this field is {}", word(data_type)),
            "change `type`, or remove `partition_key`",
        );
    }
    if spec.nullable == Some(true) {
        bad(
            "nullable",
            "a partition key takes no nulls",
            "remove `nullable`; with a `default` and `on_null: default`, rows without a value get that one",
        );
    }
    if spec.on_null == Some(OnNullSpec::Keep) {
        bad("on_null", "a partition key takes no nulls", "write `on_null: default` with a `default`, or `reject`");
    }
    if spec.on_misfit == Some(OnMisfitSpec::Null) {
        bad("on_misfit", "a partition key takes no nulls", "write `fail`, `truncate` or `quarantine`");
    }
}

/// The field that `primary_key` names.
fn check_primary_key(report: &mut Report<'_>, entry: &Entry<'_>) {
    let spec = entry.spec;
    let mut bad = |key: &str, message: &str, help: &str| {
        report.value(Code::BadPrimaryKey, &entry.key(key), message, help);
    };
    if let Some(data_type) = entry.data_type()
        && !matches!(data_type, DataType::Int64 | DataType::VarChar)
    {
        bad(
            "type",
            &format!("a primary key is int64 or varchar, and this field is {}", word(data_type)),
            "change `type`, or let `primary_key` name another field",
        );
    }
    if spec.nullable == Some(true) {
        bad("nullable", "a primary key takes no nulls", "remove `nullable`");
    }
    if spec.default.as_ref().is_some_and(|default| !default.is_null()) {
        bad("default", "a primary key has no default value, because each row has a key of its own", "remove `default`");
    }
    if spec.value.is_some() {
        bad("value", "a primary key can't be the same in every row", "let `from` name a field with distinct values");
    }
    if matches!(spec.on_null, Some(OnNullSpec::Keep | OnNullSpec::Default)) {
        bad("on_null", "a primary key takes no nulls", "write `on_null: reject`, or leave it out");
    }
    if spec.on_misfit == Some(OnMisfitSpec::Null) {
        bad("on_misfit", "a primary key takes no nulls", "write `fail` or `quarantine`");
    }
    if spec.on_misfit == Some(OnMisfitSpec::Truncate) && entry.data_type().is_none_or(|it| it == DataType::VarChar) {
        bad(
            "on_misfit",
            "keys that are cut can become the same key, and rows would be lost",
            "write `fail` or `quarantine`",
        );
    }
    if spec.partition_key == Some(true) {
        report.value(
            Code::BadPartitionKey,
            &entry.key("partition_key"),
            "the primary key can't be the partition key too",
            "choose another field as the partition key",
        );
    }
}
