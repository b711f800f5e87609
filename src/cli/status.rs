//! `vecferry status`: each run and collection, from the state alone.

use std::time::Duration;

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::flow;
use crate::render::status::{self, StatusEntry};
use crate::state::Remembered;

/// Time between two looks with `--watch`.
const EVERY: Duration = Duration::from_secs(2);

/// Shows each run and collection: state, rows, rate, time left, error. Reads the state only, also while an apply runs.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    place: session::StateArgs,
    /// Look again every two seconds until nothing runs any more.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(arguments: &StatusArgs, context: &Context) -> ExitCode {
    let store = match session::state_store(&arguments.place, context) {
        Ok(store) => store,
        Err(code) => return code,
    };
    loop {
        let jobs = match flow::jobs(&store) {
            Ok(jobs) => jobs,
            Err(error) => return session::say_state_error(&error, context),
        };
        let damaged = jobs.iter().any(|one| one.job.is_err());
        let entries: Vec<StatusEntry> = jobs.into_iter().map(entry).collect();
        let text = match context.output {
            Output::Text => status::text(&entries, jiff::Timestamp::now(), context.printer.stdout_style()),
            Output::Markdown => status::markdown(&entries, jiff::Timestamp::now()),
            Output::Json => session::document(&status::json(&entries, jiff::Timestamp::now())),
        };
        if let Err(code) = session::data(&text, context) {
            return code;
        }
        if !arguments.watch || !entries.iter().any(StatusEntry::is_running) {
            return if damaged { ExitCode::Stale } else { ExitCode::Success };
        }
        std::thread::sleep(EVERY);
    }
}

/// What is shown of a job.
pub(super) fn entry(one: Remembered) -> StatusEntry {
    let Remembered { id, job, holder, .. } = one;
    let job = job.map_err(|error| format!("{error}; to go on: {}", error.help_for(&id)));
    StatusEntry { id: id.to_string(), job, holder }
}
