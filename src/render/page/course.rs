//! How a run went over time, for the pictures on the page: rows, bytes and repeated requests in steps of equal length, and the
//! phases of each collection. It is kept small however long the run is: when there is no room for another step, two become one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::run::{Event, Observer};

/// Steps that are kept at most: more than a picture has room for.
const MOST_STEPS: usize = 240;
/// Length of a step at first.
const FIRST_STEP: Duration = Duration::from_millis(250);
/// Phases of one collection that are kept; what comes after counts to the last one.
const MOST_PHASES: usize = 24;
/// Collections whose phases are kept.
const MOST_LANES: usize = 1_000;

/// What happened in one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) retries: u64,
}

/// The way of one collection: its phases with when they began, and when it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) phases: Vec<(&'static str, Duration)>,
    pub(super) ended: Option<Duration>,
    row_bytes: u64,
}

/// How a run went over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Length of a step.
    pub(super) step: Duration,
    /// From the first to the last in which something happened.
    pub(super) steps: Vec<Step>,
    /// By address.
    pub(super) lanes: BTreeMap<String, Lane>,
    /// From the beginning to the last event.
    pub(super) took: Duration,
}

impl Default for Course {
    fn default() -> Self {
        Self { step: FIRST_STEP, steps: Vec::new(), lanes: BTreeMap::new(), took: Duration::ZERO }
    }
}

impl Course {
    /// Takes note of an event.
    pub(super) fn note(&mut self, address: &str, event: &Event, at: Duration) {
        self.took = self.took.max(at);
        if !self.lanes.contains_key(address) && self.lanes.len() >= MOST_LANES {
            // Its rows count all the same, without their bytes.
            return self.count(event, 0, at);
        }
        let lane = self.lanes.entry(address.to_owned()).or_default();
        match event {
            Event::Begun { row_bytes, .. } => lane.row_bytes = *row_bytes,
            Event::Phase(phase) if lane.phases.len() < MOST_PHASES => lane.phases.push((*phase, at)),
            Event::Succeeded | Event::Failed(_) => lane.ended = Some(at),
            Event::Phase(_) | Event::Rows(_) | Event::Indexing(..) | Event::Service { .. } | Event::Retried(_) => {}
        }
        let row_bytes = lane.row_bytes;
        self.count(event, row_bytes, at);
    }

    fn count(&mut self, event: &Event, row_bytes: u64, at: Duration) {
        let step = match event {
            Event::Rows(rows) => Step { rows: *rows, bytes: rows.saturating_mul(row_bytes), retries: 0 },
            Event::Retried(_) => Step { retries: 1, ..Step::default() },
            _ => return,
        };
        while self.number(at) >= MOST_STEPS {
            self.halve();
        }
        let number = self.number(at);
        if self.steps.len() <= number {
            self.steps.resize(number + 1, Step::default());
        }
        self.steps[number] = self.steps[number].and(step);
    }

    fn number(&self, at: Duration) -> usize {
        usize::try_from(at.as_millis() / self.step.as_millis().max(1)).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        self.steps = self.steps.chunks(2).map(Step::sum).collect();
        self.step *= 2;
    }
}

impl Step {
    /// Several steps as one.
    pub(super) fn sum(steps: &[Self]) -> Self {
        steps.iter().fold(Self::default(), |sum, step| sum.and(*step))
    }

    fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
            retries: self.retries.saturating_add(other.retries),
        }
    }
}

/// Writes down how a run goes, and passes on everything that it is told.
pub struct Recorder<'a> {
    next: &'a dyn Observer,
    started: Instant,
    course: Mutex<Course>,
}

impl<'a> Recorder<'a> {
    /// A recorder before somebody else who wants to know.
    pub fn new(next: &'a dyn Observer) -> Self {
        Self { next, started: Instant::now(), course: Mutex::default() }
    }

    /// What was written down.
    pub fn course(&self) -> Course {
        self.course.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Recorder<'_> {
    fn event(&self, address: &str, event: &Event) {
        let at = self.started.elapsed();
        self.course.lock().unwrap_or_else(PoisonError::into_inner).note(address, event, at);
        self.next.event(address, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Silent;

    #[test]
    fn a_run_of_days_takes_no_more_room_than_one_of_minutes() {
        let mut course = Course::default();
        course.note("kb.main.a", &Event::Begun { done: 0, total: 0, row_bytes: 10 }, Duration::ZERO);
        for minute in 0..10_000 {
            let at = Duration::from_secs(minute * 60);
            course.note("kb.main.a", &Event::Rows(3), at);
            course.note("kb.main.a", &Event::Phase("copying"), at);
            course.note(&format!("kb.main.{minute}"), &Event::Retried(String::new()), at);
        }
        assert!(course.steps.len() <= MOST_STEPS && course.steps.len() > MOST_STEPS / 2, "{}", course.steps.len());
        assert_eq!(Step::sum(&course.steps), Step { rows: 30_000, bytes: 300_000, retries: 10_000 }, "nothing is lost");
        assert_eq!((course.lanes.len(), course.lanes["kb.main.a"].phases.len()), (MOST_LANES, MOST_PHASES));
        assert!(course.step * u32::try_from(course.steps.len()).expect("few") >= course.took);
    }

    #[test]
    fn who_comes_after_hears_of_everything() {
        struct Count(Mutex<usize>);
        impl Observer for Count {
            fn event(&self, _: &str, _: &Event) {
                *self.0.lock().expect("nobody died") += 1;
            }
        }
        let count = Count(Mutex::new(0));
        let recorder = Recorder::new(&count);
        for event in [Event::Phase("copying"), Event::Rows(1), Event::Succeeded] {
            recorder.event("a", &event);
        }
        assert_eq!(*count.0.lock().expect("nobody died"), 3);
        assert_eq!(recorder.course().steps.iter().map(|step| step.rows).sum::<u64>(), 1);
        assert!(recorder.course().lanes["a"].ended.is_some());
        assert_eq!(Recorder::new(&Silent).course(), Course::default());
    }
}
