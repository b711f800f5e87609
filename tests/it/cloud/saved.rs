//! Saved plans whose target is a cluster that is yet to be made.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{PROJECT, REGION, Simulator, cluster, key};
use crate::runs::Run;
use crate::secrets;
use crate::servers::{source, target};
use crate::support::{Place, Workspace, assert_identical, database, fill, place};

const SAVED: &str = "kb.vfplan.json";
const SOURCE: &str = "in01-0000000000saved";

/// A collection, a cluster that it stands in, and a saved plan that moves it into one that is yet to be made.
struct Scene {
    simulator: Simulator,
    work: Workspace,
    from: Place,
    to: Place,
}

impl Scene {
    fn new(topic: &str) -> Self {
        let name = database(topic);
        let (from, to) = (place(source(), &name, "small"), place(target(), &name, "small"));
        fill(&from, "small", &[]);
        let simulator = Simulator::start(json!({
            "clusters": [cluster(SOURCE, source())],
            "spare": [target().uri(), target().uri()],
            "speeds": {"create_seconds": 0.5, "connect_seconds": 0.8},
        }));
        let work = Workspace::new();
        let api = simulator.api();
        work.write(
            "plan.yaml",
            &format!(
                "version: 1\nsources:\n  old:\n    zilliz_cloud:\n      cluster_id: {SOURCE}\n      api: {api}\n      \
                 api_key: {{env: ZILLIZ_API_KEY}}\ntargets:\n  new:\n    zilliz_cloud:\n      api: {api}\n      \
                 api_key: {{env: ZILLIZ_API_KEY}}\n      create:\n        name: kb-prod\n        project_id: {PROJECT}\n        \
                 region: {REGION}\n        plan: standard\n        cu_size: 1\n        password_file: kb-prod.password\n\
                 migrations:\n  - from: old\n    to: new\n    database: {name}\n    collections:\n      - source: small\n        \
                 indexes: copy\n",
            ),
        );
        let scene = Self { simulator, work, from, to };
        scene.run(&["plan", "plan.yaml", "--out", SAVED]).ended(0).says(&["will be made: kb-prod Standard, 1 CU"]);
        scene
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], more: &[(&str, &str)]) -> Run {
        let key = key();
        let variables = [&[("ZILLIZ_API_KEY", key.as_str())], more].concat();
        self.work.start_with(arguments, &variables).wait()
    }

    fn made(&self) -> usize {
        self.simulator.count("createDedicated")
    }
}

#[test]
fn a_saved_plan_that_makes_its_cluster_goes_on_after_a_kill_and_makes_one() {
    let scene = Scene::new("cloud_saved");
    // Right after the cluster is made and remembered: three steps before it are those of asking for it and its password.
    let log = scene.work.path().join("steps");
    let killed =
        scene.run_with(&["apply", SAVED], &[("VECFERRY_CRASH_AT", "4"), ("VECFERRY_CRASH_LOG", log.to_str().unwrap())]);
    assert_eq!(killed.code, None, "{killed:?}");
    let steps = std::fs::read_to_string(log).unwrap();
    assert_eq!(steps.lines().last(), Some("cluster made"), "{steps}");
    assert_eq!(scene.made(), 1);
    // The same command goes on, and has nothing left to do afterwards.
    scene.run(&["apply", SAVED]).ended(0).says(&["1 successful"]);
    assert_identical(&scene.from, &scene.to, &[]);
    scene.run(&["apply", SAVED]).ended(0).says(&["No changes."]);
    scene.run(&["plan", "plan.yaml", "--detailed-exitcode"]).ended(0);
    assert_eq!(scene.made(), 1);
    // The one place where the password is. What is left in the workspace is searched for it afterwards.
    let password = scene.work.path().join("kb-prod.password");
    assert!(std::fs::read_to_string(&password).unwrap().contains(secrets::MARK));
    assert_eq!(std::fs::metadata(&password).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_file(password).unwrap();
}

#[test]
fn a_saved_plan_is_refused_where_somebody_else_made_its_cluster_meanwhile() {
    let scene = Scene::new("cloud_saved_late");
    let body = json!({
        "clusterName": "kb-prod", "projectId": PROJECT, "regionId": REGION, "plan": "Standard",
        "cuType": "Performance-optimized", "cuSize": 1,
    });
    scene.simulator.ask("POST", "/v2/clusters/createDedicated", &key(), Some(&body));
    // It is waited for, because it may well be the one that is meant, and then it shows that it is not.
    scene.run(&["apply", SAVED]).ended(10).says(&["what happens to the cluster", "create", "unchanged"]);
    assert_eq!(scene.made(), 1);
    // Planned anew it is used as it is.
    scene.run(&["apply", "--auto-approve", "plan.yaml"]).ended(0).says(&["VF1113"]);
    assert_identical(&scene.from, &scene.to, &[]);
    assert!(!scene.work.path().join("kb-prod.password").exists());
}
