//! The page for a browser: what it tells after real runs, how it looks in a real browser, and where it is written.

use serde_json::Value;

use crate::servers::{root, source, target};
use crate::support::{Workspace, act, basic, database, fill, place, python_script};

/// What a parser and a browser make of a page. They complain by themselves where it is broken, empty or too wide; where no
/// browser can be had, that is printed and the rest holds all the same.
#[track_caller]
fn look(work: &Workspace, name: &str, areas: &[&str]) -> Value {
    let file = work.path().join(name);
    let mut arguments = vec![file.to_str().unwrap()];
    arguments.extend(areas);
    let seen = python_script("page.py", &arguments);
    match seen["pictures"].as_array() {
        Some(pictures) => assert_eq!(pictures.len(), 4, "desk and phone, light and dark"),
        None => println!("no picture of {name} was taken: {}", seen["why"]),
    }
    seen
}

#[track_caller]
fn says(seen: &Value, wanted: &[&str]) {
    let text = seen["text"].as_str().unwrap();
    for words in wanted {
        assert!(text.contains(words), "`{words}` is not on the page: {text}");
    }
}

#[test]
fn a_plan_and_its_apply_are_pages_that_a_browser_draws() {
    let (from, to) = (basic(), place(target(), &database("page"), "basic"));
    let work = Workspace::new();
    // An index that is quick to build.
    let entries =
        "- source: basic\n  shards: 2\n  indexes: {vector: {index_type: FLAT, metric_type: COSINE}}\n- source: no_such";
    work.plan((source(), &from.database), (target(), &to.database), entries);

    work.run(&["plan", "--report", "plan.html", "plan.yaml"]).ended(3).says(&["Another shape", "Plan: 1 to create"]);
    let seen = look(&work, "plan.html", &[".changes", ".amounts"]);
    says(&seen, &["What would happen to 2 collections", "30,000", "shards", "in another shape", "no_such", "VF1002"]);
    // The same without the text beside it, and nothing else on stdout.
    let page = work.run(&["plan", "--output", "html", "plan.yaml"]).ended(3).out;
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));

    work.run(&["apply", "--auto-approve", "--report", "apply.html", "plan.yaml"]).ended(3).says(&["Apply complete"]);
    let seen = look(&work, "apply.html", &[".changes", ".amounts", ".rate", ".results"]);
    says(
        &seen,
        &["Not everything arrived", "30,000 rows in", "SUCCESSFUL", "BLOCKED", "vecferry apply --auto-approve"],
    );
    assert_eq!(act(&to, "count", &[]), 30_000);

    let page = work.run(&["apply", "--auto-approve", "--output", "html", "plan.yaml"]).ended(3).out;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("30,000 rows") && page.contains("nothing to do"));
}

#[test]
fn a_page_is_never_written_over_what_is_none() {
    let work = Workspace::new();
    // Nobody listens there: it is refused before anything is asked.
    work.plan_between(("http://127.0.0.1:1", "default"), ("http://127.0.0.1:1", "default"), "- source: a", "");
    let before = std::fs::read(work.path().join("plan.yaml")).unwrap();
    for command in ["plan", "apply"] {
        let run = work.run(&[command, "--report", "plan.yaml", "plan.yaml"]).ended(64);
        run.says(&["plan.yaml exists and is no page", "--report"]);
        work.run(&[command, "--report", "no/such/folder.html", "plan.yaml"]).ended(64).says(&["can't be written"]);
    }
    assert_eq!(std::fs::read(work.path().join("plan.yaml")).unwrap(), before);
    let files = std::fs::read_dir(work.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = files.filter(|name| name.ends_with(".html") || name.contains("report")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_json_of_real_plans_fits_the_published_schema() {
    let published = std::fs::read_to_string(root().join("schemas/diff.v1.schema.json")).unwrap();
    let schema = jsonschema::draft202012::new(&serde_json::from_str(&published).unwrap()).unwrap();
    let work = Workspace::new();
    assert_eq!(work.run(&["schema", "diff"]).ended(0).out, published);
    let name = database("schema");
    fill(&place(source(), &name, "small"), "small", &[]);
    let fits = |settings: &str, code: i32, action: &str, actions: Value| {
        work.plan((source(), &name), (target(), &name), &format!("- source: small\n{settings}"));
        let document = work.run(&["plan", "--output", "json", "plan.yaml"]).ended(code).json();
        let errors: Vec<String> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
        assert_eq!((&document["entries"][0]["action"], &document["entries"][0]["actions"]), (&action.into(), &actions));
    };
    fits("", 0, "create", serde_json::json!(["create"]));
    work.apply().ended(0);
    fits("", 0, "unchanged", serde_json::json!([]));
    fits("  shards: 2", 3, "blocked", serde_json::json!([]));
    fits("  shards: 2\n  on_existing: replace", 0, "replace", serde_json::json!(["delete", "create"]));
    act(&place(target(), &name, "small"), "delete", &["385"]);
    fits("  on_existing: converge\n  load: true", 0, "update", serde_json::json!(["update"]));
}
