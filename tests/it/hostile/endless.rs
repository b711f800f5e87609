//! Pages without end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use milvus::proto::milvus::{QueryRequest, QueryResults};

use super::between::Between;
use super::{SOON, counting_one_more, counts, failed, key_column, plan};
use crate::memory::peak;
use crate::servers::{lite_target, source};

/// The promise of the design, in KiB.
const LIMIT: u64 = 300 * 1024;

/// A server that counts one row more than it has, so that its rows are asked for page by page, and always has another page.
fn endless() -> Between {
    let next = AtomicI64::new(1 << 40);
    Between::answering(source(), "Query", move |request: &QueryRequest, answer: &mut QueryResults| {
        if counts(request) {
            if !request.expr.contains(" in [") {
                counting_one_more(answer);
            }
            return;
        }
        let limit = request.query_params.iter().find(|pair| pair.key == "limit");
        let Some(limit) = limit.and_then(|pair| pair.value.parse::<i64>().ok()) else { return };
        if request.output_fields == ["id"] {
            let first = next.fetch_add(limit, Ordering::SeqCst);
            answer.fields_data = vec![key_column((first..first + limit).collect())];
        }
    })
}

#[test]
fn pages_without_end_come_to_one() {
    let source = endless();
    let (work, _) = plan(source.uri(), lite_target().uri());
    let (started, mut run, mut highest) = (Instant::now(), work.start_apply(), 0);
    while !run.has_ended() && started.elapsed() < SOON {
        highest = peak(run.pid()).unwrap_or_default().max(highest);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(run.has_ended(), "it goes on after {SOON:?}, with {} MiB", highest / 1024);
    drop(run);
    failed(&work);
    println!("at most {} MiB", highest / 1024);
    assert!((1024..LIMIT).contains(&highest), "{} MiB", highest / 1024);
}
