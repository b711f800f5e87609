//! What stands for a cluster that is to be made: it is there, holds nothing, and takes nothing. With it a plan is looked at as if
//! the cluster were new, which it will be.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cluster::{
    ClusterError, Destination, ErrorKind, Identity, Moment, NewCollection, Patience, ReadSide, Result, Sampling, Scan,
    Watch, WriteSide, milvus,
};
use crate::collection::{Capabilities, Field, Index, Key, KeyRange, LiveCollection, RowBatch};

/// The version that a new cluster is taken for, by what the service says of itself. What it is really like is looked at once it is
/// made, before anything is written.
const EXPECTED: &str = "Zilliz Cloud Vector Database(Compatible with Milvus 2.5)";

/// A cluster that is to be made.
#[derive(Clone)]
pub(super) struct Unmade {
    uri: String,
    capabilities: Capabilities,
}

impl Unmade {
    /// The one that stands under this placeholder.
    pub(super) fn new(uri: &str) -> Self {
        let mut capabilities = milvus::capabilities_of(EXPECTED);
        capabilities.server = "a new cluster of Zilliz Cloud".to_owned();
        Self { uri: uri.to_owned(), capabilities }
    }

    fn refused<T>(&self, action: &str) -> Result<T> {
        Err(ClusterError::new(ErrorKind::NotFound, &self.uri, action, "the cluster is not made yet"))
    }
}

#[async_trait]
impl ReadSide for Unmade {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn watched(&self, _: Arc<dyn Watch>) -> Arc<dyn ReadSide> {
        Arc::new(self.clone())
    }

    async fn databases(&self) -> Result<Option<Vec<String>>> {
        Ok(Some(vec!["default".to_owned()]))
    }

    async fn collections(&self, _: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn describe(&self, _: &str, _: &str) -> Result<Option<LiveCollection>> {
        Ok(None)
    }

    async fn moment(&self, _: &str, _: &str) -> Result<Moment> {
        self.refused("take a moment")
    }

    async fn count(&self, _: &Scan, _: &KeyRange) -> Result<u64> {
        self.refused("count rows")
    }

    async fn count_keys(&self, _: &Scan, _: &[Key]) -> Result<u64> {
        self.refused("count rows")
    }

    async fn statistics(&self, _: &str, _: &str) -> Result<u64> {
        self.refused("read statistics")
    }

    async fn read_range(&self, _: &Scan, _: &KeyRange, _: &[Field]) -> Result<RowBatch> {
        self.refused("read rows")
    }

    async fn read_next(&self, _: &Scan, _: &KeyRange, _: &[Field], _: usize) -> Result<RowBatch> {
        self.refused("read rows")
    }

    async fn sample_keys(&self, _: &Scan, _: Sampling, _: u64, _: u64) -> Result<Option<Vec<Key>>> {
        self.refused("read keys")
    }

    async fn load(&self, _: &str, _: &str) -> Result<()> {
        self.refused("load")
    }

    async fn release(&self, _: &str, _: &str, _: &[String]) -> Result<()> {
        self.refused("release")
    }
}

#[async_trait]
impl WriteSide for Unmade {
    fn watched_writing(&self, _: Arc<dyn Watch>) -> Arc<dyn WriteSide> {
        Arc::new(self.clone())
    }

    fn patience(&self) -> Patience {
        Patience::new(std::time::Duration::ZERO)
    }

    async fn identity(&self, _: &str, _: &str) -> Result<Option<Identity>> {
        Ok(None)
    }

    async fn create_database(&self, _: &str) -> Result<()> {
        self.refused("create a database")
    }

    async fn create_collection(&self, _: &str, _: &NewCollection) -> Result<()> {
        self.refused("create a collection")
    }

    async fn drop_collection(&self, _: &str, _: &str) -> Result<()> {
        self.refused("drop a collection")
    }

    async fn create_partition(&self, _: &str, _: &str, _: &str) -> Result<()> {
        self.refused("create a partition")
    }

    async fn insert(&self, _: &Destination, _: &RowBatch) -> Result<()> {
        self.refused("insert")
    }

    async fn upsert(&self, _: &Destination, _: &RowBatch) -> Result<()> {
        self.refused("upsert")
    }

    async fn delete(&self, _: &Destination, _: &Field, _: &[Key]) -> Result<()> {
        self.refused("delete")
    }

    async fn flush(&self, _: &str, _: &str) -> Result<()> {
        self.refused("flush")
    }

    async fn create_index(&self, _: &str, _: &str, _: &Index) -> Result<()> {
        self.refused("create an index")
    }

    async fn wait_for_indexes(&self, _: &str, _: &str, _: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
        self.refused("wait for indexes")
    }

    async fn drop_index(&self, _: &str, _: &str, _: &Index) -> Result<()> {
        self.refused("drop an index")
    }

    async fn set_properties(&self, _: &str, _: &str, _: &[(String, String)]) -> Result<()> {
        self.refused("set properties")
    }

    async fn point_alias(&self, _: &str, _: &str, _: &str) -> Result<()> {
        self.refused("point an alias")
    }

    async fn finds_text(&self, _: &Scan, _: &str, _: &Key, _: &str) -> Result<bool> {
        self.refused("search")
    }
}
