//! Requests to stop: a file that is named after a run, which the run looks for while it works.
//!
//! A file and no signal, so that it reaches a run on another machine that shares the folder. Runs never have each other's names,
//! so a request that came too late stops nobody.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StateError;
use super::bucket::Bucket;
use super::durable::make_folder;
use super::owner::Owner;

/// How often a run looks whether it was asked to stop.
const LOOK: Duration = Duration::from_millis(500);
/// The same where each look is a request that somebody pays for.
const LOOK_AFAR: Duration = Duration::from_secs(3);

/// The requests in a state.
#[derive(Debug, Clone)]
pub struct Requests {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl Requests {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { place: Place::Folder(folder) }
    }

    pub(super) fn in_bucket(bucket: Bucket) -> Self {
        Self { place: Place::Bucket(bucket) }
    }

    /// How often a run looks.
    pub fn look_every(&self) -> Duration {
        match self.place {
            Place::Folder(_) => LOOK,
            Place::Bucket(_) => LOOK_AFAR,
        }
    }

    /// The file of a run. Names of runs come from files too, and must not lead out of the folder.
    fn file(run: &str) -> String {
        let plain =
            |character: char| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' };
        let name: String = run.chars().take(100).map(plain).collect();
        format!("{name}.request")
    }

    /// Asks a run to stop.
    pub fn ask(&self, run: &str) -> Result<(), StateError> {
        let by = Owner::this(run);
        let said = serde_json::json!({"run": run, "by": by.host, "at": by.since});
        match &self.place {
            Place::Folder(folder) => {
                make_folder(folder)?;
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                writeln!(file, "{said}")?;
                file.persist(folder.join(Self::file(run))).map_err(|error| error.error)?;
                Ok(())
            }
            Place::Bucket(bucket) => {
                let (this, name) = (bucket.clone(), object(run));
                bucket.wait(async move { Ok(this.write(&name, format!("{said}\n")).await?) })
            }
        }
    }

    /// Whether a run was asked to stop, and from which machine. Whether such a file can be read matters to nobody.
    pub fn asked(&self, run: &str) -> Option<String> {
        let text = match &self.place {
            Place::Folder(folder) => text(&folder.join(Self::file(run)))?,
            Place::Bucket(bucket) => {
                let (this, name) = (bucket.clone(), object(run));
                let found = bucket.wait(async move { this.get(&name).await }).ok()??;
                String::from_utf8_lossy(&found.bytes).into_owned()
            }
        };
        let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        Some(said.get("by").and_then(|by| by.as_str()).unwrap_or("a machine that did not say its name").to_owned())
    }

    /// Takes a request back, once its run has ended.
    pub fn forget(&self, run: &str) {
        match &self.place {
            Place::Folder(folder) => {
                let _there_may_be_none = std::fs::remove_file(folder.join(Self::file(run)));
            }
            Place::Bucket(bucket) => {
                let (this, name) = (bucket.clone(), object(run));
                // One that stays stops nobody else.
                let _left_behind = bucket.wait(async move { this.remove(&name).await });
            }
        }
    }
}

fn object(run: &str) -> String {
    format!("requests/{}", Requests::file(run))
}

fn text(path: &Path) -> Option<String> {
    // Where a folder is shared, its listing notices a new file sooner than a name that was asked for in vain before.
    let (folder, name) = (path.parent()?, path.file_name()?);
    let listed = std::fs::read_dir(folder).ok()?;
    let there = listed.flatten().any(|entry| entry.file_name() == name);
    there.then(|| std::fs::read_to_string(path).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_one_run() {
        let folder = crate::searched::folder();
        let requests = Requests::new(folder.path().join("requests"));
        assert_eq!(requests.asked("20260101-000000-abcd"), None);
        requests.ask("20260101-000000-abcd").unwrap();
        requests.ask("20260101-000000-abcd").unwrap();
        assert!(requests.asked("20260101-000000-abcd").is_some());
        assert_eq!(requests.asked("20260101-000000-abce"), None);
        requests.forget("20260101-000000-abcd");
        requests.forget("20260101-000000-abcd");
        assert_eq!(requests.asked("20260101-000000-abcd"), None);
    }

    #[test]
    fn a_name_does_not_lead_out_of_the_folder() {
        let folder = crate::searched::folder();
        let requests = Requests::new(folder.path().join("requests"));
        requests.ask("../../evil/name").unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("requests")).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
