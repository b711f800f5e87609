//! The lines around a place, fit to be shown: secrets left out, long lines cut, nothing that a terminal would obey.

use std::ops::Range;

use crate::diagnostic::{SourceText, Span};

/// Characters of one line that are shown at most.
const MOST_CHARACTERS: usize = 120;

/// Characters that are shown before a mark in a line that is cut.
const BEFORE_MARK: usize = 40;

/// Stands for a secret, whatever its length.
const MASK: &str = "***";

/// Lines of a file as they are shown.
#[derive(Debug)]
pub(crate) struct Snippet {
    /// The lines, each with its line break.
    pub(crate) text: String,
    /// Number of the first line, from 1.
    pub(crate) start_line: usize,
    /// Bytes of `text` that are marked.
    pub(crate) highlight: Range<usize>,
}

/// The line that a span starts in, and `context` lines before and after it. Nothing where the file has no text.
pub(crate) fn snippet(span: &Span, context: usize) -> Option<Snippet> {
    let source = &span.source;
    if source.text.is_empty() {
        return None;
    }
    let marked = span.start().line;
    let start_line = marked.saturating_sub(context).max(1);
    let mut text = String::new();
    let mut highlight = 0..0;
    for number in start_line..=marked + context {
        let Some(line) = source.line(number) else {
            break;
        };
        if number == marked {
            let mark = span.range.start.clamp(line.start, line.end)..span.range.end.clamp(line.start, line.end);
            let (shown, at) = show(source, line, Some(&mark));
            highlight = text.len() + at.start..text.len() + at.end;
            text.push_str(&shown);
        } else {
            // An empty last line says nothing.
            if number > marked && line.is_empty() && source.line(number + 1).is_none() {
                break;
            }
            text.push_str(&show(source, line, None).0);
        }
        text.push('\n');
    }
    Some(Snippet { text, start_line, highlight })
}

/// A part of a line that is shown as one: a character, or what stands for a secret.
struct Cell {
    bytes: Range<usize>,
    shown: char,
    mask: bool,
}

fn show(source: &SourceText, line: Range<usize>, mark: Option<&Range<usize>>) -> (String, Range<usize>) {
    // Of a huge line only the neighbourhood of the mark is looked at, so that many marks in it cost little.
    let centre = mark.map_or(line.start, |mark| mark.start);
    let from = boundary(source, centre.saturating_sub(8 * BEFORE_MARK).max(line.start));
    let to = boundary(source, (centre + 8 * MOST_CHARACTERS).min(line.end)).max(from);
    let cells = cells(source, from..to);
    let first_marked = cells.iter().position(|cell| cell.bytes.end > centre).unwrap_or(cells.len());
    let start =
        if cells.len() <= MOST_CHARACTERS && from == line.start { 0 } else { first_marked.saturating_sub(BEFORE_MARK) };
    let end = (start + MOST_CHARACTERS).min(cells.len());
    let mut shown = String::new();
    if from > line.start || start > 0 {
        shown.push('…');
    }
    let mut highlight: Option<Range<usize>> = None;
    for cell in &cells[start..end] {
        let before = shown.len();
        if cell.mask {
            shown.push_str(MASK);
        } else {
            shown.push(cell.shown);
        }
        if let Some(mark) = mark
            && cell.bytes.start < mark.end
            && cell.bytes.end > mark.start
        {
            let begin = highlight.as_ref().map_or(before, |range| range.start);
            highlight = Some(begin..shown.len());
        }
        // An empty mark stands before the character that it is at.
        if let Some(mark) = mark
            && mark.is_empty()
            && cell.bytes.start == mark.start
        {
            highlight = Some(before..before);
        }
    }
    let highlight = highlight.unwrap_or(shown.len()..shown.len());
    if end < cells.len() || to < line.end {
        shown.push('…');
    }
    (shown, highlight)
}

fn cells(source: &SourceText, range: Range<usize>) -> Vec<Cell> {
    let masks = source.masks();
    let mut cells: Vec<Cell> = Vec::new();
    for (at, character) in source.text[range.clone()].char_indices() {
        let start = range.start + at;
        let bytes = start..start + character.len_utf8();
        let next = masks.partition_point(|mask| mask.end <= start);
        let masked = masks.get(next).is_some_and(|mask| mask.start < bytes.end);
        match cells.last_mut() {
            Some(last) if masked && last.mask => last.bytes.end = bytes.end,
            _ => cells.push(Cell { bytes, shown: harmless(character), mask: masked }),
        }
    }
    cells
}

/// What a terminal would obey, or what turns the reading direction around, is shown as a replacement character.
fn harmless(character: char) -> char {
    match character {
        '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

fn boundary(source: &SourceText, mut byte: usize) -> usize {
    while !source.text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shown(source: SourceText, range: Range<usize>) -> (String, String, usize) {
        let span = Span::new(&Arc::new(source), range);
        let snippet = snippet(&span, 1).expect("a snippet");
        let marked = snippet.text[snippet.highlight].to_owned();
        (snippet.text, marked, snippet.start_line)
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}NEEDLE{}", "中".repeat(300_000), "x".repeat(300_000));
        let at = text.find("NEEDLE").expect("needle");
        let (text, marked, _) = shown(SourceText::new("p", text), at..at + 6);
        assert_eq!(marked, "NEEDLE");
        assert!(text.chars().count() < 130, "{text}");
        assert!(text.starts_with('…') && text.trim_end().ends_with('…'));
    }

    #[test]
    fn a_mask_hides_every_character_and_can_be_marked() {
        let text = "a: 1\ntoken: root:Sup3rS3cret # x\n";
        let secret = "root:Sup3rS3cret";
        let at = text.find(secret).expect("secret");
        let source = SourceText::with_masks("p", text, std::iter::once(at..at + secret.len()).collect());
        let (text, marked, line) = shown(source, at..at + secret.len());
        assert_eq!(text, "a: 1\ntoken: *** # x\n");
        assert_eq!((marked.as_str(), line), ("***", 1));
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        let (text, _, _) = shown(SourceText::new("p", "a\u{1b}[31m\u{202e}b"), 0..1);
        assert_eq!(text, "a\u{fffd}[31m\u{fffd}b\n");
    }

    #[test]
    fn a_mark_over_several_lines_ends_with_the_first() {
        let (text, marked, _) = shown(SourceText::new("p", "one\r\ntwo\r\nthree\r\n"), 4..12);
        assert_eq!(marked, "");
        assert!(!text.contains('\r'));
    }
}
