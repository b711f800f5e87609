//! What to do about errors whose kind does not say it well enough, mostly those of the control plane of Zilliz Cloud.

/// What to do next. One byte, because errors are passed through everything and are to stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// A key that is not taken.
    Key,
    /// A key that could not be read.
    KeyReference,
    /// A cluster that is not there, or is hidden.
    Cluster,
    /// A call that needs more rights than the key has.
    ProjectRights,
    /// An endpoint that the service does not have any more.
    MigrationsGone,
    /// Something was done, and the answer does not say what.
    Look,
    /// Something that no call settles.
    Console,
    /// A size that no cluster has.
    Size,
    /// Addresses of objects that cannot be read.
    Objects,
    /// A status of the cluster that does not allow it.
    NotNow,
    /// A cluster that is busy with another import.
    ImportBusy,
    /// A size that is not sold without asking.
    LargeSize,
    /// A name that no cluster may have.
    Name,
    /// A name that another cluster has.
    NameTaken,
    /// A description that is too long.
    Description,
    /// Something that Serverless does not offer.
    NotServerless,
    /// Something that dedicated clusters do not offer.
    NotDedicated,
    /// Objects that may not be read.
    ObjectRights,
    /// A cluster that is in another region.
    Region,
    /// Too many requests.
    Later,
    /// Something that answers and is no control plane.
    Api,
    /// A control plane whose certificate does not fit.
    ApiCertificate,
    /// A control plane that does not answer.
    ApiUnreachable,
    /// A login that lacks privileges on a cluster.
    Privileges,
}

impl Advice {
    /// The same in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Key => {
                "check the API key that `api_key` refers to, and that `api` is the control plane of the organisation that made it"
            }
            Self::KeyReference => "check `api_key`, and that this user can read it",
            Self::Cluster => {
                "check `cluster_id` and that the API key may see this cluster: a customized key can be restricted to some \
                 clusters, and a personal key sees what its owner's roles allow"
            }
            Self::ProjectRights => {
                "give the API key access to the project: making clusters and migrating takes the role Project Admin"
            }
            Self::MigrationsGone => {
                "the service's reference marks these endpoints as deprecated, and this one seems to be switched off: set \
                 `engine: direct`, by which vecferry copies the rows itself, or migrate in the web console"
            }
            Self::Look => "look in the web console whether it was done, before the same command is run again",
            Self::Console => "settle it in the web console of Zilliz Cloud, then run the same command again",
            Self::Size => {
                "choose another `cu_type` or `cu_size`: 1, 2, 4, 8, 12 and further in fours; at most 32 with `plan: standard`"
            }
            Self::Objects => "check the addresses of the objects",
            Self::NotNow => {
                "the cluster's status does not allow it now: wait until it is RUNNING, then run the same command again"
            }
            Self::ImportBusy => "wait until the cluster's other import is done, then run the same command again",
            Self::LargeSize => "ask the vendor for clusters of that size, or choose a smaller `cu_size`",
            Self::Name => "choose another `create.name`",
            Self::NameTaken => {
                "another cluster of the project has that name: choose another one, or name that cluster by its `cluster_id`"
            }
            Self::Description => "make `create.description` shorter",
            Self::NotServerless => "Serverless clusters do not offer it: take a dedicated one",
            Self::NotDedicated => "dedicated clusters do not offer it",
            Self::ObjectRights => "give the credentials for the bucket the right to read its objects",
            Self::Region => "check `region`, or leave it out",
            Self::Later => "run the same command again later: too much is asked of the service with this key",
            Self::Api => "check that `api` is the address of a control plane of Zilliz Cloud",
            Self::ApiCertificate => "check that `api` is right and that this machine trusts its certificate",
            Self::ApiUnreachable => "check `api`, and that it can be reached from this machine",
            Self::Privileges => {
                "grant these privileges to a role of this user, for the plan's collections or for all of them (`*`), or log in as \
                 another user; on Zilliz Cloud, an API key has them by its role in the project: Data Operator or Project Admin to write, \
     Data Viewer to read"
            }
        }
    }
}
