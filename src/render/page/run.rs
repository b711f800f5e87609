//! The run on the page: how it ended, what failed and what to do, how fast it went, and how each collection fared.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::reports::{self, Ending};
use super::super::words;
use super::course::{Course, Lane};
use super::{Tile, changes, heading, name, prose, rate, tiles};
use crate::diff::{Change, Diff, Work};
use crate::run::{JobError, Report};

/// The last line of the text, which scripts read.
pub(super) fn summary(diff: &Diff, reports: &[Report]) -> String {
    reports::summary(reports, &blocked(diff))
}

fn blocked(diff: &Diff) -> Vec<&Change> {
    diff.changes.iter().filter(|change| !change.blocked.is_empty()).collect()
}

/// Everything about the run.
pub(super) fn section(diff: &Diff, reports: &[Report], course: &Course, command: &str, at: Timestamp) -> Markup {
    let blocked = blocked(diff);
    let failed: Vec<&Report> = reports.iter().filter(|report| report.result.is_err()).collect();
    html! {
        (heading("Apply", lead(reports, &blocked), at))
        (tiles(&endings(reports, &blocked)))
        @if reports::is_incomplete(reports, &blocked) {
            div.next {
                p {
                    "See to the reasons given, then run this again. It goes on where it stopped; what is done stays done."
                }
                pre { code { (words::clean(command)) } }
            }
        }
        @if !failed.is_empty() || !blocked.is_empty() {
            section aria-labelledby="failed" {
                h2 #failed { "What did not succeed" }
                @for report in failed { (failure(report)) }
                @for change in &blocked {
                    @for note in &change.blocked { (changes::noted(note, "bad", html! { "BLOCKED " (name(&change.address)) })) }
                }
            }
        }
        @if !reports.is_empty() {
            section aria-labelledby="run" {
                h2 #run { "The run" }
                (rate::picture(course))
                (table(diff, reports, course))
            }
        }
    }
}

fn lead(reports: &[Report], blocked: &[&Change]) -> &'static str {
    let successful = reports::count(reports, Ending::Successful);
    match (reports::is_incomplete(reports, blocked), successful, reports.len()) {
        (false, _, 0) => "Nothing was to be done",
        (false, ..) => "Everything arrived and is verified",
        (true, 0, _) => "Nothing arrived",
        (true, ..) => "Not everything arrived",
    }
}

fn endings(reports: &[Report], blocked: &[&Change]) -> [Tile; 4] {
    let tile = |ending, class, sign, word| Tile { class, sign, number: reports::count(reports, ending), word };
    [
        tile(Ending::Successful, "create", "✓", "successful"),
        tile(Ending::Failed, "replace", "✗", "failed"),
        tile(Ending::Canceled, "update", "◼", "canceled"),
        Tile { class: "blocked", sign: "!", number: blocked.len(), word: "blocked" },
    ]
}

fn failure(report: &Report) -> Markup {
    let ending = Ending::of(report);
    html! {
        div.note.(if ending == Ending::Canceled { "careful" } else { "bad" }) {
            p { strong { (ending.word()) } " " (name(&report.address)) }
            @if let Err(error) = &report.result {
                @if matches!(error, JobError::Interrupted) {
                    p { "Stopped; what was written is recorded, and the same command goes on from there." }
                } @else {
                    p { (prose(&error.to_string())) }
                    @if let Some(found) = error.difference() { (changes::keys(found)) }
                    p.help { (prose(error.help())) }
                }
            }
        }
    }
}

/// One row for each collection, with its way through the phases.
fn table(diff: &Diff, reports: &[Report], course: &Course) -> Markup {
    let known: Vec<&str> = PHASES.iter().map(|(class, ..)| *class).collect();
    let occurs = |class: &str| {
        let mut phases = course.lanes.values().flat_map(|lane| &lane.phases);
        known.contains(&class) && phases.any(|(phase, _)| class_of(phase) == class)
    };
    html! {
        ul.legend {
            @for (class, word) in PHASES { @if occurs(class) { li { span.swatch.(class) aria-hidden="true" {} (word) } } }
        }
        table.results role="table" data-sortable {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Collection" }
                    th role="columnheader" scope="col" { "State" }
                    @for label in ["Verified", "Written", "Splits", "Retries", "Time"] {
                        th.number role="columnheader" scope="col" { (label) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for report in reports { (row(diff, report, course)) }
            }
        }
    }
}

fn row(diff: &Diff, report: &Report, course: &Course) -> Markup {
    let success = report.result.as_ref().ok().filter(|_| report.work != Work::Touch);
    let (done, all) = report.splits;
    let retries: u64 = report.retried.values().sum();
    let mut more: Vec<String> = report.result.as_ref().ok().map_or_else(Vec::new, |success| {
        reports::success_lines(report.work, success).into_iter().skip(usize::from(report.work != Work::Touch)).collect()
    });
    more.extend(reports::repeated(report));
    let number = |value: Option<u64>| html! { @match value { Some(value) => (words::number(value)), None => "–" } };
    let (class, sign) = match Ending::of(report) {
        Ending::Successful => ("good", "✓"),
        Ending::Canceled => ("careful", "◼"),
        Ending::Failed => ("bad", "✗"),
    };
    let anchor = changes::anchor(diff, &report.address);
    html! {
        tr role="row" {
            th role="rowheader" scope="row" {
                a href={ "#" (anchor) } { (name(&report.address)) }
                @if let Some(lane) = course.lanes.get(&report.address) { (way(lane, course.took)) }
                @if !more.is_empty() { ul.more { @for line in &more { li { (prose(line)) } } } }
            }
            td.state.(class) role="cell" data-label="State" {
                span aria-hidden="true" { (sign) } " " (Ending::of(report).word())
            }
            td.number role="cell" data-label="Verified" { (number(success.map(|success| success.rows))) }
            td.number role="cell" data-label="Written" { (number(success.map(|success| success.written))) }
            td.number role="cell" data-label="Splits" data-value=(done) {
                @if all == 0 { "–" } @else if done == all { (all) } @else { (done) " of " (all) }
            }
            td.number role="cell" data-label="Retries" { (words::number(retries)) }
            td.number role="cell" data-label="Time" data-value=(report.took.as_millis()) { (words::duration(report.took)) }
        }
    }
}

/// Phases that take time, each with a colour; the others share one.
const PHASES: [(&str, &str); 6] = [
    ("copying", "copying"),
    ("migrating", "moved by the migration service"),
    ("indexing", "indexing"),
    ("loading", "loading"),
    ("verifying", "verifying"),
    ("other", "everything else"),
];

fn class_of(phase: &str) -> &'static str {
    PHASES.iter().map(|(class, _)| *class).find(|class| phase.starts_with(class)).unwrap_or("other")
}

/// When which phase was on, as a bar as long as the run. The times are in its title too.
fn way(lane: &Lane, took: Duration) -> Markup {
    let whole = took.as_secs_f64().max(0.001);
    let ends = lane.phases.iter().skip(1).map(|(_, began)| *began).chain([lane.ended.unwrap_or(took)]);
    let parts: Vec<(&str, Duration, Duration)> =
        lane.phases.iter().zip(ends).map(|((phase, began), ended)| (*phase, *began, ended)).collect();
    let at = |time: Duration| format!("{:.1}", time.as_secs_f64() / whole * 1_000.0);
    let said: Vec<String> = parts
        .iter()
        .map(|(phase, began, ended)| format!("{phase} {}", words::duration(ended.saturating_sub(*began))))
        .collect();
    html! {
        @if !parts.is_empty() {
            svg.way viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(said.join(", ")) {
                title { (said.join(", ")) }
                rect.track width="1000" height="10" {}
                @for (phase, began, ended) in &parts {
                    rect.(class_of(phase)) x=(at(*began)) width=(at(ended.saturating_sub(*began))) height="10" {}
                }
            }
        }
    }
}
