//! Where files are for whoever reads a result elsewhere: in the repository, and not in the folder that a command ran in.

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a path in a URI need not escape.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The folder that a command runs in, and the repository around it. Without them, files stay where they were said to be.
#[derive(Debug, Default)]
pub struct Whereabouts {
    /// The folder, absolute.
    pub folder: PathBuf,
    /// The root of the repository that it is in.
    pub repository: Option<PathBuf>,
}

impl Whereabouts {
    /// A file's path from the root of the repository, with `/` between its parts. One outside keeps its whole path.
    pub fn in_repository(&self, name: &str) -> String {
        let path = plain(&self.folder.join(name));
        let root = self.repository.as_deref().unwrap_or(&self.folder);
        path.strip_prefix(root).unwrap_or(&path).display().to_string()
    }

    /// The same as a URI; true where it starts at the root of the repository.
    pub(super) fn uri(&self, name: &str) -> (String, bool) {
        let path = self.in_repository(name);
        let encoded = utf8_percent_encode(&path, KEPT).to_string();
        if path.starts_with('/') { (format!("file://{encoded}"), false) } else { (encoded, true) }
    }
}

/// The path without `.` and `..`, by its words alone: the file may not exist.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Whereabouts {
        Whereabouts { folder: PathBuf::from("/home/me/repo/plans"), repository: Some(PathBuf::from("/home/me/repo")) }
    }

    #[test]
    fn a_file_is_named_from_the_root_of_the_repository() {
        for name in ["kb.yaml", "./kb.yaml", "../plans/kb.yaml", "/home/me/repo/plans/kb.yaml"] {
            assert_eq!(here().in_repository(name), "plans/kb.yaml");
        }
        assert_eq!(here().in_repository("/elsewhere/kb.yaml"), "/elsewhere/kb.yaml");
        assert_eq!(Whereabouts::default().in_repository("a/kb.yaml"), "a/kb.yaml");
    }

    #[test]
    fn what_a_uri_reads_otherwise_is_escaped() {
        assert_eq!(here().uri("a b:#中.yaml"), ("plans/a%20b%3A%23%E4%B8%AD.yaml".to_owned(), true));
        assert_eq!(here().uri("/tmp/x.yaml"), ("file:///tmp/x.yaml".to_owned(), false));
    }
}
