//! Filter expressions over the primary key, in the part of the grammar that all servers read the same way.

use crate::collection::{Key, KeyRange};

/// The expression that holds for the keys of `range` and the rows of `filter`. Never empty: Milvus refuses a query that has
/// neither an expression nor a limit.
pub fn select(key: &str, text_key: bool, range: &KeyRange, filter: Option<&str>) -> String {
    let mut parts = Vec::with_capacity(3);
    if let Some(after) = &range.after {
        parts.push(match after {
            // Milvus cannot read the smallest INT64 as a literal.
            Key::Int(i64::MIN) => format!("{key} >= {}", i64::MIN + 1),
            after => format!("{key} > {}", literal(after)),
        });
    }
    if let Some(to) = &range.to {
        parts.push(match to {
            Key::Int(i64::MIN) => format!("{key} < {}", i64::MIN + 1),
            to => format!("{key} <= {}", literal(to)),
        });
    }
    if parts.is_empty() {
        // True of every key. The usual `> ""` or `< MAX` of other clients leaves out a key that is legal.
        parts.push(if text_key { format!("{key} >= \"\"") } else { format!("{key} <= {}", i64::MAX) });
    }
    if let Some(filter) = filter {
        parts.push(format!("({filter})"));
    }
    parts.join(" and ")
}

/// The expression that holds for the rows with one of `keys`.
pub fn among(key: &str, keys: &[Key], filter: Option<&str>) -> String {
    let list: Vec<String> = keys.iter().filter(|key| **key != Key::Int(i64::MIN)).map(literal).collect();
    let mut listed = format!("{key} in [{}]", list.join(","));
    if list.len() < keys.len() {
        // Milvus cannot read the smallest INT64 as a literal, not even in a list.
        listed = format!("({listed} or {key} < {})", i64::MIN + 1);
    }
    match filter {
        Some(filter) => format!("{listed} and ({filter})"),
        None => listed,
    }
}

/// A key as a literal. Only backslash, quote and line breaks are escaped: those escapes are read the same way by Milvus and
/// milvus-lite, which differ in all others, and every other character may stand for itself.
fn literal(key: &Key) -> String {
    match key {
        Key::Int(value) => value.to_string(),
        Key::Text(text) => {
            let mut quoted = String::with_capacity(text.len() + 2);
            quoted.push('"');
            for character in text.chars() {
                match character {
                    '\\' => quoted.push_str("\\\\"),
                    '"' => quoted.push_str("\\\""),
                    '\n' => quoted.push_str("\\n"),
                    '\r' => quoted.push_str("\\r"),
                    other => quoted.push(other),
                }
            }
            quoted.push('"');
            quoted
        }
    }
}

/// `key % divisor` is one or, as the remainder has the sign of the key, minus one: a thin sample of integer keys, whatever their
/// distribution.
pub fn sample(key: &str, divisor: u64, filter: Option<&str>) -> String {
    let base = format!("({key} % {divisor} == 1 or {key} % {divisor} == -1)");
    match filter {
        Some(filter) => format!("{base} and ({filter})"),
        None => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_as_written() {
        let range = |after, to| KeyRange { after, to };
        let (int, text) = (|value| Some(Key::Int(value)), |value: &str| Some(Key::Text(value.to_owned())));
        assert_eq!(select("id", false, &KeyRange::ALL, None), "id <= 9223372036854775807");
        assert_eq!(select("id", true, &KeyRange::ALL, Some("a > 1 or b")), "id >= \"\" and (a > 1 or b)");
        assert_eq!(select("id", false, &range(int(-5), int(7)), None), "id > -5 and id <= 7");
        assert_eq!(select("id", false, &range(int(i64::MIN), None), None), "id >= -9223372036854775807");
        assert_eq!(select("id", false, &range(None, int(i64::MIN)), None), "id < -9223372036854775807");
        assert_eq!(select("id", true, &range(text("a\"\\\n\r\té"), None), None), "id > \"a\\\"\\\\\\n\\r\té\"");
    }
}
