//! Numbers, tones, wrapped lines and columns, the same in every text of this room; and the one place where text that others
//! wrote is made harmless: names, keys and a server's messages come from outside, and a terminal obeys what it reads.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Style;

/// Space between two columns.
const GAP: usize = 2;
/// A column is never made narrower than this, however little room there is.
const NARROWEST: usize = 8;
/// Characters of one text from outside that are shown at most: a server may answer with pages.
const MOST_CHARACTERS: usize = 2_000;

/// How a piece of text is meant, and so how it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As the terminal has it.
    Plain,
    /// Comes to be, went well.
    Good,
    /// Changes, or could go wrong.
    Careful,
    /// Is lost, or failed.
    Bad,
    /// Less important than the rest.
    Quiet,
    /// More important than the rest.
    Loud,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "32",
            Self::Careful => "33",
            Self::Bad => "31",
            Self::Quiet => "2",
            Self::Loud => "1",
        }
    }
}

/// Colours a text that is to be coloured. It must be padded before, because colours have no width and yet have length.
pub(super) fn paint(style: Style, tone: Tone, text: &str) -> String {
    if style.color && tone != Tone::Plain && !text.is_empty() {
        format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
    } else {
        text.to_owned()
    }
}

/// Text from outside, on one line and with nothing in it that a terminal would obey or that turns the reading direction
/// around. Such characters are written as their escapes, so that two names that differ also look different.
pub(super) fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, character) in text.chars().enumerate() {
        if number == MOST_CHARACTERS {
            shown.push('…');
            break;
        }
        push_harmless(&mut shown, character);
    }
    shown
}

/// The same for a message that quotes such text: all of it, with its own line ends.
pub(super) fn calm(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    for character in message.chars() {
        match character {
            '\n' => shown.push('\n'),
            other => push_harmless(&mut shown, other),
        }
    }
    shown
}

fn push_harmless(shown: &mut String, character: char) {
    if is_harmful(character) {
        shown.extend(character.escape_default());
    } else {
        shown.push(character);
    }
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number of rows: `1 row`, `1,234 rows`.
pub(super) fn rows(value: u64) -> String {
    if value == 1 { "1 row".to_owned() } else { format!("{} rows", number(value)) }
}

/// Bytes in decimal units, as disks and networks count them: `812 B`, `1.2 GB`.
pub(super) fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 1_000 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1_000.0;
    let mut unit = 0;
    // From 999.5 on, rounding would write a fourth digit.
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1_000.0;
        unit += 1;
    }
    let decimals = usize::from(scaled < 9.95);
    format!("{scaled:.decimals$} {}", UNITS[unit])
}

/// A time in its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn duration(time: Duration) -> String {
    if time < Duration::from_millis(9_950) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    seconds(time.as_secs_f64().round() as u64)
}

/// Whole seconds in their two largest units, for what is not known any better.
pub(super) fn seconds(seconds: u64) -> String {
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Part of a whole in percent, never 100 before all is done.
pub(super) fn percent(done: u64, total: u64) -> Option<u64> {
    (total > 0).then(|| u64::try_from(u128::from(done.min(total)) * 100 / u128::from(total)).unwrap_or(100))
}

/// Columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text with spaces behind it up to a width.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Breaks a text into lines of at most `room` columns, at spaces where there are some.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(NARROWEST);
    let mut lines = Vec::new();
    let mut line = String::new();
    // Spaces within a line stay as they are: they may be part of a key.
    for word in text.split(' ') {
        if !line.is_empty() {
            if width(&line) + 1 + width(word) > room {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push(' ');
            }
        }
        let mut at = width(&line);
        for character in word.chars() {
            let wide = character.width().unwrap_or_default();
            if at + wide > room {
                lines.push(std::mem::take(&mut line));
                at = 0;
            }
            line.push(character);
            at += wide;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Sets rows of cells in columns that are as wide as they need to be. Where there is too little room, the widest columns
/// give way and their cells are broken. Each row comes back as its lines, without spaces at their ends.
pub(super) fn columns(table: &[Vec<String>], room: usize) -> Vec<Vec<String>> {
    let mut widths = widths(table);
    while total(&widths) > room {
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width).filter(|width| **width > NARROWEST) else {
            break;
        };
        *widest -= 1;
    }
    table.iter().map(|row| set(row, &widths)).collect()
}

/// Whether the columns fit without breaking a cell.
pub(super) fn fits(table: &[Vec<String>], room: usize) -> bool {
    total(&widths(table)) <= room
}

fn widths(table: &[Vec<String>]) -> Vec<usize> {
    let count = table.iter().map(Vec::len).max().unwrap_or_default();
    let cells = |column| table.iter().filter_map(move |row| row.get(column));
    (0..count).map(|column| cells(column).map(|cell| width(cell)).max().unwrap_or_default()).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn set(row: &[String], widths: &[usize]) -> Vec<String> {
    let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    (0..height)
        .map(|at| {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(widths) {
                line.push_str(&pad(cell.get(at).map_or("", String::as_str), *width));
                line.push_str(&" ".repeat(GAP));
            }
            line.trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!((bytes(999), bytes(1_000), bytes(999_900)), ("999 B".into(), "1.0 kB".into(), "1.0 MB".into()));
        assert_eq!(bytes(u64::MAX), "18 EB");
        let seconds = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!((seconds(0.04), seconds(9.96), seconds(60.0)), ("0.0 s".into(), "10 s".into(), "1 min".into()));
        assert_eq!((seconds(3_725.0), seconds(90_000.0)), ("1 h 2 min".into(), "1 d 1 h".into()));
        assert_eq!((percent(999, 1_000), percent(5, 0), percent(9, 3)), (Some(99), None, Some(100)));
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_as_its_escape() {
        assert_eq!(clean("a\u{1b}[31m\nb\u{202e}c中"), "a\\u{1b}[31m\\nb\\u{202e}c中");
        assert_eq!(clean(&"x".repeat(3_000)).chars().count(), MOST_CHARACTERS + 1);
    }

    #[test]
    fn lines_are_broken_by_columns_and_not_by_characters() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("中文中文中文", 8), ["中文中文", "中文"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("a  b", 8), ["a  b"]);
    }

    #[test]
    fn the_widest_column_gives_way() {
        let table = vec![vec!["id".to_owned(), "a b c d e f g h i j".to_owned(), "end".to_owned()]];
        assert_eq!(columns(&table, 20), [["id  a b c d e f  end", "    g h i j"]]);
    }
}
