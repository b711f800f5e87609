//! `vecferry apply`: shows the diff, asks, executes, verifies, and reports on one page.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::exit_code::ExitCode;
use super::memory::MemoryArgs;
use super::page::PageArgs;
use super::select::SelectArgs;
use super::{Context, Form, Output, plan, session};
use crate::diff::{Action, Change, Diff, Work};
use crate::flow::{self, Depth, Selecting, View, Waiting};
use crate::plan::Loaded;
use crate::render::page::{self, Recorder};
use crate::render::progress::Expected;
use crate::render::{changes, reports, stale};
use crate::run::{JobError, Report};
use crate::saved::{Difference, SavedPlan};

/// Does what the plan says: shows the diff, asks, executes and verifies.
///
/// A saved plan is done exactly as it was saved, without asking; where anything is not as it was then, nothing is done.
///
/// Safe to run again at any time. After an interruption or a crash the same command goes on where it stopped; when all is
/// done it writes nothing.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Plan files, or folders with plan files (`*.yaml`, `*.yml`); or one saved plan.
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// Do not ask before acting.
    #[arg(long)]
    auto_approve: bool,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    page: PageArgs,
}

/// What is to be applied.
#[derive(Clone)]
enum Wanted {
    Plans(Box<Loaded>),
    Saved(Box<SavedPlan>, PathBuf),
}

pub(super) fn run(arguments: &ApplyArgs, context: &Context) -> ExitCode {
    let wanted = match arguments.page.check(context).and_then(|()| wanted(arguments, context)) {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let approved = arguments.auto_approve || matches!(wanted, Wanted::Saved(..));
    session::block_on(context, async {
        let asked_for = wanted.clone();
        let mut view = match look(wanted, arguments, context).await {
            Ok(view) => view,
            Err(code) => return code,
        };
        session::say_warnings(&view.warnings, context);
        let shown = match context.form {
            // One document on stdout: that of the end. Who is asked sees the diff all the same.
            Form::Json | Form::Html if !approved => {
                let printer = &context.printer;
                printer.important(&changes::text(&view.diff(), printer.stderr_style()));
                Ok(())
            }
            Form::Json | Form::Html => Ok(()),
            _ => plan::show(&view.diff(), context),
        };
        if let Err(code) = shown {
            return code;
        }
        if view.changes.has_changes() && !approved {
            match session::approved_in_time(context).await {
                Ok(true) => {}
                Ok(false) => return ExitCode::Failure,
                Err(code) => return code,
            }
        }
        let (stop, run) = (session::stop_on_signals(context), flow::new_run());
        if view.changes.clusters.iter().any(|cluster| cluster.action == Action::Create) {
            view = match with_clusters(&view, &run, &stop, asked_for, arguments, context).await {
                Ok(view) => view,
                Err(code) => return code,
            };
        }
        let working = view.changes.entries.iter().filter(|entry| entry.work != Work::None);
        let expected =
            Expected { collections: working.clone().count(), rows: working.map(|entry| entry.rows_to_copy).sum() };
        let progress = session::progress(context, expected);
        let requests = view.store.requests();
        session::stop_on_request(requests.clone(), run.clone(), &stop, context);
        let recorder = Recorder::new(&progress);
        let reports = flow::apply(&mut view, &run, &recorder, &stop).await;
        requests.forget(&run);
        progress.finish();
        let (diff, course, command) = (view.diff(), recorder.course(), again(arguments));
        let page = || page::apply(&diff, &reports, &course, &command, Timestamp::now());
        if let Err(code) = report(&diff, &reports, &command, &page, context) {
            return code;
        }
        match (exit_code(&view, &reports), arguments.page.write(page, context)) {
            (ExitCode::Success, Err(code)) => code,
            (code, _) => code,
        }
    })
}

/// Makes the clusters that the plan wants, and looks at everything again: what a new cluster is like shows only once it is there.
/// What was approved is then done; what would be otherwise is shown and, where somebody was asked, asked again.
async fn with_clusters(
    view: &View,
    run: &str,
    stop: &CancellationToken,
    wanted: Wanted,
    arguments: &ApplyArgs,
    context: &Context,
) -> Result<View, ExitCode> {
    let tell = |what: &str| context.printer.note(&format!("{what}\n"));
    let waiting = Waiting { stop, tell: &tell };
    if let Err(error) = view.make_clusters(run, &waiting).await {
        session::say(&error.to_string(), error.help(), context);
        return Err(session::of_job(&error));
    }
    let asks = !arguments.auto_approve && matches!(wanted, Wanted::Plans(_));
    let now = look(wanted, arguments, context).await?;
    if decided_alike(&view.diff(), &now.diff()) {
        return Ok(now);
    }
    context.printer.important("The new cluster is not quite as it was expected to be. What is done now:\n");
    context.printer.important(&changes::text(&now.diff(), context.printer.stderr_style()));
    if asks && !session::approved_in_time(context).await? {
        return Err(ExitCode::Failure);
    }
    Ok(now)
}

/// Whether two looks came to the same, before and after a cluster was made.
fn decided_alike(before: &Diff, after: &Diff) -> bool {
    before.changes.len() == after.changes.len()
        && before.changes.iter().zip(&after.changes).all(|(before, after)| {
            let decided = |change: &Change| (change.action, change.work, change.lines.clone(), change.blocked.clone());
            decided(before) == decided(after)
        })
}

/// Plans, or one saved plan alone.
fn wanted(arguments: &ApplyArgs, context: &Context) -> Result<Wanted, ExitCode> {
    for file in &arguments.plans {
        let Some(saved) = session::saved_plan(file, context)? else { continue };
        let alone = arguments.plans.len() == 1 && matches!(arguments.select.selecting(), Selecting::All);
        if !alone {
            let what = format!("{} is a saved plan, which is applied alone and as a whole", file.display());
            session::say(&what, "apply it by itself; `--target` and `--exclude` belong to `plan`", context);
            return Err(ExitCode::Usage);
        }
        saved.refuse_other_tool(file).map_err(|found| {
            session::say_diagnostic(&found, context);
            ExitCode::Stale
        })?;
        return Ok(Wanted::Saved(Box::new(saved), file.clone()));
    }
    session::load(&arguments.plans, context).map(|loaded| Wanted::Plans(Box::new(loaded)))
}

/// Looks at both sides. Of a saved plan, everything must be as it was.
async fn look(wanted: Wanted, arguments: &ApplyArgs, context: &Context) -> Result<View, ExitCode> {
    // Who looks in order to act may wait for a cluster, and resume one where the plan says so.
    let tell = |what: &str| context.printer.note(&format!("{what}\n"));
    let waiting = Waiting { stop: &CancellationToken::new(), tell: &tell };
    let looked = match wanted {
        Wanted::Plans(mut loaded) => {
            loaded.settings.memory = arguments.memory.bytes();
            let selecting = arguments.select.selecting();
            session::unless_interrupted(flow::look(*loaded, Depth::Rows, &selecting, Some(&waiting)), context).await?
        }
        Wanted::Saved(saved, file) => {
            let looked = session::unless_interrupted(
                flow::look_again(&saved, &file, arguments.memory.bytes(), Some(&waiting)),
                context,
            )
            .await?;
            match looked {
                Ok((_, found)) if !found.is_empty() => {
                    say_stale(&found, context)?;
                    return Err(ExitCode::Stale);
                }
                looked => looked.map(|(view, _)| view),
            }
        }
    };
    looked.map_err(|error| session::say_flow_error(&error, context))
}

/// The differences are the result, for whoever asked for a result that can be read by machines or posted.
fn say_stale(found: &[Difference], context: &Context) -> Result<(), ExitCode> {
    match context.output {
        Output::Text => {
            context.printer.important(&stale::text(found, context.printer.stderr_style()));
            Ok(())
        }
        Output::Json => session::data(&session::document(&stale::json(found)), context),
        Output::Markdown => session::data(&stale::markdown(found), context),
    }
}

/// The command that goes on with what is left.
fn again(arguments: &ApplyArgs) -> String {
    let approve = arguments.auto_approve.then(|| "--auto-approve".to_owned());
    let plans = arguments.plans.iter().map(|plan| plan.display().to_string());
    let words: Vec<String> = approve.into_iter().chain(arguments.select.again()).chain(plans).collect();
    let words: Vec<&str> = ["vecferry", "apply"].into_iter().chain(words.iter().map(String::as_str)).collect();
    session::command(&words)
}

/// Writes how it went to stdout.
fn report(
    diff: &Diff,
    ended: &[Report],
    command: &str,
    page: &dyn Fn() -> String,
    context: &Context,
) -> Result<(), ExitCode> {
    if context.form == Form::Html {
        return session::data(&page(), context);
    }
    let blocked: Vec<_> = diff.changes.iter().filter(|change| !change.blocked.is_empty()).collect();
    if ended.is_empty() && blocked.is_empty() && context.output != Output::Json {
        return Ok(());
    }
    let text = match context.output {
        Output::Text => reports::text(ended, &blocked, command, context.printer.stdout_style()),
        Output::Markdown => reports::markdown(ended, &blocked, command),
        Output::Json => session::document(&reports::json(ended, &blocked, command, diff)),
    };
    session::data(&text, context)
}

/// One reason for all that failed is told by its own code; several, or some beside successes, by 3. What is temporary is told
/// as such even so, because running the same command again is then the right thing to do.
fn exit_code(view: &View, reports: &[Report]) -> ExitCode {
    let errors: Vec<&JobError> = reports.iter().filter_map(|report| report.result.as_ref().err()).collect();
    if errors.iter().any(|error| error.is_interruption()) {
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
