//! What the target will be, for sources and targets of several abilities.

mod shape;

use std::collections::BTreeMap;

use super::*;
use crate::collection::{
    Capabilities, CollectionSchema, Consistency, DataType, DefaultValue, Field, Function, FunctionKind, LiveCollection,
    LoadState,
};
use crate::plan::resolved::{OnExisting, Settings, Shards};

fn settings() -> Settings {
    Settings::plain(OnExisting::Fail)
}

fn able() -> Capabilities {
    Capabilities::able()
}

/// A server that holds little.
fn humble() -> Capabilities {
    Capabilities {
        server: "Milvus 2.3.5".into(),
        types: [DataType::Int64, DataType::FloatVector, DataType::VarChar].into(),
        nullable: false,
        nullable_vectors: false,
        omitted_defaults: false,
        functions: false,
        clustering_key: false,
        max_vector_fields: 1,
        ..able()
    }
}

fn field(name: &str, data_type: DataType, params: &[(&str, &str)]) -> Field {
    let params = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Field { params, ..Field::new(name, data_type) }
}

fn source(fields: Vec<Field>, functions: Vec<Function>) -> LiveCollection {
    let key = Field { primary_key: true, auto_id: true, ..Field::new("id", DataType::Int64) };
    LiveCollection {
        id: 1,
        name: "docs".into(),
        schema: CollectionSchema {
            description: "all of it".into(),
            fields: [vec![key, field("v", DataType::FloatVector, &[("dim", "4")])], fields].concat(),
            dynamic_field: true,
            functions,
            shards: 2,
            consistency: Some(Consistency::Strong),
            properties: BTreeMap::from([
                ("collection.ttl.seconds".into(), "60".into()),
                ("mmap.enabled".into(), "true".into()),
            ]),
            key_partitions: None,
            struct_fields: Vec::new(),
        },
        partitions: vec!["_default".into(), "north".into()],
        indexes: Vec::new(),
        load_state: LoadState::Loaded,
        unloaded_partitions: Vec::new(),
        aliases: Vec::new(),
        mark: BTreeMap::new(),
    }
}

fn bm25() -> (Vec<Field>, Vec<Function>) {
    let function = Function {
        name: "words".into(),
        description: String::new(),
        kind: FunctionKind::Bm25,
        inputs: vec!["text".into()],
        outputs: vec!["sparse".into()],
        params: BTreeMap::new(),
    };
    let output = Field { function_output: true, ..field("sparse", DataType::SparseFloatVector, &[]) };
    (vec![field("text", DataType::VarChar, &[("max_length", "64")]), output], vec![function])
}

fn compiled(source: &LiveCollection, settings: &Settings, to: &Capabilities) -> Mapping {
    compile(source, settings, &source.name, &able(), to)
}

fn reasons(remarks: &[Remark]) -> Vec<&str> {
    remarks.iter().map(|remark| remark.message.as_str()).collect()
}

#[test]
fn everything_is_carried_where_it_can_be() {
    let (fields, functions) = bm25();
    let source = source(fields, functions);
    let mapping = compiled(&source, &settings(), &able());
    assert_eq!(mapping.blocked, []);
    assert_eq!(mapping.schema.description, "all of it");
    assert_eq!((mapping.schema.shards, mapping.schema.consistency), (2, Some(Consistency::Strong)));
    assert_eq!(mapping.partitions, ["_default", "north"]);
    // Keys are kept, so the server must not make its own.
    assert!(!mapping.schema.fields[0].auto_id);
    // Rows would begin to expire while they are copied.
    assert_eq!(mapping.late_properties, [("collection.ttl.seconds".to_owned(), "60".to_owned())]);
    assert_eq!(mapping.schema.properties.keys().collect::<Vec<_>>(), ["mmap.enabled"]);
    // What a function computes is neither read nor written.
    let names: Vec<_> = mapping.columns.write.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "v", "text", "$meta"]);
    let metrics: Vec<_> = mapping.indexes.iter().filter_map(|index| index.metric_type()).collect();
    assert_eq!(metrics, ["COSINE", "BM25"]);
}

#[test]
fn what_the_target_cannot_hold_is_blocked_by_name() {
    let (fields, functions) = bm25();
    let nullable = Field { nullable: true, ..field("note", DataType::VarChar, &[("max_length", "8")]) };
    let source = source([fields, vec![nullable]].concat(), functions);
    let mapping = compiled(&source, &settings(), &humble());
    assert_eq!(
        reasons(&mapping.blocked),
        [
            "Milvus 2.3.5 cannot hold SPARSE_FLOAT_VECTOR",
            "the field is nullable, and Milvus 2.3.5 would turn its nulls into zeros",
            "Milvus 2.3.5 cannot run function `words` (BM25)",
            "2 vector fields: Milvus 2.3.5 holds at most 1",
        ]
    );
    assert!(mapping.blocked.iter().all(|remark| remark.help.is_some()));
    let without = Settings { drop: vec!["sparse".into(), "note".into()], ..settings() };
    let mapping = compiled(&source, &without, &humble());
    assert_eq!(mapping.blocked, []);
    assert_eq!(mapping.schema.functions, []);
}

#[test]
fn what_cannot_be_dropped_is_said() {
    let (fields, functions) = bm25();
    let source = source(fields, functions);
    let dropping = |names: &[&str]| {
        let drop = names.iter().map(|name| (*name).to_owned()).collect();
        compiled(&source, &Settings { drop, ..settings() }, &able()).blocked
    };
    assert_eq!(reasons(&dropping(&["id"])), ["the primary key cannot be dropped"]);
    assert_eq!(reasons(&dropping(&["v", "sparse"])), ["no vector field is left, and a collection needs one"]);
    assert_eq!(reasons(&dropping(&["text"])), ["function `words` needs this field, so it cannot be dropped alone"]);
    let unknown = dropping(&["txet"]);
    assert_eq!(reasons(&unknown), ["`drop` names a field that the source does not have"]);
    assert_eq!(unknown[0].help.as_deref(), Some("did you mean `text`?"));
}

#[test]
fn shards_follow_the_plan_the_rows_and_the_target() {
    let source = source(Vec::new(), Vec::new());
    let with = |shards, rows, to: &Capabilities| {
        let mut mapping = compile(&source, &settings(), "docs", &able(), to);
        settle_shards(&mut mapping, &source, shards, to, rows);
        mapping
    };
    assert_eq!(with(Shards::Auto, 250_000_000, &able()).schema.shards, 3);
    assert_eq!(with(Shards::Auto, 0, &able()).schema.shards, 1);
    assert_eq!(with(Shards::Count(4), 0, &able()).schema.shards, 4);
    let single = Capabilities { max_shards: 1, ..able() };
    assert_eq!(with(Shards::AsSource, 0, &single).schema.shards, 1);
    assert_eq!(with(Shards::Count(4), 0, &single).blocked.len(), 1);
    let many = with(Shards::AsSource, 2_000_000_000, &able());
    assert_eq!(many.warnings.len(), 2, "{:?}", many.warnings);
}

#[test]
fn names_and_lengths_are_fitted() {
    let unnamed = source(vec![field("größe", DataType::VarChar, &[])], Vec::new());
    let mapping = compile(&unnamed, &settings(), "my-docs", &able(), &able());
    let about: Vec<_> = mapping.blocked.iter().map(|remark| remark.field.as_deref()).collect();
    assert_eq!(about, [Some("größe"), None]);
    assert_eq!(mapping.schema.fields[2].max_length(), Some(65_535));
    let reserved = {
        let mut source = source(Vec::new(), Vec::new());
        source.schema.fields[0].name = "in".into();
        source
    };
    assert!(reasons(&compiled(&reserved, &settings(), &able()).blocked)[0].contains("filter grammar"));
}

#[test]
fn a_default_that_would_kill_the_target_is_a_warning_of_all_fields_at_once() {
    let with_default = |name: &str| Field { default: Some(DefaultValue::Long(7)), ..Field::new(name, DataType::Int64) };
    let source = source(vec![with_default("a"), with_default("b")], Vec::new());
    let mapping = compiled(&source, &settings(), &humble());
    assert_eq!(mapping.blocked, []);
    assert!(reasons(&mapping.warnings)[0].ends_with("(a, b)"), "{:?}", mapping.warnings);
}

#[test]
fn a_dynamic_field_that_is_switched_off_is_not_read() {
    let source = source(Vec::new(), Vec::new());
    let mapping = compiled(&source, &Settings { dynamic_field: Some(false), ..settings() }, &able());
    assert!(mapping.columns.read.iter().all(|field| field.name != "$meta"));
    assert!(mapping.columns.drops_dynamic);
}
