//! Collections that the migration service moves, against a service in memory: what goes well, what does not, and a kill, a lost
//! answer or a stop at every single call.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::case::{described, plain};
use super::fake::{FakeCluster, Stage};
use super::script::{Script, Trouble};
use super::service::FakeService;
use super::world::{Row, World};
use crate::cluster::{ClusterError, ErrorKind, ReadSide};
use crate::diagnostic::Code;
use crate::diff::{Action, Entry, MARK_ROWS, Place, Prior, Rows, Seen, Work, decide};
use crate::mapping;
use crate::plan::resolved::{Engine, Limits, OnExisting, Settings, Tier};
use crate::run::Memory;
use crate::run::{Execution, JobError, ManagedPair, Pace, Report, Sides, Silent, Task, execute};
use crate::state::{JobId, ManagedStage, Outcome, Store};

/// Two clusters, the service between them, and the state.
struct Stand {
    service: FakeService,
    store: Store,
    settings: Settings,
    engine: Engine,
    most: usize,
    runs: u32,
    _folder: crate::searched::Folder,
}

/// The database of a collection: there are three.
fn database(name: &str) -> String {
    let number: u32 = name.trim_start_matches('c').parse().unwrap();
    format!("db{}", number % 3)
}

fn place(uri: &str, name: &str) -> Place {
    Place { uri: uri.into(), database: database(name), collection: name.into() }
}

impl Stand {
    fn new(collections: usize) -> Self {
        let shm = std::path::Path::new("/dev/shm");
        let folder = if shm.is_dir() { crate::searched::folder_in(shm) } else { crate::searched::folder() };
        let mut world = World::new(plain(7, 6), None, "c0", Script::new(), 1);
        for number in 1..collections {
            world.source.insert(format!("c{number}"), plain(7 + number as i64, 6 + number as i64 % 3));
        }
        let stage = Stage {
            world: Arc::new(Mutex::new(world)),
            death: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
            calm: false,
        };
        Self {
            service: FakeService::new(stage),
            store: Store::new(folder.path()),
            settings: Settings { aliases: vec!["live".into()], ..Settings::plain(OnExisting::Fail) },
            engine: Engine::ZillizCloud,
            most: 10,
            runs: 0,
            _folder: folder,
        }
    }

    fn names(&self) -> Vec<String> {
        self.service.stage.world().source.keys().cloned().collect()
    }

    fn look(&self, name: &str) -> Entry {
        let calm = FakeCluster::new(self.service.stage.clone(), true);
        let can = calm.capabilities();
        let world = self.service.stage.world();
        let named = |mut live: crate::collection::LiveCollection| {
            live.name = name.to_owned();
            live
        };
        let source = named(described(&world.source[name]));
        let mut mapping = mapping::compile(&source, &self.settings, name, can, can);
        mapping::settle_shards(&mut mapping, &source, self.settings.shards, can, 6);
        let (from, to) = (place("http://old:1", name), place("http://new:1", name));
        let prior = self.store.job(&JobId::of(&to.uri, &to.database, &to.collection)).unwrap();
        let counted = |physical: usize| Rows { physical: physical as u64, doubled: Some(0), ..Rows::default() };
        decide(Seen {
            address: format!("m.{to}"),
            plan_hash: "p1:sha256:aa".into(),
            pinned_hash: "p1:sha256:aa".into(),
            engine: self.engine,
            tiers: (Tier::Dedicated, Tier::Dedicated),
            units: None,
            not_managed: Vec::new(),
            source_rows: Some(counted(world.source[name].rows.len())),
            source: Some(source),
            source_error: None,
            state_error: None,
            target_rows: world.target.get(name).map(|there| counted(there.rows.len())),
            target: world.target.get(name).map(|there| named(described(there))),
            target_database_exists: true,
            row_diff: None,
            doubled_values: (0, Vec::new()),
            lost_keys: None,
            survey: None,
            unscanned: false,
            aliases: Vec::new(),
            prior: prior.as_ref().map(Prior::of),
            source_load_needs_index: true,
            target_load_needs_index: true,
            mapping: Some(mapping),
            from,
            to,
            settings: self.settings.clone(),
        })
    }

    fn look_at_all(&self) -> Vec<Entry> {
        self.names().iter().map(|name| self.look(name)).collect()
    }

    /// Runs what was decided; none where the process died.
    fn attempt(&mut self, entries: &[Entry]) -> Option<Vec<Report>> {
        self.runs += 1;
        self.service.stage.death = Arc::new(Notify::new());
        self.service.stage.stop = CancellationToken::new();
        let stage = self.service.stage.clone();
        let pace = Pace::new(
            &Limits { write_mb_per_s: None, concurrency: 2, split_rows: 3 },
            &Arc::new(Memory::new(256 << 20, 2)),
        );
        let pair = Arc::new(ManagedPair {
            control: Arc::new(self.service.clone()),
            from: "in01-old".into(),
            to: "in01-new".into(),
            most_collections: self.most,
        });
        let run = format!("run-{}", self.runs);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let tasks = entries.iter().filter(|entry| entry.work != Work::None).map(|entry| Task {
                entry,
                sides: Sides {
                    source: Arc::new(FakeCluster::new(stage.clone(), false)),
                    target: Arc::new(FakeCluster::new(stage.clone(), true)),
                },
                pace: &pace,
                plan: ("p".into(), "p.yaml".into()),
                census: None,
                managed: Some(Arc::clone(&pair)),
            });
            let execution =
                Execution { store: &self.store, run: &run, observer: &Silent, stop: &stage.stop, saved_plan: None };
            tokio::select! {
                biased;
                reports = execute(&execution, tasks.collect()) => Some(reports),
                () = stage.death.notified() => None,
            }
        })
    }

    /// Runs the same command once more.
    fn again(&mut self) -> Vec<Report> {
        let entries = self.look_at_all();
        self.attempt(&entries).expect("nobody kills it")
    }

    fn jobs(&self) -> Vec<Vec<String>> {
        let remembered = self.service.remembered();
        let names = |migration: &crate::cluster::zilliz::CloudMigration| {
            migration.databases.iter().flat_map(|database| database.collections.clone()).collect()
        };
        remembered.jobs.iter().map(|job| names(&job.migration)).collect()
    }

    /// Collections whose target does not hold each row of the source once, or is not marked as complete, or is left loaded.
    fn wrong(&self) -> Vec<String> {
        let world = self.service.stage.world();
        let numbers = |rows: &[Row]| {
            let mut numbers: Vec<i64> = rows.iter().map(Row::number).collect();
            numbers.sort_unstable();
            numbers
        };
        let is_right = |name: &String| {
            world.target.get(name).is_some_and(|target| {
                numbers(&target.rows) == numbers(&world.source[name].rows)
                    && target.mark.contains_key(MARK_ROWS)
                    && target.loaded == self.settings.load
            })
        };
        world.source.keys().filter(|name| !is_right(name)).cloned().collect()
    }

    fn stage_of(&self, name: &str) -> ManagedStage {
        let to = place("http://new:1", name);
        let job = self.store.job(&JobId::of(&to.uri, &to.database, &to.collection)).unwrap().unwrap();
        job.managed.unwrap().stage()
    }
}

fn errors(reports: &[Report]) -> Vec<(&str, String)> {
    let failed = reports.iter().filter_map(|report| Some((report.address.as_str(), report.result.as_ref().err()?)));
    failed.map(|(address, error)| (address, error.to_string())).collect()
}

#[test]
fn a_job_that_succeeds_is_verified_and_marked() {
    let mut stand = Stand::new(4);
    let reports = stand.again();
    assert_eq!(errors(&reports), []);
    assert_eq!((stand.jobs().len(), stand.wrong()), (1, vec![]));
    let success = reports[1].result.as_ref().unwrap();
    assert_eq!((success.rows, success.moved_by.as_deref()), (7, Some("job-1")));
    assert!(stand.look_at_all().iter().all(|entry| entry.action == Action::Unchanged));
    assert!(stand.again().is_empty());
}

#[test]
fn a_failing_collection_of_twenty_five_is_named_and_alone_retried() {
    let mut stand = Stand::new(25);
    stand.service.remembered().bad.insert("c7".into());
    let reports = stand.again();
    let jobs = stand.jobs();
    assert_eq!(jobs.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(stand.wrong(), ["c7"]);
    let found = errors(&reports);
    assert_eq!(found.len(), 1, "{found:?}");
    let said = &found[0].1;
    assert!(found[0].0.ends_with("c7") && said.contains("FAILED (collection c7 cannot be read)"), "{said}");
    assert!(said.contains("the target holds no such collection") && said.contains("job job-"), "{said}");
    assert!(matches!(
        reports.iter().find_map(|report| report.result.as_ref().err()),
        Some(JobError::Managed { gave_up: true, .. })
    ));

    let again = stand.again();
    assert_eq!((again.len(), errors(&again).len()), (1, 1), "only that one is asked for again");
    assert_eq!(stand.jobs().last().unwrap(), &["c7"]);
    stand.service.remembered().bad.clear();
    assert_eq!(errors(&stand.again()), []);
    assert_eq!((stand.jobs().len(), stand.wrong()), (5, vec![]));
}

#[test]
fn a_collection_that_failed_goes_alone_beside_new_ones() {
    let mut stand = Stand::new(3);
    stand.service.remembered().bad.insert("c1".into());
    stand.again();
    stand.service.stage.world().source.insert("c3".into(), plain(90, 5));
    stand.service.stage.world().source.insert("c4".into(), plain(91, 5));
    stand.again();
    let jobs = stand.jobs();
    assert_eq!(jobs[1].iter().collect::<BTreeSet<_>>(), BTreeSet::from([&"c3".to_owned(), &"c4".to_owned()]));
    assert_eq!(jobs[2], ["c1"]);
}

#[test]
fn rows_that_a_successful_job_lost_are_found_and_moved_again_only_when_told() {
    let mut stand = Stand::new(2);
    stand.service.remembered().loses.insert("c1".into());
    let reports = stand.again();
    let error = reports[1].result.as_ref().unwrap_err();
    assert!(matches!(error, JobError::Managed { gave_up: false, .. }), "{error}");
    assert!(error.to_string().contains("SUCCESSFUL") && error.to_string().contains("1 rows are missing"), "{error}");
    assert!(error.help().contains("on_existing: replace") && error.difference().is_some());
    // The same again: it is compared once more, and nothing is asked for or dropped.
    let again = stand.again();
    assert_eq!((again.len(), errors(&again).len(), stand.jobs().len()), (1, 1, 1));
    stand.service.remembered().loses.clear();
    stand.settings.on_existing = OnExisting::Replace;
    let entry = stand.look("c1");
    assert_eq!((entry.action, entry.work, entry.rows_lost), (Action::Replace, Work::Refill, 6));
    assert_eq!(errors(&stand.again()), []);
    assert_eq!((stand.jobs().len(), stand.wrong()), (2, vec![]));
}

#[test]
fn what_a_failed_job_left_is_made_anew() {
    let mut stand = Stand::new(2);
    stand.service.remembered().loses.insert("c0".into());
    stand.service.remembered().bad.insert("c1".into());
    assert_eq!(errors(&stand.again()).len(), 2);
    stand.service.remembered().loses.clear();
    stand.service.remembered().bad.clear();
    let entry = stand.look("c0");
    assert_eq!((entry.action, entry.rows_lost), (Action::Replace, 5));
    assert_eq!(errors(&stand.again()), []);
    assert_eq!(stand.wrong(), Vec::<String>::new());

    // Somebody else's collection of the name is not taken for it.
    let mut stand = Stand::new(2);
    stand.service.remembered().bad.insert("c0".into());
    stand.again();
    let stranger = plain(400, 3);
    stand.service.stage.world().target.insert("c0".into(), stranger);
    let entry = stand.look("c0");
    assert_eq!((entry.action, entry.blocked[0].code), (Action::Blocked, Code::TargetExists));
}

#[test]
fn a_job_that_somebody_cancels_is_told_with_its_word() {
    let mut stand = Stand::new(2);
    stand.service.remembered().cancels = true;
    let found = stand.again();
    assert!(errors(&found).iter().all(|(_, said)| said.contains("ended as CANCELED")), "{:?}", errors(&found));
    assert_eq!(errors(&stand.again()), []);
    assert_eq!(stand.wrong(), Vec::<String>::new());
}

#[test]
fn words_that_nobody_knows_are_followed_on() {
    let mut stand = Stand::new(2);
    stand.service.remembered().word = Some("REBALANCING");
    assert_eq!(errors(&stand.again()), []);
}

#[test]
fn a_job_that_the_service_forgets_is_looked_for_on_the_target() {
    let mut stand = Stand::new(2);
    stand.service.remembered().forgets = true;
    let reports = stand.again();
    assert_eq!(errors(&reports), [], "{}", stand.service.stage.world().trace.join("\n"));
    assert_eq!((stand.jobs().len(), stand.wrong()), (1, vec![]));
}

#[test]
fn a_refusal_reaches_the_user_and_leaves_no_job_behind() {
    let mut stand = Stand::new(2);
    let gone = ClusterError::new(ErrorKind::Refused, "http://service:1", "start a migration", "it is gone for good");
    stand.service.remembered().answers = vec![gone];
    let reports = stand.again();
    for (_, said) in errors(&reports) {
        assert!(said.contains("http://service:1") && said.contains("it is gone for good"), "{said}");
    }
    assert_eq!((errors(&reports).len(), stand.stage_of("c0")), (2, ManagedStage::NotAsked));
    assert_eq!(errors(&stand.again()), []);
}

#[test]
fn a_cluster_that_is_busy_is_waited_for() {
    let mut stand = Stand::new(2);
    stand.service.remembered().busy = 9;
    let mut not_now = ClusterError::new(ErrorKind::Refused, "http://service:1", "start a migration", "not now");
    not_now.code = Some(40_003);
    stand.service.remembered().answers = vec![not_now];
    assert_eq!(errors(&stand.again()), []);
}

#[test]
fn an_answer_without_an_id_is_followed_by_what_shows() {
    let mut stand = Stand::new(3);
    let stage = stand.service.stage.clone();
    // The request is the first call after room was made for three collections and both clusters were looked at.
    let request = calls_until(&mut Stand::new(3), "migrate");
    stage.world().script(vec![(request, Trouble::AnswerLost)]);
    let reports = stand.again();
    assert_eq!(errors(&reports), [], "{}", stage.world().trace.join("\n"));
    assert_eq!((stand.jobs().len(), stand.wrong()), (1, vec![]));
    assert_eq!(reports[0].result.as_ref().unwrap().moved_by.as_deref(), Some(""));
}

/// Calls before the first one of that name in a run without trouble.
fn calls_until(stand: &mut Stand, name: &str) -> u32 {
    stand.again();
    let world = stand.service.stage.world();
    let line = world.trace.iter().find(|line| line.contains(&format!("service: {name}"))).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u32>().unwrap() - 1
}

#[test]
fn a_stop_leaves_the_job_going_and_the_next_run_follows_it() {
    let look = calls_until(&mut Stand::new(2), "look at");
    let mut stand = Stand::new(2);
    stand.service.stage.world().script(vec![(look, Trouble::Stop)]);
    let reports = stand.again();
    for report in &reports {
        let error = report.result.as_ref().unwrap_err();
        assert!(matches!(error, JobError::StillGoing { job: Some(job) } if job == "job-1"), "{error}");
        assert!(error.is_interruption() && error.help().contains("console"));
    }
    assert_eq!(stand.stage_of("c0"), ManagedStage::Going("job-1".into()));
    let to = place("http://new:1", "c0");
    let job = stand.store.job(&JobId::of(&to.uri, &to.database, &to.collection)).unwrap().unwrap();
    assert_eq!(job.outcome, Some(Outcome::Canceled));
    assert_eq!(errors(&stand.again()), []);
    assert_eq!((stand.jobs().len(), stand.wrong()), (1, vec![]));
}

#[test]
fn another_engine_on_an_unfinished_run_is_refused_while_a_job_may_be_going() {
    let look = calls_until(&mut Stand::new(1), "look at");
    let mut stand = Stand::new(1);
    stand.service.stage.world().script(vec![(look, Trouble::Stop)]);
    stand.again();
    stand.engine = Engine::Direct;
    let entry = stand.look("c0");
    assert!(entry.state_conflict && entry.blocked[0].code == Code::UnfinishedOther, "{:?}", entry.blocked);
    stand.engine = Engine::ZillizCloud;
    stand.service.remembered().cancels = true;
    stand.again();
    // Its job is over and brought nothing, so nothing stands in the way.
    stand.engine = Engine::Direct;
    let entry = stand.look("c0");
    assert_eq!((entry.action, entry.work), (Action::Create, Work::Fill));
    assert_eq!(errors(&stand.again()), []);
    assert_eq!(stand.wrong(), Vec::<String>::new());
}

/// Runs the same command until it succeeds, with what may be expected on the way.
fn comes_through(mut stand: Stand, script: Script) -> Result<(), String> {
    let told = format!("{script:?}");
    let troubles = script.len();
    stand.service.stage.world().script(script);
    for _ in 0..3 + 2 * troubles {
        let entries = stand.look_at_all();
        if let Some(entry) = entries.iter().find(|entry| entry.action == Action::Blocked) {
            return Err(format!("{told}: blocked: {:?}", entry.blocked));
        }
        let Some(reports) = stand.attempt(&entries) else { continue };
        let failed: Vec<&JobError> = reports.iter().filter_map(|report| report.result.as_ref().err()).collect();
        let expected = |error: &&JobError| error.is_interruption() || matches!(error, JobError::Cluster(_));
        if let Some(error) = failed.iter().find(|error| !expected(error)) {
            return Err(format!("{told}: unexpected: {error}\n{}", stand.service.stage.world().trace.join("\n")));
        }
        if failed.is_empty() {
            let mut wrong = stand.wrong();
            // Whatever happened, a job that is at work is found, and nothing is asked for a second time.
            let asked: Vec<String> = stand.jobs().concat();
            wrong.extend(stand.names().into_iter().filter(|name| asked.iter().filter(|one| *one == name).count() > 1));
            let again = stand.look_at_all();
            let left: Vec<_> = again.iter().filter(|entry| entry.work != Work::None).collect();
            return match wrong.is_empty() && left.is_empty() {
                true => Ok(()),
                false => Err(format!("{told}: {wrong:?}\n{}", stand.service.stage.world().trace.join("\n"))),
            };
        }
    }
    Err(format!("{told}: it did not succeed\n{}", stand.service.stage.world().trace.join("\n")))
}

fn small() -> Stand {
    let mut stand = Stand::new(3);
    stand.most = 2;
    stand
}

#[test]
fn trouble_at_any_single_call_is_made_good() {
    let mut calm = small();
    assert_eq!(errors(&calm.again()), []);
    let calls = calm.service.stage.world().calls;
    assert!(calls > 30, "{calls}");
    let troubles = [
        Trouble::DiesBefore,
        Trouble::DiesAfter,
        Trouble::AnswerLost,
        Trouble::Stop,
        Trouble::Fails(ErrorKind::Transient),
        Trouble::Fails(ErrorKind::Refused),
    ];
    let failures: Vec<String> = (0..calls + 2)
        .flat_map(|call| troubles.map(|trouble| vec![(call, trouble)]))
        .filter_map(|script| comes_through(small(), script).err())
        .collect();
    assert!(failures.is_empty(), "{} fail, the first of them: {}", failures.len(), failures[0]);
}

#[test]
fn several_troubles_are_made_good_too() {
    let troubles = [
        Trouble::DiesBefore,
        Trouble::DiesAfter,
        Trouble::AnswerLost,
        Trouble::Stop,
        Trouble::Fails(ErrorKind::Transient),
        Trouble::Fails(ErrorKind::Unreachable),
    ];
    let seed = super::setting("VECFERRY_TEST_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let mut dice = World::new(plain(1, 1), None, "c0", Script::new(), seed);
    for _ in 0..super::setting("VECFERRY_TEST_CASES").unwrap_or(150) {
        let number = 2 + dice.random(4);
        let script = (0..number).map(|_| (dice.random(160) as u32, troubles[dice.random(6) as usize])).collect();
        comes_through(small(), script).unwrap_or_else(|failure| panic!("VECFERRY_TEST_SEED={seed}\n{failure}"));
    }
}
