//! Collects what the rules find in one document.

use std::collections::HashMap;

use super::address::address;
use super::explain::MAX_FINDINGS;
use super::tree::{Document, Kind, Path};
use crate::diagnostic::{Code, Diagnostic};

/// What was found in one document so far.
pub(crate) struct Report<'a> {
    /// The document that the paths are about.
    pub(crate) document: &'a Document,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(document: &'a Document) -> Self {
        Self { document, diagnostics: Vec::new() }
    }

    /// A finding about a value.
    pub(crate) fn value(&mut self, code: Code, path: &Path, message: impl Into<String>, help: &str) {
        // Before the place is looked for, which takes time in a file with a hundred thousand mistakes.
        if !self.is_full() {
            let diagnostic = Diagnostic::new(code, message).at(self.document.span(path));
            self.add(diagnostic, path, help);
        }
    }

    /// A finding about a key.
    pub(crate) fn key(&mut self, code: Code, path: &Path, message: impl Into<String>, help: &str) {
        if !self.is_full() {
            let diagnostic = Diagnostic::new(code, message).at(self.document.key_span(path));
            self.add(diagnostic, path, help);
        }
    }

    /// The keys of a mapping: where each stands, and whether an invalid part of its value was taken out. All at once,
    /// because looking for one takes a walk over the others.
    pub(crate) fn keys(&self, path: &Path) -> HashMap<&'a str, (usize, bool)> {
        match self.document.root.find(path).map(|node| &node.kind) {
            Some(Kind::Map(entries)) => {
                entries.iter().map(|entry| (entry.key.as_str(), (entry.key_range.start, entry.node.damaged))).collect()
            }
            _ => HashMap::new(),
        }
    }

    /// Whether there is more than is shown, so that further work on messages is lost.
    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() > MAX_FINDINGS
    }

    fn add(&mut self, mut diagnostic: Diagnostic, path: &Path, help: &str) {
        diagnostic.help = (!help.is_empty()).then(|| help.to_owned());
        diagnostic.address = address(&self.document.root, path);
        self.diagnostics.push(diagnostic);
    }

    /// Everything that was found.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}
