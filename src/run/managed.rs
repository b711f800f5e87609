//! Collections that the migration service of Zilliz Cloud moves: its jobs, from the request that starts one to the proof on the
//! target.

use std::sync::Arc;

use crate::cluster::zilliz::ControlPlane;

/// Two clusters as the migration service knows them.
pub struct ManagedPair {
    /// The control plane that is asked.
    pub control: Arc<dyn ControlPlane>,
    /// Id of the source cluster.
    pub from: String,
    /// Id of the target cluster.
    pub to: String,
    /// Most collections of one job.
    pub most_collections: usize,
}
