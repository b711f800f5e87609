//! Following a job of Zilliz Cloud that somebody names, to its end. It only asks, so it may be given up at any moment.

use crate::cluster;
use crate::cluster::zilliz::{CloudJob, ControlPlane, JobState};
use crate::run::{LONGEST_PAUSE, beat};

/// Answers in a row by which there is no such job, before that is believed.
const MISSING: u32 = 3;

/// Asks for a job until it has ended, and tells each of its words once. None where the control plane knows no such job.
///
/// # Errors
///
/// Those of the control plane, once they do not pass.
pub async fn follow(
    plane: &dyn ControlPlane,
    id: &str,
    mut tell: impl FnMut(&CloudJob),
) -> cluster::Result<Option<CloudJob>> {
    let (mut last, mut wait, mut missing) = (None, beat(), 0);
    loop {
        match plane.job(id).await? {
            None => {
                missing += 1;
                if missing >= MISSING {
                    return Ok(None);
                }
            }
            Some(job) => {
                missing = 0;
                let now = Some((job.status.clone(), job.progress));
                let is_news = last != now;
                if is_news {
                    tell(&job);
                }
                if job.state != JobState::Going {
                    return Ok(Some(job));
                }
                wait = if is_news { beat() } else { (wait * 3 / 2).min(beat() * LONGEST_PAUSE) };
                last = now;
            }
        }
        tokio::time::sleep(wait).await;
    }
}
