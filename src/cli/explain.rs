//! `vecferry explain`: the long text of a code.

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, session};
use crate::diagnostic::Code;

/// Explains the code of a message, such as VF0301; without one, lists all codes.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code, as a message shows it.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(super) fn run(arguments: &ExplainArgs, context: &Context) -> ExitCode {
    let text = match &arguments.code {
        None => Code::ALL.iter().map(|code| format!("{}  {}\n", code.info().id, code.info().title)).collect(),
        Some(wanted) => match Code::ALL.iter().find(|code| code.info().id.eq_ignore_ascii_case(wanted)) {
            Some(code) => format!("{}: {}\n\n{}\n", code.info().id, code.info().title, code.info().explanation),
            None => {
                session::say(&format!("there is no code `{wanted}`"), "`vecferry explain` lists all codes", context);
                return ExitCode::Usage;
            }
        },
    };
    session::data(&text, context).err().unwrap_or(ExitCode::Success)
}
