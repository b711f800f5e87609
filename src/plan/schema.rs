//! The JSON Schema of the plan format: made from the types, committed, embedded, and applied to a tree.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::explain;
#[cfg(test)]
use super::model::PlanFile;
use super::model::SettingsFile;
use super::tree::Document;
use crate::diagnostic::Diagnostic;

/// The JSON Schema (draft 2020-12) of plan format version 1, as committed in `schemas/`.
pub const PLAN_SCHEMA: &str = include_str!("../../schemas/plan.v1.schema.json");

static PLAN: LazyLock<Option<Compiled>> =
    LazyLock::new(|| serde_json::from_str(PLAN_SCHEMA).ok().and_then(Compiled::new));

static SETTINGS: LazyLock<Option<Compiled>> =
    LazyLock::new(|| Compiled::new(generate::<SettingsFile>("vecferry.toml", "Settings of a machine.")));

/// A schema ready to be applied, with its text for looking up what it allows.
pub(crate) struct Compiled {
    /// The schema itself.
    pub(crate) schema: Value,
    validator: Validator,
}

impl Compiled {
    fn new(schema: Value) -> Option<Self> {
        let validator = jsonschema::draft202012::new(&schema).ok()?;
        Some(Self { schema, validator })
    }
}

/// Makes the schema of plan files from the types.
#[cfg(test)]
pub fn generate_plan_schema() -> Value {
    generate::<PlanFile>(
        "vecferry plan",
        "A plan of vecferry, format version 1: which Milvus collections go from which cluster to which, and what they look like on arrival.",
    )
}

fn generate<T: JsonSchema>(title: &str, description: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy)).into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    if let Value::Object(root) = &mut schema {
        root.insert("title".to_owned(), json!(title));
        root.insert("description".to_owned(), json!(description));
    }
    schema
}

/// A key without a value is a slip and no way to say nothing, so null is never allowed. And `uint32` is Rust's business.
fn tidy(schema: &mut schemars::Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("format");
    object.remove("default");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(branches)) = object.get_mut("anyOf") {
        branches.retain(|branch| branch != &json!({"type": "null"}));
        if let [Value::Object(only)] = branches.as_slice() {
            let only: Map<String, Value> = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// Applies the schema of plan files. What does not fit is taken out of the tree, so that the rules can look at the rest;
/// false where nothing is left to look at.
pub(crate) fn check_plan(document: &mut Document, diagnostics: &mut Vec<Diagnostic>) -> bool {
    check(PLAN.as_ref(), document, diagnostics)
}

/// The same for `vecferry.toml`.
pub(crate) fn check_settings(document: &mut Document, diagnostics: &mut Vec<Diagnostic>) -> bool {
    check(SETTINGS.as_ref(), document, diagnostics)
}

/// More rounds of taking out than a plan has levels.
const MAX_ROUNDS: usize = 16;

fn check(compiled: Option<&Compiled>, document: &mut Document, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Some(compiled) = compiled else {
        return false;
    };
    for round in 0..MAX_ROUNDS {
        let value = document.root.to_value();
        // What is empty because all of it was invalid, and was reported as such, is no mistake of its own.
        let errors: Vec<_> = compiled.validator.iter_errors(&value).filter(|error| !emptied(document, error)).collect();
        if errors.is_empty() {
            return true;
        }
        let findings = explain::findings(document, &compiled.schema, &errors);
        let invalid: Vec<_> = findings.iter().map(|finding| finding.invalid.clone()).collect();
        if round == 0 {
            diagnostics.extend(findings.into_iter().filter_map(|finding| finding.diagnostic));
        }
        if invalid.iter().any(Vec::is_empty) {
            return false;
        }
        document.root.prune(invalid);
    }
    false
}

fn emptied(document: &Document, error: &ValidationError<'_>) -> bool {
    let at = explain::to_path(&document.root, error.instance_path().as_str());
    matches!(error.kind(), ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. })
        && document.root.find(&at).is_some_and(|node| node.damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.v1.schema.json");
        let mut wanted = serde_json::to_string_pretty(&generate_plan_schema()).expect("schema as text");
        wanted.push('\n');
        if std::env::var_os("VECFERRY_UPDATE").is_some_and(|value| value == "1") {
            fs_err::write(path, &wanted).expect("write the schema");
        }
        let committed = fs_err::read_to_string(path).expect("committed schema");
        assert_eq!(committed, wanted, "run the tests with VECFERRY_UPDATE=1 and commit schemas/");
    }

    #[test]
    fn both_schemas_compile() {
        assert!(PLAN.is_some());
        assert!(SETTINGS.is_some());
    }

    #[test]
    fn every_key_is_described_with_an_example() {
        let mut keys = 0;
        visit(&generate_plan_schema(), &mut |name, schema| {
            keys += 1;
            let description = schema["description"].as_str().unwrap_or("");
            assert!(description.contains("Example: `"), "`{name}` has no example: {description}");
        });
        assert!(keys > 30, "only {keys} keys were seen");
    }

    fn visit(schema: &Value, look: &mut impl FnMut(&str, &Value)) {
        match schema {
            Value::Object(object) => {
                for (keyword, value) in object {
                    // A mapping from names to schemas is no schema, though it may hold one named `properties`.
                    if let ("properties", Value::Object(properties)) = (keyword.as_str(), value) {
                        for (name, property) in properties {
                            look(name, property);
                            visit(property, look);
                        }
                    } else {
                        visit(value, look);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
            _ => {}
        }
    }
}
