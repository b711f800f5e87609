//! Repeated requests of a job: told, written down and counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::{ClusterError, Watch};

/// Repeated requests by the class of their error.
pub type Retried = BTreeMap<&'static str, u64>;

/// One repeated request.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Class of the error.
    pub class: &'static str,
    /// The error, in the server's words.
    pub reason: String,
}

impl Retry {
    /// The repetition after an error.
    pub fn after(error: &ClusterError) -> Self {
        Self { class: error.class(), reason: error.to_string() }
    }
}

/// Sends on what a connection tells. Reads are repeated inside the connection, where nobody knows of jobs and journals.
struct Line(UnboundedSender<Retry>);

impl Watch for Line {
    fn repeating(&self, error: &ClusterError) {
        // Nobody listens any more once the job has ended.
        let _ = self.0.send(Retry::after(error));
    }
}

/// A watch for the connections of one job, and the other end of it.
pub fn watch() -> (Arc<dyn Watch>, UnboundedReceiver<Retry>) {
    let (sender, receiver) = unbounded_channel();
    (Arc::new(Line(sender)), receiver)
}
