//! A collection, or all that goes to one cluster, held against the table.

use super::{Class, Finding, What, applied};
use crate::collection::CollectionSchema;
use crate::plan::resolved::Tier;

/// Dimensions of the vectors that capacities are stated for.
const STATED_DIMENSIONS: f64 = 768.0;

/// What a collection has too much of for a cluster. Shards and vector fields are among the
/// [capabilities](super::within) already.
pub fn for_collection(class: Class, schema: &CollectionSchema, partitions: usize) -> Vec<Finding> {
    let dimension = schema.fields.iter().filter_map(crate::collection::Field::dim).max().unwrap_or_default();
    let partitions = match schema.key_partitions {
        Some(count) if schema.has_partition_key() => count as usize,
        _ => partitions,
    };
    let counts = [
        (What::Fields, schema.fields.len(), "leave some out with `drop`"),
        (
            What::PartitionsOfCollection,
            partitions,
            "copy fewer with `partitions: {only: [..]}`, or set `num_partitions`",
        ),
        (What::Dimension, dimension, "leave the field out with `drop`"),
    ];
    counts.into_iter().filter_map(|(what, count, help)| beyond(class, what, count as u64, help)).collect()
}

fn beyond(class: Class, what: What, count: u64, help: &'static str) -> Option<Finding> {
    let limit = applied(what, class).filter(|limit| count > limit.most)?;
    let message = format!(
        "{count} {}: a cluster of Zilliz Cloud ({}) holds at most {} ({})",
        what.words(),
        class.words(),
        limit.most,
        limit.limit.sources()
    );
    Some(Finding { message, help })
}

/// What goes to one cluster. What is there already is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Collections that are made.
    pub collections: u64,
    /// Databases that they are in.
    pub databases: u64,
    /// Their partitions.
    pub partitions: u64,
    /// Numbers in all vectors that are written: rows times dimensions.
    pub numbers: f64,
    /// Bytes that are written.
    pub bytes: u64,
}

/// What goes to a cluster and does not fit, as far as the documentation tells.
pub fn for_cluster(class: Class, load: &Load) -> Vec<Finding> {
    let split = "move fewer, or choose a larger target";
    let counts =
        [(What::Collections, load.collections), (What::Databases, load.databases), (What::Partitions, load.partitions)];
    let mut found: Vec<Finding> =
        counts.into_iter().filter_map(|(what, count)| beyond(class, what, count, split)).collect();
    if let Some(limit) = applied(What::Bytes, class).filter(|limit| load.bytes > limit.most) {
        let message = format!(
            "about {:.1} GB are written, and a cluster of Zilliz Cloud ({}) holds {:.1} GB ({})",
            load.bytes as f64 / 1e9,
            class.words(),
            limit.most as f64 / 1e9,
            limit.limit.sources()
        );
        found.push(Finding { message, help: split });
    }
    let kind = class.units.and_then(|units| units.kind).filter(|_| class.tier != Tier::SelfHosted);
    let rows = load.numbers / STATED_DIMENSIONS;
    if let Some(kind) = kind
        && let Some(limit) = applied(What::rows_on(kind), class).filter(|limit| rows > limit.most as f64)
    {
        let message = format!(
            "as much is written as about {:.1} million vectors of 768 dimensions, and {} {} hold roughly {:.1} million ({})",
            rows / 1e6,
            class.words(),
            kind.service_word(),
            limit.most as f64 / 1e6,
            limit.limit.sources()
        );
        found.push(Finding {
            message,
            help: "choose more compute units, or a type that holds more: the numbers are rough",
        });
    }
    found
}
