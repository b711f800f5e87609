//! State in a bucket: the same journals and locks, with a store that loses answers, ignores conditions, or is gone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutResult,
};
use proptest::prelude::*;

use super::super::tests::{done, header, id};
use super::super::{Export, Header, Imported, Job, Outcome, Progress, QuarantinedRow, Record, Split, Store};
use super::*;
use crate::collection::{Key, KeyRange};

const LEASE: Duration = Duration::from_millis(600);

/// A store in memory in which things go wrong.
#[derive(Debug, Default)]
struct Faulty {
    inner: InMemory,
    /// So many answers to puts are lost from now on, although the objects are written.
    lost: AtomicUsize,
    /// The conditions of puts have no effect.
    careless: AtomicBool,
    /// Nothing answers.
    gone: AtomicBool,
    puts: AtomicUsize,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faulty")
    }
}

fn broken() -> StoreError {
    StoreError::Generic { store: "faulty", source: "connection reset".into() }
}

type Answer<T> = object_store::Result<T>;

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, mut options: PutOptions) -> Answer<PutResult> {
        if self.gone.load(Ordering::SeqCst) {
            return Err(broken());
        }
        self.puts.fetch_add(1, Ordering::SeqCst);
        if self.careless.load(Ordering::SeqCst) {
            options.mode = PutMode::Overwrite;
        }
        let put = self.inner.put_opts(at, payload, options).await?;
        let lost = self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if lost.is_ok() { Err(broken()) } else { Ok(put) }
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Answer<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Answer<GetResult> {
        if self.gone.load(Ordering::SeqCst) {
            return Err(broken());
        }
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, all: BoxStream<'static, Answer<Path>>) -> BoxStream<'static, Answer<Path>> {
        self.inner.delete_stream(all)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Answer<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Answer<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Answer<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// One machine's view of a store.
fn seen(store: &Arc<Faulty>) -> Store {
    let store = Arc::clone(store) as Arc<dyn ObjectStore>;
    Store::over(Bucket::over(store, "s3://tests/x", "x", LEASE).unwrap())
}

fn fresh() -> (Arc<Faulty>, Store) {
    let store = Arc::<Faulty>::default();
    let state = seen(&store);
    (store, state)
}

fn put(store: &Faulty, name: &str, text: &str) {
    let path = Path::from(format!("x/{name}"));
    let put = store.inner.put(&path, text.to_owned().into());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(put).unwrap();
}

fn text(store: &Faulty, name: &str) -> String {
    let path = Path::from(format!("x/{name}"));
    let read = async { store.inner.get(&path).await.unwrap().bytes().await.unwrap() };
    let bytes = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read);
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn objects(store: &Faulty) -> Vec<Path> {
    let all = store.inner.list(None).map_ok(|object| object.location).try_collect();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(all).unwrap()
}

fn splits(number: usize) -> Record {
    Record::Splits { list: vec![Split { partitions: Vec::new(), range: KeyRange::ALL, rows: 3 }; number] }
}

/// An owner that nothing here can see.
fn far() -> Owner {
    Owner { host: "far".into(), machine: "m2".into(), boot: "b2".into(), ..Owner::this("r9") }
}

fn lock_of(owner: &Owner) -> String {
    let mut lock = serde_json::to_value(owner).unwrap();
    lock["token"] = "t".into();
    lock["lease_seconds"] = 0.into();
    lock["renewed"] = jiff::Timestamp::now().to_string().into();
    lock.to_string()
}

#[test]
fn what_one_machine_wrote_another_goes_on_with() {
    let (store, here) = fresh();
    assert_eq!(here.job(&id()).unwrap(), None);
    let mut journal = here.begin(&id(), header()).unwrap();
    for record in [splits(3), Record::Started { split: 0 }, done(0), Record::Started { split: 1 }] {
        journal.append(&record).unwrap();
    }
    let there = seen(&store);
    assert_eq!(there.job(&id()).unwrap().as_ref(), Some(journal.job()));
    let mut taken = there.resume(&id()).unwrap();
    assert_eq!(taken.job(), journal.job());
    assert_eq!(taken.job().progress[1], Progress::Dirty);
    taken.append(&done(1)).unwrap();
    assert_eq!(here.job(&id()).unwrap().unwrap().splits_done(), 2);
    // The one that had it before writes nothing any more, and says so each time.
    for _ in 0..2 {
        let error = journal.append(&done(2)).unwrap_err();
        assert!(matches!(&error, StateError::Remote(error) if error.kind == RemoteKind::TakenOver), "{error}");
    }
    assert_eq!(there.job(&id()).unwrap().unwrap().splits_done(), 2);
}

#[test]
fn a_journal_that_was_begun_anew_is_closed_to_the_run_before() {
    let (store, here) = fresh();
    let mut before = here.begin(&id(), header()).unwrap();
    before.append(&splits(2)).unwrap();
    let there = seen(&store);
    there.begin(&id(), Header { run: "r2".into(), ..header() }).unwrap();
    before.append(&Record::Started { split: 0 }).unwrap_err();
    assert_eq!(here.job(&id()).unwrap().unwrap().header.run, "r2");
    assert_eq!(here.jobs().unwrap().len(), 1);
}

#[test]
fn a_lost_answer_is_no_other_run() {
    let (store, here) = fresh();
    store.lost.store(1, Ordering::SeqCst);
    let mut journal = here.begin(&id(), header()).unwrap();
    for record in [splits(2), Record::Started { split: 0 }, done(0)] {
        store.lost.store(2, Ordering::SeqCst);
        journal.append(&record).unwrap();
    }
    store.lost.store(1, Ordering::SeqCst);
    let lock = here.lock(&id(), "r1").unwrap();
    store.lost.store(1, Ordering::SeqCst);
    drop(lock);
    assert_eq!(here.holder(&id()).unwrap(), super::super::Holder::Nobody);
    assert_eq!(here.job(&id()).unwrap().as_ref(), Some(journal.job()));
}

#[test]
fn records_that_come_together_go_together() {
    let (store, here) = fresh();
    let mut journal = here.begin(&id(), header()).unwrap();
    journal.append(&splits(50)).unwrap();
    let before = store.puts.load(Ordering::SeqCst);
    let pending: Vec<_> = (0..50).map(|split| journal.push(&Record::Started { split }).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for one in pending {
        runtime.block_on(one.written()).unwrap();
    }
    assert!(store.puts.load(Ordering::SeqCst) - before < 50);
    assert_eq!(seen(&store).job(&id()).unwrap().unwrap().splits_dirty(), 50);
}

#[test]
fn a_long_journal_is_gone_on_with_as_one_object() {
    let (store, here) = fresh();
    let mut journal = here.begin(&id(), header()).unwrap();
    journal.append(&splits(120)).unwrap();
    for split in 0..120 {
        journal.append(&Record::Started { split }).unwrap();
    }
    let job = journal.job().clone();
    let mut again = seen(&store).resume(&id()).unwrap();
    assert_eq!(again.job(), &job);
    again.append(&done(7)).unwrap();
    let read = seen(&store).job(&id()).unwrap().unwrap();
    assert_eq!((read.splits_dirty(), read.splits_done()), (119, 1));
    journal.append(&done(8)).unwrap_err();
}

#[test]
fn a_lock_is_had_once_and_freed_with_its_owner() {
    let (store, here) = fresh();
    let lock = here.lock(&id(), "r1").unwrap();
    let there = seen(&store);
    let Err(StateError::Locked(owner)) = there.lock(&id(), "r2") else { panic!("taken twice") };
    assert_eq!((owner.run.as_str(), owner.pid), ("r1", std::process::id()));
    assert!(matches!(there.holder(&id()).unwrap(), super::super::Holder::Alive(owner) if owner.run == "r1"));
    assert!(matches!(there.forget(&id()), Err(StateError::Locked(_))));
    // Longer than a lease, so it was renewed.
    std::thread::sleep(LEASE * 2);
    lock.check().unwrap();
    drop(lock);
    there.lock(&id(), "r2").unwrap();
}

#[test]
fn a_lock_of_another_machine_is_taken_after_its_lease_and_not_before() {
    let (store, here) = fresh();
    put(&store, &format!("locks/{}", id()), &lock_of(&far()));
    assert!(matches!(here.holder(&id()).unwrap(), super::super::Holder::Unseen(owner) if owner.run == "r9"));
    let began = Instant::now();
    let lock = here.lock(&id(), "r2").unwrap();
    assert!(began.elapsed() >= LEASE, "taken after {:?}", began.elapsed());
    drop(lock);
    // One that lives is renewed while it is watched.
    put(&store, &format!("locks/{}", id()), &lock_of(&far()));
    let renewing = Arc::clone(&store);
    let renewal = std::thread::spawn(move || {
        std::thread::sleep(LEASE / 3);
        put(&renewing, &format!("locks/{}", id()), &lock_of(&Owner { since: "later".into(), ..far() }));
    });
    assert!(matches!(here.lock(&id(), "r2"), Err(StateError::Locked(owner)) if owner.run == "r9"));
    renewal.join().unwrap();
    // Somebody who knows better need not wait.
    let owner = here.holder(&id()).unwrap().owner().cloned().unwrap();
    assert!(matches!(here.unlock(&id(), &far()), Err(StateError::Locked(_))));
    here.unlock(&id(), &owner).unwrap();
    let began = Instant::now();
    here.lock(&id(), "r2").unwrap();
    assert!(began.elapsed() < LEASE);
}

#[test]
fn an_owner_that_cannot_renew_stops_before_anybody_takes_over() {
    let (store, here) = fresh();
    let lock = here.lock(&id(), "r1").unwrap();
    lock.check().unwrap();
    let began = Instant::now();
    store.gone.store(true, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lost = runtime.block_on(lock.lost());
    assert!(began.elapsed() < LEASE, "it noticed only after {:?}", began.elapsed());
    for error in [lost, lock.check().unwrap_err()] {
        assert!(matches!(&error, StateError::Remote(error) if error.kind == RemoteKind::Lapsed), "{error}");
    }
}

#[test]
fn an_owner_whose_lock_was_taken_notices() {
    let (store, here) = fresh();
    let lock = here.lock(&id(), "r1").unwrap();
    put(&store, &format!("locks/{}", id()), &lock_of(&far()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(lock.lost());
    assert!(matches!(&error, StateError::Remote(error) if error.kind == RemoteKind::TakenOver), "{error}");
    assert!(error.to_string().contains("r9") && error.to_string().contains("far"), "{error}");
    drop(lock);
    assert!(text(&store, &format!("locks/{}", id())).contains("r9"), "it freed the lock of another");
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let (store, here) = fresh();
    store.careless.store(true, Ordering::SeqCst);
    let error = here.lock(&id(), "r1").unwrap_err();
    assert!(error.to_string().contains("If-None-Match") && error.help().contains("folder"), "{error}");
    assert!(objects(&store).is_empty(), "the probe was left behind");
}

#[test]
fn jobs_are_carried_between_a_folder_and_a_bucket() {
    let folder = crate::searched::folder();
    let local = Store::new(folder.path());
    let mut journal = local.begin(&id(), header()).unwrap();
    for record in [splits(2), Record::Started { split: 0 }, done(0)] {
        journal.append(&record).unwrap();
    }
    let (_store, here) = fresh();
    let export = Export::parse(&local.export(None).unwrap().0.text().unwrap()).unwrap();
    assert_eq!(here.import(&export, false).unwrap(), [(id(), Imported::New)]);
    let job = here.job(&id()).unwrap().unwrap();
    assert_eq!((job.splits_done(), job.splits_dirty()), (1, 1), "what was not done counts as sent");
    here.resume(&id()).unwrap().append(&done(1)).unwrap();
    assert_eq!(here.import(&export, true).unwrap(), [(id(), Imported::Known)]);
    let back = here.export(Some(&id())).unwrap().0;
    let replaced = here.import(&local_changed(&local), true).unwrap();
    let [(_, Imported::Replaced(old))] = replaced.as_slice() else { panic!("{replaced:?}") };
    assert!(old.display().to_string().starts_with("s3://tests/x/jobs/"), "{}", old.display());
    local.import(&back, true).unwrap();
    assert_eq!(local.job(&id()).unwrap().unwrap().splits_done(), 2);
    let gone = here.forget(&id()).unwrap();
    assert!(gone.display().to_string().starts_with("s3://"));
    assert_eq!(here.job(&id()).unwrap(), None);
    assert!(here.jobs().unwrap().is_empty());
    here.begin(&id(), header()).unwrap();
    assert_eq!(here.jobs().unwrap().len(), 1);
}

fn local_changed(local: &Store) -> Export {
    let mut journal = local.begin(&id(), Header { run: "r7".into(), ..header() }).unwrap();
    journal
        .append(&Record::Ended { outcome: Outcome::Failed, rows: 0, error: None, at: jiff::Timestamp::UNIX_EPOCH })
        .unwrap();
    local.export(None).unwrap().0
}

#[test]
fn requests_and_quarantine_lie_in_the_bucket_too() {
    let (store, here) = fresh();
    let requests = here.requests();
    assert_eq!(requests.asked("r1"), None);
    seen(&store).requests().ask("r1").unwrap();
    assert!(requests.asked("r1").is_some());
    requests.forget("r1");
    assert_eq!(requests.asked("r1"), None);

    let row = QuarantinedRow {
        key: Key::Int(1),
        field: "year".into(),
        reason: "`x` is no INT64".into(),
        partition: None,
        row: serde_json::json!({"id": 1}),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let quarantine = here.quarantine(&id(), "r1");
    assert!(!quarantine.is_there().unwrap());
    runtime.block_on(quarantine.keep(3, &[row])).unwrap();
    assert!(quarantine.is_there().unwrap());
    let name = format!("quarantine/{}/r1/split-00003.ndjson", id());
    assert!(text(&store, &name).starts_with("{\"key\":1,"));
    // Another attempt finds that all rows fit now.
    runtime.block_on(here.quarantine(&id(), "r1").keep(3, &[])).unwrap();
    assert!(!quarantine.is_there().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// An object that is missing or changed is noticed wherever it is, unless it is the last one, behind which nothing was.
    #[test]
    fn damage_to_an_object_is_noticed(chosen in 1_usize..9, byte in any::<prop::sample::Index>(), remove in any::<bool>()) {
        let (store, here) = fresh();
        let mut journal = here.begin(&id(), header()).unwrap();
        journal.append(&splits(4)).unwrap();
        for split in 0..3 {
            journal.append(&Record::Started { split }).unwrap();
            journal.append(&done(split)).unwrap();
        }
        journal.append(&Record::Started { split: 3 }).unwrap();
        let mut names: Vec<String> = objects(&store).iter().map(Path::to_string).filter(|name| !name.ends_with("current")).collect();
        names.sort();
        let name = names[chosen - 1].strip_prefix("x/").unwrap().to_owned();
        if remove {
            let path = Path::from(names[chosen - 1].clone());
            let gone = store.inner.delete(&path);
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(gone).unwrap();
        } else {
            let mut bytes = text(&store, &name).into_bytes();
            // Who wrote it is for people; what was written is checked.
            let start = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let place = start + byte.index(bytes.len() - start);
            bytes[place] = if bytes[place] == b'!' { b'?' } else { b'!' };
            put(&store, &name, &String::from_utf8(bytes).unwrap());
        }
        let read = seen(&store).job(&id());
        let damaged = matches!(read, Err(StateError::Damaged { .. }));
        prop_assert!(damaged, "{read:?}");
    }
}

#[test]
fn a_job_reads_the_same_from_both_kinds_of_place() {
    let folder = crate::searched::folder();
    let (_store, afar) = fresh();
    let read = [Store::new(folder.path()), afar].map(|store| {
        let mut journal = store.begin(&id(), header()).unwrap();
        journal.note(&Record::Retried { class: "unavailable".into(), reason: "x".into() }).unwrap();
        for record in [splits(2), Record::Started { split: 1 }, done(1)] {
            journal.append(&record).unwrap();
        }
        let (text, _) = store.text(&id()).unwrap().unwrap();
        (text, store.job(&id()).unwrap(), Some(journal.job().clone()))
    });
    let [(text, job, written), other] = read;
    assert_eq!((&text, &job, &written), (&other.0, &other.1, &other.2));
    assert_eq!(job, written);
    let _kinds: Option<Job> = job;
}
