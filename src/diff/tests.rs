//! Every decision, with nothing but values.

mod managed;

use std::collections::BTreeMap;

use super::*;
use crate::collection::{DataType, Field, LoadState};
use crate::mapping;

const HASH: &str = "p1:sha256:aa";
const RUN: &str = "20260101-000000-abcd";

fn live(mark: &[(&str, &str)]) -> LiveCollection {
    let mut vector = Field::new("v", DataType::FloatVector);
    vector.params.insert("dim".into(), "4".into());
    let index = crate::collection::Index {
        field: "v".into(),
        name: "v".into(),
        params: BTreeMap::from([("index_type".into(), "AUTOINDEX".into()), ("metric_type".into(), "COSINE".into())]),
    };
    LiveCollection {
        id: 7,
        name: "docs".into(),
        schema: CollectionSchema {
            description: String::new(),
            fields: vec![Field { primary_key: true, ..Field::new("id", DataType::Int64) }, vector],
            dynamic_field: false,
            functions: Vec::new(),
            shards: 1,
            consistency: None,
            properties: BTreeMap::new(),
            key_partitions: None,
            struct_fields: Vec::new(),
        },
        partitions: vec!["_default".into()],
        indexes: vec![index],
        load_state: LoadState::Loaded,
        unloaded_partitions: Vec::new(),
        aliases: Vec::new(),
        mark: mark.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn capabilities() -> crate::collection::Capabilities {
    crate::collection::Capabilities::able()
}

fn rows(physical: u64) -> Option<Rows> {
    Some(Rows { physical, doubled: Some(0), row_bytes: 10, ..Rows::default() })
}

/// A source of 100 rows and no target.
fn seen(on_existing: OnExisting) -> Seen {
    let source = live(&[]);
    let place = |uri: &str| Place { uri: uri.into(), database: "default".into(), collection: "docs".into() };
    let settings = Settings::plain(on_existing);
    let mapping = mapping::compile(&source, &settings, "docs", &capabilities(), &capabilities());
    Seen {
        address: "m.default.docs".into(),
        from: place("http://a:1"),
        to: place("http://b:1"),
        settings,
        plan_hash: HASH.into(),
        pinned_hash: HASH.into(),
        engine: Engine::Direct,
        tiers: (Tier::SelfHosted, Tier::SelfHosted),
        units: None,
        not_managed: Vec::new(),
        source: Some(source),
        source_error: None,
        state_error: None,
        target: None,
        target_database_exists: true,
        mapping: Some(mapping),
        source_rows: rows(100),
        target_rows: None,
        row_diff: None,
        doubled_values: (0, Vec::new()),
        lost_keys: None,
        survey: None,
        unscanned: false,
        aliases: Vec::new(),
        prior: None,
        source_load_needs_index: true,
        target_load_needs_index: true,
    }
}

fn prior() -> Prior {
    Prior {
        run: RUN.into(),
        plan_hash: HASH.into(),
        finished: false,
        target_id: Some(7),
        may_have_created: true,
        converging: false,
        source_id: 7,
        splits: (4, 1),
        rows: (100, 0),
        dirty: 0,
        saved_plan: None,
        managed: None,
    }
}

const UNFINISHED: [(&str, &str); 2] = [(MARK_RUN, RUN), (MARK_PLAN, HASH)];
const FINISHED: [(&str, &str); 3] = [(MARK_RUN, RUN), (MARK_PLAN, HASH), (MARK_ROWS, "100")];

#[track_caller]
fn decided(seen: Seen, action: Action, work: Work) -> Entry {
    let entry = decide(seen);
    assert_eq!((entry.action, entry.work), (action, work), "{:?} {:?}", entry.blocked, entry.notes);
    entry
}

#[track_caller]
fn blocked(seen: Seen, code: Code) -> Entry {
    let entry = decided(seen, Action::Blocked, Work::None);
    assert!(entry.blocked.iter().any(|note| note.code == code && note.help.is_some()), "{:?}", entry.blocked);
    entry
}

#[test]
fn what_is_not_there_is_made() {
    let entry = decided(seen(OnExisting::Fail), Action::Create, Work::Fill);
    assert_eq!((entry.rows_to_copy, entry.rows_lost, entry.bytes_to_copy()), (100, 0, 1_000));
}

#[test]
fn a_source_that_is_missing_or_unreadable_blocks() {
    blocked(Seen { source: None, mapping: None, source_rows: None, ..seen(OnExisting::Fail) }, Code::SourceMissing);
    blocked(
        Seen { source: None, source_error: Some("no".into()), mapping: None, ..seen(OnExisting::Fail) },
        Code::SourceUnreadable,
    );
    let mut bare = live(&[]);
    (bare.indexes, bare.load_state) = (Vec::new(), LoadState::NotLoaded);
    blocked(Seen { source: Some(bare), ..seen(OnExisting::Fail) }, Code::SourceCannotLoad);
}

#[test]
fn rows_that_cannot_arrive_once_block() {
    let with = |change: fn(&mut Rows)| {
        let mut rows = rows(100).unwrap();
        change(&mut rows);
        Seen { source_rows: Some(rows), ..seen(OnExisting::Fail) }
    };
    blocked(with(|rows| rows.unreadable = 1), Code::CountedNotReturned);
    blocked(with(|rows| rows.crossing = 1), Code::CrossingKeys);
    let entry = decided(with(|rows| rows.doubled = Some(3)), Action::Create, Work::Fill);
    assert_eq!(entry.rows_to_copy, 97);
    assert!(entry.warnings.iter().any(|note| note.code == Code::DoubledKeys));
    let unknown = |entry: &Entry| entry.notes.iter().any(|note| note.code == Code::KeysLater);
    assert!(!unknown(&entry));
    assert!(unknown(&decided(with(|rows| rows.doubled = None), Action::Create, Work::Fill)));
    let estimated = with(|rows| (rows.doubled, rows.estimated) = (None, true));
    assert!(!unknown(&decided(estimated, Action::Create, Work::Fill)), "nothing was counted");
}

#[test]
fn a_stranger_is_not_touched_unless_told() {
    let stranger = |on_existing| Seen { target: Some(live(&[])), target_rows: rows(40), ..seen(on_existing) };
    blocked(stranger(OnExisting::Fail), Code::TargetExists);
    let entry = decided(stranger(OnExisting::Replace), Action::Replace, Work::Refill);
    assert_eq!((entry.rows_to_copy, entry.rows_lost), (100, 40));
    decided(stranger(OnExisting::Converge), Action::Update, Work::Converge);
}

#[test]
fn what_was_completed_is_left_alone() {
    let completed = |on_existing, source, target| Seen {
        target: Some(live(&FINISHED)),
        target_rows: rows(target),
        source_rows: rows(source),
        ..seen(on_existing)
    };
    decided(completed(OnExisting::Fail, 100, 100), Action::Unchanged, Work::None);
    decided(completed(OnExisting::Replace, 100, 100), Action::Unchanged, Work::None);
    blocked(completed(OnExisting::Fail, 101, 100), Code::Drifted);
    blocked(completed(OnExisting::Fail, 100, 99), Code::Drifted);
    decided(completed(OnExisting::Replace, 101, 100), Action::Replace, Work::Refill);

    let mut unindexed = completed(OnExisting::Fail, 100, 100);
    unindexed.target.as_mut().unwrap().indexes.clear();
    decided(unindexed, Action::Update, Work::Touch);
    let mut unloaded = completed(OnExisting::Fail, 100, 100);
    unloaded.settings.load = true;
    unloaded.target.as_mut().unwrap().load_state = LoadState::NotLoaded;
    decided(unloaded, Action::Update, Work::Touch);
}

#[test]
fn statistics_warn_and_do_not_decide() {
    let estimated = Some(Rows::estimated(90, 10));
    let entry = decided(
        Seen { target: Some(live(&FINISHED)), target_rows: estimated, ..seen(OnExisting::Fail) },
        Action::Unchanged,
        Work::None,
    );
    assert!(entry.warnings.iter().any(|note| note.code == Code::Drifted));
}

#[test]
fn an_unfinished_run_goes_on_only_as_itself() {
    let unfinished = |prior: Prior, mark: &[(&str, &str)]| Seen {
        prior: Some(prior),
        target: Some(live(mark)),
        target_rows: rows(25),
        ..seen(OnExisting::Fail)
    };
    let entry = decided(unfinished(prior(), &UNFINISHED), Action::Update, Work::Resume);
    assert_eq!(entry.rows_to_copy, 75);
    let other = Prior { plan_hash: "p1:sha256:bb".into(), ..prior() };
    assert!(blocked(unfinished(other, &UNFINISHED), Code::UnfinishedOther).state_conflict);
    assert!(blocked(unfinished(prior(), &[]), Code::TargetReplaced).state_conflict);
    let other_id = Prior { target_id: Some(8), ..prior() };
    assert!(blocked(unfinished(other_id, &UNFINISHED), Code::TargetReplaced).state_conflict);
    let other_source = Prior { source_id: 9, ..prior() };
    assert!(blocked(unfinished(other_source, &UNFINISHED), Code::SourceReplaced).state_conflict);
    // It wrote into a stranger's collection, which this plan does not allow.
    let converged = Prior { converging: true, target_id: None, ..prior() };
    blocked(unfinished(converged.clone(), &[]), Code::TargetExists);
    let mut allowed = unfinished(converged, &[]);
    allowed.settings.on_existing = OnExisting::Converge;
    decided(allowed, Action::Update, Work::Resume);
    // It stopped before it sent anything, and somebody else's collection stands there now.
    let early = Prior { target_id: None, may_have_created: false, splits: (0, 0), ..prior() };
    blocked(unfinished(early, &[]), Code::TargetExists);
}

#[test]
fn a_run_whose_collection_is_gone_starts_over() {
    decided(Seen { prior: Some(prior()), ..seen(OnExisting::Fail) }, Action::Create, Work::Fill);
    let early = Prior { target_id: None, splits: (0, 0), ..prior() };
    decided(Seen { prior: Some(early), ..seen(OnExisting::Fail) }, Action::Create, Work::Resume);
    // It wrote into a collection that it did not make, and that one is gone: this one makes its own.
    let into_a_stranger = Prior { target_id: None, converging: true, ..prior() };
    decided(Seen { prior: Some(into_a_stranger), ..seen(OnExisting::Converge) }, Action::Create, Work::Fill);
    // Whatever the old run was asked for: nothing of it is left.
    let other = Prior { plan_hash: "p1:sha256:bb".into(), ..prior() };
    decided(Seen { prior: Some(other), ..seen(OnExisting::Fail) }, Action::Create, Work::Fill);
}

#[test]
fn without_the_state_an_unfinished_target_is_not_guessed_at() {
    let lost = |on_existing| Seen { target: Some(live(&UNFINISHED)), target_rows: rows(25), ..seen(on_existing) };
    blocked(lost(OnExisting::Fail), Code::BegunElsewhere);
    decided(lost(OnExisting::Replace), Action::Replace, Work::Refill);
}

#[test]
fn state_that_cannot_be_read_blocks_and_says_the_way_out_alone() {
    let trouble = |conflict| StateTrouble {
        error: "line 3: it was shortened".to_owned(),
        help: "`vecferry state rm x`".to_owned(),
        conflict,
    };
    let state_error = Some(trouble(true));
    for on_existing in [OnExisting::Fail, OnExisting::Replace, OnExisting::Converge] {
        for target in [None, Some(live(&[])), Some(live(&UNFINISHED)), Some(live(&FINISHED))] {
            let entry =
                blocked(Seen { state_error: state_error.clone(), target, ..seen(on_existing) }, Code::StateUnreadable);
            assert_eq!((entry.blocked.len(), entry.state_conflict), (1, true), "{:?}", entry.blocked);
            assert_eq!(entry.blocked[0].help.as_deref(), Some("`vecferry state rm x`"));
        }
    }
}

#[test]
fn converging_needs_a_target_that_fits() {
    let with = |change: fn(&mut LiveCollection)| {
        let mut target = live(&[]);
        change(&mut target);
        Seen { target: Some(target), target_rows: rows(40), ..seen(OnExisting::Converge) }
    };
    blocked(
        with(|live| live.schema.fields[1].params = BTreeMap::from([("dim".into(), "8".into())])),
        Code::TargetMisfit,
    );
    blocked(with(|live| live.schema.fields[0].auto_id = true), Code::TargetMisfit);
    blocked(with(|live| live.schema.fields.push(Field::new("more", DataType::VarChar))), Code::TargetMisfit);
    let same = Seen { row_diff: Some(RowDiff { extra: 2, ..RowDiff::default() }), ..with(|_| {}) };
    let entry = decided(same, Action::Unchanged, Work::None);
    assert!(entry.warnings.iter().any(|note| note.code == Code::OnlyOnTarget));
    let diff = RowDiff { missing: 1, differing: 2, ..RowDiff::default() };
    let entry = decided(Seen { row_diff: Some(diff), ..with(|_| {}) }, Action::Update, Work::Converge);
    assert_eq!(entry.rows_to_copy, 3);
}

#[test]
fn the_summary_is_an_interface() {
    let changes = ChangeSet {
        entries: vec![
            decide(seen(OnExisting::Fail)),
            decide(Seen { target: Some(live(&[])), ..seen(OnExisting::Fail) }),
            decide(Seen { target: Some(live(&[])), ..seen(OnExisting::Replace) }),
        ],
        clusters: Vec::new(),
    };
    assert_eq!(changes.summary().to_string(), "Plan: 1 to create, 0 to update, 1 to replace, 0 unchanged, 1 blocked.");
}

/// Three clusters in a row: what is written is not read at the same time, whichever entry comes first, and follows later.
#[test]
fn nobody_reads_what_the_same_apply_writes() {
    let at = |uri: &str| Place { uri: uri.into(), ..seen(OnExisting::Fail).from };
    let first = || decide(seen(OnExisting::Fail));
    let second = || {
        decide(Seen {
            from: at("http://b:1"),
            to: at("http://c:1"),
            address: "n.default.docs".into(),
            ..seen(OnExisting::Fail)
        })
    };
    for entries in [vec![first(), second()], vec![second(), first()]] {
        let mut changes = ChangeSet { entries, clusters: Vec::new() };
        changes.hold_back_readers();
        changes.entries.sort_by_key(|entry| entry.action == Action::Blocked);
        let [create, waits] = changes.entries.as_slice() else { panic!("two entries") };
        assert_eq!((create.action, create.work), (Action::Create, Work::Fill));
        assert_eq!((waits.action, waits.work, waits.rows_to_copy), (Action::Blocked, Work::None, 0));
        assert_eq!(waits.blocked[0].code, Code::SourceBeingWritten);
        assert!(waits.blocked[0].message.contains("m.default.docs"), "{}", waits.blocked[0].message);
    }
    // What is not there yet needs no second reason.
    let there_is_none = Seen { source: None, source_rows: None, mapping: None, ..second().seen };
    let mut changes = ChangeSet { entries: vec![first(), decide(there_is_none)], clusters: Vec::new() };
    changes.hold_back_readers();
    let codes: Vec<Code> = changes.entries[1].blocked.iter().map(|note| note.code).collect();
    assert_eq!(codes, [Code::SourceBeingWritten]);
    // The first is complete, so nobody writes.
    let mut done = first();
    (done.action, done.work) = (Action::Unchanged, Work::None);
    let mut changes = ChangeSet { entries: vec![done, second()], clusters: Vec::new() };
    changes.hold_back_readers();
    assert_eq!(changes.entries[1].work, Work::Fill);
    // The second is complete and stays so, with a word about it.
    let mut done = second();
    (done.action, done.work) = (Action::Unchanged, Work::None);
    let mut changes = ChangeSet { entries: vec![first(), done], clusters: Vec::new() };
    changes.hold_back_readers();
    assert_eq!(
        (changes.entries[1].action, changes.entries[1].warnings[0].code),
        (Action::Unchanged, Code::SourceBeingWritten)
    );
}

/// A plan between two clusters of Zilliz Cloud.
fn in_the_cloud(engine: Engine, tiers: (Tier, Tier)) -> Seen {
    Seen { engine, tiers, ..seen(OnExisting::Fail) }
}

#[test]
fn plans_that_are_not_moved_between_block_the_service_and_warn_the_copy() {
    let down = (Tier::Dedicated, Tier::Serverless);
    let copied = decide(in_the_cloud(Engine::Direct, down));
    assert_eq!((copied.action, copied.warnings[0].code), (Action::Create, Code::PairUnusual));
    let managed = decide(in_the_cloud(Engine::ZillizCloud, down));
    assert_eq!(managed.seen.not_managed[0].code, Code::PairNotMoved);
    // Where an older page disagrees, today's counts and both are named.
    let disputed = decide(in_the_cloud(Engine::ZillizCloud, (Tier::Serverless, Tier::Serverless)));
    assert!(disputed.seen.not_managed.is_empty());
    let disputed = decide(in_the_cloud(Engine::Direct, (Tier::Serverless, Tier::Serverless)));
    assert_eq!(disputed.warnings, []);
}

#[test]
fn the_estimate_is_no_faster_than_the_plan_of_the_target() {
    let slow = decide(in_the_cloud(Engine::Direct, (Tier::SelfHosted, Tier::Free))).change();
    assert_eq!(slow.assumed_bytes_per_second, 2_000_000);
    assert_eq!(slow.estimated_seconds, slow.bytes_to_copy.div_ceil(2_000_000));
    let own = decide(seen(OnExisting::Fail)).change();
    assert_eq!(own.assumed_bytes_per_second, ASSUMED_BYTES_PER_SECOND);
}

#[test]
fn a_target_with_more_than_its_plan_holds_is_blocked() {
    let mut seen = in_the_cloud(Engine::Direct, (Tier::SelfHosted, Tier::Serverless));
    let mapping = seen.mapping.as_mut().unwrap();
    let field = mapping.schema.fields[0].clone();
    mapping.schema.fields.extend((0..64).map(|number| Field {
        name: format!("f{number}"),
        primary_key: false,
        ..field.clone()
    }));
    let entry = decide(seen);
    assert_eq!((entry.action, entry.blocked[0].code), (Action::Blocked, Code::CannotHold));
    assert!(entry.blocked[0].message.contains("by Zilliz Cloud's page"), "{}", entry.blocked[0].message);
}

#[test]
fn a_cluster_that_gets_more_than_it_holds_is_warned_about() {
    use crate::plan::tiers::Class;
    let cluster = |placeholder: &str| {
        decide_cluster(SeenCluster {
            names: vec!["new".into()],
            wanted: None,
            placeholder: placeholder.into(),
            found: Vec::new(),
            prior: None,
            password_file_exists: false,
        })
    };
    let entries = (0..6).map(|_| decide(in_the_cloud(Engine::Direct, (Tier::SelfHosted, Tier::Free)))).collect();
    let mut changes =
        ChangeSet { entries, clusters: vec![cluster("zilliz_cloud:in03-a"), cluster("zilliz_cloud:in03-b")] };
    let class = Class { tier: Tier::Free, units: None };
    let address = |uri: &str| (uri.to_owned(), class);
    changes.hold_against_limits(
        &[
            ("zilliz_cloud:in03-a".to_owned(), address("http://b:1")),
            ("zilliz_cloud:in03-b".to_owned(), address("http://c:1")),
        ]
        .into(),
    );
    let [full, empty] = changes.clusters.as_slice() else { panic!("two clusters") };
    assert_eq!(full.warnings.iter().map(|note| note.code).collect::<Vec<_>>(), [Code::BeyondCluster]);
    assert!(full.warnings[0].message.starts_with("6 collections in a cluster"), "{}", full.warnings[0].message);
    assert_eq!(empty.warnings, []);
    // That the service's requests may go away is said once, whatever number of collections it is to move.
    for entry in &mut changes.entries {
        entry.seen.engine = Engine::ZillizCloud;
    }
    changes.hold_against_limits(&[("zilliz_cloud:in03-b".to_owned(), address("http://b:1"))].into());
    let codes: Vec<Code> = changes.clusters[1].warnings.iter().map(|note| note.code).collect();
    assert_eq!(codes, [Code::BeyondCluster, Code::ManagedDeprecated]);
}
