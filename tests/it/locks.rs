//! Two processes and one target; and what a third one sees of them.

use std::time::Duration;

use crate::servers::{source, target};
use crate::support::{Workspace, act, assert_identical, basic, database, place};

#[test]
fn one_run_at_a_time_and_everybody_can_see_it() {
    let to = place(target(), &database("locked"), "basic");
    let work = Workspace::new();
    let limits = "limits: {write_mb_per_s: 4, concurrency: 1}";
    let entry = "- source: basic\n  indexes: none";
    work.plan_with((source(), &basic().database), (target(), &to.database), entry, limits);
    work.run(&["status", "plan.yaml"]).ended(0);

    let mut first = work.start_apply();
    assert!(work.reaches(&mut first, "copying"));
    std::thread::sleep(Duration::from_millis(300));
    let run = work.journal()[0]["run"].as_str().unwrap().to_owned();
    work.run(&["status", "plan.yaml"]).ended(0).says(&[&run, "basic", "IN_PROGRESS", "copying"]);
    work.apply().ended(11).says(&[&run, &first.pid().to_string()]);
    assert_eq!(work.records("attempt"), 1, "the second run wrote to the journal of the first");

    assert!(first.kill9());
    let died = work.run(&["status", "plan.yaml"]).ended(0).says(&[&run, "FAILED", "process ended"]);
    assert!(!died.words().contains("IN_PROGRESS"), "{}", died.out);

    let mut first = work.start_apply();
    assert!(work.reaches(&mut first, "copying"));
    work.apply().ended(11).says(&[&run]);
    first.wait().ended(0);
    work.run(&["status", "plan.yaml"]).ended(0).says(&["SUCCESSFUL"]);
    assert_identical(basic(), &to, &[]);
    assert_eq!(act(&to, "collections", &[]), serde_json::json!(["basic"]));
    work.look().ended(0);
}
