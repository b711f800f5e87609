"""How the cost of a row grows with the number of rows: one collection of low dimension, at several sizes."""

import ferry
from copies import COUNTS, CEILING, Job, Sides, phases, with_rest
from figures import Claim, Run, Section, Table, effort, over, rate, spread, whole
from servers import pair, settle
from shapes import Shape, drop, fill

SIZES = (100_000, 1_000_000)
HUGE = 10_000_000
# Each size has so few splits that one concurrency is as good as another; it is not searched for here.
AT_ONCE = 4
# Collections of the smallest size that are copied in one plan, as many rows together as the next size has.
PARTS = SIZES[1] // SIZES[0]


def measure(job: Job) -> list[Section]:
    """Each size in turn, on the same servers, beside the ceiling."""
    sizes = [int(size * job.scale) for size in (*SIZES, *([HUGE] if job.huge else []))]
    shapes = [Shape(f"growth_{size}", f"{size:,} rows", size, 8) for size in sizes]
    with pair() as (old, new):
        for shape in shapes:
            fill(old, shape)
        parts = [Shape(f"part_{number}", "", sizes[0], 8) for number in range(PARTS)]
        for shape in parts:
            fill(old, shape, merge=False)
        all_sides = [Sides(job, shape, old, new, at_once=AT_ONCE) for shape in shapes]
        together: list[Run] = []
        for number in range(job.often):
            for sides in all_sides:
                sides.vecferry("counts")
                sides.ceiling()
            together.append(all_parts(job, old, new, [shape.collection for shape in parts], number))
    return [section(all_sides, together)]


def all_parts(job: Job, old: str, new: str, names: list[str], number: int) -> Run:
    """One plan that copies all of them."""
    settle()
    run = ferry.apply(job.binary, job.folder / f"parts-{number}", ferry.plan(old, new, names)).run
    print(f"  parts    {len(names)} collections: copying {run.copying:.2f} s, whole {run.whole:.2f} s", flush=True)
    for name in names:
        drop(new, name)
    return run


def costs(runs: list[Run]) -> list[str]:
    """What a row costs, as the table has it."""
    return [
        spread([1e6 / one for one in rate(runs).values]).text(".2f"),
        spread([run.whole / run.rows * 1e6 for run in runs if run.whole]).text(".2f"),
        effort(runs).text(".2f"),
        spread([run.peak / 1e6 for run in runs if run.peak]).text(".0f"),
    ]


def section(all_sides: list[Sides], together: list[Run]) -> Section:
    text = (
        "One collection with an int64 key and vectors of 8 dimensions, so that the rows are many and small. The cost of a row is the "
        f"time that copying takes, or the whole, over the number of rows. Each was copied {len(all_sides[0].runs[COUNTS])} times. What is "
        "copied in a fifth of a second leaves the target with work that it does afterwards, and what takes longer waits for some of it, "
        f"so {PARTS} collections of the smallest size were copied in one plan too: as many rows together as the next size has in one."
    )
    table = Table([
        "median (min … max)", "copying, µs a row", "whole, µs a row", "processor s per million rows", "peak memory, MB",
        "ceiling, µs a row",
    ])
    for sides in all_sides:
        alone = spread([1e6 / one for one in rate(sides.runs[CEILING]).values]).text(".2f")
        table.rows.append([sides.shape.title, *costs(sides.runs[COUNTS]), alone])
    few, many = all_sides[0], all_sides[1]
    table.rows.append([f"{PARTS} collections of {few.shape.title} each", *costs(together), "–"])
    times = over(rate(few.runs[COUNTS]), rate(many.runs[COUNTS]))
    what = f"Copying a row of {many.shape.title}, beside one of {few.shape.title}"
    claim = Claim(what, "at most 1.15 times", f"{times:.2f} times", times <= 1.15)
    whole_times = over(whole(many.runs[COUNTS]), whole(few.runs[COUNTS])) * few.shape.rows / many.shape.rows
    everything = Claim(f"{what}, by the whole apply", "at most 1.15 times", f"{whole_times:.2f} times", whole_times <= 1.15)
    as_many = over(rate(together), rate(many.runs[COUNTS]))
    what = f"Copying a row of {many.shape.title}, beside one of {PARTS} collections with as many together"
    beside = Claim(what, "at most 1.15 times", f"{as_many:.2f} times", as_many <= 1.15)
    found = Section("A collection that grows", text, [table], [claim, beside, everything])
    for sides in all_sides:
        found.tables.append(with_rest(phases(sides.applied, f"{sides.shape.title}: seconds, median"), sides.applied))
        found.remarks += sorted(sides.remarks)
    return found
