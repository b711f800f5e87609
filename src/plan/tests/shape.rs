//! Tests of what an entry says about the shape of a collection.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::resolved::{
    FieldIndex, FieldSettings, FunctionSettings, OnMisfit, OnNull, Origin, Partitions, PrimaryKey, Settings, Tier,
};
use super::*;
use crate::collection::{Consistency, DataType, FieldPath, FunctionKind};

/// A plan whose one entry says this.
fn plan_of(entry: &str) -> String {
    format!(
        "version: 1\nsources: {{old: {{milvus: {{uri: \"http://a\"}}}}}}\ntargets: {{new: {{milvus: {{uri: \"http://b\"}}}}}}\n\
         migrations:\n  - from: old\n    to: new\n    collections:\n      - source: articles\n{entry}"
    )
}

fn settings_of(entry: &str) -> Settings {
    let (found, checked) = check_text(&plan_of(entry));
    assert!(found.is_empty(), "{found:?}");
    checked.expect("a plan").1.plan.migrations.remove(0).selections.remove(0).settings
}

fn field_of(field: &str) -> FieldSettings {
    settings_of(&format!("        fields:\n          a: {field}\n")).fields.remove("a").expect("a field")
}

fn from(text: &str, field: &str, keys: &[&str]) -> Origin {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Origin::From { text: text.to_owned(), path: FieldPath { field: field.to_owned(), keys } }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const EVERYTHING: &str = r#"        target: articles_v2
        primary_key: {auto_id: true, field: key, keep_as: legacy_id}
        fields:
          headline: {from: title, max_length: 512, nullable: true, default: none, on_null: default, on_misfit: truncate}
          lang: {from: $meta.lang, type: varchar, max_length: 8, default: en, partition_key: false, on_misfit: quarantine}
          tags: {from: 'extra["a.b"].tags', keep: true, type: array, element_type: varchar, max_length: 32, max_capacity: 16}
          imported_from: {value: old-cluster, type: varchar, max_length: 32, description: where it came from}
          part: {from: $partition, type: varchar, max_length: 255}
          embedding: {type: int8_vector, scale: 100.5, mmap: true}
          text: {enable_analyzer: true, analyzer_params: {type: english, filter: [lowercase]}, enable_match: true}
          year: {clustering_key: true, on_null: reject, on_misfit: "null", nullable: true}
          untouched: {}
          '$meta["note"]': {from: comment}
          $meta.origin: {value: {cluster: old, number: 7}}
        drop: [internal_score]
        partitions: {only: [y2024, y2025, y2024], rename: {y2024: archive}}
        num_partitions: 64
        indexes:
          embedding: {index_type: HNSW, metric_type: IP, name: near, params: {M: 16, ratio: 0.5, refine: true, kind: SQ8}}
          text_sparse: auto
          year: copy
          lang: none
        functions:
          search: {type: bm25, input_fields: [text], output_fields: [text_sparse], params: {k1: 1.2}, description: words}
          old_search: none
        properties: {collection.ttl.seconds: 86400, mmap.enabled: true, ratio: 0.25, note: text, gone: null}
        consistency: bounded
        description: articles of the knowledge base
        aliases: [articles_live, articles_now]
"#;

#[test]
fn every_key_of_the_shape_is_read() {
    let settings = settings_of(EVERYTHING);
    assert_eq!(
        settings.primary_key,
        PrimaryKey {
            field: Some("key".to_owned()),
            auto_id: Some(true),
            keep_as: Some("legacy_id".to_owned()),
            allow_insert_auto_id: false
        }
    );
    let fields = BTreeMap::from([
        (
            "headline",
            FieldSettings {
                origin: from("title", "title", &[]),
                max_length: Some(512),
                nullable: Some(true),
                default: Some(json!("none")),
                on_null: Some(OnNull::Default),
                on_misfit: OnMisfit::Truncate,
                ..FieldSettings::default()
            },
        ),
        (
            "lang",
            FieldSettings {
                origin: from("$meta.lang", "$meta", &["lang"]),
                data_type: Some(DataType::VarChar),
                max_length: Some(8),
                default: Some(json!("en")),
                partition_key: Some(false),
                on_misfit: OnMisfit::Quarantine,
                ..FieldSettings::default()
            },
        ),
        (
            "tags",
            FieldSettings {
                origin: from("extra[\"a.b\"].tags", "extra", &["a.b", "tags"]),
                keep: true,
                data_type: Some(DataType::Array),
                element_type: Some(DataType::VarChar),
                max_length: Some(32),
                max_capacity: Some(16),
                ..FieldSettings::default()
            },
        ),
        (
            "imported_from",
            FieldSettings {
                origin: Origin::Value(json!("old-cluster")),
                data_type: Some(DataType::VarChar),
                max_length: Some(32),
                description: Some("where it came from".to_owned()),
                ..FieldSettings::default()
            },
        ),
        (
            "part",
            FieldSettings {
                origin: Origin::Partition,
                data_type: Some(DataType::VarChar),
                max_length: Some(255),
                ..FieldSettings::default()
            },
        ),
        (
            "embedding",
            FieldSettings {
                data_type: Some(DataType::Int8Vector),
                scale: Some(100.5),
                mmap: Some(true),
                ..FieldSettings::default()
            },
        ),
        (
            "text",
            FieldSettings {
                enable_analyzer: Some(true),
                analyzer_params: Some(json!({"type": "english", "filter": ["lowercase"]})),
                enable_match: Some(true),
                ..FieldSettings::default()
            },
        ),
        (
            "year",
            FieldSettings {
                clustering_key: Some(true),
                nullable: Some(true),
                on_null: Some(OnNull::Reject),
                on_misfit: OnMisfit::Null,
                ..FieldSettings::default()
            },
        ),
        ("untouched", FieldSettings::default()),
        ("$meta.note", FieldSettings { origin: from("comment", "comment", &[]), ..FieldSettings::default() }),
        (
            "$meta.origin",
            FieldSettings { origin: Origin::Value(json!({"cluster": "old", "number": 7})), ..FieldSettings::default() },
        ),
    ]);
    assert_eq!(settings.fields, fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect());
    assert_eq!(
        settings.partitions,
        Partitions::Some {
            only: Some(vec!["y2024".to_owned(), "y2025".to_owned()]),
            rename: texts(&[("y2024", "archive")])
        }
    );
    assert_eq!(settings.num_partitions, Some(64));
    let hnsw = FieldIndex::Is {
        index_type: "HNSW".to_owned(),
        metric_type: Some("IP".to_owned()),
        name: Some("near".to_owned()),
        params: texts(&[("M", "16"), ("kind", "SQ8"), ("ratio", "0.5"), ("refine", "true")]),
    };
    let indexes = [
        ("embedding", hnsw),
        ("text_sparse", FieldIndex::Auto),
        ("year", FieldIndex::Copy),
        ("lang", FieldIndex::None),
    ];
    assert_eq!(
        settings.indexes,
        Indexes::Each(indexes.into_iter().map(|(name, index)| (name.to_owned(), index)).collect())
    );
    let search = FunctionSettings {
        kind: FunctionKind::Bm25,
        inputs: vec!["text".to_owned()],
        outputs: vec!["text_sparse".to_owned()],
        params: texts(&[("k1", "1.2")]),
        description: "words".to_owned(),
    };
    assert_eq!(
        settings.functions,
        BTreeMap::from([("search".to_owned(), Some(search)), ("old_search".to_owned(), None)])
    );
    let mut properties: BTreeMap<String, Option<String>> =
        texts(&[("collection.ttl.seconds", "86400"), ("mmap.enabled", "true"), ("note", "text"), ("ratio", "0.25")])
            .into_iter()
            .map(|(name, text)| (name, Some(text)))
            .collect();
    properties.insert("gone".to_owned(), None);
    assert_eq!(settings.properties, properties);
    assert_eq!(settings.consistency, Some(Consistency::Bounded));
    assert_eq!(settings.description.as_deref(), Some("articles of the knowledge base"));
    assert_eq!(settings.aliases, ["articles_live", "articles_now"]);
}

#[test]
fn short_forms_mean_the_long_ones() {
    let settings = settings_of("        primary_key: id\n        partitions: none\n        indexes: none\n");
    assert_eq!(settings.primary_key, PrimaryKey { field: Some("id".to_owned()), ..PrimaryKey::default() });
    assert_eq!(settings.partitions, Partitions::None);
    assert_eq!(settings.indexes, Indexes::None);
    assert_eq!(settings_of(""), Settings::plain(OnExisting::Fail));
    assert_eq!(settings_of("        fields: {}\n        properties: {}\n"), Settings::plain(OnExisting::Fail));
}

#[test]
fn a_misfit_may_become_null_with_and_without_quotes() {
    for text in ["null", "\"null\"", "~"] {
        assert_eq!(field_of(&format!("{{on_misfit: {text}, nullable: true}}")).on_misfit, OnMisfit::Null, "{text}");
    }
    assert_eq!(field_of("{nullable: true}").on_misfit, OnMisfit::Fail);
}

#[test]
fn no_default_differs_from_a_default_of_null() {
    assert_eq!(field_of("{nullable: true}").default, None);
    assert_eq!(field_of("{default: null}").default, Some(Value::Null));
    assert_eq!(field_of("{default: ~}").default, Some(Value::Null));
    assert_eq!(field_of("{default: \"null\"}").default, Some(json!("null")));
    assert_eq!(field_of("{default: {a: [1, null]}, type: json}").default, Some(json!({"a": [1, null]})));
}

#[test]
fn numbers_keep_their_value_and_their_kind() {
    let default = |text: &str, kind: &str| field_of(&format!("{{default: {text}, type: {kind}}}")).default;
    assert_eq!(default("9223372036854775807", "int64"), Some(json!(i64::MAX)));
    assert_eq!(default("-9223372036854775808", "int64"), Some(json!(i64::MIN)));
    assert_eq!(default("9007199254740993", "int64"), Some(json!(9_007_199_254_740_993_i64)));
    let one = default("1.0", "double").expect("a default");
    assert!(one.is_f64(), "{one}");
    let one = default("1", "double").expect("a default");
    assert!(one.is_i64(), "{one}");
    assert_eq!(default("0.1", "double"), Some(json!(0.1)));
    assert_eq!(default("18446744073709551615", "json"), Some(json!(u64::MAX)));
    // JSON Schema takes this for a whole number, so it must not fail later on.
    assert_eq!(field_of("{max_length: 16.0}").max_length, Some(16));
}

#[test]
fn tiers_are_read_from_plans() {
    let tier = |text: &str| {
        let (found, checked) = check_text(&PLAN.replace("database: docs", text));
        assert!(found.is_empty(), "{found:?}");
        checked.expect("a plan").1.plan.migrations[0].source.tier
    };
    assert_eq!(tier("database: docs"), Tier::SelfHosted);
    for known in [Tier::Free, Tier::Serverless, Tier::Dedicated, Tier::Byoc, Tier::SelfHosted] {
        assert_eq!(tier(&format!("tier: {}", known.word())), known);
    }
}
