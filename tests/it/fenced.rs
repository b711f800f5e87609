//! A target that somebody drops and makes anew while it is written to: the run stops, and does not write into what is not its own.

use crate::servers::{source, target};
use crate::support::{Place, Workspace, act, basic, database, fill, place};

/// Some six seconds in four splits.
const SLOWLY: &str = "limits: {write_mb_per_s: 6, concurrency: 1}";

/// Replaces the target by a small collection of the same schema while rows are written, and says how the run ended.
fn replaced_while_writing(work: &Workspace, to: &Place) {
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    while work.splits_done() == 0 {
        assert!(!run.has_ended(), "{:?}", run.wait());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    act(to, "drop", &[]);
    fill(to, "basic", &["--rows", "10", "--seed", "5", "--no-index"]);
    run.wait().ended(10).says(&["by somebody else while the run wrote to it"]);
    assert_eq!(act(to, "count", &[]), 10, "rows were written into somebody else's collection");
    act(to, "seen", &[]);
}

#[test]
fn a_run_stops_when_its_collection_is_replaced() {
    let to = place(target(), &database("fenced"), "basic");
    let work = Workspace::new();
    work.plan_with((source(), &basic().database), (target(), &to.database), "- source: basic\n  indexes: none", SLOWLY);
    replaced_while_writing(&work, &to);
    work.look().ended(10).says(&["replaced by another one"]);
    // The way out that is named.
    act(&to, "drop", &[]);
    work.apply().ended(0);
    work.look().ended(0);
}

#[test]
fn a_run_into_a_collection_that_was_there_stops_as_well() {
    let to = place(target(), &database("fenced"), "basic");
    fill(&to, "basic", &["--rows", "20", "--no-index"]);
    let work = Workspace::new();
    let entry =
        "- source: basic\n  indexes: {vector: {index_type: FLAT, metric_type: COSINE}}\n  on_existing: converge";
    work.plan_with((source(), &basic().database), (target(), &to.database), entry, SLOWLY);
    replaced_while_writing(&work, &to);
    // What stands there now is converged into like any other collection.
    work.apply().ended(0);
    work.look().ended(0);
}
