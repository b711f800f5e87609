//! What commands that talk to clusters share: loading plans, the runtime, signals, progress, and errors to exit codes.

use std::path::{Path, PathBuf};

use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;

use super::exit_code::ExitCode;
use super::printer::Printer;
use super::{Context, LogFormat, printer};
use crate::cluster::{ClusterError, ErrorKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::flow::FlowError;
use crate::plan::{self, Loaded, StatePlace};
use crate::render::progress::{Expected, Mode, Progress};
use crate::render::{self, diagnostics};
use crate::run::JobError;
use crate::saved::{self, SavedPlan};
use crate::state::{RemoteKind, Requests, StateError, Store};

/// Addresses that a message lists.
const MOST_ADDRESSES: usize = 20;

/// Loads plans, and says what is wrong with them.
pub(super) fn load(plans: &[PathBuf], context: &Context) -> Result<Loaded, ExitCode> {
    plan::load(plans).map_err(|found| {
        say_invalid(&found, context);
        ExitCode::InvalidPlan
    })
}

pub(super) fn say_invalid(found: &[Diagnostic], context: &Context) {
    context.printer.important(&diagnostics::text(found, context.printer.stderr_style()));
    context.printer.important(&format!("invalid: {}\n", diagnostics::summary(found)));
}

/// Says what is wrong with one thing.
pub(super) fn say_diagnostic(found: &Diagnostic, context: &Context) {
    context.printer.important(&diagnostics::text(std::slice::from_ref(found), context.printer.stderr_style()));
}

/// The saved plan in a file, or none where it is something else.
pub(super) fn saved_plan(file: &Path, context: &Context) -> Result<Option<SavedPlan>, ExitCode> {
    saved::read(file).map_err(|found| {
        say_diagnostic(&found, context);
        ExitCode::Stale
    })
}

/// A command as a shell takes it.
pub(super) fn command(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| {
        let bare = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+=@%:,".contains(c));
        if bare { (*word).to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Says what is worth knowing about plans that are valid.
pub(super) fn say_warnings(found: &[Diagnostic], context: &Context) {
    context.printer.note(&diagnostics::text(found, context.printer.stderr_style()));
}

/// Lets the process open as many files as it may at all: each collection in progress has a few, and many systems let a process
/// open a thousand unless it asks for more. Where that is refused, so it stays.
fn open_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Runs a future to its end, on as many threads as there are processors.
pub(super) fn block_on<F: Future<Output = ExitCode>>(context: &Context, future: F) -> ExitCode {
    open_many_files();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => {
            context.printer.important(&format!("error: can't start: {error}\n"));
            ExitCode::Failure
        }
    }
}

/// Says why a command could not begin.
pub(super) fn say_flow_error(error: &FlowError, context: &Context) -> ExitCode {
    match error {
        FlowError::Invalid(found) => {
            say_invalid(found, context);
            ExitCode::InvalidPlan
        }
        FlowError::Connect(error, span) => {
            let refused = matches!(error.kind, ErrorKind::Denied | ErrorKind::Forbidden);
            let code = if refused { Code::CredentialsRefused } else { Code::NoConnection };
            let diagnostic = Diagnostic::new(code, error.to_string()).at(span.clone()).help(error.help());
            context.printer.important(&diagnostics::text(&[diagnostic], context.printer.stderr_style()));
            of_cluster(error)
        }
        FlowError::Cluster(error) => {
            say(&error.to_string(), error.help(), context);
            of_cluster(error)
        }
        FlowError::NotReady { found, temporary } => {
            say_diagnostic(found, context);
            if *temporary { ExitCode::Temporary } else { ExitCode::Failure }
        }
        FlowError::Job(error) => {
            say(&error.to_string(), error.help(), context);
            of_job(error)
        }
        FlowError::State(error) => {
            say(&error.to_string(), error.help(), context);
            of_state(error)
        }
        FlowError::NothingSelected { idle, addresses } => {
            let idle: Vec<String> = idle.iter().map(|text| format!("`{}`", render::harmless(text))).collect();
            let there: Vec<String> = addresses.iter().take(MOST_ADDRESSES).map(|one| render::harmless(one)).collect();
            let more = addresses.len() - there.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let help = format!("the addresses of the plan are: {}{more}", there.join(", "));
            say(&format!("nothing in the plan is meant by {}", idle.join(", ")), &help, context);
            ExitCode::Usage
        }
    }
}

/// Says an error and what to do about it.
pub(super) fn say(message: &str, help: &str, context: &Context) {
    context.printer.important(&format!("error: {message}\n help: {help}\n"));
}

/// The exit code of a cluster that said no, or nothing.
pub(super) fn of_cluster(error: &ClusterError) -> ExitCode {
    match error.kind {
        ErrorKind::Denied | ErrorKind::Forbidden => ExitCode::Refused,
        _ if error.is_transient() => ExitCode::Temporary,
        _ => ExitCode::Failure,
    }
}

/// The exit code of state that cannot be used.
pub(super) fn of_state(error: &StateError) -> ExitCode {
    match error {
        StateError::Locked(_) | StateError::Unseen(_) => ExitCode::Locked,
        StateError::Damaged { .. } | StateError::Newer { .. } => ExitCode::Stale,
        StateError::Remote(error) => match error.kind {
            RemoteKind::Unreachable | RemoteKind::Lapsed => ExitCode::Temporary,
            RemoteKind::TakenOver => ExitCode::Locked,
            RemoteKind::Denied => ExitCode::Refused,
            RemoteKind::NoBucket | RemoteKind::Unconditional => ExitCode::Failure,
        },
        StateError::Io(_) | StateError::Refused { .. } => ExitCode::Failure,
    }
}

/// Says what is wrong with the state, and what to do about it.
pub(super) fn say_state_error(error: &StateError, context: &Context) -> ExitCode {
    say(&error.to_string(), error.help(), context);
    of_state(error)
}

/// Where the state is that a command is about.
#[derive(Debug, Args)]
pub(super) struct StateArgs {
    /// Plan files or folders whose state it is about; without, what applies in the current folder.
    #[arg(value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// The folder or the URL (`s3://BUCKET/PREFIX`) of the state, where it is not that of the plans.
    #[arg(long, value_name = "DIR|URL", conflicts_with = "plans", value_parser = StatePlace::parse)]
    state: Option<StatePlace>,
}

/// The state.
pub(super) fn state_store(arguments: &StateArgs, context: &Context) -> Result<Store, ExitCode> {
    let place = state_place(arguments, context)?;
    Store::open(&place).map_err(|error| say_state_error(&error, context))
}

fn state_place(arguments: &StateArgs, context: &Context) -> Result<StatePlace, ExitCode> {
    if let Some(state) = &arguments.state {
        return Ok(state.clone());
    }
    if !arguments.plans.is_empty() {
        return load(&arguments.plans, context).map(|loaded| loaded.settings.state);
    }
    match plan::settings_in(Path::new(".")) {
        Ok(settings) => Ok(settings.state),
        Err(found) => {
            say_invalid(&found, context);
            Err(ExitCode::InvalidPlan)
        }
    }
}

/// Does something that writes nothing, unless a signal asks to stop.
pub(super) async fn unless_interrupted<T>(work: impl Future<Output = T>, context: &Context) -> Result<T, ExitCode> {
    tokio::select! {
        done = work => Ok(done),
        true = signal() => {
            context.printer.important("\nInterrupted: nothing was done.\n");
            Err(ExitCode::Interrupted)
        }
    }
}

/// Asks, while signals are listened to. Who waits for an answer waits on a thread of its own, which ends with the process.
pub(super) async fn approved_in_time(context: &Context) -> Result<bool, ExitCode> {
    let (answered, answer) = tokio::sync::oneshot::channel();
    let printer = context.printer;
    std::thread::spawn(move || answered.send(asked(printer)));
    unless_interrupted(async { answer.await.unwrap_or(false) }, context).await
}

/// Asks. Only a full `yes` is one.
pub(super) fn approved(context: &Context) -> bool {
    asked(context.printer)
}

fn asked(printer: Printer) -> bool {
    printer.important("\nDo you want to do this? Only `yes` is taken for an answer: ");
    match printer::read_line().as_deref() {
        Some("yes") => true,
        Some(_) => {
            printer.important("Nothing was done.\n");
            false
        }
        None => {
            printer.important("\nNothing was done: there is nobody to ask. `--auto-approve` goes on without asking.\n");
            false
        }
    }
}

/// The exit code of a job that failed.
pub(super) fn of_job(error: &JobError) -> ExitCode {
    match error {
        JobError::Interrupted | JobError::StillGoing { .. } => ExitCode::Interrupted,
        JobError::Bug => ExitCode::Bug,
        JobError::Different(_)
        | JobError::LeftBehind { .. }
        | JobError::Absent(_)
        | JobError::Managed { gave_up: false, .. } => ExitCode::Differences,
        JobError::State(error) => of_state(error),
        JobError::Cluster(error) => of_cluster(error),
        JobError::Fenced(_) | JobError::Repartitioned(_) | JobError::Overtaken { .. } => ExitCode::Stale,
        JobError::Moving(_) | JobError::SourceMoves { .. } | JobError::MustStartOver(_) | JobError::Unsettled(_) => {
            ExitCode::Temporary
        }
        _ => ExitCode::Failure,
    }
}

/// Writes a result to stdout.
pub(super) fn data(text: &str, context: &Context) -> Result<(), ExitCode> {
    context.printer.data(text).map_err(|error| {
        context.printer.important(&format!("error: can't write the result: {error}\n"));
        ExitCode::Failure
    })
}

/// A short answer as a JSON document, with the version of its format. A new minor version only adds.
pub(super) fn answer(mut value: serde_json::Value) -> String {
    value["format_version"] = "1.0".into();
    document(&value)
}

/// A JSON document as it is written.
pub(super) fn document(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Progress as the global flags and the terminal want it.
pub(super) fn progress(context: &Context, expected: Expected) -> Progress {
    let mode = match context.log_format {
        LogFormat::Json => Mode::Json,
        _ if context.printer.is_quiet() => Mode::Hidden,
        LogFormat::Text if printer::stderr_is_terminal() && !context.logs => Mode::Bars,
        LogFormat::Text => Mode::Lines,
    };
    Progress::new(mode, expected)
}

/// Turns signals into a request to stop. The second one ends the process at once: that is as safe as a power cut, which the
/// state is made for.
pub(super) fn stop_on_signals(context: &Context) -> CancellationToken {
    stop_saying(
        "Interrupted: finishing what is in flight, then stopping. Once more ends at once.\n",
        "Interrupted twice: ending at once. The same command goes on where this stopped.\n",
        context,
    )
}

/// The same, with what is said at the first signal and at the second one.
pub(super) fn stop_saying(first: &'static str, second: &'static str, context: &Context) -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let printer = context.printer;
    tokio::spawn(async move {
        let mut times = 0;
        loop {
            if !signal().await {
                return;
            }
            times += 1;
            if times == 1 {
                printer.important(first);
                asked.cancel();
            } else {
                printer.important(second);
                #[expect(clippy::exit, reason = "somebody who asks twice does not want to wait for anything")]
                std::process::exit(i32::from(ExitCode::Interrupted as u8));
            }
        }
    });
    stop
}

/// Stops, as the first signal does, once somebody asks for it by `vecferry cancel`.
pub(super) fn stop_on_request(requests: Requests, run: String, stop: &CancellationToken, context: &Context) {
    let asked = stop.clone();
    let printer = context.printer;
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(requests.look_every()).await;
            let Some(by) = tokio::task::block_in_place(|| requests.asked(&run)) else { continue };
            let by = render::harmless(&by);
            printer.important(&format!("Canceled from {by}: finishing what is in flight, then stopping.\n"));
            asked.cancel();
            return;
        }
    });
}

/// Waits for a signal that asks to stop; false where none can be waited for.
async fn signal() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return false };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.is_ok(),
        received = terminate.recv() => received.is_some(),
    }
}
