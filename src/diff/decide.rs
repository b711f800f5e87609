//! The one decision: what happens to a collection, given everything that was seen.

use super::remarks::{losing_aliases, remarks, surveyed, unloadable, unsought};
use super::{Action, Entry, Note, Prior, Seen, Work, lines, managed, may_take_over};
use crate::collection::{CollectionSchema, LoadState};
use crate::diagnostic::Code;
use crate::mapping::Rewrite;
use crate::plan::resolved::{Indexes, OnExisting};

/// Property of the mark that names the run.
pub const MARK_RUN: &str = "vecferry.run";
/// Property of the mark that holds the hash of what the run was asked to do.
pub const MARK_PLAN: &str = "vecferry.plan";
/// Property of the mark that holds the number of rows, once all of them were verified.
pub const MARK_ROWS: &str = "vecferry.rows";

/// Property of the mark that holds the number of rows that do not fit.
pub const MARK_QUARANTINED: &str = "vecferry.quarantined";

/// Decides about one collection.
pub fn decide(seen: Seen) -> Entry {
    let mut entry = Entry {
        action: Action::Blocked,
        work: Work::None,
        blocked: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
        lines: Vec::new(),
        rows_to_copy: 0,
        rows_lost: 0,
        state_conflict: false,
        seen,
    };
    remarks(&mut entry);
    surveyed(&mut entry);
    if entry.is_managed() {
        managed::remarks(&mut entry);
        managed::as_source(&mut entry);
    }
    // Without the state nothing can be said of what stands on the target, and it would be the wrong thing.
    if entry.seen.state_error.is_none() {
        choose(&mut entry);
    }
    if !entry.blocked.is_empty() {
        entry.action = Action::Blocked;
        entry.work = Work::None;
    }
    amounts(&mut entry);
    unsought(&mut entry);
    losing_aliases(&mut entry);
    super::limits::warn(&mut entry);
    entry.lines = lines(&entry);
    entry
}

fn choose(entry: &mut Entry) {
    let prior = entry.seen.prior.clone();
    let by_service =
        prior.as_ref().filter(|prior| !prior.finished).and_then(|prior| Some((prior, prior.managed.clone()?)));
    let left = match by_service {
        _ if entry.is_managed() => Some(managed::choose(entry)),
        Some((prior, state)) => managed::left_by_service(entry, prior, &state),
        None => None,
    };
    if let Some((action, work)) = left {
        (entry.action, entry.work) = (action, work);
        return;
    }
    let (action, work) = match (&entry.seen.target, prior) {
        (Some(_), Some(prior)) if prior.managed.is_some() => existing_target(entry),
        (None, prior) => missing_target(entry, prior.as_ref()),
        // A run that converged and did not end leaves nothing that a plan that does not converge could go on with.
        (Some(_), Some(prior))
            if !prior.finished && (!prior.converging || entry.seen.settings.on_existing == OnExisting::Converge) =>
        {
            unfinished(entry, &prior)
        }
        (Some(_), _) => existing_target(entry),
    };
    entry.action = action;
    entry.work = work;
}

pub(super) fn missing_target(entry: &mut Entry, prior: Option<&Prior>) -> (Action, Work) {
    match prior {
        Some(prior)
            if !prior.finished
                && !prior.converging
                && prior.target_id.is_none()
                && (prior.splits.0 == 0
                    || entry.seen.source.as_ref().is_none_or(|source| source.id == prior.source_id))
                && prior.plan_hash == entry.seen.plan_hash =>
        {
            entry.notes.push(Note::new(
                Code::GoesOn,
                format!("run {} stopped before it made the collection, and goes on", prior.run),
            ));
            (Action::Create, Work::Resume)
        }
        Some(prior) if prior.target_id.is_some() => {
            let what = if prior.finished { "made" } else { "left unfinished" };
            entry.notes.push(Note::new(
                Code::MadeAgain,
                format!("the collection that run {} {what} is gone from the target: it is made anew", prior.run),
            ));
            (Action::Create, Work::Fill)
        }
        _ => (Action::Create, Work::Fill),
    }
}

/// An earlier run began on this target and did not end.
fn unfinished(entry: &mut Entry, prior: &Prior) -> (Action, Work) {
    let run = &prior.run;
    let Some(target) = &entry.seen.target else {
        return (Action::Create, Work::Fill);
    };
    if prior.plan_hash != entry.seen.plan_hash {
        let made_by_it = target.mark.get(MARK_RUN).is_some_and(|mark| mark == run);
        if made_by_it && !prior.converging && entry.seen.settings.on_existing == OnExisting::Replace {
            entry.notes.push(Note::new(
                Code::StartsOver,
                format!("run {run} was asked for something else and did not end: what it made is made anew"),
            ));
            return (Action::Replace, Work::Refill);
        }
        entry.state_conflict = true;
        entry.blocked.push(
            Note::new(
                Code::UnfinishedOther,
                format!("run {run} on this target is unfinished, and was asked for something else"),
            )
            .help("finish it with the plan it began with; or drop the target collection, or say `on_existing: replace`, to start over with this one"),
        );
        return (Action::Blocked, Work::None);
    }
    if !prior.converging {
        let marked = target.mark.get(MARK_RUN).is_some_and(|mark| mark == run);
        let same_id = prior.target_id.is_none_or(|id| id == 0 || id == target.id);
        if !marked || !same_id {
            if !prior.may_have_created {
                // The run never got as far as making it, so somebody else's collection of that name is just in the way.
                return existing_target(entry);
            }
            entry.state_conflict = true;
            entry.blocked.push(
                Note::new(
                    Code::TargetReplaced,
                    format!("the collection that run {run} made was replaced by another one of the same name"),
                )
                .help("drop it to start over, or give the plan another `target`"),
            );
            return (Action::Blocked, Work::None);
        }
    }
    if let Some(source) = &entry.seen.source
        && source.id != prior.source_id
        && prior.splits.0 > 0
    {
        entry.state_conflict = true;
        entry.blocked.push(
            Note::new(Code::SourceReplaced, format!("the source collection was made anew since run {run} began"))
                .help("drop the target collection to start over with the new source"),
        );
        return (Action::Blocked, Work::None);
    }
    let rewrite = entry.seen.mapping.as_ref().map(|mapping| mapping.columns.rewrite);
    if prior.dirty > 0 && rewrite == Some(Rewrite::StartOver) {
        entry.notes.push(Note::new(
            Code::StartsOver,
            format!("run {run} was stopped while it wrote, and nothing tells which rows arrived: it starts over"),
        ));
        return (Action::Replace, Work::Refill);
    }
    let (all, done) = prior.splits;
    entry.notes.push(Note::new(
        Code::GoesOn,
        format!("run {run} is unfinished, with {done} of {all} splits done, and goes on"),
    ));
    (Action::Update, Work::Resume)
}

/// Rows that were verified when the target was completed, and rows in quarantine; none where it was not completed. The mark on
/// the target says it, and the state where the server forgot that part of the mark: Milvus 2.3.5 keeps properties that were
/// given to a collection when it was made, and loses later ones when it starts again.
pub fn completed(seen: &Seen) -> Option<(u64, u64)> {
    let mark = &seen.target.as_ref()?.mark;
    let number = |name: &str| mark.get(name).and_then(|rows| rows.parse::<u64>().ok());
    if let Some(rows) = number(MARK_ROWS) {
        return Some((rows, number(MARK_QUARANTINED).unwrap_or_default()));
    }
    if let Some(rows) = managed::completed_by_state(seen) {
        return Some(rows);
    }
    let prior = seen.prior.as_ref().filter(|prior| prior.finished && mark.get(MARK_RUN) == Some(&prior.run))?;
    Some(prior.rows)
}

pub(super) fn existing_target(entry: &mut Entry) -> (Action, Work) {
    let seen = &entry.seen;
    let Some(target) = &seen.target else {
        return (Action::Create, Work::Fill);
    };
    let ours = target.mark.get(MARK_PLAN).is_some_and(|hash| *hash == seen.plan_hash)
        || managed::completed_by_state(seen).is_some();
    let verified_rows = completed(seen).map(|(rows, _)| rows);
    match (seen.settings.on_existing, ours, verified_rows) {
        // Blocked already, because the migration service cannot do it.
        (OnExisting::Converge, ..) if entry.is_managed() => (Action::Blocked, Work::None),
        (OnExisting::Converge, ..) => converge(entry),
        (_, true, Some(rows)) => finished(entry, rows),
        (OnExisting::Replace, ..) => (Action::Replace, Work::Refill),
        (OnExisting::Fail, true, None) => {
            let run = target.mark.get(MARK_RUN).cloned().unwrap_or_default();
            entry.blocked.push(
                Note::new(
                    Code::BegunElsewhere,
                    format!("the target was begun by run {run}, whose state is not here, and is unfinished"),
                )
                .help(
                    "run where that state is, or bring it here (`vecferry state export` there, `vecferry state import` here); or drop the target collection to start over, or set `on_existing: converge` to complete it or `replace` to drop it first",
                ),
            );
            (Action::Blocked, Work::None)
        }
        (OnExisting::Fail, false, _) => {
            let made_by = if target.mark.contains_key(MARK_PLAN) {
                "and was made by another plan"
            } else {
                "and was not made by vecferry"
            };
            let help = match entry.is_managed() {
                true => {
                    "drop it, or say `on_existing: replace` to have it dropped first; `engine: direct` can give it another name or complete it"
                }
                false => {
                    "choose another `target`, or say `on_existing: converge` to write what is missing or `replace` to drop it first"
                }
            };
            entry.blocked.push(Note::new(Code::TargetExists, format!("the target exists {made_by}")).help(help));
            (Action::Blocked, Work::None)
        }
    }
}

/// The target was completed by this very plan. Is it still what the plan wants?
fn finished(entry: &mut Entry, rows: u64) -> (Action, Work) {
    let quarantined = entry.quarantined();
    if quarantined > 0 {
        entry.warnings.push(
            Note::new(Code::InQuarantine, format!("{quarantined} rows of the source do not fit and are in quarantine"))
                .help("mend them on the source, or leave them out with `where`; then use `on_existing: converge`"),
        );
    }
    let seen = &entry.seen;
    let drifted = |now: u64, estimated: bool| {
        let by = if estimated { " by its statistics" } else { "" };
        let message = format!("the target holds {now} rows{by}, and held {rows} when the plan was completed");
        Note::new(Code::Drifted, message)
    };
    let mut drift = Vec::new();
    if let Some(now) = &seen.source_rows
        && now.distinct() != rows + quarantined
        && !now.estimated
    {
        let rows = rows + quarantined;
        let message = format!("the source holds {} rows, and held {rows} when the plan was completed", now.distinct());
        drift.push(Note::new(Code::Drifted, message));
    }
    if let Some(now) = &seen.target_rows
        && now.distinct() != rows
    {
        if now.estimated {
            entry.warnings.push(drifted(now.physical, true).help("`vecferry verify` loads it and tells for certain"));
        } else {
            drift.push(drifted(now.distinct(), false));
        }
    }
    if !drift.is_empty() {
        if may_take_over(entry.seen.settings.on_existing) {
            entry.notes.extend(drift);
            return (Action::Replace, Work::Refill);
        }
        let help = match entry.is_managed() {
            true => {
                "set `on_existing: replace` to have it moved again, or use `engine: direct` with `on_existing: converge`"
            }
            false => "set `on_existing: converge` to bring the target up to date",
        };
        entry.blocked.extend(drift.into_iter().map(|note| note.help(help)));
        return (Action::Blocked, Work::None);
    }
    if touches(entry) { (Action::Update, Work::Touch) } else { (Action::Unchanged, Work::None) }
}

/// Whether something but rows is to be completed: partitions, indexes, the load state.
fn touches(entry: &Entry) -> bool {
    if entry.is_managed() {
        return managed::touches_managed(entry);
    }
    let (Some(target), Some(mapping)) = (&entry.seen.target, &entry.seen.mapping) else {
        return false;
    };
    mapping.partitions.iter().any(|name| !target.partitions.contains(name))
        || mapping.indexes.iter().any(|wanted| !target.indexes.iter().any(|index| index.field == wanted.field))
        || (entry.seen.settings.load && target.load_state != LoadState::Loaded)
        || entry.seen.aliases.iter().any(|(_, now)| now.as_ref() != Some(&target.name))
        || entry.properties_differ()
}

/// Rows are to be written into a collection as it stands.
fn converge(entry: &mut Entry) -> (Action, Work) {
    if entry.seen.mapping.as_ref().is_some_and(|mapping| mapping.columns.identity.is_none()) {
        entry.blocked.push(
            Note::new(
                Code::TargetMisfit,
                "no field of the target holds the source's key, so rows cannot be compared one by one",
            )
            .help("keep the old keys with `keep_as`, or use `on_existing: replace`"),
        );
        return (Action::Blocked, Work::None);
    }
    let (Some(target), Some(mapping)) = (&entry.seen.target, &entry.seen.mapping) else {
        return (Action::Blocked, Work::None);
    };
    let misfits = misfits(&mapping.schema, &target.schema);
    if !misfits.is_empty() {
        let help = "make the target fit, or use `on_existing: replace`";
        entry.blocked.extend(misfits.into_iter().map(|message| Note::new(Code::TargetMisfit, message).help(help)));
        return (Action::Blocked, Work::None);
    }
    if entry.seen.target_load_needs_index
        && unloadable(target).is_some()
        && entry.seen.settings.indexes == Indexes::None
    {
        entry.blocked.push(
            Note::new(
                Code::TargetUnreadable,
                "the target cannot be read to compare it: it is not loaded and a vector field has no index",
            )
            .help("set `indexes: auto`, or load the target"),
        );
        return (Action::Blocked, Work::None);
    }
    let prune = entry.seen.settings.prune;
    let fate = if prune { "they are removed" } else { "they are left alone" };
    match &entry.seen.row_diff {
        Some(diff) if diff.extra > 0 => {
            let message = format!("rows on the target only: {}; {fate}", diff.extra);
            entry.warnings.push(Note::new(Code::OnlyOnTarget, message));
        }
        None if prune => {
            let message = "rows that only the target has are removed; how many is known when the plan is applied";
            entry.warnings.push(Note::new(Code::OnlyOnTarget, message));
        }
        _ => {}
    }
    match &entry.seen.row_diff {
        Some(diff) if !diff.has_work() && (diff.extra == 0 || !prune) => {
            if touches(entry) {
                (Action::Update, Work::Touch)
            } else {
                (Action::Unchanged, Work::None)
            }
        }
        Some(_) => (Action::Update, Work::Converge),
        None => {
            entry.notes.push(Note::new(
                Code::ComparedLater,
                "the rows are compared when the plan is applied: a side is not loaded, or cannot be compared before",
            ));
            (Action::Update, Work::Converge)
        }
    }
}

/// Ways in which an existing target cannot take the rows as the plan shapes them.
fn misfits(wanted: &CollectionSchema, live: &CollectionSchema) -> Vec<String> {
    let mut found = Vec::new();
    for field in wanted.fields.iter().filter(|field| !field.function_output) {
        match live.field(&field.name) {
            None => found.push(format!("the target has no field `{}`", field.name)),
            Some(have) if have.arrow() != field.arrow() || have.data_type != field.data_type => {
                found.push(format!(
                    "field `{}` is {} on the target, and {} is wanted",
                    field.name,
                    have.type_text(),
                    field.type_text()
                ));
            }
            Some(have) if have.primary_key != field.primary_key => {
                found.push(format!("the primary key of the target is not `{}`", field.name));
            }
            Some(have) if have.primary_key && have.auto_id != field.auto_id => {
                found.push(match have.auto_id {
                    true => {
                        format!("the target makes its own keys for `{}` and would not keep the source's", field.name)
                    }
                    false => format!("the target does not make its own keys for `{}`", field.name),
                });
            }
            Some(have) if field.nullable && !have.nullable => {
                found.push(format!("field `{}` is nullable, and the target's is not", field.name));
            }
            Some(_) => {}
        }
    }
    for field in live.fields.iter().filter(|field| !field.function_output) {
        if wanted.field(&field.name).is_none() && !field.nullable && field.default.is_none() {
            found.push(format!("the target's field `{}` would get no value", field.name));
        }
    }
    if wanted.dynamic_field && !live.dynamic_field {
        found.push("the target has no dynamic field, and the source's rows may need one".to_owned());
    }
    found
}

fn amounts(entry: &mut Entry) {
    let source_rows = entry.seen.source_rows.as_ref().map_or(0, |rows| rows.distinct());
    entry.rows_to_copy = match entry.work {
        Work::Fill | Work::Refill => source_rows,
        Work::Resume => match entry.seen.prior.as_ref().map(|prior| prior.splits) {
            Some((all, done)) if all > 0 => source_rows - source_rows * done / all,
            _ => source_rows,
        },
        Work::Converge => entry.seen.row_diff.as_ref().map_or(0, |diff| diff.missing + diff.differing + diff.doubled),
        Work::None | Work::Touch => 0,
    };
    if entry.work == Work::Converge && entry.seen.settings.prune {
        entry.rows_lost = entry.seen.row_diff.as_ref().map_or(0, |diff| diff.extra);
    }
    if entry.work == Work::Refill {
        entry.rows_lost = entry.seen.target_rows.as_ref().map_or(0, |rows| rows.physical);
    }
}
