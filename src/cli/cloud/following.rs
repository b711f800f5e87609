//! Following a job, for `cloud job --follow` and `cloud restore`.

use tokio_util::sync::CancellationToken;

use super::Access;
use crate::cli::exit_code::ExitCode;
use crate::cli::{Context, session};
use crate::cluster::zilliz::{self, CloudJob, ControlPlane, JobState};
use crate::flow;
use crate::plan::resolved::CloudCluster;
use crate::render::cloud::Listing;
use crate::render::harmless;

/// What becomes of a first and of a second signal. Nothing is in flight that could be finished: the job is the service's.
pub(super) fn stop(context: &Context) -> CancellationToken {
    session::stop_saying(
        "Interrupted: no longer following the job. Once more ends at once.\n",
        "Interrupted twice: ending at once. What was started goes on; look at the jobs in the web console.\n",
        context,
    )
}

/// Follows the job that a command line names.
pub(super) async fn job(id: &str, access: &Access, cluster: &CloudCluster, context: &Context) -> ExitCode {
    let stop = stop(context);
    let plane = match zilliz::connect(cluster, "zilliz_cloud").await {
        Ok(plane) => plane,
        Err(error) => return super::say_error(&error, context),
    };
    let (last, code) = to_the_end(&*plane, id, access, &str::to_owned, &stop, context).await;
    match last.map(|job| super::show(&Listing::job(&job), context)) {
        Some(ExitCode::Success) | None => code,
        Some(unwritten) => unwritten,
    }
}

/// Follows a job until it ends, it cannot be asked for, or somebody asks to stop. Returns what it said last and what that comes
/// to. `hide` takes out of the service's words what may be shown nowhere.
pub(super) async fn to_the_end(
    plane: &dyn ControlPlane,
    id: &str,
    access: &Access,
    hide: &(dyn Fn(&str) -> String + Sync),
    stop: &CancellationToken,
    context: &Context,
) -> (Option<CloudJob>, ExitCode) {
    let safe = |job: &CloudJob| CloudJob { reason: job.reason.as_deref().map(hide), ..job.clone() };
    let mut last = None;
    let tell = |job: &CloudJob| {
        let percent = job.progress.map(|percent| format!(", {percent}%")).unwrap_or_default();
        context.printer.note(&format!("{}: {}{percent}\n", harmless(id), harmless(&job.status)));
        last = Some(safe(job));
    };
    let end = tokio::select! {
        end = flow::follow::follow(plane, id, tell) => Some(end),
        () = stop.cancelled() => None,
    };
    let code = match end {
        None => {
            let text = "The job goes on. It is canceled in the web console only, under Jobs. To follow it again:";
            context.printer.important(&format!("{text}\n  {}\n", again(id, access)));
            ExitCode::Interrupted
        }
        Some(Err(error)) => {
            let code = super::say_error(&error, context);
            context.printer.important(&format!("The job may go on. To follow it again:\n  {}\n", again(id, access)));
            code
        }
        Some(Ok(None)) => say_missing(context),
        Some(Ok(Some(job))) => {
            let job = safe(&job);
            let code = say_end(&job, context);
            last = Some(job);
            code
        }
    };
    (last, code)
}

/// Says that a job is not there.
pub(super) fn say_missing(context: &Context) -> ExitCode {
    let help = "check the id, and that the API key belongs to the organisation of the job";
    session::say("there is no job of that id, or the API key may not see it", help, context);
    ExitCode::Failure
}

fn say_end(job: &CloudJob, context: &Context) -> ExitCode {
    let reason = job.reason.as_deref().map_or_else(|| "it gives no reason".to_owned(), harmless);
    let (id, status) = (harmless(&job.id), harmless(&job.status));
    match job.state {
        JobState::Successful => ExitCode::Success,
        JobState::Failed => {
            let help =
                "settle what the service says and look at what has arrived; a new job is started by a new command";
            session::say(&format!("job {id} ended {status}: {reason}"), help, context);
            ExitCode::Incomplete
        }
        JobState::Canceled => {
            let help = "somebody canceled it in the web console; look at what has arrived";
            session::say(&format!("job {id} ended {status}: {reason}"), help, context);
            ExitCode::Incomplete
        }
        // Only what has ended comes here.
        JobState::Going => ExitCode::Bug,
    }
}

/// The command that goes on following.
pub(super) fn again(id: &str, access: &Access) -> String {
    let words =
        ["vecferry", "cloud", "job", id, "--follow", "--api", &access.api, "--api-key-env", &access.api_key_env];
    harmless(&session::command(&words))
}
