//! What a control plane of Zilliz Cloud says, for whoever writes a plan: clusters, projects, regions, and a job. The service's
//! words are shown as they came.

use serde_json::{Value, json};

use super::markup::{self, MARKER};
use super::words::{self, Tone, clean, columns, paint};
use super::{Style, values};
use crate::cluster::zilliz::{CloudImport, CloudJob, Cluster, JobState, Project, Region, Standing};

/// Things of one kind, as a table.
pub struct Listing {
    /// What they are called: `clusters`.
    kind: &'static str,
    headings: &'static [&'static str],
    /// Cells in the order of the headings.
    rows: Vec<Vec<String>>,
    /// The same for machines.
    values: Vec<Value>,
}

fn join(names: &[String]) -> String {
    names.join(", ")
}

/// What a standing means for a plan.
fn usable(standing: Standing) -> &'static str {
    match standing {
        Standing::Running => "usable",
        Standing::Coming => "not yet usable",
        Standing::Suspended => "suspended",
        Standing::Migrating => "a migration is at work",
        Standing::Gone => "gone",
        Standing::Unclear => "unclear",
    }
}

fn state(state: JobState) -> &'static str {
    match state {
        JobState::Going => "going",
        JobState::Successful => "successful",
        JobState::Failed => "failed",
        JobState::Canceled => "canceled",
    }
}

impl Listing {
    /// Clusters.
    pub fn clusters(clusters: &[Cluster]) -> Self {
        let cu = |cluster: &Cluster| match cluster.cu_size {
            0 => String::new(),
            size => format!("{size} {}", cluster.cu_type),
        };
        let row = |cluster: &Cluster| {
            let status = match cluster.standing {
                Standing::Running => cluster.status.clone(),
                standing => format!("{} ({})", cluster.status, usable(standing)),
            };
            vec![
                cluster.id.clone(),
                cluster.name.clone(),
                cluster.plan.clone(),
                cu(cluster),
                cluster.region.clone(),
                cluster.project_id.clone(),
                status,
                cluster.connect_address.clone().unwrap_or_default(),
            ]
        };
        let value = |cluster: &Cluster| {
            json!({
                "id": cluster.id, "name": cluster.name, "project_id": cluster.project_id, "region": cluster.region,
                "plan": cluster.plan, "tier": cluster.tier.word(), "status": cluster.status,
                "usable": cluster.standing == Standing::Running, "cu_type": cluster.cu_type, "cu_size": cluster.cu_size,
                "connect_address": cluster.connect_address, "create_progress": cluster.create_progress,
            })
        };
        Self {
            kind: "clusters",
            headings: &["CLUSTER", "NAME", "PLAN", "CU", "REGION", "PROJECT", "STATUS", "ADDRESS"],
            rows: clusters.iter().map(row).collect(),
            values: clusters.iter().map(value).collect(),
        }
    }

    /// Projects.
    pub fn projects(projects: &[Project]) -> Self {
        let row = |project: &Project| {
            vec![project.id.clone(), project.name.clone(), project.plan.clone(), join(&project.regions)]
        };
        let value = |project: &Project| json!({ "id": project.id, "name": project.name, "plan": project.plan, "regions": project.regions });
        Self {
            kind: "projects",
            headings: &["PROJECT", "NAME", "PLAN", "REGIONS"],
            rows: projects.iter().map(row).collect(),
            values: projects.iter().map(value).collect(),
        }
    }

    /// Regions.
    pub fn regions(regions: &[Region]) -> Self {
        let row = |region: &Region| vec![region.id.clone(), region.cloud.clone(), region.domain.clone()];
        let value = |region: &Region| json!({ "id": region.id, "cloud": region.cloud, "domain": region.domain });
        Self {
            kind: "regions",
            headings: &["REGION", "CLOUD", "CONTROL PLANE"],
            rows: regions.iter().map(row).collect(),
            values: regions.iter().map(value).collect(),
        }
    }

    /// One job.
    pub fn job(job: &CloudJob) -> Self {
        let progress = job.progress.map(|percent| format!("{percent}%")).unwrap_or_default();
        let status = format!("{} ({})", job.status, state(job.state));
        Self {
            kind: "jobs",
            headings: &["JOB", "KIND", "STATUS", "PROGRESS", "REASON"],
            rows: vec![vec![
                job.id.clone(),
                job.kind.clone(),
                status,
                progress,
                job.reason.clone().unwrap_or_default(),
            ]],
            values: vec![json!({
                "id": job.id, "kind": job.kind, "status": job.status, "state": state(job.state),
                "progress": job.progress, "reason": job.reason,
            })],
        }
    }

    /// Import jobs.
    pub fn imports(imports: &[CloudImport]) -> Self {
        let row = |job: &CloudImport| {
            vec![
                job.id.clone(),
                job.collection.clone(),
                format!("{} ({})", job.status, state(job.state)),
                job.progress.map(|percent| format!("{percent}%")).unwrap_or_default(),
                job.rows.map(words::number).unwrap_or_default(),
                job.reason.clone().unwrap_or_default(),
            ]
        };
        let value = |job: &CloudImport| {
            json!({
                "id": job.id, "collection": job.collection, "status": job.status, "state": state(job.state),
                "progress": job.progress, "rows": job.rows, "reason": job.reason,
            })
        };
        Self {
            kind: "imports",
            headings: &["JOB", "COLLECTION", "STATUS", "PROGRESS", "ROWS", "REASON"],
            rows: imports.iter().map(row).collect(),
            values: imports.iter().map(value).collect(),
        }
    }

    /// For people.
    pub fn text(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return format!("No {}.\n", self.kind);
        }
        let mut table = vec![self.headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>()];
        table.extend(self.rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()));
        // An id is there to be copied, so lines are rather too long than broken.
        let mut text = String::new();
        for (number, line) in columns(&table, usize::MAX).into_iter().flatten().enumerate() {
            let tone = if number == 0 { Tone::Quiet } else { Tone::Plain };
            text.push_str(&format!("{}\n", paint(style, tone, &line)));
        }
        text
    }

    /// For a change request.
    pub fn markdown(&self) -> String {
        if self.rows.is_empty() {
            return format!("{MARKER}No {}.\n", self.kind);
        }
        let headings = self.headings.join(" | ").to_lowercase();
        let mut text = format!("{MARKER}| {headings} |\n|{}\n", "---|".repeat(self.headings.len()));
        for row in &self.rows {
            let cell = |cell: &String| if cell.is_empty() { String::new() } else { markup::code(&words::calm(cell)) };
            text.push_str(&format!("| {} |\n", row.iter().map(cell).collect::<Vec<_>>().join(" | ")));
        }
        text
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({ "format_version": values::FORMAT_VERSION, self.kind: self.values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::resolved::Tier;

    fn clusters() -> Listing {
        let cluster = Cluster {
            id: "in01-a".to_owned(),
            name: "kb|prod\u{1b}[2J".to_owned(),
            project_id: "proj-1".to_owned(),
            region: "aws-us-west-2".to_owned(),
            plan: "Standard".to_owned(),
            tier: Tier::Dedicated,
            standing: Standing::Suspended,
            status: "STOPPED".to_owned(),
            cu_type: "Performance-optimized".to_owned(),
            cu_size: 2,
            connect_address: None,
            create_progress: None,
        };
        Listing::clusters(&[cluster])
    }

    #[test]
    fn a_list_is_shown_in_every_form_and_names_do_no_harm() {
        let listing = clusters();
        let text = listing.text(Style { color: false, width: 80 });
        assert!(text.starts_with("CLUSTER  NAME") && text.contains("STOPPED (suspended)"), "{text}");
        assert!(text.contains("2 Performance-optimized") && !text.contains('\u{1b}'), "{text}");
        let markdown = listing.markdown();
        assert!(markdown.contains("| cluster | name |") && !markdown.contains("kb|prod"), "{markdown}");
        let json = listing.json();
        assert_eq!(json["clusters"][0]["tier"], "dedicated");
        assert_eq!(json["clusters"][0]["usable"], false);
        assert_eq!(Listing::regions(&[]).text(Style { color: false, width: 80 }), "No regions.\n");
        assert_eq!(Listing::projects(&[]).json()["projects"], json!([]));
    }

    #[test]
    fn a_job_keeps_the_words_of_the_service() {
        let job = CloudJob {
            id: "job-1".to_owned(),
            kind: "MIGRATION".to_owned(),
            state: JobState::Failed,
            status: "FAILED".to_owned(),
            progress: Some(40),
            reason: Some("a name clash".to_owned()),
        };
        let text = Listing::job(&job).text(Style { color: false, width: 80 });
        assert!(text.contains("FAILED (failed)") && text.contains("40%") && text.contains("a name clash"), "{text}");
    }
}
