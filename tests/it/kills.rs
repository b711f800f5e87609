//! Whatever ends a run, the same command finishes the job with each row once.

use std::time::Duration;

use rustix::process::Signal;

use crate::runs::Seeded;
use crate::servers::{Milvus, Server, source, target};
use crate::support::{Place, Workspace, act, assert_identical, basic, database, fill, place};

/// How often a copy is killed.
const KILLS: u64 = 10;
/// Eight thousand rows of the thirty: more would cost a reader time and show nothing.
const SOME: &str = "id < 54999";
/// The copy at a fraction of its speed, one split after the other, so that there is a middle to be killed in. It takes six
/// seconds, one and a half for each of the four splits.
const SLOWLY: &str = "limits: {write_mb_per_s: 1.6, concurrency: 1, split_rows: 2000}";
const SPLITS: u64 = 4;

fn slow_copy(topic: &str, to: &Server) -> (Workspace, Place) {
    let at = place(to, &database(topic), "basic");
    let work = Workspace::new();
    // Building the graph of the automatic index takes longer than all else and shows nothing here.
    let entry = format!("- source: basic\n  indexes: none\n  where: \"{SOME}\"");
    work.plan_with((source(), &basic().database), (to, &at.database), &entry, SLOWLY);
    (work, at)
}

/// Identical by the independent reader, which also holds `count(*)` against the number of distinct keys.
#[track_caller]
fn assert_arrived(work: &Workspace, to: &Place) {
    assert_identical(basic(), to, &["--where", SOME]);
    work.look().ended(0);
}

#[test]
fn ten_kills_in_the_middle_of_the_copy_lose_and_double_nothing() {
    let mut random = Seeded::new();
    println!("VECFERRY_TEST_SEED={}", random.seed);
    let (work, to) = slow_copy("kills", target());
    for kill in 0..KILLS {
        let mut run = work.start_apply();
        assert!(work.reaches(&mut run, "copying"), "kill {kill}: {:?}", run.wait());
        // Two or three kills for each of the splits, wherever the run stands in it.
        while (work.splits_done() as u64) < kill * SPLITS / KILLS {
            assert!(!run.has_ended(), "kill {kill}: {:?}", run.wait());
            std::thread::sleep(Duration::from_millis(5));
        }
        // Every other kill is while a split is being written, and the rest wherever the run stands.
        while kill % 2 == 0 && work.records("started") == work.splits_done() {
            assert!(!run.has_ended(), "kill {kill}: {:?}", run.wait());
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(random.below(900)));
        assert!(run.kill9(), "kill {kill}: the run ended before it was killed");
        assert!(!work.phases().iter().any(|phase| phase == "flushing"), "kill {kill}: the copy was over");
    }
    assert_eq!(work.records("attempt") as u64, KILLS);
    assert!(work.records("started") > work.splits_done(), "no kill left a split dirty");
    work.apply().ended(0);
    assert_arrived(&work, &to);
}

#[test]
fn a_kill_in_any_phase_is_made_good() {
    let (from, to) = (place(source(), &database("phases"), "small"), place(target(), &database("phases"), "small"));
    fill(&from, "small", &["--no-load"]);
    let work = Workspace::new();
    work.plan(
        (source(), &from.database),
        (target(), &to.database),
        "- source: small\n  indexes: none\n  aliases: [live]",
    );
    let phases = [
        "loading the source",
        "creating",
        "copying",
        "flushing",
        "indexing",
        "verifying",
        "releasing",
        "switching aliases",
    ];
    for phase in phases {
        let mut run = work.start_apply();
        // A phase that an earlier attempt left behind for good does not come again.
        if work.reaches(&mut run, phase) {
            run.kill9();
        } else {
            panic!("{phase} was never reached: {:?}", run.wait());
        }
    }
    work.apply().ended(0);
    assert_identical(&from, &to, &[]);
    // It was found unloaded and loaded by an attempt that was killed, so the one that finished released it.
    assert_eq!(act(&from, "load-state", &[]), "NotLoad");
    assert_eq!(act(&to, "indexes", &[]), serde_json::json!([]), "an index for the verification was left behind");
    assert_eq!(act(&to, "collections", &[]), serde_json::json!(["small"]));
    assert_eq!(act(&to, "aliases", &[]), serde_json::json!(["live"]));
    work.look().ended(0);
}

fn stops_on(signal: Signal, topic: &str) {
    let (work, to) = slow_copy(topic, target());
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    std::thread::sleep(Duration::from_millis(500));
    run.signal(signal);
    run.wait().ended(130);
    assert!((work.splits_done() as u64) < SPLITS, "it went on until all was copied");
    work.run(&["status", "plan.yaml"]).ended(0).says(&["CANCELED"]);
    work.apply().ended(0);
    work.run(&["status", "plan.yaml"]).ended(0).says(&["SUCCESSFUL"]);
    assert_arrived(&work, &to);
}

#[test]
fn ctrl_c_stops_in_order() {
    stops_on(Signal::INT, "interrupted");
}

#[test]
fn a_terminated_run_stops_in_order() {
    stops_on(Signal::TERM, "terminated");
}

#[test]
fn a_target_that_dies_and_comes_back_costs_nothing() {
    let server = Milvus::start();
    let (work, to) = slow_copy("dying", &server);
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    while work.splits_done() == 0 {
        assert!(!run.has_ended());
        std::thread::sleep(Duration::from_millis(5));
    }
    server.kill9();
    server.restart();
    let run = run.wait();
    if run.code != Some(0) {
        run.ended(5);
        work.apply().ended(0);
    }
    assert_arrived(&work, &to);
}
