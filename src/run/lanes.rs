//! How many splits are written at once, found out by what the target makes of it.
//!
//! A server that is busy with all its processors takes rows more slowly the more requests it is given at once, and one that waits
//! for its disks or for the network takes them faster. Nothing that it says tells which of the two it is. So writing begins with
//! two requests at once, and every now and then one more or one less is tried for a while: what moved more bytes a second stays.
//! A limit that somebody set is never exceeded. Small requests are no strain and are not held back by any of this: of many small
//! collections, as many are written at once as the plan allows.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::JobError;

/// Requests at once in the beginning.
const FIRST: usize = 2;
/// Bytes up to which a request is small.
const SMALL: u64 = 1 << 20;
/// Requests, for each of those at once, after which a rate is believed.
const MEASURED: usize = 6;
/// How much faster one more has to be to stay.
const FASTER: f64 = 1.08;
/// How much of the speed one less may cost and stay.
const AS_FAST: f64 = 0.99;
/// Measurements between two trials: at first, and at most.
const BETWEEN: (u32, u32) = (2, 32);
/// A pause that long is no part of any measurement.
const IDLE: Duration = Duration::from_secs(2);

/// The right to write, for several at once.
#[derive(Debug)]
pub struct Lanes {
    most: usize,
    all: Semaphore,
    large: Semaphore,
    state: Mutex<State>,
}

/// The right to write one split.
#[derive(Debug)]
pub struct Lane<'a> {
    lanes: &'a Lanes,
    _any: SemaphorePermit<'a>,
    large: Option<SemaphorePermit<'a>>,
}

#[derive(Debug)]
struct State {
    /// Large requests that are let through at once.
    open: usize,
    /// Lanes to close as soon as they are free.
    closing: usize,
    /// What was written since when.
    requests: usize,
    bytes: u64,
    since: Option<Instant>,
    last: Option<Instant>,
    /// Bytes a second with as many as are open, before a trial.
    rate: Option<f64>,
    /// How many were open before the trial that is going on.
    before: Option<usize>,
    /// Whether the next trial is one more, or one less.
    upward: bool,
    wait: u32,
    pause: u32,
}

impl Lanes {
    /// For at most so many at once.
    pub fn new(most: usize) -> Self {
        let open = FIRST.min(most.max(1));
        Self {
            most: most.max(1),
            all: Semaphore::new(most.max(1)),
            large: Semaphore::new(open),
            state: Mutex::new(State {
                open,
                closing: 0,
                requests: 0,
                bytes: 0,
                since: None,
                last: None,
                rate: None,
                before: None,
                upward: true,
                wait: BETWEEN.0,
                pause: BETWEEN.0,
            }),
        }
    }

    /// Waits for a lane for a split of so many bytes.
    pub async fn enter(&self, bytes: u64) -> Result<Lane<'_>, JobError> {
        let large = match bytes > SMALL {
            true => Some(self.large.acquire().await.map_err(|_| JobError::Interrupted)?),
            false => None,
        };
        let any = self.all.acquire().await.map_err(|_| JobError::Interrupted)?;
        Ok(Lane { lanes: self, _any: any, large })
    }

    /// A request of so many bytes was acknowledged.
    pub fn wrote(&self, bytes: u64) {
        if bytes <= SMALL / 2 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.open;
        state.wrote(bytes, Instant::now(), self.most);
        let now = state.open;
        if now > before {
            let reopened = state.closing.min(now - before);
            state.closing -= reopened;
            self.large.add_permits(now - before - reopened);
        } else {
            state.closing += before - now;
        }
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closing > 0
            && let Some(permit) = self.large.take()
        {
            state.closing -= 1;
            permit.forget();
        }
    }
}

impl State {
    fn wrote(&mut self, bytes: u64, now: Instant, most: usize) {
        let idle = self.last.is_none_or(|last| now - last > IDLE);
        self.last = Some(now);
        let since = match self.since {
            Some(since) if !idle => since,
            _ => {
                // The first one only starts the clock: how long it took is not known.
                (self.since, self.requests, self.bytes) = (Some(now), 0, 0);
                return;
            }
        };
        self.requests += 1;
        self.bytes += bytes;
        if self.requests < MEASURED * self.open {
            return;
        }
        let rate = self.bytes as f64 / (now - since).as_secs_f64().max(1e-6);
        (self.since, self.requests, self.bytes) = (Some(now), 0, 0);
        self.measured(rate, most);
    }

    /// Goes on with what a measurement says.
    fn measured(&mut self, rate: f64, most: usize) {
        let Some(before) = self.before.take() else {
            // Half of what was known stays, so that one odd moment decides nothing.
            self.rate = Some(self.rate.map_or(rate, |known| (known + rate) / 2.0));
            self.pause = self.pause.saturating_sub(1);
            let next = if self.upward { (self.open + 1).min(most) } else { (self.open - 1).max(1) };
            if self.pause == 0 {
                if next == self.open {
                    (self.upward, self.pause) = (!self.upward, self.wait);
                } else {
                    (self.before, self.open) = (Some(self.open), next);
                }
            }
            return;
        };
        let known = self.rate.unwrap_or(rate);
        let wanted = if self.open > before { known * FASTER } else { known * AS_FAST };
        if rate >= wanted {
            // The same way again, and soon.
            (self.rate, self.wait, self.pause) = (Some(rate), BETWEEN.0, BETWEEN.0);
        } else {
            (self.open, self.upward) = (before, !self.upward);
            self.wait = (self.wait * 2).min(BETWEEN.1);
            self.pause = self.wait;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are open after so many measurements of a server whose speed depends on how many there are.
    fn after(measurements: usize, most: usize, rate: impl Fn(usize) -> f64) -> (usize, usize) {
        let mut state = Lanes::new(most).state.into_inner().unwrap();
        let mut widest = 0;
        for _ in 0..measurements {
            widest = widest.max(state.open);
            state.measured(rate(state.open), most);
        }
        (state.before.unwrap_or(state.open), widest)
    }

    #[test]
    fn a_server_that_takes_more_at_once_faster_gets_more_up_to_the_limit() {
        assert_eq!(after(100, 8, |open| open as f64), (8, 8));
        assert_eq!(after(100, 1, |open| open as f64), (1, 1));
        let (open, _) = after(100, 16, |open| (open.min(5)) as f64);
        assert!((4..=6).contains(&open), "{open}");
    }

    #[test]
    fn a_server_that_chokes_gets_less() {
        let (open, widest) = after(200, 8, |open| 100.0 / open as f64);
        assert_eq!(open, 1);
        assert!(widest <= 3, "{widest} at once were tried");
    }

    #[tokio::test]
    async fn lanes_open_and_close_as_the_state_says_and_small_requests_pass() {
        let lanes = Lanes::new(4);
        let (first, second) = (lanes.enter(8 << 20).await.unwrap(), lanes.enter(8 << 20).await.unwrap());
        assert_eq!(lanes.large.available_permits(), 0);
        let third = lanes.enter(1_000).await.unwrap();
        lanes.state.lock().unwrap().closing = 1;
        drop(third);
        drop(first);
        assert_eq!(lanes.large.available_permits(), 0, "the first one to be free is closed");
        drop(second);
        assert_eq!(lanes.large.available_permits(), 1);
        assert_eq!(lanes.all.available_permits(), 4);
    }
}
