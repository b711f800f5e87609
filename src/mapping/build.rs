//! The operations that fill the target's fields, and the columns that must be read for them.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Nulls, Object, Operation, Sink, Take};
use super::convert::{self, Conversion};
use super::dynamic::Lift;
use super::fields::{Filled, Plan, Planned, Subject};
use super::{Remark, Remarks};
use crate::collection::{Capabilities, CollectionSchema, DYNAMIC_FIELD, DataType, DefaultValue, Field, FieldPath};
use crate::plan::resolved::{FieldSettings, OnMisfit, OnNull};

/// What an int8 number is of a float, where a plan does not say: vectors of length one fit.
const SCALE: f64 = 127.0;

/// What fills the target's fields, in their order.
pub(super) struct Built {
    pub(super) write: Vec<Field>,
    pub(super) operations: Vec<Operation>,
    pub(super) objects: Vec<Object>,
    pub(super) read: Vec<Field>,
    pub(super) origins: BTreeMap<String, String>,
}

/// Compiles the operations. `dynamic` is whether the target has a dynamic field.
pub(super) fn build(subject: &Subject<'_>, plan: &Plan, dynamic: bool, found: &mut Remarks) -> Built {
    let Subject { source, to, from, .. } = subject;
    let mut built = Built {
        write: Vec::new(),
        operations: Vec::new(),
        objects: Vec::new(),
        read: source.primary_key().cloned().into_iter().collect(),
        origins: BTreeMap::new(),
    };
    if source.dynamic_field || !plan.sinks.is_empty() {
        built.objects.push(Object {
            source: source.dynamic_field.then(|| DYNAMIC_FIELD.to_owned()),
            name: DYNAMIC_FIELD.to_owned(),
            lifts: Vec::new(),
            sinks: Vec::new(),
            declared: Vec::new(),
            kept: dynamic,
        });
    }
    let mut takes = Vec::new();
    for planned in &plan.fields {
        let Some(filled) = &planned.origin else {
            takes.push(None);
            continue;
        };
        let keep = planned.settings.keep;
        takes.push(Some(match filled {
            Filled::Column(field) => Take::Column(field.name.clone()),
            Filled::Path(path) => {
                let (object, lift) = lift(source, &mut built.objects, path, keep);
                Take::Lift(object, lift)
            }
            Filled::Value(value) => match convert::constant(value, &planned.field, to.length_unit, to.json_scalars) {
                Ok(array) => Take::Constant(array),
                Err(reason) => {
                    let help = "give a value of the field's type";
                    found.block(Some(&planned.field.name), format!("`value`: {reason}"), help);
                    takes.push(None);
                    continue;
                }
            },
            Filled::Partition => Take::Partition,
        }));
    }
    for (key, filled) in &plan.sinks {
        if plan.fields.iter().any(|planned| planned.field.name == *key) {
            found.block(
                Some(key),
                "the target has a field of this name, which a key of the dynamic field would hide behind or overwrite",
                "give the key another name, or leave the field behind with `drop`",
            );
        }
        let sink = match filled {
            Filled::Column(field) => Sink::Column(field.clone()),
            Filled::Path(path) => {
                let (object, lift) = lift(source, &mut built.objects, path, false);
                Sink::Lift(object, lift)
            }
            Filled::Value(value) => Sink::Constant(value.clone()),
            Filled::Partition => Sink::Partition,
        };
        let name = FieldPath { field: DYNAMIC_FIELD.to_owned(), keys: vec![key.clone()] }.to_string();
        built.origins.insert(name, filled.text());
        built.objects[0].sinks.push((key.clone(), sink));
    }
    if dynamic && let Some(object) = built.objects.first_mut().filter(|object| object.name == DYNAMIC_FIELD) {
        let new = plan.fields.iter().map(|planned| &planned.field.name);
        // A source keeps a key beside a field of the same name. Such a key may overwrite the field on the target, and a name
        // that is new there is refused by newer servers.
        let clashes = |name: &&String| to.dynamic_overwrites || source.field(name).is_none();
        object.declared = new.filter(clashes).cloned().collect();
    }
    for (planned, take) in plan.fields.iter().zip(takes) {
        let Some(take) = take else { continue };
        let take = match take {
            Take::Column(name) => {
                let changed = |object: &Object| {
                    object.source.as_ref() == Some(&name) && object.lifts.iter().any(|lift| !lift.keep)
                };
                match built.objects.iter().position(changed) {
                    Some(object) if planned.field.data_type == DataType::Json => Take::Object(object),
                    Some(_) => {
                        found.block(
                            Some(&planned.field.name),
                            "keys are lifted out of this JSON field and its type changes too, which cannot be done at once",
                            "say `keep: true` for the lifted keys, or keep the type JSON",
                        );
                        Take::Column(name)
                    }
                    None => Take::Column(name),
                }
            }
            take => take,
        };
        let text = planned.origin.as_ref().map(Filled::text).unwrap_or_default();
        if text != planned.field.name {
            built.origins.insert(planned.field.name.clone(), text);
        }
        built.operations.push(Operation {
            conversion: conversion(planned, &take, from.length_unit != to.length_unit, to),
            nulls: nulls(planned, to, found),
            on_misfit: planned.settings.on_misfit,
            take,
        });
        built.write.push(planned.field.clone());
    }
    if dynamic && let Some(object) = built.objects.first_mut().filter(|object| object.name == DYNAMIC_FIELD) {
        let plain = object.lifts.iter().all(|lift| lift.keep) && object.sinks.is_empty() && object.declared.is_empty();
        let take = if plain { Take::Column(DYNAMIC_FIELD.to_owned()) } else { Take::Object(0) };
        if object.source.is_some() || !object.sinks.is_empty() {
            built.operations.push(Operation { take, conversion: None, nulls: Nulls::Keep, on_misfit: OnMisfit::Fail });
            built.write.push(Field::dynamic());
        }
        // Carried as it is, so nothing has to be put together again.
        object.kept = !plain;
    } else if built.objects.first().is_some_and(|object| object.name == DYNAMIC_FIELD && object.source.is_none()) {
        found.block(None, "a key cannot sink into a dynamic field that is off", "say `dynamic_field: true`");
    }
    read(source, &mut built);
    built
}

/// The lift of a path, with the object that it lies in.
fn lift(source: &CollectionSchema, objects: &mut Vec<Object>, path: &FieldPath, keep: bool) -> (usize, usize) {
    let object = match objects.iter().position(|object| object.name == path.field) {
        Some(object) => object,
        None => {
            objects.push(Object {
                source: source.field(&path.field).map(|field| field.name.clone()),
                name: path.field.clone(),
                lifts: Vec::new(),
                sinks: Vec::new(),
                declared: Vec::new(),
                kept: true,
            });
            objects.len() - 1
        }
    };
    objects[object].lifts.push(Lift { keys: path.keys.clone(), keep });
    (object, objects[object].lifts.len() - 1)
}

/// How a column's values are converted; none where they are carried as they are.
fn conversion(planned: &Planned, take: &Take, other_unit: bool, to: &Capabilities) -> Option<Conversion> {
    let (Some(Filled::Column(base)), Take::Column(_)) = (&planned.origin, take) else { return None };
    let text = [base.data_type, base.element_type.unwrap_or(base.data_type)].contains(&DataType::VarChar);
    if planned.settings == FieldSettings::default() && !(other_unit && text) {
        return None;
    }
    Some(Conversion {
        from: base.clone(),
        to: planned.field.clone(),
        scale: planned.settings.scale.unwrap_or(SCALE),
        unit: to.length_unit,
        truncate: planned.settings.on_misfit == OnMisfit::Truncate,
        json_scalars: to.json_scalars,
    })
}

/// What becomes of nulls.
fn nulls(planned: &Planned, to: &Capabilities, found: &mut Remarks) -> Nulls {
    let (field, said) = (&planned.field, &planned.settings);
    let name = Some(field.name.as_str());
    let fill = |default: &DefaultValue, found: &mut Remarks| match convert::default_array(default, field) {
        Ok(array) => Nulls::Fill(array),
        Err(reason) => {
            found.block(name, format!("the default value cannot be used: {reason}"), "say another `default`");
            Nulls::Reject
        }
    };
    let may_be_null = match &planned.origin {
        Some(Filled::Column(base)) => base.nullable || said.on_misfit == OnMisfit::Null,
        Some(Filled::Path(_)) => true,
        _ => false,
    };
    match (said.on_null, &field.default) {
        (Some(OnNull::Keep), _) if !field.nullable => {
            found.block(name, "`on_null: keep` keeps nulls in a field that takes none", "say `nullable: true`");
            Nulls::Keep
        }
        (Some(OnNull::Keep), Some(_)) if to.null_takes_default => {
            let message = format!("`on_null: keep`: {} stores the default value for a null", to.server);
            found.block(name, message, "say `on_null: default`, or `default: null` to have no default value");
            Nulls::Keep
        }
        (Some(OnNull::Keep), _) => Nulls::Keep,
        (Some(OnNull::Default), Some(default)) => fill(default, found),
        (Some(OnNull::Default), None) => {
            found.block(name, "`on_null: default`, and the field has no default value", "say `default`");
            Nulls::Reject
        }
        (Some(OnNull::Reject), _) => Nulls::Reject,
        (None, None) if field.nullable => Nulls::Keep,
        (None, None) => Nulls::Reject,
        (None, Some(default)) if !field.nullable => fill(default, found),
        (None, Some(default)) => {
            let becomes = if to.null_takes_default { "become the default value" } else { "stay null" };
            if may_be_null {
                let message = format!("the field is nullable and has a default value: nulls of the source {becomes}");
                found.warnings.push(
                    Remark::new(name, message).help("say which is meant: `on_null: keep`, `default` or `reject`"),
                );
            }
            if to.null_takes_default { fill(default, found) } else { Nulls::Keep }
        }
    }
}

/// The columns that must be read: the key, and whatever an operation takes.
fn read(source: &CollectionSchema, built: &mut Built) {
    let mut wanted = BTreeSet::new();
    for operation in &built.operations {
        if let Take::Column(name) = &operation.take {
            wanted.insert(name.clone());
        }
    }
    for object in built.objects.iter().filter(|object| object.has_work()) {
        wanted.extend(object.source.clone());
        for (_, sink) in &object.sinks {
            if let Sink::Column(field) = sink {
                wanted.insert(field.name.clone());
            }
        }
    }
    let columns = source.columns();
    built.read.extend(columns.into_iter().filter(|field| !field.primary_key && wanted.contains(&field.name)));
}
