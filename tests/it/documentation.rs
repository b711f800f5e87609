//! Links between the pages lead somewhere, and files that a page names are there.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::servers::root;

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    pages
}

/// The text outside of blocks of code.
fn prose(page: &str) -> String {
    let mut inside = false;
    let lines = page.lines().filter(|line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The anchors of a page's headings, as GitHub and GitLab make them.
fn anchors(page: &str) -> HashSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    headings.map(anchor).collect()
}

/// What is wrong with a link from this page, if anything is.
fn complaint(page: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    if !target.exists() {
        return Some(format!("{}: {link} leads nowhere", page.display()));
    }
    let anchor = anchor?;
    let text = prose(&fs::read_to_string(&target).unwrap());
    (!anchors(&text).contains(anchor)).then(|| format!("{}: {link} has no such heading", page.display()))
}

#[test]
fn links_lead_somewhere() {
    let (mut complaints, mut links) = (Vec::new(), 0);
    for page in pages() {
        let text = prose(&fs::read_to_string(&page).unwrap());
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap();
            links += 1;
            complaints.extend(complaint(&page, link));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(links > 150, "only {links} links were seen");
    assert!(complaint(&root().join("README.md"), "docs/state.md#no-such-heading").is_some());
    assert!(complaint(&root().join("README.md"), "docs/no-such-page.md").is_some());
}

#[test]
fn every_page_is_in_the_index() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for page in
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap())
    {
        assert!(page == "README.md" || !page.ends_with(".md") || index.contains(&format!("({page})")), "{page}");
    }
}

#[test]
fn the_tests_that_the_promise_names_are_there() {
    let promise = fs::read_to_string(root().join("docs/promise.md")).unwrap();
    let named: Vec<&str> = promise.split('`').filter(|word| word.ends_with(".rs")).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let file = root().join("tests/it").join(name.trim_start_matches("tests/it/"));
        assert!(file.exists(), "{name}");
    }
}
