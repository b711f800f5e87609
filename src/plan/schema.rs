//! The JSON Schemas of plans and settings, as committed and embedded, applied to a tree. `generate.rs` makes them.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::explain;
use super::tree::Document;
use crate::diagnostic::Diagnostic;

/// The JSON Schema (draft 2020-12) of plan format version 1, as committed in `schemas/`.
pub const PLAN_SCHEMA: &str = include_str!("../../schemas/plan.v1.schema.json");

/// The same of `vecferry.toml`.
pub const SETTINGS_SCHEMA: &str = include_str!("../../schemas/settings.v1.schema.json");

static PLAN: LazyLock<Option<Compiled>> = LazyLock::new(|| Compiled::read(PLAN_SCHEMA));

static SETTINGS: LazyLock<Option<Compiled>> = LazyLock::new(|| Compiled::read(SETTINGS_SCHEMA));

/// A schema ready to be applied, with its text for looking up what it allows.
pub(crate) struct Compiled {
    /// The schema itself.
    pub(crate) schema: Value,
    validator: Validator,
}

impl Compiled {
    fn read(schema: &str) -> Option<Self> {
        let schema = serde_json::from_str(schema).ok()?;
        let validator = jsonschema::draft202012::new(&schema).ok()?;
        Some(Self { schema, validator })
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
    fn both_schemas_compile() {
        assert!(PLAN.is_some());
        assert!(SETTINGS.is_some());
    }
}
