//! The Python side, kept running: starting Python and its client costs more than most scripts of `tests/support` do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::servers::talking;

/// Processes that have nothing to do.
static IDLE: Mutex<Vec<Process>> = Mutex::new(Vec::new());
/// So many of them are kept; each holds some 100 MB of memory.
const KEPT: usize = 8;

/// How a script ended, and what it printed.
#[derive(Debug)]
pub struct Answer {
    pub code: u64,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The one JSON value that it printed; null where that is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_default()
    }
}

/// Runs a script of `tests/support`, `name` being that of its file.
#[track_caller]
pub fn run(name: &str, arguments: &[&str]) -> Answer {
    let started = Instant::now();
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut process = idle.unwrap_or_else(Process::start);
    // One that does not answer is not kept, whatever the reason.
    let answer = process.run(name, arguments);
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < KEPT {
        idle.push(process);
    }
    // Captured, and shown beside a failure.
    println!("{:5.1} s for {name} {}", started.elapsed().as_secs_f64(), arguments.join(" "));
    answer
}

/// A process of `tests/support/many.py`, which takes one script after the other. It ends with this, and those in [`IDLE`] end
/// with the test process, because their standard input does.
struct Process {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start() -> Process {
        let mut child = talking("tests/support/many.py", &[]);
        let asked = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Process { child, asked, answers }
    }

    #[track_caller]
    fn run(&mut self, name: &str, arguments: &[&str]) -> Answer {
        let asked = json!({"script": name.trim_end_matches(".py"), "arguments": arguments});
        writeln!(self.asked.as_mut().expect("it was not stopped"), "{asked}").expect("Python listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Python answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        let text = |what: &str| answer[what].as_str().expect("a text").to_owned();
        Answer { code: answer["code"].as_u64().expect("a number"), out: text("out"), err: text("err") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.asked.take());
        let _ended = self.child.wait();
    }
}
