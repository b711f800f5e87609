//! From the environment to a store. Credentials and address are read as the AWS tools name them, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::super::StateError;
use super::super::error::{RemoteError, RemoteKind};

/// Where credentials may come from, by the variables that say so. Without any of them, a machine's own identity would be asked
/// for at an address that most machines do not have.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(15);
/// How long what may be repeated without harm is repeated.
const RETRY: Duration = Duration::from_secs(30);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The store that holds a bucket.
pub(super) fn s3(bucket: &str, name: &str) -> Result<Arc<dyn ObjectStore>, StateError> {
    if !CREDENTIALS.iter().any(|name| variable(name).is_some()) {
        let what = format!("there are no credentials for {name}: `AWS_ACCESS_KEY_ID` is not set");
        return Err(RemoteError { kind: RemoteKind::Denied, what }.into());
    }
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    let plain = endpoint.as_deref().is_some_and(|endpoint| !endpoint.to_ascii_lowercase().starts_with("https://"));
    let allowed =
        variable("AWS_ALLOW_HTTP").is_some_and(|value| matches!(value.as_str(), "1" | "true" | "TRUE" | "True"));
    if plain && !allowed && !endpoint.as_deref().is_some_and(is_loopback) {
        return Err(StateError::Refused {
            what: "the store's address does not begin with `https://`, so everybody on the way could read and change the state".to_owned(),
            help: "give `AWS_ENDPOINT_URL_S3` an address with `https://`, or set `AWS_ALLOW_HTTP=true` where the way is safe",
        });
    }
    // The one that the connections to clusters use too. Somebody may have installed it before.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(3),
        ..BackoffConfig::default()
    };
    let retry = RetryConfig { backoff, max_retries: 8, retry_timeout: RETRY };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        .with_client_options(
            ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(REQUEST).with_allow_http(plain),
        );
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    // What it has to say about a variable may repeat its value.
    let store = builder.build().map_err(|_| StateError::Refused {
        what: format!("the environment does not say how to reach {name}"),
        help: "check the variables that begin with `AWS_`: an address, a region, a key and its secret",
    })?;
    Ok(Arc::new(store))
}

fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for here in ["http://127.0.0.1:8333", "http://localhost", "http://[::1]:9000/x"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["http://10.0.0.1:8333", "http://localhost.example.com", "http://127.0.0.1.example.com:1"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
