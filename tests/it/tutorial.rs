//! `docs/tutorial.md`, followed literally: its commands are run one after the other in an empty folder, and what they print is held
//! against what the page shows. `VECFERRY_UPDATE=1` writes what they printed into the page.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::secrets;
use crate::servers::{Ports, python, root};

/// Seconds that the whole tutorial may take, beside many other tests.
const LIMIT: &str = "900";
/// The ports that the page names.
const PORTS: [u16; 2] = [19530, 19531];
/// What a number stands before where it is a time or a rate.
const UNITS: [&str; 12] = ["s", "s.", "s,", "s;", "min", "h", "ms", "kB/s", "MB/s", "rows/s", "s)", "MB/s)"];

/// A block of commands, with what the page says that they print.
#[derive(Debug)]
struct Step {
    commands: String,
    /// The bytes of the page between the fences of what is printed; none where nothing is shown.
    shown: Option<std::ops::Range<usize>>,
}

/// The steps of a page. A comment above a block says that the test does otherwise.
fn steps(page: &str, ports: [u16; 2]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut note, mut fence, mut begin, mut at) = ("", "", 0, 0);
    let mut follows = false;
    for line in page.split_inclusive('\n') {
        let end = at + line.len();
        match (fence, line.trim_end()) {
            ("", opened @ ("```sh" | "```text")) => (fence, begin) = (opened, end),
            ("```sh", "```") => {
                let commands = match note {
                    "<!-- test: skip -->" => String::new(),
                    "<!-- test: ports -->" => format!("export OLD=127.0.0.1:{} NEW=127.0.0.1:{}\n", ports[0], ports[1]),
                    _ => page[begin..at].to_owned(),
                };
                steps.push(Step { commands, shown: None });
                (fence, note, follows) = ("", "", true);
            }
            ("```text", "```") => {
                if let (true, Some(step)) = (follows, steps.last_mut()) {
                    step.shown = Some(begin..at);
                }
                (fence, follows) = ("", false);
            }
            ("", "") => {}
            ("", text) => (note, follows) = (text, false),
            _ => {}
        }
        at = end;
    }
    steps
}

/// The words of a text, with each time and rate as one that says no more.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let is_number =
            |word: &str| word.trim_start_matches(['(', '~']).starts_with(|first: char| first.is_ascii_digit());
        if UNITS.contains(&word) && words.last().is_some_and(|last| is_number(last)) {
            words.pop();
            // A time has one or two units.
            if words.last() != Some(&"<time>") {
                words.push("<time>");
            }
        } else if word.starts_with("──") {
            words.push("──");
        } else {
            words.push(word);
        }
    }
    words
}

/// Runs the steps in one shell, and returns what each of them printed.
fn follow(steps: &[Step], folder: &Path) -> Vec<String> {
    const MARK: &str = "@@ the next step @@";
    symlink(python().parent().unwrap().parent().unwrap(), folder.join("venv")).unwrap();
    let mut script = String::from("trap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
    for step in steps {
        script.push_str(&format!("echo '{MARK}'\n{}", step.commands));
    }
    let file = folder.join("tutorial.sh");
    fs::write(&file, script).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_vecferry")).parent().unwrap();
    let said = fs::File::create(folder.join("said")).unwrap();
    let status = Command::new("timeout")
        .args(["--kill-after=10", LIMIT, "bash"])
        .arg(&file)
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:{}", binary.display(), std::env::var("PATH").unwrap()))
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .status()
        .unwrap();
    let said = String::from_utf8(fs::read(folder.join("said")).unwrap()).unwrap();
    secrets::assert_none("the tutorial", said.as_bytes());
    // A script that fell over is nothing to hold the page against, let alone to write into it.
    assert!(status.success() && !said.contains("Traceback"), "{status}\n{said}");
    said.split(&format!("{MARK}\n")).skip(1).map(str::to_owned).collect()
}

#[test]
fn the_tutorial_says_what_happens() {
    let path = root().join("docs/tutorial.md");
    let mut page = fs::read_to_string(&path).unwrap();
    let held = Ports::take();
    let ports = [held.first, held.first + 1];
    let folder = tempfile::tempdir().unwrap();
    let steps = steps(&page, ports);
    assert!(steps.len() > 12 && steps.iter().filter(|step| step.shown.is_some()).count() > 8, "{steps:?}");
    let said: Vec<String> = follow(&steps, folder.path())
        .into_iter()
        .map(|said| {
            let [old, new] = [0, 1].map(|at| (format!(":{}", ports[at]), format!(":{}", PORTS[at])));
            said.replace(&old.0, &old.1).replace(&new.0, &new.1)
        })
        .collect();
    assert_eq!(said.len(), steps.len());
    if std::env::var_os("VECFERRY_UPDATE").is_some_and(|value| value == "1") {
        for (step, said) in steps.iter().zip(&said).rev() {
            if let Some(shown) = &step.shown {
                page.replace_range(shown.clone(), &format!("{}\n", said.trim_matches('\n')));
            }
        }
        fs::write(&path, &page).unwrap();
        return;
    }
    for (step, said) in steps.iter().zip(&said) {
        if let Some(shown) = &step.shown {
            assert_eq!(words(&page[shown.clone()]), words(said), "after\n{}\nit said\n{said}", step.commands);
        }
    }
}

#[test]
fn times_and_rates_are_not_compared_and_all_else_is() {
    assert_eq!(words("20,000 rows, about 2 s at 1 MB/s"), words("20,000  rows,\nabout 1 min 12 s at 0.9 MB/s"));
    assert_ne!(words("20,000 rows"), words("19,999 rows"));
}
