//! What the plans of Zilliz Cloud have to say about a collection, and about all that goes to one cluster. The numbers and their
//! sources are in `plan/tiers`.

use std::collections::{BTreeSet, HashMap};

use super::change::ASSUMED_BYTES_PER_SECOND;
use super::{Action, ChangeSet, Entry, Note, Work, managed};
use crate::diagnostic::Code;
use crate::plan::resolved::{Engine, Tier};
use crate::plan::tiers::{self, Class, Finding, Load, Verdict};

impl Entry {
    /// The target's cluster, as far as its limits go.
    fn class(&self) -> Class {
        Class { tier: self.seen.tiers.1, units: self.seen.units }
    }

    /// Bytes a second that the estimate of the time assumes: no more than the target's plan allows.
    pub(super) fn assumed_bytes_per_second(&self) -> u64 {
        tiers::write_bytes_per_s(self.class())
            .map_or(ASSUMED_BYTES_PER_SECOND, |rate| rate.min(ASSUMED_BYTES_PER_SECOND))
    }

    /// Partitions of the target.
    fn target_partitions(&self) -> usize {
        self.seen.mapping.as_ref().map_or(0, |mapping| mapping.partitions.len())
    }
}

fn note(code: Code, finding: Finding) -> Note {
    Note::new(code, finding.message).help(finding.help)
}

/// What stands in the way whatever is decided.
pub(super) fn remarks(entry: &mut Entry) {
    let (from, to) = entry.seen.tiers;
    if entry.seen.engine == Engine::ZillizCloud
        && let Verdict::Refused { message, help } = tiers::pair(from, to)
    {
        entry.seen.not_managed.push(Note::new(Code::PairNotMoved, message).help(help));
    }
    let schema = entry.seen.mapping.as_ref().map(|mapping| &mapping.schema);
    let found = schema.map(|schema| tiers::for_collection(entry.class(), schema, entry.target_partitions()));
    entry.blocked.extend(found.into_iter().flatten().map(|finding| note(Code::CannotHold, finding)));
}

/// What may go wrong between these two plans, where rows are moved at all.
pub(super) fn warn(entry: &mut Entry) {
    let (from, to) = entry.seen.tiers;
    if matches!(entry.work, Work::None | Work::Touch) || [from, to].contains(&Tier::SelfHosted) {
        return;
    }
    let warning = match (tiers::pair(from, to), entry.seen.engine) {
        (Verdict::Doubtful(message), Engine::ZillizCloud) => {
            Note::new(Code::PairUnusual, message).help("where the service refuses it, use `engine: direct`")
        }
        (Verdict::Refused { message, .. }, Engine::Direct) => Note::new(Code::PairUnusual, message)
            .help("vecferry copies the rows itself, within what the target's plan holds and takes"),
        _ => return,
    };
    entry.warnings.push(warning);
}

impl ChangeSet {
    /// Holds all that goes to each cluster of Zilliz Cloud against what it holds. `clusters` gives the address and the class of a
    /// cluster by what stands for its address in plans.
    pub fn hold_against_limits(&mut self, clusters: &HashMap<String, (String, Class)>) {
        for cluster in &mut self.clusters {
            let Some((uri, class)) = clusters.get(&cluster.seen.placeholder) else { continue };
            let entries = self.entries.iter().filter(|entry| entry.seen.to.uri == *uri);
            let found = tiers::for_cluster(*class, &load(entries.filter(|entry| moves(entry))));
            cluster.warnings.extend(found.into_iter().map(|finding| note(Code::BeyondCluster, finding)));
            let mut moved = self.entries.iter().filter(|entry| entry.seen.to.uri == *uri && moves(entry));
            if moved.any(|entry| entry.seen.engine == Engine::ZillizCloud) {
                // Once for all collections, which have it in common.
                cluster.warnings.push(managed::deprecated());
            }
        }
    }
}

fn moves(entry: &Entry) -> bool {
    !matches!(entry.work, Work::None | Work::Touch)
}

fn load<'a>(entries: impl Iterator<Item = &'a Entry>) -> Load {
    let mut load = Load::default();
    // Every cluster has that one, and it cannot be dropped.
    let mut databases = BTreeSet::from(["default"]);
    for entry in entries {
        databases.insert(&entry.seen.to.database);
        let schema = entry.wanted();
        if entry.action == Action::Create {
            load.collections += 1;
            let keyed = schema.filter(|schema| schema.has_partition_key()).and_then(|schema| schema.key_partitions);
            load.partitions += keyed.map_or(entry.target_partitions().max(1) as u64, u64::from);
        }
        let dimensions: usize = schema.map_or(0, |schema| schema.fields.iter().filter_map(|field| field.dim()).sum());
        load.numbers += entry.rows_to_copy as f64 * dimensions as f64;
        load.bytes = load.bytes.saturating_add(entry.bytes_to_copy());
    }
    load.databases = databases.len() as u64;
    load
}
