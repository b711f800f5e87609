//! The target's fields: renamed, lifted, constant, changed in type, or as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::convert::{self, Conversion};
use super::{Remarks, key, suggestion};
use crate::collection::{Capabilities, CollectionSchema, DataType, DefaultValue, Field, FieldPath};
use crate::plan::resolved::{FieldSettings, OnNull, Origin, Settings};

/// Both sides, and what the plan says.
pub(super) struct Subject<'a> {
    pub(super) source: &'a CollectionSchema,
    pub(super) settings: &'a Settings,
    pub(super) from: &'a Capabilities,
    pub(super) to: &'a Capabilities,
}

/// A field of the target, and what fills it.
pub(super) struct Planned {
    pub(super) field: Field,
    /// Where its values come from; none where the server makes them.
    pub(super) origin: Option<Filled>,
    pub(super) settings: FieldSettings,
}

/// What fills a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filled {
    Column(Field),
    Path(FieldPath),
    Value(serde_json::Value),
    Partition,
}

impl Filled {
    /// In a few words, for the diff.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Column(field) => field.name.clone(),
            Self::Path(path) => path.to_string(),
            Self::Value(value) => format!("the constant {value}"),
            Self::Partition => "the partition's name".to_owned(),
        }
    }
}

/// The target's fields in their order, and for each field of the source the one that carries its roles.
pub(super) struct Plan {
    pub(super) fields: Vec<Planned>,
    pub(super) carriers: BTreeMap<String, String>,
    /// What sinks into the dynamic field, by key.
    pub(super) sinks: Vec<(String, Filled)>,
}

/// Decides what the target's fields are.
pub(super) fn plan(subject: &Subject<'_>, found: &mut Remarks) -> Plan {
    let Subject { source, settings, .. } = subject;
    let mut plan = Plan { fields: Vec::new(), carriers: BTreeMap::new(), sinks: Vec::new() };
    let mut by_source: BTreeMap<String, Vec<(String, FieldSettings)>> = BTreeMap::new();
    let mut new = Vec::new();
    let outputs: BTreeSet<&String> =
        settings.functions.values().flatten().flat_map(|function| &function.outputs).collect();
    for (name, said) in &settings.fields {
        if let Some(key) = dynamic_key(name) {
            if let Some(filled) = origin(subject, name, said, found) {
                plan.sinks.push((key, filled));
            }
        } else if source.field(name).is_none() && outputs.contains(name) && said.origin == Origin::Same {
            // A function of the plan fills it; it is made with the function.
        } else {
            match origin(subject, name, said, found) {
                Some(Filled::Column(field)) => {
                    by_source.entry(field.name).or_default().push((name.clone(), said.clone()));
                }
                Some(filled) => new.push((name.clone(), filled, said.clone())),
                None => {}
            }
        }
    }
    // What sinks into the dynamic field leaves its column behind, as a field that is renamed leaves its name.
    let sunk: BTreeSet<String> = plan
        .sinks
        .iter()
        .filter_map(|(_, filled)| match filled {
            Filled::Column(field) if !field.primary_key => Some(field.name.clone()),
            _ => None,
        })
        .collect();
    for field in &source.fields {
        if settings.drop.contains(&field.name) {
            continue;
        }
        let mut targets = by_source.remove(&field.name).unwrap_or_default();
        if targets.is_empty() && !settings.fields.contains_key(&field.name) && !sunk.contains(&field.name) {
            targets.push((field.name.clone(), FieldSettings::default()));
        }
        let carrier = targets.iter().find(|(name, _)| *name == field.name).or_else(|| targets.first());
        if let Some((carrier, _)) = carrier.cloned() {
            plan.carriers.insert(field.name.clone(), carrier.clone());
            for (name, said) in targets {
                let mut planned = shaped(subject, field, &name, &said, found);
                if name != carrier {
                    let target = &mut planned.field;
                    (target.primary_key, target.auto_id, target.function_output) = (false, false, false);
                    target.partition_key &= said.partition_key == Some(true);
                    target.clustering_key &= said.clustering_key == Some(true);
                }
                if planned.field.function_output {
                    planned.origin = None;
                }
                plan.fields.push(planned);
            }
        } else if new.iter().any(|(name, ..)| *name == field.name) {
            found.block(
                Some(&field.name),
                "the source has a field of this name, whose values would be lost without a word",
                format!("give the new field another name, or say `drop: [{}]`", field.name),
            );
        }
        let taken = settings.fields.get(&field.name).is_some_and(|said| match &said.origin {
            Origin::From { text, .. } => *text != field.name && source.field(text).is_some(),
            _ => false,
        });
        if taken && !plan.carriers.contains_key(&field.name) {
            found.block(
                Some(&field.name),
                "another field takes this name, and the source's own field of the name would be lost without a word",
                format!("carry it under another name with `from: {0}`, or say `drop: [{0}]`", field.name),
            );
        }
    }
    for (name, filled, said) in new {
        plan.fields.push(made(subject, &name, filled, &said, found));
    }
    key::promote(subject, &mut plan, found);
    one_role(subject, &mut plan, found);
    plan
}

/// The key of the dynamic field that a name under `fields` means, as in `$meta.lang` and `$meta["a.b"]`.
fn dynamic_key(name: &str) -> Option<String> {
    let path = FieldPath::parse(name).ok().filter(FieldPath::is_dynamic)?;
    <[String; 1]>::try_from(path.keys).ok().map(|[key]| key)
}

/// What a field of the plan is filled with.
fn origin(subject: &Subject<'_>, name: &str, said: &FieldSettings, found: &mut Remarks) -> Option<Filled> {
    let source = subject.source;
    let names = || source.fields.iter().map(|field| field.name.as_str());
    match &said.origin {
        Origin::Value(value) => Some(Filled::Value(value.clone())),
        Origin::Partition => {
            if source.has_partition_key() {
                found.block(
                    Some(name),
                    "`$partition` is the name of a row's partition, and a collection with a partition key has no named ones",
                    "take the field out of `fields`",
                );
            }
            Some(Filled::Partition)
        }
        Origin::Same => {
            let dynamic = dynamic_key(name);
            let field = source.field(dynamic.as_deref().unwrap_or(name));
            if field.is_none() {
                let lift = if source.dynamic_field {
                    format!("; to lift a key of the dynamic field say `from: $meta.{name}`")
                } else {
                    String::new()
                };
                let help = format!("{}{lift}", suggestion(name, names()));
                found.block(Some(name), "the source has no field of this name", help);
            }
            field.cloned().map(Filled::Column)
        }
        Origin::From { text, path } => {
            if let Some(field) = source.field(text) {
                return Some(Filled::Column(field.clone()));
            }
            if path.keys.is_empty() {
                found.block(
                    Some(name),
                    format!("`from: {text}` names a field that the source does not have"),
                    suggestion(text, names()),
                );
                return None;
            }
            let wrong = match source.field(&path.field) {
                _ if path.is_dynamic() && source.dynamic_field => None,
                _ if path.is_dynamic() => Some("the source has no dynamic field".to_owned()),
                Some(field) if field.data_type == DataType::Json => None,
                Some(field) => Some(format!("field `{}` is {} and holds no keys", field.name, field.type_text())),
                None => Some(format!("the source has no field `{}`", path.field)),
            };
            if let Some(wrong) = wrong {
                found.block(Some(name), format!("`from: {text}`: {wrong}"), "name a field, or a key of a JSON field");
                return None;
            }
            Some(Filled::Path(path.clone()))
        }
    }
}

/// A field that comes from a field of the source.
fn shaped(subject: &Subject<'_>, base: &Field, name: &str, said: &FieldSettings, found: &mut Remarks) -> Planned {
    let mut field = Field { name: name.to_owned(), ..base.clone() };
    apply(&mut field, said, found);
    if (field.data_type, field.element_type) != (base.data_type, base.element_type) {
        if base.function_output {
            found.block(Some(name), "a function computes this field, so its type cannot be changed", "take `type` out");
        } else if let Err(reason) = Conversion::check(base, &field, subject.to.json_scalars) {
            found.block(Some(name), reason, "choose another `type`, or leave the field behind with `drop`");
        }
        if said.default.is_none()
            && let Some(default) = base.default.clone()
        {
            match convert::default_value(&default_as_json(&default), &field) {
                Ok(default) => field.default = Some(default),
                Err(reason) => found.block(
                    Some(name),
                    format!("the source's default value cannot follow the change of type: {reason}"),
                    "say `default`, or `default: null` to have none",
                ),
            }
        }
    }
    Planned { field, origin: Some(Filled::Column(base.clone())), settings: said.clone() }
}

/// A field that the source does not have.
fn made(subject: &Subject<'_>, name: &str, filled: Filled, said: &FieldSettings, found: &mut Remarks) -> Planned {
    let mut field = Field::new(name, said.data_type.unwrap_or(DataType::VarChar));
    if said.data_type.is_none() {
        match filled {
            Filled::Partition => {
                field.params.insert("max_length".into(), "255".into());
            }
            _ => found.block(Some(name), "a field that the source does not have needs a `type`", "say `type`"),
        }
    }
    apply(&mut field, said, found);
    if let Filled::Path(_) = filled {
        let json = Field { nullable: true, ..Field::new(name, DataType::Json) };
        if let Err(reason) = Conversion::check(&json, &field, subject.to.json_scalars) {
            found.block(Some(name), reason, "choose another `type`");
        }
    }
    Planned { field, origin: Some(filled), settings: said.clone() }
}

/// Applies what the plan says about a field.
fn apply(field: &mut Field, said: &FieldSettings, found: &mut Remarks) {
    if let Some(data_type) = said.data_type {
        if data_type != field.data_type {
            field.element_type = None;
            let keeps = |key: &str| match key {
                "dim" => data_type.is_vector(),
                "max_length" | "enable_analyzer" | "analyzer_params" | "enable_match" => data_type == DataType::VarChar,
                "max_capacity" => data_type == DataType::Array,
                _ => true,
            };
            field.params.retain(|key, _| keeps(key));
            field.default = None;
        }
        field.data_type = data_type;
    }
    if said.element_type.is_some() {
        field.element_type = said.element_type;
        if field.element_type != Some(DataType::VarChar) {
            field.params.remove("max_length");
        }
    }
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            field.params.insert(key.to_owned(), value);
        }
    };
    set("max_length", said.max_length.map(|number| number.to_string()));
    set("max_capacity", said.max_capacity.map(|number| number.to_string()));
    set("enable_analyzer", said.enable_analyzer.map(|on| on.to_string()));
    set("analyzer_params", said.analyzer_params.as_ref().map(ToString::to_string));
    set("enable_match", said.enable_match.map(|on| on.to_string()));
    set("mmap.enabled", said.mmap.map(|on| on.to_string()));
    if let Some(nullable) = said.nullable {
        field.nullable = nullable;
    }
    if let Some(key) = said.partition_key {
        field.partition_key = key;
        // A partition key is never null, so a nullable field that becomes one stops being nullable.
        field.nullable &= !key;
    }
    if let Some(key) = said.clustering_key {
        field.clustering_key = key;
    }
    if let Some(description) = &said.description {
        field.description.clone_from(description);
    }
    match &said.default {
        Some(serde_json::Value::Null) => field.default = None,
        Some(value) => match convert::default_value(value, field) {
            Ok(default) => field.default = Some(default),
            Err(reason) => {
                found.block(Some(&field.name), format!("`default`: {reason}"), "give a default of the field's type");
            }
        },
        None => {}
    }
}

fn default_as_json(default: &DefaultValue) -> serde_json::Value {
    match default {
        DefaultValue::Bool(value) => (*value).into(),
        DefaultValue::Int(value) => (*value).into(),
        DefaultValue::Long(value) | DefaultValue::Timestamp(value) => (*value).into(),
        DefaultValue::Float(value) => f64::from(*value).into(),
        DefaultValue::Double(value) => (*value).into(),
        DefaultValue::Text(value) => value.as_str().into(),
        DefaultValue::Bytes(value) => serde_json::from_slice(value).unwrap_or_default(),
    }
}

/// A role that the plan gives to one field is taken from the source's.
fn one_role(subject: &Subject<'_>, plan: &mut Plan, found: &mut Remarks) {
    type Said = fn(&FieldSettings) -> Option<bool>;
    type Role = fn(&mut Field) -> &mut bool;
    let roles: [(&str, Said, Role); 2] = [
        ("partition key", |said| said.partition_key, |field| &mut field.partition_key),
        ("clustering key", |said| said.clustering_key, |field| &mut field.clustering_key),
    ];
    for (word, said, role) in roles {
        let chosen = plan.fields.iter().any(|planned| said(&planned.settings) == Some(true));
        for planned in &mut plan.fields {
            if chosen && said(&planned.settings) != Some(true) {
                *role(&mut planned.field) = false;
            }
        }
        let holders: Vec<String> = plan
            .fields
            .iter_mut()
            .filter_map(|planned| role(&mut planned.field).then(|| planned.field.name.clone()))
            .collect();
        if holders.len() > 1 {
            let message = format!("a collection has one {word}, and these would be it: {}", holders.join(", "));
            found.block(None, message, "leave it to one of them");
        }
    }
    for planned in plan.fields.iter().filter(|planned| planned.field.partition_key) {
        let field = &planned.field;
        if !matches!(field.data_type, DataType::Int64 | DataType::VarChar) {
            let message = format!("{} cannot be a partition key: only INT64 and VARCHAR can", field.type_text());
            found.block(Some(&field.name), message, "choose another field, or change its `type`");
        }
        if field.primary_key {
            found.block(Some(&field.name), "the primary key cannot be the partition key too", "choose another field");
        }
        let may_be_null = match &planned.origin {
            Some(Filled::Column(base)) => base.nullable,
            Some(Filled::Path(_)) => true,
            _ => false,
        };
        let filled = planned.settings.on_null == Some(OnNull::Default) || field.default.is_some();
        if may_be_null && !filled && !subject.source.field(&field.name).is_some_and(|base| base.partition_key) {
            found.warnings.push(
                super::Remark::new(
                    Some(&field.name),
                    "a partition key is never null: a row without a value does not fit",
                )
                .help("say `default` for such rows, or `on_misfit: quarantine`; `plan --scan` counts them"),
            );
        }
    }
}
