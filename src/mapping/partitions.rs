//! Named partitions: copied, some of them, under other names, several in one, or none.

use std::collections::BTreeMap;

use super::fields::Subject;
use super::fit::check_name;
use super::{Remark, Remarks, suggestion};
use crate::collection::{DEFAULT_PARTITION, LiveCollection};
use crate::plan::resolved::Partitions;

/// Partitions of the source whose rows go to one partition of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Partitions of the source; empty for all of them.
    pub from: Vec<String>,
    /// Partition of the target; none leaves the choice to the server, as it must be with a partition key.
    pub to: Option<String>,
}

/// Where rows go, and which partitions the target has.
pub(super) fn routes(
    subject: &Subject<'_>,
    source: &LiveCollection,
    by_key: bool,
    found: &mut Remarks,
) -> (Vec<Route>, Vec<String>) {
    let wanted = &subject.settings.partitions;
    let named = source.partitions.iter().any(|name| name != DEFAULT_PARTITION);
    let chosen = chosen(subject, source, found);
    if by_key {
        if named {
            let fate = "become partitions that the key chooses: the target has no named ones";
            let names = source.partitions.join(", ");
            found.notes.push(
                Remark::new(None, format!("the source's partitions ({names}) {fate}"))
                    .help("to keep their names, add a field with `from: $partition`"),
            );
        }
        let all = matches!(wanted, Partitions::Copy | Partitions::None) || !named;
        let from = if all { Vec::new() } else { chosen };
        return (vec![Route { from, to: None }], Vec::new());
    }
    if !named {
        // One partition, or those of a partition key that the target does not have.
        let target = match wanted {
            Partitions::Some { rename, .. } => rename.get(DEFAULT_PARTITION).cloned(),
            _ => None,
        };
        let mut partitions = vec![DEFAULT_PARTITION.to_owned()];
        partitions.extend(target.iter().filter(|name| *name != DEFAULT_PARTITION).cloned());
        return (vec![Route { from: Vec::new(), to: target }], partitions);
    }
    if *wanted == Partitions::None {
        let names = source.partitions.join(", ");
        found.note(None, format!("rows of all partitions ({names}) go to the default partition"));
        return (vec![Route { from: Vec::new(), to: None }], vec![DEFAULT_PARTITION.to_owned()]);
    }
    let rename = match wanted {
        Partitions::Some { rename, .. } => rename.clone(),
        _ => BTreeMap::new(),
    };
    let mut routes: Vec<Route> = Vec::new();
    for name in chosen {
        let to = rename.get(&name).cloned().unwrap_or_else(|| name.clone());
        check_name("partition", &to, subject.to, found);
        match routes.iter_mut().find(|route| route.to.as_ref() == Some(&to)) {
            Some(route) => route.from.push(name),
            None => routes.push(Route { from: vec![name], to: Some(to) }),
        }
    }
    for route in routes.iter().filter(|route| route.from.len() > 1) {
        let to = route.to.as_deref().unwrap_or_default();
        found.note(None, format!("partitions {} become one: {to}", route.from.join(", ")));
    }
    let mut partitions: Vec<String> = routes.iter().filter_map(|route| route.to.clone()).collect();
    if !partitions.iter().any(|name| name == DEFAULT_PARTITION) {
        partitions.insert(0, DEFAULT_PARTITION.to_owned());
    }
    (routes, partitions)
}

/// The partitions of the source that are copied.
fn chosen(subject: &Subject<'_>, source: &LiveCollection, found: &mut Remarks) -> Vec<String> {
    let Partitions::Some { only, rename } = &subject.settings.partitions else {
        return source.partitions.clone();
    };
    if source.schema.has_partition_key() {
        found.block(
            None,
            "the source has a partition key, and so no named partitions to choose from",
            "take `partitions` out",
        );
        return Vec::new();
    }
    for name in only.iter().flatten().chain(rename.keys()) {
        if !source.partitions.contains(name) {
            let help = suggestion(name, source.partitions.iter().map(String::as_str));
            found.block(None, format!("the source has no partition `{name}`"), help);
        }
    }
    let Some(only) = only else { return source.partitions.clone() };
    let left: Vec<&str> = source.partitions.iter().filter(|name| !only.contains(name)).map(String::as_str).collect();
    if !left.is_empty() {
        found.note(None, format!("partitions {} are left behind with their rows", left.join(", ")));
    }
    source.partitions.iter().filter(|name| only.contains(name)).cloned().collect()
}
