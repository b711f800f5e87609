//! The lines of a journal, and the job that they add up to.
//!
//! A line is a checksum, a blank and a record as JSON. From format 2 on the checksum covers the one before it, so a line that
//! was removed, moved or inserted shows as much as one that was changed. The first line of any format has a checksum that
//! covers nothing before it: that much is promised to every later version, which can therefore be told by name.

use std::io::{BufRead, Read as _};
use std::path::Path;

use serde_json::Value;
use twox_hash::XxHash3_64;

use super::StateError;
use super::job::Job;
use super::record::{CHAINED, Header, NEWEST_FORMAT, Record};
use super::tail::{self, Tail};

/// Longest line that is read. A list of a million splits takes about 100 MB.
const MAX_LINE: usize = 512 << 20;

/// What to do with a journal of a later format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    /// Say so: nothing may be decided from what is only half understood.
    Refuse,
    /// Take what is understood, for people to look at.
    Glance,
}

/// A journal as it was read.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The job; none where not even the first record is whole.
    pub(super) job: Option<Job>,
    /// Bytes of the whole lines.
    pub(super) length: u64,
    /// Where the chain stands.
    pub(super) end: Tail,
}

/// A record as a line, behind a line with that checksum; and the checksum of this one.
pub(super) fn line(record: &Record, format: u32, before: u64) -> Result<(String, u64), StateError> {
    let json = serde_json::to_string(record).map_err(std::io::Error::other)?;
    let sum = XxHash3_64::oneshot_with_seed(seed(format, before), json.as_bytes());
    Ok((format!("{sum:016x} {json}\n"), sum))
}

/// Journals of the first format check each line by itself.
fn seed(format: u32, before: u64) -> u64 {
    if format >= CHAINED { before } else { 0 }
}

/// Reads a journal. `path` is for messages only. A last line without its end is passed over: it was never acknowledged to
/// anybody, so it never was.
pub(super) fn replay(
    mut reader: impl BufRead,
    path: &Path,
    tail: Option<Tail>,
    later: Later,
) -> Result<Replayed, StateError> {
    let damaged = |line: u64, what: &str| StateError::damaged(path, line, what);
    let mut found = Replayed { job: None, length: 0, end: Tail { records: 0, sum: 0 } };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = reader.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut bytes)?;
        let number = found.end.records + 1;
        let Some(text) = bytes.strip_suffix(b"\n") else {
            if read == MAX_LINE {
                return Err(damaged(number, "the line is too long for a journal of vecferry"));
            }
            break;
        };
        let newer = found.job.as_ref().is_some_and(Job::is_newer);
        let sum = match (&mut found.job, newer) {
            (None, _) => {
                let (record, sum) = parse(text, 0).map_err(|what| damaged(number, what))?;
                found.job = Some(Job::new(first(record, path, later)?));
                sum
            }
            (Some(job), false) => {
                let (value, sum) =
                    parse(text, seed(job.header.format, found.end.sum)).map_err(|what| damaged(number, what))?;
                let record =
                    serde_json::from_value(value).map_err(|_| damaged(number, "a record of an unknown kind"))?;
                job.apply(&record).map_err(|what| damaged(number, &what))?;
                sum
            }
            (Some(job), true) => {
                if let Some(record) = understood(text) {
                    // What does not fit is left out too: nothing is decided from it.
                    let _not_understood = job.apply(&record);
                }
                0
            }
        };
        found.length += read as u64;
        found.end = Tail { records: number, sum };
        if let Some(tail) = tail.filter(|tail| tail.records == number && tail.sum != sum)
            && !newer
        {
            let what = format!(
                "record {} is another one than {} says was written: the two files do not belong together",
                tail.records,
                tail::path_of(path).display()
            );
            return Err(damaged(number, &what));
        }
    }
    let newer = found.job.as_ref().is_some_and(Job::is_newer);
    if let Some(tail) = tail.filter(|tail| tail.records > found.end.records && !newer) {
        let what = format!(
            "the file ends after {} of at least {} records that were written: it was shortened",
            found.end.records, tail.records
        );
        return Err(damaged(found.end.records, &what));
    }
    Ok(found)
}

/// The record of a line as JSON, if its checksum fits.
fn parse(text: &[u8], seed: u64) -> Result<(Value, u64), &'static str> {
    let (checksum, json) = text.split_at_checked(17).ok_or("this is not a line of a journal of vecferry")?;
    let sum = XxHash3_64::oneshot_with_seed(seed, json);
    if checksum != format!("{sum:016x} ").as_bytes() {
        let is_checksum = checksum[16] == b' ' && checksum[..16].iter().all(u8::is_ascii_hexdigit);
        return Err(match is_checksum {
            true => {
                "the checksum does not fit: this line or one before it was changed, removed or moved after it was written"
            }
            false => "this is not a line of a journal of vecferry",
        });
    }
    serde_json::from_slice(json).map(|value| (value, sum)).map_err(|_| "the record is no JSON")
}

/// The header in the first record.
fn first(record: Value, path: &Path, later: Later) -> Result<Header, StateError> {
    let no_beginning = || StateError::damaged(path, 1, "this is not the beginning of a journal of vecferry");
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    if text("type") != Some("begin") {
        return Err(no_beginning());
    }
    let format = record.get("format").and_then(Value::as_u64).unwrap_or_default();
    if format > u64::from(NEWEST_FORMAT) {
        if later == Later::Glance {
            return Ok(as_far_as_known(&record));
        }
        let tool = text("tool").unwrap_or("unknown").to_owned();
        return Err(StateError::Newer { path: path.to_owned(), format, tool });
    }
    match serde_json::from_value(record) {
        Ok(Record::Begin(header)) => Ok(*header),
        _ => Err(no_beginning()),
    }
}

/// A header of a later format: what has kept its name and kind, and nothing for the rest.
fn as_far_as_known(record: &Value) -> Header {
    let mut header = Header::unknown();
    let Ok(Value::Object(names)) = serde_json::to_value(&header) else { return header };
    for name in names.keys() {
        let Some(said) = record.get(name) else { continue };
        let Ok(mut with_it) = serde_json::to_value(&header) else { continue };
        with_it[name] = said.clone();
        if let Ok(read) = serde_json::from_value(with_it) {
            header = read;
        }
    }
    // A format too large for us to write down is later all the same.
    header.format = header.format.max(NEWEST_FORMAT + 1);
    header
}

/// A record of a later format, if it looks like one of ours.
fn understood(text: &[u8]) -> Option<Record> {
    let at = text.iter().position(|byte| *byte == b' ')?;
    serde_json::from_slice(&text[at + 1..]).ok()
}
