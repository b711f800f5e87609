//! `docs/codes.md`: every code that a message can carry.

use super::{assert_fresh, cell};
use crate::diagnostic::Code;

/// The families, by the beginning of their codes.
const FAMILIES: [(&str, &str); 8] = [
    ("VF01", "Reading files"),
    ("VF02", "The shape of a plan"),
    ("VF03", "Rules that the schema cannot say"),
    ("VF04", "vecferry.toml and profiles"),
    ("VF05", "Saved plans"),
    ("VF10", "What blocks a collection, or a command"),
    ("VF11", "What the diff says beside its lines"),
    ("VF12", "What could go wrong"),
];

fn page() -> String {
    let mut page = String::from(
        "# Codes\n\nEvery message about a plan carries a code that never changes its meaning. `vecferry explain CODE` prints \
         what stands here. An error stops the command, or blocks its collection; a warning stops nothing.\n",
    );
    let mut written = 0;
    for (beginning, family) in FAMILIES {
        let codes: Vec<_> =
            Code::ALL.iter().map(|code| code.info()).filter(|info| info.id.starts_with(beginning)).collect();
        page.push_str(&format!("\n## {family}\n\n| code | | title |\n|---|---|---|\n"));
        for info in &codes {
            let anchor = info.id.to_ascii_lowercase();
            let severity = info.severity.as_str();
            page.push_str(&format!("| [{}](#{anchor}) | {severity} | {} |\n", info.id, cell(info.title)));
        }
        for info in &codes {
            page.push_str(&format!(
                "\n### {}\n\n**{}** ({})\n\n{}\n",
                info.id,
                capitalised(info.title),
                info.severity.as_str(),
                info.explanation
            ));
        }
        written += codes.len();
    }
    assert_eq!(written, Code::ALL.len(), "a family of codes is not on the list");
    page
}

fn capitalised(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[test]
fn the_page_of_codes_is_fresh() {
    assert_fresh("codes.md", &page());
}

#[test]
fn a_message_points_to_its_place_on_the_page() {
    let page = page();
    for code in Code::ALL {
        let info = code.info();
        let pointer = info.page();
        let (_, anchor) = pointer.split_once("docs/codes.md#").expect("a place on the page");
        assert!(page.contains(&format!("\n### {}\n", anchor.to_ascii_uppercase())), "{pointer}");
    }
}
