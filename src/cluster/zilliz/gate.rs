//! The service's limit of requests: twenty a second from one user to one of its calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::requests::Call;

/// Requests that are let through in each [`WINDOW`].
pub(super) const MOST: usize = 20;
/// A little more than the second in which the service counts, because requests do not arrive as evenly as they leave.
pub(super) const WINDOW: Duration = Duration::from_millis(1_100);

/// Lets requests through as fast as the limit allows, in the order in which they ask. Shared by all users of a client.
#[derive(Debug, Default)]
pub(super) struct Gate {
    calls: Mutex<HashMap<Call, Sent>>,
}

#[derive(Debug, Default)]
struct Sent {
    /// When the last requests are sent: at most [`MOST`], in ascending order, some of them in the future.
    at: VecDeque<Instant>,
    /// Nothing is sent before, because the service said so.
    closed_until: Option<Instant>,
}

impl Gate {
    /// Waits until a request may be sent. One that is given up while it waits leaves its place empty.
    pub(super) async fn enter(&self, call: Call) {
        let start = self.with(call, |sent| {
            let mut start = Instant::now().max(sent.closed_until.unwrap_or_else(Instant::now));
            if sent.at.len() == MOST
                && let Some(first) = sent.at.pop_front()
            {
                start = start.max(first + WINDOW);
            }
            if let Some(last) = sent.at.back() {
                start = start.max(*last);
            }
            sent.at.push_back(start);
            start
        });
        tokio::time::sleep_until(start).await;
    }

    /// The service refused a request for its rate: the others wait as well.
    pub(super) fn close(&self, call: Call, pause: Duration) {
        self.with(call, |sent| {
            let until = Instant::now() + pause;
            sent.closed_until = Some(sent.closed_until.map_or(until, |before| before.max(until)));
        });
    }

    fn with<T>(&self, call: Call, change: impl FnOnce(&mut Sent) -> T) -> T {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        change(calls.entry(call).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::requests::{CLUSTERS, PROJECTS};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_requests_than_the_service_allows() {
        let gate = Gate::default();
        let begin = Instant::now();
        let mut sent = Vec::new();
        for number in 0..100 {
            gate.enter(CLUSTERS).await;
            sent.push(Instant::now());
            // Calls are counted by themselves.
            if number < 10 {
                gate.enter(PROJECTS).await;
            }
        }
        for window in sent.windows(MOST + 1) {
            assert!(window[MOST] - window[0] > Duration::from_secs(1));
        }
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(4_600), "the limit is used: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_holds_all_of_them_back() {
        let gate = Gate::default();
        gate.enter(CLUSTERS).await;
        gate.close(CLUSTERS, Duration::from_secs(7));
        gate.close(CLUSTERS, Duration::from_secs(3));
        let begin = Instant::now();
        gate.enter(PROJECTS).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        gate.enter(CLUSTERS).await;
        assert!(begin.elapsed() >= Duration::from_secs(7));
    }
}
