//! Progress for a terminal: one bar for each of a few collections, and one for all at the bottom.

use std::collections::BTreeMap;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::super::words::{clean, pad, width};
use super::Sink;
use super::lines;
use super::tracker::{Collection, State, Tracker};
use crate::run::Event;

/// Bars beside the one for all. More would push what was printed before off the screen.
const MOST_BARS: usize = 8;
/// Columns of a name; a longer one loses its beginning, which is the same for all.
const NAME: usize = 28;
/// A bar is as long as a percentage needs; the figures beside it say the rest.
const TEMPLATE: &str = "{prefix} {bar:14} {msg}";

pub(super) struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    shown: BTreeMap<String, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::new();
        let whole = all.add(bar("all"));
        Self { all, whole, shown: BTreeMap::new() }
    }

    /// Fills free places with collections that wait for one.
    fn fill(&mut self, tracker: &Tracker) {
        for (address, _) in tracker.active() {
            if self.shown.len() >= MOST_BARS {
                break;
            }
            if !self.shown.contains_key(address) {
                let bar = self.all.insert_before(&self.whole, bar(address));
                self.shown.insert(address.to_owned(), bar);
            }
        }
    }

    fn draw(&self, tracker: &Tracker, now: Instant) {
        let figures = tracker.whole(now);
        let (ended, all) = tracker.ended();
        let hidden = tracker.active().count().saturating_sub(self.shown.len());
        let hidden = if hidden > 0 { format!(", {hidden} more active") } else { String::new() };
        let text = figures.text();
        let separator = if text.is_empty() { "" } else { ", " };
        set(&self.whole, figures.done, figures.total);
        self.whole.set_message(format!("{ended} of {all} collections{hidden}{separator}{text}"));
    }

    fn draw_one(&self, address: &str, collection: &Collection, now: Instant) {
        let Some(bar) = self.shown.get(address) else { return };
        let figures = collection.figures(now);
        let (phase, text) = (collection.phase_text(), figures.text());
        let separator = if phase.is_empty() || text.is_empty() { "" } else { ": " };
        set(bar, figures.done, figures.total);
        bar.set_message(format!("{phase}{separator}{text}"));
    }
}

/// A bar without a known end stays empty instead of full.
fn set(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total.max(1));
    bar.set_position(if total == 0 { 0 } else { done.min(total) });
}

fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1).with_style(style.progress_chars("=> ")).with_prefix(short(name))
}

/// A name in exactly as many columns as there are for it.
fn short(name: &str) -> String {
    let mut name = clean(name);
    if width(&name) > NAME {
        while width(&name) >= NAME {
            name.remove(0);
        }
        name.insert(0, '…');
    }
    pad(&name, NAME)
}

impl Sink for Bars {
    fn event(&mut self, tracker: &Tracker, address: &str, event: &Event, _: bool, now: Instant) {
        let Some(collection) = tracker.get(address) else { return };
        if collection.state == State::Active {
            self.fill(tracker);
            self.draw_one(address, collection, now);
        } else {
            if let Some(bar) = self.shown.remove(address) {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
            if let Some(line) = lines::said(tracker, address, event, now) {
                // A terminal that cannot be written to is nobody's to tell.
                let _unheard = self.all.println(line);
            }
            self.fill(tracker);
        }
        self.draw(tracker, now);
    }

    fn tick(&mut self, tracker: &Tracker, now: Instant) {
        for (address, collection) in tracker.active() {
            self.draw_one(address, collection, now);
        }
        self.draw(tracker, now);
    }

    fn finish(&mut self, _: &Tracker, _: Instant) {
        for bar in self.shown.values() {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
        let _unheard = self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expected;
    use super::*;

    #[test]
    fn many_collections_have_few_bars() {
        let now = Instant::now();
        let mut tracker = Tracker::new(Expected { collections: 50, rows: 50 }, now);
        let mut bars = Bars::new();
        let mut tell = |bars: &mut Bars, address: &str, event: Event| {
            let first = tracker.apply(address, &event, now).expect("an event that counts");
            bars.event(&tracker, address, &event, first, now);
        };
        let names: Vec<String> = (0..50).map(|number| format!("kb.main.collection_{number:02}")).collect();
        for name in &names {
            tell(&mut bars, name, Event::Begun { done: 0, total: 1, row_bytes: 1 });
        }
        assert_eq!(bars.shown.len(), MOST_BARS);
        assert!(bars.whole.message().starts_with("0 of 50 collections, 42 more active"), "{}", bars.whole.message());
        for name in &names[..45] {
            tell(&mut bars, name, Event::Succeeded);
        }
        assert_eq!(bars.shown.len(), 5, "those that wait take the free places");
    }

    #[test]
    fn names_have_one_width() {
        for name in ["a", "知识库.default.文章文章文章文章文章文章", "kb.main.a_rather_long_name_of_a_collection"]
        {
            assert_eq!(width(&short(name)), NAME, "{name}");
        }
    }
}
