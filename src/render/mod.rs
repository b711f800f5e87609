//! Values to text, JSON and whatever else people and machines read. Nothing here decides anything, and nothing here
//! writes: it returns strings, which the printer writes. Only `progress` draws, because it tells of what is going on.

pub mod changes;
pub mod cloud;
pub mod diagnostics;
mod differences;
pub mod draft;
#[cfg(test)]
mod fixtures;
mod markup;
pub mod page;
pub mod progress;
pub mod reports;
pub mod schemas;
mod snippet;
pub mod stale;
pub mod state;
pub mod status;
mod values;
pub mod verification;
mod words;

/// How text is shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether to colour it.
    pub color: bool,
    /// Columns of the terminal, or what to assume where there is none.
    pub width: usize,
}

impl Style {
    /// Columns where there is no terminal to ask.
    pub const DEFAULT_WIDTH: usize = 100;
}

/// Text that others wrote, with nothing in it that a terminal would obey.
pub fn harmless(text: &str) -> String {
    words::clean(text)
}

/// A number of rows with its thousands apart: `1,234 rows`.
pub fn row_count(rows: u64) -> String {
    words::rows(rows)
}

/// A number and its noun: `1 plan`, `2 plans`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
