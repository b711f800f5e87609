//! Flushes, and waits until they are through.
//!
//! Milvus seals what was written two seconds after it was, so a flush takes that long however little there is to do, and those of
//! many collections are through in the order in which they began. So not all who wait ask all the time: the first few ask, often,
//! and when one of them is through the next one asks, which by then is through as well, as a rule. Each collection costs the server
//! little more than one question, and none waits longer than it has to. Whoever takes far longer than that holds nobody up.

use std::time::Duration;

use milvus::proto::milvus::{FlushRequest, GetFlushStateRequest};
use tokio::sync::Semaphore;

use super::Milvus;
use super::client::Stub;
use crate::cluster::{ErrorKind, Result};
use crate::crash_point;

/// How long a flush may take.
const PATIENCE: Duration = Duration::from_secs(900);
/// Flushes that are asked for at once. More than one, because a server may be far away.
const AT_ONCE: usize = 4;
/// The pause between two questions for one of them.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a flush may keep its turn. After that others are asked for before it.
const TURN: Duration = Duration::from_secs(4);

/// The turns of those who wait for a flush: whoever came first asks first.
#[derive(Debug)]
pub struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Milvus {
    /// Flushes a collection and waits until all of it is in segments that last.
    pub(super) async fn flush_and_wait(&self, database: &str, collection: &str) -> Result<()> {
        let action = format!("flush collection `{collection}`");
        let request = FlushRequest {
            db_name: database.to_owned(),
            collection_names: vec![collection.to_owned()],
            ..Default::default()
        };
        let call = |mut stub: Stub, request| async move { stub.flush(request).await };
        let answer = self.client.ask(&action, request, call, |answer| answer.status.as_ref()).await?;
        crash_point::reached("flush");
        let segments = answer.coll_seg_i_ds.get(collection).map(|segments| segments.data.clone()).unwrap_or_default();
        if self.version.lite || segments.is_empty() {
            return Ok(());
        }
        let state = GetFlushStateRequest {
            segment_i_ds: segments,
            flush_ts: answer.coll_flush_ts.get(collection).copied().unwrap_or_default(),
            db_name: database.to_owned(),
            collection_name: collection.to_owned(),
        };
        let waiting = self.client.waiting.begin();
        loop {
            // Nobody closes it, and without a turn asking is only less orderly.
            let turn = self.known.flushes.0.acquire().await;
            loop {
                let call = |mut stub: Stub, request| async move { stub.get_flush_state(request).await };
                let answer = self.client.ask(&action, state.clone(), call, |answer| answer.status.as_ref()).await?;
                if answer.flushed {
                    return Ok(());
                }
                if waiting.elapsed() > PATIENCE {
                    let message = format!("it is not flushed after {} s", PATIENCE.as_secs());
                    return Err(self.client.error(ErrorKind::Transient, &action, message));
                }
                if waiting.elapsed() > TURN {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            drop(turn);
            waiting.pause().await;
        }
    }
}
