//! What the control plane answers.
//!
//! The reference's schemas and its examples contradict each other: codes and numbers come as numbers or as text, what is
//! asked for lies under `data` or at the top, and a list may be a single object. So everything is read in each of these
//! forms, what is missing is empty, and only what vecferry needs is looked for.

use std::fmt;
use std::marker::PhantomData;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{CloudImport, CloudJob, Cluster, CreatedCluster, JobState, Project, Region, Standing};
use crate::plan::resolved::Tier;

/// What surrounds every answer, if the service keeps to its reference. What it holds is not copied, because it may be a
/// password.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    pub code: Text,
    pub message: Text,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// The envelope, and what was asked for as JSON. None where the text is no JSON.
    pub(super) fn open(body: &'a [u8]) -> Option<(Self, &'a str)> {
        let body = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim();
        if !body.starts_with('{') {
            // A list without an envelope, or no JSON at all.
            return serde_json::from_str::<&RawValue>(body).ok().map(|raw| (Self::default(), raw.get()));
        }
        let envelope: Self = serde_json::from_str(body).ok()?;
        let inside = envelope.data.map_or(body, RawValue::get);
        Some((envelope, inside))
    }
}

/// Text that may have come as a number.
#[derive(Debug, Default, Clone)]
pub(super) struct Text(pub String);

/// A number that may have come as text, with a percent sign or without; none where it is no number.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Number(pub Option<f64>);

/// A password, which is in no debug output and not left in memory.
#[derive(Default)]
pub(super) struct Password(Option<SecretString>);

impl Number {
    /// As a part of a hundred.
    fn percent(self) -> Option<u8> {
        // A float is cut to the borders of the type by the conversion.
        self.0.map(|number| number.clamp(0.0, 100.0) as u8)
    }

    fn whole(self) -> Option<usize> {
        self.0.filter(|number| *number >= 0.0).map(|number| number as usize)
    }
}

struct Loosely<T>(PhantomData<T>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loosely::<Self>(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let number = text.trim().trim_end_matches('%').trim().parse::<f64>().ok();
        Ok(Self(number.filter(|number| number.is_finite())))
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Ok(Self((!text.is_empty()).then(|| SecretString::from(text))))
    }
}

impl<'de> Visitor<'de> for Loosely<Text> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
        Ok(Text(value.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text::default())
    }

    // What is no text says nothing, and must not make the rest of an answer unreadable.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
}

/// Things that come as a list, or as one where there is one, or as nothing.
pub(super) struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loosely::<Self>(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Loosely<Many<T>> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Many<T>, E> {
        Ok(Many::default())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Many<T>, E> {
        if text.is_empty() {
            return Ok(Many::default());
        }
        Ok(Many(vec![T::deserialize(text.into_deserializer())?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(Many(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
        Ok(Many(vec![T::deserialize(MapAccessDeserializer::new(map))?]))
    }
}

/// One page of clusters, or one cluster of a page that is a mere list.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageAnswer {
    count: Number,
    page_size: Number,
    clusters: Many<ClusterAnswer>,
    #[serde(flatten)]
    itself: ClusterAnswer,
}

impl PageAnswer {
    /// The clusters, how many there are in all, and how many a page holds at most, where it says so.
    pub(super) fn known(pages: Vec<Self>) -> (Vec<Cluster>, Option<usize>, Option<usize>) {
        let (mut clusters, mut count, mut size) = (Vec::new(), None, None);
        for page in pages {
            (count, size) = (count.or(page.count.whole()), size.or(page.page_size.whole()));
            let all = page.clusters.0.into_iter().chain([page.itself]);
            clusters.extend(all.filter_map(ClusterAnswer::known));
        }
        (clusters, count, size)
    }
}

/// A cluster, in a list or by itself.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ClusterAnswer {
    cluster_id: Text,
    cluster_name: Text,
    project_id: Text,
    region_id: Text,
    plan: Text,
    deployment_option: Text,
    status: Text,
    cu_type: Text,
    cu_size: Number,
    connect_address: Text,
    create_progress: Number,
}

impl ClusterAnswer {
    /// What it says; none where it does not even say an id.
    pub(super) fn known(self) -> Option<Cluster> {
        if self.cluster_id.0.is_empty() {
            return None;
        }
        let tier = tier(&self.deployment_option.0, &self.plan.0, &self.cluster_id.0);
        let address = self.connect_address.0.trim().to_owned();
        Some(Cluster {
            id: self.cluster_id.0,
            name: self.cluster_name.0,
            project_id: self.project_id.0,
            region: self.region_id.0,
            plan: self.plan.0,
            tier,
            standing: standing(&self.status.0),
            status: self.status.0,
            cu_type: self.cu_type.0,
            cu_size: self.cu_size.0.map_or(0, |number| number as u32),
            connect_address: (!address.is_empty()).then_some(address),
            create_progress: self.create_progress.percent(),
        })
    }
}

/// A word of the service in one spelling.
fn plain(word: &str) -> String {
    word.trim().to_ascii_uppercase().replace([' ', '-'], "_")
}

/// The kind of a cluster. Not all answers say how it is deployed, so its plan and the beginning of its id are asked next.
/// What none of them tells is taken for dedicated, which is what most plans are.
fn tier(deployment: &str, plan: &str, id: &str) -> Tier {
    for word in [deployment, plan] {
        match plain(word).as_str() {
            "FREE" => return Tier::Free,
            "SERVERLESS" => return Tier::Serverless,
            "BYOC" => return Tier::Byoc,
            "DEDICATED" | "STANDARD" | "ENTERPRISE" | "BUSINESSCRITICAL" | "BUSINESS_CRITICAL" => {
                return Tier::Dedicated;
            }
            _ => {}
        }
    }
    match id.split('-').next().unwrap_or_default() {
        "in03" => Tier::Free,
        "in05" => Tier::Serverless,
        _ => Tier::Dedicated,
    }
}

fn standing(status: &str) -> Standing {
    match plain(status).as_str() {
        "RUNNING" => Standing::Running,
        "CREATING" | "RESUMING" | "MODIFYING" | "UNFREEZED" | "RESTORE_BACKUP" | "RESIZING" | "UPGRADING"
        | "WRITING_OPERATION" | "SET_PRIVATE_LINK" => Standing::Coming,
        // `STOPPED` is missing in the reference's list; what is stopping comes to it, and to nothing else.
        "STOPPING" | "STOPPED" | "SUSPENDING" | "SUSPENDED" => Standing::Suspended,
        "MIGRATING" => Standing::Migrating,
        "DELETING" | "DELETED" => Standing::Gone,
        // ABNORMAL, FREEZING and FROZEN among them: resuming does not end them.
        _ => Standing::Unclear,
    }
}

/// A cluster that was asked for, and its password, which no other answer holds.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CreatedAnswer {
    cluster_id: Text,
    username: Text,
    password: Password,
}

impl CreatedAnswer {
    /// What it says; none where it does not say an id.
    pub(super) fn known(self) -> Option<CreatedCluster> {
        let Self { cluster_id, username, password } = self;
        (!cluster_id.0.is_empty()).then_some(CreatedCluster {
            id: cluster_id.0,
            username: username.0,
            password: password.0,
        })
    }
}

/// A project.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ProjectAnswer {
    project_id: Text,
    project_name: Text,
    plan: Text,
    region_ids: Many<Text>,
}

impl ProjectAnswer {
    /// What it says; none where it does not say an id.
    pub(super) fn known(self) -> Option<Project> {
        (!self.project_id.0.is_empty()).then(|| Project {
            id: self.project_id.0,
            name: self.project_name.0,
            plan: self.plan.0,
            regions: self.region_ids.0.into_iter().map(|region| region.0).collect(),
        })
    }
}

/// A region.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RegionAnswer {
    region_id: Text,
    cloud_id: Text,
    domain: Text,
}

impl RegionAnswer {
    /// What it says; none where it does not say an id.
    pub(super) fn known(self) -> Option<Region> {
        (!self.region_id.0.is_empty()).then_some(Region {
            id: self.region_id.0,
            cloud: self.cloud_id.0,
            domain: self.domain.0,
        })
    }
}

/// A job.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobAnswer {
    job_id: Text,
    #[serde(rename = "type")]
    kind: Text,
    status: Text,
    progress: Number,
    reason: Text,
}

impl JobAnswer {
    /// The job; none where it says neither an id nor a status.
    pub(super) fn known(self) -> Option<CloudJob> {
        if self.job_id.0.is_empty() && self.status.0.is_empty() {
            return None;
        }
        Some(CloudJob {
            id: self.job_id.0,
            kind: self.kind.0,
            state: job_state(&self.status.0),
            status: self.status.0,
            progress: self.progress.percent(),
            reason: Some(self.reason.0).filter(|reason| !reason.trim().is_empty()),
        })
    }
}

fn job_state(status: &str) -> JobState {
    match plain(status).as_str() {
        "SUCCESSFUL" | "SUCCESS" | "SUCCEEDED" | "COMPLETED" => JobState::Successful,
        "FAILED" => JobState::Failed,
        "CANCELED" | "CANCELLED" => JobState::Canceled,
        _ => JobState::Going,
    }
}

/// A job that was started.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StartedAnswer {
    job_id: Text,
}

impl StartedAnswer {
    /// Its id, where it says one.
    pub(super) fn known(self) -> Option<String> {
        Some(self.job_id.0).filter(|id| !id.is_empty())
    }
}

/// One page of import jobs.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ImportsAnswer {
    count: Number,
    page_size: Number,
    records: Many<ImportAnswer>,
}

impl ImportsAnswer {
    /// The jobs, how many there are in all, and how many a page holds at most, where it says so.
    pub(super) fn known(self) -> (Vec<CloudImport>, Option<usize>, Option<usize>) {
        let jobs = self.records.0.into_iter().filter_map(ImportAnswer::known).collect();
        (jobs, self.count.whole(), self.page_size.whole())
    }
}

/// An import job, in a list or by itself.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ImportAnswer {
    job_id: Text,
    collection_name: Text,
    state: Text,
    progress: Number,
    total_rows: Number,
    reason: Text,
}

impl ImportAnswer {
    /// The job; none where it says no id.
    pub(super) fn known(self) -> Option<CloudImport> {
        (!self.job_id.0.is_empty()).then(|| CloudImport {
            id: self.job_id.0,
            collection: self.collection_name.0,
            state: job_state(&self.state.0),
            status: self.state.0,
            progress: self.progress.percent(),
            rows: self.total_rows.whole().map(|rows| rows as u64),
            reason: Some(self.reason.0).filter(|reason| !reason.trim().is_empty()),
        })
    }
}
