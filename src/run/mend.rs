//! Puts a range of the target right: compares it with the source and writes what is missing or differs.
//!
//! Every attempt begins with a comparison, so it may be killed or fail at any moment: the next one finds what is left to do.
//! Rows whose primary key is the source's key are upserted. Where the primary key is another one, an upsert would leave the
//! old row of a source key beside the new one, so what differs is removed by its primary key first. Where the server makes
//! the keys, what is missing is inserted, and after an answer that was lost the range is compared again before anything else
//! is sent; an insert that lands even later makes a double, which the next reading of the range finds.

use std::collections::HashSet;

use super::compare::{RangeDiff, Side, compare};
use super::copy::{Mode, Written};
use super::job::Job;
use super::{JobError, mapped, reader};
use crate::cluster::{Destination, Scan};
use crate::collection::{Field, Key, KeyRange, RowBatch};
use crate::mapping::Rewrite;
use crate::state::{Record, Split, Tally};

/// How often a range is compared again because an answer to an insert was lost.
const TRIES: usize = 10;

impl Job<'_> {
    /// Compares a split and writes what is missing or differs. Rows that only the target has are removed, unless the plan leaves
    /// them alone. Returns what was found first, and how many rows were written.
    pub(super) async fn put_right(
        &self,
        number: usize,
        split: &Split,
        source: &Scan,
        target: &Scan,
    ) -> Result<(RangeDiff, u64), JobError> {
        let columns = &self.mapping.columns;
        let (source_side, target_side) =
            (Side { read: &*self.sides.source, scan: source }, Side { read: &*self.sides.target, scan: target });
        let (mut first, mut written, mut settled): (Option<RangeDiff>, u64, bool) = (None, 0, false);
        for _ in 0..TRIES {
            let target = Side { scan: &Scan { moment: self.target_moment().await?, ..target.clone() }, ..target_side };
            let mut found = compare(source_side, target, split, self.mapping, columns, &self.rooms).await?;
            self.quarantine.keep(number, &found.quarantined).await?;
            let mut gone: HashSet<Key> = HashSet::new();
            if columns.rewrite == Rewrite::Remove || !columns.keeps_key() {
                gone.extend(found.to_replace.iter().cloned());
            }
            if !self.leaves_extra() {
                gone.extend(found.extra.iter().cloned());
            }
            let to_write = std::mem::take(&mut found.to_write);
            let idle = to_write.is_empty() && gone.is_empty();
            first.get_or_insert(found);
            if idle {
                settled = true;
                break;
            }
            // Whoever compares is not held back by those who write, but writes only as many at once as they do.
            let bytes: usize = to_write.iter().map(RowBatch::bytes).sum();
            let _lane = self.pace.writes.enter(bytes as u64).await?;
            self.fence().await?;
            self.record(&Record::Started { split: number }).await?;
            let to = self.destination(split);
            if !gone.is_empty() {
                let partitions = to.partition.iter().cloned().collect();
                let scan = Scan { partitions, ..target.scan.clone() };
                let keys = mapped::primary_keys(&*self.sides.target, &scan, &split.range, columns, &gone).await?;
                for keys in keys.chunks(reader::KEYS_AT_ONCE) {
                    self.sides.target.delete(&to, &columns.key, keys).await?;
                }
            }
            let mut ended = Written::All;
            for batch in to_write {
                let rows = batch.rows() as u64;
                let mut mode = if columns.rewrite == Rewrite::Remove { Mode::InsertOnce } else { Mode::Upsert };
                ended = self.write(&to, batch, &mut mode, |_| {}).await?;
                if ended == Written::Open {
                    break;
                }
                written += rows;
            }
            if ended == Written::All {
                settled = true;
                break;
            }
        }
        match first {
            Some(found) if settled => Ok((found, written)),
            _ => Err(JobError::Unsettled(self.entry.seen.to.to_string())),
        }
    }

    /// Removes what is in partitions of the target that the plan writes nothing into, where it prunes.
    pub(super) async fn prune_other_partitions(&self) -> Result<(), JobError> {
        let to = &self.entry.seen.to;
        let written: Vec<&String> = self.mapping.routes.iter().filter_map(|route| route.to.as_ref()).collect();
        if !self.converging() || self.leaves_extra() || written.is_empty() {
            return Ok(());
        }
        let live = self.sides.target.describe(&to.database, &to.collection).await?;
        let key = Field { primary_key: true, ..self.mapping.columns.key.clone() };
        for name in live.iter().flat_map(|live| &live.partitions).filter(|name| !written.contains(name)) {
            let scan = Scan { partitions: vec![name.clone()], ..self.target_scan().await? };
            let to = Destination {
                database: to.database.clone(),
                collection: to.collection.clone(),
                partition: Some(name.clone()),
                fields: vec![key.clone()],
            };
            let mut rest = KeyRange::ALL;
            loop {
                let fields = std::slice::from_ref(&key);
                let page = self.sides.target.read_next(&scan, &rest, fields, reader::KEYS_AT_ONCE).await?;
                let Some(last) = page.max_key() else { break };
                let keys: Vec<Key> = page.keys().collect();
                for keys in keys.chunks(reader::KEYS_AT_ONCE) {
                    self.sides.target.delete(&to, &key, keys).await?;
                }
                rest.after = Some(last);
            }
        }
        Ok(())
    }
}

impl Tally {
    /// What a comparison says about a split that was put right.
    pub(super) fn of(found: &RangeDiff, written: u64) -> Self {
        Self {
            fingerprint: found.fingerprint,
            doubled: found.source_doubled,
            written,
            quarantined: found.quarantined.len() as u64,
            touched: found.touched.clone(),
        }
    }
}
