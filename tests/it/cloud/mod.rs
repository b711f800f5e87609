//! Zilliz Cloud from the plan file, against a simulator of its control plane with a real Milvus behind each cluster.
//!
//! `servers/cloud/simulator.py` is that simulator: written from the public reference, strict about requests, and no Zilliz Cloud.

mod http;
mod made;
mod managed;
pub mod plans;
mod restore;
mod saved;
mod simulated;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin};

use serde_json::{Value, json};

use crate::secrets;
use crate::servers::{Server, source, talking, target};

pub use http::{Answer, ask};

/// The project of a simulator's clusters.
pub const PROJECT: &str = "proj-00000000000000000001";
/// Another organisation's project.
pub const OTHER_PROJECT: &str = "proj-00000000000000000002";
/// The region of everything.
pub const REGION: &str = "aws-us-west-2";
/// The cluster that stands before the shared source.
pub const OLD: &str = "in01-00000000000000a";
/// The cluster that stands before the shared target.
pub const NEW: &str = "in01-00000000000000b";
/// The environment variable that plans of tests take the key from.
pub const KEY_VARIABLE: &str = "ZILLIZ_API_KEY";
/// The same for the other organisation's key.
pub const OTHER_KEY_VARIABLE: &str = "OTHER_ZILLIZ_API_KEY";

/// The key that sees [`PROJECT`].
pub fn key() -> String {
    format!("{}-zilliz-key", secrets::MARK)
}

/// The key that sees [`OTHER_PROJECT`].
pub fn other_key() -> String {
    format!("{}-other-zilliz-key", secrets::MARK)
}

/// A dedicated cluster with one compute unit, as the configuration of a simulator names it.
pub fn cluster(id: &str, behind: &Server) -> Value {
    json!({
        "clusterId": id, "clusterName": id, "projectId": PROJECT, "regionId": REGION, "plan": "Standard",
        "cuType": "Performance-optimized", "cuSize": 1, "milvus": behind.uri(),
    })
}

/// A source cluster and a target cluster, on the shared servers, and a server for one that is made.
pub fn two_clusters() -> Value {
    json!({"clusters": [cluster(OLD, source()), cluster(NEW, target())], "spare": [target().uri()]})
}

/// A running simulator. It ends when this is dropped, and then fails the test where a request was none of the reference's.
pub struct Simulator {
    process: Child,
    stdin: Option<ChildStdin>,
    api: String,
    /// What it said it is.
    pub first_line: String,
}

impl Simulator {
    /// Starts one. `more` is its configuration, beside the keys and projects that every test has.
    #[track_caller]
    pub fn start(more: Value) -> Simulator {
        let mut config = json!({
            "keys": {
                key(): {"organisation": "ours", "projects": [PROJECT]},
                other_key(): {"organisation": "theirs", "projects": [OTHER_PROJECT]},
            },
            "projects": [
                {"projectId": PROJECT, "projectName": "ours", "regionIds": [REGION]},
                {"projectId": OTHER_PROJECT, "projectName": "theirs", "regionIds": [REGION]},
            ],
        });
        for (name, value) in more.as_object().expect("a configuration is an object") {
            config[name] = value.clone();
        }
        let mut process = talking("servers/cloud/simulator.py", &[]);
        let mut stdin = process.stdin.take().expect("stdin is piped");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        writeln!(stdin, "{config}").expect("the simulator listens");
        let (mut first_line, mut second) = (String::new(), String::new());
        stdout.read_line(&mut first_line).expect("the simulator speaks");
        stdout.read_line(&mut second).expect("the simulator speaks");
        let ready: Value = serde_json::from_str(&second).unwrap_or_default();
        assert!(ready["event"] == "ready", "the simulator is not ready: {second}");
        let api = ready["api"].as_str().expect("its address").to_owned();
        Simulator { process, stdin: Some(stdin), api, first_line }
    }

    /// The base address of its control plane.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// What runs of vecferry are given in their environment.
    pub fn variables(&self) -> [(String, String); 2] {
        [(KEY_VARIABLE.to_owned(), key()), (OTHER_KEY_VARIABLE.to_owned(), other_key())]
    }

    /// Asks the control plane with a key.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Answer {
        ask(&self.api, method, path, Some(key), body)
    }

    /// Every request so far that was for the control plane, in order.
    #[track_caller]
    pub fn requests(&self) -> Vec<Value> {
        self.list("/simulator/requests")
    }

    /// How many requests so far were this call of the reference: `toExisting`, `createDedicated`, `clusters`.
    #[track_caller]
    pub fn count(&self, endpoint: &str) -> usize {
        self.requests().iter().filter(|request| request["endpoint"] == endpoint).count()
    }

    /// The bodies of all requests for this call of the reference.
    #[track_caller]
    pub fn bodies(&self, endpoint: &str) -> Vec<Value> {
        let requests = self.requests().into_iter().filter(|request| request["endpoint"] == endpoint);
        requests.map(|request| request["body"].clone()).collect()
    }

    /// What the requests had that the reference does not allow.
    #[track_caller]
    pub fn violations(&self) -> Vec<Value> {
        self.list("/simulator/violations")
    }

    /// All jobs, as the control plane describes them.
    #[track_caller]
    pub fn jobs(&self) -> Vec<Value> {
        self.list("/simulator/jobs")
    }

    /// Lets something go wrong from now on; `servers/cloud/faults.py` lists what.
    #[track_caller]
    pub fn fault(&self, faults: Value) {
        let answer = ask(&self.api, "POST", "/simulator/faults", None, Some(&faults));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    #[track_caller]
    fn list(&self, path: &str) -> Vec<Value> {
        let answer = ask(&self.api, "GET", path, None, None);
        secrets::assert_none(path, answer.body.to_string().as_bytes());
        answer.body.as_array().expect("a list").clone()
    }

    /// Takes note of violations that a test made on purpose, so that dropping says nothing of them.
    #[track_caller]
    pub fn forget_violations(&self, wanted: &[&str]) {
        let found = self.violations();
        assert_eq!(found.len(), wanted.len(), "{found:#?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.as_str().unwrap().contains(wanted), "{found}, and not: {wanted}");
        }
        assert_eq!(ask(&self.api, "POST", "/simulator/faults", None, Some(&json!({"forget": true}))).status, 200);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // A test that has failed says why it did.
        let found = if std::thread::panicking() { Vec::new() } else { self.violations() };
        drop(self.stdin.take());
        // Nothing is left to do when waiting fails, and a panic while dropping would hide the test's own.
        let _ = self.process.wait();
        assert!(found.is_empty(), "requests that the reference does not allow: {found:#?}");
    }
}
