//! Logins that may not do what a plan takes: every privilege that is missing is named at once, at the endpoint's place in the
//! plan, and the calls that find it out change nothing.

use serde_json::json;

use crate::cloud::{Simulator, cluster};
use crate::refusals::guarded;
use crate::runs::Run;
use crate::servers::source;
use crate::support::{Workspace, act, database, fill, place};

/// What reading takes on 2.3.5, which asks for the right to load even where only the load state is asked for.
const READING: [&str; 4] = ["Query", "ShowPartitions", "GetStatistics", "Load"];
/// What writing takes beside it, all of which can be granted for a collection by its name.
const WRITING: [&str; 7] = ["Insert", "Upsert", "Delete", "CreateIndex", "Release", "GetFlushState", "Flush"];

fn token(user: &str) -> String {
    format!("{user}:{}", password(user))
}

fn password(user: &str) -> String {
    format!("Sup3rS3cret-of-{user}")
}

fn allow(user: &str, grants: &[String]) {
    let password = password(user);
    let mut arguments = vec![user, &password];
    arguments.extend(grants.iter().map(String::as_str));
    act(&place(guarded(), "", ""), "limited-user", &arguments);
}

fn on_collection(names: &[&str], collection: &str) -> Vec<String> {
    names.iter().map(|name| format!("Collection:{name}:{collection}")).collect()
}

fn write(work: &Workspace, old: &str, new: &str, from: &str, collection: &str) {
    work.write(
        "plan.yaml",
        &format!(
            "version: 1\nname: rights\nsources:\n  old:\n    milvus: {{{old}}}\ntargets:\n  new:\n    milvus: {{{new}}}\n\
             migrations:\n  - from: old\n    to: new\n    database: {{from: {from}, to: default}}\n    collections:\n      - source: {collection}\n"
        ),
    );
}

fn run(work: &Workspace, command: &[&str], user: &str) -> Run {
    work.start_with(command, &[("TEST_TOKEN", &token(user))]).wait()
}

#[track_caller]
fn named(run: &Run, lacking: &[&str], not: &[&str]) {
    let words = run.words().replace('\n', " ");
    assert!(words.contains("VF1017") && words.contains("plan.yaml:"), "{words}");
    let list = words.split("lacks the privileges").nth(1).expect("the privileges");
    let list = list.split("grant these").next().expect("what to do");
    for name in lacking {
        assert!(list.contains(name), "{name} in {list}");
    }
    for name in not {
        assert!(!list.contains(name), "{name} in {list}");
    }
}

#[test]
fn what_a_login_lacks_on_the_target_is_named_at_once_and_granting_that_is_enough() {
    let (work, user, name) = (Workspace::new(), "halfwriter", database("rights"));
    let collection = name.clone();
    fill(&place(source(), &name, &collection), "small", &["--rows", "300"]);
    let old = format!("uri: \"{}\"", source().uri());
    let new = format!("uri: \"{}\", token: {{env: TEST_TOKEN}}", guarded().uri());
    write(&work, &old, &new, &name, &collection);
    allow(user, &["Global:CreateCollection:*".to_owned(), "Collection:Insert:*".to_owned()]);
    let seen = || act(&place(guarded(), "default", ""), "collections", &[]);
    let before = seen();
    for command in [&["plan", "plan.yaml"][..], &["apply", "--auto-approve", "plan.yaml"]] {
        let run = run(&work, command, user).ended(12);
        let lacking: Vec<&str> =
            READING.into_iter().chain(WRITING).chain(["DropCollection"]).filter(|name| *name != "Insert").collect();
        named(&run, &lacking, &["Insert", "CreateCollection"]);
    }
    // Who only compares need not be able to write.
    named(&run(&work, &["verify", "plan.yaml"], user).ended(12), &READING, &["DropCollection", "Upsert", "Delete"]);
    assert_eq!(seen(), before, "looking at rights made or dropped something");
    assert!(work.state_files().is_empty(), "{:?}", work.state_files());

    // Granted for this collection alone.
    let mut grants = on_collection(&READING, &collection);
    grants.extend(on_collection(&WRITING, &collection));
    grants.push("Global:DropCollection:*".to_owned());
    allow(user, &grants);
    run(&work, &["apply", "--auto-approve", "plan.yaml"], user).ended(0);
    run(&work, &["verify", "plan.yaml"], user).ended(0);
    // Once more, now that the collection is there and a call that did something would do it to its rows.
    run(&work, &["plan", "--detailed-exitcode", "plan.yaml"], user).ended(0);
    assert_eq!(act(&place(guarded(), "default", &collection), "count", &[]), json!(300));
}

#[test]
fn what_a_login_lacks_on_the_source_is_named_at_once() {
    let (work, user, collection) = (Workspace::new(), "halfreader", database("readable"));
    fill(&place(guarded(), "default", &collection), "small", &["--rows", "50"]);
    let old = format!("uri: \"{}\", token: {{env: TEST_TOKEN}}", guarded().uri());
    write(&work, &old, &format!("uri: \"{}\"", source().uri()), "default", &collection);
    allow(user, &on_collection(&["Query"], &collection));
    let run_of = |command: &[&str]| run(&work, command, user);
    named(
        &run_of(&["plan", "plan.yaml"]).ended(12),
        &["ShowPartitions", "GetStatistics", "Load"],
        &["Query", "Insert"],
    );
    allow(user, &on_collection(&READING, &collection));
    run_of(&["plan", "--detailed-exitcode", "plan.yaml"]).ended(2);
}

#[test]
fn a_key_of_zilliz_cloud_sees_what_a_plan_can_name() {
    let work = Workspace::new();
    let cloud = Simulator::start(json!({"clusters": [cluster("in01-00000000000000a", source())]}));
    let ask = |arguments: &[&str]| {
        let all = [&["cloud"], arguments, &["--api", cloud.api()]].concat();
        let variables = cloud.variables();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        work.start_with(&all, &variables).wait()
    };
    let clusters = ask(&["clusters", "--output", "json"]).ended(0).json();
    assert_eq!(clusters["clusters"][0]["id"], "in01-00000000000000a");
    assert_eq!(
        (&clusters["clusters"][0]["tier"], &clusters["clusters"][0]["usable"]),
        (&json!("dedicated"), &json!(true))
    );
    ask(&["clusters"]).ended(0).says(&["CLUSTER", "in01-00000000000000a", "RUNNING"]);
    ask(&["projects"]).ended(0).says(&[crate::cloud::PROJECT]);
    ask(&["regions", "--output", "markdown"]).ended(0).says(&["| region |", crate::cloud::REGION]);
    ask(&["imports", "in01-00000000000000a"]).ended(0).says(&["No imports."]);
    ask(&["imports", "in01-00000000000000a", "job-of-nobody"]).ended(1).says(&["no job of that id"]);
    ask(&["job", "job-of-nobody"]).ended(1).says(&["no job of that id"]);
    let wrong = ["cloud", "clusters", "--api", cloud.api(), "--api-key-env", "WRONG_API_KEY"];
    work.start_with(&wrong, &[("WRONG_API_KEY", "Sup3rS3cret-and-wrong")]).wait().ended(12).says(&["--api-key-env"]);
    work.run(&["cloud", "clusters", "--api", cloud.api()]).ended(1).says(&["ZILLIZ_API_KEY is not set"]);
    work.run(&["cloud", "clusters", "--api", "http://api.example.com"]).ended(1).says(&["https://"]);
    work.run(&["cloud", "clusters", "--api-key-env", "Sup3rS3cret-not-a-name"])
        .ended(64)
        .says(&["not the secret itself"]);
}
