//! Which rights a login lacks, found by calls that change nothing.
//!
//! A server with logins looks at rights before it looks at anything else, so a call that cannot succeed tells whether it
//! would have been allowed. Each call here names a collection that nobody has, and was seen to be refused in that way by
//! Milvus 2.3.5, with `PERMISSION_DENIED` and the name of the privilege, and to do nothing for a user who may do everything.
//! Rights may be granted for some collections by name. So what is refused is asked for again with the plan's names, by calls
//! that lack what they would need to do anything: rows, a field, a partition. Collections are made and dropped under the
//! made-up name only.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use milvus::proto::common::Status;
use milvus::proto::milvus::{
    AlterCollectionRequest, CreateCollectionRequest, CreateIndexRequest, DeleteRequest, DescribeCollectionRequest,
    DescribeIndexRequest, DropCollectionRequest, FlushRequest, GetCollectionStatisticsRequest, GetFlushStateRequest,
    GetLoadStateRequest, InsertRequest, LoadPartitionsRequest, QueryRequest, ReleasePartitionsRequest,
    ShowPartitionsRequest, UpsertRequest,
};

use super::Milvus;
use super::client::Stub;
use crate::cluster::ErrorKind;

/// The privilege that a call was refused for, if it was.
type Refusal<'a> = BoxFuture<'a, Option<String>>;

impl Milvus {
    /// The privileges that the login lacks for all of these collections, as Milvus names them, in the order of their names.
    /// What the server answers otherwise than expected is not held against anybody.
    pub(super) async fn lacking_rights(&self, database: &str, collections: &[String], writes: bool) -> Vec<String> {
        let made_up = format!("vecferry_{}", uuid::Uuid::new_v4().simple());
        let by_name = self.named(database, &made_up, &made_up, writes);
        let mut suspects = outcome(by_name).await;
        if writes {
            suspects.extend(outcome(vec![("Flush", self.flushing(database, &made_up))]).await);
        }
        let mut lacking: BTreeMap<&str, String> = match writes {
            true => outcome(self.for_all(database, &made_up)).await,
            false => BTreeMap::new(),
        };
        for collection in collections {
            suspects.retain(|privilege, _| !lacking.contains_key(privilege));
            if suspects.is_empty() {
                break;
            }
            let mut again = self.named(database, collection, &made_up, writes);
            // A flush needs nothing more than a name, so it is tried where there is nothing to flush only.
            if writes && matches!(self.description(database, collection).await, Ok(None)) {
                again.push(("Flush", self.flushing(database, collection)));
            }
            again.retain(|(privilege, _)| suspects.contains_key(privilege));
            lacking.extend(outcome(again).await);
        }
        if collections.is_empty() {
            lacking.extend(suspects);
        }
        let mut names: Vec<String> = lacking.into_values().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Calls whose rights can be granted for a collection by its name. They name a partition and a field that nobody has.
    fn named(&self, database: &str, collection: &str, nobody: &str, writes: bool) -> Vec<(&'static str, Refusal<'_>)> {
        let (db_name, collection_name) = (database.to_owned(), collection.to_owned());
        let condition = format!("{nobody} in [1]");
        let query = QueryRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            expr: condition.clone(),
            ..Default::default()
        };
        let describe = DescribeCollectionRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let index = DescribeIndexRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let partitions = ShowPartitionsRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let statistics = GetCollectionStatisticsRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let state = GetLoadStateRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let mut calls = vec![
            ("Query", self.try_it(|mut to| async move { to.query(query).await }, |a| a.status.as_ref())),
            (
                "DescribeCollection",
                self.try_it(|mut to| async move { to.describe_collection(describe).await }, |a| a.status.as_ref()),
            ),
            ("IndexDetail", self.try_it(|mut to| async move { to.describe_index(index).await }, |a| a.status.as_ref())),
            (
                "ShowPartitions",
                self.try_it(|mut to| async move { to.show_partitions(partitions).await }, |a| a.status.as_ref()),
            ),
            (
                "GetStatistics",
                self.try_it(
                    |mut to| async move { to.get_collection_statistics(statistics).await },
                    |a| a.status.as_ref(),
                ),
            ),
            (
                "GetLoadState",
                self.try_it(|mut to| async move { to.get_load_state(state).await }, |a| a.status.as_ref()),
            ),
        ];
        if !writes {
            return calls;
        }
        // Without rows, whatever the collection is.
        let insert =
            InsertRequest { db_name: db_name.clone(), collection_name: collection_name.clone(), ..Default::default() };
        let upsert =
            UpsertRequest { db_name: db_name.clone(), collection_name: collection_name.clone(), ..Default::default() };
        let delete = DeleteRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            expr: condition,
            ..Default::default()
        };
        let create_index = CreateIndexRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            field_name: nobody.to_owned(),
            ..Default::default()
        };
        let load = LoadPartitionsRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            partition_names: vec![nobody.to_owned()],
            ..Default::default()
        };
        let release = ReleasePartitionsRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            partition_names: vec![nobody.to_owned()],
            ..Default::default()
        };
        let flushed = GetFlushStateRequest { db_name, collection_name, ..Default::default() };
        calls.extend([
            ("Insert", self.try_it(|mut to| async move { to.insert(insert).await }, |a| a.status.as_ref())),
            ("Upsert", self.try_it(|mut to| async move { to.upsert(upsert).await }, |a| a.status.as_ref())),
            ("Delete", self.try_it(|mut to| async move { to.delete(delete).await }, |a| a.status.as_ref())),
            ("CreateIndex", self.try_it(|mut to| async move { to.create_index(create_index).await }, |a| Some(a))),
            ("Load", self.try_it(|mut to| async move { to.load_partitions(load).await }, |a| Some(a))),
            ("Release", self.try_it(|mut to| async move { to.release_partitions(release).await }, |a| Some(a))),
            (
                "GetFlushState",
                self.try_it(|mut to| async move { to.get_flush_state(flushed).await }, |a| a.status.as_ref()),
            ),
        ]);
        calls
    }

    fn flushing(&self, database: &str, collection: &str) -> Refusal<'_> {
        let flush = FlushRequest {
            db_name: database.to_owned(),
            collection_names: vec![collection.to_owned()],
            ..Default::default()
        };
        self.try_it(|mut to| async move { to.flush(flush).await }, |a| a.status.as_ref())
    }

    /// Calls whose rights are granted for all collections or for none.
    fn for_all(&self, database: &str, made_up: &str) -> Vec<(&'static str, Refusal<'_>)> {
        let (db_name, collection_name) = (database.to_owned(), made_up.to_owned());
        // Without a schema there is nothing to make, and without properties nothing to change.
        let create = CreateCollectionRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let alter = AlterCollectionRequest {
            db_name: db_name.clone(),
            collection_name: collection_name.clone(),
            ..Default::default()
        };
        let drop = DropCollectionRequest { db_name, collection_name, ..Default::default() };
        vec![
            ("CreateCollection", self.try_it(|mut to| async move { to.create_collection(create).await }, |a| Some(a))),
            ("AlterCollection", self.try_it(|mut to| async move { to.alter_collection(alter).await }, |a| Some(a))),
            ("DropCollection", self.try_it(|mut to| async move { to.drop_collection(drop).await }, |a| Some(a))),
        ]
    }

    /// Sends a call once; tells the server's words where it refuses the right to it.
    fn try_it<'a, R, F>(&'a self, call: impl FnOnce(Stub) -> F, status_of: fn(&R) -> Option<&Status>) -> Refusal<'a>
    where
        R: Send + 'a,
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>> + Send + 'a,
    {
        let call = call(self.client.stub());
        async move {
            let error = self.client.once("look at the rights of the login", call, status_of).await.err()?;
            (error.kind == ErrorKind::Forbidden).then_some(error.message)
        }
        .boxed()
    }
}

/// What was refused: by what it was tried for, the privilege as the server calls it.
async fn outcome<'k>(calls: Vec<(&'k str, Refusal<'_>)>) -> BTreeMap<&'k str, String> {
    let (names, calls): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    let refusals = names.into_iter().zip(join_all(calls).await);
    refusals.filter_map(|(name, words)| Some((name, privilege(&words?).unwrap_or(name).to_owned()))).collect()
}

/// `Load` in `PrivilegeLoad: permission deny to migrator`: which one a call needs differs between versions.
fn privilege(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once("Privilege")?;
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_names_the_privilege() {
        assert_eq!(privilege("PrivilegeLoad: permission deny to migrator"), Some("Load"));
        assert_eq!(privilege("permission denied"), None);
        assert_eq!(privilege("Privilege: none"), None);
    }
}
