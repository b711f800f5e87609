//! Fields, keys and partitions as a plan shapes them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BinaryArray, FixedSizeListArray, Float32Array, Int64Array, StringArray};
use arrow_schema::{DataType as Arrow, Field as ArrowField};

use super::*;
use crate::collection::{FieldPath, Key, RowBatch};
use crate::mapping::{Rewrite, Route};
use crate::plan::resolved::{FieldIndex, FieldSettings, Indexes, OnMisfit, Origin, Partitions, PrimaryKey};

fn from(text: &str) -> FieldSettings {
    let path = FieldPath::parse(text).unwrap();
    FieldSettings { origin: Origin::From { text: text.to_owned(), path }, ..FieldSettings::default() }
}

fn typed(data_type: DataType) -> FieldSettings {
    FieldSettings { data_type: Some(data_type), ..FieldSettings::default() }
}

fn shaped(fields: impl IntoIterator<Item = (&'static str, FieldSettings)>) -> Settings {
    let fields = fields.into_iter().map(|(name, said)| (name.to_owned(), said)).collect();
    Settings { fields, ..settings() }
}

fn with_text() -> LiveCollection {
    source(vec![field("title", DataType::VarChar, &[("max_length", "64")])], Vec::new())
}

#[test]
fn a_renamed_field_takes_its_index_its_function_and_its_roles_along() {
    let (fields, functions) = bm25();
    let mut source = source(fields, functions);
    source.schema.fields[2].partition_key = true;
    source.indexes = vec![Index {
        field: "v".into(),
        name: "v".into(),
        params: [("index_type".to_owned(), "HNSW".to_owned()), ("metric_type".to_owned(), "L2".to_owned())].into(),
    }];
    let plan = Settings {
        indexes: Indexes::Copy,
        ..shaped([("embedding", from("v")), ("body", from("text")), ("words", from("sparse")), ("key", from("id"))])
    };
    let mapping = compiled(&source, &plan, &able());
    assert_eq!(mapping.blocked, []);
    let names: Vec<_> = mapping.schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["key", "embedding", "body", "words"]);
    assert!(mapping.schema.fields[0].primary_key && mapping.schema.fields[2].partition_key);
    assert_eq!((mapping.indexes[0].field.as_str(), mapping.indexes[0].name.as_str()), ("embedding", "embedding"));
    assert_eq!(mapping.schema.functions[0].inputs, ["body"]);
    assert_eq!(mapping.schema.functions[0].outputs, ["words"]);
    assert_eq!(mapping.searched, [("words".to_owned(), "body".to_owned())]);
    assert_eq!(mapping.columns.identity.map(|field| field.name).as_deref(), Some("key"));
}

#[test]
fn how_rows_are_written_again_follows_from_who_makes_the_keys() {
    let source = with_text();
    let known = |plan: &Settings| {
        let mapping = compiled(&source, plan, &able());
        assert_eq!(mapping.blocked, []);
        (mapping.columns.identity.as_ref().map(|field| field.name.clone()), mapping.columns.rewrite)
    };
    let keyed = |primary_key| Settings { primary_key, ..settings() };
    let auto = PrimaryKey { auto_id: Some(true), ..PrimaryKey::default() };
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(known(&settings()), (name("id"), Rewrite::Upsert));
    assert_eq!(known(&keyed(auto.clone())), (None, Rewrite::StartOver));
    assert_eq!(known(&keyed(PrimaryKey { keep_as: name("old"), ..auto.clone() })), (name("old"), Rewrite::Remove));
    assert_eq!(known(&keyed(PrimaryKey { allow_insert_auto_id: true, ..auto })), (name("id"), Rewrite::Remove));
    let promoted = PrimaryKey { field: name("title"), ..PrimaryKey::default() };
    assert_eq!(known(&keyed(promoted.clone())), (name("id"), Rewrite::Upsert));
    let dropped = Settings { drop: vec!["id".into()], ..keyed(promoted) };
    assert_eq!(known(&dropped), (None, Rewrite::Upsert));
    let text = FieldSettings { max_length: Some(20), ..typed(DataType::VarChar) };
    assert_eq!(known(&shaped([("id", text)])), (None, Rewrite::Upsert));
}

#[test]
fn partitions_are_routed() {
    let mut source = source(Vec::new(), Vec::new());
    source.partitions = ["_default", "a", "b", "c"].map(str::to_owned).to_vec();
    let routed = |partitions| {
        let mapping = compiled(&source, &Settings { partitions, ..settings() }, &able());
        assert_eq!(mapping.blocked, []);
        (mapping.routes, mapping.partitions)
    };
    let route = |from: &[&str], to: Option<&str>| Route {
        from: from.iter().map(|name| (*name).to_owned()).collect(),
        to: to.map(str::to_owned),
    };
    assert_eq!(routed(Partitions::None), (vec![route(&[], None)], vec!["_default".to_owned()]));
    let rename = [("b", "a"), ("c", "d")].map(|(from, to)| (from.to_owned(), to.to_owned())).into();
    let only = Some(["a", "b", "c"].map(str::to_owned).to_vec());
    let (routes, partitions) = routed(Partitions::Some { only, rename });
    assert_eq!(routes, [route(&["a", "b"], Some("a")), route(&["c"], Some("d"))]);
    assert_eq!(partitions, ["_default", "a", "d"]);
}

#[test]
fn an_index_that_the_plan_spells_out_is_sent_as_clients_send_it() {
    let index = FieldIndex::Is {
        index_type: "HNSW".into(),
        metric_type: None,
        name: None,
        params: [("M".to_owned(), "16".to_owned()), ("mode".to_owned(), "x".to_owned())].into(),
    };
    let indexes = Indexes::Each([("v".to_owned(), index)].into());
    let mapping = compiled(&with_text(), &Settings { indexes, ..settings() }, &able());
    assert_eq!(mapping.indexes[0].params["params"], r#"{"M":16,"mode":"x"}"#);
    assert_eq!(mapping.indexes[0].params["metric_type"], "COSINE");
}

/// Three rows with titles, vectors and dynamic keys.
fn rows(columns: &Columns) -> RowBatch {
    let vectors = FixedSizeListArray::new(
        Arc::new(ArrowField::new("item", Arrow::Float32, false)),
        4,
        Arc::new(Float32Array::from(vec![0.0; 12])),
        None,
    );
    let all: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("title", Arc::new(StringArray::from(vec!["short", "far too long", ""]))),
        ("v", Arc::new(vectors)),
        ("$meta", Arc::new(BinaryArray::from_vec(vec![br#"{"n":"7","x":1}"#, b"{}", br#"{"n":"seven"}"#]))),
    ];
    let taken = columns.read.iter().map(|field| {
        all.iter().find(|(name, _)| *name == field.name).map(|(_, column)| Arc::clone(column)).expect("a column")
    });
    RowBatch::new(&columns.read, taken.collect()).unwrap()
}

#[test]
fn rows_are_mapped_and_those_that_do_not_fit_are_told_apart_by_their_rule() {
    let plan = shaped([
        ("headline", FieldSettings { max_length: Some(8), on_misfit: OnMisfit::Truncate, ..from("title") }),
        (
            "number",
            FieldSettings {
                data_type: Some(DataType::Int64),
                default: Some((-1).into()),
                on_misfit: OnMisfit::Quarantine,
                ..from("$meta.n")
            },
        ),
        ("$meta.was", from("title")),
    ]);
    let source = with_text();
    let mapping = compiled(&source, &plan, &able());
    assert_eq!(mapping.blocked, []);
    let mapped = mapping.columns.apply(&rows(&mapping.columns), None).unwrap();
    assert_eq!(mapped.rows.keys().collect::<Vec<_>>(), [Key::Int(1), Key::Int(2)]);
    let text = |name: &str| {
        let column = mapped.rows.column(name).unwrap();
        let texts = column.as_string::<i32>();
        texts.iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(text("headline"), ["short", "far too "]);
    let numbers = mapped.rows.column("number").unwrap().as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(numbers, [7, -1]);
    let meta = mapped.rows.column("$meta").unwrap().as_binary::<i32>();
    assert_eq!(meta.value(0), br#"{"x":1,"was":"short"}"#);
    assert_eq!(meta.value(1), br#"{"was":"far too long"}"#);
    assert_eq!(mapped.failed, []);
    let quarantined: Vec<_> = mapped
        .quarantined
        .iter()
        .map(|unfit| (unfit.key.clone(), unfit.field.as_str(), unfit.reason.as_str()))
        .collect();
    assert_eq!(quarantined, [(Key::Int(3), "number", "`seven` is no INT64")]);
    let touched: Vec<_> = mapped.touched.iter().map(|(rule, rows)| (rule.as_str(), *rows)).collect();
    assert_eq!(
        touched,
        [("headline: cut to fit", 1), ("number: null became the default", 1), ("number: taken from $meta.n", 2)]
    );
}

#[test]
fn a_key_of_the_dynamic_field_that_a_new_field_hides_stops_the_copy() {
    let plan = shaped([("x", FieldSettings { max_length: Some(64), ..from("title") })]);
    let mapping = compiled(&with_text(), &plan, &able());
    let mapped = mapping.columns.apply(&rows(&mapping.columns), None).unwrap();
    assert_eq!(mapped.failed.len(), 1);
    assert_eq!((&mapped.failed[0].key, mapped.failed[0].field.as_str()), (&Key::Int(1), "$meta"));
}

#[test]
fn keys_that_nobody_takes_are_listed() {
    let lifted = FieldSettings { data_type: Some(DataType::Int64), nullable: Some(true), ..from("$meta.n") };
    let plan = Settings { dynamic_field: Some(false), ..shaped([("n", lifted)]) };
    let mapping = compiled(&with_text(), &plan, &able());
    let lost = mapping.columns.leftovers(&rows(&mapping.columns)).unwrap();
    let lost: Vec<_> = lost.keys.iter().map(|(name, seen)| (name.as_str(), seen.count)).collect();
    assert_eq!(lost, [("x", 1)]);
}

#[test]
fn a_field_that_sinks_is_a_column_no_more_and_never_hides_behind_one() {
    let names = |plan: &Settings| {
        let mapping = compiled(&with_text(), plan, &able());
        let fields: Vec<_> = mapping.schema.fields.iter().map(|field| field.name.clone()).collect();
        (fields, reasons(&mapping.blocked).len())
    };
    assert_eq!(names(&shaped([("$meta.title", from("title"))])), (vec!["id".to_owned(), "v".to_owned()], 0));
    let both = shaped([("title", FieldSettings::default()), ("$meta.old", from("title"))]);
    assert_eq!(names(&both).0.len(), 3);
    let hidden = shaped([("title", FieldSettings::default()), ("$meta.title", from("title"))]);
    assert_eq!(names(&hidden).1, 1);
}

#[test]
fn one_field_alone_reads_what_fills_it_and_nothing_else() {
    let lifted = FieldSettings { data_type: Some(DataType::Int64), default: Some(0.into()), ..from("$meta.n") };
    let plan = shaped([("n", lifted), ("headline", from("title")), ("$meta.was", from("title"))]);
    let columns = compiled(&with_text(), &plan, &able()).columns;
    let read = |columns: &Columns| columns.read.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    assert_eq!(read(&columns).len(), 4);
    assert_eq!(read(&columns.only("n")), ["id", "$meta"]);
    assert_eq!(read(&columns.only("headline")), ["id", "title"]);
    assert_eq!(read(&columns.narrowed(crate::plan::resolved::Verify::Counts)), ["id"]);
}
