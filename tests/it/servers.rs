//! Real servers for tests: Milvus 2.3.5, milvus-lite 3.2.2 and the object store SeaweedFS 4.48, each in a folder and on ports of its own.
//!
//! `servers/serve.py` runs one server for as long as we hold its standard input open. So a server ends with its handle, and
//! also with this process, however this process ends: the shared ones below are never dropped, and a test binary that is
//! killed drops nothing at all.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard};

use serde_json::Value;

/// The real Milvus 2.3.5 standalone. A start takes about four seconds, a restart ten, and one holds up to 1 GB of memory.
pub struct Milvus;

/// milvus-lite 3.2.2, which speaks the protocol of today's Milvus. A start takes two seconds.
pub struct Lite;

/// SeaweedFS 4.48, an object store that speaks S3. A start takes three seconds, and one holds 120 MB of memory.
pub struct S3;

impl S3 {
    /// A server for one test, which may do with it what it likes.
    pub fn start() -> Server {
        Server::start("s3", &[])
    }
}

/// The object store that tests share. A test uses a prefix of its own in it, and never kills it.
pub fn s3() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(S3::start);
    &SERVER
}

impl Milvus {
    /// A server for one test, which may do with it what it likes.
    pub fn start() -> Server {
        Server::start("milvus", &[])
    }

    /// The same with settings by the names of the wheel's configuration, each as `name=JSON`.
    pub fn start_with(settings: &[&str]) -> Server {
        Server::start("milvus", settings)
    }
}

impl Lite {
    /// A server for one test, which may do with it what it likes.
    pub fn start() -> Server {
        Server::start("lite", &[])
    }
}

/// Settings of the servers that tests share. Each test makes a database of its own, and 2.3.5 has 64 of them unless told otherwise.
/// The others make it look more often for what is to be done: as it comes, a flush takes three seconds and a load four, all but a
/// tenth of them spent waiting for the next look. Servers that a test starts for itself are as they come.
const SHARED: [&str; 6] = [
    "rootCoord.maxDatabaseNum=1000",
    // Milliseconds. Sealed segments are flushed once what was assigned in them has expired.
    "dataCoord.segment.assignmentExpiration=500",
    "indexCoord.scheduler.interval=200",
    "queryCoord.checkChannelInterval=200",
    "queryCoord.checkSegmentInterval=200",
    "queryCoord.distPullInterval=200",
];

/// The Milvus that tests share as their source. A test uses a database of its own in it, and never kills it.
pub fn source() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| Milvus::start_with(&SHARED));
    &SERVER
}

/// The Milvus that tests share as their target.
pub fn target() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| Milvus::start_with(&SHARED));
    &SERVER
}

/// The milvus-lite that tests share as their source.
pub fn lite_source() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(Lite::start);
    &SERVER
}

/// The milvus-lite that tests share as their target.
pub fn lite_target() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(Lite::start);
    &SERVER
}

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python that has the servers and their client. Installs them when they are not there yet.
pub fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
        let status =
            Command::new("python3").arg(root().join("servers/setup.py")).status().expect("python3 is installed");
        assert!(status.success(), "servers/setup.py failed");
        root().join(".servers/venv/bin/python")
    });
    &PYTHON
}

/// Starts a Python script of the repository that is told what to do on its standard input and answers on its standard output. It
/// ends when its input does.
pub fn talking(script: &str, arguments: &[&str]) -> Child {
    Command::new(python())
        .arg(root().join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{script} does not start: {error}"))
}

/// Sixteen ports in a row for servers that a test starts by itself. Nobody else who asks for some is given them before this is
/// dropped.
pub struct Ports {
    pub first: u16,
    holder: Child,
}

impl Ports {
    pub fn take() -> Ports {
        let mut holder = talking("servers/ports.py", &[]);
        let mut line = String::new();
        let out = holder.stdout.take().expect("stdout is piped");
        BufReader::new(out).read_line(&mut line).expect("Python answers");
        Ports { first: line.trim().parse().expect("a port"), holder }
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // Nothing is left to do when waiting fails.
        let _ = self.holder.wait();
    }
}

/// A running server. It ends, and its data is removed, when this is dropped.
pub struct Server {
    uri: String,
    dir: PathBuf,
    supervisor: Mutex<Supervisor>,
}

struct Supervisor {
    process: Child,
    commands: Option<ChildStdin>,
    events: BufReader<ChildStdout>,
    pid: u32,
}

impl Server {
    fn start(kind: &str, settings: &[&str]) -> Server {
        let mut process = talking("servers/serve.py", &[&[kind], settings].concat());
        let commands = process.stdin.take();
        let events = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut supervisor = Supervisor { process, commands, events, pid: 0 };
        let ready = supervisor.expect("ready");
        let text = |key: &str| ready[key].as_str().expect("the supervisor names it").to_owned();
        Server { uri: text("uri"), dir: text("dir").into(), supervisor: Mutex::new(supervisor) }
    }

    /// `http://127.0.0.1:PORT`, or `https` where its settings ask for TLS.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The process of the server itself. Another one after a restart.
    pub fn pid(&self) -> u32 {
        self.supervisor().pid
    }

    /// Where the server keeps its data and its log, `server.log`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// SIGKILL. Returns when the process is gone.
    pub fn kill9(&self) {
        let mut supervisor = self.supervisor();
        supervisor.say("kill");
        supervisor.expect("killed");
    }

    /// Start again on the same data and the same ports; a server that still lives is ended in order first.
    pub fn restart(&self) {
        let mut supervisor = self.supervisor();
        supervisor.say("restart");
        supervisor.expect("ready");
    }

    /// End the server and remove its data, as dropping it does.
    pub fn stop(self) {}

    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        // A test that failed while it held the lock says nothing about the server.
        self.supervisor.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut supervisor = self.supervisor();
        drop(supervisor.commands.take());
        // Nothing is left to do when waiting fails, and a panic while dropping would hide the test's own.
        let _ = supervisor.process.wait();
    }
}

impl Supervisor {
    fn say(&mut self, command: &str) {
        let commands = self.commands.as_mut().expect("the supervisor was not stopped");
        writeln!(commands, "{command}").expect("the supervisor listens");
    }

    /// The next event, which has to be this one. The supervisor keeps its own time limits.
    fn expect(&mut self, wanted: &str) -> Value {
        let mut line = String::new();
        self.events.read_line(&mut line).expect("the supervisor speaks");
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let reason = event["reason"].as_str().unwrap_or(&line);
        assert!(event["event"] == wanted, "the server is not {wanted}: {reason}");
        if let Some(pid) = event["pid"].as_u64() {
            self.pid = u32::try_from(pid).expect("a process id");
        }
        event
    }
}

mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::support::{act, assert_identical, compare, database, fill, place};

    fn is_alive(pid: u32) -> bool {
        // A zombie is gone for our purpose: it holds no port and no memory.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn stop_leaves_neither_process_nor_data() {
        let server = Lite::start();
        let (pid, dir) = (server.pid(), server.dir().to_owned());
        assert!(is_alive(pid) && dir.exists());
        server.stop();
        assert!(!is_alive(pid) && !dir.exists());
    }

    #[test]
    fn rows_outlive_a_killed_server() {
        let server = Milvus::start();
        let small = place(&server, "default", "small");
        fill(&small, "small", &[]);
        let pid = server.pid();
        server.kill9();
        assert!(!is_alive(pid));
        server.restart();
        assert!(server.pid() != pid);
        assert_eq!(act(&small, "count", &[]), 200);
    }

    #[test]
    fn the_comparison_sees_every_kind_of_difference() {
        let name = database("comparison");
        let (a, b) = (place(source(), &name, "rows"), place(target(), &name, "rows"));
        fill(&a, "small", &[]);
        fill(&b, "small", &[]);
        assert_identical(&a, &b, &[]);
        act(&b, "upsert", &["7", "title=\"changed\"", "new_key={\"a\":1}"]);
        act(&b, "delete", &["14"]);
        act(&b, "duplicate", &["21"]);
        let found = compare(&a, &b, &[]);
        assert!(!found.identical);
        assert_eq!((found.missing, found.extra, found.different), (1, 0, 1));
        assert!(found.text.contains("7.new_key") && found.text.contains("7.title"), "{}", found.text);
        assert!(found.text.contains("B holds 200 rows, but 199 distinct keys"), "{}", found.text);
    }

    /// Runs itself a second time, in a process of its own that says which server it holds, and holds it until it is killed.
    #[test]
    fn a_killed_test_process_leaves_nothing() {
        const HOLDER: &str = "VECFERRY_TEST_HOLDS_A_SERVER";
        if std::env::var_os(HOLDER).is_some() {
            let server = lite_source();
            println!("\nholding {} {}", server.pid(), server.dir().display());
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "servers::tests::a_killed_test_process_leaves_nothing", "--nocapture"])
            .env(HOLDER, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let held = BufReader::new(holder.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("holding ").map(str::to_owned))
            .expect("the holder starts its server");
        let (pid, dir) = held.split_once(' ').unwrap();
        let pid = pid.parse().unwrap();
        assert!(is_alive(pid));
        holder.kill().unwrap();
        holder.wait().unwrap();
        let limit = Instant::now() + Duration::from_secs(10);
        while is_alive(pid) || Path::new(dir).exists() {
            assert!(Instant::now() < limit, "server {pid} or its folder {dir} is still there");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
