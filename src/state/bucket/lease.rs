//! One run for a target collection, in a bucket: an object that says who has it and is renewed while its owner lives.
//!
//! Clocks of two machines need not agree, so nobody believes the times in a lock; they are for people. Whoever wants a lock that
//! is held watches it, and takes it once it has stood unchanged for a whole lease by the watcher's own clock. Its owner counts
//! the lease from before the renewal was sent, which is before anybody can have seen it, and counts two thirds of it only: what
//! is on its way when the owner stops has the last third to arrive or to be given up. Only where the owner was a process of
//! this very machine, and is gone, nobody waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::UpdateVersion;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::error::{RemoteError, RemoteKind};
use super::super::lock::Holder;
use super::super::owner::started;
use super::super::{JobId, Owner, StateError};
use super::{Bucket, Found, Put, somebody, unique};

/// A lease is renewed this often in its time.
const RENEWALS: u32 = 6;
/// The longest that a lease is believed to be, whatever a lock says.
const LONGEST: Duration = Duration::from_secs(3600);
/// Seconds after which people are told that an owner is gone, at least.
const LONG_SILENCE: i64 = 60;
/// How long a run that ended waits for its lock to be freed. Where that fails, the lease runs out.
const RELEASE: Duration = Duration::from_secs(5);

/// The text of a lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    owner: Owner,
    /// Process numbers mean something within one of these only: containers of one machine have one each.
    #[serde(default)]
    namespace: String,
    /// Another one for each time that a lock is taken.
    #[serde(default)]
    token: String,
    #[serde(default)]
    renewals: u64,
    #[serde(default)]
    lease_seconds: u64,
    #[serde(default)]
    renewed: String,
}

impl Note {
    fn new(owner: Owner, lease: Duration) -> Self {
        let namespace =
            std::fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
        let renewed = jiff::Timestamp::now().to_string();
        Self { owner, namespace, token: unique(), renewals: 0, lease_seconds: lease.as_secs(), renewed }
    }

    /// What a lock says that nobody has.
    fn free() -> Self {
        Self::new(Owner::default(), Duration::ZERO)
    }

    fn parse(found: &Found) -> Option<Self> {
        serde_json::from_slice(&found.bytes).ok()
    }

    fn text(&self) -> Result<String, RemoteError> {
        serde_json::to_string(self)
            .map_err(|error| RemoteError { kind: RemoteKind::Unreachable, what: error.to_string() })
    }

    fn is_free(&self) -> bool {
        self.owner.run.is_empty()
    }

    fn lease(&self, own: Duration) -> Duration {
        Duration::from_secs(self.lease_seconds).max(own).min(LONGEST)
    }

    /// Whether the owner lives, where that can be seen from here.
    fn lives(&self) -> Option<bool> {
        let here = Self::new(Owner::this(""), Duration::ZERO);
        let same = |one: &str, other: &str| !one.is_empty() && one == other;
        let seen = same(&self.owner.boot, &here.owner.boot) && same(&self.namespace, &here.namespace);
        seen.then(|| started(self.owner.pid).is_some_and(|started| started == self.owner.started))
    }

    /// Whether nobody has heard of the owner for long, by the clocks of both machines. To tell people; nothing is decided by it.
    fn looks_dead(&self) -> bool {
        let Ok(renewed) = self.renewed.parse::<jiff::Timestamp>() else { return false };
        let silent = jiff::Timestamp::now().as_second().saturating_sub(renewed.as_second());
        silent > i64::try_from(self.lease_seconds.saturating_mul(2)).unwrap_or(i64::MAX).max(LONG_SILENCE)
    }
}

fn name(id: &JobId) -> String {
    format!("locks/{id}")
}

/// Time that goes on while the machine sleeps.
fn now() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(CLOCK);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A lock that is held until it is dropped, or lost.
#[derive(Debug)]
pub struct Lease {
    bucket: Bucket,
    name: String,
    shared: Arc<Shared>,
    renewing: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    note: Mutex<(Note, UpdateVersion)>,
    /// Until when the owner may write, in milliseconds of its own clock.
    until: AtomicU64,
    lost: CancellationToken,
    why: Mutex<Option<RemoteError>>,
}

impl Shared {
    fn lose(&self, kind: RemoteKind, what: String) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(RemoteError { kind, what });
        self.lost.cancel();
    }

    fn why(&self) -> RemoteError {
        let lapsed = || RemoteError { kind: RemoteKind::Lapsed, what: LAPSED.to_owned() };
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(lapsed)
    }

    fn left(&self) -> Duration {
        Duration::from_millis(self.until.load(Ordering::SeqCst)).saturating_sub(now())
    }
}

const LAPSED: &str = "the lock could not be renewed in time, so that another run may take it: nothing more is written";

impl Lease {
    /// Whether the lock is still held. Cheap enough to be asked before each request that writes.
    pub fn check(&self) -> Result<(), StateError> {
        if self.shared.lost.is_cancelled() || self.shared.left().is_zero() {
            return Err(self.shared.why().into());
        }
        Ok(())
    }

    /// Waits until the lock is lost, and says why.
    pub async fn lost(&self) -> StateError {
        self.shared.lost.cancelled().await;
        self.shared.why().into()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
        if self.shared.lost.is_cancelled() {
            return;
        }
        let (bucket, name) = (self.bucket.clone(), self.name.clone());
        let (note, version) = self.shared.note.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let released = self.bucket.wait(async move {
            let released = tokio::time::timeout(RELEASE, bucket.release(&name, &note.token, version));
            released.await.unwrap_or(Ok(()))
        });
        if let Err(error) = released {
            tracing::info!(%error, "a lock could not be freed: its lease will run out");
        }
    }
}

impl Bucket {
    /// Takes a lock, or says who has it. Where it cannot be seen whether that one lives, waits until it shows.
    pub(in super::super) async fn lock(&self, id: &JobId, run: &str) -> Result<Lease, StateError> {
        let this = self.clone();
        self.run(async move { this.check_conditions().await }).await?;
        let mut watched: Option<(bytes::Bytes, Duration)> = None;
        loop {
            let (this, id_here) = (self.clone(), id.clone());
            let found = self.run(async move { this.get(&name(&id_here)).await }).await?;
            let Some(found) = found else {
                match self.take(id, run, None).await? {
                    Some(lease) => return Ok(lease),
                    None => continue,
                }
            };
            let note = Note::parse(&found);
            let owner = note.as_ref().map(|note| note.owner.clone()).unwrap_or_default();
            let lease = note.as_ref().map_or(self.inner.lease, |note| note.lease(self.inner.lease));
            let free = match (note.as_ref().filter(|note| note.is_free()), note.as_ref().and_then(Note::lives)) {
                (Some(_), _) => true,
                (None, Some(true)) => return Err(StateError::Locked(Box::new(owner))),
                (None, Some(false)) => {
                    tracing::info!(%owner, "the owner of a lock is gone: the lock is taken over");
                    true
                }
                (None, None) => match &watched {
                    None => {
                        tracing::info!(%owner, "a lock is watched until it shows whether its owner lives");
                        watched = Some((found.bytes.clone(), now()));
                        false
                    }
                    Some((seen, _)) if *seen != found.bytes => return Err(StateError::Locked(Box::new(owner))),
                    Some((_, since)) => {
                        let over = now().saturating_sub(*since) > lease;
                        if over {
                            tracing::info!(%owner, "a lock was not renewed for its whole lease and is taken over");
                        }
                        over
                    }
                },
            };
            if !free {
                tokio::time::sleep(lease / (4 * RENEWALS)).await;
            } else if let Some(lease) = self.take(id, run, Some(found.version)).await? {
                return Ok(lease);
            }
        }
    }

    /// Puts this process into a lock, unless somebody else did meanwhile.
    async fn take(&self, id: &JobId, run: &str, seen: Option<UpdateVersion>) -> Result<Option<Lease>, StateError> {
        let (sent, note) = (now(), Note::new(Owner::this(run), self.inner.lease));
        let (this, at, text) = (self.clone(), name(id), note.text()?);
        let Put::Done(version) = self.run(async move { this.put_over(&at, text, seen).await }).await? else {
            return Ok(None);
        };
        let shared = Arc::new(Shared {
            note: Mutex::new((note, version)),
            until: AtomicU64::new(millis(sent + held(self.inner.lease))),
            lost: CancellationToken::new(),
            why: Mutex::default(),
        });
        let renewing = self.threads()?.spawn(renew(self.clone(), name(id), Arc::clone(&shared)));
        let lease = Lease { bucket: self.clone(), name: name(id), shared, renewing };
        // The answer may have come late.
        lease.check()?;
        Ok(Some(lease))
    }

    async fn release(&self, name: &str, token: &str, mut seen: UpdateVersion) -> Result<(), RemoteError> {
        let free = Note::free().text()?;
        // A renewal that was on its way may have come in between.
        while let Put::Taken(Some(found)) = self.replace(name, free.clone(), seen).await? {
            match Note::parse(&found).filter(|note| note.token == token) {
                Some(_) => seen = found.version,
                None => break,
            }
        }
        Ok(())
    }

    /// Who has a lock, as far as it can be seen from here.
    pub(in super::super) async fn holder(&self, id: &JobId) -> Result<Holder, RemoteError> {
        let Some(note) = self.get(&name(id)).await?.and_then(|found| Note::parse(&found)) else {
            return Ok(Holder::Nobody);
        };
        Ok(match note.lives() {
            _ if note.is_free() => Holder::Nobody,
            Some(true) => Holder::Alive(Box::new(note.owner)),
            Some(false) => Holder::Nobody,
            None if note.looks_dead() => Holder::Nobody,
            None => Holder::Unseen(Box::new(note.owner)),
        })
    }

    /// The owner that a lock names.
    pub(super) async fn owner(&self, id: &JobId) -> Option<Owner> {
        let note = Note::parse(&self.get(&name(id)).await.ok()??)?;
        Some(note.owner).filter(|owner| !owner.run.is_empty())
    }

    /// Frees a lock from that owner.
    pub(in super::super) async fn unlock(&self, id: &JobId, seen: &Owner) -> Result<(), StateError> {
        let Some(found) = self.get(&name(id)).await? else { return Ok(()) };
        let Some(note) = Note::parse(&found).filter(|note| !note.is_free()) else { return Ok(()) };
        if note.owner != *seen || note.lives() == Some(true) {
            return Err(StateError::Locked(Box::new(note.owner)));
        }
        match self.replace(&name(id), Note::free().text()?, found.version).await? {
            Put::Done(_) => Ok(()),
            // It was renewed or taken meanwhile, so somebody lives.
            Put::Taken(found) => {
                let owner = found.as_ref().and_then(Note::parse).map(|note| note.owner).unwrap_or_default();
                Err(StateError::Locked(Box::new(owner)))
            }
        }
    }
}

/// How long an owner writes after it was last heard of.
fn held(lease: Duration) -> Duration {
    lease * 2 / 3
}

/// Renews a lock until it is freed or lost.
async fn renew(bucket: Bucket, name: String, shared: Arc<Shared>) {
    let lease = bucket.inner.lease;
    let mut pause = lease / RENEWALS;
    loop {
        tokio::time::sleep(pause.min(shared.left())).await;
        let left = shared.left();
        if left.is_zero() {
            return shared.lose(RemoteKind::Lapsed, LAPSED.to_owned());
        }
        let (mut note, seen) = shared.note.lock().unwrap_or_else(PoisonError::into_inner).clone();
        note.renewals += 1;
        note.renewed = jiff::Timestamp::now().to_string();
        let Ok(text) = note.text() else { return };
        let sent = now();
        let put = tokio::time::timeout(left.min(lease / RENEWALS), bucket.replace(&name, text, seen)).await;
        pause = lease / RENEWALS;
        match put {
            Ok(Ok(Put::Done(version))) => {
                *shared.note.lock().unwrap_or_else(PoisonError::into_inner) = (note, version);
                shared.until.store(millis(sent + held(lease)), Ordering::SeqCst);
            }
            Ok(Ok(Put::Taken(found))) => match found.as_ref().and_then(Note::parse) {
                // An earlier renewal arrived after all. It is renewed once more, to count from then.
                Some(there) if there.token == note.token => {
                    if let Some(found) = found {
                        *shared.note.lock().unwrap_or_else(PoisonError::into_inner) = (there, found.version);
                    }
                    pause = Duration::ZERO;
                }
                there => {
                    let by = somebody(there.map(|there| there.owner).filter(|owner| !owner.run.is_empty()).as_ref());
                    return shared.lose(RemoteKind::TakenOver, format!("the lock was taken over by {by}"));
                }
            },
            Ok(Err(error)) => {
                tracing::debug!(%error, "a lock could not be renewed");
                pause = lease / (4 * RENEWALS);
            }
            Err(_) => pause = Duration::ZERO,
        }
    }
}
