//! One line for each thing that happens to a collection, source beside target.

use super::{Entry, Line, Sign, Work};
use crate::collection::{CollectionSchema, Field, Function, Index, LiveCollection, LoadState};
use crate::mapping::Mapping;

/// The lines of an entry, from schema to load state.
pub fn lines(entry: &Entry) -> Vec<Line> {
    let (Some(source), Some(wanted)) = (&entry.seen.source, entry.wanted()) else {
        return Vec::new();
    };
    // What is new is held against the source, what exists against what it will be.
    let before = match entry.work {
        Work::Fill | Work::Refill => None,
        _ => entry.seen.target.as_ref(),
    };
    let mut lines = Vec::new();
    if !entry.seen.target_database_exists && before.is_none() {
        let database = entry.seen.to.database.clone();
        lines.push(Line {
            topic: "database".into(),
            name: database,
            sign: Sign::Add,
            before: None,
            after: Some("new".into()),
            reason: None,
        });
    }
    if entry.is_managed() && !matches!(entry.work, Work::None | Work::Touch) {
        lines.push(Line {
            topic: "engine".into(),
            name: String::new(),
            sign: Sign::Add,
            before: None,
            after: Some("moved by the migration service of Zilliz Cloud".into()),
            reason: Some(
                "which copies the schema as it is, makes AUTOINDEX on vector fields, and loads nothing".into(),
            ),
        });
    }
    let Some(mapping) = &entry.seen.mapping else { return lines };
    fields(&source.schema, mapping, before, &mut lines);
    whole(&source.schema, wanted, before, &mut lines);
    parts(entry, source, before, &mut lines);
    aliases(entry, &mut lines);
    load(entry, source, &mut lines);
    lines
}

/// Type and roles of a field in a few words.
pub fn field_text(field: &Field) -> String {
    let mut text = field.type_text();
    let mut add = |condition: bool, word: &str| {
        if condition {
            text.push(' ');
            text.push_str(word);
        }
    };
    add(field.primary_key, "primary key");
    add(field.auto_id, "auto-id");
    add(field.partition_key, "partition key");
    add(field.clustering_key, "clustering key");
    add(field.nullable, "nullable");
    add(field.function_output, "computed");
    if let Some(default) = &field.default {
        text.push_str(&format!(" default {default}"));
    }
    for (key, value) in &field.params {
        if !matches!(key.as_str(), "dim" | "max_length" | "max_capacity") {
            text.push_str(&format!(" {key}={value}"));
        }
    }
    text
}

fn fields(source: &CollectionSchema, mapping: &Mapping, before: Option<&LiveCollection>, lines: &mut Vec<Line>) {
    let wanted = &mapping.schema;
    for field in &wanted.fields {
        let after = field_text(field);
        let on_source = match mapping.origins.get(&field.name) {
            // Renamed, or taken from elsewhere.
            Some(origin) => {
                let text = source.field(origin).map(|field| format!(" {}", field_text(field)));
                Some(format!("{origin}{}", text.unwrap_or_default()))
            }
            None if field.auto_id => source.field(&field.name).map(field_text),
            None => mapping.carriers.iter().find(|(_, carrier)| **carrier == field.name).and_then(|(name, _)| {
                let text = field_text(source.field(name)?);
                Some(if *name == field.name { text } else { format!("{name} {text}") })
            }),
        };
        let existing = before.map(|live| live.schema.field(&field.name).map(field_text));
        let sign = match &existing {
            None => Sign::Add,
            Some(Some(text)) if *text == after => Sign::Same,
            Some(_) => Sign::Change,
        };
        lines.push(Line {
            topic: "field".into(),
            name: field.name.clone(),
            sign,
            before: on_source,
            after: Some(after),
            reason: None,
        });
    }
    for (name, origin) in mapping.origins.iter().filter(|(name, _)| wanted.field(name).is_none()) {
        lines.push(Line {
            topic: "dynamic key".into(),
            name: name.clone(),
            sign: if before.is_some() { Sign::Same } else { Sign::Add },
            before: Some(origin.clone()),
            after: Some("a key of the dynamic field".to_owned()),
            reason: None,
        });
    }
    let lives_on =
        |name: &String| mapping.carriers.contains_key(name) || mapping.origins.values().any(|origin| origin == name);
    for field in source.fields.iter().filter(|field| !lives_on(&field.name)) {
        lines.push(Line {
            topic: "field".into(),
            name: field.name.clone(),
            sign: Sign::Remove,
            before: Some(field_text(field)),
            after: None,
            reason: Some(if field.primary_key && wanted.primary_key().is_some_and(|key| key.auto_id) {
                "the server makes new keys".into()
            } else {
                "dropped by the plan".into()
            }),
        });
    }
}

fn whole(source: &CollectionSchema, wanted: &CollectionSchema, before: Option<&LiveCollection>, lines: &mut Vec<Line>) {
    let live = before.map(|live| &live.schema);
    let mut push = |topic: &'static str, from: String, to: String, existing: Option<String>| {
        let sign = match existing {
            None => Sign::Add,
            Some(existing) if existing == to => Sign::Same,
            Some(_) => Sign::Change,
        };
        lines.push(Line {
            topic: topic.into(),
            name: String::new(),
            sign,
            before: Some(from),
            after: Some(to),
            reason: None,
        });
    };
    let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
    push(
        "dynamic field",
        on_off(source.dynamic_field),
        on_off(wanted.dynamic_field),
        live.map(|live| on_off(live.dynamic_field)),
    );
    let shards = |schema: &CollectionSchema| schema.shards.to_string();
    push("shards", shards(source), shards(wanted), live.map(shards));
    let level = |schema: &CollectionSchema| {
        schema.consistency.map_or_else(|| "server default".to_owned(), |level| level.to_string())
    };
    push("consistency", level(source), level(wanted), live.map(level));
    let quoted = |schema: &CollectionSchema| format!("{:?}", schema.description);
    if !source.description.is_empty() || !wanted.description.is_empty() {
        push("description", quoted(source), quoted(wanted), live.map(quoted));
    }
    let behind = |schema: &CollectionSchema| {
        schema.key_partitions.map_or_else(|| "server default".to_owned(), |n| n.to_string())
    };
    if wanted.has_partition_key() || source.has_partition_key() {
        push("partitions of the key", behind(source), behind(wanted), live.map(behind));
    }
    for (key, value) in &wanted.properties {
        let sign = match live {
            None => Sign::Add,
            Some(live) if live.properties.get(key) == Some(value) => Sign::Same,
            Some(_) => Sign::Change,
        };
        lines.push(Line {
            topic: "property".into(),
            name: key.clone(),
            sign,
            before: source.properties.get(key).cloned(),
            after: Some(value.clone()),
            reason: None,
        });
    }
    let words = |function: &Function| {
        format!("{} {} → {}", function.kind, function.inputs.join(", "), function.outputs.join(", "))
    };
    for function in &wanted.functions {
        let text = words(function);
        let same = live.is_some_and(|live| live.functions.iter().any(|have| have.name == function.name));
        let sign = if same { Sign::Same } else { Sign::Add };
        lines.push(Line {
            topic: "function".into(),
            name: function.name.clone(),
            sign,
            before: source.functions.iter().find(|have| have.name == function.name).map(words),
            after: Some(text),
            reason: None,
        });
    }
    for function in source.functions.iter().filter(|have| !wanted.functions.iter().any(|kept| kept.name == have.name)) {
        lines.push(Line {
            topic: "function".into(),
            name: function.name.clone(),
            sign: Sign::Remove,
            before: Some(words(function)),
            after: None,
            reason: Some("dropped by the plan".into()),
        });
    }
}

fn parts(entry: &Entry, source: &LiveCollection, before: Option<&LiveCollection>, lines: &mut Vec<Line>) {
    let Some(mapping) = &entry.seen.mapping else { return };
    if mapping.partitions.len() > 1 {
        for name in &mapping.partitions {
            let sign = if before.is_some_and(|live| live.partitions.contains(name)) { Sign::Same } else { Sign::Add };
            let from =
                mapping.routes.iter().find(|route| route.to.as_ref() == Some(name)).map(|route| route.from.join(", "));
            let on_source = from.or_else(|| source.partitions.contains(name).then(|| name.clone()));
            lines.push(Line {
                topic: "partition".into(),
                name: name.clone(),
                sign,
                before: on_source,
                after: Some(name.clone()),
                reason: None,
            });
        }
    }
    let carried = |index: &Index| mapping.carriers.get(&index.field);
    for index in &mapping.indexes {
        let live = before.and_then(|live| live.indexes.iter().find(|have| have.field == index.field));
        let (sign, reason) = match live {
            None => (Sign::Add, None),
            Some(have) if have.params == index.params => (Sign::Same, None),
            Some(_) => (Sign::Same, Some("another index is there, and is left alone".to_owned())),
        };
        lines.push(Line {
            topic: "index".into(),
            name: index.field.clone(),
            sign,
            before: source.indexes.iter().find(|have| carried(have) == Some(&index.field)).map(Index::text),
            after: Some(live.unwrap_or(index).text()),
            reason,
        });
    }
    let kept = |index: &Index| mapping.indexes.iter().any(|have| Some(&have.field) == carried(index));
    for index in source.indexes.iter().filter(|index| !kept(index)) {
        lines.push(Line {
            topic: "index".into(),
            name: index.field.clone(),
            sign: Sign::Remove,
            before: Some(index.text()),
            after: None,
            reason: Some("not carried".into()),
        });
    }
}

fn aliases(entry: &Entry, lines: &mut Vec<Line>) {
    for (alias, now) in &entry.seen.aliases {
        let there = now.as_ref() == Some(&entry.seen.to.collection);
        lines.push(Line {
            topic: "alias".into(),
            name: alias.clone(),
            sign: match now {
                None => Sign::Add,
                Some(_) if there => Sign::Same,
                Some(_) => Sign::Change,
            },
            before: now.clone(),
            after: Some(entry.seen.to.collection.clone()),
            reason: (!there).then(|| "once every row is verified".to_owned()),
        });
    }
}

fn load(entry: &Entry, source: &LiveCollection, lines: &mut Vec<Line>) {
    let passing = |name: &str, reason: &str| Line {
        topic: "load".into(),
        name: name.into(),
        sign: Sign::Passing,
        before: None,
        after: None,
        reason: Some(reason.into()),
    };
    if matches!(entry.work, Work::None | Work::Touch) && !entry.seen.settings.load {
        return;
    }
    if source.load_state != LoadState::Loaded && entry.is_managed() && entry.work != Work::Touch {
        lines.push(passing("source", "loaded for the verification and released again"));
    } else if source.load_state == LoadState::NotLoaded && entry.work != Work::Touch {
        lines.push(passing("source", "loaded for the copy and released again"));
    } else if source.load_state == LoadState::Loading && entry.work != Work::Touch {
        lines.push(passing("source", "loaded whole for the copy; partitions that were not loaded are released again"));
    }
    let was = entry.seen.target.as_ref().map_or(LoadState::NotLoaded, |target| target.load_state);
    if entry.seen.settings.load {
        let sign = if was == LoadState::Loaded && entry.work != Work::Refill { Sign::Same } else { Sign::Add };
        lines.push(Line {
            topic: "load".into(),
            name: "target".into(),
            sign,
            before: Some(was.to_string()),
            after: Some("loaded".into()),
            reason: None,
        });
    } else if was != LoadState::Loaded || entry.work == Work::Refill {
        lines.push(passing("target", "loaded for the verification and released again"));
    }
    let bare = entry.seen.mapping.as_ref().is_some_and(|mapping| mapping.indexes.is_empty());
    if bare && entry.seen.target_load_needs_index && matches!(entry.work, Work::Fill | Work::Refill | Work::Resume) {
        lines.push(passing(
            "target",
            "an index is made for the verification and dropped again, because without one it cannot be loaded",
        ));
    }
}
