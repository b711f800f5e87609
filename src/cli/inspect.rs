//! `vecferry inspect`: from a live cluster to a plan.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, new_file, session};
use crate::cluster::{ClusterError, ErrorKind};
use crate::flow::inspect::{self, InspectError, Inspected, Request};
use crate::plan::named::{self, Cluster, Login, Named};
use crate::render::{count, draft, harmless};

/// Where the JSON Schema lies in a repository of plans.
const SCHEMA_FILE: &str = "schemas/plan.v1.schema.json";

/// Writes a plan that moves what a live cluster holds: it validates, and with a target it applies as it stands.
///
/// Comments say what is there and what a person must decide. What the target cannot hold is written as a comment, with the
/// reason. Nothing is written, loaded or released on either side, and no secret is taken or written: only names of variables
/// and files.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("from").args(["uri", "profile"]).required(true))]
pub(super) struct InspectArgs {
    /// The address of the cluster to read, such as http://127.0.0.1:19530.
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// The environment variable that holds its API key or `user:password`.
    #[arg(long, value_name = "NAME", requires = "uri", conflicts_with_all = ["token_file", "username"])]
    token_env: Option<String>,
    /// The file that holds its API key or `user:password`.
    #[arg(long, value_name = "PATH", requires = "uri", conflicts_with = "username")]
    token_file: Option<PathBuf>,
    /// The user to log in as.
    #[arg(long, value_name = "NAME", requires = "password_env", requires = "uri")]
    username: Option<String>,
    /// The environment variable that holds the user's password.
    #[arg(long, value_name = "NAME", requires = "username")]
    password_env: Option<String>,
    /// A profile of vecferry.toml instead of an address; profiles know TLS and timeouts too.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The database to read; without it, that of the profile, or `default`.
    #[arg(long, value_name = "DB")]
    database: Option<String>,
    /// A collection to move; may be given several times. Without any, all of them.
    #[arg(long = "collection", value_name = "NAME")]
    collections: Vec<String>,
    /// A pattern of collections to move: `*`, `?`, `[a-z]`, `{a,b}`; may be given several times.
    #[arg(long = "match", value_name = "GLOB")]
    patterns: Vec<String>,
    /// The address of the cluster to write; what it cannot hold is found out. Without it, the plan has a place to fill in.
    #[arg(long, value_name = "URI", conflicts_with = "to_profile")]
    to_uri: Option<String>,
    /// The environment variable that holds the target's API key or `user:password`.
    #[arg(long, value_name = "NAME", requires = "to_uri", conflicts_with_all = ["to_token_file", "to_username"])]
    to_token_env: Option<String>,
    /// The file that holds the target's API key or `user:password`.
    #[arg(long, value_name = "PATH", requires = "to_uri", conflicts_with = "to_username")]
    to_token_file: Option<PathBuf>,
    /// The user to log in to the target as.
    #[arg(long, value_name = "NAME", requires = "to_password_env", requires = "to_uri")]
    to_username: Option<String>,
    /// The environment variable that holds that user's password.
    #[arg(long, value_name = "NAME", requires = "to_username")]
    to_password_env: Option<String>,
    /// A profile of vecferry.toml to write to.
    #[arg(long, value_name = "NAME")]
    to_profile: Option<String>,
    /// The database to write; without it, that of the profile, or the one that is read.
    #[arg(long, value_name = "DB")]
    to_database: Option<String>,
    /// Write the plan to this file instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file, if there is one.
    #[arg(long, requires = "out")]
    force: bool,
}

pub(super) fn run(arguments: &InspectArgs, context: &Context) -> ExitCode {
    if let Some(file) = &arguments.out
        && let Err(error) = new_file::check(file, arguments.force)
    {
        return new_file::say(&error, context);
    }
    let request = match request(arguments, context) {
        Ok(request) => request,
        Err(code) => return code,
    };
    session::block_on(context, async {
        let inspected = match session::unless_interrupted(inspect::inspect(request), context).await {
            Ok(Ok(inspected)) => inspected,
            Ok(Err(error)) => return say_error(&error, context),
            Err(code) => return code,
        };
        write(&inspected, arguments, context)
    })
}

/// Both clusters, as the flags name them.
fn request(arguments: &InspectArgs, context: &Context) -> Result<Request, ExitCode> {
    let folder = match arguments.out.as_deref().and_then(Path::parent) {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let open = |name: &str, named: Named| {
        named::cluster(name, &named, folder).map_err(|found| {
            session::say_invalid(&found, context);
            if matches!(named, Named::Address { .. }) { ExitCode::Usage } else { ExitCode::InvalidPlan }
        })
    };
    let one = arguments;
    let from = named(&one.uri, &one.profile, [&one.token_env, &one.username, &one.password_env], &one.token_file);
    let to = named(
        &one.to_uri,
        &one.to_profile,
        [&one.to_token_env, &one.to_username, &one.to_password_env],
        &one.to_token_file,
    );
    // clap has made sure that there is one or the other.
    let source = open("source", from.unwrap_or_else(|| Named::Profile(String::new())))?;
    let target = to.map(|to| open("target", to)).transpose()?;
    let own = |cluster: &Cluster| cluster.database.clone();
    let database = arguments.database.clone().or_else(|| own(&source)).unwrap_or_else(|| "default".to_owned());
    let target_database = arguments.to_database.clone().or_else(|| target.as_ref().and_then(own));
    let (schema, schema_is_there) = schema_from(folder);
    Ok(Request {
        target_database: target_database.unwrap_or_else(|| database.clone()),
        target,
        source,
        database,
        collections: arguments.collections.clone(),
        patterns: arguments.patterns.clone(),
        schema,
        schema_is_there,
    })
}

/// The JSON Schema as a plan in that folder names it, and whether it is there: the one that `vecferry init` makes, in that
/// folder or above.
fn schema_from(folder: &Path) -> (String, bool) {
    let start = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let above = start.ancestors().position(|folder| folder.join(SCHEMA_FILE).is_file());
    (format!("{}{SCHEMA_FILE}", "../".repeat(above.unwrap_or_default())), above.is_some())
}

fn named(
    uri: &Option<String>,
    profile: &Option<String>,
    [token, username, password]: [&Option<String>; 3],
    file: &Option<PathBuf>,
) -> Option<Named> {
    let login = match (token, file, username, password) {
        (Some(env), ..) => Login::TokenEnv(env.clone()),
        (None, Some(file), ..) => Login::TokenFile(file.clone()),
        (None, None, Some(username), Some(env)) => Login::Password { username: username.clone(), env: env.clone() },
        _ => Login::None,
    };
    match (uri, profile) {
        (Some(uri), _) => Some(Named::Address { uri: uri.clone(), login }),
        (None, Some(profile)) => Some(Named::Profile(profile.clone())),
        (None, None) => None,
    }
}

fn write(inspected: &Inspected, arguments: &InspectArgs, context: &Context) -> ExitCode {
    let text = draft::text(&inspected.draft);
    let written = match &arguments.out {
        Some(file) => match new_file::write(file, &text, arguments.force) {
            Ok(()) => {
                context.printer.note(&format!(
                    "Wrote {} for {}.\n",
                    file.display(),
                    count(inspected.moved, "collection")
                ));
                Ok(())
            }
            Err(error) => Err(new_file::say(&error, context)),
        },
        None => session::data(&text, context),
    };
    if let Err(code) = written {
        return code;
    }
    if inspected.blocked > 0 {
        let them = count(inspected.blocked, "collection");
        let message = format!("{them} cannot be moved as they are: each is written as a comment, with the reason.\n");
        context.printer.important(&message);
    }
    if inspected.moved > 0 {
        return ExitCode::Success;
    }
    context
        .printer
        .important("The plan is not valid before one entry is made to fit, and its comment signs are taken away.\n");
    ExitCode::Incomplete
}

fn say_error(error: &InspectError, context: &Context) -> ExitCode {
    let (error, prefix) = match error {
        InspectError::Absent(message, help) => {
            session::say(&harmless(message), &harmless(help), context);
            return ExitCode::Failure;
        }
        InspectError::Source(error) => (error, ""),
        InspectError::Target(error) => (error, "to-"),
    };
    session::say(&error.to_string(), &help(error, prefix), context);
    session::of_cluster(error)
}

/// What to do, in the words of this command line.
fn help(error: &ClusterError, prefix: &str) -> String {
    match error.kind {
        ErrorKind::Denied => format!(
            "log in with --{prefix}token-env NAME or --{prefix}token-file PATH (an API key, or user:password), with --{prefix}username NAME and --{prefix}password-env NAME, or by --{prefix}profile NAME of vecferry.toml"
        ),
        ErrorKind::Config => {
            format!(
                "check the variable or the file that --{prefix}token-env, --{prefix}token-file or --{prefix}password-env names"
            )
        }
        _ => error.help().to_owned(),
    }
}
