//! Jobs that are carried elsewhere: nothing is lost on the way, nothing doubled, and nothing half written.

use super::*;

fn elsewhere() -> (crate::searched::Folder, Store) {
    let folder = crate::searched::folder();
    let store = Store::new(&folder.path().join("b"));
    (folder, store)
}

#[test]
fn a_job_that_is_carried_elsewhere_goes_on_without_inserting_twice() {
    let written = written();
    let (export, left_out) = written.store.export(None).unwrap();
    assert!(left_out.is_empty());
    let (_folder, other) = elsewhere();
    let export = Export::parse(&export.text().unwrap()).unwrap();
    assert_eq!(other.import(&export, false).unwrap(), [(id(), Imported::New)]);
    let job = other.job(&id()).unwrap().unwrap();
    let sent = [Progress::Dirty, written.job.progress[1].clone(), Progress::Dirty, Progress::Dirty];
    assert_eq!(job.progress, sent, "the run may have gone on after the export, and nobody here would know");
    other.resume(&id()).unwrap().append(&done(2)).unwrap();
    // The export again: what is here is further.
    assert_eq!(other.import(&export, false).unwrap(), [(id(), Imported::Known)]);
    assert_eq!(other.job(&id()).unwrap().unwrap().splits_done(), 2);
}

#[test]
fn a_finished_job_is_carried_as_it_is() {
    let mut all = records();
    all.extend((0..4).map(done));
    all.push(Record::Ended { outcome: Outcome::Successful, rows: 12, error: None, at: AT });
    let written = written_as(header(), &all);
    let (_folder, other) = elsewhere();
    other.import(&written.store.export(Some(&id())).unwrap().0, false).unwrap();
    assert_eq!(other.job(&id()).unwrap().unwrap(), written.job);
    assert_eq!(fs_err::read(other.journal_path(&id())).unwrap(), written.bytes);
    let shortened = &written.lines()[..9].concat();
    fs_err::write(other.journal_path(&id()), shortened).unwrap();
    assert!(other.job(&id()).is_err(), "an imported journal has no tail");
}

#[test]
fn a_job_that_differs_is_replaced_only_when_that_is_asked_for() {
    let written = written();
    let (export, _) = written.store.export(None).unwrap();
    let (_folder, other) = elsewhere();
    other.begin(&id(), Header { run: "r2".into(), ..header() }).unwrap();
    let before = fs_err::read(other.journal_path(&id())).unwrap();
    let error = other.import(&export, false).unwrap_err();
    assert!(matches!(error, StateError::Refused { .. }) && error.help().contains("--force"), "{error}");
    assert_eq!(fs_err::read(other.journal_path(&id())).unwrap(), before);
    let lock = other.lock(&id(), "r3").unwrap();
    assert!(matches!(other.import(&export, true), Err(StateError::Locked(_))));
    drop(lock);
    let done = other.import(&export, true).unwrap();
    let [(_, Imported::Replaced(old))] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!(fs_err::read(old).unwrap(), before);
    assert_eq!(other.job(&id()).unwrap().unwrap().header.run, "r1");
    // One that is damaged is in the way of nothing that is asked for either.
    fs_err::write(other.journal_path(&id()), b"broken\n").unwrap();
    other.import(&export, false).unwrap_err();
    other.import(&export, true).unwrap();
    assert!(other.job(&id()).unwrap().is_some());
}

#[test]
fn nothing_is_imported_from_an_export_that_is_not_whole() {
    let written = written();
    written
        .store
        .begin(
            &JobId::of("http://127.0.0.1:2", "default", "more"),
            Header { target: "default.more".into(), ..header() },
        )
        .unwrap();
    let good: serde_json::Value = serde_json::from_str(&written.store.export(None).unwrap().0.text().unwrap()).unwrap();
    let text = |value: &serde_json::Value| value.to_string();
    let mut bad: Vec<String> = vec![
        String::new(),
        "[]".into(),
        text(&good)[..text(&good).len() / 2].to_owned(),
        text(&good).replace("vecferry-state", "other"),
        text(&good).replace("\"format_version\":1", "\"format_version\":2"),
    ];
    let mut with = |place: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        bad.push(text(&changed));
    };
    let journal = good["jobs"][1]["journal"].as_str().unwrap().to_owned();
    with("/jobs/1/sha256", "0".into());
    with("/jobs/1/records", 2.into());
    with("/jobs/1/id", "../../../outside".into());
    with("/jobs/1/id", good["jobs"][0]["id"].clone());
    with("/jobs/1", good["jobs"][0].clone());
    with("/jobs/1/journal", "".into());
    with("/jobs/1/journal", journal.replace("r1", "r2").into());
    let (_folder, other) = elsewhere();
    for text in bad {
        let done = Export::parse(&text).and_then(|export| other.import(&export, true));
        assert!(done.is_err(), "{text}");
        assert!(other.jobs().unwrap().is_empty(), "half of it was written: {text}");
    }
    other.import(&Export::parse(&text(&good)).unwrap(), false).unwrap();
    assert_eq!(other.jobs().unwrap().len(), 2);
}

#[test]
fn an_export_is_for_its_owner_and_replaces_nothing_by_itself() {
    use std::os::unix::fs::PermissionsExt as _;
    let written = written();
    let (export, _) = written.store.export(None).unwrap();
    let file = written.path.with_file_name("e.json");
    export.write(&file, false).unwrap();
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let error = export.write(&file, false).unwrap_err();
    assert!(matches!(error, StateError::Refused { .. }), "{error}");
    export.write(&file, true).unwrap();
}
