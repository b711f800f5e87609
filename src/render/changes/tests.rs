use super::super::fixtures::{NARROW, NASTY, WIDE, assert_sound, change, diff, line, many, note};
use super::*;
use crate::diagnostic::Code;
use crate::diff::{ClusterChange, Note, Work};

#[test]
fn text_at_80_columns() {
    let text = text(&diff(), NARROW);
    assert!(text.lines().all(|line| words::width(line) <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn text_at_200_columns() {
    insta::assert_snapshot!(text(&diff(), WIDE));
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = text(&diff(), Style { color: true, ..NARROW });
    assert!(coloured.contains("\u{1b}[31m-\u{1b}[0m \u{1b}[31mrows lost on the target: 48,000 rows\u{1b}[0m"));
    let mut plain = String::new();
    for (number, part) in coloured.split('\u{1b}').enumerate() {
        plain.push_str(if number == 0 { part } else { part.split_once('m').map_or(part, |(_, rest)| rest) });
    }
    assert_eq!(plain, text(&diff(), NARROW));
}

#[test]
fn markdown_for_a_change_request() {
    let markdown = markdown(&diff());
    assert_sound(&markdown);
    insta::assert_snapshot!(markdown);
}

#[test]
fn json_for_machines() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&json(&diff())).expect("json"));
}

#[test]
fn the_last_line_is_the_summary() {
    let last = |diff: &Diff| text(diff, WIDE).lines().last().map(str::to_owned);
    let line = "Plan: 1 to create, 2 to update, 1 to replace, 2 unchanged, 1 blocked.";
    assert_eq!(last(&diff()).as_deref(), Some(line));
    let line = "Plan: 0 to create, 0 to update, 0 to replace, 0 unchanged, 0 blocked.";
    assert_eq!(last(&Diff::default()).as_deref(), Some(line));
}

#[test]
fn nothing_to_do_is_said() {
    let changes = ["a", "b"].map(|name| change(name, Action::Unchanged, Work::None)).to_vec();
    insta::assert_snapshot!(text(&Diff { changes, ..Diff::default() }, NARROW), @r"
    Signs: = nothing to do

      = kb.main.a  nothing to do
      = kb.main.b  nothing to do

    No changes. Target matches the plan.
    Plan: 0 to create, 0 to update, 0 to replace, 2 unchanged, 0 blocked.
    ");
    let blocked = Diff { changes: vec![change("a", Action::Blocked, Work::None)], ..Diff::default() };
    assert!(!text(&blocked, NARROW).contains(NO_CHANGES));
    assert!(!markdown(&blocked).contains(NO_CHANGES));
}

fn nasty() -> Change {
    let mut entry = change(NASTY, Action::Create, Work::Fill);
    entry.source.database = NASTY.to_owned();
    entry.rows_to_copy = 1;
    let (add, name) = (Sign::Add, Some(NASTY));
    entry.lines =
        ["field", "index", "partition", "property"].map(|topic| line(topic, NASTY, add, name, name, name)).to_vec();
    entry.warnings = vec![note(Code::MayGoWrong, name, NASTY, name)];
    entry.notes = vec![note(Code::Shaped, name, NASTY, name)];
    entry.blocked = vec![note(Code::TargetExists, name, NASTY, name)];
    entry
}

#[test]
fn names_from_outside_stay_in_their_place() {
    let changes = Diff { changes: vec![nasty(), change("b", Action::Unchanged, Work::None)], ..Diff::default() };
    let text = text(&changes, WIDE);
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
    assert_sound(&markdown(&changes));
}

#[test]
fn a_comment_has_room_for_what_matters_whatever_the_number_of_entries() {
    let mut changes: Vec<Change> = (0..500).map(|_| nasty()).collect();
    let create = diff().changes.remove(0);
    changes.extend((0..500).map(|number| {
        let mut entry = create.clone();
        entry.address = format!("kb.main.articles_{number}");
        entry
    }));
    changes.push(diff().changes.remove(6));
    let markdown = markdown(&Diff { changes, ..Diff::default() });
    assert_sound(&markdown);
    assert!(markdown.contains("| `!` | `kb.main.logs` | **blocked** |"), "what is blocked comes first");
    assert!(markdown.contains("<details><summary>! <code>kb.main.logs</code></summary>"));
    assert!(markdown.contains(" more collections; the text output has everything."));
    assert!(markdown.contains(" more diffs; the text output has everything."));
}

#[test]
fn five_hundred_collections_can_be_read() {
    let text = text(&many(), Style { color: false, width: 120 });
    assert!(text.lines().count() < 200, "{} lines", text.lines().count());
    for change in &many().changes {
        assert!(text.contains(&change.target.collection), "{} is named", change.target.collection);
    }
    let blocks: Vec<&str> = text.lines().filter(|line| !line.starts_with("     ")).collect();
    insta::assert_snapshot!(blocks.join("\n"));
    let markdown = markdown(&many());
    assert_sound(&markdown);
    assert!(!markdown.contains("and more"), "everything has room: {markdown}");
    assert!(markdown.contains("search_tenant_123_passages"), "{markdown}");
}

#[test]
fn what_differs_in_anything_that_is_said_stands_alone() {
    let mut changes = many().changes;
    changes[1].warnings.push(note(Code::MayGoWrong, None, "only here", None));
    let text = text(&Diff { changes, ..Diff::default() }, WIDE);
    assert!(text.contains("+ kb.main.support_tenant_000_passages  will be created as it is on the source"), "{text}");
    assert!(text.contains("only here"));
}

#[test]
fn clusters_stand_before_the_collections() {
    let cluster = |id: Option<&str>, action, status: Option<&str>, warnings| ClusterChange {
        names: vec![if id.is_some() { "old" } else { "new" }.into()],
        id: id.map(str::to_owned),
        placeholder: String::new(),
        action,
        facts: "kb <b> Standard, 2 CU Performance-optimized, aws-us-west-2".into(),
        status: status.map(str::to_owned),
        blocked: Vec::new(),
        warnings,
        notes: Vec::new(),
    };
    let migrating = Note {
        field: None,
        message: "its status is MIGRATING: a migration job is at work in it".into(),
        help: Some("wait until it has ended".into()),
        code: Code::ClusterStatus,
    };
    let clusters = vec![
        cluster(Some("in01-a"), Action::Unchanged, Some("MIGRATING"), vec![migrating]),
        cluster(None, Action::Create, None, Vec::new()),
    ];
    let diff = Diff { clusters, changes: vec![change("a", Action::Unchanged, Work::None)], ..Diff::default() };
    insta::assert_snapshot!(text(&diff, NARROW));
    insta::assert_snapshot!(markdown(&diff));
    assert!(diff.has_changes());
}
