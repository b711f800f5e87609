//! The one page after `apply`: how each collection ended, what failed last, and what to do next.

pub(super) mod json;

use super::markup::{self, MARKER, MOST_BYTES};
use super::words::{self, Tone, clean, pad, paint, wrap};
use super::{Style, differences};
use crate::diff::{Change, Note, Work};
use crate::run::{JobError, Report, Success};
pub use json::json;

/// Keys that a failed verification lists; `vecferry verify` lists more.
const KEYS: usize = 10;
/// Columns before what is said of a collection.
const MARGIN: usize = 12;
/// How text in a comment is set.
const COMMENT: Style = Style { color: false, width: 100 };
/// What to do where not all is done.
fn next(command: &str) -> String {
    format!(
        "Next: see to the reasons given, then run {command} again. It goes on where it stopped; what is done stays done."
    )
}

/// How a collection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Successful,
    Canceled,
    Failed,
}

impl Ending {
    pub(super) fn of(report: &Report) -> Self {
        match &report.result {
            Ok(_) => Self::Successful,
            Err(error) if error.is_interruption() => Self::Canceled,
            Err(_) => Self::Failed,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Successful => "SUCCESSFUL",
            Self::Canceled => "CANCELED",
            Self::Failed => "FAILED",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Successful => Tone::Good,
            Self::Canceled => Tone::Careful,
            Self::Failed => Tone::Bad,
        }
    }
}

pub(super) fn count(reports: &[Report], ending: Ending) -> usize {
    reports.iter().filter(|report| Ending::of(report) == ending).count()
}

/// The last line, which scripts read.
pub(super) fn summary(reports: &[Report], blocked: &[&Change]) -> String {
    format!(
        "Apply complete: {} successful, {} failed, {} canceled, {} blocked.",
        count(reports, Ending::Successful),
        count(reports, Ending::Failed),
        count(reports, Ending::Canceled),
        blocked.len()
    )
}

pub(super) fn is_incomplete(reports: &[Report], blocked: &[&Change]) -> bool {
    !blocked.is_empty() || count(reports, Ending::Successful) < reports.len()
}

/// The page for a terminal: what went well first, what failed last, where it is seen.
/// `command` is what goes on with what is left.
pub fn text(reports: &[Report], blocked: &[&Change], command: &str, style: Style) -> String {
    let mut text = String::new();
    for ending in [Ending::Successful, Ending::Canceled] {
        for report in reports.iter().filter(|report| Ending::of(report) == ending) {
            text.push_str(&one(report, style));
        }
    }
    for change in blocked {
        text.push_str(&one_blocked(change, style));
    }
    for report in reports.iter().filter(|report| Ending::of(report) == Ending::Failed) {
        text.push_str(&one(report, style));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    if is_incomplete(reports, blocked) {
        for line in wrap(&next(&format!("`{}`", clean(command))), style.width) {
            text.push_str(&format!("{line}\n"));
        }
    }
    text.push_str(&format!("{}\n", summary(reports, blocked)));
    text
}

fn headed(word: &str, tone: Tone, address: &str, rest: &str, style: Style) -> String {
    let word = paint(style, tone, &pad(word, MARGIN - 2));
    let address = paint(style, Tone::Loud, &clean(address));
    format!("{word}  {address}{rest}\n")
}

fn say(text: &mut String, line: &str, tone: Tone, style: Style) {
    for line in wrap(line, style.width.saturating_sub(MARGIN)) {
        text.push_str(&format!("{}{}\n", " ".repeat(MARGIN), paint(style, tone, &line)));
    }
}

fn one(report: &Report, style: Style) -> String {
    let ending = Ending::of(report);
    let took = format!(", {}", words::duration(report.took));
    let mut text = headed(ending.word(), ending.tone(), &report.address, &took, style);
    match &report.result {
        Ok(success) => {
            for line in success_lines(report.work, success) {
                say(&mut text, &line, Tone::Plain, style);
            }
        }
        Err(JobError::Interrupted) => {
            say(
                &mut text,
                "stopped; what was written is recorded, and the same command goes on from there",
                Tone::Plain,
                style,
            );
        }
        Err(error @ JobError::StillGoing { .. }) => {
            say(&mut text, &clean(&error.to_string()), Tone::Plain, style);
            say(&mut text, &format!("help: {}", error.help()), Tone::Plain, style);
        }
        Err(error) => {
            say(&mut text, &format!("error: {}", clean(&error.to_string())), ending.tone(), style);
            if let Some(diff) = error.difference() {
                text.push_str(&differences::list(diff, KEYS, MARGIN, style));
            }
            say(&mut text, &format!("help: {}", error.help()), Tone::Plain, style);
        }
    }
    if let Some(line) = repeated(report) {
        say(&mut text, &line, Tone::Plain, style);
    }
    text
}

/// Requests that were repeated, by the class of their error.
pub(super) fn repeated(report: &Report) -> Option<String> {
    let classes: Vec<String> =
        report.retried.iter().map(|(class, times)| format!("{} {class}", words::number(*times))).collect();
    let all: u64 = report.retried.values().sum();
    match all {
        0 => None,
        1 => Some(format!("1 request was repeated ({})", classes.join(", "))),
        all => Some(format!("{} requests were repeated ({})", words::number(all), classes.join(", "))),
    }
}

/// What went well, the ordinary on one line and each peculiarity on one of its own.
pub(super) fn success_lines(work: Work, success: &Success) -> Vec<String> {
    if work == Work::Touch {
        return vec!["changed; no rows were written".to_owned()];
    }
    let mut lines = vec![match &success.moved_by {
        None => format!("{} verified, {} written", words::rows(success.rows), words::number(success.written)),
        Some(job) if job.is_empty() => {
            format!("{} verified, moved by the migration service", words::rows(success.rows))
        }
        Some(job) => {
            format!("{} verified, moved by the migration service (job {})", words::rows(success.rows), clean(job))
        }
    }];
    if success.doubled > 0 {
        lines.push(format!(
            "{} of the source had a key that was there already; each key arrived once",
            words::rows(success.doubled)
        ));
    }
    if success.mended > 0 {
        lines.push(format!("{} mended after the verification asked for it", words::rows(success.mended)));
    }
    if !success.moved.is_empty() {
        lines.push(format!(
            "the source was written to while it was copied: {}; the target holds them as they are now",
            clean(&success.moved.to_string())
        ));
    }
    if success.quarantined > 0 {
        let folder = success.quarantine.as_deref().map(|folder| format!(": {}", clean(folder))).unwrap_or_default();
        lines.push(format!("{} do not fit and are in quarantine{folder}", words::rows(success.quarantined)));
    }
    for (rule, rows) in &success.touched {
        lines.push(format!("{} ({})", clean(rule), words::rows(*rows)));
    }
    if success.extra > 0 {
        lines.push(format!("{} only on the target, left alone", words::rows(success.extra)));
    }
    lines
}

fn one_blocked(change: &Change, style: Style) -> String {
    let mut text = headed("BLOCKED", Tone::Bad, &change.address, "", style);
    for note in &change.blocked {
        say(&mut text, &reason(note), Tone::Bad, style);
        if let Some(help) = &note.help {
            say(&mut text, &format!("help: {}", clean(help)), Tone::Plain, style);
        }
    }
    text
}

fn reason(note: &Note) -> String {
    let field = note.field.as_ref().map(|field| format!(" field `{}`", clean(field))).unwrap_or_default();
    format!("{}{field}: {}", note.code.info().id, clean(&note.message))
}

/// The page in Markdown, for a comment or the summary of a job.
pub fn markdown(reports: &[Report], blocked: &[&Change], command: &str) -> String {
    let mut lines: Vec<(u8, String, Option<String>)> = Vec::new();
    for change in blocked {
        let line = format!("| {} | BLOCKED | | | |\n", markup::code(&change.address));
        lines.push((0, line, Some(details(&change.address, &one_blocked(change, COMMENT)))));
    }
    for report in reports {
        let ending = Ending::of(report);
        let figures = match &report.result {
            Ok(success) if report.work != Work::Touch => {
                format!("{} | {}", words::number(success.rows), words::number(success.written))
            }
            Ok(_) | Err(_) => " | ".to_owned(),
        };
        let took = words::duration(report.took);
        let line = format!("| {} | {} | {figures} | {took} |\n", markup::code(&report.address), ending.word());
        let peculiar = match &report.result {
            Ok(success) => success_lines(report.work, success).len() > 1 || !report.retried.is_empty(),
            Err(_) => true,
        };
        let told = peculiar.then(|| details(&report.address, &one(report, COMMENT)));
        lines.push((u8::from(ending == Ending::Successful), line, told));
    }
    let mut text = format!("{MARKER}**{}**\n\n", summary(reports, blocked));
    if is_incomplete(reports, blocked) {
        text.push_str(&format!("{}\n\n", next(&markup::code(command))));
    }
    let sizes: Vec<(u8, usize)> = lines.iter().map(|(rank, line, _)| (*rank, line.len())).collect();
    let taken = markup::fitting(&sizes, MOST_BYTES / 3);
    text.push_str("| collection | state | rows verified | rows written | time |\n|---|---|--:|--:|--:|\n");
    text.extend(lines.iter().zip(&taken).filter(|(_, taken)| **taken).map(|((_, line, _), _)| line.as_str()));
    text.push('\n');
    text.push_str(&markup::more(&taken, "collection"));
    let told: Vec<(u8, &String)> =
        lines.iter().filter_map(|(rank, _, told)| told.as_ref().map(|told| (*rank, told))).collect();
    let sizes: Vec<(u8, usize)> = told.iter().map(|(rank, told)| (*rank, told.len())).collect();
    let taken = markup::fitting(&sizes, MOST_BYTES.saturating_sub(text.len() + 200));
    text.extend(told.iter().zip(&taken).filter(|(_, taken)| **taken).map(|((_, told), _)| told.as_str()));
    text.push_str(&markup::more(&taken, "report"));
    text
}

fn details(address: &str, content: &str) -> String {
    markup::details(&markup::summary_code(address), &markup::fenced("", &markup::cut(content, 12_000)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures::{NARROW, NASTY, assert_sound, diff, row_diff};
    use super::*;
    use crate::cluster::{ClusterError, ErrorKind};
    use crate::diff::Diff;
    use crate::render::schemas::{self, tests as schema};
    use crate::run::Moved;

    fn report(name: &str, work: Work, result: Result<Success, JobError>) -> Report {
        let retried = match &result {
            Err(JobError::Cluster(_)) => [("rate limited", 1_204), ("unreachable", 3)].into(),
            _ => Default::default(),
        };
        Report {
            address: format!("kb.main.{name}"),
            work,
            result,
            took: Duration::from_millis(83_200),
            retried,
            splits: (4, 4),
        }
    }

    const AGAIN: &str = "vecferry apply plans/kb.yaml";

    fn failed(message: &str) -> JobError {
        let error =
            ClusterError::new(ErrorKind::Unreachable, "http://127.0.0.1:19531", "insert into main.users", message);
        JobError::Cluster(ClusterError { tried: Some((17, 119)), ..error })
    }

    fn all() -> Vec<Report> {
        let plain = Success { rows: 1_234_567, written: 1_234_567, ..Success::default() };
        let peculiar = Success {
            rows: 100,
            written: 90,
            doubled: 1,
            extra: 3,
            mended: 2,
            moved: Moved { rows: row_diff(), ranges: 0 },
            quarantined: 4,
            quarantine: Some(".vecferry/quarantine/x".into()),
            touched: [("lang: null became the default".to_owned(), 7)].into(),
            moved_by: None,
        };
        vec![
            report("users", Work::Fill, Err(failed("connection refused"))),
            report("articles", Work::Fill, Ok(plain)),
            report("tags", Work::Touch, Ok(Success::default())),
            report("events", Work::Converge, Ok(peculiar)),
            report("pages", Work::Resume, Err(JobError::Interrupted)),
            report("notes", Work::Fill, Err(JobError::Different(Box::new(row_diff())))),
        ]
    }

    fn blocked() -> Change {
        diff().changes.remove(6)
    }

    #[test]
    fn what_the_migration_service_did_is_told_in_its_words() {
        let moved = Success { rows: 7, moved_by: Some("job-1".into()), ..Success::default() };
        let lost = JobError::Managed {
            job: Some("job-2".into()),
            word: "FAILED".into(),
            reason: Some("quota exceeded".into()),
            found: "the target holds no such collection".into(),
            diff: None,
            gave_up: true,
        };
        let left = JobError::StillGoing { job: Some("job-3".into()) };
        let reports = [
            report("a", Work::Fill, Ok(moved)),
            report("b", Work::Fill, Err(lost)),
            report("c", Work::Fill, Err(left)),
        ];
        let said = text(&reports, &[], AGAIN, Style { width: 200, ..NARROW });
        for part in [
            "7 rows verified, moved by the migration service (job job-1)",
            "error: job job-2 of the migration service ended as FAILED (quota exceeded), and the target holds no such",
            "stopped following job-3: the migration service goes on by itself",
            "1 successful, 1 failed, 1 canceled, 0 blocked",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let json = json(&reports, &[], AGAIN, &Diff::default());
        let jobs: Vec<_> =
            json["collections"].as_array().unwrap().iter().map(|one| one["service_job"].clone()).collect();
        assert_eq!(jobs, ["job-1", "job-2", "job-3"]);
    }

    #[test]
    fn text_for_people() {
        insta::assert_snapshot!(text(&all(), &[&blocked()], AGAIN, NARROW));
    }

    #[test]
    fn markdown_for_a_change_request() {
        let markdown = markdown(&all(), &[&blocked()], AGAIN);
        assert_sound(&markdown);
        insta::assert_snapshot!(markdown);
    }

    #[test]
    fn json_for_machines() {
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&json(&all(), &[&blocked()], AGAIN, &Diff::default())).expect("json")
        );
    }

    #[test]
    fn what_machines_read_fits_the_schema() {
        for (reports, blocked) in [(all(), vec![&blocked()]), (Vec::new(), Vec::new())] {
            schema::assert_fits(schemas::APPLY, &json(&reports, &blocked, AGAIN, &diff()));
        }
        let mut wrong = json(&all(), &[], AGAIN, &diff());
        wrong["collections"][0]["state"] = "LOST".into();
        assert!(!schema::complaints(schemas::APPLY, &wrong).is_empty());
    }

    #[test]
    fn the_last_line_is_the_summary() {
        let last = |reports: &[Report], blocked: &[&Change]| {
            text(reports, blocked, AGAIN, NARROW).lines().last().map(str::to_owned)
        };
        let line = "Apply complete: 3 successful, 2 failed, 1 canceled, 1 blocked.";
        assert_eq!(last(&all(), &[&blocked()]).as_deref(), Some(line));
        let line = "Apply complete: 0 successful, 0 failed, 0 canceled, 0 blocked.";
        assert_eq!(last(&[], &[]).as_deref(), Some(line));
    }

    #[test]
    fn names_from_outside_stay_in_their_place() {
        let all: Vec<_> = (0..500).map(|_| report(NASTY, Work::Fill, Err(failed(NASTY)))).collect();
        assert_sound(&markdown(&all, &[], AGAIN));
        assert!(!text(&all, &[], AGAIN, NARROW).contains(|c: char| c.is_control() && c != '\n'));
    }
}
