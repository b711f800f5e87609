//! Progress for logs: a line for what begins and ends, and a few lines now and then.

use std::time::{Duration, Instant};

use super::super::words::{self, clean};
use super::tracker::{Collection, Tracker};
use super::{Output, Sink};
use crate::run::Event;

/// Collections that a report lists at most.
const MOST_LISTED: usize = 8;

pub(super) struct Lines {
    out: Output,
    every: Duration,
    last: Instant,
}

impl Lines {
    pub(super) fn new(out: Output, every: Duration, now: Instant) -> Self {
        Self { out, every, last: now }
    }

    fn report(&mut self, tracker: &Tracker, now: Instant) {
        self.last = now;
        let (ended, all) = tracker.ended();
        let figures = tracker.whole(now).text();
        let separator = if figures.is_empty() { "" } else { ", " };
        self.out.line(&format!("progress: {figures}{separator}{ended} of {all} collections ended"));
        let active: Vec<_> = tracker.active().collect();
        for (address, collection) in active.iter().take(MOST_LISTED) {
            self.out.line(&format!("  {}: {}", clean(address), described(collection, now)));
        }
        if active.len() > MOST_LISTED {
            self.out.line(&format!("  and {} more", active.len() - MOST_LISTED));
        }
    }
}

fn described(collection: &Collection, now: Instant) -> String {
    let retries = match collection.retries {
        0 => String::new(),
        1 => "1 retry".to_owned(),
        retries => format!("{retries} retries"),
    };
    let parts = [collection.phase_text(), collection.figures(now).text(), retries];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "waiting".to_owned() } else { parts.join(", ") }
}

impl Sink for Lines {
    fn event(&mut self, tracker: &Tracker, address: &str, event: &Event, _: bool, now: Instant) {
        if let Some(line) = said(tracker, address, event, now) {
            self.out.line(&line);
        }
        if now.saturating_duration_since(self.last) >= self.every {
            self.report(tracker, now);
        }
    }

    fn tick(&mut self, tracker: &Tracker, now: Instant) {
        // The clock of the thread that calls may be a little early.
        if now.saturating_duration_since(self.last) + Duration::from_millis(50) >= self.every {
            self.report(tracker, now);
        }
    }

    fn finish(&mut self, _: &Tracker, _: Instant) {}
}

/// The line for an event that deserves one.
pub(super) fn said(tracker: &Tracker, address: &str, event: &Event, now: Instant) -> Option<String> {
    let collection = tracker.get(address)?;
    let took = words::duration(now.saturating_duration_since(collection.started));
    let address = clean(address);
    match event {
        Event::Begun { done: 0, total, .. } => Some(format!("{address}: begun, {}", words::rows(*total))),
        Event::Begun { done, total, .. } => {
            Some(format!("{address}: goes on, {} of {} done before", words::number(*done), words::rows(*total)))
        }
        Event::Succeeded => Some(format!("{address}: succeeded after {took}")),
        Event::Failed(why) => Some(format!("{address}: failed after {took}: {}", clean(why))),
        Event::Service { job, word, waits: true, .. } => Some(format!(
            "{address}: job {} has been {} for long; the console of Zilliz Cloud shows what it waits for (Jobs)",
            clean(job),
            clean(word)
        )),
        Event::Phase(_) | Event::Rows(_) | Event::Indexing(..) | Event::Service { .. } | Event::Retried(_) => None,
    }
}
