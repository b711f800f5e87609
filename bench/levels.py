"""What each level of verification adds to a copy, beside what reading the target once costs."""

from copies import READ_AT_ONCE, Sides
from ferry import Applied
from figures import Claim, Section, Spread, Table, spread, whole

LEVELS = ("counts", "sample", "full")


def proving(applied: list[Applied]) -> Spread:
    """Seconds of copying and verifying together, so that it does not matter whether a level does its work beside the copy."""
    return spread([one.phases.get("copying", 0.0) + one.phases.get("verifying", 0.0) for one in applied])


def section(of: Sides) -> Section:
    once = spread(of.reads)
    text = (
        "The same copies, by what proves them. *Copying and verifying* are those phases of the journal together; what a level adds is "
        "the difference of its median to that of `counts`. Flushing, indexing, loading and releasing are the same at each level. Reading "
        f"the target once takes {once.text('.2f')} s: after each copy with `verify: full`, the reader of the ceiling, with {READ_AT_ONCE} pages in "
        "flight and nothing beside it, reads the same pages of the same target, which was loaded a moment before, as for the proof."
    )
    table = Table([
        "median (min … max)", "copying and verifying, s", "adds, s", "verifying, s", "whole, s", "processor s per million rows",
    ])
    base = proving(of.applied["counts"]).median
    for level in LEVELS:
        applied = of.applied[level]
        table.rows.append([
            f"`verify: {level}`",
            proving(applied).text(".2f"),
            "–" if level == "counts" else f"{proving(applied).median - base:.2f}",
            spread([one.phases.get("verifying", 0.0) for one in applied]).text(".2f"),
            whole([one.run for one in applied]).text(".1f"),
            spread([one.run.processor / one.run.rows * 1e6 for one in applied]).text(".1f"),
        ])
    added = proving(of.applied["full"]).median - base
    what = "`verify: full`: what it adds to `counts`, beside reading the target once"
    claim = Claim(what, f"at most {once.median:.2f} s", f"{added:.2f} s", added <= once.median)
    return Section("Levels of verification", text, [table], [claim])
