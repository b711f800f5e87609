//! What the schema can't say about a collection besides its fields: what is dropped and filtered, partitions, properties,
//! aliases and the load state.

use std::collections::HashSet;

use super::super::explain::short;
use super::super::model::{CollectionSpec, OnExistingSpec};
use super::super::names;
use super::super::report::Report;
use super::super::shape_spec::{IndexesSpec, PartitionsBody, PartitionsSpec};
use super::super::tree::{Path, child};
use super::{fields, together};
use crate::diagnostic::Code;

/// What a collection looks like on arrival.
pub(super) fn check(report: &mut Report<'_>, at: &Path, collection: &CollectionSpec) {
    check_drop(report, at, collection);
    if collection.filter.as_ref().is_some_and(|filter| filter.trim().is_empty()) {
        report.value(
            Code::EmptyFilter,
            &child(at, "where"),
            "the filter is empty",
            "leave `where` out to copy every row",
        );
    }
    if collection.load == Some(true) && matches!(collection.indexes, Some(IndexesSpec::None)) {
        report.key(
            Code::LoadWithoutIndex,
            &child(at, "load"),
            "a collection can't be loaded without indexes",
            "set `indexes: auto` or `copy`, or leave `load` out",
        );
    }
    if collection.prune == Some(true) && !matches!(collection.on_existing, Some(OnExistingSpec::Converge)) {
        report.key(
            Code::PruneWithoutConverge,
            &child(at, "prune"),
            "`prune` removes rows from a target that converges, and this one does not",
            "say `on_existing: converge`, or take `prune` out",
        );
    }
    let entries = fields::check(report, at, collection);
    together::check(report, at, collection, &entries);
    if let Some(PartitionsSpec::Body(partitions)) = &collection.partitions {
        let key = entries.iter().find(|entry| entry.spec.partition_key == Some(true)).map(|entry| entry.name);
        check_partitions(report, &child(at, "partitions"), partitions, key);
    }
    for name in collection.properties.iter().flatten().map(|(name, _)| name) {
        if name.trim().is_empty() {
            let at = child(&child(at, "properties"), name);
            report.key(Code::EmptyName, &at, "the name is empty or blank", "write a name, or remove the key");
        }
    }
    if let Some(aliases) = &collection.aliases {
        check_aliases(report, at, collection, aliases);
    }
}

fn check_drop(report: &mut Report<'_>, at: &Path, collection: &CollectionSpec) {
    let mut dropped = HashSet::new();
    for (index, field) in collection.drop.iter().flatten().enumerate() {
        let at = child(&child(at, "drop"), index);
        if names::check_blank(report, &at, field) {
            continue;
        }
        if field == "$meta" {
            report.value(
                Code::DropsSystemField,
                &at,
                "`$meta` is no field of the schema",
                "set `dynamic_field: false` to leave all dynamic fields behind",
            );
        } else if !dropped.insert(field) {
            report.value(
                Code::DroppedTwice,
                &at,
                format!("`{}` is dropped twice", short(field)),
                "remove one, or name the field that was meant",
            );
        }
    }
}

fn check_partitions(report: &mut Report<'_>, at: &Path, partitions: &PartitionsBody, key: Option<&str>) {
    for (index, name) in partitions.only.iter().flatten().enumerate() {
        names::check_blank(report, &child(&child(at, "only"), index), name);
    }
    let Some(rename) = &partitions.rename else {
        return;
    };
    let at_rename = child(at, "rename");
    if let Some(key) = key {
        report.key(
            Code::RenameBesidePartitionKey,
            &at_rename,
            format!("with `{}` as the partition key the target has no partitions that could have names", short(key)),
            "remove `rename`, or `partition_key`",
        );
    }
    let only: Option<HashSet<&String>> = partitions.only.as_ref().map(|only| only.iter().collect());
    // Where an invalid name was taken out of the list, it may be the very one that seems to be missing.
    let only = only.filter(|_| !report.document.root.find(&child(at, "only")).is_some_and(|node| node.damaged));
    for (old, new) in rename {
        let at = child(&at_rename, old);
        if old.trim().is_empty() {
            report.key(Code::EmptyName, &at, "the name is empty or blank", "write a name, or remove the key");
        } else if only.as_ref().is_some_and(|only| !only.contains(old)) {
            report.key(
                Code::RenameOutsideOnly,
                &at,
                format!("`{}` is not among the partitions under `only`, so its rows are not copied", short(old)),
                "add it to `only`, or remove the new name",
            );
        }
        if !names::check_blank(report, &at, new) && !names::is_milvus_name(new) {
            report.value(
                Code::BadPartitionName,
                &at,
                format!("Milvus would not create a partition named `{}`", short(new)),
                names::NAME_HELP,
            );
        }
    }
}

/// Aliases of one entry. Those of several are compared in `targets`.
fn check_aliases(report: &mut Report<'_>, at: &Path, collection: &CollectionSpec, aliases: &[String]) {
    let at_aliases = child(at, "aliases");
    if collection.pattern.is_some() && !aliases.is_empty() {
        report.key(
            Code::AliasWithMatch,
            &at_aliases,
            "an alias points to one collection, and `match` may select many",
            "give the collection an entry of its own with `source`",
        );
        return;
    }
    let target = collection.target.as_ref().or(collection.source.as_ref());
    let mut seen = HashSet::new();
    for (index, alias) in aliases.iter().enumerate() {
        let at = child(&at_aliases, index);
        if names::check_blank(report, &at, alias) {
            continue;
        }
        if !names::is_milvus_name(alias) {
            let message = format!("Milvus does not accept the alias `{}`", short(alias));
            report.value(Code::BadAlias, &at, message, names::NAME_HELP);
        } else if target == Some(alias) {
            let message = format!("`{}` is the name of the target itself", short(alias));
            report.value(Code::AliasTwice, &at, message, "choose another name; the target has its own already");
        } else if !seen.insert(alias) {
            report.value(Code::AliasTwice, &at, format!("`{}` is there twice", short(alias)), "remove one of the two");
        }
    }
}
