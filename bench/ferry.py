"""The side that is vecferry: one `apply` in a folder of its own, and what its journals say about it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from figures import Run
from process import run

LOGGED = ("--verbose", "--log-format", "json")
PLAN = """\
version: 1
name: bench
sources:
  old:
    milvus: {{uri: "{old}"}}
targets:
  new:
    milvus: {{uri: "{new}"}}
migrations:
  - from: old
    to: new
    collections:
{collections}"""


@dataclass(frozen=True)
class Applied:
    """One apply."""

    run: Run
    # Seconds of each phase, by its name. Of several collections, the sum: they overlap.
    phases: dict[str, float]
    # What it read at a time, each with the `rows` that it expected and the `range` of keys, which has `after` and `to`.
    splits: list[dict[str, Any]]


def plan(old: str, new: str, collections: Iterable[str], verify: str = "counts", settings: str = "") -> str:
    """A plan that copies collections as they are. `settings` are further keys of each, as lines."""
    entries = "".join(f"      - source: {name}\n        indexes: copy\n{settings}" for name in collections)
    return PLAN.format(old=old, new=new, collections=entries) + f"    verify: {verify}\n"


def apply(binary: Path, folder: Path, text: str, *arguments: str) -> Applied:
    """Applies a plan, without asking."""
    folder.mkdir()
    (folder / "plan.yaml").write_text(text)
    out, taken = run([binary, "apply", "--auto-approve", "--output", "json", *arguments, "plan.yaml"], folder)
    rows = sum(report["rows_verified"] for report in json.loads(out)["collections"])
    journals = [records(path) for path in sorted((folder / ".vecferry" / "jobs").glob("*.journal"))]
    splits = [split for journal in journals for record in journal if record["type"] == "splits" for split in record["list"]]
    return Applied(
        Run(rows, copying(journals), taken.whole, taken.processor, taken.peak),
        phases(journals),
        splits,
    )


def cutting(folder: Path) -> float:
    """Seconds that finding the splits took, by the log of an apply that was told LOGGED."""
    lines = [json.loads(line) for line in (folder / "stderr").read_text().splitlines()]
    return sum(line["fields"]["seconds"] for line in lines if line.get("fields", {}).get("message") == "the splits are cut")


def records(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line.split(" ", 1)[1]) for line in journal.read_text().splitlines()]


def moment(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["at"])


def copying(journals: list[list[dict[str, Any]]]) -> float:
    """Seconds from the first row asked for to the last one acknowledged, by what the run wrote down."""
    everything = [record for journal in journals for record in journal]
    begin = min(moment(record) for record in everything if record["type"] == "phase" and record["name"] == "copying")
    return (max(moment(record) for record in everything if record["type"] == "done") - begin).total_seconds()


def phases(journals: list[list[dict[str, Any]]]) -> dict[str, float]:
    """Seconds from the beginning of each phase to that of the next one, or to the end."""
    took: dict[str, float] = {}
    for journal in journals:
        marks = [record for record in journal if record["type"] in ("phase", "ended")]
        for record, following in zip(marks, marks[1:]):
            name = record.get("name", "")
            took[name] = took.get(name, 0.0) + (moment(following) - moment(record)).total_seconds()
    return took
