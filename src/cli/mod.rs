//! The command line: one file for each command with its arguments, one call into the library, and one rendering.

mod apply;
mod cancel;
mod cloud;
mod completions;
pub mod exit_code;
mod explain;
mod forms;
mod guard;
mod init;
mod inspect;
mod logging;
mod man;
mod memory;
mod new_file;
mod page;
#[cfg(test)]
mod pages;
mod plan;
pub mod printer;
mod schema;
mod select;
mod session;
mod show;
mod state;
mod status;
mod unlock;
mod validate;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use exit_code::ExitCode;
pub(crate) use forms::{Form, Output};
use printer::Printer;

/// Moves Milvus and Zilliz Cloud collections between clusters from reviewed YAML plan files, exactly once.
#[derive(Debug, Parser)]
#[command(name = "vecferry", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// When to colour text; `auto` is on terminals, unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
    /// Say only what matters.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Log what is done; twice for more. RUST_LOG sets it in detail.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// The form of the result.
    #[arg(long, global = true, default_value = "text", value_parser = forms::among(&Form::EVERYWHERE), value_name = "FORM")]
    output: Form,
    /// The form of the log on stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORM")]
    log_format: LogFormat,
    /// Run as if started in this folder.
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// When to colour text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object in each line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Show(show::ShowArgs),
    Verify(verify::VerifyArgs),
    Status(status::StatusArgs),
    Cancel(cancel::CancelArgs),
    State(state::StateCommand),
    Unlock(unlock::UnlockArgs),
    Explain(explain::ExplainArgs),
    Schema(schema::SchemaArgs),
    Inspect(Box<inspect::InspectArgs>),
    Cloud(cloud::CloudCommand),
    Init(init::InitArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// What a command needs besides its own arguments.
pub(crate) struct Context {
    /// Writes to the terminal.
    pub(crate) printer: Printer,
    /// The form of the result.
    pub(crate) output: Output,
    /// The same, for commands that offer more.
    pub(crate) form: Form,
    /// The form of the log and of progress.
    pub(crate) log_format: LogFormat,
    /// Whether a log is written, which progress bars would tear.
    pub(crate) logs: bool,
}

/// The command line, for parsing it and for everything that is made from it.
fn command() -> clap::Command {
    forms::with_own(Cli::command()).after_help(ExitCode::table())
}

/// Runs the command line of this process to its exit code.
pub fn main() -> std::process::ExitCode {
    guard::install();
    guard::catch_bugs(|| run(std::env::args_os())).into()
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return say_usage(&error),
    };
    let context = Context {
        printer: Printer::new(&cli.global),
        output: cli.global.output.into(),
        form: cli.global.output,
        log_format: cli.global.log_format,
        logs: cli.global.verbose > 0,
    };
    if let Some(folder) = &cli.global.directory
        && let Err(error) = std::env::set_current_dir(folder)
    {
        let message = format!("error: can't enter `{}`: {error}\n", folder.display());
        context.printer.important(&message);
        return ExitCode::Usage;
    }
    logging::start(cli.global.verbose, cli.global.log_format);
    match &cli.command {
        Command::Validate(arguments) => validate::run(arguments, &context),
        Command::Plan(arguments) => plan::run(arguments, &context),
        Command::Apply(arguments) => apply::run(arguments, &context),
        Command::Show(arguments) => show::run(arguments, &context),
        Command::Verify(arguments) => verify::run(arguments, &context),
        Command::Status(arguments) => status::run(arguments, &context),
        Command::Cancel(arguments) => cancel::run(arguments, &context),
        Command::State(arguments) => state::run(arguments, &context),
        Command::Unlock(arguments) => unlock::run(arguments, &context),
        Command::Explain(arguments) => explain::run(arguments, &context),
        Command::Schema(arguments) => schema::run(arguments, &context),
        Command::Inspect(arguments) => inspect::run(arguments, &context),
        Command::Cloud(arguments) => cloud::run(arguments, &context),
        Command::Init(arguments) => init::run(arguments, &context),
        Command::Completions(arguments) => completions::run(arguments, &context),
        Command::Man(arguments) => man::run(arguments, &context),
    }
}

/// Help and version are data; anything else is a wrong command line. clap's own exit code for that is 2, which here
/// means "there are changes".
fn say_usage(error: &clap::Error) -> ExitCode {
    let styled = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer::to_stdout(&styled.to_string());
            ExitCode::Success
        }
        _ => {
            if printer::early_color() {
                printer::to_stderr(&styled.ansi().to_string());
            } else {
                printer::to_stderr(&styled.to_string());
            }
            ExitCode::Usage
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn a_panic_is_a_bug() {
        let code = guard::catch_bugs(|| panic!("a broken promise"));
        assert_eq!(code, ExitCode::Bug);
    }
}
