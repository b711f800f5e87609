"""How much memory vecferry takes at most, with long vectors, and with `--memory` at less than it takes by itself."""

import re
from pathlib import Path

import ferry
from copies import Job
from figures import Claim, Section, Table, spread
from servers import pair, said
from shapes import Shape, drop, fill

SHAPES = (
    Shape("peak_1536", "1,536 dimensions", 60_000, 1536),
    Shape("peak_32768", "32,768 dimensions", 3_000, 32_768),
)
DEFAULT, LESS = 256, 128


def has_flag(binary: Path) -> bool:
    return re.search(r"^\s+--memory\b", said(str(binary), "apply", "--help"), re.MULTILINE) is not None


def measure(job: Job) -> list[Section]:
    """By default, and with less, in turn."""
    settings: list[tuple[int, list[str]]] = [(DEFAULT, [])]
    if has_flag(job.binary):
        settings.append((LESS, ["--memory", f"{LESS}MiB"]))
    table = Table(["median (min … max)", "data, MB", "`--memory`, MiB", "peak memory, MiB", "copying, MB/s"])
    claims = []
    for shape in map(job.shape, SHAPES):
        data = shape.rows * (shape.dim * 4 + 8)
        with pair() as (old, new):
            fill(old, shape)
            runs: dict[int, list[ferry.Applied]] = {}
            for number in range(job.rounds):
                for limit, arguments in settings:
                    plan = ferry.plan(old, new, [shape.collection], "full")
                    folder = job.folder / f"{shape.name}-{limit}-{number}"
                    runs.setdefault(limit, []).append(ferry.apply(job.binary, folder, plan, *arguments))
                    print(f"  memory   {shape.title}, {limit} MiB: {(runs[limit][-1].run.peak or 0) / 2**20:.0f} MiB", flush=True)
                    drop(new, shape.collection)
        for limit, applied in runs.items():
            peak = spread([(one.run.peak or 0) / 2**20 for one in applied])
            speed = spread([data / one.run.copying / 1e6 for one in applied if one.run.copying])
            named = f"{limit}" if limit != DEFAULT else f"{limit}, the default"
            table.rows.append([shape.title, f"{data / 1e6:,.0f}", named, peak.text(".0f"), speed.text(".0f")])
            what = f"{shape.title}: the most memory of any run, with {limit} MiB"
            claims.append(Claim(what, f"at most {limit} MiB", f"{max(peak.values):.0f} MiB", max(peak.values) <= limit))
    text = "The most that the process held, as the kernel counts it, with `verify: full` and vectors that are long."
    if len(settings) == 1:
        text += " This release has no `--memory` yet, so there are only the figures of its default."
    return [Section("Memory", text, [table], claims)]
