//! What the migration service can do, what it cannot, and what is made of its unfinished work.

use super::*;
use crate::collection::Consistency;
use crate::plan::resolved::{FieldSettings, Indexes, Partitions, Settings, Shards};
use crate::state::{JobEnd, ManagedStep};

const AT: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

fn managed(on_existing: OnExisting) -> Seen {
    let seen = seen(on_existing);
    let mapping =
        mapping::compile(seen.source.as_ref().unwrap(), &seen.settings, "docs", &capabilities(), &capabilities());
    Seen { engine: Engine::ZillizCloud, tiers: (Tier::Dedicated, Tier::Dedicated), mapping: Some(mapping), ..seen }
}

/// A run that the service was asked for, as far as these steps.
fn left(steps: &[ManagedStep]) -> Prior {
    let header = crate::state::Header {
        run: RUN.into(),
        plan_hash: HASH.into(),
        source_id: 7,
        engine: Engine::ZillizCloud,
        ..serde_json::from_value(serde_json::json!({
            "format": 3, "tool": "", "run": "", "plan": "", "plan_file": "", "address": "", "plan_hash": "", "source_uri": "",
            "source": "", "target_uri": "", "target": "", "source_id": 7, "converging": false, "row_bytes": 0, "started": AT
        }))
        .unwrap()
    };
    let mut job = Job::new(header);
    for step in steps {
        job.apply(&crate::state::Record::Managed(step.clone())).unwrap();
    }
    Prior::of(&job)
}

fn asking() -> ManagedStep {
    ManagedStep::Asking { request: "q".into(), collections: vec!["default.docs".into()], at: AT }
}

fn asked() -> ManagedStep {
    ManagedStep::Asked { job: "job-1".into(), at: AT }
}

fn said(word: &str, end: Option<JobEnd>) -> ManagedStep {
    ManagedStep::Said { word: word.into(), percent: None, reason: None, end, at: AT }
}

#[test]
fn what_the_service_can_do_is_created() {
    let entry = decided(managed(OnExisting::Fail), Action::Create, Work::Fill);
    let line = |topic: &str| entry.lines.iter().find(|line| line.topic == topic).unwrap();
    assert!(line("engine").after.as_ref().unwrap().contains("migration service of Zilliz Cloud"));
    assert!(line("index").after.as_ref().unwrap().contains("AUTOINDEX"));
    let mut loaded = managed(OnExisting::Fail);
    (loaded.settings.load, loaded.settings.aliases) = (true, vec!["live".into()]);
    decided(loaded, Action::Create, Work::Fill);
}

#[test]
fn each_thing_that_the_service_cannot_do_is_blocked_with_the_way_out() {
    type Change = fn(&mut Settings);
    let cannot: [(&str, Change); 15] = [
        ("shards", |settings| settings.shards = Shards::Count(2)),
        ("dynamic_field", |settings| settings.dynamic_field = Some(true)),
        ("primary_key", |settings| settings.primary_key.auto_id = Some(true)),
        ("fields", |settings| drop(settings.fields.insert("v".into(), FieldSettings::default()))),
        ("drop", |settings| settings.drop = vec!["v".into()]),
        ("where", |settings| settings.filter = Some("id > 1".into())),
        ("partitions", |settings| settings.partitions = Partitions::None),
        ("num_partitions", |settings| settings.num_partitions = Some(16)),
        ("functions", |settings| drop(settings.functions.insert("f".into(), None))),
        ("indexes", |settings| settings.indexes = Indexes::Copy),
        ("properties", |settings| drop(settings.properties.insert("a".into(), None))),
        ("consistency", |settings| settings.consistency = Some(Consistency::Strong)),
        ("description", |settings| settings.description = Some("x".into())),
        ("on_existing: converge", |settings| settings.on_existing = OnExisting::Converge),
        ("prune", |settings| settings.prune = true),
    ];
    for (key, change) in cannot {
        let mut seen = managed(OnExisting::Fail);
        change(&mut seen.settings);
        let entry = blocked(seen, Code::NotManaged);
        let note = entry.blocked.iter().find(|note| note.message.contains(&format!("`{key}`")));
        let help = note.and_then(|note| note.help.as_ref()).unwrap_or_else(|| panic!("{key}: {:?}", entry.blocked));
        assert!(help.contains("`engine: direct`"), "{help}");
    }
    let mut renamed = managed(OnExisting::Fail);
    renamed.to.collection = "other".into();
    blocked(renamed, Code::NotManaged);
    let mut doubled = managed(OnExisting::Fail);
    doubled.source_rows.as_mut().unwrap().doubled = Some(1);
    blocked(doubled, Code::NotManaged);
    // What nobody can do between these clusters is said as it was found.
    let note = Note::new(Code::NotManaged, "from Free to Serverless").help("use `engine: direct`");
    blocked(Seen { not_managed: vec![note], ..managed(OnExisting::Fail) }, Code::NotManaged);
    // As the source has it is nothing to do.
    let mut same = managed(OnExisting::Fail);
    (same.settings.shards, same.settings.dynamic_field) = (Shards::Count(1), Some(false));
    decided(same, Action::Create, Work::Fill);
}

#[test]
fn what_cannot_be_read_here_is_verified_by_its_keys_or_not_moved() {
    let remark = mapping::Remark { field: Some("v".into()), message: "cannot be held".into(), help: None };
    let mut unread = managed(OnExisting::Fail);
    unread.mapping.as_mut().unwrap().blocked.push(remark);
    blocked(unread.clone(), Code::CannotHold);
    unread.settings.verify = Verify::Counts;
    let entry = decided(unread, Action::Create, Work::Fill);
    assert!(entry.warnings.iter().any(|note| note.code == Code::CannotHold));
    let empty = Seen { source_rows: rows(0), ..managed(OnExisting::Fail) };
    let entry = decided(empty, Action::Create, Work::Fill);
    assert!(entry.warnings.iter().any(|note| note.message.contains("may refuse")));
}

#[test]
fn a_target_that_exists_is_dropped_only_where_the_plan_says_so() {
    let there = |on_existing| Seen { target: Some(live(&[])), target_rows: rows(40), ..managed(on_existing) };
    blocked(there(OnExisting::Fail), Code::TargetExists);
    let entry = decided(there(OnExisting::Replace), Action::Replace, Work::Refill);
    assert_eq!(entry.rows_lost, 40);
    let done = Seen { target: Some(live(&FINISHED)), target_rows: rows(100), ..managed(OnExisting::Fail) };
    decided(done, Action::Unchanged, Work::None);
}

#[test]
fn an_unfinished_job_goes_on_by_how_far_it_is() {
    let with = |prior: Prior, target: bool| Seen {
        prior: Some(prior),
        target: target.then(|| live(&[])),
        target_rows: rows(25).filter(|_| target),
        ..managed(OnExisting::Fail)
    };
    let known = |steps: &[ManagedStep]| Prior { target_id: Some(7), ..left(steps) };
    decided(with(left(&[]), false), Action::Create, Work::Resume);
    blocked(with(left(&[]), true), Code::TargetExists);
    for steps in [&[asking()][..], &[asking(), asked()], &[asking(), asked(), said("PENDING", None)]] {
        decided(with(left(steps), false), Action::Create, Work::Resume);
        decided(with(left(steps), true), Action::Update, Work::Resume);
    }
    let failed = [asking(), asked(), said("FAILED", Some(JobEnd::Failed)), ManagedStep::Missed { at: AT }];
    decided(with(left(&failed[..3]), true), Action::Update, Work::Resume);
    decided(with(left(&failed), false), Action::Create, Work::Resume);
    let entry = decided(with(known(&failed), true), Action::Replace, Work::Refill);
    assert_eq!(entry.rows_lost, 25);
    // Nothing says that the job made it: it may be anybody's.
    blocked(with(left(&failed), true), Code::TargetExists);
    let other = Prior { target_id: Some(8), ..left(&failed) };
    assert!(blocked(with(other, true), Code::TargetReplaced).state_conflict);
    let well = [asking(), asked(), said("SUCCESSFUL", Some(JobEnd::Successful)), ManagedStep::Missed { at: AT }];
    decided(with(known(&well), true), Action::Update, Work::Resume);
    let told = Seen { settings: Settings::plain(OnExisting::Replace), ..with(known(&well), true) };
    decided(told, Action::Replace, Work::Refill);
    let other_source = Prior { source_id: 9, ..known(&well) };
    blocked(with(other_source, true), Code::SourceReplaced);
}

#[test]
fn another_plan_or_another_engine_waits_for_a_job_that_may_be_going() {
    let going = left(&[asking(), asked()]);
    let other = Prior { plan_hash: "p1:sha256:bb".into(), ..going.clone() };
    let entry = blocked(Seen { prior: Some(other.clone()), ..managed(OnExisting::Replace) }, Code::UnfinishedOther);
    assert!(entry.state_conflict);
    let entry = blocked(Seen { prior: Some(going), ..seen(OnExisting::Replace) }, Code::UnfinishedOther);
    assert!(entry.state_conflict);
    // Over and nothing there: both may begin.
    let over = left(&[asking(), asked(), said("CANCELED", Some(JobEnd::Canceled))]);
    decided(Seen { prior: Some(over.clone()), ..seen(OnExisting::Fail) }, Action::Create, Work::Fill);
    let other = Prior { plan_hash: "p1:sha256:bb".into(), ..over.clone() };
    decided(Seen { prior: Some(other), ..managed(OnExisting::Fail) }, Action::Create, Work::Fill);
    // Over and half of it there: it is a collection like any other for a plan that says what to do with such.
    let half = Prior { target_id: Some(7), ..over };
    let there = |on_existing| Seen {
        prior: Some(half.clone()),
        target: Some(live(&[])),
        target_rows: rows(25),
        ..seen(on_existing)
    };
    assert!(blocked(there(OnExisting::Fail), Code::UnfinishedOther).state_conflict);
    decided(there(OnExisting::Converge), Action::Update, Work::Converge);
    decided(there(OnExisting::Replace), Action::Replace, Work::Refill);
    // The other way round.
    let direct = |on_existing| Seen {
        prior: Some(prior()),
        target: Some(live(&UNFINISHED)),
        target_rows: rows(25),
        ..managed(on_existing)
    };
    assert!(blocked(direct(OnExisting::Fail), Code::UnfinishedOther).state_conflict);
    decided(direct(OnExisting::Replace), Action::Replace, Work::Refill);
}
