//! `vecferry inspect` on real servers: the plan that it writes validates, applies as it stands, and leaves nothing to do.

use serde_json::json;

use crate::secrets;
use crate::servers::{Server, lite_source, lite_target, source, target};
use crate::support::{Workspace, act, assert_identical, basic, database, fill, place};

const FEW: &[&str] = &["--rows", "60"];

/// Fills these presets side by side, each into a collection of its name.
fn fill_all(server: &Server, database: &str, presets: &[&str]) {
    std::thread::scope(|scope| {
        for preset in presets {
            scope.spawn(move || fill(&place(server, database, preset), preset, FEW));
        }
    });
}

/// Writes `plan.yaml` from the one server to the other, and gives its text.
#[track_caller]
fn inspected(work: &Workspace, from: &Server, to: &Server, database: &str, more: &[&str]) -> String {
    let flags =
        ["inspect", "--uri", from.uri(), "--database", database, "--to-uri", to.uri(), "--out", "plan.yaml", "--force"];
    work.run(&[&flags[..], more].concat()).ended(0);
    let text = std::fs::read_to_string(work.path().join("plan.yaml")).unwrap();
    // Captured, and shown beside a failure.
    println!("{text}");
    text
}

/// The same plan with every proposal in it taken up.
fn taken_up(text: &str) -> String {
    const PROPOSALS: [&str; 5] = ["primary_key: ", "fields: ", "properties: ", "aliases: ", "load: "];
    let line = |line: &str| match line.strip_prefix("        # ") {
        Some(said) if PROPOSALS.iter().any(|key| said.starts_with(key)) => format!("        {said}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// What a plan that applies as it stands does, and that nothing is left to do afterwards.
#[track_caller]
fn moves(work: &Workspace, collections: usize) {
    work.run(&["validate", "plan.yaml"]).ended(0);
    work.look()
        .ended(2)
        .says(&[&format!("Plan: {collections} to create, 0 to update, 0 to replace, 0 unchanged, 0 blocked.")]);
    work.apply().ended(0);
    work.look().ended(0).says(&[&format!("{collections} unchanged")]);
}

#[test]
fn a_plan_from_milvus_moves_all_that_milvus_holds() {
    let name = database("inspect");
    let presets =
        ["types235", "binary_vector", "float16_vector", "varchar_key", "partitions", "partition_key", "auto_id"];
    fill_all(source(), &name, &presets);
    act(&place(source(), &name, "varchar_key"), "alias", &["varchar_live"]);
    let work = Workspace::new();
    let text = inspected(&work, source(), target(), &name, &[]);
    let first = text.lines().next().unwrap();
    assert_eq!(first, "# yaml-language-server: $schema=schemas/plan.v1.schema.json");
    for said in [
        // What is there, what is said for it, and what a person has to decide.
        "# auto_id: 60 rows, 1 shard, loaded",
        "      # - `id`: auto-id is off on the target",
        "        # primary_key: {auto_id: true, keep_as: legacy_id}",
        "        # aliases: [varchar_live]",
        "        indexes: copy",
        "dynamic field, with keys such as",
        "        # fields: {",
        "      #   partitions: _default",
    ] {
        assert!(text.contains(said), "`{said}` is not in\n{text}");
    }
    assert!(!text.contains("token"), "{text}");
    work.write("plan.yaml", &taken_up(&text));
    let said = ["alias varchar_live", "legacy_id", "not loaded → loaded", "7 to create", "0 blocked"];
    work.look().ended(2).says(&said);
    work.write("plan.yaml", &text);
    moves(&work, presets.len());
    for preset in presets {
        assert_identical(&place(source(), &name, preset), &place(target(), &name, preset), &[]);
    }
    let indexes = act(&place(target(), &name, "types235"), "indexes", &[]).to_string();
    assert!(indexes.contains("Trie") && indexes.contains("STL_SORT"), "{indexes}");

    // What stands on the target now is no place for a second plan.
    let flags = ["inspect", "--uri", source().uri(), "--database", &name, "--to-uri", target().uri()];
    let again = work.run(&flags).ended(3).says(&["the target has a collection `auto_id` already", "7 collections"]);
    assert!(again.out.contains("      # - source: auto_id\n"), "{}", again.out);
}

#[test]
fn a_plan_from_lite_moves_all_that_lite_holds() {
    let name = database("inspect");
    let presets = ["lite_types", "int_extremes", "partition_key", "auto_id"];
    fill_all(lite_source(), &name, &presets);
    fill(&place(lite_source(), &name, "größe: 1e3 #-"), "small", FEW);
    let work = Workspace::new();
    let text = inspected(&work, lite_source(), lite_target(), &name, &[]);
    assert!(text.contains("body_bm25 (BM25)") && text.contains("say which is meant: `on_null: keep`"), "{text}");
    work.write("plan.yaml", &taken_up(&text));
    work.look().ended(2).says(&["$meta.loose", "5 to create", "0 blocked"]);
    work.write("plan.yaml", &text);
    moves(&work, presets.len() + 1);
    for preset in presets {
        assert_identical(&place(lite_source(), &name, preset), &place(lite_target(), &name, preset), &[]);
    }
    let odd = place(lite_target(), &name, "gr__e__1e3___");
    assert_identical(&place(lite_source(), &name, "größe: 1e3 #-"), &odd, &[]);
}

#[test]
fn what_the_other_side_cannot_hold_is_written_as_a_comment() {
    let name = database("inspect");
    fill_all(source(), &name, &["types235", "binary_vector", "float16_vector"]);
    let work = Workspace::new();
    let text = inspected(&work, source(), lite_target(), &name, &[]);
    assert!(text.contains("      # - source: binary_vector\n"), "{text}");
    assert!(text.contains("cannot hold BINARY_VECTOR(128)"), "{text}");
    assert!(text.contains("fields: {vector: {type: float_vector}}"), "{text}");
    moves(&work, 2);
    let there = act(&place(lite_target(), &name, ""), "collections", &[]);
    assert_eq!(there, json!(["float16_vector", "types235"]));
    assert_identical(&place(source(), &name, "types235"), &place(lite_target(), &name, "types235"), &[]);

    let name = database("inspect");
    fill_all(lite_source(), &name, &["lite_types", "varchar_key"]);
    let text = inspected(&work, lite_source(), target(), &name, &["--to-database", &format!("{name}_new")]);
    assert!(text.contains(&format!("database: {{from: {name}, to: {name}_new}}")), "{text}");
    assert!(text.contains("      # - source: lite_types\n") && text.contains("nullable_int64"), "{text}");
    // The function is gone with a setting of its own, and is no reason to leave the collection out.
    assert!(text.contains("functions: {body_bm25: none}") && !text.contains("cannot run function"), "{text}");
    moves(&work, 1);
    let there = place(target(), &format!("{name}_new"), "varchar_key");
    assert_identical(&place(lite_source(), &name, "varchar_key"), &there, &[]);
}

#[test]
fn a_plan_without_a_target_has_a_place_to_fill_in() {
    let name = database("inspect");
    fill_all(source(), &name, &["small", "int_extremes"]);
    let small = place(source(), &name, "small");
    act(&small, "release", &[]);
    act(&small, "property", &["collection.ttl.seconds=86400"]);
    let work = Workspace::new();
    let flags = ["inspect", "--uri", source().uri(), "--database", &name];
    let run = work
        .run(&[&flags[..], &["--match", "s*", "--to-database", "elsewhere", "--out", "plan.yaml"]].concat())
        .ended(0);
    assert_eq!(run.out, "", "the plan is in the file");
    let text = std::fs::read_to_string(work.path().join("plan.yaml")).unwrap();
    for said in [
        &format!("database: {{from: {name}, to: elsewhere}}"),
        "uri: http://fill-in-the-target.invalid:19530",
        "# token: {env: NEW_TOKEN}",
        "not loaded, so apply loads it for the copy and releases it",
        "# properties: {collection.ttl.seconds: null}",
    ] {
        assert!(text.contains(said), "`{said}` is not in\n{text}");
    }
    assert!(!text.contains("int_extremes"), "{text}");
    assert_eq!(act(&small, "load-state", &[]), "NotLoad", "looking loads nothing");
    work.run(&["validate", "plan.yaml"]).ended(0);

    work.write("plan.yaml", &taken_up(&text));
    work.run(&["validate", "plan.yaml"]).ended(0);

    // The target filled in by hand, it applies.
    let filled = text.replace("http://fill-in-the-target.invalid:19530", target().uri()).replace("elsewhere", &name);
    work.write("plan.yaml", &filled);
    moves(&work, 1);
    assert_identical(&small, &place(target(), &name, "small"), &[]);

    // A file that is there stays, and what was named and is not there is told.
    work.run(&[&flags[..], &["--out", "plan.yaml"]].concat())
        .ended(1)
        .says(&["`plan.yaml` is there already", "--force"]);
    assert_eq!(std::fs::read_to_string(work.path().join("plan.yaml")).unwrap(), filled);
    work.run(&[&flags[..], &["--collection", "smal"]].concat())
        .ended(1)
        .says(&["no collection `smal`", "the nearest are small"]);
    work.run(&[&flags[..], &["--match", "x*"]].concat()).ended(1).says(&["has such a name", "int_extremes, small"]);
    work.run(&["inspect", "--uri", source().uri(), "--database", "nowhere"])
        .ended(1)
        .says(&["has no database `nowhere`"]);
    work.run(&[&flags[..], &["--out", "no/where.yaml"]].concat()).ended(1).says(&["can't write `no/where.yaml`"]);
    work.run(&["inspect", "--uri", "root:password@localhost"]).ended(64).says(&["the address holds credentials"]);
    work.run(&["inspect", "--profile", "staging"]).ended(13).says(&["there is no vecferry.toml"]);
    work.run(&["inspect"]).ended(64).says(&["--uri"]);
}

#[test]
fn a_profile_is_named_and_not_copied() {
    let work = Workspace::new();
    let profile =
        |name: &str, server: &Server, more: &str| format!("[profiles.{name}]\nuri = \"{}\"\n{more}\n", server.uri());
    let old = profile("staging", source(), &format!("database = \"{}\"", basic().database));
    work.write(
        "vecferry.toml",
        &(old + &profile("production", target(), &format!("token = \"root:{}\"", secrets::MARK))),
    );
    let flags = ["inspect", "--profile", "staging", "--to-profile", "production", "--out", "plan.yaml"];
    work.run(&[&flags[..], &["--to-database", &database("inspect"), "--collection", "basic"]].concat()).ended(0);
    let text = std::fs::read_to_string(work.path().join("plan.yaml")).unwrap();
    assert!(text.contains("    profile: staging\n") && text.contains("    profile: production\n"), "{text}");
    assert!(text.contains("index HNSW, COSINE"), "{text}");
    secrets::assert_none("the plan", text.as_bytes());
    work.look().ended(2).says(&["1 to create"]);
    // In a repository that `init` began, the schema is found from wherever the plan lies.
    work.run(&["init"]).ended(0).says(&["kept vecferry.toml"]);
    work.run(&["inspect", "--profile", "staging", "--collection", "basic", "--out", "plans/basic.yaml"]).ended(0);
    let text = std::fs::read_to_string(work.path().join("plans/basic.yaml")).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema=../schemas/plan.v1.schema.json\n"), "{text}");
    work.run(&["validate", "plans"]).ended(0);
    work.run(&["inspect", "--profile", "stagin"]).ended(13).says(&["has no profile `stagin`", "staging, production"]);
}
