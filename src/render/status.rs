//! What the state remembers, run by run, while something runs and afterwards.

pub(super) mod json;
mod service;

use super::Style;
use super::markup::{self, MARKER, MOST_BYTES};
use super::words::{self, Tone, clean, columns, paint, wrap};
use crate::state::{Header, Holder, Job, Managed, Outcome};
pub(super) use json::json_one;
pub use json::{canceled_json, json};

/// Said where the state remembers nothing.
const EMPTY: &str = "No runs yet.";
/// Said of a job that has neither an end nor a living process.
const INTERRUPTED: &str = "interrupted: its process ended without finishing; run the same apply again";

/// What the state remembers of one target collection.
pub struct StatusEntry {
    /// The journal's name.
    pub id: String,
    /// The job, or why it cannot be read.
    pub job: Result<Job, String>,
    /// Who writes to the target right now.
    pub holder: Holder,
}

impl StatusEntry {
    /// Whether a process writes to the target, as far as it can be seen from here.
    pub fn is_running(&self) -> bool {
        self.holder != Holder::Nobody
    }

    /// What is peculiar about where it runs and who wrote it, and what the migration service says of it.
    fn remarks(&self, now: jiff::Timestamp) -> Vec<String> {
        let place = match &self.holder {
            Holder::Unseen(owner) => Some(format!("on {}, cannot be seen from here: locked by {owner}", owner.host)),
            Holder::Alive(_) | Holder::Nobody => None,
        };
        let service = self.job.as_ref().ok().and_then(|job| service::remark(job, self.is_running(), now));
        place.into_iter().chain(self.newer()).chain(service).collect()
    }

    /// Whether a job of the migration service goes on although nobody follows it.
    pub fn is_left_going(&self) -> bool {
        let managed = self.job.as_ref().ok().and_then(|job| job.managed.as_ref());
        !self.is_running() && managed.is_some_and(Managed::may_be_going)
    }

    /// What is to be said where a newer version wrote it.
    pub(super) fn newer(&self) -> Option<String> {
        let Header { tool, format, .. } = &self.job.as_ref().ok().filter(|job| job.is_newer())?.header;
        Some(format!("written by a newer vecferry ({tool}, format {format}): shown as far as it is understood"))
    }
}

/// Everything that is shown of one job.
pub(super) struct Shown<'a> {
    run: &'a str,
    collection: &'a str,
    pub(super) state: &'static str,
    pub(super) tone: Tone,
    pub(super) phase: &'a str,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    rate: Option<u64>,
    seconds_left: Option<u64>,
    /// Percent of the migration service's job, while it is at work.
    service_percent: Option<u64>,
    retries: u64,
    quarantined: u64,
    pub(super) remarks: Vec<String>,
    pub(super) error: Option<&'a str>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(entry: &'a StatusEntry, now: jiff::Timestamp) -> Self {
        let job = match &entry.job {
            Ok(job) => job,
            Err(error) => return Self::unreadable(entry, error, now),
        };
        let (state, tone, error) = match (job.outcome, entry.is_running()) {
            (Some(Outcome::Successful), _) => ("SUCCESSFUL", Tone::Good, None),
            (Some(Outcome::Failed), _) => ("FAILED", Tone::Bad, job.error.as_deref()),
            (Some(Outcome::Canceled), _) => ("CANCELED", Tone::Careful, None),
            (None, true) if job.attempted.is_none() => ("PENDING", Tone::Quiet, None),
            (None, true) => ("IN_PROGRESS", Tone::Careful, None),
            // Its end may be a record that only the newer version knows.
            (None, false) if job.is_newer() => ("UNKNOWN", Tone::Careful, None),
            (None, false) => ("FAILED", Tone::Bad, Some(INTERRUPTED)),
        };
        let runs = state == "IN_PROGRESS";
        let successful = job.is_successful();
        let done = if successful { job.verified_rows } else { job.rows_done() };
        let total = if successful { Some(job.verified_rows) } else { job.rows_expected() };
        let rate = if runs { rate(job, now) } else { None };
        // Before one percent is done, a rate says little about the rest.
        let seconds_left = total.zip(rate).and_then(|(total, rate)| {
            let left = total.saturating_sub(done);
            (words::percent(done, total) >= Some(1) && rate > 0 && left > 0).then(|| left.div_ceil(rate))
        });
        Self {
            run: &job.header.run,
            collection: &job.header.address,
            state,
            tone,
            phase: if job.outcome.is_some() { "" } else { &job.phase },
            done,
            total,
            rate,
            seconds_left,
            service_percent: service::percent(job),
            retries: job.retries,
            quarantined: job.rows_quarantined(),
            remarks: entry.remarks(now),
            error,
        }
    }

    fn unreadable(entry: &'a StatusEntry, error: &'a str, now: jiff::Timestamp) -> Self {
        Self {
            run: "",
            collection: &entry.id,
            state: "UNKNOWN",
            tone: Tone::Bad,
            phase: "",
            done: 0,
            total: None,
            rate: None,
            seconds_left: None,
            service_percent: None,
            retries: 0,
            quarantined: 0,
            remarks: entry.remarks(now),
            error: Some(error),
        }
    }

    fn cells(&self) -> Vec<String> {
        let rows = match self.total {
            Some(total) => format!("{}/{}", words::number(self.done), words::number(total)),
            None if self.done > 0 => words::number(self.done),
            None => String::new(),
        };
        let percent = self.total.and_then(|total| words::percent(self.done, total)).or(self.service_percent);
        let left = self.seconds_left.map(words::seconds);
        vec![
            clean(self.collection),
            self.state.to_owned(),
            clean(self.phase),
            rows,
            percent.map(|percent| format!("{percent} %")).unwrap_or_default(),
            self.rate.map(|rate| format!("{}/s", words::number(rate))).unwrap_or_default(),
            left.unwrap_or_default(),
        ]
    }
}

/// Rows a second since the last process took the job up; rows of earlier ones do not count. None where the clock was set in
/// between and makes nonsense of it.
fn rate(job: &Job, now: jiff::Timestamp) -> Option<u64> {
    let seconds = now.duration_since(job.attempted?).as_secs_f64();
    let rows = job.rows_done().saturating_sub(job.rows_before_attempt);
    (seconds >= 1.0 && rows > 0).then(|| (rows as f64 / seconds).round() as u64).filter(|rate| *rate > 0)
}

/// Headings of the columns.
const COLUMNS: [&str; 7] = ["COLLECTION", "STATE", "PHASE", "ROWS", "DONE", "RATE", "LEFT"];

/// Entries run by run, the run that began last at the end, where it is seen.
fn by_run<'a>(entries: &'a [StatusEntry], now: jiff::Timestamp) -> Vec<(Option<&'a Job>, Vec<Shown<'a>>)> {
    let mut groups: Vec<(Option<&Job>, Vec<Shown<'_>>)> = Vec::new();
    for entry in entries {
        let job = entry.job.as_ref().ok();
        let shown = Shown::new(entry, now);
        match groups.iter_mut().find(|(first, _)| first.map(|job| &job.header.run) == job.map(|job| &job.header.run)) {
            Some((first, group)) => {
                if job.map(|job| job.header.started) < first.map(|first| first.header.started) {
                    *first = job;
                }
                group.push(shown);
            }
            None => groups.push((job, vec![shown])),
        }
    }
    groups.sort_by_key(|(job, _)| job.map(|job| job.header.started));
    groups
}

fn heading(job: Option<&Job>) -> String {
    match job {
        Some(job) => format!(
            "Run {}: plan {} ({}), started {}",
            clean(&job.header.run),
            clean(&job.header.plan),
            clean(&job.header.plan_file),
            job.header.started.strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
        None => "State that cannot be read".to_owned(),
    }
}

fn summary(entries: &[StatusEntry], now: jiff::Timestamp) -> String {
    let shown: Vec<Shown<'_>> = entries.iter().map(|entry| Shown::new(entry, now)).collect();
    let parts: Vec<String> = ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "CANCELED", "UNKNOWN"]
        .iter()
        .map(|state| (state, shown.iter().filter(|shown| shown.state == *state).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    format!("{}: {}", super::count(entries.len(), "collection"), parts.join(", "))
}

/// The state for a terminal.
pub fn text(entries: &[StatusEntry], now: jiff::Timestamp, style: Style) -> String {
    if entries.is_empty() {
        return format!("{EMPTY}\n");
    }
    let mut text = String::new();
    for (job, group) in by_run(entries, now) {
        for line in wrap(&heading(job), style.width) {
            text.push_str(&format!("{}\n", paint(style, Tone::Loud, &line)));
        }
        text.push_str(&table(&group, style));
        text.push('\n');
    }
    for line in wrap(&summary(entries, now), style.width) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// A table without the columns that nobody has something for. Where it would be too wide, each collection has a line of
/// its own above its figures, because figures that are broken over two lines cannot be read.
fn table(group: &[Shown<'_>], style: Style) -> String {
    let rows: Vec<Vec<String>> = group.iter().map(Shown::cells).collect();
    let used: Vec<bool> = (0..COLUMNS.len()).map(|column| rows.iter().any(|row| !row[column].is_empty())).collect();
    let only_used = |row: Vec<String>| -> Vec<String> {
        row.into_iter().zip(&used).filter(|(_, used)| **used).map(|(cell, _)| cell).collect()
    };
    let mut cells = vec![only_used(COLUMNS.map(str::to_owned).to_vec())];
    cells.extend(rows.into_iter().map(only_used));
    let stacked = !words::fits(&cells, style.width.saturating_sub(2));
    let names: Vec<String> = if stacked { cells.iter_mut().map(|row| row.remove(0)).collect() } else { Vec::new() };
    let indent = if stacked { 4 } else { 2 };
    let mut set = columns(&cells, style.width.saturating_sub(indent)).into_iter();
    let mut text = String::new();
    for line in set.next().unwrap_or_default() {
        text.push_str(&format!("{}{}\n", " ".repeat(indent), paint(style, Tone::Quiet, &line)));
    }
    for (number, (shown, lines)) in group.iter().zip(set).enumerate() {
        // The first of the names is the heading of their column.
        if let Some(name) = names.get(number + 1) {
            text.extend(wrap(name, style.width.saturating_sub(2)).iter().map(|line| format!("  {line}\n")));
        }
        for line in lines {
            // The state stands alone between spaces, so it can be coloured in the finished line.
            let word = format!(" {} ", shown.state);
            let line = format!("{}{line} ", " ".repeat(indent));
            let line = line.replacen(&word, &format!(" {} ", paint(style, shown.tone, shown.state)), 1);
            text.push_str(&format!("{}\n", line.trim_end()));
        }
        let mut say = |line: &str, tone: Tone| {
            for line in wrap(line, style.width.saturating_sub(6)) {
                text.push_str(&format!("      {}\n", paint(style, tone, &line)));
            }
        };
        match shown.retries {
            0 => {}
            1 => say("1 request was repeated", Tone::Careful),
            retries => say(&format!("{} requests were repeated", words::number(retries)), Tone::Careful),
        }
        if shown.quarantined > 0 {
            say(&format!("{} in quarantine", words::rows(shown.quarantined)), Tone::Careful);
        }
        for remark in &shown.remarks {
            say(&clean(remark), Tone::Careful);
        }
        if let Some(error) = shown.error {
            say(&format!("error: {}", clean(error)), Tone::Bad);
        }
    }
    text
}

/// The state in Markdown.
pub fn markdown(entries: &[StatusEntry], now: jiff::Timestamp) -> String {
    if entries.is_empty() {
        return format!("{MARKER}{EMPTY}\n");
    }
    let mut text = format!("{MARKER}**{}**\n\n", summary(entries, now));
    text.push_str("| run | collection | state | phase | rows | done | rate | left | retries | error |\n");
    text.push_str("|---|---|---|---|--:|--:|--:|--:|--:|---|\n");
    let (mut ranked, mut lines) = (Vec::new(), Vec::new());
    for shown in by_run(entries, now).into_iter().flat_map(|(_, group)| group) {
        let mut cells = shown.cells();
        cells[0] = markup::code(shown.collection);
        cells[2] = markup::referenced(&cells[2]);
        let run = if shown.run.is_empty() { String::new() } else { markup::code(shown.run) };
        let said: Vec<&str> = shown.remarks.iter().map(String::as_str).chain(shown.error).collect();
        let error = if said.is_empty() { String::new() } else { markup::code(&said.join("; ")) };
        let retries = if shown.retries > 0 { words::number(shown.retries) } else { String::new() };
        let line = format!("| {run} | {} | {retries} | {error} |\n", cells.join(" | "));
        ranked.push((u8::from(shown.state == "SUCCESSFUL"), line.len()));
        lines.push(line);
    }
    let taken = markup::fitting(&ranked, MOST_BYTES.saturating_sub(text.len() + 200));
    text.extend(lines.into_iter().zip(&taken).filter(|(_, taken)| **taken).map(|(line, _)| line));
    text.push('\n');
    text.push_str(&markup::more(&taken, "collection"));
    text
}

#[cfg(test)]
pub(super) mod tests;
