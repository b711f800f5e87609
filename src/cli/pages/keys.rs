//! `docs/plan-file.md` and `docs/settings.md`: every key of the two files, from their JSON Schemas.

use serde_json::Value;

use super::assert_fresh;
use crate::plan::{PLAN_SCHEMA, SETTINGS_SCHEMA};

/// The keys as a reader meets them; a schema has them by the alphabet.
const ORDER: &str = "state url path lease version name $schema sources targets migrations milvus zilliz_cloud profile uri cluster_id create api_key api project_id region plan cu_type \
    cu_size password_file resume from to engine database token username password \
    env file command tls ca client_cert client_key server_name tier timeouts connect request retry \
    collections source target match exclude where shards primary_key field auto_id keep_as allow_insert_auto_id fields \
    keep value type element_type max_length max_capacity nullable default on_null on_misfit partition_key clustering_key \
    enable_analyzer analyzer_params enable_match mmap scale drop dynamic_field partitions only rename num_partitions indexes index_type \
    metric_type params functions input_fields output_fields properties consistency description aliases load on_existing prune \
    verify live_source limits concurrency split_rows write_mb_per_s profiles";

/// A page in the making.
struct Page<'a> {
    schema: &'a Value,
    /// The language of the examples.
    language: &'a str,
    text: String,
    /// Types whose keys are written, each with where.
    written: Vec<(String, String)>,
}

impl<'a> Page<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.schema.pointer(reference.trim_start_matches('#')).expect("a definition"),
            None => schema,
        }
    }

    /// The keys of a mapping, each with what it may hold.
    fn keys(&mut self, mapping: &'a Value, path: &str) {
        let Some(properties) = mapping["properties"].as_object() else { return };
        let order: Vec<&str> = ORDER.split_whitespace().collect();
        let place = |name: &str| {
            order.iter().position(|known| *known == name).unwrap_or_else(|| panic!("`{name}` has no place in ORDER"))
        };
        let mut names: Vec<&String> = properties.keys().collect();
        names.sort_by_key(|name| place(name));
        for name in names {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.key(&properties[name], mapping, name, &here);
        }
    }

    fn key(&mut self, schema: &'a Value, mapping: &Value, name: &str, path: &str) {
        let told = schema["description"].as_str().unwrap_or_default();
        let (text, example) = told.split_once("Example: ").unwrap_or((told, ""));
        let (text, default) = without_default(text.trim());
        let required = mapping["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let default = match default {
            _ if required => "required".to_owned(),
            Some(default) => format!("default: {default}"),
            None => "optional".to_owned(),
        };
        self.text.push_str(&format!("\n### `{path}`\n\n*{}; {default}*\n\n{text}\n", self.kind(schema)));
        for (word, meaning) in self.choices(schema) {
            self.text.push_str(&format!("\n- `{word}`: {meaning}"));
        }
        let example = in_language(example.trim().trim_matches('`'), self.language);
        self.text.push_str(&format!("\n```{}\n{}\n```\n", self.language, example.trim_end()));
        self.below(schema, path);
    }

    /// The keys of whatever mappings a value may be or hold.
    fn below(&mut self, schema: &'a Value, path: &str) {
        let target = self.resolve(schema);
        if let Some(definition) = schema["$ref"].as_str().filter(|_| has_keys(target)) {
            if let Some((_, first)) = self.written.iter().find(|(known, _)| known == definition) {
                // A list's entry and a value under a name have no heading of their own.
                let heading = first.trim_end_matches(".NAME").trim_end_matches("[]");
                let anchor: String = heading.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
                let line = format!("\nIts keys are those of [`{first}`](#{}).\n", anchor.to_lowercase());
                return self.text.push_str(&line);
            }
            self.written.push((definition.to_owned(), path.to_owned()));
        }
        self.keys(target, path);
        for branch in branches(target) {
            self.below(branch, path);
        }
        if target["items"].is_object() {
            self.below(&target["items"], &format!("{path}[]"));
        }
        if target["additionalProperties"].is_object() {
            self.below(&target["additionalProperties"], &format!("{path}.NAME"));
        }
    }

    /// What a value may be, in words.
    fn kind(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        if let Some(words) = schema["enum"].as_array() {
            return list(words.iter().map(word).collect());
        }
        if let Some(word) = schema.get("const").map(word) {
            return word;
        }
        let branches: Vec<&Value> = branches(schema).collect();
        if !branches.is_empty() {
            return list(branches.into_iter().map(|branch| self.kind(branch)).collect());
        }
        match &schema["type"] {
            Value::Array(kinds) => list(kinds.iter().map(|kind| self.simple(schema, kind.as_str())).collect()),
            kind => self.simple(schema, kind.as_str()),
        }
    }

    fn simple(&self, schema: &'a Value, kind: Option<&str>) -> String {
        let pattern = schema["pattern"].as_str().map(|pattern| format!(" like `{pattern}`")).unwrap_or_default();
        let range = |least: &str, most: &str| match (&schema[least], &schema[most]) {
            (Value::Null, Value::Null) => String::new(),
            (least, Value::Null) => format!(" from {least}"),
            (Value::Null, most) => format!(" up to {most}"),
            (least, most) => format!(" from {least} to {most}"),
        };
        match kind {
            Some("string") => format!("text{pattern}"),
            Some("integer") => format!("whole number{}", range("minimum", "maximum")),
            Some("number") => format!("number{}", range("exclusiveMinimum", "maximum")),
            Some("boolean") => "`true` or `false`".to_owned(),
            Some("array") => format!("list of: {}", self.kind(&schema["items"])),
            Some("object") if schema["additionalProperties"].is_object() => {
                format!("mapping of names to: {}", self.kind(&schema["additionalProperties"]))
            }
            Some("object") => "mapping".to_owned(),
            Some("null") => "`null`".to_owned(),
            _ => "anything".to_owned(),
        }
    }

    /// Words that a value may be, where the schema says what each means.
    fn choices(&self, schema: &'a Value) -> Vec<(String, String)> {
        branches(self.resolve(schema))
            .filter_map(|branch| {
                Some((branch["const"].as_str()?.to_owned(), branch["description"].as_str()?.to_owned()))
            })
            .collect()
    }
}

/// Alternatives, without those that only say which keys go together.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let all = ["oneOf", "anyOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    // What an `if` chooses between; the usual form comes first.
    let chosen = ["else", "then"].into_iter().filter_map(|word| schema.get(word));
    all.chain(chosen).filter(|branch| {
        branch.as_object().is_some_and(|branch| !(branch.len() == 1 && branch.contains_key("required")))
    })
}

fn has_keys(schema: &Value) -> bool {
    schema["properties"].is_object() || branches(schema).any(has_keys)
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |text| format!("`{text}`"))
}

fn list(mut words: Vec<String>) -> String {
    let mut seen = Vec::new();
    words.retain(|word| {
        !seen.contains(word) && {
            seen.push(word.clone());
            true
        }
    });
    match words.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{} or {last}", init.join(", ")),
        words => words.concat(),
    }
}

/// A description, and the default that it names after `without it,`.
fn without_default(text: &str) -> (String, Option<String>) {
    let Some((before, after)) = text.split_once("; without it, ") else {
        let default = text.split_once("Without it, ").map(|(_, after)| sentence(after).to_owned());
        return (text.to_owned(), default);
    };
    let default = sentence(after);
    (format!("{before}.{}", after[default.len()..].trim_start_matches('.')), Some(default.to_owned()))
}

/// An example as the file of a page has it. A key that both files have shows its example as a plan does.
fn in_language(example: &str, language: &str) -> String {
    let read: Value = serde_saphyr::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
    match (language, &read) {
        ("yaml", Value::Object(_)) => example.to_owned(),
        ("yaml", _) => panic!("`{example}` is no key with its value"),
        (_, Value::Object(_)) => toml::to_string(&read).expect("a value that TOML has too"),
        _ => {
            toml::from_str::<toml::Table>(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            example.to_owned()
        }
    }
}

fn sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text.trim_end_matches('.'), |(sentence, _)| sentence)
}

fn page(schema: &str, language: &str, head: &str) -> String {
    let schema: Value = serde_json::from_str(schema).expect("a schema");
    let mut page = Page { schema: &schema, language, text: head.to_owned(), written: Vec::new() };
    page.keys(&schema, "");
    // A rule with no key of its own would be forgotten here.
    let keys = schema.to_string().matches("Example: ").count();
    assert!(page.text.matches("\n### ").count() + 20 > keys, "{keys} descriptions in the schema");
    page.text
}

#[test]
fn the_page_of_plan_keys_is_fresh() {
    assert_fresh(
        "plan-file.md",
        &page(
            PLAN_SCHEMA,
            "yaml",
            "# The plan file\n\nEvery key of a plan, in the order in which one writes them. `NAME` stands for a name of your choice, and \
             `[]` for each entry of a list. What a shape means for the rows is in [shaping](shaping.md). The same words show in \
             editors: begin a plan with\n\n```yaml\n# yaml-language-server: $schema=../schemas/plan.v1.schema.json\n```\n\nwith the \
             path to where `vecferry schema > plan.v1.schema.json` put it. A plan may also name it with the key `$schema`.\n",
        ),
    );
}

#[test]
fn the_page_of_settings_is_fresh() {
    assert_fresh(
        "settings.md",
        &page(
            SETTINGS_SCHEMA,
            "toml",
            "# vecferry.toml\n\nWhat belongs to a machine and not to a migration. The nearest `vecferry.toml` counts, upward from the plan; \
             what a plan says itself wins over it. `NAME` stands for a name of your choice. Editors with taplo show these words where \
             the file begins with\n\n```toml\n#:schema settings.v1.schema.json\n```\n\nwhich `vecferry schema settings > \
             settings.v1.schema.json` writes.\n",
        ),
    );
}
