//! Random mappings of a collection: what a plan may legally say about it, with a target of this kind in mind.
//!
//! Everything is decided by dice, and every dice says 0 for the plainest of the choices: what proptest shrinks becomes plain.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::collections::{Collection, Field, Parts};
use super::said::{Dice, Said};

/// An entry of a plan's `collections`, and what has to come of it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub said: Value,
    /// Keys of the rows that it selects, as JSON.
    pub selected: BTreeSet<String>,
    /// Fields whose misfits never stop a copy.
    pub lenient: BTreeSet<String>,
    /// The field of the target that holds the source's keys unchanged.
    pub identity: Option<&'static str>,
    /// Fields of the target whose values are those of a field of the source, but for nulls.
    pub same: Vec<(String, String)>,
}

/// The types that values of a field can become, itself first.
fn becomes(field: &Field) -> Vec<&'static str> {
    match field.kind {
        "json" => vec!["varchar", "int64", "double", "bool", "array", "float"],
        "array" => vec!["array", "varchar"],
        "varchar" => vec!["varchar", "int64", "double", "bool", "json", "int8", "float"],
        _ => vec!["int64", "double", "varchar", "float", "bool", "int8", "int16", "int32"],
    }
}

/// The partition that a row lies in.
pub fn partition(row: &Map<String, Value>) -> &str {
    row.get("#partition").and_then(Value::as_str).unwrap_or("_default")
}

struct Draft<'a> {
    from: &'a Collection,
    /// Whether the target is a milvus-lite.
    lite: bool,
    fields: Vec<Said>,
    drop: Vec<&'a str>,
    /// Fields of the source that arrive unchanged under their names, without a word about them.
    plain: Vec<&'a Field>,
}

/// Makes an entry for `from`, which is named `name` on both sides.
pub fn entry(from: &Collection, name: &str, lite: bool, dice: &mut Dice) -> Entry {
    let mut draft = Draft { from, lite, fields: Vec::new(), drop: Vec::new(), plain: Vec::new() };
    let mut said = json!({"source": name});
    for field in &from.fields {
        draft.field(field, dice);
    }
    let (key, identity) = draft.key(dice, &mut said);
    let vector = draft.vector(dice);
    let dynamic = match dice.below(8) {
        6 => false,
        7 => true,
        _ => from.dynamic,
    };
    if dynamic != from.dynamic {
        said["dynamic_field"] = json!(dynamic);
    }
    draft.made(dice);
    let partition_key = draft.partition_key(dice, &key);
    let carried = matches!(&from.parts, Parts::Key(name) if !draft.drop.contains(&name.as_str()));
    if partition_key || carried {
        // milvus-lite does not tell how many there are, and of the 64 that 2.3.5 makes by itself, each takes its time to load.
        said["num_partitions"] = json!(2);
    }
    let only = draft.partitions(dice, partition_key, &mut said);
    let (filter, selected) = draft.selected(dice, only.as_deref());
    if let Some(filter) = filter {
        said["where"] = json!(filter);
    }
    draft.indexes(dice, &vector, &mut said);
    let same = draft.same();
    let lenient =
        |said: &&Said| ["quarantine", "null"].iter().any(|kind| said.members.get("on_misfit") == Some(&json!(kind)));
    let lenient = draft.fields.iter().filter(lenient).map(|said| said.name.clone()).collect();
    let mut fields: Map<String, Value> =
        draft.fields.iter().map(|said| (said.name.clone(), Value::Object(said.members.clone()))).collect();
    if dynamic {
        let sinks = draft.sinks(dice);
        // A column that sinks is a column no more unless it is named too.
        let sunk = sinks.values().filter_map(|sink| sink["from"].as_str()).filter(|from| !from.starts_with('$'));
        for name in sunk {
            if !fields.values().any(|field| field["from"] == name) {
                fields.entry(name).or_insert_with(|| json!({}));
            }
        }
        fields.extend(sinks);
    }
    if !fields.is_empty() {
        said["fields"] = Value::Object(fields);
    }
    if !draft.drop.is_empty() {
        said["drop"] = json!(draft.drop);
    }
    Entry { said, selected, lenient, identity, same }
}

impl<'a> Draft<'a> {
    fn field(&mut self, field: &'a Field, dice: &mut Dice) {
        let name = field.name.as_str();
        let renamed = format!("new_{name}");
        let mut said = match dice.below(12) {
            0..=3 => Said::new(name, field.kind, json!({}), field.nullable),
            4 | 5 => Said::new(&renamed, field.kind, json!({"from": name}), field.nullable),
            6 if field.name != "unique" => return self.drop.push(name),
            what => {
                let mut said = match dice.below(2) {
                    0 => Said::new(name, field.kind, json!({}), field.nullable),
                    _ => Said::new(&renamed, field.kind, json!({"from": name}), field.nullable),
                };
                said.retype(dice.pick(&becomes(field)), dice);
                if what == 11 {
                    // Beside itself.
                    self.plain.push(field);
                    if said.name == name {
                        said = Said { name: renamed, ..said };
                        said.set("from", name);
                    }
                    self.fields.push(Said::new(name, field.kind, json!({}), field.nullable));
                    self.settle(field, dice);
                }
                said
            }
        };
        let changed = said.members.contains_key("type");
        if changed && field.default.is_some() && dice.below(4) < 3 {
            said.set("default", Value::Null);
        }
        self.fields.push(said);
        self.settle(field, dice);
        let said = self.fields.last_mut().expect("it was pushed");
        if changed {
            if self.lite && !said.members.contains_key("nullable") && dice.one_in(3) {
                said.set("nullable", true);
            }
            said.misfits(dice, false);
        }
        if said.members.is_empty() {
            self.fields.pop();
            self.plain.push(field);
        }
    }

    /// Says of the last field what has to be said where the target holds no nulls, and sometimes where it does.
    fn settle(&mut self, field: &Field, dice: &mut Dice) {
        let lite = self.lite;
        let said = self.fields.last_mut().expect("it was pushed");
        if (field.nullable && !lite && !dice.one_in(12)) || dice.one_in(12) {
            said.nulls(dice, lite, field.nullable);
        }
    }

    /// The primary key. Returns its name, and the name of the field that holds the source's keys.
    fn key(&mut self, dice: &mut Dice, said: &mut Value) -> (String, Option<&'static str>) {
        let mut identity = Some("id");
        let name = match dice.below(12) {
            5 => {
                said["primary_key"] = json!({"auto_id": true, "keep_as": "old_key"});
                identity = Some("old_key");
                "id"
            }
            6 => {
                said["primary_key"] = json!({"auto_id": true});
                identity = None;
                "id"
            }
            7 => {
                said["primary_key"] = json!({"field": "made_key", "auto_id": true});
                "made_key"
            }
            8 => {
                self.fields.push(Said::new("new_id", "key", json!({"from": "id"}), false));
                identity = Some("new_id");
                "new_id"
            }
            9 => {
                let mut key = Said::new("id", "key", json!({}), false);
                key.kind = if self.from.text_key { "int64" } else { "varchar" };
                key.set("type", key.kind);
                if !self.from.text_key {
                    key.set("max_length", 30);
                }
                key.misfits(dice, true);
                self.fields.push(key);
                identity = None;
                "id"
            }
            10 | 11 if self.from.unique => {
                let carrier =
                    |said: &&Said| said.name == "unique" || said.members.get("from") == Some(&json!("unique"));
                let carrier = self.fields.iter().find(carrier);
                let name = carrier.map_or("unique".to_owned(), |said| said.name.clone());
                if carrier.is_none_or(|said| said.members.keys().all(|key| key == "from")) {
                    said["primary_key"] = json!(name);
                    return (name, identity);
                }
                "id"
            }
            _ => "id",
        };
        (name.to_owned(), identity)
    }

    /// Fields of the target with the fields of the source that they carry in an unchanged type.
    fn same(&self) -> Vec<(String, String)> {
        let from = |said: &Said| match said.members.get("from") {
            Some(from) => from.as_str().unwrap_or_default().to_owned(),
            None => said.name.clone(),
        };
        let lifted = |name: &str| {
            self.fields
                .iter()
                .any(|said| from(said).starts_with(&format!("{name}.")) || from(said).starts_with(&format!("{name}[")))
        };
        let plain = self.plain.iter().map(|field| (field.name.clone(), field.name.clone()));
        let said = self
            .fields
            .iter()
            .filter(|said| !said.members.contains_key("type"))
            .map(|said| (said.name.clone(), from(said)));
        let known = |name: &str| name == "vector" || self.from.fields.iter().any(|field| field.name == name);
        plain.chain(said).filter(|(_, name)| known(name) && !lifted(name)).collect()
    }

    /// The vector. Returns its name and its type.
    fn vector(&mut self, dice: &mut Dice) -> (String, &'static str) {
        let mut said = match dice.below(3) {
            2 => Said::new("embedding", "vector", json!({"from": "vector"}), false),
            _ => Said::new("vector", "vector", json!({}), false),
        };
        if !self.lite && dice.one_in(6) {
            said.kind = "float16_vector";
            said.set("type", said.kind);
            said.misfits(dice, false);
        }
        let vector = (said.name.clone(), said.kind);
        if !said.members.is_empty() {
            self.fields.push(said);
        }
        vector
    }

    /// Fields that the source does not have.
    fn made(&mut self, dice: &mut Dice) {
        let mut places = Vec::new();
        if self.from.dynamic {
            let all = ["$meta.lang", "$meta.n", "$meta[\"a.b\"]", "$meta.deep.x", "$meta.tags", "$meta[\"ünï\"]"];
            let start = dice.below(all.len());
            places.extend(all.iter().cycle().skip(start).take(dice.below(3)).map(|place| place.to_string()));
        }
        let documents: Vec<&Field> = self.from.fields.iter().filter(|field| field.kind == "json").collect();
        for field in documents {
            if dice.one_in(3) {
                places.push(format!("{}{}", field.name, dice.pick(&[".n", "[\"a.b\"]", ".deep.x", ".lang"])));
            }
        }
        for (number, place) in places.into_iter().enumerate() {
            let name = if place == "$meta.lang" { "lang".to_owned() } else { format!("lifted_{number}") };
            let mut said = Said::new(&name, "varchar", json!({"from": place}), true);
            if dice.one_in(4) && name != "lang" {
                said.set("keep", true);
            }
            said.retype(dice.pick(&["varchar", "int64", "double", "varchar", "bool", "array", "json"]), dice);
            if !dice.one_in(16) {
                said.nulls(dice, self.lite, false);
            }
            said.misfits(dice, false);
            self.fields.push(said);
        }
        if dice.one_in(3) {
            let constants = [
                json!({"value": "“old” cluster", "type": "varchar", "max_length": 32}),
                json!({"value": -1, "type": "int16"}),
                json!({"value": [1, 2], "type": "array", "element_type": "int64", "max_capacity": 4}),
                json!({"value": {"from": {"x": [1, null]}}, "type": "json"}),
            ];
            self.fields.push(Said::new("origin", "constant", dice.pick(&constants), false));
        }
        if !matches!(self.from.parts, Parts::Key(_)) && dice.one_in(4) {
            let region = json!({"from": "$partition", "type": "varchar", "max_length": 64});
            self.fields.push(Said::new("region", "varchar", region, false));
        }
    }

    /// Whether a partition key was chosen.
    fn partition_key(&mut self, dice: &mut Dice, key: &str) -> bool {
        if !dice.one_in(4) {
            return false;
        }
        let fits = |said: &Said| {
            let may_be_null = said.may_be_null && !said.is_defaulted();
            let said_otherwise = [("nullable", json!(true)), ("on_null", json!("keep")), ("on_misfit", json!("null"))];
            ["int64", "varchar"].contains(&said.kind)
                && said.name != key
                && said.name != "id"
                && !may_be_null
                && !said_otherwise.iter().any(|(word, value)| said.members.get(*word) == Some(value))
        };
        let able: Vec<usize> = (0..self.fields.len()).filter(|at| fits(&self.fields[*at])).collect();
        if !able.is_empty() {
            let at = dice.pick(&able);
            self.fields[at].set("partition_key", true);
            return true;
        }
        let fits = |field: &&&Field| {
            ["int64", "varchar"].contains(&field.kind)
                && !field.nullable
                && field.name != key
                && self.is_unsaid(&field.name)
        };
        let Some(field) = self.plain.iter().find(fits).copied() else { return false };
        self.fields.push(Said::new(&field.name, field.kind, json!({"partition_key": true}), false));
        true
    }

    fn is_unsaid(&self, name: &str) -> bool {
        self.fields.iter().all(|said| said.name != name)
    }

    /// Named partitions. Returns those whose rows are selected, if not all are.
    fn partitions(&mut self, dice: &mut Dice, by_key: bool, said: &mut Value) -> Option<Vec<&'static str>> {
        let Parts::Named(names) = &self.from.parts else { return None };
        let mut all = vec!["_default"];
        all.extend(names);
        let renamed = |name: &str| json!({"rename": {name: "renamed"}});
        match dice.below(7) {
            2 => said["partitions"] = json!("none"),
            3 if !by_key => said["partitions"] = renamed(dice.pick(&all)),
            4 if !by_key => {
                let (one, two) = (dice.pick(&all), dice.pick(&all));
                said["partitions"] = json!({"rename": {one: "merged", two: "merged"}});
            }
            5 => {
                let only = vec![dice.pick(&all)];
                said["partitions"] = json!({"only": only});
                return Some(only);
            }
            6 if !by_key => {
                let only: Vec<&str> = all[..=dice.below(all.len())].to_vec();
                said["partitions"] = json!({"only": only, "rename": {only[0]: "first"}});
                return Some(only);
            }
            _ => {}
        }
        None
    }

    /// A filter over the source, and the keys of the rows that are selected.
    fn selected(&mut self, dice: &mut Dice, only: Option<&[&str]>) -> (Option<String>, BTreeSet<String>) {
        let integers = self.from.fields.iter().filter(|field| field.kind.starts_with("int") && !field.nullable);
        let mut fields: Vec<&str> = integers.map(|field| field.name.as_str()).collect();
        if !self.from.text_key {
            fields.push("id");
        }
        let filter = (!fields.is_empty() && dice.one_in(4))
            .then(|| (dice.pick(&fields), i64::from(dice.pick(&[10_i32, 0, 50]))));
        let chosen = self.from.rows.iter().filter(|row| {
            only.is_none_or(|only| only.contains(&partition(row)))
                && filter.is_none_or(|(field, least)| row[field].as_i64().is_some_and(|value| value >= least))
        });
        let keys = chosen.map(|row| row["id"].to_string()).collect();
        (filter.map(|(field, least)| format!("{field} >= {least}")), keys)
    }

    fn indexes(&self, dice: &mut Dice, (name, kind): &(String, &str), said: &mut Value) {
        let flat = json!({"index_type": "FLAT", "metric_type": "L2"});
        match dice.below(6) {
            1 if *kind == "vector" => said["indexes"] = json!("copy"),
            2 => said["indexes"] = json!("none"),
            3 if *kind == "vector" => {
                let index = dice.pick(&[
                    json!({"index_type": "HNSW", "metric_type": "IP", "params": {"M": 8, "efConstruction": 32}}),
                    json!({"index_type": "IVF_FLAT", "metric_type": "COSINE", "params": {"nlist": 4}}),
                ]);
                said["indexes"] = json!({name: index});
            }
            4 => said["indexes"] = json!({name: flat, "region": "auto"}),
            5 => said["indexes"] = json!({name: flat}),
            _ => {}
        }
        if self.is_unsaid("region")
            && let Some(each) = said.get_mut("indexes").and_then(Value::as_object_mut)
        {
            each.remove("region");
        }
        if said.get("indexes") != Some(&json!("none")) && dice.one_in(5) {
            said["load"] = json!(true);
        }
    }

    /// Keys that sink into the dynamic field.
    fn sinks(&self, dice: &mut Dice) -> Map<String, Value> {
        let mut sinks = Map::new();
        if dice.one_in(4) {
            sinks.insert(
                "$meta.origin_of".into(),
                json!({"value": dice.pick(&[json!("there"), json!({"a": [1]}), json!(1.5)])}),
            );
        }
        for field in &self.from.fields {
            if !self.drop.contains(&field.name.as_str()) && dice.one_in(8) {
                sinks.insert(format!("$meta.sunk_{}", field.name), json!({"from": field.name}));
            }
        }
        if !matches!(self.from.parts, Parts::Key(_)) && dice.one_in(8) {
            sinks.insert("$meta[\"the.partition\"]".into(), json!({"from": "$partition"}));
        }
        sinks
    }
}
