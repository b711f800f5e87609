//! Clusters as plans name them: by an address, or as clusters of Zilliz Cloud that a control plane knows or is to make.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Span;

/// A cluster that the plan names, with everything that is needed to open a connection except the secrets themselves.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The key under `sources:` or `targets:`.
    pub name: String,
    /// `http://host:port` or `https://host:port`, without user info, path or query. Where `cloud` is given and the control
    /// plane was not asked yet, a name for the cluster that no address has: [`CloudCluster::placeholder`].
    pub uri: String,
    /// The cluster of Zilliz Cloud that it is, where the plan names it by its id or wants it made.
    pub cloud: Option<CloudCluster>,
    /// How to log in.
    pub auth: Auth,
    /// TLS settings; used where the uri is `https`.
    pub tls: Tls,
    /// What kind of cluster it is, as far as its limits go.
    pub tier: Tier,
    /// Its compute units, where the plan or the control plane says them.
    pub units: Option<Units>,
    /// Deadline for opening a connection. Default 10 s.
    pub connect_timeout: Duration,
    /// Deadline for one request. Default 60 s.
    pub request_timeout: Duration,
    /// How long a request is repeated after its first transient error.
    pub retry_timeout: Duration,
    /// Where the plan declares it, for messages.
    pub span: Span,
}

/// A cluster of Zilliz Cloud, which its control plane knows.
#[derive(Debug, Clone)]
pub struct CloudCluster {
    /// Base address of the control plane: `https://host` or, for a simulator on this machine, `http://127.0.0.1:port`.
    pub api: String,
    /// The key that the control plane is asked with.
    pub api_key: SecretRef,
    /// Which cluster.
    pub which: WhichCluster,
    /// Whether it is resumed where it is suspended.
    pub resume: bool,
}

impl CloudCluster {
    /// What stands for the address until the control plane says it: `zilliz_cloud:in01-…`, or `zilliz_cloud:proj-…/name` for a
    /// cluster that is to be made.
    pub fn placeholder(&self) -> String {
        match &self.which {
            WhichCluster::Id(id) => format!("zilliz_cloud:{id}"),
            WhichCluster::Make(new) => format!("zilliz_cloud:{}/{}", new.project_id, new.name),
        }
    }
}

/// Which cluster of Zilliz Cloud.
#[derive(Debug, Clone)]
pub enum WhichCluster {
    /// One that exists, by its id.
    Id(String),
    /// One that is made where there is none of its name in its project.
    Make(NewCluster),
}

/// A cluster that a plan wants made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NewCluster {
    /// Its name, unique in its project.
    pub name: String,
    /// The project, by its id.
    pub project_id: String,
    /// The region, as the control plane names it: `aws-us-west-2`.
    pub region: String,
    /// Its plan.
    pub plan: CloudPlan,
    /// Free text.
    pub description: Option<String>,
    /// File that its one-time password is written to, with mode 0600. Relative paths start at the plan file's folder.
    pub password_file: PathBuf,
}

/// What a cluster is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CloudPlan {
    /// Serverless, without compute units of its own.
    Serverless,
    /// Dedicated, Standard.
    Standard {
        /// The type of its compute units.
        cu_type: CuType,
        /// How many it has.
        cu_size: u32,
    },
    /// Dedicated, Enterprise.
    Enterprise {
        /// The type of its compute units.
        cu_type: CuType,
        /// How many it has.
        cu_size: u32,
    },
}

impl CloudPlan {
    /// The service's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serverless => "Serverless",
            Self::Standard { .. } => "Standard",
            Self::Enterprise { .. } => "Enterprise",
        }
    }

    /// The type and number of its compute units, where it has its own.
    pub fn units(self) -> Option<(CuType, u32)> {
        match self {
            Self::Serverless => None,
            Self::Standard { cu_type, cu_size } | Self::Enterprise { cu_type, cu_size } => Some((cu_type, cu_size)),
        }
    }
}

/// What a compute unit (CU) is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CuType {
    /// Speed.
    PerformanceOptimized,
    /// Many rows.
    CapacityOptimized,
    /// Very many rows that are rarely asked for.
    TieredStorage,
}

/// The compute units of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Units {
    /// Their type; none where the service says a word that vecferry does not know.
    pub kind: Option<CuType>,
    /// How many there are.
    pub size: u32,
}

impl Units {
    /// Those that the service describes in its words; none where the cluster has none of its own.
    pub fn of_service(kind: &str, size: u32) -> Option<Self> {
        let known = [CuType::PerformanceOptimized, CuType::CapacityOptimized, CuType::TieredStorage];
        let kind = known.into_iter().find(|known| known.service_word().eq_ignore_ascii_case(kind));
        (size > 0).then_some(Self { kind, size })
    }
}

impl CuType {
    /// The service's word.
    pub fn service_word(self) -> &'static str {
        match self {
            Self::PerformanceOptimized => "Performance-optimized",
            Self::CapacityOptimized => "Capacity-optimized",
            Self::TieredStorage => "Tiered-storage",
        }
    }
}

/// What kind of cluster an endpoint is. Limits differ by it that no server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Zilliz Cloud, Free.
    Free,
    /// Zilliz Cloud, Serverless.
    Serverless,
    /// Zilliz Cloud, Dedicated.
    Dedicated,
    /// Zilliz Cloud in the customer's own account.
    Byoc,
    /// Milvus that somebody runs.
    #[default]
    SelfHosted,
}

impl Tier {
    /// The word that plans use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Serverless => "serverless",
            Self::Dedicated => "dedicated",
            Self::Byoc => "byoc",
            Self::SelfHosted => "self_hosted",
        }
    }
}

/// How to log in. Holds references, never the secret.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No credentials are sent.
    None,
    /// An API key or `user:password`, sent as it is.
    Token(SecretRef),
    /// User name in the clear, password by reference.
    Password {
        /// The user name.
        username: String,
        /// The password.
        password: SecretRef,
    },
}

/// Where a secret comes from. It is read when a connection is opened and at no other time.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; a trailing line break is cut off. Relative paths start at the plan file's folder.
    File(PathBuf),
    /// A command and its arguments; its standard output is the secret, a trailing line break cut off.
    Command(Vec<String>),
    /// Text in the plan itself, accepted for loopback addresses only.
    Literal(secrecy::SecretString),
}

/// TLS settings. The default is the system's roots and the host of the uri as server name.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Name to expect in the server's certificate.
    pub server_name: Option<String>,
}
