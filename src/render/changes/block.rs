//! One change of the diff as rows of text, which a terminal and a ```diff block show each in its own way.

use super::super::words::{self, Tone, clean, columns, paint, wrap};
use super::super::{Style, count};
use super::sign;
use super::sums::Sum;
use crate::diff::{Action, Change, Line, Note, Place, Sign, Work};

/// Sign of what is done and undone again.
pub(super) const PASSING: &str = ".";
/// Columns before the text of a row.
pub(super) const MARGIN: usize = 6;
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
    pub(super) fn new(sign: &'static str, tone: Tone, text: impl Into<String>) -> Self {
        Self { heads: false, sign, tone, text: text.into(), toned: false }
    }

    /// The first row of a block.
    pub(super) fn head(sign: &'static str, tone: Tone, text: impl Into<String>) -> Self {
        Self { heads: true, ..Self::new(sign, tone, text) }
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

/// All rows of a change; one only where nothing happens and nothing is to be said.
pub(super) fn rows(change: &Change, style: Style) -> Vec<Row> {
    let room = style.width.saturating_sub(MARGIN);
    let (mark, tone) = sign(change.action);
    let head = format!("{}  {}", clean(&change.address), what(change));
    let mut rows = vec![Row::head(mark, tone, head)];
    if change.action != Action::Unchanged {
        places(change, room, &mut rows);
    }
    if shows_lines(change) {
        shape(&change.lines, room, &mut rows);
        carried(&change.lines, room, &mut rows);
        amounts(change, room, &mut rows);
    }
    notes(change, room, &mut rows);
    rows
}

/// What does not arrive as it is.
pub(super) fn shape(lines: &[Line], room: usize, rows: &mut Vec<Row>) {
    fields(lines, room, rows);
    others(lines, room, rows);
}

/// Why it is blocked, what could go wrong, and what to know.
pub(super) fn notes(change: &Change, room: usize, rows: &mut Vec<Row>) {
    for note in &change.blocked {
        noted(note, "!", Tone::Bad, "blocked", room, rows);
    }
    for note in &change.warnings {
        noted(note, "", Tone::Careful, "warning", room, rows);
    }
    if change.action != Action::Unchanged {
        for note in &change.notes {
            noted(note, "", Tone::Quiet, "note", room, rows);
        }
    }
}

/// Whether something happens that lines tell of. What a blocked change would do is not shown, because it will not.
pub(in super::super) fn shows_lines(change: &Change) -> bool {
    !matches!(change.action, Action::Unchanged | Action::Blocked)
}

/// What happens to it, in words.
pub(in super::super) fn what(change: &Change) -> String {
    let verified = || {
        let rows = change.rows.target.as_ref()?;
        let about = if rows.estimated { "about " } else { "" };
        Some(format!("nothing to do, {about}{}", words::rows(rows.distinct)))
    };
    match (change.action, change.work) {
        (Action::Create, Work::Resume) => "will be created; an unfinished run goes on".to_owned(),
        (Action::Create, _) if is_reshaping(change) => "will be created in another shape".to_owned(),
        (Action::Create, _) if is_reindexing(change) => {
            "will be created as it is on the source, with other indexes".to_owned()
        }
        (Action::Create, _) => "will be created as it is on the source".to_owned(),
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

pub(super) fn push(lines: Vec<String>, sign: &'static str, tone: Tone, toned: bool, rows: &mut Vec<Row>) {
    for (number, line) in lines.into_iter().enumerate() {
        rows.push(Row { toned, ..Row::new(if number == 0 { sign } else { "" }, tone, line) });
    }
}

/// How a line is marked for people, who compare with the source: what is new there only stands beside what is changed.
pub(in super::super) fn line_sign(line: &Line) -> (&'static str, Tone) {
    match line.sign {
        Sign::Add if is_reshaped(line) => ("~", Tone::Careful),
        Sign::Add => ("+", Tone::Good),
        Sign::Change => ("~", Tone::Careful),
        Sign::Remove => ("-", Tone::Bad),
        Sign::Same => ("=", Tone::Quiet),
        Sign::Passing => (PASSING, Tone::Quiet),
    }
}

/// Whether a line has a row of its own. What is the same on a target that stays is only counted, and what arrives as it is on
/// the source is told together: neither is what somebody looks for who has two minutes.
pub(in super::super) fn is_shown(line: &Line) -> bool {
    !is_carried(line) && (line.sign != Sign::Same || line.reason.is_some())
}

/// Whether something new arrives just as it is on the source.
pub(in super::super) fn is_carried(line: &Line) -> bool {
    line.sign == Sign::Add && line.reason.is_none() && line.before.is_some() && line.before == line.after
}

/// Whether a collection that is filled gets another shape than it has on the source.
pub(in super::super) fn is_reshaping(change: &Change) -> bool {
    differs(change, |topic| !matches!(topic, "database" | "alias" | "load" | "index" | "engine"))
}

/// Whether it gets other indexes. By default every vector field gets an automatic one, so this is no news beside a shape.
pub(in super::super) fn is_reindexing(change: &Change) -> bool {
    differs(change, |topic| topic == "index")
}

fn differs(change: &Change, is_meant: impl Fn(&str) -> bool) -> bool {
    let mut lines = change.lines.iter().filter(|line| is_meant(&line.topic));
    matches!(change.work, Work::Fill | Work::Refill) && lines.any(|line| is_shown(line) && line.sign != Sign::Passing)
}

/// Whether something arrives in another shape than it has on the source.
pub(in super::super) fn is_reshaped(line: &Line) -> bool {
    // A load line holds the target before beside the target afterwards.
    line.sign == Sign::Add && line.topic != "load" && line.before.is_some() && line.before != line.after
}

/// The fields that do not arrive as they are, source beside target.
fn fields(lines: &[Line], room: usize, rows: &mut Vec<Row>) {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.topic == "field" && is_shown(line)).collect();
    if lines.is_empty() {
        return;
    }
    let mut table = vec![["field", "source", "target"].map(str::to_owned).to_vec()];
    for line in &lines {
        let side = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), clean);
        let after = if line.before == line.after { "same".to_owned() } else { side(&line.after) };
        let mut cells = vec![clean(&line.name), side(&line.before), after];
        if let (Some(reason), Some(last)) = (&line.reason, cells.last_mut()) {
            last.push_str(&format!(" ({})", clean(reason)));
        }
        table.push(cells);
    }
    let mut set = columns(&table, room).into_iter();
    push(set.next().unwrap_or_default(), "", Tone::Quiet, true, rows);
    for (line, texts) in lines.iter().zip(set) {
        let (sign, tone) = line_sign(line);
        push(texts, sign, tone, false, rows);
    }
}

/// Everything but the fields: one row each, and one for all partitions of a kind.
fn others(lines: &[Line], room: usize, rows: &mut Vec<Row>) {
    let (mut signs, mut table) = (Vec::new(), Vec::new());
    let mut partitions_of: Vec<&str> = Vec::new();
    for line in lines.iter().filter(|line| line.topic != "field" && is_shown(line)) {
        let sign = line_sign(line);
        if line.topic == "partition" {
            if partitions_of.contains(&sign.0) {
                continue;
            }
            partitions_of.push(sign.0);
            let alike = lines.iter().filter(|other| other.topic == "partition" && is_shown(other));
            let alike = alike.filter(|other| line_sign(other).0 == sign.0).map(changed);
            table.push(vec!["partitions".to_owned(), few(alike.collect(), MOST_PARTITIONS)]);
        } else {
            let label = format!("{} {}", line.topic, clean(&line.name));
            table.push(vec![label.trim_end().to_owned(), changed(line)]);
        }
        signs.push(sign);
    }
    for ((sign, tone), texts) in signs.into_iter().zip(columns(&table, room)) {
        push(texts, sign, tone, false, rows);
    }
}

/// What arrives as it is, in a row for the fields and one for the rest; and how many lines say nothing new.
fn carried(lines: &[Line], room: usize, rows: &mut Vec<Row>) {
    let carried = |topic: &str| -> Vec<&Line> {
        lines.iter().filter(|line| is_carried(line) && line.topic.as_ref() == topic).collect()
    };
    let fields: Vec<String> = carried("field").into_iter().map(named).collect();
    if !fields.is_empty() {
        same(&format!("{} as on the source: {}", count(fields.len(), "field"), fields.join(", ")), room, rows);
    }
    let mut others: Vec<String> = lines
        .iter()
        .filter(|line| is_carried(line) && !matches!(line.topic.as_ref(), "field" | "partition"))
        .map(|line| format!("{} {}", line.topic, named(line)))
        .collect();
    let partitions: Vec<String> = carried("partition").into_iter().map(|line| clean(&line.name)).collect();
    if !partitions.is_empty() {
        let names = few(partitions.clone(), MOST_PARTITIONS);
        others.push(format!("{} ({names})", count(partitions.len(), "partition")));
    }
    if !others.is_empty() {
        same(&format!("as on the source: {}", others.join("; ")), room, rows);
    }
    let hidden = lines.iter().filter(|line| !is_shown(line) && !is_carried(line)).count();
    if hidden > 0 {
        same(&format!("{} not shown", count(hidden, "unchanged line")), room, rows);
    }
}

/// Something with its value: `title VARCHAR(512)`, `on`.
fn named(line: &Line) -> String {
    let value = line.after.as_deref().map(clean).unwrap_or_default();
    format!("{} {value}", clean(&line.name)).trim().to_owned()
}

fn same(text: &str, room: usize, rows: &mut Vec<Row>) {
    hanging(text, "=", Tone::Quiet, room, rows);
}

/// A text whose further lines are indented, so that a long one is told from the next.
pub(super) fn hanging(text: &str, sign: &'static str, tone: Tone, room: usize, rows: &mut Vec<Row>) {
    let lines = wrap(text, room.saturating_sub(2)).into_iter().enumerate();
    let lines = lines.map(|(number, line)| if number == 0 { line } else { format!("  {line}") });
    push(lines.collect(), sign, tone, tone == Tone::Quiet, rows);
}

/// Texts up to a number, and how many more there are.
fn few(mut texts: Vec<String>, most: usize) -> String {
    let more = texts.len().saturating_sub(most);
    texts.truncate(most);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", texts.join(", "))
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
    if let Some(diff) = change.rows.difference.as_ref().filter(|_| change.work == Work::Converge) {
        let text = format!(
            "rows to write: {} ({} missing, {} differing, {} doubled)",
            Sum::of([change]).copied_text(),
            words::number(diff.missing),
            words::number(diff.differing),
            words::number(diff.doubled)
        );
        push(wrap(&text, room), "", Tone::Plain, false, rows);
    } else {
        to_copy(change.work, &Sum::of([change]), room, rows);
    }
    lost(change.action, &Sum::of([change]), room, rows);
}

/// Rows that are to be copied.
pub(super) fn to_copy(work: Work, sum: &Sum, room: usize, rows: &mut Vec<Row>) {
    let to_copy = sum.copied_text();
    let text = match work {
        Work::None | Work::Touch => return,
        Work::Fill | Work::Refill => format!("rows to copy: {to_copy}"),
        Work::Resume => format!("rows left to copy: {to_copy}"),
        Work::Converge => "rows to write: known when the plan is applied and both sides are compared".to_owned(),
    };
    push(wrap(&text, room), "", Tone::Plain, false, rows);
}

/// Rows that are lost, also where a collection is dropped that holds none.
pub(super) fn lost(action: Action, sum: &Sum, room: usize, rows: &mut Vec<Row>) {
    if action == Action::Replace || sum.lost > 0 {
        let text = format!("rows lost on the target: {}", sum.lost_text());
        for line in wrap(&text, room) {
            rows.push(Row { toned: true, ..Row::new("-", Tone::Bad, line) });
        }
    }
}

pub(super) fn noted(note: &Note, sign: &'static str, tone: Tone, word: &str, room: usize, rows: &mut Vec<Row>) {
    let field = note.field.as_ref().map(|field| format!(" field `{}`", clean(field))).unwrap_or_default();
    let label = format!("{word} {}{field}: ", note.code.info().id);
    let text = format!("{label}{}", clean(&note.message));
    push(wrap(&text, room), sign, tone, true, rows);
    if let Some(help) = &note.help {
        push(wrap(&format!("help: {}", clean(help)), room), "", Tone::Plain, false, rows);
    }
}
