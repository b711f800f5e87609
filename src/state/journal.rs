//! An append-only file of records, one a line: a checksum, a blank and the record as JSON.
//!
//! A file of lines rather than a database, because it can be read by people and by a second process while a run writes, and
//! because every record but the last is final: recovery is cutting off one torn line.

use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};
use xxhash_rust::xxh3::xxh3_64;

use super::StateError;
use super::job::{FORMAT, Header, Job, Record};
use crate::crash_point;

/// Longest line that is read. A list of a million splits takes about 100 MB.
const MAX_LINE: usize = 512 << 20;

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    job: Job,
    /// Set by the first error. What reached the disk is unknown from then on, and a record behind half a record would make
    /// the whole journal unreadable; the next process cuts the half off.
    broken: bool,
}

impl Journal {
    /// A new journal. It exists, with its first record, before this returns.
    pub fn create(path: &Path, header: Header) -> Result<Self, StateError> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let record = Record::Begin(Box::new(header.clone()));
        file.write_all(line(&record)?.as_bytes())?;
        file.sync_all()?;
        // The name of a new file is durable only once its folder is.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        crash_point::reached("journal begun");
        Ok(Self { file, path: path.to_owned(), job: Job::new(header), broken: false })
    }

    /// Goes on with a journal, after cutting off a torn last line.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let (job, length) = replay(path)?;
        let Some(job) = job else {
            return Err(StateError::Damaged {
                path: path.to_owned(),
                line: 1,
                what: "the first record is missing".into(),
            });
        };
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        file.sync_all()?;
        Ok(Self { file, path: path.to_owned(), job, broken: false })
    }

    /// Appends a record. When this returns, the record survives a power cut. After an error the journal must not be used
    /// again: what a failed sync left on the disk is unknown.
    pub fn append(&mut self, record: &Record) -> Result<(), StateError> {
        self.note(record)?;
        self.file.sync_data().inspect_err(|_| self.broken = true)?;
        crash_point::reached("record");
        Ok(())
    }

    /// Appends a record that nothing depends on, without waiting for the disk.
    pub fn note(&mut self, record: &Record) -> Result<(), StateError> {
        if self.broken {
            let message = format!("{} could not be written to before, and is left alone", self.path.display());
            return Err(std::io::Error::other(message).into());
        }
        self.job.apply(record).map_err(|what| StateError::Damaged { path: self.path.clone(), line: 0, what })?;
        self.file.write_all(line(record)?.as_bytes()).inspect_err(|_| self.broken = true)?;
        Ok(())
    }

    /// The job as it stands.
    pub fn job(&self) -> &Job {
        &self.job
    }
}

fn line(record: &Record) -> Result<String, StateError> {
    let json = serde_json::to_string(record).map_err(std::io::Error::other)?;
    Ok(format!("{:016x} {json}\n", xxh3_64(json.as_bytes())))
}

/// The job that a journal adds up to, or none where there is no journal or it holds nothing yet.
pub fn read(path: &Path) -> Result<Option<Job>, StateError> {
    if !path.exists() {
        return Ok(None);
    }
    replay(path).map(|(job, _)| job)
}

/// The job, and the length of the file without a torn last line.
fn replay(path: &Path) -> Result<(Option<Job>, u64), StateError> {
    let damaged = |line: usize, what: &str| StateError::Damaged { path: path.to_owned(), line, what: what.to_owned() };
    let mut reader = BufReader::new(File::open(path)?);
    let mut job: Option<Job> = None;
    let mut length = 0_u64;
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read = std::io::Read::take(&mut reader, MAX_LINE as u64).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            break;
        }
        let Some(text) = bytes.strip_suffix(b"\n") else {
            // Only the last line can lack its end. It was never acknowledged to anybody, so it never was.
            break;
        };
        let record = parse(text).map_err(|what| damaged(number, what))?;
        match (&mut job, record) {
            (None, Parsed::Format(format)) if format > FORMAT => {
                return Err(StateError::Newer { path: path.to_owned(), format });
            }
            (None, Parsed::Record(Record::Begin(header))) => job = Some(Job::new(*header)),
            (None, _) => return Err(damaged(number, "this is not the beginning of a journal of vecferry")),
            (Some(job), Parsed::Record(record)) => job.apply(&record).map_err(|what| damaged(number, &what))?,
            (Some(_), Parsed::Format(_)) => return Err(damaged(number, "a record of an unknown kind")),
        }
        length += read as u64;
    }
    Ok((job, length))
}

enum Parsed {
    Record(Record),
    /// A record that this version cannot read, of a journal of that format.
    Format(u32),
}

fn parse(text: &[u8]) -> Result<Parsed, &'static str> {
    let (checksum, json) = text.split_at_checked(17).ok_or("this is not a line of a journal of vecferry")?;
    if checksum != format!("{:016x} ", xxh3_64(json)).as_bytes() {
        return Err("the checksum does not fit: the line was changed after it was written");
    }
    let value: serde_json::Value = serde_json::from_slice(json).map_err(|_| "the record is no JSON")?;
    let format = value.get("format").and_then(serde_json::Value::as_u64).and_then(|format| u32::try_from(format).ok());
    match format {
        Some(format) if format > FORMAT => Ok(Parsed::Format(format)),
        _ => serde_json::from_value(value).map(Parsed::Record).or(Ok(Parsed::Format(format.unwrap_or_default()))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::job::{Outcome, Progress, Split};
    use super::*;
    use crate::collection::{Fingerprint, KeyRange};

    fn header() -> Header {
        serde_json::from_value(serde_json::json!({
            "format": FORMAT, "tool": "0", "run": "r", "plan": "p", "plan_file": "f", "address": "a", "plan_hash": "h",
            "source_uri": "u", "source": "s", "target_uri": "u", "target": "t", "source_id": 1, "converging": false,
            "row_bytes": 1, "started": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    fn records() -> Vec<Record> {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let split = Split { partitions: vec!["p".into()], range: KeyRange::ALL, rows: 3 };
        vec![
            Record::Attempt { pid: 1, at },
            Record::Creating,
            Record::Created { id: 7 },
            Record::Splits { list: vec![split.clone(), split] },
            Record::Started { split: 0 },
            Record::Started { split: 1 },
            Record::Done {
                split: 1,
                fingerprint: Fingerprint { rows: 3, sum: 9 },
                doubled: 0,
                written: 3,
                quarantined: 1,
                touched: [("a: cut to fit".to_owned(), 2)].into(),
                at,
            },
            Record::Ended { outcome: Outcome::Failed, rows: 0, error: Some("a\nb".into()), at },
        ]
    }

    fn written(folder: &Path) -> (PathBuf, Vec<u8>, Job) {
        let path = folder.join("j.journal");
        let mut journal = Journal::create(&path, header()).unwrap();
        for record in records() {
            journal.append(&record).unwrap();
        }
        let job = journal.job().clone();
        (path.clone(), fs_err::read(path).unwrap(), job)
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _, job) = written(folder.path());
        assert_eq!(read(&path).unwrap().unwrap(), job);
        assert_eq!(job.progress[0], Progress::Dirty);
        assert_eq!((job.splits_done(), job.rows_done()), (1, 3));
    }

    #[test]
    fn nothing_is_written_behind_a_record_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes, job) = written(folder.path());
        // A handle that cannot be written to stands for a full disk.
        let file = File::open(&path).unwrap();
        let mut journal = Journal { file, path: path.clone(), job, broken: false };
        journal.append(&Record::Creating).unwrap_err();
        journal.file = OpenOptions::new().append(true).open(&path).unwrap();
        journal.append(&Record::Creating).unwrap_err();
        assert_eq!(fs_err::read(&path).unwrap(), bytes);
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.journal");
        let json = r#"{"type":"begin","format":2,"wholly":"new"}"#;
        fs_err::write(&path, format!("{:016x} {json}\n", xxh3_64(json.as_bytes()))).unwrap();
        assert!(matches!(read(&path), Err(StateError::Newer { format: 2, .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Cut off anywhere, the journal reads as one of the states it has been in, and can be gone on with.
        #[test]
        fn a_torn_journal_is_an_earlier_one(cut in any::<prop::sample::Index>()) {
            let folder = tempfile::tempdir().unwrap();
            let (path, bytes, _) = written(folder.path());
            let cut = cut.index(bytes.len());
            fs_err::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let mut expected = (whole > 0).then(|| Job::new(header()));
            for record in records().iter().take(whole.saturating_sub(1)) {
                expected.as_mut().unwrap().apply(record).unwrap();
            }
            prop_assert_eq!(read(&path).unwrap(), expected);
            if whole > 0 {
                let mut journal = Journal::open(&path).unwrap();
                journal.append(&Record::Retried { class: "unavailable".into(), reason: "x".into() }).unwrap();
                prop_assert_eq!(read(&path).unwrap().unwrap(), journal.job().clone());
            }
        }

        /// A flipped bit is noticed, wherever it is, unless it is in the torn part of the last line.
        #[test]
        fn a_flipped_bit_is_noticed(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let folder = tempfile::tempdir().unwrap();
            let (path, mut bytes, job) = written(folder.path());
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            fs_err::write(&path, &bytes).unwrap();
            match read(&path) {
                Err(_) => {}
                // The end of the last line was hit, so that line is torn.
                Ok(read) => prop_assert!(place == bytes.len() - 1 && read.as_ref() != Some(&job)),
            }
        }
    }
}
