"""What each level of verification adds to a copy, beside what reading the target once costs."""

from dataclasses import replace

from copies import READ_AT_ONCE, Job, Sides
from ferry import Applied
from figures import Claim, Section, Spread, Table, spread, whole
from servers import pair
from shapes import SHAPES, fill

LEVELS = ("counts", "sample", "full")
# Half of the first shape: target and proof are then through before the target's server begins to merge what it got, some 40 s after
# the first row. Where it does that in one run and not in another, figures say nothing.
ROWS = 150_000
# Phases between the last row and the end that the levels differ in. Loading and releasing are the reader's too.
PROVING = ("flushing", "indexing", "verifying")


def measure(job: Job) -> list[Section]:
    """Each level in turn, on the same servers."""
    shape = job.shape(replace(SHAPES["768"], name="levels", rows=ROWS))
    with pair() as (old, new):
        fill(old, shape)
        of = Sides(job, shape, old, new)
        for number in range(job.often):
            # Those that are held against each other take turns at being first; a sample, which is not, is taken half as often.
            for level in ("full", "counts") if number % 2 else LEVELS:
                of.vecferry(level, read_target=level == "counts")
    return [section(of)]


def proving(applied: list[Applied]) -> Spread:
    """Seconds between the last row and the end, without loading and releasing."""
    return spread([sum(one.phases.get(name, 0.0) for name in PROVING) for one in applied])


def section(of: Sides) -> Section:
    once = spread(of.reads)
    text = (
        f"The first shape again, {of.shape.rows:,} rows of it, by what proves them. The copying is the same at all levels, because rows are hashed "
        "as they pass; *flushing to verified* is what comes behind it, and what a level adds is the difference of its median to that of "
        "`counts`. `sample` and `full` also load the target and release it, as whoever reads it has to. "
        f"Reading the target once takes {once.text('.2f')} s: after each copy with `verify: counts`, the target is loaded as for a proof, and the "
        f"reader of the ceiling, with {READ_AT_ONCE} pages in flight and nothing beside it, reads the pages that vecferry reads. `counts` and "
        f"`full` ran {len(of.applied['counts'])} times, `sample` {len(of.applied['sample'])} times."
    )
    table = Table([
        "median (min … max)", "copying, s", "flushing to verified, s", "adds, s", "verifying, s", "loading and releasing, s", "whole, s",
        "processor s per million rows",
    ])
    base = proving(of.applied["counts"]).median
    for level in LEVELS:
        applied = of.applied[level]
        loading = [one.phases.get("loading the target", 0.0) + one.phases.get("releasing", 0.0) for one in applied]
        table.rows.append([
            f"`verify: {level}`",
            spread([one.phases.get("copying", 0.0) for one in applied]).text(".2f"),
            proving(applied).text(".2f"),
            "–" if level == "counts" else f"{proving(applied).median - base:.2f}",
            spread([one.phases.get("verifying", 0.0) for one in applied]).text(".2f"),
            spread(loading).text(".2f"),
            whole([one.run for one in applied]).text(".1f"),
            spread([one.run.processor / one.run.rows * 1e6 for one in applied]).text(".1f"),
        ])
    added = proving(of.applied["full"]).median - base
    what = "`verify: full`: what it adds to `counts`, beside reading the target once"
    claim = Claim(what, f"at most {once.median:.2f} s", f"{added:.2f} s", added <= once.median)
    return Section("Levels of verification", text, [table], [claim])
