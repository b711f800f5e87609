//! What a plan says about clusters of Zilliz Cloud as a whole: which may be made, and whether the migration service knows both
//! sides of a migration.

use super::super::cloud;
use super::super::cloud_spec::{CloudSpec, CreateSpec, EngineSpec, ProfileSpec};
use super::super::explain::short;
use super::super::model::{EndpointSpec, MigrationSpec};
use super::super::report::Report;
use super::super::tree::{Path, child, steps};
use super::Subject;
use crate::diagnostic::Code;

/// Applies the rules to one plan.
pub(super) fn check(report: &mut Report<'_>, subject: &Subject<'_>) {
    for (name, endpoint) in &subject.plan.sources {
        if let Side::Cloud(CloudSpec { create: Some(_), .. }) = side(subject, endpoint) {
            report.key(
                Code::SourceToBeMade,
                &place(&steps!["sources", name], endpoint),
                "a cluster that is yet to be made has nothing to be read",
                "give a source by its `cluster_id`",
            );
        }
    }
    check_made(report, subject);
    for (index, migration) in subject.plan.migrations.iter().enumerate() {
        if migration.engine == Some(EngineSpec::ZillizCloud) {
            check_engine(report, subject, &steps!["migrations", index], migration);
        }
    }
}

/// What stands behind an endpoint, itself or through its profile.
enum Side<'a> {
    Cloud(&'a CloudSpec),
    Address,
    /// It has mistakes, which are told elsewhere.
    Unknown,
}

fn side<'a>(subject: &Subject<'a>, endpoint: &'a EndpointSpec) -> Side<'a> {
    if let Some(cluster) = &endpoint.zilliz_cloud {
        return Side::Cloud(cluster);
    }
    if endpoint.milvus.is_some() {
        return Side::Address;
    }
    let profile = endpoint.profile.as_ref().and_then(|name| subject.settings?.profile(name));
    match profile {
        Some(ProfileSpec::Cloud(profile)) => Side::Cloud(&profile.zilliz_cloud),
        Some(ProfileSpec::Milvus(_)) => Side::Address,
        None => Side::Unknown,
    }
}

/// Where a plan says that a cluster is to be made.
fn place(at: &Path, endpoint: &EndpointSpec) -> Path {
    match &endpoint.zilliz_cloud {
        Some(_) => child(&child(at, "zilliz_cloud"), "create"),
        None => child(at, "profile"),
    }
}

/// One cluster is described in one way, and no password is written over another's.
fn check_made(report: &mut Report<'_>, subject: &Subject<'_>) {
    let mut seen: Vec<(&str, &EndpointSpec, &CloudSpec, &CreateSpec)> = Vec::new();
    for (name, endpoint) in &subject.plan.targets {
        let Side::Cloud(cluster @ CloudSpec { create: Some(create), .. }) = side(subject, endpoint) else { continue };
        for (other_name, other_endpoint, other_cluster, other) in &seen {
            let same = create.project_id == other.project_id
                && create.name == other.name
                && cloud::api(cluster) == cloud::api(other_cluster);
            let same_file = endpoint.profile.is_some() == other_endpoint.profile.is_some()
                && create.password_file == other.password_file;
            let message = if same && !is_same(create, other) {
                format!("`{}` is the same cluster, to be made otherwise", short(other_name))
            } else if !same && same_file {
                format!("the password of `{}` goes to the same file", short(other_name))
            } else {
                continue;
            };
            report.key(
                Code::MadeTwice,
                &place(&steps!["targets", name], endpoint),
                message,
                "give each cluster a `name` and a `password_file` of its own, or use one target for both",
            );
            break;
        }
        seen.push((name, endpoint, cluster, create));
    }
}

fn is_same(one: &CreateSpec, other: &CreateSpec) -> bool {
    let all = |create: &CreateSpec| {
        (create.region.clone(), create.plan, create.cu_type, create.cu_size, create.password_file.clone())
    };
    all(one) == all(other) && one.description == other.description
}

/// The service's interface takes ids of clusters that one key can see, and nothing else.
fn check_engine(report: &mut Report<'_>, subject: &Subject<'_>, at: &Path, migration: &MigrationSpec) {
    let at = child(at, "engine");
    let sides = [("source", &subject.plan.sources, &migration.from), ("target", &subject.plan.targets, &migration.to)];
    let mut services = Vec::new();
    for (word, endpoints, name) in sides {
        match endpoints.get(name).map_or(Side::Unknown, |endpoint| side(subject, endpoint)) {
            Side::Address => report.value(
                Code::EngineNeedsClusters,
                &at,
                format!(
                    "the migration service takes clusters by their ids, and the {word} `{}` is an address",
                    short(name)
                ),
                "name it with `zilliz_cloud`, or leave `engine` out",
            ),
            Side::Cloud(cluster) => services.extend(cloud::api(cluster)),
            Side::Unknown => {}
        }
    }
    if let [from, to] = services.as_slice()
        && from != to
    {
        report.value(
            Code::EngineNeedsClusters,
            &at,
            format!("the source is known to {from} and the target to {to}, and neither moves rows to the other"),
            "leave `engine` out",
        );
    }
}
