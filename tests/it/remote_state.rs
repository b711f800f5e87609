//! State in a bucket: what one machine began another goes on with, one at a time, whatever becomes of the machines and of the
//! store.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::bucket::{BUCKET, Prefix, SECRET};
use crate::proxy::Proxy;
use crate::runs::Run;
use crate::servers::{S3, s3, source, target};
use crate::support::{Place, Workspace, act, assert_identical, basic, database, place};

/// Eight thousand rows of the thirty, one split after the other and slowly: some splits in six seconds.
const SOME: &str = "id < 54999";
const SLOWLY: &str = "limits: {write_mb_per_s: 1.6, concurrency: 1, split_rows: 2000}";
const APPLY: [&str; 3] = ["apply", "--auto-approve", "plan.yaml"];
const LOOK: [&str; 3] = ["plan", "--detailed-exitcode", "plan.yaml"];

/// A machine that starts empty: a folder with the plan and the settings.
fn machine(at: &Prefix, to: &Place, lease: &str) -> Workspace {
    let work = at.workspace(lease);
    let entry = format!("- source: basic\n  indexes: none\n  where: \"{SOME}\"");
    work.plan_with((source(), &basic().database), (target(), &to.database), &entry, SLOWLY);
    work
}

fn somewhere(topic: &str) -> Place {
    place(target(), &database(topic), "basic")
}

fn shared(topic: &str) -> Prefix {
    Prefix::new(topic, s3().uri(), s3().uri())
}

#[track_caller]
fn run(at: &Prefix, work: &Workspace, arguments: &[&str]) -> Run {
    let run = at.start(work, arguments).wait();
    assert!(!run.words().contains(SECRET), "a secret was printed: {}", run.words());
    run
}

#[track_caller]
fn assert_arrived(at: &Prefix, work: &Workspace, to: &Place) {
    assert_identical(basic(), to, &["--where", SOME]);
    run(at, work, &LOOK).ended(0);
    for name in at.objects() {
        assert!(!at.read(&name).contains(SECRET), "a secret lies in {name}");
    }
}

/// The lock as if its owner were on a machine that cannot be seen from here.
fn move_the_owner_away(at: &Prefix) {
    let (name, mut lock) = at.lock();
    lock["run"] = json!("20260101-000000-far0");
    lock["host"] = json!("far-away");
    lock["machine"] = json!("0123456789abcdef0123456789abcdef");
    lock["boot"] = json!("another");
    lock["token"] = json!("another");
    at.write(&name, &lock.to_string());
}

#[test]
fn what_one_machine_began_another_one_finishes() {
    let (at, to) = (shared("resumed"), somewhere("remote_resumed"));
    let first = machine(&at, &to, "90s");
    let mut running = at.start(&first, &APPLY);
    at.reaches(&mut running, |at| at.done() > 0 && at.started() > at.done());
    // However busy the machine is, it does not come to its end meanwhile.
    running.signal(Signal::STOP);
    let owner = at.lock().1["run"].as_str().unwrap().to_owned();
    // Two at once, on one machine: it is seen that the other one lives.
    let second = machine(&at, &to, "90s");
    let began = Instant::now();
    run(&at, &second, &APPLY).ended(11).says(&[&owner, &running.pid().to_string()]);
    assert!(began.elapsed() < Duration::from_secs(90), "it waited for the lease");
    run(&at, &second, &["status", "plan.yaml"]).ended(0).says(&["IN_PROGRESS", &owner]);
    assert!(running.kill9());
    let done = at.done();
    assert!(done < at.splits() && !first.state().exists(), "a folder was used");
    drop(first);
    run(&at, &second, &["status", "plan.yaml"]).ended(0).says(&["process ended"]);
    run(&at, &second, &APPLY).ended(0).says(&["SUCCESSFUL"]);
    assert_eq!(at.records().iter().filter(|record| record["type"] == "attempt").count(), 2);
    assert!(at.started() <= at.splits() + 1, "splits that were done were copied again");
    assert_arrived(&at, &second, &to);
    let id = run(&at, &second, &["state", "list", "--state", &at.url(), "--output", "json"]).ended(0).json();
    let id = id["jobs"][0]["id"].as_str().unwrap().to_owned();
    run(&at, &second, &["state", "show", &id]).ended(0).says(&[&format!("{}/jobs/{id}", at.url())]);
    // Into a folder, and back under another prefix.
    run(&at, &second, &["state", "export", "kept.json", "plan.yaml"]).ended(0);
    run(&at, &second, &["state", "import", "kept.json", "--state", "folder"]).ended(0).says(&["imported"]);
    run(&at, &second, &["state", "rm", &id, "--auto-approve", "plan.yaml"]).ended(0).says(&["s3://"]);
    run(&at, &second, &["state", "list", "plan.yaml"]).ended(0).says(&["No jobs."]);
    let elsewhere = format!("s3://{BUCKET}/{}/elsewhere", at.name);
    run(&at, &second, &["state", "import", "kept.json", "--state", &elsewhere]).ended(0).says(&["imported"]);
}

#[test]
fn an_owner_on_another_machine_is_followed_after_its_lease_and_not_before() {
    const LEASE: Duration = Duration::from_secs(10);
    let (at, to) = (shared("far"), somewhere("remote_far"));
    let work = machine(&at, &to, "10s");
    let mut running = at.start(&work, &APPLY);
    at.reaches(&mut running, |at| at.started() > 0);
    // While it lives, it renews its lock, which is seen from anywhere.
    running.signal(Signal::STOP);
    move_the_owner_away(&at);
    running.signal(Signal::CONT);
    // That took its lock away, so it stops by itself, and writes nothing over what others write.
    let ended = running.wait();
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert!(ended.words().contains("taken over by run 20260101-000000-far0"), "{}", ended.words());
    assert!(at.lock().1["run"] == "20260101-000000-far0", "it freed the lock of another");

    run(&at, &work, &["status", "plan.yaml"]).ended(0).says(&["far-away", "cannot be seen from here"]);
    run(&at, &work, &["unlock", "20260101-000000-far0", "plan.yaml"]).ended(1).says(&["far-away", "nobody to ask"]);
    let began = Instant::now();
    let mut running = at.start(&work, &APPLY);
    at.reaches(&mut running, |at| at.lock().1["run"] != "20260101-000000-far0");
    assert!(began.elapsed() >= LEASE, "it was taken after {:?}", began.elapsed());
    let followed = running.wait();
    // A machine that is too busy to renew so short a lease stops, and goes on with the same command.
    if followed.code == Some(5) {
        run(&at, &work, &APPLY).ended(0);
    } else {
        followed.ended(0);
    }
    // And by hand, without waiting. At once, because of an owner that was not heard of for a minute nothing is said any more.
    move_the_owner_away(&at);
    run(&at, &work, &["unlock", "20260101-000000-far0", "plan.yaml", "--auto-approve"])
        .ended(0)
        .says(&["Freed 1 lock"]);
    assert_arrived(&at, &work, &to);
}

#[test]
fn a_run_is_canceled_from_another_machine() {
    let (at, to) = (shared("canceled"), somewhere("remote_canceled"));
    let (first, second) = (machine(&at, &to, "90s"), machine(&at, &to, "90s"));
    let mut running = at.start(&first, &APPLY);
    at.reaches(&mut running, |at| at.started() > 0);
    let owner = at.lock().1["run"].as_str().unwrap().to_owned();
    run(&at, &second, &["cancel", &owner, "plan.yaml"]).ended(0).says(&["CANCELED"]);
    running.wait().ended(130).says(&["Canceled from"]);
    run(&at, &second, &APPLY).ended(0);
    assert_arrived(&at, &second, &to);
}

#[test]
fn a_run_that_loses_its_store_stops_before_its_lease_and_goes_on_when_it_is_back() {
    let to = somewhere("remote_gone");
    let server = S3::start();
    let at = Prefix::new("gone", server.uri(), server.uri());
    let work = machine(&at, &to, "6s");
    let mut running = at.start(&work, &APPLY);
    at.reaches(&mut running, |at| at.started() > 0);
    let killed = Instant::now();
    server.kill9();
    let stopped = running.wait().ended(5).says(&["run the same command again"]);
    assert!(killed.elapsed() < Duration::from_secs(6 + 54), "it ended after {:?}", killed.elapsed());
    assert!(!stopped.words().contains(SECRET));
    let there = act(&to, "seen", &[]);
    run(&at, &work, &APPLY).ended(5).says(&["could not be reached", "run the same command again"]);
    assert_eq!(act(&to, "seen", &[]), there);
    server.restart();
    run(&at, &work, &APPLY).ended(0);
    assert_arrived(&at, &work, &to);
}

#[test]
fn answers_of_the_store_that_are_lost_cost_nothing() {
    let to = somewhere("remote_lost");
    let direct = s3().uri();
    // The request arrives, and its answer does not: each of these is a put of a lock, of a record, or of the journal.
    let proxy = Proxy::cutting(direct, &[2_000, 6_000, 12_000, 20_000, 30_000]);
    let at = Prefix::new("lost", proxy.uri(), direct);
    let work = machine(&at, &to, "90s");
    run(&at, &work, &APPLY).ended(0);
    assert!(proxy.struck().len() > 2, "{:?}", proxy.struck());
    assert_arrived(&at, &work, &to);
    assert_eq!(at.done(), at.splits());
}

#[test]
fn what_is_wrong_with_the_store_is_told_before_anything_is_done() {
    let (at, to) = (shared("wrong"), somewhere("remote_wrong"));
    let work = machine(&at, &to, "90s");
    let with = |key: &str, secret: &str, endpoint: &str| {
        let variables = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_ENDPOINT_URL", endpoint)];
        let run = work.start_with(&APPLY, &variables).wait();
        assert!(!run.words().contains("Sup3rS3cret-of-another"), "{}", run.words());
        run
    };
    with("tests", "Sup3rS3cret-of-another", s3().uri())
        .ended(12)
        .says(&["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"]);
    with("unheard-of", "Sup3rS3cret-of-another", s3().uri()).ended(12).says(&["refused the credentials"]);
    with("nobody", "Sup3rS3cret-of-nobody", s3().uri()).ended(12).says(&["refused the credentials"]);
    work.start_with(&APPLY, &[]).wait().ended(12).says(&["`AWS_ACCESS_KEY_ID` is not set"]);
    with("tests", SECRET, "http://store.example.com:1").ended(1).says(&["https://", "AWS_ALLOW_HTTP"]);
    work.write("vecferry.toml", "[state]\nurl = \"s3://no-such-bucket/x\"\n");
    with("tests", SECRET, s3().uri()).ended(1).says(&["there is no bucket s3://no-such-bucket/x", "AWS_REGION"]);
    for (settings, wanted) in [
        ("path = \"a\"\nurl = \"s3://abc/x\"", "cannot both say"),
        ("url = \"gs://abc/x\"", "s3://BUCKET/PREFIX"),
        ("url = \"s3://key:Sup3rS3cret-of-another@abc/x\"", "taken from the environment"),
        ("lease = \"90s\"", "has no lease"),
        ("url = \"s3://abc/x\"\nlease = \"1s\"", "too short"),
    ] {
        work.write("vecferry.toml", &format!("[state]\n{settings}\n"));
        with("tests", SECRET, s3().uri()).ended(13).says(&[wanted, "vecferry.toml:"]);
    }
    assert!(at.objects().is_empty());
}

#[test]
fn a_file_url_is_the_folder() {
    let to = place(target(), &database("file_url"), "basic");
    let work = Workspace::new();
    let folder = work.path().join("kept");
    work.write("vecferry.toml", &format!("[state]\nurl = \"file://{}\"\n", folder.display()));
    let entry = "- source: basic\n  indexes: none\n  where: \"id < 100\"";
    work.plan((source(), &basic().database), (target(), &to.database), entry);
    work.run(&APPLY).ended(0);
    assert!(folder.join("jobs").is_dir() && !work.state().exists());
}
