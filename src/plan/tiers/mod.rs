//! What clusters of Zilliz Cloud can hold and take, which no server tells: limits by plan and by compute units, and which clusters
//! the migration service moves between. The numbers are in [`table`]; here is how they are read.
//!
//! Where an older page of the documentation says something else than today's, today's rules, and messages name both.

mod check;
mod table;

use super::resolved::{CuType, Endpoint, Limits, Tier, Units};
use crate::collection::Capabilities;
use table::{LIMITS, PAIRS};

pub use check::{Load, for_cluster, for_collection};

/// A cluster, as far as its limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// What kind of cluster it is.
    pub tier: Tier,
    /// Its compute units; none where it has none of its own, or where nobody said.
    pub units: Option<Units>,
}

impl Class {
    /// The class of the cluster that a plan names, as far as is known by now.
    pub fn of(endpoint: &Endpoint) -> Self {
        Self { tier: endpoint.tier, units: endpoint.units }
    }

    /// In words: `dedicated, 4 CU`.
    pub fn words(self) -> String {
        match self.units {
            Some(units) => format!("{}, {} CU", self.tier.word(), units.size),
            None => self.tier.word().to_owned(),
        }
    }

    fn is_cloud(self) -> bool {
        self.tier != Tier::SelfHosted
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Collections of a cluster.
    Collections,
    /// Databases of a cluster.
    Databases,
    /// Partitions of a cluster.
    Partitions,
    /// Partitions of a collection.
    PartitionsOfCollection,
    /// Shards of a collection.
    Shards,
    /// Fields of a collection.
    Fields,
    /// Vector fields of a collection.
    VectorFields,
    /// Dimensions of a vector.
    Dimension,
    /// All that a cluster holds.
    Bytes,
    /// Rows of 768 dimensions on units made for speed.
    RowsPerformance,
    /// The same on units made for many rows.
    RowsCapacity,
    /// The same on units made for very many rows.
    RowsTiered,
    /// Inserts and upserts of a cluster.
    WriteRate,
    /// Inserts and upserts of one shard.
    WriteRateOfShard,
    /// Deletes of a cluster.
    DeleteRate,
    /// Requests that make or change collections or partitions.
    DefinitionRate,
    /// Collections of one job of the migration service.
    CollectionsOfJob,
}

impl What {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Collections => "collections in a cluster",
            Self::Databases => "databases in a cluster",
            Self::Partitions => "partitions in a cluster",
            Self::PartitionsOfCollection => "partitions in a collection",
            Self::Shards => "shards in a collection",
            Self::Fields => "fields in a collection",
            Self::VectorFields => "vector fields in a collection",
            Self::Dimension => "dimensions of a vector",
            Self::Bytes => "all that a cluster holds",
            Self::RowsPerformance => "rows of 768 dimensions on performance-optimized units, roughly",
            Self::RowsCapacity => "rows of 768 dimensions on capacity-optimized units, roughly",
            Self::RowsTiered => "rows of 768 dimensions on tiered-storage units, roughly",
            Self::WriteRate => "inserts and upserts of a cluster",
            Self::WriteRateOfShard => "inserts and upserts of one shard",
            Self::DeleteRate => "deletes of a cluster",
            Self::DefinitionRate => "requests that make or change collections, and the same for partitions",
            Self::CollectionsOfJob => "collections in one job of the migration service",
        }
    }

    /// The row about the capacity of such units.
    fn rows_on(kind: CuType) -> Self {
        match kind {
            CuType::PerformanceOptimized => Self::RowsPerformance,
            CuType::CapacityOptimized => Self::RowsCapacity,
            CuType::TieredStorage => Self::RowsTiered,
        }
    }
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Rows.
    Rows,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Requests a second.
    PerSecond,
}

/// A limit of one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// No page says one.
    NotStated,
    /// The same for all.
    Flat(u64),
    /// So much, and more for each compute unit.
    PerUnit {
        /// Without any unit.
        base: u64,
        /// For each unit.
        each: u64,
        /// However many units there are.
        most: u64,
    },
    /// Fewer than so many for each compute unit.
    Below {
        /// For each unit.
        each: u64,
        /// However many units there are.
        most: u64,
    },
    /// By the number of compute units: up to so many, and what counts there.
    Steps(&'static [(u32, u64)]),
}

impl Value {
    /// The limit of a cluster of so many compute units; none where it is not stated, or depends on units that nobody said.
    fn at(self, units: Option<u32>) -> Option<u64> {
        match self {
            Self::NotStated => None,
            Self::Flat(value) => Some(value),
            Self::PerUnit { base, each, most } => Some((base + each * u64::from(units?)).min(most)),
            Self::Below { each, most } => Some((each * u64::from(units?)).saturating_sub(1).min(most)),
            Self::Steps(steps) => {
                let units = units?;
                steps.iter().find(|(up_to, _)| units <= *up_to).map(|(_, value)| *value)
            }
        }
    }
}

/// One row of the table of limits.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// What is limited.
    pub what: What,
    /// What it counts, for the page about it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the page is made by a test"))]
    pub unit: Unit,
    /// On Free.
    pub free: Value,
    /// On Serverless.
    pub serverless: Value,
    /// On Dedicated, and in accounts of one's own as far as no page says otherwise.
    pub dedicated: Value,
    /// The page of the public documentation that says so.
    pub source: &'static str,
    /// What an older page says, with where.
    pub older: Option<&'static str>,
}

impl Limit {
    fn value(&self, tier: Tier) -> Value {
        match tier {
            Tier::Free => self.free,
            Tier::Serverless => self.serverless,
            Tier::Dedicated | Tier::Byoc => self.dedicated,
            Tier::SelfHosted => Value::NotStated,
        }
    }

    /// Where it is from, for messages.
    fn sources(&self) -> String {
        match self.older {
            Some(older) => format!("by Zilliz Cloud's page \"{}\"; {older}", self.source),
            None => format!("by Zilliz Cloud's page \"{}\"", self.source),
        }
    }
}

/// A limit as it applies to a cluster.
struct Applied {
    most: u64,
    limit: &'static Limit,
}

fn applied(what: What, class: Class) -> Option<Applied> {
    let limit = LIMITS.iter().find(|limit| limit.what == what)?;
    let most = limit.value(class.tier).at(class.units.map(|units| units.size))?;
    Some(Applied { most, limit })
}

/// The limit of a cluster; none where no page states one, and for servers that somebody runs.
pub fn most(what: What, class: Class) -> Option<u64> {
    applied(what, class).map(|applied| applied.most)
}

/// Bytes a second of inserts and upserts that a cluster takes; none where nobody says.
pub fn write_bytes_per_s(class: Class) -> Option<u64> {
    most(What::WriteRate, class)
}

/// How hard a run may press on a cluster: where neither plan nor machine sets a rate, the one that the cluster takes.
pub fn paced(limits: &Limits, class: Class) -> Limits {
    let rate = write_bytes_per_s(class).map(|bytes| bytes as f64 / 1e6);
    Limits { write_mb_per_s: limits.write_mb_per_s.or(rate), ..limits.clone() }
}

/// The limits of a server, and of the cluster that it is part of, which the server does not say.
pub fn within(capabilities: &Capabilities, class: Class) -> Capabilities {
    let mut within = capabilities.clone();
    if !class.is_cloud() {
        return within;
    }
    within.server = format!("{} ({})", within.server, class.words());
    if let Some(shards) = most(What::Shards, class).and_then(|most| u32::try_from(most).ok()) {
        within.max_shards = within.max_shards.min(shards);
    }
    // What is documented rules over what Milvus has by itself, unless the server is too old for several.
    let vectors = most(What::VectorFields, class).and_then(|most| usize::try_from(most).ok());
    if let Some(vectors) = vectors.filter(|_| within.max_vector_fields > 1) {
        within.max_vector_fields = vectors;
    }
    within
}

/// Whether the migration service moves from one kind of cluster to another.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The source.
    pub from: Tier,
    /// The target.
    pub to: Tier,
    /// Whether it does, by today's documentation.
    pub moves: bool,
    /// The page that says so.
    pub source: &'static str,
    /// What an older page says, with where.
    pub older: Option<&'static str>,
}

/// What is to be said of a pair of clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The documentation agrees that the migration service moves between them.
    Moves,
    /// Today's documentation says so, and an older page or none says otherwise: a sentence for a warning.
    Doubtful(String),
    /// The migration service does not move between them: what is wrong, and what to do with that service.
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        help: &'static str,
    },
}

/// What the documentation says of moving from one kind of cluster to another by the migration service.
pub fn pair(from: Tier, to: Tier) -> Verdict {
    let names = format!("from {} to {}", from.word(), to.word());
    if from == Tier::SelfHosted || to == Tier::SelfHosted {
        let message = format!("the migration service moves between clusters of Zilliz Cloud only, and this is {names}");
        return Verdict::Refused { message, help: "use `engine: direct`" };
    }
    let Some(pair) = PAIRS.iter().find(|pair| pair.from == from && pair.to == to) else {
        return Verdict::Doubtful(format!("no page of Zilliz Cloud says whether its migration service moves {names}"));
    };
    if !pair.moves {
        let message = format!("the migration service does not move {names} (Zilliz Cloud's page \"{}\")", pair.source);
        let help = match (from, to) {
            (Tier::Free, Tier::Serverless) => {
                "upgrade the cluster in place in the console (Manage Cluster), or use `engine: direct`"
            }
            _ => "use `engine: direct`, or a target whose plan is not lower than the source's",
        };
        return Verdict::Refused { message, help };
    }
    match pair.older {
        Some(older) => Verdict::Doubtful(format!(
            "moving {names} is documented today (Zilliz Cloud's page \"{}\"), and {older}",
            pair.source
        )),
        None => Verdict::Moves,
    }
}

/// Something about a limit that a reader of the diff should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// All rows, for the page about them.
#[cfg(test)]
pub fn all() -> (&'static [Limit], &'static [Pair]) {
    (LIMITS, PAIRS)
}

#[cfg(test)]
mod tests;
