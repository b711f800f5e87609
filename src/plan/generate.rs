//! Makes the JSON Schemas of plans and settings from the types; built for tests only, which keep the committed ones fresh.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::model::{PlanFile, SettingsFile};

/// Makes the schema of plan files from the types.
pub fn generate_plan_schema() -> Value {
    generate::<PlanFile>(
        "vecferry plan",
        "A plan of vecferry, format version 1: which Milvus collections go from which cluster to which, and what they look like on arrival.",
    )
}

/// Makes the schema of `vecferry.toml` from the types.
pub fn generate_settings_schema() -> Value {
    generate::<SettingsFile>("vecferry.toml", "Settings of vecferry: what belongs to a machine and not to a migration.")
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

#[test]
fn the_committed_schemas_are_fresh() {
    for (name, schema) in [("plan", generate_plan_schema()), ("settings", generate_settings_schema())] {
        let path = format!("{}/schemas/{name}.v1.schema.json", env!("CARGO_MANIFEST_DIR"));
        let wanted = format!("{schema:#}\n");
        if std::env::var_os("VECFERRY_UPDATE").is_some_and(|value| value == "1") {
            fs_err::write(&path, &wanted).expect("write the schema");
        }
        let committed = fs_err::read_to_string(&path).expect("committed schema");
        assert_eq!(committed, wanted, "run the tests with VECFERRY_UPDATE=1 and commit schemas/");
    }
}

#[test]
fn every_key_is_described_with_an_example() {
    for (schema, least) in [(generate_plan_schema(), 60), (generate_settings_schema(), 20)] {
        let mut keys = 0;
        visit(&schema, &mut |name, schema| {
            keys += 1;
            let description = schema["description"].as_str().unwrap_or("");
            assert!(description.contains("Example: `"), "`{name}` has no example: {description}");
        });
        assert!(keys > least, "only {keys} keys were seen");
    }
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
