//! Many collections at once: one that fails stops none of the others and is not hidden by them.

use std::sync::LazyLock;

use serde_json::json;

use crate::servers::{source, target};
use crate::support::{Place, Workspace, act, assert_identical, database, fill, place};

/// 49 collections `many00` to `many48`, and `many_bare`, which cannot be read because it has no index and is not loaded.
fn fifty() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let name = database("many");
        fill(&place(source(), &name, "many"), "many", &["--collections", "49", "--rows", "20"]);
        fill(&place(source(), &name, "many_bare"), "small", &["--rows", "20", "--no-index"]);
        name
    });
    &NAME
}

fn workspace(collections: &str, to: &str) -> Workspace {
    let work = Workspace::new();
    work.plan((source(), fifty()), (target(), to), collections);
    work
}

#[test]
fn forty_nine_arrive_and_the_fiftieth_is_named() {
    let to = database("many");
    let work = workspace("- match: \"many*\"\n  indexes: none", &to);
    let at = |name: &str| -> (Place, Place) { (place(source(), fifty(), name), place(target(), &to, name)) };
    work.look().ended(3).says(&["many_bare", "Plan: 49 to create, 0 to update, 0 to replace, 0 unchanged, 1 blocked."]);
    work.apply().ended(3).says(&["many_bare", "no index"]);
    let names: Vec<String> = (0..49).map(|number| format!("many{number:02}")).collect();
    assert_eq!(act(&at("").1, "collections", &[]), json!(names));
    for name in ["many00", "many24", "many48"] {
        let (from, to) = at(name);
        assert_identical(&from, &to, &[]);
    }
    // Its own verification has read all of them back; so has nobody to be asked 49 times.
    let again = work.apply().ended(3);
    again.says(&["many_bare", "Plan: 0 to create, 0 to update, 0 to replace, 49 unchanged, 1 blocked."]);
    assert_eq!(act(&at("many_bare").0, "load-state", &[]), "NotLoad");
}

#[test]
fn what_is_excluded_stays_behind() {
    let work = workspace("- match: \"many*\"\n  exclude: [\"many4?\", many_bare]", &database("some"));
    let run = work.look().ended(2).says(&["Plan: 40 to create, 0 to update, 0 to replace, 0 unchanged, 0 blocked."]);
    assert!(!run.words().contains("many4") && !run.words().contains("many_bare"), "{}", run.out);
}

#[test]
fn a_pattern_that_means_nothing_is_a_warning() {
    let work = workspace("- match: \"no_such_*\"\n- source: many00", &database("none"));
    work.look().ended(2).says(&["no_such_*", "1 to create"]);
    let work = workspace("- match: \"no_such_*\"", &database("none"));
    work.look().ended(0).says(&["no_such_*"]);
    work.apply().ended(0).says(&["no_such_*"]);
}

#[test]
fn one_target_for_a_pattern_and_a_name_is_refused() {
    let to = database("twice");
    let work = workspace("- match: \"many0*\"\n- source: many10\n  target: many07", &to);
    for command in ["plan", "apply", "verify"] {
        work.run(&[command, "plan.yaml"]).ended(13).says(&["many07", "plan.yaml"]);
    }
    assert!(!act(&place(target(), &to, ""), "databases", &[]).to_string().contains(&to));
}
