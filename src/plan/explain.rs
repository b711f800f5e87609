//! Failures of the JSON Schema put into words: one readable message at the exact key or value for each, and never a value
//! that may be secret.

use std::collections::HashSet;

use jsonschema::ValidationError;
use jsonschema::error::TypeKind;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::address::address;
use super::schema_words::{
    example, expected, forms, found, join, property_names, range_message, required_keys, required_only, resolve,
    text_of, word,
};
use super::secrets::{self, is_reference_like};
use super::suggest::{did_you_mean, list};
use super::tree::{Document, Kind as NodeKind, Node, Path, Step, child};
use crate::diagnostic::{Code, Diagnostic, Span};

/// One thing that does not fit the schema.
pub(crate) struct Finding {
    /// What to tell; nothing where another finding says it already.
    pub(crate) diagnostic: Option<Diagnostic>,
    /// What has to be taken out before the rest can be looked at.
    pub(crate) invalid: Path,
}

/// As many as anybody reads of one file.
pub(crate) const MAX_FINDINGS: usize = 200;

/// Puts all failures into words.
pub(crate) fn findings(document: &Document, schema: &Value, errors: &[ValidationError<'_>]) -> Vec<Finding> {
    let mut explainer = Explainer { document, schema, findings: Vec::new(), told: 0, meant: HashSet::new() };
    // Misspelled keys first: where `form` was meant to be `from`, that `from` is missing is no second mistake.
    let (unknown, others): (Vec<_>, Vec<_>) =
        errors.iter().partition(|error| matches!(error.kind(), Kind::AdditionalProperties { .. }));
    for error in unknown.into_iter().chain(others) {
        explainer.explain(error);
    }
    explainer.findings
}

struct Explainer<'a> {
    document: &'a Document,
    schema: &'a Value,
    findings: Vec<Finding>,
    /// How many of the findings have words.
    told: usize,
    /// Mappings and the keys that a misspelled key in them was probably meant to be.
    meant: HashSet<(Path, String)>,
}

impl Explainer<'_> {
    fn add(&mut self, code: Code, message: String, help: Option<String>, span: Span, path: &Path) {
        self.told += 1;
        let mut diagnostic = Diagnostic::new(code, message).at(span);
        diagnostic.help = help;
        diagnostic.address = address(&self.document.root, path);
        self.findings.push(Finding { diagnostic: Some(diagnostic), invalid: path.clone() });
    }

    /// One more than is shown is told, so that whoever cuts the list sees that there is more.
    fn is_full(&self) -> bool {
        self.told > MAX_FINDINGS
    }

    fn mute(&mut self, path: &Path) {
        self.findings.push(Finding { diagnostic: None, invalid: path.clone() });
    }

    fn explain(&mut self, error: &ValidationError<'_>) {
        let path = to_path(&self.document.root, error.instance_path().as_str());
        if self.is_full() && !matches!(error.kind(), Kind::AdditionalProperties { .. }) {
            self.mute(&path);
            return;
        }
        let rule = self.parent_schema(error.schema_path().as_str());
        let value_span = self.document.span(&path);
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                let known = property_names(rule);
                for key in unexpected {
                    self.unknown_key(&path, key, &known);
                }
            }
            Kind::Required { property } => self.missing(&path, property.as_str().unwrap_or("")),
            Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
                let branches = rule
                    .get("oneOf")
                    .or_else(|| rule.get("anyOf"))
                    .and_then(Value::as_array)
                    .map(|branches| {
                        branches.iter().map(|branch| resolve(self.schema, branch).clone()).collect::<Vec<_>>()
                    })
                    .unwrap_or_default();
                self.no_branch(error, &path, &branches, context);
            }
            Kind::OneOfMultipleValid { .. } => {
                let keys = required_keys(rule.get("oneOf"));
                self.add(
                    Code::ExactlyOneOf,
                    format!("{} can't be given together", list(&keys, "and")),
                    Some(format!("keep one of {}", list(&keys, "and"))),
                    self.document.span(&path),
                    &path,
                );
            }
            Kind::PropertyNames { error } => {
                let key = error.instance().as_str().unwrap_or("").to_owned();
                let path = child(&path, &key);
                self.add(
                    Code::BadKeyName,
                    format!("`{}` can't be a name here", short(&key)),
                    Some("use letters, digits, `_` and `-`".to_owned()),
                    self.document.key_span(&path),
                    &path,
                );
            }
            Kind::Constant { .. } if path == [Step::from("version")] => self.add(
                Code::UnsupportedVersion,
                "this vecferry reads plan format version 1 only".to_owned(),
                Some("write `version: 1`".to_owned()),
                value_span,
                &path,
            ),
            Kind::Constant { expected_value } => {
                let allowed = vec![word(expected_value)];
                self.not_allowed(&path, &allowed);
            }
            Kind::Enum { options } => {
                let mut allowed: Vec<String> =
                    options.as_array().map(|options| options.iter().map(word).collect()).unwrap_or_default();
                // `null` may stand there with and without quotes.
                allowed.dedup();
                self.not_allowed(&path, &allowed);
            }
            Kind::Type { kind } => {
                let expected = match kind {
                    TypeKind::Single(kind) => expected(*kind).to_owned(),
                    TypeKind::Multiple(kinds) => {
                        let words: Vec<String> = kinds.iter().map(|kind| expected(kind).to_owned()).collect();
                        join(&words, "or")
                    }
                };
                if rule.get("pattern").is_some_and(is_duration) {
                    self.wrong_type(&path, DURATION, example(rule));
                } else {
                    self.wrong_type(&path, &expected, example(rule));
                }
            }
            Kind::Pattern { .. } => {
                let help = example(rule).map(|example| format!("for example {example}"));
                let what = if path.last() == Some(&Step::from("env")) {
                    "this is not the name of an environment variable"
                } else if rule.get("pattern").is_some_and(is_duration) {
                    "expected a number and a unit: ms, s, m or h"
                } else {
                    "the text does not have the form that is expected here"
                };
                self.add(Code::BadFormat, what.to_owned(), help, value_span, &path);
            }
            kind => {
                let (code, message) = range_message(kind)
                    .unwrap_or_else(|| (Code::ShapeMismatch, error.masked_with("the value").to_string()));
                let help = example(rule).map(|example| format!("for example {example}"));
                self.add(code, message, help, value_span, &path);
            }
        }
    }

    fn unknown_key(&mut self, path: &Path, key: &str, known: &[String]) {
        let at = child(path, key);
        if self.is_full() {
            self.mute(&at);
            return;
        }
        let suggestion = did_you_mean(key, known);
        let help = match suggestion {
            Some(name) => {
                self.meant.insert((path.clone(), name.to_owned()));
                Some(format!("did you mean `{name}`?"))
            }
            None if known.is_empty() => None,
            None => Some(format!("the keys here are {}", list(known, "and"))),
        };
        self.add(
            Code::UnknownKey,
            if is_secret(path) && !is_reference_like(key) {
                "unknown key".to_owned()
            } else {
                format!("unknown key `{}`", short(key))
            },
            help,
            self.document.key_span(&at),
            &at,
        );
    }

    fn missing(&mut self, path: &Path, key: &str) {
        if self.meant.contains(&(path.clone(), key.to_owned())) {
            self.mute(path);
            return;
        }
        let known = self.find_property(path, key);
        let help = known.map(|example| format!("add it, for example {example}"));
        self.add(Code::MissingKey, format!("the key `{key}` is missing"), help, self.document.span(path), path);
    }

    fn not_allowed(&mut self, path: &Path, allowed: &[String]) {
        let node = self.document.root.find(path);
        let found = node.and_then(text_of);
        let Some(found) = found else {
            let choices = list(allowed, "or");
            self.wrong_type(path, &choices, None);
            return;
        };
        let help = match did_you_mean(found, allowed) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("use {}", list(allowed, "or")),
        };
        let message = if is_secret(path) {
            "the value is not among the choices".to_owned()
        } else {
            format!("`{}` is not among the choices here", short(found))
        };
        let span = self.document.span(path);
        self.add(Code::ValueNotAllowed, message, Some(help), span, path);
    }

    fn wrong_type(&mut self, path: &Path, expected: &str, example: Option<String>) {
        let node = self.document.root.find(path);
        let found = node.map_or("nothing", found);
        let help = match (found, expected) {
            ("nothing", _) => Some("give a value, or remove the key".to_owned()),
            ("a number" | "`true` or `false`", "text") => Some("put quotes around it where a text is meant".to_owned()),
            _ => example.map(|example| format!("for example {example}")),
        };
        let span = self.document.span(path);
        self.add(Code::WrongType, format!("expected {expected}, found {found}"), help, span, path);
    }

    /// A value that fits none of several forms: find the one that is meant and say what it lacks.
    fn no_branch(
        &mut self,
        error: &ValidationError<'_>,
        path: &Path,
        branches: &[Value],
        context: &[Vec<ValidationError<'static>>],
    ) {
        let here = error.instance_path().as_str();
        let keys: Vec<String> = branches.iter().filter_map(required_only).collect();
        if !keys.is_empty() && keys.len() == branches.len() {
            if keys.iter().any(|key| self.meant.contains(&(path.clone(), key.clone()))) {
                self.mute(path);
            } else {
                self.add(
                    Code::ExactlyOneOf,
                    format!("one of {} is needed here", list(&keys, "or")),
                    keys.first()
                        .and_then(|key| self.find_property(path, key))
                        .map(|example| format!("for example {example}")),
                    self.document.span(path),
                    path,
                );
            }
            return;
        }
        let constants: Vec<String> = branches.iter().filter_map(|branch| branch.get("const").map(word)).collect();
        if constants.len() == branches.len() {
            self.not_allowed(path, &constants);
            return;
        }
        let scores: Vec<usize> = context.iter().map(|errors| score(errors, here)).collect();
        let best = scores.iter().copied().min().unwrap_or(WRONG_FORM);
        if best >= WRONG_FORM {
            let forms: Vec<String> = branches.iter().flat_map(forms).collect();
            let node = self.document.root.find(path);
            if let Some(text) = node.and_then(text_of).filter(|_| !constants.is_empty() && !is_secret(path)) {
                let help = match did_you_mean(text, &constants) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("use {}", join(&forms, "or")),
                };
                let message = format!("`{}` is not among the choices here", short(text));
                let span = self.document.span(path);
                self.add(Code::ValueNotAllowed, message, Some(help), span, path);
                return;
            }
            // A number of a wrong kind, such as 1.5 shards, is no answer to "expected a number".
            let takes_numbers = branches.iter().any(|branch| branch["type"] == "integer");
            let what = match node.map_or("nothing", found) {
                "a number" if takes_numbers => "another number",
                what => what,
            };
            let help = (what == "nothing").then(|| "give a value, or remove the key".to_owned());
            let span = self.document.span(path);
            self.add(Code::WrongType, format!("expected {}, found {what}", join(&forms, "or")), help, span, path);
            return;
        }
        let tied = scores.iter().filter(|score| **score == best).count();
        let meant = scores.iter().position(|score| *score == best);
        match meant.and_then(|at| context.get(at)) {
            Some(errors) if tied == 1 => {
                // Misspelled keys first, as in the whole.
                let (unknown, others): (Vec<_>, Vec<_>) =
                    errors.iter().partition(|error| matches!(error.kind(), Kind::AdditionalProperties { .. }));
                for error in unknown.into_iter().chain(others) {
                    self.explain_within(error, meant.and_then(|at| branches.get(at)));
                }
            }
            _ => self.one_of_keys(path, branches),
        }
    }

    /// An error inside the form that is meant.
    fn explain_within(&mut self, error: &ValidationError<'_>, branch: Option<&Value>) {
        match (error.kind(), branch) {
            (Kind::AdditionalProperties { unexpected }, Some(branch)) => {
                let path = to_path(&self.document.root, error.instance_path().as_str());
                let known = property_names(branch);
                for key in unexpected {
                    self.unknown_key(&path, key, &known);
                }
            }
            _ => self.explain(error),
        }
    }

    /// Several mappings are possible, told apart by their keys.
    fn one_of_keys(&mut self, path: &Path, branches: &[Value]) {
        let known: Vec<String> = branches.iter().flat_map(property_names).collect();
        let node = self.document.root.find(path);
        let unknown: Vec<String> = match node.map(|node| &node.kind) {
            Some(NodeKind::Map(entries)) => {
                entries.iter().map(|entry| entry.key.clone()).filter(|key| !known.contains(key)).collect()
            }
            _ => Vec::new(),
        };
        for key in &unknown {
            self.unknown_key(path, key, &known);
        }
        if unknown.is_empty() {
            let span = self.document.span(path);
            self.add(
                Code::ExactlyOneOf,
                format!("exactly one of {} is needed here", list(&known, "and")),
                Some(format!("keep one of {}", list(&known, "and"))),
                span,
                path,
            );
        } else {
            self.mute(path);
        }
    }

    /// The schema object that the failed keyword belongs to.
    fn parent_schema(&self, pointer: &str) -> &Value {
        static NOTHING: Value = Value::Null;
        let mut at = self.schema;
        let mut steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
        steps.pop();
        for step in &steps {
            at = if step == "$ref" {
                resolve(self.schema, at)
            } else {
                let at = if at.get(step).is_none() { resolve(self.schema, at) } else { at };
                match at {
                    Value::Array(items) => step.parse().ok().and_then(|i: usize| items.get(i)),
                    other => other.get(step),
                }
                .unwrap_or(&NOTHING)
            };
        }
        resolve(self.schema, at)
    }

    /// The example of a key in the schema of the mapping at a path.
    fn find_property(&self, path: &Path, key: &str) -> Option<String> {
        let mut at = resolve(self.schema, self.schema);
        for step in path {
            at = match step {
                Step::Key(name) => at
                    .get("properties")
                    .and_then(|properties| properties.get(name))
                    .or_else(|| at.get("additionalProperties"))?,
                Step::Index(_) => at.get("items")?,
            };
            at = resolve(self.schema, at);
            if at.get("if").is_some() {
                let cloud = path.contains(&Step::from("zilliz_cloud"));
                at = resolve(self.schema, at.get(if cloud { "then" } else { "else" })?);
            }
            // Of what may be a word or a mapping, the mapping.
            if let Some(Value::Array(branches)) = at.get("oneOf").filter(|_| at.get("properties").is_none()) {
                let mut branches = branches.iter().map(|branch| resolve(self.schema, branch));
                at = branches.find(|branch| branch["type"] == "object")?;
            }
        }
        example(at.get("properties")?.get(key)?)
    }
}

/// The form of a duration in words.
const DURATION: &str = "a number and a unit (ms, s, m or h)";

fn is_duration(pattern: &Value) -> bool {
    pattern.as_str().is_some_and(|pattern| pattern.contains("ms|s|m|h"))
}

/// A score of at least this means that the value is of another kind altogether.
const WRONG_FORM: usize = 10_000;

/// How far a value is from a form: errors inside it count least, another set of keys more, another type most.
fn score(errors: &[ValidationError<'static>], here: &str) -> usize {
    errors
        .iter()
        .map(|error| {
            let at_top = error.instance_path().as_str() == here;
            match error.kind() {
                Kind::Type { .. } | Kind::Constant { .. } | Kind::Enum { .. } if at_top => WRONG_FORM,
                Kind::AdditionalProperties { unexpected } if at_top => 100 * unexpected.len(),
                Kind::Required { .. } if at_top => 100,
                _ => 1,
            }
        })
        .sum()
}

/// Steps of a JSON Pointer. Whether a number is an index or a key is for the tree to say.
pub(crate) fn to_path(root: &Node, pointer: &str) -> Path {
    let mut path = Path::new();
    let mut node = Some(root);
    for step in pointer.split('/').skip(1).map(unescape) {
        let step = match (node.map(|node| &node.kind), step.parse()) {
            (Some(NodeKind::List(_)), Ok(index)) => Step::Index(index),
            _ => Step::Key(step),
        };
        node = node.and_then(|node| node.step(&step));
        path.push(step);
    }
    path
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn is_secret(path: &Path) -> bool {
    secrets::is_secret_path(path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    }))
}

/// A text cut to what a message can hold.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        text.escape_debug().collect()
    } else {
        let cut: String = text.chars().take(MOST).collect();
        format!("{}...", cut.escape_debug())
    }
}
