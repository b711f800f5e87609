//! Random collections, moved by random plans between real servers. Whatever a plan may legally say: it is blocked with a
//! reason and nothing is made, or it stops at a row that does not fit, or all of it arrives. Then the plan finds nothing to do
//! any more, and what was not to change is found unchanged by the independent reader.
//!
//! `VECFERRY_TEST_SEED` sets the seed that a failure names, `VECFERRY_TEST_CASES` the number of plans for each pair of servers
//! (1), and `VECFERRY_TEST_SHRINK` how many smaller plans are tried where one fails (none, since each is a run on servers).

mod arrival;
mod collections;
mod entries;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use collections::{Collection, collection};
use entries::{Entry, entry};
use said::{Dice, dice};

use crate::runs::{Run, Seeded};
use crate::servers::{Server, lite_source, lite_target, source, target};
use crate::support::{Workspace, act, database, fill_spec, place};

/// Collections of one plan. They share the seconds that servers take to index and to load.
const COLLECTIONS: usize = 6;

#[test]
fn from_milvus_to_milvus() {
    check([source(), target()], [false, false]);
}

#[test]
fn from_lite_to_lite() {
    check([lite_source(), lite_target()], [true, true]);
}

#[test]
fn from_milvus_to_lite() {
    check([source(), lite_target()], [false, true]);
}

#[test]
fn from_lite_to_milvus() {
    check([lite_source(), target()], [true, false]);
}

/// Collections with their mappings.
struct Case {
    parts: Vec<(Collection, Entry)>,
}

impl Case {
    fn new(parts: Vec<(Collection, Dice)>, lite: bool) -> Self {
        let named = parts.into_iter().enumerate();
        let parts = named.map(|(number, (collection, mut dice))| {
            let entry = entry(&collection, &name(number), lite, &mut dice);
            (collection, entry)
        });
        Self { parts: parts.collect() }
    }

    fn specs(&self) -> Value {
        self.parts.iter().enumerate().map(|(number, (collection, _))| collection.spec(&name(number))).collect()
    }

    /// The entries of a plan, JSON being YAML too.
    fn entries(&self, numbers: impl Iterator<Item = usize>) -> String {
        numbers.fold(String::new(), |mut text, number| {
            writeln!(text, "- {}", self.parts[number].1.said).unwrap();
            text
        })
    }
}

/// What a failure prints: all that is needed to do it again by hand with `fill_spec.py`.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n--- specification\n{}\n--- entries\n{}", self.specs(), self.entries(0..self.parts.len()))
    }
}

fn name(number: usize) -> String {
    format!("random_{number}")
}

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn check(servers: [&Server; 2], lite: [bool; 2]) {
    let seed = Seeded::new().seed;
    println!("VECFERRY_TEST_SEED={seed}");
    let config = Config {
        cases: setting("VECFERRY_TEST_CASES", 1),
        max_shrink_iters: setting("VECFERRY_TEST_SHRINK", 0),
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let plans = prop::collection::vec((collection(lite[0]), dice()), COLLECTIONS)
        .prop_map(move |parts| Case::new(parts, lite[1]));
    let result = runner.run(&plans, |case| {
        moves(&case, servers, lite[1]);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("VECFERRY_TEST_SEED={seed}\n{failure}");
    }
}

/// The one JSON document of a run that ended with one of these codes.
#[track_caller]
fn answer(run: &Run, codes: &[i32]) -> Value {
    assert!(run.code.is_some_and(|code| codes.contains(&code)), "{run:#?}");
    run.json()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The number of the collection that an address means.
fn number(address: &Value) -> usize {
    let text = address.as_str().expect("an address");
    text.rsplit('_').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Two databases of one name, on two servers.
struct Route<'a> {
    servers: [&'a Server; 2],
    database: String,
    /// Whether the target is a milvus-lite.
    lite: bool,
}

impl Route<'_> {
    fn plan(&self, work: &Workspace, case: &Case, numbers: impl Iterator<Item = usize>) {
        let [from, to] = self.servers.map(|server| (server, self.database.as_str()));
        work.plan(from, to, &case.entries(numbers));
    }
}

fn moves(case: &Case, servers: [&Server; 2], lite: bool) {
    let route = Route { servers, database: database("random"), lite };
    fill_spec(servers[0], &route.database, &case.specs());
    let work = Workspace::new();
    route.plan(&work, case, 0..case.parts.len());

    let look = work.run(&["plan", "--detailed-exitcode", "--output", "json", "plan.yaml"]);
    let changes = answer(&look, &[2, 3]);
    let mut blocked = BTreeSet::new();
    for entry in list(&changes["entries"]) {
        let reasons = list(&entry["blocked"]);
        if !reasons.is_empty() {
            blocked.insert(number(&entry["address"]));
            let said =
                |reason: &Value| ["code", "message"].iter().all(|part| !reason[part].as_str().unwrap_or("").is_empty());
            assert!(reasons.iter().all(said), "blocked without a reason: {entry:#}");
            println!(
                "blocked: {}",
                reasons.iter().map(|reason| reason["message"].to_string()).collect::<Vec<_>>().join("; ")
            );
        }
    }
    assert_eq!(look.code == Some(3), !blocked.is_empty(), "{look:#?}");

    let applied = work.run(&["apply", "--auto-approve", "--output", "json", "plan.yaml"]);
    let report = answer(&applied, &[0, 3]);
    let reports = list(&report["collections"]);
    assert_eq!(reports.len() + blocked.len(), case.parts.len(), "each is reported or blocked: {report:#}");
    // With the rows in quarantine.
    let mut arrived = BTreeMap::new();
    for report in reports {
        let at = number(&report["address"]);
        let (collection, entry) = &case.parts[at];
        if report["state"] == "SUCCESSFUL" {
            let aside = report["rows_quarantined"].as_u64().unwrap_or_default();
            let verified = report["rows_verified"].as_u64().unwrap_or_default();
            assert_eq!(verified + aside, entry.selected.len() as u64, "rows that were selected: {report:#}");
            arrived.insert(at, aside);
        } else {
            println!("stopped: {}", report["error"]["message"]);
            stopped_rightly(collection, entry, report);
        }
    }
    let aside: u64 = arrived.values().sum();
    let complete = arrived.len() == case.parts.len() && aside == 0;
    assert_eq!(applied.code == Some(0), complete, "{applied:#?}");
    let there = act(&place(servers[1], &route.database, ""), "collections", &[]);
    for number in &blocked {
        assert!(!list(&there).contains(&json!(name(*number))), "made although it was blocked: {there}");
    }
    let counts = (arrived.len(), reports.len() - arrived.len(), blocked.len());
    println!("{counts:?} arrived, stopped and blocked; {aside} rows in quarantine");
    if !arrived.is_empty() {
        nothing_is_left(case, &route, &work, &arrived);
        std::thread::scope(|scope| {
            for (at, aside) in &arrived {
                let places = servers.map(|server| place(server, &route.database, &name(*at)));
                scope.spawn(move || arrival::check(&places, &case.parts[*at], *aside));
            }
        });
    }
}

/// A copy stops at a row that does not fit, and says which; or at the second of two rows that would have the same key.
fn stopped_rightly(collection: &Collection, entry: &Entry, report: &Value) {
    let message = report["error"]["message"].as_str().unwrap_or_default();
    if message.contains("cannot become the primary key") {
        assert!(entry.said["fields"]["id"]["type"].is_string(), "{report:#}");
        return;
    }
    let named = message.split_once("field `").and_then(|(_, rest)| rest.split_once("` of the row with key "));
    let Some((field, rest)) = named else { panic!("it names no field: {report:#}") };
    let mut keys = collection.rows.iter().map(|row| match &row["id"] {
        Value::String(text) => format!("{text:?}: "),
        key => format!("{key}: "),
    });
    assert!(keys.any(|key| rest.starts_with(&key)), "it names no key: {report:#}");
    assert!(!entry.lenient.contains(field), "misfits of this field are to stop nothing: {report:#}");
    // A value that is lifted is judged by the field that takes it, and not by the object that it lies in.
    let is_taker = entry.said["fields"].get(field).is_some();
    assert!(is_taker || !rest.contains("beyond 64 bits"), "misfits of another field: {report:#}");
}

/// The plan of what arrived is done: it finds nothing to do, applying it writes nothing, and all is as it says.
fn nothing_is_left(case: &Case, route: &Route<'_>, work: &Workspace, arrived: &BTreeMap<usize, u64>) {
    // Rows in quarantine are told each time.
    let code = |numbers: &[usize]| if numbers.iter().any(|at| arrived[at] > 0) { 3 } else { 0 };
    let all: Vec<usize> = arrived.keys().copied().collect();
    route.plan(work, case, all.iter().copied());
    work.look().ended(0).says(&[&format!("{} unchanged, 0 blocked", all.len())]);
    let before = work.state_files();
    let again = work.run(&["apply", "--auto-approve", "--output", "json", "plan.yaml"]);
    let report = answer(&again, &[code(&all)]);
    assert_eq!(list(&report["collections"]).len(), 0, "{report:#}");
    assert_eq!(work.state_files(), before, "nothing is written");
    // Milvus loads, and so reads, nothing that has no index.
    let is_readable = |at: &usize| route.lite || case.parts[*at].1.said.get("indexes") != Some(&json!("none"));
    let readable: Vec<usize> = all.into_iter().filter(is_readable).collect();
    if !readable.is_empty() {
        route.plan(work, case, readable.iter().copied());
        work.verify().ended(code(&readable)).says(&[&format!("{} identical, 0 different", readable.len())]);
    }
}
