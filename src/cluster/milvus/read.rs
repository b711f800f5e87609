//! Reading from Milvus.
//!
//! Queries say exactly how fresh they must be: `Customized` consistency with a timestamp that the server gave out. With
//! `Session`, `Bounded` or `Eventually` Milvus 2.3.5 misses the last writes, and `Strong` costs 0.2 s a call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use milvus::proto::common::ConsistencyLevel;
use milvus::proto::milvus::{
    AllocTimestampRequest, GetCollectionStatisticsRequest, GetVersionRequest, ListDatabasesRequest,
    LoadCollectionRequest, QueryRequest, ReleaseCollectionRequest, ReleasePartitionsRequest, ShowCollectionsRequest,
};

use super::capabilities::{self, Version};
use super::client::{Client, Stub};
use super::{Milvus, decode, describe, expression, wire};
use crate::cluster::{ErrorKind, Fitting, Moment, ReadSide, Result, Sampling, Scan, Watch};
use crate::collection::{
    BatchError, Capabilities, DYNAMIC_FIELD, DataType, Field, Index, Key, KeyRange, LiveCollection, LoadState, RowBatch,
};
use crate::crash_point;
use crate::plan::resolved::Endpoint;

/// Most rows that a query with a limit may ask for.
const MAX_WINDOW: usize = 16_384;
/// Most rows that a count is believed. Sums of counts, of which there are many, then stay far below what a number holds.
const MOST_ROWS: u64 = 1 << 48;
/// How long a load may take without getting further.
const LOAD_PATIENCE: Duration = Duration::from_secs(600);

impl Milvus {
    /// Connects and asks for the server's version.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self> {
        let client = Client::connect(endpoint).await?;
        let mut stub = client.stub();
        let answer = client
            .once("ask for the server's version", stub.get_version(GetVersionRequest {}), |answer| {
                answer.status.as_ref()
            })
            .await?;
        let version = Version::parse(&answer.version);
        Ok(Self { client, capabilities: capabilities::of(version), version, known: Arc::default() })
    }

    /// The same connection, whose repeated requests are told to `watch`.
    pub(super) fn told_to(&self, watch: Arc<dyn Watch>) -> Self {
        let (capabilities, known) = (self.capabilities.clone(), Arc::clone(&self.known));
        Self { client: self.client.watched(watch), capabilities, version: self.version, known }
    }

    /// Whether this server may be asked for a snapshot.
    fn has_sessions(&self) -> bool {
        self.version.milvus_since(2, 5, 0)
    }

    /// The server's time, where it gives it out.
    async fn timestamp(&self) -> Option<u64> {
        let mut stub = self.client.stub();
        let call = stub.alloc_timestamp(AllocTimestampRequest::default());
        let answer = self.client.once("take a timestamp", call, |answer| answer.status.as_ref()).await.ok()?;
        (answer.timestamp > 0).then_some(answer.timestamp)
    }

    pub(super) async fn query(
        &self,
        scan: &Scan,
        expr: String,
        output: Vec<String>,
        params: Vec<(&str, String)>,
    ) -> Result<wire::Answer> {
        let action = format!("query collection `{}`", scan.collection);
        let request = QueryRequest {
            db_name: scan.database.clone(),
            collection_name: scan.collection.clone(),
            expr,
            output_fields: output,
            partition_names: scan.partitions.clone(),
            guarantee_timestamp: scan.moment.timestamp,
            consistency_level: Self::level(scan).into(),
            use_default_consistency: false,
            query_params: describe::key_values(params.into_iter().map(|(key, value)| (key.to_owned(), value))),
            ..QueryRequest::default()
        };
        self.client
            .ask_for_rows(
                &action,
                request,
                |client, request| wire::query(client.rows(), request),
                |answer| answer.status.as_ref(),
            )
            .await
    }

    pub(super) fn select(scan: &Scan, range: &KeyRange) -> String {
        let text_key = scan.key.data_type == DataType::VarChar;
        expression::select(&scan.key.name, text_key, range, Self::condition(scan).as_deref())
    }

    /// As of the scan's moment; where it has none, with all that was written before.
    pub(super) fn level(scan: &Scan) -> ConsistencyLevel {
        if scan.moment.timestamp > 0 { ConsistencyLevel::Customized } else { ConsistencyLevel::Strong }
    }

    /// The plan's filter, and the range of another field where the scan has one.
    pub(super) fn condition(scan: &Scan) -> Option<String> {
        let within = scan
            .within
            .as_ref()
            .map(|(field, range)| expression::select(&field.name, field.data_type == DataType::VarChar, range, None));
        match (&scan.filter, within) {
            (Some(filter), Some(within)) => Some(format!("({filter}) and {within}")),
            (Some(filter), None) => Some(filter.clone()),
            (None, within) => within,
        }
    }

    async fn rows(
        &self,
        scan: &Scan,
        range: &KeyRange,
        fields: &[Field],
        params: Vec<(&str, String)>,
    ) -> Result<RowBatch> {
        let output = fields.iter().map(|field| field.name.clone()).collect();
        let answer = self.query(scan, Self::select(scan, range), output, params).await?;
        let batch = decode::batch(fields, answer.fields_data);
        batch.and_then(|batch| batch.check_range(range).map(|()| batch)).map_err(|error| {
            let kind = if matches!(error, BatchError::TooLarge(_)) { ErrorKind::TooLarge } else { ErrorKind::Nonsense };
            self.client.error(kind, &format!("query collection `{}`", scan.collection), error.to_string())
        })
    }

    async fn count_where(&self, scan: &Scan, expr: String) -> Result<u64> {
        let answer = self.query(scan, expr, vec!["count(*)".to_owned()], Vec::new()).await?;
        let nonsense = |message: &str| {
            let action = format!("count the rows of collection `{}`", scan.collection);
            self.client.error(ErrorKind::Nonsense, &action, message)
        };
        match decode::count(&answer.fields_data).and_then(|count| u64::try_from(count).ok()) {
            Some(count) if count <= MOST_ROWS => Ok(count),
            Some(count) => Err(nonsense(&format!("the answer counts {count} rows, more than any collection holds"))),
            None => Err(nonsense("the answer holds no count")),
        }
    }
}

#[async_trait]
impl ReadSide for Milvus {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn watched(&self, watch: Arc<dyn Watch>) -> Arc<dyn ReadSide> {
        Arc::new(self.told_to(watch))
    }

    async fn databases(&self) -> Result<Option<Vec<String>>> {
        let answer = self
            .client
            .ask(
                "list databases",
                ListDatabasesRequest::default(),
                |mut stub, request| async move { stub.list_databases(request).await },
                |answer| answer.status.as_ref(),
            )
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer.db_names)),
            // Serverless clusters and old servers have no databases to list, and not every user may.
            Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Forbidden) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn collections(&self, database: &str) -> Result<Vec<String>> {
        let request = ShowCollectionsRequest { db_name: database.to_owned(), ..Default::default() };
        let answer = self
            .client
            .ask(
                "list collections",
                request,
                |mut stub, request| async move { stub.show_collections(request).await },
                |answer| answer.status.as_ref(),
            )
            .await?;
        let mut names = answer.collection_names;
        names.sort();
        Ok(names)
    }

    async fn describe(&self, database: &str, collection: &str) -> Result<Option<LiveCollection>> {
        let Some(answer) = self.description(database, collection).await? else { return Ok(None) };
        let (schema, mark) = describe::read(&answer, self.version.lite);
        if let Some(message) = describe::nonsense(&schema) {
            let action = format!("describe collection `{collection}`");
            return Err(self.client.error(ErrorKind::Nonsense, &action, message));
        }
        let name = answer
            .schema
            .as_ref()
            .map(|schema| schema.name.clone())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| collection.to_owned());
        // Where the server says that there is one, it is the default one, which cannot be dropped; and those of a partition key are
        // the server's own business. milvus-lite says nothing.
        let unnamed = answer.num_partitions == 1 || schema.has_partition_key();
        let partitions = async { if unnamed { Ok(Vec::new()) } else { self.partitions(database, &name).await } };
        let (partitions, indexes, whole) = futures::try_join!(
            partitions,
            self.indexes(database, &name),
            self.load_state(database, &name, Vec::new()),
        )?;
        let partitions = describe::named_partitions(&schema, partitions);
        // With some partitions loaded, queries that name none silently answer from those alone, so each is asked for.
        let mut unloaded_partitions = Vec::new();
        let mut load_state = whole;
        if whole != LoadState::NotLoaded && partitions.len() > 1 && !self.version.lite {
            let states = partitions.iter().map(|partition| self.load_state(database, &name, vec![partition.clone()]));
            let states = try_join_all(states).await?;
            let unloaded = partitions.iter().zip(states).filter(|(_, state)| *state != LoadState::Loaded);
            unloaded_partitions = unloaded.map(|(partition, _)| partition.clone()).collect();
            load_state = if unloaded_partitions.is_empty() { LoadState::Loaded } else { LoadState::Loading };
        }
        // Every version of Milvus names them in the description, and milvus-lite nowhere but in their list.
        let aliases = if self.version.lite { self.aliases(database, &name).await } else { answer.aliases };
        Ok(Some(LiveCollection {
            id: answer.collection_id,
            name,
            schema,
            partitions,
            indexes: indexes
                .into_iter()
                .map(|index| Index {
                    field: index.field_name,
                    name: index.index_name,
                    params: describe::pairs(&index.params),
                })
                .collect(),
            load_state,
            unloaded_partitions,
            aliases,
            mark,
        }))
    }

    async fn is_loaded(&self, database: &str, collection: &str) -> Result<bool> {
        Ok(self.load_state(database, collection, Vec::new()).await? == LoadState::Loaded)
    }

    async fn moment(&self, database: &str, collection: &str) -> Result<Moment> {
        if self.has_sessions() {
            let scan = Scan {
                database: database.to_owned(),
                collection: collection.to_owned(),
                partitions: Vec::new(),
                filter: None,
                within: None,
                key: Field::new(DYNAMIC_FIELD, DataType::Int64),
                moment: Moment::default(),
                page: Arc::new(Fitting::new(1)),
            };
            let params = vec![
                ("iterator", "True".to_owned()),
                ("reduce_stop_for_best", "True".to_owned()),
                ("limit", "1".to_owned()),
            ];
            let answer = self.query(&scan, String::new(), Vec::new(), params).await?;
            if answer.session_ts > 0 {
                return Ok(Moment { timestamp: answer.session_ts, snapshot: true });
            }
        }
        // A server that gives out none (milvus-lite, or one whose users may not ask) is read with its strongest consistency.
        Ok(Moment { timestamp: self.timestamp().await.unwrap_or_default(), snapshot: false })
    }

    async fn moment_before_load(&self) -> Result<Option<Moment>> {
        // A session begins with a query, which needs a collection that is loaded.
        let timestamp = if self.has_sessions() { None } else { self.timestamp().await };
        Ok(timestamp.map(|timestamp| Moment { timestamp, snapshot: false }))
    }

    async fn count(&self, scan: &Scan, range: &KeyRange) -> Result<u64> {
        self.count_where(scan, Self::select(scan, range)).await
    }

    async fn count_keys(&self, scan: &Scan, keys: &[Key]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        self.count_where(scan, expression::among(&scan.key.name, keys, Self::condition(scan).as_deref())).await
    }

    async fn statistics(&self, database: &str, collection: &str) -> Result<u64> {
        let action = format!("ask for the statistics of collection `{collection}`");
        let request = GetCollectionStatisticsRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let answer = self
            .client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.get_collection_statistics(request).await },
                |answer| answer.status.as_ref(),
            )
            .await?;
        let rows = describe::pairs(&answer.stats).get("row_count").and_then(|rows| rows.parse().ok());
        Ok(rows.unwrap_or_default())
    }

    async fn read_range(&self, scan: &Scan, range: &KeyRange, fields: &[Field]) -> Result<RowBatch> {
        self.rows(scan, range, fields, Vec::new()).await
    }

    async fn read_next(&self, scan: &Scan, range: &KeyRange, fields: &[Field], limit: usize) -> Result<RowBatch> {
        let params = vec![
            ("limit", limit.clamp(1, MAX_WINDOW).to_string()),
            // Both spellings: 2.3 knows only the second, and newer servers return short or unordered pages without the first.
            ("iterator", "True".to_owned()),
            ("reduce_stop_for_best", "True".to_owned()),
        ];
        self.rows(scan, range, fields, params).await
    }

    async fn sample_keys(&self, scan: &Scan, how: Sampling, one_in: u64, most: u64) -> Result<Option<Vec<Key>>> {
        // It goes through all of its rows for each query, however few it returns.
        if self.version.lite {
            return Ok(None);
        }
        if scan.key.data_type != DataType::Int64 {
            return self.sample_by_search(scan, most).await;
        }
        if how == Sampling::Quick {
            match self.sample_by_search(scan, most).await {
                Ok(Some(keys)) => return Ok(Some(keys)),
                // Who may not search may still read.
                Ok(None) => {}
                Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Forbidden) => {}
                Err(error) => return Err(error),
            }
        }
        self.sample_by_remainder(scan, one_in, most).await.map(Some)
    }

    async fn load(&self, database: &str, collection: &str) -> Result<()> {
        let action = format!("load collection `{collection}`");
        let request = LoadCollectionRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            replica_number: 1,
            ..Default::default()
        };
        self.client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.load_collection(request).await },
                |answer| Some(answer),
            )
            .await?;
        crash_point::reached("load");
        let polling = self.client.waiting.begin();
        while self.load_state(database, collection, Vec::new()).await? != LoadState::Loaded {
            if polling.elapsed() > LOAD_PATIENCE {
                let message = format!("it is still not loaded after {} s", LOAD_PATIENCE.as_secs());
                return Err(self.client.error(ErrorKind::Transient, &action, message));
            }
            polling.pause().await;
        }
        Ok(())
    }

    async fn lacking(&self, database: &str, collections: &[String], writes: bool) -> Vec<String> {
        // It has no logins.
        if self.version.lite { Vec::new() } else { self.lacking_rights(database, collections, writes).await }
    }

    async fn release(&self, database: &str, collection: &str, partitions: &[String]) -> Result<()> {
        let action = format!("release collection `{collection}`");
        if partitions.is_empty() {
            let request = ReleaseCollectionRequest {
                db_name: database.to_owned(),
                collection_name: collection.to_owned(),
                ..Default::default()
            };
            let call = |mut stub: Stub, request| async move { stub.release_collection(request).await };
            self.client.ask(&action, request, call, |answer| Some(answer)).await?;
        } else {
            let request = ReleasePartitionsRequest {
                db_name: database.to_owned(),
                collection_name: collection.to_owned(),
                partition_names: partitions.to_vec(),
                ..Default::default()
            };
            let call = |mut stub: Stub, request| async move { stub.release_partitions(request).await };
            self.client.ask(&action, request, call, |answer| Some(answer)).await?;
        }
        crash_point::reached("release");
        Ok(())
    }
}
