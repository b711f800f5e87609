//! What the migration service moves, seen from outside: many collections, kills, lost answers, and a service that says no.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::plans::{by_id, made, managed};
use super::{NEW, OLD, Simulator, two_clusters};
use crate::runs::Running;
use crate::scripts;
use crate::servers::{source, target};
use crate::support::{Place, Workspace, act, assert_identical, database, fill, fill_spec, place};

const APPLY: [&str; 3] = ["apply", "--auto-approve", "plan.yaml"];

/// `articles` of a database of the shared source.
fn articles() -> &'static Place {
    static ARTICLES: LazyLock<Place> = LazyLock::new(|| {
        let at = place(source(), &database("cloud_managed"), "articles");
        fill(&at, "small", &[]);
        at
    });
    &ARTICLES
}

/// A simulator, and a plan that has the service move `articles` to a database of its own.
struct Scene {
    cloud: Simulator,
    work: Workspace,
    to: Place,
}

impl Scene {
    fn new(topic: &str, more: &Value) -> Scene {
        let mut config = two_clusters();
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        let scene = Scene {
            cloud: Simulator::start(config),
            work: Workspace::new(),
            to: place(target(), &database(topic), "articles"),
        };
        let new = by_id(&scene.cloud, NEW, "");
        scene.plan(&new);
        scene
    }

    fn plan(&self, new: &str) {
        let databases = (articles().database.as_str(), self.to.database.as_str());
        let moved = managed(databases, "[{source: articles}]");
        self.work.plan_of(&by_id(&self.cloud, OLD, ""), new, &[moved]);
    }

    fn start(&self) -> Running {
        self.work.start_cloud(&self.cloud, &APPLY, &[])
    }

    /// Waits until the control plane was asked so often.
    #[track_caller]
    fn until_asked(&self, run: &mut Running, endpoint: &str, times: usize) {
        let end = Instant::now() + Duration::from_secs(120);
        while self.cloud.count(endpoint) < times {
            assert!(!run.has_ended() && Instant::now() < end, "{endpoint}: {:#?}", self.cloud.requests());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One job moved the rows, and nothing is left to do.
    #[track_caller]
    fn arrived_once(&self) {
        assert_eq!(self.cloud.jobs().len(), 1, "{:#?}", self.cloud.jobs());
        self.arrived();
    }

    #[track_caller]
    fn arrived(&self) {
        assert_identical(articles(), &self.to, &[]);
        self.work.look_cloud(&self.cloud).ended(0);
    }
}

/// Names of so many collections.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("c{number:02}")).collect()
}

/// All of these hold the rows of the first collection of the first database, by the independent reader.
#[track_caller]
fn assert_arrived(first: &Place, to: &str, names: &[String]) {
    let (first, to) = (first.to_string(), format!("{}/{to}", target().uri()));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answer = scripts::run("compare_each.py", &[&[first.as_str(), &to], &names[..]].concat());
    assert!(answer.code == 0, "{}{}", answer.out, answer.err);
}

#[test]
fn of_twenty_five_collections_in_three_databases_the_one_that_fails_is_named_and_tried_again_alone() {
    let databases = [12, 8, 5].map(|count| (database("cloud_many"), count));
    for (name, count) in &databases {
        let rows: Vec<Value> = (0..20).map(|id| json!({"id": id, "vector": [id, 0.5, 1.0, 2.0]})).collect();
        let specs = names(*count).into_iter().map(|collection| {
            json!({
                "name": collection, "dynamic": false, "rows": rows, "index": {"index_type": "FLAT", "metric_type": "L2"},
                "fields": [
                    {"name": "id", "type": "int64", "primary": true},
                    {"name": "vector", "type": "float_vector", "dim": 4},
                ],
            })
        });
        fill_spec(source(), name, &specs.collect());
    }
    let (cloud, work) = (Simulator::start(two_clusters()), Workspace::new());
    let moved: Vec<String> = databases.iter().map(|(name, _)| managed((name, name), "[{match: \"*\"}]")).collect();
    work.plan_of(&by_id(&cloud, OLD, ""), &by_id(&cloud, NEW, ""), &moved);
    let failing = format!("{}.c03", databases[1].0);
    cloud.fault(json!({"fail_collections": {&failing: "its segment 7 cannot be read"}}));
    work.apply_cloud(&cloud).ended(3).says(&[&failing, "its segment 7 cannot be read", "24 successful, 1 failed"]);
    let first = place(source(), &databases[0].0, "c00");
    for (name, count) in &databases {
        let there: Vec<String> = names(*count).into_iter().filter(|one| format!("{name}.{one}") != failing).collect();
        assert_eq!(act(&place(target(), name, ""), "collections", &[]), json!(there));
        // vecferry has compared all of them; loading each once more would take the test a minute.
        assert_arrived(&first, name, &there[2..5]);
    }
    let sent = cloud.bodies("toExisting");
    let of_job = |body: &Value| -> usize {
        let groups = body["dbCollections"].as_array().unwrap().iter();
        groups.map(|group| group["collections"].as_array().unwrap().len()).sum()
    };
    assert!(sent.iter().all(|body| of_job(body) <= 10) && sent.len() >= 3, "{sent:#?}");

    cloud.fault(json!({"fail_collections": {}}));
    work.apply_cloud(&cloud).ended(0);
    let again = &cloud.bodies("toExisting")[sent.len()..];
    let wanted = json!([{
        "dbName": databases[1].0, "destDbName": databases[1].0, "collections": [{"collectionName": "c03"}],
    }]);
    assert!(again.len() == 1 && again[0]["dbCollections"] == wanted, "{again:#?}");
    assert_arrived(&first, &databases[1].0, &names(4)[3..]);
    work.look_cloud(&cloud).ended(0);
}

#[test]
fn a_run_that_is_killed_while_its_job_works_finds_the_job_again() {
    let scene = Scene::new("cloud_killed", &json!({"faults": {"hold_jobs": true}}));
    let mut run = scene.start();
    scene.until_asked(&mut run, "job", 2);
    assert!(run.kill9());
    let asked = scene.cloud.count("job");
    let mut run = scene.start();
    scene.until_asked(&mut run, "job", asked + 1);
    scene.cloud.fault(json!({"hold_jobs": false}));
    run.wait().ended(0);
    assert_eq!(scene.cloud.count("toExisting"), 1);
    scene.arrived_once();
}

#[test]
fn a_lost_answer_to_the_start_of_a_job_starts_no_other() {
    let scene = Scene::new("cloud_lost", &json!({"faults": {"lose_answer": {"toExisting": 1}}}));
    scene.work.apply_cloud(&scene.cloud).ended(0);
    scene.arrived_once();
}

#[test]
fn an_answer_without_the_id_of_its_job_starts_no_other() {
    let scene = Scene::new("cloud_nameless", &json!({"faults": {"no_job_id": true}}));
    scene.work.apply_cloud(&scene.cloud).ended(0);
    scene.arrived_once();
}

#[test]
fn where_the_service_is_gone_the_way_out_is_named_and_works() {
    let scene = Scene::new("cloud_gone", &json!({"faults": {"gone": 410}}));
    scene.work.apply_cloud(&scene.cloud).ended(3).says(&["deprecated", "engine: direct"]);
    let plan = std::fs::read_to_string(scene.work.path().join("plan.yaml")).unwrap();
    scene.work.write("plan.yaml", &plan.replace("engine: zilliz_cloud", "engine: direct"));
    scene.work.apply_cloud(&scene.cloud).ended(0);
    scene.arrived();
}

#[test]
fn a_job_that_was_canceled_in_the_console_is_told_of_and_can_be_tried_again() {
    let scene = Scene::new("cloud_console", &json!({"faults": {"hold_pending": true}}));
    let mut run = scene.start();
    scene.until_asked(&mut run, "job", 1);
    scene.cloud.fault(json!({"cancel": "all", "hold_pending": false}));
    let ended = run.wait().says(&["CANCELED"]);
    assert!(![Some(0), None].contains(&ended.code), "{ended:?}");
    scene.work.apply_cloud(&scene.cloud).ended(0);
    scene.arrived();
}

#[test]
fn canceling_stops_following_and_says_where_the_job_is_canceled() {
    let scene = Scene::new("cloud_cancel", &json!({"faults": {"hold_jobs": true}}));
    let mut run = scene.start();
    scene.until_asked(&mut run, "job", 1);
    let name = scene.work.journal()[0]["run"].as_str().unwrap().to_owned();
    scene.work.run_cloud(&scene.cloud, &["cancel", &name, "plan.yaml"]).ended(0).says(&["console"]);
    run.wait().ended(130).says(&["console"]);
    scene.work.run_cloud(&scene.cloud, &["status", "plan.yaml"]).ended(0).says(&["CANCELED"]);
    scene.cloud.fault(json!({"hold_jobs": false}));
    scene.work.apply_cloud(&scene.cloud).ended(0);
    scene.arrived_once();
}

#[test]
fn words_that_nobody_knows_and_refusals_for_a_while_are_waited_out() {
    let scene = Scene::new(
        "cloud_words",
        &json!({"faults": {
            "job_word": "WAITING_FOR_THE_TIDE",
            "refuse": {"cluster": {"status": 503, "times": 2}, "job": {"status": 429, "times": 2}},
        }}),
    );
    let mut run = scene.start();
    scene.until_asked(&mut run, "job", 4);
    scene.work.run_cloud(&scene.cloud, &["status", "plan.yaml"]).ended(0).says(&["WAITING_FOR_THE_TIDE"]);
    scene.cloud.fault(json!({"job_word": null}));
    run.wait().ended(0);
    scene.arrived_once();
}

#[test]
fn answers_in_all_of_the_documentations_shapes_are_understood() {
    let scene = Scene::new("cloud_sloppy", &json!({"sloppy": true, "speeds": {"job_seconds": 1.5}}));
    let new = made(&scene.cloud, "kb-prod");
    scene.plan(&new);
    scene.work.apply_cloud(&scene.cloud).ended(0);
    scene.arrived_once();
}
