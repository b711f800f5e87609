//! Servers that limit the rate of requests and their size.

use std::time::Duration;

use serde_json::Value;

use crate::servers::{Milvus, source};
use crate::support::{Workspace, assert_identical, basic, database, place};

/// What the server takes, in its megabytes of 2^20 bytes a second.
const MB_PER_S: f64 = 3.0;

/// When the job entered a phase.
fn entered(journal: &[Value], phase: &str) -> jiff::Timestamp {
    let record = journal.iter().find(|record| record["type"] == "phase" && record["name"] == phase).unwrap();
    record["at"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_limited_server_is_used_as_far_as_it_lets_and_nothing_fails() {
    let server = Milvus::start_with(&[
        "quotaAndLimits.dml.enabled=true",
        &format!("quotaAndLimits.dml.insertRate.max={MB_PER_S}"),
        &format!("quotaAndLimits.dml.upsertRate.max={MB_PER_S}"),
        "quotaAndLimits.dql.enabled=true",
        "quotaAndLimits.dql.queryRate.max=10",
    ]);
    let to = place(&server, &database("limited"), "basic");
    let work = Workspace::new();
    work.plan((source(), &basic().database), (&server, &to.database), "- source: basic\n  indexes: none");
    let run = work.run(&["apply", "--auto-approve", "--output", "json", "plan.yaml"]).ended(0);
    let report = &run.json()["collections"][0];
    assert!(report["retries"]["rate limited"].as_u64().unwrap_or_default() > 0, "nothing was limited: {report}");
    assert_eq!(report["error"], Value::Null);

    let journal = work.journal();
    let taken = entered(&journal, "flushing").duration_since(entered(&journal, "copying"));
    let bytes = journal[0]["row_bytes"].as_f64().unwrap() * 30_000.0;
    let limit = Duration::from_secs_f64(bytes / (MB_PER_S * 1_048_576.0));
    let taken = Duration::try_from(taken).unwrap();
    println!("{bytes} bytes: {taken:?} for what the limit alone lets pass in {limit:?}");
    assert!(limit > Duration::from_secs(6), "the limit is not what takes the time: {limit:?}");
    assert!(taken.as_secs_f64() < 1.3 * limit.as_secs_f64(), "{taken:?} of {limit:?}");
    // What was refused for its rate was not looked at, so it stays an insert and nothing is dirty.
    assert_eq!(work.records("reopened"), 0);
    work.run(&["status", "plan.yaml"]).ended(0).says(&["requests were repeated"]);
    assert_identical(basic(), &to, &[]);
}
