//! `vecferry state`: lists, shows, exports, imports and forgets what the state remembers.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit_code::ExitCode;
use super::{Context, Output, session, status as status_command};
use crate::flow::{self, stored};
use crate::render::status::StatusEntry;
use crate::render::{count, harmless, state};
use crate::state::{Imported, JobId, Remembered, StateError, Store};

/// Looks at and changes what is remembered of each target collection.
#[derive(Debug, Args)]
pub(super) struct StateCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the jobs: one for each target collection that a run wrote to.
    List {
        #[command(flatten)]
        place: session::StateArgs,
    },
    /// Shows everything about one job.
    Show {
        /// The job's id, as `state list` shows it; or its run or its address, where that leaves only one.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        place: session::StateArgs,
    },
    /// Writes all jobs as one JSON document: to keep, or to go on with elsewhere. It holds no credentials.
    Export(ExportArgs),
    /// Brings jobs back from an export. Everything is checked before anything is written.
    ///
    /// What the journal of an unfinished job does not say to have arrived counts as sent from then on, because nobody knows
    /// whether the run went on after the export was made; so nothing is inserted twice.
    Import(ImportArgs),
    /// Forgets a job. The next apply knows nothing of what was written to its target.
    Rm(RmArgs),
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The file to write, which only its owner may read; stdout without.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: session::StateArgs,
    /// This job only.
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// A file that `state export` wrote; `-` for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: session::StateArgs,
    /// Replace jobs that are here with other records, and keep those beside the new ones.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct RmArgs {
    /// The job's id, as `state list` shows it; or its run or its address, where that leaves only one.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: session::StateArgs,
    /// Do not ask before acting.
    #[arg(long)]
    auto_approve: bool,
}

pub(super) fn run(arguments: &StateCommand, context: &Context) -> ExitCode {
    let place = match &arguments.command {
        Command::List { place } | Command::Show { place, .. } => place,
        Command::Export(arguments) => &arguments.place,
        Command::Import(arguments) => &arguments.place,
        Command::Rm(arguments) => &arguments.place,
    };
    let store = match session::state_store(place, context) {
        Ok(store) => store,
        Err(code) => return code,
    };
    let done = match &arguments.command {
        Command::List { .. } => list(&store, context),
        Command::Show { id, .. } => show(id, &store, context),
        Command::Export(arguments) => export(arguments, &store, context),
        Command::Import(arguments) => import(arguments, &store, context),
        Command::Rm(arguments) => forget(arguments, &store, context),
    };
    done.unwrap_or_else(|error| session::say_state_error(&error, context))
}

fn data(text: &str, context: &Context, code: ExitCode) -> Result<ExitCode, StateError> {
    Ok(session::data(text, context).err().unwrap_or(code))
}

/// State that cannot be used is told by its code, whatever else went well.
fn code(readable: bool) -> ExitCode {
    if readable { ExitCode::Success } else { ExitCode::Stale }
}

fn list(store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let entries: Vec<StatusEntry> = flow::jobs(store)?.into_iter().map(status_command::entry).collect();
    let now = jiff::Timestamp::now();
    let text = match context.output {
        Output::Text => state::list_text(&entries, now, context.printer.stdout_style()),
        Output::Markdown => state::list_markdown(&entries, now),
        Output::Json => session::document(&state::list_json(&entries, now)),
    };
    data(&text, context, code(entries.iter().all(|entry| entry.job.is_ok())))
}

fn show(id: &str, store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let one = stored::find(store, id)?;
    let readable = one.job.is_ok();
    let detail = detail(store, one)?;
    let now = jiff::Timestamp::now();
    let text = match context.output {
        Output::Text => state::show_text(&detail, now, context.printer.stdout_style()),
        Output::Markdown => state::show_markdown(&detail, now),
        Output::Json => session::document(&state::show_json(&detail, now)),
    };
    data(&text, context, code(readable))
}

fn detail(store: &Store, one: Remembered) -> Result<state::Detail, StateError> {
    let quarantine = stored::quarantine(store, &one)?.map(|folder| folder.display().to_string());
    Ok(state::Detail { journal: one.journal.display().to_string(), quarantine, entry: status_command::entry(one) })
}

fn export(arguments: &ExportArgs, store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let (export, left_out) = stored::export(store, arguments.only.as_deref())?;
    for (id, error) in &left_out {
        session::say(&format!("{id} is not in the export: {error}"), &error.help_for(id), context);
    }
    for (id, owner) in stored::held(store, &export)? {
        let owner = harmless(&owner.to_string());
        context.printer.important(&format!(
            "warning: {id} is being written to by {owner}. The export is a copy of this moment; before you go on with it elsewhere, \
             stop that run.\n"
        ));
    }
    let code = code(left_out.is_empty());
    let Some(file) = &arguments.file else {
        return data(&export.text()?, context, code);
    };
    export.write(file, arguments.force)?;
    let jobs = count(export.size(), "job");
    let text = match context.output {
        Output::Json => session::answer(serde_json::json!({
            "file": file,
            "jobs": export.size(),
            "left_out": left_out.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        })),
        Output::Text | Output::Markdown => format!("{jobs} exported to {}\n", file.display()),
    };
    data(&text, context, code)
}

fn import(arguments: &ImportArgs, store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let mut text = String::new();
    if arguments.file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = fs_err::read_to_string(&arguments.file)?;
    }
    let jobs = stored::import(store, &text, arguments.force)?;
    let text = match context.output {
        Output::Json => {
            let jobs = jobs.iter().map(|(id, what)| serde_json::json!({"id": id.to_string(), "what": word(what)}));
            session::answer(serde_json::json!({ "jobs": jobs.collect::<Vec<_>>() }))
        }
        Output::Text | Output::Markdown => jobs.iter().map(said).collect(),
    };
    data(&text, context, ExitCode::Success)
}

fn word(imported: &Imported) -> &'static str {
    match imported {
        Imported::New => "imported",
        Imported::Known => "known",
        Imported::Replaced(_) => "replaced",
    }
}

fn said((id, imported): &(JobId, Imported)) -> String {
    match imported {
        Imported::New => format!("{id}: imported\n"),
        Imported::Known => format!("{id}: the same records are here already, nothing was changed\n"),
        Imported::Replaced(old) => format!("{id}: imported; the one that was here is now {}\n", old.display()),
    }
}

fn forget(arguments: &RmArgs, store: &Store, context: &Context) -> Result<ExitCode, StateError> {
    let one = stored::find(store, &arguments.id)?;
    let id = one.id.clone();
    if let Some(owner) = one.holder.owner() {
        let message = format!("{id} is locked by {}", harmless(&owner.to_string()));
        session::say(&message, &format!("stop it first, with `vecferry cancel {}`", harmless(&owner.run)), context);
        return Ok(ExitCode::Locked);
    }
    let warning = meaning(&one);
    let shown = state::show_text(&detail(store, one)?, jiff::Timestamp::now(), context.printer.stderr_style());
    context.printer.important(&format!("{shown}\n{warning}\n"));
    if !arguments.auto_approve && !session::approved(context) {
        return Ok(ExitCode::Failure);
    }
    let old = stored::forget(store, &id)?;
    let text = match context.output {
        Output::Json => session::answer(serde_json::json!({ "forgotten": id.to_string(), "kept_as": old })),
        Output::Text | Output::Markdown => {
            format!(
                "{id} is forgotten. Its journal is now {}, which nothing reads; delete it when you like.\n",
                old.display()
            )
        }
    };
    data(&text, context, ExitCode::Success)
}

/// What it means to forget a job.
fn meaning(one: &Remembered) -> String {
    let target = match &one.job {
        Ok(job) => harmless(&format!("`{}` on {}", job.header.target, job.header.target_uri)),
        Err(_) => "its target".to_owned(),
    };
    match &one.job {
        Ok(job) if job.is_successful() => format!(
            "The next apply knows {target} as completed only by the mark that it carries. Where the server forgot that mark, the \
             collection counts as unfinished, and apply refuses to write to it."
        ),
        _ => format!(
            "The next apply knows nothing of what was written to {target}. If the collection is there and was not completed, apply \
             refuses to write to it: drop it, and the copy starts over."
        ),
    }
}
