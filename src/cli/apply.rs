//! `vecferry apply`: shows the diff, asks, executes, verifies, and reports on one page.

use std::path::PathBuf;

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Output, plan, session};
use crate::diff::Work;
use crate::flow::{self, Depth, View};
use crate::render::progress::Expected;
use crate::render::{changes, reports};
use crate::run::{JobError, Report};

/// Does what the plan says: shows the diff, asks, executes and verifies.
///
/// Safe to run again at any time. After an interruption or a crash the same command goes on where it stopped; when all is
/// done it writes nothing.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Plan files, or folders with plan files (`*.yaml`, `*.yml`).
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// Do not ask before acting.
    #[arg(long)]
    auto_approve: bool,
}

pub(super) fn run(arguments: &ApplyArgs, context: &Context) -> ExitCode {
    let loaded = match session::load(&arguments.plans, context) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    session::block_on(context, async {
        let mut view = match session::unless_interrupted(flow::look(loaded, Depth::Rows), context).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return session::say_flow_error(&error, context),
            Err(code) => return code,
        };
        session::say_warnings(&view.warnings, context);
        let shown = match context.output {
            // One document on stdout: that of the end. Who is asked sees the diff all the same.
            Output::Json if !arguments.auto_approve => {
                let printer = &context.printer;
                printer.important(&changes::text(&view.changes.diff(), printer.stderr_style()));
                Ok(())
            }
            Output::Json => Ok(()),
            _ => plan::show(&view, context),
        };
        if let Err(code) = shown {
            return code;
        }
        if view.changes.has_changes() && !arguments.auto_approve {
            match session::approved_in_time(context).await {
                Ok(true) => {}
                Ok(false) => return ExitCode::Failure,
                Err(code) => return code,
            }
        }
        let stop = session::stop_on_signals(context);
        let working = view.changes.entries.iter().filter(|entry| entry.work != Work::None);
        let expected =
            Expected { collections: working.clone().count(), rows: working.map(|entry| entry.rows_to_copy).sum() };
        let progress = session::progress(context, expected);
        let (run, requests) = (flow::new_run(), view.store.requests());
        session::stop_on_request(requests.clone(), run.clone(), &stop, context);
        let reports = flow::apply(&mut view, &run, &progress, &stop).await;
        requests.forget(&run);
        progress.finish();
        if let Err(code) = report(&view, &reports, &again(arguments), context) {
            return code;
        }
        exit_code(&view, &reports)
    })
}

/// The command that goes on with what is left.
fn again(arguments: &ApplyArgs) -> String {
    let mut command = "vecferry apply".to_owned();
    if arguments.auto_approve {
        command.push_str(" --auto-approve");
    }
    for plan in &arguments.plans {
        let plan = plan.display().to_string();
        let bare = !plan.is_empty() && plan.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+=@%:,".contains(c));
        command.push(' ');
        command.push_str(&if bare { plan } else { format!("'{}'", plan.replace('\'', r"'\''")) });
    }
    command
}

fn report(view: &View, ended: &[Report], command: &str, context: &Context) -> Result<(), ExitCode> {
    let diff = view.changes.diff();
    let blocked: Vec<_> = diff.changes.iter().filter(|change| !change.blocked.is_empty()).collect();
    if ended.is_empty() && blocked.is_empty() && context.output != Output::Json {
        return Ok(());
    }
    let text = match context.output {
        Output::Text => reports::text(ended, &blocked, command, context.printer.stdout_style()),
        Output::Markdown => reports::markdown(ended, &blocked, command),
        Output::Json => {
            let mut document = reports::json(ended, &blocked, command);
            if let Some(members) = document.as_object_mut() {
                members.insert("plan".to_owned(), changes::json(&diff));
            }
            session::document(&document)
        }
    };
    session::data(&text, context)
}

/// One reason for all that failed is told by its own code; several, or some beside successes, by 3. What is temporary is told
/// as such even so, because running the same command again is then the right thing to do.
fn exit_code(view: &View, reports: &[Report]) -> ExitCode {
    let errors: Vec<&JobError> = reports.iter().filter_map(|report| report.result.as_ref().err()).collect();
    if errors.iter().any(|error| matches!(error, JobError::Interrupted)) {
        return ExitCode::Interrupted;
    }
    let quarantined = reports.iter().any(|report| report.result.as_ref().is_ok_and(|success| success.quarantined > 0))
        || view.changes.entries.iter().any(|entry| entry.work == Work::None && entry.quarantined() > 0);
    let blocked = plan::blocked(view).or(quarantined.then_some(ExitCode::Incomplete));
    match (errors.as_slice(), blocked) {
        ([], None) => ExitCode::Success,
        ([], Some(code)) => code,
        (errors, None) if errors.iter().all(|error| error.is_temporary()) => ExitCode::Temporary,
        ([first, rest @ ..], None) if errors.len() == reports.len() => {
            let code = session::of_job(first);
            let same = rest.iter().all(|error| session::of_job(error) == code);
            if same && code != ExitCode::Failure { code } else { ExitCode::Incomplete }
        }
        _ => ExitCode::Incomplete,
    }
}
