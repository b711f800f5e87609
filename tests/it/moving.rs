//! A source that is written to while a run is under way: noticed, and mended where it can be.

use std::process::Command;

use crate::servers::{python, source, target};
use crate::support::{Place, Workspace, assert_identical, database, fill, place};

/// Inserts copies of one row under new keys, into a partition or, without one, wherever the server puts them.
fn insert(at: &Place, keys: &[i64], partition: &str) {
    let script = r#"
import json, sys
from pymilvus import MilvusClient
uri, database, collection, keys, partition = sys.argv[1:]
client = MilvusClient(uri, db_name=database)
row = client.query(collection, filter="id >= 0", output_fields=["*"], limit=1, consistency_level="Strong")[0]
rows = [dict(row, id=key) for key in json.loads(keys)]
client.insert(collection, rows, **({"partition_name": partition} if partition else {}))
"#;
    let keys = serde_json::to_string(keys).unwrap();
    let arguments = ["-c", script, &at.uri, &at.database, &at.collection, &keys, partition];
    let output = Command::new(python()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A run that was killed once its splits were on the disk and before its copy was over.
fn interrupted(preset: &str, rows: &str) -> (Workspace, Place, Place) {
    let from = place(source(), &database("moving"), preset);
    let to = place(target(), &database("moving"), preset);
    fill(&from, preset, &["--rows", rows]);
    let work = Workspace::new();
    let collections = format!("- source: {preset}\n  indexes: copy");
    let slowly = "limits: {write_mb_per_s: 0.2, concurrency: 1}";
    work.plan_with((source(), &from.database), (target(), &to.database), &collections, slowly);
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"), "{:?}", run.wait());
    assert!(run.kill9());
    (work, from, to)
}

#[test]
fn rows_that_come_while_a_run_is_under_way_arrive_too() {
    let (work, from, to) = interrupted("basic", "3000");
    insert(&from, &[5_000_001, 5_000_002], "");
    work.apply().ended(0);
    assert_identical(&from, &to, &[]);
    work.verify().ended(0);
}

#[test]
fn a_partition_that_comes_while_a_run_is_under_way_is_not_overlooked() {
    let (work, from, _) = interrupted("partitions", "3000");
    crate::support::act(&from, "create-partition", &["late"]);
    insert(&from, &[5_000_001, 5_000_002], "late");
    work.apply().ended(10).says(&["got a partition with rows in it", "drop the target collection"]);
}
