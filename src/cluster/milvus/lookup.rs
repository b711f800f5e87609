//! What a server says about a collection beside its rows: its description, indexes, partitions, aliases and load state.

use milvus::proto::common::LoadState as WireLoadState;
use milvus::proto::milvus::{
    DescribeCollectionRequest, DescribeCollectionResponse, DescribeIndexRequest, GetLoadStateRequest, IndexDescription,
    ListAliasesRequest, ShowPartitionsRequest,
};

use super::Milvus;
use crate::cluster::{ErrorKind, Result};
use crate::collection::LoadState;

impl Milvus {
    pub(super) async fn load_state(
        &self,
        database: &str,
        collection: &str,
        partitions: Vec<String>,
    ) -> Result<LoadState> {
        let action = format!("ask for the load state of collection `{collection}`");
        let request = GetLoadStateRequest {
            collection_name: collection.to_owned(),
            partition_names: partitions,
            db_name: database.to_owned(),
            base: None,
        };
        let answer = self
            .client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.get_load_state(request).await },
                |answer| answer.status.as_ref(),
            )
            .await?;
        Ok(match WireLoadState::try_from(answer.state) {
            Ok(WireLoadState::Loaded) => LoadState::Loaded,
            Ok(WireLoadState::Loading) => LoadState::Loading,
            _ => LoadState::NotLoaded,
        })
    }

    pub(super) async fn indexes(&self, database: &str, collection: &str) -> Result<Vec<IndexDescription>> {
        let action = format!("describe the indexes of collection `{collection}`");
        let request = DescribeIndexRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let answer = self
            .client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.describe_index(request).await },
                |answer| answer.status.as_ref(),
            )
            .await;
        match answer {
            Ok(answer) => Ok(answer.index_descriptions),
            // 700: the collection has none. milvus-lite answers with another code and the same words.
            Err(error)
                if error.code == Some(700) || error.code == Some(25) || error.message.contains("index not found") =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn partitions(&self, database: &str, collection: &str) -> Result<Vec<String>> {
        let action = format!("list the partitions of collection `{collection}`");
        let request = ShowPartitionsRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let answer = self
            .client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.show_partitions(request).await },
                |answer| answer.status.as_ref(),
            )
            .await?;
        Ok(answer.partition_names)
    }

    /// The server's own description, or none where there is no such collection.
    pub(super) async fn description(
        &self,
        database: &str,
        collection: &str,
    ) -> Result<Option<DescribeCollectionResponse>> {
        let action = format!("describe collection `{collection}`");
        let request = DescribeCollectionRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let answer = self
            .client
            .ask(
                &action,
                request,
                |mut stub, request| async move { stub.describe_collection(request).await },
                |answer| answer.status.as_ref(),
            )
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            // 2.3.5 answers with the general code 1 where there is no such collection.
            Err(error) if error.message.contains("can't find collection") || error.message.contains("not found") => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Aliases, for servers that do not name them in the description. One that cannot list them has none to tell of.
    pub(super) async fn aliases(&self, database: &str, collection: &str) -> Vec<String> {
        let mut stub = self.client.stub();
        let request = ListAliasesRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            ..Default::default()
        };
        let answer =
            self.client.once("list aliases", stub.list_aliases(request), |answer| answer.status.as_ref()).await;
        answer.map(|answer| answer.aliases).unwrap_or_default()
    }
}
