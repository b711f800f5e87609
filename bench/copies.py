"""One shape, copied by each side in turn, several times over."""

import functools
from dataclasses import dataclass, field
from pathlib import Path

from pymilvus import MilvusClient

import ceiling
import ferry
import loop
import vdf
from figures import Claim, Run, Section, Table, effort, over, rate, sides, spread, whole
from process import ProgramFailed
from servers import pair, settle
from shapes import Shape, create, drop, fill, held

COUNTS, LOOP, CEILING = "vecferry, `verify: counts`", "Python loop", "ceiling"
# Pages in flight when a target is only read; more or fewer are no faster.
READ_AT_ONCE = 2


@dataclass(frozen=True)
class Job:
    """What the command line asks for."""

    binary: Path
    folder: Path
    rounds: int
    # Of 1; what `--quick` makes smaller.
    scale: float
    huge: bool

    @property
    def often(self) -> int:
        """Copies by each side of what is copied in a few seconds, where one run differs from the next by more."""
        return 2 * self.rounds if self.rounds > 1 else 1

    def shape(self, shape: Shape) -> Shape:
        return shape.of(max(int(shape.rows * self.scale), 1000))


@dataclass
class Sides:
    """The copies of one shape."""

    job: Job
    shape: Shape
    old: str
    new: str
    runs: dict[str, list[Run]] = field(default_factory=dict)
    applied: dict[str, list[ferry.Applied]] = field(default_factory=dict)
    remarks: set[str] = field(default_factory=set)
    # What the first round found to be the best.
    batch: int = 0
    at_once: int = 0
    # Processor seconds that the loop takes before its first row.
    starting: list[float] = field(default_factory=list)
    # Seconds that reading all of a target takes, with nothing beside it.
    reads: list[float] = field(default_factory=list)
    folders: int = 0

    def folder(self) -> Path:
        self.folders += 1
        return self.job.folder / f"{self.shape.name}-{self.folders}"

    def keep(self, side: str, run: Run) -> None:
        self.runs.setdefault(side, []).append(run)
        took = ", ".join(f"{name} {value:.2f} s" for name, value in (("copying", run.copying), ("whole", run.whole)) if value)
        print(f"  {self.shape.name:8} {side:32} {took}, processor {run.processor:.2f} s", flush=True)

    def check(self, side: str) -> None:
        """That the target holds every row. What a side leaves out is said on the page, and never hidden in a figure."""
        found = held(self.new, self.shape.collection)
        if found != self.shape.rows:
            self.remarks.add(f"The {side} left {found:,} rows in the target of {self.shape.rows:,}.")
        drop(self.new, self.shape.collection)

    def vecferry(self, level: str, read_target: bool = False) -> None:
        plan = ferry.plan(self.old, self.new, [self.shape.collection], level)
        settle()
        applied = ferry.apply(self.job.binary, self.folder(), plan)
        side = f"vecferry, `verify: {level}`"
        self.applied.setdefault(level, []).append(applied)
        self.keep(side, applied.run)
        if read_target:
            self.reads.append(self.read_target())
        self.check(side)

    def one_loop(self, batch: int) -> Run:
        settle()
        run, starting = loop.measure(self.folder(), self.old, self.new, self.shape, batch)
        self.starting.append(starting)
        self.check(LOOP)
        return run

    def loop(self) -> None:
        if self.batch:
            return self.keep(LOOP, self.one_loop(self.batch))
        tried = {batch: self.one_loop(batch) for batch in loop.BATCHES}
        self.batch = max(tried, key=lambda batch: rate([tried[batch]]).median)
        self.keep(LOOP, tried[self.batch])

    def one_ceiling(self, at_once: int) -> Run:
        pages = self.pages
        client = MilvusClient(uri=self.new)
        create(client, self.shape)
        client.close()
        settle()
        run = ceiling.both(self.folder(), self.old, self.new, pages, at_once)
        drop(self.new, self.shape.collection)
        return run

    def ceiling(self) -> None:
        if self.at_once:
            return self.keep(CEILING, self.one_ceiling(self.at_once))
        tried = {at_once: self.one_ceiling(at_once) for at_once in ceiling.CONCURRENCY}
        self.at_once = max(tried, key=lambda at_once: rate([tried[at_once]]).median)
        self.keep(CEILING, tried[self.at_once])

    def vdf(self) -> None:
        """Where it does not run, the page says why."""
        try:
            self.keep(vdf.SIDE, vdf.measure(self.folder(), self.old, self.new, self.shape.collection, self.shape.rows))
        except ProgramFailed as problem:
            self.remarks.add(f"vdf-io does not run here. Its last words: `{str(problem).strip().splitlines()[-1]}`")
        else:
            self.remarks.add(vdf.REMARK)
            self.check(vdf.SIDE)

    @functools.cached_property
    def pages(self) -> "ceiling.Pages":
        """Those of the first run of vecferry."""
        folder = self.folder()
        folder.mkdir()
        return ceiling.build(folder, self.old, self.shape, [split["range"] for split in self.applied["counts"][0].splits])

    def read_target(self) -> float:
        """Seconds of what a level of verification that reads everything again has to do at the least: the same rows, on a server that
        has just got them, and loads them for it."""
        pages = self.pages
        client = MilvusClient(uri=self.new)
        client.load_collection(self.shape.collection)
        took = ceiling.read(self.folder(), self.new, pages, READ_AT_ONCE)
        client.close()
        print(f"  {self.shape.name:8} {'reading the target once':32} {took:.2f} s", flush=True)
        return took

    def row_bytes(self) -> float:
        return self.pages.bytes / self.pages.rows

    def ratios(self) -> Table:
        """vecferry beside the others, by medians."""
        mine = self.runs[COUNTS]
        table = Table(["vecferry beside", "copying, rows/s", "whole, rows/s", "processor time"])
        for side in (LOOP, CEILING):
            other = self.runs[side]
            table.rows.append([
                f"the {side}",
                f"{over(rate(mine), rate(other)):.2f}",
                f"{over(whole(other), whole(mine)):.2f}" if whole(other).values else "–",
                f"{over(effort(mine), effort(other)):.3f}",
            ])
        return table


def phases(applied: dict[str, list[ferry.Applied]], of: str = "seconds, median") -> Table:
    """Where the whole of an apply goes, by its journal. Of several collections these are sums."""
    names = list(dict.fromkeys(name for runs in applied.values() for one in runs for name in one.phases))
    table = Table([of, *names])
    for level, runs in applied.items():
        by_name = [spread([one.phases.get(name, 0.0) for one in runs]).median for name in names]
        table.rows.append([f"`verify: {level}`", *(f"{value:.2f}" for value in by_name)])
    return table


def with_rest(table: Table, applied: dict[str, list[ferry.Applied]]) -> Table:
    """With what no phase has, where the phases come one after another: looking, the census and the plan."""
    table.head.append("before and after")
    for row, runs in zip(table.rows, applied.values()):
        row.append(f"{spread([(one.run.whole or 0.0) - sum(one.phases.values()) for one in runs]).median:.2f}")
    return table


def measure(job: Job, shape: Shape, with_vdf: bool = False) -> Sides:
    """All sides in turn, as often as there are rounds, on servers of their own."""
    shape = job.shape(shape)
    with pair(shape.servers) as (old, new):
        fill(old, shape)
        sides_of = Sides(job, shape, old, new)
        for number in range(job.rounds):
            sides_of.vecferry("counts")
            sides_of.loop()
            if with_vdf and number == 0:
                sides_of.vdf()
            sides_of.ceiling()
        return sides_of


def section(of: Sides) -> Section:
    at_once = "page" if of.at_once == 1 else "pages"
    text = (
        f"{of.shape.rows:,} rows of {of.row_bytes():,.0f} bytes each on the wire. The loop's best batch was {of.batch:,} rows, "
        f"of {', '.join(f'{batch:,}' for batch in loop.BATCHES)}; the ceiling was highest with {of.at_once} {at_once} in flight on "
        f"each side, of {', '.join(map(str, ceiling.CONCURRENCY))}. Of the loop's processor time, {spread(of.starting).median:.1f} s are spent "
        "on starting Python and its client, before the first row."
    )
    if of.shape.servers == "lite":
        text += " Milvus 2.3.5 has no sparse vectors. milvus-lite, written in Python, is slow, so the rows are few and starting counts."
    tables = [sides(of.runs, of.row_bytes()), of.ratios(), with_rest(phases(of.applied), of.applied)]
    return Section(of.shape.title, text, tables, remarks=sorted(of.remarks))


def claims(of: Sides) -> list[Claim]:
    """What the shape of 768 dimensions must show."""
    mine, other, most = (of.runs[side] for side in (COUNTS, LOOP, CEILING))
    times, share, work = over(rate(mine), rate(other)), over(rate(mine), rate(most)), over(effort(mine), effort(other))
    return [
        Claim("768 dimensions: copying, beside the Python loop", "at least 3 times", f"{times:.2f} times", times >= 3),
        Claim("768 dimensions: copying, of the ceiling", "at least 90 %", f"{share:.0%}", share >= 0.9),
        Claim("768 dimensions: processor time, of the Python loop's", "at most a tenth", f"{work:.3f}", work <= 0.1),
    ]
