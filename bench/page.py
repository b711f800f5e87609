"""docs/benchmarks.md: what the figures are, how they were taken, and the figures."""

import importlib.metadata
import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from figures import Claim, Section, Table
from servers import ROOT, commit, memory, processor, said

PAGE = ROOT / "docs" / "benchmarks.md"
# Kept by hand: what a run on another machine found.
EARLIER = ROOT / "bench" / "earlier.md"
INTRO = """\
# Benchmarks

How fast vecferry moves collections, side by side with other ways of moving them, on the same servers and the same rows. This page is
written by `make bench`, which anybody can run: it needs Linux, Python, Cargo and an hour, and starts the servers itself.

Each side runs in a fresh process, in turn and several times over, on the same two servers of this machine. The target is dropped
between, and each begins when the servers are idle, so that none pays for what the one before left them to do. The source has merged its
segments before, and does not by itself meanwhile (`dataCoord.compaction.enableAutoCompaction` is off there). Figures are medians, with
the least and the most in brackets; ratios are ratios of medians. Servers and clients share the machine's processors, so every second of
processor time that a client takes is missing to the servers: on machines of their own, servers are faster, and the sides lie closer
together where the servers are what one waits for.
"""
QUICK = "**This is what a quick run left, of small collections and one round, to see whether everything runs. Its figures are noise.**"
WORDS = """\
## What the words mean

- **vecferry** is `vecferry apply` with a plan that copies a collection as it is.
- **The Python loop** is what people write with the vendor's client: `query_iterator` over all fields, `insert` for each page, `flush` at the
  end ([bench/loop.py](../bench/loop.py)). Its first round tries several sizes of a batch, and it keeps to the best.
- **The ceiling** is what the two servers can do with nothing between: one process only reads and another only writes, both at the same time,
  without looking into the bytes. The pages are the ranges of keys that vecferry's own journal names, and the requests that write them
  were built before the clock started ([bench/ceiling.py](../bench/ceiling.py)). No tool that moves rows through these calls can
  be faster by more than the noise.
- **Copying** is the time from the first row asked for to the last row acknowledged: for vecferry from the journal that it keeps anyway, with
  every checkpoint on the disk; for the loop from its first `next()` to the return of its last `insert`; for the ceiling until the later
  of its two processes has ended.
- **Whole** is the time from the start of the process to its end, with all that it does. For the loop that is making the
  collection, copying and flushing. For vecferry that is looking at both sides, cutting the splits, making the collection, copying, flushing,
  building the index, and proving the rows: with `counts` by the target's number of them, with the other levels by loading it, reading back
  what the level asks for, and releasing it. The loop leaves an index and any proof to you, so the two wholes are not the same work.
- **Rows' bytes** are those of the server's answers to the reader of the ceiling, and the same for all sides. A MB is a million bytes.
- **Processor time** is that of the client's process, user and system, as the kernel counts it; of the ceiling only while it copies.
- **Peak memory** is the most that the client's process held, as the kernel counts it. The ceiling has none, because it holds all requests.

Every index is the one that costs a server least (FLAT, or an inverted one for sparse vectors), so that building it does not drown
the copy. Servers are fresh for each shape.
"""


def machine(binary: Path) -> str:
    table = Table(["", "what this was measured with"], numbers=False)
    table.rows += [
        ["vecferry", f"{said(str(binary), '--version')}; commit of the benchmark {commit()}"],
        ["command", f"`{command()}`"],
        ["date", f"{datetime.now(UTC):%Y-%m-%d}"],
        ["processor", f"{processor()}, {os.cpu_count()} cores, for clients and servers together"],
        ["memory", f"{memory() / 1e9:.0f} GB"],
        ["system", f"{platform.system()} {platform.release()} {platform.machine()}"],
        ["servers", f"two Milvus 2.3.5 standalone; milvus-lite {importlib.metadata.version('milvus-lite')} where it says so"],
        ["Python loop", f"Python {platform.python_version()}, pymilvus {importlib.metadata.version('pymilvus')}, numpy {np.__version__}"],
    ]
    return f"## The machine\n\n{table.markdown()}"


def command() -> str:
    """The command that does the same again, without the paths of this machine."""
    given = [part for part in sys.argv[1:] if not part.startswith(("--vecferry", "/"))]
    return shlex.join(["python", "bench/bench.py", *given]) if given else "make bench"


def verdicts(claims: list[Claim]) -> str:
    table = Table(["what it must show", "wanted", "measured", "met"], numbers=False)
    for claim in claims:
        table.rows.append([claim.what, claim.wanted, claim.measured, "–" if claim.met is None else "yes" if claim.met else "**no**"])
    return f"## What it must show\n\n{table.markdown()}"


def write(sections: list[Section], binary: Path) -> str:
    """The page."""
    claims = [claim for section in sections for claim in section.claims]
    parts = [INTRO.strip(), *([QUICK] if "--quick" in sys.argv else []), *([verdicts(claims)] if claims else []), machine(binary), WORDS.strip()]
    return "\n\n".join([*parts, *(section.markdown() for section in sections), EARLIER.read_text().strip()]) + "\n"
