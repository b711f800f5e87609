//! Targets that do something else with rows than they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use milvus::proto::common::Status;
use milvus::proto::milvus::{InsertRequest, MutationResult, UpsertRequest};
use milvus::proto::schema::{FieldData, ScalarField, field_data, scalar_field};
use prost::Message;

use super::between::{Between, Fate};
use super::{docs, failed, plan};
use crate::servers::{lite_target, source};
use crate::support::{Place, assert_identical};

/// The collection on the real server behind the one that lies.
fn really(there: &Place) -> Place {
    Place { uri: lite_target().uri().to_owned(), ..there.clone() }
}

/// All rows were taken, says the server.
fn acknowledged(rows: u32) -> MutationResult {
    let rows = i64::from(rows);
    MutationResult { status: Some(Status::default()), insert_cnt: rows, upsert_cnt: rows, ..MutationResult::default() }
}

/// Changes one byte of the title of the first row.
fn spoil(columns: &mut [FieldData]) {
    for column in columns.iter_mut().filter(|column| column.field_name == "title") {
        if let Some(field_data::Field::Scalars(ScalarField {
            data: Some(scalar_field::Data::StringData(texts)), ..
        })) = &mut column.field
        {
            texts.data[0].replace_range(0..1, "!");
        }
    }
}

/// `apply` ends well, and what really lies there is what should.
#[track_caller]
fn mended(target: &Between) {
    let (work, there) = plan(source().uri(), target.uri());
    work.apply().ended(0).says(&["SUCCESSFUL"]);
    assert_identical(docs(), &really(&there), &[]);
}

/// `apply` ends with differences.
#[track_caller]
fn found_out(target: &Between) {
    let work = plan(source().uri(), target.uri()).0;
    let run = failed(&work);
    assert!(matches!(run.code, Some(3 | 4)), "{:?}", run.code);
    run.says(&["verification found differences"]);
}

#[test]
fn inserts_that_are_acknowledged_and_dropped_are_made_good() {
    let swallowed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&swallowed);
    let target = Between::asking(lite_target(), move |method, request| {
        (method == "Insert").then(|| {
            count.fetch_add(1, Ordering::SeqCst);
            let rows = InsertRequest::decode(request.clone()).unwrap().num_rows;
            Fate::Answer(acknowledged(rows).encode_to_vec().into())
        })
    });
    mended(&target);
    assert!(swallowed.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_target_that_drops_all_that_it_acknowledges_is_found_out() {
    found_out(&Between::asking(lite_target(), |method, request| {
        let rows = match method {
            "Insert" => InsertRequest::decode(request.clone()).unwrap().num_rows,
            "Upsert" => UpsertRequest::decode(request.clone()).unwrap().num_rows,
            _ => return None,
        };
        Some(Fate::Answer(acknowledged(rows).encode_to_vec().into()))
    }));
}

#[test]
fn rows_that_are_changed_on_their_way_are_made_good() {
    mended(&Between::asking(lite_target(), |method, request| {
        (method == "Insert").then(|| {
            let mut insert = InsertRequest::decode(request.clone()).unwrap();
            spoil(&mut insert.fields_data);
            Fate::Forward(insert.encode_to_vec().into())
        })
    }));
}

#[test]
fn a_target_that_stores_other_rows_than_it_got_is_found_out() {
    found_out(&Between::asking(lite_target(), |method, request| match method {
        "Insert" => {
            let mut insert = InsertRequest::decode(request.clone()).unwrap();
            spoil(&mut insert.fields_data);
            Some(Fate::Forward(insert.encode_to_vec().into()))
        }
        "Upsert" => {
            let mut upsert = UpsertRequest::decode(request.clone()).unwrap();
            spoil(&mut upsert.fields_data);
            Some(Fate::Forward(upsert.encode_to_vec().into()))
        }
        _ => None,
    }));
}

#[test]
fn an_insert_that_is_acknowledged_in_part_is_sent_again() {
    mended(&Between::answering(lite_target(), "Insert", |_: &InsertRequest, answer: &mut MutationResult| {
        answer.insert_cnt -= 1;
    }));
    mended(&Between::answering(lite_target(), "Insert", |_: &InsertRequest, answer: &mut MutationResult| {
        answer.err_index = vec![0];
    }));
}
