//! Progress for machines: one JSON object a line. A new minor version of the format only adds, and readers are to pass
//! over types that they do not know.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::values::FORMAT_VERSION;
use super::super::words::{self, clean};
use super::tracker::Tracker;
use super::{Output, Sink};
use crate::run::Event;

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
        let version = json!({ "format": FORMAT_VERSION, "tool": env!("CARGO_PKG_VERSION") });
        events.say("version", "info", &message, version);
        events
    }

    fn say(&mut self, kind: &str, level: &str, message: &str, more: Value) {
        let mut object = Map::new();
        object.insert("@level".to_owned(), json!(level));
        // Readers that know nothing else of an event show its message, most likely on a terminal.
        object.insert("@message".to_owned(), json!(clean(message)));
        object.insert("@timestamp".to_owned(), json!(jiff::Timestamp::now()));
        object.insert("type".to_owned(), json!(kind));
        if let Value::Object(more) = more {
            object.extend(more);
        }
        self.out.line(&Value::Object(object).to_string());
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
        let (indexed, to_index) = collection.indexing.unzip();
        let more = json!({
            "address": address,
            "phase": collection.phase,
            "rows_done": figures.done,
            "rows_total": (figures.total > 0).then_some(figures.total),
            "percent_done": figures.percent(),
            "bytes_done": figures.bytes,
            "rows_per_second": figures.rate.round() as u64,
            "seconds_elapsed": now.saturating_duration_since(collection.started).as_secs(),
            "seconds_remaining": figures.left().map(|left| left.as_secs()),
            "rows_indexed": indexed,
            "rows_to_index": to_index,
            "retries": collection.retries,
        });
        let parts = [collection.phase_text(), figures.text()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.say("apply_progress", "info", &format!("{address}: {}", parts.join(", ")), more);
    }

    fn retried(&mut self, tracker: &Tracker, address: &str, reason: &str, now: Instant) {
        let told = self.told.entry(address.to_owned()).or_default();
        if told.retry.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            return;
        }
        told.retry = Some(now);
        let retries = tracker.get(address).map(|collection| collection.retries);
        let more = json!({ "address": address, "reason": reason, "retries": retries });
        self.say("retry", "warn", &format!("{address}: a request is repeated: {reason}"), more);
    }
}

impl Sink for Events {
    fn event(&mut self, tracker: &Tracker, address: &str, event: &Event, first: bool, now: Instant) {
        if first {
            self.say("apply_start", "info", &format!("{address}: started"), json!({ "address": address }));
        }
        let Some(collection) = tracker.get(address) else { return };
        let took = now.saturating_duration_since(collection.started);
        match event {
            Event::Begun { .. } | Event::Rows(_) | Event::Indexing(..) => self.progress(tracker, address, now),
            Event::Phase(phase) => {
                let more = json!({ "address": address, "phase": phase });
                self.say("phase", "info", &format!("{address}: {phase}"), more);
            }
            Event::Service { job, word, percent, waits } => {
                let more = json!({ "address": address, "job": job, "state": word, "percent": percent, "waits": waits });
                let said = collection.service.clone().unwrap_or_default();
                self.say("service_job", "info", &format!("{address}: {said}"), more);
            }
            Event::Retried(reason) => self.retried(tracker, address, reason, now),
            Event::Succeeded => {
                let done = collection.figures(now).done;
                let more = json!({
                    "address": address,
                    "rows_done": done,
                    "seconds_elapsed": took.as_secs(),
                    "retries": collection.retries,
                });
                self.say("apply_complete", "info", &format!("{address}: {} done", words::rows(done)), more);
            }
            Event::Failed(error) => {
                let more = json!({
                    "address": address,
                    "error": error,
                    "rows_done": collection.figures(now).done,
                    "seconds_elapsed": took.as_secs(),
                    "retries": collection.retries,
                });
                self.say("apply_errored", "error", &format!("{address}: {error}"), more);
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
