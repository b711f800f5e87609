//! One run for a target collection: a lock of the operating system on a file that also says who has it.
//!
//! The operating system drops the lock when its owner dies, so a lock that cannot be taken is held by a living process. One
//! that can be taken is free, unless the file still names an owner who may live on another machine; `owner` tells when. An
//! owner that ends in order empties the file.

use std::io::{Read, Seek as _, Write as _};
use std::path::Path;

use fs_err::{File, OpenOptions};

use super::StateError;
use super::bucket::lease::Lease;
use super::owner::{Owner, Verdict};

/// How often a lock is tried before it counts as held.
const TRIES: u32 = 5;
/// Time between tries.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
/// More than an owner's name takes.
const MOST: u64 = 64 << 10;

/// Who writes to a target, as far as it can be seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process that lives.
    Alive(Box<Owner>),
    /// A process of another machine, which may live.
    Unseen(Box<Owner>),
}

impl Holder {
    /// The process, if there is or may be one.
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Nobody => None,
            Self::Alive(owner) | Self::Unseen(owner) => Some(owner),
        }
    }
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub enum Lock {
    /// Of the operating system. It cannot be lost.
    #[expect(dead_code, reason = "it is held, and there is nothing to ask it")]
    File(FileLock),
    /// In a bucket, for as long as it is renewed.
    Lease(Lease),
}

impl Lock {
    /// Whether the lock is still held. Cheap enough to be asked before each request that writes.
    pub fn check(&self) -> Result<(), StateError> {
        match self {
            Self::File(_) => Ok(()),
            Self::Lease(lease) => lease.check(),
        }
    }

    /// Waits until the lock is lost, and says why.
    pub async fn lost(&self) -> StateError {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Lease(lease) => lease.lost().await,
        }
    }
}

/// A lock on a file.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Takes the lock, or says who has it.
    pub fn take(path: &Path, run: &str) -> Result<Self, StateError> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if !locked(&file)? {
            return Err(StateError::Locked(Box::new(owner(path))));
        }
        let this = Owner::this(run);
        if let Some(owner) = Owner::parse(&text(&mut file)?) {
            match owner.verdict(&this) {
                Verdict::Gone => tracing::info!(%owner, "the owner of a lock is gone: the lock is taken over"),
                Verdict::Alive => return Err(StateError::Locked(Box::new(owner))),
                Verdict::Unknown => return Err(StateError::Unseen(Box::new(owner))),
            }
        }
        let json = serde_json::to_string(&this).map_err(std::io::Error::other)?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(json.as_bytes())?;
        Ok(Self { file })
    }

    /// Who has the lock.
    pub fn holder(path: &Path) -> Holder {
        let Ok(mut file) = OpenOptions::new().read(true).open(path) else { return Holder::Nobody };
        match file.file().try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => return Holder::Alive(Box::new(owner(path))),
            Err(std::fs::TryLockError::Error(_)) | Ok(()) => {}
        }
        let Some(owner) = text(&mut file).ok().and_then(|text| Owner::parse(&text)) else { return Holder::Nobody };
        match owner.verdict(&Owner::this("")) {
            Verdict::Gone => Holder::Nobody,
            Verdict::Alive => Holder::Alive(Box::new(owner)),
            Verdict::Unknown => Holder::Unseen(Box::new(owner)),
        }
    }

    /// Frees a lock whose owner cannot be seen from here. Refuses where it is held by a living process, or by now names
    /// another owner.
    pub fn clear(path: &Path, seen: &Owner) -> Result<(), StateError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        if !locked(&file)? {
            return Err(StateError::Locked(Box::new(owner(path))));
        }
        match Owner::parse(&text(&mut file)?) {
            None => Ok(()),
            Some(owner) if owner == *seen && owner.verdict(&Owner::this("")) != Verdict::Alive => Ok(file.set_len(0)?),
            Some(owner) => Err(StateError::Locked(Box::new(owner))),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Where that fails, the next one finds that its owner is gone.
        let _emptied = self.file.set_len(0);
    }
}

/// Takes the operating system's lock; false where another process has it.
fn locked(file: &File) -> Result<bool, StateError> {
    for tries in 0.. {
        match file.file().try_lock() {
            Ok(()) => return Ok(true),
            // A reader that asks whether the lock is held has it for a moment itself.
            Err(std::fs::TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(PAUSE),
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            Err(std::fs::TryLockError::Error(error)) => {
                let message = format!("{} cannot be locked: {error}", file.path().display());
                return Err(std::io::Error::new(error.kind(), message).into());
            }
        }
    }
    Ok(false)
}

fn text(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    Read::take(&mut *file, MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The owner that the file of a held lock names.
fn owner(path: &Path) -> Owner {
    File::open(path).and_then(|mut file| text(&mut file)).ok().and_then(|text| Owner::parse(&text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once_and_freed_with_its_owner() {
        let folder = crate::searched::folder();
        let path = folder.path().join("l.lock");
        assert_eq!(FileLock::holder(&path), Holder::Nobody);
        let lock = FileLock::take(&path, "r1").unwrap();
        assert!(matches!(FileLock::holder(&path), Holder::Alive(owner) if owner.run == "r1"));
        let Err(StateError::Locked(owner)) = FileLock::take(&path, "r2") else { panic!("taken twice") };
        assert_eq!((owner.run.as_str(), owner.pid), ("r1", std::process::id()));
        drop(lock);
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "", "an owner that ended in order left its name");
        assert_eq!(FileLock::holder(&path), Holder::Nobody);
        FileLock::take(&path, "r2").unwrap();
    }

    #[test]
    fn an_owner_that_cannot_be_seen_keeps_its_lock_until_somebody_frees_it() {
        let folder = crate::searched::folder();
        let path = folder.path().join("l.lock");
        let far = Owner { host: "far".into(), machine: "m2".into(), boot: "b2".into(), ..Owner::this("r1") };
        fs_err::write(&path, serde_json::to_string(&far).unwrap()).unwrap();
        assert_eq!(FileLock::holder(&path), Holder::Unseen(Box::new(far.clone())));
        let Err(StateError::Unseen(owner)) = FileLock::take(&path, "r2") else { panic!("taken from one who may live") };
        assert_eq!(*owner, far);
        // Somebody agreed to free it from an owner that it no longer has.
        let other = Owner { run: "r0".into(), ..far.clone() };
        assert!(matches!(FileLock::clear(&path, &other), Err(StateError::Locked(owner)) if *owner == far));
        FileLock::clear(&path, &far).unwrap();
        let lock = FileLock::take(&path, "r2").unwrap();
        assert!(matches!(FileLock::clear(&path, &far), Err(StateError::Locked(owner)) if owner.run == "r2"));
        drop(lock);
    }

    #[test]
    fn an_owner_that_was_killed_is_followed_by_the_next() {
        let folder = crate::searched::folder();
        let path = folder.path().join("l.lock");
        // Process 0 is nobody's, so an owner that names it is one that died.
        let killed = Owner { pid: 0, started: 1, ..Owner::this("r1") };
        fs_err::write(&path, serde_json::to_string(&killed).unwrap()).unwrap();
        assert_eq!(FileLock::holder(&path), Holder::Nobody);
        let lock = FileLock::take(&path, "r2").unwrap();
        assert!(matches!(FileLock::holder(&path), Holder::Alive(owner) if owner.run == "r2"));
        drop(lock);
    }
}
