//! The connector for Milvus and everything that speaks its gRPC protocol, milvus-lite and Zilliz Cloud endpoints included.
//!
//! The protocol types are those that `milvus-sdk-rust` generates; its client is not used, because it caps answers at 4 MiB,
//! because its iterator stops at the first short page, which loses rows, and because its telemetry is on by default.

mod access;
mod alias;
pub(crate) mod capabilities;
mod client;
pub(crate) mod decode;
pub(crate) mod describe;
pub(crate) mod encode;
mod expression;
mod flush;
pub(crate) mod gather;
mod known;
mod lookup;
mod polling;
mod read;
mod rope;
mod ropeway;
mod sample;
mod search;
mod socket;
pub(crate) mod status;
mod values;
pub(crate) mod wire;
mod write;

use std::sync::Arc;

use crate::collection::Capabilities;
use client::Client;

/// What a server of that version can hold, by what it says of itself.
pub fn capabilities_of(version: &str) -> Capabilities {
    capabilities::of(capabilities::Version::parse(version))
}

/// A connected server.
#[derive(Debug)]
pub struct Milvus {
    client: Client,
    capabilities: Capabilities,
    version: capabilities::Version,
    known: Arc<known::Known>,
}
