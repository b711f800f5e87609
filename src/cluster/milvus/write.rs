//! Writing to Milvus.
//!
//! Rows are sent once and never again from here: an insert whose answer is lost may have landed, wholly or in part (rows of
//! one request go to several channels), and inserting it again would double them. `run` decides what happens then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use milvus::proto::common::IndexState;
use milvus::proto::milvus::{
    AlterCollectionRequest, CreateCollectionRequest, CreateDatabaseRequest, CreateIndexRequest, CreatePartitionRequest,
    DeleteRequest, DropCollectionRequest, DropIndexRequest, HasPartitionRequest, IndexDescription, MutationResult,
};
use prost::Message;

use super::client::Stub;
use super::rope::Rope;
use super::{Milvus, describe, encode, expression, wire};
use crate::cluster::{
    Destination, ErrorKind, Identity, NewCollection, Patience, ReadSide, Result, Scan, Watch, WriteSide,
};
use crate::collection::{Field, Index, Key, RowBatch};
use crate::crash_point;

/// How long an index may be built without getting further.
const INDEX_PATIENCE: Duration = Duration::from_secs(900);

impl Milvus {
    /// Whether all rows were acknowledged. A server that acknowledges fewer has lost some of them or is not what it says.
    fn acknowledged(&self, action: &str, rows: usize, counted: i64, answer: &MutationResult) -> Result<()> {
        if !answer.err_index.is_empty() || usize::try_from(counted).ok() != Some(rows) {
            let message = format!("{counted} of {rows} rows were acknowledged");
            return Err(self.client.error(ErrorKind::Transient, action, message));
        }
        Ok(())
    }

    fn encode(&self, action: &str, to: &Destination, rows: &RowBatch) -> Result<Rope> {
        encode::request(to, rows, &self.capabilities)
            .map_err(|message| self.client.error(ErrorKind::Misfit, action, message))
    }

    /// Makes a database, unless it is there.
    async fn see_to_database(&self, database: &str) -> Result<()> {
        let known = self.databases().await?;
        if known.as_ref().is_some_and(|names| names.iter().any(|name| name == database)) {
            return Ok(());
        }
        let action = format!("create database `{database}`");
        let request = CreateDatabaseRequest { db_name: database.to_owned(), ..Default::default() };
        let call = |mut stub: Stub, request| async move { stub.create_database(request).await };
        match self.client.ask(&action, request, call, |answer| Some(answer)).await {
            Ok(_) => {
                crash_point::reached("create_database");
                Ok(())
            }
            // Who may not list databases may not make one either; whether it is there shows with the first collection.
            Err(_) if known.is_none() => Ok(()),
            // Another collection's task may have made it a moment ago.
            Err(_) if self.databases().await?.is_some_and(|names| names.iter().any(|name| name == database)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl WriteSide for Milvus {
    fn watched_writing(&self, watch: Arc<dyn Watch>) -> Arc<dyn WriteSide> {
        Arc::new(self.told_to(watch))
    }

    fn patience(&self) -> Patience {
        self.client.patience()
    }

    async fn identity(&self, database: &str, collection: &str) -> Result<Option<Identity>> {
        let answer = self.description(database, collection).await?;
        Ok(answer.map(|answer| {
            let (schema, mark) = describe::read(&answer, self.version.lite);
            Identity { id: answer.collection_id, mark, schema }
        }))
    }

    async fn create_database(&self, database: &str) -> Result<()> {
        // All collections of a plan go into one, as a rule. Should somebody drop it meanwhile, no collection can be made in it, and
        // that is what is told.
        if self.known.has_database(database) {
            return Ok(());
        }
        self.see_to_database(database).await?;
        self.known.there_is_database(database);
        Ok(())
    }

    async fn create_collection(&self, database: &str, collection: &NewCollection) -> Result<()> {
        let schema = &collection.schema;
        let properties = schema.properties.clone().into_iter().chain(collection.mark.iter().cloned());
        let request = CreateCollectionRequest {
            db_name: database.to_owned(),
            collection_name: collection.name.clone(),
            schema: describe::write(&collection.name, schema).encode_to_vec(),
            shards_num: i32::try_from(schema.shards.max(1)).unwrap_or(i32::MAX),
            consistency_level: describe::consistency_number(schema.consistency),
            properties: describe::key_values(properties),
            num_partitions: schema.key_partitions.map_or(0, i64::from),
            ..Default::default()
        };
        let action = format!("create collection `{}`", collection.name);
        let mut stub = self.client.stub();
        self.client.once(&action, stub.create_collection(request), |answer| Some(answer)).await?;
        crash_point::reached("create_collection");
        Ok(())
    }

    async fn drop_collection(&self, database: &str, collection: &str) -> Result<()> {
        let action = format!("drop collection `{collection}`");
        let request = DropCollectionRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let dropped = self
            .client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.drop_collection(request).await },
                |answer| Some(answer),
            )
            .await;
        match dropped {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
            dropped => dropped?,
        };
        crash_point::reached("drop_collection");
        Ok(())
    }

    async fn create_partition(&self, database: &str, collection: &str, partition: &str) -> Result<()> {
        let action = format!("create partition `{partition}` of collection `{collection}`");
        // Looked at again before each try: one that was made although its answer was lost is there.
        self.client
            .patiently(|| async {
                let has = HasPartitionRequest {
                    db_name: database.to_owned(),
                    collection_name: collection.to_owned(),
                    partition_name: partition.to_owned(),
                    ..Default::default()
                };
                let mut stub = self.client.stub();
                let there = self.client.once(&action, stub.has_partition(has), |answer| answer.status.as_ref());
                if there.await?.value {
                    return Ok(());
                }
                let request = CreatePartitionRequest {
                    db_name: database.to_owned(),
                    collection_name: collection.to_owned(),
                    partition_name: partition.to_owned(),
                    ..Default::default()
                };
                self.client.once(&action, stub.create_partition(request), |answer| Some(answer)).await?;
                crash_point::reached("create_partition");
                Ok(())
            })
            .await
    }

    async fn insert(&self, to: &Destination, rows: &RowBatch) -> Result<()> {
        let action = format!("insert {} rows into collection `{}`", rows.rows(), to.collection);
        let request = self.encode(&action, to, rows)?;
        let (sender, bytes) = (self.client.rows(), request.len());
        let call = wire::insert(sender, request);
        let sending = self.client.send_rows(&action, bytes, call, |answer| answer.status.as_ref());
        let answer = sending.await?;
        crash_point::reached("insert");
        self.acknowledged(&action, rows.rows(), answer.insert_cnt, &answer)
    }

    async fn upsert(&self, to: &Destination, rows: &RowBatch) -> Result<()> {
        let action = format!("upsert {} rows into collection `{}`", rows.rows(), to.collection);
        let request = self.encode(&action, to, rows)?;
        let (sender, bytes) = (self.client.rows(), request.len());
        let call = wire::upsert(sender, request);
        let sending = self.client.send_rows(&action, bytes, call, |answer| answer.status.as_ref());
        let answer = sending.await?;
        crash_point::reached("upsert");
        self.acknowledged(&action, rows.rows(), answer.upsert_cnt, &answer)
    }

    async fn delete(&self, to: &Destination, key: &Field, keys: &[Key]) -> Result<()> {
        let action = format!("delete {} rows of collection `{}`", keys.len(), to.collection);
        let request = DeleteRequest {
            db_name: to.database.clone(),
            collection_name: to.collection.clone(),
            partition_name: to.partition.clone().unwrap_or_default(),
            expr: expression::among(&key.name, keys, None),
            ..Default::default()
        };
        // Deleting again removes nothing more, so this may be repeated.
        self.client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.delete(request).await },
                |answer| answer.status.as_ref(),
            )
            .await?;
        crash_point::reached("delete");
        Ok(())
    }

    async fn flush(&self, database: &str, collection: &str) -> Result<()> {
        self.flush_and_wait(database, collection).await
    }

    async fn create_index(&self, database: &str, collection: &str, index: &Index) -> Result<()> {
        let action = format!("create the index of field `{}` of collection `{collection}`", index.field);
        let request = CreateIndexRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            field_name: index.field.clone(),
            extra_params: describe::key_values(index.params.clone()),
            index_name: index.name.clone(),
            ..Default::default()
        };
        let call = |mut stub: Stub, request| async move { stub.create_index(request).await };
        match self.client.ask(&action, request, call, |answer| Some(answer)).await {
            Ok(_) => {
                crash_point::reached("create_index");
                Ok(())
            }
            Err(error) if error.is_transient() => Err(error),
            // milvus-lite refuses to make one that is there, and Milvus one that is there by another name. It may come from an
            // earlier try whose answer was lost. Looking only now saves a question where none is there, which is nearly always.
            Err(error) => {
                let Ok(there) = self.indexes(database, collection).await else { return Err(error) };
                let is_it = |found: &IndexDescription| {
                    found.field_name == index.field && describe::pairs(&found.params) == index.params
                };
                if there.iter().any(is_it) { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn wait_for_indexes(
        &self,
        database: &str,
        collection: &str,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<()> {
        let action = format!("build the indexes of collection `{collection}`");
        let (mut furthest, mut since) = (None, Instant::now());
        let polling = self.client.waiting.begin();
        loop {
            let indexes = self.indexes(database, collection).await?;
            let failed = indexes.iter().find(|index| index.state == i32::from(IndexState::Failed));
            if let Some(failed) = failed {
                let message = format!("field `{}`: {}", failed.field_name, failed.index_state_fail_reason);
                return Err(self.client.error(ErrorKind::Refused, &action, message));
            }
            let number = |value: i64| u64::try_from(value).unwrap_or_default();
            let built: u64 = indexes.iter().map(|index| number(index.indexed_rows)).sum();
            progress(built, indexes.iter().map(|index| number(index.total_rows)).sum());
            if furthest != Some(built) {
                (furthest, since) = (Some(built), Instant::now());
            } else if since.elapsed() > INDEX_PATIENCE {
                let message = format!("no row was indexed for {} s", INDEX_PATIENCE.as_secs());
                return Err(self.client.error(ErrorKind::Transient, &action, message));
            }
            if indexes
                .iter()
                .all(|index| index.state == i32::from(IndexState::Finished) && index.pending_index_rows <= 0)
            {
                return Ok(());
            }
            polling.pause().await;
        }
    }

    async fn drop_index(&self, database: &str, collection: &str, index: &Index) -> Result<()> {
        let action = format!("drop the index of field `{}` of collection `{collection}`", index.field);
        let request = DropIndexRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            field_name: index.field.clone(),
            index_name: index.name.clone(),
            ..Default::default()
        };
        let call = |mut stub: Stub, request| async move { stub.drop_index(request).await };
        match self.client.ask(&action, request, call, |answer| Some(answer)).await {
            Ok(_) => {
                crash_point::reached("drop_index");
                Ok(())
            }
            // Dropped by an earlier try whose answer was lost.
            Err(_)
                if !self.indexes(database, collection).await?.iter().any(|found| found.field_name == index.field) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn set_properties(&self, database: &str, collection: &str, properties: &[(String, String)]) -> Result<()> {
        let action = format!("set properties of collection `{collection}`");
        let request = AlterCollectionRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            properties: describe::key_values(properties.iter().cloned()),
            ..Default::default()
        };
        self.client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.alter_collection(request).await },
                |answer| Some(answer),
            )
            .await?;
        crash_point::reached("set_properties");
        Ok(())
    }

    async fn point_alias(&self, database: &str, alias: &str, collection: &str) -> Result<()> {
        self.switch_alias(database, alias, collection).await?;
        crash_point::reached("point_alias");
        Ok(())
    }

    async fn finds_text(&self, at: &Scan, field: &str, key: &Key, text: &str) -> Result<bool> {
        self.search_text(at, field, key, text).await
    }
}
