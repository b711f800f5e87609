//! `vecferry cloud restore`: has the migration service bring a backup into a cluster, and follows its job.
//!
//! A job is asked for once. Nothing is recorded, because no list of jobs can be asked for and nothing on the target would tell a
//! second job from the first: where the answer gets lost, only the console knows, and that is said.

use std::path::Path;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Access, following, say_error};
use crate::cli::exit_code::ExitCode;
use crate::cli::{Context, Output, session};
use crate::cluster::zilliz::{
    self, BackupMigration, BackupPlace, BucketKeys, CloudJob, Cluster, ControlPlane, JobState, Standing,
};
use crate::flow;
use crate::plan::named::{self, Login, Named};
use crate::plan::resolved::Endpoint;
use crate::render::cloud::Listing;
use crate::render::harmless;

/// How long the id of a job is waited for once somebody asks to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Where to find out what nobody here can know.
const CONSOLE: &str =
    "look at the project's jobs in the web console before this command is run again: every run starts another job";

/// Has the migration service bring a backup into a cluster that exists, and follows the job to its end.
///
/// The backup is one of milvus-backup, in a bucket or a volume. All of it goes into the cluster; vecferry reads none of it and so
/// cannot compare. Every run starts another job.
///
/// Exit codes: 0 the job was successful, 3 it failed or was canceled, 5 the service cannot be asked now, 12 the API key is
/// refused, 130 interrupted, while the job goes on.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("backup").required(true).args(["bucket", "object_url", "volume"])))]
pub(super) struct RestoreArgs {
    /// Id of the cluster that the backup goes into.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    cluster: String,
    /// The bucket's cloud: aws, gcp or azure.
    #[arg(long, value_name = "NAME", requires = "bucket", value_parser = NonEmptyStringValueParser::new())]
    cloud: Option<String>,
    /// The bucket's region, by the name that its cloud has for it.
    #[arg(long, value_name = "NAME", requires = "bucket", value_parser = NonEmptyStringValueParser::new())]
    region: Option<String>,
    /// The bucket.
    #[arg(long, value_name = "NAME", requires_all = ["cloud", "region", "path"], value_parser = NonEmptyStringValueParser::new())]
    bucket: Option<String>,
    /// The backup's folder in the bucket.
    #[arg(long, value_name = "PATH", requires = "bucket", value_parser = NonEmptyStringValueParser::new())]
    path: Option<String>,
    /// The backup's folder by its address, without anything secret in it.
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    object_url: Option<String>,
    /// The volume (stage) of Zilliz Cloud that holds the backup.
    #[arg(long, value_name = "NAME", requires = "data_path", value_parser = NonEmptyStringValueParser::new())]
    volume: Option<String>,
    /// The backup's folder in the volume.
    #[arg(long, value_name = "PATH", requires = "volume", value_parser = NonEmptyStringValueParser::new())]
    data_path: Option<String>,
    /// Environment variable that holds the name of the bucket's key.
    #[arg(long, value_name = "NAME", requires = "secret_key_env", conflicts_with = "volume")]
    access_key_env: Option<String>,
    /// Environment variable that holds the bucket's key.
    #[arg(long, value_name = "NAME", requires = "access_key_env", conflicts_with = "volume")]
    secret_key_env: Option<String>,
    /// Environment variable that holds the token of a key that ends after a while.
    #[arg(long, value_name = "NAME", requires = "access_key_env", conflicts_with = "volume")]
    session_token_env: Option<String>,
    /// Do not ask before the job is started.
    #[arg(long)]
    auto_approve: bool,
    #[command(flatten)]
    access: Access,
}

impl RestoreArgs {
    /// Where the backup lies. None where that would show a secret.
    fn place(&self) -> Option<BackupPlace> {
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        if let Some(bucket) = &self.bucket {
            let (cloud, region, path) = (given(&self.cloud), given(&self.region), given(&self.path));
            return Some(BackupPlace::Bucket { cloud, region, bucket: bucket.clone(), path });
        }
        if let Some(name) = &self.volume {
            return Some(BackupPlace::Volume { name: name.clone(), path: given(&self.data_path) });
        }
        // What is signed has its signature behind the question mark, and a login stands before an `@`.
        let url = given(&self.object_url);
        (!url.contains(['?', '#', '@'])).then_some(BackupPlace::Object { url })
    }

    /// The keys of the bucket, read from where they are.
    async fn keys(&self, context: &Context) -> Result<Option<BucketKeys>, ExitCode> {
        let (Some(access), Some(secret)) = (&self.access_key_env, &self.secret_key_env) else { return Ok(None) };
        let (access, secret) = (self.access.reference(access, context)?, self.access.reference(secret, context)?);
        let token = self.session_token_env.as_ref().map(|env| self.access.reference(env, context)).transpose()?;
        let keys = BucketKeys::read(&access, &secret, token.as_ref()).await.map_err(|message| {
            let help = "set the variables that --access-key-env, --secret-key-env and --session-token-env name";
            session::say(&format!("can't read the keys of the bucket: {message}"), help, context);
            ExitCode::Failure
        })?;
        Ok(Some(keys))
    }

    /// The cluster as one that can be connected to; none where its address is not known.
    fn endpoint(&self, cluster: &Cluster) -> Option<Endpoint> {
        let login = Login::TokenEnv(self.access.api_key_env.clone());
        let named = Named::Address { uri: cluster.connect_address.clone()?, login };
        named::cluster("zilliz_cloud", &named, Path::new(".")).ok().map(|found| found.endpoint)
    }
}

pub(super) fn run(arguments: &RestoreArgs, context: &Context) -> ExitCode {
    session::block_on(context, async { work(arguments, context).await.unwrap_or_else(|code| code) })
}

async fn work(arguments: &RestoreArgs, context: &Context) -> Result<ExitCode, ExitCode> {
    let Some(place) = arguments.place() else {
        let help = "give the address without a login and without what stands behind `?`, and the keys by --access-key-env \
                    and --secret-key-env";
        session::say("the address that --object-url gives may hold a secret", help, context);
        return Err(ExitCode::Usage);
    };
    let cloud = arguments.access.cluster(context)?;
    let keys = arguments.keys(context).await?;
    let migration = BackupMigration { place, keys, to: arguments.cluster.clone() };
    let looking = async {
        let plane = zilliz::connect(&cloud, "zilliz_cloud").await?;
        let cluster = plane.cluster(&migration.to).await?;
        Ok((plane, cluster))
    };
    let (plane, cluster) =
        session::unless_interrupted(looking, context).await?.map_err(|error| say_error(&error, context))?;
    let cluster = usable(cluster, context)?;
    let endpoint = arguments.endpoint(&cluster);
    let before = session::unless_interrupted(count(endpoint.as_ref()), context).await?;

    let about = about(&migration, &cluster, before);
    if arguments.auto_approve {
        context.printer.note(&about);
    } else {
        context.printer.important(&about);
        if !session::approved_in_time(context).await? {
            return Err(ExitCode::Failure);
        }
    }
    let stop = following::stop(context);
    let id = start(&*plane, &migration, &stop, context).await?;
    if context.output == Output::Text {
        // At once: whatever happens next, this is what it takes to find the job again.
        if let Err(code) = session::data(&format!("{}\n", harmless(&id)), context) {
            let command = following::again(&id, &arguments.access);
            context.printer.important(&format!("The job was started all the same. To follow it:\n  {command}\n"));
            return Err(code);
        }
    } else {
        context.printer.important(&format!("Started job {}.\n", harmless(&id)));
    }
    let hide = |text: &str| migration.without_keys(text);
    let (last, code) = following::to_the_end(&*plane, &id, &arguments.access, &hide, &stop, context).await;
    let after = match last.as_ref().map(|job| job.state) {
        Some(JobState::Successful | JobState::Failed | JobState::Canceled) => tokio::select! {
            count = count(endpoint.as_ref()) => count,
            () = stop.cancelled() => None,
        },
        Some(JobState::Going) | None => None,
    };
    let job = last.unwrap_or_else(|| unseen(id));
    report(&job, &cluster, before, after, context)?;
    Ok(code)
}

/// A job of which nothing but its id is known.
fn unseen(id: String) -> CloudJob {
    let (kind, status) = (String::new(), String::new());
    CloudJob { id, kind, state: JobState::Going, status, progress: None, reason: None }
}

async fn count(endpoint: Option<&Endpoint>) -> Option<usize> {
    flow::restore::collections(endpoint?).await
}

/// The cluster, if something can be brought into it now.
fn usable(cluster: Option<Cluster>, context: &Context) -> Result<Cluster, ExitCode> {
    let Some(cluster) = cluster else {
        let help = "check --cluster, and that the API key may see this cluster; `vecferry cloud clusters` lists those that it sees";
        session::say("there is no cluster of that id, or the API key may not see it", help, context);
        return Err(ExitCode::Failure);
    };
    let (help, code) = match cluster.standing {
        Standing::Running => return Ok(cluster),
        Standing::Coming => ("wait until it is RUNNING, then run the same command again", ExitCode::Temporary),
        Standing::Migrating => {
            ("another job is at work in it: wait for its end, then run the same command again", ExitCode::Temporary)
        }
        Standing::Suspended => ("resume it in the web console, then run the same command again", ExitCode::Failure),
        Standing::Gone => ("name another cluster with --cluster", ExitCode::Failure),
        Standing::Unclear => ("look at the cluster in the web console", ExitCode::Failure),
    };
    let message = format!("cluster {} is {}", harmless(&cluster.id), harmless(&cluster.status));
    session::say(&message, help, context);
    Err(code)
}

/// What will be done, before anybody agrees to it.
fn about(migration: &BackupMigration, cluster: &Cluster, before: Option<usize>) -> String {
    let from = match &migration.place {
        BackupPlace::Bucket { cloud, region, bucket, path } => {
            let path = path.trim_matches('/');
            format!("the backup `{}/{}` ({}, {})", harmless(bucket), harmless(path), harmless(cloud), harmless(region))
        }
        BackupPlace::Object { url } => format!("the backup at {}", harmless(url)),
        BackupPlace::Volume { name, path } => {
            format!("the backup `{}` of the volume `{}`", harmless(path), harmless(name))
        }
    };
    let (name, id) = (harmless(&cluster.name), harmless(&cluster.id));
    let (plan, region) = (harmless(&cluster.plan), harmless(&cluster.region));
    let holds = match before {
        Some(count) => format!("The cluster holds {}.", collections(count)),
        None => "How many collections the cluster holds cannot be found out with this API key from here.".to_owned(),
    };
    format!(
        "The migration service will bring all of {from}\ninto the cluster `{name}` ({id}; {plan}, {region}). {holds}\nvecferry cannot \
         compare a backup with what arrives, since there is no source to read; it counts collections afterwards, if it can.\n"
    )
}

fn collections(count: usize) -> String {
    if count == 1 { "1 collection".to_owned() } else { format!("{count} collections") }
}

/// Asks for the job, once, and says what is unknown where the answer is.
async fn start(
    plane: &dyn ControlPlane,
    migration: &BackupMigration,
    stop: &CancellationToken,
    context: &Context,
) -> Result<String, ExitCode> {
    let given_up = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let started = tokio::select! {
        started = plane.migrate_from_backup(migration) => started,
        () = given_up => {
            session::say("it is not known whether the job was started: its answer was not waited for", CONSOLE, context);
            return Err(ExitCode::Interrupted);
        }
    };
    started.map_err(|error| {
        if !error.leaves_open() {
            return say_error(&error, context);
        }
        let message = format!("it is not known whether the job was started: {}", harmless(&error.to_string()));
        session::say(&message, CONSOLE, context);
        // No other code: running the same command again is the wrong thing to do.
        ExitCode::Failure
    })
}

fn report(
    job: &CloudJob,
    cluster: &Cluster,
    before: Option<usize>,
    after: Option<usize>,
    context: &Context,
) -> Result<(), ExitCode> {
    if job.state == JobState::Successful {
        let counted = match (before, after) {
            (Some(before), Some(after)) => {
                format!("The cluster holds {} now, and {before} before.", collections(after))
            }
            (None, Some(after)) => format!("The cluster holds {} now.", collections(after)),
            (_, None) => "How many collections the cluster holds now could not be found out.".to_owned(),
        };
        context.printer.note(&format!("The job was successful ({}). {counted}\n", harmless(&job.status)));
    }
    let listing = Listing::job(job);
    let text = match context.output {
        Output::Text => return Ok(()),
        Output::Markdown => listing.markdown(),
        Output::Json => {
            let mut document = listing.json();
            document["cluster"] = json!(cluster.id);
            document["collections"] = json!({ "before": before, "after": after });
            session::document(&document)
        }
    };
    session::data(&text, context)
}
