//! JSON compared by value. Milvus keeps the bytes of a JSON value; milvus-lite and some proxies write it anew with other
//! spaces and another order of keys. Both mean the same row, so a fingerprint hashes the value and not its spelling.
//!
//! A value is written down in one form while it is read, without a tree in between: most objects come in the order of their
//! keys, and members of the others are put in order in place.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use twox_hash::XxHash3_128;

/// Hashes JSON texts by value: the order of keys, spaces and the spelling of numbers do not count; `1` and `1.0` differ. Of a
/// key that comes twice the last value counts. A text that is no JSON (Milvus accepted some in the past) is hashed by its
/// bytes. Its memory is used again for the next text.
#[derive(Debug, Default)]
pub struct JsonHasher {
    /// The value in its one form, as far as it was read.
    form: Vec<u8>,
    /// Members of the objects that are open, those of the innermost last.
    members: Vec<Member>,
    spare: Vec<u8>,
}

/// A member of an object by its places in the form.
#[derive(Debug, Clone, Copy)]
struct Member {
    start: usize,
    name: (usize, usize),
    end: usize,
}

impl JsonHasher {
    /// The hash of a text.
    pub fn hash(&mut self, text: &[u8]) -> u128 {
        self.form.clear();
        self.members.clear();
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let read = Form(self).deserialize(&mut deserializer).and_then(|()| deserializer.end());
        if read.is_err() {
            self.form.clear();
            self.form.push(b'!');
            self.form.extend_from_slice(text);
        }
        XxHash3_128::oneshot(&self.form)
    }

    fn number(&mut self, kind: u8, bits: [u8; 8]) {
        self.form.push(kind);
        self.form.extend_from_slice(&bits);
    }

    /// Writes a text and says where it stands.
    fn text(&mut self, text: &str) -> (usize, usize) {
        self.number(b's', (text.len() as u64).to_le_bytes());
        let start = self.form.len();
        self.form.extend_from_slice(text.as_bytes());
        (start, self.form.len())
    }

    /// Puts the members from `first` on, which are the end of the form, into the order of their names, each name once.
    fn put_in_order(&mut self, first: usize) {
        let Self { form, members, spare } = self;
        let name = |member: &Member| &form[member.name.0..member.name.1];
        let own = &mut members[first..];
        if !own.is_sorted_by(|a, b| name(a) < name(b)) {
            // The sort is stable, so the last of a name stays the last.
            own.sort_by(|a, b| name(a).cmp(name(b)));
            spare.clear();
            let start = own.iter().map(|member| member.start).min().unwrap_or(form.len());
            for (at, member) in own.iter().enumerate() {
                if own.get(at + 1).is_none_or(|next| name(next) != name(member)) {
                    spare.extend_from_slice(&form[member.start..member.end]);
                }
            }
            form.truncate(start);
            form.extend_from_slice(spare);
        }
        members.truncate(first);
    }
}

/// Writes the value that is read next.
struct Form<'a>(&'a mut JsonHasher);

impl<'de> DeserializeSeed<'de> for Form<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Form<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.form.push(b'n');
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.form.push(if value { b't' } else { b'f' });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.number(b'i', value.to_le_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.number(if i64::try_from(value).is_ok() { b'i' } else { b'u' }, value.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.number(b'd', value.to_bits().to_le_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.text(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.form.push(b'[');
        while items.next_element_seed(Form(self.0))?.is_some() {}
        self.0.form.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.form.push(b'{');
        let first = self.0.members.len();
        loop {
            let start = self.0.form.len();
            let Some(name) = members.next_key_seed(Name(self.0))? else { break };
            members.next_value_seed(Form(self.0))?;
            let end = self.0.form.len();
            self.0.members.push(Member { start, name, end });
        }
        self.0.put_in_order(first);
        self.0.form.push(b'}');
        Ok(())
    }
}

/// Writes the name of a member.
struct Name<'a>(&'a mut JsonHasher);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = (usize, usize);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = (usize, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.text(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn hash_json(text: &[u8]) -> u128 {
        JsonHasher::default().hash(text)
    }

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
    /// What the hash is to be, by way of a tree.
    fn form_of(value: &Value, out: &mut Vec<u8>) {
        let text = |text: &str, out: &mut Vec<u8>| {
            out.push(b's');
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        match value {
            Value::Null => out.push(b'n'),
            Value::Bool(value) => out.push(if *value { b't' } else { b'f' }),
            Value::Number(number) => {
                let (kind, bits) = match (number.as_i64(), number.as_u64()) {
                    (Some(value), _) => (b'i', value.to_le_bytes()),
                    (None, Some(value)) => (b'u', value.to_le_bytes()),
                    (None, None) => (b'd', number.as_f64().unwrap().to_bits().to_le_bytes()),
                };
                out.push(kind);
                out.extend_from_slice(&bits);
            }
            Value::String(value) => text(value, out),
            Value::Array(items) => {
                out.push(b'[');
                items.iter().for_each(|item| form_of(item, out));
                out.push(b']');
            }
            Value::Object(members) => {
                let sorted: std::collections::BTreeMap<_, _> = members.iter().collect();
                out.push(b'{');
                for (name, value) in sorted {
                    text(name, out);
                    form_of(value, out);
                }
                out.push(b'}');
            }
        }
    }

    fn by_tree(text: &[u8]) -> u128 {
        let mut form = Vec::new();
        match serde_json::from_slice::<Value>(text) {
            Ok(value) => form_of(&value, &mut form),
            Err(_) => form.extend(b"!".iter().chain(text)),
        }
        XxHash3_128::oneshot(&form)
    }

    /// Text that is JSON, with keys in any order and twice, spaces and escapes, or all but.
    fn spelled() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            any::<u64>().prop_map(|value| value.to_string()),
            any::<f64>().prop_map(|value| format!("{value:e}")),
            ".{0,4}".prop_map(|value| serde_json::to_string(&value).unwrap()),
            Just(r#""\u00e9\n""#.to_owned()),
            Just("-0".to_owned()),
            Just("1e400".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            let name = prop_oneof!["[a-d]{0,2}", Just(r"\u0061".to_owned()), Just("é".to_owned())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
                prop::collection::vec((name, inner), 0..6).prop_map(|members| {
                    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        /// Whatever the text, valid or not: the hash is that of the tree, also where the hasher was used before.
        #[test]
        fn the_hash_is_that_of_the_tree(texts in prop::collection::vec(prop_oneof![spelled(), ".{0,12}"], 1..4)) {
            let mut hasher = JsonHasher::default();
            for text in &texts {
                prop_assert_eq!(hasher.hash(text.as_bytes()), by_tree(text.as_bytes()), "{}", text);
            }
        }
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_value_counts() {
        same(r#"{"b":{"z":1,"y":2},"a":1,"b":3}"#, r#"{"a":1,"b":3}"#);
        differ(r#"{"a":1,"a":2}"#, r#"{"a":1}"#);
    }
}
