//! Splits of collections in memory that are nothing but keys: whatever the keys are, each lies in one split, no split holds much more
//! than it may, and each holds about as many rows as it says, at far less than the cost of all keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Int64Array, StringArray};
use async_trait::async_trait;

use crate::cluster::{ClusterError, ErrorKind, FIRST_PAGE, Fitting, Moment, ReadSide, Result, Sampling, Scan, Watch};
use crate::collection::{Capabilities, DataType, Field, Key, KeyRange, LiveCollection, RowBatch};
use crate::diff::Rows;
use crate::plan::resolved::Limits;
use crate::run::{Census, JobError, Keys, Memory, Pace, Rooms, borders, census, reader};
use crate::state::Split;

const ROWS: i64 = 60_000;
const SPLIT: u64 = 500;
const PARTITION: &str = "other";

/// Keys, ascending, each with whether it stands in another partition than the default one, and what was asked of them.
struct Collection {
    rows: Vec<(Key, bool)>,
    text: bool,
    samples: bool,
    /// The sample that is quickly had is of the smallest keys alone.
    lopsided: bool,
    /// Never returned, although it is counted.
    hidden: Option<Key>,
    /// Not returned until keys were counted by name, as a row that was written after the others were read.
    late: Option<Key>,
    named: AtomicU64,
    able: Capabilities,
    counts: AtomicU64,
    read: AtomicU64,
    /// Most bytes of keys in one answer.
    answered: AtomicU64,
}

/// Splits of [`SPLIT`] rows, and memory as it is without a word about it.
fn pace() -> Pace {
    let limits = Limits { write_mb_per_s: None, concurrency: 4, split_rows: SPLIT };
    Pace::new(&limits, &Arc::new(Memory::new(256 << 20, limits.concurrency)))
}

impl Collection {
    fn of(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut rows: Vec<(Key, bool)> = keys.into_iter().map(|key| (key, false)).collect();
        rows.sort();
        let text = matches!(rows.first(), Some((Key::Text(_), _)));
        let able = Capabilities::able();
        let [counts, read, answered, named] = [0; 4].map(AtomicU64::new);
        Self {
            rows,
            text,
            samples: true,
            lopsided: false,
            hidden: None,
            late: None,
            named,
            able,
            counts,
            read,
            answered,
        }
    }

    fn ints(keys: impl IntoIterator<Item = i64>) -> Self {
        Self::of(keys.into_iter().map(Key::Int))
    }

    fn texts(keys: impl IntoIterator<Item = String>) -> Self {
        Self::of(keys.into_iter().map(Key::Text))
    }

    fn scan(&self) -> Scan {
        let data_type = if self.text { DataType::VarChar } else { DataType::Int64 };
        Scan {
            database: "default".into(),
            collection: "docs".into(),
            partitions: Vec::new(),
            filter: None,
            within: None,
            key: Field { primary_key: true, ..Field::new("id", data_type) },
            moment: Moment::default(),
            page: Arc::new(Fitting::new(FIRST_PAGE)),
        }
    }

    fn within<'a>(&'a self, scan: &'a Scan, range: &KeyRange) -> impl Iterator<Item = &'a Key> {
        let from = range.after.as_ref().map_or(0, |after| self.rows.partition_point(|(key, _)| key <= after));
        let to = range.to.as_ref().map_or(self.rows.len(), |to| self.rows.partition_point(|(key, _)| key <= to));
        let named = &scan.partitions;
        let taken =
            move |(_, other): &&(Key, bool)| named.is_empty() || named.iter().any(|name| (name == PARTITION) == *other);
        self.rows[from..to].iter().filter(taken).map(|(key, _)| key)
    }

    fn batch(&self, scan: &Scan, mut keys: Vec<Key>) -> RowBatch {
        keys.dedup();
        let late = self.late.as_ref().filter(|_| self.named.load(Ordering::Relaxed) == 0);
        keys.retain(|key| Some(key) != self.hidden.as_ref() && Some(key) != late);
        self.read.fetch_add(keys.len() as u64, Ordering::Relaxed);
        let texts = keys.iter().filter_map(|key| if let Key::Text(text) = key { Some(text.as_str()) } else { None });
        let ints = keys.iter().filter_map(|key| if let Key::Int(value) = key { Some(*value) } else { None });
        let column: ArrayRef = match self.text {
            true => Arc::new(StringArray::from_iter_values(texts)),
            false => Arc::new(Int64Array::from_iter_values(ints)),
        };
        let batch = RowBatch::new(std::slice::from_ref(&scan.key), vec![column]).unwrap();
        self.answered.fetch_max(batch.bytes() as u64, Ordering::Relaxed);
        batch
    }

    fn no<T>(&self) -> Result<T> {
        Err(ClusterError::new(ErrorKind::Refused, "http://fake:1", "do this", "it was not to be asked"))
    }
}

#[async_trait]
impl ReadSide for Collection {
    fn capabilities(&self) -> &Capabilities {
        &self.able
    }

    fn watched(&self, _: Arc<dyn Watch>) -> Arc<dyn ReadSide> {
        unreachable!("nobody watches it")
    }

    async fn databases(&self) -> Result<Option<Vec<String>>> {
        self.no()
    }

    async fn collections(&self, _: &str) -> Result<Vec<String>> {
        self.no()
    }

    async fn describe(&self, _: &str, _: &str) -> Result<Option<LiveCollection>> {
        self.no()
    }

    async fn moment(&self, _: &str, _: &str) -> Result<Moment> {
        self.no()
    }

    async fn count(&self, scan: &Scan, range: &KeyRange) -> Result<u64> {
        self.counts.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(self.within(scan, range).count() as u64)
    }

    async fn count_keys(&self, scan: &Scan, keys: &[Key]) -> Result<u64> {
        self.named.fetch_add(1, Ordering::Relaxed);
        let keys: std::collections::HashSet<&Key> = keys.iter().collect();
        Ok(self.within(scan, &KeyRange::ALL).filter(|key| keys.contains(key)).count() as u64)
    }

    async fn statistics(&self, _: &str, _: &str) -> Result<u64> {
        self.no()
    }

    async fn read_range(&self, scan: &Scan, range: &KeyRange, _: &[Field]) -> Result<RowBatch> {
        Ok(self.batch(scan, self.within(scan, range).cloned().collect()))
    }

    async fn read_next(&self, scan: &Scan, range: &KeyRange, _: &[Field], limit: usize) -> Result<RowBatch> {
        Ok(self.batch(scan, self.within(scan, range).take(limit).cloned().collect()))
    }

    async fn sample_keys(&self, scan: &Scan, how: Sampling, one_in: u64, most: u64) -> Result<Option<Vec<Key>>> {
        if !self.samples {
            return Ok(None);
        }
        if self.lopsided && how == Sampling::Quick {
            return Ok(Some(self.within(scan, &KeyRange::ALL).take(most as usize).cloned().collect()));
        }
        let prime = [7, 31, 127, 509].into_iter().rev().find(|prime| *prime <= one_in as i64).unwrap_or(7);
        // Rows of text keys lie in no order of their keys; these are those of which a hash says so.
        let taken = |key: &&Key| match key {
            Key::Int(value) => (value % prime).abs() == 1,
            Key::Text(text) => twox_hash::XxHash3_64::oneshot(text.as_bytes()).is_multiple_of(one_in.max(1)),
        };
        let sample: Vec<Key> = self.within(scan, &KeyRange::ALL).filter(taken).cloned().collect();
        let step = sample.len().div_ceil(most.max(1) as usize).max(1);
        Ok(Some(sample.into_iter().step_by(step).collect()))
    }

    async fn load(&self, _: &str, _: &str) -> Result<()> {
        self.no()
    }

    async fn release(&self, _: &str, _: &str, _: &[String]) -> Result<()> {
        self.no()
    }
}

/// A scrambled number, the same for the same one.
fn scrambled(number: i64) -> u64 {
    twox_hash::XxHash3_64::oneshot(&number.to_le_bytes())
}

/// Cuts it and holds the ranges against the keys. Returns the counts that were asked for and the keys that were read.
fn cuts(what: &str, collection: &Collection) -> (u64, u64) {
    let scan = collection.scan();
    let physical = collection.rows.len() as u64;
    let pace = pace();
    let rooms = Rooms::new(&pace);
    let cut = borders::cut(collection, &scan, physical, SPLIT, &rooms);
    let cut = futures::executor::block_on(cut).unwrap().unwrap();
    let (mut after, mut sum) = (None, 0);
    for (range, rows) in &cut {
        assert_eq!(range.after, after, "{what}: a gap before {range}");
        after = range.to.clone();
        let held = collection.within(&scan, range).count() as u64;
        assert!(held.abs_diff(*rows) <= SPLIT / 2, "{what}: {held} rows, where {rows} were meant, in {range}");
        assert!(held <= SPLIT * 5 / 4, "{what}: {held} rows in {range}");
        sum += rows;
    }
    assert_eq!((after, sum), (None, physical), "{what}");
    let most = 2 * physical / SPLIT + 2;
    assert!(cut.len() as u64 <= most, "{what}: {} splits where {most} are many", cut.len());
    (collection.counts.load(Ordering::Relaxed), collection.read.load(Ordering::Relaxed))
}

#[test]
fn integer_keys_are_cut_evenly_however_they_lie() {
    let half = ROWS / 2;
    let steps = 450_000_000_000_000_000;
    let cases: Vec<(&str, Vec<i64>)> = vec![
        ("dense", (0..ROWS).collect()),
        ("dense and negative", (-ROWS..0).collect()),
        ("around zero", (-half..half).map(|key| key * 3).collect()),
        ("anywhere", (0..ROWS).map(|key| scrambled(key) as i64).collect()),
        ("negative and far apart", (0..ROWS).map(|key| -((scrambled(key) >> 4) as i64) - 1).collect()),
        ("two islands with a huge gap", (0..half).flat_map(|key| [key * 2, key * 2 + (1 << 60)]).collect()),
        ("at both ends", (0..half).flat_map(|key| [i64::MIN + key * 2, i64::MAX - 1 - key * 2]).collect()),
        ("made by a server, batch by batch", (0..ROWS).map(|key| steps + key + key / 1_000 * 77_777).collect()),
        ("a few islands", (0..ROWS).map(|key| (key % 9) * 10_000_000_000_000 + key).collect()),
        ("more and more apart", (0..ROWS).map(|key| key * key * key).collect()),
        ("multiples of the sample's divisor", (0..ROWS).map(|key| key * 7).collect()),
        ("of no use to any sample", (0..ROWS).map(|key| key * 7 * 31 * 127 * 509).collect()),
        ("all of the sample's remainder", (0..ROWS).map(|key| key * 7 + 1).collect()),
    ];
    for (what, keys) in cases {
        let collection = Collection::ints(keys);
        let (counts, read) = cuts(what, &collection);
        println!("{what}: {counts} counts, {read} keys read");
        assert!(counts <= 4 * ROWS as u64 / SPLIT, "{what}: {counts} counts");
        assert!(read <= ROWS as u64 / 8, "{what}: {read} keys were read one by one");
    }
}

#[test]
fn dense_keys_cost_no_count_for_each_split() {
    let (counts, read) = cuts("dense", &Collection::ints(5..ROWS));
    assert!(counts == 1 && read == 1, "{counts} counts, {read} keys");
}

#[test]
fn keys_that_no_count_can_part_well_are_gone_through() {
    // The sample catches none of them, and they lie as unevenly as eighteen digits allow.
    let keys = (0..ROWS).map(|key| 7 * 31 * 127 * 509 * ((key % 2_000) + (1_i64 << (key / 2_000))));
    let collection = Collection::ints(keys.collect::<std::collections::BTreeSet<i64>>());
    let (counts, _) = cuts("uneven", &collection);
    assert!(counts <= 10 * ROWS as u64 / SPLIT, "{counts} counts");
}

#[test]
fn doubled_keys_make_no_split_larger() {
    let rows = (0..ROWS).map(|key| key / 4 * 5);
    let collection = Collection::ints(rows);
    cuts("each key four times", &collection);
    // More rows of one key than a split may hold: they are one key, and stay together.
    let scan = collection.scan();
    let collection = Collection::ints((0..ROWS).map(|key| if key < 10_000 { 12_345_678 } else { key * 3 }));
    let (pace, rows) = (pace(), ROWS as u64);
    let rooms = Rooms::new(&pace);
    let cut = futures::executor::block_on(borders::cut(&collection, &scan, rows, SPLIT, &rooms)).unwrap().unwrap();
    for (range, rows) in cut {
        let mut keys: Vec<&Key> = collection.within(&scan, &range).collect();
        assert_eq!(keys.len() as u64, rows);
        keys.dedup();
        assert!(keys.len() as u64 <= SPLIT, "{} keys in {range}", keys.len());
    }
}

#[test]
fn text_keys_are_cut_evenly_whatever_they_are() {
    let uuid = |key: i64| format!("{:016x}-{:016x}", scrambled(key), scrambled(!key));
    let cases: Vec<(&str, Vec<String>)> = vec![
        ("uuids", (0..ROWS).map(uuid).collect()),
        ("one long prefix", (0..ROWS).map(|key| format!("{}{key}", "https://example.com/a/".repeat(4))).collect()),
        ("decimals", (0..ROWS).map(|key| key.to_string()).collect()),
        ("unicode", (0..ROWS).map(|key| format!("{}Ü\u{10ffff}{key}", ["日本", "é", "z"][key as usize % 3])).collect()),
        ("with one that is empty", (0..ROWS).map(|key| uuid(key)[..usize::from(key > 0) * 33].to_owned()).collect()),
    ];
    for (what, keys) in cases {
        let collection = Collection::texts(keys);
        let (counts, read) = cuts(what, &collection);
        println!("{what}: {counts} counts, {read} keys read");
        assert!(counts <= 4 * ROWS as u64 / SPLIT, "{what}: {counts} counts");
        assert!(read <= ROWS as u64 / 8, "{what}: {read} keys were read one by one");
    }
    cuts("one byte each", &Collection::texts((0..128_u8).map(|byte| char::from(byte).to_string())));
}

#[test]
fn a_sample_of_rows_that_have_something_in_common_is_not_believed() {
    let ints = Collection::ints((0..ROWS).map(|key| scrambled(key) as i64));
    let texts = Collection::texts((0..ROWS).map(|key| format!("{:016x}", scrambled(key))));
    for collection in [ints, texts] {
        let collection = Collection { lopsided: true, ..collection };
        let (counts, read) = cuts("lopsided", &collection);
        assert!(counts <= 30 && read <= 1, "{counts} counts, {read} keys were read");
    }
}

#[test]
fn a_server_that_counts_more_than_there_can_be_is_not_asked_for_ever() {
    for step in [1, 3, 7 * 31 * 127 * 509] {
        let collection = Collection::ints((0..1_000).map(|key| key * step));
        let scan = collection.scan();
        let pace = pace();
        let rooms = Rooms::new(&pace);
        let cut = borders::cut(&collection, &scan, 1 << 48, SPLIT, &rooms);
        let ranges = futures::executor::block_on(cut).unwrap().map_or(0, |ranges| ranges.len());
        let counts = collection.counts.load(Ordering::Relaxed);
        assert!(counts < 10_000 && ranges < 10_000, "{counts} counts, {ranges} ranges");
    }
}

/// The census as a copy takes it, and the most keys that it may have read for that.
fn taken(collection: &Collection, groups: &[Vec<String>], keys: Keys) -> (Census, u64) {
    let scan = collection.scan();
    let fields = [scan.key.clone()];
    let pace = pace();
    let rooms = Rooms::new(&pace);
    let census = futures::executor::block_on(census(collection, &scan, groups, &fields, keys, &rooms)).unwrap();
    let (mut after, mut sum) = (None, 0);
    for Split { range, rows, .. } in census.splits.iter().filter(|split| Some(&split.partitions) == groups.first()) {
        assert_eq!(range.after, after);
        after = range.to.clone();
        sum += rows;
    }
    assert!(after.is_none() && sum <= census.rows.physical);
    (census, collection.read.load(Ordering::Relaxed))
}

#[test]
fn a_row_that_came_after_the_others_were_read_is_not_taken_for_one_that_is_never_returned() {
    for key in [0, 1, 1_500, 2_999] {
        let key = Key::Int(key * 3);
        let ints = || Collection::ints((0..3_000).map(|key| key * 3));
        let late = Collection { late: Some(key.clone()), ..ints() };
        let (found, _) = taken(&late, &[Vec::new()], Keys::Each);
        assert_eq!((found.rows.physical, found.rows.unreadable), (3_000, 0), "{key}");
        let late = Collection { late: Some(key.clone()), ..ints() };
        let scan = late.scan();
        let read = reader::read(&late, &scan, &KeyRange::ALL, std::slice::from_ref(&scan.key));
        assert_eq!(futures::executor::block_on(read).unwrap().distinct, 3_000, "{key}");
        let hidden = Collection { hidden: Some(key.clone()), ..ints() };
        let (found, _) = taken(&hidden, &[Vec::new()], Keys::Each);
        assert_eq!(found.rows.unreadable, 1, "{key}");
        let read = reader::read(&hidden, &scan, &KeyRange::ALL, std::slice::from_ref(&scan.key));
        assert!(matches!(futures::executor::block_on(read), Err(JobError::Unreadable { count: 1, .. })), "{key}");
    }
}

#[test]
fn long_keys_are_gone_through_a_few_megabytes_at_a_time() {
    let long = |bytes: usize| move |key: u64| format!("{key:020}{}", "x".repeat(bytes));
    let evenly: Vec<String> = (0..30_000).map(long(2_000)).collect();
    let late: Vec<String> = (0..60_000).map(|key| long(if key < 1_000 { 0 } else { 1_000 })(key)).collect();
    let one_page: Vec<String> = (0..1_000).map(long(64_000)).collect();
    for (what, keys) in [("all of them", evenly), ("but for the first ones", late), ("very much so", one_page)] {
        assert!(keys.iter().map(String::len).sum::<usize>() > 48 << 20, "{what}");
        for samples in [true, false] {
            let rows = keys.len() as u64;
            let collection = Collection { samples, ..Collection::texts(keys.clone()) };
            let (found, _) = taken(&collection, &[Vec::new()], Keys::Each);
            assert_eq!((found.rows.physical, found.rows.doubled), (rows, Some(0)), "{what}");
            assert!(found.splits.iter().all(|split| split.rows <= SPLIT), "{what}");
            let answered = collection.answered.load(Ordering::Relaxed) >> 20;
            // Without a sample the first keys are all that is known, and a server refuses answers that are far too large.
            let most = if samples { 16 } else { 64 };
            assert!(answered < most, "{what}, with a sample {samples}: {answered} MiB in one answer");
        }
    }
}

#[test]
fn a_census_goes_through_keys_where_that_is_cheap_or_wanted() {
    let all: &[Vec<String>] = &[Vec::new()];
    let doubled = |rows: i64| Collection::ints((0..rows).chain([5]).map(|key| key * 3));
    let (small, _) = taken(&doubled(3_000), all, Keys::Cheaply);
    assert_eq!(small.rows.doubled, Some(1), "few keys are gone through");
    assert_eq!(small.rows.doubled_keys, [Key::Int(15)]);
    let (large, read) = taken(&doubled(ROWS), all, Keys::Cheaply);
    assert_eq!((large.rows.doubled, large.rows.physical), (None, ROWS as u64 + 1));
    assert!(read < ROWS as u64 / 8, "{read} keys were read");
    let (each, _) = taken(&doubled(ROWS), all, Keys::Each);
    assert_eq!(each.rows.doubled, Some(1));
    let without = Collection { samples: false, ..Collection::texts((0..ROWS).map(|key| key.to_string())) };
    let (walked, _) = taken(&without, all, Keys::Cheaply);
    assert_eq!(walked.rows.doubled, Some(0), "text keys without a sample are gone through");
}

#[test]
fn the_largest_key_is_found_before_anything_is_made() {
    let top = Key::Int(i64::MAX);
    let collection =
        Collection { hidden: Some(top), ..Collection::ints((0..ROWS).map(|key| key * 3).chain([i64::MAX])) };
    let Rows { unreadable, unreadable_place, .. } = taken(&collection, &[Vec::new()], Keys::Cheaply).0.rows;
    assert_eq!((unreadable, unreadable_place.as_str()), (1, "9223372036854775807"));
}

#[test]
fn a_key_in_two_partitions_is_found_and_many_partitions_are_gone_through_once() {
    let groups = [vec!["_default".to_owned()], vec![PARTITION.to_owned()]];
    let mut collection = Collection::ints((0..ROWS).map(|key| key * 3));
    collection.rows.iter_mut().step_by(3).for_each(|(_, other)| *other = true);
    let (census, read) = taken(&collection, &groups, Keys::Cheaply);
    assert_eq!((census.rows.crossing, census.rows.doubled), (0, Some(0)));
    assert!(read < ROWS as u64 * 5 / 4, "{read} keys were read");
    // The same key in both of them, and another one twice in one of them.
    collection.rows.extend([(Key::Int(6), true), (Key::Int(9), true)]);
    collection.rows.sort();
    let (census, _) = taken(&collection, &groups, Keys::Cheaply);
    assert_eq!((census.rows.crossing, census.rows.doubled), (1, Some(1)));
}
