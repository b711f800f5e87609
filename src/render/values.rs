//! JSON values that several documents share.

use serde_json::{Value, json};

use crate::collection::Key;
use crate::diff::{Difference, Note, RowDiff};
use crate::run::JobError;

/// Version of the documents. A new minor version only adds.
pub(super) const FORMAT_VERSION: &str = "1.0";

/// A reason, warning or note.
pub(super) fn note(note: &Note) -> Value {
    json!({ "code": note.code.info().id, "message": note.message, "help": note.help, "field": note.field })
}

/// A key as what it is: a number or a text.
pub(super) fn key(key: &Key) -> Value {
    match key {
        Key::Int(value) => json!(value),
        Key::Text(value) => json!(value),
    }
}

/// Counts of differing rows, and a few of their keys.
pub(super) fn row_diff(diff: &RowDiff) -> Value {
    json!({
        "missing": diff.missing,
        "differing": diff.differing,
        "extra": diff.extra,
        "doubled": diff.doubled,
        "examples": diff.examples.iter().map(difference).collect::<Vec<_>>(),
    })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "key": key(&difference.key),
        "partition": difference.partition,
        "kind": difference.kind,
        "fields": difference.fields,
    })
}

/// Why a collection failed, and what to do.
pub(super) fn error(error: &JobError) -> Value {
    json!({ "message": error.to_string(), "help": error.help(), "temporary": error.is_temporary() })
}
