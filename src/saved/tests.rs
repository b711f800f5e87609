use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::diff::Diff;
use crate::plan::resolved::{
    Auth, CloudCluster, CloudPlan, CuType, Endpoint, FieldSettings, NewCluster, OnExisting, SecretRef, Tier, Tls,
    WhichCluster,
};

fn endpoint(name: &str, auth: Auth) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        uri: "http://127.0.0.1:19530".to_owned(),
        cloud: None,
        auth,
        tls: Tls { ca: Some(PathBuf::from("ca.pem")), ..Tls::default() },
        tier: Tier::Serverless,
        units: None,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_millis(60_500),
        retry_timeout: Duration::from_secs(120),
        span: Span::new(&std::sync::Arc::new(SourceText::new("plan.yaml", "")), 0..0),
    }
}

fn plan(auth: Auth) -> ResolvedPlan {
    let mut settings = Settings::plain(OnExisting::Converge);
    // A default that is taken away is not one that is not named.
    let taken = FieldSettings { default: Some(Value::Null), scale: Some(0.1), ..FieldSettings::default() };
    settings.fields.insert("headline".to_owned(), taken);
    settings.fields.insert("lang".to_owned(), FieldSettings::default());
    settings.properties.insert("collection.ttl.seconds".to_owned(), None);
    let source = endpoint("old", auth);
    let selection = Selection {
        select: Select::Name { source: "articles".to_owned(), target: "articles_v2".to_owned() },
        settings,
        span: source.span.clone(),
    };
    ResolvedPlan {
        file: PathBuf::from("plans/kb.yaml"),
        name: "kb".to_owned(),
        migrations: vec![Migration {
            name: "kb".to_owned(),
            target: endpoint("new", Auth::None),
            source,
            source_database: "default".to_owned(),
            target_database: "main".to_owned(),
            selections: vec![selection],
            limits: Limits { write_mb_per_s: Some(16.5), concurrency: 4, split_rows: 40_000 },
            engine: Engine::Direct,
        }],
    }
}

fn token() -> Auth {
    Auth::Token(SecretRef::Env("OLD_TOKEN".to_owned()))
}

fn saved(auth: Auth) -> Result<SavedPlan, LiteralSecret> {
    SavedPlan::new(Contents {
        state: StatePlace::Folder(PathBuf::from(".vecferry")),
        scanned: false,
        plans: &[plan(auth)],
        diff: Diff::default(),
        pins: Vec::new(),
    })
}

fn parsed(text: &str) -> Result<Option<SavedPlan>, Box<Diagnostic>> {
    parse(Path::new("kb.vfplan.json"), text.as_bytes())
}

#[test]
fn what_is_read_is_what_was_saved() {
    let saved = saved(token()).unwrap();
    let read = parsed(&saved.text()).unwrap().unwrap();
    assert_eq!(read.text(), saved.text());
    let plans = read.plans(Path::new("kb.vfplan.json"));
    let (before, after) = (&plan(token()).migrations[0], &plans[0].migrations[0]);
    assert_eq!(before.selections[0].settings, after.selections[0].settings);
    assert_eq!(before.selections[0].select, after.selections[0].select);
    assert_eq!(before.limits, after.limits);
    assert_eq!(format!("{:?}", before.source.auth), format!("{:?}", after.source.auth));
    assert_eq!(before.source.request_timeout, after.source.request_timeout);
    assert_eq!(before.source.tls.ca, after.source.tls.ca);
    assert_eq!(before.source.tier, after.source.tier);
}

/// The plan over two clusters of Zilliz Cloud, the target to be made, with that key.
fn cloud_plan(api_key: SecretRef) -> ResolvedPlan {
    let mut plan = plan(token());
    let migration = &mut plan.migrations[0];
    let cloud = |which, resume| CloudCluster {
        api: "https://api.cloud.zilliz.com".to_owned(),
        api_key: api_key.clone(),
        which,
        resume,
    };
    migration.source.cloud = Some(cloud(WhichCluster::Id("in01-a".to_owned()), true));
    let new = NewCluster {
        name: "kb-prod".to_owned(),
        project_id: "proj-a".to_owned(),
        region: "aws-us-west-2".to_owned(),
        plan: CloudPlan::Standard { cu_type: CuType::TieredStorage, cu_size: 4 },
        description: None,
        password_file: PathBuf::from("plans/kb.password"),
    };
    migration.target.cloud = Some(cloud(WhichCluster::Make(new), false));
    migration.engine = Engine::ZillizCloud;
    plan
}

#[test]
fn clusters_of_the_cloud_and_who_moves_the_rows_are_saved_too() {
    let save = |plan: ResolvedPlan| {
        SavedPlan::new(Contents {
            state: StatePlace::Folder(PathBuf::from(".vecferry")),
            scanned: false,
            plans: &[plan],
            diff: Diff::default(),
            pins: Vec::new(),
        })
    };
    let plan = cloud_plan(SecretRef::Env("ZILLIZ_API_KEY".to_owned()));
    let text = save(plan.clone()).unwrap().text();
    let read = parsed(&text).unwrap().unwrap();
    assert_eq!(read.text(), text);
    let (before, after) = (&plan.migrations[0], &read.plans(Path::new("kb.vfplan.json"))[0].migrations[0]);
    assert_eq!(after.engine, Engine::ZillizCloud);
    for (before, after) in [(&before.source, &after.source), (&before.target, &after.target)] {
        assert_eq!(format!("{:?}", before.cloud), format!("{:?}", after.cloud));
        // The address that was found, and not the name that stands for one.
        assert_eq!(before.uri, after.uri);
    }
    let literal = cloud_plan(SecretRef::Literal("vecferry-canary-literal".to_owned().into()));
    let refused = save(literal).unwrap_err().diagnostic();
    assert_eq!(refused.code, Code::LiteralNotSaved);
    assert!(!format!("{refused:?}").contains("canary-literal"), "{refused:?}");
}

#[test]
fn the_same_plan_has_the_same_bytes() {
    assert_eq!(saved(token()).unwrap().text(), saved(token()).unwrap().text());
}

#[test]
fn a_secret_in_the_plan_is_not_saved() {
    let literal = || SecretRef::Literal("vecferry-canary-literal".to_owned().into());
    assert_eq!(saved(Auth::Token(literal())).unwrap_err().endpoint, "old");
    let password = Auth::Password { username: "root".to_owned(), password: literal() };
    assert_eq!(saved(password).unwrap_err().endpoint, "old");
    // It is known before anything is looked at.
    let refused = refuse(&[plan(Auth::Token(literal()))], Path::new("kb.vfplan.json")).unwrap_err();
    assert_eq!(refused.code, Code::LiteralNotSaved);
    assert!(!format!("{refused:?}").contains("canary-literal"), "{refused:?}");
    refuse(&[plan(token())], Path::new("kb.vfplan.json")).unwrap();
    let nowhere = refuse(&[plan(token())], Path::new("no/such/folder/kb.vfplan.json")).unwrap_err();
    assert!(nowhere.message.contains("there is no folder no/such/folder"), "{}", nowhere.message);
}

#[test]
fn a_document_that_was_changed_is_refused_and_one_that_was_laid_out_anew_is_not() {
    let text = saved(token()).unwrap().text();
    let compact: Value = serde_json::from_str(&text).unwrap();
    assert!(parsed(&compact.to_string()).unwrap().is_some());
    for (from, to) in
        [("articles_v2", "articles_v3"), ("OLD_TOKEN", "ANY_TOKEN"), ("16.5", "17.5"), ("sha256:", "sha257:")]
    {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert_eq!(parsed(&changed).unwrap_err().code, Code::SavedPlanUnusable, "{from}");
    }
}

#[test]
fn what_is_no_saved_plan_is_told_from_one_that_is_broken() {
    assert!(parsed("version: 1").unwrap().is_none());
    assert!(parsed("{\"version\": 1}").unwrap().is_none());
    assert!(parsed("[]").unwrap().is_none());
    let text = saved(token()).unwrap().text();
    let half = &text[..text.len() / 2];
    assert!(parsed(half).unwrap_err().message.contains("can't be read"));
    let newer = text.replacen("\"format_version\": \"1.0\"", "\"format_version\": \"2.0\"", 1);
    assert!(parsed(&newer).unwrap_err().message.contains("\"2.0\" is not known"));
}

#[test]
fn another_version_may_show_it_and_not_apply_it() {
    let mut document: Value = serde_json::from_str(&saved(token()).unwrap().text()).unwrap();
    document["tool_version"] = "99.0.0".into();
    document["checksum"] = checksum(document.clone()).into();
    let saved = parsed(&document.to_string()).unwrap().unwrap();
    let refused = saved.refuse_other_tool(Path::new("kb.vfplan.json")).unwrap_err();
    assert!(refused.message.contains("vecferry 99.0.0"), "{}", refused.message);
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = crate::searched::folder();
    let (plan, out) = (folder.path().join("plan.yaml"), folder.path().join("kb.vfplan.json"));
    fs_err::write(&plan, "version: 1\n").unwrap();
    let saved = saved(token()).unwrap();
    assert_eq!(write(&saved, &plan).unwrap_err().code, Code::PlanNotSaved);
    assert_eq!(fs_err::read_to_string(&plan).unwrap(), "version: 1\n");
    write(&saved, &out).unwrap();
    write(&saved, &out).unwrap();
    assert_eq!(fs_err::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read(&out).unwrap().unwrap().checksum(), saved.checksum());
    // A broken one may be replaced.
    fs_err::write(&out, &saved.text()[..300]).unwrap();
    write(&saved, &out).unwrap();
    assert!(write(&saved, &folder.path().join("no/such/folder.json")).is_err());
}

#[test]
fn paths_below_the_current_folder_are_written_from_it() {
    let here = std::env::current_dir().unwrap();
    assert_eq!(portable(&here.join("plans/.vecferry")), Path::new("plans/.vecferry"));
    assert_eq!(portable(Path::new("plans/ca.pem")), Path::new("plans/ca.pem"));
    assert_eq!(portable(Path::new("/etc/ca.pem")), Path::new("/etc/ca.pem"));
}

#[test]
fn a_sealed_document_is_one() {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/saved/largest-numbers-and-control-characters.json");
    let document = serde_json::from_slice(&fs_err::read(seed).unwrap()).unwrap();
    let plan = parse(Path::new("kb.vfplan.json"), &sealed(document)).unwrap().unwrap();
    assert_eq!(plan.diff().changes[0].rows_lost, u64::MAX);
}
