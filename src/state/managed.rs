//! What a journal knows of a collection that the migration service of Zilliz Cloud moves: what was asked of the service, and
//! what it said, in its own words.

use serde::{Deserialize, Serialize};

/// One step of such a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum ManagedStep {
    /// A job is about to be asked for. The target held no collection of the name.
    Asking {
        /// Name of the request, the same in the journals of all of its collections. The service never hears it.
        request: String,
        /// `database.collection` of everything that is asked for together, on the source.
        collections: Vec<String>,
        /// When.
        at: jiff::Timestamp,
    },
    /// The service started a job.
    Asked {
        /// Its id.
        job: String,
        /// When that was heard.
        at: jiff::Timestamp,
    },
    /// The service refused, so no job came of the request.
    Refused {
        /// When.
        at: jiff::Timestamp,
    },
    /// The job said something that it had not said before.
    Said {
        /// The service's word: `IN_PROGRESS`. Empty where there was no job to ask.
        word: String,
        /// Percent, where the service said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
        /// Why it failed, in the service's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// How it ended, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<JobEnd>,
        /// When.
        at: jiff::Timestamp,
    },
    /// The job is over, and the target was looked at and does not hold what the source holds.
    Missed {
        /// When.
        at: jiff::Timestamp,
    },
}

/// How a job of the service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    /// Well, as it says.
    Successful,
    /// It gave up.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// It is over, and nobody can say how: its id was never heard, or the service no longer knows it.
    Unknown,
}

/// How far a collection is with the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedStage {
    /// Nothing was asked of it, or it refused.
    NotAsked,
    /// A job was asked for, and whether one was started nobody knows.
    Open,
    /// A job is at work, as far as it is known.
    Going(String),
    /// The job is over, and the target was not looked at yet.
    Over(JobEnd),
    /// The job is over, and did not bring what it should.
    Missed(JobEnd),
}

/// A collection that the service moves, as the journal adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Managed {
    /// Name of the last request; empty before the first.
    pub request: String,
    /// What was asked for together.
    pub collections: Vec<String>,
    /// When it was asked for; none before, and where the service refused.
    pub asked: Option<jiff::Timestamp>,
    /// The job, once its id was heard.
    pub job: Option<String>,
    /// Its last word.
    pub word: String,
    /// Since when it says that word.
    pub since: Option<jiff::Timestamp>,
    /// Percent.
    pub percent: Option<u8>,
    /// Why it failed.
    pub reason: Option<String>,
    /// How it ended, if it did.
    pub end: Option<JobEnd>,
    /// Whether the target was looked at afterwards and is not what it should be.
    pub missed: bool,
    /// Jobs that ended without bringing it.
    pub failures: u64,
}

impl Managed {
    /// Adds a step.
    pub(super) fn apply(&mut self, step: &ManagedStep) {
        match step {
            ManagedStep::Asking { request, collections, at } => {
                *self = Self {
                    request: request.clone(),
                    collections: collections.clone(),
                    asked: Some(*at),
                    failures: self.failures,
                    ..Self::default()
                };
            }
            ManagedStep::Asked { job, .. } => self.job = Some(job.clone()),
            ManagedStep::Refused { .. } => self.asked = None,
            ManagedStep::Said { word, percent, reason, end, at } => {
                if self.word != *word || self.since.is_none() {
                    self.since = Some(*at);
                }
                self.word.clone_from(word);
                (self.percent, self.end) = (*percent, *end);
                self.reason.clone_from(reason);
                if matches!(end, Some(JobEnd::Failed | JobEnd::Canceled)) {
                    self.failures = self.failures.saturating_add(1);
                }
            }
            ManagedStep::Missed { .. } => {
                if !matches!(self.end, Some(JobEnd::Failed | JobEnd::Canceled)) {
                    self.failures = self.failures.saturating_add(1);
                }
                self.missed = true;
            }
        }
    }

    /// The journal was brought back from an export. What it says was not asked for may have been asked for since.
    pub(super) fn restored(&mut self, at: jiff::Timestamp) {
        if self.stage() == ManagedStage::NotAsked {
            self.asked = Some(at);
        }
    }

    /// How far it is.
    pub fn stage(&self) -> ManagedStage {
        match (self.asked, self.end, &self.job) {
            (None, ..) => ManagedStage::NotAsked,
            (_, Some(end), _) if self.missed => ManagedStage::Missed(end),
            (_, Some(end), _) => ManagedStage::Over(end),
            (_, None, Some(job)) => ManagedStage::Going(job.clone()),
            (_, None, None) => ManagedStage::Open,
        }
    }

    /// Whether a job may be at work.
    pub fn may_be_going(&self) -> bool {
        matches!(self.stage(), ManagedStage::Open | ManagedStage::Going(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    fn asking() -> ManagedStep {
        ManagedStep::Asking { request: "a".into(), collections: vec!["default.docs".into()], at: AT }
    }

    fn said(word: &str, end: Option<JobEnd>) -> ManagedStep {
        ManagedStep::Said { word: word.into(), percent: Some(5), reason: None, end, at: AT }
    }

    fn after(steps: &[ManagedStep]) -> Managed {
        let mut managed = Managed::default();
        steps.iter().for_each(|step| managed.apply(step));
        managed
    }

    #[test]
    fn each_step_has_its_stage() {
        let asked = ManagedStep::Asked { job: "job-1".into(), at: AT };
        let missed = ManagedStep::Missed { at: AT };
        assert_eq!(after(&[]).stage(), ManagedStage::NotAsked);
        assert_eq!(after(&[asking()]).stage(), ManagedStage::Open);
        assert_eq!(after(&[asking(), ManagedStep::Refused { at: AT }]).stage(), ManagedStage::NotAsked);
        let going = [asking(), asked.clone(), said("IN_PROGRESS", None)];
        assert_eq!(after(&going).stage(), ManagedStage::Going("job-1".into()));
        let over = after(&[asking(), asked.clone(), said("FAILED", Some(JobEnd::Failed))]);
        assert_eq!((over.stage(), over.failures), (ManagedStage::Over(JobEnd::Failed), 1));
        let twice = [
            asking(),
            asked.clone(),
            said("FAILED", Some(JobEnd::Failed)),
            missed.clone(),
            asking(),
            asked,
            said("SUCCESSFUL", Some(JobEnd::Successful)),
            missed,
        ];
        assert_eq!(after(&twice[..4]).failures, 1, "one failure counts once");
        assert_eq!((after(&twice[..5]).stage(), after(&twice[..5]).failures), (ManagedStage::Open, 1));
        assert_eq!((after(&twice).stage(), after(&twice).failures), (ManagedStage::Missed(JobEnd::Successful), 2));
    }

    #[test]
    fn what_was_brought_back_may_have_been_asked_for() {
        let mut managed = Managed::default();
        managed.restored(AT);
        assert!(managed.may_be_going());
    }
}
