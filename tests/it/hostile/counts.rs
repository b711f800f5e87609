//! Counts that are wrong.

use milvus::proto::milvus::{QueryRequest, QueryResults};
use milvus::proto::schema::FieldData;

use super::between::Between;
use super::{counted, counting_one_more, counts, docs, long_column, plan, refused};
use crate::servers::{lite_target, source};
use crate::support::assert_identical;

/// A server that counts ranges otherwise than keys that are named.
fn counting(change: impl Fn(i64) -> Vec<FieldData> + Send + Sync + 'static) -> Between {
    Between::answering(source(), "Query", move |request: &QueryRequest, answer: &mut QueryResults| {
        if counts(request) && !request.expr.contains(" in [") {
            answer.fields_data = change(counted(answer));
        }
    })
}

#[test]
fn a_count_that_is_too_high_stands_for_rows_that_are_never_returned() {
    refused(&counting(|count| vec![long_column("count(*)", count + 1)]))
        .says(&["rows that the source counts and never returns: 1 ("]);
}

#[test]
fn a_count_that_is_too_low_is_not_believed() {
    refused(&counting(|count| vec![long_column("count(*)", count - 1)])).says(&["its rows change while they are read"]);
}

#[test]
fn a_count_that_no_collection_has_is_none() {
    refused(&counting(|_| vec![long_column("count(*)", i64::MAX)])).says(&["more than any collection holds"]);
    // One that could be is held against the rows.
    refused(&counting(|_| vec![long_column("count(*)", 1 << 48)]))
        .says(&["that the source counts and never returns: "]);
}

#[test]
fn a_negative_count_is_none() {
    refused(&counting(|_| vec![long_column("count(*)", -1)])).says(&["the answer holds no count"]);
}

#[test]
fn an_answer_without_its_count_is_none() {
    refused(&counting(|_| Vec::new())).says(&["the answer holds no count"]);
}

#[test]
fn a_row_that_is_only_counted_is_taken_for_a_double_and_does_no_harm() {
    let source = Between::answering(source(), "Query", |request: &QueryRequest, answer: &mut QueryResults| {
        if counts(request) {
            counting_one_more(answer);
        }
    });
    let (work, there) = plan(source.uri(), lite_target().uri());
    work.apply().ended(0).says(&["SUCCESSFUL", "600 rows verified"]);
    assert_identical(docs(), &there, &[]);
}
