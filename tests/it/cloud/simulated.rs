//! The simulator itself: each call of the reference once, what it refuses, and rows that it really moves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, NEW, OLD, OTHER_PROJECT, PROJECT, REGION, Simulator, ask, key, other_key, two_clusters};
use crate::servers::{source, target};
use crate::support::{act, assert_identical, database, fill, place};

impl Simulator {
    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &key(), None)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &key(), Some(body))
    }

    /// Asks until the answer's data is so.
    #[track_caller]
    fn until(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let answer = self.get(path);
            let data = if answer.body["data"].is_null() { &answer.body } else { &answer.body["data"] };
            if done(data) {
                return data.clone();
            }
            assert!(Instant::now() < end, "{path} is still {answer:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    #[track_caller]
    fn ended(&self, job: &Value) -> Value {
        let path = format!("/v2/jobs/{}", job.as_str().expect("a job's id"));
        self.until(&path, |job| ["SUCCESSFUL", "FAILED", "CANCELED"].iter().any(|word| job["status"] == *word))
    }
}

fn migration(collections: &Value) -> Value {
    json!({"source": {"clusterId": OLD}, "destination": {"clusterId": NEW}, "dbCollections": collections})
}

#[test]
fn it_says_in_its_first_line_what_it_is() {
    let cloud = Simulator::start(json!({}));
    assert!(cloud.first_line.contains("simulator") && cloud.first_line.contains("no Zilliz Cloud"));
}

#[test]
fn each_call_about_clusters_and_projects_is_answered_as_documented() {
    let cloud = Simulator::start(two_clusters());
    let listed = cloud.get("/v2/clusters?pageSize=1&currentPage=2").body;
    assert_eq!(listed["code"], 0);
    assert_eq!((&listed["data"]["count"], &listed["data"]["clusters"][0]["clusterId"]), (&json!(2), &json!(NEW)));
    let described = cloud.get(&format!("/v2/clusters/{OLD}"));
    assert!(described.headers.contains("requestid: "), "{}", described.headers);
    assert_eq!(described.body["data"]["connectAddress"], source().uri());
    assert_eq!(described.body["data"]["status"], "RUNNING");
    assert_eq!(cloud.get("/v2/projects").body["data"][0]["projectId"], PROJECT);
    assert_eq!(cloud.get("/v2/clouds").body["data"][0]["cloudId"], "aws");
    assert_eq!(cloud.get("/v2/regions?cloudId=gcp").body["data"][0]["regionId"], "gcp-us-west1");
    for (what, word) in [("suspend", "STOPPED"), ("resume", "RUNNING")] {
        let path = format!("/v2/clusters/{OLD}/{what}");
        assert_eq!(cloud.ask("POST", &path, &key(), None).body["data"]["clusterId"], OLD);
        cloud.until(&format!("/v2/clusters/{OLD}"), |cluster| cluster["status"] == word);
    }
    assert_eq!(cloud.ask("DELETE", &format!("/v2/clusters/{NEW}/drop"), &key(), None).body["code"], 0);
    assert_eq!(cloud.get(&format!("/v2/clusters/{NEW}")).body["code"], 80020);
}

#[test]
fn a_cluster_is_made_once_and_its_password_said_once() {
    let cloud = Simulator::start(two_clusters());
    let wanted = json!({"clusterName": "made", "projectId": PROJECT, "regionId": REGION});
    let dedicated = json!({"plan": "Enterprise", "cuType": "Performance-optimized", "cuSize": 2});
    let mut body = wanted.clone();
    body.as_object_mut().unwrap().extend(dedicated.as_object().unwrap().clone());
    let made = cloud.post("/v2/clusters/createDedicated", &body).body["data"].clone();
    assert!(made["password"].as_str().unwrap().contains(crate::secrets::MARK), "{made}");
    let path = format!("/v2/clusters/{}", made["clusterId"].as_str().unwrap());
    let cluster = cloud.until(&path, |cluster| cluster["status"] == "RUNNING" && cluster["connectAddress"] != "");
    assert_eq!(
        (&cluster["plan"], &cluster["cuSize"], &cluster["password"]),
        (&json!("Enterprise"), &json!(2), &Value::Null)
    );
    // A business failure comes with the status of a success.
    let again = cloud.post("/v2/clusters/createServerless", &wanted);
    assert_eq!((again.status, &again.body["code"]), (200, &json!(80010)));
}

#[test]
fn what_a_key_may_not_see_is_not_there() {
    let cloud = Simulator::start(two_clusters());
    let wrong = cloud.ask("GET", "/v2/clusters", "nobody's", None);
    assert_eq!((wrong.status, &wrong.body["code"]), (401, &json!(80001)));
    assert_eq!(ask(cloud.api(), "GET", "/v2/clusters", None, None).status, 401);
    assert_eq!(cloud.ask("GET", "/v2/clusters", &other_key(), None).body["data"]["count"], 0);
    assert_eq!(cloud.ask("GET", &format!("/v2/clusters/{OLD}"), &other_key(), None).body["code"], 80020);
    assert_eq!(cloud.ask("GET", "/v2/projects", &other_key(), None).body["data"][0]["projectId"], OTHER_PROJECT);
}

#[test]
fn more_than_twenty_requests_a_second_are_refused() {
    let cloud = Simulator::start(json!({}));
    // All at once, because one after the other could take a busy machine longer than a second.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..60).map(|_| scope.spawn(|| cloud.get("/v2/projects").status)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(statuses.contains(&429) && statuses.contains(&200), "{statuses:?}");
    assert_eq!(cloud.get("/v2/clouds").status, 200);
}

#[test]
fn what_the_reference_does_not_know_is_refused_and_remembered() {
    let cloud = Simulator::start(two_clusters());
    let mut unknown = migration(&json!([{"dbName": "default", "collections": [{"collectionName": "a"}]}]));
    unknown["dbCollections"][0]["collections"][0]["targetName"] = json!("b");
    let missing = json!({"source": {"clusterId": OLD}});
    for (path, body) in [("toExisting", &unknown), ("toExisting", &missing), ("startByUs", &missing)] {
        let answer = cloud.post(&format!("/v2/migrations/{path}"), body);
        assert_eq!(answer.body["code"], 80000, "{answer:?}");
    }
    assert_eq!(cloud.get("/v2/clusters?pageSize=ten").body["code"], 80000);
    cloud.forget_violations(&[
        "collections[0].targetName is not documented",
        "destination is required",
        "No such path",
        "?pageSize is no int",
    ]);
}

#[test]
fn nothing_that_is_remembered_holds_a_secret() {
    let cloud = Simulator::start(two_clusters());
    let secret = crate::secrets::MARK;
    let body = json!({
        "source": {"bucketName": "b", "path": "backup", "accessKey": "AK", "secretKey": secret, "token": secret},
        "destination": {"clusterId": NEW},
    });
    let job = cloud.post("/v2/migrations/startByRemote", &body).body["data"]["jobId"].clone();
    let ended = cloud.ended(&job);
    assert!(ended["status"] == "FAILED" && ended["reason"].as_str().unwrap().contains("simulator"), "{ended}");
    // `requests` searches what it returns.
    assert_eq!(cloud.requests()[0]["body"]["source"]["secretKey"], "***");
}

#[test]
fn imports_are_known_by_their_jobs() {
    let cloud = Simulator::start(two_clusters());
    let at = place(target(), &database("cloud_import"), "rows");
    fill(&at, "small", &["--rows", "10"]);
    let body = json!({
        "clusterId": NEW, "dbName": at.database, "collectionName": "rows", "objectUrls": [["s3://bucket/1.parquet"]],
        "accessKey": "", "secretKey": "",
    });
    let job = cloud.post("/v2/vectordb/jobs/import/create", &body).body["data"]["jobId"].clone();
    cloud.ended(&job);
    let asked = json!({"clusterId": NEW, "jobId": job});
    for call in ["describe", "get_progress"] {
        let described = cloud.post(&format!("/v2/vectordb/jobs/import/{call}"), &asked).body["data"].clone();
        assert_eq!((&described["state"], &described["collectionName"]), (&json!("Failed"), &json!("rows")));
    }
    let listed = cloud.post("/v2/vectordb/jobs/import/list", &json!({"clusterId": NEW})).body;
    assert_eq!(listed["data"]["records"][0]["jobId"], job);
    let unknown = json!({"clusterId": NEW, "jobId": "job-of-nobody"});
    assert_eq!(cloud.post("/v2/vectordb/jobs/import/describe", &unknown).body["code"], 90144);
}

#[test]
fn a_migration_really_moves_the_rows_and_leaves_them_unloaded() {
    let cloud = Simulator::start(two_clusters());
    let (from, to) = (database("cloud_moves"), database("cloud_moved"));
    let [first, second] = ["first", "second"].map(|name| place(source(), &from, name));
    fill(&first, "small", &[]);
    fill(&second, "types235", &["--rows", "100"]);
    act(&second, "release", &[]);
    cloud.fault(json!({"hold_pending": true}));
    let names = json!([{"collectionName": "first"}, {"collectionName": "missing"}, {"collectionName": "second"}]);
    let body = migration(&json!([{"dbName": from, "destDbName": to, "collections": names}]));
    let job = cloud.post("/v2/migrations/toExisting", &body).body["data"]["jobId"].clone();
    let path = format!("/v2/jobs/{}", job.as_str().unwrap());
    assert_eq!(cloud.get(&path).body["data"]["status"], "PENDING");
    assert_eq!(cloud.get(&format!("/v2/clusters/{NEW}")).body["data"]["status"], "MIGRATING");
    cloud.fault(json!({"hold_pending": false}));
    let ended = cloud.ended(&job);
    assert_eq!((&ended["status"], &ended["type"]), (&json!("FAILED"), &json!("MIGRATION")));
    let reason = ended["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("{from}.missing: ")) && !reason.contains("first"), "{reason}");
    for at in [&first, &second] {
        let arrived = place(target(), &to, &at.collection);
        assert_eq!(act(&arrived, "load-state", &[]), "NotLoad");
        assert_eq!(act(&arrived, "indexes", &[])[0]["index_type"], "AUTOINDEX");
        assert_identical(at, &arrived, &[]);
    }
    assert_eq!(act(&second, "load-state", &[]), "NotLoad");
    // Once more, and the names are taken.
    let job = cloud.post("/v2/migrations/toExisting", &body).body["data"]["jobId"].clone();
    let reason = cloud.ended(&job)["reason"].to_string();
    assert!(reason.contains("first: the target has a collection of this name already"), "{reason}");
}

#[test]
fn a_whole_database_goes_to_a_new_cluster() {
    let cloud = Simulator::start(two_clusters());
    let from = database("cloud_whole");
    let at = place(source(), &from, "rows");
    fill(&at, "small", &[]);
    let body = json!({
        "source": {"clusterId": OLD},
        "destination": {
            "clusterName": "new", "projectId": PROJECT, "regionId": REGION, "plan": "Standard",
            "cuType": "Capacity-optimized", "cuSize": 1,
        },
        "dbCollections": [{"dbName": from}],
    });
    let made = cloud.post("/v2/migrations/toNewDedicated", &body).body["data"].clone();
    assert_eq!(made["username"], "db_admin");
    assert_eq!(cloud.ended(&made["jobId"])["status"], "SUCCESSFUL");
    assert_identical(&at, &place(target(), &from, "rows"), &[]);
}

#[test]
fn what_goes_wrong_on_request_goes_wrong_as_often_as_asked() {
    let cloud = Simulator::start(two_clusters());
    let wanted = json!({"clusterName": "made", "projectId": PROJECT, "regionId": REGION});
    cloud.fault(json!({"lose_answer": {"createServerless": 1}, "refuse": {"projects": {"status": 503, "times": 2}}}));
    assert_eq!(cloud.post("/v2/clusters/createServerless", &wanted).status, 0);
    assert_eq!(cloud.post("/v2/clusters/createServerless", &wanted).body["code"], 80010);
    let statuses: Vec<u16> = (0..3).map(|_| cloud.get("/v2/projects").status).collect();
    assert_eq!(statuses, [503, 503, 200]);
    cloud.fault(json!({"gone": 410, "suspend": OLD, "cluster_word": {NEW: "FROZEN"}}));
    let body = migration(&json!([{"dbName": "default", "collections": [{"collectionName": "a"}]}]));
    assert_eq!(cloud.post("/v2/migrations/toExisting", &body).status, 410);
    assert_eq!(cloud.get(&format!("/v2/clusters/{OLD}")).body["data"]["status"], "STOPPED");
    assert_eq!(cloud.get(&format!("/v2/clusters/{NEW}")).body["data"]["status"], "FROZEN");
    cloud.fault(json!({"gone": null}));
    assert_eq!(cloud.post("/v2/migrations/toExisting", &body).body["code"], 40003);
}

#[test]
fn a_job_is_canceled_as_in_the_console() {
    let cloud = Simulator::start(two_clusters());
    cloud.fault(json!({"hold_pending": true}));
    let body = migration(&json!([{"dbName": "default", "collections": [{"collectionName": "a"}]}]));
    let job = cloud.post("/v2/migrations/toExisting", &body).body["data"]["jobId"].clone();
    cloud.fault(json!({"cancel": job}));
    let path = format!("/v2/jobs/{}", job.as_str().unwrap());
    assert_ne!(cloud.get(&path).body["data"]["status"], "PENDING");
    assert_eq!(cloud.ended(&job)["status"], "CANCELED");
}

#[test]
fn a_sloppy_one_shows_every_contradiction_of_the_documentation() {
    let mut config = two_clusters();
    config["sloppy"] = json!(true);
    config["clusters"][1]["plan"] = json!("Serverless");
    config["clusters"][1]["clusterId"] = json!("in05-00000000000000b");
    let cloud = Simulator::start(config);
    assert_eq!(cloud.ask("GET", "/v2/projects", "nobody's", None).body["code"], 21119);
    let codes: Vec<Value> = (0..3).map(|_| cloud.get("/v2/projects").body["code"].clone()).collect();
    assert_eq!(codes, [json!(0), json!(200), json!("0")]);
    assert_eq!(cloud.get(&format!("/v2/clusters/{OLD}")).body["data"]["replica"], "1");
    assert_eq!(cloud.get("/v2/clusters/in05-00000000000000b").body["data"]["deploymentOption"], Value::Null);
    let body = json!({
        "source": {"clusterId": OLD},
        "destination": {
            "clusterName": "new", "projectId": PROJECT, "regionId": REGION, "plan": "Standard",
            "cuType": "Capacity-optimized", "cuSize": 1,
        },
        "dbCollections": [{"dbName": "nowhere"}],
    });
    let job = cloud.post("/v2/migrations/toNewDedicated", &body).body["jobId"].clone();
    let path = format!("/v2/jobs/{}", job.as_str().unwrap());
    let shapes: Vec<Value> = (0..4).map(|_| cloud.get(&path).body).collect();
    assert!(shapes.iter().any(|body| body["data"]["progress"].is_string()), "{shapes:?}");
    assert!(shapes.iter().any(|body| body["data"]["progress"].is_number()), "{shapes:?}");
    assert!(shapes.iter().any(|body| body["progress"].is_string()), "{shapes:?}");
    assert!(shapes.iter().any(|body| body["progress"].is_number()), "{shapes:?}");
}
