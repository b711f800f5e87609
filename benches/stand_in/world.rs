//! What the stand-in knows: its rows, and the collections that clients made.

use std::collections::BTreeMap;
use std::ops::Range;

use milvus::proto::common::{KeyValuePair, Status};
use milvus::proto::milvus::{IndexDescription, QueryRequest};
use milvus::proto::schema::{
    CollectionSchema, FieldData, FieldSchema, LongArray, ScalarField, field_data, scalar_field,
};
use prost::Message;

use crate::asked::Asked;
use crate::rows::{Pieces, Rows};
use crate::sieve::Sieve;

/// The collection that is there from the beginning.
const SOURCE: &str = "rows";
/// Most rows of an answer with whole rows, so that a mistake of a client does not look like speed.
const MOST_BYTES: usize = 64 << 20;

/// A collection.
pub struct Collection {
    /// Its number.
    pub id: i64,
    /// What it was made with.
    pub schema: CollectionSchema,
    /// Shards that were asked for.
    pub shards: i32,
    /// Consistency that was asked for.
    pub consistency: i32,
    /// Free properties, such as a mark.
    pub properties: BTreeMap<String, String>,
    /// Its indexes.
    pub indexes: Vec<IndexDescription>,
    /// Whether it may be queried.
    pub loaded: bool,
    /// How often each key is there.
    keys: Vec<u8>,
}

/// Everything.
pub struct World {
    rows: Rows,
    /// The collections by name; there is one database.
    pub collections: BTreeMap<String, Collection>,
    made: i64,
    queries: u64,
    sent_bytes: u64,
    inserts: u64,
    inserted_rows: u64,
    taken_bytes: u64,
    vector_bytes: u64,
}

impl World {
    /// The source and nothing else.
    pub fn new(rows: Rows) -> Self {
        let index = IndexDescription {
            index_name: "vector".to_owned(),
            field_name: "vector".to_owned(),
            params: vec![pair("index_type", "FLAT"), pair("metric_type", "L2")],
            ..IndexDescription::default()
        };
        let source = Collection {
            indexes: vec![index],
            loaded: true,
            keys: vec![1; rows.count as usize],
            ..Collection::new(1, source_schema(&rows))
        };
        Self {
            rows,
            collections: BTreeMap::from([(SOURCE.to_owned(), source)]),
            made: 1,
            queries: 0,
            sent_bytes: 0,
            inserts: 0,
            inserted_rows: 0,
            taken_bytes: 0,
            vector_bytes: 0,
        }
    }

    /// Makes a collection.
    pub fn make(&mut self, name: &str, schema: CollectionSchema) -> &mut Collection {
        self.made += 1;
        let keys = vec![0; self.rows.count as usize];
        let made = Collection { keys, ..Collection::new(self.made, schema) };
        self.collections.remove(name);
        self.collections.entry(name.to_owned()).or_insert(made)
    }

    /// A collection, or the status that says that it is not there.
    pub fn find(&mut self, name: &str) -> Result<&mut Collection, Status> {
        self.collections.get_mut(name).ok_or_else(|| refusal(100, "collection not found"))
    }

    /// Answers a query.
    pub fn query(&mut self, request: &QueryRequest) -> Result<Pieces, Status> {
        let Some(asked) = Asked::parse(&request.expr) else {
            return Err(refusal(1100, &format!("the stand-in cannot read the expression {}", request.expr)));
        };
        let limit = request.query_params.iter().find(|pair| pair.key == "limit");
        let limit = limit.and_then(|pair| pair.value.parse().ok()).unwrap_or(u32::MAX);
        let collection = self.find(&request.collection_name)?;
        if !collection.loaded {
            return Err(refusal(101, "collection not loaded"));
        }
        let answer = if request.output_fields == ["count(*)"] {
            Pieces::from(counted(collection.count(&asked)))
        } else {
            let runs = collection.runs(&asked, limit);
            let known = self.rows.columns();
            let columns: Vec<String> =
                request.output_fields.iter().filter(|name| known.contains(&name.as_str())).cloned().collect();
            self.rows.answer(&runs, &columns)
        };
        if answer.len() > MOST_BYTES {
            return Err(refusal(1102, "query results exceed the limit size"));
        }
        self.queries += 1;
        self.sent_bytes += answer.len() as u64;
        Ok(answer)
    }

    /// Takes in an insert or an upsert. Returns the keys.
    pub fn insert(&mut self, sent: Sieve, bytes: u64, replaces: bool) -> Result<Vec<i64>, Status> {
        if sent.keys.len() as u64 != sent.rows {
            return Err(refusal(1100, "the number of keys is not that of the rows"));
        }
        let collection = self.find(&sent.collection)?;
        for key in &sent.keys {
            let known = usize::try_from(*key).ok().and_then(|key| collection.keys.get_mut(key));
            let Some(times) = known else { return Err(refusal(1100, "a key that the source does not have")) };
            *times = if replaces { 1 } else { times.saturating_add(1) };
        }
        self.inserts += 1;
        self.inserted_rows += sent.rows;
        self.taken_bytes += bytes;
        self.vector_bytes += sent.vector_bytes;
        Ok(sent.keys)
    }

    /// Rows of a collection.
    pub fn count(&mut self, name: &str) -> Result<u64, Status> {
        let all = Asked::parse("id >= 0").unwrap_or_else(|| unreachable!("this is an expression"));
        Ok(self.find(name)?.count(&all))
    }

    /// How much went through, in JSON.
    pub fn traffic(&self) -> String {
        serde_json::json!({
            "queries": self.queries,
            "answer_bytes": self.sent_bytes,
            "inserts": self.inserts,
            "inserted_rows": self.inserted_rows,
            "insert_bytes": self.taken_bytes,
            "vector_bytes": self.vector_bytes,
        })
        .to_string()
    }
}

impl Collection {
    fn new(id: i64, schema: CollectionSchema) -> Self {
        Self {
            id,
            schema,
            shards: 1,
            consistency: 2,
            properties: BTreeMap::new(),
            indexes: Vec::new(),
            loaded: false,
            keys: Vec::new(),
        }
    }

    fn range(&self, asked: &Asked) -> Range<usize> {
        let end = usize::try_from(asked.last.saturating_add(1)).unwrap_or(0).min(self.keys.len());
        usize::try_from(asked.first).unwrap_or(0).min(end)..end
    }

    fn count(&self, asked: &Asked) -> u64 {
        let range = self.range(asked);
        if asked.is_range() {
            return self.keys[range].iter().map(|times| u64::from(*times)).sum();
        }
        range.filter(|key| asked.holds(*key as i64)).map(|key| u64::from(self.keys[key])).sum()
    }

    /// The keys that are there, as runs without gaps.
    fn runs(&self, asked: &Asked, limit: u32) -> Vec<Range<u32>> {
        let mut runs: Vec<Range<u32>> = Vec::new();
        let mut left = limit;
        for key in self.range(asked) {
            if left == 0 {
                break;
            }
            if self.keys[key] == 0 || !asked.holds(key as i64) {
                continue;
            }
            left -= 1;
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            match runs.last_mut() {
                Some(run) if run.end == key => run.end += 1,
                _ => runs.push(key..key + 1),
            }
        }
        runs
    }
}

fn source_schema(rows: &Rows) -> CollectionSchema {
    let field = |(number, name): (i64, &&str)| {
        let (data_type, params) = match *name {
            "id" => (5, Vec::new()),
            "vector" => (101, vec![pair("dim", &rows.dim.to_string())]),
            "title" => (21, vec![pair("max_length", "512")]),
            _ => (23, Vec::new()),
        };
        FieldSchema {
            field_id: number,
            name: (*name).to_owned(),
            is_primary_key: *name == "id",
            data_type,
            type_params: params,
            ..FieldSchema::default()
        }
    };
    CollectionSchema {
        name: SOURCE.to_owned(),
        fields: (100..).zip(rows.columns()).map(field).collect(),
        ..CollectionSchema::default()
    }
}

fn counted(count: u64) -> Vec<u8> {
    let count = scalar_field::Data::LongData(LongArray { data: vec![i64::try_from(count).unwrap_or(i64::MAX)] });
    let scalars = ScalarField { data: Some(count), ..ScalarField::default() };
    let column = FieldData {
        r#type: 5,
        field_name: "count(*)".to_owned(),
        field: Some(field_data::Field::Scalars(scalars)),
        ..FieldData::default()
    };
    milvus::proto::milvus::QueryResults {
        status: Some(Status::default()),
        fields_data: vec![column],
        ..Default::default()
    }
    .encode_to_vec()
}

/// A pair of the protocol.
pub fn pair(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair { key: key.to_owned(), value: value.to_owned() }
}

/// A status that says no.
pub fn refusal(code: i32, reason: &str) -> Status {
    Status { code, reason: reason.to_owned(), ..Status::default() }
}
