//! What is wrong, where, and what to do: one shape for every message. Nothing here prints; `render` does.

mod codes;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub use codes::{Code, CodeInfo};

/// A file's name and text, shared by every span that points into it.
#[derive(Debug)]
pub struct SourceText {
    /// The file as the user named it.
    pub name: String,
    /// Its whole text, as read, a byte order mark included.
    pub text: String,
    /// Byte ranges that hold secrets. Whoever shows a part of `text` must leave these out.
    masks: Vec<Range<usize>>,
    /// Byte offsets at which lines start, computed when first needed.
    line_starts: OnceLock<Vec<usize>>,
}

impl SourceText {
    /// A text in which nothing is secret.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::with_masks(name, text, Vec::new())
    }

    /// A text with byte ranges that must never be shown. Ranges may overlap and come in any order.
    pub fn with_masks(name: impl Into<String>, text: impl Into<String>, mut masks: Vec<Range<usize>>) -> Self {
        masks.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(masks.len());
        for mask in masks.into_iter().filter(|range| range.start < range.end) {
            match merged.last_mut() {
                Some(last) if mask.start <= last.end => last.end = last.end.max(mask.end),
                _ => merged.push(mask),
            }
        }
        Self { name: name.into(), text: text.into(), masks: merged, line_starts: OnceLock::new() }
    }

    /// The secret byte ranges, sorted and without overlap.
    pub fn masks(&self) -> &[Range<usize>] {
        &self.masks
    }

    /// Where a byte offset lies. Offsets past the end or inside a character are moved back to the nearest boundary.
    pub fn position(&self, byte: usize) -> Position {
        let byte = self.floor_boundary(byte);
        let line = self.line_starts().partition_point(|start| *start <= byte);
        let start = self.line_start(line);
        let column = self.text[start.min(byte)..byte].chars().count() + 1;
        Position { line, column, byte }
    }

    /// The byte range of a line (1-based), without its line break and without a byte order mark.
    pub fn line(&self, line: usize) -> Option<Range<usize>> {
        if line == 0 || line > self.line_starts().len() {
            return None;
        }
        let start = self.line_start(line);
        let end = self.line_starts().get(line).copied().unwrap_or(self.text.len()).max(start);
        let trimmed = self.text[start..end].trim_end_matches(['\n', '\r']);
        Some(start..start + trimmed.len())
    }

    /// Start of a line that exists. A byte order mark is no part of the first one, so that its columns count from 1.
    fn line_start(&self, line: usize) -> usize {
        let start = self.line_starts()[line - 1];
        if start == 0 && self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { start }
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts
            .get_or_init(|| std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn floor_boundary(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

/// A line and column as people and editors count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in Unicode characters.
    pub column: usize,
    /// From 0, in bytes from the start of the file.
    pub byte: usize,
}

/// A place in a file, in bytes from its start. The end is exclusive.
#[derive(Debug, Clone)]
pub struct Span {
    /// The file.
    pub source: Arc<SourceText>,
    /// Byte range within `source.text`, on character boundaries.
    pub range: Range<usize>,
}

impl Span {
    /// A span, with its ends moved into the text and onto character boundaries.
    pub fn new(source: &Arc<SourceText>, range: Range<usize>) -> Self {
        let start = source.floor_boundary(range.start);
        let end = source.floor_boundary(range.end).max(start);
        Self { source: Arc::clone(source), range: start..end }
    }

    /// Line and column of its first byte.
    pub fn start(&self) -> Position {
        self.source.position(self.range.start)
    }

    /// Line and column just after its last byte.
    pub fn end(&self) -> Position {
        self.source.position(self.range.end)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is stopped.
    Warning,
    /// Stops the command.
    Error,
}

impl Severity {
    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One message of the tool: what is wrong, where, and what to do about it.
///
/// Messages never hold a secret; whoever writes one about a place that may be secret says what is wrong with it and
/// leaves the value out.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How bad it is; the code's own severity unless raised or lowered.
    pub severity: Severity,
    /// The stable code, which `vecferry explain` describes.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where in a file, for what a file can say.
    pub span: Option<Span>,
    /// What it concerns, such as `kb.default.articles` or `kb.default.articles.headline`.
    pub address: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A message with the code's severity and nothing else.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { severity: code.info().severity, code, message: message.into(), span: None, address: None, help: None }
    }

    /// The same, pointing at a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same, naming what it concerns.
    #[must_use]
    pub fn about(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// The same, saying what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it stops the command.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let source = SourceText::new("p", "# 中文注释\n名称: 值 x\n");
        let at = source.text.find('x').expect("x");
        assert_eq!(source.position(at), Position { line: 2, column: 7, byte: at });
    }

    #[test]
    fn a_byte_order_mark_takes_no_column_and_crlf_no_line() {
        let source = SourceText::new("p", "\u{feff}a: 1\r\nb: 2\r\n");
        assert_eq!(source.position(3).column, 1);
        let b = source.text.find('b').expect("b");
        assert_eq!((source.position(b).line, source.position(b).column), (2, 1));
        assert_eq!(source.line(1).map(|r| &source.text[r]), Some("a: 1"));
        assert_eq!(source.line(2).map(|r| &source.text[r]), Some("b: 2"));
        assert_eq!(source.line(4), None);
    }

    #[test]
    fn offsets_off_the_text_are_moved_into_it() {
        let source = Arc::new(SourceText::new("p", "中"));
        let span = Span::new(&source, 1..99);
        assert_eq!(span.range, 0..3);
        assert_eq!(span.end().column, 2);
    }

    #[test]
    fn masks_are_sorted_and_merged() {
        let source = SourceText::with_masks("p", "0123456789", vec![5..8, 1..3, 2..4, 9..9]);
        assert_eq!(source.masks(), [1..4, 5..8]);
    }
}
