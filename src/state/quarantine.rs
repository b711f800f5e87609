//! Rows that do not fit, kept beside the state so that nothing is lost.
//!
//! One NDJSON file for each split that has such rows, written whole and renamed into place before the split is recorded as
//! done. A split that is tried again writes its file again, so a row is never listed twice, whenever the process is killed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use tokio::sync::OnceCell;

use super::StateError;
use super::bucket::Bucket;
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
    bucket: Option<Afar>,
}

/// The same in a bucket.
#[derive(Debug, Clone)]
struct Afar {
    bucket: Bucket,
    folder: String,
    /// What an earlier attempt left there, so that splits without such rows cost no request each.
    left: Arc<OnceCell<Vec<String>>>,
}

impl Quarantine {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, bucket: None }
    }

    pub(super) fn in_bucket(bucket: Bucket, id: &str, run: &str) -> Self {
        let folder = format!("quarantine/{id}/{run}");
        let shown = PathBuf::from(bucket.shown(&folder));
        Self { folder: shown, bucket: Some(Afar { bucket, folder, left: Arc::default() }) }
    }

    /// Whether it has any rows.
    pub fn is_there(&self) -> Result<bool, StateError> {
        let Some(Afar { bucket, folder, .. }) = self.bucket.clone() else { return Ok(self.folder.is_dir()) };
        let this = bucket.clone();
        bucket.wait(async move { Ok(!this.names(&folder).await?.is_empty()) })
    }

    /// Where its files are: `split-00012.ndjson` and so on, one JSON object a line.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps the rows of a split in place of those that an earlier attempt at it kept.
    pub async fn keep(&self, split: usize, rows: &[QuarantinedRow]) -> Result<(), StateError> {
        let name = format!("split-{split:05}.ndjson");
        if let Some(afar) = &self.bucket {
            return afar.keep(name, rows).await;
        }
        let path = self.folder.join(name);
        if rows.is_empty() {
            return Ok(remove(&path)?);
        }
        make_folder(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&text(rows)?)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        sync_folder(&self.folder)?;
        crash_point::reached("quarantine");
        Ok(())
    }
}

impl Afar {
    async fn keep(&self, name: String, rows: &[QuarantinedRow]) -> Result<(), StateError> {
        let (bucket, folder) = (self.bucket.clone(), self.folder.clone());
        if rows.is_empty() {
            let (this, at) = (bucket.clone(), folder.clone());
            let left = self.left.get_or_try_init(|| bucket.run(async move { this.names(&at).await })).await?;
            if left.contains(&name) {
                let this = bucket.clone();
                bucket.run(async move { this.remove(&format!("{folder}/{name}")).await }).await?;
            }
            return Ok(());
        }
        let (this, text) = (bucket.clone(), text(rows)?);
        bucket.run(async move { this.write(&format!("{folder}/{name}"), text).await }).await?;
        crash_point::reached("quarantine");
        Ok(())
    }
}

/// One JSON object a line.
fn text(rows: &[QuarantinedRow]) -> Result<Vec<u8>, StateError> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row).map_err(std::io::Error::from)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[tokio::test]
    async fn a_split_tried_again_replaces_what_it_kept() {
        let folder = crate::searched::folder();
        let quarantine = Quarantine::new(folder.path().join("q"));
        let row = |key| QuarantinedRow {
            key: Key::Int(key),
            field: "year".into(),
            reason: "`x` is no INT64".into(),
            partition: None,
            row: serde_json::json!({"id": key}),
        };
        quarantine.keep(3, &[row(1), row(2)]).await.unwrap();
        quarantine.keep(3, &[row(2)]).await.unwrap();
        let text = fs::read_to_string(quarantine.folder().join("split-00003.ndjson")).unwrap();
        assert_eq!(text, "{\"key\":2,\"field\":\"year\",\"reason\":\"`x` is no INT64\",\"row\":{\"id\":2}}\n");
        quarantine.keep(3, &[]).await.unwrap();
        quarantine.keep(4, &[]).await.unwrap();
        assert_eq!(fs::read_dir(quarantine.folder()).unwrap().count(), 0);
    }
}
