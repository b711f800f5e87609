//! From the plan as written to the plan as the rest of vecferry reads it: defaults filled in, references followed.

use std::path::Path as FilePath;

use super::cloud;
use super::cloud_spec::{EngineSpec, ProfileSpec};
use super::connection;
use super::model::{CollectionSpec, EndpointSpec, MigrationSpec, PlanFile, VerifySpec};
use super::resolve_shape;
use super::resolved::{Endpoint, Engine, Migration, ResolvedPlan, Select, Selection};
use super::rules::migration_name;
use super::settings::{self, SettingsFileRead};
use super::tree::{Document, Path, child, steps};
use super::values::DatabaseSpec;

/// The database that every Milvus has.
const DEFAULT_DATABASE: &str = "default";

/// A plan resolved as far as it goes.
pub(crate) struct Resolved {
    /// The plan. Migrations over endpoints with errors are left out.
    pub(crate) plan: ResolvedPlan,
    /// The place of each migration in the file, for messages about it.
    pub(crate) places: Vec<Path>,
}

/// Resolves a plan. Where it has errors the result is only good for looking for more of them.
pub(crate) fn resolve(
    file: &FilePath,
    document: &Document,
    plan: &PlanFile,
    machine: Option<&SettingsFileRead>,
) -> Resolved {
    let folder = settings::folder_of(file);
    let mut resolved = Resolved {
        plan: ResolvedPlan {
            file: file.to_owned(),
            name: plan.name.clone().unwrap_or_else(|| stem(file)),
            migrations: Vec::new(),
        },
        places: Vec::new(),
    };
    let resolver = Resolver { document, folder: &folder, machine };
    for (index, migration) in plan.migrations.iter().enumerate() {
        let at = steps!["migrations", index];
        if let Some(migration) = resolver.migration(plan, &at, migration) {
            resolved.plan.migrations.push(migration);
            resolved.places.push(at);
        }
    }
    resolved
}

fn stem(file: &FilePath) -> String {
    let stem = file.file_stem().unwrap_or(file.as_os_str());
    stem.to_string_lossy().into_owned()
}

struct Resolver<'a> {
    document: &'a Document,
    folder: &'a FilePath,
    machine: Option<&'a SettingsFileRead>,
}

impl Resolver<'_> {
    fn migration(&self, plan: &PlanFile, at: &Path, migration: &MigrationSpec) -> Option<Migration> {
        let from = plan.sources.get(&migration.from)?;
        let to = plan.targets.get(&migration.to)?;
        let (source, source_default) = self.endpoint("sources", &migration.from, from)?;
        let (target, target_default) = self.endpoint("targets", &migration.to, to)?;
        let (wanted_source, wanted_target) = match &migration.database {
            Some(DatabaseSpec::Both(name)) => (Some(name.clone()), Some(name.clone())),
            Some(DatabaseSpec::Each { from, to }) => (from.clone(), to.clone()),
            None => (None, None),
        };
        let source_database = wanted_source.or(source_default).unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        let target_database = wanted_target.or(target_default).unwrap_or_else(|| source_database.clone());
        let selections = migration
            .collections
            .iter()
            .enumerate()
            .map(|(index, collection)| {
                let at = child(&child(at, "collections"), index);
                self.selection(&at, collection, migration.verify)
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Migration {
            name: migration_name(migration),
            source,
            target,
            source_database,
            target_database,
            selections,
            limits: settings::limits(migration.limits.as_ref(), self.machine.and_then(SettingsFileRead::limits)),
            engine: match migration.engine {
                Some(EngineSpec::ZillizCloud) => Engine::ZillizCloud,
                Some(EngineSpec::Direct) | None => Engine::Direct,
            },
        })
    }

    /// The endpoint and its own database.
    fn endpoint(&self, kind: &str, name: &str, spec: &EndpointSpec) -> Option<(Endpoint, Option<String>)> {
        let span = self.document.key_span(&steps![kind, name]);
        match (&spec.milvus, &spec.zilliz_cloud, &spec.profile) {
            (Some(milvus), None, None) => {
                let endpoint = connection::resolve(name, milvus, self.folder, span)?;
                Some((endpoint, milvus.database.clone()))
            }
            (None, Some(cluster), None) => {
                let endpoint = cloud::resolve(name, cluster, self.folder, span)?;
                Some((endpoint, cluster.database.clone()))
            }
            (None, None, Some(profile)) => {
                let machine = self.machine?;
                match machine.profile(profile)? {
                    ProfileSpec::Milvus(milvus) => {
                        let endpoint = connection::resolve(name, milvus, &machine.folder(), span)?;
                        Some((endpoint, milvus.database.clone()))
                    }
                    ProfileSpec::Cloud(profile) => {
                        let cluster = &profile.zilliz_cloud;
                        let endpoint = cloud::resolve(name, cluster, &machine.folder(), span)?;
                        Some((endpoint, cluster.database.clone()))
                    }
                }
            }
            _ => None,
        }
    }

    fn selection(&self, at: &Path, spec: &CollectionSpec, verify: Option<VerifySpec>) -> Option<Selection> {
        let (select, key) = match (&spec.source, &spec.pattern) {
            (Some(source), None) => {
                let target = spec.target.as_ref().unwrap_or(source).clone();
                let source = source.clone();
                (Select::Name { source, target }, "source")
            }
            (None, Some(pattern)) => {
                let pattern = pattern.clone();
                let exclude = spec.exclude.clone().unwrap_or_default();
                (Select::Glob { pattern, exclude }, "match")
            }
            _ => return None,
        };
        let settings = resolve_shape::settings(spec, verify);
        Some(Selection { select, settings, span: self.document.span(&child(at, key)) })
    }
}
