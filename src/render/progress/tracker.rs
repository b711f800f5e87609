//! How far each collection is, from the events alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::words::{self, clean};
use super::Expected;
use crate::run::Event;

/// How a collection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Succeeded,
    Failed(String),
}

/// One collection.
#[derive(Debug)]
pub(super) struct Collection {
    /// When its first event came.
    pub(super) started: Instant,
    /// When its rows began to flow; rates count from here.
    begun: Instant,
    /// When rows came last.
    flowed: Instant,
    /// Rows that earlier attempts did; they say nothing about how fast this one is.
    before: u64,
    /// Rows done.
    pub(super) done: u64,
    /// Rows in all; 0 where it is not known.
    pub(super) total: u64,
    row_bytes: u64,
    /// What it is busy with.
    pub(super) phase: &'static str,
    /// Rows indexed and rows in all, while indexes grow.
    pub(super) indexing: Option<(u64, u64)>,
    /// What the migration service says of its job, while that is at work.
    pub(super) service: Option<String>,
    /// Requests that were repeated.
    pub(super) retries: u64,
    /// How it stands.
    pub(super) state: State,
}

/// Figures of one collection, or of all together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) bytes: u64,
    pub(super) rate: f64,
    pub(super) byte_rate: f64,
}

impl Figures {
    /// Part done in percent.
    pub(super) fn percent(&self) -> Option<u64> {
        words::percent(self.done, self.total)
    }

    /// Time left; none before one percent is done, because a guess from less is no guess.
    pub(super) fn left(&self) -> Option<Duration> {
        let rows = self.total.saturating_sub(self.done);
        if rows == 0 || self.rate <= 0.0 || self.percent()? < 1 {
            return None;
        }
        Duration::try_from_secs_f64(rows as f64 / self.rate).ok()
    }

    /// Rows and their rate in words.
    pub(super) fn text(&self) -> String {
        let mut parts = Vec::new();
        match self.percent() {
            Some(percent) => {
                let (done, total) = (words::number(self.done), words::number(self.total));
                parts.push(format!("{done}/{total} rows ({percent} %)"));
            }
            None if self.done > 0 => parts.push(words::rows(self.done)),
            None => {}
        }
        if self.rate >= 0.5 {
            parts.push(format!("{} rows/s", words::number(self.rate.round() as u64)));
        }
        if self.rate >= 0.5 && self.byte_rate >= 0.5 {
            parts.push(format!("{}/s", words::bytes(self.byte_rate.round() as u64)));
        }
        if let Some(left) = self.left() {
            parts.push(format!("{} left", words::seconds(left.as_secs().max(1))));
        }
        parts.join(", ")
    }
}

impl Collection {
    fn new(now: Instant) -> Self {
        Self {
            started: now,
            begun: now,
            flowed: now,
            before: 0,
            done: 0,
            total: 0,
            row_bytes: 0,
            phase: "",
            indexing: None,
            service: None,
            retries: 0,
            state: State::Active,
        }
    }

    pub(super) fn figures(&self, now: Instant) -> Figures {
        let fresh = self.done.saturating_sub(self.before);
        // While the copy is verified and indexed, nothing flows, and the rate is that of the copy.
        let copied = self.total > 0 && self.done >= self.total;
        let until = if copied { self.flowed } else { now };
        let rate = per_second(fresh, until.saturating_duration_since(self.begun));
        Figures {
            // A split that is copied again counts again, and nobody wants to read of 101 percent.
            done: if self.total > 0 { self.done.min(self.total) } else { self.done },
            total: self.total,
            bytes: self.done.saturating_mul(self.row_bytes),
            rate,
            byte_rate: rate * self.row_bytes as f64,
        }
    }

    /// The phase in words, with how far indexes have grown.
    pub(super) fn phase_text(&self) -> String {
        if let Some(service) = &self.service {
            return service.clone();
        }
        match self.indexing.and_then(|(done, total)| words::percent(done, total)) {
            Some(percent) if self.phase == "indexing" => format!("indexing {percent} %"),
            _ => self.phase.to_owned(),
        }
    }
}

/// A rate counts from a tenth of a second on: before, it is noise.
fn per_second(rows: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds < 0.1 { 0.0 } else { rows as f64 / seconds }
}

/// All collections.
pub(super) struct Tracker {
    expected: Expected,
    started: Instant,
    finished: bool,
    collections: BTreeMap<String, Collection>,
}

impl Tracker {
    pub(super) fn new(expected: Expected, now: Instant) -> Self {
        Self { expected, started: now, finished: false, collections: BTreeMap::new() }
    }

    /// Takes note of an event. Tells whether it is the first of its collection; nothing where it comes after the end.
    pub(super) fn apply(&mut self, address: &str, event: &Event, now: Instant) -> Option<bool> {
        if self.finished {
            return None;
        }
        let first = !self.collections.contains_key(address);
        let collection = self.collections.entry(address.to_owned()).or_insert_with(|| Collection::new(now));
        if collection.state != State::Active {
            return None;
        }
        match event {
            Event::Begun { done, total, row_bytes } => {
                (collection.begun, collection.before, collection.done) = (now, *done, *done);
                (collection.total, collection.row_bytes) = (*total, *row_bytes);
            }
            Event::Phase(phase) => (collection.phase, collection.service) = (phase, None),
            Event::Service { job, word, percent, .. } => {
                let percent = percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
                collection.service = Some(format!("{} {}{percent}", clean(job), clean(word)));
            }
            Event::Rows(rows) => {
                (collection.done, collection.flowed) = (collection.done.saturating_add(*rows), now);
            }
            Event::Indexing(done, total) => collection.indexing = Some((*done, *total)),
            Event::Retried(_) => collection.retries += 1,
            Event::Succeeded => collection.state = State::Succeeded,
            Event::Failed(why) => collection.state = State::Failed(why.clone()),
        }
        Some(first)
    }

    /// Nothing more will come. Tells whether that is news.
    pub(super) fn finish(&mut self) -> bool {
        !std::mem::replace(&mut self.finished, true)
    }

    pub(super) fn get(&self, address: &str) -> Option<&Collection> {
        self.collections.get(address)
    }

    /// Collections that have begun and not ended.
    pub(super) fn active(&self) -> impl Iterator<Item = (&str, &Collection)> {
        self.collections
            .iter()
            .filter(|(_, collection)| collection.state == State::Active)
            .map(|(address, collection)| (address.as_str(), collection))
    }

    /// Collections that have ended, and all that there are.
    pub(super) fn ended(&self) -> (usize, usize) {
        let ended = self.collections.values().filter(|collection| collection.state != State::Active).count();
        (ended, self.expected.collections.max(self.collections.len()))
    }

    /// Figures of all together. What has not begun yet counts with what was expected of it.
    pub(super) fn whole(&self, now: Instant) -> Figures {
        let mut whole = Figures::default();
        let (mut fresh, mut fresh_bytes) = (0_u64, 0_u64);
        for collection in self.collections.values() {
            let figures = collection.figures(now);
            whole.done = whole.done.saturating_add(figures.done);
            whole.total = whole.total.saturating_add(figures.total);
            whole.bytes = whole.bytes.saturating_add(figures.bytes);
            let rows = collection.done.saturating_sub(collection.before);
            fresh = fresh.saturating_add(rows);
            fresh_bytes = fresh_bytes.saturating_add(rows.saturating_mul(collection.row_bytes));
        }
        if self.collections.len() < self.expected.collections {
            whole.total = whole.total.max(self.expected.rows);
        }
        let time = now.saturating_duration_since(self.started);
        (whole.rate, whole.byte_rate) = (per_second(fresh, time), per_second(fresh_bytes, time));
        whole
    }
}
