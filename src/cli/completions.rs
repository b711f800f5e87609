//! `vecferry completions`: scripts by which shells complete the command line.

use clap::Args;
use clap_complete::Shell;

use super::exit_code::ExitCode;
use super::{Context, session};

/// Prints a script by which a shell completes commands and flags.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArgs, context: &Context) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "vecferry", &mut script);
    session::data(&String::from_utf8_lossy(&script), context).err().unwrap_or(ExitCode::Success)
}
