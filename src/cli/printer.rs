//! The one place that writes to the terminal. stdout is data that can be piped; stderr is conversation.

use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Height, Width};

use super::{Color, Global};
use crate::render::Style;

/// Writes to stdout and stderr as the global flags say.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    quiet: bool,
    color: Color,
}

impl Printer {
    pub(super) fn new(global: &Global) -> Self {
        Self { quiet: global.quiet, color: global.color }
    }

    /// How text on stdout is to look.
    pub fn stdout_style(&self) -> Style {
        style(self.color, io::stdout().is_terminal(), terminal_size::terminal_size_of(io::stdout()))
    }

    /// How text on stderr is to look.
    pub fn stderr_style(&self) -> Style {
        style(self.color, io::stderr().is_terminal(), terminal_size::terminal_size_of(io::stderr()))
    }

    /// Writes data. A reader that went away is no failure: it had enough.
    ///
    /// # Errors
    ///
    /// What the operating system says, such as a full disk.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Says something that `--quiet` silences.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            to_stderr(text);
        }
    }

    /// Says something that is always said.
    pub fn important(&self, text: &str) {
        to_stderr(text);
    }

    /// Whether `--quiet` was given.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }
}

/// Writes to stderr whether or not anybody listens: when that fails, there is nobody left to tell.
pub(super) fn to_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    let _unheard = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Where the log goes.
pub(super) fn log_writer() -> impl io::Write {
    io::stderr()
}

/// Whether somebody looks at stderr.
pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// One line that the user typed, or none at the end of the input.
pub(super) fn read_line() -> Option<String> {
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(read) if read > 0 => Some(line.trim().to_owned()),
        _ => None,
    }
}

/// Writes to stdout where there is no printer yet.
pub(super) fn to_stdout(text: &str) {
    let mut stdout = io::stdout().lock();
    let _unheard = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Whether colour is wanted where no flag was read yet.
pub(super) fn early_color() -> bool {
    style(Color::Auto, io::stderr().is_terminal(), None).color
}

fn style(color: Color, terminal: bool, size: Option<(Width, Height)>) -> Style {
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !no_color(),
    };
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = size.map(|(Width(columns), _)| usize::from(columns));
    let width = told.or(seen).filter(|columns| (40..=400).contains(columns));
    Style { color, width: width.unwrap_or(Style::DEFAULT_WIDTH) }
}

/// `NO_COLOR`, set and not empty, asks for none.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
