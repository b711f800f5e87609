//! After the copy: segments, indexes, loading, proof, and the marks that say so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::Array;
use arrow_array::cast::AsArray;

use super::job::{Job, Success};
use super::mapped::beside_key;
use super::prove::{Looks, There};
use super::{Event, JobError};
use crate::cluster::{Moment, Scan};
use crate::collection::{DataType, Field, Index, KeyRange, LiveCollection, LoadState};
use crate::state::Record;

/// Rows among which texts to search for are looked for, and searches for each function.
const SEARCHED_ROWS: usize = 100;
const SEARCHES: usize = 5;
/// Bytes of rows up to which a collection is small: they are flushed as one part of it.
const SMALL: u64 = 64 << 20;

impl Job<'_> {
    /// Everything after the copy. What is still to be learnt of the source is learnt beside what the target needs its time for.
    /// Neither of the two writes rows that a record would have to announce, so whichever fails may end the other anywhere.
    pub(super) async fn finish(&self) -> Result<Success, JobError> {
        let to = &self.entry.seen.to;
        let target = &self.sides.target;
        // What is counted by the server alone, with its indexes made, is neither changed nor read from here to the look at mark and id
        // behind its proof. That one says as much about the time before it: an id that is gone does not come back, nor does a mark.
        if !(self.is_counted_by_the_server() && self.indexed_early.load(Ordering::Relaxed)) {
            self.fence().await?;
        }
        self.phase("flushing").await?;
        let looks = self.looks();
        let (moved, (was_loaded, there)) = if self.is_counted_by_the_server() {
            let (moved, agrees) = futures::try_join!(self.look_at_source(&looks), self.flush_and_count())?;
            self.fence().await?;
            if agrees && moved.is_empty() {
                return self.complete(self.proven_at_once()).await;
            }
            // From here on it is changed and read.
            (moved, self.load_and_read(&looks).await?)
        } else {
            // A flush keeps processors busy, a load mostly waits: what is read of the source meanwhile is read beside the load.
            self.flush().await?;
            futures::try_join!(self.look_at_source(&looks), self.load_and_read(&looks))?
        };
        let success = self.prove(looks, moved, there).await?;
        if success.mended > 0 {
            // What was mended came after the first flush, and its index with it. Nobody is to drop or release anything meanwhile.
            target.flush(&to.database, &to.collection).await?;
            self.wait_for_indexes().await?;
        }
        self.prove_functions().await?;
        self.fence().await?;
        self.leave(was_loaded).await?;
        self.complete(success).await
    }

    async fn flush(&self) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        self.unless_stopped(self.sides.target.flush(&to.database, &to.collection)).await
    }

    /// Flushes the target, makes its indexes, and says whether its number of rows, which is all that the plan asks for, agrees.
    async fn flush_and_count(&self) -> Result<bool, JobError> {
        self.flush().await?;
        self.phase("indexing").await?;
        // Where they were made before the rows came, there is nothing to look for.
        match self.indexed_early.load(Ordering::Relaxed) {
            true => self.wait_for_indexes().await?,
            false => self.make_indexes(&self.mapping.indexes, &[]).await?,
        }
        self.phase("verifying").await?;
        Ok(self.agrees_with_the_server().await)
    }

    /// Loads the target and looks at it. Returns whether it was loaded before.
    async fn load_and_read(&self, looks: &Looks) -> Result<(bool, There), JobError> {
        let (was_loaded, early) = self.make_readable().await?;
        self.prune_other_partitions().await?;
        self.phase("verifying").await?;
        Ok((was_loaded, self.look_at_target(looks, early).await?))
    }

    /// What comes when every row is proven: properties that come late, aliases, and the mark.
    async fn complete(&self, success: Success) -> Result<Success, JobError> {
        let to = &self.entry.seen.to;
        if !self.mapping.late_properties.is_empty() {
            self.sides.target.set_properties(&to.database, &to.collection, &self.mapping.late_properties).await?;
        }
        self.point_aliases().await?;
        self.mark_done(&success).await?;
        Ok(success)
    }

    /// Points the plan's aliases to the target. They come last, when every row is proven, and before the mark that says that
    /// the job is complete: whoever is killed in between does it again.
    pub(super) async fn point_aliases(&self) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        for alias in &self.mapping.aliases {
            self.phase("switching aliases").await?;
            self.sides.target.point_alias(&to.database, alias, &to.collection).await?;
        }
        Ok(())
    }

    /// Searches for the text of a few rows by each field that BM25 fills: its values can be neither read nor compared.
    pub(super) async fn prove_functions(&self) -> Result<(), JobError> {
        if self.mapping.searched.is_empty() || !self.mapping.columns.write.iter().any(|field| !field.primary_key) {
            return Ok(());
        }
        let target = self.target_scan().await?;
        let key = Field { primary_key: true, ..self.mapping.columns.key.clone() };
        for (output, input) in &self.mapping.searched {
            let Some(field) = self.mapping.schema.field(input) else { continue };
            let fields = beside_key(&self.mapping.columns, std::slice::from_ref(field));
            let rows = self.sides.target.read_next(&target, &KeyRange::ALL, &fields, SEARCHED_ROWS).await?;
            let texts = rows.column(input).and_then(|column| column.as_string_opt::<i32>().cloned());
            let Some(texts) = texts else { continue };
            // A text without a word has no vector, so it takes one that has some and is not found to tell.
            let worded = |row: &usize| texts.is_valid(*row) && texts.value(*row).chars().any(char::is_alphanumeric);
            let (mut searched, mut hits) = (0, 0);
            for row in (0..rows.rows()).filter(worded).take(SEARCHES) {
                searched += 1;
                let scan = Scan { key: key.clone(), ..target.clone() };
                if self.sides.target.finds_text(&scan, output, &rows.key(row), texts.value(row)).await? {
                    hits += 1;
                }
            }
            if searched > 0 && hits == 0 {
                return Err(JobError::NotSearchable { field: output.clone(), rows: searched });
            }
        }
        Ok(())
    }

    /// Before a target that exists is compared, it must be readable.
    pub(super) async fn prepare_target(&self) -> Result<(), JobError> {
        if self.converging() {
            self.make_readable().await?;
        }
        Ok(())
    }

    /// Makes the indexes of a small collection before it has rows. Milvus 2.3.5 builds an index that was there before its rows
    /// as soon as they are flushed, and one that comes after them, together with many others, up to a minute later. Of a
    /// large collection each part would be indexed that is merged with others soon, and while rows are still being copied.
    pub(super) async fn make_early_indexes(&self, there: Option<LiveCollection>) -> Result<(), JobError> {
        let (rows, counted) = self.state(|job| (job.rows_expected().unwrap_or_default(), job.header.row_bytes));
        let row_bytes = if counted > 0 { counted } else { self.source.schema.typical_row_bytes() as u64 };
        let Some(live) = there.filter(|_| !self.converging() && rows.saturating_mul(row_bytes) <= SMALL) else {
            return Ok(());
        };
        let is_loaded = live.load_state == LoadState::Loaded;
        let wanted = self.indexes_wanted(!is_loaded && !self.may_be_counted_by_the_server());
        self.create_indexes(&wanted, &live.indexes).await?;
        self.indexed_early.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The indexes that the plan wants and, where the target is yet to be loaded, those that only loading needs.
    fn indexes_wanted(&self, to_load: bool) -> Vec<Index> {
        let mut wanted = self.mapping.indexes.clone();
        if self.entry.seen.target_load_needs_index && to_load {
            wanted.extend(self.indexes_for_reading());
        }
        wanted
    }

    /// Makes the indexes that are missing, waits for them and loads the target. Returns whether it was loaded before, and as of when
    /// it may be read without waiting, where that is fresh enough.
    async fn make_readable(&self) -> Result<(bool, Option<Moment>), JobError> {
        let to = &self.entry.seen.to;
        let target = &self.sides.target;
        self.phase("indexing").await?;
        let live = target.describe(&to.database, &to.collection).await?;
        let was_loaded = live.as_ref().is_some_and(|live| live.load_state == LoadState::Loaded);
        let there = live.map(|live| live.indexes).unwrap_or_default();
        self.make_indexes(&self.indexes_wanted(!was_loaded), &there).await?;
        let mut early = None;
        if !was_loaded {
            self.phase("loading the target").await?;
            if self.shows_in_a_count() {
                early = target.moment_before_load().await?;
            }
            self.unless_stopped(target.load(&to.database, &to.collection)).await?;
        }
        Ok((was_loaded, early))
    }

    /// Makes those of the wanted indexes whose fields have none, and waits until all are built.
    pub(super) async fn make_indexes(&self, wanted: &[Index], there: &[Index]) -> Result<(), JobError> {
        self.create_indexes(wanted, there).await?;
        self.wait_for_indexes().await
    }

    async fn create_indexes(&self, wanted: &[Index], there: &[Index]) -> Result<(), JobError> {
        let (to, target) = (&self.entry.seen.to, &self.sides.target);
        for index in wanted.iter().filter(|index| !there.iter().any(|have| have.field == index.field)) {
            target.create_index(&to.database, &to.collection, index).await?;
        }
        Ok(())
    }

    /// Waits until all indexes of the target are built, and tells how far they are.
    async fn wait_for_indexes(&self) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        let progress = |built, all| self.tell(&Event::Indexing(built, all));
        let waiting = self.sides.target.wait_for_indexes(&to.database, &to.collection, &progress);
        self.unless_stopped(waiting).await
    }

    /// Indexes that only the verification needs, for vector fields that get none by the plan.
    fn indexes_for_reading(&self) -> Vec<Index> {
        let bare = |name: &String| !self.mapping.indexes.iter().any(|index| index.field == *name);
        self.mapping
            .schema
            .fields
            .iter()
            .filter(|field| field.data_type.is_vector() && bare(&field.name))
            .map(|field| {
                let (kind, metric) = match field.data_type {
                    DataType::BinaryVector => ("BIN_FLAT", "HAMMING"),
                    DataType::SparseFloatVector if field.function_output => ("SPARSE_INVERTED_INDEX", "BM25"),
                    DataType::SparseFloatVector => ("SPARSE_INVERTED_INDEX", "IP"),
                    _ => ("FLAT", "L2"),
                };
                let params = [("index_type", kind), ("metric_type", metric)];
                let params = BTreeMap::from(params.map(|(key, value)| (key.to_owned(), value.to_owned())));
                Index { field: field.name.clone(), name: field.name.clone(), params }
            })
            .collect()
    }

    /// Leaves the target as the plan wants it: loaded or not, and without the indexes that only the verification needed.
    async fn leave(&self, was_loaded: bool) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        let target = &self.sides.target;
        // A collection that somebody else had loaded stays so; one that this run made was loaded by it alone, if not by this
        // attempt then by an earlier one.
        let stays = self.entry.seen.settings.load || (self.converging() && was_loaded);
        if stays {
            return Ok(());
        }
        self.phase("releasing").await?;
        target.release(&to.database, &to.collection, &[]).await?;
        if !self.converging() && self.entry.seen.target_load_needs_index {
            let temporary = self.indexes_for_reading();
            let there =
                target.describe(&to.database, &to.collection).await?.map(|live| live.indexes).unwrap_or_default();
            for index in there.iter().filter(|index| temporary.iter().any(|extra| extra.field == index.field)) {
                target.drop_index(&to.database, &to.collection, index).await?;
            }
        }
        Ok(())
    }

    /// Partitions, indexes and load state of a target whose rows are as they should be.
    pub(super) async fn touch(&self) -> Result<Success, JobError> {
        let to = &self.entry.seen.to;
        // All else the migration service made, and nobody asked for more.
        let shapes = !self.entry.is_managed();
        if shapes {
            self.make_partitions(None).await?;
            let live = self.sides.target.describe(&to.database, &to.collection).await?;
            self.make_indexes(&self.mapping.indexes, &live.map(|live| live.indexes).unwrap_or_default()).await?;
        }
        if self.entry.seen.settings.load {
            self.unless_stopped(self.sides.target.load(&to.database, &to.collection)).await?;
        }
        if !self.mapping.late_properties.is_empty() {
            let target = &self.sides.target;
            target.set_properties(&to.database, &to.collection, &self.mapping.late_properties).await?;
        }
        let properties: Vec<(String, String)> = self.mapping.schema.properties.clone().into_iter().collect();
        if shapes && self.entry.properties_differ() {
            self.sides.target.set_properties(&to.database, &to.collection, &properties).await?;
        }
        self.point_aliases().await?;
        Ok(Success { rows: self.state(|job| job.verified_rows), ..Success::default() })
    }

    /// The target as a whole, as of now.
    pub(super) async fn target_scan(&self) -> Result<Scan, JobError> {
        Ok(self.target_scan_as_of(self.target_moment().await?))
    }

    /// The target as a whole, as of that moment at least.
    pub(super) fn target_scan_as_of(&self, moment: Moment) -> Scan {
        let to = &self.entry.seen.to;
        Scan {
            database: to.database.clone(),
            collection: to.collection.clone(),
            partitions: Vec::new(),
            filter: None,
            within: None,
            key: self.mapping.columns.key.clone(),
            moment,
            page: Arc::clone(&self.target_page),
        }
    }

    /// A moment that sees all that was written to the target.
    pub(super) async fn target_moment(&self) -> Result<Moment, JobError> {
        let to = &self.entry.seen.to;
        Ok(self.sides.target.moment(&to.database, &to.collection).await?)
    }

    /// Partitions to release on the source, where the job or an earlier attempt at it loaded it; none of them stands for the
    /// whole collection.
    pub fn source_to_release(&self) -> Option<Vec<String>> {
        self.state(|job| job.release_source.clone())
    }

    /// Marks a split as one that will be written again.
    pub(super) async fn reopen(&self, split: usize) -> Result<(), JobError> {
        self.record(&Record::Reopened { split }).await
    }
}
