//! Indexes of the target, checked against types and the server before anything is made.

use std::collections::BTreeMap;

use super::fields::Subject;
use super::{Remark, Remarks, suggestion};
use crate::collection::{Capabilities, CollectionSchema, DataType, Field, FunctionKind, Index, LiveCollection};
use crate::plan::resolved::{FieldIndex, Indexes};

/// Kinds of fields that an index type is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Dense,
    Binary,
    Sparse,
    Number,
    Text,
    Scalar,
    Any,
}

/// Index types of Milvus and what they index, by its documentation of indexes.
const INDEX_TYPES: [(&str, Family); 30] = [
    ("AUTOINDEX", Family::Any),
    ("FLAT", Family::Dense),
    ("IVF_FLAT", Family::Dense),
    ("IVF_SQ8", Family::Dense),
    ("IVF_PQ", Family::Dense),
    ("IVF_RABITQ", Family::Dense),
    ("HNSW", Family::Dense),
    ("HNSW_SQ", Family::Dense),
    ("HNSW_PQ", Family::Dense),
    ("HNSW_PRQ", Family::Dense),
    ("SCANN", Family::Dense),
    ("DISKANN", Family::Dense),
    ("GPU_BRUTE_FORCE", Family::Dense),
    ("GPU_IVF_FLAT", Family::Dense),
    ("GPU_IVF_PQ", Family::Dense),
    ("GPU_CAGRA", Family::Dense),
    ("BIN_FLAT", Family::Binary),
    ("BIN_IVF_FLAT", Family::Binary),
    ("MINHASH_LSH", Family::Binary),
    ("SPARSE_INVERTED_INDEX", Family::Sparse),
    ("SPARSE_WAND", Family::Sparse),
    ("STL_SORT", Family::Number),
    ("Trie", Family::Text),
    ("TRIE", Family::Text),
    ("marisa-trie", Family::Text),
    ("INVERTED", Family::Scalar),
    ("BITMAP", Family::Scalar),
    ("HYBRID", Family::Scalar),
    ("NGRAM", Family::Scalar),
    ("RTREE", Family::Scalar),
];

/// The indexes to have. A vector field without one on the source gets one all the same under `auto`: without it the target
/// could not be loaded.
pub(super) fn indexes(
    subject: &Subject<'_>,
    source: &LiveCollection,
    schema: &CollectionSchema,
    carriers: &BTreeMap<String, String>,
    found: &mut Remarks,
) -> Vec<Index> {
    let to = subject.to;
    // The source's indexes, on the fields of the target that carry theirs.
    let carried: Vec<Index> = source
        .indexes
        .iter()
        .filter_map(|index| {
            let field = carriers.get(&index.field)?;
            schema.field(field)?;
            let name = if index.name == index.field { field.clone() } else { index.name.clone() };
            Some(Index { field: field.clone(), name, params: index.params.clone() })
        })
        .collect();
    let on = |field: &str| carried.iter().find(|index| index.field == field);
    let vectors = schema.fields.iter().filter(|field| field.data_type.is_vector());
    match &subject.settings.indexes {
        Indexes::None => Vec::new(),
        Indexes::Copy => carried
            .iter()
            .filter_map(|index| {
                let field = schema.field(&index.field)?;
                let copy = copied(index, to);
                // What the source had may not fit the field's new type, or be unknown to the target.
                if !copy.params.is_empty()
                    && let Some((wrong, _)) = misfit(field, &copy, to)
                {
                    let instead = automatic(field, Some(index), schema, to);
                    let by = instead.as_ref().map(|index| format!("; {} takes its place", index.text()));
                    let message = format!("the source's index cannot be copied: {wrong}{}", by.unwrap_or_default());
                    found.note(Some(&field.name), message);
                    return instead;
                }
                Some(copy)
            })
            .collect(),
        Indexes::Auto => {
            for index in &carried {
                if schema.field(&index.field).is_some_and(|field| !field.data_type.is_vector()) {
                    found.notes.push(
                        Remark::new(Some(&index.field), "`indexes: auto` makes no index on scalar fields")
                            .help("set `indexes: copy` to carry it"),
                    );
                }
            }
            vectors.filter_map(|field| automatic(field, on(&field.name), schema, to)).collect()
        }
        Indexes::Each(each) => {
            for name in each.keys().filter(|name| schema.field(name).is_none()) {
                let help = suggestion(name, schema.fields.iter().map(|field| field.name.as_str()));
                found.block(Some(name), "`indexes` names a field that the target does not have", help);
            }
            schema
                .fields
                .iter()
                .filter_map(|field| match each.get(&field.name) {
                    None if field.data_type.is_vector() => automatic(field, on(&field.name), schema, to),
                    None | Some(FieldIndex::None) => None,
                    Some(FieldIndex::Auto) => {
                        let index = automatic(field, on(&field.name), schema, to);
                        if index.is_none() {
                            let message = format!("{} has no index for {}", to.server, field.type_text());
                            found.block(Some(&field.name), message, "say `none`, or leave the field out of `indexes`");
                        }
                        index
                    }
                    Some(FieldIndex::Copy) => match on(&field.name) {
                        Some(index) => Some(copied(index, to)),
                        None => {
                            found.block(
                                Some(&field.name),
                                "the source has no index on this field to copy",
                                "say which index",
                            );
                            None
                        }
                    },
                    Some(FieldIndex::Is { index_type, metric_type, name, params }) => {
                        let index = said(
                            field,
                            index_type,
                            metric_type.as_deref(),
                            name.as_deref(),
                            params,
                            on(&field.name),
                            schema,
                        );
                        if let Some((wrong, help)) = misfit(field, &index, to) {
                            found.block(Some(&field.name), wrong, help);
                        }
                        Some(index)
                    }
                })
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

/// The metric of a field where nobody says one: that of the source's index if it has one.
fn metric(field: &Field, source: Option<&Index>, schema: &CollectionSchema) -> String {
    let computed_by_bm25 = schema
        .functions
        .iter()
        .any(|function| function.kind == FunctionKind::Bm25 && function.outputs.contains(&field.name));
    source
        .and_then(Index::metric_type)
        .filter(|metric| !metric.is_empty())
        .unwrap_or(match field.data_type {
            DataType::BinaryVector => "HAMMING",
            DataType::SparseFloatVector if computed_by_bm25 => "BM25",
            DataType::SparseFloatVector => "IP",
            _ => "COSINE",
        })
        .to_owned()
}

/// The index that the server chooses, or the one that stands for it; none where it has none for the type.
fn automatic(field: &Field, source: Option<&Index>, schema: &CollectionSchema, to: &Capabilities) -> Option<Index> {
    let known = |kind: &str| to.index_types.as_ref().is_some_and(|types| types.contains(kind));
    let indexed = !matches!(field.data_type, DataType::Bool | DataType::Json | DataType::Array);
    let kind = match field.data_type {
        data_type if !data_type.is_vector() && to.index_types.is_some() => match family(data_type) {
            Family::Number | Family::Text if known("INVERTED") => "INVERTED",
            Family::Number if known("STL_SORT") => "STL_SORT",
            Family::Text if known("Trie") => "Trie",
            _ => return None,
        },
        data_type if !data_type.is_vector() && !indexed => "INVERTED",
        data_type if !to.no_auto_index.contains(&data_type) => "AUTOINDEX",
        DataType::SparseFloatVector => "SPARSE_INVERTED_INDEX",
        _ => "FLAT",
    };
    let mut params = BTreeMap::from([("index_type".to_owned(), kind.to_owned())]);
    if field.data_type.is_vector() {
        params.insert("metric_type".to_owned(), metric(field, source, schema));
    }
    Some(Index {
        field: field.name.clone(),
        name: source.map_or_else(|| field.name.clone(), |index| index.name.clone()),
        params,
    })
}

/// An index as the plan spells it out.
fn said(
    field: &Field,
    index_type: &str,
    metric_type: Option<&str>,
    name: Option<&str>,
    params: &BTreeMap<String, String>,
    source: Option<&Index>,
    schema: &CollectionSchema,
) -> Index {
    let mut all = BTreeMap::from([("index_type".to_owned(), index_type.to_owned())]);
    if field.data_type.is_vector() {
        all.insert("metric_type".to_owned(), metric_type.map_or_else(|| metric(field, source, schema), str::to_owned));
    } else if let Some(metric) = metric_type {
        all.insert("metric_type".to_owned(), metric.to_owned());
    }
    if !params.is_empty() {
        // Clients send parameters as one JSON text, and servers give them back so. Numbers are sent as numbers.
        let values: serde_json::Map<String, serde_json::Value> = params
            .iter()
            .map(|(key, value)| {
                let number = value.parse::<i64>().map(Into::into).or_else(|_| value.parse::<f64>().map(Into::into));
                (key.clone(), number.unwrap_or_else(|_| value.as_str().into()))
            })
            .collect();
        all.insert("params".to_owned(), serde_json::Value::Object(values).to_string());
    }
    let name = name.map(str::to_owned).or_else(|| source.map(|index| index.name.clone()));
    Index { field: field.name.clone(), name: name.unwrap_or_else(|| field.name.clone()), params: all }
}

fn family(data_type: DataType) -> Family {
    match data_type {
        DataType::BinaryVector => Family::Binary,
        DataType::SparseFloatVector => Family::Sparse,
        data_type if data_type.is_vector() => Family::Dense,
        DataType::VarChar => Family::Text,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Float | DataType::Double => {
            Family::Number
        }
        _ => Family::Scalar,
    }
}

/// What is wrong with an index on a field, and what to do; nothing where it may work.
fn misfit(field: &Field, index: &Index, to: &Capabilities) -> Option<(String, String)> {
    let kind = index.index_type().unwrap_or_default();
    let have = family(field.data_type);
    let fits = |wanted: Family| {
        wanted == have
            // Old servers choose an index for vectors only.
            || (wanted == Family::Any && (field.data_type.is_vector() || to.index_types.is_none()))
            || (kind == "HNSW" && have == Family::Binary)
            || (wanted == Family::Scalar && matches!(have, Family::Number | Family::Text))
            // Newer servers sort text as well.
            || (wanted == Family::Number && have == Family::Text && to.index_types.is_none())
    };
    let Some((_, wanted)) = INDEX_TYPES.iter().find(|(name, _)| *name == kind) else {
        let near = suggestion(kind, INDEX_TYPES.iter().map(|(name, _)| *name));
        return Some((format!("`{kind}` is no index type that vecferry knows"), near));
    };
    if !fits(*wanted) {
        let choices: Vec<&str> = INDEX_TYPES
            .iter()
            .filter(|(name, wanted)| fits(*wanted) && to.index_types.as_ref().is_none_or(|types| types.contains(name)))
            .map(|(name, _)| *name)
            .collect();
        let message = format!("{kind} cannot index {}", field.type_text());
        return Some((message, format!("choose one of {}", choices.join(", "))));
    }
    if let Some(types) = &to.index_types
        && !types.contains(kind)
    {
        let choices: Vec<&str> = INDEX_TYPES
            .iter()
            .filter(|(name, wanted)| fits(*wanted) && types.contains(name))
            .map(|(name, _)| *name)
            .collect();
        return Some((format!("{} has no index {kind}", to.server), format!("choose one of {}", choices.join(", "))));
    }
    let metrics: &[&str] = match have {
        Family::Dense => &["L2", "IP", "COSINE"],
        Family::Binary => &["HAMMING", "JACCARD", "SUBSTRUCTURE", "SUPERSTRUCTURE", "MHJACCARD"],
        Family::Sparse if field.function_output => &["BM25"],
        Family::Sparse => &["IP"],
        _ => &[],
    };
    match index.metric_type() {
        Some(metric) if !metrics.contains(&metric) => {
            let help = if metrics.is_empty() {
                "take `metric_type` out: scalar indexes have none".to_owned()
            } else {
                format!("choose one of {}", metrics.join(", "))
            };
            Some((format!("metric type {metric} does not fit {}", field.type_text()), help))
        }
        _ if kind.starts_with("IVF") && !index.params.get("params").is_some_and(|params| params.contains("nlist")) => {
            Some((format!("{kind} needs the parameter `nlist`"), "say `params: {nlist: 1024}`".to_owned()))
        }
        _ => None,
    }
}
