//! The invariants of the house that neither the compiler nor a lint keeps; `ARCHITECTURE.md` says what they are for.
//!
//! Each is a function from source files to complaints. It is run over `src/`, where it has to be silent, and over a made-up
//! file that breaks it, where it has to speak.

use std::fs;

use crate::rust_source::{self, SourceFile, paths, tokens, types};
use crate::servers::root;

/// The rooms of `src/` and how high they lie. A room imports from lower ones only; rooms of one height know nothing of each
/// other. `cluster` lies above `plan` for the sake of the words in which a plan names an endpoint.
const ROOMS: [(&str, u8); 17] = [
    ("main", 10),
    ("cli", 9),
    ("flow", 8),
    ("fuzzing", 8),
    ("benching", 8),
    ("run", 6),
    ("render", 7),
    ("saved", 6),
    ("diff", 5),
    ("mapping", 4),
    ("cluster", 3),
    ("state", 3),
    ("plan", 2),
    ("collection", 1),
    ("diagnostic", 0),
    ("crash_point", 0),
    ("searched", 0),
];
/// What reaches outside the process.
const IO: [&str; 13] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io",
    "fs_err",
    "tokio",
    "tonic",
    "hyper",
    "reqwest",
    "tempfile",
    "indicatif",
    "rustix",
];
const PURE: [&str; 2] = ["diff", "mapping"];
const LONGEST: usize = 600;

/// The room of a file: `cluster` for `cluster/mod.rs`, `cluster.rs` and everything under `cluster/`.
fn room(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

fn height(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, height)| *height)
}

/// Product code only: a unit test may render what it checks.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The other end of a path inside the crate, if it leads to another module at the top.
fn room_named<'a>(file: &str, path: &'a [String]) -> Option<&'a str> {
    let first = path.first()?.as_str();
    if first == "crate" || (first == "vecferry" && room(file) == "main") {
        return Some(path.get(1)?);
    }
    // `super` climbs out of a room when it is said as often as the file lies deep.
    let climbed = path.iter().take_while(|part| *part == "super").count();
    let depth = file.trim_end_matches("/mod.rs").split('/').count();
    (climbed >= depth).then(|| path.get(climbed)).flatten().map(String::as_str)
}

fn imports_upwards(file: &SourceFile) -> Vec<String> {
    let from = room(&file.path);
    if from == "lib" || is_test(&file.path) {
        return Vec::new();
    }
    let Some(own) = height(from) else {
        return vec![format!("{}: a room that is not on the list of rooms", file.path)];
    };
    let named = paths(&tokens(&file.text));
    let rooms = named.iter().filter_map(|path| room_named(&file.path, path));
    let upwards = rooms.filter(|to| *to != from && height(to).is_some_and(|other| other >= own));
    upwards.map(|to| format!("{}: imports from {to}", file.path)).collect()
}

fn does_io(file: &SourceFile) -> Vec<String> {
    if !PURE.contains(&room(&file.path)) || is_test(&file.path) {
        return Vec::new();
    }
    let named = paths(&tokens(&file.text)).into_iter().map(|path| path.join("::"));
    let outside = named.filter(|path| IO.iter().any(|io| path == io || path.starts_with(&format!("{io}::"))));
    outside.map(|path| format!("{}: reaches outside by {path}", file.path)).collect()
}

fn writes_to_the_terminal(file: &SourceFile) -> Vec<String> {
    if room(&file.path) == "render" || file.path == "cli/printer.rs" || is_test(&file.path) {
        return Vec::new();
    }
    let tokens = tokens(&file.text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| &tokens[before]);
        let after = tokens.get(at + 1).map_or("", String::as_str);
        let wrong = match token.as_str() {
            "print" | "println" | "eprint" | "eprintln" | "dbg" => after == "!",
            // `.stdout(…)` is a child process being set up.
            "stdout" | "stderr" => before == "::" || (before != "." && after == "("),
            "indicatif" => room(&file.path) != "cli",
            _ => false,
        };
        if wrong {
            found.push(format!("{}: {token} outside of render and cli/printer.rs", file.path));
        }
    }
    found
}

fn serialises_secrets(file: &SourceFile) -> Vec<String> {
    let is_secret =
        |name: &str| matches!(name, "Auth" | "Credentials") || name.starts_with("Secret") || name == "ExposeSecret";
    let tokens = tokens(&file.text);
    let derived = types(&tokens).into_iter().filter(|item| {
        let holds = is_secret(&item.name) || item.body.iter().any(|word| is_secret(word));
        holds && item.derives.iter().any(|name| name == "Serialize")
    });
    let by_hand =
        tokens.windows(3).filter(|words| words[0] == "Serialize" && words[1] == "for" && is_secret(&words[2]));
    let names = derived.map(|item| item.name).chain(by_hand.map(|words| words[2].clone()));
    names.map(|name| format!("{}: {name} holds a secret and is Serialize", file.path)).collect()
}

fn knows_the_connector(file: &SourceFile) -> Vec<String> {
    if !["plan", "diff", "mapping"].contains(&room(&file.path)) {
        return Vec::new();
    }
    let is_connector = |part: &String| matches!(part.as_str(), "milvus" | "zilliz" | "milvus_sdk_rust");
    let named = paths(&tokens(&file.text)).into_iter();
    let connectors = named.filter(|path| path.len() > 1 && path.iter().any(is_connector));
    connectors.map(|path| format!("{}: names {}", file.path, path.join("::"))).collect()
}

/// Where its secrets would not be searched for.
fn has_a_folder_of_its_own(file: &SourceFile) -> Vec<String> {
    if file.path == "searched.rs" || room(&file.path) == "fuzzing" {
        return Vec::new();
    }
    let named = ["tempdir()", "tempdir_in(", "TempDir"].into_iter().filter(|name| file.text.contains(name));
    named.map(|name| format!("{}: {name} outside of searched.rs", file.path)).collect()
}

fn is_too_long(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LONGEST { Vec::new() } else { vec![format!("{}: {lines} lines, at most {LONGEST}", file.path)] }
}

/// Silent over `src/`, and one complaint for each of the made-up files.
fn holds(check: fn(&SourceFile) -> Vec<String>, broken: &[(&str, &str)]) {
    let complaints: Vec<_> = rust_source::files(&root().join("src")).iter().flat_map(check).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (path, text) in broken {
        let file = SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        assert_eq!(check(&file).len(), 1, "{path}: {text}");
    }
}

/// What must not be mistaken for a breach.
fn allows(check: fn(&SourceFile) -> Vec<String>, fine: &[(&str, &str)]) {
    for (path, text) in fine {
        let file = SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        assert_eq!(check(&file), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn rooms_import_downwards_only() {
    holds(
        imports_upwards,
        &[
            ("diff/mod.rs", "use crate::run::Job;"),
            ("cluster/milvus/read.rs", "use crate::{collection::Key, state::Lock};"),
            ("plan/rules.rs", "fn f() { crate::cluster::connect() }"),
            ("plan/mod.rs", "use super::flow;"),
            ("plan/rules.rs", "use super::super::render::text;"),
            ("render/text.rs", "pub use crate::cli::printer::Style;"),
            ("cellar/mod.rs", "// Nobody knows how high it lies."),
        ],
    );
    allows(
        imports_upwards,
        &[
            ("run/mod.rs", "use crate::{diff::Change, cluster::{ReadSide, WriteSide}, run::split};"),
            (
                "plan/rules.rs",
                "// crate::cluster\nconst S: &str = \"crate::cluster\"; const Q: char = '\"'; use super::state;",
            ),
            ("plan/mod.rs", "#[cfg(test)]\nmod tests { use crate::render::text; }\nuse crate::diagnostic::Span;"),
            ("main.rs", "fn main() { vecferry::cli::main() }"),
        ],
    );
}

#[test]
fn diff_and_mapping_do_no_io() {
    holds(
        does_io,
        &[
            ("diff/mod.rs", "use std::{collections::BTreeMap, fs};"),
            ("diff/schema.rs", "fn f() { std::env::var(\"X\").ok(); }"),
            ("mapping.rs", "use tokio::sync::mpsc;"),
            ("mapping/cast.rs", "use fs_err as fs;"),
        ],
    );
    allows(does_io, &[("diff/mod.rs", "use std::fmt; // std::fs"), ("run/copy.rs", "use tokio::sync::mpsc;")]);
}

#[test]
fn only_render_and_the_printer_write_to_the_terminal() {
    holds(
        writes_to_the_terminal,
        &[
            ("run/copy.rs", "fn f() { println!(\"done\"); }"),
            ("cli/apply.rs", "fn f() { std::io::stdout().lock(); }"),
            ("cli/logging.rs", "fn f() { subscriber.with_writer(std::io::stderr) }"),
            ("flow.rs", "use indicatif::ProgressBar;"),
        ],
    );
    allows(
        writes_to_the_terminal,
        &[
            ("cluster/secret.rs", "fn f() { Command::new(\"x\").stdout(Stdio::piped()).output().stdout; }"),
            ("cli/printer.rs", "fn f() { println!() }"),
            ("cli/apply.rs", "use indicatif::MultiProgress;"),
        ],
    );
}

#[test]
fn no_secret_can_be_serialised() {
    holds(
        serialises_secrets,
        &[
            ("plan/resolved.rs", "#[derive(Debug, Serialize)]\npub enum SecretRef { Env(String) }"),
            (
                "cluster/mod.rs",
                "#[derive(serde::Serialize)] #[serde(rename_all = \"x\")] struct Login { user: String, password: SecretString }",
            ),
            ("cluster/mod.rs", "impl serde::Serialize for Auth { }"),
        ],
    );
    allows(
        serialises_secrets,
        &[(
            "plan/resolved.rs",
            "#[derive(Debug, Deserialize)] pub enum Auth { Token(SecretRef) } #[derive(Serialize)] struct Author { name: String }",
        )],
    );
}

#[test]
fn plan_diff_and_mapping_know_no_connector() {
    holds(
        knows_the_connector,
        &[
            ("plan/resolved.rs", "use milvus::proto::schema::DataType;"),
            ("diff/mod.rs", "use crate::cluster::{milvus, ReadSide};"),
            ("mapping/mod.rs", "fn f() { crate::cluster::zilliz::tier() }"),
        ],
    );
    allows(knows_the_connector, &[("plan/model.rs", "struct Cluster { milvus: Option<Milvus> }")]);
}

#[test]
fn unit_tests_take_their_folders_from_where_they_are_searched() {
    holds(
        has_a_folder_of_its_own,
        &[("state/lock.rs", "#[cfg(test)]\nmod tests { fn f() { tempfile::tempdir().unwrap(); } }")],
    );
}

#[test]
fn no_file_is_too_long_to_be_read() {
    holds(is_too_long, &[("plan/rules.rs", &"\n".repeat(LONGEST + 1))]);
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}
