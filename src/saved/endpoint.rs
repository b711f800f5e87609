//! Clusters as a saved plan names them: where secrets come from, and never a secret.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::portable;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::plan::resolved::{Auth, CloudCluster, Endpoint, NewCluster, SecretRef, Tier, Tls, Units, WhichCluster};

/// A plan holds a secret itself, which no saved plan may.
#[derive(Debug)]
pub struct LiteralSecret {
    /// The cluster's name in the plan.
    pub endpoint: String,
    /// Where the plan declares it.
    pub span: Span,
}

impl LiteralSecret {
    /// The message about it.
    pub fn diagnostic(self) -> Diagnostic {
        let message = format!("the secret of `{}` stands in the plan itself, and is not saved", self.endpoint);
        let help = "use `{env: NAME}`, `{file: PATH}` or `{command: [..]}`";
        Diagnostic::new(Code::LiteralNotSaved, message).at(self.span).help(help)
    }
}

/// A cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SavedEndpoint {
    /// Its name in the plan.
    name: String,
    /// The address that was found, also where `cloud` says which cluster it belongs to.
    uri: String,
    /// The cluster of Zilliz Cloud that it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cloud: Option<SavedCloud>,
    /// Who logs in, where that is by a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Where the token is, or the password if there is a user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Reference>,
    /// File with the certificates that the cluster's is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_ca: Option<PathBuf>,
    /// Files with the certificate and key that vecferry shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client: Option<(PathBuf, PathBuf)>,
    /// The name that the cluster's certificate is to be for.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<String>,
    /// What kind of cluster it is.
    tier: Tier,
    /// Its compute units, where they are known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    units: Option<Units>,
    /// Deadline for opening a connection.
    connect_timeout_ms: u64,
    /// Deadline for one request.
    request_timeout_ms: u64,
    /// How long a request is repeated after its first transient error.
    retry_timeout_ms: u64,
}

/// The cluster of Zilliz Cloud that an address belongs to, or is to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SavedCloud {
    /// Base address of the control plane.
    api: String,
    /// Where the key is that the control plane is asked with.
    api_key: Reference,
    /// Which cluster.
    which: SavedWhich,
    /// Whether it is resumed where it is suspended.
    resume: bool,
}

/// Which cluster of Zilliz Cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum SavedWhich {
    /// One that exists, by its id.
    ClusterId(String),
    /// One that is made where there is none of its name.
    Create(NewCluster),
}

impl SavedCloud {
    /// None for a key that stands in the plan itself.
    fn of(cloud: &CloudCluster) -> Option<Self> {
        Some(Self {
            api: cloud.api.clone(),
            api_key: Reference::of(&cloud.api_key)?,
            which: match &cloud.which {
                WhichCluster::Id(id) => SavedWhich::ClusterId(id.clone()),
                WhichCluster::Make(new) => {
                    let password_file = portable(&new.password_file);
                    SavedWhich::Create(NewCluster { password_file, ..new.clone() })
                }
            },
            resume: cloud.resume,
        })
    }

    fn cloud(&self) -> CloudCluster {
        CloudCluster {
            api: self.api.clone(),
            api_key: self.api_key.resolved(),
            which: match &self.which {
                SavedWhich::ClusterId(id) => WhichCluster::Id(id.clone()),
                SavedWhich::Create(new) => WhichCluster::Make(new.clone()),
            },
            resume: self.resume,
        }
    }
}

/// Where a secret is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Reference {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(PathBuf),
    /// What this command prints.
    Command(Vec<String>),
}

impl Reference {
    /// None for a secret that stands in the plan itself.
    fn of(secret: &SecretRef) -> Option<Self> {
        Some(match secret {
            SecretRef::Env(name) => Self::Env(name.clone()),
            SecretRef::File(path) => Self::File(portable(path)),
            SecretRef::Command(words) => Self::Command(words.clone()),
            SecretRef::Literal(_) => return None,
        })
    }

    fn resolved(&self) -> SecretRef {
        match self {
            Self::Env(name) => SecretRef::Env(name.clone()),
            Self::File(path) => SecretRef::File(path.clone()),
            Self::Command(words) => SecretRef::Command(words.clone()),
        }
    }
}

impl SavedEndpoint {
    pub(super) fn of(endpoint: &Endpoint) -> Result<Self, LiteralSecret> {
        let literal = || LiteralSecret { endpoint: endpoint.name.clone(), span: endpoint.span.clone() };
        let (username, credential) = match &endpoint.auth {
            Auth::None => (None, None),
            Auth::Token(token) => (None, Some(Reference::of(token).ok_or_else(literal)?)),
            Auth::Password { username, password } => {
                (Some(username.clone()), Some(Reference::of(password).ok_or_else(literal)?))
            }
        };
        let cloud = match &endpoint.cloud {
            Some(cloud) => Some(SavedCloud::of(cloud).ok_or_else(literal)?),
            None => None,
        };
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            name: endpoint.name.clone(),
            uri: endpoint.uri.clone(),
            cloud,
            username,
            credential,
            tls_ca: endpoint.tls.ca.as_deref().map(portable),
            tls_client: endpoint.tls.client.as_ref().map(|(certificate, key)| (portable(certificate), portable(key))),
            tls_server_name: endpoint.tls.server_name.clone(),
            tier: endpoint.tier,
            units: endpoint.units,
            connect_timeout_ms: milliseconds(endpoint.connect_timeout),
            request_timeout_ms: milliseconds(endpoint.request_timeout),
            retry_timeout_ms: milliseconds(endpoint.retry_timeout),
        })
    }

    /// The endpoint, which messages place at `span`.
    pub(super) fn endpoint(&self, span: &Span) -> Endpoint {
        let auth = match (&self.username, &self.credential) {
            (_, None) => Auth::None,
            (None, Some(token)) => Auth::Token(token.resolved()),
            (Some(username), Some(password)) => {
                Auth::Password { username: username.clone(), password: password.resolved() }
            }
        };
        Endpoint {
            name: self.name.clone(),
            uri: self.uri.clone(),
            cloud: self.cloud.as_ref().map(SavedCloud::cloud),
            auth,
            tls: Tls {
                ca: self.tls_ca.clone(),
                client: self.tls_client.clone(),
                server_name: self.tls_server_name.clone(),
            },
            tier: self.tier,
            units: self.units,
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            request_timeout: Duration::from_millis(self.request_timeout_ms),
            retry_timeout: Duration::from_millis(self.retry_timeout_ms),
            span: span.clone(),
        }
    }
}
