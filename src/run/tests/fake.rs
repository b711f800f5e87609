//! One side of the world as a cluster: each call may be in trouble.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::script::Trouble;
use super::world::{Collection, World, Write, batch_of, rows_of, told};
use crate::cluster::{
    ClusterError, Destination, ErrorKind, Identity, Moment, NewCollection, Patience, ReadSide, Result, Sampling, Scan,
    Watch, WriteSide,
};
use crate::collection::{
    Capabilities, DEFAULT_PARTITION, Field, Index, Key, KeyRange, LiveCollection, LoadState, RowBatch,
};

/// Most rows of a page, so that small collections have several.
const PAGE: usize = 5;

/// What the clusters of one attempt share with whoever drives it.
#[derive(Clone)]
pub struct Stage {
    pub world: Arc<Mutex<World>>,
    /// Told when the process is to die: the call that tells it never returns.
    pub death: Arc<Notify>,
    pub stop: CancellationToken,
    /// Nothing happens to calls, and none is counted.
    pub calm: bool,
}

impl Stage {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster.
#[derive(Clone)]
pub struct FakeCluster {
    stage: Stage,
    target: bool,
    capabilities: Capabilities,
}

impl FakeCluster {
    pub fn new(stage: Stage, target: bool) -> Self {
        // As Milvus 2.3.5 where it matters here.
        let capabilities = Capabilities { insert_auto_id: false, load_needs_index: true, ..Capabilities::able() };
        Self { stage, target, capabilities }
    }

    /// A call that does something or asks something, whole or not at all.
    async fn call<T: Send>(&self, what: &str, effect: impl FnOnce(&mut World) -> Result<T> + Send) -> Result<T> {
        if self.stage.calm {
            return effect(&mut self.stage.world());
        }
        let trouble = self.meets(what).await;
        let (lost, dies) = match trouble {
            None => (false, false),
            Some(Trouble::Fails(kind)) => return Err(self.stage.world().error(kind, what)),
            Some(Trouble::Late(_) | Trouble::Partial(_)) => {
                return Err(self.stage.world().error(ErrorKind::Transient, what));
            }
            Some(Trouble::DiesBefore) => return self.die().await,
            Some(Trouble::DiesAfter) => (false, true),
            Some(Trouble::AnswerLost) => (true, false),
            Some(other) => {
                self.happens(other);
                (false, false)
            }
        };
        let done = effect(&mut self.stage.world());
        if dies {
            return self.die().await;
        }
        if lost {
            return Err(self.stage.world().error(ErrorKind::Transient, what));
        }
        done
    }

    /// A write of rows, which may also reach some of them, or all of them later.
    async fn write(&self, to: &Destination, write: Write) -> Result<()> {
        let what = told(&write);
        let trouble = self.meets(&what).await;
        if let Some(
            other @ (Trouble::Stop
            | Trouble::Stranger
            | Trouble::TargetGrows
            | Trouble::SourceGrows(_)
            | Trouble::SourceShrinks(_)),
        ) = trouble
        {
            self.happens(other);
        }
        {
            let mut world = self.stage.world();
            let (id, key) = {
                let there = world.collection(true, &to.collection)?;
                (there.id, there.schema.primary_key().unwrap().clone())
            };
            if matches!(write, Write::Upsert(_)) && key.auto_id {
                world.breaches.push("an upsert into a collection whose keys the server makes".into());
            }
            // Both are refused before any row is looked at.
            let refused = matches!(trouble, Some(Trouble::Fails(ErrorKind::TooLarge | ErrorKind::RateLimited)));
            world.judge(id, &write, &key, refused);
            (world.source_looked, world.target_looked) = (None, None);
            match trouble {
                Some(Trouble::Fails(kind)) => return Err(world.error(kind, &what)),
                Some(Trouble::AnswerLost) => {
                    world.land(id, write, None);
                    return Err(world.error(ErrorKind::Transient, &what));
                }
                Some(Trouble::Partial(rows)) => {
                    world.land(id, write, Some(rows));
                    return Err(world.error(ErrorKind::Transient, &what));
                }
                Some(Trouble::Late(calls)) => {
                    world.later(calls, id, write);
                    return Err(world.error(ErrorKind::Transient, &what));
                }
                Some(Trouble::DiesBefore) => {}
                _ => world.land(id, write, None),
            }
        }
        match trouble {
            Some(Trouble::DiesBefore | Trouble::DiesAfter) => self.die().await,
            _ => Ok(()),
        }
    }

    /// Waits a little, so that splits in flight overtake each other, and asks what happens to this call.
    async fn meets(&self, what: &str) -> Option<Trouble> {
        let turns = self.stage.world().random(4);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let mut world = self.stage.world();
        let trouble = world.begin();
        let side = if self.target { "target" } else { "source" };
        let came = trouble.map(|trouble| format!(" → {trouble:?}")).unwrap_or_default();
        let line = format!("{:4} {side}: {what}{came}", world.calls);
        world.trace.push(line);
        assert!(trouble != Some(Trouble::Panics), "a bug");
        trouble
    }

    /// What others do in the middle of a run.
    fn happens(&self, trouble: Trouble) {
        let mut world = self.stage.world();
        match trouble {
            Trouble::Stop => self.stage.stop.cancel(),
            Trouble::Stranger => world.replace_target(),
            Trouble::TargetGrows => super::case::intrude(&mut world),
            Trouble::SourceGrows(row) => super::case::grow(&mut world, row),
            Trouble::SourceShrinks(row) => super::case::shrink(&mut world, row),
            Trouble::SourceChanges(row) => super::case::change(&mut world, row),
            _ => {}
        }
    }

    async fn die<T>(&self) -> Result<T> {
        self.stage.death.notify_one();
        std::future::pending().await
    }

    fn error(&self, kind: ErrorKind, what: &str) -> ClusterError {
        self.stage.world().error(kind, what)
    }

    /// A look at rows, which need to be loaded. It shows all that was there at the scan's moment, and as much of what came since as
    /// it likes.
    fn rows<T>(world: &mut World, target: bool, scan: &Scan, look: impl FnOnce(&Collection) -> T) -> Result<T> {
        if !world.collection(target, &scan.collection)?.loaded {
            return Err(world.error(ErrorKind::Refused, "read a collection that is not loaded"));
        }
        let asked = match scan.moment.timestamp {
            0 => world.calls,
            timestamp => timestamp as u32,
        };
        let shown = match world.random(2) {
            0 => asked,
            _ => world.calls - world.random(u64::from(world.calls - asked) + 1) as u32,
        };
        change(world, target, &scan.collection, |there| there.show(shown))?;
        let found = look(world.collection(target, &scan.collection)?);
        if target {
            world.target_read = world.calls;
        }
        Ok(found)
    }
}

#[async_trait]
impl ReadSide for FakeCluster {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn watched(&self, _: Arc<dyn Watch>) -> Arc<dyn ReadSide> {
        Arc::new(self.clone())
    }

    async fn databases(&self) -> Result<Option<Vec<String>>> {
        Ok(Some(vec!["default".into()]))
    }

    async fn collections(&self, _: &str) -> Result<Vec<String>> {
        self.call("list", |_| Ok(Vec::new())).await
    }

    async fn describe(&self, _: &str, collection: &str) -> Result<Option<LiveCollection>> {
        self.call("describe", |world| {
            let name =
                world.aliases.get(collection).filter(|_| self.target).cloned().unwrap_or_else(|| collection.to_owned());
            let Ok(there) = world.collection(self.target, &name) else {
                world.saw_stranger |= self.target && !world.strangers.is_empty();
                return Ok(None);
            };
            let live = LiveCollection {
                id: there.id,
                name: name.clone(),
                schema: there.schema.clone(),
                partitions: there.partitions.clone(),
                indexes: there.indexes.clone(),
                load_state: if there.loaded { LoadState::Loaded } else { LoadState::NotLoaded },
                unloaded_partitions: Vec::new(),
                aliases: Vec::new(),
                mark: there.mark.clone(),
            };
            world.saw_stranger |= self.target && world.strangers.contains(&live.id);
            Ok(Some(live))
        })
        .await
    }

    async fn moment(&self, _: &str, _: &str) -> Result<Moment> {
        self.call("moment", |world| {
            let now = world.calls;
            let looked = if self.target { &mut world.target_looked } else { &mut world.source_looked };
            looked.get_or_insert(now);
            Ok(moment_of(now))
        })
        .await
    }

    async fn moment_before_load(&self) -> Result<Option<Moment>> {
        self.call("moment before load", |world| Ok(Some(moment_of(world.calls)))).await
    }

    async fn count(&self, scan: &Scan, range: &KeyRange) -> Result<u64> {
        self.call(&format!("count {range}"), |world| {
            Self::rows(world, self.target, scan, |there| there.seen(scan, range).len() as u64)
        })
        .await
    }

    async fn count_keys(&self, scan: &Scan, keys: &[Key]) -> Result<u64> {
        let keys: HashSet<&Key> = keys.iter().collect();
        self.call(&format!("count {} keys", keys.len()), |world| {
            Self::rows(world, self.target, scan, |there| {
                let seen = there.seen(scan, &KeyRange::ALL);
                seen.iter().filter(|row| keys.contains(&row.key(&scan.key.name))).count() as u64
            })
        })
        .await
    }

    async fn statistics(&self, _: &str, collection: &str) -> Result<u64> {
        self.call("statistics", |world| Ok(world.collection(self.target, collection)?.rows.len() as u64)).await
    }

    async fn read_range(&self, scan: &Scan, range: &KeyRange, fields: &[Field]) -> Result<RowBatch> {
        self.call(&format!("read {range}"), |world| {
            Self::rows(world, self.target, scan, |there| {
                let mut rows = there.seen(scan, range);
                let physical = rows.len();
                rows.dedup_by_key(|row| row.key(&scan.key.name));
                if rows.len() < physical {
                    rows.pop();
                }
                batch_of(&rows, fields)
            })
        })
        .await
    }

    async fn read_next(&self, scan: &Scan, range: &KeyRange, fields: &[Field], limit: usize) -> Result<RowBatch> {
        self.call(&format!("read next of {range}"), |world| {
            let most = limit.min(PAGE).min(1 + world.random(PAGE as u64) as usize);
            Self::rows(world, self.target, scan, |there| {
                let mut rows = there.seen(scan, range);
                rows.dedup_by_key(|row| row.key(&scan.key.name));
                rows.truncate(most);
                batch_of(&rows, fields)
            })
        })
        .await
    }

    async fn sample_keys(&self, _: &Scan, _: Sampling, _: u64, _: u64) -> Result<Option<Vec<Key>>> {
        Ok(None)
    }

    async fn load(&self, _: &str, collection: &str) -> Result<()> {
        self.call("load", |world| {
            let vectors = |there: &Collection| {
                there
                    .schema
                    .fields
                    .iter()
                    .filter(|field| field.data_type.is_vector())
                    .all(|field| there.indexes.iter().any(|index| index.field == field.name))
            };
            if !vectors(world.collection(self.target, collection)?) {
                return Err(world.error(ErrorKind::Refused, "load a collection without an index"));
            }
            change(world, self.target, collection, |there| there.loaded = true)
        })
        .await
    }

    async fn release(&self, _: &str, collection: &str, _: &[String]) -> Result<()> {
        self.call("release", |world| change(world, self.target, collection, |there| there.loaded = false)).await
    }
}

fn moment_of(call: u32) -> Moment {
    Moment { timestamp: u64::from(call), snapshot: false }
}

fn change(world: &mut World, target: bool, name: &str, change: impl FnOnce(&mut Collection)) -> Result<()> {
    world.collection(target, name)?;
    let side = if target { &mut world.target } else { &mut world.source };
    side.get_mut(name).map(change);
    Ok(())
}

#[async_trait]
impl WriteSide for FakeCluster {
    fn watched_writing(&self, _: Arc<dyn Watch>) -> Arc<dyn WriteSide> {
        Arc::new(self.clone())
    }

    fn patience(&self) -> Patience {
        Patience::new(Duration::from_secs(120))
    }

    async fn identity(&self, _: &str, collection: &str) -> Result<Option<Identity>> {
        self.call("identify", |world| {
            let Ok(there) = world.collection(true, collection) else {
                world.saw_stranger |= !world.strangers.is_empty();
                return Ok(None);
            };
            let identity = Identity { id: there.id, mark: there.mark.clone(), schema: there.schema.clone() };
            world.saw_stranger |= world.strangers.contains(&identity.id);
            Ok(Some(identity))
        })
        .await
    }

    async fn create_database(&self, _: &str) -> Result<()> {
        self.call("create the database", |_| Ok(())).await
    }

    async fn create_collection(&self, _: &str, new: &NewCollection) -> Result<()> {
        self.call("create", |world| {
            let mark: BTreeMap<String, String> = new.mark.iter().cloned().collect();
            if let Ok(there) = world.collection(true, &new.name) {
                let same = there.schema == new.schema && there.mark == mark;
                return if same { Ok(()) } else { Err(world.error(ErrorKind::Refused, "create what exists")) };
            }
            let id = world.new_id();
            let made = Collection { mark, ..Collection::new(id, new.schema.clone()) };
            world.target.insert(new.name.clone(), made);
            Ok(())
        })
        .await
    }

    async fn drop_collection(&self, _: &str, collection: &str) -> Result<()> {
        self.call("drop", |world| {
            world.target.remove(collection);
            Ok(())
        })
        .await
    }

    async fn create_partition(&self, _: &str, collection: &str, partition: &str) -> Result<()> {
        self.call(&format!("create partition {partition}"), |world| {
            change(world, true, collection, |there| {
                if !there.partitions.iter().any(|name| name == partition) {
                    there.partitions.push(partition.to_owned());
                }
            })
        })
        .await
    }

    async fn insert(&self, to: &Destination, rows: &RowBatch) -> Result<()> {
        let partition = to.partition.as_deref().unwrap_or(DEFAULT_PARTITION);
        self.write(to, Write::Insert(rows_of(rows, &to.fields, partition))).await
    }

    async fn upsert(&self, to: &Destination, rows: &RowBatch) -> Result<()> {
        let partition = to.partition.as_deref().unwrap_or(DEFAULT_PARTITION);
        self.write(to, Write::Upsert(rows_of(rows, &to.fields, partition))).await
    }

    async fn delete(&self, to: &Destination, key: &Field, keys: &[Key]) -> Result<()> {
        let is_key =
            self.stage.world().collection(true, &to.collection)?.schema.primary_key().map(|key| key.name.clone());
        if is_key.as_ref() != Some(&key.name) {
            return Err(self.error(ErrorKind::Refused, "delete by another field than the key"));
        }
        self.write(to, Write::Delete(keys.to_vec(), to.partition.clone())).await
    }

    async fn flush(&self, _: &str, _: &str) -> Result<()> {
        self.call("flush", |_| Ok(())).await
    }

    async fn create_index(&self, _: &str, collection: &str, index: &Index) -> Result<()> {
        self.call("create an index", |world| {
            change(world, true, collection, |there| {
                if !there.indexes.contains(index) {
                    there.indexes.push(index.clone());
                }
            })
        })
        .await
    }

    async fn wait_for_indexes(&self, _: &str, _: &str, _: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
        self.call("wait for indexes", |_| Ok(())).await
    }

    async fn drop_index(&self, _: &str, collection: &str, index: &Index) -> Result<()> {
        self.call("drop an index", |world| {
            change(world, true, collection, |there| there.indexes.retain(|have| have.field != index.field))
        })
        .await
    }

    async fn set_properties(&self, _: &str, collection: &str, properties: &[(String, String)]) -> Result<()> {
        self.call(&format!("set {properties:?}"), |world| {
            change(world, true, collection, |there| there.mark.extend(properties.iter().cloned()))
        })
        .await
    }

    async fn point_alias(&self, _: &str, alias: &str, collection: &str) -> Result<()> {
        self.call(&format!("point {alias}"), |world| {
            world.collection(true, collection)?;
            world.aliases.insert(alias.to_owned(), collection.to_owned());
            Ok(())
        })
        .await
    }

    async fn finds_text(&self, _: &Scan, _: &str, _: &Key, _: &str) -> Result<bool> {
        Ok(true)
    }
}
