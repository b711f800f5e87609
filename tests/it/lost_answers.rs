//! An insert whose answer is lost is neither lost nor doubled. Shown on Milvus 2.3.5, which keeps every row of a key that is
//! inserted twice; milvus-lite could not show it, because its insert overwrites.

use crate::proxy::Proxy;
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
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(proxy.cuts() >= 3, "only {} connections were cut", proxy.cuts());
    let there = place(target(), &to, "basic");
    assert_identical(&here, &there, &[]);
    assert_eq!(act(&there, "count", &[]), 12_000);
}
