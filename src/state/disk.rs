//! A journal's file, as those share it who wait for its records.
//!
//! Waiting for a disk takes a thread, and of many collections that run at once each has a journal. So records are written in
//! the order in which they come, by whoever has them, and waited for beside each other: a sync takes with it all that was
//! written to the file by then, and who comes after it finds that there is nothing left to wait for.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use fs_err::File;

use super::tail::{Tail, TailFile};

/// The file. What it holds is a prefix of what was written to it, whenever the power goes.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    /// How far it is written.
    written: Mutex<Tail>,
    /// How far it is known to last.
    lasting: Mutex<Lasting>,
    /// Set by the first error. What reached the disk is unknown from then on, and a record behind half a record would make
    /// the whole journal unreadable; the next process cuts the half off.
    broken: AtomicBool,
}

#[derive(Debug)]
struct Lasting {
    records: u64,
    tail: TailFile,
}

impl Disk {
    /// A file that is on the disk up to `end`.
    pub(super) fn new(file: File, end: Tail, tail: TailFile) -> Self {
        let lasting = Mutex::new(Lasting { records: end.records, tail });
        Self { file, written: Mutex::new(end), lasting, broken: AtomicBool::new(false) }
    }

    /// Appends the record that makes `end` the end.
    pub(super) fn write(&self, text: &str, end: Tail) -> std::io::Result<()> {
        self.check()?;
        (&self.file).write_all(text.as_bytes()).inspect_err(|_| self.broken.store(true, Ordering::SeqCst))?;
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(())
    }

    /// Waits until so many records survive a power cut.
    pub(super) fn sync(&self, records: u64) -> std::io::Result<()> {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        if lasting.records >= records {
            return Ok(());
        }
        // A sync that failed once tells nothing the second time: the system may have dropped what it could not write.
        self.check()?;
        let end = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        self.file.sync_data().inspect_err(|_| self.broken.store(true, Ordering::SeqCst))?;
        lasting.tail.move_to(end);
        lasting.records = end.records;
        Ok(())
    }

    /// After an error nothing is written any more.
    fn check(&self) -> std::io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            let message = format!("{} could not be written to before, and is left alone", self.file.path().display());
            return Err(std::io::Error::other(message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fs_err::OpenOptions;

    use super::*;

    const BEGUN: Tail = Tail { records: 1, sum: 0 };

    fn disk(path: &std::path::Path, writable: bool) -> Disk {
        fs_err::write(path, "").unwrap();
        let file = OpenOptions::new().read(true).append(writable).open(path).unwrap();
        Disk::new(file, BEGUN, TailFile::write(path, BEGUN))
    }

    #[test]
    fn a_sync_takes_along_what_was_written_before_it() {
        let folder = crate::searched::folder();
        let path = folder.path().join("j.journal");
        let disk = disk(&path, true);
        for records in 2..5 {
            disk.write("a line\n", Tail { records, sum: records }).unwrap();
        }
        assert_eq!(Tail::of(&path).unwrap().records, 1, "nothing was waited for");
        disk.sync(2).unwrap();
        assert_eq!(Tail::of(&path), Some(Tail { records: 4, sum: 4 }));
        // What lasts lasts, whatever became of the file since.
        disk.broken.store(true, Ordering::SeqCst);
        disk.sync(4).unwrap();
        disk.sync(5).unwrap_err();
    }

    #[test]
    fn nothing_is_written_behind_a_record_that_failed() {
        let folder = crate::searched::folder();
        let path = folder.path().join("j.journal");
        // A handle that cannot be written to stands for a full disk.
        let disk = disk(&path, false);
        disk.write("a line\n", Tail { records: 2, sum: 2 }).unwrap_err();
        let again = disk.write("a line\n", Tail { records: 3, sum: 3 }).unwrap_err();
        assert!(again.to_string().contains("j.journal could not be written to before"), "{again}");
        disk.sync(2).unwrap_err();
        assert_eq!(fs_err::read(&path).unwrap(), b"");
        assert_eq!(Tail::of(&path), Some(BEGUN));
    }
}
