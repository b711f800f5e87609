//! Looks at both sides of every collection that the plans name, and decides about each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, OnceLock};

use futures::StreamExt;

use super::cloud::{Clouds, Waiting};
use super::preflight;
use super::select::as_planned;
use super::unmade::Unmade;
use super::wanted::{Wanted, expand, plan_hash, refuse_idle, refuse_shared_targets};
use super::{Depth, Detail, FlowError, Selecting, Stage, View};
use crate::cluster::{self, ClusterError, ErrorKind, Moment, ReadSide, Scan, WriteSide};
use crate::collection::{DEFAULT_PARTITION, Field, LiveCollection, LoadState};
use crate::diff::{self, ChangeSet, MARK_ROWS, Place, Prior, RowDiff, Rows, Seen, StateTrouble, decide};
use crate::mapping::{self, Mapping};
use crate::plan::resolved::{Endpoint, Migration, OnExisting, Verify};
use crate::plan::tiers::{self, Class};
use crate::plan::{Loaded, ResolvedPlan};
use crate::run::{
    Census, JobError, Keys, Memory, Observer, Pace, Rooms, Side, Sides, Silent, census, compare_all, doubles, groups,
    lost_keys, scan, survey,
};
use crate::state::{JobId, StateError, Store};

/// Collections that are looked at at once. Most of what is asked is answered from a server's memory, so that with hundreds of
/// collections the time is that of the way there and back. A server that has too much to do says so, and is then asked less.
const AT_ONCE: usize = 32;
/// Most rows whose dynamic field is gone through without being asked, to name the keys that are left behind.
const DYNAMIC_ROWS: u64 = 1_000_000;

/// Looks at everything that is selected, and decides. With `waiting`, clusters of Zilliz Cloud that cannot be talked to yet are
/// waited for, and resumed where the plan allows it.
pub async fn look(
    mut loaded: Loaded,
    depth: Depth,
    selecting: &Selecting,
    waiting: Option<&Waiting<'_>>,
) -> Result<View, FlowError> {
    let store = Store::open(&loaded.settings.state)?;
    let concurrency =
        loaded.plans.iter().flat_map(|plan| &plan.migrations).map(|migration| migration.limits.concurrency);
    let memory = Arc::new(Memory::new(loaded.settings.memory, concurrency.max().unwrap_or(1)));
    let mut clouds = Clouds::locate(&mut loaded.plans, &store, selecting, waiting).await?;
    let mut warnings = loaded.warnings;
    let mut clusters = Clusters::default();
    let (mut stages, mut wanted, mut not_selected) = (Vec::new(), Vec::new(), Vec::new());
    let mut plans: Vec<ResolvedPlan> = Vec::new();
    for plan in &loaded.plans {
        plans.push(ResolvedPlan { migrations: Vec::new(), ..plan.clone() });
        for migration in &plan.migrations {
            if !selecting.may_take(migration) {
                not_selected.extend(as_planned(migration));
                continue;
            }
            let sides = Sides {
                source: clusters.open(&migration.source).await?,
                target: clusters.open(&migration.target).await?,
            };
            let found = expand(migration, &*sides.source, stages.len(), &clouds, &mut warnings).await?;
            let taken = found.iter().map(|(want, _)| want).filter(|want| selecting.takes(&want.address));
            preflight::check(migration, &sides, taken.map(|want| (&want.from, &want.to)), depth).await?;
            if let Some(plan) = plans.last_mut() {
                let taken = found.iter().filter(|(want, _)| selecting.takes(&want.address));
                let selections = taken.map(|(want, span)| want.selection(span)).collect();
                plan.migrations.push(Migration { selections, ..migration.clone() });
            }
            wanted.extend(found);
            let moment = moment(&*sides.source, depth).await;
            stages.push(Stage {
                plan: (plan.name.clone(), plan.file.display().to_string()),
                sides,
                pace: Pace::new(&tiers::paced(&migration.limits, Class::of(&migration.target)), &memory),
                managed: clouds.pair(migration),
                moment,
            });
        }
    }
    refuse_shared_targets(&wanted)?;
    let addresses = wanted.iter().map(|(want, _)| want.address.clone()).chain(not_selected.clone()).collect();
    refuse_idle(selecting, addresses)?;
    not_selected
        .extend(wanted.iter().map(|(want, _)| want.address.clone()).filter(|address| !selecting.takes(address)));
    wanted.retain(|(want, _)| selecting.takes(&want.address));
    for plan in &mut plans {
        plan.migrations.retain(|migration| !migration.selections.is_empty());
    }
    let mut databases: HashMap<(usize, Place), TargetDatabase> = HashMap::new();
    for (want, _) in &wanted {
        let key = (want.stage, Place { collection: String::new(), ..want.to.clone() });
        if let Entry::Vacant(slot) = databases.entry(key) {
            slot.insert(TargetDatabase::of(&*stages[want.stage].sides.target, &want.to.database).await?);
        }
    }
    let mut entries: Vec<(usize, diff::Entry, Detail)> = futures::stream::iter(wanted.into_iter().enumerate())
        .map(|(number, (want, _))| {
            let (stage, store) = (&stages[want.stage], &store);
            let key = (want.stage, Place { collection: String::new(), ..want.to.clone() });
            let database = databases.get(&key).copied().unwrap_or(TargetDatabase::Used);
            async move {
                let detail = want.stage;
                let (entry, census) = one(want, stage, store, database, depth).await?;
                Ok::<_, FlowError>((number, entry, Detail { stage: detail, census }))
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    entries.sort_by_key(|(number, ..)| *number);
    let (mut changes, mut details) = (ChangeSet { entries: Vec::new(), clusters: clouds.entries() }, Vec::new());
    for (_, entry, detail) in entries {
        changes.entries.push(entry);
        details.push(detail);
    }
    changes.hold_back_readers();
    let endpoints = loaded.plans.iter().flat_map(|plan| &plan.migrations).map(|migration| &migration.target);
    let addresses = endpoints.filter_map(|target| Some((target.cloud.as_ref()?.placeholder(), target)));
    changes.hold_against_limits(
        &addresses.map(|(name, target)| (name, (target.uri.clone(), Class::of(target)))).collect(),
    );
    Ok(View { store, stages, changes, details, warnings, plans, saved_plan: None, not_selected, clouds })
}

/// As of when a source is looked at, where that can be said before its schemas are read. Where it cannot, the first collection that is
/// counted finds it.
async fn moment(source: &dyn ReadSide, depth: Depth) -> OnceLock<Moment> {
    let taken = if depth == Depth::Schemas { None } else { source.moment_before_load().await.ok().flatten() };
    taken.map_or_else(OnceLock::new, OnceLock::from)
}

/// Open clusters, one for each way in which plans name them.
#[derive(Default)]
struct Clusters {
    open: HashMap<String, Arc<dyn WriteSide>>,
}

impl Clusters {
    async fn open(&mut self, endpoint: &Endpoint) -> Result<Arc<dyn WriteSide>, FlowError> {
        // The debug form holds references to secrets, never secrets; literal ones show as redacted.
        let key = format!("{} {:?} {:?}", endpoint.uri, endpoint.auth, endpoint.tls);
        if let Some(open) = self.open.get(&key) {
            return Ok(Arc::clone(open));
        }
        if let Some(cloud) = endpoint.cloud.as_ref().filter(|cloud| cloud.placeholder() == endpoint.uri) {
            let unmade: Arc<dyn WriteSide> = Arc::new(Unmade::new(&cloud.placeholder()));
            self.open.insert(key, Arc::clone(&unmade));
            return Ok(unmade);
        }
        let at_its_place = |error| FlowError::Connect(Box::new(error), endpoint.span.clone());
        let opened = cluster::connect(endpoint).await.map_err(at_its_place)?;
        // The first call that asks who is there, so that wrong credentials are told where the plan names them.
        opened.databases().await.map_err(at_its_place)?;
        self.open.insert(key, Arc::clone(&opened));
        Ok(opened)
    }
}

/// What is known of a database of a target before each collection in it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TargetDatabase {
    /// It is not there.
    Absent,
    /// It holds nothing, so no name in it stands for anything, neither as that of a collection nor as an alias. Hundreds of
    /// collections that go to a new place need not be looked for one by one.
    Empty,
    /// It may hold something.
    Used,
}

impl TargetDatabase {
    async fn of(target: &dyn WriteSide, database: &str) -> Result<Self, ClusterError> {
        if target.databases().await?.is_some_and(|names| !names.iter().any(|name| name == database)) {
            return Ok(Self::Absent);
        }
        // Who may not list collections may still describe those that are named.
        let names = target.collections(database).await;
        Ok(if names.is_ok_and(|names| names.is_empty()) { Self::Empty } else { Self::Used })
    }
}

/// Everything about one collection.
async fn one(
    want: Wanted,
    stage: &Stage,
    store: &Store,
    target_database: TargetDatabase,
    depth: Depth,
) -> Result<(diff::Entry, Option<Census>), FlowError> {
    let Wanted { address, from, to, planned_to, no_cluster, settings, engine, tiers, units, .. } = want;
    let Stage { sides, pace, moment, .. } = stage;
    let rooms = &Rooms::new(pace);
    let pinned_hash = plan_hash(&from, &planned_to, &settings);
    let plan_hash = plan_hash(&from, &to, &settings);
    let id = JobId::of(&to.uri, &to.database, &to.collection);
    let (prior, state_error) = match store.job(&id) {
        Ok(job) => (job.as_ref().map(Prior::of), None),
        // What cannot be reached is no state of one collection.
        Err(error @ StateError::Remote(_)) => return Err(error.into()),
        Err(error) => {
            let conflict = !matches!(error, StateError::Io(_));
            (None, Some(StateTrouble { error: error.to_string(), help: error.help_for(&id), conflict }))
        }
    };
    let (database_exists, may_be_there) =
        (target_database != TargetDatabase::Absent, target_database == TargetDatabase::Used);
    let (source, target) = futures::join!(sides.source.describe(&from.database, &from.collection), async {
        if may_be_there { sides.target.describe(&to.database, &to.collection).await } else { Ok(None) }
    });
    let (source, mut source_error) = match source {
        Ok(source) => (source, no_cluster),
        Err(error) if ends_the_command(&error) => return Err(error.into()),
        Err(error) => (None, Some(error.to_string())),
    };
    let target = match target {
        Ok(target) => target,
        Err(error) if ends_the_command(&error) => return Err(error.into()),
        Err(error) => {
            source_error.get_or_insert(error.to_string());
            None
        }
    };
    let mut aliases = Vec::new();
    for alias in &settings.aliases {
        let behind = match may_be_there {
            true => match sides.target.describe(&to.database, alias).await {
                Ok(live) => live,
                Err(error) if ends_the_command(&error) => return Err(error.into()),
                Err(error) => {
                    source_error.get_or_insert(error.to_string());
                    None
                }
            },
            false => None,
        };
        aliases.push((alias.clone(), behind.map(|live| live.name)));
    }
    let from_can = sides.source.capabilities();
    let to_can = &tiers::within(sides.target.capabilities(), Class { tier: tiers.1, units });
    let mut seen = Seen {
        address,
        plan_hash,
        pinned_hash,
        engine,
        tiers,
        units,
        not_managed: Vec::new(),
        target_database_exists: database_exists,
        mapping: None,
        source_rows: None,
        target_rows: None,
        row_diff: None,
        doubled_values: (0, Vec::new()),
        lost_keys: None,
        survey: None,
        unscanned: false,
        aliases,
        prior,
        source_load_needs_index: from_can.load_needs_index,
        target_load_needs_index: to_can.load_needs_index,
        source_error: None,
        state_error,
        source: None,
        target,
        from,
        to,
        settings,
    };
    let mut counted = None;
    if let Some(source) = source {
        let typical = source.schema.typical_row_bytes() as u64;
        let mut compiled = mapping::compile(&source, &seen.settings, &seen.to.collection, from_can, to_can);
        match rows_of_source(&seen, &source, &compiled, &*sides.source, typical, depth, (moment, rooms)).await {
            Ok((rows, census)) => (seen.source_rows, counted) = (Some(rows), census),
            Err(JobError::Cluster(error)) if ends_the_command(&error) => return Err(error.into()),
            Err(error) => source_error = Some(error.to_string()),
        }
        seen.unscanned = depth == Depth::Everything && counted.is_none();
        let rows = seen.source_rows.as_ref().map_or(0, Rows::distinct);
        mapping::settle_shards(&mut compiled, &source, seen.settings.shards, to_can, rows);
        if let Some(census) = counted.as_ref().filter(|_| compiled.blocked.is_empty()) {
            match look_closer(&mut seen, &source, &compiled, census, &*sides.source, depth, rooms).await {
                Ok(()) => {}
                Err(JobError::Cluster(error)) if ends_the_command(&error) => return Err(error.into()),
                Err(error) => source_error = Some(error.to_string()),
            }
        }
        seen.mapping = Some(compiled);
        seen.source = Some(source);
    }
    seen.source_error = source_error;
    if depth != Depth::Schemas {
        seen.target_rows = match rows_of_target(&seen, &*sides.target, &Rooms::new(pace)).await {
            Ok(rows) => rows,
            Err(JobError::Cluster(error)) if ends_the_command(&error) => return Err(error.into()),
            Err(JobError::Cluster(error)) => {
                seen.source_error.get_or_insert(error.to_string());
                None
            }
            Err(_) => None,
        };
        if let (Some(mapping), Some(census)) = (&seen.mapping, &counted)
            && seen.settings.on_existing == OnExisting::Converge
            && mapping.blocked.is_empty()
        {
            seen.row_diff = row_diff(&seen, mapping, census, sides, rooms).await;
        }
    }
    Ok((decide(seen), counted))
}

/// Whether an error concerns the whole cluster and not one collection.
fn ends_the_command(error: &ClusterError) -> bool {
    matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Config) || error.is_transient()
}

/// Goes through the source's rows as far as somebody asked for it: all of them for `--scan`, else the dynamic field alone
/// where its keys are left behind.
async fn look_closer(
    seen: &mut Seen,
    source: &LiveCollection,
    mapping: &Mapping,
    census: &Census,
    read: &dyn ReadSide,
    depth: Depth,
    rooms: &Rooms<'_>,
) -> Result<(), JobError> {
    let scan = scan(&seen.from.database, source, seen.settings.filter.as_deref(), census.moment);
    if let Some(key) = mapping.new_key().filter(|_| depth != Depth::Schemas) {
        let found = doubles(read, &scan, &census.splits, &mapping.columns, key, rooms).await?;
        seen.doubled_values = (found.rows, found.examples);
    }
    if depth == Depth::Everything {
        let found = survey(read, &scan, &census.splits, mapping, rooms).await?;
        if mapping.columns.drops_dynamic {
            seen.lost_keys = Some(found.lost_keys.clone());
        }
        seen.survey = Some(found);
    } else if mapping.columns.drops_dynamic && census.rows.physical <= DYNAMIC_ROWS {
        seen.lost_keys = Some(lost_keys(read, &scan, &census.splits, mapping, rooms).await?);
    }
    Ok(())
}

async fn rows_of_source(
    seen: &Seen,
    source: &LiveCollection,
    mapping: &Mapping,
    read: &dyn ReadSide,
    typical: u64,
    depth: Depth,
    (shared, rooms): (&OnceLock<Moment>, &Rooms<'_>),
) -> Result<(Rows, Option<Census>), JobError> {
    let database = &seen.from.database;
    // A collection that is not loaded cannot be counted, and looking must not load it.
    if source.load_state != LoadState::Loaded || depth == Depth::Schemas {
        let physical = read.statistics(database, &source.name).await?;
        return Ok((Rows::estimated(physical, typical), None));
    }
    let moment = match shared.get() {
        Some(moment) => *moment,
        None => {
            let moment = read.moment(database, &source.name).await?;
            // All collections are looked at as of the same one, so that one of them alone waits for it. A snapshot is of one collection.
            if !moment.snapshot {
                let _ = shared.set(moment);
            }
            moment
        }
    };
    let scan = scan(database, source, seen.settings.filter.as_deref(), moment);
    // A target that was completed is held against the number of the source's keys, and the migration service against none doubled.
    let finished = seen.prior.as_ref().is_some_and(|prior| prior.finished);
    let completed = seen.target.as_ref().is_some_and(|target| finished || target.mark.contains_key(MARK_ROWS));
    let each = depth == Depth::Everything || !seen.engine.is_direct() || completed;
    let keys = if each { Keys::Each } else { Keys::Cheaply };
    let mut taken = census(read, &scan, &groups(mapping), &source.schema.columns(), keys, rooms).await?;
    if taken.rows.row_bytes == 0 {
        taken.rows.row_bytes = typical;
    }
    Ok((taken.rows.clone(), Some(taken)))
}

/// Rows of the target, and of how many keys: a doubled row and a missing one would even out in a count.
async fn rows_of_target(seen: &Seen, read: &dyn ReadSide, rooms: &Rooms<'_>) -> Result<Option<Rows>, JobError> {
    let Some(target) = &seen.target else { return Ok(None) };
    if target.load_state != LoadState::Loaded {
        let physical = read.statistics(&seen.to.database, &target.name).await?;
        return Ok(Some(Rows::estimated(physical, target.schema.typical_row_bytes() as u64)));
    }
    let moment = read.moment(&seen.to.database, &target.name).await?;
    let scan = scan(&seen.to.database, target, None, moment);
    let key: Vec<Field> = target.schema.primary_key().cloned().into_iter().collect();
    Ok(Some(census(read, &scan, &partitions(target), &key, Keys::Each, rooms).await?.rows))
}

/// The partitions of a collection, each by itself; all of it where it has no named ones.
fn partitions(live: &LiveCollection) -> Vec<Vec<String>> {
    if live.partitions.iter().all(|name| name == DEFAULT_PARTITION) {
        return vec![Vec::new()];
    }
    live.partitions.iter().map(|name| vec![name.clone()]).collect()
}

/// Rows of both sides held against each other, where both can be read; else the plan says that it is done when applied.
async fn row_diff(
    seen: &Seen,
    mapping: &Mapping,
    census: &Census,
    sides: &Sides,
    rooms: &Rooms<'_>,
) -> Option<RowDiff> {
    let target = seen.target.as_ref().filter(|target| target.load_state == LoadState::Loaded)?;
    let source = seen.source.as_ref()?;
    let source_scan = scan(&seen.from.database, source, seen.settings.filter.as_deref(), census.moment);
    let target_moment = sides.target.moment(&seen.to.database, &target.name).await.ok()?;
    let target_scan = Scan { key: mapping.columns.key.clone(), ..scan(&seen.to.database, target, None, target_moment) };
    // A partition that the target lacks cannot be read there; its rows are all missing, which only apply finds out.
    if mapping.routes.iter().any(|route| route.to.as_ref().is_some_and(|name| !target.partitions.contains(name))) {
        return None;
    }
    let observer: &dyn Observer = &Silent;
    let (source_side, target_side) =
        (Side { read: &*sides.source, scan: &source_scan }, Side { read: &*sides.target, scan: &target_scan });
    let compared =
        compare_all(source_side, target_side, &census.splits, mapping, Verify::Full, rooms, (observer, &seen.address))
            .await;
    compared.ok().map(|found| found.diff)
}
