#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vecferry::fuzzing::saved(bytes));
