//! State in a bucket of an object store, so that a machine that starts empty goes on with what another one began.
//!
//! ```text
//! <prefix>/jobs/<name>-<hash>/current                   which generation of the journal counts
//! <prefix>/jobs/<name>-<hash>/<generation>/0000000001   records, and who wrote them; see `journal`
//! <prefix>/locks/<name>-<hash>                          who writes to the target, and for how long; see `lease`
//! <prefix>/requests/<run>.request, <prefix>/quarantine/…   as in a folder
//! ```
//!
//! Objects cannot be appended to and a bucket has no locks. What it has are conditional puts: an object that is only made
//! where there is none, or only replaced where nobody else replaced it. An answer to such a put may get lost, and the put that
//! is then repeated is refused; so whoever is refused reads the object, and where it is what was to be written, it was.
//!
//! All requests are made on threads of the bucket's own. Callers may wait for them with or without a runtime, and locks are
//! renewed whatever the callers' threads are busy with.

mod connect;
pub(super) mod journal;
pub(super) mod lease;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use super::error::{RemoteError, RemoteKind};
use super::{Owner, StateError};
use crate::plan::StatePlace;

/// How long a write is repeated while the store does not answer.
const PATIENCE: Duration = Duration::from_secs(45);
/// The first pause between two of them; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What stores call it when they do not know a key or what it may do.
const DENIED: [&str; 6] = [
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "AuthorizationHeaderMalformed",
];
/// Objects that are read at once.
const AT_ONCE: usize = 32;

type Result<T> = std::result::Result<T, RemoteError>;

/// A bucket that is open.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn ObjectStore>,
    /// `s3://bucket/prefix`, for people.
    name: String,
    prefix: String,
    lease: Duration,
    threads: Threads,
    /// Objects of journals that were read: they never change.
    known: Mutex<HashMap<Path, bytes::Bytes>>,
    /// Set once the store was seen to keep the conditions of a put.
    conditional: tokio::sync::OnceCell<()>,
}

/// The threads that requests are made on.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed everywhere, and nothing is left to wait for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// An object as it was read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) bytes: bytes::Bytes,
    pub(super) version: UpdateVersion,
}

/// How a put with a condition ended.
#[derive(Debug)]
pub(super) enum Put {
    /// The object is ours, in this version.
    Done(UpdateVersion),
    /// There is another one, or it is gone.
    Taken(Option<Found>),
}

impl Bucket {
    /// The bucket that a place names, with what the environment says about the store. Looked at once, so that a wrong key or
    /// name is told before anything is done.
    pub(super) fn open(bucket: &str, prefix: &str, lease: Duration) -> std::result::Result<Self, StateError> {
        let name = StatePlace::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned(), lease }.to_string();
        let opened = Self::over(connect::s3(bucket, &name)?, &name, prefix, lease)?;
        let looked = opened.clone();
        opened.wait(async move { looked.names("jobs").await })?;
        Ok(opened)
    }

    /// The same over any store.
    pub(super) fn over(
        store: Arc<dyn ObjectStore>,
        name: &str,
        prefix: &str,
        lease: Duration,
    ) -> std::result::Result<Self, StateError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("state").enable_all().build()?;
        let inner = Inner {
            store,
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            lease,
            threads: Threads(Some(runtime)),
            known: Mutex::default(),
            conditional: tokio::sync::OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where it is, for people.
    pub(super) fn name(&self) -> &str {
        &self.inner.name
    }

    /// Where an object is, for people.
    pub(super) fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.inner.name)
    }

    fn path(&self, name: &str) -> Path {
        match self.inner.prefix.as_str() {
            "" => Path::from(name),
            prefix => Path::from(format!("{prefix}/{name}")),
        }
    }

    fn threads(&self) -> Result<&Handle> {
        self.inner.threads.0.as_ref().map(Runtime::handle).ok_or_else(gone)
    }

    /// Does something on the bucket's threads, and waits for it wherever the caller stands.
    pub(super) fn wait<T, E>(
        &self,
        work: impl Future<Output = std::result::Result<T, E>> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<RemoteError> + Send + 'static,
    {
        let (done, came) = std::sync::mpsc::sync_channel(1);
        self.threads()?.spawn(async move { done.send(work.await) });
        let receive = || came.recv().unwrap_or_else(|_| Err(gone().into()));
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(receive),
            _ => receive(),
        }
    }

    /// The same for callers that can do something else meanwhile.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.threads()?.spawn(work).await.unwrap_or_else(|_| Err(gone()))
    }

    /// An object, if there is one.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Found>> {
        match self.inner.store.get(&self.path(name)).await {
            Ok(found) => {
                let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                let bytes = found.bytes().await.map_err(|error| self.error(&error))?;
                Ok(Some(Found { bytes, version }))
            }
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Makes an object where there is none.
    pub(super) async fn create(&self, name: &str, bytes: impl Into<bytes::Bytes>) -> Result<Put> {
        self.put(name, bytes.into(), PutMode::Create, PATIENCE).await
    }

    /// Replaces an object that nobody replaced since it was read.
    pub(super) async fn replace(&self, name: &str, bytes: impl Into<bytes::Bytes>, seen: UpdateVersion) -> Result<Put> {
        self.put(name, bytes.into(), PutMode::Update(seen), PATIENCE).await
    }

    /// Makes an object, or replaces it in that version, whichever is asked for.
    pub(super) async fn put_over(&self, name: &str, bytes: String, seen: Option<UpdateVersion>) -> Result<Put> {
        match seen {
            Some(seen) => self.replace(name, bytes, seen).await,
            None => self.create(name, bytes).await,
        }
    }

    async fn put(&self, name: &str, bytes: bytes::Bytes, mode: PutMode, patience: Duration) -> Result<Put> {
        let (began, mut pause) = (Instant::now(), PAUSE);
        loop {
            let options = PutOptions::from(mode.clone());
            match self.inner.store.put_opts(&self.path(name), PutPayload::from(bytes.clone()), options).await {
                Ok(put) => return Ok(Put::Done(UpdateVersion::from(put))),
                Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                    // Ours, where the answer to an earlier try was lost: whatever is written here names its writer.
                    match self.get(name).await? {
                        Some(found) if found.bytes == bytes => return Ok(Put::Done(found.version)),
                        // Two puts met, and neither was carried out.
                        None if mode == PutMode::Create && began.elapsed() + pause <= patience => {}
                        other => return Ok(Put::Taken(other)),
                    }
                }
                Err(error) => {
                    let error = self.error(&error);
                    if error.kind != RemoteKind::Unreachable || began.elapsed() + pause > patience {
                        return Err(error);
                    }
                    tracing::debug!(%error, name, "a write to the state is repeated");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Writes an object, whatever was there.
    pub(super) async fn write(&self, name: &str, bytes: impl Into<bytes::Bytes>) -> Result<()> {
        self.put(name, bytes.into(), PutMode::Overwrite, PATIENCE).await.map(|_| ())
    }

    /// Removes an object, if there is one.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        match self.inner.store.delete(&self.path(name)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// What lies right in a folder: folders and objects, sorted.
    pub(super) async fn names(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.inner.store.list_with_delimiter(Some(&self.path(folder))).await;
        // A list of nothing is empty: where it is not found, the bucket is not there.
        let found = found.map_err(|error| self.error(&error))?;
        let folders = found.common_prefixes.iter().filter_map(Path::filename);
        let objects = found.objects.iter().filter_map(|object| object.location.filename());
        let mut names: Vec<String> = folders.chain(objects).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Objects that never change, by their names in a folder. What was read before is not read again.
    async fn read_all(&self, folder: &str, names: &[String]) -> Result<Vec<Option<bytes::Bytes>>> {
        let read = |name: &String| {
            let (bucket, name) = (self.clone(), format!("{folder}/{name}"));
            async move {
                let path = bucket.path(&name);
                let known = bucket.inner.known.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
                if known.is_some() {
                    return Ok(known);
                }
                let found = bucket.get(&name).await?.map(|found| found.bytes);
                if let Some(bytes) = &found {
                    let mut known = bucket.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.insert(path, bytes.clone());
                }
                Ok(found)
            }
        };
        futures::stream::iter(names.iter().map(read)).buffered(AT_ONCE).try_collect().await
    }

    /// Refuses a store that takes no notice of the conditions of a put: two runs would not see each other.
    pub(super) async fn check_conditions(&self) -> Result<()> {
        let check = async {
            let name = format!("probes/{}", uuid::Uuid::new_v4().simple());
            let first = self.create(&name, "1").await?;
            let second = self.create(&name, "2").await;
            let stale = UpdateVersion { e_tag: Some("\"0123456789abcdef0123456789abcdef\"".to_owned()), version: None };
            let third = self.replace(&name, "3", stale).await;
            self.remove(&name).await?;
            let made = matches!(first, Put::Done(_));
            let what = match (made && !matches!(second?, Put::Done(_)), !matches!(third?, Put::Done(_))) {
                (true, true) => return Ok(()),
                (false, _) => "it makes an object that is there already (`If-None-Match: *` has no effect)",
                (_, false) => "it replaces an object that somebody else replaced (`If-Match` has no effect)",
            };
            let what = format!("the store of {} does no conditional puts: {what}", self.inner.name);
            Err(RemoteError { kind: RemoteKind::Unconditional, what })
        };
        self.inner.conditional.get_or_try_init(|| check).await.map(|_| ())
    }

    fn error(&self, error: &StoreError) -> RemoteError {
        let said = said(error);
        let missing = matches!(error, StoreError::NotFound { .. }) || said.contains("NoSuchBucket");
        // Some requests tell it by the answer's code only.
        let denied = matches!(error, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. })
            || DENIED.iter().any(|code| said.starts_with(code));
        let name = &self.inner.name;
        let (kind, what) = match error {
            _ if missing => (RemoteKind::NoBucket, format!("there is no bucket {name}")),
            _ if denied => (RemoteKind::Denied, format!("the store refused the credentials for {name}: {said}")),
            StoreError::NotImplemented { .. } => {
                let what = format!("the store of {name} does no conditional puts: {said}");
                (RemoteKind::Unconditional, what)
            }
            _ => (RemoteKind::Unreachable, format!("the state in {name} could not be reached: {said}")),
        };
        RemoteError { kind, what }
    }
}

fn gone() -> RemoteError {
    RemoteError { kind: RemoteKind::Unreachable, what: "a request to the state was given up".to_owned() }
}

/// What an error says in its innermost part: of a store's answer its code and message, because the rest of it may repeat what
/// was signed.
fn said(error: &StoreError) -> String {
    let mut inner: &dyn std::error::Error = error;
    let mut all = error.to_string();
    while let Some(source) = inner.source() {
        inner = source;
        all.push_str(&inner.to_string());
    }
    let part = |name: &str| {
        let (_, rest) = all.split_once(&format!("<{name}>"))?;
        rest.split_once('<').map(|(part, _)| part.chars().take(300).collect::<String>())
    };
    match (part("Code"), part("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => inner.to_string().lines().next().unwrap_or_default().chars().take(300).collect(),
    }
}

/// Names of things that are written once and told apart by who wrote them.
pub(super) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Who somebody is that wrote something, for people.
pub(super) fn somebody(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "another run".to_owned(), Owner::to_string)
}
