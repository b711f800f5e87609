//! Progress for machines: one JSON object a line. A new minor version of the format only adds, and readers are to pass
//! over types that they do not know.

use std::collections::HashMap;
use std::time::{Duration, Instant};

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::super::values::FORMAT_VERSION;
use super::super::words::{self, clean};
use super::tracker::Tracker;
use super::{Output, Sink};
use crate::run::Event;

/// One line of what `vecferry apply --log-format json` and `vecferry verify --log-format json` write to stderr. Lines that have
/// no `type` are the log's, and readers pass over types that they do not know.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(in crate::render) struct Line<'a> {
    /// How much it matters: `info`, `warn` or `error`.
    #[serde(rename = "@level")]
    #[cfg_attr(test, schemars(extend("enum" = ["info", "warn", "error"])))]
    level: &'static str,
    /// What happened, in words that a terminal may be shown.
    #[serde(rename = "@message")]
    message: String,
    /// When.
    #[serde(rename = "@timestamp")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    timestamp: jiff::Timestamp,
    #[serde(flatten)]
    what: What<'a>,
}

/// What happened.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
enum What<'a> {
    /// The first line: what writes the others.
    Version {
        /// Version of these lines: readers refuse a major version that they do not know.
        #[cfg_attr(test, schemars(regex(pattern = r"^1\.[0-9]+$")))]
        format: &'static str,
        /// Version of vecferry.
        tool: &'static str,
    },
    /// A collection was begun or taken up.
    ApplyStart {
        /// The plan's name for it: `migration.database.collection` of the target.
        address: &'a str,
    },
    /// It entered a phase.
    Phase {
        /// The plan's name for it.
        address: &'a str,
        /// What it is busy with, in a word. A later version may know other words.
        phase: &'a str,
    },
    /// How far it is; once a second at most.
    ApplyProgress {
        /// The plan's name for it.
        address: &'a str,
        /// What it is busy with, in a word; empty before the first.
        phase: &'a str,
        /// Rows that are done, those of earlier attempts too.
        rows_done: u64,
        /// Rows in all; null where that is not known.
        rows_total: Option<u64>,
        /// Part of the rows that is done.
        percent_done: Option<u64>,
        /// Bytes that are done, by the size of one row.
        bytes_done: u64,
        /// Rows a second since rows began to flow.
        rows_per_second: u64,
        /// Seconds since it was begun.
        seconds_elapsed: u64,
        /// Seconds that the rest takes at that rate; null where it is too early to say.
        seconds_remaining: Option<u64>,
        /// Rows that the target has indexed; null before it indexes.
        rows_indexed: Option<u64>,
        /// Rows that it is to index.
        rows_to_index: Option<u64>,
        /// Requests that were repeated.
        retries: u64,
    },
    /// The migration service said something about the job that brings it.
    ServiceJob {
        /// The plan's name for the collection.
        address: &'a str,
        /// The job's id.
        job: &'a str,
        /// The service's own word.
        state: &'a str,
        /// Percent, where the service says it.
        percent: Option<u8>,
        /// Whether it has been waiting for its turn for very long.
        waits: bool,
    },
    /// A request was repeated; once a second at most.
    Retry {
        /// The plan's name for the collection.
        address: &'a str,
        /// Why.
        reason: &'a str,
        /// Requests of this collection that were repeated so far.
        retries: Option<u64>,
    },
    /// It ended well.
    ApplyComplete {
        /// The plan's name for it.
        address: &'a str,
        /// Rows that are done.
        rows_done: u64,
        /// Seconds since it was begun.
        seconds_elapsed: u64,
        /// Requests that were repeated.
        retries: u64,
    },
    /// It ended otherwise.
    ApplyErrored {
        /// The plan's name for it.
        address: &'a str,
        /// Why.
        error: &'a str,
        /// Rows that are done.
        rows_done: u64,
        /// Seconds since it was begun.
        seconds_elapsed: u64,
        /// Requests that were repeated.
        retries: u64,
    },
}

pub(super) struct Events {
    out: Output,
    every: Duration,
    /// When each collection's progress, and its retries, were told last.
    told: HashMap<String, Told>,
}

#[derive(Default)]
struct Told {
    progress: Option<Instant>,
    retry: Option<Instant>,
    /// Whether something happened since.
    stale: bool,
}

impl Events {
    pub(super) fn new(out: Output, every: Duration) -> Self {
        let mut events = Self { out, every, told: HashMap::new() };
        let message = format!("vecferry {}", env!("CARGO_PKG_VERSION"));
        let version = What::Version { format: FORMAT_VERSION, tool: env!("CARGO_PKG_VERSION") };
        events.say("info", &message, version);
        events
    }

    fn say(&mut self, level: &'static str, message: &str, what: What<'_>) {
        // Readers that know nothing else of an event show its message, most likely on a terminal.
        let line = Line { level, message: clean(message), timestamp: jiff::Timestamp::now(), what };
        // By way of a value, which sorts the names: a line is easier on the eye, and as it always was.
        if let Ok(line) = serde_json::to_value(line) {
            self.out.line(&line.to_string());
        }
    }

    fn progress(&mut self, tracker: &Tracker, address: &str, now: Instant) {
        let Some(collection) = tracker.get(address) else { return };
        let told = self.told.entry(address.to_owned()).or_default();
        told.stale = true;
        if told.progress.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            return;
        }
        (told.progress, told.stale) = (Some(now), false);
        let figures = collection.figures(now);
        let (rows_indexed, rows_to_index) = collection.indexing.unzip();
        let what = What::ApplyProgress {
            address,
            phase: collection.phase,
            rows_done: figures.done,
            rows_total: (figures.total > 0).then_some(figures.total),
            percent_done: figures.percent(),
            bytes_done: figures.bytes,
            rows_per_second: figures.rate.round() as u64,
            seconds_elapsed: now.saturating_duration_since(collection.started).as_secs(),
            seconds_remaining: figures.left().map(|left| left.as_secs()),
            rows_indexed,
            rows_to_index,
            retries: collection.retries,
        };
        let parts = [collection.phase_text(), figures.text()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.say("info", &format!("{address}: {}", parts.join(", ")), what);
    }

    fn retried(&mut self, tracker: &Tracker, address: &str, reason: &str, now: Instant) {
        let told = self.told.entry(address.to_owned()).or_default();
        if told.retry.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            return;
        }
        told.retry = Some(now);
        let retries = tracker.get(address).map(|collection| collection.retries);
        let what = What::Retry { address, reason, retries };
        self.say("warn", &format!("{address}: a request is repeated: {reason}"), what);
    }
}

impl Sink for Events {
    fn event(&mut self, tracker: &Tracker, address: &str, event: &Event, first: bool, now: Instant) {
        if first {
            self.say("info", &format!("{address}: started"), What::ApplyStart { address });
        }
        let Some(collection) = tracker.get(address) else { return };
        let seconds_elapsed = now.saturating_duration_since(collection.started).as_secs();
        let (rows_done, retries) = (collection.figures(now).done, collection.retries);
        match event {
            Event::Begun { .. } | Event::Rows(_) | Event::Indexing(..) => self.progress(tracker, address, now),
            Event::Phase(phase) => {
                self.say("info", &format!("{address}: {phase}"), What::Phase { address, phase });
            }
            Event::Service { job, word, percent, waits } => {
                let what = What::ServiceJob { address, job, state: word, percent: *percent, waits: *waits };
                let said = collection.service.clone().unwrap_or_default();
                self.say("info", &format!("{address}: {said}"), what);
            }
            Event::Retried(reason) => self.retried(tracker, address, reason, now),
            Event::Succeeded => {
                let what = What::ApplyComplete { address, rows_done, seconds_elapsed, retries };
                self.say("info", &format!("{address}: {} done", words::rows(rows_done)), what);
            }
            Event::Failed(error) => {
                let what = What::ApplyErrored { address, error, rows_done, seconds_elapsed, retries };
                self.say("error", &format!("{address}: {error}"), what);
            }
        }
    }

    fn tick(&mut self, tracker: &Tracker, now: Instant) {
        let stale: Vec<String> = tracker
            .active()
            .filter(|(address, _)| self.told.get(*address).is_some_and(|told| told.stale))
            .map(|(address, _)| address.to_owned())
            .collect();
        for address in stale {
            self.progress(tracker, &address, now);
        }
    }

    fn finish(&mut self, _: &Tracker, _: Instant) {}
}
