//! Loads a collection for the time it is read, and leaves it as it was.

use super::JobError;
use crate::cluster::ReadSide;
use crate::collection::{LiveCollection, LoadState};

/// A collection that is loaded. [`Loaded::release`] leaves it as it was found.
#[must_use]
pub struct Loaded<'a> {
    read: &'a dyn ReadSide,
    database: String,
    collection: String,
    /// What to release; none where nothing was loaded, no partitions for the whole collection.
    partitions: Option<Vec<String>>,
}

/// Loads what is not loaded.
pub async fn loaded<'a>(read: &'a dyn ReadSide, database: &str, live: &LiveCollection) -> Result<Loaded<'a>, JobError> {
    let partitions = match live.load_state {
        LoadState::Loaded => None,
        LoadState::Loading if live.unloaded_partitions.is_empty() => None,
        LoadState::Loading => Some(live.unloaded_partitions.clone()),
        LoadState::NotLoaded => Some(Vec::new()),
    };
    if live.load_state != LoadState::Loaded {
        read.load(database, &live.name).await?;
    }
    Ok(Loaded { read, database: database.to_owned(), collection: live.name.clone(), partitions })
}

impl Loaded<'_> {
    /// Releases what was loaded.
    pub async fn release(self) -> Result<(), JobError> {
        if let Some(partitions) = &self.partitions {
            self.read.release(&self.database, &self.collection, partitions).await?;
        }
        Ok(())
    }
}
