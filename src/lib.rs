//! vecferry moves Milvus and Zilliz Cloud collections between clusters from YAML plan files.

#[cfg(any(test, feature = "benching"))]
pub mod benching;
pub mod cli;
mod cluster;
mod collection;
mod crash_point;
mod diagnostic;
mod diff;
mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod mapping;
mod plan;
mod render;
mod run;
mod saved;
#[cfg(test)]
mod searched;
mod state;
