"""Numbers with their spread, and the tables they stand in."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """What several runs measured."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, form: str = ",.0f") -> str:
        """The median, and the least and the most."""
        if len(self.values) == 1:
            return f"{self.median:{form}}"
        return f"{self.median:{form}} ({min(self.values):{form}} … {max(self.values):{form}})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(tuple(values))


@dataclass(frozen=True)
class Run:
    """One copy by one side."""

    rows: int
    # Seconds from the first row asked for to the last row acknowledged; None, here and below, where it has no meaning.
    copying: float | None
    # Seconds from the process's start to its end, or of all processes one after another.
    whole: float | None
    # Processor seconds, user and system.
    processor: float
    # Bytes, at the most.
    peak: int | None


@dataclass(frozen=True)
class Claim:
    """One line of what the benchmark must show."""

    what: str
    wanted: str
    measured: str
    met: bool | None


@dataclass
class Table:
    """The first column is text, and the others are numbers where nothing else is said."""

    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    numbers: bool = True

    def markdown(self) -> str:
        others = "--:" if self.numbers else "---"
        lines = [self.head, ["---"] + [others] * (len(self.head) - 1), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass
class Section:
    """What one part of the benchmark found."""

    title: str
    # What was measured, and how, in full sentences.
    text: str
    tables: list[Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    # What the figures mean, where that needs saying.
    remarks: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        parts = [f"## {self.title}", self.text, *(table.markdown() for table in self.tables), *self.remarks]
        return "\n\n".join(part for part in parts if part)


def rate(runs: Sequence[Run]) -> Spread:
    """Rows a second while copying."""
    return spread([run.rows / run.copying for run in runs if run.copying])


def effort(runs: Sequence[Run]) -> Spread:
    """Processor seconds for a million rows."""
    return spread([run.processor / run.rows * 1e6 for run in runs])


def whole(runs: Sequence[Run]) -> Spread:
    return spread([run.whole for run in runs if run.whole])


def peak(runs: Sequence[Run]) -> Spread:
    """Megabytes."""
    return spread([run.peak / 1e6 for run in runs if run.peak])


def over(one: Spread, other: Spread) -> float:
    """The ratio of two medians."""
    return one.median / other.median


def sides(runs: dict[str, list[Run]], row_bytes: float) -> Table:
    """The table that each shape has: one line for each side."""
    table = Table([
        "median (min … max)", "copying, rows/s", "copying, MB/s", "whole, s", "whole, rows/s", "processor s per million rows",
        "peak memory, MB",
    ])
    for side, of_side in runs.items():
        rows = of_side[0].rows
        copying, long, most = rate(of_side), whole(of_side), peak(of_side)
        table.rows.append([
            side,
            copying.text() if copying.values else "–",
            f"{copying.median * row_bytes / 1e6:,.1f}" if copying.values else "–",
            long.text(".1f") if long.values else "–",
            f"{rows / long.median:,.0f}" if long.values else "–",
            effort(of_side).text(".1f"),
            f"{most.median:,.0f}" if most.values else "–",
        ])
    return table
