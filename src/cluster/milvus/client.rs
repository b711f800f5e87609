//! The connection: channel, TLS, credentials, deadlines, and repeating what may be repeated.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use hyper_util::client::legacy::connect::HttpConnector;
use milvus::proto::milvus::milvus_service_client::MilvusServiceClient;
use secrecy::{ExposeSecret, SecretString};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as TonicEndpoint, Identity};

use super::polling::Waiting;
use super::ropeway::Ropeway;
use super::socket::Connector;
use super::{status, wire};
use crate::cluster::error::chain;
use crate::cluster::{ClusterError, ErrorKind, Patience, Pressure, Result, Watch, secret};
use crate::plan::resolved::{Auth, Endpoint, Tls};

/// Largest answer that is accepted. Milvus sends up to 256 MiB since 2.4, which is more than a process may have memory for; what
/// does not fit is asked for in smaller pages.
pub const MAX_ANSWER: usize = 64 << 20;
/// Largest request that is sent; what a server takes is for the server to say.
pub const MAX_REQUEST: usize = 256 << 20;

/// A stub with credentials in every request.
pub type Stub = MilvusServiceClient<InterceptedService<Channel, Credentials>>;

/// Adds the authorization header. The value is marked sensitive, so no debug output shows it.
#[derive(Clone)]
pub struct Credentials(Option<MetadataValue<Ascii>>);

impl Interceptor for Credentials {
    fn call(&mut self, mut request: tonic::Request<()>) -> std::result::Result<tonic::Request<()>, tonic::Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A connection to one server.
#[derive(Clone)]
pub struct Client {
    stub: Stub,
    /// The same connection for the messages that rows travel in.
    rows: wire::Rows,
    uri: String,
    /// How long a request is repeated after its first transient error.
    retry: Duration,
    /// Rows that are asked for, in requests.
    reads: Arc<Pressure>,
    /// Rows that are sent, in bytes.
    writes: Arc<Pressure>,
    watch: Option<Arc<dyn Watch>>,
    /// Those who wait for something that takes the server its time.
    pub waiting: Waiting,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Client {
    /// Opens a connection. Secrets and certificates are read here.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self> {
        let action = format!("connect to `{}`", endpoint.name);
        let failed = |kind, message: String| ClusterError::new(kind, &endpoint.uri, &action, message);
        let credentials = credentials(&endpoint.auth).await.map_err(|message| failed(ErrorKind::Config, message))?;
        let mut channel = TonicEndpoint::from_shared(endpoint.uri.clone())
            .map_err(|error| failed(ErrorKind::Config, error.to_string()))?
            .timeout(endpoint.request_timeout)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .initial_stream_window_size(8 << 20)
            .initial_connection_window_size(16 << 20);
        if endpoint.uri.starts_with("https:") {
            let tls = tls(&endpoint.tls).map_err(|message| failed(ErrorKind::Config, message))?;
            channel = channel.tls_config(tls).map_err(|error| failed(ErrorKind::Config, chain(&error)))?;
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(endpoint.connect_timeout));
        let channel = channel.connect_with_connector(Connector(connector)).await.map_err(|error| {
            let text = chain(&error);
            // A certificate that does not fit will not fit in a moment either.
            let lower = text.to_lowercase();
            let tls = lower.contains("certificate") || lower.contains("tls") || lower.contains("handshake");
            failed(if tls { ErrorKind::Config } else { ErrorKind::Unreachable }, text)
        })?;
        let credentials = Credentials(credentials);
        let rows = wire::Rows::new(InterceptedService::new(Ropeway(channel.clone()), credentials.clone()))
            .max_decoding_message_size(MAX_ANSWER)
            .max_encoding_message_size(MAX_REQUEST);
        let stub = MilvusServiceClient::with_interceptor(channel, credentials)
            .max_decoding_message_size(MAX_ANSWER)
            .max_encoding_message_size(MAX_REQUEST);
        Ok(Self {
            stub,
            rows,
            uri: endpoint.uri.clone(),
            retry: endpoint.retry_timeout,
            reads: Arc::default(),
            writes: Arc::default(),
            watch: None,
            waiting: Waiting::default(),
        })
    }

    /// The same connection, whose repeated requests are told to `watch`.
    pub fn watched(&self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch), ..self.clone() }
    }

    /// How long a request is repeated.
    pub fn patience(&self) -> Patience {
        Patience::new(self.retry)
    }

    /// The stub; cloning it is cheap, all clones share the connection.
    pub fn stub(&self) -> Stub {
        self.stub.clone()
    }

    /// The connection that rows go through, like the stub.
    pub fn rows(&self) -> wire::Rows {
        self.rows.clone()
    }

    /// An error of this server that no status of its own describes.
    pub fn error(&self, kind: ErrorKind, action: &str, message: impl Into<String>) -> ClusterError {
        ClusterError::new(kind, &self.uri, action, message)
    }

    /// Sends one request, once. `call` sends it, and the status inside its answer is checked by `status_of`.
    pub async fn once<R, F>(
        &self,
        action: &str,
        call: F,
        status_of: fn(&R) -> Option<&milvus::proto::common::Status>,
    ) -> Result<R>
    where
        F: Future<Output = std::result::Result<tonic::Response<R>, tonic::Status>>,
    {
        let answer = call.await.map_err(|error| status::transport(&self.uri, action, &error))?.into_inner();
        status::check(&self.uri, action, status_of(&answer))?;
        Ok(answer)
    }

    /// Sends a request that changes nothing, or changes nothing the second time, and repeats it while its error is transient.
    pub async fn ask<Q, R, F>(
        &self,
        action: &str,
        request: Q,
        call: impl Fn(Stub, Q) -> F,
        status_of: fn(&R) -> Option<&milvus::proto::common::Status>,
    ) -> Result<R>
    where
        Q: Clone,
        F: Future<Output = std::result::Result<tonic::Response<R>, tonic::Status>>,
    {
        self.patiently(|| self.once(action, call(self.stub(), request.clone()), status_of)).await
    }

    /// The same for a request for rows, held back where the server says that it gets too many.
    pub async fn ask_for_rows<Q, R, F>(
        &self,
        action: &str,
        request: Q,
        call: impl Fn(&Self, Q) -> F,
        status_of: fn(&R) -> Option<&milvus::proto::common::Status>,
    ) -> Result<R>
    where
        Q: Clone,
        F: Future<Output = std::result::Result<tonic::Response<R>, tonic::Status>>,
    {
        self.patiently(|| {
            let call = call(self, request.clone());
            self.held_back(&self.reads, 1.0, self.once(action, call, status_of))
        })
        .await
    }

    /// Sends rows, once, held back where the server says that it gets too much. `bytes` is the size of the request.
    pub async fn send_rows<R, F>(
        &self,
        action: &str,
        bytes: usize,
        call: F,
        status_of: fn(&R) -> Option<&milvus::proto::common::Status>,
    ) -> Result<R>
    where
        F: Future<Output = std::result::Result<tonic::Response<R>, tonic::Status>>,
    {
        self.held_back(&self.writes, bytes as f64, self.once(action, call, status_of)).await
    }

    async fn held_back<T>(&self, pressure: &Pressure, cost: f64, call: impl Future<Output = Result<T>>) -> Result<T> {
        pressure.enter(cost).await;
        let result = call.await;
        match &result {
            Ok(_) => pressure.accepted(cost),
            Err(error) if error.kind == ErrorKind::RateLimited => {
                pressure.refused(error);
                tracing::info!(%error, rate = ?pressure.rate(), "the server sets a limit");
            }
            Err(_) => {}
        }
        result
    }

    /// Repeats a call that changes nothing, or changes nothing the second time, while its error is transient.
    pub async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut patience = self.patience();
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let (pause, error) = patience.after(error)?;
            tracing::info!(%error, ?pause, "repeating a request");
            if let Some(watch) = &self.watch {
                watch.repeating(&error);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

async fn credentials(auth: &Auth) -> std::result::Result<Option<MetadataValue<Ascii>>, String> {
    let token = match auth {
        Auth::None => return Ok(None),
        Auth::Token(reference) => secret::resolve(reference).await?,
        Auth::Password { username, password } => {
            let password = secret::resolve(password).await?;
            SecretString::from(format!("{username}:{}", password.expose_secret()))
        }
    };
    let encoded = base64::engine::general_purpose::STANDARD.encode(token.expose_secret());
    let mut value: MetadataValue<Ascii> =
        encoded.parse().map_err(|_| "the credentials cannot be sent as a header".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn tls(settings: &Tls) -> std::result::Result<ClientTlsConfig, String> {
    let read = |path: &std::path::Path| fs_err::read(path).map_err(|error| error.to_string());
    let mut tls = ClientTlsConfig::new();
    tls = match &settings.ca {
        Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?)),
        None => tls.with_native_roots(),
    };
    if let Some((certificate, key)) = &settings.client {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    if let Some(name) = &settings.server_name {
        tls = tls.domain_name(name);
    }
    Ok(tls)
}
