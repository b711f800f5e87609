//! The collections of both clusters in memory, and what is remembered of every call to them.
//!
//! Rows behave as those of Milvus 2.3.5: an insert keeps rows of keys that exist, an upsert removes all of them, a query
//! returns one row a key, and one answer for a range with doubled keys leaves out rows that have nothing to do with them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, new_empty_array};

use super::script::{Script, Trouble};
use crate::cluster::{ClusterError, ErrorKind, Result, Scan};
use crate::collection::{CollectionSchema, DEFAULT_PARTITION, Field, Index, Key, KeyRange, RowBatch};

/// Field of every row whose value no other row has, on both sides and whatever becomes of the keys.
pub const NUMBER: &str = "n";

/// A physical row.
#[derive(Debug, Clone)]
pub struct Row {
    pub partition: String,
    pub cells: BTreeMap<String, ArrayRef>,
}

impl Row {
    pub fn key(&self, field: &str) -> Key {
        let cell = &self.cells[field];
        match cell.as_primitive_opt::<Int64Type>() {
            Some(keys) => Key::Int(keys.value(0)),
            None => Key::Text(cell.as_string::<i32>().value(0).to_owned()),
        }
    }

    pub fn number(&self) -> i64 {
        self.cells[NUMBER].as_primitive::<Int64Type>().value(0)
    }
}

/// The rows of a batch, one by one.
pub fn rows_of(batch: &RowBatch, fields: &[Field], partition: &str) -> Vec<Row> {
    let row = |number| {
        let cells =
            fields.iter().map(|field| (field.name.clone(), batch.column(&field.name).unwrap().slice(number, 1)));
        Row { partition: partition.to_owned(), cells: cells.collect() }
    };
    (0..batch.rows()).map(row).collect()
}

/// A batch of these rows.
pub fn batch_of(rows: &[&Row], fields: &[Field]) -> RowBatch {
    let column = |field: &Field| -> ArrayRef {
        let cells: Vec<&dyn Array> = rows.iter().map(|row| &*row.cells[&field.name]).collect();
        match cells.is_empty() {
            true => new_empty_array(&field.arrow().unwrap()),
            false => arrow_select::concat::concat(&cells).unwrap(),
        }
    };
    RowBatch::new(fields, fields.iter().map(column).collect()).unwrap()
}

/// A collection.
#[derive(Debug, Clone)]
pub struct Collection {
    pub id: i64,
    pub schema: CollectionSchema,
    pub mark: BTreeMap<String, String>,
    pub partitions: Vec<String>,
    pub indexes: Vec<Index>,
    pub loaded: bool,
    pub rows: Vec<Row>,
    /// What the rows were before each call that changed them.
    pub past: Vec<(u32, Vec<Row>)>,
    /// A query shows the rows as they were after this call at least: no query takes back what an earlier one showed.
    pub shows: u32,
}

impl Collection {
    pub fn new(id: i64, schema: CollectionSchema) -> Self {
        let (mark, partitions) = (BTreeMap::new(), vec![DEFAULT_PARTITION.to_owned()]);
        let (indexes, loaded, rows, past) = (Vec::new(), false, Vec::new(), Vec::new());
        Self { id, schema, mark, partitions, indexes, loaded, rows, past, shows: 0 }
    }

    /// The rows, to be changed by this call.
    pub fn changing(&mut self, call: u32) -> &mut Vec<Row> {
        self.past.push((call, self.rows.clone()));
        &mut self.rows
    }

    /// Makes a query show the rows as they were after this call at least.
    pub fn show(&mut self, call: u32) {
        self.shows = self.shows.max(call);
    }

    /// The rows that a query shows.
    fn shown(&self) -> &[Row] {
        self.past.iter().find(|(changed, _)| *changed > self.shows).map_or(&self.rows, |(_, before)| before)
    }

    /// Physical rows that a scan sees, in the order of their keys.
    pub fn seen<'a>(&'a self, scan: &Scan, range: &KeyRange) -> Vec<&'a Row> {
        let within =
            |row: &Row| scan.within.as_ref().is_none_or(|(field, range)| range.contains(&row.key(&field.name)));
        let mut rows: Vec<&Row> = self
            .shown()
            .iter()
            .filter(|row| scan.partitions.is_empty() || scan.partitions.contains(&row.partition))
            .filter(|row| range.contains(&row.key(&scan.key.name)) && within(row))
            .collect();
        rows.sort_by_key(|row| row.key(&scan.key.name));
        rows
    }
}

/// A write of rows, which may take effect later than it is sent.
#[derive(Debug, Clone)]
pub enum Write {
    Insert(Vec<Row>),
    Upsert(Vec<Row>),
    /// In a partition, or in all of them.
    Delete(Vec<Key>, Option<String>),
}

/// A write that was sent and did not land yet.
#[derive(Debug)]
struct Late {
    calls: u32,
    collection: i64,
    write: Write,
}

/// Both clusters.
pub struct World {
    pub source: BTreeMap<String, Collection>,
    pub target: BTreeMap<String, Collection>,
    pub aliases: BTreeMap<String, String>,
    late: Vec<Late>,
    script: Script,
    next_id: i64,
    next_key: i64,
    /// Calls so far, those of a look not counted.
    pub calls: u32,
    /// What was called and what came of it, for a failure.
    pub trace: Vec<String>,
    /// What must never happen and did.
    pub breaches: Vec<String>,
    /// Rows that were sent into a collection and may have landed, by its id and their numbers.
    sent: HashSet<(i64, i64)>,
    /// Collections that somebody else made.
    pub strangers: BTreeSet<i64>,
    /// Whether this attempt was told of a stranger.
    pub saw_stranger: bool,
    /// Writes into its collection since then, and how many splits are in flight.
    pub written_after: usize,
    pub at_once: usize,
    /// When the target was last replaced by a stranger, when rows of it were last read, when a write landed late, and when the
    /// source changed.
    pub replaced: u32,
    pub target_read: u32,
    pub landed: u32,
    pub source_changed: u32,
    /// Whether a deletion landed late.
    pub deleted_late: bool,
    /// When the copy ended, and the source was first looked at since then and since the target was last written to.
    pub copied: u32,
    pub source_looked: Option<u32>,
    /// The same of the target, since the proof began.
    pub proves_since: u32,
    pub target_looked: Option<u32>,
    /// When a row of the source was last changed or deleted.
    pub source_edited: u32,
    random: u64,
}

impl World {
    pub fn new(source: Collection, target: Option<Collection>, name: &str, script: Script, seed: u64) -> Self {
        let one =
            |collection: Option<Collection>| collection.map(|collection| (name.to_owned(), collection)).into_iter();
        Self {
            source: one(Some(source)).collect(),
            target: one(target).collect(),
            aliases: BTreeMap::new(),
            late: Vec::new(),
            script,
            next_id: 100,
            next_key: 1_000_000,
            calls: 0,
            trace: Vec::new(),
            breaches: Vec::new(),
            sent: HashSet::new(),
            strangers: BTreeSet::new(),
            saw_stranger: false,
            written_after: 0,
            at_once: 1,
            replaced: 0,
            target_read: 0,
            landed: 0,
            source_changed: 0,
            deleted_late: false,
            copied: 0,
            source_looked: None,
            proves_since: 0,
            target_looked: None,
            source_edited: 0,
            random: seed | 1,
        }
    }

    /// What goes wrong from now on.
    pub fn script(&mut self, script: Script) {
        self.script = script;
    }

    /// A small number that looks random.
    pub fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    pub fn new_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    /// Counts a call and lets late writes land. Returns what happens to it.
    pub fn begin(&mut self) -> Option<Trouble> {
        self.calls += 1;
        let mut due = Vec::new();
        self.late.retain_mut(|late| {
            late.calls = late.calls.saturating_sub(1);
            if late.calls == 0 {
                due.push((late.collection, std::mem::replace(&mut late.write, Write::Delete(Vec::new(), None))));
            }
            late.calls > 0
        });
        for (id, write) in due {
            self.trace.push(format!("     … lands late: {}", told(&write)));
            self.landed = self.calls;
            self.deleted_late |= matches!(write, Write::Delete(..));
            self.land(id, write, None);
        }
        let now = self.calls;
        let at = self.script.iter().position(|(call, _)| *call + 1 == now)?;
        Some(self.script.swap_remove(at).1)
    }

    pub fn later(&mut self, calls: u32, collection: i64, write: Write) {
        self.late.push(Late { calls, collection, write });
    }

    /// Carries out a write, or its first `most` rows. One whose collection is gone does nothing.
    pub fn land(&mut self, id: i64, write: Write, most: Option<usize>) {
        let Some(target) = self.target.values_mut().find(|collection| collection.id == id) else { return };
        let key = target.schema.primary_key().unwrap().clone();
        let most = most.unwrap_or(usize::MAX);
        let there = target.changing(self.calls);
        match write {
            Write::Insert(rows) => {
                for mut row in rows.into_iter().take(most) {
                    if key.auto_id {
                        self.next_key += 1;
                        row.cells.insert(key.name.clone(), Arc::new(Int64Array::from(vec![self.next_key])));
                    }
                    there.push(row);
                }
            }
            Write::Upsert(rows) => {
                let rows: Vec<Row> = rows.into_iter().take(most).collect();
                // Rows of the same key in another partition are other rows.
                let keys: HashSet<(String, Key)> =
                    rows.iter().map(|row| (row.partition.clone(), row.key(&key.name))).collect();
                there.retain(|row| !keys.contains(&(row.partition.clone(), row.key(&key.name))));
                there.extend(rows);
            }
            Write::Delete(keys, partition) => {
                let keys: HashSet<Key> = keys.into_iter().take(most).collect();
                let within = |row: &Row| partition.as_ref().is_none_or(|partition| row.partition == *partition);
                there.retain(|row| !(within(row) && keys.contains(&row.key(&key.name))));
            }
        }
    }

    /// Holds a write against what is promised of writes, and remembers it as sent unless it is refused unseen.
    pub fn judge(&mut self, id: i64, write: &Write, key: &Field, refused: bool) {
        if self.strangers.contains(&id) && self.saw_stranger {
            self.written_after += 1;
        }
        // Splits that looked before somebody else came, and hear of it from another split, may be about to write.
        if self.written_after >= self.at_once {
            self.breaches.push("rows were written into a collection that is known to be somebody else's".into());
        }
        let (rows, inserted) = match write {
            Write::Insert(rows) => (rows, true),
            Write::Upsert(rows) => (rows, false),
            Write::Delete(..) => return,
        };
        if !key.auto_id {
            let keys: HashSet<Key> = rows.iter().map(|row| row.key(&key.name)).collect();
            if keys.len() < rows.len() {
                self.breaches.push("a key stands twice in one request".into());
            }
        }
        for row in rows {
            // Where the server makes the keys, what is missing is inserted again after a comparison, as the end shows.
            if inserted && !key.auto_id && self.sent.contains(&(id, row.number())) {
                self.breaches.push(format!("row {} was inserted although it may have been sent before", row.number()));
            }
            if !refused {
                self.sent.insert((id, row.number()));
            }
        }
    }

    /// Somebody drops the target and makes a collection of the same name and shape.
    pub fn replace_target(&mut self) {
        let id = self.new_id();
        for collection in self.target.values_mut() {
            let mut rows: Vec<Row> = collection.rows.iter().take(2).cloned().collect();
            for (row, number) in rows.iter_mut().zip(-2..) {
                row.cells.insert(NUMBER.to_owned(), Arc::new(Int64Array::from(vec![number])));
            }
            let partitions = collection.partitions.clone();
            *collection = Collection { rows, partitions, ..Collection::new(id, collection.schema.clone()) };
            self.strangers.insert(id);
            self.replaced = self.calls;
        }
    }

    pub fn error(&self, kind: ErrorKind, action: &str) -> ClusterError {
        ClusterError::new(kind, "http://fake:1", action, format!("call {} fails", self.calls))
    }

    pub fn collection(&self, of_target: bool, name: &str) -> Result<&Collection> {
        let side = if of_target { &self.target } else { &self.source };
        side.get(name).ok_or_else(|| self.error(ErrorKind::NotFound, "find the collection"))
    }
}

/// A write in a few words.
pub fn told(write: &Write) -> String {
    let numbers = |rows: &[Row]| rows.iter().map(|row| row.number().to_string()).collect::<Vec<_>>().join(" ");
    match write {
        Write::Insert(rows) => format!("insert {}", numbers(rows)),
        Write::Upsert(rows) => format!("upsert {}", numbers(rows)),
        Write::Delete(keys, _) => format!("delete {keys:?}"),
    }
}
