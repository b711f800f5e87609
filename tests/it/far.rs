//! Clusters that are far away: every answer takes its time, and what takes the time of one answer must not take that of all of
//! them one after another.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::{Server, lite_source, lite_target};
use crate::support::{Workspace, database, fill, place};

/// On each way.
const LATENCY: Duration = Duration::from_millis(30);
const MANY: usize = 500;

/// A relay that holds everything back for a while and lets as much pass as comes: far away, and not slow.
fn far(server: &Server) -> String {
    let there = server.uri().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&there) else { continue };
            let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            late(client, server);
            late(server_too, client_too);
        }
    });
    uri
}

/// Carries one direction, each piece a while after it came.
fn late(mut from: TcpStream, mut to: TcpStream) {
    let (sender, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + LATENCY, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in pieces {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                return;
            }
        }
        let _closed_before = to.shutdown(Shutdown::Both);
    });
}

#[test]
fn five_hundred_collections_take_the_time_of_a_few() {
    let name = database("far");
    fill(&place(lite_source(), &name, "small"), "small", &["--rows", "20"]);
    let (source, target) = (far(lite_source()), far(lite_target()));
    let work = Workspace::new();
    let plan = |number: usize| {
        let entry = |n: usize| {
            format!("- source: small\n  target: documents_of_customers_with_a_long_name_{n:03}\n  shards: 1\n")
        };
        let entries: String = (0..number).map(entry).collect();
        work.plan_between((&source, &name), (&target, &name), &entries, "");
    };
    let timed = |arguments: &[&str]| {
        let started = Instant::now();
        let run = work.run(arguments).ended(0);
        (run, started.elapsed())
    };
    plan(1);
    let (_, one) = timed(&["plan", "plan.yaml"]);
    plan(MANY);
    let (_, validating) = timed(&["validate", "plan.yaml"]);
    let (run, many) = timed(&["plan", "plan.yaml", "--output", "markdown", "--out", "kb.vfplan.json"]);
    println!("validate {validating:?}; plan of one {one:?}, of {MANY} {many:?}");
    // One after another would take hundreds of times as long as one.
    assert!(many < one * 40, "{many:?} for {MANY}, {one:?} for one");
    assert!(validating < many, "{validating:?}");
    run.says(&[&format!("Plan: {MANY} to create")]);
    let comment = work.run(&["show", "kb.vfplan.json", "--output", "markdown"]).ended(0).out;
    assert!(comment.chars().count() < 65_536, "{}", comment.chars().count());
}
