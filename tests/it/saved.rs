//! Saved plans: what was reviewed is done, and nothing else.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::runs::Run;
use crate::servers::{lite_source, lite_target, source, target};
use crate::support::{Place, Workspace, act, assert_identical, basic, database, fill, place};

const SAVED: &str = "kb.vfplan.json";

/// A small collection on the source, and a plan for it that is saved.
fn saved(topic: &str, preset: &str, settings: &str) -> (Place, Place, Workspace) {
    let name = database(topic);
    let (from, to) = (place(source(), &name, preset), place(target(), &name, preset));
    fill(&from, preset, &[]);
    let work = Workspace::new();
    let entry = format!("- source: {preset}\n  indexes: copy\n{settings}");
    work.plan((source(), &name), (target(), &name), &entry);
    save(&work);
    (from, to, work)
}

#[track_caller]
fn save(work: &Workspace) -> Run {
    work.run(&["plan", "plan.yaml", "--out", SAVED]).ended(0)
}

#[track_caller]
fn apply(work: &Workspace) -> Run {
    work.run(&["apply", SAVED])
}

/// The plan is refused for these reasons, and nothing was made.
#[track_caller]
fn assert_stale(work: &Workspace, to: &Place, reasons: &[&str]) {
    apply(work).ended(10).says(&["error[VF0502]", "nothing was done"]).says(reasons);
    assert!(work.state_files().iter().all(|(path, _)| path.extension().is_none_or(|end| end != "journal")));
    let there = act(&place(target(), &to.database, ""), "databases", &[]);
    assert!(!there.as_array().unwrap().iter().any(|name| name == to.database.as_str()), "{there}");
}

#[test]
fn a_saved_plan_is_done_without_asking_and_again_does_nothing() {
    let (from, to, work) = saved("saved", "small", "");
    let file = work.path().join(SAVED);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // The same plan and the same clusters: the same bytes.
    let bytes = std::fs::read(&file).unwrap();
    save(&work);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);

    apply(&work).ended(0).says(&["Apply complete: 1 successful"]);
    assert_identical(&from, &to, &[]);
    apply(&work).ended(0).says(&["No changes."]);
    work.look().ended(0);
    // The plan file is not needed for it.
    std::fs::remove_file(work.path().join("plan.yaml")).unwrap();
    apply(&work).ended(0);
}

#[test]
fn a_saved_plan_is_shown_as_the_plan_was() {
    let (_, _, work) = saved("shown", "small", "  shards: 2");
    for form in ["text", "json", "markdown"] {
        let planned = work.run(&["plan", "plan.yaml", "--output", form]).ended(0);
        let shown = work.run(&["show", SAVED, "--output", form]).ended(0);
        assert_eq!(shown.out, planned.out, "{form}");
    }
    work.run(&["show", "plan.yaml"]).ended(64).says(&["is no saved plan"]);
}

#[test]
fn a_source_that_was_made_anew_is_named() {
    let (from, to, work) = saved("anew", "small", "");
    act(&from, "drop", &[]);
    fill(&from, "small", &[]);
    assert_stale(&work, &to, &["the source collection, which was made anew"]);
}

#[test]
fn each_thing_that_is_otherwise_is_named() {
    let (from, to, work) = saved("otherwise", "small", "");
    act(&from, "create-partition", &["late"]);
    act(&from, "copy", &["385", "386"]);
    act(&from, "alias", &["latest"]);
    act(&from, "property", &["collection.ttl.seconds=900000"]);
    assert_stale(
        &work,
        &to,
        &[
            "source alias `latest`: was not there, is there",
            "source partition `late`: was not there, is there",
            "source property collection.ttl.seconds: was not there, is 900000",
            "source rows: was 200, is 201",
        ],
    );
    // The same for machines.
    let found = work.run(&["apply", SAVED, "--output", "json"]).ended(10).json();
    assert_eq!(found["code"], "VF0502");
    assert_eq!(found["differences"].as_array().unwrap().len(), 4, "{found:#}");
    // What was reviewed anew is done.
    save(&work);
    apply(&work).ended(0);
    assert_identical(&from, &to, &[]);
}

#[test]
fn a_field_that_was_added_is_named() {
    let name = database("added");
    let (from, to) = (place(lite_source(), &name, "small"), place(lite_target(), &name, "small"));
    fill(&from, "small", &[]);
    let work = Workspace::new();
    work.plan((lite_source(), &name), (lite_target(), &name), "- source: small");
    save(&work);
    // Neither server adds a field to a collection that is there; this one also gives the new one no number of its own.
    act(&from, "drop", &[]);
    fill(&from, "lite_types", &["--rows", "200"]);
    let run = apply(&work).ended(10).says(&["source field `sparse`: was not there, is SPARSE_FLOAT_VECTOR"]);
    assert!(!run.words().contains("made anew"), "{run:?}");
    let there = act(&place(lite_target(), "default", ""), "databases", &[]);
    assert!(!there.as_array().unwrap().iter().any(|name| name == to.database.as_str()), "{there}");
}

#[test]
fn a_target_that_came_to_be_meanwhile_is_not_touched() {
    let (from, to, work) = saved("meanwhile", "small", "  on_existing: replace");
    fill(&to, "small", &["--rows", "7"]);
    apply(&work).ended(10).says(&["the target collection: was not there, is there"]);
    assert_eq!(act(&to, "count", &[]), 7);
    // Saved again, it says what is lost; rows that come after that are not.
    save(&work).says(&["rows lost on the target: 7 rows"]);
    act(&to, "copy", &["-1001", "5"]);
    apply(&work).ended(10).says(&["target rows: was 7, is 8"]);
    assert_eq!(act(&to, "count", &[]), 8);
    save(&work);
    apply(&work).ended(0);
    assert_identical(&from, &to, &[]);
}

#[test]
fn a_saved_plan_that_was_killed_goes_on_where_it_stopped() {
    let to = place(target(), &database("goes_on"), "basic");
    let work = Workspace::new();
    work.plan_with(
        (source(), &basic().database),
        (target(), &to.database),
        "- source: basic\n  indexes: none",
        "limits: {write_mb_per_s: 6, concurrency: 1}",
    );
    save(&work);
    for signal in [Signal::KILL, Signal::INT] {
        let mut run = work.start(&["apply", SAVED]);
        assert!(work.reaches(&mut run, "copying"), "{:?}", run.wait());
        run.signal(signal);
        run.wait();
    }
    // Another plan does not go on with it, the saved one does.
    let run = apply(&work).ended(0);
    assert_eq!(work.records("begin"), 1, "{run:?}");
    assert_eq!(work.records("attempt"), 3);
    assert_identical(basic(), &to, &[]);
    apply(&work).ended(0).says(&["No changes."]);
}

#[test]
fn a_saved_plan_that_was_carried_out_does_nothing_more() {
    let (_, to, work) = saved("over", "small", "  on_existing: replace\n  load: true");
    apply(&work).ended(0);
    // The plan file would make it anew. Nobody reviewed that such rows are lost.
    act(&to, "copy", &["-1001", "5"]);
    apply(&work).ended(10).says(&["what is left to do: was nothing, since run", "is refill"]);
    assert_eq!(act(&to, "count", &[]), 201);
    act(&to, "drop", &[]);
    apply(&work).ended(10).says(&["what is left to do", "is fill"]);
}

#[test]
fn what_somebody_made_in_place_of_a_killed_run_is_not_its_own() {
    let (_, to, work) = saved("in_place", "small", "  on_existing: replace");
    // Dies after its journal was begun, before it makes anything.
    let killed = work.start_with(&["apply", SAVED], &[("VECFERRY_CRASH_AT", "1")]).wait();
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(work.records("begin"), 1);
    fill(&to, "small", &["--rows", "7"]);
    apply(&work).ended(10).says(&["the target collection: was not there, is there"]);
    assert_eq!(act(&to, "count", &[]), 7);
    act(&to, "drop", &[]);
    apply(&work).ended(0);
    assert_eq!(act(&to, "count", &[]), 200);
}

#[test]
fn a_saved_plan_that_was_edited_is_refused() {
    let (_, to, work) = saved("edited", "small", "");
    let file = work.path().join(SAVED);
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = text.replacen("\"on_existing\": \"fail\"", "\"on_existing\": \"replace\"", 1);
    assert_ne!(edited, text);
    std::fs::write(&file, edited).unwrap();
    apply(&work).ended(10).says(&["VF0501", SAVED, "it was changed after it was saved"]);
    work.run(&["show", SAVED]).ended(10);
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    apply(&work).ended(10).says(&["VF0501", "it can't be read"]);
    std::fs::write(&file, &text).unwrap();
    work.run(&["apply", SAVED, "plan.yaml"]).ended(64).says(&["is applied alone"]);
    work.run(&["apply", SAVED, "--target", "old-to-new"]).ended(64);
    // The plan file is not overwritten by a slip.
    let plan = std::fs::read_to_string(work.path().join("plan.yaml")).unwrap();
    work.run(&["plan", "plan.yaml", "--out", "plan.yaml"]).ended(1).says(&["VF0503", "is no saved plan"]);
    assert_eq!(std::fs::read_to_string(work.path().join("plan.yaml")).unwrap(), plan);
    apply(&work).ended(0);
    assert_eq!(act(&to, "count", &[]), 200);
}

#[test]
fn only_what_is_selected_is_looked_at_and_done() {
    let name = database("selected");
    let (one, two) = (place(lite_source(), &name, "one"), place(lite_source(), &name, "two"));
    fill(&one, "small", &[]);
    fill(&two, "small", &[]);
    let work = Workspace::new();
    work.plan((lite_source(), &name), (lite_target(), &name), "- match: '*'");
    let address = |collection: &str| format!("old-to-new.{name}.{collection}");
    work.run(&["plan", "plan.yaml", "--target", &address("three")]).ended(64).says(&[
        "nothing in the plan is meant by",
        &address("one"),
        &address("two"),
    ]);
    work.run(&["plan", "plan.yaml", "--target", "a", "--exclude", "b"]).ended(64);
    let excluded = work.run(&["plan", "plan.yaml", "--exclude", "*.one", "--out", SAVED]).ended(0);
    excluded.says(&["Not selected: 1 collection of the plan.", "Plan: 1 to create", &address("two")]);
    work.run(&["apply", "--auto-approve", "plan.yaml", "--target", &address("one")]).ended(0).says(&["1 successful"]);
    let there = || act(&place(lite_target(), &name, ""), "collections", &[]);
    assert_eq!(there(), serde_json::json!(["one"]));
    // What the saved plan was to do does not concern the other one.
    apply(&work).ended(0).says(&["1 successful"]);
    assert_eq!(there(), serde_json::json!(["one", "two"]));
    work.look().ended(0);
    work.run(&["verify", "plan.yaml", "--target", &address("two")]).ended(0);
}
