//! Tests of the way through a whole file.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::model::LimitsSpec;
use super::resolved::{Auth, Indexes, OnExisting, SecretRef, Select, Shards, Verify};
use super::*;
use crate::render::{Style, diagnostics};

mod cloud;
mod shape;

const PLAN: &str = r#"version: 1
name: kb
sources:
  old:
    milvus:
      uri: https://A.example.com
      database: docs
      token: {env: OLD_TOKEN}
      timeouts: {connect: 500ms}
targets:
  new:
    milvus:
      uri: http://localhost
      username: root
      password: Milvus # 密码
      # 注释
migrations:
  - from: old
    to: new
    verify: counts
    limits: {write_mb_per_s: 2.5}
    collections:
      - source: articles
        target: articles_v2
        shards: auto
        drop: [a, b]
        where: " x > 1 "
        indexes: copy
        on_existing: converge
        verify: full
      - match: "logs_*"
        exclude: ["logs_tmp_*"]
        shards: 4
"#;

fn check_text(text: &str) -> (Vec<Diagnostic>, Option<(Document, Resolved)>) {
    let mut found = Vec::new();
    let checked = check(Path::new("dir/plan.yaml"), text.to_owned(), None, false, &mut found);
    (found, checked)
}

fn codes(text: &str) -> Vec<Code> {
    let (mut found, checked) = check_text(text);
    if let Some((document, resolved)) = &checked {
        found.extend(targets::check(&[(document, resolved)]));
    }
    found.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn defaults_are_filled_in_and_references_followed() {
    let (found, checked) = check_text(PLAN);
    assert!(found.is_empty(), "{found:?}");
    let plan = checked.expect("a plan").1.plan;
    assert_eq!(plan.name, "kb");
    let migration = &plan.migrations[0];
    assert_eq!(migration.name, "old-to-new");
    assert_eq!(migration.source.uri, "https://a.example.com:443");
    assert_eq!(migration.target.uri, "http://localhost:19530");
    assert_eq!(migration.source_database, "docs");
    assert_eq!(migration.target_database, "docs");
    assert_eq!(migration.source.connect_timeout, Duration::from_millis(500));
    assert_eq!(migration.source.request_timeout, Duration::from_secs(60));
    assert!(matches!(&migration.source.auth, Auth::Token(SecretRef::Env(name)) if name == "OLD_TOKEN"));
    assert!(matches!(
        &migration.target.auth,
        Auth::Password { username, password: SecretRef::Literal(_) } if username == "root"
    ));
    assert_eq!(migration.limits.write_mb_per_s, Some(2.5));
    assert_eq!(migration.limits.concurrency, 4);
    assert_eq!(migration.limits.split_rows, 200_000);
    let [articles, logs] = migration.selections.as_slice() else {
        panic!("two selections");
    };
    assert_eq!(articles.select, Select::Name { source: "articles".into(), target: "articles_v2".into() });
    assert_eq!(articles.settings.shards, Shards::Auto);
    assert_eq!(articles.settings.drop, ["a", "b"]);
    assert_eq!(articles.settings.filter.as_deref(), Some("x > 1"));
    assert_eq!(articles.settings.indexes, Indexes::Copy);
    assert_eq!(articles.settings.on_existing, OnExisting::Converge);
    assert_eq!(articles.settings.verify, Verify::Full);
    assert_eq!(articles.span.start().line, 23);
    assert_eq!(logs.settings.verify, Verify::Counts);
    assert_eq!(logs.settings.shards, Shards::Count(4));
    assert_eq!(logs.settings.dynamic_field, None);
}

#[test]
fn the_rows_of_a_split_are_the_plans_before_the_machines() {
    let limits = |rows| LimitsSpec { split_rows: rows, ..LimitsSpec::default() };
    let rows = |migration, machine| settings::limits(Some(&limits(migration)), Some(&limits(machine))).split_rows;
    assert_eq!([rows(Some(1), Some(2)), rows(None, Some(2)), rows(None, None)], [1, 2, 200_000]);
    let text = PLAN.replace("{write_mb_per_s: 2.5}", "{split_rows: 0}");
    assert_eq!(codes(&text), [Code::OutOfRange]);
}

#[test]
fn relative_paths_start_at_the_plan() {
    let text = PLAN.replace("{env: OLD_TOKEN}", "{file: t}\n      tls: {ca: ca.pem}");
    let (found, checked) = check_text(&text);
    assert!(found.is_empty(), "{found:?}");
    let plan = checked.expect("a plan").1.plan;
    let source = &plan.migrations[0].source;
    assert!(matches!(&source.auth, Auth::Token(SecretRef::File(path)) if path == Path::new("dir/t")));
    assert_eq!(source.tls.ca, Some(PathBuf::from("dir/ca.pem")));
}

#[test]
fn debug_output_holds_no_secret() {
    let (_, checked) = check_text(PLAN);
    // The tree and the text hold it, as the file does; what the rest of vecferry reads does not.
    let plan = checked.expect("a plan").1.plan;
    let auth = format!("{:?}", plan.migrations[0].target.auth);
    assert!(!auth.contains("\"Milvus\""), "{auth}");
}

#[test]
fn anchors_aliases_and_merge_keys_are_followed() {
    let text = PLAN
        .replace("- source: articles\n", "- &first\n        source: articles\n")
        .replace("shards: 4\n", "shards: 4\n      - <<: *first\n        target: articles_v3\n");
    assert_eq!(codes(&text), []);
}

#[test]
fn a_rule_is_checked_although_another_place_is_wrong() {
    let text = PLAN.replace("shards: auto", "shards: 99").replace("to: new", "to: nwe").replace("limits:", "limit:");
    assert_eq!(codes(&text), [Code::UnknownKey, Code::OutOfRange, Code::UnknownEndpoint]);
}

#[test]
fn a_misspelled_password_is_one_mistake() {
    assert_eq!(codes(&PLAN.replace("password:", "pasword:")), [Code::UnknownKey]);
}

#[test]
fn yaml_1_1_words_and_numbers_are_texts() {
    // `no`, `on`, 1_000 and 010 were something else in YAML 1.1.
    for name in ["no", "on", "y"] {
        assert_eq!(codes(&PLAN.replace("source: articles", &format!("source: {name}"))), []);
    }
    assert_eq!(codes(&PLAN.replace("shards: 4", "shards: 4\n        load: yes")), [Code::WrongType]);
}

/// Every place lies inside the text and on character boundaries, and every form of output can be made.
fn assert_sound(found: &[Diagnostic], length: usize) {
    for diagnostic in found {
        let span = diagnostic.span.as_ref().expect("a place");
        assert!(span.range.start <= span.range.end && span.range.end <= length, "{diagnostic:?}");
        assert!(span.source.text.get(span.range.clone()).is_some(), "{diagnostic:?}");
        assert!(span.start().line >= 1 && span.start().column >= 1);
    }
    let style = Style { color: false, width: 80 };
    let text = diagnostics::text(found, style);
    assert!(!text.contains('\u{1b}'));
    diagnostics::json(found);
}

fn check_bytes(bytes: Vec<u8>) {
    let length = bytes.len();
    let file = Path::new("plan.yaml");
    let mut found = Vec::new();
    match files::decode(file, bytes) {
        Ok(text) => {
            if let Some((document, resolved)) = check(file, text, None, false, &mut found) {
                found.extend(targets::check(&[(&document, &resolved)]));
            }
        }
        Err(diagnostic) => found.push(diagnostic),
    }
    assert_sound(&in_order(found), length);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_bytes(bytes);
    }

    #[test]
    fn random_yaml_like_text_never_panics(text in "[-:{}\\[\\]a-c \n\t\"'&*!|>#%@,中\u{feff}0-9]{0,200}") {
        check_bytes(text.into_bytes());
    }

    #[test]
    fn a_mutated_plan_never_panics(
        at in 0..PLAN.len(),
        cut in 0_usize..40,
        insert in "[-:{}\\[\\]a-z \n\t\"'&*!|>#中\r]{0,8}",
    ) {
        let mut bytes = PLAN.as_bytes().to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert.into_bytes());
        check_bytes(bytes);
    }

    /// Whatever is broken in the lines around it, a literal secret is in no message and no marked line.
    #[test]
    fn a_mutation_beside_a_secret_never_shows_it(
        at in 0..PLAN.len(),
        cut in 0_usize..10,
        insert in "[-:{}\\[\\]a-z \n\t\"'&*!|>#中\r]{0,4}",
    ) {
        let text = PLAN.replace("Milvus #", "Sup3rS3cret #");
        let line = text.find("password").map(|start| start - 7..start + 30).expect("a password");
        let end = (at + cut).min(text.len());
        prop_assume!(end < line.start || at > line.end);
        prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(end));
        let text = format!("{}{insert}{}", &text[..at], &text[end..]);
        let (found, _) = check_text(&text);
        let style = Style { color: false, width: 80 };
        prop_assert!(!diagnostics::text(&found, style).contains("Sup3rS3cret"));
        prop_assert!(!diagnostics::json(&found).contains("Sup3rS3cret"));
    }

    #[test]
    fn a_plan_with_swapped_lines_never_panics(first in 0_usize..32, second in 0_usize..32, indent in 0_usize..8) {
        let mut lines: Vec<String> = PLAN.lines().map(str::to_owned).collect();
        let (first, second) = (first % lines.len(), second % lines.len());
        lines.swap(first, second);
        lines[first].insert_str(0, &" ".repeat(indent));
        check_bytes(lines.join("\r\n").into_bytes());
    }
}
