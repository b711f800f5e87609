//! Before anything else is looked at: may the logins of a migration do what it takes? Names of roles say nothing about that,
//! so the servers are asked, by calls that change nothing.

use super::{Depth, FlowError};
use crate::cluster::{Advice, ClusterError, ErrorKind, ReadSide};
use crate::diff::Place;
use crate::plan::resolved::{Auth, Endpoint, Engine, Migration};
use crate::run::Sides;

/// Refuses a migration whose logins lack rights, and names all that each of them lacks.
pub(super) async fn check<'a>(
    migration: &Migration,
    sides: &Sides,
    pairs: impl Iterator<Item = (&'a Place, &'a Place)>,
    depth: Depth,
) -> Result<(), FlowError> {
    let (from, to): (Vec<_>, Vec<_>) = pairs.map(|(from, to)| (from.collection.clone(), to.collection.clone())).unzip();
    if from.is_empty() {
        return Ok(());
    }
    // Who only compares writes nothing, and what the migration service moves is not written by this login.
    let writes = depth != Depth::Schemas && migration.engine == Engine::Direct;
    one(&migration.source, &*sides.source, &migration.source_database, &from, false).await?;
    one(&migration.target, &*sides.target, &migration.target_database, &to, writes).await
}

async fn one(
    endpoint: &Endpoint,
    side: &dyn ReadSide,
    database: &str,
    collections: &[String],
    writes: bool,
) -> Result<(), FlowError> {
    if matches!(endpoint.auth, Auth::None) {
        return Ok(());
    }
    let lacking = side.lacking(database, collections, writes).await;
    if lacking.is_empty() {
        return Ok(());
    }
    let action = format!("{} database `{database}` as the plan needs it", if writes { "write to" } else { "read" });
    let message = format!("the login of `{}` lacks the privileges {}", endpoint.name, lacking.join(", "));
    let error = ClusterError::new(ErrorKind::Forbidden, &endpoint.uri, &action, message);
    let error = ClusterError { advice: Some(Advice::Privileges), ..error };
    Err(FlowError::Connect(Box::new(error), endpoint.span.clone()))
}
