//! The control plane of Zilliz Cloud, which knows clusters by their ids, makes them, and moves collections between them.
//!
//! Facts, bodies and limits are those of the public reference of its REST interface. Answers are read leniently: its
//! examples contradict each other, and no list of words in it is complete. So words of the service are kept as they came,
//! beside what vecferry takes them for.
//!
//! # What survives what
//!
//! Questions are repeated while that can help (see [`Patience`](super::Patience)). What makes or starts something is **never**
//! repeated here once an answer to it may have been lost: only the caller knows how to find out whether it happened.

mod answers;
mod codes;
mod gate;
mod hidden;
mod http;
mod plane;
mod requests;
#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Result, secret};
use crate::plan::resolved::{NewCluster, SecretRef, Tier};

pub use plane::connect;

/// A control plane.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// Its base address, for messages.
    fn api(&self) -> &str;

    /// All clusters that the key may see, of all pages.
    async fn clusters(&self) -> Result<Vec<Cluster>>;

    /// One cluster by its id; none where there is none, or where the key may not see it.
    async fn cluster(&self, id: &str) -> Result<Option<Cluster>>;

    /// The projects that the key may see.
    async fn projects(&self) -> Result<Vec<Project>>;

    /// The regions in which clusters can be made.
    async fn regions(&self) -> Result<Vec<Region>>;

    /// Asks for a cluster to be made. It exists from the answer on, and is usable once it is [`Standing::Running`]. A name that
    /// another cluster of the project has is an error with the service's code 80010. Sent once: after an error that
    /// [leaves open](super::ClusterError::leaves_open) whether it was done, look for a cluster of that name.
    async fn create(&self, new: &NewCluster) -> Result<CreatedCluster>;

    /// Asks for a suspended cluster to be resumed. One that is running or on its way is fine.
    async fn resume(&self, id: &str) -> Result<()>;

    /// Starts a job that moves collections from one cluster to another, and returns its id. Sent once: after an error that leaves
    /// open whether it was started, nothing but the target can tell.
    async fn migrate(&self, migration: &CloudMigration) -> Result<String>;

    /// Starts a job that brings a backup into a cluster, and returns its id. Sent once, as above.
    async fn migrate_from_backup(&self, migration: &BackupMigration) -> Result<String>;

    /// A job; none where there is none of that id.
    async fn job(&self, id: &str) -> Result<Option<CloudJob>>;

    /// The import jobs of a cluster, of all its databases, as far as the list tells of them.
    async fn imports(&self, _cluster: &str) -> Result<Vec<CloudImport>> {
        Ok(Vec::new())
    }

    /// An import job of a cluster; none where it has none of that id.
    async fn import(&self, _cluster: &str, _job: &str) -> Result<Option<CloudImport>> {
        Ok(None)
    }
}

/// A cluster as the control plane describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `in01-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its project's id.
    pub project_id: String,
    /// `aws-us-west-2`; empty where the service does not say.
    pub region: String,
    /// What it is paid for, in the service's word: `Serverless`, `Standard`.
    pub plan: String,
    /// What kind of cluster it is, from the word for its deployment, else from its plan, else from the beginning of its id.
    pub tier: Tier,
    /// What can be done with it.
    pub standing: Standing,
    /// The service's word for that: `RUNNING`.
    pub status: String,
    /// The type of its compute units in the service's word; empty where it has none.
    pub cu_type: String,
    /// How many compute units it has; 0 where it has none of its own.
    pub cu_size: u32,
    /// Address for clients, as the service says it and never made up; none while there is none.
    pub connect_address: Option<String>,
    /// How far it is made, in percent, where the service says it.
    pub create_progress: Option<u8>,
}

/// What can be done with a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Running,
    /// Nothing yet: it is being made, resumed, resized or the like.
    Coming,
    /// Nothing before somebody resumes it.
    Suspended,
    /// A migration job is at work in it.
    Migrating,
    /// Nothing any more: it is being deleted, or is.
    Gone,
    /// Nobody knows: a word that vecferry does not know, or one for trouble.
    Unclear,
}

/// A cluster that was asked for.
pub struct CreatedCluster {
    /// Its id.
    pub id: String,
    /// Its first user.
    pub username: String,
    /// That user's password, which the service says once and never again; none where it did not.
    pub password: Option<SecretString>,
}

impl fmt::Debug for CreatedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedCluster").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// `proj-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its plan in the service's word.
    pub plan: String,
    /// The regions that are bound to it; empty where the service does not say.
    pub regions: Vec<String>,
}

/// A region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// `aws-us-west-2`.
    pub id: String,
    /// `aws`.
    pub cloud: String,
    /// Host of the control plane that is asked about clusters there, without scheme; empty where the service does not say.
    pub domain: String,
}

/// Collections to move. The service takes names and nothing else: no other name on the target, no other shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudMigration {
    /// Id of the source cluster.
    pub from: String,
    /// Id of the target cluster.
    pub to: String,
    /// What to move.
    pub databases: Vec<DatabaseToMigrate>,
}

/// Collections of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseToMigrate {
    /// Database on the source.
    pub from: String,
    /// Database on the target.
    pub to: String,
    /// Names of collections; never empty, because the service takes that for all of them.
    pub collections: Vec<String>,
}

/// A backup, as `milvus-backup` writes one, and the cluster that its collections go into. All of it goes there: the service takes
/// no names.
#[derive(Debug)]
pub struct BackupMigration {
    /// Where it lies.
    pub place: BackupPlace,
    /// What it takes to read it there; none where the service can read it without.
    pub keys: Option<BucketKeys>,
    /// Id of the target cluster.
    pub to: String,
}

/// Where a backup lies.
#[derive(Debug)]
pub enum BackupPlace {
    /// A folder of a bucket.
    Bucket {
        /// `aws`.
        cloud: String,
        /// The cloud's own name of the bucket's region: `us-west-2`.
        region: String,
        /// The bucket's name.
        bucket: String,
        /// The folder.
        path: String,
    },
    /// The same by its address.
    Object {
        /// The address, without anything secret.
        url: String,
    },
    /// A folder of a volume of the service, which the reference calls a stage.
    Volume {
        /// The volume's name.
        name: String,
        /// The folder.
        path: String,
    },
}

/// What it takes to read a bucket.
#[derive(Debug)]
pub struct BucketKeys {
    /// The name that the cloud has for the key.
    pub access_key: SecretString,
    /// The key.
    pub secret_key: SecretString,
    /// What belongs to keys that end after a while.
    pub session_token: Option<SecretString>,
}

impl BucketKeys {
    /// Reads them from where they are.
    ///
    /// # Errors
    ///
    /// Which reference cannot be read and why, never what was read.
    pub async fn read(
        access_key: &SecretRef,
        secret_key: &SecretRef,
        session_token: Option<&SecretRef>,
    ) -> std::result::Result<Self, String> {
        let session_token = match session_token {
            Some(reference) => Some(secret::resolve(reference).await?),
            None => None,
        };
        let (access_key, secret_key) = (secret::resolve(access_key).await?, secret::resolve(secret_key).await?);
        Ok(Self { access_key, secret_key, session_token })
    }
}

impl BackupMigration {
    fn secrets(&self) -> Vec<&SecretString> {
        let keys = self.keys.iter();
        keys.flat_map(|keys| [&keys.access_key, &keys.secret_key].into_iter().chain(&keys.session_token)).collect()
    }

    /// What the service says, without the keys that it was given.
    pub fn without_keys(&self, text: &str) -> String {
        hidden::hidden(text, self.secrets().into_iter())
    }
}

/// A job as the control plane describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudJob {
    /// `job-…`.
    pub id: String,
    /// The service's word: `MIGRATION`.
    pub kind: String,
    /// What it comes to.
    pub state: JobState,
    /// The service's word for that: `IN_PROGRESS`.
    pub status: String,
    /// Percent, where the service says it.
    pub progress: Option<u8>,
    /// Why it failed, in the service's words.
    pub reason: Option<String>,
}

/// What a job comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits, works or is being canceled, or says a word that vecferry does not know.
    Going,
    /// It ended well.
    Successful,
    /// It gave up.
    Failed,
    /// Somebody stopped it.
    Canceled,
}

/// A job that brings files into a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudImport {
    /// `job-…`.
    pub id: String,
    /// The collection that the rows come into.
    pub collection: String,
    /// What the job comes to.
    pub state: JobState,
    /// The service's word for that: `Importing`.
    pub status: String,
    /// Percent, where the service says it; a list does not.
    pub progress: Option<u8>,
    /// Rows of the files, where the service says it.
    pub rows: Option<u64>,
    /// Why it failed, in the service's words.
    pub reason: Option<String>,
}
