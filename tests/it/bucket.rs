//! What a test does with state in a bucket: workspaces that keep theirs there, and objects as they are.
//!
//! The store is SeaweedFS, a real one, on loopback; `servers/serve.py` has its keys and its bucket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::runs::Running;
use crate::support::Workspace;

/// The bucket that every store has.
pub const BUCKET: &str = "vecferry-tests";
/// The key that may do everything.
pub const KEY: &str = "tests";
/// Its secret, which may stand in nothing that is printed.
pub const SECRET: &str = "Sup3rS3cret-of-tests";

/// A prefix of the bucket that no other test uses.
pub struct Prefix {
    pub name: String,
    endpoint: String,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl Prefix {
    /// One in the store at that address, which may be that of a proxy. Looked at by `direct`.
    pub fn new(topic: &str, endpoint: &str, direct: &str) -> Prefix {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // The client asks for one, whether or not the address has TLS. Another test may have been first.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let store = AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(direct)
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .with_allow_http(true)
            .build();
        Prefix {
            name: format!("{topic}-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            endpoint: endpoint.to_owned(),
            store: Arc::new(store.unwrap()),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    pub fn url(&self) -> String {
        format!("s3://{BUCKET}/{}", self.name)
    }

    /// A folder of its own whose `vecferry.toml` keeps the state here.
    pub fn workspace(&self, lease: &str) -> Workspace {
        let work = Workspace::new();
        work.write("vecferry.toml", &format!("[state]\nurl = \"{}\"\nlease = \"{lease}\"\n", self.url()));
        work
    }

    /// What vecferry has to be told of the store.
    pub fn variables(&self) -> [(&str, &str); 3] {
        [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_ENDPOINT_URL", &self.endpoint)]
    }

    pub fn start(&self, work: &Workspace, arguments: &[&str]) -> Running {
        work.start_with(arguments, &self.variables())
    }

    /// Names of all objects behind the prefix, sorted.
    pub fn objects(&self) -> Vec<String> {
        let prefix = Path::from(self.name.as_str());
        let all = self.store.list(Some(&prefix)).map_ok(|object| object.location.to_string()).try_collect::<Vec<_>>();
        let mut names: Vec<String> = self.runtime.block_on(all).unwrap();
        names.sort();
        names.iter().map(|name| name.strip_prefix(&format!("{}/", self.name)).unwrap().to_owned()).collect()
    }

    pub fn read(&self, name: &str) -> String {
        let path = Path::from(format!("{}/{name}", self.name));
        let read = async { self.store.get(&path).await.unwrap().bytes().await.unwrap() };
        String::from_utf8(self.runtime.block_on(read).to_vec()).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = Path::from(format!("{}/{name}", self.name));
        self.runtime.block_on(self.store.put(&path, text.to_owned().into())).unwrap();
    }

    /// The records of the only journal, with those of generations that were closed.
    pub fn records(&self) -> Vec<Value> {
        let is_journal = |name: &&String| name.starts_with("jobs/") && !name.ends_with("/current");
        let texts = self.objects().iter().filter(is_journal).map(|name| self.read(name)).collect::<Vec<_>>();
        let lines = texts.iter().flat_map(|text| text.lines().skip(1));
        lines.map(|line| serde_json::from_str(line.split_once(' ').unwrap().1).unwrap()).collect()
    }

    /// Splits that are done for good, of so many tries.
    pub fn done(&self) -> usize {
        self.records().iter().filter(|record| record["type"] == "done").count()
    }

    /// How many splits there are.
    pub fn splits(&self) -> usize {
        let records = self.records();
        let list = records.iter().find(|record| record["type"] == "splits").expect("a list of splits");
        list["list"].as_array().unwrap().len()
    }

    pub fn started(&self) -> usize {
        self.records().iter().filter(|record| record["type"] == "started").count()
    }

    /// Waits until that is so, while the run goes on.
    #[track_caller]
    pub fn reaches(&self, run: &mut Running, is_so: impl Fn(&Prefix) -> bool) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while !is_so(self) {
            assert!(!run.has_ended() && std::time::Instant::now() < end, "it did not come to that");
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    }

    /// The only lock.
    pub fn lock(&self) -> (String, Value) {
        let names = self.objects();
        let name = names.iter().find(|name| name.starts_with("locks/")).expect("a lock").clone();
        let lock = serde_json::from_str(&self.read(&name)).unwrap();
        (name, lock)
    }
}
