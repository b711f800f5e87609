//! Integration tests: the binary as its users run it.

mod validate;
