//! Random collections of the source: fields, keys, partitions and rows, in the words of `tests/support/fill_spec.py`.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Dimensions of the one vector.
const DIM: usize = 4;
/// Most elements of an array.
const CAPACITY: u32 = 6;
/// Most bytes of a text; milvus-lite counts characters, so the rows keep to what both allow.
const LENGTH: usize = 64;
const SCALARS: [&str; 8] = ["bool", "int8", "int16", "int32", "int64", "float", "double", "varchar"];
/// Texts that are hard to write down, or that mean something to somebody.
const HARD: [&str; 30] = [
    "",
    " ",
    "'",
    "\"",
    "\\",
    "\\\\",
    "\\\"",
    "it's",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "\0",
    "a\0b",
    "\u{7f}",
    "%",
    "_",
    "{}",
    "ferry",
    "ferry ",
    "FERRY",
    "é",
    "e\u{301}",
    "渡し船",
    "👩\u{200d}👩\u{200d}👧",
    "\u{feff}",
    "\u{10ffff}",
    "null",
    "true",
    "\\u0041",
    "/* x */",
];
/// Texts that other types can be read from, or nearly.
const READABLE: [&str; 16] = [
    "0",
    "1",
    "-7",
    "300",
    "+5",
    "01",
    "1.5",
    "1e5",
    " 5",
    "9223372036854775808",
    "NaN",
    "False",
    "{\"a\": 1}",
    "[1, 2]",
    "\"x\"",
    "{",
];
/// Documents that differ from how anybody would write them anew.
const DOCUMENTS: [&str; 6] = [
    "{}",
    "{ \"n\" : 1.0,\"a\":  \"x\" }",
    "{\"n\":1,\"n\":2}",
    "{\"big\":123456789012345678901234567890,\"n\":18446744073709551616}",
    "{\"a\":\"\\u00e9\\ud83d\\ude00\",\"deep\":{\"x\":[1,{\"y\":null}]}}",
    "{\"a.b\":1e-7,\"deep\":{\"x\":\"}\",\"z\":{}}}",
];
const ODD: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e-40, 1e38];
/// Keys at the ends of what there is; 2.3.5 counts the largest integer and never returns it.
const ENDS: [i64; 7] = [i64::MIN, i64::MIN + 1, i64::MAX - 1, 0, -1, (1 << 53) + 1, -(1 << 31) - 1];
/// Keys of the dynamic field and of JSON, one of which no path can name without quotes.
pub const KEYS: [&str; 6] = ["lang", "n", "a.b", "ünï", "deep", "tags"];

/// A field but for the primary key and the vector.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub kind: &'static str,
    pub element: Option<&'static str>,
    pub nullable: bool,
    pub default: Option<Value>,
}

/// Which partition a row lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    One,
    Named(Vec<&'static str>),
    /// By the values of this field.
    Key(String),
}

/// A collection and its rows.
#[derive(Debug, Clone)]
pub struct Collection {
    pub text_key: bool,
    pub dynamic: bool,
    pub parts: Parts,
    pub fields: Vec<Field>,
    /// Whether a field `unique` holds each value once.
    pub unique: bool,
    pub metric: &'static str,
    pub flush: bool,
    pub rows: Vec<Map<String, Value>>,
}

impl Collection {
    /// For the script that makes it.
    pub fn spec(&self, name: &str) -> Value {
        let key = if self.text_key { json!({"type": "varchar", "max_length": 256}) } else { json!({"type": "int64"}) };
        let mut fields = vec![with(key, json!({"name": "id", "primary": true}))];
        for field in &self.fields {
            let mut said = json!({"name": field.name, "type": field.kind});
            if let Some(element) = field.element {
                said = with(said, json!({"element_type": element, "max_capacity": CAPACITY}));
            }
            if field.kind == "varchar" || field.element == Some("varchar") {
                said["max_length"] = json!(LENGTH);
            }
            if field.nullable {
                said["nullable"] = json!(true);
            }
            if let Some(default) = &field.default {
                said["default"] = default.clone();
            }
            if self.parts == Parts::Key(field.name.clone()) {
                said["partition_key"] = json!(true);
            }
            fields.push(said);
        }
        fields.push(json!({"name": "vector", "type": "float_vector", "dim": DIM}));
        let mut spec = json!({
            "name": name, "dynamic": self.dynamic, "fields": fields, "flush": self.flush, "rows": self.rows,
            "index": {"index_type": "FLAT", "metric_type": self.metric},
        });
        match &self.parts {
            Parts::One => {}
            Parts::Named(names) => spec["partitions"] = json!(names),
            Parts::Key(_) => spec["num_partitions"] = json!(3),
        }
        spec
    }
}

fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut value, more) {
        members.extend(more);
    }
    value
}

/// A text of both servers: at most so long in bytes, and in characters all the more.
fn text() -> BoxedStrategy<Value> {
    let most = |text: String| {
        let end = (0..=LENGTH.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        json!(text[..end])
    };
    prop_oneof![
        3 => "[a-z]{0,12}".prop_map(Value::from),
        3 => select(&READABLE[..]).prop_map(Value::from),
        2 => select(&HARD[..]).prop_map(Value::from),
        1 => ".{0,40}".prop_map(most),
    ]
    .boxed()
}

fn integer(bits: u32) -> BoxedStrategy<Value> {
    let (least, most) = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
    let ends = prop_oneof![Just(least), Just(most), Just((1 << 53_u32.min(bits - 2)) + 1)];
    prop_oneof![4 => -3_i64..=100, 1 => ends, 1 => least..=most].prop_map(Value::from).boxed()
}

/// A number as the script takes it, which JSON may have no word for.
fn float(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        value if value.is_infinite() => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
        value => json!(value),
    }
}

fn scalar(kind: &str) -> BoxedStrategy<Value> {
    match kind {
        "bool" => any::<bool>().prop_map(Value::from).boxed(),
        "int8" => integer(8),
        "int16" => integer(16),
        "int32" => integer(32),
        "int64" => integer(64),
        "float" => prop_oneof![
            3 => (-100_i32..100).prop_map(|whole| json!(whole)),
            3 => (-100_f32..100.0).prop_map(|value| float(value.into())),
            1 => select(&ODD[..]).prop_map(|value| float(f64::from(value as f32))),
        ]
        .boxed(),
        "double" => prop_oneof![
            3 => (-100_i32..100).prop_map(|whole| json!(whole)),
            3 => (-1e6..1e6).prop_map(float),
            1 => select(&ODD[..]).prop_map(float),
            1 => any::<f64>().prop_map(float),
        ]
        .boxed(),
        _ => text(),
    }
}

/// Any JSON value of a few levels.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..300).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e3..1e3).prop_map(|value: f64| json!(value)),
        text(),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((select(&KEYS[..]), inner), 0..3).prop_map(|members| Value::Object(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
    .boxed()
}

/// Keys of an object: of each kind that a plan may mean, mostly what it would expect there.
fn object() -> BoxedStrategy<Map<String, Value>> {
    let lang = prop_oneof![4 => select(&["en", "de", "日本語"][..]).prop_map(Value::from), 1 => anything()];
    let number = prop_oneof![4 => integer(16), 1 => scalar("varchar"), 1 => anything()];
    let deep = prop_oneof![3 => anything().prop_map(|value| json!({"x": value, "y": 1})), 1 => anything()];
    let tags = prop_oneof![2 => prop::collection::vec(integer(8), 0..4).prop_map(Value::from), 1 => anything()];
    let member = |value: BoxedStrategy<Value>| prop::option::weighted(0.6, value);
    let members = [lang.boxed(), number.boxed(), anything(), anything(), deep.boxed(), tags.boxed()].map(member);
    Vec::from(members)
        .prop_map(|values| {
            let members = KEYS.iter().zip(values).filter_map(|(key, value)| Some((key.to_string(), value?)));
            members.collect()
        })
        .boxed()
}

fn value(field: &Field, partition_key: bool) -> BoxedStrategy<Value> {
    let plain = match field.kind {
        "json" => prop_oneof![
            4 => object().prop_map(|object| json!(Value::Object(object).to_string())),
            1 => select(&DOCUMENTS[..]).prop_map(Value::from),
        ]
        .boxed(),
        "array" => {
            let items = prop::collection::vec(scalar(field.element.unwrap_or("int64")), 0..=CAPACITY as usize);
            items.prop_map(Value::from).boxed()
        }
        kind => scalar(kind),
    };
    if field.nullable && !partition_key { prop_oneof![3 => plain, 1 => Just(Value::Null)].boxed() } else { plain }
}

fn field(lite: bool) -> BoxedStrategy<Field> {
    let kinds: Vec<&'static str> = SCALARS.into_iter().chain(["varchar", "json", "json", "array", "array"]).collect();
    let defaulted = prop::bool::weighted(0.15);
    let parts = (select(kinds), select(&SCALARS[..]), prop::bool::weighted(if lite { 0.3 } else { 0.0 }), defaulted);
    parts
        .prop_map(|(kind, element, nullable, defaulted)| {
            let default = match kind {
                "bool" => Some(json!(true)),
                "varchar" => Some(json!("unsaid")),
                "json" | "array" => None,
                _ => Some(json!(42)),
            };
            Field {
                name: String::new(),
                kind,
                element: (kind == "array").then_some(element),
                nullable,
                default: default.filter(|_| defaulted),
            }
        })
        .boxed()
}

/// Keys that every server returns.
fn key(text_key: bool) -> BoxedStrategy<Value> {
    if text_key {
        let hard = (select(&HARD[..]), 0..40_u8).prop_map(|(hard, number)| match number {
            0..20 => json!(hard),
            number => json!(format!("{hard}·{number}")),
        });
        return prop_oneof![2 => hard, 1 => select(&READABLE[..]).prop_map(Value::from), 2 => ".{0,12}".prop_map(Value::from)].boxed();
    }
    prop_oneof![3 => -50_i64..200, 1 => select(&ENDS[..]), 2 => i64::MIN..i64::MAX].prop_map(Value::from).boxed()
}

/// A collection as this kind of server can hold it.
pub fn collection(lite: bool) -> BoxedStrategy<Collection> {
    let names = ["north", "south", "empty"];
    let parts = prop_oneof![
        3 => Just(Parts::One),
        3 => (1..=3_usize).prop_map(move |count| Parts::Named(names[..count].to_vec())),
        1 => Just(Parts::Key(String::new())),
    ];
    let flags = (any::<bool>(), prop::bool::weighted(0.7), prop::bool::weighted(0.4), prop::bool::weighted(0.2));
    let shape = (flags, parts, prop::collection::vec(field(lite), 2..7), select(&["L2", "IP", "COSINE"][..]));
    let count = prop_oneof![1 => Just(0), 12 => 1..60_usize];
    (shape, count)
        .prop_flat_map(|(((text_key, dynamic, unique, flush), mut parts, mut fields, metric), count)| {
            for (number, field) in fields.iter_mut().enumerate() {
                field.name = format!("{}_{number}", field.kind);
            }
            if let Parts::Key(name) = &mut parts {
                let able = fields.iter_mut().find(|field| ["int64", "varchar"].contains(&field.kind));
                match able {
                    Some(field) => {
                        (field.nullable, field.default) = (false, None);
                        name.clone_from(&field.name);
                    }
                    None => parts = Parts::One,
                }
            }
            let by_key = |field: &Field| parts == Parts::Key(field.name.clone());
            let values: Vec<_> = fields.iter().map(|field| value(field, by_key(field))).collect();
            let vector = prop::collection::vec(
                prop_oneof![20 => -1_f32..1.0, 1 => select(&[1e-40_f32, 70_000.0, -0.0][..])].prop_map(|x| json!(x)),
                DIM,
            );
            let named = if let Parts::Named(names) = &parts { names.len() } else { 0 };
            let row = (key(text_key), values, object(), vector, 0..=named);
            let rows = prop::collection::vec(row, count);
            let made = Collection { text_key, dynamic, parts, fields, unique, metric, flush, rows: Vec::new() };
            (Just(made), rows)
        })
        .prop_map(|(mut made, rows)| {
            let mut seen = BTreeSet::new();
            if made.unique {
                made.fields.push(Field {
                    name: "unique".into(),
                    kind: "int64",
                    element: None,
                    nullable: false,
                    default: None,
                });
            }
            for (number, (key, values, dynamic, vector, part)) in rows.into_iter().enumerate() {
                if !seen.insert(key.to_string()) {
                    continue;
                }
                let mut row = if made.dynamic { dynamic } else { Map::new() };
                row.insert("id".into(), key);
                row.extend(made.fields.iter().zip(values).map(|(field, value)| (field.name.clone(), value)));
                if made.unique {
                    row.insert("unique".into(), json!(1_000_000 - 7 * number));
                }
                row.insert("vector".into(), json!(vector));
                if let Parts::Named(names) = &made.parts
                    && let Some(name) = names.get(part)
                    && *name != "empty"
                {
                    row.insert("#partition".into(), json!(name));
                }
                made.rows.push(row);
            }
            made
        })
        .boxed()
}
