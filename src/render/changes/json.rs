//! A change set for machines. A new minor version of the format only adds; arrays are never null.

use serde_json::{Value, json as value};

use super::super::values;
use crate::diff::{ASSUMED_BYTES_PER_SECOND, Diff};

/// The change set as one JSON document.
pub fn json(diff: &Diff) -> Value {
    value!({
        "format_version": values::FORMAT_VERSION,
        "entries": diff.changes,
        "not_selected": diff.not_selected,
        "summary": diff.summary(),
        "has_changes": diff.has_changes(),
        "assumed_bytes_per_second": ASSUMED_BYTES_PER_SECOND,
    })
}
