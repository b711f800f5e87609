//! Clusters that runs had made: one small file for each, written before the request for it and after its answer, so that whoever
//! comes after a crash knows that a cluster of that name may be on its way. Its writer has the lock of the same name.

use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::durable::{make_folder, sync_folder};
use super::store::Place;
use super::{JobId, Lock, StateError, Store};

/// Version of the file.
const FORMAT: u32 = 1;

/// A cluster that a run asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeCluster {
    /// Version of the file.
    format: u32,
    /// Version of vecferry that wrote it.
    tool: String,
    /// The run.
    pub run: String,
    /// The cluster's name.
    pub name: String,
    /// Its project.
    pub project_id: String,
    /// When it was asked for.
    pub asked: jiff::Timestamp,
    /// Its id, once the service had said it.
    pub id: Option<String>,
    /// The saved plan that asked for it, by its checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_plan: Option<String>,
}

impl MadeCluster {
    /// One that is about to be asked for.
    pub fn asked(run: &str, name: &str, project_id: &str, saved_plan: Option<&str>) -> Self {
        Self {
            format: FORMAT,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
            name: name.to_owned(),
            project_id: project_id.to_owned(),
            asked: jiff::Timestamp::now(),
            id: None,
            saved_plan: saved_plan.map(str::to_owned),
        }
    }
}

impl JobId {
    /// The id of a cluster that is to be made, under which its lock is kept and what is remembered of it.
    pub fn of_cluster(project_id: &str, name: &str) -> Self {
        Self::of(&format!("zilliz_cloud:{project_id}"), "cluster", name)
    }
}

impl Store {
    /// What is remembered of a cluster that was to be made, or none.
    pub fn made_cluster(&self, id: &JobId) -> Result<Option<MadeCluster>, StateError> {
        let (bytes, path) = match self.lies() {
            Place::Folder(root) => {
                let path = root.join(file(id));
                match fs_err::read(&path) {
                    Ok(bytes) => (bytes, path),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            }
            Place::Bucket(bucket) => {
                let (this, name) = (bucket.clone(), file(id));
                let Some(found) = bucket.wait(async move { this.get(&name).await })? else { return Ok(None) };
                (found.bytes.to_vec(), PathBuf::from(bucket.shown(&file(id))))
            }
        };
        match serde_json::from_slice::<MadeCluster>(&bytes) {
            Ok(made) if made.format > FORMAT => {
                Err(StateError::Newer { path, format: u64::from(made.format), tool: made.tool })
            }
            Ok(made) => Ok(Some(made)),
            Err(error) => Err(StateError::Refused {
                what: format!("{} cannot be read: {error}", path.display()),
                help: "remove that file: a cluster of the plan's name is then looked for, and used where there is one",
            }),
        }
    }

    /// Remembers a cluster, and returns once that lasts. The caller holds the lock of that id.
    pub fn remember_cluster(&self, id: &JobId, made: &MadeCluster, lock: &Lock) -> Result<(), StateError> {
        lock.check()?;
        let text = serde_json::to_string(made).map_err(std::io::Error::other)?;
        match self.lies() {
            Place::Folder(root) => {
                let path = root.join(file(id));
                let folder = root.join(FOLDER);
                make_folder(&folder)?;
                let mut written = tempfile::NamedTempFile::new_in(&folder)?;
                writeln!(written, "{text}")?;
                written.as_file().sync_all()?;
                written.persist(path).map_err(|error| error.error)?;
                Ok(sync_folder(&folder)?)
            }
            Place::Bucket(bucket) => {
                let (this, name) = (bucket.clone(), file(id));
                bucket.wait(async move { Ok(this.write(&name, format!("{text}\n")).await?) })
            }
        }
    }
}

/// The folder of these files.
const FOLDER: &str = "clusters";

fn file(id: &JobId) -> String {
    format!("{FOLDER}/{id}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_remembered_from_its_request_on() {
        let folder = crate::searched::folder();
        let store = Store::new(folder.path());
        let id = JobId::of_cluster("proj-1", "kb-prod");
        assert_eq!(store.made_cluster(&id).unwrap(), None);
        let lock = store.lock(&id, "r1").unwrap();
        let mut made = MadeCluster::asked("r1", "kb-prod", "proj-1", Some("sha256:aa"));
        store.remember_cluster(&id, &made, &lock).unwrap();
        assert_eq!(store.made_cluster(&id).unwrap(), Some(made.clone()));
        made.id = Some("in01-a".into());
        store.remember_cluster(&id, &made, &lock).unwrap();
        assert_eq!(store.made_cluster(&id).unwrap(), Some(made));
        // Another project may have one of that name.
        assert_ne!(id, JobId::of_cluster("proj-2", "kb-prod"));
        // It is no job, and nothing takes it for one.
        assert!(store.jobs().unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_way_out() {
        let folder = crate::searched::folder();
        let (store, id) = (Store::new(folder.path()), JobId::of_cluster("proj-1", "kb-prod"));
        make_folder(&folder.path().join(FOLDER)).unwrap();
        for (text, expected) in [("{", "cannot be read"), (r#"{"format":1}"#, "cannot be read")] {
            fs_err::write(folder.path().join(file(&id)), text).unwrap();
            let error = store.made_cluster(&id).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
