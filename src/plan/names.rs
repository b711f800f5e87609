//! Names of collections, databases and fields.

use super::report::Report;
use super::tree::Path;
use crate::diagnostic::Code;

/// The longest name in bytes that Milvus takes.
const MAX_NAME: usize = 255;

/// What to write instead of a name that Milvus refuses.
pub(crate) const NAME_HELP: &str = "use up to 255 letters, digits and underscores, not starting with a digit";

/// Whether Milvus takes a text as the name of a collection or database.
pub fn is_milvus_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reports a blank name, and says whether it is one.
pub(crate) fn check_blank(report: &mut Report<'_>, path: &Path, name: &str) -> bool {
    let blank = name.trim().is_empty();
    if blank {
        report.value(Code::EmptyName, path, "the name is empty or blank", "write a name, or remove the key");
    }
    blank
}

/// Reports a database name that no server would take.
pub(crate) fn check_database(report: &mut Report<'_>, path: &Path, name: &str) {
    if !check_blank(report, path, name) && !is_milvus_name(name) {
        report.value(Code::BadDatabaseName, path, "Milvus does not accept this database name", NAME_HELP);
    }
}
