//! What the independent reader finds on both sides. It knows nothing of conversions, so it is asked about all that has to
//! arrive as it was: keys, partitions, fields whose type stays, and keys of the dynamic field that no rule takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::collections::{Collection, KEYS, Parts};
use super::entries::{Entry, partition};
use crate::support::{Place, dump};

/// Holds the target against the source.
pub fn check([from, to]: &[Place; 2], (collection, entry): &(Collection, Entry), aside: u64) {
    let arrived = dump(to);
    assert_eq!(arrived.len() as u64 + aside, entry.selected.len() as u64, "rows of {to}");
    let Some(identity) = entry.identity else { return };
    let source: BTreeMap<String, Map<String, Value>> =
        dump(from).into_iter().map(|row| (row["id"].to_string(), row)).collect();
    let parts: BTreeMap<String, &str> =
        collection.rows.iter().map(|row| (row["id"].to_string(), partition(row))).collect();
    let mut selected = entry.selected.clone();
    let untouched = untouched(collection, entry);
    for row in arrived {
        let key = row[identity].to_string();
        assert!(selected.remove(&key), "{to}: the row {key} was not selected, or arrived twice");
        let Some(before) = source.get(&key) else { panic!("{from}: the row {key} is not there") };
        for (new, old) in &entry.same {
            let (now, then) = (row.get(new).map(plain), &plain(&before[old]));
            let now = now.as_ref();
            assert!(
                then.is_null() || now == Some(then),
                "{to}: {new} of the row {key} is {now:?}, and {old} was {then}"
            );
        }
        for name in &untouched {
            assert_eq!(row.get(*name), before.get(*name), "{to}: {name} in the dynamic field of the row {key}");
        }
        if collection.parts != Parts::One && row.contains_key("#partition") {
            let expected = target_partition(entry, parts[&key]);
            assert_eq!(row["#partition"], expected, "{to}: partition of the row {key}");
        }
        if let Some(region) = row.get("region") {
            assert_eq!(*region, parts[&key], "{to}: where the row {key} came from");
        }
    }
}

/// A value without the bits of a NaN: 2.3.5 puts others in their place when it writes a segment.
fn plain(value: &Value) -> Value {
    let bits = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let is_nan = value.as_str().is_some_and(|text| match text.split_once(':') {
        Some(("f64", digits)) => bits(digits).is_some_and(|bits| f64::from_bits(bits.swap_bytes()).is_nan()),
        Some(("f32", digits)) => bits(digits).is_some_and(|bits| f32::from_bits((bits as u32).swap_bytes()).is_nan()),
        _ => false,
    });
    if is_nan { json!("NaN") } else { value.clone() }
}

/// Keys of the dynamic field that arrive as they were.
fn untouched(collection: &Collection, entry: &Entry) -> Vec<&'static str> {
    if !collection.dynamic || entry.said["dynamic_field"] == json!(false) {
        return Vec::new();
    }
    let fields = entry.said["fields"].as_object().into_iter().flatten();
    let taken: Vec<&str> =
        fields.filter_map(|(_, said)| said["from"].as_str()).filter(|from| from.starts_with('$')).collect();
    KEYS.into_iter().filter(|key| !taken.iter().any(|from| from.contains(key))).collect()
}

fn target_partition<'a>(entry: &'a Entry, name: &'a str) -> &'a str {
    match &entry.said["partitions"] {
        Value::String(word) if word == "none" => "_default",
        said => said["rename"][name].as_str().unwrap_or(name),
    }
}
