//! The limits of Zilliz Cloud, and which of its clusters its migration service moves between, as rows: each with the page of the
//! public documentation that it is from, and with what an older page said, where that is something else.

use super::{Limit, Pair, Unit, Value, What};
use crate::plan::resolved::Tier::{Byoc, Dedicated, Free, Serverless};

/// The page about limits.
const LIMITS_PAGE: &str = "Limits";
/// The page about what compute units are made for.
const UNITS_PAGE: &str = "CU Types Explained";
/// The pages about moving between clusters, of both editions.
const OFFLINE: &str = "Offline Migration";
const BYOC_OFFLINE: &str = "Migrate between Clusters (BYOC)";

use Value::{Below, Flat, NotStated, PerUnit, Steps};

const fn row(what: What, unit: Unit, values: [Value; 3], source: &'static str) -> Limit {
    let [free, serverless, dedicated] = values;
    Limit { what, unit, free, serverless, dedicated, source, older: None }
}

const fn capacity(what: What, rows: u64) -> Limit {
    let dedicated = PerUnit { base: 0, each: rows, most: u64::MAX };
    row(what, Unit::Rows, [NotStated, NotStated, dedicated], UNITS_PAGE)
}

const fn older(limit: Limit, said: &'static str) -> Limit {
    Limit { older: Some(said), ..limit }
}

/// One row for each [`What`].
pub(super) const LIMITS: &[Limit] = &[
    row(What::Collections, Unit::Count, [Flat(5), Flat(100), Below { each: 1_024, most: 16_384 }], LIMITS_PAGE),
    row(What::Databases, Unit::Count, [Flat(1), Flat(1), Flat(1_024)], LIMITS_PAGE),
    row(What::Partitions, Unit::Count, [NotStated, NotStated, Below { each: 4_096, most: 65_536 }], LIMITS_PAGE),
    row(What::PartitionsOfCollection, Unit::Count, [NotStated, NotStated, Flat(1_024)], LIMITS_PAGE),
    older(
        row(
            What::Shards,
            Unit::Count,
            [Flat(2), Flat(2), Steps(&[(2, 2), (8, 4), (64, 8), (u32::MAX, 16)])],
            LIMITS_PAGE,
        ),
        "an older list of error codes (90013) allows 1 to 32 on every plan",
    ),
    row(What::Fields, Unit::Count, [Flat(64), Flat(64), Flat(64)], LIMITS_PAGE),
    older(
        row(What::VectorFields, Unit::Count, [Flat(4), Flat(4), Flat(10)], LIMITS_PAGE),
        "a migration guide of 2024 allows one vector field in each source collection",
    ),
    row(What::Dimension, Unit::Count, [Flat(32_768), Flat(32_768), Flat(32_768)], LIMITS_PAGE),
    row(What::Bytes, Unit::Bytes, [Flat(5_000_000_000), NotStated, NotStated], LIMITS_PAGE),
    capacity(What::RowsPerformance, 2_000_000),
    capacity(What::RowsCapacity, 8_000_000),
    capacity(What::RowsTiered, 40_000_000),
    row(
        What::WriteRate,
        Unit::BytesPerSecond,
        [Flat(2_000_000), Flat(10_000_000), PerUnit { base: 16_000_000, each: 1_000_000, most: 256_000_000 }],
        LIMITS_PAGE,
    ),
    row(
        What::WriteRateOfShard,
        Unit::BytesPerSecond,
        [Flat(32_000_000), Flat(32_000_000), Flat(32_000_000)],
        LIMITS_PAGE,
    ),
    row(What::DeleteRate, Unit::BytesPerSecond, [Flat(500_000), Flat(500_000), Flat(500_000)], LIMITS_PAGE),
    row(What::DefinitionRate, Unit::PerSecond, [Flat(20), Flat(20), Flat(20)], LIMITS_PAGE),
    row(What::CollectionsOfJob, Unit::Count, [Flat(5), Flat(10), Flat(10)], LIMITS_PAGE),
];

/// What the migration service moves between. Pairs that no page speaks of are not there.
pub(super) const PAIRS: &[Pair] = &[
    pair(Free, Free, false, OFFLINE),
    pair(Free, Serverless, false, OFFLINE),
    Pair {
        older: Some("an older edition of that page sends Free clusters to an upgrade in place instead"),
        ..pair(Free, Dedicated, true, OFFLINE)
    },
    pair(Serverless, Free, false, OFFLINE),
    Pair {
        older: Some("an older edition of that page says that this is not supported"),
        ..pair(Serverless, Serverless, true, OFFLINE)
    },
    pair(Serverless, Dedicated, true, OFFLINE),
    pair(Dedicated, Free, false, OFFLINE),
    pair(Dedicated, Serverless, false, OFFLINE),
    pair(Dedicated, Dedicated, true, OFFLINE),
    pair(Byoc, Free, false, BYOC_OFFLINE),
    pair(Byoc, Serverless, false, BYOC_OFFLINE),
    pair(Byoc, Byoc, true, BYOC_OFFLINE),
];

const fn pair(
    from: crate::plan::resolved::Tier,
    to: crate::plan::resolved::Tier,
    moves: bool,
    source: &'static str,
) -> Pair {
    Pair { from, to, moves, source, older: None }
}
