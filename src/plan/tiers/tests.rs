use super::*;
use crate::collection::{CollectionSchema, DataType, Field};

fn dedicated(kind: CuType, size: u32) -> Class {
    Class { tier: Tier::Dedicated, units: Some(Units { kind: Some(kind), size }) }
}

fn of(tier: Tier) -> Class {
    Class { tier, units: None }
}

fn fast(size: u32) -> Class {
    dedicated(CuType::PerformanceOptimized, size)
}

#[test]
fn each_limit_has_one_row_with_its_page() {
    for (number, limit) in LIMITS.iter().enumerate() {
        assert!(!limit.source.is_empty() && !limit.what.words().is_empty());
        assert!(LIMITS[..number].iter().all(|other| other.what != limit.what), "{:?}", limit.what);
    }
    for (number, pair) in PAIRS.iter().enumerate() {
        assert!(PAIRS[..number].iter().all(|other| (other.from, other.to) != (pair.from, pair.to)), "{pair:?}");
    }
}

#[test]
fn limits_follow_the_plan_and_the_units() {
    let shards = |size| most(What::Shards, fast(size));
    assert_eq!([1, 2, 4, 8, 12, 64, 72, 1_024].map(shards), [2, 2, 4, 4, 8, 8, 16, 16].map(Some));
    assert_eq!(most(What::Shards, of(Tier::Serverless)), Some(2));
    // Nobody said how many units it has, or it is no cluster of Zilliz Cloud.
    assert_eq!([Tier::Dedicated, Tier::SelfHosted].map(|tier| most(What::Shards, of(tier))), [None, None]);
    assert_eq!([1, 16, 1_024].map(|size| most(What::Collections, fast(size))), [1_023, 16_383, 16_384].map(Some));
    let rates =
        [of(Tier::Free), of(Tier::Serverless), fast(1), fast(1_024), of(Tier::Dedicated)].map(write_bytes_per_s);
    assert_eq!(rates, [Some(2_000_000), Some(10_000_000), Some(17_000_000), Some(256_000_000), None]);
}

#[test]
fn a_plan_that_sets_no_rate_starts_with_that_of_the_cluster() {
    let limits = |rate| Limits { write_mb_per_s: rate, concurrency: 4, split_rows: 10 };
    assert_eq!(paced(&limits(None), of(Tier::Serverless)).write_mb_per_s, Some(10.0));
    assert_eq!(paced(&limits(Some(64.0)), of(Tier::Serverless)).write_mb_per_s, Some(64.0));
    assert_eq!(paced(&limits(None), of(Tier::SelfHosted)), limits(None));
}

#[test]
fn a_server_holds_what_its_cluster_does() {
    let able = Capabilities::able();
    let within = |class| within(&able, class);
    let serverless = within(of(Tier::Serverless));
    assert_eq!((serverless.max_shards, serverless.max_vector_fields), (2, 4));
    assert_eq!(serverless.server, "Milvus 9.9.9 (serverless)");
    let large = within(fast(12));
    assert_eq!(
        (large.max_shards, large.max_vector_fields, large.server),
        (8, 10, "Milvus 9.9.9 (dedicated, 12 CU)".into())
    );
    let own = within(of(Tier::SelfHosted));
    assert_eq!((own.max_shards, own.max_vector_fields, own.server), (16, 4, able.server.clone()));
    // A server that is too old for several vector fields stays so.
    let old = super::within(&Capabilities { max_vector_fields: 1, ..able }, fast(1));
    assert_eq!(old.max_vector_fields, 1);
}

#[test]
fn the_matrix_of_plans_is_that_of_today_and_says_where_an_older_page_differs() {
    use Tier::{Byoc, Dedicated, Free, SelfHosted, Serverless};
    for (from, to) in [(Serverless, Dedicated), (Dedicated, Dedicated), (Byoc, Byoc)] {
        assert_eq!(pair(from, to), Verdict::Moves, "{from:?} {to:?}");
    }
    for (from, to) in [(Serverless, Serverless), (Free, Dedicated), (Byoc, Dedicated), (Serverless, Byoc)] {
        assert!(matches!(pair(from, to), Verdict::Doubtful(_)), "{from:?} {to:?}");
    }
    for (from, to) in [
        (Free, Free),
        (Free, Serverless),
        (Serverless, Free),
        (Dedicated, Serverless),
        (Dedicated, Free),
        (Byoc, Free),
        (SelfHosted, Dedicated),
        (Dedicated, SelfHosted),
    ] {
        assert!(matches!(pair(from, to), Verdict::Refused { .. }), "{from:?} {to:?}");
    }
    let Verdict::Doubtful(message) = pair(Serverless, Serverless) else { panic!("both pages are named") };
    assert_eq!(
        message,
        "moving from serverless to serverless is documented today (Zilliz Cloud's page \"Offline Migration\"), and an older edition of that page says that this is not supported"
    );
    let Verdict::Refused { help, .. } = pair(Free, Serverless) else { panic!("an upgrade in place") };
    assert!(help.contains("upgrade"), "{help}");
}

fn schema(fields: usize, dimension: usize) -> CollectionSchema {
    let mut all: Vec<Field> = (1..fields).map(|number| Field::new(format!("f{number}"), DataType::Int64)).collect();
    let mut vector = Field::new("vector", DataType::FloatVector);
    vector.params.insert("dim".into(), dimension.to_string());
    all.push(vector);
    CollectionSchema {
        description: String::new(),
        fields: all,
        dynamic_field: false,
        functions: Vec::new(),
        shards: 1,
        consistency: None,
        properties: std::collections::BTreeMap::new(),
        key_partitions: None,
        struct_fields: Vec::new(),
    }
}

#[test]
fn a_collection_with_too_much_in_it_is_named() {
    let messages = |class, schema: &CollectionSchema, partitions| -> Vec<String> {
        for_collection(class, schema, partitions).into_iter().map(|found| found.message).collect()
    };
    assert_eq!(messages(fast(1), &schema(64, 32_768), 1_024), [""; 0]);
    let found = messages(fast(1), &schema(65, 32_769), 1_025);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(
        found[0],
        "65 fields in a collection: a cluster of Zilliz Cloud (dedicated, 1 CU) holds at most 64 (by Zilliz Cloud's page \"Limits\")"
    );
    assert_eq!(messages(of(Tier::SelfHosted), &schema(65, 32_769), 1_025), [""; 0]);
    let mut keyed = schema(3, 8);
    keyed.fields[0].partition_key = true;
    keyed.key_partitions = Some(4_096);
    assert_eq!(messages(fast(1), &keyed, 1).len(), 1);
}

#[test]
fn what_goes_to_a_cluster_is_held_against_its_size() {
    let load = Load { collections: 6, databases: 1, partitions: 6, numbers: 3e6 * 768.0, bytes: 6_000_000_000 };
    let codes = |class| for_cluster(class, &load).into_iter().map(|found| found.message).collect::<Vec<_>>();
    let free = codes(of(Tier::Free));
    assert_eq!(free.len(), 2, "{free:?}");
    assert!(free[0].starts_with("6 collections in a cluster") && free[1].starts_with("about 6.0 GB"), "{free:?}");
    assert_eq!(codes(of(Tier::Serverless)), [""; 0]);
    let small = codes(fast(1));
    assert_eq!(small.len(), 1, "{small:?}");
    assert!(small[0].contains("about 3.0 million") && small[0].contains("roughly 2.0 million"), "{small:?}");
    assert_eq!(codes(fast(2)), [""; 0]);
    assert_eq!(codes(dedicated(CuType::CapacityOptimized, 1)), [""; 0]);
    // Where nobody said what its units are made for, nothing is said of what they hold.
    assert_eq!(codes(Class { tier: Tier::Dedicated, units: Some(Units { kind: None, size: 1 }) }), [""; 0]);
}
