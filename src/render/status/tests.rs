//! How the state is shown: figures, tables at two widths, and names that try everything.

use std::collections::BTreeMap;

use serde_json::json as value;

use super::super::fixtures::{NARROW, NASTY, WIDE, assert_sound};
use super::*;
use crate::collection::{Fingerprint, KeyRange};
use crate::render::schemas::{self, tests as schema};
use crate::state::{FORMAT, JobEnd, MANAGED_FORMAT, Managed, ManagedStep, NEWEST_FORMAT, Owner, Record, Split};

pub(in crate::render) fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_780_000_000 + second).expect("a time")
}

fn job(run: &str, name: &str, started: i64, records: &[Record]) -> Job {
    let mut job = Job::new(Header {
        format: FORMAT,
        tool: "0.1.0".into(),
        run: run.into(),
        plan: "knowledge-base".into(),
        plan_file: "plans/kb.yaml".into(),
        address: format!("kb.main.{name}"),
        plan_hash: "p1".into(),
        source_uri: "http://127.0.0.1:19530".into(),
        source: format!("default.{name}"),
        target_uri: "http://127.0.0.1:19531".into(),
        target: format!("main.{name}"),
        source_id: 1,
        converging: false,
        row_bytes: 400,
        started: at(started),
        saved_plan: None,
        engine: crate::plan::resolved::Engine::Direct,
    });
    for record in records {
        job.apply(record).expect("a record that fits");
    }
    job
}

fn splits() -> Record {
    let split = Split { partitions: Vec::new(), range: KeyRange::ALL, rows: 250_000 };
    Record::Splits { list: vec![split; 4] }
}

fn attempt(second: i64) -> Record {
    Record::Attempt { pid: 1, at: at(second) }
}

fn done(split: usize) -> Record {
    let fingerprint = Fingerprint { rows: 250_000, sum: 1 };
    Record::Done {
        split,
        fingerprint,
        doubled: 0,
        written: 250_000,
        quarantined: 2,
        touched: BTreeMap::new(),
        at: at(100),
    }
}

fn phase(name: &str) -> Record {
    Record::Phase { name: name.into(), at: at(100) }
}

fn ended(outcome: Outcome, rows: u64, error: Option<&str>) -> Record {
    Record::Ended { outcome, rows, error: error.map(str::to_owned), at: at(200) }
}

fn entry(id: &str, job: Result<Job, String>, running: bool) -> StatusEntry {
    let owner =
        || Box::new(Owner { run: "r2".into(), pid: 7, since: "2026-05-28T20:26:40Z".into(), ..Owner::default() });
    let holder = if running { Holder::Alive(owner()) } else { Holder::Nobody };
    StatusEntry { id: id.into(), job, holder }
}

/// On a machine that shares the folder and cannot be seen from here.
fn elsewhere() -> StatusEntry {
    let owner = Owner {
        run: "r3".into(),
        pid: 7,
        host: "far".into(),
        boot: "b".into(),
        since: "2026-05-28T20:26:40Z".into(),
        ..Owner::default()
    };
    let job = job("r3", "far", 60, &[attempt(60), splits(), phase("copying")]);
    StatusEntry { id: "g".into(), job: Ok(job), holder: Holder::Unseen(Box::new(owner)) }
}

fn newer() -> StatusEntry {
    let mut job = job("r0", "future", -10, &[attempt(0), splits(), done(0)]);
    (job.header.format, job.header.tool) = (NEWEST_FORMAT + 1, "9.0.0".into());
    entry("h", Ok(job), false)
}

pub(in crate::render) fn all() -> Vec<StatusEntry> {
    let retried = Record::Retried { class: "unavailable".into(), reason: "timeout".into() };
    let active = [attempt(0), splits(), done(0), attempt(100), phase("copying"), retried, done(1)];
    let good = [attempt(0), splits(), phase("verifying"), ended(Outcome::Successful, 1_000_000, None)];
    let refused = "http://127.0.0.1:19531: could not insert into main.users: connection refused";
    let bad = [attempt(0), splits(), done(0), phase("copying"), ended(Outcome::Failed, 0, Some(refused))];
    let dead = [attempt(0), splits(), done(0), done(1), phase("copying")];
    vec![
        entry("a", Ok(job("r2", "articles", 50, &active)), true),
        entry("b", Ok(job("r2", "events", 51, &[])), true),
        entry("c", Ok(job("r1", "users", 0, &bad)), false),
        entry("d", Ok(job("r1", "tags", 1, &good)), false),
        entry("e", Ok(job("r1", "pages", 2, &dead)), false),
        entry("f", Ok(job("r1", "logs", 3, &[attempt(0), ended(Outcome::Canceled, 0, None)])), false),
        elsewhere(),
        newer(),
        entry("main.x-0123", Err("jobs/main.x-0123.journal, line 3: the checksum is wrong".into()), false),
    ]
}

#[test]
fn text_at_80_columns() {
    let text = text(&all(), at(150), NARROW);
    assert!(text.lines().all(|line| words::width(line) <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn text_at_200_columns() {
    insta::assert_snapshot!(text(&all(), at(150), WIDE));
}

#[test]
fn markdown_for_a_comment() {
    let markdown = markdown(&all(), at(150));
    assert_sound(&markdown);
    insta::assert_snapshot!(markdown);
}

#[test]
fn json_for_machines() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&json(&all(), at(150))).expect("json"));
}

#[test]
fn what_machines_read_fits_the_schema() {
    for document in [json(&all(), at(150)), canceled_json(&all(), true, at(150)), json(&[], at(0))] {
        schema::assert_fits(schemas::STATUS, &document);
    }
    let mut wrong = json(&all(), at(150));
    wrong["jobs"][0]["state"] = value!("ASLEEP");
    assert!(!schema::complaints(schemas::STATUS, &wrong).is_empty());
}

/// 250,000 rows in 50 seconds of this attempt; the quarter that an earlier one did says nothing about the rate.
#[test]
fn the_rate_is_that_of_the_last_attempt() {
    let all = all();
    let shown = Shown::new(&all[0], at(150));
    assert_eq!((shown.done, shown.rate, shown.seconds_left), (500_000, Some(5_000), Some(100)));
}

/// Whoever sets a clock makes figures of no use, and nothing worse.
#[test]
fn a_clock_that_was_set_makes_no_nonsense() {
    let job = |from: i64| job("r2", "articles", from, &[attempt(from), splits(), done(0)]);
    for from in [-300_000_000_000, -1_000_000_000, 0, 100, 150, 1_000_000_000, 250_000_000_000] {
        let all = [entry("a", Ok(job(from)), true)];
        let shown = Shown::new(&all[0], at(150));
        assert!(shown.rate != Some(0), "{from}");
        assert!(from <= 150 || (shown.rate, shown.seconds_left) == (None, None), "{from}");
        for said in [text(&all, at(150), NARROW), markdown(&all, at(150)), json(&all, at(150)).to_string()] {
            assert!(!said.contains("NaN") && !said.contains("inf"), "{said}");
        }
    }
    for now in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        for started in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
            let mut job = job(0);
            (job.header.started, job.attempted, job.touched) = (started, Some(started), started);
            let all = [entry("a", Ok(job), true)];
            assert!(text(&all, now, NARROW).contains("articles"));
            assert!(json(&all, now)["jobs"].is_array());
        }
    }
}

/// A job of the migration service is told in its own words, and where it goes on by itself, how it is followed or stopped.
#[test]
fn a_job_of_the_migration_service_keeps_its_words() {
    let managed = |records: &[ManagedStep], running: bool| {
        let mut job = job("r4", "docs", 0, &[]);
        (job.header.format, job.managed) = (MANAGED_FORMAT, Some(Managed::default()));
        for record in [attempt(0)].into_iter().chain(records.iter().cloned().map(Record::Managed)) {
            job.apply(&record).expect("a record that fits");
        }
        [entry("a", Ok(job), running)]
    };
    let said = |word: &str, percent, end, reason: Option<&str>| ManagedStep::Said {
        word: word.into(),
        percent,
        reason: reason.map(str::to_owned),
        end,
        at: at(10),
    };
    let asking = ManagedStep::Asking { request: "q".into(), collections: vec!["default.docs".into()], at: at(1) };
    let asked = ManagedStep::Asked { job: "job-77".into(), at: at(2) };
    let going = [asking.clone(), asked.clone(), said("REBALANCING", Some(40), None, None)];
    let shown = text(&managed(&going, true), at(100), WIDE);
    assert!(shown.contains("job job-77 of the migration service: REBALANCING, 40 %\n"), "{shown}");
    assert!(shown.contains("40 %  ") || shown.matches("40 %").count() == 2, "{shown}");
    let shown = text(&managed(&going, true), at(1_000), WIDE);
    assert!(shown.contains("REBALANCING, 40 %, since 2026"), "{shown}");
    let left = managed(&going, false);
    assert!(left[0].is_left_going() && text(&left, at(100), WIDE).contains("(Jobs)"));
    assert!(markdown(&left, at(100)).contains("goes on without vecferry"));
    let document = json(&left, at(100));
    schema::assert_fits(schemas::STATUS, &document);
    let json = &document["jobs"][0]["service"];
    assert_eq!(
        (&json["job"], &json["state"], &json["percent"]),
        (&value!("job-77"), &value!("REBALANCING"), &value!(40))
    );
    let open = text(&managed(std::slice::from_ref(&asking), false), at(100), WIDE);
    assert!(open.contains("whose id is not known; goes on without vecferry"), "{open}");
    let over = [asking, asked, said("FAILED", Some(60), Some(JobEnd::Failed), Some("quota exceeded"))];
    let over = managed(&over, false);
    assert!(!over[0].is_left_going());
    assert!(text(&over, at(100), WIDE).contains("job job-77 of the migration service: FAILED (quota exceeded)"));
}

#[test]
fn nothing_yet() {
    assert_eq!(text(&[], at(0), NARROW), "No runs yet.\n");
    assert_eq!(json(&[], at(0))["jobs"], value!([]));
}

#[test]
fn names_from_outside_stay_in_their_place() {
    let records = [attempt(0), phase(NASTY), ended(Outcome::Failed, 0, Some(NASTY))];
    let all: Vec<_> = (0..500).map(|_| entry(NASTY, Ok(job(NASTY, NASTY, 0, &records)), false)).collect();
    assert_sound(&markdown(&all, at(1)));
    assert!(!text(&all, at(1), NARROW).contains(|c: char| c.is_control() && c != '\n'));
}
