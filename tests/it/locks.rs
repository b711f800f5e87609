//! Two processes and one target; and what a third one sees of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::secrets;
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

#[test]
fn a_diff_that_was_overtaken_before_somebody_agreed_is_not_carried_out() {
    let to = place(target(), &database("overtaken"), "basic");
    let work = Workspace::new();
    let entry = "- source: basic\n  indexes: none\n  where: \"id < 0\"\n  on_existing: replace";
    work.plan((source(), &basic().database), (target(), &to.database), entry);
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_vecferry"))
        .args(["apply", "plan.yaml"])
        .current_dir(work.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(waiting.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("Plan:") {
        line.clear();
        assert!(shown.read_line(&mut line).unwrap() > 0, "it ended before it asked");
    }
    work.apply().ended(0);
    let before = act(&to, "seen", &[]);
    waiting.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    let mut rest = Vec::new();
    shown.read_to_end(&mut rest).unwrap();
    let ended = waiting.wait_with_output().unwrap();
    secrets::assert_none("the run", &[rest, ended.stderr.clone()].concat());
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(10), "{said}");
    assert_eq!(act(&to, "seen", &[]), before, "the collection was dropped and made a second time");
    work.look().ended(0);
}
