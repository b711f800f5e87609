//! What there is to say about a collection before anything is decided, and what stands in its way.

use super::{Entry, Note, Work, limits};
use crate::collection::{LiveCollection, LoadState};
use crate::diagnostic::Code;

/// What the mapping and the census have to say.
pub(super) fn remarks(entry: &mut Entry) {
    limits::remarks(entry);
    let seen = &entry.seen;
    if let Some(trouble) = &seen.state_error {
        entry.state_conflict = trouble.conflict;
        entry.blocked.push(Note::new(Code::StateUnreadable, trouble.error.clone()).help(trouble.help.clone()));
    }
    if let Some(error) = &seen.source_error {
        let help = match &seen.settings.filter {
            Some(_) => "see that it can be read and that `where` is a filter expression, or leave it out of the plan",
            None => "see that it can be read, or leave it out of the plan",
        };
        entry.blocked.push(Note::new(Code::SourceUnreadable, error.clone()).help(help));
    } else if seen.source.is_none() {
        entry.blocked.push(
            Note::new(Code::SourceMissing, format!("the source has no collection `{}`", seen.from))
                .help("check the name and the database; names are case-sensitive"),
        );
    }
    // What a mapping says of the target holds only where vecferry makes it.
    if let Some(mapping) = seen.mapping.as_ref().filter(|_| seen.engine.is_direct()) {
        entry.blocked.extend(mapping.blocked.iter().map(|remark| Note::of(Code::CannotHold, remark)));
        entry.notes.extend(mapping.notes.iter().map(|remark| Note::of(Code::Shaped, remark)));
        entry.warnings.extend(mapping.warnings.iter().map(|remark| Note::of(Code::MayGoWrong, remark)));
    }
    if let Some(rows) = &seen.source_rows {
        if let Some(doubled) = rows.doubled.filter(|doubled| *doubled > 0 && seen.engine.is_direct()) {
            let keys: Vec<_> = rows.doubled_keys.iter().map(ToString::to_string).collect();
            let such_as = if keys.is_empty() { String::new() } else { format!(", such as {}", keys.join(", ")) };
            entry.warnings.push(Note::new(
                Code::DoubledKeys,
                format!(
                    "the source holds {doubled} rows of keys that it holds already{such_as}: each key arrives once, with the row that the source returns for it"
                ),
            ));
        }
        if rows.crossing > 0 {
            entry.blocked.push(
                Note::new(
                    Code::CrossingKeys,
                    format!("{} rows have a key that stands in another partition too", rows.crossing),
                )
                .help("delete all but one of each on the source, or leave them out with `where`"),
            );
        }
        if rows.unreadable > 0 {
            let (count, place) = (rows.unreadable, &rows.unreadable_place);
            entry.blocked.push(
                Note::new(
                    Code::CountedNotReturned,
                    format!("rows that the source counts and never returns: {count} ({place})"),
                )
                .help("give them other keys or delete them on the source, or leave them out with `where`"),
            );
        }
    }
    if let Some(target) = seen.target.as_ref().filter(|target| target.name != seen.to.collection) {
        entry.blocked.push(
            Note::new(
                Code::AliasTaken,
                format!(
                    "`{}` is an alias of `{}` on the target, and not a collection",
                    seen.to.collection, target.name
                ),
            )
            .help("name the collection itself, or give the plan another `target`"),
        );
    }
    for (alias, now) in &seen.aliases {
        if now.as_ref() == Some(alias) {
            entry.blocked.push(
                Note::new(
                    Code::AliasTaken,
                    format!("`{alias}` cannot be an alias: a collection of the target has that name"),
                )
                .help("choose another alias, or rename or drop that collection"),
            );
        }
    }
    if let Some(source) = &seen.source
        && seen.source_load_needs_index
        && let Some(bare) = unloadable(source)
    {
        entry.blocked.push(
            Note::new(
                Code::SourceCannotLoad,
                format!("the source is not loaded and cannot be: field `{bare}` has no index"),
            )
            .help("create an index on it on the source; it can be dropped again afterwards"),
        );
    }
}

/// What going through the source's rows had to say.
pub(super) fn surveyed(entry: &mut Entry) {
    const LISTED: usize = 5;
    const LOST_KEYS: usize = 20;
    let drops = entry.seen.mapping.as_ref().is_some_and(|mapping| mapping.columns.drops_dynamic);
    if drops && entry.seen.lost_keys.is_none() {
        let message = "the dynamic field is switched off: keys that no declared field takes are left behind";
        let help = "`plan --scan` lists them, once the source is loaded; or keep `dynamic_field: true`";
        entry.warnings.push(Note::new(Code::LosesKeys, message).help(help));
    }
    if let Some(lost) = entry.seen.lost_keys.as_ref().filter(|lost| !lost.keys.is_empty()) {
        let shown = lost.keys.iter().take(LOST_KEYS);
        let mut keys: Vec<String> = shown
            .map(|key| format!("{} ({} rows, {}, such as {})", key.name, key.rows, key.types, key.example))
            .collect();
        let more = lost.keys.len().saturating_sub(LOST_KEYS) + lost.not_listed;
        if more > 0 {
            keys.push(format!("and {more} more"));
        }
        let message = format!("without the dynamic field, keys are left behind: {}", keys.join("; "));
        let help = "keep `dynamic_field: true`, or lift them with `fields: {NAME: {from: $meta.KEY, type: ...}}`";
        entry.warnings.push(Note::new(Code::LosesKeys, message).help(help));
    }
    let (doubled, values) = &entry.seen.doubled_values;
    if *doubled > 0 {
        let values = values.join("; ");
        let message = format!(
            "the new primary key is not unique: {doubled} rows have a value that another row has too ({values})"
        );
        let help = "choose another one, or make the values unique on the source";
        entry.blocked.push(Note::new(Code::RowsDoNotFit, message).help(help));
    }
    if entry.seen.unscanned {
        let message = "the rows were not gone through: the source is not loaded, and looking loads nothing";
        entry.notes.push(Note::new(Code::Scanned, message).help("load the source, and scan again"));
    }
    let Some(survey) = entry.seen.survey.clone() else { return };
    let examples = |rows: &[String]| rows.iter().take(LISTED).cloned().collect::<Vec<_>>().join("; ");
    if survey.unfit > 0 {
        let message = format!("{} of {} rows do not fit: {}", survey.unfit, survey.rows, examples(&survey.examples));
        let help = "say what to do with them: `on_misfit` or `on_null` of the field, or leave them out with `where`";
        entry.blocked.push(Note::new(Code::RowsDoNotFit, message).help(help));
    } else if survey.quarantined > 0 {
        let message = format!(
            "{} of {} rows go to the quarantine: {}",
            survey.quarantined,
            survey.rows,
            examples(&survey.examples)
        );
        entry.warnings.push(Note::new(Code::InQuarantine, message));
    }
    let touched: Vec<String> = survey.touched.iter().map(|(rule, rows)| format!("{rule} ({rows} rows)")).collect();
    let counted = if touched.is_empty() { "no rule touches a row".to_owned() } else { touched.join("; ") };
    entry.notes.push(Note::new(Code::Scanned, format!("all {} rows were read: {counted}", survey.rows)));
}

/// A vector field without an index in a collection that is not loaded, on servers that load none such.
pub fn unloadable(live: &LiveCollection) -> Option<&str> {
    if live.load_state != LoadState::NotLoaded {
        return None;
    }
    live.schema
        .fields
        .iter()
        .filter(|field| field.data_type.is_vector())
        .find(|field| !live.indexes.iter().any(|index| index.field == field.name))
        .map(|field| field.name.as_str())
}

/// What is not known yet of rows that are to be copied, because their keys were not gone through.
pub(super) fn unsought(entry: &mut Entry) {
    let counted = entry.seen.source_rows.as_ref().is_some_and(|rows| rows.doubled.is_none() && !rows.estimated);
    if counted && entry.seen.engine.is_direct() && matches!(entry.work, Work::Fill | Work::Refill | Work::Converge) {
        let message =
            "the rows were counted and their keys not gone through: doubled keys are looked for while copying";
        entry.notes.push(Note::new(Code::KeysLater, message).help("`vecferry plan --scan` looks for them before"));
    }
}

/// Readers that come by an alias stand before nothing while a collection is made anew, and find an alias that the plan does not
/// name gone for good.
pub(super) fn losing_aliases(entry: &mut Entry) {
    let aliases = entry.seen.target.as_ref().map(|target| target.aliases.join(", ")).unwrap_or_default();
    if entry.work == Work::Refill && !aliases.is_empty() {
        entry.warnings.push(
            Note::new(Code::MayGoWrong, format!("aliases point to the collection that is dropped: {aliases}"))
                .help("readers find nothing through them until it is filled again; those that the plan does not list under `aliases` stay gone"),
        );
    }
}
