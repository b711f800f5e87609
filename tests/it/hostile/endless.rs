//! Answers that would fill the memory: pages without end, and messages of any size.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use milvus::proto::milvus::{QueryRequest, QueryResults};

use super::between::{Between, Fate};
use super::rows::{keys, rearrange};
use super::{SOON, counting_one_more, counts, fails, key_column, plan};
use crate::memory::peak;
use crate::servers::{lite_target, source};

/// The promise of the design, in KiB.
const LIMIT: u64 = 300 * 1024;

fn limit(request: &QueryRequest) -> Option<i64> {
    let pair = request.query_params.iter().find(|pair| pair.key == "limit");
    pair.and_then(|pair| pair.value.parse().ok())
}

/// A server that counts one row more than it has, so that its keys are asked for page by page, and always has another page.
fn endless_keys() -> Between {
    let next = AtomicI64::new(1 << 40);
    Between::answering(source(), "Query", move |request: &QueryRequest, answer: &mut QueryResults| {
        if counts(request) && !request.expr.contains(" in [") {
            counting_one_more(answer);
        } else if request.output_fields == ["id"]
            && let Some(limit) = limit(request)
        {
            let first = next.fetch_add(limit, Ordering::SeqCst);
            answer.fields_data = vec![key_column((first..first + limit).collect())];
        }
    })
}

/// A server that tells its keys as they are and leaves a row out where whole rows are asked for, so that they are asked for page
/// by page, and always has another page of them.
fn endless_rows() -> Between {
    let (next, page) = (AtomicI64::new(1 << 40), Mutex::new(None));
    Between::answering(source(), "Query", move |request: &QueryRequest, answer: &mut QueryResults| {
        if counts(request) || request.output_fields == ["id"] {
            return;
        }
        if limit(request).is_none() {
            rearrange(&mut answer.fields_data, |keys| (1..keys.len()).collect());
        } else if !request.expr.contains("id >") {
            *page.lock().unwrap() = Some(answer.fields_data.clone());
        } else if let Some(page) = &*page.lock().unwrap() {
            answer.fields_data.clone_from(page);
            for column in answer.fields_data.iter_mut().filter(|column| column.field_name == "id") {
                keys(column).iter_mut().for_each(|key| *key = next.fetch_add(1, Ordering::SeqCst));
            }
        }
    })
}

/// `apply` ends with an error, soon, and having held little.
#[track_caller]
fn ends(source: &Between, words: &str) {
    let (work, _) = plan(source.uri(), lite_target().uri());
    let (started, mut run, mut highest) = (Instant::now(), work.start_apply(), 0);
    while !run.has_ended() && started.elapsed() < SOON {
        highest = peak(run.pid()).unwrap_or_default().max(highest);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(run.has_ended(), "it goes on after {SOON:?}, with {} MiB", highest / 1024);
    fails(run.wait(), started.elapsed()).says(&[words]);
    println!("at most {} MiB", highest / 1024);
    assert!((1024..LIMIT).contains(&highest), "{} MiB", highest / 1024);
}

#[test]
fn pages_of_keys_without_end_come_to_one() {
    ends(&endless_keys(), "its rows change while they are read");
}

#[test]
fn pages_of_rows_without_end_come_to_one() {
    ends(&endless_rows(), "its rows change while they are read");
}

/// A server that begins its answers with the five bytes that announce a message, and sends nothing more.
fn announcing(start: &'static str) -> Between {
    Between::asking(source(), move |method, _| (method == "Query").then(|| Fate::Body(start.to_owned())))
}

#[test]
fn a_message_that_says_it_is_huge_is_not_waited_for() {
    // A gigabyte.
    ends(&announcing("\0\x3f\x7f\x7f\x7f"), "too large");
    // A quarter of that is allowed, and does not come either.
    ends(&announcing("\0\x0f\x7f\x7f\x7f"), "could not query");
}
