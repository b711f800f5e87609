"""How the cost of a row grows with the number of rows: one collection of low dimension, at several sizes."""

from copies import COUNTS, CEILING, Job, Sides, phases, with_rest
from figures import Claim, Section, Table, effort, over, rate, spread, whole
from servers import pair
from shapes import Shape, fill

SIZES = (100_000, 1_000_000)
HUGE = 10_000_000
# Each size has so few splits that one concurrency is as good as another; it is not searched for here.
AT_ONCE = 4


def measure(job: Job) -> list[Section]:
    """Each size in turn, on the same servers, beside the ceiling."""
    sizes = [int(size * job.scale) for size in (*SIZES, *([HUGE] if job.huge else []))]
    shapes = [Shape(f"growth_{size}", f"{size:,} rows", size, 8) for size in sizes]
    with pair() as (old, new):
        for shape in shapes:
            fill(old, shape)
        all_sides = [Sides(job, shape, old, new, at_once=AT_ONCE) for shape in shapes]
        for _ in range(job.often):
            for sides in all_sides:
                sides.vecferry("counts")
                sides.ceiling()
    return [section(all_sides)]


def section(all_sides: list[Sides]) -> Section:
    text = (
        "One collection with an int64 key and vectors of 8 dimensions, so that the rows are many and small. The cost of a row is the "
        f"time that copying takes, or the whole, over the number of rows. Each was copied {len(all_sides[0].runs[COUNTS])} times."
    )
    table = Table([
        "median (min … max)", "copying, µs a row", "whole, µs a row", "processor s per million rows", "peak memory, MB",
        "ceiling, µs a row",
    ])
    for sides in all_sides:
        mine = sides.runs[COUNTS]
        table.rows.append([
            sides.shape.title,
            spread([1e6 / one for one in rate(mine).values]).text(".2f"),
            spread([run.whole / run.rows * 1e6 for run in mine if run.whole]).text(".2f"),
            effort(mine).text(".2f"),
            spread([run.peak / 1e6 for run in mine if run.peak]).text(".0f"),
            spread([1e6 / one for one in rate(sides.runs[CEILING]).values]).text(".2f"),
        ])
    few, many = all_sides[0], all_sides[1]
    times = over(rate(few.runs[COUNTS]), rate(many.runs[COUNTS]))
    what = f"Copying a row of {many.shape.title}, beside one of {few.shape.title}"
    claim = Claim(what, "at most 1.15 times", f"{times:.2f} times", times <= 1.15)
    whole_times = over(whole(many.runs[COUNTS]), whole(few.runs[COUNTS])) * few.shape.rows / many.shape.rows
    everything = Claim(f"{what}, by the whole apply", "at most 1.15 times", f"{whole_times:.2f} times", whole_times <= 1.15)
    found = Section("A collection that grows", text, [table], [claim, everything])
    for sides in all_sides:
        found.tables.append(with_rest(phases(sides.applied, f"{sides.shape.title}: seconds, median"), sides.applied))
        found.remarks += sorted(sides.remarks)
    return found
