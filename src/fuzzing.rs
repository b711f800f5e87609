//! One function for each target in `fuzz/`: bytes in, and a panic where something that must always hold does not.
//!
//! This room exists in tests and with the feature `fuzzing`, and is no interface to build on. The seeds and every input that
//! once broke something are run through it by the unit tests too, so that neither is forgotten without a fuzzer at hand.

mod answer;
mod saved;
mod state;
mod text;

pub use answer::answer;
pub use saved::saved;
pub use state::state;
pub use text::{plan, settings};

#[cfg(test)]
mod tests;
