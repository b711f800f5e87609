//! Full-text search, to prove that a function's fields were computed: they can neither be read back nor compared.

use milvus::proto::common::{ConsistencyLevel, DslType, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use milvus::proto::milvus::{SearchRequest, search_request::SearchInput};
use prost::Message;

use super::{Milvus, describe, expression};
use crate::cluster::{Result, Scan};
use crate::collection::Key;

impl Milvus {
    /// Whether a search for `text` finds the row of that key, which is all that the search is asked about.
    pub(super) async fn search_text(&self, at: &Scan, field: &str, key: &Key, text: &str) -> Result<bool> {
        let action = format!("search field `{field}` of collection `{}`", at.collection);
        let value = PlaceholderValue {
            tag: "$0".to_owned(),
            r#type: PlaceholderType::VarChar.into(),
            values: vec![text.as_bytes().to_vec()],
            ..Default::default()
        };
        let params =
            [("anns_field", field), ("topk", "1"), ("metric_type", "BM25"), ("params", "{}"), ("round_decimal", "-1")];
        let level = if at.moment.timestamp > 0 { ConsistencyLevel::Customized } else { ConsistencyLevel::Strong };
        let request = SearchRequest {
            db_name: at.database.clone(),
            collection_name: at.collection.clone(),
            partition_names: at.partitions.clone(),
            dsl: expression::among(&at.key.name, std::slice::from_ref(key), None),
            dsl_type: DslType::BoolExprV1.into(),
            output_fields: Vec::new(),
            search_params: describe::key_values(params.map(|(key, value)| (key.to_owned(), value.to_owned()))),
            guarantee_timestamp: at.moment.timestamp,
            nq: 1,
            consistency_level: level.into(),
            search_input: Some(SearchInput::PlaceholderGroup(
                PlaceholderGroup { placeholders: vec![value] }.encode_to_vec(),
            )),
            ..Default::default()
        };
        let answer = self
            .client
            .ask_for_rows(
                &action,
                request,
                |client, request| {
                    let mut stub = client.stub();
                    async move { stub.search(request).await }
                },
                |answer| answer.status.as_ref(),
            )
            .await?;
        Ok(answer.results.is_some_and(|results| results.topks.first().is_some_and(|found| *found > 0)))
    }
}
