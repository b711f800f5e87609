//! A page for a browser: the diff, and after an apply the run. It is one file that asks for nothing else, so it can be attached to
//! a change request and opened years later; its content security policy lets it load nothing and run nothing but its own script,
//! and without that script everything is still there to be read.

mod amounts;
mod changes;
mod course;
mod rate;
mod run;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::words::clean;
use crate::diff::{Action, Diff};
use crate::run::Report;

pub use course::{Course, Recorder};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of a plan.
pub fn plan(diff: &Diff, at: Timestamp) -> String {
    let content = html! {
        (heading("Plan", &lead(diff), at))
        (tiles(&actions(diff)))
        (changes::facts(diff))
        (amounts::section(diff))
        (changes::clusters(diff))
        (changes::section(diff))
    };
    page("Plan", &diff.summary().to_string(), &content)
}

/// The page of an apply: how it went, and the diff that it began with. `command` is what goes on with what is left.
pub fn apply(diff: &Diff, reports: &[Report], course: &Course, command: &str, at: Timestamp) -> String {
    let content = html! {
        (run::section(diff, reports, course, command, at))
        h2 { "The plan" }
        (tiles(&actions(diff)))
        (changes::facts(diff))
        (amounts::section(diff))
        (changes::clusters(diff))
        (changes::section(diff))
    };
    page("Apply", &run::summary(diff, reports), &content)
}

/// What there is to say before all else.
fn lead(diff: &Diff) -> String {
    let number = diff.changes.len();
    match (number, diff.has_changes()) {
        (_, true) => format!("What would happen to {}", super::count(number, "collection")),
        (_, false) if diff.summary().blocked > 0 => "Nothing can be done as it is".to_owned(),
        (_, false) => "No changes: the target matches the plan".to_owned(),
    }
}

fn heading(kind: &str, lead: &str, at: Timestamp) -> Markup {
    html! {
        header {
            p.brand {
                span.mark { "vecferry" } " " span.kind { (kind) }
                time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M UTC")) }
            }
            h1 { (lead) }
        }
    }
}

/// A number with what it counts.
struct Tile {
    class: &'static str,
    sign: &'static str,
    number: usize,
    word: &'static str,
}

fn actions(diff: &Diff) -> [Tile; 5] {
    let summary = diff.summary();
    let tile = |action, number, word| Tile { class: class(action), sign: glyph(action), number, word };
    [
        tile(Action::Create, summary.create, "to create"),
        tile(Action::Update, summary.update, "to update"),
        tile(Action::Replace, summary.replace, "to replace"),
        tile(Action::Unchanged, summary.unchanged, "unchanged"),
        tile(Action::Blocked, summary.blocked, "blocked"),
    ]
}

fn tiles(tiles: &[Tile]) -> Markup {
    html! {
        ul.tiles {
            @for tile in tiles {
                li class={ (tile.class) @if tile.number == 0 { " none" } } {
                    span.sign aria-hidden="true" { (tile.sign) }
                    strong { (tile.number) } " " span { (tile.word) }
                }
            }
        }
    }
}

/// The class by which the style knows an action.
fn class(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Unchanged => "unchanged",
        Action::Blocked => "blocked",
    }
}

/// Its sign as a browser's fonts have it; the signs of the text, where there is one.
fn glyph(action: Action) -> &'static str {
    match action {
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "−/+",
        Action::Unchanged => "=",
        Action::Blocked => "!",
    }
}

/// Text from outside, on one line. What HTML could take for its own is escaped where it is put into the page.
fn name(text: &str) -> Markup {
    html! { code.name { (clean(text)) } }
}

/// A message, in which backticks set words apart.
fn prose(text: &str) -> Markup {
    let text = clean(text);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd one out, as a name may have, sets nothing apart.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (number, part) in parts.iter().enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// What is read aloud and not shown.
fn aloud(text: &str) -> Markup {
    html! { span.aloud { (text) } }
}

fn page(kind: &str, title: &str, content: &Markup) -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let version = env!("CARGO_PKG_VERSION");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "vecferry " (version) };
                title { (kind) " · " (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#changes" { "To the changes" }
                main { (content) }
                footer {
                    p { code { (title) } }
                    p { "Made by vecferry " (version) ". What a code means: " code { "vecferry explain CODE" } }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut page = page.into_string();
    page.push('\n');
    page
}

#[cfg(test)]
mod tests;
