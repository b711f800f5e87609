//! Descriptions of collections that cannot be.

use milvus::proto::common::KeyValuePair;
use milvus::proto::milvus::{DescribeCollectionRequest, DescribeCollectionResponse};
use milvus::proto::schema::FieldSchema;

use super::between::Between;
use super::refused;
use crate::servers::source;

/// A server that describes its collections otherwise.
fn describing(change: impl Fn(&mut DescribeCollectionResponse) + Send + Sync + 'static) -> Between {
    Between::answering(source(), "DescribeCollection", move |_: &DescribeCollectionRequest, answer| change(answer))
}

/// A server that describes one field otherwise.
fn field(name: &'static str, change: impl Fn(&mut FieldSchema) + Send + Sync + 'static) -> Between {
    describing(move |answer| {
        let fields = answer.schema.as_mut().map(|schema| &mut schema.fields);
        fields.into_iter().flatten().filter(|field| field.name == name).for_each(&change);
    })
}

fn dim(field: &mut FieldSchema, dim: &str) {
    field.type_params = vec![KeyValuePair { key: "dim".to_owned(), value: dim.to_owned() }];
}

#[test]
fn a_description_without_a_schema_is_refused() {
    refused(&describing(|answer| answer.schema = None)).says(&["the description names no primary key"]);
    refused(&field("id", |id| id.is_primary_key = false)).says(&["the description names no primary key"]);
}

#[test]
fn two_primary_keys_are_refused() {
    refused(&field("year", |year| year.is_primary_key = true)).says(&["two primary keys, `id` and `year`"]);
}

#[test]
fn a_primary_key_that_is_no_key_is_refused() {
    refused(&field("id", |id| id.data_type = 10)).says(&["the primary key `id` is FLOAT"]);
    refused(&field("id", |id| id.data_type = 101)).says(&["the primary key `id` is FLOAT_VECTOR"]);
}

#[test]
fn two_fields_of_one_name_are_refused() {
    refused(&field("year", |year| year.name = "title".to_owned())).says(&["two fields named `title`"]);
}

#[test]
fn a_dimension_that_is_none_is_refused() {
    for text in ["-1", "0", "4611686018427387904", "2147483647", "many", ""] {
        refused(&field("vector", move |vector| dim(vector, text))).says(&["field `vector`: vecferry cannot carry"]);
    }
}

#[test]
fn a_type_that_nobody_knows_is_refused() {
    for number in [0, 31, 201, i32::MIN] {
        refused(&field("year", move |year| year.data_type = number)).says(&["field `year`: vecferry cannot carry"]);
    }
}
