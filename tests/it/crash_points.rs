//! Every step of a run that lasts (a record on the disk, a write that the target acknowledged) is once the last one of its
//! process, or of its machine; the same command then finishes the job with each row once. The places are those of
//! `src/crash_point.rs`. Shown on Milvus 2.3.5, which keeps every row that is inserted; milvus-lite overwrites, and would hide a
//! double.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::bucket::Prefix;
use crate::runs::{Run, Seeded};
use crate::scripts;
use crate::servers::{s3, source, target};
use crate::support::{Place, Workspace, database, fill_spec, place, python_script};

/// Rows of the source.
const ROWS: i64 = 1_200;
/// A partition beside the default one, which makes two splits of its own. More would only take the server longer.
const PARTITION: &str = "p1";
/// Three splits of the default partition, and two of the other one.
const LIMITS: &str = "limits: {concurrency: 1, split_rows: 300}";
/// Runs that are killed at once: most of their time is waiting for the server.
const AT_ONCE: usize = 5;

const APPLY: [&str; 3] = ["apply", "--auto-approve", "plan.yaml"];
/// How `apply` ends where rows are in quarantine and all others arrived.
const INCOMPLETE: i32 = 3;

/// Every fortieth row does not fit.
fn fits(id: i64) -> bool {
    id % 40 != 1
}

/// What the run of the workspace's journal put into quarantine.
fn kept(work: &Workspace) -> Vec<String> {
    let run = work.journal()[0]["run"].as_str().unwrap().to_owned();
    let files = work.state_files().into_iter();
    let of_run = files.filter(|(path, _)| path.parent().is_some_and(|folder| folder.ends_with(&run)));
    of_run.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

fn row(id: i64, title: &str) -> Value {
    let size = if fits(id) { "fits" } else { "far too long for the target" };
    let mut row = json!({"id": id, "title": title, "size": size, "vector": [id as f32, 0.5, -1.0, 0.0], "loose": id});
    if id % 3 == 0 {
        row["#partition"] = json!(PARTITION);
    }
    row
}

/// A collection of the source's shape, by its name and rows.
fn spec(name: &str, title: &str, rows: Vec<Value>) -> Value {
    json!({
        "name": name, "dynamic": true, "partitions": [PARTITION], "rows": rows,
        "index": {"index_type": "FLAT", "metric_type": "L2"},
        "fields": [
            {"name": "id", "type": "int64", "primary": true},
            {"name": title, "type": "varchar", "max_length": 64},
            {"name": "size", "type": "varchar", "max_length": 64},
            {"name": "vector", "type": "float_vector", "dim": 4},
        ],
    })
}

/// What a plan says beside the names, and what stands on the target before.
struct Case {
    topic: &'static str,
    settings: &'static str,
    /// Field of the target that keeps the source's keys, where the server makes new ones.
    known_by: Option<&'static str>,
    /// The rows of a collection that is on the target before.
    before: Option<fn() -> Vec<Value>>,
    /// One step out of so many, other ones each time, where most of them are those of another case.
    one_in: u64,
    /// Whether the state lies in a bucket, so that each process starts with nothing.
    remote: bool,
    /// Whether the machine dies with the process, and takes what the disk was not waited for.
    power_cut: bool,
}

/// A folder to run in, and the bucket with its state where it lies in one.
struct Scene {
    work: Workspace,
    at: Option<Prefix>,
}

impl Scene {
    fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Run {
        let variables = self.at.as_ref().map(|at| at.variables().to_vec()).unwrap_or_default();
        self.work.start_with(arguments, &[&variables, more].concat()).wait()
    }

    /// Takes from each journal what a power cut may take at most: all that stands behind the last record that was waited for. How
    /// far that is says the file beside it, which is written behind each wait.
    fn cut_the_power(&self) {
        for (path, text) in self.work.state_files() {
            if path.extension().is_none_or(|extension| extension != "journal") {
                continue;
            }
            // Between a journal that was begun, which lasts, and that file there is nothing to lose yet.
            let Ok(tail) = std::fs::read_to_string(path.with_extension("tail")) else { continue };
            let lasting: usize = tail.split(' ').nth(1).unwrap().parse().unwrap();
            let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            assert!(0 < lasting && lasting <= lines.len(), "{lasting} of {} lines", lines.len());
            std::fs::write(&path, lines[..lasting].concat()).unwrap();
        }
    }

    /// Keys of the rows that are in quarantine.
    fn quarantined(&self) -> Vec<i64> {
        let texts: Vec<String> = match &self.at {
            Some(at) => {
                assert!(!self.work.state().exists(), "something was left in the folder");
                let objects = at.objects().into_iter().filter(|name| name.starts_with("quarantine/"));
                objects.map(|name| at.read(&name)).collect()
            }
            None => kept(&self.work),
        };
        let lines = texts.iter().flat_map(|text| text.lines());
        let mut keys: Vec<i64> =
            lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_i64().unwrap()).collect();
        keys.sort_unstable();
        keys
    }
}

/// A target where a run lies ahead of `apply`: rows that are right, rows that differ, rows that stand there twice, and rows
/// that only the target has; most are missing.
fn half_right() -> Vec<Value> {
    let mut rows = Vec::new();
    for id in (0..ROWS).filter(|id| id % 3 == 0 && fits(*id)) {
        let mut found = row(id, "");
        found["heading"] = json!(if id % 9 == 0 { "another".to_owned() } else { format!("row {id}") });
        found.as_object_mut().unwrap().remove("title");
        rows.push(found.clone());
        if id % 7 == 0 {
            rows.push(found);
        }
    }
    rows.extend((ROWS..ROWS + 20).map(|id| {
        let mut extra = row(id, "");
        (extra["heading"], extra["size"]) = (json!("only here"), json!("fits"));
        extra.as_object_mut().unwrap().remove("title");
        extra
    }));
    rows
}

/// Where nobody cares what is lost.
fn a_stranger() -> Vec<Value> {
    half_right().split_off(300)
}

impl Case {
    fn scene(&self, from: &Place, to: &str, name: &str) -> Scene {
        let at = self.remote.then(|| Prefix::new(self.topic, s3().uri(), s3().uri()));
        let work = at.as_ref().map_or_else(Workspace::new, |at| at.workspace("90s"));
        let collections = format!(
            "- source: {}\n  target: {name}\n  aliases: [live_{name}]\n  fields:\n    heading: {{from: title}}\n    \
             size: {{max_length: 8, on_misfit: quarantine}}\n  {}",
            from.collection, self.settings
        );
        // One split after the other, so that the steps come in the same order each time.
        work.plan_with((source(), &from.database), (target(), to), &collections, LIMITS);
        Scene { work, at }
    }

    fn holds(&self) {
        let (from, to) = (place(source(), &database(self.topic), "rows"), database(self.topic));
        let rows = (0..ROWS).map(|id| row(id, &format!("row {id}"))).collect();
        fill_spec(source(), &from.database, &json!([spec(&from.collection, "title", rows)]));
        let prepare = |names: &[String]| {
            if let Some(rows) = self.before {
                let specs: Vec<Value> = names.iter().map(|name| spec(name, "heading", rows())).collect();
                fill_spec(target(), &to, &json!(specs));
            }
        };
        let steps = {
            let name = "whole".to_owned();
            prepare(std::slice::from_ref(&name));
            let scene = self.scene(&from, &to, &name);
            let log = scene.work.path().join("steps");
            scene.run(&APPLY, &[("VECFERRY_CRASH_LOG", log.to_str().unwrap())]).ended(INCOMPLETE);
            std::fs::read_to_string(log)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .filter(|step| step != "create_database")
                .collect::<Vec<_>>()
        };
        println!("{}: {} steps: {}", self.topic, steps.len(), steps.join(", "));
        let mut random = Seeded::new();
        println!("VECFERRY_TEST_SEED={}", random.seed);
        let first = random.below(self.one_in) as usize;
        let chosen: Vec<usize> = (1..=steps.len()).skip(first).step_by(self.one_in as usize).collect();
        let names: Vec<String> = chosen.iter().map(|step| format!("dies_{step}")).collect();
        prepare(&names);
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some((step, name)) = chosen.get(number).copied().zip(names.get(number)) else { break };
                        if let Err(what) = self.dies_at(step, &self.scene(&from, &to, name)) {
                            let after = &steps[step - 1];
                            wrong.lock().unwrap().push(format!("killed after step {step} ({after}): {what}"));
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let all: Vec<&str> = names.iter().map(String::as_str).chain(["whole"]).collect();
        self.assert_arrived(&from, &to, &all);
        for step in ["journal begun", "record", "quarantine", "insert", "flush", "point_alias", "set_properties"] {
            let wanted = if self.topic.contains("converge") && step == "insert" { "upsert" } else { step };
            assert!(steps.iter().any(|found| found == wanted), "{wanted} is no step of {steps:?}");
        }
        // Some dozens of collections, each of which costs the server time for as long as it is there.
        python_script("mapping.py", &["drop", &format!("{}/{to}", target().uri())]);
    }

    /// Dies after a step and is run again.
    fn dies_at(&self, step: usize, scene: &Scene) -> Result<(), String> {
        let number = step.to_string();
        let log = scene.work.path().join("steps_of_the_killed");
        let killed =
            scene.run(&APPLY, &[("VECFERRY_CRASH_AT", &number), ("VECFERRY_CRASH_LOG", log.to_str().unwrap())]);
        let made = std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        // A server that was busy lets one run take steps that another one does without, such as mending what a proof read too
        // early. A run that ended before it came so far has nothing to die of.
        if killed.code.is_some() && (killed.code != Some(INCOMPLETE) || made >= step) {
            return Err(format!("it did not die, after {made} steps: {killed:?}"));
        }
        if self.power_cut {
            scene.cut_the_power();
        }
        for (command, code) in [(&APPLY[..], INCOMPLETE), (&["plan", "--detailed-exitcode", "plan.yaml"], 0)] {
            let run = scene.run(command, &[]);
            if run.code != Some(code) {
                return Err(format!("{command:?} after it: {run:?}"));
            }
        }
        let kept = scene.quarantined();
        if kept != (0..ROWS).filter(|id| !fits(*id)).collect::<Vec<_>>() {
            return Err(format!("in quarantine are {kept:?}"));
        }
        Ok(())
    }

    /// By the independent reader: the rows that fit, each once, field by field.
    #[track_caller]
    fn assert_arrived(&self, from: &Place, to: &str, names: &[&str]) {
        let (from, to) = (from.to_string(), format!("{}/{to}", target().uri()));
        let mut arguments = [&[from.as_str(), &to], names].concat();
        arguments.extend(["--where", "size == \"fits\"", "--rename", "title=heading"]);
        arguments.extend(self.known_by.iter().flat_map(|field| ["--known-by", field]));
        let answer = scripts::run("compare_each.py", &arguments);
        assert!(answer.code == 0, "{}{}", answer.out, answer.err);
        print!("{}", answer.err);
    }
}

/// A copy into a collection that is not there, with its state in a folder, which dies after each of its steps.
const COPY: Case = Case {
    topic: "die_filling",
    settings: "indexes: none",
    known_by: None,
    before: None,
    one_in: 1,
    remote: false,
    power_cut: false,
};

#[test]
fn a_copy_survives_death_after_each_of_its_steps() {
    COPY.holds();
}

#[test]
fn a_copy_survives_a_power_cut_after_its_steps() {
    Case { topic: "die_power", one_in: 2, power_cut: true, ..COPY }.holds();
}

#[test]
fn a_copy_with_keys_of_the_server_survives_death_after_each_of_its_steps() {
    let settings = "indexes: none\n  primary_key: {auto_id: true, keep_as: old_id}";
    Case { topic: "die_kept", settings, known_by: Some("old_id"), ..COPY }.holds();
}

#[test]
fn a_plan_that_converges_survives_death_after_each_of_its_steps() {
    let settings = "indexes: copy\n  on_existing: converge\n  prune: true";
    Case { topic: "die_converge", settings, before: Some(half_right), one_in: 3, ..COPY }.holds();
}

#[test]
fn a_plan_that_replaces_survives_death_after_each_of_its_steps() {
    let settings = "indexes: copy\n  load: true\n  on_existing: replace";
    Case { topic: "die_replace", settings, before: Some(a_stranger), one_in: 3, ..COPY }.holds();
}

#[test]
fn a_copy_with_its_state_in_a_bucket_survives_death_after_its_steps() {
    Case { topic: "die_remote", one_in: 6, remote: true, ..COPY }.holds();
}
