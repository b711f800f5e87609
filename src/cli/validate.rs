//! `vecferry validate`: syntax, schema and rules of plan files, without touching the network.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Form, session};
use crate::diagnostic::Diagnostic;
use crate::plan;
use crate::render::diagnostics::Whereabouts;
use crate::render::{count, diagnostics};

/// Checks plan files: syntax, schema and rules, all mistakes at once, each at its line and column.
///
/// Neither the network nor any secret is touched, and nothing is written, so it is safe to run on every save.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Plan files, or folders with plan files (`*.yaml`, `*.yml`).
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
}

pub(super) fn run(arguments: &ValidateArgs, context: &Context) -> ExitCode {
    let (code, found, plans) = match plan::load(&arguments.plans) {
        Ok(loaded) => (ExitCode::Success, loaded.warnings, loaded.plans.len()),
        Err(found) => (ExitCode::InvalidPlan, found, 0),
    };
    let result = match context.form {
        Form::Json => diagnostics::json(&found),
        Form::Markdown => diagnostics::markdown(&found, plans, &whereabouts()),
        Form::Sarif => diagnostics::sarif(&found, &whereabouts()),
        Form::Github => diagnostics::github(&found, &whereabouts()),
        Form::Text | Form::Html => {
            say(code, &found, plans, context);
            return code;
        }
    };
    session::data(&result, context).err().unwrap_or(code)
}

/// Where this runs. A repository is where `.git` is, a folder or, in a worktree, a file.
fn whereabouts() -> Whereabouts {
    let folder = std::env::current_dir().unwrap_or_default();
    let repository = folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned);
    Whereabouts { folder, repository }
}

fn say(code: ExitCode, found: &[Diagnostic], plans: usize, context: &Context) {
    let printer = &context.printer;
    let style = printer.stderr_style();
    let (errors, warnings): (Vec<_>, Vec<_>) = found.iter().cloned().partition(Diagnostic::is_error);
    if code == ExitCode::Success {
        printer.note(&diagnostics::text(&warnings, style));
        let verb = if plans == 1 { "is" } else { "are" };
        let aside =
            if warnings.is_empty() { String::new() } else { format!(", with {}", diagnostics::summary(&warnings)) };
        printer.note(&format!("{} {verb} valid{aside}\n", count(plans, "plan")));
    } else {
        let shown = if printer.is_quiet() { &errors } else { found };
        printer.important(&diagnostics::text(shown, style));
        printer.important(&format!("invalid: {}\n", diagnostics::summary(shown)));
    }
}
