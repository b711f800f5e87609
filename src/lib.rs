//! vecferry moves Milvus and Zilliz Cloud collections between clusters from YAML plan files.
#![allow(dead_code)]

mod cluster;
mod collection;
mod diagnostic;
mod diff;
mod mapping;
mod plan;
mod run;
mod state;
