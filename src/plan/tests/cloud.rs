//! Plans over clusters of Zilliz Cloud.

use super::*;
use crate::plan::resolved::{CloudPlan, CuType, Engine, Tier, WhichCluster};

const CLOUD: &str = r#"version: 1
sources:
  old:
    zilliz_cloud:
      cluster_id: in05-a1
      api_key: {env: ZILLIZ_API_KEY}
      resume: true
      database: kb
targets:
  new:
    zilliz_cloud:
      api_key: {env: ZILLIZ_API_KEY}
      create:
        name: kb-prod
        project_id: proj-a1
        region: aws-us-west-2
        plan: standard
        cu_type: capacity_optimized
        cu_size: 4
        password_file: kb.password
migrations:
  - from: old
    to: new
    engine: zilliz_cloud
    collections: [{source: articles}]
"#;

fn migration(text: &str) -> crate::plan::resolved::Migration {
    let (found, checked) = check_text(text);
    assert!(found.is_empty(), "{found:?}");
    checked.expect("a plan").1.plan.migrations.remove(0)
}

/// The codes of the plan with one text in place of another.
fn with(from: &str, to: &str) -> Vec<Code> {
    assert!(CLOUD.contains(from), "{from}");
    codes(&CLOUD.replacen(from, to, 1))
}

#[test]
fn a_cluster_is_known_by_its_id_until_the_service_says_its_address() {
    let migration = migration(CLOUD);
    assert_eq!(migration.engine, Engine::ZillizCloud);
    let (source, target) = (&migration.source, &migration.target);
    assert_eq!([source.uri.as_str(), &target.uri], ["zilliz_cloud:in05-a1", "zilliz_cloud:proj-a1/kb-prod"]);
    assert_eq!([source.tier, target.tier], [Tier::Serverless, Tier::Dedicated]);
    assert_eq!([migration.source_database.as_str(), &migration.target_database], ["kb", "kb"]);
    for endpoint in [source, target] {
        // The key opens the cluster too.
        assert!(matches!(&endpoint.auth, Auth::Token(SecretRef::Env(name)) if name == "ZILLIZ_API_KEY"));
    }
    let cloud = source.cloud.as_ref().expect("a cluster");
    assert_eq!(cloud.api, "https://api.cloud.zilliz.com");
    assert!(cloud.resume && matches!(&cloud.which, WhichCluster::Id(id) if id == "in05-a1"));
    let Some(WhichCluster::Make(new)) = target.cloud.as_ref().map(|cloud| &cloud.which) else {
        panic!("one to be made")
    };
    assert_eq!(new.plan, CloudPlan::Standard { cu_type: CuType::CapacityOptimized, cu_size: 4 });
    assert_eq!(new.password_file, PathBuf::from("dir/kb.password"));
}

#[test]
fn a_cluster_has_a_login_of_its_own_where_the_plan_says_one() {
    let login = "username: db_admin\n      password: {file: kb.password}";
    let migration = migration(&CLOUD.replacen("resume: true", login, 1));
    assert!(matches!(&migration.source.auth, Auth::Password { username, password: SecretRef::File(file) }
        if username == "db_admin" && file == Path::new("dir/kb.password")));
    assert_eq!(with("resume: true", "username: db_admin"), [Code::IncompleteLogin]);
    assert_eq!(with("resume: true", "token: {env: A}\n      username: b"), [Code::TokenAndPassword]);
    assert_eq!(with("resume: true", "token: abc"), [Code::LiteralSecret]);
    assert_eq!(with("resume: true", "timeouts: {connect: 25h}"), [Code::BadDuration]);
}

#[test]
fn the_service_is_that_of_the_region() {
    let api = |text: &str| migration(text).source.cloud.expect("a cluster").api;
    assert_eq!(
        api(&CLOUD.replace("aws-us-west-2", "ali-cn-hangzhou").replace("resume: true", "region: tc-ap-beijing")),
        { "https://api.cloud.zilliz.com.cn" }
    );
    assert_eq!(api(&CLOUD.replacen("resume: true", "api: HTTPS://API.cloud.zilliz.com/", 1)), {
        "https://api.cloud.zilliz.com"
    });
    let local = "api: http://127.0.0.1:8080";
    let both = CLOUD.replacen("resume: true", local, 1).replacen("create:", &format!("{local}\n      create:"), 1);
    assert_eq!(api(&both), "http://127.0.0.1:8080");
    // Where the service is this machine, a key may stand in the plan.
    assert_eq!(codes(&both.replace("{env: ZILLIZ_API_KEY}", "k")), []);
    for (said, code) in [
        ("api: http://api.cloud.zilliz.com", Code::BadCloudApi),
        ("api: http://127.0.0.1", Code::BadCloudApi),
        ("api: https://api.cloud.zilliz.com/v2", Code::BadCloudApi),
        ("api: api.cloud.zilliz.com", Code::BadCloudApi),
        ("api: https://key@api.cloud.zilliz.com", Code::CredentialsInUri),
    ] {
        assert_eq!(with("resume: true", said), [code], "{said}");
    }
    let contradiction = "api: https://api.cloud.zilliz.com\n      region: ali-cn-hangzhou";
    assert_eq!(with("resume: true", contradiction), [Code::RegionContradicts]);
    assert_eq!(with("      create:", "      region: aws-us-east-1\n      create:"), [Code::RegionContradicts]);
}

#[test]
fn a_key_in_the_plan_is_refused_and_not_shown() {
    let text = CLOUD.replacen("{env: ZILLIZ_API_KEY}", "Sup3rS3cret", 1);
    let (found, _) = check_text(&text);
    assert_eq!(found.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), [Code::LiteralSecret]);
    let style = Style { color: false, width: 80 };
    assert!(!diagnostics::text(&found, style).contains("Sup3rS3cret"));
    // Nor where something else is wrong beside it.
    let (found, _) = check_text(&text.replacen("resume: true", "resum: true", 1));
    assert!(!diagnostics::text(&found, style).contains("Sup3rS3cret"));
    assert_eq!(with("      api_key: {env: ZILLIZ_API_KEY}\n", ""), [Code::MissingKey]);
}

#[test]
fn a_cluster_exists_or_is_made_and_a_source_exists() {
    assert_eq!(with("      cluster_id: in05-a1\n", ""), [Code::ExactlyOneOf]);
    assert_eq!(with("      create:", "      cluster_id: in01-a\n      create:"), [Code::ExactlyOneOf]);
    assert_eq!(with("in05-a1", "https://in05-a1.example.com"), [Code::BadFormat]);
    let create = CLOUD.split_once("      create:\n").expect("a cluster to be made").1;
    let create = create.split_once("migrations:").expect("migrations").0;
    let source = CLOUD.replacen("      cluster_id: in05-a1\n", &format!("      create:\n{create}"), 1);
    assert!(codes(&source).contains(&Code::SourceToBeMade), "{:?}", codes(&source));
}

#[test]
fn the_size_of_a_cluster_is_one_that_is_to_be_had() {
    assert_eq!(with("        cu_size: 4\n", ""), [Code::MissingCuSize]);
    assert_eq!(with("cu_size: 4", "cu_size: 3"), [Code::BadCuSize]);
    assert_eq!(with("cu_size: 4", "cu_size: 64"), [Code::BadCuSize]);
    assert_eq!(with("plan: standard", "plan: serverless"), [Code::CuOfServerless, Code::CuOfServerless]);
    assert_eq!(with("plan: standard", "plan: free"), [Code::ValueNotAllowed]);
    let enterprise = CLOUD.replacen("plan: standard", "plan: enterprise", 1);
    assert_eq!(codes(&enterprise.replacen("cu_size: 4", "cu_size: 1024", 1)), []);
    assert_eq!(codes(&enterprise.replacen("cu_size: 4", "cu_size: 1025", 1)), [Code::OutOfRange]);
}

#[test]
fn the_migration_service_takes_two_clusters_that_it_knows() {
    let address = "milvus: {uri: \"http://127.0.0.1\"}\n  other:\n    zilliz_cloud:\n";
    assert_eq!(
        with("zilliz_cloud:\n      cluster_id", &format!("{address}      cluster_id")),
        [Code::EngineNeedsClusters, Code::UnusedEndpoint]
    );
    assert_eq!(with("region: aws-us-west-2", "region: ali-cn-hangzhou"), [Code::EngineNeedsClusters]);
    assert_eq!(with("engine: zilliz_cloud", "engine: direct"), []);
    assert_eq!(with("engine: zilliz_cloud", "engine: zilliz"), [Code::ValueNotAllowed]);
}

#[test]
fn a_cluster_is_the_same_by_its_id_whatever_it_is_called() {
    let new = CLOUD.split_once("      api_key: {env: ZILLIZ_API_KEY}\n      create:").expect("a target").1;
    let new = new.split_once("migrations:").expect("migrations").0;
    let same = CLOUD.replacen(
        &format!("      api_key: {{env: ZILLIZ_API_KEY}}\n      create:{new}"),
        "      api_key: {env: OTHER_KEY}\n      cluster_id: in05-a1\n",
        1,
    );
    assert_eq!(codes(&same), [Code::SelfTarget]);
    assert_eq!(codes(&same.replacen("{source: articles}", "{source: articles, target: articles_v2}", 1)), []);
}

#[test]
fn two_clusters_to_be_made_do_not_get_in_each_others_way() {
    let (before, rest) = CLOUD.split_once("  new:\n").expect("a target");
    let (new, after) = rest.split_once("migrations:\n").expect("migrations");
    let two = |other: &str| {
        let second = "  - {name: second, from: old, to: other, collections: [{source: docs}]}\n";
        format!("{before}  new:\n{new}  other:\n{other}migrations:\n{second}{after}")
    };
    assert_eq!(codes(&two(new)), []);
    assert_eq!(codes(&two(&new.replace("cu_size: 4", "cu_size: 8"))), [Code::MadeTwice]);
    let other = new.replace("name: kb-prod", "name: kb-test");
    assert_eq!(codes(&two(&other)), [Code::MadeTwice]);
    assert_eq!(codes(&two(&other.replace("kb.password", "test.password"))), []);
}

#[test]
fn a_profile_may_be_a_cluster_of_the_cloud() {
    let read = |text: &str| {
        let mut found = Vec::new();
        let read = settings::read_text(Path::new("home/vecferry.toml"), text.to_owned(), &mut found);
        (read, found.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>())
    };
    let profile = r#"[profiles.cloud.zilliz_cloud]
cluster_id = "in01-b2"
api_key = {file = "key"}
database = "kb"
"#;
    let (settings, found) = read(profile);
    assert_eq!(found, []);
    let new = CLOUD.split_once("  new:\n").expect("a target").1.split_once("migrations:").expect("migrations").0;
    let text = CLOUD.replacen(new, "    profile: cloud\n", 1);
    let mut found = Vec::new();
    let checked = check(Path::new("dir/plan.yaml"), text, settings.as_ref(), false, &mut found);
    assert!(found.is_empty(), "{found:?}");
    let target = checked.expect("a plan").1.plan.migrations.remove(0).target;
    assert_eq!((target.uri.as_str(), target.tier), ("zilliz_cloud:in01-b2", Tier::Dedicated));
    assert!(matches!(&target.auth, Auth::Token(SecretRef::File(file)) if file == Path::new("home/key")));

    // A mistake in one is told as one, and not as that it is neither kind.
    assert_eq!(read(&profile.replace("cluster_id", "cluster")).1, [Code::UnknownKey]);
    assert_eq!(read(&profile.replace("{file = \"key\"}", "\"Sup3rS3cret\"")).1, [Code::LiteralSecret]);
    assert_eq!(read("[profiles.a]\ntokne = {env = \"A\"}\n").1, [Code::UnknownKey, Code::MissingKey]);
    assert_eq!(
        read("[profiles.a]\nuri = \"http://h\"\nzilliz_cloud = {cluster_id = \"in01-a\", api_key = {env = \"A\"}}\n").1,
        [Code::UnknownKey]
    );
}
