//! Rows that do not fit, kept beside the state so that nothing is lost.
//!
//! One NDJSON file for each split that has such rows, written whole and renamed into place before the split is recorded as
//! done. A split that is tried again writes its file again, so a row is never listed twice, whenever the process is killed.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::StateError;
use super::durable::{make_folder, remove, sync_folder};
use crate::collection::Key;
use crate::crash_point;

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuarantinedRow {
    /// The source's key.
    #[serde(serialize_with = "plain_key")]
    pub key: Key,
    /// Field of the target that cannot take its value.
    pub field: String,
    /// What does not fit.
    pub reason: String,
    /// Partition of the source, where rows were read partition by partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The row as the source has it, by field.
    pub row: serde_json::Value,
}

fn plain_key<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Key::Int(value) => serializer.serialize_i64(*value),
        Key::Text(value) => serializer.serialize_str(value),
    }
}

/// The quarantine of one run into one target.
#[derive(Debug, Clone)]
pub struct Quarantine {
    folder: PathBuf,
}

impl Quarantine {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where its files are: `split-00012.ndjson` and so on, one JSON object a line.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps the rows of a split in place of those that an earlier attempt at it kept.
    pub fn keep(&self, split: usize, rows: &[QuarantinedRow]) -> Result<(), StateError> {
        let path = self.folder.join(format!("split-{split:05}.ndjson"));
        if rows.is_empty() {
            return Ok(remove(&path)?);
        }
        make_folder(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        for row in rows {
            serde_json::to_writer(&mut file, row).map_err(std::io::Error::from)?;
            file.write_all(b"\n")?;
        }
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        sync_folder(&self.folder)?;
        crash_point::reached("quarantine");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn a_split_tried_again_replaces_what_it_kept() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(folder.path().join("q"));
        let row = |key| QuarantinedRow {
            key: Key::Int(key),
            field: "year".into(),
            reason: "`x` is no INT64".into(),
            partition: None,
            row: serde_json::json!({"id": key}),
        };
        quarantine.keep(3, &[row(1), row(2)]).unwrap();
        quarantine.keep(3, &[row(2)]).unwrap();
        let text = fs::read_to_string(quarantine.folder().join("split-00003.ndjson")).unwrap();
        assert_eq!(text, "{\"key\":2,\"field\":\"year\",\"reason\":\"`x` is no INT64\",\"row\":{\"id\":2}}\n");
        quarantine.keep(3, &[]).unwrap();
        quarantine.keep(4, &[]).unwrap();
        assert_eq!(fs::read_dir(quarantine.folder()).unwrap().count(), 0);
    }
}
