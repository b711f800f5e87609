//! Clusters that a plan wants made, and ones that are not ready: one is made, once, whatever happens in between.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::plans::{by_id, made, managed, migration};
use super::{KEY_VARIABLE, NEW, OLD, Simulator, cluster, two_clusters};
use crate::secrets;
use crate::servers::{source, target};
use crate::support::{Place, Workspace, assert_identical, database, fill, place};

const APPLY: [&str; 3] = ["apply", "--auto-approve", "plan.yaml"];
/// Runs that are killed at once: most of their time is waiting for the server.
const AT_ONCE: usize = 4;

fn filled(topic: &str) -> Place {
    let at = place(source(), &database(topic), "articles");
    fill(&at, "small", &["--rows", "50"]);
    at
}

/// A simulator with one cluster, and a plan that makes another one and has the service move a collection into it.
fn scene(from: &Place, to: &str) -> (Simulator, Workspace) {
    // A second server is there, should a second cluster be made.
    let spare = [target().uri(), target().uri()];
    let cloud = Simulator::start(json!({"clusters": [cluster(OLD, source())], "spare": spare}));
    let work = Workspace::new();
    let moved = managed((&from.database, to), "[{source: articles}]");
    work.plan_of(&by_id(&cloud, OLD, ""), &made(&cloud, "kb-prod"), &[moved]);
    (cloud, work)
}

/// The clusters of this name that the control plane lists.
fn clusters(cloud: &Simulator) -> usize {
    let listed = cloud.ask("GET", "/v2/clusters?pageSize=100", &super::key(), None).body;
    let found = listed["data"]["clusters"].as_array().unwrap().iter();
    found.filter(|cluster| cluster["clusterName"] == "kb-prod").count()
}

#[test]
fn a_plan_that_makes_its_cluster_survives_death_after_each_of_its_steps() {
    let from = filled("cloud_dies");
    let steps: Vec<String> = {
        let (cloud, work) = scene(&from, &database("cloud_whole"));
        let log = work.path().join("steps");
        let variables = [("VECFERRY_CRASH_LOG", log.to_str().unwrap())];
        work.start_cloud(&cloud, &APPLY, &variables).wait().ended(0);
        std::fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
    };
    println!("{} steps: {}", steps.len(), steps.join(", "));
    assert!(steps.iter().any(|step| step == "cluster made"), "{steps:?}");
    let (next, wrong) = (AtomicUsize::new(1), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let step = next.fetch_add(1, Ordering::Relaxed);
                    if step > steps.len() {
                        break;
                    }
                    if let Err(what) = dies_at(step, &from) {
                        wrong.lock().unwrap().push(format!("killed after step {step} ({}): {what}", steps[step - 1]));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Dies after a step, and is run again.
fn dies_at(step: usize, from: &Place) -> Result<(), String> {
    let to = database("cloud_dies");
    let (cloud, work) = scene(from, &to);
    let killed = work.start_cloud(&cloud, &APPLY, &[("VECFERRY_CRASH_AT", &step.to_string())]).wait();
    if killed.code.is_some() {
        return Err(format!("it did not die: {killed:?}"));
    }
    let run = work.apply_cloud(&cloud);
    if run.code != Some(0) {
        return Err(format!("run again: {run:?}"));
    }
    let made = clusters(&cloud);
    if made != 1 {
        return Err(format!("{made} clusters: {:#?}", cloud.requests()));
    }
    if cloud.jobs().len() != 1 {
        return Err(format!("more than one job: {:#?}", cloud.jobs()));
    }
    let run = work.look_cloud(&cloud);
    if run.code != Some(0) {
        return Err(format!("looked at again: {run:?}"));
    }
    let violations: Vec<Value> = cloud.violations();
    if violations.is_empty() { Ok(()) } else { Err(format!("{violations:?}")) }
}

#[test]
fn a_lost_answer_to_the_creation_makes_no_second_cluster() {
    let (from, to) = (filled("cloud_create_lost"), database("cloud_create_lost"));
    let (cloud, work) = scene(&from, &to);
    cloud.fault(json!({"lose_answer": {"createDedicated": 1}}));
    let first = work.apply_cloud(&cloud);
    // Whether it goes on by itself or asks to be run again, one cluster is there, and the way is clear.
    if first.code != Some(0) {
        work.apply_cloud(&cloud).ended(0);
    }
    assert_eq!((clusters(&cloud), cloud.count("createDedicated")), (1, 1));
    assert!(first.words().contains("password"), "nobody knows its password, and nothing says so: {}", first.words());
    assert_identical(&from, &place(target(), &to, "articles"), &[]);
}

#[test]
fn a_wrong_key_ends_as_a_refused_login() {
    let (cloud, work) = (Simulator::start(two_clusters()), Workspace::new());
    let moved = migration(("default", "default"), "[{source: articles}]", "");
    work.plan_of(&by_id(&cloud, OLD, ""), &by_id(&cloud, NEW, ""), &[moved]);
    let wrong = format!("{}-and-wrong", secrets::MARK);
    let variables = [(KEY_VARIABLE, wrong.as_str())];
    work.start_cloud(&cloud, &["plan", "plan.yaml"], &variables).wait().ended(12).says(&[KEY_VARIABLE]);
}

#[test]
fn a_suspended_cluster_is_resumed_where_the_plan_says_so_and_else_blocks() {
    let (from, to) = (filled("cloud_suspended"), database("cloud_suspended"));
    let (cloud, work) = (Simulator::start(two_clusters()), Workspace::new());
    cloud.fault(json!({"suspend": OLD}));
    let moved = migration((&from.database, &to), "[{source: articles, indexes: none}]", "");
    work.plan_of(&by_id(&cloud, OLD, ""), &by_id(&cloud, NEW, ""), std::slice::from_ref(&moved));
    work.apply_cloud(&cloud).ended(1).says(&["STOPPED", "resume: true"]);
    assert_eq!(cloud.count("resume"), 0);
    work.plan_of(&by_id(&cloud, OLD, ", resume: true"), &by_id(&cloud, NEW, ""), &[moved]);
    work.look_cloud(&cloud).says(&["resume"]);
    assert_eq!(cloud.count("resume"), 0, "only `apply` resumes");
    work.apply_cloud(&cloud).ended(0);
    assert_eq!(cloud.count("resume"), 1);
    assert_identical(&from, &place(target(), &to, "articles"), &[]);
}
