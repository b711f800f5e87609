//! What happens to a cluster that a plan names by its id or wants made, given what its control plane says. Pure, as all of `diff`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Note};
use crate::diagnostic::Code;
use crate::plan::resolved::{NewCluster, Tier};

/// A cluster as its control plane describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCluster {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its region; empty where nobody says.
    pub region: String,
    /// What it is paid for, in the service's word.
    pub plan: String,
    /// What kind of cluster it is.
    pub tier: Tier,
    /// The service's word for what can be done with it.
    pub status: String,
    /// The type of its compute units in the service's word; empty where it has none.
    pub cu_type: String,
    /// How many compute units it has; 0 where it has none of its own.
    pub cu_size: u32,
    /// Whether it works as it should.
    pub is_running: bool,
    /// Whether a migration job is at work in it.
    pub is_migrating: bool,
}

impl LiveCluster {
    fn facts(&self) -> String {
        let units = match (self.cu_size, self.cu_type.as_str()) {
            (0, _) => String::new(),
            (size, "") => format!(", {size} CU"),
            (size, kind) => format!(", {size} CU {kind}"),
        };
        let region = if self.region.is_empty() { String::new() } else { format!(", {}", self.region) };
        format!("{} {}{units}{region}", self.name, self.plan)
    }
}

/// What the state remembers of a cluster that a run asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorCluster {
    /// The run.
    pub run: String,
    /// The id, once the service had said it.
    pub id: Option<String>,
    /// The saved plan that asked for it, by its checksum.
    pub saved_plan: Option<String>,
}

/// All that was seen of a cluster.
#[derive(Debug, Clone)]
pub struct SeenCluster {
    /// Its names in the plan: keys under `sources` and `targets`.
    pub names: Vec<String>,
    /// What the plan wants made; none where it names a cluster by its id.
    pub wanted: Option<NewCluster>,
    /// What stands for its address where there is none.
    pub placeholder: String,
    /// Clusters that it may be: the one of that id, or all of that name in that project.
    pub found: Vec<LiveCluster>,
    /// What the state remembers.
    pub prior: Option<PriorCluster>,
    /// Whether something stands already where its password is to be written.
    pub password_file_exists: bool,
}

/// One cluster of the change set.
#[derive(Debug, Clone)]
pub struct ClusterEntry {
    /// All that was seen.
    pub seen: SeenCluster,
    /// The cluster that it is; none before it is made.
    pub live: Option<LiveCluster>,
    /// [`Action::Create`], [`Action::Unchanged`] or [`Action::Blocked`].
    pub action: Action,
    /// Why it is blocked; empty unless it is.
    pub blocked: Vec<Note>,
    /// What could go wrong.
    pub warnings: Vec<Note>,
    /// What to know.
    pub notes: Vec<Note>,
}

/// What happens to one cluster, as people and machines review it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterChange {
    /// Its names in the plan: keys under `sources` and `targets`.
    pub names: Vec<String>,
    /// Its id; null before it is made.
    pub id: Option<String>,
    /// What stands for its address where there is none.
    pub placeholder: String,
    /// What happens to it: `create`, `unchanged` or `blocked`.
    pub action: Action,
    /// What it is, in a few words: name, plan, compute units, region; or what is asked for.
    pub facts: String,
    /// The service's word for what can be done with it; null before it is made.
    pub status: Option<String>,
    /// Why it is blocked; empty unless it is.
    pub blocked: Vec<Note>,
    /// What could go wrong.
    pub warnings: Vec<Note>,
    /// What to know.
    pub notes: Vec<Note>,
}

/// Decides about one cluster.
pub fn decide_cluster(seen: SeenCluster) -> ClusterEntry {
    let mut entry = ClusterEntry {
        seen,
        live: None,
        action: Action::Unchanged,
        blocked: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
    };
    match entry.seen.wanted.clone() {
        Some(wanted) => choose(&mut entry, &wanted),
        None => entry.live = entry.seen.found.first().cloned(),
    }
    if let Some(live) = &entry.live
        && !live.is_running
        && !live.is_migrating
    {
        let message =
            format!("its status is {}, of which vecferry does not know what it means for its rows", live.status);
        entry.warnings.push(
            Note::new(Code::ClusterStatus, message).help("look at it in the console before rows are read or written"),
        );
    }
    if let Some(live) = entry.live.as_ref().filter(|live| live.is_migrating) {
        let message = format!("its status is {}: a migration job is at work in it", live.status);
        entry.warnings.push(
            Note::new(Code::ClusterStatus, message)
                .help("unless it is this plan's own job, wait until it has ended: rows come and go meanwhile"),
        );
    }
    if !entry.blocked.is_empty() {
        entry.action = Action::Blocked;
    }
    entry
}

/// A cluster that is to be there: the one that was made for it, or one of its name, or none yet.
fn choose(entry: &mut ClusterEntry, wanted: &NewCluster) {
    let made = entry.seen.prior.clone();
    let mine = made.as_ref().and_then(|prior| prior.id.as_ref());
    let known = entry.seen.found.iter().find(|live| Some(&live.id) == mine).cloned();
    if let (None, Some(id), Some(prior)) = (&known, mine, &made) {
        let message = format!("cluster {id}, which run {} made, is gone", prior.run);
        entry.notes.push(Note::new(Code::ClusterGone, message));
    }
    let live = match (known, entry.seen.found.as_slice()) {
        (Some(live), _) => live,
        (None, []) => {
            entry.action = Action::Create;
            if entry.seen.password_file_exists {
                let file = wanted.password_file.display();
                entry.blocked.push(
                    Note::new(Code::PasswordFileExists, format!("{file} exists, and the password of a new cluster goes there"))
                        .help("move it away, or name another `password_file`: a password that is said once overwrites nothing"),
                );
            }
            if let Some(prior) = made.as_ref().filter(|prior| prior.id.is_none()) {
                let message = format!(
                    "run {} was stopped while it asked for this cluster, and there is none: it is asked for again",
                    prior.run
                );
                entry.notes.push(Note::new(Code::ClusterAskedFor, message));
            }
            return;
        }
        (None, [only]) => {
            let message = match &made {
                Some(prior) if prior.id.is_none() => {
                    format!("run {} asked for a cluster of that name: it is this one", prior.run)
                }
                _ => format!("a cluster of that name exists in {}: it is used as it is", wanted.project_id),
            };
            let mut note = Note::new(Code::ClusterExists, message);
            if made.as_ref().is_some_and(|prior| prior.id.is_none()) && !entry.seen.password_file_exists {
                note = note.help(
                    "its password was said to a run that did not live to keep it: set a new one in the console; the API key opens it",
                );
            }
            entry.notes.push(note);
            only.clone()
        }
        (None, several) => {
            let ids: Vec<&str> = several.iter().map(|live| live.id.as_str()).collect();
            let message = format!(
                "{} clusters of {} are named `{}`: {}",
                ids.len(),
                wanted.project_id,
                wanted.name,
                ids.join(", ")
            );
            entry.blocked.push(
                Note::new(Code::ClusterUnclear, message)
                    .help("name the one that is meant by `cluster_id` instead of `create`"),
            );
            return;
        }
    };
    for (what, asked, has) in differences(wanted, &live) {
        let message = format!("it was to have {what} {asked}, and has {has}");
        entry.warnings.push(
            Note::new(Code::ClusterOtherwise, message)
                .help("vecferry changes no cluster: change it in the console, or write into the plan what it has"),
        );
    }
    entry.live = Some(live);
}

/// What a cluster has otherwise than a plan says, as what, asked and has. Only what the service said is compared.
fn differences(wanted: &NewCluster, live: &LiveCluster) -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    let mut compare = |what, asked: String, has: &str| {
        if !has.is_empty() && !asked.eq_ignore_ascii_case(has) {
            found.push((what, asked, has.to_owned()));
        }
    };
    compare("region", wanted.region.clone(), &live.region);
    compare("plan", wanted.plan.word().to_owned(), &live.plan);
    if let Some((kind, size)) = wanted.plan.units() {
        compare("CU type", kind.service_word().to_owned(), &live.cu_type);
        if live.cu_size > 0 {
            compare("CU size", size.to_string(), &live.cu_size.to_string());
        }
    }
    found
}

impl ClusterEntry {
    /// What is shown of it.
    pub fn change(&self) -> ClusterChange {
        ClusterChange {
            names: self.seen.names.clone(),
            id: self.live.as_ref().map(|live| live.id.clone()),
            placeholder: self.seen.placeholder.clone(),
            action: self.action,
            facts: match (&self.live, &self.seen.wanted) {
                (Some(live), _) => live.facts(),
                (None, Some(wanted)) => asked_for(wanted),
                (None, None) => String::new(),
            },
            status: self.live.as_ref().map(|live| live.status.clone()),
            blocked: self.blocked.clone(),
            warnings: self.warnings.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// A cluster that is wanted, in a few words.
fn asked_for(wanted: &NewCluster) -> String {
    let units = wanted.plan.units().map(|(kind, size)| format!(", {size} CU {}", kind.service_word()));
    let NewCluster { name, project_id, region, plan, .. } = wanted;
    format!("{name} {}{}, {region}, in project {project_id}", plan.word(), units.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::resolved::{CloudPlan, CuType};

    fn wanted() -> NewCluster {
        NewCluster {
            name: "kb-prod".into(),
            project_id: "proj-1".into(),
            region: "aws-us-west-2".into(),
            plan: CloudPlan::Standard { cu_type: CuType::PerformanceOptimized, cu_size: 2 },
            description: None,
            password_file: "kb-prod.password".into(),
        }
    }

    fn live(id: &str) -> LiveCluster {
        LiveCluster {
            id: id.into(),
            name: "kb-prod".into(),
            region: "aws-us-west-2".into(),
            plan: "Standard".into(),
            tier: Tier::Dedicated,
            status: "RUNNING".into(),
            cu_type: "Performance-optimized".into(),
            cu_size: 2,
            is_running: true,
            is_migrating: false,
        }
    }

    fn seen(found: Vec<LiveCluster>, prior: Option<PriorCluster>) -> SeenCluster {
        SeenCluster {
            names: vec!["new".into()],
            wanted: Some(wanted()),
            placeholder: "zilliz_cloud:proj-1/kb-prod".into(),
            found,
            prior,
            password_file_exists: false,
        }
    }

    fn prior(id: Option<&str>) -> Option<PriorCluster> {
        Some(PriorCluster { run: "r1".into(), id: id.map(str::to_owned), saved_plan: None })
    }

    #[test]
    fn a_cluster_is_made_where_there_is_none_of_its_name() {
        let entry = decide_cluster(seen(Vec::new(), None));
        assert_eq!((entry.action, entry.live.is_none(), entry.notes.len()), (Action::Create, true, 0));
        assert_eq!(
            entry.change().facts,
            "kb-prod Standard, 2 CU Performance-optimized, aws-us-west-2, in project proj-1"
        );
        // One that was asked for and never came to be is asked for again.
        let entry = decide_cluster(seen(Vec::new(), prior(None)));
        assert_eq!((entry.action, entry.notes[0].code), (Action::Create, Code::ClusterAskedFor));
    }

    #[test]
    fn a_password_that_somebody_keeps_is_not_overwritten() {
        let entry = decide_cluster(SeenCluster { password_file_exists: true, ..seen(Vec::new(), None) });
        assert_eq!((entry.action, entry.blocked[0].code), (Action::Blocked, Code::PasswordFileExists));
        // Where the cluster is there, its password may be as well.
        let entry = decide_cluster(SeenCluster { password_file_exists: true, ..seen(vec![live("in01-a")], None) });
        assert_eq!(entry.action, Action::Unchanged);
    }

    #[test]
    fn the_cluster_that_was_made_is_known_by_its_id_whatever_its_name() {
        let renamed = LiveCluster { name: "kb-old".into(), ..live("in01-a") };
        let entry = decide_cluster(seen(vec![renamed, live("in01-b")], prior(Some("in01-a"))));
        assert_eq!(entry.live.map(|live| live.id), Some("in01-a".into()));
        let entry = decide_cluster(seen(Vec::new(), prior(Some("in01-a"))));
        assert_eq!((entry.action, entry.notes[0].code), (Action::Create, Code::ClusterGone));
    }

    #[test]
    fn one_of_its_name_is_used_and_two_are_one_too_many() {
        let bigger = LiveCluster { cu_size: 4, plan: "Enterprise".into(), ..live("in01-a") };
        let entry = decide_cluster(seen(vec![bigger], None));
        assert_eq!((entry.action, entry.notes[0].code), (Action::Unchanged, Code::ClusterExists));
        let warnings: Vec<_> = entry.warnings.iter().map(|note| note.message.as_str()).collect();
        assert_eq!(
            warnings,
            ["it was to have plan Standard, and has Enterprise", "it was to have CU size 2, and has 4"]
        );
        let entry = decide_cluster(seen(vec![live("in01-a"), live("in01-b")], None));
        assert_eq!((entry.action, entry.blocked[0].code), (Action::Blocked, Code::ClusterUnclear));
    }

    #[test]
    fn a_password_that_nobody_kept_is_told_of() {
        let help = |seen: SeenCluster| decide_cluster(seen).notes[0].help.clone().unwrap_or_default();
        let asked = seen(vec![live("in01-a")], prior(None));
        assert!(help(asked.clone()).contains("set a new one in the console"));
        // It is in its file, or was never meant for this plan.
        assert_eq!(help(SeenCluster { password_file_exists: true, ..asked }), "");
        assert_eq!(help(seen(vec![live("in01-a")], None)), "");
    }

    #[test]
    fn a_status_that_nobody_knows_and_a_job_at_work_are_told() {
        for (status, is_migrating) in [("MIGRATING", true), ("ABNORMAL", false)] {
            let busy = LiveCluster { status: status.into(), is_running: false, is_migrating, ..live("in01-a") };
            let entry = decide_cluster(SeenCluster { wanted: None, ..seen(vec![busy], None) });
            assert_eq!((entry.action, entry.warnings.len()), (Action::Unchanged, 1), "{status}");
            assert_eq!(entry.warnings[0].code, Code::ClusterStatus);
        }
    }
}
