//! Searches: a full-text one, to prove that a function's fields were computed, which can neither be read back nor compared; and what
//! it has in common with the search for a sample of keys.

use milvus::proto::common::{DslType, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use milvus::proto::milvus::{SearchRequest, search_request::SearchInput};
use milvus::proto::schema::SearchResultData;
use prost::Message;

use super::{Milvus, describe, expression};
use crate::cluster::{Result, Scan};
use crate::collection::Key;

/// What to search a collection for.
pub(super) struct Wanted<'a> {
    /// The field that is searched.
    pub field: &'a str,
    /// How nearness is measured, as the field's index has it.
    pub metric: &'a str,
    /// Parameters of the index, as JSON.
    pub params: &'a str,
    /// The places to search at.
    pub places: PlaceholderValue,
    /// Rows wanted at each place.
    pub nearest: u64,
    /// Which rows may be found: an expression of Milvus, or nothing for all.
    pub among: String,
}

impl Milvus {
    /// Searches as of the scan's moment. The answer holds keys and distances only; none is a server that had nothing to say.
    pub(super) async fn search(&self, action: &str, at: &Scan, wanted: Wanted<'_>) -> Result<Option<SearchResultData>> {
        let nearest = wanted.nearest.to_string();
        let params = [
            ("anns_field", wanted.field),
            ("topk", nearest.as_str()),
            ("metric_type", wanted.metric),
            ("params", wanted.params),
            ("round_decimal", "-1"),
        ];
        let request = SearchRequest {
            db_name: at.database.clone(),
            collection_name: at.collection.clone(),
            partition_names: at.partitions.clone(),
            dsl: wanted.among,
            dsl_type: DslType::BoolExprV1.into(),
            search_params: describe::key_values(params.map(|(key, value)| (key.to_owned(), value.to_owned()))),
            guarantee_timestamp: at.moment.timestamp,
            nq: wanted.places.values.len() as i64,
            consistency_level: Self::level(at).into(),
            search_input: Some(SearchInput::PlaceholderGroup(
                PlaceholderGroup { placeholders: vec![wanted.places] }.encode_to_vec(),
            )),
            ..Default::default()
        };
        let answer = self
            .client
            .ask_for_rows(
                action,
                request,
                |client, request| {
                    let mut stub = client.stub();
                    async move { stub.search(request).await }
                },
                |answer| answer.status.as_ref(),
            )
            .await?;
        Ok(answer.results)
    }

    /// Whether a search for `text` finds the row of that key, which is all that the search is asked about.
    pub(super) async fn search_text(&self, at: &Scan, field: &str, key: &Key, text: &str) -> Result<bool> {
        let action = format!("search field `{field}` of collection `{}`", at.collection);
        let places = PlaceholderValue {
            tag: "$0".to_owned(),
            r#type: PlaceholderType::VarChar.into(),
            values: vec![text.as_bytes().to_vec()],
            ..Default::default()
        };
        let among = expression::among(&at.key.name, std::slice::from_ref(key), None);
        let wanted = Wanted { field, metric: "BM25", params: "{}", places, nearest: 1, among };
        let found = self.search(&action, at, wanted).await?;
        Ok(found.is_some_and(|found| found.topks.first().is_some_and(|rows| *rows > 0)))
    }
}
