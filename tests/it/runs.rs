//! vecferry as a process: runs that are waited for, runs that are killed on the way, and what they leave in the state.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::published;
use crate::secrets;
use crate::support::Workspace;

/// Longer than any run of a test takes, even beside many others on two cores.
const LIMIT: Duration = Duration::from_secs(240);

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The run, if it ended with this exit code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "exit code\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Everything that was said, on one line: a name or a sentence is found however the text is laid out.
    pub fn words(&self) -> String {
        format!("{} {}", self.out, self.err).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The run, if all of these were said somewhere.
    #[track_caller]
    pub fn says(self, wanted: &[&str]) -> Run {
        let words = self.words();
        for text in wanted {
            assert!(words.contains(text), "`{text}` was not said\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        }
        self
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A run in the background. It is killed when this is dropped.
pub struct Running {
    child: Child,
    files: [PathBuf; 2],
    arguments: Vec<String>,
    started: Instant,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, as by a power cut. Returns when the process is gone, and whether it had not ended before.
    pub fn kill9(mut self) -> bool {
        let alive = self.child.try_wait().unwrap().is_none();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        alive
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let [out, err] = self.said();
                // Captured, and shown beside a failure.
                println!("{:5.1} s for {}", self.started.elapsed().as_secs_f64(), self.arguments.join(" "));
                secrets::assert_none("stdout", out.as_bytes());
                secrets::assert_none("stderr", err.as_bytes());
                if status.code().is_some() {
                    let folder = self.files[0].parent().unwrap();
                    published::assert_published(&self.arguments, folder, &out, &err);
                }
                return Run { code: status.code(), out, err };
            }
            assert!(Instant::now() < end, "it runs for more than {LIMIT:?}: {:?}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn said(&self) -> [String; 2] {
        [0, 1].map(|file| String::from_utf8_lossy(&std::fs::read(&self.files[file]).unwrap()).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Workspace {
    /// Runs vecferry to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.start(arguments).wait()
    }

    #[track_caller]
    pub fn apply(&self) -> Run {
        self.run(&["apply", "--auto-approve", "plan.yaml"])
    }

    /// `plan --detailed-exitcode`, so that "changes" and "none" are told apart.
    #[track_caller]
    pub fn look(&self) -> Run {
        self.run(&["plan", "--detailed-exitcode", "plan.yaml"])
    }

    #[track_caller]
    pub fn verify(&self) -> Run {
        self.run(&["verify", "plan.yaml"])
    }

    pub fn start_apply(&self) -> Running {
        self.start(&["apply", "--auto-approve", "plan.yaml"])
    }

    /// Starts vecferry in the background. What it says goes to files, which never fill up as a pipe does.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, &[])
    }

    /// The same with environment variables.
    pub fn start_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        self.start_command(Command::new(env!("CARGO_BIN_EXE_vecferry")), arguments, variables)
    }

    /// The same by a line of the shell, which is to end in `exec "$0" "$@"`.
    pub fn start_in_shell(&self, line: &str, arguments: &[&str]) -> Running {
        let mut shell = Command::new("bash");
        shell.args(["-c", line, env!("CARGO_BIN_EXE_vecferry")]);
        self.start_command(shell, arguments, &[])
    }

    fn start_command(&self, mut command: Command, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        secrets::assert_marked(self.path(), variables);
        let names = ["out", "err"].map(|what| {
            let file = tempfile::Builder::new().prefix(what).tempfile_in(self.path()).unwrap();
            file.into_temp_path().keep().unwrap()
        });
        command.current_dir(self.path()).args(arguments).env_clear();
        for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.path()).env("NO_COLOR", "1").envs(variables.iter().copied());
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&names[0]).unwrap())
            .stderr(File::create(&names[1]).unwrap())
            .spawn()
            .expect("vecferry starts");
        let arguments = arguments.iter().map(|&one| one.to_owned()).collect();
        Running { child, files: names, arguments, started: Instant::now() }
    }

    /// The folder of the state.
    pub fn state(&self) -> PathBuf {
        self.path().join(".vecferry")
    }

    /// Every file of the state with its bytes, by its path.
    pub fn state_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        files_under(&self.state(), &mut found);
        found.sort();
        found
    }

    /// The records of the only journal that is not an old one; none while there is no journal.
    pub fn journal(&self) -> Vec<Value> {
        let Ok(folder) = std::fs::read_dir(self.state().join("jobs")) else { return Vec::new() };
        let journals: Vec<PathBuf> = folder
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
            .collect();
        let [journal] = journals.as_slice() else { return Vec::new() };
        let text = std::fs::read_to_string(journal).unwrap_or_default();
        // A last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line.split_once(' ')?.1).ok()).collect()
    }

    /// How many records of a type the journal holds.
    pub fn records(&self, kind: &str) -> usize {
        self.journal().iter().filter(|record| record["type"] == kind).count()
    }

    /// Rows that were sent for the splits that are done, each split by its last record.
    pub fn written(&self) -> u64 {
        let mut written = std::collections::BTreeMap::new();
        for record in self.journal().iter().filter(|record| record["type"] == "done") {
            written.insert(record["split"].as_u64(), record["written"].as_u64().unwrap());
        }
        written.values().sum()
    }

    /// Splits that are done for good.
    pub fn splits_done(&self) -> usize {
        let mut done = std::collections::BTreeSet::new();
        for record in self.journal() {
            match record["type"].as_str() {
                Some("done") => done.insert(record["split"].as_u64()),
                Some("started" | "reopened") => done.remove(&record["split"].as_u64()),
                _ => false,
            };
        }
        done.len()
    }

    /// The phases since the job was last taken up.
    pub fn phases(&self) -> Vec<String> {
        let journal = self.journal();
        let attempt = journal.iter().rposition(|record| record["type"] == "attempt").unwrap_or_default();
        let names = journal[attempt..].iter().filter(|record| record["type"] == "phase");
        names.map(|record| record["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the running process has taken up the job and entered this phase; false if it ended before.
    #[track_caller]
    pub fn reaches(&self, running: &mut Running, phase: &str) -> bool {
        let pid = running.pid();
        let taken_up = |journal: &[Value]| {
            let last = journal.iter().rfind(|record| record["type"] == "attempt");
            last.is_some_and(|record| record["pid"] == pid)
        };
        let end = Instant::now() + LIMIT;
        loop {
            let ended = running.child.try_wait().unwrap().is_some();
            if taken_up(&self.journal()) && self.phases().iter().any(|name| name == phase) {
                return true;
            }
            if ended {
                return false;
            }
            assert!(Instant::now() < end, "it is not {phase} after {LIMIT:?}: {:?}", running.said());
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

fn files_under(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files_under(&path, found);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
}

/// Numbers that look random and follow from a seed, which a failed test names. `VECFERRY_TEST_SEED` sets it.
pub struct Seeded {
    pub seed: u64,
    state: u64,
}

impl Seeded {
    pub fn new() -> Seeded {
        let given = std::env::var("VECFERRY_TEST_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos())
        });
        Seeded::of(seed)
    }

    /// The numbers of this seed.
    pub fn of(seed: u64) -> Seeded {
        Seeded { seed, state: seed }
    }

    /// A number below `limit`, by splitmix64.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
