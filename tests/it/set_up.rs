//! What a new repository and a new machine begin with: `init`, completions, manual pages, and the workflows of `examples/ci`.

use std::process::Command;

use serde_json::Value;

use crate::servers::root;
use crate::support::Workspace;

/// Every command by its name, as `--help` lists them.
fn commands(work: &Workspace) -> Vec<String> {
    let help = work.run(&["--help"]).ended(0).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(names.contains(&"inspect".to_owned()) && names.len() > 12, "{help}");
    names
}

#[test]
fn a_new_repository_is_begun_and_nothing_in_it_is_overwritten() {
    let work = Workspace::new();
    work.write(".gitignore", "mine\n");
    let first = work.run(&["init", "."]).ended(0).says(&[
        "Next",
        "plans/example.yaml in",
        "vecferry inspect",
        "vecferry validate",
        "vecferry plan",
    ]);
    let told = "made plans/example.yaml\nmade schemas/plan.v1.schema.json\nmade vecferry.toml\n\
                made .github/workflows/vecferry.yml\nkept .gitignore\n";
    assert_eq!(first.out, told);
    let read = |name: &str| std::fs::read_to_string(work.path().join(name)).unwrap();
    assert_eq!(read(".gitignore"), "mine\n");
    assert!(first.err.contains("*.vfplan.json"), "{}", first.err);
    // The example and vecferry.toml are valid, warnings included, and the schema is where the first line says.
    let run = work.run(&["validate", "plans"]).ended(0);
    assert!(!run.words().contains("warning"), "{}", run.words());
    assert!(read("plans/example.yaml").starts_with("# yaml-language-server: $schema=../schemas/plan.v1.schema.json\n"));
    let workflow = std::fs::read_to_string(root().join("examples/ci/vecferry.yml")).unwrap();
    assert_eq!(read(".github/workflows/vecferry.yml"), workflow);

    work.write("vecferry.toml", "# mine\n");
    let second = work.run(&["init", "--output", "json"]).ended(0).json();
    assert_eq!((&second["format_version"], &second["made"]), (&serde_json::json!("1.0"), &serde_json::json!([])));
    assert_eq!(second["kept"].as_array().unwrap().len(), 5);
    assert_eq!(read("vecferry.toml"), "# mine\n");
    work.run(&["init", "new/place"]).ended(0).says(&["in new/place"]);
    assert!(read("new/place/.gitignore").contains(".vecferry/"));
}

#[test]
fn completions_are_made_for_each_shell() {
    let work = Workspace::new();
    let names = commands(&work);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = work.run(&["completions", shell]).ended(0).out;
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell} does not know {name}");
        }
    }
    let script = work.write("vecferry.bash", &work.run(&["completions", "bash"]).out);
    let checked = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    work.run(&["completions", "tcsh"]).ended(64).says(&["bash"]);
}

#[test]
fn each_command_has_a_manual_page() {
    let work = Workspace::new();
    let main = work.run(&["man"]).ended(0).out;
    assert!(main.contains(".TH vecferry 1") && main.contains("Exit codes"), "{main}");
    // Made again, they are written over.
    for _ in 0..2 {
        work.run(&["man", "--out", "man/man1"]).ended(0);
    }
    let page = |name: &str| std::fs::read_to_string(work.path().join(format!("man/man1/{name}.1"))).unwrap();
    for name in commands(&work).iter().filter(|name| *name != "help") {
        assert!(page(&format!("vecferry-{name}")).contains(&format!("vecferry\\-{name}")), "{name}");
    }
    assert!(page("vecferry-state-list").contains("SYNOPSIS"));
    assert_eq!(page("vecferry"), main);
}

/// The workflows, and what runs in them.
fn workflows() -> [Value; 2] {
    ["vecferry.yml", "vecferry-reusable.yml"].map(|name| {
        let text = std::fs::read_to_string(root().join("examples/ci").join(name)).unwrap();
        serde_yaml::from_str(&text).unwrap()
    })
}

fn steps(workflow: &Value) -> Vec<&Value> {
    workflow["jobs"].as_object().unwrap().values().flat_map(|job| job["steps"].as_array().unwrap()).collect()
}

#[test]
fn the_workflows_ask_for_little_and_their_steps_are_shell() {
    for workflow in workflows() {
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
        assert!(workflow["concurrency"]["group"].is_string());
        for step in steps(&workflow) {
            if let Some(action) = step["uses"].as_str() {
                assert!(action.contains("@v"), "{action} is not pinned by a version");
            }
            let Some(script) = step["run"].as_str() else { continue };
            // What an event says comes by the environment: written into a script, it could be made to run.
            assert!(!script.contains("${{"), "{script}");
            let checked = Command::new("bash").args(["-n", "-c", script]).output().unwrap();
            assert!(checked.status.success(), "{script}\n{checked:?}");
        }
    }
}

#[test]
fn both_workflows_install_this_version_and_do_the_same() {
    let [own, reusable] = workflows();
    assert_eq!(own["env"]["VECFERRY_VERSION"], env!("CARGO_PKG_VERSION"));
    assert_eq!(reusable["on"]["workflow_call"]["inputs"]["version"]["default"], env!("CARGO_PKG_VERSION"));
    let scripts = |workflow: &Value| -> Vec<String> {
        let scripts = steps(workflow).into_iter().filter_map(|step| step["run"].as_str().map(str::to_owned));
        scripts.map(|script| script.replace("\"$PLANS\"", "plans")).collect()
    };
    assert_eq!(scripts(&own), scripts(&reusable));
}

/// Stands in for GitHub's command: what it is asked is written down, and the answer to a list is a file.
const GH: &str = r#"#!/usr/bin/env bash
printf '%s\n' "$*" >> asked
case "$*" in *--paginate*) cat listed ;; esac
"#;

#[test]
fn a_change_request_has_one_comment_which_is_written_anew() {
    use std::os::unix::fs::PermissionsExt as _;
    let [workflow, _] = workflows();
    let comment = steps(&workflow).into_iter().find(|step| step["name"] == "Comment").unwrap()["run"].as_str().unwrap();
    let work = Workspace::new();
    let gh = work.write("gh", GH);
    std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", work.path().display(), std::env::var("PATH").unwrap());
    let step = || {
        work.write("asked", "");
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", comment]).current_dir(work.path()).env("PATH", &path);
        let ended = bash
            .envs([("REPOSITORY", "team/plans"), ("NUMBER", "7"), ("SUMMARY", "https://a.example/1")])
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let asked = std::fs::read_to_string(work.path().join("asked")).unwrap();
        (asked, std::fs::read_to_string(work.path().join("comment.md")).unwrap())
    };
    let mark = "<!-- generated by vecferry -->\n";
    work.write("listed", "");
    work.write("plan.md", "Plan: 1 to create\n");
    let (asked, body) = step();
    assert!(asked.contains("--method POST repos/team/plans/issues/7/comments --field body=@comment.md"), "{asked}");
    assert_eq!(body, format!("{mark}Plan: 1 to create\n"));

    // The comment that is there is taken, and a mark that the diff brings itself is not doubled.
    work.write("listed", "41\n42\n");
    work.write("plan.md", &format!("{mark}Plan: 2 to create\n"));
    let (asked, body) = step();
    assert!(asked.contains("--method PATCH repos/team/plans/issues/comments/41 --field body=@comment.md"), "{asked}");
    assert_eq!(body, format!("{mark}Plan: 2 to create\n"));

    // What no comment can hold is in the summary, and the last line is shown all the same.
    work.write("plan.md", &format!("{}Plan: 3 to create\n", "a row\n".repeat(20_000)));
    let (_, body) = step();
    assert!(
        body.starts_with(mark) && body.contains("https://a.example/1") && body.ends_with("Plan: 3 to create\n"),
        "{body}"
    );
    assert!(body.len() < 1_000, "{body}");
}
