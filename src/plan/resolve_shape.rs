//! What an entry says about the shape of a collection, in the words of the checked plan.

use std::collections::{BTreeMap, HashSet};

use super::field_spec::{ElementTypeSpec, FieldSpec, OnMisfitSpec, OnNullSpec, TypeSpec};
use super::model::{CollectionSpec, ConsistencySpec, OnExistingSpec, VerifySpec};
use super::resolved::{
    FieldIndex, FieldSettings, FunctionSettings, Indexes, OnExisting, OnMisfit, OnNull, Origin, Partitions, PrimaryKey,
    Settings, Shards, Verify,
};
use super::shape_spec::{
    FieldIndexSpec, FunctionBody, FunctionKindSpec, FunctionSpec, IndexesSpec, PartitionsSpec, PrimaryKeySpec, Scalar,
};
use super::values::ShardsSpec;
use crate::collection::{Consistency, FieldPath, FunctionKind};

/// What `from` says for the name of the partition that a row stands in.
pub(crate) const PARTITION: &str = "$partition";

/// The settings of an entry, with those of its migration where it has none of its own.
pub(crate) fn settings(spec: &CollectionSpec, verify: Option<VerifySpec>) -> Settings {
    Settings {
        shards: match spec.shards {
            None => Shards::AsSource,
            Some(ShardsSpec::Auto) => Shards::Auto,
            Some(ShardsSpec::Count(count)) => Shards::Count(count),
        },
        dynamic_field: spec.dynamic_field,
        primary_key: spec.primary_key.as_ref().map_or_else(PrimaryKey::default, primary_key),
        fields: spec.fields.iter().flatten().map(|(name, spec)| (target_name(name), field(spec))).collect(),
        drop: once(spec.drop.iter().flatten()),
        filter: spec.filter.as_ref().map(|filter| filter.trim().to_owned()),
        partitions: spec.partitions.as_ref().map_or(Partitions::Copy, partitions),
        num_partitions: spec.num_partitions,
        indexes: spec.indexes.as_ref().map_or(Indexes::Auto, indexes),
        functions: spec.functions.iter().flatten().map(|(name, spec)| (name.clone(), function(spec))).collect(),
        properties: spec
            .properties
            .iter()
            .flatten()
            .map(|(name, property)| (name.clone(), property.0.clone()))
            .collect(),
        consistency: spec.consistency.map(|level| match level {
            ConsistencySpec::Strong => Consistency::Strong,
            ConsistencySpec::Session => Consistency::Session,
            ConsistencySpec::Bounded => Consistency::Bounded,
            ConsistencySpec::Eventually => Consistency::Eventually,
        }),
        description: spec.description.clone(),
        aliases: once(spec.aliases.iter().flatten()),
        load: spec.load.unwrap_or(false),
        on_existing: match spec.on_existing {
            None | Some(OnExistingSpec::Fail) => OnExisting::Fail,
            Some(OnExistingSpec::Converge) => OnExisting::Converge,
            Some(OnExistingSpec::Replace) => OnExisting::Replace,
        },
        prune: spec.prune.unwrap_or(false),
        live_source: spec.live_source.unwrap_or(false),
        verify: match spec.verify.or(verify) {
            None | Some(VerifySpec::Full) => Verify::Full,
            Some(VerifySpec::Counts) => Verify::Counts,
            Some(VerifySpec::Sample) => Verify::Sample,
        },
    }
}

/// Names in their order, each once.
fn once<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).cloned().collect()
}

/// A name under `fields`; a key of the dynamic field in its one spelling.
fn target_name(name: &str) -> String {
    match FieldPath::parse(name) {
        Ok(path) if path.is_dynamic() => path.to_string(),
        _ => name.to_owned(),
    }
}

fn primary_key(spec: &PrimaryKeySpec) -> PrimaryKey {
    match spec {
        PrimaryKeySpec::Field(name) => PrimaryKey { field: Some(name.clone()), ..PrimaryKey::default() },
        PrimaryKeySpec::Body(body) => PrimaryKey {
            field: body.field.clone(),
            auto_id: body.auto_id,
            keep_as: body.keep_as.clone(),
            allow_insert_auto_id: body.allow_insert_auto_id.unwrap_or(false),
        },
    }
}

fn field(spec: &FieldSpec) -> FieldSettings {
    FieldSettings {
        origin: origin(spec),
        keep: spec.keep.unwrap_or(false),
        data_type: spec.kind.map(TypeSpec::data_type),
        element_type: spec.element_type.map(ElementTypeSpec::data_type),
        max_length: spec.max_length,
        max_capacity: spec.max_capacity,
        scale: spec.scale,
        nullable: spec.nullable,
        default: spec.default.clone(),
        on_null: spec.on_null.map(|on_null| match on_null {
            OnNullSpec::Keep => OnNull::Keep,
            OnNullSpec::Default => OnNull::Default,
            OnNullSpec::Reject => OnNull::Reject,
        }),
        on_misfit: match spec.on_misfit {
            None | Some(OnMisfitSpec::Fail) => OnMisfit::Fail,
            Some(OnMisfitSpec::Null) => OnMisfit::Null,
            Some(OnMisfitSpec::Truncate) => OnMisfit::Truncate,
            Some(OnMisfitSpec::Quarantine) => OnMisfit::Quarantine,
        },
        partition_key: spec.partition_key,
        clustering_key: spec.clustering_key,
        description: spec.description.clone(),
        enable_analyzer: spec.enable_analyzer,
        analyzer_params: spec.analyzer_params.clone(),
        enable_match: spec.enable_match,
        mmap: spec.mmap,
    }
}

fn origin(spec: &FieldSpec) -> Origin {
    match (&spec.from, &spec.value) {
        (Some(text), _) if text == PARTITION => Origin::Partition,
        // One that can't be read is an error of its own, and its plan goes no further.
        (Some(text), _) => {
            FieldPath::parse(text).map_or(Origin::Same, |path| Origin::From { text: text.clone(), path })
        }
        (None, Some(value)) => Origin::Value(value.clone()),
        (None, None) => Origin::Same,
    }
}

fn partitions(spec: &PartitionsSpec) -> Partitions {
    match spec {
        PartitionsSpec::Copy => Partitions::Copy,
        PartitionsSpec::None => Partitions::None,
        PartitionsSpec::Body(body) => Partitions::Some {
            only: body.only.as_ref().map(|only| once(only.iter())),
            rename: body.rename.clone().unwrap_or_default(),
        },
    }
}

fn indexes(spec: &IndexesSpec) -> Indexes {
    match spec {
        IndexesSpec::Auto => Indexes::Auto,
        IndexesSpec::Copy => Indexes::Copy,
        IndexesSpec::None => Indexes::None,
        IndexesSpec::Each(each) => {
            Indexes::Each(each.iter().map(|(name, spec)| (name.clone(), field_index(spec))).collect())
        }
    }
}

fn field_index(spec: &FieldIndexSpec) -> FieldIndex {
    match spec {
        FieldIndexSpec::Auto => FieldIndex::Auto,
        FieldIndexSpec::Copy => FieldIndex::Copy,
        FieldIndexSpec::None => FieldIndex::None,
        FieldIndexSpec::Body(body) => FieldIndex::Is {
            index_type: body.index_type.clone(),
            metric_type: body.metric_type.clone(),
            name: body.name.clone(),
            params: params(body.params.as_ref()),
        },
    }
}

fn function(spec: &FunctionSpec) -> Option<FunctionSettings> {
    let FunctionBody { kind, input_fields, output_fields, params: given, description } = spec.body()?;
    Some(FunctionSettings {
        kind: match kind {
            FunctionKindSpec::Bm25 => FunctionKind::Bm25,
            FunctionKindSpec::TextEmbedding => FunctionKind::TextEmbedding,
            FunctionKindSpec::Minhash => FunctionKind::MinHash,
        },
        inputs: input_fields.clone(),
        outputs: output_fields.clone(),
        params: params(given.as_ref()),
        description: description.clone().unwrap_or_default(),
    })
}

fn params(given: Option<&BTreeMap<String, Scalar>>) -> BTreeMap<String, String> {
    given.into_iter().flatten().map(|(name, Scalar(text))| (name.clone(), text.clone())).collect()
}
