//! What goes wrong before anything is copied: a message that a newcomer can act on, the right exit code, and nothing left
//! behind on the target.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::LazyLock;

use crate::runs::Run;
use crate::secrets;
use crate::servers::{Milvus, Server, source, target};
use crate::support::{Workspace, act, assert_identical, database, fill, place};

/// A login that only vecferry uses; the scripts of the tests use the one that a new server has.
pub const USER: &str = "migrator";
pub const PASSWORD: &str = "Sup3rS3cret-of-the-migrator";
const TOKEN: &str = "migrator:Sup3rS3cret-of-the-migrator";
/// One that no server knows.
const WRONG: &str = "migrator:Sup3rS3cret-and-wrong";

/// A Milvus that wants a login.
pub fn guarded() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        let server = Milvus::start_with(&["authorization_enabled=true"]);
        act(&place(&server, "", ""), "create-user", &[USER, PASSWORD]);
        server
    });
    &SERVER
}

/// `refusals` with the collection `small` on the shared source.
fn small() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let name = database("refusals");
        fill(&place(source(), &name, "small"), "small", &[]);
        name
    });
    &NAME
}

/// A plan from one endpoint to another, each given by what stands in the braces after `milvus:`.
fn write(work: &Workspace, old: &str, new: &str, from: &str, to: &str, collections: &str) {
    work.write(
        "plan.yaml",
        &format!(
            "version: 1\nname: refused\nsources:\n  old:\n    milvus: {{{old}}}\ntargets:\n  new:\n    milvus: {{{new}}}\n\
             migrations:\n  - from: old\n    to: new\n    database: {{from: {from}, to: {to}}}\n    collections:\n      {collections}\n"
        ),
    );
}

fn uri(server: &Server) -> String {
    format!("uri: \"{}\"", server.uri())
}

/// The name of a database that a target was asked for, and does not have. Other tests make theirs meanwhile.
#[track_caller]
fn assert_untouched(target: &Server, database: &str) {
    let there = act(&place(target, "", ""), "databases", &[]);
    assert!(
        !there.as_array().unwrap().iter().any(|name| name == database),
        "something was left on the target: {there}"
    );
}

/// Every command that talks to clusters refuses in the same way, and leaves neither state nor anything on the target.
#[track_caller]
fn refused(work: &Workspace, variables: &[(&str, &str)], left_on: Option<(&Server, &str)>, code: i32, says: &[&str]) {
    for command in [&["plan", "plan.yaml"][..], &["apply", "--auto-approve", "plan.yaml"], &["verify", "plan.yaml"]] {
        work.start_with(command, variables).wait().ended(code).says(says);
    }
    if let Some((target, database)) = left_on {
        assert_untouched(target, database);
    }
    assert!(work.state_files().is_empty(), "{:?}", work.state_files());
}

#[test]
fn a_wrong_token_is_refused_and_never_shown() {
    let work = Workspace::new();
    let name = database("token");
    let new = format!("{}, token: {{env: TEST_TOKEN}}", uri(guarded()));
    write(&work, &uri(source()), &new, small(), &name, "- source: small");
    refused(&work, &[("TEST_TOKEN", WRONG)], Some((guarded(), &name)), 12, &[guarded().uri(), "plan.yaml"]);
    write(&work, &uri(source()), &uri(guarded()), small(), &name, "- source: small");
    refused(&work, &[], Some((guarded(), &name)), 12, &[guarded().uri(), "plan.yaml"]);
    // The same on the side that is read.
    write(&work, &new, &uri(target()), "default", &name, "- source: small");
    refused(&work, &[("TEST_TOKEN", WRONG)], Some((target(), &name)), 12, &[guarded().uri(), "plan.yaml"]);
}

#[test]
fn inspect_says_how_to_log_in_and_writes_no_secret() {
    let work = Workspace::new();
    let uri = guarded().uri();
    work.run(&["inspect", "--uri", uri]).ended(12).says(&["--token-env NAME", "--username NAME", "--profile NAME"]);
    work.run(&["inspect", "--uri", source().uri(), "--to-uri", uri]).ended(12).says(&["--to-token-env NAME"]);
    let wrong = ["inspect", "--uri", uri, "--token-env", "TEST_TOKEN"];
    work.start_with(&wrong, &[("TEST_TOKEN", WRONG)]).wait().ended(12);
    work.run(&["inspect", "--uri", uri, "--token-env", TOKEN]).ended(64).says(&["and not the secret itself"]);
    secrets::wrote(&work.write("token.txt", &format!("{TOKEN}\n")));
    fill(&place(guarded(), "default", "inspected"), "small", &["--rows", "20"]);
    std::fs::create_dir(work.path().join("plans")).unwrap();
    let variables = [("TEST_TOKEN", TOKEN), ("TEST_PASSWORD", PASSWORD)];
    for (login, written) in [
        (&["--token-env", "TEST_TOKEN"][..], "token: {env: TEST_TOKEN}"),
        (&["--token-file", "token.txt"], "token.txt"),
        (&["--username", USER, "--password-env", "TEST_PASSWORD"], "password: {env: TEST_PASSWORD}"),
    ] {
        let flags = [
            "inspect",
            "--uri",
            uri,
            "--collection",
            "inspected",
            "--to-uri",
            target().uri(),
            "--out",
            "plans/a.yaml",
            "--force",
        ];
        work.start_with(&[&flags[..], login].concat(), &variables).wait().ended(0);
        let text = std::fs::read_to_string(work.path().join("plans/a.yaml")).unwrap();
        assert!(text.contains(written), "{text}");
        secrets::assert_none("the plan", text.as_bytes());
        // The plan finds its secret by itself, wherever it lies.
        work.start_with(&["plan", "plans/a.yaml"], &variables).wait().ended(0).says(&["1 to create"]);
    }
}

#[test]
fn the_right_token_opens_the_door_and_leaves_no_trace() {
    let name = database("token");
    let (from, to) = (place(source(), small(), "small"), place(guarded(), &name, "small"));
    let work = Workspace::new();
    let secrets = [
        "token: {env: TEST_TOKEN}",
        "token: {file: token.txt}",
        "token: {command: [cat, token.txt]}",
        "username: migrator, password: {command: [printenv, TEST_PASSWORD]}",
    ];
    work.write("token.txt", &format!("{TOKEN}\n"));
    for (number, secret) in secrets.iter().enumerate() {
        write(&work, &uri(source()), &format!("{}, {secret}", uri(guarded())), small(), &name, "- source: small");
        let variables = [("TEST_TOKEN", TOKEN), ("TEST_PASSWORD", PASSWORD)];
        let arguments = ["-vv", "apply", "--auto-approve", "plan.yaml"];
        let run = work.start_with(&arguments, &variables).wait().ended(0);
        assert_eq!(run.words().contains("1 unchanged"), number > 0, "{secret}: {}", run.words());
    }
    assert_identical(&from, &to, &[]);
    work.run(&["state", "export", "backup.json"]).ended(0);
    assert!(!work.state_files().is_empty());
    // What was stored on the target beside the rows: properties and a description.
    let stored = act(&to, "describe", &[]).to_string();
    assert!(stored.contains("vecferry.run"), "{stored}");
    secrets::assert_none("the target", stored.as_bytes());
}

/// What crates below log is not ours to choose, so it is all looked at: each frame of HTTP/2 with its headers, too.
#[test]
fn a_log_of_everything_holds_no_secret() {
    let name = database("trace");
    for (number, format) in ["text", "json"].into_iter().enumerate() {
        let work = Workspace::new();
        let login = format!("{}, token: {{env: TEST_TOKEN}}", uri(guarded()));
        let collection = format!("- {{source: small, target: small_{number}}}");
        write(&work, &uri(source()), &login, small(), &name, &collection);
        let run = |command: &[&str], token: &str| {
            let arguments = [&["-vv", "--log-format", format][..], command, &["plan.yaml"]].concat();
            work.start_with(&arguments, &[("TEST_TOKEN", token), ("RUST_LOG", "trace")]).wait()
        };
        let applied = run(&["apply", "--auto-approve"], TOKEN).ended(0);
        assert!(applied.err.contains("frame=Headers"), "no frame in {} bytes of log", applied.err.len());
        run(&["verify"], TOKEN).ended(0);
        run(&["plan"], WRONG).ended(12);
    }
}

#[test]
fn a_secret_that_is_not_there_is_named() {
    let work = Workspace::new();
    let name = database("secret");
    let secrets = [
        ("token: {env: VECFERRY_NO_SUCH_VARIABLE}", "VECFERRY_NO_SUCH_VARIABLE"),
        ("token: {file: no-such-file}", "no-such-file"),
        ("token: {command: [no-such-program, x]}", "no-such-program"),
    ];
    for (secret, named) in secrets {
        write(&work, &uri(source()), &format!("{}, {secret}", uri(target())), small(), &name, "- source: small");
        work.run(&["validate", "plan.yaml"]).ended(0);
        refused(&work, &[], Some((target(), &name)), 1, &[named, "new"]);
    }
}

#[test]
fn a_cluster_that_does_not_answer_is_named() {
    let work = Workspace::new();
    let name = database("silent");
    // Nobody listens on port 1.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    for address in ["127.0.0.1:1", "no-such-host.invalid:19530", &silent] {
        let dead = format!("uri: \"http://{address}\", timeouts: {{connect: 1s, request: 2s}}");
        write(&work, &uri(source()), &dead, small(), &name, "- source: small");
        refused(&work, &[], None, 5, &[address, "plan.yaml"]);
        write(&work, &dead, &uri(target()), "default", &name, "- source: small");
        refused(&work, &[], Some((target(), &name)), 5, &[address, "plan.yaml"]);
    }
}

#[test]
fn a_port_on_which_something_else_answers_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // A web server, such as the one that Milvus has for its metrics. It ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let work = Workspace::new();
    let wrong = format!("uri: \"http://{address}\", timeouts: {{connect: 1s, request: 2s}}");
    write(&work, &uri(source()), &wrong, small(), "wrong_port", "- source: small");
    let started = std::time::Instant::now();
    let run: Run = work.apply().says(&[&address]);
    assert!(matches!(run.code, Some(1 | 5)), "{run:?}");
    assert!(started.elapsed().as_secs() < 90, "it took {:?} to give up", started.elapsed());
    assert!(work.state_files().is_empty());
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let work = Workspace::new();
    let name = database("names");
    write(&work, &uri(source()), &uri(target()), small(), &name, "- source: smal");
    work.look().ended(3).says(&["no collection", "smal"]);
    work.apply().ended(3).says(&["smal"]);
    write(&work, &uri(source()), &uri(target()), "no_such_database", &name, "- source: small");
    work.look().ended(3).says(&["no_such_database", "small"]);
    work.apply().ended(3).says(&["no_such_database"]);
    write(&work, &uri(source()), &uri(target()), "no_such_database", &name, "- match: \"*\"");
    let run = work.look().says(&["no_such_database"]);
    assert_ne!(run.code, Some(2), "there is nothing to apply");
    assert_untouched(target(), &name);
    assert!(work.state_files().is_empty());
    // Nothing to hold against each other is no success.
    write(&work, &uri(source()), &uri(target()), small(), &name, "- source: small");
    work.verify().ended(4).says(&["small", "does not exist"]);
}

#[test]
fn a_target_named_twice_is_refused_before_anybody_is_asked() {
    let work = Workspace::new();
    let twice = "- source: small\n      - source: other\n        target: small";
    write(&work, "uri: \"http://127.0.0.1:1\"", "uri: \"http://127.0.0.1:2\"", "default", "other", twice);
    refused(&work, &[], None, 13, &["small", "plan.yaml"]);
}
