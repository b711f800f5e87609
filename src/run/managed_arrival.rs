//! One collection on its way through the migration service: the room that is made for it, and what is done once the job is over.

use super::compare::{Comparison, Side, compare_all};
use super::job::{Job, Success};
use super::managed::{INDEXES, REST, beat};
use super::{Event, JobError, Keys, census, groups};
use crate::cluster::Scan;
use crate::collection::LiveCollection;
use crate::diff::{MARK_RUN, RowDiff, Work};
use crate::state::{JobEnd, ManagedStep, Record};

impl Job<'_> {
    /// The service's job, where its id is known.
    pub(super) fn service_job(&self) -> Option<String> {
        self.state(|job| job.managed.as_ref().and_then(|managed| managed.job.clone()))
    }

    /// When the last request was sent.
    pub(super) fn asked_at(&self) -> Option<jiff::Timestamp> {
        self.state(|job| job.managed.as_ref().and_then(|managed| managed.asked))
    }

    /// The target's id and its rows by statistics; none where there is none.
    pub(super) async fn standing(&self) -> Result<Option<(i64, u64)>, JobError> {
        let (to, target) = (&self.entry.seen.to, &self.sides.target);
        let Some(there) = target.identity(&to.database, &to.collection).await? else { return Ok(None) };
        Ok(Some((there.id, target.statistics(&to.database, &to.collection).await?)))
    }

    /// Drops what the plan replaces, and sees to it that nothing stands in the way: the service refuses a name that is taken.
    pub(super) async fn make_room(&self) -> Result<(), JobError> {
        let (seen, target) = (&self.entry.seen, &self.sides.target);
        let to = &seen.to;
        if let Some(there) = target.identity(&to.database, &to.collection).await? {
            let replaced = seen.target.as_ref().filter(|_| self.entry.work == Work::Refill).map(|live| live.id);
            if replaced != Some(there.id) {
                return Err(JobError::Fenced(format!("`{to}` was made by somebody else since the diff was made")));
            }
            self.phase("dropping").await?;
            target.drop_collection(&to.database, &to.collection).await?;
        }
        if !seen.target_database_exists {
            target.create_database(&to.database).await?;
        }
        Ok(())
    }

    /// Everything once the job is over, however it ended: what it made is compared with the source, and completed.
    pub(super) async fn arrive(&self, end: JobEnd) -> Result<Success, JobError> {
        let to = &self.entry.seen.to;
        self.phase("looking at the target").await?;
        let Some(live) = self.sides.target.describe(&to.database, &to.collection).await? else {
            return self.missed(end, "the target holds no such collection".to_owned(), None).await;
        };
        self.is_its(&live)?;
        if self.state(|job| job.target_id.is_none()) {
            self.record(&Record::Created { id: live.id }).await?;
        }
        let lacks = |name: &&String| !live.partitions.contains(name);
        if let Some(name) = self.mapping.routes.iter().filter_map(|route| route.to.as_ref()).find(lacks) {
            return self.missed(end, format!("the target has no partition `{name}`"), None).await;
        }
        self.load_source().await?;
        self.make_loadable(end).await?;
        self.phase("loading the target").await?;
        self.unless_stopped(self.sides.target.load(&to.database, &to.collection)).await?;
        self.phase("verifying").await?;
        let found = self.unless_stopped(self.held_against_source(&live)).await?;
        if found.diff.has_work() || found.diff.extra > 0 {
            let RowDiff { missing, differing, extra, doubled, .. } = &found.diff;
            let what = format!(
                "the target differs from the source: {missing} rows are missing, {differing} differ, {extra} are only on the target, {doubled} are doubled"
            );
            return self.missed(end, what, Some(found.diff)).await;
        }
        self.prove_functions().await?;
        let success =
            Success { rows: found.rows, moved_by: Some(self.service_job().unwrap_or_default()), ..Success::default() };
        self.is_still(live.id).await?;
        if !self.entry.seen.settings.load {
            self.phase("releasing").await?;
            self.sides.target.release(&to.database, &to.collection, &[]).await?;
        }
        self.point_aliases().await?;
        self.mark_done(&success).await?;
        Ok(success)
    }

    /// Refuses a collection that cannot be what the job made.
    fn is_its(&self, live: &LiveCollection) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        let known = self.state(|job| job.target_id);
        if known.is_some_and(|id| id != live.id) || live.mark.get(MARK_RUN).is_some_and(|run| *run != self.run) {
            return Err(JobError::Fenced(format!("`{to}` was made anew by somebody else")));
        }
        let other = self.source.schema.fields.iter().find(|field| {
            let made = live.schema.field(&field.name);
            made.is_none_or(|made| (made.data_type, made.primary_key) != (field.data_type, field.primary_key))
        });
        match other.filter(|_| known.is_none()) {
            Some(field) => Err(JobError::Fenced(format!(
                "`{to}` is not what the migration service would make: its field `{}` is missing or another one",
                field.name
            ))),
            None => Ok(()),
        }
    }

    async fn is_still(&self, id: i64) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        self.check_lock()?;
        match self.sides.target.identity(&to.database, &to.collection).await? {
            Some(there) if there.id == id => Ok(()),
            _ => {
                Err(JobError::Fenced(format!("`{to}` was dropped or made anew by somebody else while it was verified")))
            }
        }
    }

    /// Records that the job did not bring what it should, and says so.
    async fn missed(&self, end: JobEnd, found: String, diff: Option<RowDiff>) -> Result<Success, JobError> {
        let (job, word, reason) = self.state(|state| {
            let managed = state.managed.clone().unwrap_or_default();
            (managed.job, managed.word, managed.reason)
        });
        self.check_lock()?;
        self.record(&Record::Managed(ManagedStep::Missed { at: jiff::Timestamp::now() })).await?;
        Err(JobError::Managed {
            job,
            word,
            reason: reason.filter(|reason| !reason.is_empty()),
            found,
            diff: diff.map(Box::new),
            gave_up: matches!(end, JobEnd::Failed | JobEnd::Canceled),
        })
    }

    /// Waits for the indexes that the service makes, and makes those that it leaves out: some servers load nothing without.
    async fn make_loadable(&self, end: JobEnd) -> Result<(), JobError> {
        let (to, target) = (&self.entry.seen.to, &self.sides.target);
        self.phase("indexing").await?;
        let most = beat() * if end == JobEnd::Successful { INDEXES } else { REST };
        let began = tokio::time::Instant::now();
        let there = loop {
            let live = target.describe(&to.database, &to.collection).await?;
            let there = live.map(|live| live.indexes).unwrap_or_default();
            let complete = self.mapping.indexes.iter().all(|index| there.iter().any(|have| have.field == index.field));
            if complete || began.elapsed() >= most {
                break there;
            }
            let pause = async {
                tokio::time::sleep(beat()).await;
                Ok::<_, JobError>(())
            };
            self.unless_stopped(pause).await?;
        };
        self.make_indexes(&self.mapping.indexes, &there).await
    }

    async fn held_against_source(&self, live: &LiveCollection) -> Result<Comparison, JobError> {
        let (seen, columns) = (&self.entry.seen, &self.mapping.columns);
        let (source, target) = (self.source_scan().await?, self.target_scan().await?);
        let level = self.entry.verify();
        let fields = columns.narrowed(level).read;
        let taken =
            census(&*self.sides.source, &source, &groups(self.mapping), &fields, Keys::Cheaply, &self.rooms).await?;
        if taken.rows.unreadable > 0 {
            return Err(JobError::Unreadable {
                source_name: seen.from.to_string(),
                count: taken.rows.unreadable,
                range: "it".to_owned(),
                keys: taken.rows.unreadable_place,
            });
        }
        let (total, row_bytes) = (taken.rows.distinct(), taken.rows.row_bytes);
        self.tell(&Event::Begun { done: 0, total, row_bytes });
        let target = Scan { collection: live.name.clone(), ..target };
        compare_all(
            Side { read: &*self.sides.source, scan: &source },
            Side { read: &*self.sides.target, scan: &target },
            &taken.splits,
            self.mapping,
            level,
            &self.rooms,
            (self.observer, &seen.address),
        )
        .await
    }
}
