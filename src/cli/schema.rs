//! `vecferry schema`: the JSON Schemas of what is read and written, for editors and other validators.

use clap::{Args, ValueEnum};

use super::exit_code::ExitCode;
use super::{Context, session};
use crate::plan;
use crate::render::schemas;

/// Prints a JSON Schema: of plan files, or of another form that vecferry reads or writes.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// What the schema is of.
    #[arg(value_enum, default_value_t = Form::Plan, value_name = "NAME")]
    name: Form,
}

/// A form with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Plan files.
    Plan,
    /// `vecferry.toml`.
    Settings,
    /// What `vecferry validate --output json` writes.
    Validate,
    /// What `vecferry plan --output json` and `vecferry show --output json` write.
    Diff,
    /// What `vecferry apply --output json` writes.
    Apply,
    /// What `vecferry verify --output json` writes.
    Verify,
    /// What `vecferry status --output json` and `vecferry cancel --output json` write.
    Status,
    /// A line of what `vecferry apply --log-format json` and `vecferry verify --log-format json` tell meanwhile.
    Events,
    /// What `vecferry plan --out FILE` saves.
    SavedPlan,
}

impl Form {
    fn schema(self) -> &'static str {
        match self {
            Self::Plan => plan::PLAN_SCHEMA,
            Self::Settings => plan::SETTINGS_SCHEMA,
            Self::Validate => schemas::VALIDATE,
            Self::Diff => schemas::DIFF,
            Self::Apply => schemas::APPLY,
            Self::Verify => schemas::VERIFY,
            Self::Status => schemas::STATUS,
            Self::Events => schemas::EVENTS,
            Self::SavedPlan => schemas::SAVED_PLAN,
        }
    }
}

pub(super) fn run(arguments: &SchemaArgs, context: &Context) -> ExitCode {
    session::data(arguments.name.schema(), context).err().unwrap_or(ExitCode::Success)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_is_a_schema_that_says_what_it_is_of() {
        for form in Form::value_variants() {
            let schema: Value = serde_json::from_str(form.schema()).expect("JSON");
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{form:?}");
            assert!(schema["title"].is_string() && schema["description"].is_string(), "{form:?}");
            assert!(jsonschema::meta::is_valid(&schema), "{form:?}");
            jsonschema::draft202012::new(&schema).expect("it compiles");
        }
    }
}
