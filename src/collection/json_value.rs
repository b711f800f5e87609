//! JSON compared by value. Milvus keeps the bytes of a JSON value; milvus-lite and some proxies write it anew with other
//! spaces and another order of keys. Both mean the same row, so a fingerprint hashes the value and not its spelling.

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// Hash of a JSON text by value: the order of keys, spaces and the spelling of numbers do not count; `1` and `1.0` differ.
/// A text that is no JSON (Milvus accepted some in the past) is hashed by its bytes.
pub fn hash_json(text: &[u8]) -> u128 {
    let mut canonical = Vec::with_capacity(text.len());
    match serde_json::from_slice::<Value>(text) {
        Ok(value) => write_canonical(&value, &mut canonical),
        Err(_) => {
            canonical.push(b'!');
            canonical.extend_from_slice(text);
        }
    }
    xxh3_128(&canonical)
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Value::Number(number) => {
            if let Some(value) = number.as_i64() {
                out.push(b'i');
                out.extend_from_slice(&value.to_le_bytes());
            } else if let Some(value) = number.as_u64() {
                out.push(b'u');
                out.extend_from_slice(&value.to_le_bytes());
            } else {
                out.push(b'd');
                out.extend_from_slice(&number.as_f64().unwrap_or(f64::NAN).to_bits().to_le_bytes());
            }
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            // Sorted here, because whether serde_json's map is sorted depends on a feature that any dependency may switch on.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push(b'{');
            for (name, value) in members {
                write_text(name, out);
                write_canonical(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b's');
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(a: &str, b: &str) {
        assert_eq!(hash_json(a.as_bytes()), hash_json(b.as_bytes()), "{a} and {b}");
    }

    #[track_caller]
    fn differ(a: &str, b: &str) {
        assert_ne!(hash_json(a.as_bytes()), hash_json(b.as_bytes()), "{a} and {b}");
    }

    #[test]
    fn spelling_does_not_count_and_values_do() {
        same(r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1, 2], "a": 1 }"#);
        same("1e2", "100.0");
        same(r#""é""#, r#""\u00e9""#);
        same("0.1000000000000000055", "0.1");
        differ("1", "1.0");
        differ("9007199254740993", "9007199254740992");
        differ(r#"{"a":null}"#, "{}");
        differ(r#"["ab"]"#, r#"["a","b"]"#);
        differ("1e400", "Infinity");
        differ("{", "\"{\"");
    }
}
