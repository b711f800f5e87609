//! The same decision where the migration service of Zilliz Cloud is to move the rows. It takes names and nothing else, so most
//! of what a plan can say is refused here, and what is left goes to the target as it stands on the source.

use super::decide::{existing_target, missing_target};
use super::{Action, Entry, Note, Prior, Work};
use crate::collection::{LiveCollection, LoadState};
use crate::diagnostic::Code;
use crate::plan::resolved::{Engine, Indexes, OnExisting, Partitions, PrimaryKey, Settings, Shards, Verify};
use crate::state::{JobEnd, Managed, ManagedStage};

/// What to do about anything that the service cannot do.
const DIRECT: &str = "use `engine: direct`, which can, or leave it out of the plan";

/// What stands in the way of a migration by the service, and what may go wrong with it.
pub(super) fn remarks(entry: &mut Entry) {
    let seen = &entry.seen;
    let mut blocked: Vec<Note> = seen.not_managed.clone();
    let mut refuse = |what: String| blocked.push(Note::new(Code::NotManaged, what).help(DIRECT));
    if seen.from.collection != seen.to.collection {
        refuse(format!("the migration service cannot rename `{}`", seen.from.collection));
    }
    for key in unmanageable(entry) {
        refuse(format!("the migration service cannot do what the plan says under `{key}`"));
    }
    if let Some(doubled) = seen.source_rows.as_ref().and_then(|rows| rows.doubled).filter(|doubled| *doubled > 0) {
        refuse(format!(
            "the source holds {doubled} rows of keys that it holds already, and nothing says which of them the migration service would carry"
        ));
    }
    let mut warnings = Vec::new();
    if let Some(mapping) = &seen.mapping {
        for remark in &mapping.blocked {
            let mut note = Note::of(Code::CannotHold, remark);
            // The keys can be compared whatever the other fields are.
            if seen.settings.verify == Verify::Counts && mapping.columns.identity.is_some() {
                note.help = Some("the migration service may hold it all the same; only keys are compared".to_owned());
                warnings.push(note);
            } else {
                let message = format!("the rows could not be verified afterwards: {}", note.message);
                let help = "use `verify: counts`, which compares keys alone, or leave the collection out of the plan";
                blocked.push(Note { message, help: Some(help.to_owned()), ..note });
            }
        }
    }
    if let Some(key) = seen.source.as_ref().and_then(|source| source.schema.primary_key()).filter(|key| key.auto_id) {
        let message = format!(
            "the server made the keys of `{}`, and no documentation says whether the migration service keeps them: where it does not, verification fails",
            key.name
        );
        warnings.push(Note::new(Code::MayGoWrong, message).help("`engine: direct` keeps them"));
    }
    if seen.source_rows.as_ref().is_some_and(|rows| rows.physical == 0) {
        let message = "the source is empty, and the migration service may refuse to move it";
        warnings.push(Note::new(Code::MayGoWrong, message).help("`engine: direct` makes empty collections too"));
    }
    entry.blocked.extend(blocked);
    entry.warnings.extend(warnings);
}

/// Keys of the plan that ask for what the service cannot do.
fn unmanageable(entry: &Entry) -> Vec<&'static str> {
    let Settings {
        shards,
        dynamic_field,
        primary_key,
        fields,
        drop,
        filter,
        partitions,
        num_partitions,
        functions,
        indexes,
        properties,
        consistency,
        description,
        aliases: _,
        load: _,
        on_existing,
        prune,
        verify: _,
        live_source: _,
    } = &entry.seen.settings;
    let schema = entry.seen.source.as_ref().map(|source| &source.schema);
    let wanted = entry.seen.mapping.as_ref().map(|mapping| mapping.schema.shards);
    let other_shards = match shards {
        Shards::AsSource => false,
        Shards::Auto => schema.map(|schema| schema.shards) != wanted,
        Shards::Count(count) => schema.is_some_and(|schema| schema.shards != *count),
    };
    let asked = [
        (other_shards, "shards"),
        (dynamic_field.is_some() && schema.map(|schema| schema.dynamic_field) != *dynamic_field, "dynamic_field"),
        (*primary_key != PrimaryKey::default(), "primary_key"),
        (!fields.is_empty(), "fields"),
        (!drop.is_empty(), "drop"),
        (filter.is_some(), "where"),
        (*partitions != Partitions::Copy, "partitions"),
        (num_partitions.is_some(), "num_partitions"),
        (!functions.is_empty(), "functions"),
        (*indexes != Indexes::Auto, "indexes"),
        (!properties.is_empty(), "properties"),
        (consistency.is_some(), "consistency"),
        (description.is_some(), "description"),
        (*on_existing == OnExisting::Converge, "on_existing: converge"),
        (*prune, "prune"),
    ];
    asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, key)| key).collect()
}

/// The target as the service makes it: the source's schema as it stands. What the mapping made of it is for reading alone.
pub(super) fn as_source(entry: &mut Entry) {
    if let (Some(mapping), Some(source)) = (&mut entry.seen.mapping, &entry.seen.source) {
        mapping.schema = source.schema.clone();
        mapping.late_properties.clear();
    }
}

/// The service's interface may be gone tomorrow.
pub(super) fn deprecated() -> Note {
    Note::new(
        Code::ManagedDeprecated,
        "the requests that start a migration into it are marked deprecated in the documentation of Zilliz Cloud, which names no others",
    )
    .help("where the service no longer takes them, use `engine: direct`")
}

pub(super) fn choose(entry: &mut Entry) -> (Action, Work) {
    match entry.seen.prior.clone().filter(|prior| !prior.finished) {
        Some(prior) => match prior.managed.clone() {
            Some(managed) => unfinished(entry, &prior, &managed),
            None => after_direct(entry, &prior),
        },
        None if entry.seen.target.is_some() => existing_target(entry),
        None => missing_target(entry, entry.seen.prior.clone().as_ref()),
    }
}

/// A run of the direct engine began on this target and did not end.
fn after_direct(entry: &mut Entry, prior: &Prior) -> (Action, Work) {
    match (&entry.seen.target, entry.seen.settings.on_existing) {
        // Nothing of it is left, or it is dropped.
        (None, _) => (Action::Create, Work::Fill),
        (Some(_), OnExisting::Replace) => {
            let message = format!("run {} copied rows itself and did not end: what it made is made anew", prior.run);
            entry.notes.push(Note::new(Code::StartsOver, message));
            (Action::Replace, Work::Refill)
        }
        // It never got as far as writing.
        (Some(_), _) if !prior.may_have_created && !prior.converging => existing_target(entry),
        (Some(_), _) => {
            let message = format!("run {} on this target is unfinished, and copies rows itself", prior.run);
            let help = "finish it with `engine: direct`; or drop the target collection, or say `on_existing: replace`, to start over with the migration service";
            other_plan(entry, message, help)
        }
    }
}

fn other_plan(entry: &mut Entry, message: String, help: &str) -> (Action, Work) {
    entry.state_conflict = true;
    entry.blocked.push(Note::new(Code::UnfinishedOther, message).help(help));
    (Action::Blocked, Work::None)
}

/// An earlier run asked the service for it, or was about to, and did not end.
fn unfinished(entry: &mut Entry, prior: &Prior, managed: &Managed) -> (Action, Work) {
    let run = &prior.run;
    let replaces = entry.seen.settings.on_existing == OnExisting::Replace;
    if prior.plan_hash != entry.seen.plan_hash {
        return match (&entry.seen.target, managed.may_be_going()) {
            (_, true) => other_plan(
                entry,
                format!(
                    "run {run} on this target asked the migration service for something else, and {}",
                    going(managed)
                ),
                "finish it with the plan it began with; or cancel its job in the console of Zilliz Cloud (Jobs), run that plan once more to see it end, and then this one",
            ),
            (None, false) => (Action::Create, Work::Fill),
            (Some(_), false) if managed.stage() == ManagedStage::NotAsked => existing_target(entry),
            (Some(_), false) if replaces => {
                let message =
                    format!("run {run} was asked for something else and did not end: what it made is made anew");
                entry.notes.push(Note::new(Code::StartsOver, message));
                (Action::Replace, Work::Refill)
            }
            (Some(_), false) => other_plan(
                entry,
                format!("run {run} on this target is unfinished, and was asked for something else"),
                "finish it with the plan it began with; or drop the target collection, or say `on_existing: replace`, to start over with this one",
            ),
        };
    }
    let stage = managed.stage();
    let Some(target) = entry.seen.target.clone() else {
        let what = match &stage {
            ManagedStage::NotAsked => "stopped before a job was asked for".to_owned(),
            ManagedStage::Open | ManagedStage::Going(_) => going(managed),
            ManagedStage::Over(_) | ManagedStage::Missed(_) => {
                format!("{}, and did not bring the collection: it is asked for again", ended(managed))
            }
        };
        entry.notes.push(Note::new(Code::GoesOn, format!("run {run}: {what}")));
        return (Action::Create, Work::Resume);
    };
    if stage == ManagedStage::NotAsked {
        // The run never got as far as asking for it, so somebody else's collection of that name is just in the way.
        return existing_target(entry);
    }
    if !may_be_its(&target, prior) {
        entry.state_conflict = true;
        let message = format!(
            "the collection that run {run} had the migration service make was replaced by another one of the same name"
        );
        let help = "drop it to start over, or leave it out of the plan";
        entry.blocked.push(Note::new(Code::TargetReplaced, message).help(help));
        return (Action::Blocked, Work::None);
    }
    if entry.seen.source.as_ref().is_some_and(|source| source.id != prior.source_id) {
        entry.state_conflict = true;
        let message = format!("the source collection was made anew since run {run} began");
        let help = "drop the target collection to start over with the new source";
        entry.blocked.push(Note::new(Code::SourceReplaced, message).help(help));
        return (Action::Blocked, Work::None);
    }
    let known = prior.target_id == Some(target.id);
    match stage {
        // What a failed job left is worth nothing, and its id says that the job made it. A job that says it did well may have
        // been right when it ended, so what it made is dropped only where the plan says so.
        ManagedStage::Missed(JobEnd::Failed | JobEnd::Canceled) if known => {
            let message =
                format!("{}, and left a collection that differs from the source: it is made anew", ended(managed));
            entry.notes.push(Note::new(Code::StartsOver, message));
            (Action::Replace, Work::Refill)
        }
        ManagedStage::Missed(_) if replaces && known => {
            let message = format!("{}, and the target differs from the source: it is made anew", ended(managed));
            entry.notes.push(Note::new(Code::StartsOver, message));
            (Action::Replace, Work::Refill)
        }
        ManagedStage::Missed(_) if !known => existing_target(entry),
        ManagedStage::Missed(_) | ManagedStage::Over(_) => {
            let message = format!("run {run}: {}; what it made is verified", ended(managed));
            entry.notes.push(Note::new(Code::GoesOn, message));
            (Action::Update, Work::Resume)
        }
        ManagedStage::NotAsked | ManagedStage::Open | ManagedStage::Going(_) => {
            entry.notes.push(Note::new(Code::GoesOn, format!("run {run}: {}", going(managed))));
            (Action::Update, Work::Resume)
        }
    }
}

/// Whether the collection may be what the run's job made: it has the id that was seen after the job, or any where none was seen
/// yet, and no other run has marked it.
pub(super) fn may_be_its(target: &LiveCollection, prior: &Prior) -> bool {
    let other_mark = target.mark.get(super::MARK_RUN).is_some_and(|run| *run != prior.run);
    !other_mark && prior.target_id.is_none_or(|id| id == 0 || id == target.id)
}

fn going(managed: &Managed) -> String {
    match &managed.job {
        Some(job) => format!("job {job} of the migration service was at work, and is followed"),
        None => "a job was asked of the migration service, whose id is not known, and is looked for".to_owned(),
    }
}

fn ended(managed: &Managed) -> String {
    match &managed.job {
        Some(job) if !managed.word.is_empty() => {
            format!("job {job} of the migration service ended as {}", managed.word)
        }
        _ => "a job of the migration service is over".to_owned(),
    }
}

/// A run by the service began on this target and did not end, and now vecferry is to move the rows itself. Where a job may be
/// at work, nothing is safe; else what the run left is a collection like any other.
pub(super) fn left_by_service(entry: &mut Entry, prior: &Prior, managed: &Managed) -> Option<(Action, Work)> {
    let run = &prior.run;
    if managed.may_be_going() {
        return Some(other_plan(
            entry,
            format!("run {run} on this target is unfinished: {}", going(managed)),
            "finish it with `engine: zilliz_cloud`; or cancel its job in the console of Zilliz Cloud (Jobs), and run it once more with that engine to see it end",
        ));
    }
    if entry.seen.target.is_none() {
        let message = format!("run {run} by the migration service brought nothing: rows are copied from the start");
        entry.notes.push(Note::new(Code::StartsOver, message));
        return Some((Action::Create, Work::Fill));
    }
    let its = managed.stage() != ManagedStage::NotAsked && prior.target_id.is_some();
    (its && entry.seen.settings.on_existing == OnExisting::Fail).then(|| {
        other_plan(
            entry,
            format!("run {run} on this target is unfinished, and left it to the migration service"),
            "finish it with `engine: zilliz_cloud`; or drop the target collection, or say `on_existing: converge` or `replace`, to go on without that service",
        )
    })
}

/// Whether something but rows is to be completed: the load state and the aliases. All else the service made.
pub(super) fn touches_managed(entry: &Entry) -> bool {
    let Some(target) = &entry.seen.target else { return false };
    (entry.seen.settings.load && target.load_state != LoadState::Loaded)
        || entry.seen.aliases.iter().any(|(_, now)| now.as_ref() != Some(&target.name))
}

/// Rows that were verified when a target was completed that the service made. Its mark came after it was made, and Milvus
/// 2.3.5 forgets such ones when it starts again; the state knows its id.
pub(super) fn completed_by_state(entry: &super::Seen) -> Option<(u64, u64)> {
    let target = entry.target.as_ref()?;
    let prior = entry.prior.as_ref().filter(|prior| prior.finished && prior.managed.is_some())?;
    let same = prior.plan_hash == entry.plan_hash && prior.target_id == Some(target.id);
    (same && target.mark.is_empty()).then_some(prior.rows)
}

impl Entry {
    /// Whether the migration service moves the rows.
    pub fn is_managed(&self) -> bool {
        self.seen.engine == Engine::ZillizCloud
    }
}
