//! How often a server is asked how far it is with something that takes its time.
//!
//! One question costs it about a thousandth of a second. Whoever waits for two hundred collections at once and asks for each of them
//! every now and then keeps a small server busy with answers, so the pauses grow with the number of those who wait; and with the
//! time that has passed, because what took long may take longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The shortest and the longest pause.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// What each of those who wait adds to the pause of all.
const FOR_EACH: Duration = Duration::from_millis(5);
/// The pause is the time that has passed, divided by so much.
const OF_TIME: u32 = 10;

/// Those who wait for something at one server.
#[derive(Debug, Clone, Default)]
pub struct Waiting(Arc<AtomicU32>);

/// One of them, for as long as it waits.
#[derive(Debug)]
pub struct Polling {
    waiting: Waiting,
    since: Instant,
}

impl Waiting {
    /// One more who waits.
    pub fn begin(&self) -> Polling {
        self.0.fetch_add(1, Ordering::Relaxed);
        Polling { waiting: self.clone(), since: Instant::now() }
    }
}

impl Polling {
    /// How long it has been waiting.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// The time until the next question.
    pub async fn pause(&self) {
        tokio::time::sleep(pause(self.elapsed(), self.waiting.0.load(Ordering::Relaxed))).await;
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.waiting.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pause(elapsed: Duration, waiting: u32) -> Duration {
    (elapsed / OF_TIME).max(FOR_EACH * waiting).clamp(PAUSE.0, PAUSE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_time_and_with_company() {
        assert_eq!(pause(Duration::ZERO, 1), PAUSE.0);
        assert_eq!(pause(Duration::from_secs(3), 1), Duration::from_millis(300));
        assert_eq!(pause(Duration::ZERO, 100), Duration::from_millis(500));
        assert_eq!(pause(Duration::from_secs(600), 1_000), PAUSE.1);
    }

    #[test]
    fn who_has_ended_waits_no_more() {
        let waiting = Waiting::default();
        let (first, second) = (waiting.begin(), waiting.begin());
        drop(first);
        assert_eq!(second.waiting.0.load(Ordering::Relaxed), 1);
    }
}
