//! What a row costs on its way through vecferry, step by step: `cargo bench --features benching --bench rows`.
//!
//! Each step works on a page of 8 MB of vectors with 768 dimensions, and is given in bytes of the page a second. Nothing
//! goes over a socket here; `make bench-client` measures the steps together with that.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vecferry::benching::{Answer, Mapped, Server, Shape};

const DIM: usize = 768;
/// Rows of a page, as many as a copy would ask for.
const ROWS: usize = (8 << 20) / (DIM * 4);
/// A field under another name, a number of another type, and a key of the dynamic field as a column.
const RESHAPED: &str = "headline: {from: title}, year: {type: int64}, \
                        lang: {from: $meta.lang, type: varchar, max_length: 8, default: none, on_null: default}";

fn rows(criterion: &mut Criterion) {
    let server = Server::able();
    for (name, shape) in [("floats", Shape::Floats), ("texts", Shape::Texts)] {
        let answer = Answer::new(shape, ROWS, DIM);
        let rows = answer.decode();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(answer.size())).sample_size(20);
        group.bench_function("decode", |bencher| bencher.iter(|| answer.decode()));
        group.bench_function("hash", |bencher| bencher.iter(|| rows.fingerprint()));
        group.bench_function("encode", |bencher| bencher.iter(|| rows.encode(&server)));
        let plain = Mapped::new(shape, DIM, "");
        group.bench_function("map, nothing changed", |bencher| bencher.iter(|| rows.map(&plain)));
        if shape == Shape::Texts {
            let reshaped = Mapped::new(shape, DIM, RESHAPED);
            group.bench_function("map, reshaped", |bencher| bencher.iter(|| rows.map(&reshaped)));
        }
        group.bench_function("all of it", |bencher| {
            bencher.iter(|| {
                let rows = answer.decode().map(&plain);
                (rows.fingerprint(), rows.encode(&server).len())
            });
        });
        group.finish();
    }
}

criterion_group!(benches, rows);
criterion_main!(benches);
