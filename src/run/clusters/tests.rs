//! A control plane in memory that loses answers, refuses and takes its time.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::cluster::Result;
use crate::cluster::zilliz::{BackupMigration, CloudJob, CloudMigration, Project, Region};
use crate::plan::resolved::{CloudPlan, Tier};

const PASSWORD: &str = "Sup3rS3cret-of-a-cluster";

#[derive(Default)]
struct Plane {
    clusters: Mutex<Vec<Cluster>>,
    asked: Mutex<u32>,
    /// The answer to the next request for a cluster is lost, after the cluster was made or instead.
    loses: Mutex<Option<bool>>,
    /// What the next request is refused with.
    refuses: Mutex<Option<i32>>,
    /// How often a new cluster is looked at before it runs.
    looks: Mutex<u32>,
}

fn cluster(number: usize, name: &str, standing: Standing) -> Cluster {
    Cluster {
        id: format!("in01-{number}"),
        name: name.to_owned(),
        project_id: "proj-1".to_owned(),
        region: "aws-us-west-2".to_owned(),
        plan: "Serverless".to_owned(),
        tier: Tier::Serverless,
        standing,
        status: "CREATING".to_owned(),
        cu_type: String::new(),
        cu_size: 0,
        connect_address: None,
        create_progress: Some(10),
    }
}

impl Plane {
    fn error(&self, kind: ErrorKind, code: Option<i32>) -> ClusterError {
        ClusterError { code, ..ClusterError::new(kind, self.api(), "create cluster", "no") }
    }

    fn has(&self, cluster: Cluster) {
        self.clusters.lock().unwrap().push(cluster);
    }

    fn times_asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }
}

#[async_trait]
impl ControlPlane for Plane {
    fn api(&self) -> &str {
        "http://127.0.0.1:1"
    }

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        Ok(self.clusters.lock().unwrap().clone())
    }

    async fn cluster(&self, id: &str) -> Result<Option<Cluster>> {
        let mut looks = self.looks.lock().unwrap();
        let mut clusters = self.clusters.lock().unwrap();
        let Some(found) = clusters.iter_mut().find(|cluster| cluster.id == id) else { return Ok(None) };
        if *looks == 0 && found.standing == Standing::Coming {
            (found.standing, found.status) = (Standing::Running, "RUNNING".to_owned());
            found.connect_address = Some("http://127.0.0.1:2".to_owned());
        }
        *looks = looks.saturating_sub(1);
        Ok(Some(found.clone()))
    }

    async fn projects(&self) -> Result<Vec<Project>> {
        Ok(Vec::new())
    }

    async fn regions(&self) -> Result<Vec<Region>> {
        Ok(Vec::new())
    }

    async fn create(&self, new: &NewCluster) -> Result<CreatedCluster> {
        *self.asked.lock().unwrap() += 1;
        if let Some(code) = self.refuses.lock().unwrap().take() {
            return Err(ClusterError { nothing_done: true, ..self.error(ErrorKind::Refused, Some(code)) });
        }
        let loses = self.loses.lock().unwrap().take();
        if loses == Some(false) {
            return Err(self.error(ErrorKind::Transient, None));
        }
        let made = cluster(self.clusters.lock().unwrap().len() + 1, &new.name, Standing::Coming);
        self.has(made.clone());
        match loses {
            Some(_) => Err(self.error(ErrorKind::Transient, None)),
            None => Ok(CreatedCluster {
                id: made.id,
                username: "db_admin".to_owned(),
                password: Some(PASSWORD.to_owned().into()),
            }),
        }
    }

    async fn resume(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn migrate(&self, _: &CloudMigration) -> Result<String> {
        Err(self.error(ErrorKind::Refused, None))
    }

    async fn migrate_from_backup(&self, _: &BackupMigration) -> Result<String> {
        unreachable!("no plan asks for it")
    }

    async fn job(&self, _: &str) -> Result<Option<CloudJob>> {
        Ok(None)
    }
}

/// A run with its folder.
struct Scene {
    folder: crate::searched::Folder,
    plane: Plane,
    said: Mutex<Vec<String>>,
}

impl Scene {
    fn new() -> Self {
        Self { folder: crate::searched::folder(), plane: Plane::default(), said: Mutex::default() }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path_of_secret("password")
    }

    fn store(&self) -> Store {
        Store::new(&self.folder.path().join("state"))
    }

    fn remembered(&self) -> Option<MadeCluster> {
        self.store().made_cluster(&JobId::of_cluster("proj-1", "kb")).unwrap()
    }

    async fn make(&self, run: &str) -> std::result::Result<Cluster, JobError> {
        let new = NewCluster {
            name: "kb".to_owned(),
            project_id: "proj-1".to_owned(),
            region: "aws-us-west-2".to_owned(),
            plan: CloudPlan::Serverless,
            description: None,
            password_file: self.file(),
        };
        let (store, stop) = (self.store(), CancellationToken::new());
        let tell = |what: &str| self.said.lock().unwrap().push(what.to_owned());
        let making =
            Making { control: &self.plane, new: &new, store: &store, run, saved_plan: None, stop: &stop, tell: &tell };
        let made = making.make().await?;
        usable(&self.plane, &made.id, &stop, &tell).await
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_made_once_and_its_password_goes_into_its_file_and_nowhere_else() {
    let scene = Scene::new();
    *scene.plane.looks.lock().unwrap() = 3;
    let made = scene.make("r1").await.unwrap();
    assert_eq!((made.id.as_str(), made.standing), ("in01-1", Standing::Running));
    assert_eq!(fs_err::read_to_string(scene.file()).unwrap(), format!("{PASSWORD}\n"));
    assert_eq!(fs_err::metadata(scene.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!scene.said().contains(PASSWORD) && scene.said().contains("CREATING, 10 %"), "{}", scene.said());
    assert_eq!(scene.remembered().and_then(|made| made.id).as_deref(), Some("in01-1"));
    // Again, and under another name in the console.
    scene.plane.clusters.lock().unwrap()[0].name = "renamed".to_owned();
    assert_eq!(scene.make("r2").await.unwrap().id, "in01-1");
    assert_eq!(scene.plane.times_asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_good_by_looking() {
    let scene = Scene::new();
    *scene.plane.loses.lock().unwrap() = Some(true);
    assert_eq!(scene.make("r1").await.unwrap().id, "in01-1");
    assert!(scene.said().contains("set a new one in the console"), "{}", scene.said());
    assert!(!scene.file().exists(), "an empty file is no password");
    assert_eq!(scene.plane.times_asked(), 1);
    assert_eq!(scene.remembered().and_then(|made| made.id).as_deref(), Some("in01-1"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_came_to_nothing_is_made_again_by_the_next_run() {
    let scene = Scene::new();
    *scene.plane.loses.lock().unwrap() = Some(false);
    assert!(scene.make("r1").await.unwrap_err().is_temporary());
    assert_eq!(scene.remembered().map(|made| made.id), Some(None));
    // Its file is empty, and is no reason to stop.
    assert_eq!(scene.make("r2").await.unwrap().id, "in01-1");
    assert_eq!((scene.plane.times_asked(), scene.plane.clusters.lock().unwrap().len()), (2, 1));
    assert!(scene.file().exists());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_exists_by_now_is_that_of_an_earlier_request() {
    let scene = Scene::new();
    *scene.plane.refuses.lock().unwrap() = Some(DUPLICATE_NAME);
    let late = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        scene.plane.has(cluster(7, "kb", Standing::Coming));
    };
    let (made, ()) = tokio::join!(scene.make("r1"), late);
    assert_eq!(made.unwrap().id, "in01-7");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_leaves_nothing_behind() {
    let scene = Scene::new();
    *scene.plane.refuses.lock().unwrap() = Some(80_007);
    assert!(!scene.make("r1").await.unwrap_err().is_temporary());
    assert!(!scene.file().exists());
    assert!(scene.plane.clusters.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_where_the_password_has_no_place_to_go() {
    let scene = Scene::new();
    fs_err::write(scene.file(), "somebody's").unwrap();
    let error = scene.make("r1").await.unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
    assert_eq!(fs_err::read_to_string(scene.file()).unwrap(), "somebody's");
    assert_eq!((scene.plane.times_asked(), scene.remembered()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn two_of_one_name_are_one_too_many_and_one_of_another_project_is_none() {
    let scene = Scene::new();
    scene.plane.has(Cluster { project_id: "proj-2".to_owned(), ..cluster(1, "kb", Standing::Running) });
    scene.plane.has(cluster(2, "kb", Standing::Gone));
    assert_eq!(scene.make("r1").await.unwrap().id, "in01-3");
    let scene = Scene::new();
    (1..=2).for_each(|number| scene.plane.has(cluster(number, "kb", Standing::Running)));
    let error = scene.make("r1").await.unwrap_err().to_string();
    assert!(error.contains("several clusters"), "{error}");
    assert_eq!(scene.plane.times_asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_never_comes_is_not_waited_for_for_ever() {
    let scene = Scene::new();
    *scene.plane.looks.lock().unwrap() = u32::MAX;
    assert!(scene.make("r1").await.unwrap_err().is_temporary());
}
