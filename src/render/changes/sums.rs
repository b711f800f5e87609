//! What several changes amount to: rows to copy, their bytes and the time that they take, and rows that are lost.

use super::super::words;
use crate::diff::{Change, estimated_seconds};

/// What some changes amount to.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Sum {
    /// Changes with rows to copy.
    pub(in super::super) copied: usize,
    /// Rows to copy.
    pub(in super::super) rows: u64,
    /// Their bytes.
    pub(in super::super) bytes: u64,
    /// The rate in bytes a second that is assumed for them; none before anything is copied, and where the rates differ.
    rate: Option<u64>,
    /// The time that they take, where the rates differ.
    seconds: f64,
    /// Whether some of these come from statistics and not from counting.
    pub(in super::super) about: bool,
    /// Rows that are lost.
    pub(in super::super) lost: u64,
    /// Whether some of these are estimated.
    pub(in super::super) lost_about: bool,
}

impl Sum {
    /// The sum of some changes.
    pub(in super::super) fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut sum = Self::default();
        for change in changes {
            sum.copied += usize::from(change.rows_to_copy > 0);
            sum.rows = sum.rows.saturating_add(change.rows_to_copy);
            if change.bytes_to_copy > 0 {
                let rate = change.assumed_bytes_per_second;
                sum.rate = (sum.bytes == 0 || sum.rate == Some(rate)).then_some(rate);
                sum.seconds += change.bytes_to_copy as f64 / rate.max(1) as f64;
            }
            sum.bytes = sum.bytes.saturating_add(change.bytes_to_copy);
            sum.about |= change.rows_to_copy > 0 && is_estimated(change);
            sum.lost = sum.lost.saturating_add(change.rows_lost);
            sum.lost_about |= is_loss_estimated(change);
        }
        sum
    }

    /// Rows to copy in words.
    pub(in super::super) fn copied_text(&self) -> String {
        let about = if self.about { "about " } else { "" };
        let mut text = format!("{about}{}", words::rows(self.rows));
        if self.bytes == 0 {
            return text;
        }
        text.push_str(&format!(", about {}", words::bytes(self.bytes)));
        let (seconds, at) = match self.rate {
            Some(rate) => (estimated_seconds(self.bytes, rate), format!("at {}/s", words::bytes(rate))),
            None => (self.seconds.ceil() as u64, "at the rates of the targets' plans".to_owned()),
        };
        // Below that, what counts is the time that servers take to make, index and load a collection.
        if seconds > 1 {
            text.push_str(&format!(", about {} {at}", words::seconds(seconds)));
        }
        text
    }

    /// Rows that are lost in words.
    pub(in super::super) fn lost_text(&self) -> String {
        let about = if self.lost_about { "about " } else { "" };
        format!("{about}{}", words::rows(self.lost))
    }
}

/// Whether the number of rows comes from statistics and not from counting.
pub(in super::super) fn is_estimated(change: &Change) -> bool {
    change.rows.source.as_ref().is_some_and(|rows| rows.estimated)
}

/// The same for rows that are lost.
fn is_loss_estimated(change: &Change) -> bool {
    change.rows_lost > 0 && change.rows.target.as_ref().is_none_or(|rows| rows.estimated)
}
