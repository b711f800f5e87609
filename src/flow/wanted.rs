//! The collections that plans mean, once patterns are replaced by names, and what tells one meaning from another.

use std::collections::HashMap;

use globset::{Glob, GlobSetBuilder};
use sha2::{Digest, Sha256};

use super::cloud::Clouds;
use super::{FlowError, Selecting};
use crate::cluster::ReadSide;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::diff::Place;
use crate::plan::resolved::{
    CloudCluster, Endpoint, Engine, Migration, PrimaryKey, Select, Selection, Settings, Tier, Units, WhichCluster,
};

/// Version of what goes into the hash of a plan's entry. Raised when the same words come to mean other rows.
const HASH_VERSION: &str = "p1";

/// One collection that a plan means, once patterns are replaced by names.
pub(super) struct Wanted {
    pub(super) stage: usize,
    pub(super) address: String,
    pub(super) from: Place,
    pub(super) to: Place,
    /// The target by the name that it has before its cluster is made, where the plan has it made.
    pub(super) planned_to: Place,
    /// Why its cluster cannot be made, if it cannot.
    pub(super) no_cluster: Option<String>,
    pub(super) settings: Settings,
    pub(super) engine: Engine,
    /// Kinds of cluster of the source and of the target.
    pub(super) tiers: (Tier, Tier),
    /// Compute units of the target.
    pub(super) units: Option<Units>,
}

impl Wanted {
    /// The entry of a plan that names it alone.
    pub(super) fn selection(&self, span: &Span) -> Selection {
        let select = Select::Name { source: self.from.collection.clone(), target: self.to.collection.clone() };
        Selection { select, settings: self.settings.clone(), span: span.clone() }
    }
}

/// The collections that a migration means.
pub(super) async fn expand(
    migration: &Migration,
    source: &dyn ReadSide,
    stage: usize,
    clouds: &Clouds,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<(Wanted, Span)>, FlowError> {
    let mut names: Option<Vec<String>> = None;
    let mut wanted = Vec::new();
    for selection in &migration.selections {
        let pairs = match &selection.select {
            Select::Name { source, target } => vec![(source.clone(), target.clone())],
            Select::Glob { pattern, exclude } => {
                let all = match &names {
                    Some(names) => names.clone(),
                    None => names.insert(source.collections(&migration.source_database).await?).clone(),
                };
                let found = matching(&all, pattern, exclude);
                if found.is_empty() {
                    let message =
                        format!("`{pattern}` matches no collection of database `{}`", migration.source_database);
                    warnings.push(Diagnostic::new(Code::NothingMatches, message).at(selection.span.clone()));
                }
                found.into_iter().map(|name| (name.clone(), name)).collect()
            }
        };
        for (from, to) in pairs {
            let place = |uri: &str, database: &str, collection: String| Place {
                uri: uri.to_owned(),
                database: database.to_owned(),
                collection,
            };
            let to = place(&migration.target.uri, &migration.target_database, to);
            let want = Wanted {
                stage,
                address: format!("{}.{to}", migration.name),
                from: place(&migration.source.uri, &migration.source_database, from),
                planned_to: Place { uri: planned_uri(&migration.target), ..to.clone() },
                to,
                no_cluster: clouds.blocked(&migration.target),
                settings: selection.settings.clone(),
                engine: migration.engine,
                tiers: (migration.source.tier, migration.target.tier),
                units: migration.target.units,
            };
            wanted.push((want, selection.span.clone()));
        }
    }
    Ok(wanted)
}

/// Where a plan writes, by a name that stays the same when the cluster is made.
fn planned_uri(target: &Endpoint) -> String {
    match &target.cloud {
        Some(cloud @ CloudCluster { which: WhichCluster::Make(_), .. }) => cloud.placeholder(),
        _ => target.uri.clone(),
    }
}

/// Names that a pattern means. The plan's rules have already refused patterns that cannot be read.
fn matching(names: &[String], pattern: &str, exclude: &[String]) -> Vec<String> {
    let set = |patterns: &[String]| {
        let mut set = GlobSetBuilder::new();
        patterns.iter().filter_map(|pattern| Glob::new(pattern).ok()).for_each(|glob| {
            set.add(glob);
        });
        set.build().unwrap_or_default()
    };
    let (wanted, unwanted) = (set(&[pattern.to_owned()]), set(exclude));
    names.iter().filter(|name| wanted.is_match(name) && !unwanted.is_match(name)).cloned().collect()
}

/// Two entries may not write to one collection, and none to its own source. Plans are checked for names; here patterns have
/// become names too.
pub(super) fn refuse_shared_targets(wanted: &[(Wanted, Span)]) -> Result<(), FlowError> {
    let mut seen: HashMap<&Place, &str> = HashMap::new();
    let mut problems = Vec::new();
    for (want, span) in wanted {
        if let Some(other) = seen.insert(&want.to, &want.address) {
            let message = format!("`{}` is the target of two entries, also of {other}", want.to);
            problems.push(
                Diagnostic::new(Code::SameTargetTwice, message)
                    .at(span.clone())
                    .about(&want.address)
                    .help("leave it out of the pattern with `exclude`, or give one of them another `target`"),
            );
        }
        if want.from == want.to {
            let message = format!("`{}` would be copied onto itself", want.from);
            problems.push(
                Diagnostic::new(Code::SameTargetTwice, message).at(span.clone()).help("give it another `target`"),
            );
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(FlowError::Invalid(problems)) }
}

/// A pattern that takes nothing is a slip of its writer, and leaving all of a plan undone for it would look like success.
pub(super) fn refuse_idle(selecting: &Selecting, addresses: Vec<String>) -> Result<(), FlowError> {
    let idle = selecting.idle(&addresses).into_iter().map(str::to_owned).collect::<Vec<_>>();
    if idle.is_empty() { Ok(()) } else { Err(FlowError::NothingSelected { idle, addresses }) }
}

/// Hash of everything that decides which rows arrive in which shape. Comments, the order of keys, limits, the level of
/// verification, indexes, properties, aliases, descriptions, the load state and what to do where the target exists do not
/// count: they can change without making other rows.
pub(super) fn plan_hash(from: &Place, to: &Place, settings: &Settings) -> String {
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
        indexes: _,
        properties: _,
        consistency: _,
        description: _,
        aliases: _,
        load: _,
        on_existing: _,
        prune: _,
        verify: _,
        live_source: _,
    } = settings;
    let mut drop = drop.clone();
    drop.sort();
    let mut words = format!(
        "{HASH_VERSION}\n{from:?}\n{to:?}\n{shards:?}\n{dynamic_field:?}\n{drop:?}\n{filter:?}\n{partitions:?}"
    );
    // What came to the plan format later counts only where a plan says it, so that the hash of older plans stays the same.
    for (said, later) in [
        (*primary_key != PrimaryKey::default(), format!("\n{primary_key:?}")),
        (!fields.is_empty(), format!("\n{fields:?}")),
        (num_partitions.is_some(), format!("\nnum_partitions {num_partitions:?}")),
        (!functions.is_empty(), format!("\nfunctions {functions:?}")),
    ] {
        if said {
            words.push_str(&later);
        }
    }
    let digest: String = Sha256::digest(words).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{HASH_VERSION}:sha256:{digest}")
}
