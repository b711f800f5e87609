//! `vecferry cloud`: what a control plane of Zilliz Cloud says, for whoever writes a plan. It changes nothing.

use std::path::Path;

use clap::{Args, Subcommand};

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::cluster::zilliz::{self, ControlPlane};
use crate::cluster::{ClusterError, ErrorKind};
use crate::plan::named::{self, Login, Named};
use crate::plan::resolved::{Auth, CloudCluster, WhichCluster};
use crate::render::cloud::Listing;
use crate::render::harmless;

/// Lists what an API key of Zilliz Cloud may see: the ids, regions and projects that plans name, and migration jobs.
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
        #[command(flatten)]
        access: Access,
    },
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
        let login = Login::TokenEnv(self.api_key_env.clone());
        let named = Named::Address { uri: self.api.clone(), login };
        let found = named::cluster("zilliz_cloud", &named, Path::new(".")).map_err(|found| {
            session::say_invalid(&found, context);
            ExitCode::Usage
        })?;
        match found.endpoint.auth {
            Auth::Token(api_key) => Ok(CloudCluster {
                api: self.api.clone(),
                api_key,
                which: WhichCluster::Id(String::new()),
                resume: false,
            }),
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
    };
    let cluster = match access.cluster(context) {
        Ok(cluster) => cluster,
        Err(code) => return code,
    };
    session::block_on(context, async {
        match session::unless_interrupted(ask(&arguments.command, &cluster), context).await {
            Ok(Ok(Some(listing))) => show(&listing, context),
            Ok(Ok(None)) => {
                let help = "check the id, and that the API key belongs to the organisation of the job";
                session::say("there is no job of that id, or the API key may not see it", help, context);
                ExitCode::Failure
            }
            Ok(Err(error)) => {
                session::say(&harmless(&error.to_string()), help(&error), context);
                session::of_cluster(&error)
            }
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
