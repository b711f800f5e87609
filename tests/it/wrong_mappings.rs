//! Mappings that only a look at the source can find wrong: each is blocked before anything is made, with the field, the reason
//! and what to do.

use std::fmt::Write;

use crate::servers::{lite_source, lite_target, source, target};
use crate::support::{Workspace, act, database, fill, place};

/// What is wrong, and the entry that has it. Each target has the entry's name.
const ON_MILVUS: [(&str, &str); 30] = [
    ("unknown_source_field", "fields: {heading: {from: titel}}"),
    ("unknown_field", "fields: {titel: {max_length: 600}}"),
    ("path_into_text", "fields: {word: {from: title.first, type: varchar, max_length: 8}}"),
    ("no_such_json_field", "fields: {word: {from: extra.first, type: varchar, max_length: 8}}"),
    ("lift_without_type", "fields: {word: {from: $meta.lang}}"),
    ("name_taken_by_rename", "fields: {year: {from: title}}"),
    ("name_taken_by_constant", "fields: {year: {value: 7, type: int64}}"),
    ("text_to_vector", "fields: {title: {type: float_vector}}"),
    ("vector_to_text", "fields: {vector: {type: varchar, max_length: 90}}"),
    ("vector_to_bfloat16", "fields: {vector: {type: bfloat16_vector}}"),
    ("number_to_json", "fields: {year: {type: json}}"),
    ("default_out_of_range", "fields: {year: {default: 70000}}"),
    ("default_of_another_type", "fields: {year: {default: soon}}"),
    ("nullable_on_an_old_server", "fields: {title: {nullable: true}}"),
    ("vector_as_partition_key", "fields: {vector: {partition_key: true}}"),
    ("small_number_as_partition_key", "fields: {year: {partition_key: true}}"),
    ("primary_key_as_partition_key", "fields: {id: {partition_key: true}}"),
    ("partitions_without_key", "num_partitions: 8"),
    ("keep_as_taken", "primary_key: {auto_id: true, keep_as: title}"),
    ("auto_id_over_a_column", "primary_key: {auto_id: true, field: title}"),
    ("given_auto_ids", "primary_key: {auto_id: true, allow_insert_auto_id: true}"),
    ("no_such_key", "primary_key: titel"),
    ("vector_as_key", "primary_key: vector"),
    ("values_twice", "primary_key: {field: word}\n  fields: {word: {from: $meta.lang, type: varchar, max_length: 8}}"),
    ("no_such_partition", "partitions: {only: [north]}"),
    ("index_on_nothing", "indexes: {titel: auto}"),
    ("index_for_another_type", "indexes: {title: {index_type: STL_SORT}}"),
    ("metric_for_another_type", "indexes: {vector: {index_type: FLAT, metric_type: HAMMING}}"),
    ("index_without_its_parameter", "indexes: {vector: {index_type: IVF_FLAT}}"),
    ("functions_on_an_old_server", "functions: {f: {type: bm25, input_fields: [title], output_fields: [words]}}"),
];

/// On milvus-lite, whose source has a function and nullable fields.
const ON_LITE: [(&str, &str); 9] = [
    ("computed_field_kept_without_its_function", "functions: {body_bm25: none}\n  fields: {words: {from: bm25}}"),
    ("input_dropped", "drop: [body]"),
    ("type_of_a_computed_field", "fields: {bm25: {type: varchar, max_length: 9}}"),
    ("no_such_function", "functions: {bm52: none}"),
    ("a_function_of_that_name", "functions: {body_bm25: {type: bm25, input_fields: [body], output_fields: [words]}}"),
    ("keep_beside_a_default", "fields: {nullable_default: {on_null: keep}}"),
    ("default_that_is_not_there", "fields: {nullable_varchar: {on_null: default}}"),
    (
        "function_without_analyzer",
        "functions: {more: {type: bm25, input_fields: [varchar_field], output_fields: [words]}}",
    ),
    ("float_as_key", "primary_key: double_field"),
];

/// The reasons of all blocked entries.
fn reasons(work: &Workspace, cases: &[(&str, &str)]) -> String {
    let run = work.run(&["plan", "--output", "json", "plan.yaml"]).ended(3);
    let document = run.json();
    let mut text = String::new();
    for ((name, yaml), entry) in cases.iter().zip(document["entries"].as_array().unwrap()) {
        assert!(entry["address"].as_str().unwrap().ends_with(name), "{entry}");
        writeln!(text, "{name}: {}", yaml.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap();
        let blocked = entry["blocked"].as_array().unwrap();
        assert!(!blocked.is_empty(), "{name} is not blocked: {entry}");
        for note in blocked {
            let field = note["field"].as_str().map(|field| format!(" {field}")).unwrap_or_default();
            let word = |key: &str| note[key].as_str().unwrap().to_owned();
            writeln!(text, "  {}{field}: {}\n    help: {}", word("code"), word("message"), word("help")).unwrap();
        }
    }
    text
}

fn entries(collection: &str, cases: &[(&str, &str)]) -> String {
    cases.iter().map(|(name, yaml)| format!("- source: {collection}\n  target: {name}\n  {yaml}\n")).collect()
}

#[test]
fn what_only_the_source_shows_to_be_wrong_is_blocked_and_explained() {
    let from = place(source(), &database("wrong"), "small");
    let to = database("wrong");
    fill(&from, "small", &[]);
    let work = Workspace::new();
    work.plan((source(), &from.database), (target(), &to), &entries("small", &ON_MILVUS));
    insta::assert_snapshot!("wrong_on_milvus", reasons(&work, &ON_MILVUS));
    // Nothing was made, also by an apply.
    work.apply().ended(3);
    assert!(!act(&from, "databases", &[]).to_string().contains(&to));
}

#[test]
fn what_only_a_source_with_functions_shows_to_be_wrong_is_blocked_and_explained() {
    let from = place(lite_source(), &database("wrong"), "lite_types");
    fill(&from, "lite_types", &[]);
    let work = Workspace::new();
    work.plan((lite_source(), &from.database), (lite_target(), &database("wrong")), &entries("lite_types", &ON_LITE));
    insta::assert_snapshot!("wrong_on_lite", reasons(&work, &ON_LITE));
}
