//! `docs/limits.md`: what clusters of Zilliz Cloud hold and take, and between which its migration service moves.

use super::{assert_fresh, cell};
use crate::plan::resolved::Tier;
use crate::plan::tiers::{self, Limit, Unit, Value, Verdict};

const HEAD: &str = "# Limits of Zilliz Cloud\n\n\
    What clusters of Zilliz Cloud hold and take is nowhere to be asked, so vecferry carries it as a table, with the page of the public \
    documentation that each row is from. It was compiled in November 2026; the service itself was not measured. Where an older page \
    says something else, today's counts, and messages name both.\n\n\
    vecferry knows what a cluster is from its control plane where a plan names it with `zilliz_cloud`, and from `tier` where a plan \
    names an address; of an address nobody knows the compute units (CU), so what depends on them is then left open. Accounts of one's \
    own (`byoc`) are taken for Dedicated where no page says otherwise.\n\n\
    | what | Free | Serverless | Dedicated | page | an older page |\n|---|---|---|---|---|---|\n";

const USES: &str = "\n## What they are used for\n\n\
    - Shards, vector fields, fields, partitions of a collection and dimensions: a collection with more is blocked before anything is \
    made (VF1003); `shards: auto` stays within them.\n\
    - Collections, databases and partitions of a cluster, and what its compute units hold: a warning beside the cluster in the diff \
    (VF1214). What it holds already is not counted. Capacities are stated for vectors of 768 dimensions, and are scaled by the \
    dimensions of what is written; they are rough.\n\
    - Inserts and upserts of a cluster: the rate that a copy starts with where neither the plan nor `vecferry.toml` sets \
    `limits: {write_mb_per_s: ..}`, and the fastest that an estimate of the time assumes.\n\
    - Collections in one job: how many collections are asked of the migration service at once.\n\
    - The other rates are kept by asking for less when a server says that it gets too much.\n";

const PAIRS_HEAD: &str = "\n## Between which plans the migration service moves\n\n\
    With `engine: zilliz_cloud`, what is refused here is blocked (VF1046), and what is doubtful is a warning (VF1213). With \
    `engine: direct` vecferry copies between any two clusters, and what is refused here is a warning.\n\n\
    | from | to | today | |\n|---|---|---|---|\n";

fn number(value: u64, unit: Unit) -> String {
    let grouped = |value: u64| {
        let digits = value.to_string();
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    };
    match unit {
        Unit::Count | Unit::Rows => grouped(value),
        Unit::Bytes => format!("{} GB", value as f64 / 1e9),
        Unit::BytesPerSecond => format!("{} MB/s", value as f64 / 1e6),
        Unit::PerSecond => format!("{}/s", grouped(value)),
    }
}

fn words(value: Value, unit: Unit) -> String {
    let number = |value| number(value, unit);
    let at_most = |most| if most == u64::MAX { String::new() } else { format!(", at most {}", number(most)) };
    match value {
        Value::NotStated => "not stated".to_owned(),
        Value::Flat(value) => number(value),
        Value::PerUnit { base: 0, each, most } => format!("{} for each CU{}", number(each), at_most(most)),
        Value::PerUnit { base, each, most } => {
            format!("{} and {} for each CU{}", number(base), number(each), at_most(most))
        }
        Value::Below { each, most } => format!("fewer than {} for each CU{}", number(each), at_most(most)),
        Value::Steps(steps) => {
            let words = steps.iter().map(|(up_to, value)| match *up_to {
                u32::MAX => format!("beyond: {}", number(*value)),
                up_to => format!("to {up_to} CU: {}", number(*value)),
            });
            words.collect::<Vec<_>>().join("; ")
        }
    }
}

fn page() -> String {
    let (limits, pairs) = tiers::all();
    let mut page = HEAD.to_owned();
    for limit in limits {
        let Limit { what, unit, free, serverless, dedicated, source, older } = *limit;
        let [free, serverless, dedicated] = [free, serverless, dedicated].map(|value| words(value, unit));
        let older = older.unwrap_or_default();
        page.push_str(&format!(
            "| {} | {free} | {serverless} | {dedicated} | {source} | {} |\n",
            what.words(),
            cell(older)
        ));
    }
    page.push_str(USES);
    page.push_str(PAIRS_HEAD);
    let clouds = [Tier::Free, Tier::Serverless, Tier::Dedicated, Tier::Byoc];
    for from in clouds {
        for to in clouds {
            let (today, why) = match tiers::pair(from, to) {
                Verdict::Moves => ("moved", String::new()),
                Verdict::Doubtful(message) => ("doubtful", message),
                Verdict::Refused { message, .. } => ("refused", message),
            };
            page.push_str(&format!("| `{}` | `{}` | {today} | {} |\n", from.word(), to.word(), cell(&why)));
        }
    }
    let sources: std::collections::BTreeSet<&str> =
        limits.iter().map(|limit| limit.source).chain(pairs.iter().map(|pair| pair.source)).collect();
    let sources: Vec<String> = sources.into_iter().map(|source| format!("\"{source}\"")).collect();
    page.push_str(&format!("\nThe pages are {} of docs.zilliz.com.\n", sources.join(", ")));
    page
}

#[test]
fn the_page_of_limits_is_fresh() {
    assert_fresh("limits.md", &page());
}
