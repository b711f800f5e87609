//! The JSON Schemas (draft 2020-12) of what is written for machines, as committed in `schemas/`. Those of what people write,
//! plans and settings, are in `plan`. Tests make them all from the types.

/// Of what `vecferry validate --output json` prints.
pub const VALIDATE: &str = include_str!("../../schemas/validate.v1.schema.json");
/// Of what `vecferry plan --output json` prints.
pub const DIFF: &str = include_str!("../../schemas/diff.v1.schema.json");
/// Of what `vecferry apply --output json` prints.
pub const APPLY: &str = include_str!("../../schemas/apply.v1.schema.json");
/// Of what `vecferry verify --output json` prints.
pub const VERIFY: &str = include_str!("../../schemas/verify.v1.schema.json");
/// Of what `vecferry status --output json` prints.
pub const STATUS: &str = include_str!("../../schemas/status.v1.schema.json");
/// Of a line of what `--log-format json` writes to stderr while something goes on.
pub const EVENTS: &str = include_str!("../../schemas/events.v1.schema.json");
/// Of what `vecferry plan --out FILE` saves.
pub const SAVED_PLAN: &str = include_str!("../../schemas/saved-plan.v1.schema.json");

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;
    use serde_json::Value;

    use super::*;
    use crate::render::{changes, diagnostics, progress, reports, stale, status, verification};
    use crate::saved::{self, SavedPlan};

    /// What `vecferry apply --output json` prints: how it ended, or, of a saved plan that no longer fits what is there, what is not
    /// as it was. The first has `collections`, the second `differences`.
    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only the schema of it is of use")]
    enum Apply<'a> {
        Ended(reports::json::Document<'a>),
        Stale(stale::Document<'a>),
    }

    fn published() -> [(&'static str, &'static str, Value); 7] {
        [
            ("validate", VALIDATE, generated::<diagnostics::Document<'_>>("vecferry validate")),
            ("diff", DIFF, generated::<changes::Document<'_>>("vecferry diff")),
            ("apply", APPLY, generated::<Apply<'_>>("vecferry apply")),
            ("verify", VERIFY, generated::<verification::json::Document<'_>>("vecferry verify")),
            ("status", STATUS, generated::<status::json::Document<'_>>("vecferry status")),
            ("events", EVENTS, generated::<progress::Line<'_>>("vecferry events")),
            ("saved-plan", SAVED_PLAN, generated::<SavedPlan>("vecferry saved plan")),
        ]
    }

    /// The schema as the type makes it, of what is written and not of what could be read.
    fn generated<T: JsonSchema>(title: &str) -> Value {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<T>().to_value();
        schema["title"] = title.into();
        tidy(&mut schema);
        schema
    }

    /// `uint64` is Rust's business.
    fn tidy(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                if members.get("format").and_then(Value::as_str).is_some_and(|format| format != "date-time") {
                    members.remove("format");
                }
                members.values_mut().for_each(tidy);
            }
            Value::Array(items) => items.iter_mut().for_each(tidy),
            _ => {}
        }
    }

    #[test]
    fn the_committed_schemas_are_fresh() {
        for (name, committed, wanted) in published() {
            let wanted = format!("{wanted:#}\n");
            if std::env::var_os("VECFERRY_UPDATE").is_some_and(|value| value == "1") {
                let path = format!("{}/schemas/{name}.v1.schema.json", env!("CARGO_MANIFEST_DIR"));
                fs_err::write(path, &wanted).expect("write the schema");
            } else {
                assert_eq!(committed, wanted, "{name}: run the tests with VECFERRY_UPDATE=1 and commit schemas/");
            }
        }
    }

    #[test]
    fn every_property_is_described() {
        for (name, _, schema) in published() {
            let mut bare = Vec::new();
            look(&schema, name, &mut bare);
            assert!(bare.is_empty(), "{bare:#?}");
        }
    }

    fn look(schema: &Value, at: &str, bare: &mut Vec<String>) {
        let Value::Object(members) = schema else {
            schema.as_array().into_iter().flatten().for_each(|item| look(item, at, bare));
            return;
        };
        let properties = members.get("properties").and_then(Value::as_object);
        // A value that is one of several forms is written as an object of one member, which is described as a whole.
        let is_form = members.contains_key("description") && properties.is_some_and(|all| all.len() == 1);
        for (name, member) in properties.into_iter().flatten() {
            // What tells forms apart is a word and nothing to describe, and what a duration is made of is no type of ours.
            let told = member.get("description").is_some() || member.get("const").is_some();
            if !told && !is_form && !at.ends_with("/Duration") {
                bare.push(format!("{at}/{name}"));
            }
            look(member, &format!("{at}/{name}"), bare);
        }
        for (keyword, member) in members.iter().filter(|(keyword, _)| *keyword != "properties") {
            // Definitions are schemas by names, which may be those of keywords.
            match member.as_object().filter(|_| keyword == "$defs") {
                Some(all) => all.iter().for_each(|(name, one)| look(one, &format!("{at}/{name}"), bare)),
                None => look(member, at, bare),
            }
        }
    }

    #[test]
    fn a_saved_plan_fits_the_schema() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/saved");
        let mut seen = 0;
        for file in fs_err::read_dir(seeds).expect("seeds") {
            let seed = fs_err::read(file.expect("a seed").path()).expect("a seed");
            let sealed = serde_json::from_slice(&seed).map(saved::sealed).unwrap_or(seed);
            let Ok(Some(plan)) = saved::parse(Path::new("kb.vfplan.json"), &sealed) else { continue };
            let mut document: Value = serde_json::from_str(&plan.text()).expect("JSON");
            assert_fits(SAVED_PLAN, &document);
            document["pins"][0]["address"] = Value::Null;
            assert!(!complaints(SAVED_PLAN, &document).is_empty());
            seen += 1;
        }
        assert!(seen > 0, "no seed is a saved plan");
    }

    /// Fails where a document does not fit its schema.
    #[track_caller]
    pub(in crate::render) fn assert_fits(schema: &str, document: &Value) {
        let errors = complaints(schema, document);
        assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
    }

    /// What a document does not fit its schema in.
    pub(in crate::render) fn complaints(schema: &str, document: &Value) -> Vec<String> {
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}
