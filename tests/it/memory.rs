//! Memory does not grow with the collection.

use std::time::Duration;

use crate::servers::{source, target};
use crate::support::{Workspace, act, database, fill, place};

const ROWS: u64 = 1_000_000;
/// The promise of the design, in KiB.
const LIMIT: u64 = 300 * 1024;

/// The most memory that a process ever held, in KiB: the kernel keeps count.
pub fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn a_million_rows_fit_through_300_mebibytes() {
    let name = database("memory");
    let (from, to) = (place(source(), &name, "million"), place(target(), &name, "million"));
    fill(&from, "million", &[]);
    let work = Workspace::new();
    work.plan((source(), &name), (target(), &name), "- source: million\n  indexes: copy\n  load: true");
    let mut run = work.start_apply();
    let mut highest = 0;
    while !run.has_ended() {
        highest = peak(run.pid()).unwrap_or_default().max(highest);
        std::thread::sleep(Duration::from_millis(20));
    }
    run.wait().ended(0);
    println!("at most {} MiB", highest / 1024);
    assert!((1024..LIMIT).contains(&highest), "{} MiB", highest / 1024);
    assert_eq!(act(&to, "count", &[]), ROWS);
    work.run(&["verify", "--level", "counts", "plan.yaml"]).ended(0);
    // A gigabyte of vectors in the memory of each server is of no use to the tests that follow.
    act(&from, "drop", &[]);
    act(&to, "drop", &[]);
}
