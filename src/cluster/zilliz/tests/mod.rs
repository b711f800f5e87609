//! The client against a service on this machine that answers in every way that was seen or is to be feared.

mod backup;
mod documented;
mod service;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::http::{Deadlines, Http};
use super::plane::Plane;
use super::*;
use crate::cluster::{ClusterError, ErrorKind};
use crate::plan::resolved::{CloudPlan, CuType};
use backup::backups;
use service::{Reply, Service};

/// A key of which no part may come out.
const KEY: &str = "Sup3rS3cret-key-0123456789abcdef";
const PASSWORD: &str = "Sup3rS3cret-pa55word";

fn plane_within(service: &Service, request: Duration, retry: Duration) -> Plane {
    let deadlines = Deadlines { connect: Duration::from_secs(5), request, retry };
    Plane::new(Http::new(&service.api, SecretString::from(KEY), deadlines, "connect").unwrap())
}

fn plane(service: &Service) -> Plane {
    plane_within(service, Duration::from_secs(30), Duration::from_secs(20))
}

fn new_cluster() -> NewCluster {
    NewCluster {
        name: "kb-prod".to_owned(),
        project_id: "proj-1".to_owned(),
        region: "aws-us-west-2".to_owned(),
        plan: CloudPlan::Standard { cu_type: CuType::PerformanceOptimized, cu_size: 1 },
        description: Some("knowledge base".to_owned()),
        password_file: "kb-prod.password".into(),
    }
}

fn migration() -> CloudMigration {
    CloudMigration {
        from: "in01-a".to_owned(),
        to: "in01-b".to_owned(),
        databases: vec![DatabaseToMigrate {
            from: "kb".to_owned(),
            to: "kb2".to_owned(),
            collections: vec!["articles".to_owned(), "people".to_owned()],
        }],
    }
}

/// The error of what would make or start something, by an answer.
async fn refused(reply: Reply) -> [ClusterError; 2] {
    let service = Service::start(move |_, _| reply.clone()).await;
    let plane = plane_within(&service, Duration::from_secs(1), Duration::from_secs(20));
    let errors = [plane.create(&new_cluster()).await.unwrap_err(), plane.migrate(&migration()).await.unwrap_err()];
    assert_eq!(service.asked().len(), 2, "each was sent once: {}", errors[0]);
    errors
}

#[tokio::test]
async fn an_answer_is_understood_in_every_form_that_the_reference_shows() {
    let facts = r#""clusterId":"in01-a","clusterName":"kb","projectId":"proj-1","regionId":"aws-us-west-2","plan":"Standard",
        "status":"RUNNING","cuType":"Performance-optimized","connectAddress":"https://in01-a.example.com:19530""#;
    let forms = [
        format!(r#"{{"code":0,"data":{{{facts},"cuSize":2,"createProgress":100,"deploymentOption":"Dedicated"}}}}"#),
        format!(r#"{{"code":"0","data":{{{facts},"cuSize":"2","createProgress":"100"}}}}"#),
        format!(r#"{{"code":200,"message":"","data":[{{{facts},"cuSize":2.0,"createProgress":"100%"}}]}}"#),
        format!(r#"{{"code":0,{facts},"cuSize":2,"createProgress":100,"labels":{{"a":["b"]}}}}"#),
        format!(r#"{{{facts},"cuSize":"2","createProgress":100.0}}"#),
        format!("\u{feff}\n[{{{facts},\"cuSize\":2,\"createProgress\":100}}]\n"),
    ];
    for form in forms {
        let text = form.clone();
        let service = Service::start(move |_, _| Reply::ok(text.clone())).await;
        let cluster = plane(&service).cluster("in01-a").await.unwrap().unwrap();
        let expected = Cluster {
            id: "in01-a".to_owned(),
            name: "kb".to_owned(),
            project_id: "proj-1".to_owned(),
            region: "aws-us-west-2".to_owned(),
            plan: "Standard".to_owned(),
            tier: Tier::Dedicated,
            standing: Standing::Running,
            status: "RUNNING".to_owned(),
            cu_type: "Performance-optimized".to_owned(),
            cu_size: 2,
            connect_address: Some("https://in01-a.example.com:19530".to_owned()),
            create_progress: Some(100),
        };
        assert_eq!(cluster, expected, "{form}");
    }
}

#[tokio::test]
async fn words_of_the_service_are_kept_and_taken_for_what_they_come_to() {
    let cluster = async |body: serde_json::Value| {
        let service = Service::start(move |_, _| Reply::ok(json!({"code": 0, "data": body}).to_string())).await;
        plane(&service).cluster("in01-a").await.unwrap().unwrap()
    };
    let tiers = [
        (json!({"clusterId": "in01-a", "deploymentOption": "Serverless", "plan": "Standard"}), Tier::Serverless),
        (json!({"clusterId": "in01-a", "plan": "Free"}), Tier::Free),
        (json!({"clusterId": "in05-a", "plan": null, "cuSize": null}), Tier::Serverless),
        (json!({"clusterId": "in03-a", "plan": "Brand-new", "cuSize": "many"}), Tier::Free),
        (json!({"clusterId": "in01-a", "plan": "BusinessCritical"}), Tier::Dedicated),
        (json!({"clusterId": "in01-a", "deploymentOption": "BYOC"}), Tier::Byoc),
        (json!({"clusterId": "in77-a"}), Tier::Dedicated),
    ];
    for (body, tier) in tiers {
        let found = cluster(body).await;
        assert_eq!((found.tier, found.cu_size, found.connect_address), (tier, 0, None));
    }
    for (word, standing) in [
        ("RUNNING", Standing::Running),
        ("RESUMING", Standing::Coming),
        ("STOPPED", Standing::Suspended),
        ("STOPPING", Standing::Suspended),
        ("MIGRATING", Standing::Migrating),
        ("DELETED", Standing::Gone),
        ("FROZEN", Standing::Unclear),
        ("HIBERNATING", Standing::Unclear),
    ] {
        let found = cluster(json!({"clusterId": "in01-a", "status": word})).await;
        assert_eq!((found.standing, found.status.as_str()), (standing, word));
    }
}

#[tokio::test]
async fn a_job_is_understood_in_every_form() {
    for (body, state, progress, reason) in [
        (
            r#"{"code":0,"data":{"jobId":"job-1","type":"MIGRATION","status":"SUCCESSFUL","progress":"100","reason":""}}"#,
            JobState::Successful,
            Some(100),
            None,
        ),
        (
            r#"{"code":0,"jobId":"job-1","type":"MIGRATION","status":"IN_PROGRESS","progress":42}"#,
            JobState::Going,
            Some(42),
            None,
        ),
        (r#"{"code":"200","data":{"status":"PENDING","progress":""}}"#, JobState::Going, None, None),
        (r#"{"data":{"jobId":"job-1","status":"CANCELED","progress":"7%"}}"#, JobState::Canceled, Some(7), None),
        (r#"{"data":{"jobId":"job-1","status":"CANCELLED"}}"#, JobState::Canceled, None, None),
        (r#"{"data":{"jobId":"job-1","status":"CANCELING","progress":"250"}}"#, JobState::Going, Some(100), None),
        (r#"{"data":{"jobId":"job-1","status":"PONDERING","progress":-3}}"#, JobState::Going, Some(0), None),
        (
            r#"{"data":{"jobId":"job-1","status":"FAILED","progress":"99.9","reason":"a name clash"}}"#,
            JobState::Failed,
            Some(99),
            Some("a name clash"),
        ),
    ] {
        let service = Service::start(move |_, _| Reply::ok(body)).await;
        let job = plane(&service).job("job-1").await.unwrap().unwrap();
        assert_eq!(
            (job.id.as_str(), job.state, job.progress, job.reason.as_deref()),
            ("job-1", state, progress, reason),
            "{body}"
        );
        assert!(body.contains(&job.status) && !job.status.is_empty());
    }
}

#[tokio::test]
async fn what_is_missing_or_hidden_is_not_there_and_a_wrong_address_is_an_error() {
    for reply in [
        Reply::ok(r#"{"code":80020,"message":"Invalid clusterId or no permission"}"#),
        Reply::status(404, r#"{"code":"40022","message":"no access"}"#),
        Reply::ok(r#"{"code":80000,"message":"There is no such id"}"#),
        Reply::ok(r#"{"code":0,"data":null}"#),
        Reply::ok(r#"{"code":0}"#),
        Reply::ok(r#"{"code":0,"data":{}}"#),
    ] {
        let service = Service::start(move |_, _| reply.clone()).await;
        assert_eq!(plane(&service).cluster("in01-a").await.unwrap(), None);
        assert_eq!(plane(&service).job("job-1").await.unwrap(), None);
    }
    let service = Service::start(|_, _| Reply::status(404, "<html>nothing here</html>")).await;
    let error = plane(&service).cluster("in01-a").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    for id in ["", "../projects", "in01/x", "a?b", ".."] {
        assert_eq!(plane(&service).cluster(id).await.unwrap_err().kind, ErrorKind::Refused);
    }
    assert_eq!(service.asked().len(), 1, "no other path is asked for");
}

#[tokio::test]
async fn all_pages_are_read_and_every_kind_of_end_is_one() {
    let page = |from: usize, to: usize, more: serde_json::Value| {
        let clusters: Vec<_> = (from..to).map(|number| json!({"clusterId": format!("in01-{number}")})).collect();
        let mut data = json!({"clusters": clusters});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Reply::ok(json!({"code": 0, "data": data}).to_string())
    };
    // The count of all, the count of the page, an empty page, the last page again, and a smaller page than asked for.
    type Pages = Box<dyn Fn(usize) -> Reply + Send + Sync>;
    let ways: [(Pages, usize); 5] = [
        (Box::new(move |at| page(at * 100, (at * 100 + 100).min(250), json!({"count": 250}))), 3),
        (
            Box::new(move |at| {
                page(at * 100, (at * 100 + 100).min(250), json!({"count": if at < 2 { "100" } else { "50" }}))
            }),
            3,
        ),
        (Box::new(move |at| page((at * 100).min(250), (at * 100 + 100).min(250), json!({}))), 4),
        (Box::new(move |at| page(at.min(2) * 100, (at.min(2) * 100 + 100).min(250), json!({"pageSize": 100}))), 4),
        (
            Box::new(move |at| {
                page((at * 50).min(250), (at * 50 + 50).min(250), json!({"count": 250, "pageSize": 50}))
            }),
            5,
        ),
    ];
    for (number, (pages, requests)) in ways.into_iter().enumerate() {
        let service = Service::start(move |asked, at| {
            let current = asked.query.iter().find(|(name, _)| name == "currentPage").unwrap();
            assert_eq!(current.1, (at + 1).to_string());
            pages(at)
        })
        .await;
        let all = plane(&service).clusters().await.unwrap();
        assert_eq!((all.len(), service.asked().len()), (250, requests), "way {number}");
    }
    let service = Service::start(|_, _| Reply::ok(r#"[{"clusterId":"in01-a"},{"clusterId":"in05-b"}]"#)).await;
    assert_eq!(plane(&service).clusters().await.unwrap().len(), 2, "a list without anything around it");
}

#[tokio::test]
async fn questions_are_repeated_while_the_service_is_busy_or_down() {
    let service = Service::start(|_, before| match before {
        0 => Reply::Http(429, vec![("retry-after", "1".to_owned())], String::new()),
        1 => Reply::status(503, "<html>"),
        2 => Reply::End,
        3 => Reply::ok(r#"{"code":500,"message":"try again"}"#),
        _ => Reply::ok(
            r#"{"code":0,"data":[{"projectId":"proj-1","projectName":"p","regionIds":["a"],"plan":"Enterprise"}]}"#,
        ),
    })
    .await;
    let begin = std::time::Instant::now();
    let projects = plane(&service).projects().await.unwrap();
    assert_eq!((projects.len(), service.asked().len()), (1, 5));
    assert!(begin.elapsed() >= Duration::from_secs(1), "the service is believed when it says how long to wait");
    let service = Service::start(|_, _| Reply::status(502, "")).await;
    let plane = plane_within(&service, Duration::from_secs(5), Duration::from_millis(700));
    let error = plane.regions().await.unwrap_err();
    assert!(error.kind == ErrorKind::Transient && error.tried.is_some(), "{error}");
    assert!(error.to_string().contains("(requestid req-7)"), "{error}");
}

#[tokio::test]
async fn what_makes_something_is_sent_once_and_a_refusal_leaves_nothing_open() {
    for (reply, kind) in [
        (Reply::ok(r#"{"code":80010,"message":"Duplicate cluster name"}"#), ErrorKind::Refused),
        (Reply::ok(r#"{"code":"99999","message":"a code of tomorrow"}"#), ErrorKind::Refused),
        (Reply::ok(r#"{"code":"E_NO","message":"a word"}"#), ErrorKind::Refused),
        (Reply::status(400, r#"{"code":80000,"message":"incorrect parameter"}"#), ErrorKind::Refused),
        (Reply::status(401, r#"{"code":80001,"message":"Invalid token"}"#), ErrorKind::Denied),
        (Reply::status(401, ""), ErrorKind::Denied),
        (Reply::ok(r#"{"code":21119,"message":"The apikey is illegal."}"#), ErrorKind::Denied),
        (Reply::status(403, "no"), ErrorKind::Forbidden),
        (Reply::ok(r#"{"code":80020,"message":"no such cluster"}"#), ErrorKind::NotFound),
    ] {
        let text = format!("{reply:?}");
        for error in refused(reply).await {
            assert_eq!((error.kind, error.leaves_open()), (kind, false), "{text}: {error}");
        }
    }
    for reply in [
        Reply::Silence,
        Reply::End,
        Reply::status(500, ""),
        Reply::status(503, r#"{"code":80010,"message":"Duplicate cluster name"}"#),
        Reply::status(302, ""),
        Reply::ok(""),
        Reply::ok("<html>"),
        Reply::ok("[[["),
        Reply::ok(r#"{"code":0}"#),
        Reply::ok(r#"{"code":0,"data":"job-1"}"#),
        Reply::ok(r#"{"code":0,"data":{"clusterId":null,"jobId":""}}"#),
        Reply::ok(r#"{"code":500,"message":"who knows"}"#),
        Reply::ok(format!(r#"{{"code":0,"data":"{}"}}"#, "x".repeat(5 << 20))),
    ] {
        let text: String = format!("{reply:?}").chars().take(200).collect();
        for error in refused(reply).await {
            assert!(error.leaves_open(), "{text}: {error}");
            assert!(text.contains("Http") == error.to_string().contains("(requestid req-7)"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_the_service_did_not_do_for_its_limits_is_sent_again() {
    let service = Service::start(|_, before| match before {
        0 => Reply::status(429, r#"{"code":429,"message":"slow down"}"#),
        _ => Reply::ok(r#"{"code":0,"data":{"jobId":"job-1"}}"#),
    })
    .await;
    assert_eq!(plane(&service).migrate(&migration()).await.unwrap(), "job-1");
    assert_eq!(service.asked().len(), 2);
    // Nobody listens there any more, so nothing was sent.
    let mut service = service;
    service.api = service.api.replace("127.0.0.1", "127.0.0.9");
    let plane = plane_within(&service, Duration::from_secs(5), Duration::from_millis(300));
    let error = plane.create(&new_cluster()).await.unwrap_err();
    assert!(error.kind == ErrorKind::Unreachable && !error.leaves_open(), "{error}");
    assert!(error.help().contains("`api`"), "{}", error.help());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_explained_with_the_ways_out() {
    for status in [404, 405, 410] {
        for body in ["", "<html>", r#"{"code":404,"message":"no route"}"#, r#"{"code":80000,"message":"gone"}"#] {
            let [create, migrate] = refused(Reply::status(status, body)).await;
            assert!(migrate.help().contains("engine: direct") && migrate.help().contains("deprecated"), "{migrate}");
            assert!(!migrate.leaves_open() && !create.help().contains("deprecated"), "{create}");
        }
    }
    let [_, migrate] = refused(Reply::ok(r#"{"code":80000,"message":"This endpoint is deprecated."}"#)).await;
    assert!(migrate.help().contains("engine: direct"), "{migrate}");
    let [_, migrate] = refused(Reply::status(404, r#"{"code":80020,"message":"Invalid clusterId"}"#)).await;
    assert!(migrate.help().contains("cluster_id"), "a cluster that is missing is another thing: {migrate}");
}

#[tokio::test]
async fn neither_the_key_nor_a_password_gets_out() {
    let shown = format!(r#"{{"code":80001,"message":"Invalid token: Bearer {KEY} ({}...)\u001b[2J"}}"#, &KEY[..14]);
    let service = Service::start(move |_, _| Reply::status(401, shown.clone())).await;
    let plane_here = plane(&service);
    let error = plane_here.cluster("in01-a").await.unwrap_err();
    let said = format!("{error} {error:?} {} {plane_here:?}", error.help());
    assert!(said.contains("Invalid token") && said.contains("[hidden]") && said.contains("req-7"), "{said}");
    assert!(!said.contains("Sup3rS3cret") && !said.contains(&KEY[20..]) && !said.contains('\u{1b}'), "{said}");
    assert!(error.help().contains("api_key") && error.code == Some(80_001));
    let asked = &service.asked()[0];
    let header = |name: &str| asked.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    assert_eq!(header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert!(header("user-agent").unwrap().starts_with("vecferry/"));

    let made = format!(
        r#"{{"code":0,"data":{{"clusterId":"in01-n","username":"db_admin","password":"{PASSWORD}","prompt":"ok"}}}}"#
    );
    let service = Service::start(move |_, _| Reply::ok(made.clone())).await;
    let created = plane(&service).create(&new_cluster()).await.unwrap();
    assert_eq!((created.id.as_str(), created.username.as_str()), ("in01-n", "db_admin"));
    assert!(!format!("{created:?}").contains(PASSWORD));
    assert_eq!(created.password.unwrap().expose_secret(), PASSWORD);
    // Answers that cannot be read are not quoted.
    for broken in [
        format!(r#"{{"code":0,"data":"{PASSWORD}"}}"#),
        format!(r#"{{"code":0,"data":{{"password":"{PASSWORD}"}}}}"#),
        format!(r#"{{"code":0,"data":{{"clusterId":"x","password":"{PASSWORD}""#),
    ] {
        let [create, _] = refused(Reply::ok(broken)).await;
        assert!(!format!("{create} {create:?}").contains(PASSWORD), "{create}");
    }
}

#[tokio::test]
async fn the_key_is_sent_nowhere_but_to_the_service() {
    let elsewhere = Service::start(|_, _| Reply::ok("{}")).await;
    let target = elsewhere.api.clone();
    let service = Service::start(move |_, _| Reply::Http(307, vec![("location", target.clone())], String::new())).await;
    let error = plane(&service).clusters().await.unwrap_err();
    assert!(error.to_string().contains("leads elsewhere"), "{error}");
    assert!(elsewhere.asked().is_empty());
    for api in ["http://api.example.com", "ftp://127.0.0.1", "127.0.0.1:80", "http://localhost.example.com"] {
        let error = Http::new(api, SecretString::from(KEY), Deadlines::default(), "connect").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Config, "{api}");
    }
}

#[tokio::test]
async fn a_cluster_that_is_awake_already_needs_no_resuming() {
    for (status, fine) in [("RUNNING", true), ("RESUMING", true), ("STOPPING", false), ("DELETED", false)] {
        let service = Service::start(move |asked, _| match asked.path.as_str() {
            "/v2/clusters/in01-a/resume" => Reply::ok(r#"{"code":40003,"message":"not in this status"}"#),
            _ => Reply::ok(json!({"code": 0, "data": {"clusterId": "in01-a", "status": status}}).to_string()),
        })
        .await;
        assert_eq!(plane(&service).resume("in01-a").await.is_ok(), fine, "{status}");
    }
}

#[tokio::test]
async fn a_migration_without_names_is_not_sent() {
    let service = Service::start(|_, _| Reply::ok(r#"{"code":0,"data":{"jobId":"job-1"}}"#)).await;
    let mut all = migration();
    all.databases[0].collections.clear();
    let none = CloudMigration { databases: Vec::new(), ..migration() };
    for asked in [all, none] {
        let error = plane(&service).migrate(&asked).await.unwrap_err();
        assert!(!error.leaves_open(), "{error}");
    }
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn import_jobs_are_listed_over_all_pages_and_described() {
    let service = Service::start(|asked, before| match asked.path.as_str() {
        "/v2/vectordb/jobs/import/list" => {
            assert_eq!(asked.body.as_ref().unwrap()["currentPage"], before + 1);
            let jobs: Vec<_> = (before * 100..(before * 100 + 100).min(150))
                .map(|number| json!({"jobId": format!("job-{number}"), "collectionName": "docs", "state": "InProgress"}))
                .collect();
            Reply::ok(json!({"code": 0, "data": {"count": 150, "records": jobs}}).to_string())
        }
        _ if asked.body.as_ref().unwrap()["jobId"] == "job-none" => Reply::ok(r#"{"code":90144,"message":"no such job"}"#),
        _ => Reply::ok(
            r#"{"code":"0","data":{"jobId":"job-1","collectionName":"docs","state":"Completed","progress":100,"totalRows":"7"}}"#,
        ),
    })
    .await;
    let plane = plane(&service);
    let all = plane.imports("in01-a").await.unwrap();
    assert!(all.len() == 150 && all.iter().all(|job| job.state == JobState::Going), "{}", all.len());
    assert_eq!(plane.import("in01-a", "job-none").await.unwrap(), None);
    let one = plane.import("in01-a", "job-1").await.unwrap().unwrap();
    assert_eq!(
        (one.state, one.status.as_str(), one.progress, one.rows),
        (JobState::Successful, "Completed", Some(100), Some(7))
    );
}

proptest::proptest! {
    #[test]
    fn no_answer_is_more_than_an_error(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", "[", "]", ":", ",", "\"code\"", "\"data\"", "\"clusters\"", "\"clusterId\"", "\"cuSize\"", "\"count\"",
                "null", "0", "200", "-1e999", "1e308", "\"\"", "\"99%\"", "\"\\ud800\"", "true", "\u{feff}", " ", "\"in01-a\"",
            ]),
            0..24,
        )
    ) {
        let text = pieces.concat();
        if let Some((_, inside)) = answers::Envelope::open(text.as_bytes()) {
            let pages = serde_json::from_str::<answers::Many<answers::PageAnswer>>(inside);
            pages.map(|pages| answers::PageAnswer::known(pages.0)).ok();
            let jobs = serde_json::from_str::<answers::Many<answers::JobAnswer>>(inside);
            jobs.map(|jobs| jobs.0.into_iter().filter_map(answers::JobAnswer::known).count()).ok();
        }
    }
}
