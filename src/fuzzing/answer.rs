//! What a server answers: bytes of the protocol as they come, and answers that are right but for what was done to them.

mod damage;
mod honest;

use arbitrary::{Result, Unstructured};
use milvus::proto::common::Status;
use milvus::proto::milvus::{DescribeCollectionResponse, QueryResults};
use milvus::proto::schema::FieldData;
use prost::Message;

use crate::cluster::milvus::gather::{Gathered, Gatherer};
use crate::cluster::milvus::{capabilities, decode, describe, encode, status, wire};
use crate::collection::{DYNAMIC_FIELD, DataType, Field, KeyRange, RowBatch, RowHasher};

/// An answer is refused, or is a batch that keeps what a batch promises; the first byte says how the rest becomes one.
pub fn answer(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let mut source = Unstructured::new(rest);
    // Bytes that run out end an input and break nothing.
    let _ran_out = match kind % 5 {
        0 => raw(&mut source),
        1 => description(&mut source),
        2 => honest_answer(&mut source),
        4 => status(&mut source),
        _ => damaged_answer(&mut source),
    };
}

/// Any bytes as an answer to a query.
fn raw(source: &mut Unstructured<'_>) -> Result<()> {
    let (fields, _) = honest::fields(source)?;
    let bytes = source.peek_bytes(source.len()).unwrap_or_default();
    let message = wire::Answer::decode(gathered(bytes));
    assert_eq!(message.as_ref().ok(), wire::Answer::decode(bytes).ok().as_ref());
    if let Ok(message) = message {
        let _count = decode::count(&message.fields_data);
        accept(&fields, message.fields_data);
    }
    Ok(())
}

/// Any status and any text beside it: what a server says went wrong can be told in one line.
fn status(source: &mut Unstructured<'_>) -> Result<()> {
    let message = Status {
        code: source.arbitrary()?,
        retriable: source.arbitrary()?,
        reason: source.arbitrary()?,
        ..Status::default()
    };
    if let Err(error) = status::check("http://here:1", "ask", Some(&message)) {
        let text = error.to_string();
        assert!(!text.contains('\n') && text.len() < 8_192, "{text:?}");
    } else {
        assert_eq!(message.code, 0);
    }
    let version = capabilities::Version::parse(&message.reason);
    let _known = (capabilities::of(version), version.to_string());
    Ok(())
}

/// Any bytes as a description; an answer without rows and one with a column of each field are read by it.
fn description(source: &mut Unstructured<'_>) -> Result<()> {
    let lite = source.arbitrary()?;
    let bytes = source.bytes(source.len())?;
    let Ok(message) = DescribeCollectionResponse::decode(bytes) else { return Ok(()) };
    let (schema, mark) = describe::read(&message, lite);
    assert!(mark.keys().all(|name| name.starts_with(describe::MARK_PREFIX)));
    // What was read says the same when it is written and read once more.
    let again = DescribeCollectionResponse {
        schema: Some(describe::write("again", &schema)),
        shards_num: i32::try_from(schema.shards).unwrap_or_default(),
        consistency_level: describe::consistency_number(schema.consistency),
        ..DescribeCollectionResponse::default()
    };
    let (read, _) = describe::read(&again, lite);
    assert_eq!(format!("{:?}", read.fields), format!("{:?}", schema.fields));
    if describe::nonsense(&schema).is_none() {
        accept(&schema.fields, Vec::new());
    }
    Ok(())
}

/// An answer as servers give it is taken, whole.
fn honest_answer(source: &mut Unstructured<'_>) -> Result<()> {
    let (fields, rows) = honest::fields(source)?;
    let columns = honest::columns(source, &fields, rows)?;
    let batch = decode::batch(&fields, sent(columns)).expect("an honest answer");
    assert_eq!(batch.rows(), rows);
    hold(&fields, &batch);
    Ok(())
}

/// The same with something done to it.
fn damaged_answer(source: &mut Unstructured<'_>) -> Result<()> {
    let (fields, rows) = honest::fields(source)?;
    let mut columns = honest::columns(source, &fields, rows)?;
    for _ in 0..source.int_in_range(1..=3)? {
        damage::one(source, &mut columns)?;
    }
    accept(&fields, sent(columns));
    Ok(())
}

/// Columns as they come over the wire.
fn sent(fields_data: Vec<FieldData>) -> Vec<wire::Column> {
    let bytes = QueryResults { fields_data, ..QueryResults::default() }.encode_to_vec();
    wire::Answer::decode(gathered(&bytes)).expect("what was encoded").fields_data
}

/// A message that comes in several frames, which end anywhere.
fn gathered(bytes: &[u8]) -> Gathered {
    let mut gatherer = Gatherer::of(bytes.len());
    bytes.chunks(bytes.len() % 61 + 1).for_each(|frame| gatherer.take(frame));
    gatherer.gathered()
}

fn accept(fields: &[Field], answer: Vec<wire::Column>) {
    match decode::batch(fields, answer) {
        Ok(batch) => hold(fields, &batch),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What every batch promises to those who get it.
fn hold(fields: &[Field], batch: &RowBatch) {
    for field in fields {
        let column = batch.column(&field.name).expect("a column of each field");
        assert_eq!(column.len(), batch.rows());
        assert_eq!(Some(column.data_type()), field.arrow().as_ref());
        column.to_data().validate_full().expect("a column that is whole");
    }
    let keys: Vec<_> = batch.keys().collect();
    assert_eq!(keys.len(), batch.rows());
    assert_eq!(keys.iter().max().cloned(), batch.max_key());
    assert!(batch.check_range(&KeyRange::ALL).is_ok());
    let _size = batch.bytes();
    let hasher = RowHasher::new(fields.to_vec());
    let fingerprint = hasher.fingerprint(batch).expect("a fingerprint");
    assert_eq!(fingerprint.rows, batch.rows() as u64);
    let (distinct, dropped) = batch.clone().distinct().expect("each key once");
    assert_eq!(distinct.rows() + dropped, batch.rows());

    // Sent and answered, it is the same; a value that its own field cannot hold is refused when it is sent.
    let server = capabilities::of(capabilities::Version::parse("2.6.20"));
    let Ok(columns) = encode::columns(fields, batch, &server) else { return };
    let columns = columns.into_iter().map(|column| {
        let length = column.len();
        let bytes = column.pieces().collect::<Vec<_>>().concat();
        assert_eq!(bytes.len(), length);
        FieldData::decode(bytes.as_slice()).expect("what the generated types read")
    });
    let back = decode::batch(fields, sent(columns.collect())).expect("what was encoded can be decoded");
    assert_eq!(hasher.fingerprint(&back).expect("a fingerprint"), fingerprint);
    for field in fields.iter().filter(|field| field.name != DYNAMIC_FIELD && field.data_type != DataType::Geometry) {
        assert_eq!(back.column(&field.name), batch.column(&field.name), "{field:?}");
    }
}
