//! `vecferry man`: manual pages, from the same words as `--help`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;

use super::exit_code::ExitCode;
use super::{Context, new_file, session};
use crate::render::count;

/// Writes the manual pages: one for vecferry and one for each command.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder to write them to; without it, the main page goes to standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &ManArgs, context: &Context) -> ExitCode {
    let mut command = super::command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = &arguments.out else {
        return session::data(&page(command), context).err().unwrap_or(ExitCode::Success);
    };
    if let Err(error) = fs_err::create_dir_all(folder) {
        session::say(&error.to_string(), "name a folder that can be written to", context);
        return ExitCode::Failure;
    }
    match write(&command, folder) {
        Ok(pages) => {
            context.printer.note(&format!("Wrote {} to {}.\n", count(pages, "page"), folder.display()));
            ExitCode::Success
        }
        Err(error) => new_file::say(&error, context),
    }
}

/// Writes the page of a command and those of the commands below it, and says how many. Pages are made again and again from
/// the same words, so older ones are written over.
fn write(command: &clap::Command, folder: &Path) -> Result<usize, new_file::NotWritten> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    new_file::write(&folder.join(format!("{name}.1")), &page(command.clone()), true)?;
    let below = command.get_subcommands().filter(|command| !command.is_hide_set());
    below.map(|command| write(command, folder)).sum::<Result<usize, _>>().map(|pages| pages + 1)
}

fn page(command: clap::Command) -> String {
    let mut page = Vec::new();
    // Memory takes everything that is written to it.
    let _complete = Man::new(command).render(&mut page);
    String::from_utf8_lossy(&page).into_owned()
}
