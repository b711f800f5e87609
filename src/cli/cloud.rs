//! `vecferry cloud`: what a control plane of Zilliz Cloud says, for whoever writes a plan, and the one thing that it is asked to do
//! without a plan: bringing a backup into a cluster.

mod following;
mod restore;

use std::path::Path;

use clap::{Args, Subcommand};

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::cluster::zilliz::{self, ControlPlane};
use crate::cluster::{ClusterError, ErrorKind};
use crate::plan::named::{self, Login, Named};
use crate::plan::resolved::{Auth, CloudCluster, SecretRef, WhichCluster};
use crate::render::cloud::Listing;
use crate::render::harmless;

/// Lists what an API key of Zilliz Cloud may see: the ids, regions and projects that plans name, and jobs. Brings a backup into a
/// cluster.
#[derive(Debug, Args)]
pub(super) struct CloudCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the clusters with their ids, plans, regions and states.
    Clusters {
        #[command(flatten)]
        access: Access,
    },
    /// Lists the projects with their ids.
    Projects {
        #[command(flatten)]
        access: Access,
    },
    /// Lists the regions in which clusters can be made, and the control plane of each.
    Regions {
        #[command(flatten)]
        access: Access,
    },
    /// Lists the import jobs of a cluster, or shows one of them.
    Imports {
        /// The cluster's id.
        #[arg(value_name = "CLUSTER")]
        cluster: String,
        /// The job's id; without, all of the cluster.
        #[arg(value_name = "ID")]
        job: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Shows a job.
    Job {
        /// The job's id.
        #[arg(value_name = "ID")]
        id: String,
        /// Follows it to its end: exit code 0 where that is a good one, 3 where the job failed or was canceled.
        #[arg(long)]
        follow: bool,
        #[command(flatten)]
        access: Access,
    },
    Restore(Box<restore::RestoreArgs>),
}

#[derive(Debug, Args)]
struct Access {
    /// Address of the control plane; https://api.cloud.zilliz.com.cn for regions that begin with ali- or tc-.
    #[arg(long, value_name = "URL", default_value = "https://api.cloud.zilliz.com")]
    api: String,
    /// Environment variable that holds the API key.
    #[arg(long, value_name = "NAME", default_value = "ZILLIZ_API_KEY")]
    api_key_env: String,
}

impl Access {
    /// The control plane, as a plan would name it.
    fn cluster(&self, context: &Context) -> Result<CloudCluster, ExitCode> {
        let api_key = self.reference(&self.api_key_env, context)?;
        Ok(CloudCluster { api: self.api.clone(), api_key, which: WhichCluster::Id(String::new()), resume: false })
    }

    /// A secret in an environment variable, as a plan would refer to it.
    fn reference(&self, env: &str, context: &Context) -> Result<SecretRef, ExitCode> {
        let named = Named::Address { uri: self.api.clone(), login: Login::TokenEnv(env.to_owned()) };
        let found = named::cluster("zilliz_cloud", &named, Path::new(".")).map_err(|found| {
            session::say_invalid(&found, context);
            ExitCode::Usage
        })?;
        match found.endpoint.auth {
            Auth::Token(reference) => Ok(reference),
            // The login was given above.
            Auth::None | Auth::Password { .. } => Err(ExitCode::Bug),
        }
    }
}

pub(super) fn run(arguments: &CloudCommand, context: &Context) -> ExitCode {
    let access = match &arguments.command {
        Command::Clusters { access }
        | Command::Projects { access }
        | Command::Regions { access }
        | Command::Imports { access, .. }
        | Command::Job { access, .. } => access,
        Command::Restore(arguments) => return restore::run(arguments, context),
    };
    let cluster = match access.cluster(context) {
        Ok(cluster) => cluster,
        Err(code) => return code,
    };
    session::block_on(context, async {
        if let Command::Job { id, follow: true, .. } = &arguments.command {
            return following::job(id, access, &cluster, context).await;
        }
        match session::unless_interrupted(ask(&arguments.command, &cluster), context).await {
            Ok(Ok(Some(listing))) => show(&listing, context),
            Ok(Ok(None)) => following::say_missing(context),
            Ok(Err(error)) => say_error(&error, context),
            Err(code) => code,
        }
    })
}

async fn ask(command: &Command, cluster: &CloudCluster) -> Result<Option<Listing>, ClusterError> {
    let plane = zilliz::connect(cluster, "zilliz_cloud").await?;
    let plane: &dyn ControlPlane = &*plane;
    Ok(match command {
        Command::Clusters { .. } => Some(Listing::clusters(&plane.clusters().await?)),
        Command::Projects { .. } => Some(Listing::projects(&plane.projects().await?)),
        Command::Regions { .. } => Some(Listing::regions(&plane.regions().await?)),
        Command::Imports { cluster, job: None, .. } => Some(Listing::imports(&plane.imports(cluster).await?)),
        Command::Imports { cluster, job: Some(job), .. } => {
            plane.import(cluster, job).await?.map(|job| Listing::imports(&[job]))
        }
        Command::Job { id, .. } => plane.job(id).await?.as_ref().map(Listing::job),
        // It is no question.
        Command::Restore(_) => None,
    })
}

fn show(listing: &Listing, context: &Context) -> ExitCode {
    let text = match context.output {
        Output::Text => listing.text(context.printer.stdout_style()),
        Output::Markdown => listing.markdown(),
        Output::Json => session::document(&listing.json()),
    };
    session::data(&text, context).err().unwrap_or(ExitCode::Success)
}

fn say_error(error: &ClusterError, context: &Context) -> ExitCode {
    session::say(&harmless(&error.to_string()), help(error), context);
    session::of_cluster(error)
}

/// What to do, in the words of this command line.
fn help(error: &ClusterError) -> &'static str {
    match error.kind {
        ErrorKind::Denied => {
            "check the API key in the variable that --api-key-env names, and --api: a key is known to one control plane"
        }
        ErrorKind::Config => "check the variable that --api-key-env names, and that --api begins with https://",
        ErrorKind::Unreachable | ErrorKind::Nonsense => {
            "check that --api is the address of a control plane and can be reached from this machine"
        }
        _ => error.help(),
    }
}
