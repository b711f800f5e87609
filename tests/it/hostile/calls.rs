//! Every call, answered with nothing and with rubbish: what a server, a proxy or a newer protocol may come to send.

use std::time::Instant;

use super::between::{Between, Fate};
use super::{SOON, docs, plan};
use crate::servers::{Server, lite_target, source};
use crate::support::{Place, assert_identical};

/// What comes instead of an answer: a message without any field, whose status says nothing and so no error, or no message.
const INSTEAD: [&[u8]; 2] = [b"", &[0xff; 64]];

fn answering(real: &Server, method: &'static str, instead: &'static [u8]) -> Between {
    Between::asking(real, move |called, _| (called == method).then(|| Fate::Answer(instead.into())))
}

/// `apply` ends soon, and either says that it failed or has done all of it.
#[track_caller]
fn fails_or_is_right(what: &str, from: &str, to: &str) {
    let (work, there) = plan(from, to);
    let started = Instant::now();
    let (run, took) = (work.apply(), started.elapsed());
    let words = run.words();
    println!("{what}: {:?} after {took:?}: {words}", run.code);
    assert!(took < SOON && !words.contains("panicked"), "{what}: {took:?}: {words}");
    match run.code {
        None | Some(70) => panic!("{what}: {:?}: {words}", run.code),
        Some(0) => {
            assert_identical(docs(), &Place { uri: lite_target().uri().to_owned(), ..there }, &[]);
        }
        Some(_) => assert!(!words.contains("SUCCESSFUL"), "{what}: {words}"),
    }
}

#[test]
fn no_answer_of_a_source_makes_it_fall_over() {
    // The load state is left out: a server may say for ten minutes that it is loading before it is given up.
    for method in ["GetVersion", "DescribeCollection", "ShowPartitions", "DescribeIndex", "AllocTimestamp", "Query"] {
        for instead in INSTEAD {
            let source = answering(source(), method, instead);
            let what = format!("{method} answered with {} bytes", instead.len());
            fails_or_is_right(&what, source.uri(), lite_target().uri());
        }
    }
}

#[test]
fn no_answer_of_a_target_makes_it_fall_over() {
    for method in
        ["CreateCollection", "DescribeCollection", "Insert", "Flush", "CreateIndex", "AlterCollection", "Query"]
    {
        for instead in INSTEAD {
            let target = answering(lite_target(), method, instead);
            let what = format!("{method} answered with {} bytes", instead.len());
            fails_or_is_right(&what, source().uri(), target.uri());
        }
    }
}
