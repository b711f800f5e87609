//! The diff on the page: what was changed behind the plan's back first, and each collection behind a heading that says what
//! happens to it. What must not be missed is open, what arrives as it is on the source is folded.

use maud::{Markup, Render, html};

use super::super::changes::{Arranged, Piece, Sum, block, clusters, digest, groups, many};
use super::super::{count, words};
use super::{aloud, class, glyph, name, prose};
use crate::diff::{Action, Change, Diff, DifferenceKind, Line, Note, Place, RowDiff, Sign, Work};

/// Names of partitions that one row lists; Milvus has thousands.
const MOST_PARTITIONS: usize = 40;

/// What somebody looks for who has two minutes.
pub(super) fn facts(diff: &Diff) -> Markup {
    let facts = digest::facts(diff);
    let left_out = diff.not_selected.len();
    let at = |address: &str| anchor(diff, address);
    html! {
        @if !facts.is_empty() || left_out > 0 {
            dl.facts {
                @for fact in &facts {
                    div.bad[fact.bad] {
                        dt { (fact.label) }
                        dd {
                            strong { (fact.amount) }
                            @if !fact.names.is_empty() {
                                ul.names {
                                    @for address in &fact.names { li { a href={ "#" (at(address)) } { (name(address)) } } }
                                    @if fact.more > 0 { li { "and " (fact.more) " more" } }
                                }
                            }
                        }
                    }
                }
                @if left_out > 0 {
                    div { dt { "Not selected" } dd { strong { (count(left_out, "collection")) } " of the plan" } }
                }
            }
        }
    }
}

/// Clusters of Zilliz Cloud that the plan names, where it names any.
pub(super) fn clusters(diff: &Diff) -> Markup {
    html! {
        @if !diff.clusters.is_empty() {
            section.changes aria-labelledby="clusters" {
                h2 #clusters { "Clusters" }
                @for change in &diff.clusters {
                    details.change.(class(change.action)) open[change.action != Action::Unchanged] {
                        summary {
                            span.sign aria-hidden="true" { (glyph(change.action)) }
                            h3 { (name(&clusters::names(change))) }
                            span.what { (clusters::what(change)) }
                        }
                        div.body {
                            @for note in &change.blocked { (noted(note, "bad", "Blocked")) }
                            @for note in &change.warnings { (noted(note, "careful", "Warning")) }
                            @for note in &change.notes { (noted(note, "quiet", "Note")) }
                        }
                    }
                }
            }
        }
    }
}

/// Where a collection is told of.
pub(super) fn anchor(diff: &Diff, address: &str) -> String {
    let at = Arranged::of(diff).all().position(|piece| piece.all().iter().any(|change| change.address == address));
    format!("change-{}", at.unwrap_or_default())
}

/// All changes.
pub(super) fn section(diff: &Diff) -> Markup {
    let arranged = Arranged::of(diff);
    let apart = !arranged.drifted.is_empty();
    let all = arranged.drifted.len() + arranged.planned.len();
    html! {
        section.changes aria-labelledby="changes" {
            h2 #changes { "Collection by collection" }
            @if all > 1 {
                // Of no use without the script, which shows it.
                p.tools hidden {
                    label { "Find " input type="search" data-filter="details.change" autocomplete="off"; }
                    button type="button" data-fold="open" { "Open all" }
                    button type="button" data-fold="close" { "Close all" }
                }
            }
            @if all == 0 { p { "The plan names no collection." } }
            @if apart { h3.part { (groups::DRIFT.trim_end_matches(':')) } }
            @for (number, piece) in arranged.drifted.iter().enumerate() { (one(piece, number, true)) }
            @if apart && !arranged.planned.is_empty() { h3.part { (groups::PLANNED.trim_end_matches(':')) } }
            @for (number, piece) in arranged.planned.iter().enumerate() {
                (one(piece, arranged.drifted.len() + number, all <= 3))
            }
        }
    }
}

fn one(piece: &Piece<'_>, number: usize, open: bool) -> Markup {
    let change = piece.first();
    let sum = Sum::of(piece.all().iter().copied());
    let open = open || matches!(change.action, Action::Blocked | Action::Replace) || block::is_reshaping(change);
    let (called, happens) = match piece {
        Piece::One(change) => (name(&change.address), block::what(change)),
        Piece::Alike(changes) => (html! { (many::of(changes)) }, many::happens(changes)),
    };
    html! {
        details.change.(class(change.action)) id={ "change-" (number) } open[open] {
            summary {
                span.sign aria-hidden="true" { (glyph(change.action)) }
                h3 { (called) }
                span.what { (happens) }
                @if sum.rows > 0 { span.figure { (words::rows(sum.rows)) } }
                @if sum.lost > 0 { span.figure.bad { (sum.lost_text()) " lost" } }
            }
            div.body {
                @if change.action != Action::Unchanged { (places(piece)) }
                @if block::shows_lines(change) {
                    (lines(&change.lines))
                    (amounts(change, &sum))
                }
                @for note in &change.blocked { (noted(note, "bad", "Blocked")) }
                @for note in &change.warnings { (noted(note, "careful", "Warning")) }
                @for note in &change.notes { (noted(note, "quiet", "Note")) }
                @if block::shows_lines(change) { (carried(&change.lines, matches!(piece, Piece::Alike(_)))) }
                @if let Piece::Alike(changes) = piece { (members(changes)) }
                @if change.action == Action::Unchanged && change.warnings.is_empty() && change.notes.is_empty() {
                    p.quiet { (places(piece)) }
                }
            }
        }
    }
}

fn places(piece: &Piece<'_>) -> Markup {
    let shown = |place: &Place| match piece {
        Piece::One(_) => (place.uri.clone(), place.to_string()),
        Piece::Alike(_) => (place.uri.clone(), place.database.clone()),
    };
    let change = piece.first();
    let ((from, source), (to, target)) = (shown(&change.source), shown(&change.target));
    html! {
        span.places {
            span { (name(&source)) " " span.quiet { (words::clean(&from)) } }
            span.arrow { (aloud("to")) span aria-hidden="true" { "→" } }
            span { (name(&target)) " " span.quiet { (words::clean(&to)) } }
        }
    }
}

/// What does not arrive as it is, source beside target.
fn lines(lines: &[Line]) -> Markup {
    let mut shown: Vec<&Line> = lines.iter().filter(|line| block::is_shown(line)).collect();
    let partitions = shown.iter().filter(|line| line.topic == "partition").count();
    let mut kept = 0;
    shown.retain(|line| {
        kept += usize::from(line.topic == "partition");
        line.topic != "partition" || kept <= MOST_PARTITIONS
    });
    let side = |text: Option<&String>| html! { @match text { Some(text) => (words::clean(text)), None => "–" } };
    html! {
        @if !shown.is_empty() {
            table.lines role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        th role="columnheader" scope="col" { (aloud("Sign")) }
                        th role="columnheader" scope="col" { "What" }
                        th role="columnheader" scope="col" { "Source" }
                        th role="columnheader" scope="col" { "Target" }
                    }
                }
                tbody role="rowgroup" {
                    @for line in &shown {
                        tr.(line_class(line)) role="row" {
                            td.sign role="cell" {
                                span aria-hidden="true" { (block::line_sign(line).0) } (aloud(line_class(line)))
                            }
                            th role="rowheader" scope="row" {
                                span.topic { (line.topic) } @if !line.name.is_empty() { " " (name(&line.name)) }
                            }
                            @if line.before.is_none() && line.after.is_none() {
                                td.whole role="cell" colspan="2" { (reason(line)) }
                            } @else {
                                td role="cell" data-label="Source" {
                                    @if line.sign == Sign::Remove { del { (side(line.before.as_ref())) } }
                                    @else { (side(line.before.as_ref())) }
                                }
                                td role="cell" data-label="Target" {
                                    @if line.before == line.after { span.quiet { "same" } }
                                    @else { (side(line.after.as_ref())) }
                                    " " (reason(line))
                                }
                            }
                        }
                    }
                }
            }
            @if partitions > MOST_PARTITIONS { p.quiet { "and " (partitions - MOST_PARTITIONS) " more partitions" } }
        }
    }
}

fn reason(line: &Line) -> Markup {
    html! { @if let Some(reason) = &line.reason { span.reason { (prose(reason)) } } }
}

/// How a line is marked, in a word that is its class too.
fn line_class(line: &Line) -> &'static str {
    match line.sign {
        Sign::Add if block::is_reshaped(line) => "changed",
        Sign::Add => "new",
        Sign::Change => "changed",
        Sign::Remove => "gone",
        Sign::Same => "same",
        Sign::Passing => "passing",
    }
}

/// What arrives as it is on the source, behind a click. Of several collections only that it does: each has its own.
fn carried(lines: &[Line], several: bool) -> Markup {
    let carried: Vec<&Line> = lines.iter().filter(|line| block::is_carried(line)).collect();
    let hidden = lines.iter().filter(|line| !block::is_shown(line)).count() - carried.len();
    let fields = carried.iter().filter(|line| line.topic == "field").count();
    let more = carried.len() - fields;
    let said = match (fields, more) {
        (fields, 0) => count(fields, "field"),
        (0, more) => count(more, "setting"),
        (fields, more) => format!("{} and {}", count(fields, "field"), count(more, "setting")),
    };
    html! {
        @if several && !carried.is_empty() {
            p.quiet { "Everything else arrives as it is on the source." }
        } @else if !carried.is_empty() {
            details.carried {
                summary { (said) " as on the source" }
                dl {
                    @for line in carried {
                        div {
                            dt { @if line.topic != "field" { span.topic { (line.topic) } " " } (words::clean(&line.name)) }
                            @if line.topic != "partition" { dd { (words::clean(line.after.as_deref().unwrap_or_default())) } }
                        }
                    }
                }
            }
        }
        @if hidden > 0 { p.quiet { (count(hidden, "unchanged line")) " not shown" } }
    }
}

fn amounts(change: &Change, sum: &Sum) -> Markup {
    html! {
        @match change.work {
            Work::None | Work::Touch => {}
            Work::Fill | Work::Refill => p.amount { "Rows to copy: " strong { (sum.copied_text()) } }
            Work::Resume => p.amount { "Rows left to copy: " strong { (sum.copied_text()) } }
            Work::Converge => @match &change.rows.difference {
                Some(found) => {
                    p.amount { "Rows to write: " strong { (sum.copied_text()) } }
                    (difference(found))
                }
                None => p.amount { "Rows to write: known when the plan is applied and both sides are compared" }
            }
        }
        @if change.action == Action::Replace || sum.lost > 0 {
            p.amount.bad { "Rows lost on the target: " strong { (sum.lost_text()) } }
        }
    }
}

/// Rows of both sides held against each other, with a few of their keys.
fn difference(found: &RowDiff) -> Markup {
    html! {
        p.quiet {
            (words::number(found.missing)) " missing, " (words::number(found.differing)) " differing, "
            (words::number(found.doubled)) " doubled, " (words::number(found.extra)) " only on the target"
        }
        (keys(found))
    }
}

/// A few keys of rows that differ.
pub(super) fn keys(found: &RowDiff) -> Markup {
    let word = |kind| match kind {
        DifferenceKind::Missing => "missing",
        DifferenceKind::Extra => "only on the target",
        DifferenceKind::Differing => "differs",
        DifferenceKind::Doubled => "doubled",
    };
    html! {
        @if !found.examples.is_empty() {
            ul.keys {
                @for example in &found.examples {
                    li {
                        (name(&example.key.to_string())) " " (word(example.kind))
                        @if !example.fields.is_empty() { " in " (words::clean(&example.fields.join(", "))) }
                        @if let Some(partition) = &example.partition { " (partition " (name(partition)) ")" }
                    }
                }
            }
        }
    }
}

/// A reason, a warning or a note, with its code and what to do.
pub(super) fn noted(note: &Note, class: &str, word: impl Render) -> Markup {
    let info = note.code.info();
    html! {
        div.note.(class) {
            p {
                strong { (word) } " " code.code title=(info.title) { (info.id) }
                @if let Some(field) = &note.field { " field " (name(field)) }
                ": " (prose(&note.message))
            }
            @if let Some(help) = &note.help { p.help { (prose(help)) } }
        }
    }
}

/// The names of several collections, each with its rows.
fn members(changes: &[&Change]) -> Markup {
    html! {
        ul.members {
            @for change in changes {
                li {
                    (name(&groups::name(change)))
                    @if change.rows_to_copy > 0 { " " span.quiet { (words::number(change.rows_to_copy)) } }
                    @if change.rows_lost > 0 { " " span.bad { (Sum::of([*change]).lost_text()) " lost" } }
                }
            }
        }
    }
}
