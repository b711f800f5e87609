//! Jobs as one JSON document: to keep, or to go on with elsewhere.
//!
//! The document holds each journal whole, line for line, so that its own chain of checksums is checked once more where it is
//! brought back. What it cannot tell is whether the run went on after it was made; see [`Record::Restored`].

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::durable::sync_folder_of;
use super::job::Progress;
use super::record::{CHAINED, Record};
use super::replay::{Later, Replayed, line, replay};
use super::store::{JobId, Store};
use super::tail::Tail;
use super::{Job, Lock, StateError};

/// What kind of document it is.
const KIND: &str = "vecferry-state";
/// Version of the document. Raised when a reader of the old one would misunderstand the new one.
const VERSION: u64 = 1;

/// Jobs as they are kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    kind: String,
    format_version: u64,
    /// Version of vecferry that made it.
    pub tool: String,
    /// When.
    pub exported: jiff::Timestamp,
    jobs: Vec<Exported>,
}

/// One job of it.
#[derive(Debug, Serialize, Deserialize)]
struct Exported {
    id: String,
    records: u64,
    sha256: String,
    journal: String,
}

/// What became of a job that was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It was not known here.
    New,
    /// The same records are here already, and maybe more of them.
    Known,
    /// Another one was here, which has that name now.
    Replaced(PathBuf),
}

/// A job that was checked and can be written.
struct Checked {
    id: JobId,
    job: Job,
    text: String,
    end: Tail,
}

impl Export {
    /// Jobs in it.
    pub fn size(&self) -> usize {
        self.jobs.len()
    }

    /// Whether a job is in it.
    pub fn holds(&self, id: &JobId) -> bool {
        self.jobs.iter().any(|job| job.id == id.to_string())
    }

    /// The document as text.
    pub fn text(&self) -> Result<String, StateError> {
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        text.push('\n');
        Ok(text)
    }

    /// Writes it whole to a file that only its owner may read. An existing file is kept unless it is to be replaced.
    pub fn write(&self, path: &Path, replace: bool) -> Result<(), StateError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Such files are made for their owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(self.text()?.as_bytes())?;
        file.as_file().sync_all()?;
        let written = if replace { file.persist(path) } else { file.persist_noclobber(path) };
        written.map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => StateError::Refused {
                what: format!("{} exists", path.display()),
                help: "name another file, or replace it with `--force`",
            },
            _ => error.error.into(),
        })?;
        Ok(sync_folder_of(path)?)
    }

    /// A document, if it is one of ours.
    pub fn parse(text: &str) -> Result<Self, StateError> {
        const HELP: &str = "name a file that `vecferry state export` wrote, whole and unchanged";
        let refused = |what: String| StateError::Refused { what, help: HELP };
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| refused(format!("the file is no JSON: {error}")))?;
        if value.get("kind").and_then(|kind| kind.as_str()) != Some(KIND) {
            return Err(refused("the file is no export of vecferry's state".to_owned()));
        }
        let version = value.get("format_version").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if version != VERSION {
            let what = format!("the export has format version {version}, and this vecferry reads {VERSION}");
            return Err(StateError::Refused { what, help: "use the version of vecferry that wrote it or a newer one" });
        }
        serde_json::from_value(value).map_err(|error| refused(format!("the export is not whole: {error}")))
    }

    /// Checks everything, whatever is to become of it.
    fn check(&self) -> Result<Vec<Checked>, StateError> {
        let mut checked: Vec<Checked> = Vec::new();
        for one in &self.jobs {
            let refused = |what: &str| StateError::Refused {
                what: format!("job {}: {what}", one.id),
                help: "take another copy of the export: nothing was changed here",
            };
            if sha256(&one.journal) != one.sha256 {
                return Err(refused("its journal was changed after it was exported"));
            }
            // For messages: the journal has no file yet.
            let place = PathBuf::from(format!("{} in the export", one.id));
            let Replayed { job, length, end } = replay(one.journal.as_bytes(), &place, None, Later::Refuse)?;
            let job = job.ok_or_else(|| refused("its journal is empty"))?;
            if length != one.journal.len() as u64 || end.records != one.records {
                return Err(refused("its journal is not whole"));
            }
            let id =
                JobId::matching(&one.id, &job.header).ok_or_else(|| refused("its id is not that of its target"))?;
            if checked.iter().any(|other| other.id == id) {
                return Err(refused("it stands in the export twice"));
            }
            checked.push(Checked { id, job, text: one.journal.clone(), end });
        }
        Ok(checked)
    }
}

impl Store {
    /// All jobs, or one of them, as a document; and those that could not be taken into it. Possible while runs write: what is
    /// taken is what stands there now.
    pub fn export(&self, only: Option<&JobId>) -> Result<(Export, Vec<(JobId, StateError)>), StateError> {
        let (mut jobs, mut left_out) = (Vec::new(), Vec::new());
        for known in self.jobs()? {
            if only.is_some_and(|only| *only != known.id) {
                continue;
            }
            match self.exported(&known.id) {
                Ok(job) => jobs.push(job),
                Err(error) => left_out.push((known.id, error)),
            }
        }
        let tool = env!("CARGO_PKG_VERSION").to_owned();
        let exported = jiff::Timestamp::now();
        Ok((Export { kind: KIND.to_owned(), format_version: VERSION, tool, exported, jobs }, left_out))
    }

    /// Brings jobs back. Everything is checked, and every target locked, before anything is written. A job that is here with
    /// other records is replaced only by `force`, and kept beside the new one.
    pub fn import(&self, export: &Export, force: bool) -> Result<Vec<(JobId, Imported)>, StateError> {
        let checked = export.check()?;
        let mut locks: Vec<Lock> = Vec::new();
        let mut known = Vec::new();
        for one in &checked {
            locks.push(self.lock(&one.id, "state-import")?);
            let here = self.text(&one.id);
            let same = matches!(&here, Ok(Some((here, _))) if here.starts_with(one.text.as_bytes()))
                && matches!(self.job(&one.id), Ok(Some(_)));
            if let Err(error @ StateError::Remote(_)) = here {
                return Err(error);
            }
            if !matches!(here, Ok(None)) && !same && !force {
                return Err(StateError::Refused {
                    what: format!("job {} is here too, and its records differ from those of the export", one.id),
                    help: "compare the two (`vecferry state show ID`), then replace the one here with `--force`; it is kept beside the new one",
                });
            }
            known.push(same);
        }
        let mut done = Vec::new();
        for (one, same) in checked.into_iter().zip(known) {
            let imported = match same {
                true => Imported::Known,
                false => self.bring_back(&one)?.map_or(Imported::New, Imported::Replaced),
            };
            done.push((one.id, imported));
        }
        Ok(done)
    }

    fn exported(&self, id: &JobId) -> Result<Exported, StateError> {
        let path = self.journal_path(id);
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let (bytes, tail) = self.text(id)?.ok_or_else(missing)?;
        let Replayed { length, end, .. } = replay(bytes.as_slice(), &path, tail, Later::Refuse)?;
        let whole = usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or_default();
        let journal = String::from_utf8(whole.to_vec())
            .map_err(|_| StateError::damaged(&path, end.records, "the journal is not UTF-8"))?;
        Ok(Exported { id: id.to_string(), records: end.records, sha256: sha256(&journal), journal })
    }

    /// Writes a journal with the record that says what is not known of it, in one step, and says where the one is now that
    /// was there.
    fn bring_back(&self, one: &Checked) -> Result<Option<PathBuf>, StateError> {
        let (mut text, mut end) = (one.text.clone(), one.end);
        let format = one.job.header.format;
        if !one.job.is_successful() && one.job.progress.contains(&Progress::Pending) {
            let restored = Record::Restored { at: jiff::Timestamp::now() };
            let (line, sum) = line(&restored, format, end.sum)?;
            text.push_str(&line);
            end = Tail { records: end.records + 1, sum };
        }
        self.place(&one.id, text, (format >= CHAINED).then_some(end))
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
