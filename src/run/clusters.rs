//! Makes a cluster that a plan wants, once.
//!
//! # What survives what
//!
//! The service gives no way to ask for a cluster twice and get one, and nothing may come of a plan twice. So:
//!
//! - **Two runs at once**: the lock of the cluster's name lets one in. Whoever comes later looks again and finds it.
//! - **Killed before the request**: the state says that it was asked for, and the service has none of that name, so it is asked for
//!   again.
//! - **Killed after the request, or its answer lost**: the service has one of that name, which is looked for before anything is asked
//!   for. Where the first request is slow and a second one meets it, the service refuses a name that exists (code 80010), and the one
//!   that is there is used.
//! - **Killed between the answer and the file of the password**: the password was said once and is lost. The run that finds the
//!   cluster says so; the API key opens the cluster all the same.
//! - **A disk that is full when the password comes**: its file is made, with its mode, before the cluster is asked for.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::JobError;
use crate::cluster::zilliz::{Cluster, ControlPlane, CreatedCluster, Standing};
use crate::cluster::{ClusterError, ErrorKind};
use crate::crash_point;
use crate::plan::resolved::NewCluster;
use crate::state::{JobId, Lock, MadeCluster, Store};

/// The service's code for a name that another cluster of the project has.
const DUPLICATE_NAME: i32 = 80_010;
/// How long a cluster whose answer was lost is looked for before it counts as never made.
const LOOKED_FOR: Duration = Duration::from_secs(30);
/// The first pause between two looks at a cluster, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a cluster is waited for: longer than one takes to be made, and not for ever where nobody watches.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Mode of the file of a password.
const OWNER_ONLY: u32 = 0o600;

/// What a cluster is made with.
pub struct Making<'a> {
    /// The control plane that is asked.
    pub control: &'a dyn ControlPlane,
    /// What is wanted.
    pub new: &'a NewCluster,
    /// Where it is remembered.
    pub store: &'a Store,
    /// Name of this run.
    pub run: &'a str,
    /// The saved plan that is carried out, by its checksum.
    pub saved_plan: Option<&'a str>,
    /// Asks to stop.
    pub stop: &'a CancellationToken,
    /// Who is told what happens, a sentence at a time.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

impl Making<'_> {
    /// Makes the cluster, unless it is there by now. It may not be usable yet: see [`usable`].
    pub async fn make(&self) -> Result<Cluster, JobError> {
        let id = JobId::of_cluster(&self.new.project_id, &self.new.name);
        let lock = self.store.lock_in_time(&id, self.run).await?;
        let before = self.store.made_cluster(&id)?;
        let was_asked_for = before.as_ref().is_some_and(|made| made.id.is_none());
        if let Some(cluster) = self.known(before.as_ref()).await? {
            if was_asked_for {
                self.remember(&id, Some(&cluster.id), &lock)?;
                self.say_password_lost(&cluster.id);
            }
            return Ok(cluster);
        }
        refuse_taken(&self.new.password_file, was_asked_for)?;
        self.remember(&id, None, &lock)?;
        crash_point::reached("cluster asked for");
        let file = password_file(&self.new.password_file)?;
        (self.tell)(&format!("asking for cluster {}", self.new.name));
        let created = match self.control.create(self.new).await {
            Ok(created) => {
                crash_point::reached("create_cluster");
                created
            }
            Err(error) if error.leaves_open() || error.code == Some(DUPLICATE_NAME) => {
                let cluster = self.appeared(error).await?;
                self.remember(&id, Some(&cluster.id), &lock)?;
                self.say_password_lost(&cluster.id);
                return Ok(cluster);
            }
            Err(error) => {
                // Nothing was made, so no password belongs into the file.
                let _stays_empty = fs_err::remove_file(&self.new.password_file);
                return Err(error.into());
            }
        };
        self.keep_password(file, &created)?;
        crash_point::reached("password");
        self.remember(&id, Some(&created.id), &lock)?;
        crash_point::reached("cluster made");
        (self.tell)(&format!("cluster {} is made: {}", self.new.name, created.id));
        match self.control.cluster(&created.id).await? {
            Some(cluster) => Ok(cluster),
            None => self.named().await?.ok_or_else(|| {
                let message = format!("it is not known to the control plane yet, after its id {} was", created.id);
                self.error(ErrorKind::Transient, message).into()
            }),
        }
    }

    /// The cluster that the state remembers, or the one of that name.
    async fn known(&self, before: Option<&MadeCluster>) -> Result<Option<Cluster>, JobError> {
        if let Some(id) = before.and_then(|made| made.id.as_ref())
            && let Some(cluster) = self.control.cluster(id).await?
            && cluster.standing != Standing::Gone
        {
            return Ok(Some(cluster));
        }
        self.named().await
    }

    async fn named(&self) -> Result<Option<Cluster>, JobError> {
        let mut named = of_name(self.control.clusters().await?, self.new);
        match (named.pop(), named.len()) {
            (Some(one), 0) => Ok(Some(one)),
            (Some(_), _) => {
                let message = format!("several clusters of {} are named `{}`", self.new.project_id, self.new.name);
                Err(JobError::Blocked(message))
            }
            (None, _) => Ok(None),
        }
    }

    /// Looks for the cluster after an answer that leaves open whether it is being made.
    async fn appeared(&self, error: ClusterError) -> Result<Cluster, JobError> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            if let Some(cluster) = self.named().await? {
                return Ok(cluster);
            }
            if began.elapsed() >= LOOKED_FOR {
                return Err(error.into());
            }
            self.wait(pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn remember(&self, id: &JobId, cluster: Option<&str>, lock: &Lock) -> Result<(), JobError> {
        let mut made = MadeCluster::asked(self.run, &self.new.name, &self.new.project_id, self.saved_plan);
        made.id = cluster.map(str::to_owned);
        Ok(self.store.remember_cluster(id, &made, lock)?)
    }

    fn keep_password(&self, mut file: fs_err::File, created: &CreatedCluster) -> Result<(), JobError> {
        let Some(password) = &created.password else {
            (self.tell)(&format!("the service said no password of cluster {}", created.id));
            return Ok(());
        };
        let written = writeln!(file, "{}", password.expose_secret()).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // The cluster is there all the same, and nothing else is known that was said once.
            (self.tell)(&format!(
                "the password of cluster {} could not be written ({error}) and is lost: set a new one in the console",
                created.id
            ));
            return Ok(());
        }
        let (user, file) = (&created.username, self.new.password_file.display());
        (self.tell)(&format!("the password of `{user}` of cluster {} is in {file}", created.id));
        Ok(())
    }

    fn say_password_lost(&self, id: &str) {
        let file = &self.new.password_file;
        if fs_err::metadata(file).is_ok_and(|found| found.len() > 0) {
            return;
        }
        let _was_made_for_it = fs_err::remove_file(file);
        (self.tell)(&format!(
            "cluster {id} was made by a run that did not live to keep its password: set a new one in the console; the API key opens it"
        ));
    }

    async fn wait(&self, pause: Duration) -> Result<(), JobError> {
        wait(pause, self.stop).await
    }

    fn error(&self, kind: ErrorKind, message: String) -> ClusterError {
        ClusterError::new(kind, self.control.api(), &format!("make cluster `{}`", self.new.name), message)
    }
}

/// Those of the name and project that a plan wants, without such as are gone.
pub fn of_name(clusters: Vec<Cluster>, new: &NewCluster) -> Vec<Cluster> {
    let meant = |cluster: &Cluster| {
        cluster.name == new.name && cluster.project_id == new.project_id && cluster.standing != Standing::Gone
    };
    clusters.into_iter().filter(meant).collect()
}

/// Waits until a cluster can be talked to: it runs, or a migration job is at work in it. One of which nobody knows how it stands
/// is taken as it is, once it has an address.
///
/// # Errors
///
/// Where it is gone or suspended, or somebody asks to stop.
pub async fn usable(
    control: &dyn ControlPlane,
    id: &str,
    stop: &CancellationToken,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Cluster, JobError> {
    let error = |kind, message: String| {
        let action = format!("wait for cluster {id}");
        JobError::from(ClusterError::new(kind, control.api(), &action, message))
    };
    let (began, mut pause, mut said) = (Instant::now(), FIRST_PAUSE, String::new());
    loop {
        let Some(cluster) = control.cluster(id).await? else {
            return Err(error(ErrorKind::NotFound, "the control plane knows no such cluster".to_owned()));
        };
        match (cluster.standing, &cluster.connect_address) {
            (Standing::Gone, _) => return Err(error(ErrorKind::NotFound, format!("its status is {}", cluster.status))),
            (Standing::Running | Standing::Migrating | Standing::Unclear, Some(_)) => return Ok(cluster),
            _ => {}
        }
        if began.elapsed() > LONGEST_WAIT {
            let hours = LONGEST_WAIT.as_secs() / 3_600;
            return Err(error(
                ErrorKind::Transient,
                format!("its status is {} for {hours} h and more", cluster.status),
            ));
        }
        let percent = cluster.create_progress.map(|percent| format!(", {percent} %")).unwrap_or_default();
        let words = format!("waiting for cluster {id}: {}{percent}", cluster.status);
        if words != said {
            tell(&words);
            said = words;
        }
        wait(pause, stop).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn wait(pause: Duration, stop: &CancellationToken) -> Result<(), JobError> {
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        () = stop.cancelled() => Err(JobError::Interrupted),
    }
}

/// Refuses a place for the password where something stands. What an earlier try left empty is used again; whatever else stands
/// there is somebody's.
fn refuse_taken(path: &Path, was_asked_for: bool) -> Result<(), JobError> {
    if !is_taken(path, was_asked_for) {
        return Ok(());
    }
    Err(JobError::Blocked(format!("{} exists, and the password of a new cluster was to go there", path.display())))
}

/// Whether something stands where a password is to go that no earlier try left there.
pub fn is_taken(path: &Path, was_asked_for: bool) -> bool {
    match fs_err::symlink_metadata(path) {
        Ok(found) => !(was_asked_for && found.is_file() && found.len() == 0),
        Err(_) => false,
    }
}

/// The file that the password will be written to, made before there is one.
fn password_file(path: &Path) -> Result<fs_err::File, JobError> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(OWNER_ONLY);
    options
        .open(path)
        .map_err(|error| JobError::Blocked(format!("the password of a new cluster has no place to go: {error}")))
}

#[cfg(test)]
mod tests;
