//! The seeds of the fuzzer and the inputs that it found, as ordinary tests.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

/// All files of a folder of the checkout and below, which must hold some.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    assert!(!found.is_empty(), "{folder} holds nothing");
    found
}

fn run(target: fn(&[u8]), folder: &str) {
    for file in files(folder) {
        target(&fs_err::read(file).unwrap());
    }
}

#[test]
fn plans_end_in_a_plan_or_in_messages_that_point_into_them() {
    for folder in ["examples/plans", "tests/plans", "fuzz/seeds/plan"] {
        run(super::plan, folder);
    }
}

#[test]
fn settings_end_in_settings_or_in_messages_that_point_into_them() {
    run(super::settings, "fuzz/seeds/settings");
}

#[test]
fn a_journal_is_refused_or_can_be_gone_on_with() {
    run(super::state, "fuzz/seeds/state");
}

#[test]
fn a_saved_plan_is_refused_or_can_be_shown_and_read_again() {
    run(super::saved, "fuzz/seeds/saved");
}

#[test]
fn an_answer_is_refused_or_keeps_what_a_batch_promises() {
    run(super::answer, "fuzz/seeds/answer");
}

/// Without a fuzzer: many short answers of each kind, from a generator of numbers that looks random.
#[test]
fn answers_of_every_kind_are_tried() {
    let mut state = 1_u64;
    let mut bytes = [0_u8; 400];
    for number in 0..4_000_u32 {
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        bytes[0] = number as u8;
        super::answer(&bytes);
    }
}

proptest! {
    /// Without a fuzzer: the records of the seeds in any order and number, and then damaged.
    #[test]
    fn records_in_any_order_are_refused_or_read_as_they_were_written(
        seed in any::<prop::sample::Index>(),
        damage in 0_u8..,
        picked in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let seeds: Vec<Vec<u8>> = files("fuzz/seeds/state").iter().map(|file| fs_err::read(file).unwrap()).collect();
        let lines: Vec<&[u8]> = seeds[seed.index(seeds.len())][1..].split(|byte| *byte == b'\n').collect();
        let mut bytes = vec![damage];
        bytes.extend_from_slice(lines[0]);
        for at in picked {
            bytes.push(b'\n');
            bytes.extend_from_slice(lines[at.index(lines.len())]);
        }
        super::state(&bytes);
    }
}
