//! A cluster of Zilliz Cloud as plans and profiles write it: the rules that the schema can't say, and the way to an
//! [`Endpoint`]. What a plan says about several of them together is in `rules/clouds.rs`.

use std::path::Path as FilePath;

use super::cloud_spec::{CloudPlanSpec, CloudSpec, CreateSpec, CuTypeSpec};
use super::connection::{self, Address, Way, check_secret, secret_ref};
use super::explain::short;
use super::names;
use super::report::Report;
use super::resolved::{Auth, CloudCluster, CloudPlan, CuType, Endpoint, NewCluster, Tier, Units, WhichCluster};
use super::tree::{Path, child};
use crate::diagnostic::{Code, Span};

/// The service outside of China.
const API: &str = "https://api.cloud.zilliz.com";

/// The service in China.
const API_CHINA: &str = "https://api.cloud.zilliz.com.cn";

/// Most compute units of a Standard cluster.
const MOST_STANDARD: u32 = 32;

/// Reports what is wrong with a cluster.
pub(crate) fn check(report: &mut Report<'_>, path: &Path, spec: &CloudSpec) {
    let address = check_api(report, path, spec);
    check_secret(report, &child(path, "api_key"), &spec.api_key, address.as_ref());
    way(spec).check(report, path, address.as_ref());
    if let Some(tls) = &spec.tls {
        // Whether the cluster speaks TLS is known from its address, which the service has yet to say.
        connection::check_tls(report, &child(path, "tls"), tls, None);
    }
    check_region(report, path, spec);
    if let Some(create) = &spec.create {
        check_create(report, &child(path, "create"), create);
    }
}

/// The service's address, which decides whether secrets may stand in the file; none where it is wrong.
fn check_api(report: &mut Report<'_>, path: &Path, spec: &CloudSpec) -> Option<Address> {
    match service(spec) {
        Ok(address) => Some(address),
        Err((code, message, help)) => {
            report.value(code, &child(path, "api"), message, help);
            None
        }
    }
}

/// The service's address, or a code, what is wrong with it and what to do.
fn service(spec: &CloudSpec) -> Result<Address, (Code, &'static str, &'static str)> {
    let text = spec.api.as_deref().unwrap_or_else(|| default_api(spec));
    let address = Address::parse(text).map_err(|(code, message, _)| match code {
        Code::CredentialsInUri => (code, message, "the service takes an `api_key` and nothing else"),
        _ => (Code::BadCloudApi, message, "leave `api` out, or write https://host"),
    })?;
    if address.is_https() {
        return Ok(address);
    }
    if !address.is_loopback() {
        let message = "the key would cross the network unencrypted";
        return Err((Code::BadCloudApi, message, "write https://; http:// is for a simulator on this machine"));
    }
    if !text.trim_end_matches('/').ends_with(&address.port_suffix()) {
        return Err((Code::BadCloudApi, "the address has no port", "for example http://127.0.0.1:8080"));
    }
    Ok(address)
}

fn check_region(report: &mut Report<'_>, path: &Path, spec: &CloudSpec) {
    let made_in = spec.create.as_ref().map(|create| &create.region);
    if let (Some(region), Some(made_in)) = (&spec.region, made_in)
        && region != made_in
    {
        report.value(
            Code::RegionContradicts,
            &child(path, "region"),
            format!("the cluster is to be made in `{}`", short(made_in)),
            "remove this `region`; the one under `create` says it all",
        );
        return;
    }
    let (Some(api), Some(region)) = (api(spec), spec.region.as_ref().or(made_in)) else { return };
    // Of an address that is neither of the two, nobody can tell which regions it knows.
    let known = [API, API_CHINA].contains(&api.as_str());
    if known && api != api_of(region) {
        let right = api_of(region);
        report.value(
            Code::RegionContradicts,
            &child(path, "api"),
            format!("clusters in `{}` are known to {right}", short(region)),
            "remove `api`, or correct the region",
        );
    }
}

fn check_create(report: &mut Report<'_>, path: &Path, create: &CreateSpec) {
    names::check_blank(report, &child(path, "name"), &create.name);
    names::check_blank(report, &child(path, "password_file"), &create.password_file);
    let size = child(path, "cu_size");
    if create.plan == CloudPlanSpec::Serverless {
        for (key, given) in [("cu_type", create.cu_type.is_some()), ("cu_size", create.cu_size.is_some())] {
            if given {
                report.key(
                    Code::CuOfServerless,
                    &child(path, key),
                    format!("a serverless cluster has no `{key}`"),
                    "remove it, or choose `plan: standard` or `plan: enterprise`",
                );
            }
        }
        return;
    }
    let Some(cu_size) = create.cu_size else {
        // Where an invalid key was taken out, it may be this very one.
        if report.document.root.find(path).is_none_or(|node| !node.damaged) {
            report.key(
                Code::MissingCuSize,
                &child(path, "plan"),
                "a dedicated cluster needs a number of compute units",
                "add `cu_size`, for example `cu_size: 1`",
            );
        }
        return;
    };
    if create.plan == CloudPlanSpec::Standard && cu_size > MOST_STANDARD {
        report.value(
            Code::BadCuSize,
            &size,
            format!("a Standard cluster has up to {MOST_STANDARD} compute units"),
            "choose fewer, or `plan: enterprise`",
        );
    } else if !is_cu_size(cu_size) {
        let (less, more) = neighbours(cu_size);
        report.value(
            Code::BadCuSize,
            &size,
            format!("no cluster has {cu_size} compute units"),
            &format!("the next sizes are {less} and {more}"),
        );
    }
}

/// Whether clusters of that many compute units can be had.
fn is_cu_size(size: u32) -> bool {
    match size {
        1 | 2 | 4 => true,
        8..=64 => size.is_multiple_of(4),
        65..=256 => size.is_multiple_of(8),
        257..=1_024 => size.is_multiple_of(16),
        _ => false,
    }
}

fn neighbours(size: u32) -> (u32, u32) {
    let less = (1..size).rev().find(|size| is_cu_size(*size)).unwrap_or(1);
    (less, (size..=1_024).find(|size| is_cu_size(*size)).unwrap_or(1_024))
}

fn way(spec: &CloudSpec) -> Way<'_> {
    Way {
        database: spec.database.as_ref(),
        token: spec.token.as_ref(),
        username: spec.username.as_ref(),
        password: spec.password.as_ref(),
        tls: spec.tls.as_ref(),
        timeouts: spec.timeouts.as_ref(),
    }
}

/// The service that knows a cluster's region.
fn api_of(region: &str) -> &'static str {
    if region.starts_with("ali-") || region.starts_with("tc-") { API_CHINA } else { API }
}

fn default_api(spec: &CloudSpec) -> &'static str {
    let made_in = spec.create.as_ref().map(|create| &create.region);
    spec.region.as_ref().or(made_in).map_or(API, |region| api_of(region))
}

/// The service's base address in one spelling; none where it is wrong.
pub(crate) fn api(spec: &CloudSpec) -> Option<String> {
    let uri = service(spec).ok()?.uri();
    Some(match uri.strip_suffix(":443") {
        Some(rest) if uri.starts_with("https") => rest.to_owned(),
        _ => uri,
    })
}

/// The endpoint that a checked cluster stands for; nothing where it has errors. Relative paths start at `folder`.
pub(crate) fn resolve(name: &str, spec: &CloudSpec, folder: &FilePath, span: Span) -> Option<Endpoint> {
    let api_key = secret_ref(&spec.api_key, folder);
    let (which, tier) = match (&spec.cluster_id, &spec.create) {
        (Some(id), None) => (WhichCluster::Id(id.clone()), tier_of(id)),
        (None, Some(create)) => {
            let new = new_cluster(create, folder)?;
            let tier = match new.plan {
                CloudPlan::Serverless => Tier::Serverless,
                CloudPlan::Standard { .. } | CloudPlan::Enterprise { .. } => Tier::Dedicated,
            };
            (WhichCluster::Make(new), tier)
        }
        _ => return None,
    };
    let cloud =
        CloudCluster { api: api(spec)?, api_key: api_key.clone(), which, resume: spec.resume.unwrap_or_default() };
    let endpoint = way(spec).endpoint(name, cloud.placeholder(), tier, folder, span)?;
    let auth = match endpoint.auth {
        Auth::None => Auth::Token(api_key),
        said => said,
    };
    let units = match &cloud.which {
        WhichCluster::Make(new) => new.plan.units().map(|(kind, size)| Units { kind: Some(kind), size }),
        WhichCluster::Id(_) => None,
    };
    Some(Endpoint { auth, cloud: Some(cloud), units, ..endpoint })
}

/// A first guess by how ids begin, until the service says what the cluster is.
fn tier_of(id: &str) -> Tier {
    match id.get(..4) {
        Some("in03") => Tier::Free,
        Some("in05") => Tier::Serverless,
        _ => Tier::Dedicated,
    }
}

fn new_cluster(create: &CreateSpec, folder: &FilePath) -> Option<NewCluster> {
    let cu_type = match create.cu_type {
        Some(CuTypeSpec::PerformanceOptimized) | None => CuType::PerformanceOptimized,
        Some(CuTypeSpec::CapacityOptimized) => CuType::CapacityOptimized,
        Some(CuTypeSpec::TieredStorage) => CuType::TieredStorage,
    };
    let plan = match create.plan {
        CloudPlanSpec::Serverless => CloudPlan::Serverless,
        CloudPlanSpec::Standard => CloudPlan::Standard { cu_type, cu_size: create.cu_size? },
        CloudPlanSpec::Enterprise => CloudPlan::Enterprise { cu_type, cu_size: create.cu_size? },
    };
    Some(NewCluster {
        name: create.name.clone(),
        project_id: create.project_id.clone(),
        region: create.region.clone(),
        plan,
        description: create.description.clone(),
        password_file: folder.join(&create.password_file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compute_units_are_had_in_steps() {
        let sizes: Vec<u32> = (0..=1_100).filter(|size| is_cu_size(*size)).collect();
        assert_eq!(sizes[..8], [1, 2, 4, 8, 12, 16, 20, 24]);
        for size in [32, 64, 72, 80, 256, 272, 1_024] {
            assert!(sizes.contains(&size), "{size}");
        }
        for size in [0, 3, 5, 6, 66, 68, 264, 1_040] {
            assert!(!sizes.contains(&size), "{size}");
        }
        assert_eq!((neighbours(3), neighbours(68)), ((2, 4), (64, 72)));
    }

    #[test]
    fn ids_tell_what_a_cluster_is_at_first() {
        let tiers = ["in01-a", "in03-a", "in05-a", "in99-a", "x", "é12345"].map(tier_of);
        assert_eq!(
            tiers,
            [Tier::Dedicated, Tier::Free, Tier::Serverless, Tier::Dedicated, Tier::Dedicated, Tier::Dedicated]
        );
    }
}
