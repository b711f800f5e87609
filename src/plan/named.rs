//! Clusters that a command line names instead of a plan: the way to connect, and what a plan says to do the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::cloud_spec::ProfileSpec;
use super::connection::{self, Address};
use super::draft::Part;
use super::model::MilvusSpec;
use super::resolved::Endpoint;
use super::secrets;
use super::settings::SettingsFiles;
use crate::diagnostic::{Code, Diagnostic, SourceText, Span};

/// A cluster as a command line names it.
#[derive(Debug, Clone)]
pub enum Named {
    /// By its address.
    Address {
        /// `http://host:port` or `https://host:port`.
        uri: String,
        /// How to log in.
        login: Login,
    },
    /// By a profile of vecferry.toml.
    Profile(String),
}

/// How to log in. Each is a reference; no command line takes a secret.
#[derive(Debug, Clone)]
pub enum Login {
    /// Without credentials.
    None,
    /// By a token in an environment variable.
    TokenEnv(String),
    /// By a token in a file.
    TokenFile(PathBuf),
    /// By a user name, and a password in an environment variable.
    Password {
        /// The user name.
        username: String,
        /// The variable's name.
        env: String,
    },
}

/// A cluster that can be connected to and written down.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The way to connect.
    pub endpoint: Endpoint,
    /// Its own database, where a profile names one.
    pub database: Option<String>,
    /// What a plan says under the cluster's name.
    pub parts: Vec<Part>,
}

impl Cluster {
    /// Whether both are one server, whichever names of this machine they use.
    pub fn is_same(&self, other: &Self) -> bool {
        let identity = |cluster: &Self| Address::parse(&cluster.endpoint.uri).ok().map(|address| address.identity());
        identity(self) == identity(other)
    }
}

/// The cluster that is meant. `folder` is where the plan will lie: profiles are looked for upward from it, and files are named
/// from it.
///
/// # Errors
///
/// What is wrong with the address, a name, or vecferry.toml.
pub fn cluster(name: &str, named: &Named, folder: &Path) -> Result<Cluster, Vec<Diagnostic>> {
    match named {
        Named::Address { uri, login } => address(name, uri, login, folder).map_err(|diagnostic| vec![*diagnostic]),
        Named::Profile(profile) => from_profile(profile, folder),
    }
}

fn address(name: &str, uri: &str, login: &Login, folder: &Path) -> Result<Cluster, Box<Diagnostic>> {
    let refused = |(code, message, help): (Code, &str, &str)| Box::new(Diagnostic::new(code, message).help(help));
    let address = Address::parse(uri).map_err(refused)?;
    let variable = |env: &str| match secrets::is_variable(env) {
        true => Ok(json!({ "env": env })),
        false => Err(refused((
            Code::BadFormat,
            "this is no name of an environment variable",
            "name the variable that holds the secret, and not the secret itself",
        ))),
    };
    let mut said = vec![Part::new("uri", address.uri())];
    // What is resolved here is read from where the command runs, and what is written from where the plan lies.
    let mut spec = json!({ "uri": uri });
    let mut say = |key: &str, value: Value, written: Value| {
        spec[key] = value;
        said.push(Part::new(key, written));
    };
    match login {
        Login::None => {}
        Login::TokenEnv(env) => say("token", variable(env)?, variable(env)?),
        Login::TokenFile(file) => {
            say("token", json!({"file": file.to_string_lossy()}), json!({"file": seen_from(folder, file)}));
        }
        Login::Password { username, env } => {
            say("username", username.as_str().into(), username.as_str().into());
            say("password", variable(env)?, variable(env)?);
        }
    }
    let parts = vec![Part::of_parts("milvus", said)];
    let source = Arc::new(SourceText::new(name, ""));
    serde_json::from_value::<MilvusSpec>(spec)
        .ok()
        .and_then(|spec| connection::resolve(name, &spec, Path::new(""), Span::new(&source, 0..0)))
        .map(|endpoint| Cluster { endpoint, database: None, parts })
        .ok_or_else(|| {
            refused((Code::BadUri, "the address can't be read", "write http://host:port or https://host:port"))
        })
}

/// A file as a plan in that folder names it.
fn seen_from(folder: &Path, file: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (folder, file) = (whole(folder), whole(file));
    file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().into_owned()
}

fn from_profile(profile: &str, folder: &Path) -> Result<Cluster, Vec<Diagnostic>> {
    let (mut files, mut found) = (SettingsFiles::default(), Vec::new());
    let read = files.find(folder, &mut found).and_then(|index| files.get(index));
    if found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    let Some(read) = read else {
        let message = "there is no vecferry.toml here or above, so there are no profiles";
        return Err(vec![Diagnostic::new(Code::NoSettingsFile, message).help("write one, or give `--uri`")]);
    };
    let spec = match read.profile(profile) {
        Some(ProfileSpec::Milvus(spec)) => Some(spec.as_ref()),
        Some(ProfileSpec::Cloud(_)) => {
            let message = format!(
                "profile `{profile}` is a cluster of Zilliz Cloud, whose address this command does not ask for"
            );
            let help = "give the cluster's address with `--uri`, as the console shows it under Connect";
            return Err(vec![Diagnostic::new(Code::CloudProfile, message).help(help)]);
        }
        None => None,
    };
    let endpoint = spec.and_then(|spec| {
        let span = Span::new(&read.document.source, 0..0);
        connection::resolve(profile, spec, &read.folder(), span)
    });
    match endpoint.zip(spec) {
        Some((endpoint, spec)) => {
            let parts = vec![Part::new("profile", profile)];
            Ok(Cluster { endpoint, database: spec.database.clone(), parts })
        }
        None => {
            let names = read.profile_names();
            let help = match names.as_slice() {
                [] => "it has no profiles".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            let message = format!("{} has no profile `{profile}`", super::files::name(&read.path));
            Err(vec![Diagnostic::new(Code::UnknownProfile, message).help(help)])
        }
    }
}
