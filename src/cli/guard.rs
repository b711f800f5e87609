//! Turns a panic into a message that asks for a report, and an exit code of its own.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use super::exit_code::ExitCode;
use super::printer::to_stderr;

/// Makes every panic of this process, on whatever thread, ask for a report.
pub(super) fn install() {
    panic::set_hook(Box::new(report));
}

/// Runs something; a panic in it is a bug.
pub(super) fn catch_bugs(run: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(ExitCode::Bug)
}

fn report(info: &PanicHookInfo<'_>) {
    let reason = info
        .payload()
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| info.payload().downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    to_stderr(&format!(
        "\nerror: vecferry {} stopped at {place}: {reason}\n\
         This is a bug, and not your mistake. Please report it with the line above and the command that you ran.\n\
         Leave out secrets. The state on disk is as of the last finished step, so nothing that was done is lost.\n",
        env!("CARGO_PKG_VERSION")
    ));
}
