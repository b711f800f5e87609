//! What integration tests are written with: places on servers, the Python side (`tests/support`), and vecferry itself.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::scripts::{self, Answer};
use crate::secrets;
use crate::servers::{Server, source};

/// A collection in a database on a server, whether it is there or not.
#[derive(Debug, Clone)]
pub struct Place {
    pub uri: String,
    pub database: String,
    pub collection: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.uri, self.database, self.collection)
    }
}

/// The place of this name.
pub fn place(server: &Server, database: &str, collection: &str) -> Place {
    Place { uri: server.uri().to_owned(), database: database.to_owned(), collection: collection.to_owned() }
}

/// A database name that no other test uses, so that tests can share servers. `fill` makes the database.
pub fn database(topic: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{topic}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[track_caller]
fn succeeded(what: &str, answer: &Answer) -> Value {
    assert!(answer.code == 0, "{what}: ended with {}\n{}{}", answer.code, answer.out, answer.err);
    serde_json::from_str(&answer.out).expect("one JSON value")
}

/// What a script of `tests/support` answers: one JSON value.
#[track_caller]
pub fn python_script(name: &str, arguments: &[&str]) -> Value {
    succeeded(name, &scripts::run(name, arguments))
}

/// Makes a collection and fills it. `tests/support/presets.py` has the presets, `fill.py --help` the options.
pub fn fill(at: &Place, preset: &str, options: &[&str]) {
    let mut arguments = vec![at.uri.as_str(), "--db", &at.database, "--collection", &at.collection, "--preset", preset];
    arguments.extend(options);
    succeeded(&format!("fill {at}"), &scripts::run("fill.py", &arguments));
}

/// Makes and fills the collections that a specification describes; `fill_spec.py` says how it is written.
#[track_caller]
pub fn fill_spec(server: &Server, database: &str, specs: &Value) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(specs.to_string().as_bytes()).expect("it can be written");
    let path = file.path().to_str().expect("a name in UTF-8");
    succeeded("fill_spec.py", &scripts::run("fill_spec.py", &[server.uri(), path, "--db", database]));
}

/// The collection of thirty thousand rows on the shared source, filled once. Tests read it and change nothing.
pub fn basic() -> &'static Place {
    static BASIC: LazyLock<Place> = LazyLock::new(|| {
        let basic = place(source(), "shared", "basic");
        fill(&basic, "basic", &[]);
        basic
    });
    &BASIC
}

/// Does or asks one thing; `tests/support/action.py` lists them. Null where there is no answer.
pub fn act(at: &Place, action: &str, arguments: &[&str]) -> Value {
    let address = at.to_string();
    let mut all = vec![address.as_str(), action];
    all.extend(arguments);
    succeeded(&format!("{action} {at}"), &scripts::run("action.py", &all))
}

/// What the independent reader found when it read both sides, field by field and bit by bit.
#[derive(Debug)]
pub struct Comparison {
    pub identical: bool,
    /// Physical rows of both sides, `count(*)`.
    pub counts: (u64, u64),
    /// Keys that only the first side has.
    pub missing: u64,
    /// Keys that only the second side has.
    pub extra: u64,
    pub different: u64,
    /// The first differences, for a human.
    pub text: String,
}

/// Compares two collections. Options: `--drop a,b`, `--where EXPR` (selects rows of `a` only), `--ignore-partitions`,
/// `--allow-duplicates` (in `a` only).
pub fn compare(a: &Place, b: &Place, options: &[&str]) -> Comparison {
    let (a, b) = (a.to_string(), b.to_string());
    let mut arguments = vec![a.as_str(), b.as_str()];
    arguments.extend(options);
    let Answer { out, err: text, .. } = scripts::run("compare.py", &arguments);
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("compare {a} {b}: {text}"));
    let number = |value: &Value| value.as_u64().expect("a number");
    Comparison {
        identical: found["identical"] == true,
        counts: (number(&found["count"][0]), number(&found["count"][1])),
        missing: number(&found["missing"]),
        extra: number(&found["extra"]),
        different: number(&found["different"]),
        text,
    }
}

/// Every row as the independent reader writes it down, field by field; `#partition` says where it lies.
pub fn dump(at: &Place) -> Vec<serde_json::Map<String, Value>> {
    let answer = scripts::run("dump.py", &[&at.to_string(), "--ndjson"]);
    assert!(answer.code == 0, "dump {at}: ended with {}\n{}", answer.code, answer.err);
    answer.out.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

/// Both sides hold the same rows, each once.
#[track_caller]
pub fn assert_identical(a: &Place, b: &Place, options: &[&str]) {
    let found = compare(a, b, options);
    assert!(found.identical, "{found:?}\n{}", found.text);
}

/// A folder of its own to run vecferry in; plan files and state lie there and go with it. A secret in anything that vecferry left
/// there fails the test.
pub struct Workspace {
    dir: TempDir,
}

impl Workspace {
    pub fn new() -> Workspace {
        Workspace { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// vecferry in this folder, with nothing of the developer's own settings.
    pub fn vecferry(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("vecferry");
        command.current_dir(self.path()).env("HOME", self.path()).env("NO_COLOR", "1");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VECFERRY_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Writes a file of this folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("the file can be written");
        secrets::wrote(&path);
        path
    }

    /// Writes `plan.yaml`, which moves collections from one database to another. `collections` is the YAML list under
    /// `collections:`, its lines not indented, as in `"- source: articles\n  shards: 2"`.
    pub fn plan(&self, from: (&Server, &str), to: (&Server, &str), collections: &str) -> PathBuf {
        self.plan_with(from, to, collections, "")
    }

    /// The same with more keys of the migration, such as `"verify: counts"`.
    pub fn plan_with(&self, from: (&Server, &str), to: (&Server, &str), collections: &str, more: &str) -> PathBuf {
        self.plan_between((from.0.uri(), from.1), (to.0.uri(), to.1), collections, more)
    }

    /// The same between addresses, such as that of a proxy before a server.
    pub fn plan_between(&self, from: (&str, &str), to: (&str, &str), collections: &str, more: &str) -> PathBuf {
        let indent =
            |text: &str, by: usize| -> String { text.lines().map(|line| format!("{:by$}{line}\n", "")).collect() };
        let text = format!(
            "version: 1\nname: test\nsources:\n  old:\n    milvus: {{uri: \"{}\"}}\ntargets:\n  new:\n    milvus: {{uri: \"{}\"}}\n\
             migrations:\n  - from: old\n    to: new\n    database: {{from: {}, to: {}}}\n    collections:\n{}{}",
            from.0,
            to.0,
            from.1,
            to.1,
            indent(collections, 6),
            indent(more, 4),
        );
        self.write("plan.yaml", &text)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // A test that has failed says why it did.
        if !std::thread::panicking() {
            secrets::assert_none_under(self.path());
        }
    }
}
