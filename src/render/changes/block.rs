//! One change of the diff as rows of text, which a terminal and a ```diff block show each in its own way.

use super::super::words::{self, Tone, clean, columns, paint, wrap};
use super::super::{Style, count};
use super::{amount, is_estimated, sign};
use crate::diff::{Action, Change, Line, Note, Place, Sign, Work};

/// Sign of what is done and undone again.
pub(super) const PASSING: &str = ".";
/// Columns before the text of a row.
const MARGIN: usize = 6;
/// Names of partitions that are shown at most: there may be thousands.
const MOST_PARTITIONS: usize = 20;

/// One row: a sign and a text beside it.
pub(super) struct Row {
    heads: bool,
    sign: &'static str,
    tone: Tone,
    text: String,
    /// Whether the tone is the text's too.
    toned: bool,
}

impl Row {
    fn new(sign: &'static str, tone: Tone, text: impl Into<String>) -> Self {
        Self { heads: false, sign, tone, text: text.into(), toned: false }
    }

    fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { toned: true, ..Self::new("", tone, text) }
    }

    /// The row for a terminal.
    pub(super) fn terminal(&self, style: Style) -> String {
        let columns = if self.heads { 3 } else { MARGIN - 1 };
        let padding = " ".repeat(columns - self.sign.len());
        let tone = if self.heads {
            Tone::Loud
        } else if self.toned {
            self.tone
        } else {
            Tone::Plain
        };
        let line = format!("{padding}{} {}", paint(style, self.tone, self.sign), paint(style, tone, &self.text));
        line.trim_end().to_owned()
    }

    /// The row for a ```diff block, where the first character decides the colour.
    pub(super) fn diff(&self) -> String {
        let indent = if self.heads { "" } else { "  " };
        let sign = if self.sign.is_empty() { " " } else { self.sign };
        format!("{sign} {indent}{}", self.text).trim_end().to_owned()
    }
}

/// All rows of an change; one only where nothing happens and nothing is to be said.
pub(super) fn rows(change: &Change, style: Style) -> Vec<Row> {
    let room = style.width.saturating_sub(MARGIN);
    let (mark, tone) = sign(change.action);
    let head = format!("{}  {}", clean(&change.address), what(change));
    let mut rows = vec![Row { heads: true, ..Row::new(mark, tone, head) }];
    if change.action != Action::Unchanged {
        places(change, room, &mut rows);
    }
    if shows_lines(change) {
        fields(change, room, &mut rows);
        others(change, room, &mut rows);
        amounts(change, room, &mut rows);
    }
    for note in &change.blocked {
        noted(note, "!", Tone::Bad, "blocked", room, &mut rows);
    }
    for note in &change.warnings {
        noted(note, "", Tone::Careful, "warning", room, &mut rows);
    }
    if change.action != Action::Unchanged {
        for note in &change.notes {
            noted(note, "", Tone::Quiet, "note", room, &mut rows);
        }
    }
    rows
}

/// Whether something happens that lines tell of. What a blocked change would do is not shown, because it will not.
pub(super) fn shows_lines(change: &Change) -> bool {
    !matches!(change.action, Action::Unchanged | Action::Blocked)
}

fn what(change: &Change) -> String {
    let verified = || {
        let rows = change.rows.target.as_ref()?;
        let about = if rows.estimated { "about " } else { "" };
        Some(format!("nothing to do, {about}{}", words::rows(rows.distinct)))
    };
    match (change.action, change.work) {
        (Action::Create, Work::Resume) => "will be created; an unfinished run goes on".to_owned(),
        (Action::Create, _) => "will be created".to_owned(),
        (Action::Replace, _) => "will be dropped and made anew".to_owned(),
        (Action::Update, Work::Resume) => "is unfinished and will be completed".to_owned(),
        (Action::Update, Work::Converge) => "will get the rows that are missing or differ".to_owned(),
        (Action::Update, _) => "will be changed, its rows stay as they are".to_owned(),
        (Action::Unchanged, _) => verified().unwrap_or_else(|| "nothing to do".to_owned()),
        (Action::Blocked, _) => "is blocked".to_owned(),
    }
}

fn places(change: &Change, room: usize, rows: &mut Vec<Row>) {
    let shown = |place: &Place| format!("{} {}", clean(&place.uri), clean(&place.to_string()));
    let (from, to) = (shown(&change.source), shown(&change.target));
    let one = format!("{from} → {to}");
    let texts = if words::width(&one) <= room { vec![one] } else { vec![from, format!("→ {to}")] };
    for text in texts {
        push(wrap(&text, room), "", Tone::Quiet, true, rows);
    }
}

fn push(lines: Vec<String>, sign: &'static str, tone: Tone, toned: bool, rows: &mut Vec<Row>) {
    for (number, line) in lines.into_iter().enumerate() {
        rows.push(Row { toned, ..Row::new(if number == 0 { sign } else { "" }, tone, line) });
    }
}

fn line_sign(sign: Sign) -> (&'static str, Tone) {
    match sign {
        Sign::Add => ("+", Tone::Good),
        Sign::Change => ("~", Tone::Careful),
        Sign::Remove => ("-", Tone::Bad),
        Sign::Same => ("=", Tone::Quiet),
        Sign::Passing => (PASSING, Tone::Quiet),
    }
}

/// Whether a line says something new. What is the same on a target that stays is only counted.
fn is_shown(line: &Line) -> bool {
    line.sign != Sign::Same || line.reason.is_some()
}

/// The fields, source beside target. A type that both sides share is written once.
fn fields(change: &Change, room: usize, rows: &mut Vec<Row>) {
    let lines: Vec<&Line> = change.lines.iter().filter(|line| line.topic == "field" && is_shown(line)).collect();
    if lines.is_empty() {
        return;
    }
    let alike = lines.iter().all(|line| line.before == line.after);
    let mut table = vec![if alike {
        vec!["field".to_owned(), "source and target".to_owned()]
    } else {
        vec!["field".to_owned(), "source".to_owned(), "target".to_owned()]
    }];
    for line in &lines {
        let side = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), clean);
        let mut cells = vec![clean(&line.name), side(&line.before)];
        if !alike {
            cells.push(if line.before == line.after { "same".to_owned() } else { side(&line.after) });
        }
        if let (Some(reason), Some(last)) = (&line.reason, cells.last_mut()) {
            last.push_str(&format!(" ({})", clean(reason)));
        }
        table.push(cells);
    }
    let mut set = columns(&table, room).into_iter();
    push(set.next().unwrap_or_default(), "", Tone::Quiet, true, rows);
    for (line, texts) in lines.iter().zip(set) {
        let (sign, tone) = line_sign(line.sign);
        push(texts, sign, tone, false, rows);
    }
}

/// Everything but the fields: one row each, and one for all partitions of a kind.
fn others(change: &Change, room: usize, rows: &mut Vec<Row>) {
    let (mut signs, mut table) = (Vec::new(), Vec::new());
    let mut partitions_of: Vec<Sign> = Vec::new();
    for line in change.lines.iter().filter(|line| line.topic != "field" && is_shown(line)) {
        if line.topic == "partition" {
            if partitions_of.contains(&line.sign) {
                continue;
            }
            partitions_of.push(line.sign);
            table.push(vec!["partitions".to_owned(), partitions(change, line.sign)]);
        } else {
            let label = format!("{} {}", line.topic, clean(&line.name));
            table.push(vec![label.trim_end().to_owned(), changed(line)]);
        }
        signs.push(line.sign);
    }
    for (sign, texts) in signs.into_iter().zip(columns(&table, room)) {
        let (sign, tone) = line_sign(sign);
        push(texts, sign, tone, false, rows);
    }
    let hidden = change.lines.iter().filter(|line| !is_shown(line)).count();
    if hidden > 0 {
        rows.push(Row::toned(Tone::Quiet, format!("{} not shown", count(hidden, "unchanged line"))));
    }
}

fn partitions(change: &Change, sign: Sign) -> String {
    let names: Vec<&str> = change
        .lines
        .iter()
        .filter(|line| line.topic == "partition" && line.sign == sign)
        .map(|line| line.name.as_str())
        .collect();
    let shown: Vec<String> = names.iter().take(MOST_PARTITIONS).map(|name| clean(name)).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn changed(line: &Line) -> String {
    let mut text = match (&line.before, &line.after) {
        (Some(before), Some(after)) if before == after => clean(after),
        (Some(before), Some(after)) => format!("{} → {}", clean(before), clean(after)),
        (Some(only), None) | (None, Some(only)) => clean(only),
        (None, None) => String::new(),
    };
    if let Some(reason) = &line.reason {
        let reason = clean(reason);
        text = if text.is_empty() { reason } else { format!("{text} ({reason})") };
    }
    text
}

/// Rows to copy, rows that are lost.
fn amounts(change: &Change, room: usize, rows: &mut Vec<Row>) {
    let to_copy = amount(change.rows_to_copy, change.bytes_to_copy, is_estimated(change));
    let text = match change.work {
        Work::None | Work::Touch => None,
        Work::Fill | Work::Refill => Some(format!("rows to copy: {to_copy}")),
        Work::Resume => Some(format!("rows left to copy: {to_copy}")),
        Work::Converge => Some(match &change.rows.difference {
            Some(diff) => format!(
                "rows to write: {to_copy} ({} missing, {} differing, {} doubled)",
                words::number(diff.missing),
                words::number(diff.differing),
                words::number(diff.doubled)
            ),
            None => "rows to write: known when the plan is applied and both sides are compared".to_owned(),
        }),
    };
    if let Some(text) = text {
        push(wrap(&text, room), "", Tone::Plain, false, rows);
    }
    if change.action == Action::Replace || change.rows_lost > 0 {
        let about = if change.rows.target.as_ref().is_none_or(|rows| rows.estimated) { "about " } else { "" };
        let text = format!("rows lost on the target: {about}{}", words::rows(change.rows_lost));
        for line in wrap(&text, room) {
            rows.push(Row { toned: true, ..Row::new("-", Tone::Bad, line) });
        }
    }
}

fn noted(note: &Note, sign: &'static str, tone: Tone, word: &str, room: usize, rows: &mut Vec<Row>) {
    let field = note.field.as_ref().map(|field| format!(" field `{}`", clean(field))).unwrap_or_default();
    let label = format!("{word} {}{field}: ", note.code.info().id);
    let text = format!("{label}{}", clean(&note.message));
    push(wrap(&text, room), sign, tone, true, rows);
    if let Some(help) = &note.help {
        push(wrap(&format!("help: {}", clean(help)), room), "", Tone::Plain, false, rows);
    }
}
