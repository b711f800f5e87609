//! Holds writes to the rate that the plan allows.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// A budget of bytes a second, shared by all splits of a migration.
#[derive(Debug)]
pub struct Throttle {
    bytes_per_s: Option<f64>,
    free_at: Mutex<Instant>,
}

impl Throttle {
    /// A throttle of so many megabytes (10^6 bytes) a second; none lets everything pass.
    pub fn new(mb_per_s: Option<f64>) -> Self {
        Self { bytes_per_s: mb_per_s.map(|rate| rate * 1e6), free_at: Mutex::new(Instant::now()) }
    }

    /// Bytes that one request may bring: half a second's worth, so that a low rate is a steady one and not a burst now and
    /// then, and never more than `most`.
    pub fn request_bytes(&self, most: usize) -> usize {
        self.bytes_per_s.map_or(most, |rate| ((rate / 2.0) as usize).max(64 << 10).min(most))
    }

    /// Waits until `bytes` may be sent. Requests are let through in the order in which they ask.
    pub async fn wait(&self, bytes: usize) {
        let Some(rate) = self.bytes_per_s else { return };
        let start = {
            let mut free_at = self.free_at.lock().await;
            let start = (*free_at).max(Instant::now());
            *free_at = start + Duration::from_secs_f64(bytes as f64 / rate);
            start
        };
        tokio::time::sleep_until(start).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_rate_makes_small_requests() {
        assert_eq!(Throttle::new(None).request_bytes(8 << 20), 8 << 20);
        assert_eq!(Throttle::new(Some(1.0)).request_bytes(8 << 20), 500_000);
        assert_eq!(Throttle::new(Some(0.001)).request_bytes(8 << 20), 64 << 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept() {
        let throttle = Throttle::new(Some(2.0));
        let start = Instant::now();
        for _ in 0..5 {
            throttle.wait(1_000_000).await;
        }
        // The fifth starts after four half seconds.
        assert_eq!(start.elapsed().as_millis(), 2_000);
    }
}
