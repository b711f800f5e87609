//! A target that is not, or is no longer, what the plan wants.

use serde_json::Value;

use crate::servers::{source, target};
use crate::support::{Place, Workspace, act, assert_identical, compare, database, fill, place};

/// A row of `small`: its key and what is changed by hand. Keys are the multiples of seven from -1001 to 392.
const KEY: &str = "385";

/// A database of its own on both sides, `small` in the source's.
fn pair(topic: &str) -> (Place, Place, Workspace) {
    let name = database(topic);
    let (from, to) = (place(source(), &name, "small"), place(target(), &name, "small"));
    fill(&from, "small", &[]);
    (from, to, Workspace::new())
}

fn plan(work: &Workspace, to: &Place, settings: &str) {
    let entry = format!("- source: small\n  indexes: copy\n{settings}");
    work.plan((source(), &to.database), (target(), &to.database), &entry);
}

/// Nothing was written between two looks. Rows were deleted before the first, so the server may tidy up its segments meanwhile:
/// then they hold fewer rows than before, while whatever is written makes them hold more.
#[track_caller]
fn assert_unwritten(before: &Value, after: &Value) {
    for what in ["describe", "partitions", "aliases", "load-state"] {
        assert_eq!(after[what], before[what], "nothing is left to do");
    }
    let rows = |seen: &Value| -> u64 {
        seen["segments"].as_array().unwrap().iter().map(|segment| segment[1].as_u64().unwrap()).sum()
    };
    assert!(rows(after) <= rows(before), "something was written: {before} {after}");
}

#[test]
fn a_row_changed_by_hand_is_named_and_repaired_alone() {
    let (from, to, work) = pair("changed");
    plan(&work, &to, "");
    work.apply().ended(0);
    act(&to, "upsert", &[KEY, "title=\"changed by hand\""]);
    let found = work.verify().ended(4).says(&[KEY]);
    assert!(!found.words().contains("378"), "only rows that differ are named: {}", found.out);
    // Keys alone do not show it.
    work.run(&["verify", "--level", "counts", "plan.yaml"]).ended(0);
    // A sample looks into one range out of ten, and there is only one.
    work.run(&["verify", "--level", "sample", "plan.yaml"]).ended(4).says(&[KEY]);

    plan(&work, &to, "  on_existing: converge");
    work.look().ended(2).says(&["Plan: 0 to create, 1 to update, 0 to replace, 0 unchanged, 0 blocked."]);
    work.apply().ended(0);
    assert_eq!(work.written(), 1, "only the row that differs is written: {:#?}", work.journal());
    work.verify().ended(0);
    assert_identical(&from, &to, &[]);
}

#[test]
fn missing_and_doubled_rows_are_repaired_and_extra_ones_left_alone() {
    let (from, to, work) = pair("drifted");
    plan(&work, &to, "");
    work.apply().ended(0);
    act(&to, "delete", &[KEY]);
    act(&to, "duplicate", &["-1001"]);
    act(&to, "copy", &["0", "1000001"]);
    work.verify().ended(4).says(&[KEY, "-1001", "1000001"]);

    plan(&work, &to, "  on_existing: converge\n  load: true");
    work.apply().ended(0).says(&["1"]);
    assert_eq!(work.written(), 2, "the missing row and the doubled one: {:#?}", work.journal());
    let found = compare(&from, &to, &[]);
    assert_eq!((found.missing, found.different, found.extra), (0, 0, 1), "{}", found.text);
    assert_eq!(found.counts, (200, 201));
    act(&to, "row", &["1000001"]);
    // A plan that converges does not count them as differences, but says that they are there.
    work.verify().ended(0);
    work.look().ended(0).says(&["on the target only"]);
    let before = act(&to, "seen", &[]);
    work.apply().ended(0);
    assert_unwritten(&before, &act(&to, "seen", &[]));
    plan(&work, &to, "");
    work.verify().ended(4).says(&["1000001"]);
}

#[test]
fn rows_that_only_the_target_has_are_removed_where_the_plan_prunes() {
    let (from, to, work) = pair("pruned");
    plan(&work, &to, "  load: true");
    work.apply().ended(0);
    act(&to, "copy", &["0", "1000001"]);
    plan(&work, &to, "  load: true\n  on_existing: converge\n  prune: true");
    work.look().ended(2).says(&["on the target only: 1; they are removed", "rows lost on the target: 1 row"]);
    work.verify().ended(4).says(&["1000001"]);
    work.apply().ended(0);
    assert_identical(&from, &to, &[]);
    work.look().ended(0);
    work.verify().ended(0);
}

#[test]
fn pruning_reaches_partitions_that_the_plan_writes_nothing_into() {
    let name = database("pruned");
    let (from, to) = (place(source(), &name, "partitions"), place(target(), &name, "partitions"));
    fill(&from, "partitions", &["--rows", "300"]);
    fill(&to, "partitions", &["--rows", "300", "--seed", "9"]);
    let work = Workspace::new();
    let only = act(&from, "partitions", &[])[1].as_str().unwrap().to_owned();
    let entry = format!("- {{source: partitions, partitions: {{only: [{only}]}}, on_existing: converge, prune: true}}");
    work.plan((source(), &name), (target(), &name), &entry);
    work.verify().ended(4);
    work.apply().ended(0);
    let kept = act(&from, "count-in", &[&only]);
    assert_eq!(act(&to, "count", &[]), kept, "rows of other partitions are left");
    assert_eq!(act(&to, "count-in", &[&only]), kept);
    work.look().ended(0);
    work.verify().ended(0);
}

#[test]
fn a_plan_that_changed_starts_over_where_it_says_replace() {
    let (from, to, work) = pair("restarted");
    plan(&work, &to, "");
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "indexing"));
    assert!(run.kill9());
    plan(&work, &to, "  drop: [year]\n  on_existing: replace");
    work.look().ended(2).says(&["was asked for something else", "made anew", "1 to replace"]);
    work.apply().ended(0);
    assert_identical(&from, &to, &["--drop", "year"]);
    work.look().ended(0);
}

#[test]
fn somebody_elses_collection_is_left_alone() {
    let (_, to, work) = pair("foreign");
    fill(&to, "small", &["--rows", "50", "--seed", "9"]);
    let before = act(&to, "seen", &[]);
    plan(&work, &to, "  on_existing: fail");
    work.look().ended(3).says(&["small", "the target exists", "converge", "replace"]);
    work.apply().ended(3).says(&["the target exists"]);
    assert_eq!(act(&to, "seen", &[]), before);
    assert_eq!(act(&to, "count", &[]), 50);
}

#[test]
fn a_replacement_says_what_is_lost_and_happens_once() {
    let (from, to, work) = pair("replaced");
    fill(&to, "small", &["--rows", "57", "--seed", "9", "--no-load"]);
    plan(&work, &to, "  on_existing: replace");
    let found = work.look().ended(2);
    found.says(&["57", "Plan: 0 to create, 0 to update, 1 to replace, 0 unchanged, 0 blocked."]);
    work.apply().ended(0);
    assert_identical(&from, &to, &[]);
    let before = act(&to, "seen", &[]);
    work.look().ended(0).says(&["Plan: 0 to create, 0 to update, 0 to replace, 1 unchanged, 0 blocked."]);
    work.apply().ended(0);
    assert_eq!(act(&to, "seen", &[]), before, "the second apply replaced it again");
}

#[test]
fn an_unfinished_run_goes_on_with_its_own_plan_and_its_own_collection_only() {
    let (from, to, work) = pair("unfinished");
    plan(&work, &to, "");
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "indexing"));
    assert!(run.kill9());
    let before = act(&to, "seen", &[]);

    plan(&work, &to, "  drop: [year]");
    work.look().ended(10).says(&["unfinished"]);
    work.apply().ended(10).says(&["small", "unfinished", "drop the target"]);
    assert_eq!(act(&to, "seen", &[]), before);

    plan(&work, &to, "");
    act(&to, "drop", &[]);
    fill(&to, "small", &["--rows", "50", "--seed", "9", "--no-load"]);
    let foreign = act(&to, "seen", &[]);
    work.look().ended(10);
    work.apply().ended(10).says(&["small", "replaced by another one"]);
    assert_eq!(act(&to, "seen", &[]), foreign);
    assert_eq!(act(&to, "count", &[]), 50);

    // What the message says to do about it works.
    act(&to, "drop", &[]);
    work.apply().ended(0);
    assert_identical(&from, &to, &[]);
}

#[test]
fn a_source_that_is_not_loaded_is_loaded_for_the_copy_only() {
    let (from, to, work) = pair("unloaded");
    act(&from, "release", &[]);
    plan(&work, &to, "");
    work.look().ended(2).says(&["loaded for the copy and released again"]);
    assert_eq!(act(&from, "load-state", &[]), "NotLoad", "looking loads nothing");
    work.apply().ended(0);
    assert_eq!(act(&from, "load-state", &[]), "NotLoad");
    work.verify().ended(0);
    assert_eq!(act(&from, "load-state", &[]), "NotLoad");
    assert_eq!(act(&to, "load-state", &[]), "NotLoad", "`load` is false");
    assert_eq!(act(&to, "indexes", &[])[0]["index_type"], "FLAT");
    assert_identical(&from, &to, &[]);
}
