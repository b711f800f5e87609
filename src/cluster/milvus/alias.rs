//! Aliases. Milvus switches one from collection to collection in one step, so readers never meet a gap.

use milvus::proto::milvus::{AlterAliasRequest, CreateAliasRequest};

use super::Milvus;
use crate::cluster::{ErrorKind, ReadSide, Result};

impl Milvus {
    /// Makes an alias of the collection, or switches one to it. The description of an alias names the collection behind it,
    /// on every version and in every database, which the calls that list aliases do not.
    pub(super) async fn switch_alias(&self, database: &str, alias: &str, collection: &str) -> Result<()> {
        let action = format!("point alias `{alias}` to collection `{collection}`");
        match self.behind(database, alias).await?.as_deref() {
            Some(name) if name == collection => Ok(()),
            Some(name) if name == alias => {
                let message = format!("`{alias}` is the name of a collection");
                Err(self.client.error(ErrorKind::Refused, &action, message))
            }
            Some(_) => self.alter_alias(&action, database, alias, collection).await,
            None => {
                let request = CreateAliasRequest {
                    db_name: database.to_owned(),
                    collection_name: collection.to_owned(),
                    alias: alias.to_owned(),
                    ..Default::default()
                };
                let mut stub = self.client.stub();
                let Err(error) = self.client.once(&action, stub.create_alias(request), |answer| Some(answer)).await
                else {
                    return Ok(());
                };
                // The answer may have been lost after the alias was made. And an alias of a collection that was dropped is
                // there on Milvus 2.3.5 although nothing describes it: it can be switched and not be made.
                let _ = self.alter_alias(&action, database, alias, collection).await;
                let there = self.behind(database, alias).await?.as_deref() == Some(collection);
                if there { Ok(()) } else { Err(error) }
            }
        }
    }

    /// The collection that a name stands for: its own, or that of the collection behind an alias.
    async fn behind(&self, database: &str, name: &str) -> Result<Option<String>> {
        Ok(self.describe(database, name).await?.map(|live| live.name))
    }

    async fn alter_alias(&self, action: &str, database: &str, alias: &str, collection: &str) -> Result<()> {
        let request = AlterAliasRequest {
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
            alias: alias.to_owned(),
            ..Default::default()
        };
        let call = |mut stub: super::client::Stub, request| async move { stub.alter_alias(request).await };
        self.client.ask(action, request, call, |answer| Some(answer)).await?;
        Ok(())
    }
}
