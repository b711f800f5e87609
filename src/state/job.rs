//! The job that the records of a journal add up to.

use std::collections::BTreeMap;

use super::managed::{Managed, ManagedStep};
use super::record::{Header, NEWEST_FORMAT, Outcome, Record, Split};
use crate::collection::Fingerprint;
use crate::plan::resolved::Engine;

/// What became of the rows of a split.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// What arrived: rows and fingerprint as mapped.
    pub fingerprint: Fingerprint,
    /// Rows of the source beyond the first of their key.
    pub doubled: u64,
    /// Rows that were sent.
    pub written: u64,
    /// Rows that went to the quarantine instead.
    pub quarantined: u64,
    /// Rows that each rule of the mapping touched.
    pub touched: BTreeMap<String, u64>,
}

impl Tally {
    /// Rows that the source held.
    pub fn held(&self) -> u64 {
        self.fingerprint.rows.saturating_add(self.doubled).saturating_add(self.quarantined)
    }
}

/// How far a split is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Progress {
    /// Never tried.
    #[default]
    Pending,
    /// Tried, and nobody knows which of its rows arrived.
    Dirty,
    /// All of its rows were acknowledged.
    Done(Tally),
}

/// A job, as its records add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it is.
    pub header: Header,
    /// Whether the request that makes the collection may have been sent.
    pub creating: bool,
    /// The target's id, once it was made.
    pub target_id: Option<i64>,
    /// What to release on the source when all is done; empty partitions stand for the whole collection.
    pub release_source: Option<Vec<String>>,
    /// The splits; none before the list was made.
    pub splits: Option<Vec<Split>>,
    /// How far each split is.
    pub progress: Vec<Progress>,
    /// How often a process took it up.
    pub attempts: u64,
    /// Process that took it up last.
    pub pid: Option<u32>,
    /// When that was.
    pub attempted: Option<jiff::Timestamp>,
    /// Rows done before that process began.
    pub rows_before_attempt: u64,
    /// Repeated requests.
    pub retries: u64,
    /// What it is busy with.
    pub phase: String,
    /// When the last record with a time was written.
    pub touched: jiff::Timestamp,
    /// How it ended, if it did since it was last taken up.
    pub outcome: Option<Outcome>,
    /// Rows that were verified.
    pub verified_rows: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// How far it is with the migration service; none where vecferry moves the rows itself.
    pub managed: Option<Managed>,
}

impl Job {
    /// The job behind a first record.
    pub fn new(header: Header) -> Self {
        Self {
            touched: header.started,
            managed: (header.engine == Engine::ZillizCloud).then(Managed::default),
            header,
            creating: false,
            target_id: None,
            release_source: None,
            splits: None,
            progress: Vec::new(),
            attempts: 0,
            pid: None,
            attempted: None,
            rows_before_attempt: 0,
            retries: 0,
            phase: String::new(),
            outcome: None,
            verified_rows: 0,
            error: None,
        }
    }

    /// Adds a record. Says what is wrong with one that cannot follow.
    pub fn apply(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Begin(_) => return Err("a second beginning".to_owned()),
            Record::Attempt { pid, at } => {
                self.rows_before_attempt = self.rows_done();
                (self.attempts, self.pid, self.attempted, self.touched) =
                    (self.attempts + 1, Some(*pid), Some(*at), *at);
                (self.outcome, self.error) = (None, None);
            }
            Record::Creating => self.creating = true,
            Record::Created { id } => self.target_id = Some(*id),
            Record::LoadingSource { partitions } => self.release_source = Some(partitions.clone()),
            Record::Splits { list } => {
                if self.splits.is_some() {
                    return Err("a second list of splits".to_owned());
                }
                self.progress = vec![Progress::Pending; list.len()];
                self.splits = Some(list.clone());
            }
            Record::Started { split } | Record::Reopened { split } => *self.split(*split)? = Progress::Dirty,
            Record::Done { split, fingerprint, doubled, written, quarantined, touched, at } => {
                *self.split(*split)? = Progress::Done(Tally {
                    fingerprint: *fingerprint,
                    doubled: *doubled,
                    written: *written,
                    quarantined: *quarantined,
                    touched: touched.clone(),
                });
                self.touched = *at;
            }
            Record::Retried { .. } => self.retries += 1,
            Record::Restored { at } => {
                self.touched = *at;
                for progress in self.progress.iter_mut().filter(|progress| **progress == Progress::Pending) {
                    *progress = Progress::Dirty;
                }
                if let Some(managed) = &mut self.managed {
                    managed.restored(*at);
                }
            }
            Record::Managed(step) => {
                let managed = self.managed.as_mut().ok_or("a job of the migration service in one of another engine")?;
                managed.apply(step);
                match step {
                    // What an earlier job made is gone: the target held nothing when this one was asked for.
                    ManagedStep::Asking { at, .. } => (self.target_id, self.touched) = (None, *at),
                    ManagedStep::Asked { at, .. }
                    | ManagedStep::Refused { at }
                    | ManagedStep::Said { at, .. }
                    | ManagedStep::Missed { at } => self.touched = *at,
                }
            }
            Record::Phase { name, at } => (self.phase, self.touched) = (name.clone(), *at),
            Record::Ended { outcome, rows, error, at } => {
                (self.outcome, self.verified_rows, self.error, self.touched) =
                    (Some(*outcome), *rows, error.clone(), *at);
            }
        }
        Ok(())
    }

    fn split(&mut self, number: usize) -> Result<&mut Progress, String> {
        let known = self.progress.len();
        self.progress.get_mut(number).ok_or_else(|| format!("split {number} of {known}"))
    }

    /// Splits that are done.
    pub fn splits_done(&self) -> usize {
        self.progress.iter().filter(|progress| matches!(progress, Progress::Done(_))).count()
    }

    /// Splits that were tried, and of which nobody knows which rows arrived.
    pub fn splits_dirty(&self) -> usize {
        self.progress.iter().filter(|progress| **progress == Progress::Dirty).count()
    }

    /// What became of the rows of all splits that are done.
    pub fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.progress.iter().filter_map(|progress| match progress {
            Progress::Done(tally) => Some(tally),
            _ => None,
        })
    }

    /// Rows that went to the quarantine.
    pub fn rows_quarantined(&self) -> u64 {
        total(self.tallies().map(|tally| tally.quarantined))
    }

    /// Rows that were acknowledged.
    pub fn rows_done(&self) -> u64 {
        total(self.tallies().map(|tally| tally.fingerprint.rows))
    }

    /// Rows to copy in all, once the splits are known.
    pub fn rows_expected(&self) -> Option<u64> {
        self.splits.as_ref().map(|splits| total(splits.iter().map(|split| split.rows)))
    }

    /// Whether a newer version wrote it, so that only part of it is understood.
    pub fn is_newer(&self) -> bool {
        self.header.format > NEWEST_FORMAT
    }

    /// Whether it ended with every row verified.
    pub fn is_successful(&self) -> bool {
        self.outcome == Some(Outcome::Successful)
    }
}

/// A sum that stays at the largest number: a journal may say anything, and no figure of it is worth a panic.
fn total(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::FORMAT;
    use super::*;
    use crate::collection::KeyRange;

    pub fn header() -> Header {
        Header {
            format: FORMAT,
            tool: "0.0.0".into(),
            run: "r1".into(),
            plan: "p".into(),
            plan_file: "p.yaml".into(),
            address: "m.default.docs".into(),
            plan_hash: "h".into(),
            source_uri: "http://127.0.0.1:1".into(),
            source: "default.docs".into(),
            target_uri: "http://127.0.0.1:2".into(),
            target: "default.docs".into(),
            source_id: 1,
            converging: false,
            row_bytes: 10,
            started: jiff::Timestamp::UNIX_EPOCH,
            saved_plan: None,
            engine: Engine::Direct,
        }
    }

    proptest! {
        /// A split that was started and not acknowledged is never taken for untouched: it would be inserted a second time.
        #[test]
        fn a_tried_split_is_dirty_until_it_is_done(steps in prop::collection::vec((0_usize..4, 0_u8..3), 0..40)) {
            let mut job = Job::new(header());
            let split = Split { partitions: Vec::new(), range: KeyRange::ALL, rows: 1 };
            job.apply(&Record::Splits { list: vec![split; 4] }).unwrap();
            let mut model = vec![Progress::Pending; 4];
            for (split, step) in steps {
                let record = match step {
                    0 => Record::Started { split },
                    1 => Record::Reopened { split },
                    _ => Record::Done {
                        split,
                        fingerprint: Fingerprint::default(),
                        doubled: 0,
                        written: 0,
                        quarantined: 0,
                        touched: BTreeMap::new(),
                        at: jiff::Timestamp::UNIX_EPOCH,
                    },
                };
                job.apply(&record).unwrap();
                model[split] = match step {
                    2 => Progress::Done(Tally::default()),
                    _ => Progress::Dirty,
                };
            }
            prop_assert_eq!(job.progress.as_slice(), model.as_slice());
        }
    }

    #[test]
    fn a_record_for_an_unknown_split_is_refused() {
        let mut job = Job::new(header());
        assert!(job.apply(&Record::Started { split: 0 }).is_err());
    }
}
