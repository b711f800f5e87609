//! Where the state lies: a folder, or a bucket of an object store.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::StateSpec;
use super::names;
use super::report::Report;
use super::tree::steps;
use crate::diagnostic::Code;

/// How long a lock in a bucket holds without being renewed, where nothing else is said.
const LEASE: Duration = Duration::from_secs(90);
/// A shorter lease would be lost to a store that is slow for a moment, and nobody waits for a longer one.
const LEASES: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3600);
const FORMS: &str = "write `s3://BUCKET/PREFIX`, or `file:///FOLDER`";

/// Where the state lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StatePlace {
    /// In a folder, which need not exist yet.
    Folder(PathBuf),
    /// In a bucket.
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// What the names of all objects begin with, without a slash at either end; may be empty.
        prefix: String,
        /// How long a lock holds without being renewed.
        lease: Duration,
    },
}

impl StatePlace {
    /// What somebody names on a command line: a URL, or a folder.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Self::of_url(text, LEASE).map_err(|(what, help)| format!("{what}; {help}"));
        }
        Ok(Self::Folder(PathBuf::from(text)))
    }

    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&FilePath> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket { .. } => None,
        }
    }

    /// What a URL means; else what is wrong with it, and what to do. The URL itself is not repeated: somebody may have put
    /// credentials into it.
    fn of_url(url: &str, lease: Duration) -> Result<Self, (&'static str, &'static str)> {
        let Some((scheme, rest)) = url.split_once("://") else { return Err(("this is no URL", FORMS)) };
        if rest.contains('@') {
            return Err((
                "there are credentials in the URL",
                "leave them out: they are taken from the environment (`AWS_ACCESS_KEY_ID` and so on)",
            ));
        }
        match scheme.to_ascii_lowercase().as_str() {
            "file" if rest.starts_with('/') => Ok(Self::Folder(PathBuf::from(rest))),
            "file" => Err(("the folder is not an absolute path", "write three slashes: `file:///FOLDER`")),
            "s3" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.trim_matches('/');
                if !is_bucket(bucket) {
                    return Err((
                        "there is no bucket of that name",
                        "write `s3://BUCKET/PREFIX`, with a bucket's name of 3 to 63 small letters, digits, dots and hyphens",
                    ));
                }
                if !is_prefix(prefix) {
                    return Err((
                        "the prefix cannot be used",
                        "use letters, digits and `._-/` in it, and no empty or dotted parts",
                    ));
                }
                Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned(), lease })
            }
            _ => Err(("state cannot be kept at URLs of this scheme", FORMS)),
        }
    }

    /// What `[state]` says, relative to the folder of its file. What is wrong with it was reported.
    pub(super) fn of(spec: &StateSpec, folder: &FilePath) -> Option<Self> {
        let lease = spec.lease.as_ref().and_then(super::values::Duration::value).unwrap_or(LEASE);
        match (&spec.url, &spec.path) {
            (Some(url), _) => Self::of_url(url, lease).ok(),
            (None, Some(path)) => Some(Self::Folder(folder.join(path))),
            (None, None) => None,
        }
    }
}

impl fmt::Display for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket { bucket, prefix, .. } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

fn is_bucket(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'-'))
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}

fn is_prefix(prefix: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    prefix.is_empty()
        || prefix.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain))
}

/// Reports what is wrong with `[state]`.
pub(super) fn check(report: &mut Report<'_>, spec: &StateSpec) {
    if let Some(path) = &spec.path {
        names::check_blank(report, &steps!["state", "path"], path);
    }
    if let Some(url) = &spec.url {
        if spec.path.is_some() {
            let message = "`path` and `url` cannot both say where the state lies";
            report.key(Code::ExactlyOneOf, &steps!["state", "url"], message, "remove one of them");
        }
        if let Err((what, help)) = StatePlace::of_url(url, LEASE) {
            report.value(Code::BadStatePlace, &steps!["state", "url"], what, help);
        }
    }
    let Some(lease) = &spec.lease else { return };
    let at = steps!["state", "lease"];
    if !spec.url.as_deref().is_some_and(|url| url.starts_with("s3://")) {
        let what = "a lock in a folder has no lease: the operating system drops it";
        report.key(Code::BadStatePlace, &at, what, "remove `lease`, or name a bucket with `url`");
    } else if !lease.value().is_some_and(|lease| LEASES.contains(&lease)) {
        report.value(Code::OutOfRange, &at, "the lease is too short or too long", "choose between `5s` and `1h`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_place_is_understood_and_all_else_refused() {
        let bucket = |bucket: &str, prefix: &str| StatePlace::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            lease: LEASE,
        };
        assert_eq!(StatePlace::parse("s3://team-state/kb/prod/"), Ok(bucket("team-state", "kb/prod")));
        assert_eq!(StatePlace::parse("S3://team-state"), Ok(bucket("team-state", "")));
        assert_eq!(StatePlace::parse("file:///var/state"), Ok(StatePlace::Folder("/var/state".into())));
        assert_eq!(StatePlace::parse("some/folder"), Ok(StatePlace::Folder("some/folder".into())));
        for wrong in [
            "s3://",
            "s3:///x",
            "s3://Ab_c/x",
            "s3://abc/x//y",
            "s3://abc/../y",
            "file://x",
            "gs://abc/x",
            "http://h/x",
        ] {
            let error = StatePlace::parse(wrong).unwrap_err();
            assert!(error.contains("`"), "it does not say what to write: {error}");
        }
        let error = StatePlace::parse("s3://key:s3cret@abc/x").unwrap_err();
        assert!(error.contains("AWS_ACCESS_KEY_ID") && !error.contains("s3cret"), "{error}");
        assert_eq!(bucket("abc", "x/y").to_string(), "s3://abc/x/y");
    }
}
