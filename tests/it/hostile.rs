//! Servers that are broken or mean. Whatever one answers, a run ends soon, with an error that names the collection, without a
//! panic, and never says that it succeeded unless each row arrived.
//!
//! Each test runs against a real server, with something in between that changes some of the answers on their way.

mod between;
mod calls;
mod counts;
mod descriptions;
mod endless;
mod rows;
mod writes;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use milvus::proto::milvus::{QueryRequest, QueryResults};
use milvus::proto::schema::{FieldData, LongArray, ScalarField, field_data, scalar_field};

use crate::runs::Run;
use crate::servers::{lite_target, source};
use crate::support::{Place, Workspace, database, fill, place};
use between::Between;

/// Rows of the source.
const ROWS: usize = 600;
/// Far more than a run against such a server takes, and far less than the patience that it has with one that is busy.
const SOON: Duration = Duration::from_secs(90);

/// The collection that is moved: INT64 `id`, VARCHAR `title`, INT16 `year`, FLOAT_VECTOR(16) `vector`, dynamic keys.
fn docs() -> &'static Place {
    static DOCS: LazyLock<Place> = LazyLock::new(|| {
        let docs = place(source(), "hostile", "docs");
        fill(&docs, "small", &["--rows", &ROWS.to_string()]);
        docs
    });
    &DOCS
}

/// A plan that moves the collection from one address to a new database behind another.
fn plan(from: &str, to: &str) -> (Workspace, Place) {
    let work = Workspace::new();
    let there = Place { uri: to.to_owned(), database: database("hostile"), collection: "docs".to_owned() };
    work.plan_between((from, &docs().database), (to, &there.database), "- source: docs", "");
    (work, there)
}

/// How `apply` ends with this in front of the source: soon, with an error that names the collection.
#[track_caller]
fn refused(source: &Between) -> Run {
    failed(&plan(source.uri(), lite_target().uri()).0)
}

/// `apply` fails, soon, and says why.
#[track_caller]
fn failed(work: &Workspace) -> Run {
    let started = Instant::now();
    fails(work.apply(), started.elapsed())
}

#[track_caller]
fn fails(run: Run, took: Duration) -> Run {
    let words = run.words();
    println!("{:?} after {took:?}: {words}", run.code);
    assert!(took < SOON, "{took:?}");
    assert!(!matches!(run.code, None | Some(0 | 70)), "{:?}: {words}", run.code);
    assert!(!words.contains("SUCCESSFUL") && !words.contains("panicked"), "{words}");
    assert!(words.contains("docs"), "the collection is not named: {words}");
    run
}

/// Whether a query only counts.
fn counts(request: &QueryRequest) -> bool {
    request.output_fields == ["count(*)"]
}

fn counted(answer: &QueryResults) -> i64 {
    match &answer.fields_data[0].field {
        Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::LongData(counts)), .. })) => {
            counts.data[0]
        }
        other => panic!("{other:?}"),
    }
}

fn counting_one_more(answer: &mut QueryResults) {
    answer.fields_data = vec![long_column("count(*)", counted(answer) + 1)];
}

fn long_column(name: &str, value: i64) -> FieldData {
    FieldData { field_name: name.to_owned(), ..key_column(vec![value]) }
}

/// A column of keys.
fn key_column(keys: Vec<i64>) -> FieldData {
    let data = Some(scalar_field::Data::LongData(LongArray { data: keys }));
    FieldData {
        r#type: 5,
        field_name: "id".to_owned(),
        field: Some(field_data::Field::Scalars(ScalarField { data, valid_data: Vec::new() })),
        ..FieldData::default()
    }
}
