//! What happens to a row, step by step, for the benchmarks in `benches/`: from the bytes of an answer to a batch, to the
//! mapped batch, to its fingerprint, and to the bytes of an insert.
//!
//! This room exists in tests and with the feature `benching`, and is no interface to build on. Its rows are made up, and all
//! that is done to them is done by the functions that a copy calls.

use std::path::Path;

#[cfg(test)]
use milvus::proto::milvus::InsertRequest;
use milvus::proto::milvus::QueryResults;
use milvus::proto::schema::{
    FieldData, FloatArray, IntArray, JsonArray, LongArray, ScalarField, StringArray, VectorField, field_data,
    scalar_field, vector_field,
};
use prost::Message;

use crate::cluster::Destination;
use crate::cluster::milvus::gather::Gatherer;
use crate::cluster::milvus::{capabilities_of, decode, encode, wire};
use crate::collection::{
    Capabilities, CollectionSchema, DYNAMIC_FIELD, DataType, Field, LiveCollection, LoadState, RowBatch, RowHasher,
};
use crate::mapping::{self, Columns};
use crate::plan;

/// Bytes of a frame, at most.
const FRAME: usize = 16 << 10;
/// The servers that all of it is between.
const VERSION: &str = "2.3.5";

/// What there is beside the key and the vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Floats,
    /// 200 bytes of text, a number, a JSON object, and three keys in the dynamic field.
    Texts,
}

/// An answer of a server, as it comes.
#[derive(Debug)]
pub struct Answer {
    fields: Vec<Field>,
    bytes: bytes::Bytes,
}

/// Rows in memory.
#[derive(Debug)]
pub struct Rows {
    fields: Vec<Field>,
    batch: RowBatch,
}

/// What a plan says about a collection, compiled.
#[derive(Debug)]
pub struct Mapped(Columns);

/// The server's abilities; looked up once, as a connection does.
#[derive(Debug)]
pub struct Server(Capabilities);

impl Answer {
    /// An answer with so many rows, of so many dimensions.
    pub fn new(shape: Shape, rows: usize, dim: usize) -> Self {
        let fields = fields(shape, dim);
        let fields_data = fields.iter().map(|field| column(field, rows, dim)).collect();
        let answer = QueryResults { status: Some(Default::default()), fields_data, ..QueryResults::default() };
        Self { fields, bytes: answer.encode_to_vec().into() }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// From the frames that servers send the bytes in to a batch.
    pub fn decode(&self) -> Rows {
        let mut gatherer = Gatherer::of(self.bytes.len());
        self.bytes.chunks(FRAME).for_each(|frame| gatherer.take(frame));
        let answer = wire::Answer::decode(gatherer.gathered()).expect("an answer");
        let batch = decode::batch(&self.fields, answer.fields_data).expect("an answer as servers give it");
        Rows { fields: self.fields.clone(), batch }
    }
}

impl Rows {
    /// The fingerprint of all of them.
    pub fn fingerprint(&self) -> u128 {
        let hasher = RowHasher::new(self.fields.clone());
        hasher.fingerprint(&self.batch).expect("a fingerprint").sum
    }

    /// From the batch to the bytes of an insert.
    pub fn encode(&self, server: &Server) -> Vec<u8> {
        let to = Destination {
            database: "default".to_owned(),
            collection: "rows".to_owned(),
            partition: None,
            fields: self.fields.clone(),
        };
        let request = encode::request(&to, &self.batch, &server.0).expect("rows that can be sent");
        let mut bytes = Vec::with_capacity(request.len());
        request.pieces().for_each(|piece| bytes.extend_from_slice(&piece));
        bytes
    }

    /// The rows as the plan wants them.
    pub fn map(&self, mapped: &Mapped) -> Rows {
        let batch = mapped.0.apply(&self.batch, None).expect("rows that can be mapped").rows;
        Rows { fields: mapped.0.write.clone(), batch }
    }
}

impl Server {
    /// One of the version that is measured.
    pub fn able() -> Self {
        Self(capabilities_of(VERSION))
    }
}

impl Mapped {
    /// Compiles `fields:` of a plan for rows of this shape; nothing carries each field as it is.
    pub fn new(shape: Shape, dim: usize, said: &str) -> Self {
        let text = format!(
            "version: 1\n\
             sources: {{old: {{milvus: {{uri: \"http://127.0.0.1:1\"}}}}}}\n\
             targets: {{new: {{milvus: {{uri: \"http://127.0.0.1:2\"}}}}}}\n\
             migrations: [{{from: old, to: new, collections: [{{source: rows, fields: {{{said}}}}}]}}]\n"
        );
        let (plan, found) = plan::from_bytes(Path::new("plan.yaml"), text.into_bytes());
        let plan = plan.unwrap_or_else(|| panic!("{found:?}"));
        let settings = &plan.migrations[0].selections[0].settings;
        let able = capabilities_of(VERSION);
        let mapping = mapping::compile(&live(shape, dim), settings, "rows", &able, &able);
        assert_eq!(mapping.blocked, []);
        Self(mapping.columns)
    }
}

fn live(shape: Shape, dim: usize) -> LiveCollection {
    let fields = fields(shape, dim).into_iter().filter(|field| field.name != DYNAMIC_FIELD).collect();
    LiveCollection {
        id: 1,
        name: "rows".to_owned(),
        schema: CollectionSchema {
            description: String::new(),
            fields,
            dynamic_field: shape == Shape::Texts,
            functions: Vec::new(),
            shards: 1,
            consistency: None,
            properties: Default::default(),
            key_partitions: None,
            struct_fields: Vec::new(),
        },
        partitions: vec!["_default".to_owned()],
        indexes: Vec::new(),
        load_state: LoadState::Loaded,
        unloaded_partitions: Vec::new(),
        aliases: Vec::new(),
        mark: Default::default(),
    }
}

fn fields(shape: Shape, dim: usize) -> Vec<Field> {
    let with = |name: &str, data_type, key: &str, value: String| {
        let mut field = Field::new(name, data_type);
        field.params.insert(key.to_owned(), value);
        field
    };
    let mut fields = vec![
        Field { primary_key: true, ..Field::new("id", DataType::Int64) },
        with("vector", DataType::FloatVector, "dim", dim.to_string()),
    ];
    if shape == Shape::Texts {
        fields.extend([
            with("title", DataType::VarChar, "max_length", "512".to_owned()),
            Field::new("year", DataType::Int32),
            Field::new("extra", DataType::Json),
            Field::dynamic(),
        ]);
    }
    fields
}

fn column(field: &Field, rows: usize, dim: usize) -> FieldData {
    let jsons = |object: &dyn Fn(usize) -> String| {
        scalar_field::Data::JsonData(JsonArray { data: (0..rows).map(|row| object(row).into_bytes()).collect() })
    };
    let scalars = match field.name.as_str() {
        "vector" => None,
        "id" => Some(scalar_field::Data::LongData(LongArray { data: (0..rows as i64).map(|row| row * 7).collect() })),
        "year" => {
            let data = (0..rows).map(|row| 1900 + (row % 126) as i32).collect();
            Some(scalar_field::Data::IntData(IntArray { data }))
        }
        "title" => {
            let data = (0..rows).map(|row| format!("{row:08}: {}", "lantern and tide. ".repeat(11))).collect();
            Some(scalar_field::Data::StringData(StringArray { data }))
        }
        "extra" => Some(jsons(&|row| {
            format!(
                r#"{{"score": {}, "tags": ["a", {}], "source": {{"page": {}}}}}"#,
                row as f64 / 8.0,
                row % 7,
                row % 400
            )
        })),
        _ => Some(jsons(&|row| {
            let language = ["en", "de", "ja"][row % 3];
            format!(r#"{{"lang":"{language}","views":{},"origin":{{"crawler":"v2","depth":{}}}}}"#, row, row % 5)
        })),
    };
    let data = match scalars {
        Some(data) => field_data::Field::Scalars(ScalarField { data: Some(data), ..ScalarField::default() }),
        None => {
            let data = (0..rows * dim).map(|number| (number % 8_191) as f32 / 8_191.0 - 0.5).collect();
            let data = Some(vector_field::Data::FloatVector(FloatArray { data }));
            field_data::Field::Vectors(VectorField { dim: dim as i64, data, ..VectorField::default() })
        }
    };
    FieldData {
        r#type: field.data_type.number(),
        field_name: field.name.clone(),
        field: Some(data),
        is_dynamic: field.name == DYNAMIC_FIELD,
        ..FieldData::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_does_what_a_copy_does() {
        for shape in [Shape::Floats, Shape::Texts] {
            let answer = Answer::new(shape, 50, 8);
            let rows = answer.decode();
            assert_eq!(rows.batch.rows(), 50);
            let plain = rows.map(&Mapped::new(shape, 8, ""));
            assert_eq!(plain.fingerprint(), rows.fingerprint());
            let sent = InsertRequest::decode(&rows.encode(&Server::able())[..]).unwrap();
            let back = QueryResults { fields_data: sent.fields_data, ..QueryResults::default() };
            let back = wire::Answer::decode(back.encode_to_vec().as_slice()).unwrap();
            let back = decode::batch(&rows.fields, back.fields_data).unwrap();
            assert_eq!(RowHasher::new(rows.fields.clone()).fingerprint(&back).unwrap().sum, rows.fingerprint());
        }
        let rows = Answer::new(Shape::Texts, 3, 8).decode();
        let said =
            "headline: {from: title}, year: {type: int64}, lang: {from: $meta.lang, type: varchar, max_length: 8}";
        let mapped = rows.map(&Mapped::new(Shape::Texts, 8, said));
        let names: Vec<_> = mapped.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["id", "vector", "headline", "year", "extra", "lang", "$meta"]);
        assert_ne!(mapped.fingerprint(), rows.fingerprint());
    }
}
