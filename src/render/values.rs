//! JSON values that several documents share.

use serde_json::{Value, json};

use crate::diff::RowDiff;
use crate::run::JobError;

/// Version of the documents. A new minor version only adds.
pub(super) const FORMAT_VERSION: &str = "1.0";

/// Counts of differing rows, and a few of their keys.
pub(super) fn row_diff(diff: &RowDiff) -> Value {
    json!({
        "missing": diff.missing,
        "differing": diff.differing,
        "extra": diff.extra,
        "doubled": diff.doubled,
        "examples": diff.examples,
    })
}

/// Why a collection failed, and what to do.
pub(super) fn error(error: &JobError) -> Value {
    json!({ "message": error.to_string(), "help": error.help(), "temporary": error.is_temporary() })
}
