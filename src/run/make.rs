//! Makes the target, and knows it again: whether a server made what it was asked for, and whether what bears the name is still
//! what the run made.

use super::JobError;
use super::job::Job;
use super::retries::Retry;
use crate::cluster::{ClusterError, Identity, NewCollection};
use crate::collection::{CollectionSchema, DEFAULT_PARTITION, LiveCollection, LoadState};
use crate::diff::{MARK_PLAN, MARK_RUN};
use crate::state::Record;

impl Job<'_> {
    /// Makes the collection, unless an earlier attempt did. Told to the journal before and after: between the two, the mark
    /// on the collection says whose it is. Returns it as it was described where it was made just now.
    pub(super) async fn make(&self) -> Result<Option<LiveCollection>, JobError> {
        let to = &self.entry.seen.to;
        let (made, creating) = self.state(|job| (job.target_id.is_some(), job.creating));
        if made {
            return Ok(None);
        }
        self.phase("creating").await?;
        if creating
            && let Some(there) = self.sides.target.identity(&to.database, &to.collection).await?
            && there.mark.get(MARK_RUN) == Some(&self.run)
        {
            self.mention(&Record::Created { id: there.id })?;
            return Ok(Some(untouched(&to.collection, there)));
        }
        self.sides.target.create_database(&to.database).await?;
        self.record(&Record::Creating).await?;
        let mark = [(MARK_RUN, self.run.clone()), (MARK_PLAN, self.entry.seen.plan_hash.clone())];
        let new = NewCollection {
            name: to.collection.clone(),
            schema: self.mapping.schema.clone(),
            mark: mark.map(|(key, value)| (key.to_owned(), value)).to_vec(),
        };
        let mut patience = self.sides.target.patience();
        let there = loop {
            let created = self.sides.target.create_collection(&to.database, &new).await;
            // The answer may be lost and the collection made all the same, so what counts is what is there.
            match (self.sides.target.identity(&to.database, &to.collection).await?, created) {
                (Some(there), _) if there.mark.get(MARK_RUN) == Some(&self.run) => break there,
                (_, Err(error)) => {
                    let (pause, error) = patience.after(error)?;
                    self.retried(&Retry::after(&error))?;
                    tokio::time::sleep(pause).await;
                }
                (Some(_), Ok(())) => {
                    return Err(JobError::Fenced(format!(
                        "somebody else made `{to}` at the same time, or the server keeps no properties"
                    )));
                }
                (None, Ok(())) => {
                    return Err(JobError::MadeOtherwise("it does not exist after it was made".to_owned()));
                }
            }
        };
        if let Some(difference) = made_otherwise(&self.mapping.schema, &there.schema) {
            // Nothing was written yet, and what was made is not what was asked for: leave nothing behind.
            self.sides.target.drop_collection(&to.database, &to.collection).await?;
            return Err(JobError::MadeOtherwise(difference));
        }
        self.mention(&Record::Created { id: there.id })?;
        Ok(Some(untouched(&to.collection, there)))
    }

    /// Makes the partitions that are missing. `made` is the target where it was made just now. Returns the target as it was before,
    /// where it is there.
    pub(super) async fn make_partitions(
        &self,
        made: Option<LiveCollection>,
    ) -> Result<Option<LiveCollection>, JobError> {
        let to = &self.entry.seen.to;
        let live = match made {
            Some(live) => Some(live),
            None => self.sides.target.describe(&to.database, &to.collection).await?,
        };
        let there = live.as_ref().map(|live| live.partitions.as_slice()).unwrap_or_default();
        for name in self.mapping.partitions.iter().filter(|name| !there.contains(name)) {
            self.sides.target.create_partition(&to.database, &to.collection, name).await?;
        }
        Ok(live)
    }

    /// Refuses to go on with a target that is not the one that the run made or, where it goes into one that was there, not the
    /// one that this attempt began with. Asked before each request that writes: servers know collections by name, so rows
    /// would land in whatever bears the name now.
    pub(super) async fn fence(&self) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        let Some(there) = self.sides.target.identity(&to.database, &to.collection).await? else {
            return Err(JobError::Fenced(format!("`{to}` was dropped by somebody else while the run wrote to it")));
        };
        let same = if self.converging() {
            *self.found.get_or_init(|| there.id) == there.id
        } else {
            let id = self.state(|job| job.target_id.unwrap_or_default());
            there.mark.get(MARK_RUN) == Some(&self.run) && (id == 0 || there.id == id)
        };
        if same {
            // Last, because it is the one that time takes away.
            return self.check_lock();
        }
        Err(JobError::Fenced(format!("`{to}` was made anew by somebody else while the run wrote to it")))
    }

    /// Why an error came from a cluster. Who reads a target that is dropped or made anew at that moment is answered in many ways,
    /// none of which says so. A server that does not answer is not asked once more.
    pub(super) async fn reason_of(&self, error: ClusterError) -> JobError {
        let has_target = match self.converging() {
            true => self.found.get().is_some(),
            false => self.state(|job| job.target_id.is_some()),
        };
        if has_target
            && !error.is_transient()
            && let Err(fenced @ JobError::Fenced(_)) = self.fence().await
        {
            return fenced;
        }
        JobError::Cluster(error)
    }
}

/// A collection that was made by this run and that nothing was done with since: all that is to be known of it is in the answer
/// that says that it is the run's, so a server need not be asked for its indexes, partitions, aliases and load state as well.
fn untouched(name: &str, made: Identity) -> LiveCollection {
    let Identity { id, mark, schema } = made;
    LiveCollection {
        id,
        name: name.to_owned(),
        schema,
        partitions: vec![DEFAULT_PARTITION.to_owned()],
        indexes: Vec::new(),
        load_state: LoadState::NotLoaded,
        unloaded_partitions: Vec::new(),
        aliases: Vec::new(),
        mark,
    }
}

/// What a server made otherwise than asked, if anything: servers accept schemas that they cannot hold, and say so only in
/// what they leave out of the description.
fn made_otherwise(asked: &CollectionSchema, made: &CollectionSchema) -> Option<String> {
    for field in &asked.fields {
        let Some(found) = made.field(&field.name) else {
            return Some(format!("field `{}` is missing", field.name));
        };
        let same = found.data_type == field.data_type
            && found.element_type == field.element_type
            && found.dim() == field.dim()
            && (found.max_length() == field.max_length() || field.element_type.is_some())
            && found.nullable == field.nullable
            && found.primary_key == field.primary_key
            && found.auto_id == field.auto_id
            && found.partition_key == field.partition_key
            && found.default == field.default;
        if !same {
            return Some(format!(
                "field `{}` is {} and was asked to be {}",
                field.name,
                found.type_text(),
                field.type_text()
            ));
        }
    }
    if made.dynamic_field != asked.dynamic_field {
        return Some("the dynamic field differs".to_owned());
    }
    if made.shards != 0 && made.shards != asked.shards.max(1) {
        return Some(format!("it has {} shards and was asked for {}", made.shards, asked.shards));
    }
    (made.functions.len() != asked.functions.len()).then(|| "functions are missing".to_owned())
}
