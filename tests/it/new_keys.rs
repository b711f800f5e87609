//! Collections whose keys the server makes, and collections with another primary key than their source: nothing is lost or
//! doubled there either, although an upsert cannot tell which row is which. Shown on Milvus 2.3.5, which keeps every row that
//! is inserted; milvus-lite overwrites.

use std::time::Duration;

use crate::proxy::Proxy;
use crate::runs::Seeded;
use crate::servers::{Server, source, target};
use crate::support::{Place, Workspace, act, assert_identical, basic, database, fill, place};

/// As many rows and as slow as the copies that the other tests kill: some six seconds in four splits.
const SOME: &str = "id < 54999";
const SLOWLY: &str = "limits: {write_mb_per_s: 1.6, concurrency: 1, split_rows: 2000}";
/// Old keys are kept in a field of their own.
const KEPT: &str = "primary_key: {auto_id: true, keep_as: legacy_id}";
/// Old keys are lost.
const LOST: &str = "primary_key: {auto_id: true}";

fn slow_copy(topic: &str, to: &Server, settings: &str) -> (Workspace, Place) {
    let at = place(to, &database(topic), "basic");
    let work = Workspace::new();
    let collections = format!(
        "- source: basic\n  where: \"{SOME}\"\n  indexes: {{vector: {{index_type: FLAT, metric_type: L2}}}}\n  {settings}"
    );
    work.plan_with((source(), &basic().database), (to, &at.database), &collections, SLOWLY);
    (work, at)
}

/// Kills the copy somewhere after `splits` splits.
fn kill_after(work: &Workspace, splits: usize, random: &mut Seeded) {
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"), "{:?}", run.wait());
    // A split that is begun takes more than a second to be written.
    while work.splits_done() < splits || work.records("started") == work.splits_done() {
        assert!(!run.has_ended(), "{:?}", run.wait());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(random.below(700)));
    assert!(run.kill9(), "the run ended before it was killed");
}

#[test]
fn kills_with_kept_keys_lose_and_double_nothing() {
    let mut random = Seeded::new();
    println!("VECFERRY_TEST_SEED={}", random.seed);
    let (work, to) = slow_copy("kept", target(), KEPT);
    for splits in 0..3 {
        kill_after(&work, splits, &mut random);
    }
    assert!(work.records("started") > work.splits_done(), "no kill left a split dirty");
    work.apply().ended(0);
    assert_identical(basic(), &to, &["--where", SOME, "--known-by", "legacy_id"]);
    work.look().ended(0);
    work.verify().ended(0);
    // Changed by somebody else: found by the kept key, and nothing but that row differs.
    let row = act(&to, "by-field", &["legacy_id", "7"]);
    act(&to, "delete", &[&row["id"].to_string()]);
    work.verify().ended(4).says(&["1 missing on the target"]);
}

#[test]
fn a_stopped_run_without_kept_keys_says_that_it_starts_over_and_does() {
    let mut random = Seeded::new();
    println!("VECFERRY_TEST_SEED={}", random.seed);
    let (work, to) = slow_copy("unkept", target(), LOST);
    kill_after(&work, 1, &mut random);
    work.look().ended(2).says(&["will be dropped and made anew", "it starts over"]);
    work.apply().ended(0);
    assert_identical(basic(), &to, &["--where", SOME, "--by-content"]);
    work.look().ended(0);
    work.verify().ended(0).says(&["identical"]);
    let keys = act(&to, "some-keys", &[]);
    act(&to, "delete", &[&keys[0].to_string()]);
    work.verify().ended(4).says(&["no key tells which", "1 missing on the target"]);
}

#[test]
fn a_kill_with_another_primary_key_is_made_good() {
    let mut random = Seeded::new();
    println!("VECFERRY_TEST_SEED={}", random.seed);
    // The old key becomes text, so that its ranges mean nothing on the target.
    let (work, to) = slow_copy("text_keys", target(), "fields: {id: {type: varchar, max_length: 24}}");
    kill_after(&work, 1, &mut random);
    work.apply().ended(0);
    assert_identical(basic(), &to, &["--where", SOME, "--by-content"]);
    work.look().ended(0);
    work.verify().ended(0);
}

/// A plan through a proxy that cuts the connection in the middle of inserts, whose answers are lost.
fn through_cuts(topic: &str, settings: &str, cuts: &[u64]) -> (Workspace, Place, Place, Proxy) {
    let (from, to) = (database(topic), database(topic));
    let here = place(source(), &from, "basic");
    fill(&here, "basic", &["--rows", "12000"]);
    let proxy = Proxy::cutting(target().uri(), cuts);
    let work = Workspace::new();
    let collections = format!("- {{source: basic, indexes: copy, load: true, {settings}}}");
    work.plan_between((source().uri(), &from), (proxy.uri(), &to), &collections, "");
    (work, here, place(target(), &to, "basic"), proxy)
}

#[test]
fn lost_answers_with_kept_keys_double_nothing() {
    let (work, from, to, proxy) = through_cuts("lost_kept", KEPT, &[1_500_000, 5_000_000, 9_000_000, 14_000_000]);
    work.apply().ended(0);
    assert!(proxy.struck().len() >= 3, "only {} connections were cut", proxy.struck().len());
    assert_identical(&from, &to, &["--known-by", "legacy_id"]);
    assert_eq!(act(&to, "count", &[]), 12_000);
}

#[test]
fn a_lost_answer_without_kept_keys_ends_as_temporary_and_the_next_run_starts_over() {
    let (work, from, to, proxy) = through_cuts("lost_unkept", LOST, &[5_000_000]);
    work.apply().ended(5).says(&["nothing there tells its rows apart", "starts over"]);
    assert!(!proxy.struck().is_empty());
    work.apply().ended(0);
    assert_identical(&from, &to, &["--by-content"]);
    assert_eq!(act(&to, "count", &[]), 12_000);
}
