//! Unit tests are searched for secrets, as integration tests are: what they leave in a folder, and what is logged meanwhile. A test
//! that needs a folder takes it from here. What they print is searched by `make test`, behind them.

#[path = "../tests/it/secret_forms.rs"]
mod forms;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use tempfile::TempDir;

/// A folder of a test, which goes with it. A secret in a file that lies in it at the end fails the test.
pub struct Folder {
    dir: TempDir,
    own: Mutex<Vec<PathBuf>>,
}

/// A folder of a test's own.
pub fn folder() -> Folder {
    folder_in(&std::env::temp_dir())
}

/// The same in another place.
pub fn folder_in(parent: &Path) -> Folder {
    logs();
    Folder { dir: tempfile::tempdir_in(parent).expect("a folder"), own: Mutex::default() }
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a file of it that a secret belongs into.
    pub fn path_of_secret(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        self.own.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that has failed says why it did.
        if !std::thread::panicking() {
            search(self.path(), &self.own.lock().unwrap_or_else(PoisonError::into_inner));
            let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(logged.is_none(), "a secret was logged: {}", logged.as_deref().unwrap_or_default());
        }
    }
}

fn search(folder: &Path, own: &[PathBuf]) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            search(&path, own);
        } else if let (false, Ok(bytes)) = (own.contains(&path), fs_err::read(&path)) {
            // Not in what way: this is printed, and what is printed is searched.
            let found = forms::found_in(&String::from_utf8_lossy(&bytes));
            assert!(found.is_none(), "{} holds a secret", path.display());
        }
    }
}

/// A line of the log that had a secret in it, which is blanked out.
static LOGGED: Mutex<Option<String>> = Mutex::new(None);

/// From now on everything that any test of this process logs, at every level, is searched and dropped.
pub fn logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        let _already_started = log.with_writer(|| Searching).try_init();
    });
}

/// A line with a secret in it, blanked out; none where it holds none.
fn blanked(line: &str) -> Option<String> {
    forms::found_in(line).map(|found| line.replace(found, "***"))
}

struct Searching;

impl Write for Searching {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(line) = blanked(&String::from_utf8_lossy(bytes)) {
            *LOGGED.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
            panic!("the log holds a secret: {line}");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_folder_that_keeps_a_secret_fails_its_test() {
    let leaving = |name: &'static str, allowed: bool| {
        std::panic::catch_unwind(move || {
            let folder = folder();
            fs_err::create_dir(folder.path().join("jobs")).unwrap();
            let path = if allowed { folder.path_of_secret(name) } else { folder.path().join(name) };
            fs_err::write(path, format!("the login was root:{}", forms::MARK)).unwrap();
        })
    };
    assert!(leaving("plan.out", false).is_err() && leaving("jobs/one.journal", false).is_err());
    assert!(leaving("password", true).is_ok());
}

#[test]
fn a_log_that_holds_a_secret_fails_its_test() {
    assert_eq!(blanked("connecting as root"), None);
    let line = format!("authorization: {}-of-somebody", forms::MARK);
    assert_eq!(blanked(&line).as_deref(), Some("authorization: ***-of-somebody"));
}
