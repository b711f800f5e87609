//! What is wrong, where, and what to do: one shape for every message. Nothing here prints; `render` does.

use std::ops::Range;
use std::sync::Arc;

/// A file's name and text, shared by every span that points into it.
#[derive(Debug)]
pub struct SourceText {
    /// The file as the user named it.
    pub name: String,
    /// Its whole text, as read.
    pub text: String,
}

/// A place in a file, in bytes from its start. The end is exclusive.
#[derive(Debug, Clone)]
pub struct Span {
    /// The file.
    pub source: Arc<SourceText>,
    /// Byte range within `source.text`, on character boundaries.
    pub range: Range<usize>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is stopped.
    Warning,
    /// Stops the command.
    Error,
}
