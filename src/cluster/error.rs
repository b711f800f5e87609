//! What can go wrong between vecferry and a cluster, by what can be done about it.

use std::fmt;
use std::time::Duration;

use super::Advice;

/// What can be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection could be made: wrong port, dead server, name that does not resolve, TLS that does not fit.
    Unreachable,
    /// The server refused the credentials.
    Denied,
    /// The credentials are good, and may not do this.
    Forbidden,
    /// A secret could not be read, or a file of the TLS settings.
    Config,
    /// What was named does not exist.
    NotFound,
    /// It may work in a moment: unavailable, leader changes, overload.
    Transient,
    /// Too fast for the server's limits.
    RateLimited,
    /// A request or an answer is larger than allowed; ask for less at once.
    TooLarge,
    /// The server says no, and will say so again.
    Refused,
    /// The answer makes no sense.
    Nonsense,
    /// The rows cannot be sent: they do not fit the target's fields.
    Misfit,
}

/// An error of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterError {
    /// What can be done.
    pub kind: ErrorKind,
    /// Which cluster: scheme, host and port.
    pub uri: String,
    /// What was being done, e.g. `describe collection docs`.
    pub action: String,
    /// What went wrong, without credentials.
    pub message: String,
    /// The server's own code, where it gave one.
    pub code: Option<i32>,
    /// When to come back, where the server says so.
    pub retry_after: Option<Duration>,
    /// The rate that the server allows, where it names one: bytes a second for writes, requests a second for all else.
    pub rate: Option<f32>,
    /// How often it was tried and for how many seconds, where that was more than once.
    pub tried: Option<(u32, u32)>,
    /// Whether the service is known to have looked at the request and done nothing of it, whatever the kind says.
    pub nothing_done: bool,
    /// What to do next, where that is known better than by the kind.
    pub advice: Option<Advice>,
}

impl ClusterError {
    /// An error that the server has nothing further to say about.
    pub fn new(kind: ErrorKind, uri: &str, action: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            uri: uri.to_owned(),
            action: action.to_owned(),
            message: message.into(),
            code: None,
            retry_after: None,
            rate: None,
            tried: None,
            nothing_done: false,
            advice: None,
        }
    }

    /// Whether rows of a write that ended so may have landed. A rate limit, a size limit and a wrong login are looked at
    /// before the rows are; after anything else nobody knows, a refusal included, because the rows of one request go to
    /// several channels, of which some may have taken theirs.
    pub fn leaves_open(&self) -> bool {
        !self.nothing_done
            && !matches!(
                self.kind,
                ErrorKind::RateLimited
                    | ErrorKind::TooLarge
                    | ErrorKind::Misfit
                    | ErrorKind::Denied
                    | ErrorKind::Forbidden
                    | ErrorKind::Config
            )
    }

    /// The class of an error that is repeated, in a word or two.
    pub fn class(&self) -> &'static str {
        match self.kind {
            ErrorKind::RateLimited => "rate limited",
            ErrorKind::Unreachable => "unreachable",
            _ => "unavailable",
        }
    }

    /// Whether the same call may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient | ErrorKind::RateLimited | ErrorKind::Unreachable)
    }

    /// What to do next, in one sentence.
    pub fn help(&self) -> &'static str {
        if let Some(advice) = self.advice {
            return advice.words();
        }
        match self.kind {
            ErrorKind::Unreachable => {
                "check the uri (host, port, http or https) and that the server is running and reachable from here"
            }
            ErrorKind::Denied => "check the token, or user name and password, that the plan refers to",
            ErrorKind::Forbidden => "give this user the right to do it, or use another one",
            ErrorKind::Config => {
                "check the secret's reference or the `tls` settings in the plan or in vecferry.toml, and that this user can read the files"
            }
            ErrorKind::NotFound => "check the names in the plan against what the cluster holds",
            ErrorKind::Transient => "run the same command again: it goes on where it stopped",
            ErrorKind::RateLimited => "run the same command again later, or set limits.write_mb_per_s lower",
            ErrorKind::TooLarge => {
                "a single row is larger than the server's limit for one message; raise that limit on the server"
            }
            ErrorKind::Refused => {
                "the server's own words say what it does not accept; change the plan or the server accordingly"
            }
            ErrorKind::Nonsense => {
                "this looks like a bug in the server or in vecferry; please report it with the message above"
            }
            ErrorKind::Misfit => "change the row or the field's type, or leave the row out with `where`",
        }
    }
}

/// An error with its causes, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: could not {}: {}", self.uri, self.action, self.message)?;
        if let Some(code) = self.code {
            write!(f, " (server code {code})")?;
        }
        if let Some((tries, seconds)) = self.tried {
            write!(f, ", after {tries} tries in {seconds} s")?;
        }
        Ok(())
    }
}

impl std::error::Error for ClusterError {}
