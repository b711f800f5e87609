//! What was learnt of a server and stays so for as long as a command runs, so that it is not asked again for each collection.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::flush::Turns;

/// Shared by all that talk to one server.
#[derive(Debug, Default)]
pub struct Known {
    /// Databases that were found there, or made.
    databases: Mutex<BTreeSet<String>>,
    /// The order in which flushes are asked for.
    pub flushes: Turns,
}

impl Known {
    /// Whether a database was found there before.
    pub fn has_database(&self, name: &str) -> bool {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// A database is there.
    pub fn there_is_database(&self, name: &str) {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }
}
