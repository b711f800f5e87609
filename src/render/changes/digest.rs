//! What somebody looks for who has two minutes, in one line each: what is lost, what changes its shape, what it costs.

use super::block::is_reshaping;
use super::sums::Sum;
use crate::diff::{Action, Change, Diff};

/// Names that one line lists at most.
const MOST_NAMES: usize = 6;

/// One line: what it is about, what there is to say, and whether it is a loss.
#[derive(Debug)]
pub(in super::super) struct Fact {
    /// What it is about.
    pub(in super::super) label: &'static str,
    /// How much.
    pub(in super::super) amount: String,
    /// Which collections, where that is to be said.
    pub(in super::super) names: Vec<String>,
    /// Collections that are not named.
    pub(in super::super) more: usize,
    /// Whether something is lost or cannot be done.
    pub(in super::super) bad: bool,
}

/// The facts of a diff. Of one change there are none: it says all of it by itself.
pub(in super::super) fn facts(diff: &Diff) -> Vec<Fact> {
    let mut facts = Vec::new();
    if diff.changes.len() < 2 {
        return facts;
    }
    let collections = |number: usize| super::super::count(number, "collection");
    let mut add = |label, which: Vec<&Change>, amount: String, bad| {
        if !which.is_empty() {
            let names = which.iter().take(MOST_NAMES).map(|change| change.address.clone()).collect();
            facts.push(Fact { label, amount, names, more: which.len().saturating_sub(MOST_NAMES), bad });
        }
    };
    let those =
        |is: &dyn Fn(&Change) -> bool| -> Vec<&Change> { diff.changes.iter().filter(|change| is(change)).collect() };
    let blocked = those(&|change| change.action == Action::Blocked);
    add("Blocked", blocked.clone(), collections(blocked.len()), true);
    let lost = those(&|change| change.rows_lost > 0);
    add("Lost on the target", lost.clone(), Sum::of(lost).lost_text(), true);
    let reshaped = those(&is_reshaping);
    add("Another shape", reshaped.clone(), collections(reshaped.len()), false);
    let sum = Sum::of(&diff.changes);
    if sum.copied > 1 {
        let (label, amount) = ("To copy in all", sum.copied_text());
        facts.push(Fact { label, amount, names: Vec::new(), more: 0, bad: false });
    }
    facts
}

impl Fact {
    /// The names in one text, each as `shown` writes it; nothing where there are none.
    pub(in super::super) fn named(&self, shown: impl Fn(&str) -> String) -> String {
        if self.names.is_empty() {
            return String::new();
        }
        let names: Vec<String> = self.names.iter().map(|name| shown(name)).collect();
        let more = if self.more > 0 { format!(" and {} more", self.more) } else { String::new() };
        format!(" ({}{more})", names.join(", "))
    }
}
