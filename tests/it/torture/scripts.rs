//! The Python side, kept running: one process takes one script after the other.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::servers::{python, root};
use crate::support::Place;

/// A process of `tests/support/many.py`. It ends with this.
pub struct Scripts {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// How a script ended, and what it printed.
#[derive(Debug)]
pub struct Answer {
    pub code: u64,
    pub out: Value,
    pub err: String,
}

impl Scripts {
    pub fn start() -> Scripts {
        let mut child = Command::new(python())
            .arg(root().join("tests/support/many.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Scripts { child, asked, answers }
    }

    pub fn run(&mut self, script: &str, arguments: &[&str]) -> Answer {
        let asked = json!({"script": script, "arguments": arguments});
        writeln!(self.asked.as_mut().unwrap(), "{asked}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script}: {error}: {line}"));
        Answer {
            code: answer["code"].as_u64().unwrap(),
            out: serde_json::from_str(answer["out"].as_str().unwrap()).unwrap_or_default(),
            err: answer["err"].as_str().unwrap().to_owned(),
        }
    }

    /// Makes and fills a collection.
    pub fn fill(&mut self, at: &Place, preset: &str, options: &[String]) {
        let mut all = vec![at.uri.as_str(), "--db", &at.database, "--collection", &at.collection, "--preset", preset];
        all.extend(options.iter().map(String::as_str));
        let answer = self.run("fill", &all);
        assert!(answer.code == 0, "fill {at}: {answer:?}");
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        drop(self.asked.take());
        let _ended = self.child.wait();
    }
}
