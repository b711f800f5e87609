//! What a JSON Schema allows and what a tree holds, in words.

use jsonschema::JsonType;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::tree::{Kind as NodeKind, Node};
use crate::diagnostic::Code;

pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).unwrap_or(schema),
        None => schema,
    }
}

pub(crate) fn property_names(schema: &Value) -> Vec<String> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// The key of a branch that says nothing but that the key is required.
pub(crate) fn required_only(branch: &Value) -> Option<String> {
    let object = branch.as_object()?;
    match (object.len(), object.get("required")?.as_array()?.as_slice()) {
        (1, [Value::String(key)]) => Some(key.clone()),
        _ => None,
    }
}

pub(crate) fn required_keys(branches: Option<&Value>) -> Vec<String> {
    branches
        .and_then(Value::as_array)
        .map(|branches| branches.iter().filter_map(required_only).collect())
        .unwrap_or_default()
}

/// The example in a description.
pub(crate) fn example(schema: &Value) -> Option<String> {
    let description = schema.get("description")?.as_str()?;
    let (_, example) = description.split_once("Example: ")?;
    Some(example.trim().to_owned())
}

pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The forms that a value may have by one branch of several, in words.
pub(crate) fn forms(branch: &Value) -> Vec<String> {
    if let Some(constant) = branch.get("const") {
        return vec![format!("`{}`", word(constant))];
    }
    match branch.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().map(|kind| form(branch, kind.as_str())).collect(),
        kind => vec![form(branch, kind.and_then(Value::as_str))],
    }
}

fn form(branch: &Value, kind: Option<&str>) -> String {
    match kind {
        Some("integer") => match (branch.get("minimum"), branch.get("maximum")) {
            (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
            _ => "a whole number".to_owned(),
        },
        Some("string") => "text".to_owned(),
        Some("number") => "a number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("null") => "`null`".to_owned(),
        Some("object") if branch.get("properties").is_none() => "a mapping".to_owned(),
        Some("object") => format!("`{{{}: ...}}`", property_names(branch).join(": ..., ")),
        Some(other) => other.to_owned(),
        None => "another form".to_owned(),
    }
}

pub(crate) fn join(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., end] => format!("{} {last} {end}", init.join(", ")),
    }
}

pub(crate) fn expected(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping",
        JsonType::String => "text",
    }
}

pub(crate) fn range_message(kind: &Kind) -> Option<(Code, String)> {
    let message = match kind {
        Kind::Minimum { limit } => format!("the number is less than {limit}, the least allowed"),
        Kind::ExclusiveMinimum { limit } => format!("the number must be more than {limit}"),
        Kind::Maximum { limit } => format!("the number is more than {limit}, the most allowed"),
        Kind::ExclusiveMaximum { limit } => format!("the number must be less than {limit}"),
        Kind::MinLength { limit: 1 } => "the text is empty".to_owned(),
        Kind::MinLength { limit } => format!("the text has less than {limit} characters"),
        Kind::MaxLength { limit } => format!("the text has more than {limit} characters"),
        Kind::MinItems { limit: 1 } => "the list is empty".to_owned(),
        Kind::MinItems { limit } => format!("the list has less than {limit} entries"),
        Kind::MaxItems { limit } => format!("the list has more than {limit} entries"),
        Kind::MinProperties { limit: 1 } => "the mapping is empty".to_owned(),
        Kind::MinProperties { limit } => format!("the mapping has less than {limit} keys"),
        Kind::MaxProperties { limit } => format!("the mapping has more than {limit} keys"),
        _ => return None,
    };
    Some((Code::OutOfRange, message))
}

pub(crate) fn found(node: &Node) -> &'static str {
    match &node.kind {
        NodeKind::List(_) => "a list",
        NodeKind::Map(_) => "a mapping",
        NodeKind::Scalar(Value::Bool(_)) => "`true` or `false`",
        NodeKind::Scalar(Value::Number(_)) => "a number",
        NodeKind::Scalar(Value::String(_)) => "text",
        NodeKind::Scalar(_) => "nothing",
    }
}

pub(crate) fn text_of(node: &Node) -> Option<&str> {
    match &node.kind {
        NodeKind::Scalar(value) => value.as_str(),
        NodeKind::List(_) | NodeKind::Map(_) => None,
    }
}
