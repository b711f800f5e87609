//! No secret gets out. Every secret of the tests carries one mark, or was told here when it was made; what vecferry prints in any
//! test, and every file that it leaves in a workspace, is searched for them in each form that they could travel in.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::secret_forms;
pub use crate::secret_forms::{MARK, NUMBER};
use crate::servers::root;

/// Secrets that cannot carry the mark, because they are made at random: keys of certificates.
static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Files with secrets in them that a test wrote itself.
static WRITTEN: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

/// Tells of a private key that a test has made and is about to write into a file.
pub fn made(pem: &str, file: &Path) {
    let lines = pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned);
    MADE.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
    wrote(file);
}

/// Tells of a file that a test writes itself, so that finding a secret in it is no news.
pub fn wrote(file: &Path) {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(file.to_owned());
}

/// The first secret in these bytes, as it stands there.
fn found_in(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|line| text.contains(*line)).cloned();
    secret_forms::found_in(&text).map(str::to_owned).or_else(made)
}

/// Fails where something that vecferry wrote holds a secret.
#[track_caller]
pub fn assert_none(what: &str, bytes: &[u8]) {
    if let Some(found) = found_in(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let at = text.find(&found).unwrap_or_default();
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let shown: String = text[line..].chars().take(2_000).collect();
        panic!("{what} holds a secret, as `{found}`: {shown}");
    }
}

/// The same for all files below a folder but those that the test wrote itself.
#[track_caller]
pub fn assert_none_under(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let own =
            WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|all| all.contains(&path));
        if path.is_dir() {
            assert_none_under(&path);
        } else if let (false, Ok(bytes)) = (own, std::fs::read(&path)) {
            assert_none(&path.display().to_string(), &bytes);
        }
    }
}

/// Where `make test` puts what the unit tests print, those that succeed too.
const UNIT_TESTS: &str = "target/unit-tests.txt";

#[test]
fn what_unit_tests_print_holds_no_secret() {
    // Whoever runs these tests alone has no such file; the whole suite makes it just before.
    if let Ok(printed) = std::fs::read(root().join(UNIT_TESTS)) {
        assert!(String::from_utf8_lossy(&printed).contains("test result:"), "{UNIT_TESTS} is no output of tests");
        assert_none(UNIT_TESTS, &printed);
    }
}

/// What tests expect vecferry to print is kept in the repository, and so are pages and schemas that are made by it.
#[test]
fn what_is_committed_as_output_holds_no_secret() {
    let mut searched = 0;
    for folder in ["src", "tests/it", "docs", "schemas"] {
        for path in files_under(&root().join(folder)) {
            let is_output = path
                .extension()
                .is_some_and(|extension| ["snap", "md", "json"].iter().any(|known| extension == *known));
            if is_output {
                assert_none(&path.display().to_string(), &std::fs::read(&path).unwrap());
                searched += 1;
            }
        }
    }
    assert!(searched > 50, "only {searched} files");
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(files_under(&path)) } else { found.push(path) }
    }
    found
}

/// Fails where a run is given a secret that the search would not know: by its environment, or by a plan or settings in its
/// folder, literally or by a file.
#[track_caller]
pub fn assert_marked(folder: &Path, variables: &[(&str, &str)]) {
    for (name, value) in variables {
        let name = name.to_ascii_uppercase();
        if ["TOKEN", "PASSWORD", "SECRET", "CREDENTIAL", "API_KEY"].iter().any(|word| name.contains(word)) {
            assert!(is_marked(value), "{name} is a secret of a test without `secrets::MARK` in it");
        }
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| ["yaml", "yml", "toml"].iter().any(|known| extension == *known))
            && let Ok(bytes) = std::fs::read(&path)
        {
            wrote(&path);
            let text = String::from_utf8_lossy(&bytes);
            for secret in secrets_of(&text, folder) {
                assert!(is_marked(&secret), "{} holds a secret without `secrets::MARK` in it", path.display());
            }
        }
    }
}

fn is_marked(secret: &str) -> bool {
    secret.contains(MARK) || secret.contains(NUMBER)
}

/// What a plan gives as a token or password, and what the files hold that it names for one.
fn secrets_of(text: &str, folder: &Path) -> Vec<String> {
    let mut secrets = Vec::new();
    for line in text.lines() {
        for key in ["token:", "password:", "token =", "password ="] {
            for (at, _) in line.match_indices(key) {
                let value = line[at + key.len()..].trim_start();
                let named = value.strip_prefix("{file").map(|rest| rest.trim_start_matches([':', '=', ' ', '"']));
                if let Some(name) = named {
                    let file = folder.join(name.split(['}', '"']).next().unwrap_or_default());
                    wrote(&file);
                    secrets.extend(std::fs::read_to_string(file).ok());
                } else if value.starts_with(|first: char| first.is_alphanumeric() || first == '"') {
                    secrets.push(value.split([',', '}']).next().unwrap_or_default().to_owned());
                }
            }
        }
    }
    secrets
}

mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::support::Workspace;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = format!("{MARK}-of-somebody");
        for user in ["", "u", "me", "root", "migrator"] {
            let login = format!("{user}:{secret}");
            let header = format!("authorization: {}", base64::engine::general_purpose::STANDARD.encode(&login));
            let hex: String = login.bytes().map(|byte| format!("{byte:02x}")).collect();
            for shown in [format!("{login:?}"), header, hex, format!("{:?}", login.as_bytes())] {
                assert!(found_in(shown.as_bytes()).is_some(), "{shown}");
            }
        }
        let number = format!("password: {NUMBER}\n");
        assert!(found_in(number.as_bytes()).is_some());
        assert_eq!(found_in(b"authorization: Sensitive, token: ***, rows 7307530"), None);
    }

    #[test]
    fn a_key_that_a_test_made_is_found_line_by_line() {
        let line = "MC4CAQAwBQYDK2VwBCIEIJ+madeforthistestonly+notakeyofanything";
        let file = Path::new("/nowhere/made.key");
        made(&format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"), file);
        assert!(found_in(format!("read {line}").as_bytes()).is_some());
    }

    #[test]
    fn a_workspace_that_keeps_a_secret_fails_its_test() {
        let leaving = |file: &str| {
            let work = Workspace::new();
            work.write("plan.yaml", &format!("token: \"root:{MARK}\"\n"));
            std::fs::create_dir_all(work.state().join("jobs")).unwrap();
            std::fs::write(work.path().join(file), format!("the login was root:{MARK}")).unwrap();
        };
        for file in ["plan.yaml.out", ".vecferry/jobs/one.journal"] {
            let failed = std::panic::catch_unwind(|| leaving(file));
            assert!(failed.is_err(), "{file}");
        }
    }

    #[test]
    fn a_run_that_prints_a_secret_fails_its_test() {
        let work = Workspace::new();
        // What a message shows anyway stands for what one should not.
        work.write("plan.yaml", &format!("version: 1\n{MARK}: x\n"));
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work.run(&["validate", "plan.yaml"])));
        assert!(run.is_err());
        // It stands in what the run left behind too, and that is known by now.
        for entry in std::fs::read_dir(work.path()).unwrap() {
            wrote(&entry.unwrap().path());
        }
    }

    #[test]
    fn a_secret_without_the_mark_is_refused() {
        let refused = |plan: &str, variables: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("plan.yaml"), plan).unwrap();
            std::fs::write(folder.path().join("secret.txt"), "root:Milvus").unwrap();
            std::panic::catch_unwind(|| assert_marked(folder.path(), variables)).is_err()
        };
        assert!(refused("milvus: {uri: x, token: {file: secret.txt}}", &[]));
        assert!(refused("milvus: {uri: x, password: hunter2}", &[]));
        assert!(refused("token = \"root:Milvus\"", &[]));
        assert!(refused("", &[("TEST_TOKEN", "root:Milvus")]));
        assert!(!refused("token: {env: TEST_TOKEN}", &[("TEST_TOKEN", MARK)]));
    }
}
