//! A drafted plan as YAML. Every key and value goes through a YAML library, because names come from outside and any text may be
//! one; only the comments, and what holds the parts together, are laid out here.

use serde_json::{Value, json};

use super::words::clean;
use crate::plan::draft::{Content, Draft, Entry, Part};

/// Columns of a line with comments.
const WIDTH: usize = 118;
/// Columns up to which a list or mapping stays on the line of its key.
const ON_ONE_LINE: usize = 110;

/// Characters that the library, which writes YAML 1.1, takes for line breaks and folds. In YAML 1.2, by which plans are read,
/// they are characters like others.
const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The plan.
pub fn text(draft: &Draft) -> String {
    let mut lines = vec![format!("# yaml-language-server: $schema={}", clean(&draft.schema))];
    if !draft.about.is_empty() {
        lines.push("#".to_owned());
    }
    for paragraph in &draft.about {
        comment(&mut lines, 0, paragraph);
    }
    lines.push("version: 1".to_owned());
    for (kind, name, parts) in [("sources", "old", &draft.source), ("targets", "new", &draft.target)] {
        lines.extend([String::new(), format!("{kind}:"), format!("  {name}:")]);
        lines.extend(indented(4, all(parts)));
    }
    lines.extend([String::new(), "migrations:".to_owned(), "  - from: old".to_owned(), "    to: new".to_owned()]);
    lines.extend(indented(4, all(&draft.migration)));
    lines.push("    collections:".to_owned());
    for (number, entry) in draft.entries.iter().enumerate() {
        if number > 0 {
            lines.push(String::new());
        }
        lines.extend(indented(6, one(entry)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// One collection: what there is to know, then the entry.
fn one(entry: &Entry) -> Vec<String> {
    let mut lines = Vec::new();
    for line in &entry.about {
        comment(&mut lines, 6, line);
    }
    let mut said = Vec::new();
    for (number, part) in entry.parts.iter().enumerate() {
        for (at, line) in lines_of(part, 8).into_iter().enumerate() {
            let sign = if number == 0 && at == 0 { "- " } else { "  " };
            said.push(format!("{sign}{line}"));
        }
    }
    lines.extend(if entry.off { off(said) } else { said });
    lines
}

fn all(parts: &[Part]) -> Vec<String> {
    parts.iter().flat_map(|part| lines_of(part, 4)).collect()
}

/// One key with its comments; `depth` is where it will stand, so that comments end in time.
fn lines_of(part: &Part, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in &part.comments {
        comment(&mut lines, depth, paragraph);
    }
    let said = match &part.content {
        Content::Value(value) => assignment(&part.key, value),
        Content::Parts(parts) => {
            let mut said = vec![format!("{}:", scalar(&Value::from(part.key.as_str())))];
            said.extend(parts.iter().flat_map(|part| indented(2, lines_of(part, depth + 2))));
            said
        }
    };
    lines.extend(if part.off { off(said) } else { said });
    lines
}

fn indented(by: usize, lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(move |line| if line.is_empty() { line } else { format!("{:by$}{line}", "") })
}

fn off(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("# {line}").trim_end().to_owned()).collect()
}

/// A paragraph as comment lines. What stands in front of its first word is repeated as room in front of the others.
fn comment(lines: &mut Vec<String>, depth: usize, paragraph: &str) {
    let paragraph = clean(paragraph).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    let hang = paragraph.len() - paragraph.trim_start_matches([' ', '-']).len();
    let mut line = paragraph[..hang].to_owned();
    let mut empty = true;
    for word in paragraph[hang..].split(' ') {
        if !empty && depth + 2 + line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("# {line}").trim_end().to_owned());
            (line, empty) = (" ".repeat(hang), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(format!("# {line}").trim_end().to_owned());
}

/// `key: value`, on one line where that can be read.
fn assignment(key: &str, value: &Value) -> Vec<String> {
    let whole = json!({ key: value }).to_string();
    if whole.contains(BREAKS) {
        return vec![format!("{}: {}", escaped(&Value::from(key)), escaped(value))];
    }
    let (name, short) = (scalar(&Value::from(key)), flow(value, false));
    match short {
        Some(short) if !name.contains('\n') && name.len() + short.len() <= ON_ONE_LINE => {
            vec![format!("{name}: {short}")]
        }
        _ => yaml(&json!({ key: value })).lines().map(str::to_owned).collect(),
    }
}

/// A value on one line; none where it must have several. Within brackets a scalar without quotes may hold less.
fn flow(value: &Value, within: bool) -> Option<String> {
    match value {
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| flow(item, true)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Object(members) => {
            let pair = |(key, value): (&String, &Value)| {
                Some(format!("{}: {}", flow(&Value::from(key.as_str()), true)?, flow(value, true)?))
            };
            let members: Option<Vec<String>> = members.iter().map(pair).collect();
            Some(format!("{{{}}}", members?.join(", ")))
        }
        plain => {
            let text = scalar(plain);
            let quoted = text.starts_with(['"', '\'']);
            let tame = text.starts_with(|first: char| first.is_ascii_alphanumeric() || "_$-".contains(first))
                && text != "-"
                && text.chars().all(|character| character.is_ascii_alphanumeric() || "_./$-".contains(character));
            (!text.contains('\n') && (!within || quoted || tame)).then_some(text)
        }
    }
}

fn scalar(value: &Value) -> String {
    yaml(value).trim_end_matches('\n').to_owned()
}

/// A value as JSON, which is YAML too, with escapes for what no YAML file may hold as it is.
fn escaped(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => text.push(other),
        }
    }
    text
}

/// The library writes to memory, where nothing can fail; what it cannot write is no YAML either.
fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::plan;
    use crate::plan::resolved::Select;

    fn draft(entries: Vec<Entry>, source: Vec<Part>) -> Draft {
        let target = vec![Part::of_parts("milvus", vec![Part::new("uri", "http://10.0.0.2:19530")])];
        Draft { schema: "plan.v1.schema.json".into(), source, target, entries, ..Draft::default() }
    }

    fn at(uri: &str) -> Vec<Part> {
        vec![Part::of_parts("milvus", vec![Part::new("uri", uri)])]
    }

    fn read(text: &str) -> plan::ResolvedPlan {
        let (plan, found) = plan::from_bytes(Path::new("plan.yaml"), text.as_bytes().to_vec());
        plan.unwrap_or_else(|| panic!("{found:?}\n{text}"))
    }

    /// Names that YAML makes something else of, and names that look like what stands around them.
    const HARD: [&str; 30] = [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "null",
        "~",
        "true",
        "1e3",
        "0x1F",
        "0o7",
        "012",
        "1_000",
        ".5",
        "-",
        "a: b",
        "a #b",
        "# x",
        "[a]",
        "{a}",
        "*",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "a\nb",
        "⛴ 渡し船",
        "'\"\\",
        "2024-01-01",
    ];

    #[test]
    fn a_plan_reads_as_it_was_meant_to_look() {
        let login = Part::new("token", json!({"env": "OLD_TOKEN"}));
        let source = vec![Part::of_parts("milvus", vec![Part::new("uri", "https://a.example"), login])];
        let entry = Entry {
            about: vec!["articles: 3 rows".into(), "- a note that is so long that it goes on, word after word, until there is no room left on its line and the next one begins".into()],
            parts: vec![
                Part::new("source", "articles"),
                Part::new("primary_key", json!({"auto_id": true, "keep_as": "legacy_id"})).comment("To keep both:").proposed(),
                Part::new("indexes", "copy"),
            ],
            off: false,
        };
        let mut blocked = entry.clone();
        blocked.parts[0] = Part::new("source", "1e3");
        blocked.off = true;
        let mut draft = draft(vec![entry, blocked], source);
        draft.about.push("Written from what was there.".into());
        insta::assert_snapshot!(text(&draft));
        assert_eq!(read(&text(&draft)).migrations[0].selections.len(), 1);
    }

    #[test]
    fn hard_names_survive() {
        for name in HARD {
            let parts = vec![
                Part::new("source", name),
                Part::new("target", "a"),
                Part::new("description", name),
                Part::new("drop", json!([name])),
                Part::new("properties", json!({ name: name })),
            ];
            let text =
                text(&draft(vec![Entry { about: vec![name.to_owned()], parts, off: false }], at("http://10.0.0.1:1")));
            let plan = read(&text);
            let selection = &plan.migrations[0].selections[0];
            assert_eq!(selection.select, Select::Name { source: name.into(), target: "a".into() }, "{text}");
            assert_eq!(selection.settings.description.as_deref(), Some(name), "{text}");
            assert_eq!(selection.settings.drop, [name], "{text}");
            assert_eq!(selection.settings.properties.get(name).and_then(Option::as_deref), Some(name), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_name_survives(name in "\\PC{1,12}|[ -~\n\t]{1,20}|(yes|1e3|a: b|#|'|\"|\\\\| |\n|\u{1f600}|\u{85}|\u{2028}|\u{feff}){1,5}", proposed: bool) {
            prop_assume!(!name.trim().is_empty());
            let mut second = Part::new("properties", json!({ name.as_str(): name.as_str() })).comment(name.clone());
            second.off = proposed;
            let parts = vec![Part::new("source", name.as_str()), Part::new("target", "a"), second, Part::new("drop", json!([name.as_str()]))];
            let blocked = Entry { about: vec![name.clone()], parts: parts.clone(), off: true };
            let mut draft = draft(vec![blocked, Entry { about: vec![name.clone()], parts, off: false }], at("http://10.0.0.1:1"));
            draft.about.push(name.clone());
            let text = text(&draft);
            let (plan, found) = plan::from_bytes(Path::new("plan.yaml"), text.clone().into_bytes());
            prop_assert!(plan.is_some(), "{found:?}\n{text}");
            let plan = plan.expect("a plan");
            prop_assert_eq!(plan.migrations[0].selections.len(), 1);
            let selection = &plan.migrations[0].selections[0];
            prop_assert_eq!(&selection.select, &Select::Name { source: name.clone(), target: "a".into() }, "{}", text);
            prop_assert_eq!(selection.settings.properties.get(&name).cloned().flatten(), (!proposed).then(|| name.clone()), "{}", text);
            prop_assert_eq!(&selection.settings.drop, std::slice::from_ref(&name), "{}", text);
        }
    }
}
