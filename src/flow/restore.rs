//! A backup that the migration service brings into a cluster: what can be seen of that cluster before and after.

use std::time::Duration;

use crate::cluster::{self, Result};
use crate::plan::resolved::Endpoint;

/// How long a count may take. It is no proof of anything, so nobody is to wait long for it.
const LONGEST_COUNT: Duration = Duration::from_secs(20);

/// How many collections a cluster holds, in all databases that the login may list; none where that cannot be found out.
pub async fn collections(endpoint: &Endpoint) -> Option<usize> {
    let counted = tokio::time::timeout(LONGEST_COUNT, count(endpoint)).await.ok()?;
    counted.inspect_err(|error| tracing::info!(%error, "the collections cannot be counted")).ok()?
}

async fn count(endpoint: &Endpoint) -> Result<Option<usize>> {
    let open = cluster::connect(endpoint).await?;
    let Some(databases) = open.databases().await? else { return Ok(None) };
    let mut all = 0;
    for database in databases {
        all += open.collections(&database).await?.len();
    }
    Ok(Some(all))
}
