//! Values for this room's tests, made by hand: what is shown must not depend on who decided it.

use super::Style;
use crate::collection::Key;
use crate::diagnostic::Code;
use crate::diff::{
    ASSUMED_BYTES_PER_SECOND, Action, Change, Counted, Diff, Difference, DifferenceKind, Line, Note, Place, RowDiff,
    Rows, RowsOfBoth, Sign, Work, estimated_seconds,
};

pub(super) const NARROW: Style = Style { color: false, width: 80 };
pub(super) const WIDE: Style = Style { color: false, width: 200 };

/// A name that tries everything: code, table, comment, tag, fence, mention, line break, terminal and reading direction.
pub(super) const NASTY: &str = "a`b|c\n-->\u{1b}[31m</details>@all\n````\n*x*_y_\u{202e}\r<script>";

pub(super) fn place(port: u16, database: &str, collection: &str) -> Place {
    Place { uri: format!("http://127.0.0.1:{port}"), database: database.to_owned(), collection: collection.to_owned() }
}

pub(super) fn note(code: Code, field: Option<&str>, message: &str, help: Option<&str>) -> Note {
    Note { field: field.map(str::to_owned), message: message.to_owned(), help: help.map(str::to_owned), code }
}

pub(super) fn line(
    topic: &'static str,
    name: &str,
    sign: Sign,
    before: Option<&str>,
    after: Option<&str>,
    reason: Option<&str>,
) -> Line {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Line {
        topic: topic.into(),
        name: name.to_owned(),
        sign,
        before: owned(before),
        after: owned(after),
        reason: owned(reason),
    }
}

pub(super) fn change(collection: &str, action: Action, work: Work) -> Change {
    Change {
        address: format!("kb.main.{collection}"),
        source: place(19530, "default", collection),
        target: place(19531, "main", collection),
        action,
        work,
        rows: RowsOfBoth::default(),
        rows_to_copy: 0,
        bytes_to_copy: 0,
        estimated_seconds: 0,
        assumed_bytes_per_second: ASSUMED_BYTES_PER_SECOND,
        rows_lost: 0,
        rows_quarantined: 0,
        scan: None,
        dynamic_keys_lost: None,
        lines: Vec::new(),
        blocked: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
        state_conflict: false,
    }
}

/// A number of rows to copy, of so many bytes each.
pub(super) fn copies(change: &mut Change, source: Counted, rows: u64) {
    change.rows_to_copy = rows;
    change.bytes_to_copy = rows * source.row_bytes;
    change.estimated_seconds = estimated_seconds(change.bytes_to_copy, change.assumed_bytes_per_second);
    change.rows.source = Some(source);
}

pub(super) fn row_diff() -> RowDiff {
    let difference = |key, kind, fields: &[&str]| Difference {
        key,
        partition: (kind == DifferenceKind::Extra).then(|| "year_2024".to_owned()),
        kind,
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
    };
    RowDiff {
        missing: 1_200,
        differing: 1,
        extra: 1,
        doubled: 2,
        untold: false,
        examples: vec![
            difference(Key::Int(7), DifferenceKind::Missing, &[]),
            difference(Key::Int(-9), DifferenceKind::Differing, &["title", "embedding"]),
            difference(Key::Text("a \"b\"\n\u{1b}[2J".into()), DifferenceKind::Extra, &[]),
            difference(Key::Text("twice".into()), DifferenceKind::Doubled, &[]),
        ],
    }
}

/// One entry of each action, and of the works that look different.
pub(super) fn diff() -> Diff {
    use Sign::{Add, Change, Passing, Remove, Same};
    let mut create = change("articles", Action::Create, Work::Fill);
    copies(&mut create, Counted::from(&Rows::estimated(1_234_567, 3_120)), 1_234_567);
    create.lines = vec![
        line("database", "main", Add, None, Some("new"), None),
        line("field", "id", Add, Some("INT64 primary key"), Some("INT64 primary key"), None),
        line("field", "title", Add, Some("VARCHAR(512)"), Some("VARCHAR(1024) nullable default \"\""), None),
        line("field", "文章", Add, Some("FLOAT_VECTOR(768)"), Some("FLOAT_VECTOR(768)"), None),
        line("field", "internal_score", Remove, Some("FLOAT"), None, Some("dropped by the plan")),
        line("dynamic field", "", Add, Some("on"), Some("on"), None),
        line("shards", "", Add, Some("1"), Some("2"), None),
        line("consistency", "", Add, Some("Bounded"), Some("Bounded"), None),
        line("property", "mmap.enabled", Add, Some("true"), Some("true"), None),
        line("function", "bm25", Add, Some("BM25 title → sparse"), Some("BM25 title → sparse"), None),
        line("index", "文章", Add, Some("HNSW, COSINE, M 16, efConstruction 200"), Some("AUTOINDEX, COSINE"), None),
        line("index", "internal_score", Remove, Some("STL_SORT"), None, Some("not carried")),
        line("load", "source", Passing, None, None, Some("loaded for the copy and released again")),
    ];
    for year in 0..23 {
        let name = format!("year_{}", 2000 + year);
        create.lines.push(line("partition", &name, Add, Some(&name), Some(&name), None));
    }
    create.warnings = vec![note(
        Code::MayGoWrong,
        Some("title"),
        "nulls are stored as the default, because Milvus stores the default for an explicit null",
        Some("leave the default out, or make the field not nullable"),
    )];
    create.notes = vec![note(Code::Shaped, None, "collection.ttl.seconds 3600 is set after the copy", None)];

    let mut converge = change("events", Action::Update, Work::Converge);
    converge.rows.difference = Some(row_diff());
    copies(&mut converge, Counted::from(&Rows { physical: 90_000, row_bytes: 400, ..Rows::default() }), 1_203);
    converge.lines = vec![
        line("field", "id", Same, Some("INT64 primary key"), Some("INT64 primary key"), None),
        line("shards", "", Change, Some("1"), Some("2"), None),
        line("index", "v", Same, Some("FLAT, L2"), Some("HNSW, L2"), Some("another index is there, and is left alone")),
    ];
    let extra = "1 rows are on the target only, and are left alone";
    converge.warnings = vec![note(Code::OnlyOnTarget, None, extra, None)];

    let mut resume = change("pages", Action::Update, Work::Resume);
    copies(&mut resume, Counted::from(&Rows { physical: 1, row_bytes: 400, ..Rows::default() }), 1);
    resume.notes = vec![note(Code::GoesOn, None, "run r1 is unfinished, with 3 of 4 splits done, and goes on", None)];

    let mut replace = change("users", Action::Replace, Work::Refill);
    replace.rows.target = Some(Counted::from(&Rows { physical: 48_000, row_bytes: 100, ..Rows::default() }));
    copies(&mut replace, Counted::from(&Rows { physical: 500, row_bytes: 100, ..Rows::default() }), 500);
    replace.rows_lost = 48_000;
    replace.lines = vec![
        line("field", "id", Add, Some("VARCHAR(64) primary key"), Some("VARCHAR(64) primary key"), None),
        line("field", "v", Add, Some("FLOAT_VECTOR(8)"), Some("FLOAT_VECTOR(8)"), None),
    ];

    let mut unchanged = change("authors", Action::Unchanged, Work::None);
    unchanged.rows.target = Some(Counted::from(&Rows { physical: 1_500, ..Rows::default() }));
    let mut drifted = change("tags", Action::Unchanged, Work::None);
    drifted.rows.target = Some(Counted::from(&Rows::estimated(12, 10)));
    let message = "the target holds 12 rows by its statistics, and held 10 when the plan was completed";
    let help = "`vecferry verify` loads it and tells for certain";
    drifted.warnings = vec![note(Code::Drifted, None, message, Some(help))];

    let mut blocked = change("logs", Action::Blocked, Work::None);
    let help = "choose another `target`, or say `on_existing: converge` to write what is missing";
    blocked.blocked = vec![
        note(Code::TargetExists, None, "the target exists, made not by vecferry", Some(help)),
        note(Code::CannotHold, Some("v"), "Milvus 2.3.5 does not hold FLOAT16_VECTOR", None),
    ];
    Diff { changes: vec![create, converge, resume, replace, unchanged, drifted, blocked], ..Diff::default() }
}

/// A plan of five hundred collections as people have them: most arrive as they are, some families get another shape, one is
/// dropped and one blocked.
pub(super) fn many() -> Diff {
    use Sign::Add;
    let mut changes = Vec::new();
    for number in 0..498_u64 {
        let (team, tenant) = (["search", "support", "catalogue", "ads"][number as usize % 4], number / 4);
        let mut create = change(&format!("{team}_tenant_{tenant:03}_passages"), Action::Create, Work::Fill);
        let rows = 1_000 + number * number * 37 % 900_000;
        copies(&mut create, Counted::from(&Rows { physical: rows, row_bytes: 3_200, ..Rows::default() }), rows);
        create.lines = vec![
            line("field", "id", Add, Some("INT64 primary key"), Some("INT64 primary key"), None),
            line("field", "embedding", Add, Some("FLOAT_VECTOR(768)"), Some("FLOAT_VECTOR(768)"), None),
            line("shards", "", Add, Some("2"), Some(if team == "ads" { "4" } else { "2" }), None),
        ];
        if number % 50 == 0 {
            create.action = Action::Unchanged;
            (create.work, create.rows_to_copy) = (Work::None, 0);
            create.rows.target = create.rows.source.take();
        }
        changes.push(create);
    }
    let mut last = diff();
    changes.push(last.changes.remove(6));
    changes.push(last.changes.remove(3));
    Diff { changes, ..Diff::default() }
}

/// What stands outside of fenced blocks.
pub(super) fn outside_fences(markdown: &str) -> String {
    let mut fence: Option<usize> = None;
    let mut outside = String::new();
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if ticks >= open && ticks == line.len() => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None => outside.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(fence, None, "a fence is left open");
    outside
}

/// Asserts that nothing from outside got out of its place.
pub(super) fn assert_sound(markdown: &str) {
    assert!(markdown.len() < 65_536, "{} bytes", markdown.len());
    assert!(!markdown.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'));
    let outside = outside_fences(markdown);
    let body = outside.strip_prefix("<!-- generated by vecferry -->\n").expect("the marker");
    assert!(!body.contains("-->") && !body.contains("<script") && !body.contains('@'), "{body}");
    assert_eq!(body.matches("<details>").count(), body.matches("</details>").count());
    assert_eq!(body.matches("</details>").count(), body.lines().filter(|line| *line == "</details>").count());
    let mut columns = body.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count());
    let first = columns.next();
    assert!(columns.all(|count| Some(count) == first), "{body}");
}
