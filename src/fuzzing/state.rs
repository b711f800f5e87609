//! What a run left on the disk.

use std::path::Path;

use crate::state::journal::{self, Journal};
use crate::state::{Job, Record};

/// Where files are made: memory, on machines that offer it as a folder.
const MEMORY: &str = "/dev/shm";

/// Bytes as a journal, or lines of JSON as the records of one.
pub fn state(bytes: &[u8]) {
    let memory = Path::new(MEMORY);
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a temporary folder");
    let path = folder.path().join("fuzzed.journal");
    match bytes.split_first() {
        Some((0, bytes)) => anything(&path, bytes),
        Some((damage, records)) => written(&path, *damage, records),
        None => anything(&path, bytes),
    }
}

/// A file of any content is refused, or is a job that can be gone on with.
fn anything(path: &Path, bytes: &[u8]) {
    fs_err::write(path, bytes).expect("the file can be written");
    let Ok(Some(job)) = journal::read(path) else { return };
    figures(&job);
    goes_on(path, &job);
}

/// Records as a run writes them are read as they were written, and damage is noticed.
fn written(path: &Path, damage: u8, records: &[u8]) {
    let mut records = records.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let Some(Record::Begin(header)) = records.next() else { return };
    let mut journal = Journal::create(path, *header).expect("a new journal");
    for record in records {
        if journal.note(&record).is_err() {
            // A record that cannot follow is refused, and never half applied.
            break;
        }
    }
    let job = journal.job().clone();
    drop(journal);
    let Ok(read) = journal::read(path) else {
        // A header of a later format is written by nobody, and is refused.
        assert!(job.header.format > crate::state::NEWEST_FORMAT, "what was written cannot be read");
        return;
    };
    assert_eq!(read.as_ref(), Some(&job));
    figures(&job);
    goes_on(path, &job);

    // Beside its tail, a journal that is cut off is refused; without, it is an earlier one.
    let _there_may_be_none = std::fs::remove_file(path.with_extension("tail"));
    let mut bytes = fs_err::read(path).expect("the journal");
    let place = usize::from(damage) * 97 % bytes.len();
    fs_err::write(path, &bytes[..place]).expect("the file can be written");
    assert!(journal::read(path).is_ok(), "a journal that was cut off is an earlier journal");
    bytes[place] ^= 1 << (damage % 8);
    fs_err::write(path, &bytes).expect("the file can be written");
    assert!(journal::read(path).is_err() || place == bytes.len() - 1, "a flipped bit went unnoticed");
}

/// What was read can be appended to, and is then the same job with one record more.
fn goes_on(path: &Path, job: &Job) {
    let mut journal = Journal::open(path).expect("what can be read can be gone on with");
    assert_eq!(journal.job(), job);
    journal.append(&Record::Creating).expect("one record more");
    let after = journal.job().clone();
    drop(journal);
    assert_eq!(journal::read(path).expect("it can be read"), Some(after));
}

/// What is told about a job can be computed whatever its records say.
fn figures(job: &Job) {
    assert!(job.splits_done() + job.splits_dirty() <= job.progress.len());
    assert_eq!(job.splits.as_ref().map_or(0, Vec::len), job.progress.len());
    let _all = (job.rows_done(), job.rows_quarantined(), job.rows_expected());
    let _held: Vec<u64> = job.tallies().map(crate::state::Tally::held).collect();
}
