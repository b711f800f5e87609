//! What the codes of the control plane mean for the caller.
//!
//! The service names no class of its errors, so each code that its reference lists is a row here, with what can be done
//! about it. What is not listed is a refusal.

use crate::cluster::ErrorKind;

/// One code.
pub(super) struct Known {
    /// The service's number.
    pub code: i32,
    /// What can be done.
    pub kind: ErrorKind,
    /// The same, in words; none where the kind says it as well.
    pub advice: Option<&'static str>,
}

const fn known(code: i32, kind: ErrorKind) -> Known {
    Known { code, kind, advice: None }
}

const fn advised(code: i32, kind: ErrorKind, advice: &'static str) -> Known {
    Known { code, kind, advice: Some(advice) }
}

/// For a key that is not taken.
pub(super) const KEY: &str =
    "check the API key that `api_key` refers to, and that `api` is the control plane of the organisation that made it";
/// For a cluster that is not there, or is hidden.
pub(super) const CLUSTER: &str = "check `cluster_id` and that the API key may see this cluster: a customized key can be restricted to some \
     clusters, and a personal key sees what its owner's roles allow";
/// For calls that need more rights than the key has.
pub(super) const RIGHTS: &str =
    "give the API key access to the project: making clusters and migrating takes the role Project Admin";
/// For an endpoint that the service does not have any more.
pub(super) const MIGRATIONS_GONE: &str = "the service's reference marks these endpoints as deprecated, and this one seems to be switched off: set \
     `engine: direct`, by which vecferry copies the rows itself, or migrate in the web console";
/// For an answer that says that something was done and not what.
pub(super) const LOOK: &str = "look in the web console whether it was done, before the same command is run again";
const CONSOLE: &str = "settle it in the web console of Zilliz Cloud, then run the same command again";
const SIZE: &str =
    "choose another `cu_type` or `cu_size`: 1, 2, 4, 8, 12 and further in fours; at most 32 with `plan: standard`";

/// The codes that the reference lists, in ascending order.
const TABLE: &[Known] = &[
    advised(10_003, ErrorKind::Refused, "check the addresses of the objects"),
    advised(21_119, ErrorKind::Denied, KEY),
    advised(
        40_003,
        ErrorKind::Refused,
        "the cluster's status does not allow it now: wait until it is RUNNING, then run the same command again",
    ),
    advised(40_021, ErrorKind::Refused, CLUSTER),
    advised(40_022, ErrorKind::NotFound, CLUSTER),
    known(47_005, ErrorKind::NotFound),
    known(47_035, ErrorKind::Refused),
    known(47_036, ErrorKind::Refused),
    known(47_039, ErrorKind::Refused),
    known(47_053, ErrorKind::Refused),
    advised(
        47_055,
        ErrorKind::Refused,
        "wait until the cluster's other import is done, then run the same command again",
    ),
    known(63_032, ErrorKind::NotFound),
    known(63_240, ErrorKind::NotFound),
    known(BAD_PARAMETER, ErrorKind::Refused),
    advised(80_001, ErrorKind::Denied, KEY),
    advised(80_002, ErrorKind::Denied, KEY),
    known(80_003, ErrorKind::Refused),
    known(80_004, ErrorKind::Refused),
    advised(80_005, ErrorKind::Refused, SIZE),
    advised(80_006, ErrorKind::Refused, SIZE),
    advised(80_007, ErrorKind::Refused, CONSOLE),
    advised(80_008, ErrorKind::Refused, "ask the vendor for clusters of that size, or choose a smaller `cu_size`"),
    advised(80_009, ErrorKind::Refused, "choose another `create.name`"),
    advised(
        NAME_TAKEN,
        ErrorKind::Refused,
        "another cluster of the project has that name: choose another one, or name that cluster by its `cluster_id`",
    ),
    advised(80_011, ErrorKind::Refused, "make `create.description` shorter"),
    advised(80_014, ErrorKind::Refused, SIZE),
    advised(80_020, ErrorKind::NotFound, CLUSTER),
    advised(80_021, ErrorKind::Refused, "Serverless clusters do not offer it: take a dedicated one"),
    advised(80_022, ErrorKind::Refused, "dedicated clusters do not offer it"),
    advised(83_001, ErrorKind::Forbidden, "give the credentials for the bucket the right to read its objects"),
    known(83_004, ErrorKind::Refused),
    known(90_001, ErrorKind::NotFound),
    known(90_011, ErrorKind::Refused),
    known(90_013, ErrorKind::Refused),
    known(90_026, ErrorKind::Refused),
    advised(90_102, ErrorKind::Refused, "check `region`, or leave it out"),
    advised(90_103, ErrorKind::Refused, CLUSTER),
    advised(90_104, ErrorKind::Refused, CLUSTER),
    known(90_106, ErrorKind::Refused),
    known(90_107, ErrorKind::Refused),
    known(90_126, ErrorKind::Refused),
    known(NO_IMPORT, ErrorKind::NotFound),
];

/// The cluster has no such import job.
pub(super) const NO_IMPORT: i32 = 90_144;
/// A parameter is wrong.
pub(super) const BAD_PARAMETER: i32 = 80_000;
/// Another cluster of the project has the name.
pub(super) const NAME_TAKEN: i32 = 80_010;
/// A cluster's status does not allow what was asked for.
pub(super) const NOT_NOW: i32 = 40_003;

/// What is known of a code.
pub(super) fn lookup(code: i32) -> Option<&'static Known> {
    TABLE.binary_search_by_key(&code, |known| known.code).ok().map(|at| &TABLE[at])
}

/// What can be done about an answer with that status of HTTP, where its body has nothing to say.
pub(super) fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Denied,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        // What is not implemented will not be in a moment.
        501 | 505 => ErrorKind::Refused,
        408 | 425 | 500..=599 => ErrorKind::Transient,
        400..=499 => ErrorKind::Refused,
        _ => ErrorKind::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched_and_knows_what_matters() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        for (code, kind) in [
            (21_119, ErrorKind::Denied),
            (80_001, ErrorKind::Denied),
            (80_002, ErrorKind::Denied),
            (80_020, ErrorKind::NotFound),
            (40_022, ErrorKind::NotFound),
            (NAME_TAKEN, ErrorKind::Refused),
        ] {
            assert_eq!(lookup(code).map(|known| known.kind), Some(kind), "{code}");
        }
        assert!(lookup(1).is_none());
    }
}
