//! `vecferry plan`: looks at both sides and shows what `apply` would do.

use std::path::PathBuf;

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, Output, session};
use crate::flow::{self, Depth, View};
use crate::render::changes;

/// Reads both clusters and shows the diff: what would be created, what changes shape, how many rows, what could go wrong.
///
/// Nothing is written, loaded or released on either side.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Plan files, or folders with plan files (`*.yaml`, `*.yml`).
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// Read all of each source that is loaded, as the plan maps it, and count the rows that each rule would touch: values that
    /// do not fit, nulls, keys that are lost, keys that stand twice. Takes about as long as a copy.
    #[arg(long)]
    scan: bool,
    /// Exit with 2 where there is something to apply, and with 0 only where there is nothing.
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) fn run(arguments: &PlanArgs, context: &Context) -> ExitCode {
    let loaded = match session::load(&arguments.plans, context) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    session::block_on(context, async {
        let depth = if arguments.scan { Depth::Everything } else { Depth::Rows };
        let view = match session::unless_interrupted(flow::look(loaded, depth), context).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return session::say_flow_error(&error, context),
            Err(code) => return code,
        };
        session::say_warnings(&view.warnings, context);
        if let Err(code) = show(&view, context) {
            return code;
        }
        match blocked(&view) {
            Some(code) => code,
            None if arguments.detailed_exitcode && view.changes.has_changes() => ExitCode::Changes,
            None => ExitCode::Success,
        }
    })
}

/// Writes the diff to stdout.
pub(super) fn show(view: &View, context: &Context) -> Result<(), ExitCode> {
    let diff = view.changes.diff();
    let text = match context.output {
        Output::Text => changes::text(&diff, context.printer.stdout_style()),
        Output::Json => session::document(&changes::json(&diff)),
        Output::Markdown => changes::markdown(&diff),
    };
    session::data(&text, context)
}

/// The exit code of a change set with blocked entries.
pub(super) fn blocked(view: &View) -> Option<ExitCode> {
    if view.changes.entries.iter().any(|entry| entry.state_conflict) {
        return Some(ExitCode::Stale);
    }
    (view.changes.summary().blocked > 0).then_some(ExitCode::Incomplete)
}
