//! One run for a target collection: a lock of the operating system on a file that also says who has it.
//!
//! The operating system drops the lock when its owner dies, so a lock that can be taken is free, and one that cannot is held
//! by a living process. Nothing is guessed from times or process numbers.

use std::fmt;
use std::io::Write;
use std::path::Path;

use fs_err::{File, OpenOptions};
use serde::{Deserialize, Serialize};

use super::StateError;

/// How often a lock is tried before it counts as held.
const TRIES: u32 = 5;
/// Time between tries.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Owner {
    /// Its run.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Since when.
    pub since: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.run.is_empty() {
            return f.write_str("a process that did not say who it is");
        }
        write!(f, "run {} (process {} on {}, since {})", self.run, self.pid, self.host, self.since)
    }
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn take(path: &Path, run: &str) -> Result<Self, StateError> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut tries = 0;
        loop {
            match file.file().try_lock() {
                Ok(()) => break,
                // A reader that asks whether the lock is held has it for a moment itself.
                Err(std::fs::TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(PAUSE),
                Err(std::fs::TryLockError::WouldBlock) => return Err(StateError::Locked(owner(path))),
                Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
            }
            tries += 1;
        }
        let owner = Owner {
            run: run.to_owned(),
            pid: std::process::id(),
            host: fs_err::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()).unwrap_or_default(),
            since: jiff::Timestamp::now().to_string(),
        };
        let json = serde_json::to_string(&owner).map_err(std::io::Error::other)?;
        file.set_len(0)?;
        file.write_all(json.as_bytes())?;
        Ok(Self { _file: file })
    }

    /// Whether a living process holds the lock.
    pub fn is_held(path: &Path) -> bool {
        OpenOptions::new()
            .read(true)
            .open(path)
            .is_ok_and(|file| matches!(file.file().try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
    }
}

fn owner(path: &Path) -> Owner {
    fs_err::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once_and_freed_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l.lock");
        assert!(!Lock::is_held(&path));
        let lock = Lock::take(&path, "r1").unwrap();
        assert!(Lock::is_held(&path));
        let Err(StateError::Locked(owner)) = Lock::take(&path, "r2") else { panic!("taken twice") };
        assert_eq!((owner.run.as_str(), owner.pid), ("r1", std::process::id()));
        drop(lock);
        assert!(!Lock::is_held(&path));
        Lock::take(&path, "r2").unwrap();
    }
}
