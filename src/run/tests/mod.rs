//! The real job against collections in memory, through every trouble that a script can think of, again and again until it is
//! done: then the target holds each row once.
//!
//! `script` is what goes wrong, `world` the collections and what must hold of every call, `fake` the clusters, `case` what is
//! copied. Time stands still: pauses between attempts cost nothing. A failure prints its script, which is made as small as
//! it gets, and every call. `VECFERRY_TEST_SEED` repeats a run, `VECFERRY_TEST_CASES` asks for more sequences of each flavour.

mod case;
mod fake;
mod keys;
mod managed;
mod script;
mod service;
mod world;

use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cluster::{Moment, ReadSide};
use crate::collection::{Key, KeyRange};
use crate::diff::{Action, Entry, Prior, Rows, Seen, Work, decide};
use crate::mapping::{self, Mapping};
use crate::plan::resolved::{Engine, Limits, Tier};
use crate::state::{JobId, Progress, Split, Store};
use case::{Case, Flavour, NAME, cases, described};
use fake::{FakeCluster, Stage};
use script::Trouble;
use world::World;

/// Sequences of each flavour. There are ten.
const CASES: u32 = 1_100;

/// How a sequence ended.
#[derive(Debug, Clone, Copy, Default)]
struct Ended {
    attempts: u32,
    /// Whether something happened too late for the proof to see it.
    too_late: bool,
}

fn place(uri: &str) -> Place {
    Place { uri: uri.into(), database: "default".into(), collection: NAME.into() }
}

fn limits(case: &Case) -> Limits {
    Limits { write_mb_per_s: None, concurrency: case.at_once, split_rows: case.split_rows as u64 }
}

/// Tells the world where a run stands.
struct Watcher(Stage);

impl Observer for Watcher {
    fn event(&self, _: &str, event: &Event) {
        let mut world = self.0.world();
        if let Event::Phase(name) = event {
            world.trace.push(format!("     {name}"));
            match *name {
                "flushing" => (world.source_looked, world.copied) = (None, world.calls),
                "verifying" => (world.target_looked, world.proves_since) = (None, world.calls),
                _ => {}
            }
        }
    }
}

/// The splits of the source as it is now, in pieces as small as the case asks for.
fn census_of(case: &Case, mapping: &Mapping, world: &World) -> Census {
    let source = &world.source[NAME];
    let mut splits = Vec::new();
    let mut distinct = 0;
    for partitions in groups(mapping) {
        let within = |row: &&world::Row| partitions.is_empty() || partitions.contains(&row.partition);
        let mut keys: Vec<Key> = source.rows.iter().filter(within).map(|row| row.key("id")).collect();
        keys.sort();
        keys.dedup();
        distinct += keys.len();
        let borders: Vec<Key> = keys.chunks(case.split_rows).filter_map(<[Key]>::last).cloned().collect();
        splits.extend(KeyRange::between(&borders).into_iter().map(|range| {
            let rows = keys.iter().filter(|key| range.contains(key)).count() as u64;
            Split { partitions: partitions.clone(), range, rows }
        }));
    }
    let physical = source.rows.len() as u64;
    let rows = Rows { physical, doubled: Some(physical - distinct as u64), row_bytes: 50, ..Rows::default() };
    Census { splits, rows, moment: Moment::default() }
}

/// What a look at both sides decides. Nothing goes wrong in it: a look that fails changes nothing.
fn look(case: &Case, stage: &Stage, store: &Store) -> (Entry, Option<Census>) {
    let calm = FakeCluster::new(stage.clone(), true);
    let can = calm.capabilities();
    let world = stage.world();
    let source = described(&world.source[NAME]);
    let settings = case.settings();
    let mut mapping = mapping::compile(&source, &settings, NAME, can, can);
    mapping::settle_shards(&mut mapping, &source, settings.shards, can, case.rows as u64);
    let census = (case.counted_before && source.load_state == crate::collection::LoadState::Loaded)
        .then(|| census_of(case, &mapping, &world));
    let (from, to) = (place("http://old:1"), place("http://new:1"));
    let prior = store.job(&JobId::of(&to.uri, &to.database, &to.collection)).unwrap();
    let entry = decide(Seen {
        address: "m.default.docs".into(),
        plan_hash: "p1:sha256:aa".into(),
        pinned_hash: "p1:sha256:aa".into(),
        engine: Engine::Direct,
        tiers: (Tier::SelfHosted, Tier::SelfHosted),
        units: None,
        not_managed: Vec::new(),
        source: Some(source),
        source_error: None,
        state_error: None,
        target: world.target.get(NAME).map(described),
        target_database_exists: true,
        source_rows: census.as_ref().map(|census| census.rows.clone()),
        target_rows: None,
        row_diff: None,
        doubled_values: (0, Vec::new()),
        lost_keys: None,
        survey: None,
        unscanned: false,
        aliases: vec![("live".into(), world.aliases.get("live").cloned())],
        prior: prior.as_ref().map(Prior::of),
        source_load_needs_index: true,
        target_load_needs_index: true,
        mapping: Some(mapping),
        from,
        to,
        settings,
    });
    (entry, census)
}

/// Runs what was decided; none where the process died.
fn attempt(
    case: &Case,
    stage: &Stage,
    store: &Store,
    number: u32,
    (entry, census): (&Entry, Option<Census>),
) -> Option<Result<Success, JobError>> {
    let sides = Sides {
        source: Arc::new(FakeCluster::new(stage.clone(), false)),
        target: Arc::new(FakeCluster::new(stage.clone(), true)),
    };
    let pace = Pace::new(&limits(case), &Arc::new(Memory::new(256 << 20, case.at_once)));
    let (run, watcher) = (format!("run-{number}"), Watcher(stage.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let task = Task { entry, sides, pace: &pace, plan: ("p".into(), "p.yaml".into()), census, managed: None };
        let execution = Execution { store, run: &run, observer: &watcher, stop: &stage.stop, saved_plan: None };
        tokio::select! {
            biased;
            mut reports = execute(&execution, vec![task]) => reports.pop().map(|report| report.result),
            () = stage.death.notified() => None,
        }
    })
}

/// Splits that the journal has as done while the target does not hold their rows.
fn ahead_of_the_target(world: &World, store: &Store, id: &JobId) -> Vec<String> {
    let (Some(job), Some(target)) = (store.job(id).unwrap(), world.target.get(NAME)) else { return Vec::new() };
    // What was deleted late was deleted by the proof, or by a comparison, which the proof finds.
    if job.target_id.is_some_and(|id| id != target.id) || world.source_changed > 0 || world.deleted_late {
        return Vec::new();
    }
    let splits = job.splits.iter().flatten().zip(&job.progress).enumerate();
    let held = |split: &Split| {
        let within = |row: &&world::Row| {
            split.range.contains(&row.key("id"))
                && (split.partitions.is_empty() || split.partitions.contains(&row.partition))
        };
        let numbers: std::collections::BTreeSet<i64> =
            world.source[NAME].rows.iter().filter(within).map(world::Row::number).collect();
        let there: std::collections::BTreeSet<i64> =
            target.rows.iter().map(world::Row::number).filter(|number| numbers.contains(number)).collect();
        there.len() as u64
    };
    splits
        .filter_map(|(number, (split, progress))| match progress {
            Progress::Done(tally) if tally.fingerprint.rows > held(split) => Some(format!(
                "split {number} is done with {} rows, and {} are there",
                tally.fingerprint.rows,
                held(split)
            )),
            _ => None,
        })
        .collect()
}

/// Whether something happened to the source after it was looked at once more, or to the target after the proof began, and nothing
/// was written since.
fn too_late(world: &World) -> bool {
    // The rows of the source are read once more when all are copied; after that they are counted.
    let edited = world.source_edited > world.copied;
    let changed = world.source_changed > world.source_looked.unwrap_or(world.copied);
    let landed = world.landed > world.target_looked.unwrap_or(world.proves_since);
    edited || changed || landed || world.replaced > world.target_read
}

/// The world before anything was done.
fn beginning(case: &Case) -> Stage {
    let world = World::new(case.source(), None, NAME, case.script.clone(), case.seed);
    Stage {
        world: Arc::new(Mutex::new(world)),
        death: Arc::new(Notify::new()),
        stop: CancellationToken::new(),
        calm: false,
    }
}

/// Runs the same command until it succeeds.
fn sequence(case: &Case, folder: &Path) -> Result<Ended, String> {
    sequence_on(&beginning(case), case, folder)
}

fn sequence_on(stage: &Stage, case: &Case, folder: &Path) -> Result<Ended, String> {
    let store = Store::new(folder);
    let id = JobId::of("http://new:1", "default", NAME);
    let wanted = look(case, stage, &store).0.wanted().unwrap().clone();
    if let Some(target) = case.target(&wanted) {
        stage.world().target.insert(NAME.to_owned(), target);
    }
    let told = |what: String| format!("{what}\n{}", stage.world().trace.join("\n"));
    // Each failed attempt takes at least one trouble, and a stranger two: the run that meets it, and the user who drops it.
    let most = 3 + 2 * case.script.len() as u32;
    for number in 1..=most {
        let stage = Stage { death: Arc::new(Notify::new()), stop: CancellationToken::new(), ..stage.clone() };
        {
            let mut world = stage.world();
            (world.saw_stranger, world.written_after, world.at_once) = (false, 0, case.at_once);
        }
        let (entry, census) = look(case, &stage, &store);
        stage.world().trace.push(format!("--- attempt {number}: {:?}, {:?}", entry.action, entry.work));
        if entry.action == Action::Blocked {
            let mut world = stage.world();
            let is_stranger = world.target.get(NAME).is_some_and(|target| world.strangers.contains(&target.id));
            if !is_stranger && too_late(&world) {
                return Ok(Ended { attempts: number, too_late: true });
            }
            if !is_stranger {
                drop(world);
                return Err(told(format!("blocked: {:?}", entry.blocked)));
            }
            world.target.remove(NAME);
            world.strangers.clear();
            continue;
        }
        // A run whose last call failed, the release of the source, has nothing left to do.
        let ended = match entry.work {
            Work::None => Some(Ok(Success { rows: case.wanted(&stage.world()).len() as u64, ..Success::default() })),
            _ => attempt(case, &stage, &store, number, (&entry, census)),
        };
        let mut breaches = std::mem::take(&mut stage.world().breaches);
        breaches.extend(ahead_of_the_target(&stage.world(), &store, &id));
        if !breaches.is_empty() {
            return Err(told(breaches.join("\n")));
        }
        match ended {
            None => stage.world().trace.push("     it died".into()),
            Some(Err(error)) => {
                stage.world().trace.push(format!("     it failed: {error}"));
                let world = stage.world();
                let expected = match &error {
                    JobError::Cluster(_) | JobError::Interrupted | JobError::MustStartOver(_) => true,
                    JobError::Bug => case.script.iter().any(|(_, trouble)| *trouble == Trouble::Panics),
                    JobError::Different(_) | JobError::Unsettled(_) => true,
                    JobError::LeftBehind { .. } => world.source_changed > 0,
                    JobError::Fenced(_) => !world.strangers.is_empty(),
                    JobError::Moving(_) | JobError::SourceMoves { .. } | JobError::Unreadable { .. } => {
                        world.source_changed > 0
                    }
                    _ => false,
                };
                drop(world);
                if !expected {
                    return Err(told(format!("unexpected: {error}")));
                }
            }
            Some(Ok(success)) => {
                let world = stage.world();
                let too_late = too_late(&world);
                if too_late {
                    return Ok(Ended { attempts: number, too_late });
                }
                let mut wrong = case.wrong(&world);
                let rows = case.wanted(&world).len() as u64;
                if success.rows != rows {
                    wrong.push(format!("{} rows were verified, and there are {rows}", success.rows));
                }
                drop(world);
                let (again, _) = look(case, &stage, &store);
                if again.action != Action::Unchanged && !case.flavour.converges() {
                    wrong.push(format!("afterwards it is {:?}, {:?}: {:?}", again.action, again.work, again.notes));
                }
                return match wrong.is_empty() {
                    true => Ok(Ended { attempts: number, too_late }),
                    false => Err(told(wrong.join("\n"))),
                };
            }
        }
    }
    Err(told(format!("it did not succeed in {most} attempts")))
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A folder for the state of many sequences: in memory where there is such a place, because each syncs some twenty records.
fn root() -> crate::searched::Folder {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { crate::searched::folder_in(shm) } else { crate::searched::folder() }
}

/// Many sequences of one flavour.
#[track_caller]
fn survives(flavour: Flavour) {
    let seed = setting("VECFERRY_TEST_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    // Other sequences for each flavour.
    bytes[8] = flavour as u8;
    let config = Config {
        cases: setting("VECFERRY_TEST_CASES").unwrap_or(CASES),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let root = root();
    let (number, attempts, too_late) = (Cell::new(0_u32), Cell::new(0), Cell::new(0));
    let result = runner.run(&cases(flavour), |case| {
        number.set(number.get() + 1);
        let folder = root.path().join(number.get().to_string());
        let ended = sequence(&case, &folder);
        fs_err::remove_dir_all(&folder).unwrap();
        let ended = ended.map_err(proptest::test_runner::TestCaseError::fail)?;
        attempts.set(attempts.get() + ended.attempts);
        too_late.set(too_late.get() + u32::from(ended.too_late));
        Ok(())
    });
    println!("{flavour:?}: {} sequences, {} attempts, {} too late", number.get(), attempts.get(), too_late.get());
    if let Err(failure) = result {
        panic!("VECFERRY_TEST_SEED={seed}\n{failure}");
    }
    assert!(too_late.get() * 4 < number.get(), "too much happens too late to be seen");
}

#[test]
fn integer_keys_arrive_once() {
    survives(Flavour::Int);
}

#[test]
fn text_keys_arrive_once() {
    survives(Flavour::Text);
}

#[test]
fn kept_keys_arrive_once() {
    survives(Flavour::Kept);
}

#[test]
fn rows_without_their_keys_arrive_once() {
    survives(Flavour::Unkept);
}

#[test]
fn rows_under_another_key_arrive_once() {
    survives(Flavour::Promoted);
}

#[test]
fn rows_whose_old_key_is_left_behind_arrive_once() {
    survives(Flavour::PromotedAlone);
}

#[test]
fn a_target_that_is_half_right_becomes_right() {
    survives(Flavour::Converge);
}

#[test]
fn a_target_that_is_pruned_becomes_the_same() {
    survives(Flavour::Prune);
}

#[test]
fn a_target_with_keys_of_its_own_is_pruned_and_becomes_the_same() {
    survives(Flavour::PruneKept);
}

#[test]
fn a_target_that_is_replaced_holds_each_row_once() {
    survives(Flavour::Replace);
}

/// Eight rows in four splits.
fn small(script: script::Script) -> Case {
    Case {
        flavour: Flavour::Int,
        rows: 8,
        split_rows: 2,
        counted_before: false,
        partitioned: false,
        doubles: false,
        misfits: false,
        at_once: 2,
        load: false,
        source_loaded: true,
        verify: crate::plan::resolved::Verify::Full,
        seed: 7,
        script,
    }
}

#[test]
fn a_bug_ends_the_work_on_its_own_collection_and_the_next_run_goes_on() {
    let folder = crate::searched::folder();
    for call in [5, 20, 35] {
        let case = small(vec![(call, Trouble::Panics)]);
        let ended = sequence(&case, &folder.path().join(call.to_string())).unwrap();
        assert_eq!(ended.attempts, 2, "the bug at call {call} was not met");
    }
}

#[test]
fn what_lands_while_the_target_is_loaded_is_noticed_although_it_is_read_as_of_before() {
    let root = root();
    let calm = beginning(&small(Vec::new()));
    sequence_on(&calm, &small(Vec::new()), &root.path().join("calm")).unwrap();
    let call = |line: &String| line.split_whitespace().next()?.parse::<u32>().ok();
    let insert = calm.world().trace.iter().find(|line| line.contains("target: insert")).and_then(call).unwrap();
    // The same rows a second time, and rows that nobody wants; at each call, because the order of calls may change.
    let late = (1..80).map(|calls| (insert - 1, Trouble::Late(calls)));
    let intruders = (insert..insert + 60).map(|call| (call, Trouble::TargetGrows));
    let (mut between, mut number) = ([0, 0], 0);
    for trouble in late.chain(intruders) {
        number += 1;
        let case = small(vec![trouble]);
        let stage = beginning(&case);
        let ended = sequence_on(&stage, &case, &root.path().join(number.to_string())).unwrap();
        let world = stage.world();
        let at = |what: &str| world.trace.iter().position(|line| line.contains(what));
        let (moment, proof) = (at("moment before load"), at("     verifying"));
        let landed = at("lands late").or(at("TargetGrows"));
        if landed.is_some() && landed > moment && landed < proof {
            assert!(!ended.too_late, "{}", world.trace.join("\n"));
            between[usize::from(trouble.1 == Trouble::TargetGrows)] += 1;
        }
    }
    assert!(between.iter().all(|times| *times > 0), "{between:?}");
}
