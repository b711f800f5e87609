//! A source that somebody writes to while it is copied.

use rustix::process::Signal;

use crate::servers::{lite_source, source, target};
use crate::support::{Workspace, act, assert_identical, database, fill, place};

/// Seven seconds in two splits, one after the other.
const SLOWLY: &str = "limits: {write_mb_per_s: 2, concurrency: 1}";

/// Copies 12,000 rows and changes three of those that were copied first: what arrives is what the source holds at the end, and
/// the report says what happened.
fn written_to(server: &crate::servers::Server, topic: &str, settings: &str, known_by: &[&str], says: &[&str]) {
    let name = database(topic);
    let (from, to) = (place(server, &name, "basic"), place(target(), &name, "basic"));
    fill(&from, "basic", &["--rows", "12000"]);
    let work = Workspace::new();
    work.plan_with((server, &name), (target(), &name), &format!("- source: basic\n  {settings}"), SLOWLY);
    let mut run = work.start_apply();
    while work.splits_done() == 0 {
        assert!(!run.has_ended(), "{:?}", run.wait());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // It stands still meanwhile, because what changes when all is copied is none of this run's business any more.
    run.signal(Signal::STOP);
    assert!(!work.phases().iter().any(|phase| phase == "flushing"), "the copy was over before anything changed");
    act(&from, "meddle", &["-1001", "-994", "-987", "1000007"]);
    run.signal(Signal::CONT);
    run.wait().ended(0).says(says);
    assert_identical(&from, &to, known_by);
    work.look().ended(0);
}

#[test]
fn what_is_written_to_the_source_meanwhile_is_named_and_carried_over() {
    let says =
        ["the source was written to while it was copied: 1 added (1000007), 1 removed (-994), 1 changed (-1001)"];
    written_to(source(), "written", "indexes: none", &[], &says);
}

#[test]
fn the_same_from_a_server_whose_inserts_overwrite() {
    let says =
        ["the source was written to while it was copied: 1 added (1000007), 1 removed (-994), 1 changed (-1001)"];
    written_to(lite_source(), "written_lite", "indexes: none", &[], &says);
}

#[test]
fn the_same_where_the_server_makes_the_keys() {
    let settings =
        "indexes: {vector: {index_type: FLAT, metric_type: L2}}\n  primary_key: {auto_id: true, keep_as: legacy_id}";
    let says =
        ["the source was written to while it was copied: 1 added (1000007), 1 removed (-994), 1 changed (-1001)"];
    written_to(source(), "written_kept", settings, &["--known-by", "legacy_id"], &says);
}
