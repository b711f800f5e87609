//! Plans about a simulator's clusters, and runs with the keys to it.

use std::path::PathBuf;

use super::{KEY_VARIABLE, PROJECT, REGION, Simulator};
use crate::runs::{Run, Running};
use crate::secrets;
use crate::servers::Server;
use crate::support::Workspace;

/// Where the one-time password of a cluster goes that a plan of a test makes.
const PASSWORD_FILE: &str = "made.password";
/// Milliseconds between two looks at a job, which are two seconds for everybody else.
const BEAT: &str = "150";

/// An endpoint by its address, as it stands below its name. `more` is more of its keys, each behind a comma.
pub fn by_uri(server: &Server, more: &str) -> String {
    format!("milvus: {{uri: \"{}\"{more}}}", server.uri())
}

/// A cluster of the simulator by its id.
pub fn by_id(cloud: &Simulator, id: &str, more: &str) -> String {
    let api = cloud.api();
    format!("zilliz_cloud: {{cluster_id: {id}, api: \"{api}\", api_key: {{env: {KEY_VARIABLE}}}{more}}}")
}

/// A cluster that is to be made.
pub fn made(cloud: &Simulator, name: &str) -> String {
    let api = cloud.api();
    format!(
        "zilliz_cloud:\n      api: \"{api}\"\n      api_key: {{env: {KEY_VARIABLE}}}\n      create:\n        name: {name}\n        \
         project_id: {PROJECT}\n        region: {REGION}\n        plan: enterprise\n        \
         cu_type: capacity_optimized\n        cu_size: 2\n        description: made by a test\n        \
         password_file: {PASSWORD_FILE}"
    )
}

/// One migration from database to database. `more` is more of its keys.
pub fn migration(databases: (&str, &str), collections: &str, more: &str) -> String {
    let (from, to) = databases;
    let extra = if more.is_empty() { String::new() } else { format!("    {more}\n") };
    format!(
        "  - name: {to}\n    from: old\n    to: new\n{extra}    database: {{from: {from}, to: {to}}}\n    collections: {collections}\n"
    )
}

/// What the service moves.
pub fn managed(databases: (&str, &str), collections: &str) -> String {
    migration(databases, collections, "engine: zilliz_cloud")
}

impl Workspace {
    /// Writes `plan.yaml` between two endpoints.
    pub fn plan_of(&self, old: &str, new: &str, migrations: &[String]) -> PathBuf {
        let migrations = migrations.concat();
        let text = format!(
            "version: 1\nname: test\nsources:\n  old:\n    {old}\ntargets:\n  new:\n    {new}\nmigrations:\n{migrations}"
        );
        self.write("plan.yaml", &text)
    }

    /// The file with the one-time password, once it is known to hold one.
    pub fn password_file(&self) -> PathBuf {
        let file = self.path().join(PASSWORD_FILE);
        secrets::wrote(&file);
        file
    }

    /// Starts a run that may ask the simulator.
    pub fn start_cloud(&self, cloud: &Simulator, arguments: &[&str], more: &[(&str, &str)]) -> Running {
        let keys = cloud.variables();
        let mut variables = vec![("VECFERRY_BEAT_MS", BEAT)];
        variables.extend(keys.iter().map(|(name, key)| (name.as_str(), key.as_str())));
        variables.extend(more);
        // What the plan has written there is no leak.
        self.password_file();
        self.start_with(arguments, &variables)
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run_cloud(&self, cloud: &Simulator, arguments: &[&str]) -> Run {
        self.start_cloud(cloud, arguments, &[]).wait()
    }

    /// `apply`, and nobody is asked.
    #[track_caller]
    pub fn apply_cloud(&self, cloud: &Simulator) -> Run {
        self.run_cloud(cloud, &["apply", "--auto-approve", "plan.yaml"])
    }

    /// `plan --detailed-exitcode`, so that "changes" and "none" are told apart.
    #[track_caller]
    pub fn look_cloud(&self, cloud: &Simulator) -> Run {
        self.run_cloud(cloud, &["plan", "--detailed-exitcode", "plan.yaml"])
    }
}
