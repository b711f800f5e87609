//! Splits of collections whose keys are not gone through: found by samples and counts of a real server, they hold about what they say.

use serde_json::Value;

use crate::servers::{source, target};
use crate::support::{Workspace, act, database, fill, place};

const ROWS: u64 = 60_000;
/// Most rows of a split.
const SPLIT: u64 = 2_000;

/// Copies a collection in splits of two thousand rows and returns the rows of each: as the journal had them before, and as they were read.
fn copied(preset: &str, doubled: u64) -> Vec<(u64, u64)> {
    let name = database("splits");
    let (from, to) = (place(source(), &name, preset), place(target(), &name, preset));
    fill(&from, preset, &["--rows", &ROWS.to_string()]);
    let work = Workspace::new();
    let entry = format!("- source: {preset}");
    work.plan_with((source(), &name), (target(), &name), &entry, &format!("limits: {{split_rows: {SPLIT}}}"));
    work.look().ended(2).says(&["doubled keys are looked for while copying"]);
    let applied = work.apply().ended(0);
    if doubled > 0 {
        applied.says(&[&format!("{doubled} rows")]);
    }
    assert_eq!(act(&to, "count", &[]), ROWS - doubled);
    let splits: Vec<Value> = work.journal().into_iter().filter(|record| record["type"] == "splits").collect();
    let [record] = splits.as_slice() else { panic!("{splits:#?}") };
    let meant = record["list"].as_array().unwrap().iter().map(|split| split["rows"].as_u64().unwrap());
    let mut rows: Vec<(u64, u64)> = meant.map(|rows| (rows, 0)).collect();
    for record in work.journal().iter().filter(|record| record["type"] == "done") {
        let number = |value: &Value| value.as_u64().unwrap();
        // `rows:hash`
        let arrived = record["fingerprint"].as_str().unwrap().split_once(':').unwrap().0;
        rows[number(&record["split"]) as usize].1 = arrived.parse::<u64>().unwrap() + number(&record["doubled"]);
    }
    // Beside a target that was completed the keys are gone through, so that it is known that nothing is left to do.
    work.look().ended(0).says(&["1 unchanged"]);
    rows
}

/// None holds much more than it may, and they hold half of that on average at least.
#[track_caller]
fn fit(rows: &[(u64, u64)]) {
    assert_eq!(rows.iter().map(|(meant, _)| meant).sum::<u64>(), ROWS);
    assert_eq!(rows.iter().map(|(_, read)| read).sum::<u64>(), ROWS);
    assert!(rows.iter().all(|(meant, read)| *meant <= SPLIT && *read <= SPLIT * 5 / 4), "{rows:?}");
    assert!(rows.len() as u64 <= 2 * ROWS / SPLIT, "{} splits: {rows:?}", rows.len());
}

#[test]
fn integer_keys_on_islands_are_split_evenly_and_doubled_ones_found_while_copying() {
    fit(&copied("scattered", 10));
}

#[test]
fn text_keys_are_split_evenly_by_what_a_search_returns() {
    fit(&copied("varchar_key", 0));
}
