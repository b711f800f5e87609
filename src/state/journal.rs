//! An append-only file of records, one a line: a checksum, a blank and the record as JSON.
//!
//! A file of lines rather than a database, because it can be read by people and by a second process while a run writes, and
//! because every record but the last is final: recovery is cutting off one torn line. `replay` tells what a line is and when it
//! is refused, `tail` how a file is recognised that was cut off between two lines.

use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs_err::{File, OpenOptions};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::StateError;
use super::bucket::journal as bucket;
use super::disk::Disk;
use super::durable::{remove, sync_folder_of};
use super::job::Job;
use super::record::{CHAINED, Header, Record};
use super::replay::{Later, Replayed, line, replay};
use super::tail::{self, Tail, TailFile};
use crate::crash_point;

/// How often a journal is read before it counts as damaged: who reads while another run begins a journal anew may see the new
/// one beside the tail of the old one.
const LOOKS: u32 = 3;
/// Time between two of them.
const PAUSE: Duration = Duration::from_millis(30);

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    sink: Sink,
    path: PathBuf,
    job: Job,
    /// Records so far, and the checksum of the last of them.
    end: Tail,
}

/// Where records go.
#[derive(Debug)]
enum Sink {
    /// Into a file, with its tail beside it.
    File(Arc<Disk>),
    /// Into a bucket.
    Bucket(bucket::Writer),
}

/// A record that is on its way. It counts once this was waited for.
#[derive(Debug)]
#[must_use = "a record counts once it is written"]
pub struct Pending(Way);

#[derive(Debug)]
enum Way {
    /// Until the file lasts up to this many records.
    Disk(Arc<Disk>, u64),
    Bucket(bucket::Written),
}

impl Pending {
    /// Waits until the record survives this machine, or a power cut of it.
    pub async fn written(self) -> Result<(), StateError> {
        let gone = || std::io::Error::other("the journal could not be written to before, and is left alone");
        match self.0 {
            Way::Bucket(written) => written.await.map_err(|_| gone())??,
            Way::Disk(disk, records) => match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
                Ok(RuntimeFlavor::MultiThread) => {
                    tokio::task::spawn_blocking(move || disk.sync(records)).await.map_err(std::io::Error::other)??;
                }
                // A runtime of one thread, as tests have that stop its clock, must not see time pass meanwhile.
                _ => disk.sync(records)?,
            },
        }
        crash_point::reached("record");
        Ok(())
    }
}

impl Journal {
    /// A new journal, in place of an older one if there is one, which is kept beside it. It exists, with its first record,
    /// before this returns; and at no moment is there neither of the two, so that a process that is killed in between forgets
    /// nothing.
    pub fn create(path: &Path, header: Header) -> Result<Self, StateError> {
        let (text, sum) = line(&Record::Begin(Box::new(header.clone())), header.format, 0)?;
        let (file, _) = place(path, text.as_bytes())?;
        crash_point::reached("journal begun");
        let end = Tail { records: 1, sum };
        Ok(Self::in_file(file, path, Job::new(header), end))
    }

    /// A journal in a file, which stands at that and is on the disk.
    fn in_file(file: File, path: &Path, job: Job, end: Tail) -> Self {
        let tail = if job.header.format >= CHAINED { TailFile::write(path, end) } else { TailFile::none() };
        Self { sink: Sink::File(Arc::new(Disk::new(file, end, tail))), path: path.to_owned(), job, end }
    }

    /// A journal in a bucket, which stands at that.
    pub(super) fn in_bucket(writer: bucket::Writer, path: PathBuf, job: Job, end: Tail) -> Self {
        Self { sink: Sink::Bucket(writer), path, job, end }
    }

    /// Goes on with a journal, after cutting off a torn last line.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let Replayed { job, length, end } = once(path, Later::Refuse)?;
        let Some(job) = job else {
            return Err(StateError::damaged(path, 1, "the first record is missing"));
        };
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        file.sync_all()?;
        Ok(Self::in_file(file, path, job, end))
    }

    /// Appends a record and waits for it, where there is no runtime.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn append(&mut self, record: &Record) -> Result<(), StateError> {
        match self.push(record)?.0 {
            Way::Disk(disk, records) => Ok(disk.sync(records)?),
            Way::Bucket(written) => Ok(written.blocking_recv().map_err(std::io::Error::other)??),
        }
    }

    /// Appends a record, which lasts once what is returned was waited for; several that are on their way go together. After an
    /// error the journal must not be used again: what a failed sync left on the disk is unknown.
    pub fn push(&mut self, record: &Record) -> Result<Pending, StateError> {
        self.note(record)?;
        Ok(Pending(match &mut self.sink {
            Sink::File(disk) => Way::Disk(Arc::clone(disk), self.end.records),
            Sink::Bucket(writer) => Way::Bucket(writer.send()),
        }))
    }

    /// Appends a record that nothing depends on, without waiting for the disk.
    pub fn note(&mut self, record: &Record) -> Result<(), StateError> {
        let (text, sum) = line(record, self.job.header.format, self.end.sum)?;
        let end = Tail { records: self.end.records + 1, sum };
        self.job.apply(record).map_err(|what| StateError::damaged(&self.path, end.records, &what))?;
        match &mut self.sink {
            Sink::File(disk) => disk.write(&text, end)?,
            Sink::Bucket(writer) => writer.note(&text),
        }
        self.end = end;
        Ok(())
    }

    /// Appends a record that others may see at once and that nothing waits for: it is true whether it lasts or not, and it lasts where
    /// a later one does. Should it be lost in a bucket, the next one that is waited for tells why.
    pub fn mention(&mut self, record: &Record) -> Result<(), StateError> {
        self.note(record)?;
        if let Sink::Bucket(writer) = &mut self.sink {
            let _nobody_waits = writer.send();
        }
        Ok(())
    }

    /// The job as it stands.
    pub fn job(&self) -> &Job {
        &self.job
    }
}

/// Puts a journal in its place, whole and durable, and says where the one is now that was there. The tail of that one is gone
/// before, so that no other journal is held against it.
pub(super) fn place(path: &Path, text: &[u8]) -> std::io::Result<(File, Option<PathBuf>)> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    remove(&tail::path_of(path))?;
    let mut old = None;
    if path.exists() {
        let aside = free_name(path);
        // Not every file system has a second name for a file.
        if fs_err::hard_link(path, &aside).is_err() {
            fs_err::copy(path, &aside)?;
            File::open(&aside)?.sync_all()?;
        }
        old = Some(aside);
        crash_point::reached("old journal put aside");
    }
    fs_err::rename(&new, path)?;
    // The name of a new file is durable only once its folder is.
    sync_folder_of(path)?;
    Ok((file, old))
}

/// Moves a journal away.
pub(super) fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    remove(&tail::path_of(path))?;
    let aside = free_name(path);
    fs_err::rename(path, &aside)?;
    sync_folder_of(path)?;
    Ok(aside)
}

/// A name for a journal that was replaced, which no older one has.
fn free_name(path: &Path) -> PathBuf {
    let mut number = jiff::Timestamp::now().as_millisecond().max(0);
    loop {
        let old = path.with_extension(format!("{number}.old"));
        // The clock may have been set back, to a time that an older journal was moved away at.
        if !old.exists() {
            return old;
        }
        number += 1;
    }
}

/// The job that a journal adds up to, or none where there is no journal or it holds nothing yet.
pub(crate) fn read(path: &Path) -> Result<Option<Job>, StateError> {
    some_looks(path, Later::Refuse)
}

/// The same for people to look at: of a journal that a newer version wrote, what is understood.
pub(super) fn glance(path: &Path) -> Result<Option<Job>, StateError> {
    some_looks(path, Later::Glance)
}

fn some_looks(path: &Path, later: Later) -> Result<Option<Job>, StateError> {
    for look in 1.. {
        match once(path, later) {
            Ok(found) => return Ok(found.job),
            Err(StateError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(StateError::Damaged { .. }) if look < LOOKS && tail::path_of(path).exists() => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The tail is read first: a run that writes meanwhile only ever takes the journal further ahead of it.
fn once(path: &Path, later: Later) -> Result<Replayed, StateError> {
    let tail = Tail::of(path);
    replay(BufReader::new(File::open(path)?), path, tail, later)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(journal: &Journal, file: File) -> Sink {
        Sink::File(Arc::new(Disk::new(file, journal.end, TailFile::none())))
    }

    #[test]
    fn a_record_that_failed_is_not_in_the_journal() {
        let folder = crate::searched::folder();
        let path = folder.path().join("j.journal");
        let mut journal = Journal::create(&path, Header::unknown()).unwrap();
        journal.append(&Record::Creating).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        // A handle that cannot be written to stands for a full disk.
        journal.sink = file(&journal, File::open(&path).unwrap());
        journal.append(&Record::Creating).unwrap_err();
        journal.append(&Record::Creating).unwrap_err();
        assert_eq!(fs_err::read(&path).unwrap(), bytes);
        assert_eq!(Tail::of(&path).unwrap().records, 2);
        assert_eq!(read(&path).unwrap().unwrap().attempts, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_only_mentioned_lasts_with_the_next_record_that_is_waited_for() {
        let folder = crate::searched::folder();
        let path = folder.path().join("j.journal");
        let mut journal = Journal::create(&path, Header::unknown()).unwrap();
        journal.mention(&Record::Creating).unwrap();
        assert_eq!(Tail::of(&path).unwrap().records, 1);
        let (one, other) = (journal.push(&Record::Creating).unwrap(), journal.push(&Record::Creating).unwrap());
        other.written().await.unwrap();
        assert_eq!(Tail::of(&path).unwrap().records, 4);
        one.written().await.unwrap();
        assert_eq!(Tail::of(&path).unwrap().records, 4);
        assert!(read(&path).unwrap().unwrap().creating);
    }
}
