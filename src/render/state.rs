//! The jobs that the state remembers: one line for each, or everything about one.

use serde_json::{Value, json as value};

use super::markup::{self, MARKER};
use super::status::{self, Shown, StatusEntry, json_one};
use super::words::{self, Tone, clean, columns, pad, paint, wrap};
use super::{Style, values};
use crate::state::{Holder, Job};

/// Said where the state remembers nothing.
const EMPTY: &str = "No jobs.";
/// Headings of the list.
const COLUMNS: [&str; 6] = ["JOB", "STATE", "ROWS", "RUN", "LAST RECORD", "LOCKED BY"];
/// Columns before what is said of a job.
const MARGIN: usize = 14;

/// A job with what lies beside it.
pub struct Detail {
    /// What the status shows of it.
    pub entry: StatusEntry,
    /// Its journal's file.
    pub journal: String,
    /// The folder of its rows that do not fit, if there is one.
    pub quarantine: Option<String>,
}

fn cells(entry: &StatusEntry, now: jiff::Timestamp) -> Vec<String> {
    let shown = Shown::new(entry, now);
    let job = entry.job.as_ref().ok();
    let rows = match (job, shown.total) {
        (None, _) => String::new(),
        (_, Some(total)) => format!("{}/{}", words::number(shown.done), words::number(total)),
        (_, None) => words::number(shown.done),
    };
    vec![
        clean(&entry.id),
        shown.state.to_owned(),
        rows,
        job.map(|job| clean(&job.header.run)).unwrap_or_default(),
        job.map(|job| time(job.touched)).unwrap_or_default(),
        entry.holder.owner().map(|owner| clean(format!("{} {}", owner.run, owner.host).trim())).unwrap_or_default(),
    ]
}

fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// One line for each job.
pub fn list_text(entries: &[StatusEntry], now: jiff::Timestamp, style: Style) -> String {
    if entries.is_empty() {
        return format!("{EMPTY}\n");
    }
    let mut table = vec![COLUMNS.map(str::to_owned).to_vec()];
    table.extend(entries.iter().map(|entry| cells(entry, now)));
    // An id is there to be copied, so lines are rather too long than broken.
    let lines = columns(&table, usize::MAX).into_iter().flatten();
    let mut text = String::new();
    for (number, line) in lines.enumerate() {
        let tone = if number == 0 { Tone::Quiet } else { Tone::Plain };
        text.push_str(&format!("{}\n", paint(style, tone, &line)));
    }
    text
}

/// The same in Markdown.
pub fn list_markdown(entries: &[StatusEntry], now: jiff::Timestamp) -> String {
    if entries.is_empty() {
        return format!("{MARKER}{EMPTY}\n");
    }
    let mut text =
        format!("{MARKER}| job | state | rows | run | last record | locked by |\n|---|---|--:|---|---|---|\n");
    for entry in entries {
        let mut cells = cells(entry, now);
        for cell in [0, 3, 5] {
            if !cells[cell].is_empty() {
                cells[cell] = markup::code(&cells[cell]);
            }
        }
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// The same as one JSON document.
pub fn list_json(entries: &[StatusEntry], now: jiff::Timestamp) -> Value {
    status::json(entries, now)
}

/// Everything about one, as names and values.
fn facts(detail: &Detail, now: jiff::Timestamp) -> Vec<(&'static str, String)> {
    let shown = Shown::new(&detail.entry, now);
    let phase = if shown.phase.is_empty() { String::new() } else { format!(", {}", shown.phase) };
    let mut facts = vec![("state", format!("{}{phase}", shown.state))];
    if let Ok(job) = &detail.entry.job {
        facts.extend(of_job(job, detail));
    }
    facts.push((
        "lock",
        match &detail.entry.holder {
            Holder::Nobody => "free".to_owned(),
            Holder::Alive(owner) => format!("held by {owner}"),
            Holder::Unseen(owner) => format!("held by {owner}, which cannot be seen from here"),
        },
    ));
    if let Ok(job) = &detail.entry.job {
        facts.push(("last record", time(job.touched)));
    }
    facts.extend(detail.entry.newer().map(|newer| ("note", newer)));
    facts.extend(shown.error.map(|error| ("error", error.to_owned())));
    facts.push(("journal", detail.journal.clone()));
    facts
}

fn of_job(job: &Job, detail: &Detail) -> Vec<(&'static str, String)> {
    let header = &job.header;
    let (done, dirty) = (job.splits_done(), job.splits_dirty());
    let splits = match &job.splits {
        None => "not yet made".to_owned(),
        Some(all) => format!(
            "{}: {done} done, {dirty} that may have arrived in part, {} not tried",
            all.len(),
            all.len().saturating_sub(done + dirty)
        ),
    };
    let rows = match job.rows_expected() {
        Some(all) => format!("{} of {} acknowledged", words::number(job.rows_done()), words::number(all)),
        None => "not yet counted".to_owned(),
    };
    let verified =
        if job.is_successful() { format!(", {} verified", words::number(job.verified_rows)) } else { String::new() };
    let attempt = match (job.attempted, job.pid) {
        (Some(at), Some(pid)) => format!("{}, the last at {} by process {pid}", job.attempts, time(at)),
        _ => "none yet".to_owned(),
    };
    let target = match job.target_id {
        Some(0) | None => String::new(),
        Some(id) => format!(" (id {id})"),
    };
    let mut facts = vec![
        ("source", format!("{} {} (id {})", header.source_uri, header.source, header.source_id)),
        ("target", format!("{} {}{target}", header.target_uri, header.target)),
        ("plan", format!("{} ({}), entry {}", header.plan, header.plan_file, header.address)),
        ("plan hash", header.plan_hash.clone()),
        (
            "run",
            format!(
                "{}, begun {} by vecferry {} (format {})",
                header.run,
                time(header.started),
                header.tool,
                header.format
            ),
        ),
        (
            "kind",
            if header.converging { "writes into a collection that it did not make" } else { "makes its collection" }
                .to_owned(),
        ),
        ("attempts", attempt),
        ("splits", splits),
        ("rows", format!("{rows}{verified}")),
        ("retries", words::number(job.retries)),
    ];
    if let Some(partitions) = &job.release_source {
        let what = if partitions.is_empty() { "the source".to_owned() } else { partitions.join(", ") };
        facts.push(("loaded", format!("{what}, to be released when all is done")));
    }
    if job.rows_quarantined() > 0 || detail.quarantine.is_some() {
        let folder = detail.quarantine.as_ref().map(|folder| format!(" in {folder}")).unwrap_or_default();
        facts.push(("quarantine", format!("{}{folder}", words::rows(job.rows_quarantined()))));
    }
    facts
}

/// Everything about one job.
pub fn show_text(detail: &Detail, now: jiff::Timestamp, style: Style) -> String {
    let mut text = format!("{}\n", paint(style, Tone::Loud, &format!("Job {}", clean(&detail.entry.id))));
    for (name, said) in facts(detail, now) {
        let mut name = pad(&format!("  {name}"), MARGIN);
        let tone = if name.trim() == "error" { Tone::Bad } else { Tone::Plain };
        for line in wrap(&clean(&said), style.width.saturating_sub(MARGIN)) {
            text.push_str(&format!("{name}{}\n", paint(style, tone, &line)));
            name = " ".repeat(MARGIN);
        }
    }
    text
}

/// The same in Markdown.
pub fn show_markdown(detail: &Detail, now: jiff::Timestamp) -> String {
    let mut text = format!("{MARKER}**Job {}**\n\n|  |  |\n|---|---|\n", markup::code(&detail.entry.id));
    for (name, said) in facts(detail, now) {
        text.push_str(&format!("| {name} | {} |\n", markup::code(&said)));
    }
    text
}

/// The same as one JSON document.
pub fn show_json(detail: &Detail, now: jiff::Timestamp) -> Value {
    let mut document = json_one(&detail.entry, now);
    let job = detail.entry.job.as_ref().ok();
    let more = value!({
        "format_version": values::FORMAT_VERSION,
        "journal": detail.journal,
        "quarantine": detail.quarantine,
        "plan_hash": job.map(|job| &job.header.plan_hash),
        "format": job.map(|job| job.header.format),
        "tool": job.map(|job| &job.header.tool),
        "source_id": job.map(|job| job.header.source_id),
        "target_id": job.and_then(|job| job.target_id),
        "converging": job.map(|job| job.header.converging),
        "attempted": job.and_then(|job| job.attempted),
        "pid": job.and_then(|job| job.pid),
        "splits": job.and_then(|job| job.splits.as_ref().map(|splits| value!({
            "all": splits.len(),
            "done": job.splits_done(),
            "dirty": job.splits_dirty(),
        }))),
    });
    if let (Some(members), Value::Object(more)) = (document.as_object_mut(), more) {
        members.extend(more);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NARROW, NASTY, WIDE, assert_sound};
    use super::super::status::tests::{all, at};
    use super::*;

    fn detail(number: usize) -> Detail {
        let entry = all().remove(number);
        let quarantine = (number == 0).then(|| ".vecferry/quarantine/a/r2".to_owned());
        Detail { journal: format!(".vecferry/jobs/{}.journal", entry.id), entry, quarantine }
    }

    #[test]
    fn a_list_for_people() {
        insta::assert_snapshot!(list_text(&all(), at(150), WIDE));
    }

    #[test]
    fn a_list_for_a_comment() {
        let markdown = list_markdown(&all(), at(150));
        assert_sound(&markdown);
        insta::assert_snapshot!(markdown);
    }

    #[test]
    fn one_job_for_people() {
        let said: Vec<String> = (0..all().len()).map(|number| show_text(&detail(number), at(150), NARROW)).collect();
        assert!(said.iter().flat_map(|text| text.lines()).all(|line| words::width(line) <= 80), "{said:?}");
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn one_job_for_a_comment() {
        let markdown = show_markdown(&detail(2), at(150));
        assert_sound(&markdown);
        insta::assert_snapshot!(markdown);
    }

    #[test]
    fn one_job_for_machines() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&show_json(&detail(0), at(150))).expect("json"));
    }

    #[test]
    fn names_from_outside_stay_in_their_place() {
        let mut detail = detail(0);
        let Ok(job) = &mut detail.entry.job else { panic!("a job") };
        for name in [&mut job.header.run, &mut job.header.plan, &mut job.header.target, &mut job.phase] {
            *name = NASTY.to_owned();
        }
        (detail.entry.id, detail.journal) = (NASTY.to_owned(), NASTY.to_owned());
        assert_sound(&show_markdown(&detail, at(1)));
        assert!(!show_text(&detail, at(1), NARROW).contains(|c: char| c.is_control() && c != '\n'));
        assert!(!list_text(&[detail.entry], at(1), NARROW).contains(|c: char| c.is_control() && c != '\n'));
    }
}
