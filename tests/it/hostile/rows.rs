//! Rows that are wrong: columns, keys, and messages as a whole.

use milvus::proto::common::Status;
use milvus::proto::milvus::{QueryRequest, QueryResults};
use milvus::proto::schema::{BoolArray, FieldData, FloatArray, ScalarField, field_data, scalar_field, vector_field};
use prost::Message;

use super::between::{Between, Fate};
use super::{counting_one_more, counts, docs, key_column, plan, refused};
use crate::servers::{lite_target, source};
use crate::support::assert_identical;

/// A server whose answers with rows are changed.
fn returning(change: impl Fn(&QueryRequest, &mut Vec<FieldData>) + Send + Sync + 'static) -> Between {
    Between::answering(source(), "Query", move |request: &QueryRequest, answer: &mut QueryResults| {
        if !counts(request) {
            change(request, &mut answer.fields_data);
        }
    })
}

/// A server that changes one column of the answers that hold it.
fn column(name: &'static str, change: impl Fn(&mut FieldData) + Send + Sync + 'static) -> Between {
    returning(move |_, columns| columns.iter_mut().filter(|column| column.field_name == name).for_each(&change))
}

pub fn keys(column: &mut FieldData) -> &mut Vec<i64> {
    match &mut column.field {
        Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::LongData(keys)), .. })) => {
            &mut keys.data
        }
        other => panic!("{other:?}"),
    }
}

fn texts(column: &mut FieldData) -> &mut Vec<String> {
    match &mut column.field {
        Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::StringData(texts)), .. })) => {
            &mut texts.data
        }
        other => panic!("{other:?}"),
    }
}

fn floats(column: &mut FieldData) -> (&mut i64, &mut FloatArray) {
    match &mut column.field {
        Some(field_data::Field::Vectors(vectors)) => match &mut vectors.data {
            Some(vector_field::Data::FloatVector(floats)) => (&mut vectors.dim, floats),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The rows of an answer in another order, or some of them, or some of them more than once.
pub fn rearrange(columns: &mut [FieldData], order: impl Fn(&[i64]) -> Vec<usize>) {
    let Some(at) = columns.iter().position(|column| column.field_name == "id") else { return };
    let order = order(keys(&mut columns[at]));
    fn pick<T: Clone>(values: &mut Vec<T>, order: &[usize]) {
        *values = order.iter().map(|row| values[*row].clone()).collect();
    }
    for column in columns {
        match &mut column.field {
            Some(field_data::Field::Scalars(ScalarField { data: Some(data), .. })) => match data {
                scalar_field::Data::LongData(values) => pick(&mut values.data, &order),
                scalar_field::Data::IntData(values) => pick(&mut values.data, &order),
                scalar_field::Data::StringData(values) => pick(&mut values.data, &order),
                scalar_field::Data::JsonData(values) => pick(&mut values.data, &order),
                other => panic!("{other:?}"),
            },
            _ => {
                let (dim, floats) = floats(column);
                let dim = usize::try_from(*dim).unwrap();
                let rows = order.iter().flat_map(|row| &floats.data[row * dim..(row + 1) * dim]);
                floats.data = rows.copied().collect();
            }
        }
    }
}

#[test]
fn a_row_that_is_left_out_is_missed_and_named() {
    let source = returning(|_, columns| {
        rearrange(columns, |keys| (0..keys.len()).filter(|row| keys[*row] != 70).collect());
    });
    refused(&source).says(&["rows that the source counts and never returns: 1 (keys above"]);
}

#[test]
fn a_row_that_comes_twice_instead_of_another_is_no_row() {
    let source = returning(|_, columns| {
        rearrange(columns, |keys| {
            (0..keys.len()).map(|row| if keys[row] == 70 { row.saturating_sub(1) } else { row }).collect()
        });
    });
    // Asked for by itself the row comes, so whoever counts takes it for a new one, and whoever reads the split misses it twice.
    refused(&source).says(&["1 rows in all keys are counted but never returned, with keys such as keys above"]);
}

#[test]
fn rows_in_any_order_all_arrive() {
    let source = returning(|_, columns| rearrange(columns, |keys| (0..keys.len()).rev().collect()));
    let (work, there) = plan(source.uri(), lite_target().uri());
    work.apply().ended(0).says(&["SUCCESSFUL"]);
    assert_identical(docs(), &there, &[]);
}

#[test]
fn a_short_column_is_refused() {
    refused(&column("title", |column| drop(texts(column).pop()))).says(&["column `title` has"]);
}

#[test]
fn a_missing_column_is_refused() {
    refused(&returning(|_, columns| columns.retain(|column| column.field_name != "year")))
        .says(&["column `year` is missing"]);
}

#[test]
fn rows_without_their_key_are_refused() {
    refused(&returning(|_, columns| {
        if columns.len() > 1 {
            columns.retain(|column| column.field_name != "id");
        }
    }))
    .says(&["column `id` is missing"]);
}

#[test]
fn a_column_of_another_type_is_refused() {
    let source = column("year", |column| {
        let data = Some(scalar_field::Data::BoolData(BoolArray { data: vec![true; 600] }));
        column.field = Some(field_data::Field::Scalars(ScalarField { data, valid_data: Vec::new() }));
    });
    refused(&source).says(&["column `year` came as booleans where INT16 was expected"]);
}

#[test]
fn vectors_of_another_dimension_are_refused() {
    let source = column("vector", |column| *floats(column).0 *= 2);
    refused(&source).says(&["column `vector` came as vectors of dimension"]);
    // The declared dimension is right, and the numbers are not enough for it.
    let source = column("vector", |column| floats(column).1.data.truncate(7));
    refused(&source).says(&["column `vector`"]);
}

#[test]
fn a_dimension_beyond_all_memory_is_refused() {
    refused(&column("vector", |column| *floats(column).0 = 1 << 62)).says(&["column `vector` came as"]);
}

#[test]
fn a_key_that_was_not_asked_for_is_refused() {
    let source = Between::answering(source(), "Query", |request: &QueryRequest, answer: &mut QueryResults| {
        if counts(request) {
            // What is counted and did not come is looked for page by page, above the last key that came.
            counting_one_more(answer);
        } else if request.expr.contains("id >") {
            answer.fields_data = vec![key_column(vec![i64::MIN])];
        }
    });
    refused(&source).says(&["was returned for a query of keys above"]);
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    refused(&Between::bytes(source(), "Query", |_, _| vec![0xff; 1000].into())).says(&["could not query"]);
}

#[test]
fn text_that_is_no_utf8_is_refused() {
    let source = Between::bytes(source(), "Query", |_, answer| {
        let mut answer = answer.to_vec();
        let title = answer.windows(5).position(|bytes| bytes == b"599: ");
        // Answers that hold no titles pass.
        answer[title.unwrap_or_default()] |= if title.is_some() { 0x80 } else { 0 };
        answer.into()
    });
    refused(&source).says(&["could not query"]);
}

#[test]
fn an_error_in_an_answer_that_says_success_is_no_answer() {
    let silent = QueryResults {
        status: Some(Status { reason: "out of memory".to_owned(), ..Status::default() }),
        ..QueryResults::default()
    };
    let silent = silent.encode_to_vec();
    let source =
        Between::asking(source(), move |method, _| (method == "Query").then(|| Fate::Answer(silent.clone().into())));
    refused(&source).says(&["the answer holds no count"]);
}
