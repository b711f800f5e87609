//! `vecferry plan`: looks at both sides and shows what `apply` would do.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::exit_code::ExitCode;
use super::memory::MemoryArgs;
use super::page::PageArgs;
use super::select::SelectArgs;
use super::{Context, Form, Output, session};
use crate::diff::{Action, Diff};
use crate::flow::{self, Depth, View};
use crate::plan::StatePlace;
use crate::render::{changes, page};
use crate::saved;

/// Reads both clusters and shows the diff: what would be created, what changes shape, how many rows, what could go wrong.
///
/// Nothing is written, loaded or released on either side.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Plan files, or folders with plan files (`*.yaml`, `*.yml`).
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// Save what was decided, for `vecferry apply FILE` to do exactly that, and for `vecferry show FILE`. The file holds no
    /// secrets, and only its owner can read it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read all of each source that is loaded, as the plan maps it, and count the rows that each rule would touch: values that
    /// do not fit, nulls, keys that are lost, keys that stand twice. Takes about as long as a copy.
    #[arg(long)]
    scan: bool,
    /// Exit with 2 where there is something to apply, and with 0 only where there is nothing.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) fn run(arguments: &PlanArgs, context: &Context) -> ExitCode {
    let checked = arguments.page.check(context).and_then(|()| session::load(&arguments.plans, context));
    let mut loaded = match checked {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    loaded.settings.memory = arguments.memory.bytes();
    if let Some(file) = &arguments.out
        && let Err(found) = saved::refuse(&loaded.plans, file)
    {
        session::say_diagnostic(&found, context);
        return ExitCode::Failure;
    }
    let state = loaded.settings.state.clone();
    session::block_on(context, async {
        let depth = if arguments.scan { Depth::Everything } else { Depth::Rows };
        let selecting = arguments.select.selecting();
        let looking = flow::look(loaded, depth, &selecting, None);
        let view = match session::unless_interrupted(looking, context).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return session::say_flow_error(&error, context),
            Err(code) => return code,
        };
        session::say_warnings(&view.warnings, context);
        let diff = view.diff();
        let shown = show(&diff, context);
        if let Err(code) = shown.and_then(|()| arguments.page.write(|| page::plan(&diff, Timestamp::now()), context)) {
            return code;
        }
        match &arguments.out {
            Some(file) => {
                if let Err(code) = save(&view, state, arguments.scan, file, context) {
                    return code;
                }
            }
            None if view.changes.has_changes() => context.printer.note(
                "Note: nothing was saved, so `apply` looks again and may find something else. `--out FILE` saves what was decided.\n",
            ),
            None => {}
        }
        match blocked(&view) {
            Some(code) => code,
            None if arguments.detailed_exitcode && view.changes.has_changes() => ExitCode::Changes,
            None => ExitCode::Success,
        }
    })
}

/// Saves what was decided, and says what to do with it.
fn save(view: &View, state: StatePlace, scanned: bool, file: &Path, context: &Context) -> Result<(), ExitCode> {
    let saving = flow::save(view, state, scanned).map_err(|literal| Box::new(literal.diagnostic()));
    match saving.and_then(|saved| saved::write(&saved, file)) {
        Ok(()) => {
            let command = session::command(&["vecferry", "apply", &file.display().to_string()]);
            context.printer.note(&format!("Saved. To do exactly this: {command}\n"));
            Ok(())
        }
        Err(diagnostic) => {
            session::say_diagnostic(&diagnostic, context);
            Err(ExitCode::Failure)
        }
    }
}

/// Writes the diff to stdout.
pub(super) fn show(diff: &Diff, context: &Context) -> Result<(), ExitCode> {
    let text = match context.output {
        _ if context.form == Form::Html => page::plan(diff, Timestamp::now()),
        Output::Text => changes::text(diff, context.printer.stdout_style()),
        Output::Json => session::document(&changes::json(diff)),
        Output::Markdown => changes::markdown(diff),
    };
    session::data(&text, context)
}

/// The exit code of a change set with blocked entries.
pub(super) fn blocked(view: &View) -> Option<ExitCode> {
    if view.changes.entries.iter().any(|entry| entry.state_conflict) {
        return Some(ExitCode::Stale);
    }
    let cluster_blocked = view.changes.clusters.iter().any(|cluster| cluster.action == Action::Blocked);
    (cluster_blocked || view.changes.summary().blocked > 0).then_some(ExitCode::Incomplete)
}
