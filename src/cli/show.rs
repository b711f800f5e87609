//! `vecferry show`: a saved plan, as it was shown when it was made.

use std::path::PathBuf;

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, plan, session};

/// Shows a saved plan again, in every form that `plan` has. Nothing is connected to.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// What `vecferry plan --out` wrote.
    #[arg(value_name = "SAVED")]
    saved: PathBuf,
}

pub(super) fn run(arguments: &ShowArgs, context: &Context) -> ExitCode {
    match session::saved_plan(&arguments.saved, context) {
        Ok(Some(saved)) => plan::show(&saved.diff(), context).err().unwrap_or(ExitCode::Success),
        Ok(None) => {
            let what = format!("{} is no saved plan", arguments.saved.display());
            session::say(
                &what,
                "`vecferry plan PLAN --out FILE` saves one; `vecferry plan PLAN` shows a plan",
                context,
            );
            ExitCode::Usage
        }
        Err(code) => code,
    }
}
