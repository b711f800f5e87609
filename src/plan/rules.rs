//! What the schema can't say about one plan file. Rules across entries and files are in `targets`.

mod clouds;
mod collection;
mod fields;
mod fits;
mod together;

use std::collections::{HashMap, HashSet};

use globset::Glob;

use super::cloud;
use super::connection;
use super::explain::short;
use super::model::{CollectionSpec, EndpointSpec, MigrationSpec, PlanFile};
use super::names;
use super::report::Report;
use super::settings::SettingsFileRead;
use super::suggest::{did_you_mean, list};
use super::tree::{Document, Path, child, steps};
use super::values::DatabaseSpec;
use crate::diagnostic::{Code, Diagnostic};

/// What the rules look at.
pub(crate) struct Subject<'a> {
    /// The tree without its invalid parts, which the model was read from.
    pub(crate) document: &'a Document,
    /// The tree as the file has it.
    pub(crate) whole: &'a Document,
    /// The plan.
    pub(crate) plan: &'a PlanFile,
    /// The `vecferry.toml` that applies.
    pub(crate) settings: Option<&'a SettingsFileRead>,
}

/// Applies the rules to one plan.
pub(crate) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut report = Report::new(subject.document);
    let plan = subject.plan;
    if let Some(name) = &plan.name {
        names::check_blank(&mut report, &steps!["name"], name);
    }
    for (kind, endpoints) in [("sources", &plan.sources), ("targets", &plan.targets)] {
        for (name, endpoint) in endpoints {
            check_endpoint(&mut report, subject, &steps![kind, name], endpoint);
        }
    }
    for (index, migration) in plan.migrations.iter().enumerate() {
        check_migration(&mut report, subject, &steps!["migrations", index], migration);
    }
    clouds::check(&mut report, subject);
    check_migration_names(&mut report, plan);
    check_unused(&mut report, subject);
    report.finish()
}

fn check_endpoint(report: &mut Report<'_>, subject: &Subject<'_>, at: &Path, endpoint: &EndpointSpec) {
    if let Some(milvus) = &endpoint.milvus {
        connection::check(report, &child(at, "milvus"), milvus);
    }
    if let Some(zilliz_cloud) = &endpoint.zilliz_cloud {
        cloud::check(report, &child(at, "zilliz_cloud"), zilliz_cloud);
    }
    let Some(profile) = &endpoint.profile else {
        return;
    };
    let at = child(at, "profile");
    if names::check_blank(report, &at, profile) {
        return;
    }
    let Some(settings) = subject.settings else {
        report.value(
            Code::NoSettingsFile,
            &at,
            "there is no vecferry.toml for this profile to be in",
            &format!("make a vecferry.toml beside the plan with [profiles.{}]", short(profile)),
        );
        return;
    };
    let known = settings.profile_names();
    if !known.contains(profile) {
        let help = match did_you_mean(profile, &known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the profiles there are {}", list(&known, "and")),
        };
        report.value(
            Code::UnknownProfile,
            &at,
            format!("`{}` has no profile `{}`", settings.document.source.name, short(profile)),
            &help,
        );
    }
}

fn check_migration(report: &mut Report<'_>, subject: &Subject<'_>, at: &Path, migration: &MigrationSpec) {
    if let Some(name) = &migration.name {
        names::check_blank(report, &child(at, "name"), name);
    }
    for (key, kind, name) in [("from", "sources", &migration.from), ("to", "targets", &migration.to)] {
        check_reference(report, subject, &child(at, key), kind, name);
    }
    let database = child(at, "database");
    match &migration.database {
        Some(DatabaseSpec::Both(name)) => names::check_database(report, &database, name),
        Some(DatabaseSpec::Each { from, to }) => {
            for (key, name) in [("from", from), ("to", to)] {
                if let Some(name) = name {
                    names::check_database(report, &child(&database, key), name);
                }
            }
        }
        None => {}
    }
    for (index, spec) in migration.collections.iter().enumerate() {
        let at = child(&child(at, "collections"), index);
        check_selection(report, &at, spec);
        collection::check(report, &at, spec);
    }
}

fn check_reference(report: &mut Report<'_>, subject: &Subject<'_>, at: &Path, kind: &str, name: &str) {
    // In the whole file, because an endpoint with a mistake in it is declared all the same.
    if subject.whole.root.find(&steps![kind, name]).is_some() || report.is_full() {
        return;
    }
    let declared = keys(subject.whole, kind);
    let other = if kind == "sources" { "targets" } else { "sources" };
    let help = if keys(subject.whole, other).iter().any(|key| key == name) {
        format!("`{}` is one of the {other}; declare it under `{kind}` too", short(name))
    } else if let Some(name) = did_you_mean(name, &declared) {
        format!("did you mean `{name}`?")
    } else {
        format!("the {kind} are {}", list(&declared, "and"))
    };
    report.value(Code::UnknownEndpoint, at, format!("`{}` is not declared under `{kind}`", short(name)), &help);
}

/// Which collections an entry means.
fn check_selection(report: &mut Report<'_>, at: &Path, collection: &CollectionSpec) {
    let target = child(at, "target");
    if let Some(source) = &collection.source {
        let at_source = child(at, "source");
        if !names::check_blank(report, &at_source, source) && !names::is_milvus_name(source) {
            if collection.target.is_some() {
                report.value(
                    Code::OddCollectionName,
                    &at_source,
                    format!("`{}` is an unusual collection name", short(source)),
                    names::NAME_HELP,
                );
            } else {
                report.value(
                    Code::BadCollectionName,
                    &at_source,
                    format!("Milvus would not create a collection named `{}`", short(source)),
                    "give the target another name with `target`",
                );
            }
        }
        if collection.exclude.is_some() {
            report.key(
                Code::ExcludeWithoutMatch,
                &child(at, "exclude"),
                "`exclude` goes with `match`, and this entry has `source`",
                "remove it, or select with `match`",
            );
        }
    }
    if let Some(name) = &collection.target {
        if collection.pattern.is_some() {
            report.key(
                Code::TargetWithMatch,
                &target,
                "`target` goes with `source`, and this entry has `match`",
                "remove it; collections that a pattern selects keep their names",
            );
        } else if !names::check_blank(report, &target, name) && !names::is_milvus_name(name) {
            report.value(
                Code::BadCollectionName,
                &target,
                format!("Milvus would not create a collection named `{}`", short(name)),
                names::NAME_HELP,
            );
        }
    }
    if let Some(pattern) = &collection.pattern {
        check_patterns(report, at, pattern, collection.exclude.as_deref().unwrap_or(&[]));
    }
}

fn check_patterns(report: &mut Report<'_>, at: &Path, pattern: &str, exclude: &[String]) {
    let at_match = child(at, "match");
    let readable = check_glob(report, &at_match, pattern);
    if readable && !pattern.contains(['*', '?', '[', '{']) {
        report.value(
            Code::MatchWithoutWildcard,
            &at_match,
            format!("`{}` has no wildcard, so it selects one collection at most", short(pattern)),
            &format!("write `source: {}`, or add a `*`", short(pattern)),
        );
    }
    for (index, excluded) in exclude.iter().enumerate() {
        let at = child(&child(at, "exclude"), index);
        if check_glob(report, &at, excluded) && (excluded == "*" || excluded == pattern) {
            report.value(
                Code::NothingSelected,
                &at,
                "this leaves out everything that `match` selects",
                "narrow it, or remove the entry",
            );
        }
    }
}

fn check_glob(report: &mut Report<'_>, at: &Path, pattern: &str) -> bool {
    if names::check_blank(report, at, pattern) {
        return false;
    }
    match Glob::new(pattern) {
        Ok(_) => true,
        Err(error) => {
            report.value(
                Code::BadGlob,
                at,
                format!("the pattern can't be read: {}", error.kind()),
                "patterns are made of `*`, `?`, `[a-z]` and `{a,b}`",
            );
            false
        }
    }
}

/// `name:`, or what stands for it.
pub(crate) fn migration_name(migration: &MigrationSpec) -> String {
    migration.name.clone().unwrap_or_else(|| format!("{}-to-{}", migration.from, migration.to))
}

fn check_migration_names(report: &mut Report<'_>, plan: &PlanFile) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (index, migration) in plan.migrations.iter().enumerate() {
        let name = migration_name(migration);
        let Some(first) = seen.get(&name) else {
            seen.insert(name, index);
            continue;
        };
        let at = steps!["migrations", index];
        let first = report.document.span(&steps!["migrations", *first]).start().line;
        let message = format!("another migration is named `{}`, in line {first}", short(&name));
        if migration.name.is_some() {
            let at = child(&at, "name");
            report.value(Code::DuplicateMigrationName, &at, message, "choose another `name`");
        } else {
            let help = "give one of them a `name`; without it, it is `<from>-to-<to>`";
            report.key(Code::DuplicateMigrationName, &child(&at, "from"), message, help);
        }
    }
}

fn check_unused(report: &mut Report<'_>, subject: &Subject<'_>) {
    // In the whole file, because a migration with a mistake in it uses its endpoints all the same.
    let used = |key: &str| -> HashSet<String> {
        let migrations = match subject.whole.root.find(&steps!["migrations"]).map(|node| &node.kind) {
            Some(super::tree::Kind::List(migrations)) => migrations.as_slice(),
            _ => &[],
        };
        migrations.iter().filter_map(|migration| migration.text(&steps![key])).map(str::to_owned).collect()
    };
    let damaged = subject.document.root.find(&steps!["migrations"]).is_some_and(|node| node.damaged);
    if damaged {
        return;
    }
    for (key, kind) in [("from", "sources"), ("to", "targets")] {
        let used = used(key);
        // A migration that names none of them probably means one of them.
        let declared = keys(subject.whole, kind);
        let declared: HashSet<&String> = declared.iter().collect();
        if !used.iter().all(|name| declared.contains(name)) {
            continue;
        }
        for name in keys(subject.document, kind) {
            if !used.contains(&name) {
                report.key(
                    Code::UnusedEndpoint,
                    &steps![kind, &name],
                    format!("no migration uses `{}`", short(&name)),
                    "remove it, or check `from` and `to` of the migrations",
                );
            }
        }
    }
}

fn keys(document: &Document, kind: &str) -> Vec<String> {
    match document.root.find(&steps![kind]).map(|node| &node.kind) {
        Some(super::tree::Kind::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    }
}
