//! What machines read fits what is published: every JSON document that vecferry prints in any test, every event that it tells, and
//! every plan that it saves is held against its schema in `schemas/`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::Value;

use crate::servers::root;

/// What prints which document.
const COMMANDS: [(&str, &str); 7] = [
    ("validate", "validate"),
    ("plan", "diff"),
    ("show", "diff"),
    ("apply", "apply"),
    ("verify", "verify"),
    ("status", "status"),
    ("cancel", "status"),
];

/// Commands whose own commands bear such names too, and print documents without a published schema.
const FAMILIES: [&str; 2] = ["state", "cloud"];

/// What a document does not fit its schema in.
fn complaints(schema: &'static str, document: &Value) -> Vec<String> {
    static VALIDATORS: LazyLock<Mutex<HashMap<&'static str, Validator>>> = LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(schema).or_insert_with(|| {
        let text = std::fs::read_to_string(root().join(format!("schemas/{schema}.v1.schema.json"))).unwrap();
        jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap()
    });
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[track_caller]
fn assert_fits(schema: &'static str, document: &Value) {
    let complaints = complaints(schema, document);
    assert!(complaints.is_empty(), "{schema}: {complaints:#?}\n{document:#}");
}

/// Fails where what a run printed or saved does not fit what is published about it.
#[track_caller]
pub fn assert_published(arguments: &[String], folder: &Path, out: &str, err: &str) {
    let following = |flag: &str| arguments.iter().position(|one| one == flag).and_then(|at| arguments.get(at + 1));
    let says = |word: &str| arguments.iter().any(|one| one == word);
    let of_a_family = FAMILIES.into_iter().any(says);
    let printed = COMMANDS.iter().find(|(command, _)| !of_a_family && says(command));
    if let (Some((command, schema)), Some("json")) = (printed, following("--output").map(String::as_str)) {
        // Where it is refused at all, stdout is empty; a status that is watched is several documents.
        for document in serde_json::Deserializer::from_str(out).into_iter() {
            assert_fits(schema, &document.unwrap_or_else(|error| panic!("{command}: {error}: {out}")));
        }
    }
    if following("--log-format").is_some_and(|format| format == "json") {
        let lines = err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("type").is_some()).for_each(|event| assert_fits("events", &event));
    }
    if let (Some(("plan", _)), Some(file)) = (printed, following("--out"))
        && let Ok(text) = std::fs::read_to_string(folder.join(file))
        && let Ok(saved) = serde_json::from_str::<Value>(&text)
        && saved["kind"] == "vecferry_saved_plan"
    {
        assert_fits("saved-plan", &saved);
    }
}

#[test]
fn a_document_that_does_not_fit_fails_its_test() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let fails = |line: &str, out: &str, err: &str| {
        std::panic::catch_unwind(|| assert_published(&words(line), Path::new("/nowhere"), out, err)).is_err()
    };
    for (command, _) in COMMANDS {
        let line = format!("{command} --output json plan.yaml");
        assert!(fails(&line, "{}", "") && fails(&line, "no JSON", ""), "{command}");
        assert!(!fails(&line, "", "error: refused") && !fails(command, "{}", ""), "{command}");
    }
    assert!(!fails("state show ID plan.yaml --output json", "{}", ""), "that is another `show`");
    let line = "apply --log-format json plan.yaml";
    assert!(fails(line, "", "{\"type\": \"phase\"}"));
    assert!(!fails(line, "", "{\"level\": \"WARN\"}\nnot JSON"));
}
