//! A live cluster behind two small traits: [`ReadSide`] and [`WriteSide`].
//!
//! Everything above this room speaks in the words of `collection` and never learns which connector answers.
//!
//! # What survives what
//!
//! Reads are repeated by the connector where that can help (see [`Patience`]); they change nothing, so repeating them is
//! safe. Writes of rows are **never** repeated here: after a timeout or a lost connection nobody knows whether the rows
//! landed, and only `run` knows how to find out or how to make it not matter. Calls that define things (create, index,
//! load, flush, properties) are written so that calling them again is harmless.

mod advice;
mod error;
mod fitting;
pub mod milvus;
mod patience;
mod pressure;
mod secret;
pub mod zilliz;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::collection::{
    Capabilities, CollectionSchema, Field, Index, Key, KeyRange, LiveCollection, LoadState, RowBatch,
};
use crate::plan::resolved::Endpoint;

pub use advice::Advice;
pub use error::{ClusterError, ErrorKind};
pub use fitting::Fitting;
pub use patience::Patience;
pub use pressure::Pressure;

/// Result of a call to a cluster.
pub type Result<T> = std::result::Result<T, ClusterError>;

/// Hears of requests that are repeated. Called in the middle of them, so it must be quick.
pub trait Watch: Send + Sync {
    /// A request failed with this error and is about to be repeated.
    fn repeating(&self, error: &ClusterError);
}

/// A point in time that reads can ask for: they see every write that was acknowledged before it was taken, and on servers
/// that offer sessions, nothing that came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// The server's hybrid timestamp; 0 asks for its strongest consistency instead.
    pub timestamp: u64,
    /// Whether reads at this moment are a snapshot (Milvus 2.5 and later, through its iterator).
    pub snapshot: bool,
}

/// How a sample of keys is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// As the server is quickest at, although its rows may have something in common.
    Quick,
    /// Spread over the collection as evenly as the server can make it.
    Even,
}

/// What to read: a collection, or one partition of it, at a moment.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Database.
    pub database: String,
    /// Collection; its real name, not an alias.
    pub collection: String,
    /// Only these partitions; none named reads all of them.
    pub partitions: Vec<String>,
    /// The plan's filter expression.
    pub filter: Option<String>,
    /// Only rows whose value of another scalar field lies in a range: on a target whose server makes its own keys, the field
    /// that keeps the source's.
    pub within: Option<(Field, KeyRange)>,
    /// The primary key.
    pub key: Field,
    /// As of when.
    pub moment: Moment,
    /// Rows of one page, learnt while reading and shared by all scans that were cloned from one.
    pub page: Arc<Fitting>,
}

/// Rows of a page, where nothing was learnt yet.
pub const FIRST_PAGE: usize = 4_096;

/// Where to write.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Database.
    pub database: String,
    /// Collection.
    pub collection: String,
    /// Partition; none leaves the choice to the server, as it must be with a partition key.
    pub partition: Option<String>,
    /// The fields of the rows that will come, in the target's words.
    pub fields: Vec<Field>,
}

/// A collection to make.
#[derive(Debug, Clone)]
pub struct NewCollection {
    /// Its name.
    pub name: String,
    /// What it is made from.
    pub schema: CollectionSchema,
    /// Properties to give it beside those of the schema: vecferry's own mark.
    pub mark: Vec<(String, String)>,
}

/// What tells a collection from another one of the same name, and what a server says of it in the same answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The server's id for it; 0 where it has none.
    pub id: i64,
    /// vecferry's own mark in its properties, by key.
    pub mark: BTreeMap<String, String>,
    /// Its schema, as the server describes it.
    pub schema: CollectionSchema,
}

/// The side that is read.
#[async_trait]
pub trait ReadSide: Send + Sync {
    /// What the server can hold.
    fn capabilities(&self) -> &Capabilities;

    /// The same connection, whose repeated requests are told to `watch`.
    fn watched(&self, watch: Arc<dyn Watch>) -> Arc<dyn ReadSide>;

    /// Names of the databases; none where the server will not list them.
    async fn databases(&self) -> Result<Option<Vec<String>>>;

    /// Names of all collections of a database, sorted.
    async fn collections(&self, database: &str) -> Result<Vec<String>>;

    /// Everything about a collection, or none where there is none of that name.
    async fn describe(&self, database: &str, collection: &str) -> Result<Option<LiveCollection>>;

    /// Whether a collection is loaded as a whole, which one question tells. Of one with several partitions it tells nothing about
    /// each of them.
    async fn is_loaded(&self, database: &str, collection: &str) -> Result<bool> {
        Ok(self.describe(database, collection).await?.is_some_and(|live| live.load_state == LoadState::Loaded))
    }

    /// Now: a moment that sees all writes that were acknowledged before the call.
    async fn moment(&self, database: &str, collection: &str) -> Result<Moment>;

    /// The same before a collection is known or loaded, where the server gives one out; never a snapshot. The first query at a moment
    /// waits until the server has come so far, a fifth of a second and more: by the time that the collection is known or loaded, none
    /// has to wait for this one any more.
    async fn moment_before_load(&self) -> Result<Option<Moment>> {
        Ok(None)
    }

    /// Physical rows in a range, doubled keys counted each time.
    async fn count(&self, scan: &Scan, range: &KeyRange) -> Result<u64>;

    /// Physical rows with one of `keys`, doubled keys counted each time.
    async fn count_keys(&self, scan: &Scan, keys: &[Key]) -> Result<u64>;

    /// Rows by the server's statistics, which need no loading, miss what is not flushed and ignore deletes. Good for telling
    /// that something changed, and for counting what was only ever inserted.
    async fn statistics(&self, database: &str, collection: &str) -> Result<u64>;

    /// All rows of a range in one answer. Complete on every server known as long as no key is doubled; with doubled keys
    /// Milvus 2.3.5 leaves out unrelated rows, so the caller compares with [`ReadSide::count`]. Fails with
    /// [`ErrorKind::TooLarge`] where the answer would be too big.
    async fn read_range(&self, scan: &Scan, range: &KeyRange, fields: &[Field]) -> Result<RowBatch>;

    /// The next rows of a range in ascending order of keys, some `limit` of them: often fewer, sometimes more. Only an empty
    /// answer is the end. Complete also with doubled keys, of which it returns one.
    async fn read_next(&self, scan: &Scan, range: &KeyRange, fields: &[Field], limit: usize) -> Result<RowBatch>;

    /// A thin sample of the keys in no order, about one out of `one_in`, or some thousands in all, but not many more than `most`; none
    /// where the server or the collection does not allow it. It may be empty, and a key may stand in it twice: it is good for
    /// choosing borders only.
    async fn sample_keys(&self, scan: &Scan, how: Sampling, one_in: u64, most: u64) -> Result<Option<Vec<Key>>>;

    /// Loads the collection and waits until all of it is.
    async fn load(&self, database: &str, collection: &str) -> Result<()>;

    /// Releases the collection, or only the named partitions.
    async fn release(&self, database: &str, collection: &str, partitions: &[String]) -> Result<()>;

    /// The rights that the login lacks to read these collections, and to write them if `writes`, as the server names them.
    /// Found by calls that change nothing.
    async fn lacking(&self, _database: &str, _collections: &[String], _writes: bool) -> Vec<String> {
        Vec::new()
    }
}

/// The side that is written.
#[async_trait]
pub trait WriteSide: ReadSide {
    /// The same connection, whose repeated requests are told to `watch`.
    fn watched_writing(&self, watch: Arc<dyn Watch>) -> Arc<dyn WriteSide>;

    /// How long a request is repeated after its first transient error.
    fn patience(&self) -> Patience;

    /// Which collection stands under a name, or none: far less to ask for than its description.
    async fn identity(&self, database: &str, collection: &str) -> Result<Option<Identity>>;

    /// Makes a database; one that exists is left alone.
    async fn create_database(&self, database: &str) -> Result<()>;

    /// Makes a collection. One that exists is an error, unless it is exactly the same.
    async fn create_collection(&self, database: &str, collection: &NewCollection) -> Result<()>;

    /// Drops a collection; one that is gone is fine.
    async fn drop_collection(&self, database: &str, collection: &str) -> Result<()>;

    /// Makes a partition; one that exists is left alone.
    async fn create_partition(&self, database: &str, collection: &str, partition: &str) -> Result<()>;

    /// Writes rows, blind to keys that exist. Returns once the server acknowledged all of them. Never repeated here.
    async fn insert(&self, to: &Destination, rows: &RowBatch) -> Result<()>;

    /// Writes rows and removes every older row of their keys. Never repeated here.
    async fn upsert(&self, to: &Destination, rows: &RowBatch) -> Result<()>;

    /// Removes every row of these keys.
    async fn delete(&self, to: &Destination, key: &Field, keys: &[Key]) -> Result<()>;

    /// Makes everything that was written durable in segments, so that indexes are built.
    async fn flush(&self, database: &str, collection: &str) -> Result<()>;

    /// Makes an index; the same one again is fine.
    async fn create_index(&self, database: &str, collection: &str, index: &Index) -> Result<()>;

    /// Waits until all indexes are built. `progress` hears of rows indexed and rows in all.
    async fn wait_for_indexes(
        &self,
        database: &str,
        collection: &str,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<()>;

    /// Drops the index of a field; the collection must not be loaded.
    async fn drop_index(&self, database: &str, collection: &str, index: &Index) -> Result<()>;

    /// Sets properties and leaves the others as they are.
    async fn set_properties(&self, database: &str, collection: &str, properties: &[(String, String)]) -> Result<()>;

    /// Makes an alias of the collection, or switches one to it in one step. One that points there already is left alone.
    async fn point_alias(&self, database: &str, alias: &str, collection: &str) -> Result<()>;

    /// Whether a full-text search for `text` in a field that a function fills finds the row of that key.
    async fn finds_text(&self, at: &Scan, field: &str, key: &Key, text: &str) -> Result<bool>;
}

/// Opens a connection, which is when secrets are read and never before.
pub async fn connect(endpoint: &Endpoint) -> Result<Arc<dyn WriteSide>> {
    Ok(Arc::new(milvus::Milvus::connect(endpoint).await?))
}
