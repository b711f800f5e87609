//! How far a journal has come, kept beside it: a lower bound that makes a journal which was cut off at the end of a line
//! stand out. A chain of checksums shows that a line is missing in the middle, and cannot show that the last ones are.
//!
//! The file is rewritten in place behind each synced record and is not synced itself. A power cut may lose its last writes and
//! leaves it too low, which does no harm; it is never ahead of what the disk holds of the journal. A file that cannot be read
//! says nothing: journals that were copied by hand come without one.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use twox_hash::XxHash3_64;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// Records that are on the disk.
    pub(super) records: u64,
    /// Checksum of the last of them.
    pub(super) sum: u64,
}

impl Tail {
    /// Always of one length, so that one written over another leaves nothing of it.
    fn text(self) -> String {
        let said = format!("{:020} {:016x}", self.records, self.sum);
        format!("{:016x} {said}\n", XxHash3_64::oneshot(said.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (sum, said) = text.strip_suffix('\n')?.split_once(' ')?;
        if u64::from_str_radix(sum, 16).ok()? != XxHash3_64::oneshot(said.as_bytes()) {
            return None;
        }
        let (records, sum) = said.split_once(' ')?;
        Some(Self { records: records.parse().ok()?, sum: u64::from_str_radix(sum, 16).ok()? })
    }

    /// What is known of the end of a journal, if anything is.
    pub(super) fn of(journal: &Path) -> Option<Self> {
        fs::read_to_string(path_of(journal)).ok().and_then(|text| Self::parse(&text))
    }
}

/// Where the end of a journal is written down.
pub(super) fn path_of(journal: &Path) -> PathBuf {
    journal.with_extension("tail")
}

/// The file while its journal is written.
#[derive(Debug)]
pub(super) struct TailFile {
    file: Option<fs::File>,
}

impl TailFile {
    /// The file of a journal, with this in it.
    pub(super) fn write(journal: &Path, tail: Tail) -> Self {
        let open = fs::OpenOptions::new().write(true).create(true).truncate(true).open(path_of(journal));
        let mut file = Self { file: open.ok() };
        file.move_to(tail);
        file
    }

    /// No file: journals of the first format have none.
    pub(super) fn none() -> Self {
        Self { file: None }
    }

    /// Moves the bound. Where that fails the old one stays, which is still true.
    pub(super) fn move_to(&mut self, tail: Tail) {
        if let Some(file) = &self.file
            && let Err(error) = file.file().write_all_at(tail.text().as_bytes(), 0)
        {
            tracing::debug!(%error, "the end of a journal could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_read_as_it_was_written_and_not_otherwise() {
        for tail in [Tail { records: 0, sum: 0 }, Tail { records: u64::MAX, sum: u64::MAX }] {
            let text = tail.text();
            assert_eq!(Tail::parse(&text), Some(tail));
            assert_eq!(text.len(), Tail { records: 7, sum: 9 }.text().len());
            for place in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1;
                let changed = String::from_utf8_lossy(&bytes).into_owned();
                assert_eq!(Tail::parse(&changed), None, "{changed}");
                assert_eq!(Tail::parse(&text[..place]), None);
            }
        }
    }
}
