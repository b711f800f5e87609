//! The primary key: carried, made by the server, or another field in its place; and how rows are known again on the target.

use super::columns::Rewrite;
use super::fields::{Filled, Plan, Planned, Subject};
use super::{Remark, Remarks, suggestion};
use crate::collection::{DataType, Field};
use crate::plan::resolved::{FieldSettings, OnMisfit};

/// Names that Milvus' filter grammar takes for itself; a key of such a name can be made and never be filtered by.
const KEYWORDS: [&str; 12] =
    ["in", "like", "not", "and", "or", "true", "false", "exists", "is", "null", "between", "array"];

/// Gives the role of primary key to the field that the plan means.
pub(super) fn promote(subject: &Subject<'_>, plan: &mut Plan, found: &mut Remarks) {
    let said = &subject.settings.primary_key;
    let Some(source_key) = subject.source.primary_key().cloned() else {
        found.block(None, "the source describes no primary key", "this looks like a bug of the server");
        return;
    };
    if is_keyword(&source_key.name) {
        found.block(
            Some(&source_key.name),
            format!(
                "a key named `{}` is a word of the filter grammar, so no server can read it by ranges",
                source_key.name
            ),
            "such a collection can only be rebuilt from its original data",
        );
    }
    let carrier = plan.carriers.get(&source_key.name).cloned();
    let auto_id = said.auto_id == Some(true);
    let name = said.field.clone().or_else(|| carrier.clone()).unwrap_or_else(|| source_key.name.clone());
    for planned in &mut plan.fields {
        if planned.field.auto_id && !auto_id {
            found.notes.push(Remark::new(
                Some(&planned.field.name),
                "auto-id is off on the target, so that each row keeps its key; writers bring their own keys from now on",
            ));
        }
        (planned.field.primary_key, planned.field.auto_id) = (false, false);
    }
    let position = plan.fields.iter().position(|planned| planned.field.name == name);
    if auto_id {
        made_by_server(subject, plan, &source_key, &name, position, found);
    } else if let Some(position) = position {
        let planned = &mut plan.fields[position];
        let field = &mut planned.field;
        field.primary_key = true;
        (field.nullable, field.default) = (false, None);
        if !matches!(field.data_type, DataType::Int64 | DataType::VarChar) {
            let message = format!("{} cannot be a primary key: only INT64 and VARCHAR can", field.type_text());
            found.block(Some(&name), message, "choose another field, or change its `type`");
        }
        if field.function_output {
            found.block(
                Some(&name),
                "a function computes this field, so it cannot be the primary key",
                "choose another",
            );
        }
    } else if said.field.is_some() {
        let help = suggestion(&name, plan.fields.iter().map(|planned| planned.field.name.as_str()));
        found.block(Some(&name), "`primary_key` names a field that the target does not have", help);
    } else {
        let help = "take it out of `drop`, or say which field is the primary key with `primary_key`";
        found.block(Some(&source_key.name), "the primary key cannot be dropped", help);
    }
    if let Some(planned) = plan.fields.iter().find(|planned| planned.field.primary_key) {
        if is_keyword(&planned.field.name) {
            let message =
                format!("`{}` is a word of the filter grammar, so nobody could query by it", planned.field.name);
            found.block(Some(&planned.field.name), message, "give it another name");
        }
        if matches!(planned.settings.on_misfit, OnMisfit::Null) {
            found.block(Some(&planned.field.name), "a primary key is never null", "choose another `on_misfit`");
        }
    }
}

/// The server makes the keys. The source's are dropped, kept in another field, or sent along where the server takes them.
fn made_by_server(
    subject: &Subject<'_>,
    plan: &mut Plan,
    source_key: &Field,
    name: &str,
    position: Option<usize>,
    found: &mut Remarks,
) {
    let said = &subject.settings.primary_key;
    let mut at = 0;
    match position {
        Some(position) => {
            at = position + 1;
            let planned = &mut plan.fields[position];
            let carries = matches!(&planned.origin, Some(Filled::Column(base)) if base.name == source_key.name);
            if !carries {
                found.block(
                    Some(name),
                    "with `auto_id: true` the server makes the keys, and the values of this field would be lost",
                    "name a field in `primary_key` that does not exist yet, or set `auto_id: false`",
                );
            }
            let field = &mut planned.field;
            (field.primary_key, field.auto_id, field.nullable, field.default) = (true, true, false, None);
            if said.allow_insert_auto_id {
                if !subject.to.insert_auto_id {
                    let message = format!(
                        "{} makes every key itself and takes none along (allow_insert_auto_id)",
                        subject.to.server
                    );
                    found.block(
                        Some(name),
                        message,
                        "keep the old keys in a field with `keep_as`, or set `auto_id: false`",
                    );
                }
            } else {
                planned.origin = None;
                if said.keep_as.is_none() {
                    plan.carriers.remove(&source_key.name);
                }
                if field.data_type != DataType::Int64 && planned.settings.data_type.is_none() {
                    (field.data_type, field.element_type) = (DataType::Int64, None);
                    field.params.retain(|key, _| key == "mmap.enabled");
                    found.note(Some(name), "the server makes INT64 keys");
                }
            }
        }
        None => {
            let field = Field { primary_key: true, auto_id: true, ..Field::new(name, DataType::Int64) };
            plan.fields.insert(0, Planned { field, origin: None, settings: FieldSettings::default() });
            at += 1;
        }
    }
    let Some(kept) = &said.keep_as else { return };
    if plan.fields.iter().any(|planned| planned.field.name == *kept) {
        found.block(
            Some(kept),
            "`keep_as` names a field that the target has already",
            "choose a name that no field has, or leave that field behind with `drop`",
        );
        return;
    }
    let field =
        Field { name: kept.clone(), primary_key: false, auto_id: false, partition_key: false, ..source_key.clone() };
    let origin = Some(Filled::Column(source_key.clone()));
    plan.fields.insert(at, Planned { field, origin, settings: FieldSettings::default() });
}

/// How rows of the source are known again on the target.
pub(super) struct Known {
    /// The field that holds the source's key unchanged.
    pub(super) identity: Option<Field>,
    pub(super) rewrite: Rewrite,
}

/// Finds the field that holds the source's key. A key whose type changed orders its rows otherwise, so ranges of the source's
/// keys mean nothing there.
pub(super) fn known(subject: &Subject<'_>, plan: &Plan, found: &mut Remarks) -> Known {
    let source_key = subject.source.primary_key();
    let holds = |planned: &&Planned| {
        let base = match &planned.origin {
            Some(Filled::Column(base)) => base,
            _ => return false,
        };
        source_key.is_some_and(|key| key.name == base.name && key.data_type == planned.field.data_type)
            && matches!(planned.settings.on_misfit, OnMisfit::Fail | OnMisfit::Quarantine)
            && !is_keyword(&planned.field.name)
    };
    let key = plan.fields.iter().find(|planned| planned.field.primary_key);
    let identity = key.filter(holds).or_else(|| plan.fields.iter().find(holds)).map(|planned| planned.field.clone());
    let made = key.is_some_and(|planned| planned.field.auto_id);
    let rewrite = match (made, &identity) {
        (false, _) => Rewrite::Upsert,
        (true, Some(_)) => Rewrite::Remove,
        (true, None) => Rewrite::StartOver,
    };
    if identity.is_none() && source_key.is_some() && key.is_some() {
        let mut message = "no field keeps the source's key: rows are proven as a whole and not one by one".to_owned();
        if rewrite == Rewrite::StartOver {
            message.push_str(", and a run that is stopped while it writes starts over");
        }
        let help = if made { "say `keep_as` to keep the old keys in a field" } else { "carry the old key as a field" };
        found.warnings.push(Remark::new(None, message).help(help));
    }
    Known { identity, rewrite }
}

fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name.to_lowercase().as_str())
}
