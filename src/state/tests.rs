//! Journals that were cut, changed, mixed up or written by other versions.

mod transfer;

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use twox_hash::XxHash3_64;

use super::journal::{self, Journal};
use super::tail;
use super::*;
use crate::collection::{Fingerprint, KeyRange};
use crate::plan::resolved::Engine;

const AT: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

pub(super) fn header() -> Header {
    Header {
        run: "r1".into(),
        address: "m.default.docs".into(),
        plan_hash: "h".into(),
        target_uri: "http://127.0.0.1:2".into(),
        target: "default.docs".into(),
        ..Header::unknown()
    }
}

pub(super) fn id() -> JobId {
    JobId::of("http://127.0.0.1:2", "default", "docs")
}

pub(super) fn done(split: usize) -> Record {
    Record::Done {
        split,
        fingerprint: Fingerprint { rows: 3, sum: 9 },
        doubled: 0,
        written: 3,
        quarantined: 1,
        touched: [("a: cut to fit".to_owned(), 2)].into(),
        at: AT,
    }
}

fn records() -> Vec<Record> {
    let split = Split { partitions: vec!["p".into()], range: KeyRange::ALL, rows: 3 };
    vec![
        Record::Attempt { pid: 1, at: AT },
        Record::Creating,
        Record::Created { id: 7 },
        Record::Splits { list: vec![split; 4] },
        Record::Started { split: 0 },
        Record::Started { split: 1 },
        done(1),
        Record::Ended { outcome: Outcome::Failed, rows: 0, error: Some("a\nb".into()), at: AT },
    ]
}

/// A journal with all records, in a store of its own.
struct Written {
    _folder: crate::searched::Folder,
    store: Store,
    path: PathBuf,
    bytes: Vec<u8>,
    job: Job,
}

/// Written once and copied for each test, because writing waits for the disk.
fn written() -> Written {
    static ONCE: LazyLock<(Vec<u8>, Vec<u8>, Job)> = LazyLock::new(|| {
        let written = written_as(header(), &records());
        let tail = fs_err::read(tail::path_of(&written.path)).unwrap();
        (written.bytes, tail, written.job)
    });
    let folder = crate::searched::folder();
    let store = Store::new(&folder.path().join("state"));
    let path = store.journal_path(&id());
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let (bytes, tail, job) = ONCE.clone();
    fs_err::write(&path, &bytes).unwrap();
    fs_err::write(tail::path_of(&path), tail).unwrap();
    Written { store, bytes, path, job, _folder: folder }
}

fn written_as(header: Header, records: &[Record]) -> Written {
    let folder = crate::searched::folder();
    let store = Store::new(&folder.path().join("state"));
    let mut journal = store.begin(&id(), header).unwrap();
    for record in records {
        journal.append(record).unwrap();
    }
    let (path, job) = (store.journal_path(&id()), journal.job().clone());
    Written { store, bytes: fs_err::read(&path).unwrap(), path, job, _folder: folder }
}

impl Written {
    fn lines(&self) -> Vec<&[u8]> {
        self.bytes.split_inclusive(|byte| *byte == b'\n').collect()
    }

    fn put(&self, bytes: &[u8]) {
        fs_err::write(&self.path, bytes).unwrap();
    }

    fn lose_the_tail(&self) {
        fs_err::remove_file(tail::path_of(&self.path)).unwrap();
    }

    fn read(&self) -> Result<Option<Job>, StateError> {
        self.store.job(&id())
    }

    #[track_caller]
    fn is_refused(&self, line: usize, says: &str) {
        for error in [self.read().unwrap_err(), self.store.resume(&id()).unwrap_err()] {
            let StateError::Damaged { line: at, what, .. } = &error else { panic!("{error}") };
            assert_eq!((*at, what.contains(says)), (line, true), "{error}");
            assert!(error.help_for(&id()).contains(&format!("`vecferry state rm {}`", id())), "{error:?}");
        }
        let shown = self.store.jobs().unwrap().remove(0);
        assert!(matches!(shown.job, Err(StateError::Damaged { .. })), "shown as if nothing were wrong");
    }
}

/// The job after so many records, the first included.
fn earlier(records_read: usize) -> Option<Job> {
    let mut job = (records_read > 0).then(|| Job::new(header()));
    for record in records().iter().take(records_read.saturating_sub(1)) {
        job.as_mut().unwrap().apply(record).unwrap();
    }
    job
}

#[test]
fn what_was_written_is_read() {
    let written = written();
    assert_eq!(written.read().unwrap().unwrap(), written.job);
    assert_eq!(written.job.progress[0], Progress::Dirty);
    assert_eq!((written.job.splits_done(), written.job.rows_done()), (1, 3));
}

/// Of a job that the migration service does, an older version would call the first record of its own kind damage. So such a
/// journal has a format that it does not read; all others are written as before.
#[test]
fn only_journals_of_the_migration_service_have_their_format() {
    let written = written();
    let first = String::from_utf8(written.lines()[0].to_vec()).unwrap();
    assert!(first.contains(r#""format":2,"#) && !first.contains("engine"), "{first}");
    assert_eq!(written.job.managed, None);
    let header = Header { format: MANAGED_FORMAT, engine: Engine::ZillizCloud, ..header() };
    let steps = [
        ManagedStep::Asking { request: "q".into(), collections: vec!["default.docs".into()], at: AT },
        ManagedStep::Asked { job: "job-1".into(), at: AT },
        ManagedStep::Said { word: "FAILED".into(), percent: Some(7), reason: Some("no".into()), end: None, at: AT },
    ];
    let records: Vec<Record> = steps.iter().cloned().map(Record::Managed).collect();
    let managed = written_as(header, &records);
    let first = String::from_utf8(managed.lines()[0].to_vec()).unwrap();
    assert!(first.contains(r#""format":3,"#) && first.contains(r#""engine":"zilliz_cloud""#), "{first}");
    let job = managed.read().unwrap().unwrap();
    assert_eq!(job, managed.job);
    assert_eq!(job.managed.unwrap().stage(), ManagedStage::Going("job-1".into()));
    // A later job of the same journal begins without what an earlier one made.
    let mut job = managed.job;
    job.apply(&Record::Created { id: 5 }).unwrap();
    job.apply(&records[0]).unwrap();
    assert_eq!((job.target_id, job.managed.as_ref().unwrap().may_be_going()), (None, true));
    // In a journal of the other engine, such a record is none that can follow.
    written.job.clone().apply(&records[0]).unwrap_err();
}

#[test]
fn a_journal_cut_off_between_two_lines_is_refused_as_shortened() {
    let written = written();
    let lines = written.lines();
    for left in 0..lines.len() {
        written.put(&lines[..left].concat());
        written.is_refused(left, "it was shortened");
    }
    written.put(&written.bytes);
    assert_eq!(written.read().unwrap().unwrap(), written.job);
}

#[test]
fn what_was_not_synced_may_be_lost() {
    let written = written();
    let mut journal = written.store.resume(&id()).unwrap();
    for _ in 0..3 {
        journal.note(&Record::Retried { class: "unavailable".into(), reason: "x".into() }).unwrap();
    }
    written.put(&written.bytes);
    assert_eq!(written.read().unwrap().unwrap(), written.job);
    // The next synced record takes those before it along.
    let mut journal = written.store.resume(&id()).unwrap();
    journal.note(&Record::Retried { class: "unavailable".into(), reason: "x".into() }).unwrap();
    journal.append(&Record::Creating).unwrap();
    written.put(&written.bytes);
    written.is_refused(9, "it was shortened");
}

#[test]
fn a_tail_that_lags_or_is_lost_or_torn_does_no_harm() {
    let written = written();
    let tail = fs_err::read(tail::path_of(&written.path)).unwrap();
    let mut journal = written.store.resume(&id()).unwrap();
    journal.append(&Record::Creating).unwrap();
    let job = journal.job().clone();
    for left in [tail.as_slice(), &tail[..tail.len() / 2], b"", b"\0\0\0", b"no tail at all\n"] {
        fs_err::write(tail::path_of(&written.path), left).unwrap();
        assert_eq!(written.read().unwrap().as_ref(), Some(&job));
    }
    written.lose_the_tail();
    assert_eq!(written.read().unwrap(), Some(job));
    // Whoever goes on writes it down again.
    written.store.resume(&id()).unwrap();
    written.put(&written.bytes);
    written.is_refused(9, "it was shortened");
}

#[test]
fn a_line_removed_or_moved_or_said_twice_is_refused_without_a_tail_too() {
    let written = written();
    written.lose_the_tail();
    let lines = written.lines();
    for line in 1..lines.len() - 1 {
        written.put(&[&lines[..line], &lines[line + 1..]].concat().concat());
        written.is_refused(line + 1, "removed or moved");
        let mut swapped = lines.clone();
        swapped.swap(line, line + 1);
        written.put(&swapped.concat());
        written.is_refused(line + 1, "removed or moved");
        let mut twice = lines.clone();
        twice.insert(line, lines[line]);
        written.put(&twice.concat());
        written.is_refused(line + 2, "removed or moved");
    }
    written.put(&lines[1..].concat());
    written.is_refused(1, "checksum does not fit");
}

#[test]
fn lines_of_another_journal_are_refused() {
    let written = written();
    let other = written_as(Header { run: "r2".into(), ..header() }, &records());
    let both = [&written.lines()[..4], &other.lines()[4..]].concat().concat();
    written.put(&both);
    written.is_refused(5, "removed or moved");
    // Whole, but not the one that the tail belongs to.
    written.put(&other.bytes);
    written.is_refused(9, "do not belong together");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let written = written();
    written.lose_the_tail();
    for foreign in [&b"hello\n"[..], b"{\"type\":\"begin\"}\n", b"\n", b"\xff\xfe\0\0\n", b"0123456789abcdef {}\n"] {
        written.put(foreign);
        let error = written.read().unwrap_err();
        assert!(matches!(error, StateError::Damaged { line: 1, .. }), "{error}");
    }
    let begins_wrongly = "{\"type\":\"creating\"}";
    written.put(format!("{:016x} {begins_wrongly}\n", XxHash3_64::oneshot(begins_wrongly.as_bytes())).as_bytes());
    written.is_refused(1, "not the beginning");
}

/// The first format had a checksum for each line by itself, and no tail.
#[test]
fn a_journal_of_the_first_format_is_gone_on_with_as_it_is() {
    let folder = crate::searched::folder();
    let store = Store::new(folder.path());
    store.begin(&id(), header()).unwrap();
    let path = store.journal_path(&id());
    fs_err::remove_file(tail::path_of(&path)).unwrap();
    let old = [
        r#"{"type":"begin","format":1,"tool":"0.1.0","run":"r1","plan":"p","plan_file":"f","address":"a","plan_hash":"h","source_uri":"u","source":"s","target_uri":"u","target":"t","source_id":1,"converging":false,"row_bytes":1,"started":"2026-01-01T00:00:00Z"}"#,
        r#"{"type":"attempt","pid":1,"at":"2026-01-01T00:00:00Z"}"#,
        r#"{"type":"splits","list":[{"partition":"p","range":{"after":null,"to":null},"rows":3}]}"#,
        r#"{"type":"started","split":0}"#,
    ];
    let text: String =
        old.iter().map(|json| format!("{:016x} {json}\n", XxHash3_64::oneshot(json.as_bytes()))).collect();
    fs_err::write(&path, &text).unwrap();
    let job = store.job(&id()).unwrap().unwrap();
    assert_eq!((job.header.format, &job.progress[..]), (1, &[Progress::Dirty][..]));
    let mut journal = store.resume(&id()).unwrap();
    journal.append(&done(0)).unwrap();
    assert_eq!(store.job(&id()).unwrap().unwrap(), *journal.job());
    let now = fs_err::read_to_string(&path).unwrap();
    assert!(now.starts_with(&text), "what was written was changed");
    let added = now.lines().last().unwrap();
    assert_eq!(
        added[..16],
        format!("{:016x}", XxHash3_64::oneshot(&added.as_bytes()[17..])),
        "an older version could not read it"
    );
    assert!(!tail::path_of(&path).exists());
}

#[test]
fn a_newer_format_is_shown_as_far_as_it_goes_and_never_gone_on_with() {
    let written = written();
    let first = r#"{"type":"begin","format":99,"tool":"9.9.9","run":"r9","plan":7,"address":"m.default.docs","new":{"x":1},"started":"2026-01-01T00:00:00Z"}"#;
    let text = format!(
        "{:016x} {first}\nblake {{\"type\":\"attempt\",\"pid\":4,\"at\":\"2026-01-02T00:00:00Z\"}}\nx {{\"type\":\"unheard_of\"}}\n\u{fffd}\nx {{\"type\":\"started\",\"split\":9}}\n",
        XxHash3_64::oneshot(first.as_bytes())
    );
    written.put(text.as_bytes());
    for error in [written.read().unwrap_err(), written.store.resume(&id()).unwrap_err()] {
        let StateError::Newer { format: 99, tool, .. } = &error else { panic!("{error}") };
        assert_eq!(tool, "9.9.9");
    }
    assert_eq!(fs_err::read(&written.path).unwrap(), text.as_bytes(), "it was written to");
    let shown = written.store.jobs().unwrap().remove(0).job.unwrap();
    assert!(shown.is_newer());
    assert_eq!((shown.header.run.as_str(), shown.header.plan.as_str(), shown.attempts), ("r9", "", 1));
    let (export, left_out) = written.store.export(None).unwrap();
    assert_eq!((export.size(), left_out.len()), (0, 1));
    // Its first line is checked all the same.
    written.put(text.replace("r9", "r8").as_bytes());
    assert!(matches!(written.store.jobs().unwrap().remove(0).job, Err(StateError::Damaged { .. })));
}

#[test]
fn a_journal_begun_anew_keeps_every_older_one() {
    let written = written();
    let folder = written.path.parent().unwrap().to_owned();
    let old = || {
        let entries = fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "old")).collect::<Vec<_>>()
    };
    // Faster than the clock counts, so that names would be the same.
    for times in 1..20 {
        written.store.begin(&id(), header()).unwrap();
        assert_eq!(old().len(), times);
    }
    assert!(old().iter().any(|path| fs_err::read(path).unwrap() == written.bytes));
    assert_eq!(written.read().unwrap(), earlier(1));
}

#[test]
fn a_journal_is_there_whole_or_not_at_all() {
    let written = written();
    // What a process that was killed before the last step of a beginning leaves.
    fs_err::write(written.path.with_extension("new"), b"half").unwrap();
    fs_err::remove_file(&written.path).unwrap();
    assert_eq!(written.read().unwrap(), None, "a tail alone is no journal");
    let journal = written.store.begin(&id(), header()).unwrap();
    assert_eq!(written.read().unwrap().as_ref(), Some(journal.job()));
    assert!(!written.path.with_extension("new").exists());
}

#[test]
fn a_journal_that_cannot_be_begun_leaves_the_one_before() {
    let written = written();
    // Nothing can be written under that name, as on a full disk.
    fs_err::create_dir(written.path.with_extension("new")).unwrap();
    written.store.begin(&id(), header()).unwrap_err();
    assert_eq!(written.read().unwrap(), Some(written.job.clone()));
    written.put(&written.lines()[..5].concat());
    written.is_refused(5, "it was shortened");
}

#[test]
fn what_is_forgotten_is_kept_aside() {
    let written = written();
    let lock = written.store.lock(&id(), "r2").unwrap();
    assert!(matches!(written.store.forget(&id()), Err(StateError::Locked(_))));
    drop(lock);
    let old = written.store.forget(&id()).unwrap();
    assert_eq!(fs_err::read(old).unwrap(), written.bytes);
    assert_eq!(written.read().unwrap(), None);
    assert!(written.store.jobs().unwrap().is_empty());
}

/// An import comes from outside, and may say of rows what it likes.
#[test]
fn numbers_too_large_to_add_up_are_no_reason_to_panic() {
    let split = Split { partitions: Vec::new(), range: KeyRange::ALL, rows: u64::MAX };
    let mut job = Job::new(header());
    job.apply(&Record::Splits { list: vec![split; 3] }).unwrap();
    for split in 0..3 {
        let Record::Done { doubled, touched, at, .. } = done(split) else { panic!() };
        let fingerprint = Fingerprint { rows: u64::MAX, sum: u128::MAX };
        let all = Record::Done { split, fingerprint, doubled, written: 1, quarantined: u64::MAX, touched, at };
        job.apply(&all).unwrap();
    }
    assert_eq!((job.rows_done(), job.rows_expected(), job.rows_quarantined()), (u64::MAX, Some(u64::MAX), u64::MAX));
    assert_eq!(job.tallies().next().unwrap().held(), u64::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cut off anywhere and without its tail, the journal reads as one of the states it has been in, and can be gone on with.
    #[test]
    fn a_torn_journal_is_an_earlier_one(cut in any::<prop::sample::Index>()) {
        let written = written();
        written.lose_the_tail();
        let cut = cut.index(written.bytes.len());
        written.put(&written.bytes[..cut]);
        let whole = written.bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(written.read().unwrap(), earlier(whole));
        if whole > 0 {
            let mut journal = Journal::open(&written.path).unwrap();
            journal.append(&Record::Retried { class: "unavailable".into(), reason: "x".into() }).unwrap();
            prop_assert_eq!(journal::read(&written.path).unwrap().unwrap(), journal.job().clone());
        }
    }

    /// Beside its tail, a journal that was cut off anywhere is refused: every record was synced.
    #[test]
    fn a_journal_cut_off_anywhere_is_refused(cut in any::<prop::sample::Index>()) {
        let written = written();
        written.put(&written.bytes[..cut.index(written.bytes.len())]);
        let damaged = matches!(written.read(), Err(StateError::Damaged { .. }));
        prop_assert!(damaged);
    }

    /// A flipped bit is noticed, wherever it is, unless it is in the torn part of the last line.
    #[test]
    fn a_flipped_bit_is_noticed(place in any::<prop::sample::Index>(), bit in 0_u8..8, with_tail in any::<bool>()) {
        let written = written();
        if !with_tail {
            written.lose_the_tail();
        }
        let (mut bytes, last) = (written.bytes.clone(), written.bytes.len() - 1);
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        written.put(&bytes);
        match written.read() {
            Err(_) => {}
            // The end of the last line was hit, so that line is torn.
            Ok(read) => prop_assert!(!with_tail && place == last && read.as_ref() != Some(&written.job)),
        }
    }

    /// Lines taken away, doubled and moved about: what is not refused is a beginning of what was written.
    #[test]
    fn no_other_order_of_lines_is_taken_for_a_journal(order in prop::collection::vec(0_usize..9, 0..12)) {
        let written = written();
        written.lose_the_tail();
        let lines = written.lines();
        let text: Vec<&[u8]> = order.iter().map(|line| lines[*line]).collect();
        written.put(&text.concat());
        let is_beginning = order.iter().enumerate().all(|(at, line)| at == *line);
        match written.read() {
            Ok(job) => prop_assert!(is_beginning && job == earlier(order.len())),
            Err(_) => prop_assert!(!is_beginning),
        }
    }

    /// Whatever a file holds, reading it ends in a job or in words.
    #[test]
    fn no_file_makes_reading_panic(
        start in 0_usize..10,
        lines in prop::collection::vec(prop_oneof![any::<String>(), Just("{\"type\":\"begin\",\"format\":3}".to_owned()), Just("{\"type\":\"started\",\"split\":18446744073709551615}".to_owned())], 0..5),
    ) {
        let written = written();
        let mut text = written.lines()[..start.min(9)].concat();
        for line in &lines {
            text.extend(format!("{:016x} {line}\n", XxHash3_64::oneshot(line.as_bytes())).into_bytes());
        }
        written.put(&text);
        let _either = (written.read(), written.store.jobs().unwrap());
    }
}
