//! The main job: a collection goes from one Milvus to another, is proven, and is left alone from then on.

use crate::servers::{source, target};
use crate::support::{Workspace, act, assert_identical, basic, database, place};

#[test]
fn thirty_thousand_rows_arrive_once_and_a_second_apply_writes_nothing() {
    let (from, to) = (basic(), place(target(), &database("first"), "basic"));
    let work = Workspace::new();
    work.plan((source(), &from.database), (target(), &to.database), "- source: basic");
    let source_before = act(from, "seen", &[]);

    work.look().ended(2).says(&["basic", "Plan: 1 to create, 0 to update, 0 to replace, 0 unchanged, 0 blocked."]);
    // Without the flag, changes are no reason for another exit code.
    work.run(&["plan", "plan.yaml"]).ended(0);
    assert!(work.state_files().is_empty(), "a plan writes no state");
    let databases = act(&to, "databases", &[]);
    assert!(!databases.to_string().contains(&to.database), "a plan makes nothing: {databases}");

    work.apply().ended(0).says(&["basic"]);
    assert_identical(from, &to, &[]);
    assert_eq!(act(&to, "count", &[]), 30_000);

    let (state, target_before) = (work.state_files(), act(&to, "seen", &[]));
    work.apply().ended(0).says(&["Plan: 0 to create, 0 to update, 0 to replace, 1 unchanged, 0 blocked."]);
    let journals = |files: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<_> {
        files.iter().filter(|(path, _)| path.parent().is_some_and(|folder| folder.ends_with("jobs"))).cloned().collect()
    };
    assert!(!journals(&state).is_empty());
    assert_eq!(journals(&work.state_files()), journals(&state), "the second apply wrote to the state");
    assert_eq!(act(&to, "seen", &[]), target_before, "the second apply wrote to the target");
    assert_eq!(act(&to, "count", &[]), 30_000);

    work.look().ended(0).says(&["Plan: 0 to create, 0 to update, 0 to replace, 1 unchanged, 0 blocked."]);
    work.verify().ended(0).says(&["basic"]);
    work.run(&["verify", "--level", "counts", "plan.yaml"]).ended(0);
    assert_eq!(act(&to, "seen", &[]), target_before, "verification leaves the target as it found it");
    assert_eq!(act(from, "seen", &[]), source_before, "the source is left as it was found");
}

#[test]
fn the_plan_is_one_json_document() {
    let (from, to) = (basic(), place(target(), &database("document"), "basic"));
    let work = Workspace::new();
    work.plan((source(), &from.database), (target(), &to.database), "- source: basic\n- source: no_such");
    let run = work.run(&["plan", "--output", "json", "plan.yaml"]).ended(3);
    let document = run.json();
    assert_eq!(document["has_changes"], true);
    let summary = serde_json::json!({"create": 1, "update": 0, "replace": 0, "unchanged": 0, "blocked": 1});
    assert_eq!(document["summary"], summary);
    let entries = document["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let [entry, blocked] = entries.as_slice() else { panic!("{document:#}") };
    assert_eq!((&entry["action"], &entry["work"]), (&"create".into(), &"fill".into()));
    assert_eq!((&entry["rows_to_copy"], &entry["rows_lost"]), (&30_000.into(), &0.into()));
    assert!(entry["address"].as_str().unwrap().ends_with(&format!("{}.basic", to.database)), "{entry}");
    assert_eq!(blocked["action"], "blocked");
    assert_eq!(blocked["blocked"][0]["code"], "VF1002");
    assert!(blocked["blocked"][0]["message"].as_str().unwrap().contains("no_such"));
}

#[test]
fn without_an_answer_nothing_is_done() {
    let (from, to) = (basic(), place(target(), &database("unasked"), "basic"));
    let work = Workspace::new();
    work.plan((source(), &from.database), (target(), &to.database), "- source: basic");
    // Standard input is closed, so there is nobody to ask.
    work.run(&["apply", "plan.yaml"]).ended(1).says(&["--auto-approve"]);
    assert!(!act(&to, "databases", &[]).to_string().contains(&to.database));
    assert!(work.state_files().is_empty());
}
