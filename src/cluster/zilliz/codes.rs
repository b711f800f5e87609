//! What the codes of the control plane mean for the caller.
//!
//! The service names no class of its errors, so each code that its reference lists is a row here, with what can be done
//! about it. What is not listed is a refusal.

use crate::cluster::{Advice, ErrorKind};

/// One code.
pub(super) struct Known {
    /// The service's number.
    pub code: i32,
    /// What can be done.
    pub kind: ErrorKind,
    /// The same, in words; none where the kind says it as well.
    pub advice: Option<Advice>,
}

const fn known(code: i32, kind: ErrorKind) -> Known {
    Known { code, kind, advice: None }
}

const fn advised(code: i32, kind: ErrorKind, advice: Advice) -> Known {
    Known { code, kind, advice: Some(advice) }
}

/// The codes that the reference lists, in ascending order.
const TABLE: &[Known] = &[
    advised(10_003, ErrorKind::Refused, Advice::Objects),
    advised(21_119, ErrorKind::Denied, Advice::Key),
    advised(40_003, ErrorKind::Refused, Advice::NotNow),
    advised(40_021, ErrorKind::Refused, Advice::Cluster),
    advised(40_022, ErrorKind::NotFound, Advice::Cluster),
    known(47_005, ErrorKind::NotFound),
    known(47_035, ErrorKind::Refused),
    known(47_036, ErrorKind::Refused),
    known(47_039, ErrorKind::Refused),
    known(47_053, ErrorKind::Refused),
    advised(47_055, ErrorKind::Refused, Advice::ImportBusy),
    known(63_032, ErrorKind::NotFound),
    known(63_240, ErrorKind::NotFound),
    known(BAD_PARAMETER, ErrorKind::Refused),
    advised(80_001, ErrorKind::Denied, Advice::Key),
    advised(80_002, ErrorKind::Denied, Advice::Key),
    known(80_003, ErrorKind::Refused),
    known(80_004, ErrorKind::Refused),
    advised(80_005, ErrorKind::Refused, Advice::Size),
    advised(80_006, ErrorKind::Refused, Advice::Size),
    advised(80_007, ErrorKind::Refused, Advice::Console),
    advised(80_008, ErrorKind::Refused, Advice::LargeSize),
    advised(80_009, ErrorKind::Refused, Advice::Name),
    advised(NAME_TAKEN, ErrorKind::Refused, Advice::NameTaken),
    advised(80_011, ErrorKind::Refused, Advice::Description),
    advised(80_014, ErrorKind::Refused, Advice::Size),
    advised(80_020, ErrorKind::NotFound, Advice::Cluster),
    advised(80_021, ErrorKind::Refused, Advice::NotServerless),
    advised(80_022, ErrorKind::Refused, Advice::NotDedicated),
    advised(83_001, ErrorKind::Forbidden, Advice::ObjectRights),
    known(83_004, ErrorKind::Refused),
    known(90_001, ErrorKind::NotFound),
    known(90_011, ErrorKind::Refused),
    known(90_013, ErrorKind::Refused),
    known(90_026, ErrorKind::Refused),
    advised(90_102, ErrorKind::Refused, Advice::Region),
    advised(90_103, ErrorKind::Refused, Advice::Cluster),
    advised(90_104, ErrorKind::Refused, Advice::Cluster),
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
