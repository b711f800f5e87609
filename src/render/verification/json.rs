//! What a verification found, for machines. A new minor version of the format only adds; arrays are never null.

use std::collections::BTreeMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Verdict;
use crate::diff::{Place, RowDiff};
use crate::plan::resolved::Verify;
use crate::render::values::Failure;
use crate::run::Verified;

/// Version of the document. 1.1 added `untold` to differences.
const FORMAT_VERSION: &str = "1.1";

/// What `vecferry verify --output json` found, collection by collection.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(in crate::render) struct Document<'a> {
    /// Version of this document: readers refuse a major version that they do not know.
    #[cfg_attr(test, schemars(regex(pattern = r"^1\.[0-9]+$")))]
    format_version: &'static str,
    /// One for each collection, in the order of the plan.
    collections: Vec<Collection<'a>>,
    /// How many collections there are of each result.
    summary: Summary,
}

/// What was found in one collection.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Collection<'a> {
    /// The plan's name for it: `migration.database.collection` of the target.
    address: &'a str,
    /// Where its rows come from.
    source: &'a Place,
    /// Where they went.
    target: &'a Place,
    /// How hard it was looked at.
    verify: Verify,
    /// What came of it: `identical`, `different` or `failed`.
    #[cfg_attr(test, schemars(extend("enum" = ["identical", "different", "failed"])))]
    result: &'static str,
    /// Rows of the source, as the plan maps them; null where it failed, as are the figures below.
    rows: Option<u64>,
    /// Rows of the source beyond the first of their key.
    source_doubled: Option<u64>,
    /// Rows of the source that do not fit and are in quarantine.
    rows_quarantined: Option<u64>,
    /// Rows that each rule of the plan changes, by the rule in words.
    rows_touched: Option<&'a BTreeMap<String, u64>>,
    /// Whether rows that only the target has count as differences.
    extra_counts: bool,
    /// Ranges of keys that were compared.
    ranges: Option<Ranges>,
    /// Rows that differ.
    difference: Option<&'a RowDiff>,
    /// Why it failed.
    error: Option<Failure>,
}

/// Ranges of keys.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Ranges {
    /// Those that differ.
    different: usize,
    /// Those that there are.
    all: usize,
}

/// Collections by what came of them.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct Summary {
    /// Both sides hold the same rows.
    identical: usize,
    /// They do not.
    different: usize,
    /// Nobody knows, for the reason in `error`.
    failed: usize,
}

/// The verification as one JSON document.
pub fn json(all: &[Verified]) -> Value {
    let count = |verdict| all.iter().filter(|verified| Verdict::of(verified) == verdict).count();
    let document = Document {
        format_version: FORMAT_VERSION,
        collections: all.iter().map(Collection::of).collect(),
        summary: Summary {
            identical: count(Verdict::Identical),
            different: count(Verdict::Different),
            failed: count(Verdict::Failed),
        },
    };
    // Every key is a text, so there is nothing that JSON could not hold.
    serde_json::to_value(document).unwrap_or_default()
}

impl<'a> Collection<'a> {
    fn of(verified: &'a Verified) -> Self {
        let found = verified.result.as_ref().ok();
        Self {
            address: &verified.address,
            source: &verified.from,
            target: &verified.to,
            verify: verified.level,
            result: Verdict::of(verified).word(),
            rows: found.map(|found| found.rows),
            source_doubled: found.map(|found| found.source_doubled),
            rows_quarantined: found.map(|found| found.quarantined),
            rows_touched: found.map(|found| &found.touched),
            extra_counts: verified.extra_counts,
            ranges: found.map(|found| Ranges { different: found.ranges.0, all: found.ranges.1 }),
            difference: found.map(|found| &found.diff),
            error: verified.result.as_ref().err().map(Failure::from),
        }
    }
}
