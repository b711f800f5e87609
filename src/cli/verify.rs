//! `vecferry verify`: holds source and target against each other, by the plan.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit_code::ExitCode;
use super::memory::MemoryArgs;
use super::select::SelectArgs;
use super::{Context, Output, session};
use crate::flow::{self, Depth};
use crate::plan::resolved::Verify;
use crate::render::progress::Expected;
use crate::render::verification;

/// Compares source and target again, by the plan, and lists the keys that differ.
///
/// A collection that is not loaded is loaded for it and released again. Nothing else changes on either side.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Plan files, or folders with plan files (`*.yaml`, `*.yml`).
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// How hard to look, whatever the plan says.
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<Level>,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

/// How hard to look.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// Every key, and how often it is there.
    Counts,
    /// The same, and every field of the rows in one range out of ten.
    Sample,
    /// Every field of every row.
    Full,
}

pub(super) fn run(arguments: &VerifyArgs, context: &Context) -> ExitCode {
    let mut loaded = match session::load(&arguments.plans, context) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    loaded.settings.memory = arguments.memory.bytes();
    let level = arguments.level.map(|level| match level {
        Level::Counts => Verify::Counts,
        Level::Sample => Verify::Sample,
        Level::Full => Verify::Full,
    });
    session::block_on(context, async {
        let selecting = arguments.select.selecting();
        let looking = flow::look(loaded, Depth::Schemas, &selecting, None);
        let view = match session::unless_interrupted(looking, context).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return session::say_flow_error(&error, context),
            Err(code) => return code,
        };
        session::say_warnings(&view.warnings, context);
        let expected = Expected { collections: view.changes.entries.len(), rows: 0 };
        let progress = session::progress(context, expected);
        let stop = session::stop_on_signals(context);
        let verified = flow::verify(&view, level, &progress, &stop).await;
        progress.finish();
        let text = match context.output {
            Output::Text => verification::text(&verified, context.printer.stdout_style()),
            Output::Markdown => verification::markdown(&verified),
            Output::Json => session::document(&verification::json(&verified)),
        };
        if let Err(code) = session::data(&text, context) {
            return code;
        }
        let failed = verified.iter().filter_map(|one| one.result.as_ref().err()).map(session::of_job);
        let different = verified.iter().any(|one| one.result.is_ok() && !one.is_same());
        let quarantined = verified.iter().any(|one| one.result.as_ref().is_ok_and(|found| found.quarantined > 0));
        match failed.max_by_key(|code| *code as u8) {
            Some(ExitCode::Interrupted) => ExitCode::Interrupted,
            _ if different => ExitCode::Differences,
            Some(code) => code,
            None if quarantined => ExitCode::Incomplete,
            None => ExitCode::Success,
        }
    })
}
