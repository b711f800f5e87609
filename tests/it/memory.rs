//! Memory does not grow with the collection, nor with the number of collections.

use std::time::Duration;

use crate::runs::{Run, Running};
use crate::servers::{source, target};
use crate::support::{Workspace, act, database, fill, place};

const ROWS: u64 = 1_000_000;
/// The promise of the design, in KiB.
const LIMIT: u64 = 300 * 1024;
/// Collections that are looked at together, and their rows, which are 16 MB each.
const SEVERAL: usize = 8;
const SEVERAL_ROWS: &str = "60000";

/// The most memory that a process ever held, in KiB: the kernel keeps count.
pub fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Waits for its end. Returns also the most memory that it held, in KiB.
fn measured(mut run: Running) -> (Run, u64) {
    let mut highest = 0;
    while !run.has_ended() {
        highest = peak(run.pid()).unwrap_or_default().max(highest);
        std::thread::sleep(Duration::from_millis(20));
    }
    let run = run.wait();
    println!("at most {} MiB", highest / 1024);
    assert!(highest > 1024, "nobody looked");
    (run, highest)
}

#[test]
fn a_million_rows_fit_through_300_mebibytes() {
    let name = database("memory");
    let (from, to) = (place(source(), &name, "million"), place(target(), &name, "million"));
    fill(&from, "million", &[]);
    let work = Workspace::new();
    work.plan((source(), &name), (target(), &name), "- source: million\n  indexes: copy\n  load: true");
    let (run, highest) = measured(work.start_apply());
    run.ended(0);
    assert!(highest < LIMIT, "{} MiB", highest / 1024);
    assert_eq!(act(&to, "count", &[]), ROWS);
    work.run(&["verify", "--level", "counts", "plan.yaml"]).ended(0);
    // A gigabyte of vectors in the memory of each server is of no use to the tests that follow.
    act(&from, "drop", &[]);
    act(&to, "drop", &[]);
}

#[test]
fn many_collections_are_looked_at_within_the_memory_of_one() {
    let name = database("several");
    let collections: Vec<String> = (0..SEVERAL).map(|number| format!("several_{number}")).collect();
    for collection in &collections {
        fill(&place(source(), &name, collection), "million", &["--rows", SEVERAL_ROWS]);
    }
    let plan = |work: &Workspace, more: &str| {
        let each = |collection: &String| format!("- source: {collection}\n  indexes: copy\n  load: true\n{more}");
        let list: Vec<String> = collections.iter().map(each).collect();
        work.plan((source(), &name), (target(), &name), &list.join("\n"));
    };
    let (work, again) = (Workspace::new(), Workspace::new());
    plan(&work, "");
    // Nothing of the first run's state is known there, so all rows of both sides are held against each other.
    plan(&again, "  on_existing: converge");
    let within = |work: &Workspace, arguments: &[&str]| {
        let memory = ["--memory", "64MiB", "plan.yaml"];
        let (run, highest) = measured(work.start(&[arguments, &memory].concat()));
        assert!(highest < 100 * 1024, "{arguments:?}: {} MiB", highest / 1024);
        run.ended(0);
    };
    within(&work, &["plan", "--scan"]);
    within(&work, &["apply", "--auto-approve"]);
    within(&work, &["verify", "--level", "full"]);
    within(&again, &["plan"]);
    for collection in &collections {
        act(&place(source(), &name, collection), "drop", &[]);
        act(&place(target(), &name, collection), "drop", &[]);
    }
}
