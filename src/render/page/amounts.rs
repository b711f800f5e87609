//! Rows and bytes by collection, as bars beside their numbers: what takes the time is seen at once, among one as among hundreds.

use maud::{Markup, html};

use super::super::changes::{Sum, is_estimated};
use super::super::{count, words};
use super::{class, name};
use crate::diff::{Change, Diff};

/// Collections that are shown before the rest is behind a click.
const SHOWN: usize = 12;

/// The picture, where rows are to be copied.
pub(super) fn section(diff: &Diff) -> Markup {
    let mut copied: Vec<&Change> = diff.changes.iter().filter(|change| change.rows_to_copy > 0).collect();
    copied.sort_by_key(|change| std::cmp::Reverse((change.bytes_to_copy, change.rows_to_copy)));
    let most = copied.iter().map(|change| weight(change)).max().unwrap_or_default();
    // One more is not worth a click.
    let shown = if copied.len() <= SHOWN + 1 { copied.len() } else { SHOWN };
    let (first, rest) = copied.split_at(shown);
    let of_rest = Sum::of(rest.iter().copied());
    html! {
        @if !copied.is_empty() {
            section.amounts aria-labelledby="amounts" {
                h2 #amounts { "Rows and bytes to copy" }
                (table(first, most))
                @if !rest.is_empty() {
                    details.rest {
                        summary { (count(rest.len(), "more collection")) ", " (of_rest.copied_text()) }
                        (table(rest, most))
                    }
                }
            }
        }
    }
}

/// What a bar is as long as: bytes, or rows where nothing is known of their bytes.
fn weight(change: &Change) -> u64 {
    if change.bytes_to_copy > 0 { change.bytes_to_copy } else { change.rows_to_copy }
}

fn table(changes: &[&Change], most: u64) -> Markup {
    html! {
        table.bars role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Collection" }
                    th.number role="columnheader" scope="col" { "Rows" }
                    th.number role="columnheader" scope="col" { "Bytes" }
                }
            }
            tbody role="rowgroup" {
                @for change in changes {
                    tr.(class(change.action)) role="row" {
                        th role="rowheader" scope="row" { (name(&change.address)) (bar(weight(change), most)) }
                        td.number role="cell" {
                            @if is_estimated(change) { span.quiet { "about " } } (words::number(change.rows_to_copy))
                            span.unit { @if change.rows_to_copy == 1 { " row" } @else { " rows" } }
                        }
                        td.number role="cell" { (words::bytes(change.bytes_to_copy)) }
                    }
                }
            }
        }
    }
}

/// A bar, drawn in thousandths. Something is seen of what is there at all.
fn bar(value: u64, most: u64) -> Markup {
    let share = (u128::from(value) * 1_000 / u128::from(most.max(1))).max(4);
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.track width="1000" height="10" {}
            rect.fill width=(share) height="10" {}
        }
    }
}
