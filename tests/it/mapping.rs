//! Every rule of the mapping on rows with nulls, extremes, odd texts and missing keys. What arrives is read by the vendor's
//! client and held against values that Python computes (`tests/support/mapping*.py`); the table of cases is there too.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::runs::Run;
use crate::servers::{Server, lite_source, lite_target, source, target};
use crate::support::{Place, Workspace, act, database, fill, place, python_script};

/// The sources of the cases on a server: the database that they are in, and what the script that filled it said.
type Filled = (&'static str, String);

fn filled(server: &Server) -> Filled {
    let name = "mapping";
    let said = python_script("mapping.py", &["fill", &format!("{}/{name}", server.uri())]);
    (name, said.to_string())
}

/// From one server to another.
struct Way {
    name: &'static str,
    from: &'static Server,
    to: &'static Server,
    filled: &'static Filled,
}

/// Ways from Milvus, or from milvus-lite, whose sources are filled once.
fn way(from_lite: bool, to_lite: bool) -> Way {
    static MILVUS: LazyLock<Filled> = LazyLock::new(|| filled(source()));
    static LITE: LazyLock<Filled> = LazyLock::new(|| filled(lite_source()));
    let (from, filled) = if from_lite { (lite_source(), &*LITE) } else { (source(), &*MILVUS) };
    let to = if to_lite { lite_target() } else { target() };
    let name = match (from_lite, to_lite) {
        (false, false) => "milvus-to-milvus",
        (false, true) => "milvus-to-lite",
        (true, false) => "lite-to-milvus",
        (true, true) => "lite-to-lite",
    };
    Way { name, from, to, filled }
}

/// One group of cases in one plan, and the database of its targets.
struct Group<'a> {
    way: &'a Way,
    name: &'static str,
    database: String,
    work: Workspace,
    /// By target, what the plan has to say about it.
    says: Value,
}

impl<'a> Group<'a> {
    fn new(way: &'a Way, name: &'static str) -> Self {
        let work = Workspace::new();
        let made = work.write("made.json", &way.filled.1);
        let made = made.to_str().unwrap();
        let plan = python_script("mapping.py", &["plan", way.name, name, "--made", made]);
        let database = database(&format!("mapping_{name}"));
        work.plan((way.from, way.filled.0), (way.to, &database), plan["entries"].as_str().unwrap());
        Group { way, name, database, work, says: plan["says"].clone() }
    }

    fn cases(&self) -> usize {
        self.says.as_object().unwrap().len()
    }

    /// Holds the targets, and what `--scan` said, against what Python expects.
    #[track_caller]
    fn check(&self, options: &[&str]) {
        let (made, targets) = (self.work.path().join("made.json"), format!("{}/{}", self.way.to.uri(), self.database));
        let all = [&["check", &targets, self.way.name, self.name, "--made", made.to_str().unwrap()], options].concat();
        let wrong = python_script("mapping.py", &all);
        let lines: Vec<&str> = wrong.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        assert!(lines.is_empty(), "{} {}:\n{}", self.way.name, self.name, lines.join("\n"));
    }

    /// `plan --scan`, kept in a file for [`Self::check`].
    fn scan(&self) -> String {
        let run = self.work.run(&["plan", "--scan", "--output", "json", "plan.yaml"]);
        run.json();
        self.work.write("scan.json", &run.out).to_str().unwrap().to_owned()
    }

    fn place(&self, collection: &str) -> Place {
        place(self.way.to, &self.database, collection)
    }
}

impl Drop for Group<'_> {
    /// Loaded collections cost the server memory and every other test time.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            python_script("mapping.py", &["drop", &format!("{}/{}", self.way.to.uri(), self.database)]);
        }
    }
}

fn unchanged(run: Run, code: i32, cases: usize) {
    let summary = format!("Plan: 0 to create, 0 to update, 0 to replace, {cases} unchanged, 0 blocked.");
    run.ended(code).says(&[&summary]);
}

/// Everything that fits arrives as Python says, and is left alone from then on.
fn what_fits_arrives(way: &Way) {
    let group = Group::new(way, "fits");
    let scan = group.scan();
    group.work.apply().ended(0).says(&[&format!("{} successful, 0 failed", group.cases())]);
    group.check(&["--plan", &scan]);
    unchanged(group.work.apply(), 0, group.cases());
    unchanged(group.work.look(), 0, group.cases());
    group.work.verify().ended(0).says(&[&format!("{} identical, 0 different, 0 failed", group.cases())]);
}

/// Rows that do not fit are in files with their reasons and not on the target, and nothing hides them later.
fn what_does_not_fit_is_kept(way: &Way) {
    let group = Group::new(way, "unfit");
    group.work.apply().ended(3);
    let folder = group.work.state().join("quarantine");
    let files =
        || -> Vec<_> { group.work.state_files().into_iter().filter(|(path, _)| path.starts_with(&folder)).collect() };
    let kept = files();
    group.check(&["--quarantine", folder.to_str().unwrap()]);
    unchanged(group.work.look(), 0, group.cases());
    unchanged(group.work.apply(), 3, group.cases());
    group.work.verify().ended(3).says(&[&format!("{} identical, 0 different, 0 failed", group.cases())]);
    assert_eq!(files(), kept);
}

/// What cannot work is said before anything is made.
fn what_cannot_work_is_refused(way: &Way) {
    let group = Group::new(way, "refused");
    let plan = group.work.run(&["plan", "--output", "json", "plan.yaml"]).ended(3).json();
    let entries = plan["entries"].as_array().unwrap();
    assert_eq!(entries.len(), group.cases());
    for entry in entries {
        let (target, blocked) = (entry["target"]["collection"].as_str().unwrap(), entry["blocked"].to_string());
        assert_eq!(entry["action"], "blocked", "{target}: {entry:#}");
        for text in group.says[target].as_array().unwrap() {
            // As JSON writes it within a text.
            let text = text.to_string();
            assert!(blocked.contains(text.trim_matches('"')), "{target} does not say {text}: {blocked}");
        }
    }
    group.work.apply().ended(3).says(&[&format!("{} blocked", group.cases())]);
    let databases = act(&group.place(""), "databases", &[]);
    assert!(!databases.to_string().contains(&group.database), "something was made: {databases}");
}

/// A row that does not fit stops its collection, which is named with field and key; its alias points nowhere.
fn what_stops_is_named(way: &Way) {
    let group = Group::new(way, "stopped");
    group.work.look().ended(2);
    let run = group.work.apply().ended(3).says(&[&format!("0 successful, {} failed", group.cases())]);
    for (target, says) in group.says.as_object().unwrap() {
        assert!(run.words().contains(target), "{target}");
        for text in says.as_array().unwrap() {
            assert!(run.words().contains(text.as_str().unwrap()), "{target} does not say {text}: {}", run.words());
        }
    }
    assert_eq!(act(&group.place("s_int8"), "aliases", &[]), json!([]));
    // And it is said again, as long as the plan and the source are what they are.
    group.work.apply().ended(3);
    group.scan();
    group.work.run(&["plan", "--scan", "plan.yaml"]).ended(3).says(&["rows do not fit"]);
}

fn all_of(way: &Way) {
    what_fits_arrives(way);
    what_does_not_fit_is_kept(way);
    what_stops_is_named(way);
    what_cannot_work_is_refused(way);
}

#[test]
fn milvus_to_milvus() {
    all_of(&way(false, false));
}

#[test]
fn milvus_to_lite() {
    all_of(&way(false, true));
}

#[test]
fn lite_to_lite() {
    all_of(&way(true, true));
}

#[test]
fn lite_to_milvus() {
    all_of(&way(true, false));
}

/// The nearest rows of each of a hundred, which are vectors of the source's own.
fn nearest(at: &Place, field: &str) -> Value {
    act(at, "nearest", &[field, "100", "10"])
}

#[test]
fn a_renamed_vector_field_is_found_by_as_before() {
    let name = database("renamed");
    let (from, to) = (place(source(), &name, "rows"), place(target(), &name, "rows"));
    fill(&from, "small", &["--rows", "500"]);
    let work = Workspace::new();
    let entry = "- source: rows\n  fields: {embedding: {from: vector}}\n  indexes: copy\n  load: true";
    work.plan((source(), &name), (target(), &name), entry);
    work.look().ended(2).says(&["embedding"]);
    work.apply().ended(0);
    let [before, after] = [&from, &to].map(|at| act(at, "indexes", &[]));
    assert_eq!(before[0]["field_name"], "vector");
    assert_eq!(after[0]["field_name"], "embedding");
    for what in ["index_type", "metric_type", "index_name"] {
        assert_eq!(after[0][what], before[0][what], "{what}");
    }
    assert_eq!((&after[0]["index_type"], &after[0]["metric_type"]), (&json!("FLAT"), &json!("L2")));
    let (before, after) = (nearest(&from, "vector"), nearest(&to, "embedding"));
    assert_eq!(before.as_array().unwrap().len(), 100);
    assert_eq!(after, before);
    work.look().ended(0);
}

#[test]
fn an_alias_goes_from_blue_to_green_and_back_and_never_to_what_failed() {
    let name = database("alias");
    let at = |collection: &str| place(target(), &name, collection);
    for color in ["blue", "green"] {
        fill(&place(source(), &name, color), "small", &["--rows", "60"]);
    }
    let work = Workspace::new();
    let plan = |color: &str, more: &str| {
        let entry = format!("- source: {color}\n  aliases: [live]\n  load: true\n{more}");
        work.plan((source(), &name), (target(), &name), &entry);
    };
    let points_to = |color: &str, other: &str| {
        assert_eq!(act(&at(color), "aliases", &[]), json!(["live"]));
        if act(&at(other), "collections", &[]).as_array().unwrap().contains(&json!(other)) {
            assert_eq!(act(&at(other), "aliases", &[]), json!([]));
        }
        assert_eq!(act(&at("live"), "count", &[]), 60);
    };
    plan("blue", "");
    work.apply().ended(0);
    points_to("blue", "green");

    // A row that does not fit: green is never verified.
    plan("green", "  target: misfit\n  fields: {year: {type: int8}}\n");
    work.apply().ended(3).says(&["`year`"]);
    points_to("blue", "misfit");

    plan("green", "");
    work.look().ended(2).says(&["live"]);
    points_to("blue", "green");
    work.apply().ended(0);
    points_to("green", "blue");

    let rows = act(&at("blue"), "seen", &[])["segments"].clone();
    plan("blue", "");
    work.look().ended(2).says(&["1 to update"]);
    work.apply().ended(0);
    points_to("blue", "green");
    assert_eq!(act(&at("blue"), "seen", &[])["segments"], rows, "nothing is copied to switch an alias");
    work.look().ended(0);
}
