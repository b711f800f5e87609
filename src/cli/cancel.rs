//! `vecferry cancel`: asks a running apply to stop, from outside.

use std::time::{Duration, Instant};

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Output, session, status as status_command};
use crate::flow::{self, stored};
use crate::render::status::{self, StatusEntry};
use crate::render::{count, harmless};
use crate::state::{JobId, Owner, StateError, Store};

/// Time between two looks at whether it has ended.
const EVERY: Duration = Duration::from_millis(300);
/// A run whose last lock is gone counts as ended when there is still none at the next look: between two collections it has
/// none for a moment.
const QUIET_LOOKS: u32 = 2;
/// Longest wait. A run stops within seconds; one that does not is stuck in a request, or its machine is gone.
const LIMIT: Duration = Duration::from_secs(180);

/// Asks a running apply to stop as one Ctrl-C does, also from another machine that shares the state, and waits until it ended.
///
/// What was written stays and is recorded; the same apply goes on from there. A job of the migration service of Zilliz Cloud is
/// no longer followed and goes on by itself: no request stops one, only its console does (Jobs).
#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run, as `vecferry status` shows it, or one of its jobs.
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    place: session::StateArgs,
    /// Ask, and do not wait for the end.
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(arguments: &CancelArgs, context: &Context) -> ExitCode {
    let store = match session::state_store(&arguments.place, context) {
        Ok(store) => store,
        Err(code) => return code,
    };
    cancel(arguments, &store, context).unwrap_or_else(|error| session::say_state_error(&error, context))
}

fn cancel(arguments: &CancelArgs, store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let running = stored::running(store, &arguments.run)?;
    stored::ask_to_stop(store, &running)?;
    let mut asked: Vec<String> = running.iter().map(|(_, owner)| harmless(&owner.to_string())).collect();
    asked.dedup();
    context.printer.note(&format!("Asked to stop: {}\n", asked.join("; ")));
    if arguments.no_wait {
        return show(store, &running, false, context);
    }
    let (began, mut quiet) = (Instant::now(), 0);
    while quiet < QUIET_LOOKS {
        if began.elapsed() > LIMIT {
            session::say(
                &format!("it still runs after {} seconds", LIMIT.as_secs()),
                "the request stays; look again with `vecferry status`. If its machine is gone for good, `vecferry unlock` frees its locks",
                context,
            );
            return Ok(ExitCode::Temporary);
        }
        std::thread::sleep(EVERY);
        quiet = if stored::still_run(store, &running)? { 0 } else { quiet + 1 };
    }
    stored::forget_requests(store, &running);
    show(store, &running, true, context)
}

/// What became of the jobs.
fn show(store: &Store, running: &[(JobId, Owner)], ended: bool, context: &Context) -> Result<ExitCode, StateError> {
    let jobs = flow::jobs(store)?.into_iter().filter(|one| running.iter().any(|(id, _)| *id == one.id));
    let entries: Vec<StatusEntry> = jobs.map(status_command::entry).collect();
    let now = jiff::Timestamp::now();
    let text = match context.output {
        Output::Text => status::text(&entries, now, context.printer.stdout_style()),
        Output::Markdown => status::markdown(&entries, now),
        Output::Json => session::document(&status::canceled_json(&entries, ended, now)),
    };
    if let Err(code) = session::data(&text, context) {
        return Ok(code);
    }
    if ended {
        let stopped = count(entries.len(), "collection");
        context.printer.note(&format!("Ended, with {stopped} in work. The same apply goes on from there.\n"));
        let left = entries.iter().filter(|entry| entry.is_left_going()).count();
        if left > 0 {
            context.printer.note(&format!(
                "The migration service of Zilliz Cloud goes on with {}. Its jobs are canceled in its console (Jobs).\n",
                count(left, "collection")
            ));
        }
    }
    Ok(ExitCode::Success)
}
