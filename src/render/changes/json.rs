//! A change set for machines. A new minor version of the format only adds; arrays are never null.

use serde_json::{Value, json as value};

use super::super::values;
use super::{ASSUMED_BYTES_PER_SECOND, estimated_seconds};
use crate::diff::{ChangeSet, Entry, Rows};

/// The change set as one JSON document.
pub fn json(changes: &ChangeSet) -> Value {
    value!({
        "format_version": values::FORMAT_VERSION,
        "entries": changes.entries.iter().map(entry).collect::<Vec<_>>(),
        "summary": changes.summary(),
        "has_changes": changes.has_changes(),
        "assumed_bytes_per_second": ASSUMED_BYTES_PER_SECOND,
    })
}

fn entry(entry: &Entry) -> Value {
    let seen = &entry.seen;
    value!({
        "address": seen.address,
        "source": seen.from,
        "target": seen.to,
        "action": entry.action,
        "work": entry.work,
        "rows": {
            "source": seen.source_rows.as_ref().map(rows),
            "target": seen.target_rows.as_ref().map(rows),
            "difference": seen.row_diff.as_ref().map(values::row_diff),
        },
        "rows_to_copy": entry.rows_to_copy,
        "bytes_to_copy": entry.bytes_to_copy(),
        "estimated_seconds": estimated_seconds(entry.bytes_to_copy()),
        "rows_lost": entry.rows_lost,
        "rows_quarantined": entry.quarantined(),
        "scan": seen.survey,
        "dynamic_keys_lost": seen.lost_keys,
        "lines": entry.lines,
        "blocked": entry.blocked.iter().map(values::note).collect::<Vec<_>>(),
        "warnings": entry.warnings.iter().map(values::note).collect::<Vec<_>>(),
        "notes": entry.notes.iter().map(values::note).collect::<Vec<_>>(),
        "state_conflict": entry.state_conflict,
    })
}

fn rows(rows: &Rows) -> Value {
    value!({
        "physical": rows.physical,
        "distinct": rows.distinct(),
        "estimated": rows.estimated,
        "doubled": rows.doubled,
        "doubled_keys": rows.doubled_keys.iter().map(values::key).collect::<Vec<_>>(),
        "unreadable": rows.unreadable,
        "crossing": rows.crossing,
        "row_bytes": rows.row_bytes,
    })
}
