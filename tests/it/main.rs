//! Integration tests, with real servers. The first run installs them into `.servers/`.

// Helpers of tests may fail as loudly as tests.
#![allow(clippy::unwrap_used)]

mod house;
mod rust_source;
// Temporary: the tests of the commands, which use the rest, are being built beside this.
#[allow(dead_code)]
mod servers;
#[allow(dead_code)]
mod support;
