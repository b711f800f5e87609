//! An insert whose answer is lost is neither lost nor doubled, and neither is one that lands after the rows that were sent in
//! its place. Shown on Milvus 2.3.5, which keeps every row of a key that is inserted twice; milvus-lite could not show it,
//! because its insert overwrites.

use crate::proxy::{At, Direction, Fault, Kind, Proxy};
use crate::secrets;
use crate::servers::{source, target};
use crate::support::{Workspace, act, assert_identical, database, fill, place};

#[test]
fn an_insert_whose_answer_is_lost_is_not_doubled() {
    let (from, to) = (database("lost"), database("lost"));
    let here = place(source(), &from, "basic");
    fill(&here, "basic", &["--rows", "12000"]);
    // Some 13 MB are sent in all, 64 KiB to a frame at most: the cuts fall into the rows of different splits.
    let proxy = Proxy::cutting(target().uri(), &[1_500_000, 5_000_000, 9_000_000, 14_000_000]);
    let workspace = Workspace::new();
    let collections = "- {source: basic, indexes: copy, load: true}";
    let plan = workspace.plan_between((source().uri(), &from), (proxy.uri(), &to), collections, "");
    let output =
        workspace.vecferry().args(["apply", "--auto-approve", "--output", "json"]).arg(&plan).output().unwrap();
    secrets::assert_none("the run", &[&output.stdout[..], &output.stderr].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(proxy.struck().len() >= 3, "only {} connections were cut", proxy.struck().len());
    let there = place(target(), &to, "basic");
    assert_identical(&here, &there, &[]);
    assert_eq!(act(&there, "count", &[]), 12_000);
}

/// Rows of a collection in [`SPLITS`] splits, one of which is one request.
const ROWS: u64 = 2_000;
const SPLITS: u64 = 8;
/// The insert that is held back.
const HELD: u64 = 3;

/// Copies while an insert is held back until right before as many further requests as this have passed; what was sent in its
/// place has landed by then.
fn with_a_late_insert(settings: &str, writes: u64, compared: &[&str]) {
    let (from, to) = (database("late"), database("late"));
    let here = place(source(), &from, "small");
    fill(&here, "small", &["--rows", &ROWS.to_string()]);
    let fault = Fault { at: At::Write(HELD), direction: Direction::ToServer, kind: Kind::HoldBack { writes } };
    let proxy = Proxy::start(target().uri(), &[fault]);
    let work = Workspace::new();
    let collections = format!("- {{source: small, indexes: copy, {settings}}}");
    let limits = format!("limits: {{split_rows: {}, concurrency: 1}}", ROWS / SPLITS);
    work.plan_between((source().uri(), &from), (proxy.uri(), &to), &collections, &limits);
    work.apply().ended(0);
    assert_eq!(proxy.struck(), [fault]);
    assert_eq!(proxy.delivered(), 1, "the insert did not land after {} requests", proxy.writes());
    assert_eq!(work.records("splits"), 1);
    assert!(work.records("reopened") > 0, "nothing was mended: {:?}", work.journal());
    assert_identical(&here, &place(target(), &to, "small"), compared);
    work.look().ended(0);
}

#[test]
fn an_insert_that_lands_after_the_upsert_that_replaced_it_is_found_and_mended() {
    // The first request after it is the upsert; the second belongs to the next split, and so comes after its acknowledgement.
    with_a_late_insert("load: false", 2, &[]);
}

#[test]
fn an_insert_that_lands_after_its_rows_were_inserted_again_is_found_and_mended() {
    // The server makes the keys, so nothing is sent again before the proof has read the target. The first request after the
    // other splits is the one that mends; the late insert lands between that reading and it.
    let settings = "primary_key: {auto_id: true, keep_as: legacy_id}";
    with_a_late_insert(settings, SPLITS - HELD + 1, &["--known-by", "legacy_id"]);
}
