//! The log on stderr: silent unless asked for.

use tracing_subscriber::EnvFilter;

use super::{LogFormat, printer};

/// Starts the log. `RUST_LOG` wins over the flags; a second start does nothing.
pub(super) fn start(verbose: u8, format: LogFormat) {
    let level = match verbose {
        0 => "warn",
        1 => "vecferry=info,warn",
        _ => "vecferry=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(printer::log_writer)
        .with_ansi(false)
        .log_internal_errors(false);
    let _already_started = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
