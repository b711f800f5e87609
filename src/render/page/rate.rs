//! The rate of a run over time as a picture, with its figures in words beside it.

use std::time::Duration;

use maud::{Markup, html};

use super::super::words;
use super::course::{Course, Step};

/// Steps that are drawn at most: rows come in bursts, and with more of them nothing but bursts would be seen.
const MOST_DRAWN: usize = 60;
/// Width and height in the units of the drawing; the page stretches it to its own.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 200.0;

/// The picture, where rows were written.
pub(super) fn picture(course: &Course) -> Markup {
    let course = &coarse(course);
    let rates = rates(course);
    let most = rates.iter().copied().fold(0.0, f64::max);
    let sum = Step::sum(&course.steps);
    let (top, shown) = (nice(most), |rate: f64| words::number(rate.round() as u64));
    let until = length(course);
    // The run may go on without rows: while it indexes and verifies.
    let wide = WIDTH * course.step.as_secs_f64() / until.as_secs_f64();
    let mean = sum.rows as f64 / until.as_secs_f64().max(0.001);
    let said = format!(
        "{} in {}: {} rows a second, {} at most over {}",
        words::rows(sum.rows),
        words::duration(until),
        shown(mean),
        shown(most),
        words::duration(course.step)
    );
    html! {
        @if sum.rows > 0 {
            figure.rate {
                figcaption { "Rows written a second" span.quiet { (said) } }
                div.plot {
                    span.top { (shown(top)) }
                    span.bottom { "0" }
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(said) {
                        line.grid x1="0" x2=(WIDTH) y1="0.5" y2="0.5" {}
                        line.grid x1="0" x2=(WIDTH) y1=(HEIGHT / 2.0) y2=(HEIGHT / 2.0) {}
                        path.area d=(outline(&rates, top, wide, true)) {}
                        path.edge d=(outline(&rates, top, wide, false)) {}
                        line.axis x1="0" x2=(WIDTH) y1=(HEIGHT - 0.5) y2=(HEIGHT - 0.5) {}
                        @for at in retried(course, wide) { line.retry x1=(at) x2=(at) y1=(HEIGHT - 14.0) y2=(HEIGHT) {} }
                    }
                    span.start { "0 s" }
                    span.end { (words::duration(until)) }
                }
                @if sum.retries > 0 {
                    p.quiet { (words::number(sum.retries)) " repeated requests, marked at the foot of the picture" }
                }
            }
        }
    }
}

/// The same course in no more steps than are drawn.
fn coarse(course: &Course) -> Course {
    let several = course.steps.len().div_ceil(MOST_DRAWN).max(1);
    let steps = course.steps.chunks(several).map(Step::sum).collect();
    Course {
        step: course.step * u32::try_from(several).unwrap_or(u32::MAX),
        steps,
        took: course.took,
        ..Course::default()
    }
}

/// From the beginning to the end of what is drawn.
fn length(course: &Course) -> Duration {
    course
        .took
        .max(course.step * u32::try_from(course.steps.len()).unwrap_or(u32::MAX).saturating_sub(1))
        .max(course.step)
}

/// Rows a second of each step. The run may have ended within the last one.
fn rates(course: &Course) -> Vec<f64> {
    let until = length(course).as_secs_f64();
    let step = course.step.as_secs_f64();
    let seconds = |number: usize| (until - number as f64 * step).clamp(step / 4.0, step);
    course.steps.iter().enumerate().map(|(number, one)| one.rows as f64 / seconds(number)).collect()
}

/// The least of 1, 2 and 5 with zeros behind that is not below.
fn nice(value: f64) -> f64 {
    let mut scale = 1.0;
    while scale * 10.0 < value {
        scale *= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|part| part * scale).find(|top| *top >= value).unwrap_or(value)
}

/// Steps as a line, or as what lies under it.
fn outline(rates: &[f64], top: f64, wide: f64, closed: bool) -> String {
    let end = (wide * rates.len() as f64).min(WIDTH);
    let mut path = if closed { format!("M0 {HEIGHT}") } else { String::new() };
    for (number, rate) in rates.iter().enumerate() {
        let (left, right) = (number as f64 * wide, ((number + 1) as f64 * wide).min(WIDTH));
        let y = HEIGHT - rate / top.max(1.0) * HEIGHT;
        let verb = if path.is_empty() { 'M' } else { 'L' };
        path.push_str(&format!("{verb}{left:.1} {y:.1}L{right:.1} {y:.1}"));
    }
    path.push_str(&format!("L{end:.1} {HEIGHT}"));
    if closed {
        path.push('Z');
    }
    path
}

/// Where requests were repeated.
fn retried(course: &Course, wide: f64) -> Vec<String> {
    let steps = course.steps.iter().enumerate().filter(|(_, step)| step.retries > 0);
    steps.map(|(number, _)| format!("{:.1}", ((number as f64 + 0.5) * wide).min(WIDTH))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number() {
        for (value, top) in [(0.0, 1.0), (1.0, 1.0), (3.0, 5.0), (12.0, 20.0), (51_000.0, 100_000.0)] {
            assert!((nice(value) - top).abs() < 1e-6, "{value} gives {}", nice(value));
        }
    }

    #[test]
    fn a_step_that_the_run_ended_in_is_not_taken_for_a_slow_one() {
        let second = Duration::from_secs(1);
        let step = |rows| Step { rows, ..Step::default() };
        let course =
            Course { step: second, steps: vec![step(100), step(50)], took: second * 3 / 2, ..Course::default() };
        assert_eq!(rates(&course), [100.0, 100.0]);
    }
}
