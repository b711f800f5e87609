//! Random copies with random troubles: whatever happens to the process, the network, the servers and the disk, the same
//! command again ends with each row exactly once. An independent reader compares all of it.
//!
//! `VECFERRY_TEST_SEED` sets the seed that a failure names; the same seed makes the same copies and the same troubles, and
//! the moment at which a trouble meets the copy still varies. `TORTURE_RUNS` is how many runs, `TORTURE_ONLY` the number of
//! a single one, and `TORTURE_PAGE` the page whose table is written anew; `make torture` sets them.

mod afar;
mod ordeal;
mod shape;
mod table;
mod trouble;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

use ordeal::{Case, Ordeal, Outcome, Servers};
use trouble::KINDS;

use crate::runs::Seeded;
use crate::servers::root;
use crate::support::database;

/// Runs at once, beside those that kill servers.
const AT_ONCE: usize = 3;

#[test]
fn whatever_goes_wrong_each_row_arrives_exactly_once() {
    let seed = Seeded::new().seed;
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    // Without a number, one run for each kind of trouble.
    let runs = number("TORTURE_RUNS").unwrap_or(KINDS.len() as u64);
    let chosen = number("TORTURE_ONLY").map_or(0..runs, |only| only..only + 1);
    println!("VECFERRY_TEST_SEED={seed} TORTURE_RUNS={runs}");
    let (killing, calm): (VecDeque<Case>, VecDeque<Case>) =
        chosen.map(|number| Case::of(seed, number)).partition(Case::kills_servers);
    let (ended, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let shared = Servers::shared(&database("torture"));
    let calm = Mutex::new(calm);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| work_off(&calm, &shared, &ended, &failed));
        }
        scope.spawn(|| {
            if !killing.is_empty() {
                work_off(&Mutex::new(killing), &Servers::own("torture"), &ended, &failed);
            }
        });
    });
    let (ended, failed) = (ended.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("{}", table::table(&ended));
    assert!(
        failed.is_empty(),
        "VECFERRY_TEST_SEED={seed}: {} of {} runs failed\n{}",
        failed.len(),
        ended.len() + failed.len(),
        failed.join("\n")
    );
    if let Ok(page) = std::env::var("TORTURE_PAGE") {
        table::write(&root().join(page), seed, &ended);
    }
}

/// Takes one case after the other.
fn work_off(
    cases: &Mutex<VecDeque<Case>>,
    servers: &Servers,
    ended: &Mutex<Vec<(Case, Outcome)>>,
    failed: &Mutex<Vec<String>>,
) {
    loop {
        let Some(case) = cases.lock().unwrap().pop_front() else { return };
        let started = Instant::now();
        // A failure of one run is told with those of the others.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut ordeal = Ordeal::prepare(&case, servers);
            let result = ordeal.endure().and_then(|()| ordeal.judge());
            let evidence = result.is_err().then(|| ordeal.evidence());
            (result, ordeal.outcome, evidence.unwrap_or_default())
        }));
        let (number, text, took) = (case.number, case.text(), started.elapsed());
        let message = match result {
            Ok((Ok(()), outcome, _)) => {
                println!("run {number}: {:.1} s, {:?}, {text}", took.as_secs_f64(), outcome.codes);
                ended.lock().unwrap().push((case, outcome));
                continue;
            }
            Ok((Err(problem), outcome, evidence)) => format!("{problem}\n{:?}\n{evidence}", outcome.codes),
            Err(panic) => match panic.downcast_ref::<String>() {
                Some(message) => message.clone(),
                None => "it panicked".to_owned(),
            },
        };
        let message = format!("run {number} (TORTURE_ONLY={number}): {text}\n{message}");
        println!("{message}");
        failed.lock().unwrap().push(message);
    }
}
