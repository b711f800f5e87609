//! One collection, from the first record of its journal to the last.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::census::{Census, Keys, census, groups, scan};
use super::copy::REQUEST_BYTES;
use super::execute::Pace;
use super::moved::Moved;
use super::retries::{Retried, Retry};
use super::rooms::Rooms;
use super::{Event, JobError, Observer, unique};
use crate::cluster::{Destination, FIRST_PAGE, Fitting, Moment, ReadSide, Scan, WriteSide};
use crate::collection::{LiveCollection, LoadState};
use crate::crash_point;
use crate::diff::{Entry, MARK_PLAN, MARK_QUARANTINED, MARK_ROWS, MARK_RUN, Work};
use crate::mapping::{Mapping, Touched};
use crate::state::{Job as State, Journal, Lock, Outcome, Quarantine, Record, Split};

/// How long what is in flight may take to end once somebody asked to stop.
pub(super) const GRACE: Duration = Duration::from_secs(4);

/// The two clusters of a migration.
#[derive(Clone)]
pub struct Sides {
    /// The one that is read.
    pub source: Arc<dyn ReadSide>,
    /// The one that is written.
    pub target: Arc<dyn WriteSide>,
}

/// What a job that ended well has to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Success {
    /// Rows that were verified.
    pub rows: u64,
    /// Rows that were sent.
    pub written: u64,
    /// Rows of the source beyond the first of their key, of which one arrived.
    pub doubled: u64,
    /// Rows that only the target has, and that were left alone.
    pub extra: u64,
    /// Rows that were written again or removed because verification asked for it.
    pub mended: u64,
    /// Rows that somebody wrote to the source while it was copied, and that were carried over.
    pub moved: Moved,
    /// Rows that do not fit, and are in quarantine.
    pub quarantined: u64,
    /// Where those are.
    pub quarantine: Option<String>,
    /// Rows that each rule of the mapping touched.
    pub touched: Touched,
    /// The job of the migration service that moved them, where one did; empty where its id was never heard.
    pub moved_by: Option<String>,
}

/// A job while it runs.
pub struct Job<'a> {
    pub(super) entry: &'a Entry,
    pub(super) mapping: &'a Mapping,
    pub(super) source: &'a LiveCollection,
    pub(super) sides: &'a Sides,
    pub(super) observer: &'a dyn Observer,
    pub(super) pace: &'a Pace,
    pub(super) stop: &'a CancellationToken,
    pub(super) run: String,
    pub(super) quarantine: Quarantine,
    /// Bytes of one request to the target, learnt while writing.
    pub(super) request: Fitting,
    /// Rows of one page of the target, learnt while reading.
    pub(super) target_page: Arc<Fitting>,
    journal: Mutex<Journal>,
    lock: &'a Lock,
    /// Id of the collection that a plan that converges found.
    pub(super) found: OnceLock<i64>,
    census: Mutex<Option<Census>>,
    retried: Mutex<Retried>,
    /// Whether rows were sent that may have been there already.
    pub(super) resent: AtomicBool,
    /// Room for its rows.
    pub(super) rooms: Rooms<'a>,
    /// Whether the indexes were made before the rows came.
    pub(super) indexed_early: AtomicBool,
    /// As of when the census was taken.
    moment: OnceLock<Moment>,
}

/// What a job needs beside its entry.
pub struct Tools<'a> {
    /// The clusters.
    pub sides: &'a Sides,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// The migration's limits, which all its jobs share.
    pub pace: &'a Pace,
    /// Asks to stop.
    pub stop: &'a CancellationToken,
    /// The census that the diff was made from, if one was taken.
    pub census: Option<Census>,
    /// Where rows go that do not fit.
    pub quarantine: Quarantine,
    /// The lock of the target.
    pub lock: &'a Lock,
}

impl<'a> Job<'a> {
    /// A job with its journal.
    pub fn new(
        entry: &'a Entry,
        mapping: &'a Mapping,
        source: &'a LiveCollection,
        journal: Journal,
        tools: Tools<'a>,
    ) -> Self {
        let rooms = Rooms::new(tools.pace);
        rooms.expect(journal.job().header.row_bytes);
        Self {
            entry,
            mapping,
            source,
            sides: tools.sides,
            observer: tools.observer,
            pace: tools.pace,
            stop: tools.stop,
            run: journal.job().header.run.clone(),
            quarantine: tools.quarantine,
            request: Fitting::new(REQUEST_BYTES),
            target_page: Arc::new(Fitting::new(FIRST_PAGE)),
            journal: Mutex::new(journal),
            lock: tools.lock,
            found: OnceLock::new(),
            census: Mutex::new(tools.census),
            retried: Mutex::default(),
            resent: AtomicBool::new(false),
            indexed_early: AtomicBool::new(false),
            rooms,
            moment: OnceLock::new(),
        }
    }

    /// Runs the job, and writes down how it ended. `told` brings requests that were repeated inside the connections.
    ///
    /// Once somebody asks to stop, nothing new begins and what is in flight has [`GRACE`] to end. What has not ended by then is
    /// given up where it stands, which the state survives as it survives a power cut. A panic ends this job and no other one.
    pub async fn run(&self, mut told: UnboundedReceiver<Retry>) -> Result<Success, JobError> {
        self.begin()?;
        let result = self.guarded(self.steps(), &mut told).await;
        self.end(result).await
    }

    /// Writes down that this process takes the job up.
    pub(super) fn begin(&self) -> Result<(), JobError> {
        self.mention(&Record::Attempt { pid: std::process::id(), at: jiff::Timestamp::now() })
    }

    /// Steps of the job, beside all that may end them.
    pub(super) async fn guarded<T>(
        &self,
        steps: impl Future<Output = Result<T, JobError>>,
        told: &mut UnboundedReceiver<Retry>,
    ) -> Result<T, JobError> {
        let listening = async {
            while let Some(retry) = told.recv().await {
                self.retried(&retry)?;
            }
            futures::future::pending::<Result<T, JobError>>().await
        };
        let given_up = async {
            self.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            ended = AssertUnwindSafe(steps).catch_unwind() => ended.unwrap_or(Err(JobError::Bug)),
            failed = listening => failed,
            () = given_up => Err(JobError::Interrupted),
            lost = self.lock.lost() => Err(lost.into()),
        };
        match result {
            // A job of the migration service has no mark on its target before its end, and looks at ids itself.
            Err(JobError::Cluster(error)) if !self.entry.is_managed() => Err(self.reason_of(error).await),
            other => other,
        }
    }

    /// Writes down how it ended, and tells it.
    pub(super) async fn end(&self, result: Result<Success, JobError>) -> Result<Success, JobError> {
        let (outcome, rows, error) = match &result {
            Ok(success) => (Outcome::Successful, success.rows, None),
            Err(error) if error.is_interruption() => (Outcome::Canceled, 0, None),
            Err(error) => (Outcome::Failed, 0, Some(error.to_string())),
        };
        match &result {
            Ok(_) => self.tell(&Event::Succeeded),
            Err(error) => self.tell(&Event::Failed(error.to_string())),
        }
        let ended = match self.lock.check() {
            Ok(()) => self.record(&Record::Ended { outcome, rows, error, at: jiff::Timestamp::now() }).await,
            Err(lost) => Err(lost.into()),
        };
        let success = result?;
        ended?;
        Ok(success)
    }

    /// Refuses to go on where the lock is no longer this run's.
    pub(super) fn check_lock(&self) -> Result<(), JobError> {
        Ok(self.lock.check()?)
    }

    async fn steps(&self) -> Result<Success, JobError> {
        if self.entry.work == Work::Touch {
            return self.touch().await;
        }
        // The source first: what is wrong with it is found before anything is made or dropped on the target.
        self.load_source().await?;
        self.split().await?;
        self.check_new_key().await?;
        if self.entry.work == Work::Refill && self.state(|job| !job.creating) {
            self.phase("dropping").await?;
            self.sides.target.drop_collection(&self.entry.seen.to.database, &self.entry.seen.to.collection).await?;
        }
        {
            let _turn = self.pace.making.acquire().await.map_err(|_| JobError::Interrupted)?;
            let made = if self.converging() { None } else { self.make().await? };
            if made.is_none() {
                self.fence().await?;
            }
            let there = self.make_partitions(made).await?;
            self.begun();
            self.make_early_indexes(there).await?;
        }
        self.prepare_target().await?;
        self.phase("copying").await?;
        self.copy().await?;
        self.finish().await
    }

    /// Whether rows go into a collection that the run did not make.
    pub(super) fn converging(&self) -> bool {
        self.state(|job| job.header.converging)
    }

    /// Loads the source where it is not loaded. The journal hears of it first, so that whoever finishes the job releases it.
    pub(super) async fn load_source(&self) -> Result<(), JobError> {
        let from = &self.entry.seen.from;
        // Of a collection that had no further partitions when it was looked at, one question tells it. With several, each is asked for.
        let one_part = self.source.partitions.len() <= 1;
        if one_part && self.sides.source.is_loaded(&from.database, &self.source.name).await? {
            return Ok(());
        }
        let live = self.sides.source.describe(&from.database, &from.collection).await?;
        let state = live.as_ref().map_or(LoadState::NotLoaded, |live| live.load_state);
        if state == LoadState::Loaded {
            return Ok(());
        }
        self.phase("loading the source").await?;
        if self.state(|job| job.release_source.is_none()) {
            let partitions = match state {
                LoadState::Loading => live.map(|live| live.unloaded_partitions).unwrap_or_default(),
                _ => Vec::new(),
            };
            if state == LoadState::NotLoaded || !partitions.is_empty() {
                self.record(&Record::LoadingSource { partitions }).await?;
            }
        }
        self.unless_stopped(self.sides.source.load(&from.database, &from.collection)).await
    }

    /// Makes the list of splits, unless an earlier attempt did.
    async fn split(&self) -> Result<(), JobError> {
        if self.state(|job| job.splits.is_some()) {
            return Ok(());
        }
        let taken = self.census.lock().unwrap_or_else(PoisonError::into_inner).take();
        let census = match taken {
            Some(census) => census,
            None => {
                self.phase("counting").await?;
                let (scan, groups) = (self.source_scan().await?, groups(self.mapping));
                let fields = &self.mapping.columns.read;
                self.unless_stopped(census(&*self.sides.source, &scan, &groups, fields, Keys::Cheaply, &self.rooms))
                    .await?
            }
        };
        if !census.moment.snapshot {
            // The first query at a new timestamp waits a fifth of a second until the server has come so far; the copy may as well
            // read at the one that it has waited for. A snapshot is not kept for as long as somebody may think about a diff.
            let _ = self.moment.set(census.moment);
        }
        if census.rows.unreadable > 0 {
            return Err(JobError::Unreadable {
                source_name: self.entry.seen.from.to_string(),
                count: census.rows.unreadable,
                range: "it".to_owned(),
                keys: census.rows.unreadable_place,
            });
        }
        if census.rows.crossing > 0 {
            let message = format!("{} rows have a key that stands in another partition too", census.rows.crossing);
            return Err(JobError::Blocked(message));
        }
        self.mention(&Record::Splits { list: census.splits })
    }

    /// Where another field becomes the primary key: whether its values are unique, before anything is made. A target would
    /// take two rows of one key and return one of them.
    async fn check_new_key(&self) -> Result<(), JobError> {
        let Some(key) = self.mapping.new_key() else { return Ok(()) };
        if self.state(|job| job.target_id.is_some()) {
            return Ok(());
        }
        self.phase("checking the new key").await?;
        let scan = self.source_scan().await?;
        let splits: Vec<Split> = self.state(|job| job.splits.iter().flatten().cloned().collect());
        let looking = unique::doubles(&*self.sides.source, &scan, &splits, &self.mapping.columns, key, &self.rooms);
        let found = self.unless_stopped(looking).await?;
        if found.rows == 0 {
            return Ok(());
        }
        Err(JobError::NotUnique { field: key.to_owned(), rows: found.rows, examples: found.examples.join(", ") })
    }

    fn begun(&self) {
        let (done, total, row_bytes) = self.state(|job| {
            let row_bytes = self.entry.seen.source_rows.as_ref().map_or(job.header.row_bytes, |rows| rows.row_bytes);
            (job.rows_done(), job.rows_expected().unwrap_or_default(), row_bytes)
        });
        self.tell(&Event::Begun { done, total, row_bytes });
    }

    /// The source as a whole, as fresh as its census at least.
    pub(super) async fn source_scan_since_census(&self) -> Result<Scan, JobError> {
        let Some(moment) = self.moment.get() else { return self.source_scan().await };
        let from = &self.entry.seen.from;
        Ok(scan(&from.database, self.source, self.entry.seen.settings.filter.as_deref(), *moment))
    }

    /// The source as a whole, as of now.
    pub(super) async fn source_scan(&self) -> Result<Scan, JobError> {
        let from = &self.entry.seen.from;
        let moment = self.sides.source.moment(&from.database, &from.collection).await?;
        Ok(scan(&from.database, self.source, self.entry.seen.settings.filter.as_deref(), moment))
    }

    /// Where the rows of a split go.
    pub(super) fn destination(&self, split: &Split) -> Destination {
        let partition = self.mapping.target_partition(&split.partitions).map(str::to_owned);
        Destination {
            database: self.entry.seen.to.database.clone(),
            collection: self.entry.seen.to.collection.clone(),
            partition,
            fields: self.mapping.columns.write.clone(),
        }
    }

    /// Writes a record and waits until it lasts: one that announces something, which is done only then, or that says that rows need not
    /// be written again.
    pub(super) async fn record(&self, record: &Record) -> Result<(), JobError> {
        let pending = self.journal.lock().unwrap_or_else(PoisonError::into_inner).push(record)?;
        Ok(pending.written().await?)
    }

    /// Writes down something that was learnt or begun, and that whoever finds the journal without it learns or begins again. It lasts
    /// where a later record does, so before anything that a later one announces. To wait for each of these would make many small
    /// collections stand in line for the disk.
    pub(super) fn mention(&self, record: &Record) -> Result<(), JobError> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).mention(record)?;
        crash_point::reached("mention");
        Ok(())
    }

    /// Looks at the job as the journal has it.
    pub(super) fn state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(self.journal.lock().unwrap_or_else(PoisonError::into_inner).job())
    }

    pub(super) async fn phase(&self, name: &'static str) -> Result<(), JobError> {
        if self.stop.is_cancelled() {
            return Err(JobError::Interrupted);
        }
        self.tell(&Event::Phase(name));
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(journal.mention(&Record::Phase { name: name.to_owned(), at: jiff::Timestamp::now() })?)
    }

    /// Waits for something that changes nothing when it is given up half way, unless somebody asks to stop.
    pub(super) async fn unless_stopped<T, E>(&self, wait: impl Future<Output = Result<T, E>>) -> Result<T, JobError>
    where
        JobError: From<E>,
    {
        tokio::select! {
            result = wait => Ok(result?),
            () = self.stop.cancelled() => Err(JobError::Interrupted),
        }
    }

    /// Tells, counts and writes down that a request is repeated.
    pub(super) fn retried(&self, retry: &Retry) -> Result<(), JobError> {
        self.tell(&Event::Retried(retry.reason.clone()));
        *self.retried.lock().unwrap_or_else(PoisonError::into_inner).entry(retry.class).or_default() += 1;
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.note(&Record::Retried { class: retry.class.to_owned(), reason: retry.reason.clone() })?;
        Ok(())
    }

    /// Splits that are done, and all that there are.
    pub fn splits_done(&self) -> (usize, usize) {
        self.state(|job| (job.splits_done(), job.progress.len()))
    }

    /// Requests that were repeated, by class.
    pub fn repeated(&self) -> Retried {
        self.retried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn tell(&self, event: &Event) {
        self.observer.event(&self.entry.seen.address, event);
    }

    /// Sets the mark that says how many rows were verified, and how many are in quarantine.
    pub(super) async fn mark_done(&self, success: &Success) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        let mut mark = vec![(MARK_ROWS.to_owned(), success.rows.to_string())];
        let before = self.entry.seen.target.as_ref().is_some_and(|live| live.mark.contains_key(MARK_QUARANTINED));
        if success.quarantined > 0 || before {
            mark.push((MARK_QUARANTINED.to_owned(), success.quarantined.to_string()));
        }
        if self.converging() || self.entry.is_managed() {
            mark.push((MARK_RUN.to_owned(), self.run.clone()));
            mark.push((MARK_PLAN.to_owned(), self.entry.seen.plan_hash.clone()));
        }
        self.sides.target.set_properties(&to.database, &to.collection, &mark).await?;
        Ok(())
    }
}
