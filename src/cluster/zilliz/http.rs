//! Sending: one request to the control plane and what its answer means, repeated where that is harmless.
//!
//! What is sent and received is never logged: a key is in each request, and a password in some answers.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answers::{Envelope, Many};
use super::codes;
use super::gate::Gate;
use super::hidden;
use super::requests::{self, Call, Method};
use crate::cluster::error::chain;
use crate::cluster::{Advice, ClusterError, ErrorKind, Patience, Result};

/// Largest answer that is read. A page of a hundred clusters has some fifty kilobytes.
const MAX_ANSWER: usize = 4 << 20;
/// Longest time that the service may ask for before it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// Characters of the service's own words that go into a message.
const WORDS: usize = 600;

/// How long the service is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// For a connection.
    pub connect: Duration,
    /// For one request, from its first byte to the last of the answer.
    pub request: Duration,
    /// For repeating a request after its first transient error.
    pub retry: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(60), retry: Duration::from_secs(60) }
    }
}

/// A client of one control plane with one key.
pub(super) struct Http {
    client: Client,
    /// Base address, without a slash at its end.
    api: String,
    key: SecretString,
    bearer: HeaderValue,
    deadlines: Deadlines,
    gate: Gate,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("api", &self.api).finish_non_exhaustive()
    }
}

/// One request.
pub(super) struct Request<'a> {
    pub call: Call,
    /// What is put into its path.
    pub id: Option<&'a str>,
    pub query: &'a [(&'a str, String)],
    /// Its body as JSON.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// What of its body may be shown nowhere, in case that the service repeats it.
    pub secrets: &'a [&'a SecretString],
    /// Whether it may be sent again where nobody knows what became of it.
    pub repeatable: bool,
    /// What it is for, in words.
    pub action: &'a str,
}

impl<'a> Request<'a> {
    /// Something that changes nothing.
    pub(super) fn question(call: Call, action: &'a str) -> Self {
        Self { call, id: None, query: &[], body: None, secrets: &[], repeatable: true, action }
    }

    /// Something that may not be done twice.
    pub(super) fn once(call: Call, body: &impl Serialize, action: &'a str) -> Self {
        // The bodies are structs of text and numbers, which can always be written.
        let body = Zeroizing::new(serde_json::to_vec(body).unwrap_or_default());
        Self { call, id: None, query: &[], body: Some(body), secrets: &[], repeatable: false, action }
    }

    /// A question that the service takes with a body.
    pub(super) fn asking(call: Call, body: &impl Serialize, action: &'a str) -> Self {
        Self { repeatable: true, ..Self::once(call, body, action) }
    }

    /// The same about one thing.
    pub(super) fn about(self, id: &'a str) -> Self {
        Self { id: Some(id), ..self }
    }
}

/// An answer that says that it went well.
pub(super) struct Answer {
    body: Zeroizing<Vec<u8>>,
    request_id: Option<String>,
}

impl Http {
    /// A client for the control plane at `api`; `action` is what is said where that fails.
    pub(super) fn new(api: &str, key: SecretString, deadlines: Deadlines, action: &str) -> Result<Self> {
        let failed = |message: String| ClusterError::new(ErrorKind::Config, api, action, message);
        let here = loopback(api).ok_or_else(|| {
            failed("the address of the control plane begins with neither https:// nor, on this machine, http://".into())
        })?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
            .map_err(|_| failed("the API key cannot be sent as a header".to_owned()))?;
        bearer.set_sensitive(true);
        // The one that the connections to clusters use too. Somebody may have installed it before.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("vecferry/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(deadlines.connect)
            .timeout(deadlines.request)
            // The key would go along.
            .redirect(reqwest::redirect::Policy::none());
        if here {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| failed(chain(&error.without_url())))?;
        let api = api.trim_end_matches('/').to_owned();
        Ok(Self { client, api, key, bearer, deadlines, gate: Gate::default() })
    }

    /// The base address.
    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// An error of this control plane.
    pub(super) fn error(&self, kind: ErrorKind, action: &str, message: impl Into<String>) -> ClusterError {
        ClusterError::new(kind, &self.api, action, message)
    }

    /// Sends a request, again and again while that can help: a question after anything that may pass, everything else only
    /// where the service did nothing of it.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer> {
        let mut patience = Patience::new(self.deadlines.retry);
        loop {
            self.gate.enter(request.call).await;
            let error = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.leaves_open() && !request.repeatable {
                return Err(error);
            }
            let (pause, error) = patience.after(error)?;
            tracing::info!(%error, ?pause, "repeating a request");
            if error.kind == ErrorKind::RateLimited {
                self.gate.close(request.call, pause);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request and reads a single thing out of the answer; none where it holds nothing.
    pub(super) async fn one<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<Option<T>> {
        Ok(self.many(request).await?.into_iter().next())
    }

    /// Sends a request and reads a list of things out of the answer.
    pub(super) async fn many<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<Vec<T>> {
        let answer = self.send(request).await?;
        self.read(request, &answer)
    }

    /// Sends a request and reads out of the answer what it must hold; `missing` is what it does not say otherwise.
    pub(super) async fn required<T: DeserializeOwned, U>(
        &self,
        request: &Request<'_>,
        known: fn(T) -> Option<U>,
        missing: &str,
    ) -> Result<U> {
        let answer = self.send(request).await?;
        self.read(request, &answer)?
            .into_iter()
            .next()
            .and_then(known)
            .ok_or_else(|| self.unreadable(request, &answer, &format!("the answer does not say {missing}")))
    }

    fn read<T: DeserializeOwned>(&self, request: &Request<'_>, answer: &Answer) -> Result<Vec<T>> {
        let inside = Envelope::open(&answer.body).map_or("", |(_, inside)| inside);
        // What serde says would quote the answer.
        let things = serde_json::from_str::<Many<T>>(inside).map_err(|_| {
            self.unreadable(request, answer, "the answer is not what the service's reference describes")
        })?;
        Ok(things.0)
    }

    fn unreadable(&self, request: &Request<'_>, answer: &Answer, message: &str) -> ClusterError {
        let error = self.error(ErrorKind::Nonsense, request.action, with_id(message, answer.request_id.as_deref()));
        ClusterError { advice: (!request.repeatable).then_some(Advice::Look), ..error }
    }

    async fn once(&self, request: &Request<'_>) -> Result<Answer> {
        let url = self.url(request)?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.bearer.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut sending = match request.call.method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url),
        };
        if let Some(body) = &request.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            sending = sending.body(body.to_vec());
        }
        let response = sending.headers(headers).send().await.map_err(|error| self.lost(request.action, error))?;
        let (status, request_id) = (response.status().as_u16(), request_id(&response));
        tracing::debug!(action = request.action, status, ?request_id, "the control plane answered");
        let after = retry_after(&response);
        let id = request_id.as_deref();
        let body = self.body(response, request.action, id).await?;
        self.judge(request, status, &body, id).map_err(|mut error| {
            error.retry_after = after;
            error
        })?;
        Ok(Answer { body, request_id })
    }

    fn url(&self, request: &Request<'_>) -> Result<Url> {
        let wrong = |message: &str| {
            let error = self.error(ErrorKind::Refused, request.action, message);
            ClusterError { nothing_done: true, ..error }
        };
        let id = request.id.unwrap_or_default();
        // Anything else would lead to another path.
        if !id.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_')) {
            return Err(wrong("an id of Zilliz Cloud has letters, digits and hyphens only"));
        }
        if request.id.is_some() && id.is_empty() {
            return Err(wrong("the id is empty"));
        }
        let path = request.call.path.replace("{}", id);
        let mut url = Url::parse(&format!("{}{path}", self.api))
            .map_err(|error| self.error(ErrorKind::Config, request.action, error.to_string()))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        Ok(url)
    }

    /// All of the answer, if it is not too much.
    async fn body(&self, mut response: Response, action: &str, id: Option<&str>) -> Result<Zeroizing<Vec<u8>>> {
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(action, error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let message = format!("the answer is larger than {} MiB", MAX_ANSWER >> 20);
                return Err(self.error(ErrorKind::Nonsense, action, with_id(&message, id)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Whether an answer says that it went well, and what it says otherwise.
    fn judge(&self, request: &Request<'_>, status: u16, body: &[u8], id: Option<&str>) -> Result<()> {
        let opened = Envelope::open(body).map(|(envelope, _)| envelope);
        let well = (200..300).contains(&status);
        let Some(envelope) = opened else {
            let (kind, message) = match status {
                200..300 => (ErrorKind::Nonsense, "the answer is no JSON".to_owned()),
                300..400 => {
                    let what =
                        format!("it answers with HTTP {status}, which leads elsewhere; the key is not sent there");
                    (ErrorKind::Nonsense, what)
                }
                _ => (codes::kind_of_status(status), format!("HTTP {status}, without a word that can be read")),
            };
            return Err(self.refusal(request, kind, status, None, &message, id));
        };
        let word = envelope.code.0.trim();
        let number = word.parse::<i32>().ok();
        let success = word.is_empty() || matches!(number, Some(0 | 200));
        if well && success {
            return Ok(());
        }
        let code = number.filter(|_| !success);
        let kind = match (status, code) {
            // Nobody knows what became of the request, whatever else the answer says.
            (500..600, _) => codes::kind_of_status(status),
            (_, Some(code)) => match codes::lookup(code) {
                Some(known) => known.kind,
                // Some gateways put the status of HTTP into the envelope and say that all went well around it.
                None if well => match code {
                    400..600 => codes::kind_of_status(u16::try_from(code).unwrap_or_default()),
                    _ => ErrorKind::Refused,
                },
                None => codes::kind_of_status(status),
            },
            (200..300, None) => ErrorKind::Refused,
            (_, None) => codes::kind_of_status(status),
        };
        let mut message = self.words(request, &envelope.message.0);
        if message.is_empty() {
            message = "it gives no reason".to_owned();
        }
        if number.is_none() && !word.is_empty() {
            message = format!("{message} (code `{}`)", self.words(request, word));
        }
        if !well {
            message = format!("{message} (HTTP {status})");
        }
        Err(self.refusal(request, kind, status, code, &message, id))
    }

    /// The error that an answer comes to.
    fn refusal(
        &self,
        request: &Request<'_>,
        kind: ErrorKind,
        status: u16,
        code: Option<i32>,
        message: &str,
        id: Option<&str>,
    ) -> ClusterError {
        let known = code.and_then(codes::lookup);
        // A cluster that is missing may be answered with the same status.
        let missing = known.is_some_and(|known| known.kind == ErrorKind::NotFound);
        let gone = request.call == requests::MIGRATE
            && status < 500
            && !missing
            && (matches!(status, 404 | 405 | 410) || message.to_lowercase().contains("deprecated"));
        let message = match gone {
            true => format!("{message}; the service's reference marks this endpoint as deprecated"),
            false => message.to_owned(),
        };
        let advice = match kind {
            _ if gone => Some(Advice::MigrationsGone),
            _ if known.is_some_and(|known| known.advice.is_some()) => known.and_then(|known| known.advice),
            ErrorKind::Denied => Some(Advice::Key),
            ErrorKind::Forbidden => Some(Advice::ProjectRights),
            ErrorKind::RateLimited => Some(Advice::Later),
            ErrorKind::Nonsense => Some(Advice::Api),
            _ => None,
        };
        let mut error = self.error(kind, request.action, with_id(&message, id));
        error.code = code;
        error.advice = advice;
        // A refusal is an answer: what it is about was looked at, and not done.
        error.nothing_done = status < 500
            && !(300..400).contains(&status)
            && !matches!(kind, ErrorKind::Nonsense | ErrorKind::Transient);
        error
    }

    /// The error of a request that got no answer, or half of one.
    fn lost(&self, action: &str, error: reqwest::Error) -> ClusterError {
        let error = error.without_url();
        let text = chain(&error);
        if error.is_connect() {
            // A certificate that does not fit will not fit in a moment either.
            let lower = text.to_lowercase();
            let tls = lower.contains("certificate") || lower.contains("handshake");
            let (kind, advice) = match tls {
                true => (ErrorKind::Config, Advice::ApiCertificate),
                false => (ErrorKind::Unreachable, Advice::ApiUnreachable),
            };
            return ClusterError { nothing_done: true, advice: Some(advice), ..self.error(kind, action, text) };
        }
        let message = match error.is_timeout() {
            true => format!("no answer within {:?}", self.deadlines.request),
            false => text,
        };
        self.error(ErrorKind::Transient, action, message)
    }

    /// The service's own words, short, and without the key and what else is secret, which it repeats where it does not like it.
    fn words(&self, request: &Request<'_>, text: &str) -> String {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let secrets = std::iter::once(&self.key).chain(request.secrets.iter().copied());
        let said = hidden::hidden(line, secrets).chars().filter(|one| !one.is_control()).collect::<String>();
        match said.char_indices().nth(WORDS) {
            Some((end, _)) => format!("{}…", &said[..end]),
            None => said,
        }
    }
}

/// Whether an address is on this machine; none where it may not be used at all.
fn loopback(api: &str) -> Option<bool> {
    let url = Url::parse(api).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    (url.scheme() == "https" || (url.scheme() == "http" && here)).then_some(here)
}

/// What the service calls this request, for whoever asks its support.
fn request_id(response: &Response) -> Option<String> {
    let id = response.headers().get("requestid")?.to_str().ok()?.trim();
    let id: String = id.chars().filter(char::is_ascii_graphic).take(100).collect();
    (!id.is_empty()).then_some(id)
}

fn with_id(message: &str, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{message} (requestid {id})"),
        None => message.to_owned(),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // Whoever says "tomorrow" is asked again earlier.
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}
