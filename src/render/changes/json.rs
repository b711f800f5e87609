//! A change set for machines, and its JSON Schema. A new minor version of the format only adds; arrays are never null.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::groups::is_drifted;
use crate::diff::{ASSUMED_BYTES_PER_SECOND, Action, Change, ClusterChange, Diff, Summary, Work};

/// Version of the document. 1.1 added `actions`, `drifted` and `not_selected`, 1.2 `clusters`.
const FORMAT_VERSION: &str = "1.2";

/// What `vecferry plan --output json` prints: what a plan would do, collection by collection. A new minor version only adds, so
/// readers are to pass over what they do not know.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::render) struct Document<'a> {
    /// Version of this document: readers refuse a major version that they do not know.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    format_version: &'static str,
    /// One for each collection, in the order of the plan.
    entries: Vec<Entry<'a>>,
    /// Addresses that the plan names and the command left out, by `--target` or `--exclude`.
    not_selected: &'a [String],
    /// Clusters of Zilliz Cloud that the plan names, and what happens to them. They are not counted in `summary`.
    clusters: &'a [ClusterChange],
    /// How many entries there are of each kind.
    summary: Summary,
    /// Whether `apply` would do something.
    has_changes: bool,
    /// Bytes a second that `estimated_seconds` assumes, unless the entry says fewer.
    assumed_bytes_per_second: u64,
}

/// One collection.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry<'a> {
    /// What happens to the target collection as a whole, in its order; empty where it stays as it is or is only filled. A reader
    /// that fears for rows looks for `delete`, and at `rows_lost`.
    actions: Vec<Step>,
    /// Whether somebody changed either side since a run of the plan.
    drifted: bool,
    #[serde(flatten)]
    change: &'a Change,
}

/// What happens to a collection as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// It is dropped with all its rows.
    Delete,
    /// It is made.
    Create,
    /// It is changed, or rows are written into it.
    Update,
}

fn steps(change: &Change) -> Vec<Step> {
    match (change.action, change.work) {
        (_, Work::None) => Vec::new(),
        (Action::Create, _) => vec![Step::Create],
        (Action::Replace, _) => vec![Step::Delete, Step::Create],
        (Action::Update | Action::Unchanged | Action::Blocked, _) => vec![Step::Update],
    }
}

impl<'a> Document<'a> {
    pub(in crate::render) fn of(diff: &'a Diff) -> Self {
        let entry = |change| Entry { actions: steps(change), drifted: is_drifted(change), change };
        Self {
            format_version: FORMAT_VERSION,
            entries: diff.changes.iter().map(entry).collect(),
            not_selected: &diff.not_selected,
            clusters: &diff.clusters,
            summary: diff.summary(),
            has_changes: diff.has_changes(),
            assumed_bytes_per_second: ASSUMED_BYTES_PER_SECOND,
        }
    }
}

/// The change set as one JSON document.
pub fn json(diff: &Diff) -> Value {
    // Every key is a text, so there is nothing that JSON could not hold.
    serde_json::to_value(Document::of(diff)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::super::super::fixtures::{diff, many};
    use super::*;
    use crate::render::schemas::{self, tests as schema};

    #[test]
    fn what_is_written_fits_the_schema() {
        for diff in [diff(), many(), Diff::default()] {
            schema::assert_fits(schemas::DIFF, &json(&diff));
        }
        let mut wrong = json(&diff());
        wrong["entries"][0]["action"] = value!("destroy");
        assert!(!schema::complaints(schemas::DIFF, &wrong).is_empty());
    }

    #[test]
    fn a_reader_finds_what_is_dropped() {
        let document = json(&diff());
        let dropped: Vec<&str> = document["entries"]
            .as_array()
            .expect("entries")
            .iter()
            .filter(|entry| entry["actions"].as_array().is_some_and(|steps| steps.contains(&value!("delete"))))
            .filter_map(|entry| entry["address"].as_str())
            .collect();
        assert_eq!(dropped, ["kb.main.users"]);
    }
}
