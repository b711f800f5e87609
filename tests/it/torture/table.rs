//! What a torture found, by kind of trouble, as a table for people.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::ordeal::{Case, Outcome};
use super::trouble::KINDS;

const BEGIN: &str = "<!-- torture: begin -->";
const END: &str = "<!-- torture: end -->";

/// A line of the table for each kind that occurred, and one for all runs.
pub fn table(all: &[(Case, Outcome)]) -> String {
    let mut text = "| what went wrong | runs with it | times it struck | attempts that it took, mean (most) | rows lost | rows doubled |\n|---|---|---|---|---|---|\n".to_owned();
    for kind in KINDS {
        let with: Vec<&(Case, Outcome)> = all.iter().filter(|(_, outcome)| outcome.struck.contains(&kind)).collect();
        let struck = with.iter().flat_map(|(_, outcome)| &outcome.struck).filter(|name| **name == kind).count();
        line(&mut text, kind, &with, struck);
    }
    let struck = all.iter().map(|(_, outcome)| outcome.struck.len()).sum();
    line(&mut text, "**all runs**", &all.iter().collect::<Vec<_>>(), struck);
    text
}

fn line(text: &mut String, name: &str, with: &[&(Case, Outcome)], struck: usize) {
    let attempts = with.iter().map(|(_, outcome)| outcome.codes.len());
    let mean = attempts.clone().sum::<usize>() as f64 / with.len().max(1) as f64;
    let most = attempts.max().unwrap_or_default();
    let sum = |of: fn(&Outcome) -> u64| with.iter().map(|(_, outcome)| of(outcome)).sum::<u64>();
    let (lost, doubled) = (sum(|outcome| outcome.lost), sum(|outcome| outcome.doubled));
    writeln!(text, "| {name} | {} | {struck} | {mean:.1} ({most}) | {lost} | {doubled} |", with.len()).unwrap();
}

/// Writes the table between its marks in a page, with what is needed to have it again.
pub fn write(page: &Path, seed: u64, all: &[(Case, Outcome)]) {
    let text = std::fs::read_to_string(page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the table");
    let (_, after) = rest.split_once(END).expect("the place for the table has an end");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().unwrap();
    let commit = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
    let date = jiff::Zoned::now().date();
    let rows: u64 = all.iter().map(|(case, _)| case.shape.rows).sum();
    let command = format!("VECFERRY_TEST_SEED={seed} TORTURE_RUNS={} make torture", all.len());
    let said = format!("{} runs with {rows} rows, at commit {commit} on {date}: `{command}`", all.len());
    std::fs::write(page, format!("{before}{BEGIN}\n{said}\n\n{}{END}{after}", table(all))).unwrap();
}
