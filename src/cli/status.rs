//! `vecferry status`: each run and collection, from the state alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::flow;
use crate::plan;
use crate::render::status::{self, StatusEntry};

/// Time between two looks with `--watch`.
const EVERY: Duration = Duration::from_secs(2);

/// Shows each run and collection: state, rows, rate, time left, error. Reads the state only, also while an apply runs.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Plan files or folders whose state to show; without, what applies in the current folder.
    #[arg(value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// The state's folder, where it is not the one of the plans.
    #[arg(long, value_name = "DIR", conflicts_with = "plans")]
    state: Option<PathBuf>,
    /// Look again every two seconds until nothing runs any more.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(arguments: &StatusArgs, context: &Context) -> ExitCode {
    let root = match place(arguments, context) {
        Ok(root) => root,
        Err(code) => return code,
    };
    loop {
        let jobs = match flow::jobs(&root) {
            Ok(jobs) => jobs,
            Err(error) => {
                session::say(&error.to_string(), error.help(), context);
                return ExitCode::Failure;
            }
        };
        let damaged = jobs.iter().any(|one| one.job.is_err());
        let entries: Vec<StatusEntry> = jobs
            .into_iter()
            .map(|one| StatusEntry {
                id: one.id.to_string(),
                job: one.job.map_err(|error| error.to_string()),
                running: one.running,
            })
            .collect();
        let text = match context.output {
            Output::Text => status::text(&entries, jiff::Timestamp::now(), context.printer.stdout_style()),
            Output::Markdown => status::markdown(&entries, jiff::Timestamp::now()),
            Output::Json => session::document(&status::json(&entries, jiff::Timestamp::now())),
        };
        if let Err(code) = session::data(&text, context) {
            return code;
        }
        if !arguments.watch || !entries.iter().any(|entry| entry.running) {
            return if damaged { ExitCode::Stale } else { ExitCode::Success };
        }
        std::thread::sleep(EVERY);
    }
}

/// The state's folder.
fn place(arguments: &StatusArgs, context: &Context) -> Result<PathBuf, ExitCode> {
    if let Some(state) = &arguments.state {
        return Ok(state.clone());
    }
    if !arguments.plans.is_empty() {
        return session::load(&arguments.plans, context).map(|loaded| loaded.settings.state);
    }
    match plan::settings_in(Path::new(".")) {
        Ok(settings) => Ok(settings.state),
        Err(found) => {
            session::say_invalid(&found, context);
            Err(ExitCode::InvalidPlan)
        }
    }
}
