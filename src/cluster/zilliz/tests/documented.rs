//! What is sent and read, held against what is documented: `tests/documented/zilliz-cloud.json`, written from the reference.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::super::answers::{
    ClusterAnswer, CreatedAnswer, Envelope, ImportAnswer, ImportsAnswer, JobAnswer, ProjectAnswer, RegionAnswer,
    StartedAnswer,
};
use super::super::gate;
use super::super::requests::{self, Call, Method};
use super::super::*;
use super::service::{Asked, Reply, Service};
use super::{backups, migration, new_cluster, plane};
use crate::plan::resolved::{CloudPlan, CuType};

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documented/zilliz-cloud.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// The documented call that a request is one of. Ids begin with a word and a hyphen, and no other part of a path does.
fn documented<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let parts: Vec<&str> = path.split('/').map(|part| if part.contains('-') { "{}" } else { part }).collect();
    let path = parts.join("/");
    let calls = document["calls"].as_array().unwrap();
    let found = calls.iter().find(|call| call["method"] == method && call["path"] == path);
    found.unwrap_or_else(|| panic!("{method} {path} is not documented"))
}

/// Every field below a value with its type: `a`, `a.b`, `a[]`, `a[].c`.
fn fields(value: &Value, at: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !at.is_empty() {
        found.insert(at.to_owned(), kind);
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                fields(value, &at, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|one| fields(one, &format!("{at}[]"), found)),
        _ => {}
    }
}

/// What is wrong with a request by its documentation.
fn complaints(document: &Value, asked: &Asked) -> Vec<String> {
    let call = documented(document, &asked.method, &asked.path);
    let mut sent = BTreeMap::new();
    fields(asked.body.as_ref().unwrap_or(&Value::Null), "", &mut sent);
    let mut wrong = Vec::new();
    for (name, kind) in &sent {
        match call["body"].get(name) {
            None => wrong.push(format!("{name} is not documented")),
            Some(field) if field["type"] != *kind => wrong.push(format!("{name} is no {kind}")),
            Some(_) => {}
        }
    }
    for (name, field) in call["body"].as_object().unwrap() {
        if field["required"] == true && !sent.contains_key(name) {
            wrong.push(format!("{name} is missing"));
        }
    }
    for (name, value) in &asked.query {
        match call["query"].get(name) {
            None => wrong.push(format!("?{name} is not documented")),
            Some(field) if field["type"] == "integer" && value.parse::<u64>().is_err() => {
                wrong.push(format!("?{name} is no number"));
            }
            Some(_) => {}
        }
    }
    wrong
}

#[tokio::test]
async fn every_request_is_one_that_is_documented_field_by_field() {
    let answer = r#"{"clusterId":"in01-n","jobId":"job-1","projectId":"proj-1","regionId":"aws-us-west-2"}"#;
    let service = Service::start(move |_, _| Reply::ok(answer)).await;
    let plane = plane(&service);
    plane.clusters().await.unwrap();
    plane.cluster("in01-a").await.unwrap().unwrap();
    plane.projects().await.unwrap();
    plane.regions().await.unwrap();
    plane.resume("in01-a").await.unwrap();
    plane.job("job-1").await.unwrap().unwrap();
    plane.migrate(&migration()).await.unwrap();
    for backup in backups() {
        plane.migrate_from_backup(&backup).await.unwrap();
    }
    plane.imports("in01-a").await.unwrap();
    plane.import("in01-a", "job-1").await.unwrap().unwrap();
    for description in [None, Some("text".to_owned())] {
        for cu_type in [CuType::PerformanceOptimized, CuType::CapacityOptimized, CuType::TieredStorage] {
            let cu_size = 2;
            for plan in [
                CloudPlan::Serverless,
                CloudPlan::Standard { cu_type, cu_size },
                CloudPlan::Enterprise { cu_type, cu_size },
            ] {
                plane.create(&NewCluster { plan, description: description.clone(), ..new_cluster() }).await.unwrap();
            }
        }
    }
    let document = document();
    let mut called = BTreeSet::new();
    for asked in service.asked() {
        assert_eq!(complaints(&document, &asked), Vec::<String>::new(), "{} {}", asked.method, asked.path);
        let call = documented(&document, &asked.method, &asked.path);
        called.insert(call["path"].as_str().unwrap().to_owned());
        for (name, value) in document["headers"].as_object().unwrap() {
            let sent = asked.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
            if asked.body.is_some() || name != "Content-Type" {
                let wanted = value.as_str().unwrap().split(' ').next().unwrap();
                assert!(sent.is_some_and(|(_, value)| value.starts_with(wanted)), "{name} in {asked:?}");
            }
        }
    }
    let all: BTreeSet<String> =
        document["calls"].as_array().unwrap().iter().map(|call| call["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(called, all, "what is documented here is what is called");
    assert_eq!(document["requests_per_second"], gate::MOST);
    let words: BTreeSet<String> =
        service.asked().iter().filter_map(|asked| asked.body.as_ref()?["cuType"].as_str().map(str::to_owned)).collect();
    assert_eq!(
        words.into_iter().collect::<Vec<_>>(),
        ["Capacity-optimized", "Performance-optimized", "Tiered-storage"]
    );
}

#[test]
fn what_is_not_documented_or_missing_would_be_found() {
    let body = serde_json::json!({"source": {"clusterId": 7, "cluster": "x"}, "dbCollections": [{"destDb": "x"}]});
    let asked = Asked {
        method: "POST".to_owned(),
        path: "/v2/migrations/toExisting".to_owned(),
        query: vec![("retry".to_owned(), "1".to_owned())],
        headers: Vec::new(),
        body: Some(body),
    };
    let expected = [
        "dbCollections[].destDb is not documented",
        "source.cluster is not documented",
        "source.clusterId is no integer",
        "destination is missing",
        "destination.clusterId is missing",
        "?retry is not documented",
    ];
    assert_eq!(complaints(&document(), &asked), expected);
}

/// Takes down which fields a type looks for.
struct Asking<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> std::result::Result<V::Value, Error> {
        Err(Error::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> std::result::Result<V::Value, Error> {
        self.0.extend(fields);
        Err(Error::custom("asked"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn read_by<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    let mut fields = Vec::new();
    let _asked = T::deserialize(Asking(&mut fields));
    assert!(!fields.is_empty());
    fields
}

#[test]
fn every_field_that_is_read_is_documented() {
    let document = document();
    let check = |call: Call, prefix: &str, fields: &[&str]| {
        let method = if call.method == Method::Get { "GET" } else { "POST" };
        let calls = document["calls"].as_array().unwrap();
        let call = calls.iter().find(|known| known["method"] == method && known["path"] == call.path).unwrap();
        for field in fields {
            let name = format!("{prefix}{field}");
            assert!(call["answer"].get(&name).is_some(), "{name} of {} is not documented", call["path"]);
        }
    };
    let of_cluster = read_by::<ClusterAnswer>();
    check(requests::CLUSTER, "", &of_cluster);
    // Lists leave out how far a cluster is made.
    let listed: Vec<&str> = of_cluster.iter().copied().filter(|field| *field != "createProgress").collect();
    check(requests::CLUSTERS, "clusters[].", &listed);
    // `PageAnswer` takes a cluster too, so it cannot be asked for its own fields.
    check(requests::CLUSTERS, "", &["count", "pageSize", "clusters"]);
    check(requests::PROJECTS, "", &read_by::<ProjectAnswer>());
    check(requests::REGIONS, "", &read_by::<RegionAnswer>());
    check(requests::JOB, "", &read_by::<JobAnswer>());
    check(requests::CREATE_DEDICATED, "", &read_by::<CreatedAnswer>());
    check(requests::CREATE_SERVERLESS, "", &read_by::<CreatedAnswer>());
    check(requests::MIGRATE, "", &read_by::<StartedAnswer>());
    check(requests::MIGRATE_BACKUP, "", &read_by::<StartedAnswer>());
    let of_import = read_by::<ImportAnswer>();
    check(requests::IMPORT, "", &of_import);
    check(requests::IMPORTS, "", &read_by::<ImportsAnswer>());
    // Lists tell less of each.
    check(requests::IMPORTS, "records[].", &["jobId", "collectionName", "state"]);
    let mut envelope = Vec::new();
    let _asked = Envelope::deserialize(Asking(&mut envelope));
    assert_eq!(envelope, ["code", "message", "data"]);
    for field in envelope {
        assert!(document["envelope"].get(field).is_some());
    }
}
