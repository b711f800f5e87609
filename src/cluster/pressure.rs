//! How hard one side of a server is pressed: not at all held back until the server says that it is too much, then less, then
//! slowly more again (additive increase, multiplicative decrease).
//!
//! A request that was refused for its rate was not looked at, so nothing is lost by it but time and the bytes on the wire.
//! Milvus 2.3.5 lets a request of any size pass while its budget is not used up, refuses all others until the debt is paid,
//! and names the rate that it allows. Where no rate is named, the one that was accepted so far is the first guess.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::ClusterError;

/// What is left of the rate after a refusal.
const DECREASE: f64 = 0.7;
/// What is taken of a rate that the server names, so that its clock and ours need not agree.
const OF_NAMED: f64 = 0.98;
/// What is added to the rate in each second, as a part of what it was after the last refusal.
const INCREASE_PER_S: f64 = 0.05;
/// Without a refusal for so long, the limit is gone.
const FORGET: Duration = Duration::from_secs(20);
/// Several requests in flight are refused together; they count as one refusal.
const TOGETHER: Duration = Duration::from_millis(200);
/// Time without requests after a refusal: the first, doubled by each one that follows, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What was accepted is measured over so much time.
const MEASURED: Duration = Duration::from_secs(4);

/// The pressure on one side of a server, shared by all requests to it. The cost of a request is in units that only have to be
/// the same throughout: bytes for writes, requests for reads.
#[derive(Debug)]
pub struct Pressure {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Cost a second; none as long as nothing was refused.
    rate: Option<f64>,
    /// What the rate grows by in a second.
    step: f64,
    /// When the next request may be sent.
    free_at: Instant,
    /// The last pause, which the next refusal doubles.
    pause: Duration,
    refused_at: Instant,
    /// When the rate was cut last.
    cut_at: Instant,
    grown_at: Instant,
    /// What was accepted since when.
    accepted: (f64, Instant),
}

impl Default for Pressure {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                rate: None,
                step: 0.0,
                free_at: now,
                pause: Duration::ZERO,
                refused_at: now,
                cut_at: now,
                grown_at: now,
                accepted: (0.0, now),
            }),
        }
    }
}

impl Pressure {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request of that cost may be sent. Requests are let through in the order in which they ask; one that is
    /// given up while it waits leaves its place empty, which only makes the others slower than they need be.
    pub async fn enter(&self, cost: f64) {
        let start = self.state().place(cost, Instant::now());
        tokio::time::sleep_until(start).await;
    }

    /// A request of that cost was accepted.
    pub fn accepted(&self, cost: f64) {
        self.state().accept(cost, Instant::now());
    }

    /// A request was refused for its rate.
    pub fn refused(&self, error: &ClusterError) {
        self.state().refuse(error.rate.map(f64::from), error.retry_after, Instant::now());
    }

    /// Cost a second that is let through, where the server has set a limit.
    pub fn rate(&self) -> Option<f64> {
        self.state().rate
    }
}

impl State {
    fn place(&mut self, cost: f64, now: Instant) -> Instant {
        let start = self.free_at.max(now);
        if let Some(rate) = self.rate {
            self.free_at = start + Duration::from_secs_f64((cost / rate).min(3_600.0));
        }
        start
    }

    fn accept(&mut self, cost: f64, now: Instant) {
        self.pause = Duration::ZERO;
        if now - self.accepted.1 > MEASURED {
            // Half of what was measured stays, so that there is always something to guess from.
            self.accepted = (self.accepted.0 / 2.0, now - MEASURED / 2);
        }
        self.accepted.0 += cost;
        if let Some(rate) = &mut self.rate {
            *rate += self.step * (now - self.grown_at).as_secs_f64();
            self.grown_at = now;
            if now - self.refused_at > FORGET {
                self.rate = None;
            }
        }
    }

    fn refuse(&mut self, named: Option<f64>, after: Option<Duration>, now: Instant) {
        let together = self.rate.is_some() && now - self.cut_at < TOGETHER;
        if !together {
            let measured = self.accepted.0 / (now - self.accepted.1).as_secs_f64().max(0.1);
            let guess = self.rate.unwrap_or_else(|| measured.max(1.0)) * DECREASE;
            let rate = named.filter(|rate| *rate > 0.0).map_or(guess, |rate| rate * OF_NAMED);
            // A rate close to nothing would hold requests back for hours; the pauses are there for that.
            let rate = rate.max(0.01);
            self.rate = Some(rate);
            self.step = rate * INCREASE_PER_S;
            (self.grown_at, self.cut_at) = (now, now);
            self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
        self.refused_at = now;
        let pause = after.unwrap_or_default().max(self.pause);
        self.free_at = self.free_at.max(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        Pressure::default().state.into_inner().unwrap()
    }

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn nothing_is_held_back_before_the_first_refusal() {
        let mut state = state();
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(state.place(1e9, now), now);
            state.accept(1e9, now);
        }
    }

    #[test]
    fn a_refusal_shrinks_the_rate_and_time_regrows_it() {
        let mut state = state();
        let start = Instant::now();
        state.accepted = (0.0, start);
        for second in 1..=2 {
            state.accept(1_000.0, after(start, f64::from(second)));
        }
        state.refuse(None, None, after(start, 2.0));
        let cut = state.rate.unwrap();
        assert!((600.0..800.0).contains(&cut), "{cut}");
        // Refused together with the first.
        state.refuse(None, None, after(start, 2.1));
        assert_eq!(state.rate, Some(cut));
        state.refuse(None, None, after(start, 3.0));
        let second = state.rate.unwrap();
        assert!((second - cut * DECREASE).abs() < 1e-6);
        for tenth in 1..=100 {
            state.accept(10.0, after(start, 3.0 + f64::from(tenth) / 10.0));
        }
        // Ten seconds of a twentieth each.
        assert!((state.rate.unwrap() - second * 1.5).abs() < second * 0.01);
        state.accept(10.0, after(start, 30.0));
        assert_eq!(state.rate, None, "the limit is forgotten");
    }

    #[test]
    fn what_the_server_says_is_done() {
        let mut state = state();
        let now = Instant::now();
        state.refuse(Some(1_000.0), Some(Duration::from_secs(3)), now);
        assert_eq!(state.rate, Some(980.0));
        assert_eq!(state.place(9_800.0, now), after(now, 3.0));
        assert_eq!(state.place(1.0, now), after(now, 13.0), "a large request holds back the ones behind it");
    }

    #[test]
    fn pauses_grow_until_something_is_accepted() {
        let mut state = state();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            now = state.free_at.max(now) + TOGETHER;
            state.refuse(Some(1e12), None, now);
            pauses.push((state.free_at - now).as_millis());
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        state.accept(1.0, now);
        state.refuse(Some(1e12), None, now + LONGEST_PAUSE);
        assert_eq!(state.pause, FIRST_PAUSE);
    }

    /// A server that lets pass what its budget allows, as Milvus does, and says no rate: how much of it is used?
    #[test]
    fn a_limit_is_nearly_used_up_whether_it_is_named_or_not() {
        for named in [None, Some(1_000.0)] {
            let (limit, cost) = (1_000.0_f64, 250.0);
            let mut state = state();
            let start = Instant::now();
            (state.accepted, state.free_at) = ((0.0, start), start);
            let (mut budget, mut last, mut sent, mut refused) = (limit, start, 0.0, 0);
            let mut now = start;
            while now - start < Duration::from_secs(120) {
                now = state.place(cost, now).max(now) + Duration::from_millis(1);
                budget = (budget + limit * (now - last).as_secs_f64()).min(limit);
                last = now;
                if budget >= 0.0 {
                    budget -= cost;
                    sent += cost;
                    state.accept(cost, now);
                } else {
                    refused += 1;
                    state.refuse(named, None, now);
                }
            }
            let used = sent / (limit * 120.0);
            assert!(used > 0.85, "{named:?}: {used}");
            assert!(refused < 120, "{named:?}: {refused} refusals in two minutes");
        }
    }
}
