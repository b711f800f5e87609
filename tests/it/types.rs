//! Every type, key and property that the two servers know, from each to each. What fits arrives to the bit, by the
//! independent reader; what does not fit is said before anything is made.

use serde_json::{Value, json};

use crate::servers::{Server, lite_source, lite_target, source, target};
use crate::support::{Place, Workspace, act, assert_identical, database, fill, place};

/// Fills these presets side by side, each into a collection of its name.
fn fill_all(server: &Server, database: &str, presets: &[(&str, &[&str])]) {
    std::thread::scope(|scope| {
        for (preset, options) in presets {
            scope.spawn(move || fill(&place(server, database, preset), preset, options));
        }
    });
}

/// Copies everything in a database of that name, and proves each collection.
fn copy_all(from: &Server, to: &Server, name: &str, presets: &[(&str, &[&str])]) -> Workspace {
    fill_all(from, name, presets);
    let work = Workspace::new();
    work.plan((from, name), (to, name), "- match: \"*\"");
    work.look().ended(2).says(&[&format!("Plan: {} to create", presets.len())]);
    work.apply().ended(0);
    for (preset, _) in presets {
        assert_identical(&place(from, name, preset), &place(to, name, preset), &[]);
    }
    work.apply().ended(0).says(&[&format!("{} unchanged", presets.len())]);
    work
}

fn field<'a>(description: &'a Value, name: &str) -> &'a Value {
    description["schema"]["fields"].as_array().unwrap().iter().find(|field| field["name"] == name).expect("the field")
}

const FEW: &[&str] = &["--rows", "400"];

#[test]
fn all_that_milvus_holds_arrives_in_milvus() {
    let name = database("types");
    let presets = [
        ("types235", FEW),
        ("binary_vector", FEW),
        ("float16_vector", FEW),
        ("varchar_key", FEW),
        ("int_extremes", FEW),
        ("partitions", FEW),
        ("partition_key", FEW),
        ("auto_id", FEW),
    ];
    copy_all(source(), target(), &name, &presets);
    let partitions = act(&place(target(), &name, "partitions"), "partitions", &[]);
    for partition in ["_default", "north", "south", "empty"] {
        assert!(partitions.as_array().unwrap().contains(&json!(partition)), "{partitions}");
    }
    let there = act(&place(target(), &name, "partition_key"), "describe", &[]);
    assert_eq!(there["num_partitions"], "16");
    assert_eq!(field(&there, "tenant")["is_partition_key"], true);
    let here = act(&place(source(), &name, "auto_id"), "describe", &[]);
    assert_eq!(field(&here, "id")["autoID"], true);
    let there = act(&place(target(), &name, "auto_id"), "describe", &[]);
    assert_eq!(field(&there, "id")["autoID"], Value::Null, "it would not take the keys of the source");
}

#[test]
fn all_that_lite_holds_arrives_in_lite() {
    let name = database("types");
    let presets = [
        ("lite_types", FEW),
        ("varchar_key", FEW),
        ("int_extremes", FEW),
        ("partitions", FEW),
        ("partition_key", FEW),
        ("auto_id", FEW),
    ];
    copy_all(lite_source(), lite_target(), &name, &presets);
    let (here, there) = (place(lite_source(), &name, "lite_types"), place(lite_target(), &name, "lite_types"));
    let [here, there] = [here, there].map(|at| act(&at, "describe", &[]));
    assert_eq!(there["schema"]["functions"][0]["name"], here["schema"]["functions"][0]["name"]);
    for name in ["nullable_int64", "default_int32", "nullable_default", "body"] {
        for what in ["nullable", "default_value", "type_params"] {
            assert_eq!(field(&there, name)[what], field(&here, name)[what], "{what} of {name}");
        }
    }
    let partitions = act(&place(lite_target(), &name, "partitions"), "partitions", &[]);
    assert!(partitions.as_array().unwrap().contains(&json!("empty")), "{partitions}");
}

#[test]
fn milvus_to_lite() {
    let name = database("types");
    let fits = [
        ("types235", FEW),
        ("varchar_key", FEW),
        ("int_extremes", FEW),
        ("partitions", FEW),
        ("partition_key", FEW),
        ("auto_id", FEW),
    ];
    copy_all(source(), lite_target(), &name, &fits);
    fill_all(source(), &name, &[("binary_vector", FEW), ("float16_vector", FEW)]);
    let work = Workspace::new();
    let entries = "- source: binary_vector\n- source: float16_vector\n- source: varchar_key\n  target: again";
    work.plan((source(), &name), (lite_target(), &name), entries);
    let reasons = ["binary_vector", "float16_vector", "vector", "cannot hold"];
    work.look().ended(3).says(&reasons).says(&["1 to create", "2 blocked"]);
    work.apply().ended(3).says(&reasons);
    let there = act(&place(lite_target(), &name, ""), "collections", &[]);
    assert_eq!(
        there,
        json!(["again", "auto_id", "int_extremes", "partition_key", "partitions", "types235", "varchar_key"])
    );
}

#[test]
fn lite_to_milvus() {
    let name = database("types");
    let fits = [("types235", FEW), ("varchar_key", FEW), ("int_extremes", FEW), ("partitions", FEW), ("auto_id", FEW)];
    copy_all(lite_source(), target(), &name, &fits);
    fill_all(lite_source(), &name, &[("lite_types", FEW)]);
    let (from, to) = (place(lite_source(), &name, "lite_types"), place(target(), &name, "lite_types"));
    let work = Workspace::new();
    work.plan((lite_source(), &name), (target(), &name), "- source: lite_types");
    let too_much = [
        "nullable_int64",
        "nullable_double",
        "nullable_varchar",
        "nullable_bool",
        "nullable_json",
        "nullable_array",
        "nullable_default",
        "sparse",
        "bm25",
        "vector fields",
    ];
    work.look().ended(3).says(&too_much).says(&["lite_types", "1 blocked"]);
    work.apply().ended(3).says(&too_much);
    let there = act(&to, "collections", &[]);
    assert!(!there.to_string().contains("lite_types"), "something was made for a blocked entry: {there}");

    // Without all that, the rest arrives; fields with a default value too, which 2.3.5 keeps.
    let drop = "nullable_int64,nullable_double,nullable_varchar,nullable_bool,nullable_json,nullable_array,nullable_default,\
                sparse,bm25,second_vector";
    let entry = format!("- source: lite_types\n  drop: [{drop}]");
    work.plan((lite_source(), &name), (target(), &name), &entry);
    work.apply().ended(0);
    assert_identical(&from, &to, &["--drop", drop]);
}

#[test]
fn what_is_set_for_a_collection_arrives_with_it() {
    let name = database("properties");
    let (from, to) = (place(source(), &name, "small"), place(target(), &name, "small"));
    let settings = ["--description", "Was “beschrieben” steht", "--consistency", "Session", "--ttl", "86400"];
    fill(&from, "small", &[&settings[..], &["--shards", "3"]].concat());
    act(&from, "property", &["mmap.enabled=true"]);
    let work = Workspace::new();
    work.plan((source(), &name), (target(), &name), "- source: small\n  indexes: none");
    work.look().ended(2).says(&["collection.ttl.seconds", "86400"]);
    work.apply().ended(0);
    let [here, there] = [&from, &to].map(|at| act(at, "describe", &[]));
    assert_eq!(here["schema"]["description"], "Was “beschrieben” steht", "{here:#}");
    for what in ["consistency_level", "shards_num", "num_partitions"] {
        assert_eq!(there[what], here[what], "{what}");
    }
    assert_eq!(there["shards_num"], 3);
    assert_eq!(there["schema"]["description"], here["schema"]["description"]);
    for (theirs, ours) in
        there["schema"]["fields"].as_array().unwrap().iter().zip(here["schema"]["fields"].as_array().unwrap())
    {
        assert_eq!(theirs, ours);
    }
    for property in here["properties"].as_array().unwrap() {
        assert!(there["properties"].as_array().unwrap().contains(property), "{property}: {there:#}");
    }
    assert_identical(&from, &to, &[]);
}

#[test]
fn the_plan_shapes_what_arrives() {
    let name = database("shape");
    let (from, at) =
        (place(source(), &name, "rows"), |target_name: &str| -> Place { place(target(), &name, target_name) });
    fill(&from, "basic", &["--rows", "1000"]);
    let work = Workspace::new();
    let entries = "- source: rows\n  target: dropped\n  drop: [title]\n  indexes: none\n\
                   - source: rows\n  target: chosen\n  where: \"year >= 2000 and lang == 'en'\"\n  indexes: none\n\
                   - source: rows\n  target: declared\n  dynamic_field: false\n  indexes: none\n\
                   - source: rows\n  target: sharded\n  shards: 2\n  indexes: copy\n\
                   - source: rows\n  target: ready\n  indexes: auto\n  load: true";
    work.plan((source(), &name), (target(), &name), entries);
    work.look().ended(2).says(&["Plan: 5 to create, 0 to update, 0 to replace, 0 unchanged, 0 blocked."]);
    work.apply().ended(0);

    assert_identical(&from, &at("dropped"), &["--drop", "title"]);
    let fields = act(&at("dropped"), "describe", &[])["schema"]["fields"].to_string();
    assert!(!fields.contains("title"), "{fields}");
    assert_identical(&from, &at("chosen"), &["--where", "year >= 2000 and lang == 'en'"]);
    assert!(act(&at("chosen"), "count", &[]).as_u64().unwrap() > 0);
    assert_identical(&from, &at("declared"), &["--drop", "lang,extra"]);
    assert_eq!(act(&at("declared"), "describe", &[])["schema"]["enable_dynamic_field"], Value::Null);
    assert_identical(&from, &at("sharded"), &[]);
    assert_eq!(act(&at("sharded"), "describe", &[])["shards_num"], 2);
    assert_identical(&from, &at("ready"), &[]);

    let index = |at: &Place| act(at, "indexes", &[]);
    let (original, copied) = (index(&from), index(&at("sharded")));
    for what in ["index_name", "index_type", "metric_type", "M", "efConstruction"] {
        assert_eq!(copied[0][what], original[0][what], "{what}: {copied}");
    }
    assert_eq!(index(&at("dropped")), json!([]));
    assert_eq!(index(&at("ready"))[0]["index_type"], "AUTOINDEX");
    assert_eq!(index(&at("ready"))[0]["metric_type"], "COSINE", "the source's metric decides what is near");
    assert_eq!(act(&at("ready"), "load-state", &[]), "Loaded");
    assert_eq!(act(&at("sharded"), "load-state", &[]), "NotLoad");
}
