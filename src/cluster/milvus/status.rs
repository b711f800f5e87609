//! Turns what a server or the connection says into a [`ClusterError`] by its code. Texts differ between versions, so they
//! are looked at only where a server has no code for the case.

use std::time::Duration;

use milvus::proto::common::Status;
use tonic::Code;

use crate::cluster::{ClusterError, ErrorKind};

/// Longest time that a server may ask for before it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Codes of `pkg/util/merr/errors.go` in Milvus, with what can be done about them.
fn kind_of_code(status: &Status) -> ErrorKind {
    match status.code {
        1 | 2 | 4 | 10_000..=10_009 if !is_lite_text(status) => ErrorKind::Transient,
        8 | 9 => ErrorKind::RateLimited,
        // 901 to 904 are nodes that are gone or not yet known again.
        3 | 5 | 7 | 11 | 12 | 103 | 106 | 503 | 504 | 901..=904 => ErrorKind::Transient,
        // "Not loaded". Nothing is queried that was not loaded before, so the server was started again and is loading it.
        101 => ErrorKind::Transient,
        100 | 200 | 800 => ErrorKind::NotFound,
        1102 => ErrorKind::TooLarge,
        1400 => ErrorKind::Denied,
        1401 => ErrorKind::Forbidden,
        65535
            if status.reason.contains("exceed")
                && status.reason.contains("limit")
                && status.reason.contains("size") =>
        {
            ErrorKind::TooLarge
        }
        65535 if is_looking_for_its_nodes(&status.reason) => ErrorKind::Transient,
        _ if status.retriable => ErrorKind::Transient,
        _ => ErrorKind::Refused,
    }
}

/// For some twenty seconds after a restart, 2.3.5 looks for the nodes that it had before, and has no code for that.
fn is_looking_for_its_nodes(reason: &str) -> bool {
    ["session not found", "node not found", "node not match"].iter().any(|words| reason.contains(words))
}

/// milvus-lite answers 1 for every error of its own, while Milvus means "not ready" by it.
fn is_lite_text(status: &Status) -> bool {
    status.code == 1 && !status.retriable
}

/// An error for a status that is not success, or none. milvus-lite sets only `code` for some errors and old servers only
/// `error_code`, so both are looked at.
#[expect(deprecated, reason = "servers before 2.3 and milvus-lite still answer by error_code alone")]
pub fn check(uri: &str, action: &str, status: Option<&Status>) -> Result<(), ClusterError> {
    let Some(status) = status else {
        return Ok(());
    };
    if status.code == 0 && status.error_code == 0 {
        return Ok(());
    }
    let kind = if status.code != 0 {
        kind_of_code(status)
    } else {
        match status.error_code {
            4 => ErrorKind::NotFound,
            48 | 49 => ErrorKind::RateLimited,
            _ => ErrorKind::Refused,
        }
    };
    let mut error = ClusterError::new(kind, uri, action, first_line(without_trace(&status.reason)));
    error.code = Some(if status.code != 0 { status.code } else { status.error_code });
    if kind == ErrorKind::RateLimited {
        error.rate = named_rate(&status.reason);
    }
    Err(error)
}

/// The rate in `rate limit exceeded[rate=1.048576e+06]`: bytes a second for writes, requests a second for all else. A server
/// that lets nothing pass for now names 0, which says nothing about later.
fn named_rate(reason: &str) -> Option<f32> {
    let (_, behind) = reason.split_once("rate=")?;
    let number =
        behind.split(|character: char| !(character.is_ascii_alphanumeric() || ".+-".contains(character))).next()?;
    number.parse().ok().filter(|rate: &f32| rate.is_finite() && *rate > 0.0)
}

/// When to come back, as gRPC servers and the gateways before them say it, in milliseconds or in seconds.
fn retry_after(status: &tonic::Status) -> Option<Duration> {
    let number = |name: &str| status.metadata().get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let said = number("grpc-retry-pushback-ms")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after-ms").map(Duration::from_millis))
        .or_else(|| number("retry-after").map(Duration::from_secs))?;
    // Whoever says "tomorrow" is asked again earlier.
    Some(said.min(LONGEST_WAIT))
}

/// An error for a call that failed below the protocol.
pub fn transport(uri: &str, action: &str, status: &tonic::Status) -> ClusterError {
    let text = status.message();
    let kind = match status.code() {
        Code::Unauthenticated => ErrorKind::Denied,
        Code::PermissionDenied => ErrorKind::Forbidden,
        Code::ResourceExhausted if text.contains("larger than max") => ErrorKind::TooLarge,
        Code::OutOfRange if text.contains("too large") => ErrorKind::TooLarge,
        Code::ResourceExhausted => ErrorKind::RateLimited,
        Code::Unavailable if is_connect_error(status) => ErrorKind::Unreachable,
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled => ErrorKind::Transient,
        // A connection that breaks while an answer is on its way surfaces as one of these two.
        Code::Unknown | Code::Internal if is_broken_connection(status) => ErrorKind::Transient,
        _ => ErrorKind::Refused,
    };
    let message = match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => "no answer within the request timeout".to_owned(),
        _ => {
            let mut message = first_line(text);
            let mut source = std::error::Error::source(status);
            while let Some(error) = source {
                let text = error.to_string();
                if !message.contains(&text) {
                    message.push_str(": ");
                    message.push_str(&first_line(&text));
                }
                source = error.source();
            }
            message
        }
    };
    ClusterError { retry_after: retry_after(status), ..ClusterError::new(kind, uri, action, message) }
}

fn is_connect_error(status: &tonic::Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let text = error.to_string();
        if text.contains("tcp connect error")
            || text.contains("dns error")
            || text.contains("tls")
            || text.contains("certificate")
        {
            return true;
        }
        source = error.source();
    }
    false
}

fn is_broken_connection(status: &tonic::Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<std::io::Error>() || error.to_string().contains("connection") {
            return true;
        }
        source = error.source();
    }
    let text = status.message();
    text.contains("h2 protocol error") || text.contains("transport error") || text.contains("connection")
}

/// 2.3.5 puts the stack trace of some errors first, one line for each call, and the reason behind the last of them.
fn without_trace(reason: &str) -> &str {
    let behind = |trace: &'_ str| trace.rfind('\n').and_then(|line| Some(line + trace[line..].find(": ")? + 2));
    match reason.find("stack trace:").and_then(|start| Some(start + behind(&reason[start..])?)) {
        Some(end) => &reason[end..],
        None => reason,
    }
}

/// Servers append stack traces; the first line says what there is to say.
fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given").trim();
    match line.char_indices().nth(600) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_about_its_limit_is_understood() {
        let reason = "request is rejected by grpc RateLimiter middleware, please retry later: rate limit exceeded[rate=1.048576e+06]";
        let status = Status { code: 8, reason: reason.to_owned(), ..Status::default() };
        let error = check("http://here:1", "insert", Some(&status)).unwrap_err();
        assert_eq!((error.kind, error.rate), (ErrorKind::RateLimited, Some(1_048_576.0)));
        assert!(!error.leaves_open());
        for nothing in ["rate=0", "rate=", "rate=NaN", "rate=x", "no word of it"] {
            assert_eq!(named_rate(nothing), None, "{nothing}");
        }
        let mut status = tonic::Status::resource_exhausted("slow down");
        status.metadata_mut().insert("retry-after", "7".parse().unwrap());
        let error = transport("http://here:1", "insert", &status);
        assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(7))));
        status.metadata_mut().insert("grpc-retry-pushback-ms", "250".parse().unwrap());
        assert_eq!(transport("u", "a", &status).retry_after, Some(Duration::from_millis(250)));
        status.metadata_mut().insert("grpc-retry-pushback-ms", "999999999".parse().unwrap());
        assert_eq!(transport("u", "a", &status).retry_after, Some(LONGEST_WAIT));
    }

    #[test]
    fn a_collection_that_is_not_loaded_any_more_is_waited_for() {
        let status =
            Status { code: 101, reason: "collection not loaded[collection=7]".to_owned(), ..Status::default() };
        assert_eq!(check("http://here:1", "query", Some(&status)).unwrap_err().kind, ErrorKind::Transient);
    }

    #[test]
    fn a_server_that_looks_for_its_nodes_is_given_time_and_quoted_without_its_calls() {
        let reason = "attempt #0: stack trace: /milvus/pkg/tracer/stack_trace.go:51 github.com/milvus-io/milvus/pkg/tracer.StackTrace\n\
                      /milvus/internal/datacoord/services.go:116 github.com/milvus-io/milvus/internal/datacoord.(*Server).Flush: \
                      attempt #0: session not found->datanode-1: node not found[node=1]: unrecoverable error";
        let status = Status { code: 65535, reason: reason.to_owned(), ..Status::default() };
        let error = check("http://here:1", "flush", Some(&status)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient);
        assert_eq!(
            error.message,
            "attempt #0: session not found->datanode-1: node not found[node=1]: unrecoverable error"
        );
        assert_eq!(without_trace("first: of\nmany: lines"), "first: of\nmany: lines");
        assert_eq!(without_trace("stack trace: cut off"), "stack trace: cut off");
    }
}
