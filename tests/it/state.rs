//! The state as people handle it: carried elsewhere, shortened, damaged, locked by machines that are gone; and runs that are
//! asked to stop from outside. Whatever is done to it, no row arrives twice, and what the messages say to do works.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::runs::Running;
use crate::servers::{source, target};
use crate::support::{Place, Workspace, act, assert_identical, basic, database, fill, place};

/// Eight thousand rows of the thirty: more would cost a reader time and show nothing.
const SOME: &str = "id < 54999";
/// One split after the other at a fraction of the speed, so that there is a middle to be stopped in: four splits in six seconds.
const SLOWLY: &str = "limits: {write_mb_per_s: 1.6, concurrency: 1, split_rows: 2000}";

fn slow_copy(topic: &str) -> (Workspace, Place) {
    let at = place(target(), &database(topic), "basic");
    let work = Workspace::new();
    let entry = format!("- source: basic\n  indexes: none\n  where: \"{SOME}\"");
    work.plan_with((source(), &basic().database), (target(), &at.database), &entry, SLOWLY);
    (work, at)
}

/// Runs until more splits are done than before, and kills it there, in the middle of the next one.
#[track_caller]
fn killed_after_another_split(work: &Workspace) {
    let before = work.splits_done();
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    await_that(&mut run, || work.splits_done() > before);
    assert!(run.kill9(), "it ended before it was killed");
}

#[track_caller]
fn await_that(run: &mut Running, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(240);
    while !is_so() {
        assert!(!run.has_ended() && Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn assert_arrived(work: &Workspace, to: &Place) {
    assert_identical(basic(), to, &["--where", SOME]);
    work.look().ended(0);
}

/// The only journal.
fn journal(work: &Workspace) -> PathBuf {
    let mut found = work.state_files().into_iter().map(|(path, _)| path);
    found.find(|path| path.extension().is_some_and(|end| end == "journal")).expect("a journal")
}

fn id(work: &Workspace) -> String {
    journal(work).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// A command as a message names it: what stands behind `vecferry` up to the end of the quotation.
#[track_caller]
fn command<'a>(words: &'a str, start: &str) -> Vec<&'a str> {
    let at = words.find(&format!("`vecferry {start}")).unwrap_or_else(|| panic!("`{start}` is not named: {words}"));
    words[at + 1..].split('`').next().unwrap().split(' ').skip(1).collect()
}

#[test]
fn an_export_that_is_older_than_the_truth_doubles_nothing() {
    let (work, to) = slow_copy("exported");
    killed_after_another_split(&work);
    work.run(&["state", "export", "backup.json", "plan.yaml"]).ended(0).says(&["1 job exported"]);
    work.run(&["state", "export", "backup.json", "plan.yaml"]).ended(1).says(&["exists", "--force"]);
    // The run goes on, and the export does not know it.
    killed_after_another_split(&work);
    let there = act(&to, "seen", &[]);
    std::fs::remove_dir_all(work.state()).unwrap();
    work.run(&["state", "list", "plan.yaml"]).ended(0).says(&["No jobs."]);
    let blocked = work.apply().ended(3).says(&["whose state is not here", "vecferry state import", "drop the target"]);
    assert!(!blocked.words().contains("panicked"));
    assert_eq!(act(&to, "seen", &[]), there, "something was done without the state");

    work.run(&["state", "import", "backup.json", "plan.yaml"]).ended(0).says(&["imported"]);
    work.run(&["state", "import", "backup.json", "plan.yaml"]).ended(0).says(&["already"]);
    let shown = work.run(&["state", "show", &id(&work), "plan.yaml", "--output", "json"]).ended(0).json();
    let splits = &shown["splits"];
    assert_eq!(splits["done"].as_u64().unwrap() + splits["dirty"].as_u64().unwrap(), splits["all"].as_u64().unwrap());
    work.apply().ended(0);
    assert_arrived(&work, &to);
    // The export again: what is here is further, and stays.
    work.run(&["state", "import", "backup.json", "plan.yaml", "--force"]).ended(0).says(&["already"]);
    work.look().ended(0);
}

#[test]
fn a_shortened_journal_is_refused_and_the_way_out_works() {
    let (work, to) = slow_copy("shortened");
    killed_after_another_split(&work);
    let text = std::fs::read_to_string(journal(&work)).unwrap();
    // As if half a backup had been restored: nothing of the splits' fate is left.
    let splits = text.lines().position(|line| line.contains("\"type\":\"splits\"")).unwrap();
    let kept: Vec<&str> = text.lines().take(splits + 1).collect();
    std::fs::write(journal(&work), format!("{}\n", kept.join("\n"))).unwrap();
    let there = act(&to, "seen", &[]);
    let refused = work.apply().ended(10).says(&["shortened", &format!("{}.journal", id(&work)), "drop the target"]);
    assert!(!refused.words().contains("VF1009"), "the state is here, and damaged: {}", refused.words());
    work.look().ended(10).says(&["shortened"]);
    work.run(&["status", "plan.yaml"]).ended(10).says(&["UNKNOWN", "shortened"]);
    work.run(&["state", "list", "plan.yaml"]).ended(10).says(&["UNKNOWN"]);
    work.run(&["state", "export", "--state", ".vecferry"]).ended(10).says(&["not in the export"]);
    assert_eq!(act(&to, "seen", &[]), there);

    let words = refused.words();
    let mut forget = command(&words, "state rm");
    assert_eq!(forget, ["state", "rm", &id(&work)]);
    work.run(&forget).ended(1).says(&["nobody to ask"]);
    forget.push("--auto-approve");
    work.run(&forget).ended(0).says(&["forgotten"]);
    // The collection carries the run's mark, so that nobody takes it for untouched.
    work.apply().ended(3).says(&["drop the target"]);
    assert_eq!(act(&to, "seen", &[]), there);
    act(&to, "drop", &[]);
    work.apply().ended(0);
    assert_arrived(&work, &to);
}

#[test]
fn damaged_state_of_one_collection_stops_no_other() {
    let (old, new) = (database("damaged"), database("damaged"));
    for name in ["a", "b", "c"] {
        fill(&place(source(), &old, name), "small", &[]);
    }
    let work = Workspace::new();
    let entries =
        |names: &[&str]| names.iter().map(|name| format!("- source: {name}\n  indexes: none\n")).collect::<String>();
    work.plan((source(), &old), (target(), &new), &entries(&["a", "b"]));
    work.apply().ended(0);
    let journals: Vec<PathBuf> = work.state_files().into_iter().map(|(path, _)| path).collect();
    let of = |name: &str| {
        let start = format!("{new}.{name}-");
        let is_its = |path: &&PathBuf| {
            path.extension().is_some_and(|end| end == "journal")
                && path.file_name().unwrap().to_str().unwrap().starts_with(&start)
        };
        journals.iter().find(is_its).unwrap().clone()
    };
    let text = std::fs::read_to_string(of("a")).unwrap();
    std::fs::write(of("a"), text.replacen("attempt", "attempd", 1)).unwrap();
    std::fs::write(of("b"), "# Notes\n\nThis is something else.\n").unwrap();
    work.plan((source(), &old), (target(), &new), &entries(&["a", "b", "c"]));
    let run = work.apply().ended(10);
    let run =
        run.says(&["line 2: the checksum", "line 1: this is not a line of a journal", "1 successful", "2 blocked"]);
    assert_identical(&place(source(), &old, "c"), &place(target(), &new, "c"), &[]);
    for name in ["a", "b"] {
        let file = of(name).file_name().unwrap().to_str().unwrap().to_owned();
        assert!(run.words().contains(&file), "{}", run.words());
        assert_identical(&place(source(), &old, name), &place(target(), &new, name), &[]);
    }
    // Completed collections carry their mark, so once the damaged journals are gone, nothing is left to do.
    for name in ["a", "b"] {
        let id = of(name).file_stem().unwrap().to_str().unwrap().to_owned();
        work.run(&["state", "rm", &id, "--auto-approve"]).ended(0);
    }
    work.look().ended(0);
}

#[test]
fn a_lock_of_a_machine_that_is_gone_is_freed_by_hand_and_only_then() {
    let (work, to) = slow_copy("unlocked");
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    let (name, pid) = (work.journal()[0]["run"].as_str().unwrap().to_owned(), run.pid().to_string());
    work.run(&["unlock", &name, "plan.yaml", "--auto-approve"]).ended(11).says(&["lives", &pid, "vecferry cancel"]);
    work.run(&["state", "rm", &id(&work), "--auto-approve"]).ended(11).says(&[&name]);
    assert!(run.kill9());
    work.run(&["unlock", &name, "plan.yaml", "--auto-approve"]).ended(1).says(&["no lock is held"]);

    let lock = work.state().join("locks").join(format!("{}.lock", id(&work)));
    let mut owner: serde_json::Value = serde_json::from_slice(&std::fs::read(&lock).unwrap()).unwrap();
    assert_eq!((owner["run"].as_str(), owner["pid"].to_string()), (Some(name.as_str()), pid));
    owner["run"] = json!("20260101-000000-far0");
    owner["host"] = json!("far-away");
    owner["machine"] = json!("0123456789abcdef0123456789abcdef");
    owner["boot"] = json!("another");
    std::fs::write(&lock, owner.to_string()).unwrap();
    let since = owner["since"].as_str().unwrap();
    let locked = work.apply().ended(11).says(&["20260101-000000-far0", "far-away", since, "vecferry unlock"]);
    assert!(locked.words().contains(&owner["pid"].to_string()), "{}", locked.words());
    work.run(&["status", "plan.yaml"]).ended(0).says(&["IN_PROGRESS", "far-away", "cannot be seen from here"]);
    work.run(&["state", "show", &id(&work)]).ended(0).says(&["far-away", "cannot be seen from here"]);
    work.run(&["state", "rm", &id(&work), "--auto-approve"]).ended(11).says(&["far-away"]);

    work.run(&["unlock", "20260101-000000-nope", "plan.yaml"]).ended(1).says(&["20260101-000000-far0"]);
    work.run(&["unlock", "20260101-000000-far0", "plan.yaml"]).ended(1).says(&["far-away", "nobody to ask"]);
    work.apply().ended(11);
    work.run(&["unlock", "20260101-000000-far0", "plan.yaml", "--auto-approve"]).ended(0).says(&["Freed 1 lock"]);
    work.apply().ended(0);
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "", "a run that ended in order left its name in the lock");
    assert_arrived(&work, &to);
}

#[test]
fn a_run_is_canceled_from_outside_and_the_next_one_finishes() {
    let (work, to) = slow_copy("canceled");
    work.run(&["cancel", "nobody", "plan.yaml"]).ended(1).says(&["no such run", "nothing else runs"]);
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    let first = work.journal()[0]["run"].as_str().unwrap().to_owned();
    work.run(&["cancel", "nobody", "plan.yaml"]).ended(1).says(&["no such run", &first]);
    let asked = Instant::now();
    work.run(&["cancel", &first, "plan.yaml"]).ended(0).says(&["CANCELED"]);
    run.wait().ended(130).says(&["Canceled from"]);
    assert!(asked.elapsed() < Duration::from_secs(30), "it took {:?} to stop", asked.elapsed());
    work.run(&["status", "plan.yaml"]).ended(0).says(&["CANCELED"]);
    work.run(&["cancel", &first, "plan.yaml"]).ended(1).says(&["it has ended"]);

    // The job keeps the name of the run that began it, whoever goes on with it; either name is understood.
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    // A request that comes too late for its run stops no other.
    let requests = work.state().join("requests");
    std::fs::write(requests.join(format!("{first}.request")), "{}").unwrap();
    let done = work.splits_done();
    await_that(&mut run, || work.splits_done() > done);
    let asked = work.run(&["cancel", &first, "plan.yaml", "--no-wait", "--output", "json"]).ended(0);
    assert_eq!(asked.json()["ended"], false);
    run.wait().ended(130);
    work.apply().ended(0);
    assert_arrived(&work, &to);
}
