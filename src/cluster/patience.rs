//! How often and how long one request is repeated, by the class of its errors.
//!
//! | class | kinds | repeated |
//! |---|---|---|
//! | transient | unavailable, overloaded, restarting, leader changes, no answer in time, no connection | with growing pauses, until the deadline of the connection (`timeouts.retry` in the plan) |
//! | rate limited | over the server's rate or quota | the same, for longer: the server works, and says wait; [`super::Pressure`] makes the room |
//! | too large | a request or an answer is over the server's limit | never as it is; the caller asks for less |
//! | permanent | refused, forbidden, missing, nonsense | never |
//!
//! Whether a *write* may have taken effect although its error is transient is another question, which
//! [`ClusterError::leaves_open`] answers: reads and definitions are simply repeated, rows are not.

use std::time::Duration;

use backon::BackoffBuilder;
use tokio::time::Instant;

use super::{ClusterError, ErrorKind};

/// The first pause and the longest, before jitter.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// How long a server that says "too fast" is believed: quotas of memory and disk clear within minutes, or not by waiting.
const RATE_LIMITED: Duration = Duration::from_secs(600);

/// What one request has been through.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    pauses: backon::ExponentialBackoff,
    first: Option<Instant>,
    tries: u32,
}

impl Patience {
    /// For a request that is repeated for `limit` after its first transient error.
    pub fn new(limit: Duration) -> Self {
        let pauses = backon::ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(FIRST)
            .with_max_delay(LONGEST)
            .without_max_times()
            .build();
        Self { limit, pauses, first: None, tries: 0 }
    }

    /// How long to wait before the request is repeated, or the error with what was tried where it is final. What the server
    /// says about when to come back is kept to.
    pub fn after(&mut self, error: ClusterError) -> Result<(Duration, ClusterError), ClusterError> {
        self.tries += 1;
        let now = Instant::now();
        let first = *self.first.get_or_insert(now);
        let limit = match error.kind {
            ErrorKind::RateLimited => RATE_LIMITED.max(self.limit),
            _ => self.limit,
        };
        let pause = self.pauses.next().unwrap_or(LONGEST).max(error.retry_after.unwrap_or_default());
        let waited = now - first;
        if !error.is_transient() || waited + pause > limit {
            let seconds = u32::try_from(waited.as_secs()).unwrap_or(u32::MAX).max(1);
            let tried = (self.tries > 1).then_some((self.tries, seconds));
            return Err(ClusterError { tried, ..error });
        }
        Ok((pause, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> ClusterError {
        ClusterError::new(kind, "http://here:1", "query collection `docs`", "no")
    }

    #[tokio::test(start_paused = true)]
    async fn a_transient_error_is_repeated_until_the_deadline_and_told_with_its_tries() {
        let mut patience = Patience::new(Duration::from_secs(30));
        let start = Instant::now();
        let last = loop {
            match patience.after(error(ErrorKind::Transient)) {
                Ok((pause, _)) => tokio::time::sleep(pause).await,
                Err(last) => break last,
            }
        };
        let (tries, seconds) = last.tried.unwrap();
        assert!((5..30).contains(&tries), "{tries}");
        assert!(seconds <= 30 && start.elapsed() > Duration::from_secs(15), "{seconds} s");
        assert!(last.to_string().contains(&format!("after {tries} tries in ")), "{last}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_change_is_not_repeated() {
        for kind in
            [ErrorKind::Refused, ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::TooLarge, ErrorKind::Nonsense]
        {
            let last = Patience::new(Duration::from_secs(30)).after(error(kind)).unwrap_err();
            assert_eq!(last.tried, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_when_to_come_back_and_is_believed_longer_when_it_is_too_fast_for_it() {
        let mut patience = Patience::new(Duration::from_secs(30));
        let told = ClusterError { retry_after: Some(Duration::from_secs(60)), ..error(ErrorKind::RateLimited) };
        let (pause, _) = patience.after(told.clone()).unwrap();
        assert_eq!(pause, Duration::from_secs(60));
        tokio::time::sleep(pause).await;
        assert!(patience.after(told).is_ok());
    }
}
