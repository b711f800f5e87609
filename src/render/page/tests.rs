use std::time::Duration;

use super::super::fixtures::{NASTY, change, diff, line, many, note, row_diff};
use super::*;
use crate::cluster::{ClusterError, ErrorKind};
use crate::diagnostic::Code;
use crate::diff::{Sign, Work};
use crate::run::{Event, JobError, Success};

fn at() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}

/// An apply in which everything happens that a page has to tell of.
fn applied() -> (Diff, Vec<Report>, Course) {
    let error = ClusterError::new(ErrorKind::Unreachable, "http://127.0.0.1:19531", "insert", "connection refused");
    let verified = Success { rows: 1_234_567, written: 1_234_567, mended: 3, ..Success::default() };
    let report = |name: &str, work, result, retries| Report {
        address: format!("kb.main.{name}"),
        work,
        result,
        took: Duration::from_secs(83),
        retried: if retries > 0 { [("rate limited", retries)].into() } else { Default::default() },
        splits: (19, 20),
    };
    let reports = vec![
        report("articles", Work::Fill, Ok(verified), 1_204),
        report("events", Work::Converge, Err(JobError::Different(Box::new(row_diff()))), 0),
        report("pages", Work::Resume, Err(JobError::Interrupted), 0),
        report("users", Work::Refill, Err(JobError::Cluster(error)), 3),
    ];
    let mut course = Course::default();
    for (number, report) in reports.iter().enumerate() {
        let mut tell = |event: &Event, millis: u64| {
            course.note(&report.address, event, Duration::from_millis(millis + number as u64 * 700));
        };
        tell(&Event::Phase("creating"), 0);
        tell(&Event::Begun { done: 0, total: 1_000_000, row_bytes: 3_200 }, 10);
        tell(&Event::Phase("copying"), 900);
        for step in 0..120_u64 {
            // A rate that rises, is throttled, and comes back.
            let rows = 400 + step * 12 - if (50..70).contains(&step) { step * 9 } else { step * step / 20 };
            tell(&Event::Rows(rows), 900 + step * 400);
            if (50..70).contains(&step) {
                tell(&Event::Retried("rate limited".to_owned()), 900 + step * 400);
            }
        }
        tell(&Event::Phase("indexing"), 49_000);
        tell(&Event::Phase("verifying"), 66_000);
        let ended = if report.result.is_ok() { Event::Succeeded } else { Event::Failed("so".to_owned()) };
        tell(&ended, 80_000);
    }
    (diff(), reports, course)
}

const AGAIN: &str = "vecferry apply plans/kb.yaml";

fn pages() -> Vec<(&'static str, String)> {
    let one = Diff { changes: vec![diff().changes.remove(0)], ..Diff::default() };
    let (planned, reports, course) = applied();
    vec![
        ("plan", plan(&diff(), at())),
        ("many", plan(&many(), at())),
        ("one", plan(&one, at())),
        ("none", plan(&Diff::default(), at())),
        ("apply", apply(&planned, &reports, &course, AGAIN, at())),
        ("nothing", apply(&Diff::default(), &[], &Course::default(), AGAIN, at())),
    ]
}

/// A plan in which every text tries to leave its place.
fn nasty() -> Diff {
    let name = Some(NASTY);
    let mut create = change(NASTY, Action::Create, Work::Fill);
    create.source.database = NASTY.to_owned();
    create.rows_to_copy = 1;
    create.lines = ["field", "index", "partition", "property"]
        .map(|topic| line(topic, NASTY, Sign::Add, Some("x"), name, name))
        .into_iter()
        .chain([
            line("field", NASTY, Sign::Add, name, name, None),
            line("field", NASTY, Sign::Remove, name, None, name),
        ])
        .collect();
    create.warnings = vec![note(Code::MayGoWrong, name, NASTY, name)];
    create.rows.difference = Some(row_diff());
    let mut blocked = change(NASTY, Action::Blocked, Work::None);
    blocked.blocked = vec![note(Code::TargetExists, name, NASTY, name)];
    let mut changes = vec![create; 20];
    changes.push(blocked);
    Diff { changes, not_selected: vec![NASTY.to_owned()], ..Diff::default() }
}

/// Writes them where somebody wants to look at them: `VECFERRY_PAGES=FOLDER cargo test --lib page`.
#[test]
fn every_page_is_one_file_that_asks_for_nothing() {
    for (name, page) in pages() {
        if let Some(folder) = std::env::var_os("VECFERRY_PAGES") {
            fs_err::write(std::path::Path::new(&folder).join(format!("{name}.html")), &page).expect("a page");
        }
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{name}");
        assert!(!page.contains(" src=") && !page.contains("url(") && !page.contains("@import"), "{name}");
        assert!(!page.contains(" style=") && !page.contains(" onclick"), "{name}: its own policy would refuse that");
        let elsewhere = page.match_indices("href=\"").map(|(at, _)| &page[at + 6..at + 11]);
        let elsewhere: Vec<_> = elsewhere.filter(|to| !to.starts_with('#') && *to != "data:").collect();
        assert!(elsewhere.is_empty(), "{name}: {elsewhere:?}");
    }
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() {
    let page = plan(&diff(), at());
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from).expect("it begins");
        rest.split_once(to).expect("it ends").0.to_owned()
    };
    let policy = between("Content-Security-Policy\" content=\"", "\"");
    for (kind, text) in
        [("style-src", between("<style>", "</style>")), ("script-src", between("<script>", "</script>"))]
    {
        let hash = BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert!(policy.contains(&format!("{kind} 'sha256-{hash}'")), "{kind}: {policy}");
    }
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[test]
fn names_from_outside_stay_in_their_place() {
    let reports = vec![Report {
        address: NASTY.to_owned(),
        work: Work::Fill,
        result: Err(JobError::Blocked(NASTY.to_owned())),
        took: Duration::from_secs(1),
        retried: Default::default(),
        splits: (0, 1),
    }];
    let mut course = Course::default();
    course.note(NASTY, &Event::Phase("copying"), Duration::from_secs(1));
    for page in [plan(&nasty(), at()), apply(&nasty(), &reports, &course, NASTY, at())] {
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (1, 1));
        assert!(page.contains("&lt;script&gt;"));
        assert!(!page.contains("<!--") && !page.contains("</details>@all"), "{page}");
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!page.contains(harmful), "{page}");
        assert_eq!(page.matches("<details").count(), page.matches("</details>").count());
    }
}

#[test]
fn a_page_tells_all_that_the_text_tells() {
    let (planned, reports, course) = applied();
    let page = apply(&planned, &reports, &course, AGAIN, at());
    for change in &planned.changes {
        assert!(page.contains(&format!("<code class=\"name\">{}</code>", change.address)), "{}", change.address);
        for note in change.blocked.iter().chain(&change.warnings) {
            assert!(page.contains(note.code.info().id), "{note:?}");
        }
    }
    for text in
        ["48,000 rows lost", "1,204", "19 of 20", "connection refused", AGAIN, "3 rows mended", "Rows written a second"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.matches("<rect").count() > 12, "bars are drawn");
    let nothing = apply(&Diff::default(), &[], &Course::default(), AGAIN, at());
    assert!(nothing.contains("Nothing was to be done") && !nothing.contains(">The run<"));
}

#[test]
fn five_hundred_collections_are_one_page_of_moderate_size() {
    let page = plan(&many(), at());
    assert!(page.len() < 400_000, "{} bytes", page.len());
    for change in &many().changes {
        assert!(page.contains(&change.target.collection), "{}", change.target.collection);
    }
}

/// Relative luminance and contrast as WCAG 2 defines them.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("hexadecimal")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

#[test]
fn every_text_has_contrast_in_light_and_in_dark() {
    let (light, dark) = STYLE.split_once("@media (prefers-color-scheme: dark)").expect("both");
    for (scheme, style) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| {
            let (_, rest) = style.split_once(&format!("--{name}: #")).unwrap_or_else(|| panic!("{scheme} has {name}"));
            luminance(&rest[..6])
        };
        let on = |text: &str, ground: &str| {
            let (a, b) = (colour(text), colour(ground));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let pairs = [
            ("good", "good-tint"),
            ("careful", "careful-tint"),
            ("bad", "bad-tint"),
            ("soft", "bad-tint"),
            ("soft", "careful-tint"),
        ];
        let everywhere = ["ink", "soft", "good", "careful", "bad"].into_iter();
        let everywhere = everywhere.flat_map(|text| ["page", "panel", "sunk"].map(|ground| (text, ground)));
        for (text, ground) in everywhere.chain(pairs) {
            assert!(on(text, ground) >= 4.5, "{scheme}: {text} on {ground} is {:.2}", on(text, ground));
        }
        for bar in ["bar", "copying", "indexing", "loading", "verifying"] {
            assert!(on(bar, "panel") >= 3.0, "{scheme}: {bar} is {:.2}", on(bar, "panel"));
        }
    }
}
