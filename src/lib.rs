//! vecferry moves Milvus and Zilliz Cloud collections between clusters from YAML plan files.

// Temporary: the words of a checked plan are read by commands that are being built beside this one.
#![allow(dead_code)]

pub mod cli;
pub mod diagnostic;
pub mod plan;
pub mod render;
