//! Diagnostics as text for people; the files beside this one write them in other forms.

mod github;
mod json;
mod markdown;
mod sarif;
mod whereabouts;

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};

pub use github::github;
#[cfg(test)]
pub(super) use json::Document;
pub use json::json;
pub use markdown::markdown;
pub use sarif::sarif;
pub use whereabouts::Whereabouts;

use super::snippet::{Snippet, snippet};
use super::{Style, count, words};
use crate::diagnostic::{Diagnostic, Position, Severity};

/// Lines shown before and after the marked one.
const CONTEXT_LINES: usize = 1;

/// All diagnostics for people: code, place, marked line, and what to do.
pub fn text(diagnostics: &[Diagnostic], style: Style) -> String {
    let theme = if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_urls(false)
        .without_cause_chain()
        .with_context_lines(CONTEXT_LINES)
        .with_width(style.width);
    let mut all = String::new();
    for diagnostic in diagnostics {
        let shown = Shown::new(diagnostic);
        // Writing to a string does not fail; where the report can't be drawn, the words alone do.
        if handler.render_report(&mut all, &shown).is_err() {
            all.push_str(&format!("{}: {}\n", diagnostic.code.info().id, words::calm(&diagnostic.message)));
        }
        all.push('\n');
    }
    all
}

/// How many of what: `2 errors and 1 warning`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let (errors, warnings) = counts(diagnostics);
    match (errors, warnings) {
        (0, warnings) => count(warnings, "warning"),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => {
            format!("{} and {}", count(errors, "error"), count(warnings, "warning"))
        }
    }
}

fn counts(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    (errors, diagnostics.len() - errors)
}

/// A diagnostic as miette draws it.
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    excerpt: Option<Excerpt>,
}

impl<'a> Shown<'a> {
    fn new(diagnostic: &'a Diagnostic) -> Self {
        let excerpt = diagnostic.span.as_ref().map(|span| {
            let snippet = snippet(span, CONTEXT_LINES);
            Excerpt {
                name: span.source.name.clone(),
                start: span.start(),
                snippet: snippet.unwrap_or(Snippet { text: String::new(), start_line: 1, highlight: 0..0 }),
            }
        });
        Self { diagnostic, excerpt }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words::calm(&self.diagnostic.message))
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let id = self.diagnostic.code.info().id;
        Some(match &self.diagnostic.address {
            // A collection's name, as the plan has it: YAML can write any character.
            Some(address) => Box::new(format!("{id} {}", words::clean(address))),
            None => Box::new(id),
        })
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let help = self.diagnostic.help.as_ref()?;
        Some(Box::new(words::calm(help)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let highlight = self.excerpt.as_ref()?.snippet.highlight.clone();
        let label = LabeledSpan::new(None, highlight.start, highlight.len());
        Some(Box::new(std::iter::once(label)))
    }
}

/// A snippet under the name and numbers of its file, because miette itself counts columns in bytes and knows nothing of
/// what was cut.
#[derive(Debug)]
struct Excerpt {
    name: String,
    start: Position,
    snippet: Snippet,
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.snippet.text.as_str().read_span(span, before, after)?;
        // Without context, miette asks for the numbers of its heading.
        let (line, column) = if before == 0 && after == 0 {
            (self.start.line - 1, self.start.column - 1)
        } else {
            (inner.line() + self.snippet.start_line - 1, inner.column())
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            line,
            column,
            inner.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Code, SourceText, Span};

    fn example(text: &str, needle: &str) -> Diagnostic {
        let at = text.find(needle).expect("needle");
        let source = Arc::new(SourceText::new("plan.yaml", text));
        Diagnostic::new(Code::UnknownKey, format!("unknown key `{needle}`"))
            .at(Span::new(&source, at..at + needle.len()))
            .help("did you mean `source`?")
            .about("kb")
    }

    /// Every kind of place that a message can have, with words that other forms could take for their own.
    pub(super) fn everything() -> Vec<Diagnostic> {
        let gone = Arc::new(SourceText::new("gone.yaml", ""));
        let nasty = Arc::new(SourceText::new("a b:#|%.yaml", "x: `|</details>--> @all 中\n"));
        vec![
            example("# 中\r\n值: sorce\n", "sorce"),
            Diagnostic::new(Code::UnusedEndpoint, "a warning without help").at(Span::new(&nasty, 3..14)),
            Diagnostic::new(Code::BadGlob, "a `b`|`` c` @x\n</details>{0}").at(Span::new(&nasty, 3..3)).help("`|` <b>"),
            Diagnostic::new(Code::BadGlob, "`a|b` and `` and `<c>`").at(Span::new(&nasty, 0..99)).about("k.`|\n@b"),
            Diagnostic::new(Code::FileUnreadable, "there is no file `gone.yaml`").at(Span::new(&gone, 0..0)),
            Diagnostic::new(Code::PlanNameTwice, "a message about no file"),
        ]
    }

    const PLAIN: Style = Style { color: false, width: Style::DEFAULT_WIDTH };

    #[test]
    fn a_chinese_comment_moves_nothing() {
        let diagnostic = example("# 从旧集群搬到新集群\r\n- 值: {sorce: 文章}\r\n", "sorce");
        insta::assert_snapshot!(text(&[diagnostic], PLAIN));
    }

    #[test]
    fn a_byte_order_mark_moves_nothing() {
        let diagnostic = example("\u{feff}sorce: x\r\nb: 1\r\n", "sorce");
        insta::assert_snapshot!(text(&[diagnostic], PLAIN));
    }

    #[test]
    fn colour_only_when_asked() {
        let diagnostic = example("sorce: x\n", "sorce");
        let style = Style { color: true, ..PLAIN };
        assert!(!text(std::slice::from_ref(&diagnostic), PLAIN).contains('\u{1b}'));
        assert!(text(&[diagnostic], style).contains('\u{1b}'));
    }

    #[test]
    fn a_name_from_the_plan_moves_no_cursor() {
        let nasty = "kb.main.a\u{1b}[2Jb\tc";
        let named = example("sorce: x\n", "sorce").about(nasty);
        let diagnostic = Diagnostic { message: format!("`{nasty}` is taken"), ..named }.help(format!("not `{nasty}`"));
        let shown = text(&[diagnostic], PLAIN);
        assert!(!shown.contains(|character: char| character.is_control() && character != '\n'), "{shown:?}");
        assert_eq!(shown.matches("kb.main.a\\u{1b}[2Jb\\tc").count(), 3, "{shown}");
    }

    #[test]
    fn a_file_that_could_not_be_read_still_has_a_name() {
        let source = Arc::new(SourceText::new("gone.yaml", ""));
        let diagnostic =
            Diagnostic::new(Code::FileUnreadable, "there is no file `gone.yaml`").at(Span::new(&source, 0..0));
        assert!(text(&[diagnostic], PLAIN).contains("gone.yaml:1:1"));
    }

    #[test]
    fn json_counts_characters_and_bytes() {
        let diagnostic = example("# 中\n值: sorce\n", "sorce");
        insta::assert_snapshot!(json(&[diagnostic]));
    }
}
