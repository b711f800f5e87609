//! JSON values that several documents share.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use crate::run::JobError;

/// Version of the documents. A new minor version only adds.
pub(super) const FORMAT_VERSION: &str = "1.0";

/// Why a collection failed, and what to do.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct Failure {
    /// What went wrong, in a sentence.
    message: String,
    /// What to do about it.
    help: &'static str,
    /// Whether running the same command again may help by itself.
    temporary: bool,
}

impl From<&JobError> for Failure {
    fn from(error: &JobError) -> Self {
        Self { message: error.to_string(), help: error.help(), temporary: error.is_temporary() }
    }
}
