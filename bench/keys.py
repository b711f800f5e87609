"""How the keys lie: what finding the splits costs beside the copy, and whether a page costs more the farther it lies.

The rows are as short as rows get, so that finding the splits stands beside the quickest copy there is.
"""

import time
from dataclasses import dataclass, field

import grpc

import ceiling
import ferry
from copies import Job
from figures import Claim, Section, Table, over, spread
from servers import pair, settle
from shapes import UNLIMITED, Shape, address, drop, fill

ROWS, DIM = 1_000_000, 8
TITLES = {
    "ascending": "INT64, one after the other",
    "gaps": "INT64, a thousand and then a gap, ever larger",
    "auto": "INT64, made by the server",
    "uuids": "VARCHAR, uuids",
    "prefix": "VARCHAR, all beginning alike",
}
# Readings of all pages, of which the quickest of each page counts.
READINGS = 3


@dataclass
class Found:
    """What one kind of keys cost."""

    shape: Shape
    applied: list[ferry.Applied] = field(default_factory=list)
    # Seconds, of each apply.
    cutting: list[float] = field(default_factory=list)
    # Seconds for a row, of each page in ascending order.
    pages: list[float] = field(default_factory=list)


def measure(job: Job) -> list[Section]:
    """Each kind in turn, on the same servers."""
    kinds = [Found(job.shape(Shape(f"keys_{keys}", title, ROWS, DIM, keys=keys))) for keys, title in TITLES.items()]
    with pair() as (old, new):
        for found in kinds:
            fill(old, found.shape)
        for number in range(job.often):
            for found in kinds:
                one(job, old, new, found, number)
        for found in kinds:
            found.pages = pages(job, old, found)
    return [section(kinds)]


def one(job: Job, old: str, new: str, found: Found, number: int) -> None:
    # A server of this version makes the keys itself or never, so those that it made arrive as any others.
    settings = "        primary_key: {auto_id: false}\n" if found.shape.keys == "auto" else ""
    plan = ferry.plan(old, new, [found.shape.collection], settings=settings)
    folder = job.folder / f"{found.shape.name}-{number}"
    settle()
    found.applied.append(ferry.apply(job.binary, folder, plan, *ferry.LOGGED))
    found.cutting.append(ferry.cutting(folder))
    print(f"  keys     {found.shape.title}: cutting {found.cutting[-1]:.3f} s, copying {found.applied[-1].run.copying:.2f} s", flush=True)
    drop(new, found.shape.collection)


def pages(job: Job, old: str, found: Found) -> list[float]:
    """Seconds for a row of each page that vecferry read, one page after the other and with nothing beside."""
    splits = found.applied[-1].splits
    folder = job.folder / f"{found.shape.name}-pages"
    folder.mkdir()
    queries = ceiling.messages(ceiling.build(folder, old, found.shape, [split["range"] for split in splits]).queries)
    settle()
    took: list[list[float]] = [[] for _ in queries]
    with grpc.insecure_channel(address(old), options=UNLIMITED) as channel:
        ask = ceiling.call(channel, "Query")
        for _ in range(READINGS):
            for query, times in zip(queries, took):
                begin = time.monotonic()
                ceiling.sized(ask(query))
                times.append(time.monotonic() - begin)
    return [min(times) / split["rows"] for times, split in zip(took, splits) if split["rows"]]


def section(kinds: list[Found]) -> Section:
    text = (
        f"{kinds[0].shape.rows:,} rows with a key and vectors of {DIM} dimensions, which is the quickest copy there is, {len(kinds[0].applied)} times of "
        "each kind. *Cutting* is what vecferry takes to find the splits: everything between the number of rows, which the diff has to know anyway, and "
        "the list of ranges. The pages were then read again one by one with nothing beside; the table has what a row costs in the "
        f"first third of the ranges, and in the last, by the quickest of {READINGS} readings."
    )
    table = Table([
        "median (min … max)", "splits", "rows of the largest", "cutting, s", "copying, s", "cutting, of the copy",
        "first pages, µs a row", "last pages, µs a row",
    ])
    claims = []
    for found in kinds:
        cutting = spread(found.cutting)
        copying = spread([one.run.copying for one in found.applied if one.run.copying])
        share = over(cutting, copying)
        splits = found.applied[-1].splits
        third = max(len(found.pages) // 3, 1)
        table.rows.append([
            found.shape.title,
            str(len(splits)),
            f"{max(split['rows'] for split in splits):,}",
            cutting.text(".3f"),
            copying.text(".2f"),
            f"{share:.1%}",
            *(f"{spread(part).median * 1e6:.2f}" for part in (found.pages[:third], found.pages[-third:])),
        ])
        claims.append(Claim(f"{found.shape.title}: cutting, beside the copy", "at most 2 %", f"{share:.1%}", share <= 0.02))
    return Section("However the keys lie", text, [table], claims)
