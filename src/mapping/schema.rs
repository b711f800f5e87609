//! The target's schema: the source's, with what the plan changes, and with what the target cannot hold named.

use std::collections::BTreeMap;

use super::{Columns, Mapping, Remark};
use crate::collection::{
    Capabilities, CollectionSchema, DEFAULT_PARTITION, DataType, Field, Function, FunctionKind, Index, LengthUnit,
    LiveCollection,
};
use crate::plan::resolved::{Indexes, Settings, Shards};

/// Rows that one shard is good for, by the guide of the managed service.
const ROWS_PER_SHARD: u64 = 100_000_000;
/// Rows from which the managed service asks for a conversation first.
const MANY_ROWS: u64 = 1_000_000_000;
/// Property that drops rows some time after they were written.
const TTL: &str = "collection.ttl.seconds";
/// Names that Milvus' filter grammar takes for itself; a key of such a name can be made and never be filtered by.
const KEYWORDS: [&str; 12] =
    ["in", "like", "not", "and", "or", "true", "false", "exists", "is", "null", "between", "array"];

/// Compiles `settings` for one collection. `rows` is the source's row count, as far as it is known.
pub fn compile(
    source: &LiveCollection,
    settings: &Settings,
    target_name: &str,
    from: &Capabilities,
    to: &Capabilities,
    rows: u64,
) -> Mapping {
    let mut found = Remarks::default();
    let mut schema = source.schema.clone();
    drop_fields(&mut schema, settings, &mut found);
    if let Some(dynamic) = settings.dynamic_field {
        if schema.dynamic_field && !dynamic {
            found.warnings.push(
                Remark::new(
                    None,
                    "the dynamic field is switched off: keys that no declared field takes are left behind",
                )
                .help("keep `dynamic_field: true`, or make sure that nobody reads those keys"),
            );
        }
        schema.dynamic_field = dynamic;
    }
    schema.shards = shards(&source.schema, settings.shards, to, rows, &mut found);
    for field in &mut schema.fields {
        fit_field(field, from, to, &mut found);
    }
    about_many(&mut found, to);
    fit_whole(&mut schema, target_name, to, &mut found);
    let mut late_properties = Vec::new();
    if let Some(ttl) = schema.properties.remove(TTL) {
        found.notes.push(Remark::new(None, format!("{TTL} {ttl} is set after the copy, and counts from then on")));
        late_properties.push((TTL.to_owned(), ttl));
    }
    let partitions = partitions(source, &schema, to, &mut found);
    let indexes = indexes(source, &schema, &settings.indexes, to, &mut found);
    let columns = columns(&source.schema, &schema);
    let Remarks { blocked, notes, warnings, .. } = found;
    Mapping { schema, partitions, indexes, late_properties, columns, blocked, notes, warnings }
}

#[derive(Default)]
struct Remarks {
    blocked: Vec<Remark>,
    notes: Vec<Remark>,
    warnings: Vec<Remark>,
    /// Text fields whose length the two servers count differently.
    in_other_units: Vec<String>,
    /// Fields whose default value the target keeps and does not apply.
    with_defaults: Vec<String>,
}

/// Leaves out the fields of `drop`, and the functions that only fill them.
fn drop_fields(schema: &mut CollectionSchema, settings: &Settings, found: &mut Remarks) {
    for name in &settings.drop {
        let Some(field) = schema.field(name) else {
            let near = schema
                .fields
                .iter()
                .map(|field| (strsim::damerau_levenshtein(&field.name, name), &field.name))
                .min()
                .filter(|(distance, _)| *distance <= 2)
                .map(|(_, near)| format!("did you mean `{near}`?"));
            let names: Vec<_> = schema.fields.iter().map(|field| field.name.as_str()).collect();
            let help = near.unwrap_or_else(|| format!("the source has {}", names.join(", ")));
            found
                .blocked
                .push(Remark::new(Some(name), "`drop` names a field that the source does not have").help(help));
            continue;
        };
        if field.primary_key {
            found
                .blocked
                .push(Remark::new(Some(name), "the primary key cannot be dropped").help("take it out of `drop`"));
        }
    }
    let dropped = |name: &String| settings.drop.contains(name);
    let (gone, kept): (Vec<Function>, Vec<Function>) =
        std::mem::take(&mut schema.functions).into_iter().partition(|function| function.outputs.iter().all(dropped));
    for function in &kept {
        for name in function.inputs.iter().chain(&function.outputs).filter(|name| dropped(name)) {
            found.blocked.push(
                Remark::new(
                    Some(name),
                    format!("function `{}` needs this field, so it cannot be dropped alone", function.name),
                )
                .help(format!("drop the function's outputs too: {}", function.outputs.join(", "))),
            );
        }
    }
    for function in &gone {
        found.notes.push(Remark::new(None, format!("function `{}` goes with the fields it fills", function.name)));
    }
    schema.functions = kept;
    schema.fields.retain(|field| !dropped(&field.name) || field.primary_key);
    if !schema.has_partition_key() {
        schema.key_partitions = None;
    }
}

fn shards(source: &CollectionSchema, wanted: Shards, to: &Capabilities, rows: u64, found: &mut Remarks) -> u32 {
    let advised = u32::try_from(rows.div_ceil(ROWS_PER_SHARD)).unwrap_or(u32::MAX).clamp(1, to.max_shards);
    if rows > MANY_ROWS {
        found.warnings.push(Remark::new(
            None,
            format!("{rows} rows: above a billion, the managed service asks to be talked to before a migration"),
        ));
    }
    let source_shards = source.shards.max(1);
    match wanted {
        Shards::Auto => advised,
        Shards::Count(count) => {
            if count > to.max_shards {
                found.blocked.push(
                    Remark::new(None, format!("{count} shards: {} holds at most {}", to.server, to.max_shards))
                        .help(format!("set `shards` to {} or less, or to auto", to.max_shards)),
                );
            }
            count
        }
        Shards::AsSource => {
            let count = source_shards.min(to.max_shards);
            if count < source_shards {
                found.notes.push(Remark::new(
                    None,
                    format!("{count} shards instead of {source_shards}: {} holds no more", to.server),
                ));
            }
            if advised > count {
                found.warnings.push(
                    Remark::new(None, format!("{count} shards for {rows} rows: about one for 100 million is advised"))
                        .help(format!("set `shards: {advised}` or `shards: auto`")),
                );
            }
            count
        }
    }
}

/// Fits one field to the target, and names what does not fit.
fn fit_field(field: &mut Field, from: &Capabilities, to: &Capabilities, found: &mut Remarks) {
    let name = field.name.clone();
    let server = &to.server;
    let blocked = |message: String, help: &str| Remark::new(Some(&name), message).help(help);
    let carried = field.arrow().is_some();
    if !carried {
        found.blocked.push(blocked(format!("vecferry cannot carry {}", field.type_text()), "leave it out with `drop`"));
    } else if !to.types.contains(&field.data_type) {
        found.blocked.push(blocked(
            format!("{server} cannot hold {}", field.type_text()),
            "leave it out with `drop`, or choose a newer target",
        ));
    }
    if let Some(element) = field.element_type.filter(|element| carried && !to.types.contains(element)) {
        found.blocked.push(blocked(format!("{server} cannot hold arrays of {element}"), "leave it out with `drop`"));
    }
    if field.nullable && !(if field.data_type.is_vector() { to.nullable_vectors } else { to.nullable }) {
        found.blocked.push(blocked(
            format!("the field is nullable, and {server} would turn its nulls into zeros"),
            "leave it out with `drop`, or choose a newer target",
        ));
    }
    if field.default.is_some() && !to.defaults {
        found.blocked.push(blocked(
            format!("the field has a default value, which {server} does not keep"),
            "leave it out with `drop`, or choose a newer target",
        ));
    } else if field.default.is_some() && !to.omitted_defaults {
        found.with_defaults.push(name.clone());
    }
    if field.auto_id {
        field.auto_id = false;
        found.notes.push(Remark::new(
            Some(&name),
            "auto-id is off on the target, so that each row keeps its key; writers bring their own keys from now on",
        ));
    }
    if field.clustering_key && !to.clustering_key {
        field.clustering_key = false;
        found.warnings.push(Remark::new(Some(&name), format!("{server} keeps no clustering key: it is left out")));
    }
    if field.partition_key && field.nullable {
        found.blocked.push(blocked("a partition key must not be nullable".into(), "leave it out with `drop`"));
    }
    if field.primary_key && KEYWORDS.contains(&name.to_lowercase().as_str()) {
        found.blocked.push(blocked(
            format!("a key named `{name}` is a word of the filter grammar, so no server can read it by ranges"),
            "such a collection can only be rebuilt from its original data",
        ));
    }
    fit_length(field, from, to, found);
    check_name("field", &name, to, found);
}

/// Fits the length of text: a target may need one that the source does not know, or count it in another unit.
fn fit_length(field: &mut Field, from: &Capabilities, to: &Capabilities, found: &mut Remarks) {
    let text = field.data_type == DataType::VarChar;
    let array = field.data_type == DataType::Array && field.element_type == Some(DataType::VarChar);
    if !text && !array {
        return;
    }
    match field.max_length() {
        None if text || to.array_text_needs_length => {
            let length = to.max_text_length.min(65_535);
            field.params.insert("max_length".into(), length.to_string());
            let message = format!("max_length {length}: the source does not say one and {} needs it", to.server);
            found.notes.push(Remark::new(Some(&field.name), message));
        }
        Some(length) if length > to.max_text_length => found.blocked.push(
            Remark::new(
                Some(&field.name),
                format!("max_length {length}: {} holds at most {}", to.server, to.max_text_length),
            )
            .help("leave it out with `drop`"),
        ),
        _ => {}
    }
    if from.length_unit == LengthUnit::Characters && to.length_unit == LengthUnit::Bytes {
        found.in_other_units.push(field.name.clone());
    }
}

/// What concerns many fields in the same way is said once.
fn about_many(found: &mut Remarks, to: &Capabilities) {
    if !found.in_other_units.is_empty() {
        let names = found.in_other_units.join(", ");
        let message = format!(
            "max_length counts characters on the source and bytes on the target: a row whose text is too long there stops \
             the copy and is named ({names})"
        );
        found.warnings.push(Remark::new(None, message));
    }
    if !found.with_defaults.is_empty() {
        let (names, server) = (found.with_defaults.join(", "), &to.server);
        let message = format!(
            "{server} keeps default values, but dies when an insert leaves such a field out: writers must send them ({names})"
        );
        found.warnings.push(Remark::new(None, message));
    }
}

/// Fits what concerns the collection as a whole.
fn fit_whole(schema: &mut CollectionSchema, target_name: &str, to: &Capabilities, found: &mut Remarks) {
    check_name("collection", target_name, to, found);
    for name in &schema.struct_fields {
        found.blocked.push(
            Remark::new(Some(name), "fields made of sub-fields (ARRAY_OF_STRUCT) are not carried yet")
                .help("leave the collection out with `exclude`"),
        );
    }
    for function in &schema.functions {
        if !to.functions {
            found.blocked.push(
                Remark::new(None, format!("{} cannot run function `{}` ({})", to.server, function.name, function.kind))
                    .help(format!("leave out the fields it fills: drop: [{}]", function.outputs.join(", "))),
            );
        } else if function.kind != FunctionKind::Bm25 {
            found.warnings.push(Remark::new(
                None,
                format!("function `{}` ({}) computes its fields anew on the target", function.name, function.kind),
            ));
        }
    }
    let vectors = schema.fields.iter().filter(|field| field.data_type.is_vector()).count();
    if vectors == 0 {
        found.blocked.push(
            Remark::new(None, "no vector field is left, and a collection needs one").help("take one out of `drop`"),
        );
    }
    if vectors > to.max_vector_fields {
        let most = to.max_vector_fields;
        found.blocked.push(
            Remark::new(None, format!("{vectors} vector fields: {} holds at most {most}", to.server))
                .help("leave some out with `drop`"),
        );
    }
    if !to.keeps_settings {
        let mut lost = Vec::new();
        if !schema.description.is_empty() || schema.fields.iter().any(|field| !field.description.is_empty()) {
            lost.push("descriptions");
        }
        if schema.consistency.take().is_some() {
            lost.push("the consistency level");
        }
        if schema.key_partitions.take().is_some() {
            lost.push("the number of partitions behind the partition key");
        }
        schema.description.clear();
        schema.fields.iter_mut().for_each(|field| field.description.clear());
        if !lost.is_empty() {
            found.notes.push(Remark::new(None, format!("{} does not keep {}", to.server, lost.join(", "))));
        }
    }
}

/// Milvus allows ASCII letters, digits and underscores, not beginning with a digit, up to 255 of them.
fn check_name(what: &str, name: &str, to: &Capabilities, found: &mut Remarks) {
    let fits = name.len() <= 255
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
        && !name.starts_with(|character: char| character.is_ascii_digit());
    if to.strict_names && !fits {
        let remark = Remark::new(
            (what == "field").then_some(name),
            format!("{what} name `{name}`: {} takes letters, digits and underscores only", to.server),
        );
        found.blocked.push(remark.help(match what {
            "collection" => "give it another name with `target`",
            "field" => "leave it out with `drop`",
            _ => "rename it on the source",
        }));
    }
}

fn partitions(
    source: &LiveCollection,
    schema: &CollectionSchema,
    to: &Capabilities,
    found: &mut Remarks,
) -> Vec<String> {
    if schema.has_partition_key() {
        return Vec::new();
    }
    let mut names = source.partitions.clone();
    if names.is_empty() {
        // The source's partition key was dropped.
        names.push(DEFAULT_PARTITION.to_owned());
    }
    for name in &names {
        check_name("partition", name, to, found);
    }
    names
}

/// The indexes to have. A vector field without one on the source gets one all the same under `auto`: without it the target
/// could not be loaded.
fn indexes(
    source: &LiveCollection,
    schema: &CollectionSchema,
    wanted: &Indexes,
    to: &Capabilities,
    found: &mut Remarks,
) -> Vec<Index> {
    let on = |field: &str| source.indexes.iter().find(|index| index.field == field);
    match wanted {
        Indexes::None => Vec::new(),
        Indexes::Copy => source
            .indexes
            .iter()
            .filter(|index| schema.field(&index.field).is_some())
            .map(|index| copied(index, to))
            .collect(),
        Indexes::Auto | Indexes::Each(_) => {
            for index in &source.indexes {
                if schema.field(&index.field).is_some_and(|field| !field.data_type.is_vector()) {
                    found.notes.push(
                        Remark::new(Some(&index.field), "`indexes: auto` makes no index on scalar fields")
                            .help("set `indexes: copy` to carry it"),
                    );
                }
            }
            schema
                .fields
                .iter()
                .filter(|field| field.data_type.is_vector())
                .map(|field| automatic(field, on(&field.name), schema, to))
                .collect()
        }
    }
}

/// The source's index as a create request wants it: what servers add to the description of an index is left out.
fn copied(index: &Index, to: &Capabilities) -> Index {
    let mut params = index.params.clone();
    params.retain(|key, value| !(value.is_empty() || key == "mmap.enabled" && !to.keeps_settings));
    Index { params, ..index.clone() }
}

fn automatic(field: &Field, source: Option<&Index>, schema: &CollectionSchema, to: &Capabilities) -> Index {
    let computed_by_bm25 = schema
        .functions
        .iter()
        .any(|function| function.kind == FunctionKind::Bm25 && function.outputs.contains(&field.name));
    let metric =
        source.and_then(Index::metric_type).filter(|metric| !metric.is_empty()).unwrap_or(match field.data_type {
            DataType::BinaryVector => "HAMMING",
            DataType::SparseFloatVector if computed_by_bm25 => "BM25",
            DataType::SparseFloatVector => "IP",
            _ => "COSINE",
        });
    let kind = match field.data_type {
        data_type if !to.no_auto_index.contains(&data_type) => "AUTOINDEX",
        DataType::SparseFloatVector => "SPARSE_INVERTED_INDEX",
        _ => "FLAT",
    };
    let params =
        BTreeMap::from([("index_type".to_owned(), kind.to_owned()), ("metric_type".to_owned(), metric.to_owned())]);
    Index {
        field: field.name.clone(),
        name: source.map_or_else(|| field.name.clone(), |index| index.name.clone()),
        params,
    }
}

fn columns(source: &CollectionSchema, target: &CollectionSchema) -> Columns {
    let available = source.columns();
    let write: Vec<Field> = target
        .columns()
        .into_iter()
        // A dynamic field that only the target has is left to the server, which stores an empty one.
        .filter(|field| available.iter().any(|read| read.name == field.name))
        .collect();
    let read = available.into_iter().filter(|field| write.iter().any(|kept| kept.name == field.name)).collect();
    Columns { read, write }
}
