//! The seventeen things that the guide to offline migration describes, each by a test that is named after its row in
//! `docs/zilliz-cloud.md`. They are small; what may go wrong with each is in the tests that its page names.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::cloud::plans::{by_id, by_uri, made, managed, migration};
use crate::cloud::{KEY_VARIABLE, NEW, OLD, Simulator, cluster, two_clusters};
use crate::refusals::{PASSWORD, USER, guarded};
use crate::servers::{Server, lite_target, root, source, target};
use crate::support::{Place, Workspace, act, assert_identical, basic, database, fill, place};

/// `articles` in a database of the shared source: two hundred rows, half of which have the dynamic key `lang`.
fn guide() -> &'static Place {
    static GUIDE: LazyLock<Place> = LazyLock::new(|| {
        let at = place(source(), &database("guide"), "articles");
        fill(&at, "small", &[]);
        at
    });
    &GUIDE
}

/// A plan for `articles` with these settings, to a database of its own on this target.
fn plan(topic: &str, to: &Server, settings: &str) -> (Workspace, Place) {
    let (work, at) = (Workspace::new(), place(to, &database(topic), "articles"));
    let settings: String = settings.lines().map(|line| format!("\n  {line}")).collect();
    work.plan((source(), &guide().database), (to, &at.database), &format!("- source: articles{settings}"));
    (work, at)
}

fn field(at: &Place, name: &str) -> Value {
    let described = act(at, "describe", &[]);
    let mut fields = described["schema"]["fields"].as_array().unwrap().iter();
    fields.find(|field| field["name"] == name).unwrap_or_else(|| panic!("no {name}: {described:#}")).clone()
}

#[test]
fn row_01_all_existing_data_of_a_source_goes_to_a_target() {
    let (work, to) = (Workspace::new(), database("row_01"));
    work.plan((source(), &guide().database), (target(), &to), "- match: \"*\"\n  indexes: none");
    work.apply().ended(0);
    assert_eq!(act(&place(target(), &to, ""), "collections", &[]), json!(["articles"]));
    assert_identical(guide(), &place(target(), &to, "articles"), &[]);
}

#[test]
fn row_02_within_an_organisation_the_target_is_an_existing_cluster() {
    let (cloud, work, to) = (Simulator::start(two_clusters()), Workspace::new(), database("row_02"));
    let one = "[{source: articles, indexes: none}]";
    let databases = (guide().database.as_str(), to.as_str());
    work.plan_of(&by_id(&cloud, OLD, ""), &by_id(&cloud, NEW, ""), &[migration(databases, one, "")]);
    work.apply_cloud(&cloud).ended(0);
    assert_identical(guide(), &place(target(), &to, "articles"), &[]);
    work.look_cloud(&cloud).ended(0);
}

#[test]
fn row_03_within_an_organisation_the_target_is_a_new_cluster_with_its_settings() {
    let (cloud, work, to) = (Simulator::start(two_clusters()), Workspace::new(), database("row_03"));
    let databases = (guide().database.as_str(), to.as_str());
    let moved = migration(databases, "[{source: articles, indexes: none}]", "");
    work.plan_of(&by_id(&cloud, OLD, ""), &made(&cloud, "kb-prod"), &[moved]);
    work.look_cloud(&cloud).ended(2).says(&["kb-prod"]);
    assert_eq!(cloud.count("createDedicated"), 0, "a plan makes nothing");
    work.apply_cloud(&cloud).ended(0);
    let created = cloud.bodies("createDedicated");
    let wanted = json!({
        "clusterName": "kb-prod", "projectId": crate::cloud::PROJECT, "regionId": crate::cloud::REGION,
        "plan": "Enterprise", "cuType": "Capacity-optimized", "cuSize": 2, "description": "made by a test",
    });
    assert_eq!(created, [wanted]);
    assert_identical(guide(), &place(target(), &to, "articles"), &[]);
    let password = std::fs::read_to_string(work.password_file()).unwrap();
    assert!(password.contains(crate::secrets::MARK));
    work.look_cloud(&cloud).ended(0);
}

#[test]
fn row_04_across_organisations_by_endpoint_with_token_or_user_and_password() {
    let cloud = Simulator::start(two_clusters());
    let from = database("row_04");
    fill(&place(guarded(), &from, "articles"), "small", &["--rows", "50"]);
    let login = format!("{USER}:{PASSWORD}");
    for keys in [", token: {env: OLD_TOKEN}".to_owned(), format!(", username: {USER}, password: {{env: OLD_PASSWORD}}")]
    {
        let (work, to) = (Workspace::new(), database("row_04"));
        let moved = migration((&from, &to), "[{source: articles, indexes: none}]", "");
        work.plan_of(&by_uri(guarded(), &keys), &by_id(&cloud, NEW, ""), &[moved]);
        let variables = [("OLD_TOKEN", login.as_str()), ("OLD_PASSWORD", PASSWORD)];
        work.start_cloud(&cloud, &["apply", "--auto-approve", "plan.yaml"], &variables).wait().ended(0);
        assert_eq!(act(&place(target(), &to, "articles"), "count", &[]), 50);
    }
}

#[test]
fn row_05_plans_of_clusters_are_compatible_or_the_migration_is_refused() {
    let with_plan = |id: &str, plan: &str, behind: &Server| {
        let mut given = cluster(id, behind);
        given["plan"] = json!(plan);
        if !["Standard", "Enterprise"].contains(&plan) {
            (given["cuType"], given["cuSize"]) = (json!(""), json!(0));
        }
        given
    };
    // Serverless clusters have one database, in which other tests make collections too.
    let here = place(source(), &database("row_05"), "of_the_fifth_row");
    fill(&here, "small", &["--rows", "50"]);
    let (free, serverless) = ("in03-000000000000001", "in05-000000000000002");
    let others = ["in05-000000000000003", "in01-000000000000004"];
    let cloud = Simulator::start(json!({"clusters": [
        with_plan(free, "Free", source()), with_plan(serverless, "Serverless", source()), cluster(OLD, source()),
        with_plan(others[0], "Serverless", target()), with_plan(others[1], "Enterprise", target()),
    ]}));
    for (from, to, fits) in [
        (free, others[0], false),
        (serverless, others[0], true),
        (serverless, others[1], true),
        (OLD, others[0], false),
        (OLD, others[1], true),
    ] {
        let work = Workspace::new();
        let moved = managed((&here.database, "default"), "[{source: of_the_fifth_row}]");
        work.plan_of(&by_id(&cloud, from, ""), &by_id(&cloud, to, ""), &[moved]);
        let found = work.look_cloud(&cloud);
        if fits {
            found.ended(2)
        } else {
            found.ended(3).says(&["direct"])
        };
    }
    assert_eq!(cloud.count("toExisting"), 0);
}

#[test]
fn row_06_auto_id_may_replace_the_primary_key_and_the_old_values_can_be_kept() {
    let (work, to) = (Workspace::new(), database("row_06"));
    let entries = "- {source: articles, target: kept, indexes: none, primary_key: {auto_id: true, keep_as: legacy_id}}\n\
                   - {source: articles, target: renumbered, indexes: none, primary_key: {auto_id: true}}";
    work.plan((source(), &guide().database), (target(), &to), entries);
    work.apply().ended(0);
    assert_identical(guide(), &place(target(), &to, "kept"), &["--known-by", "legacy_id"]);
    assert_identical(guide(), &place(target(), &to, "renumbered"), &["--by-content"]);
}

#[test]
fn row_07_each_scalar_field_may_be_nullable_and_have_a_default() {
    let settings = "fields:\n  title: {nullable: true}\n  year: {default: 1999}";
    // 2.3.5 knows neither.
    let (work, to) = plan("row_07", lite_target(), settings);
    work.apply().ended(0);
    assert_eq!(field(&to, "title")["nullable"], true);
    assert_eq!(field(&to, "year")["default_value"], json!({"int_data": 1999}));
    assert_eq!(act(&to, "count", &[]), 200);
}

#[test]
fn row_08_a_partition_key_is_a_number_or_text_and_never_null() {
    let lifted = "from: $meta.lang, type: varchar, max_length: 8, partition_key: true";
    let (work, to) = plan("row_08", target(), &format!("indexes: none\nfields: {{lang: {{{lifted}, default: en}}}}"));
    work.apply().ended(0);
    assert_eq!(field(&to, "lang")["is_partition_key"], true);
    assert_eq!(act(&to, "count", &[]), 200);
    // Half of the rows have no such key, which only the data shows.
    let (work, _) = plan("row_08", target(), &format!("indexes: none\nfields: {{lang: {{{lifted}}}}}"));
    work.apply().ended(3).says(&["lang", "null"]);
    let (work, _) = plan("row_08", target(), "fields: {year: {partition_key: true}}");
    work.look().ended(3).says(&["year", "partition key"]);
}

#[test]
fn row_09_without_a_dynamic_field_each_of_its_keys_is_declared() {
    let lifted = "fields: {lang: {from: $meta.lang, type: varchar, max_length: 8, default: none}}";
    let (work, to) = plan("row_09", target(), &format!("indexes: none\ndynamic_field: false\n{lifted}"));
    work.apply().ended(0);
    let described = act(&to, "describe", &[]);
    assert!(described["schema"]["enable_dynamic_field"].is_null(), "{described:#}");
    assert_eq!(act(&to, "row", &["-994"])["lang"], "de");
    assert_eq!(act(&to, "row", &["-1001"])["lang"], "none");
}

#[test]
fn row_10_the_number_of_shards_is_chosen() {
    let (work, to) = plan("row_10", target(), "indexes: none\nshards: auto");
    work.apply().ended(0);
    assert_eq!(act(&to, "describe", &[])["shards_num"], 1);
    let (work, _) = plan("row_10", target(), "indexes: none\nshards: 4");
    work.look().ended(2).says(&["shards", "1 → 4"]);
    // What is advised above 100 million rows is in the unit tests of `mapping`: no test here has as many.
}

#[test]
fn row_11_a_job_has_a_state_and_a_figure_of_progress() {
    let (work, _) = plan("row_11", target(), "indexes: none");
    let progress = work.start_with(&["apply", "--auto-approve", "plan.yaml"], &[("VECFERRY_PROGRESS_SECONDS", "0.1")]);
    progress.wait().ended(0);
    work.run(&["status", "plan.yaml"]).ended(0).says(&["SUCCESSFUL", "200/200", "100 %"]);
}

#[test]
fn row_12_an_autoindex_is_made_and_the_collection_loaded_where_the_plan_says_so() {
    let (work, to) = (Workspace::new(), database("row_12"));
    let entries = "- {source: articles, target: waiting}\n- {source: articles, target: ready, load: true}";
    work.plan((source(), &guide().database), (target(), &to), entries);
    work.apply().ended(0);
    for (name, state) in [("waiting", "NotLoad"), ("ready", "Loaded")] {
        let at = place(target(), &to, name);
        assert_eq!(act(&at, "indexes", &[])[0]["index_type"], "AUTOINDEX");
        assert_eq!(act(&at, "load-state", &[]), state);
    }
}

#[test]
fn row_13_a_difference_fails_the_run_and_is_made_good_without_dropping() {
    let (work, to) = plan("row_13", target(), "indexes: copy\non_existing: converge");
    work.apply().ended(0);
    act(&to, "delete", &["-994"]);
    work.verify().ended(4).says(&["-994"]);
    work.apply().ended(0);
    assert_eq!(work.written(), 1, "{:#?}", work.journal());
    work.verify().ended(0);
}

#[test]
fn row_14_a_job_in_trouble_is_canceled_and_its_error_is_shown() {
    let (work, to) = (Workspace::new(), database("row_14"));
    let slowly = "limits: {write_mb_per_s: 6, concurrency: 1}";
    work.plan_with((source(), &basic().database), (target(), &to), "- source: basic\n  indexes: none", slowly);
    let mut run = work.start_apply();
    assert!(work.reaches(&mut run, "copying"));
    let name = work.journal()[0]["run"].as_str().unwrap().to_owned();
    work.run(&["cancel", &name, "plan.yaml"]).ended(0).says(&["CANCELED"]);
    run.wait().ended(130);
    work.run(&["status", "plan.yaml"]).ended(0).says(&["CANCELED"]);
    // A title is longer than that, which stops this one.
    let (work, _) = plan("row_14", target(), "indexes: none\nfields: {title: {max_length: 4}}");
    work.apply().ended(3).says(&["title"]);
    work.run(&["status", "plan.yaml"]).ended(0).says(&["FAILED", "title"]);
}

#[test]
fn row_15_the_managed_service_is_started_and_followed_from_the_plan() {
    let (cloud, work, to) = (Simulator::start(two_clusters()), Workspace::new(), database("row_15"));
    let databases = (guide().database.as_str(), to.as_str());
    let moved = managed(databases, "[{source: articles}]");
    work.plan_of(&by_id(&cloud, OLD, ""), &by_id(&cloud, NEW, ""), &[moved]);
    work.look_cloud(&cloud).ended(2).says(&["deprecated"]);
    work.apply_cloud(&cloud).ended(0);
    let wanted = json!({
        "source": {"clusterId": OLD}, "destination": {"clusterId": NEW},
        "dbCollections": [{
            "dbName": databases.0, "destDbName": databases.1, "collections": [{"collectionName": "articles"}],
        }],
    });
    assert_eq!(cloud.bodies("toExisting"), [wanted]);
    assert_identical(guide(), &place(target(), &to, "articles"), &[]);
    work.look_cloud(&cloud).ended(0);
}

#[test]
fn row_16_what_access_is_missing_is_named_before_anything_is_done() {
    let mut config = two_clusters();
    // The cluster exists, in a project that the key may not see.
    config["clusters"][0]["projectId"] = json!(crate::cloud::OTHER_PROJECT);
    let (cloud, work) = (Simulator::start(config), Workspace::new());
    let moved = migration((&guide().database, "row_16"), "[{source: articles}]", "");
    work.plan_of(&by_id(&cloud, OLD, ""), &by_id(&cloud, NEW, ""), std::slice::from_ref(&moved));
    let refused = work.look_cloud(&cloud).says(&[OLD, KEY_VARIABLE]);
    assert!(![Some(0), Some(2)].contains(&refused.code), "{refused:?}");
    // An address that cannot be reached.
    work.plan_of(
        "milvus: {uri: \"http://127.0.0.1:9\", timeouts: {connect: 1s, retry: 1s}}",
        &by_id(&cloud, NEW, ""),
        &[moved],
    );
    work.look_cloud(&cloud).ended(5).says(&["127.0.0.1:9"]);
}

#[test]
fn row_17_migration_without_stopping_writes_is_out_and_the_docs_say_so() {
    let page = std::fs::read_to_string(root().join("docs/zilliz-cloud.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with("| 17 ")).expect("a row for it");
    assert!(row.contains("not in vecferry"), "{row}");
}
