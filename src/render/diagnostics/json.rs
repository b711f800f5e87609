//! Diagnostics as one JSON document, which `schemas/validate.v1.schema.json` describes.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::counts;
use crate::diagnostic::{Diagnostic, Position};
use crate::render::snippet::snippet;

/// Version of the document. A new minor version only adds.
const FORMAT_VERSION: &str = "1.1";

/// One document for machines.
pub fn json(diagnostics: &[Diagnostic]) -> String {
    let (error_count, warning_count) = counts(diagnostics);
    let document = Document {
        format_version: FORMAT_VERSION,
        valid: error_count == 0,
        error_count,
        warning_count,
        diagnostics: diagnostics.iter().map(Entry::new).collect(),
    };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// What `vecferry validate --output json` found. A reader should leave keys alone that it does not know: a later minor version
/// may add some.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(in crate::render) struct Document<'a> {
    /// The version of this form, `MAJOR.MINOR`.
    format_version: &'static str,
    /// Whether there is no error; warnings alone leave plans valid.
    valid: bool,
    /// How many of the diagnostics are errors.
    error_count: usize,
    /// How many are warnings.
    warning_count: usize,
    /// Everything that was found, in the order of the files; an empty list where nothing was.
    diagnostics: Vec<Entry<'a>>,
}

/// One message: what is wrong, where, and what to do about it.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Entry<'a> {
    /// `error`, which makes plans invalid, or `warning`.
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning"])))]
    severity: &'static str,
    /// The stable code of its kind, such as `VF0201`. A later version may know more of them.
    #[cfg_attr(test, schemars(extend("pattern" = "^VF[0-9]{4}$")))]
    code: &'static str,
    /// The kind in a few words, the same for all of one code.
    summary: &'static str,
    /// What is wrong here, in a sentence.
    detail: &'a str,
    /// What it concerns, such as `kb.default.articles`; null where it is about a file as a whole.
    address: Option<&'a str>,
    /// Where it is; null where no file can say so.
    range: Option<JsonRange<'a>>,
    /// The marked line as it may be shown, with secrets blanked out; null where the file has no text.
    snippet: Option<JsonSnippet>,
    /// What to do about it; null where the message says it already.
    help: Option<&'a str>,
    /// Where its code is explained: a reference that starts at the root of vecferry's repository, or a whole address.
    url: String,
}

/// A place in a file.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct JsonRange<'a> {
    /// The file, as it was named or as seen from the folder that the command ran in.
    filename: &'a str,
    /// Its first character.
    start: JsonPosition,
    /// The character behind its last one.
    end: JsonPosition,
}

/// A line and column as editors count them.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct JsonPosition {
    /// From 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    line: usize,
    /// From 1, in Unicode characters.
    #[cfg_attr(test, schemars(range(min = 1)))]
    column: usize,
    /// From 0, in bytes from the start of the file.
    byte: usize,
}

impl From<Position> for JsonPosition {
    fn from(position: Position) -> Self {
        Self { line: position.line, column: position.column, byte: position.byte }
    }
}

/// The line that is marked, or the part of a long one around the mark.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct JsonSnippet {
    /// Always null so far.
    context: Option<String>,
    /// The text.
    code: String,
    /// The number of its line, from 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    start_line: usize,
    /// Where the mark begins, in bytes of `code` from 0.
    highlight_start_offset: usize,
    /// Where it ends; the end is no part of it.
    highlight_end_offset: usize,
}

impl<'a> Entry<'a> {
    fn new(diagnostic: &'a Diagnostic) -> Self {
        let info = diagnostic.code.info();
        let span = diagnostic.span.as_ref();
        Self {
            severity: diagnostic.severity.as_str(),
            code: info.id,
            summary: info.title,
            detail: &diagnostic.message,
            address: diagnostic.address.as_deref(),
            range: span.map(|span| JsonRange {
                filename: &span.source.name,
                start: span.start().into(),
                end: span.end().into(),
            }),
            snippet: span.and_then(|span| snippet(span, 0)).map(|snippet| JsonSnippet {
                context: None,
                code: snippet.text.trim_end_matches('\n').to_owned(),
                start_line: snippet.start_line,
                highlight_start_offset: snippet.highlight.start,
                highlight_end_offset: snippet.highlight.end,
            }),
            help: diagnostic.help.as_deref(),
            url: info.page(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::render::diagnostics::tests::everything;
    use crate::render::schemas::{self, tests as schema};

    #[test]
    fn what_is_written_fits_the_schema() {
        for diagnostics in [everything(), Vec::new()] {
            let document: Value = serde_json::from_str(&json(&diagnostics)).expect("JSON");
            schema::assert_fits(schemas::VALIDATE, &document);
        }
        let mut wrong: Value = serde_json::from_str(&json(&everything())).expect("JSON");
        wrong["diagnostics"][0]["severity"] = "fatal".into();
        assert!(!schema::complaints(schemas::VALIDATE, &wrong).is_empty());
    }
}
