//! The hash that documents carry.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a value as compact JSON, whose keys are sorted: how a document is laid out does not count.
pub(super) fn of(value: &Value) -> String {
    let digest: String = Sha256::digest(value.to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}
