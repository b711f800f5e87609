//! A backup that the migration service brings into a cluster: `vecferry cloud restore`, and `vecferry cloud job --follow`.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{NEW, OLD, Simulator, two_clusters};
use crate::runs::{Run, Running};
use crate::secrets;
use crate::servers::{source, target};
use crate::support::{Place, Workspace, assert_identical, database, fill, place};

/// Variables with what it takes to read the bucket.
fn keys() -> [(&'static str, String); 3] {
    ["BUCKET_ACCESS_KEY", "BUCKET_SECRET_KEY", "BUCKET_SESSION_TOKEN"]
        .map(|name| (name, format!("{}-{}", secrets::MARK, name.to_lowercase())))
}

fn start(work: &Workspace, cloud: &Simulator, folder: &str, more: &[&str]) -> Running {
    let keys = keys();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(name, key)| (*name, key.as_str())).collect();
    let mut arguments = vec!["cloud", "restore", "--cluster", NEW, "--api", cloud.api(), "--cloud", "aws"];
    arguments.extend(["--region", "us-west-2", "--bucket", "backups", "--path", folder]);
    arguments.extend(["--access-key-env", "BUCKET_ACCESS_KEY", "--secret-key-env", "BUCKET_SECRET_KEY"]);
    arguments.extend(["--session-token-env", "BUCKET_SESSION_TOKEN"]);
    arguments.extend(more);
    work.start_cloud(cloud, &arguments, &keys)
}

/// The run to its end, without asking anybody.
#[track_caller]
fn restore(work: &Workspace, cloud: &Simulator, folder: &str, more: &[&str]) -> Run {
    start(work, cloud, folder, &[&["--auto-approve"], more].concat()).wait()
}

/// A simulator in whose bucket lies one backup, of a collection of the shared source.
fn with_a_backup(topic: &str) -> (Simulator, Place) {
    let at = place(source(), &database(topic), "articles");
    fill(&at, "small", &[]);
    let mut config = two_clusters();
    config["backups"] = json!({
        "backups/daily/1": {"milvus": source().uri(), "database": at.database, "collections": ["articles"]},
    });
    (Simulator::start(config), at)
}

/// The body of the only request for a job.
#[track_caller]
fn sent(cloud: &Simulator) -> Value {
    let bodies = cloud.bodies("startByRemote");
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    bodies[0].clone()
}

#[test]
fn a_backup_arrives_and_is_asked_for_once() {
    let (cloud, at) = with_a_backup("cloud_restore");
    let work = Workspace::new();
    // Nobody is there to agree, so nothing is started; what would be done is said all the same.
    start(&work, &cloud, "daily/1", &[]).wait().ended(1).says(&["backups/daily/1", NEW, "Standard", "cannot compare"]);
    assert_eq!(cloud.count("startByRemote"), 0);
    let ended = restore(&work, &cloud, "/daily/1/", &["--output", "json"]).ended(0);
    let document = ended.json();
    assert_eq!((&document["jobs"][0]["state"], &document["cluster"]), (&json!("successful"), &json!(NEW)));
    assert!(document["collections"]["after"].as_u64() >= Some(1), "{document}");
    assert_identical(&at, &place(target(), &at.database, &at.collection), &[]);
    let source = json!({
        "cloud": "aws", "region": "us-west-2", "bucketName": "backups", "path": "/daily/1/", "accessKey": "***",
        "secretKey": "***", "token": "***",
    });
    assert_eq!(sent(&cloud), json!({"source": source, "destination": {"clusterId": NEW}}));
}

#[test]
fn a_backup_that_does_not_arrive_ends_with_the_reason_of_the_service() {
    let (cloud, at) = with_a_backup("cloud_restore_fails");
    let work = Workspace::new();
    let ended =
        restore(&work, &cloud, "daily/2", &[]).ended(3).says(&["there is no backup at backups/daily/2", "FAILED"]);
    assert!(ended.out.starts_with("job-") && ended.out.lines().count() == 1, "{}", ended.out);
    // A reason may repeat the key; what a run says is searched for it.
    let [_, (_, key), _] = keys();
    let failing = format!("{}.articles", at.database);
    cloud.fault(json!({"fail_collections": {failing: format!("the key {key} may not read it")}}));
    for form in ["text", "json", "markdown"] {
        restore(&work, &cloud, "daily/1", &["--output", form]).ended(3).says(&["[hidden] may not read it"]);
    }
    let gone =
        ["cloud", "restore", "--cluster", "in01-none", "--volume", "v", "--data-path", "p", "--api", cloud.api()];
    work.run_cloud(&cloud, &gone).ended(1).says(&["no cluster of that id"]);
    let signed = ["cloud", "restore", "--cluster", NEW, "--object-url", "https://b.example.com/p?sig=1"];
    work.run_cloud(&cloud, &signed).ended(64).says(&["may hold a secret"]);
    cloud.fault(json!({"suspend": NEW}));
    restore(&work, &cloud, "daily/1", &[]).ended(1).says(&["STOPPED", "resume it"]);
    cloud.fault(json!({"refuse": {"startByRemote": {"status": 403, "times": 1}}}));
    let mut other = vec!["cloud", "restore", "--cluster", OLD, "--volume", "v", "--data-path", "p", "--auto-approve"];
    other.extend(["--api", cloud.api()]);
    work.run_cloud(&cloud, &other).ended(12);
    work.run_cloud(&cloud, &other).ended(3).says(&["no backup at v/p"]);
}

#[test]
fn where_the_answer_is_lost_nothing_is_asked_for_again_and_the_console_knows() {
    let (cloud, _) = with_a_backup("cloud_restore_lost");
    let work = Workspace::new();
    cloud.fault(json!({"lose_answer": {"startByRemote": 1}}));
    let ended = restore(&work, &cloud, "daily/2", &[]).ended(1);
    let ended = ended.says(&["it is not known whether the job was started", "web console"]);
    assert_eq!(ended.out, "");
    sent(&cloud);
    assert_eq!(cloud.jobs().len(), 1);
}

#[test]
fn a_job_that_was_left_alone_is_followed_again() {
    let (cloud, at) = with_a_backup("cloud_restore_left");
    let work = Workspace::new();
    cloud.fault(json!({"hold_jobs": true}));
    let mut run = start(&work, &cloud, "daily/1", &["--auto-approve"]);
    let end = Instant::now() + Duration::from_secs(120);
    while cloud.count("job") < 2 {
        assert!(!run.has_ended() && Instant::now() < end, "{:#?}", cloud.requests());
        std::thread::sleep(Duration::from_millis(50));
    }
    run.signal(Signal::INT);
    let left = run.wait().ended(130);
    let id = left.out.trim().to_owned();
    let command = format!("vecferry cloud job {id} --follow --api {} --api-key-env ZILLIZ_API_KEY", cloud.api());
    let _left = left.says(&[&command]);
    // Another job is at work in it.
    restore(&work, &cloud, "daily/1", &[]).ended(5).says(&["MIGRATING"]);
    cloud.fault(json!({"hold_jobs": false}));
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    work.run_cloud(&cloud, &arguments).ended(0).says(&["SUCCESSFUL"]);
    sent(&cloud);
    assert_identical(&at, &place(target(), &at.database, &at.collection), &[]);
    let none = ["cloud", "job", "job-none", "--follow", "--api", cloud.api()];
    work.run_cloud(&cloud, &none).ended(1).says(&["no job of that id"]);
}
