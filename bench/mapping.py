#!/usr/bin/env python3
"""What mapping costs: `make bench-mapping`.

Starts two real Milvus servers on free ports, fills one collection on the first, and copies it to the second several times in
turn: as it is (plain), and with a field renamed, a key of the dynamic field lifted into a column and a column changed in
type (mapped). Each copy goes into a fresh target, with the same FLAT index, so that building an index does not drown it.

Measured are the rows per second of the whole `apply` (looking, copying, indexing, loading and reading everything back),
the rows per second of its copying alone (from the first row sent to the flush, by the run's journal), and the processor
seconds of the client. No time limit is asserted. Everything lies in a temporary folder that goes away with this.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = "passages"
BATCH = 5000
WORDS = "ferry harbour rope anchor tide wind plan cargo crew chart lantern quay current passage".split()
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
      - source: {collection}
        indexes: {{vector: {{index_type: FLAT, metric_type: L2}}}}
{fields}"""
VARIANTS = {
    "plain": "",
    "mapped": """\
        fields:
          headline: {from: title}
          lang: {from: $meta.lang, type: varchar, max_length: 8, default: none, on_null: default}
          year: {type: int64}
""",
}


@dataclass
class Run:
    """One copy."""

    rows: int
    # Seconds.
    whole: float
    copying: float
    processor: float


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A Milvus for as long as the block runs. It ends when its supervisor's input is closed, so also with this process."""
    command = [sys.executable, str(ROOT / "servers" / "serve.py"), "milvus"]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdin is not None and supervisor.stdout is not None
    try:
        event = json.loads(supervisor.stdout.readline() or '{"reason": "its supervisor ended"}')
        if event.get("event") != "ready":
            sys.exit(f"A Milvus server did not start: {event['reason']}")
        yield event["uri"]
    finally:
        supervisor.stdin.close()
        supervisor.wait()


def rows(first: int, count: int, dim: int) -> list[dict[str, Any]]:
    """Rows of some size, the same in every run: a title of two hundred bytes, and three keys in the dynamic field."""
    rng = np.random.default_rng(first)
    floats = rng.standard_normal((count, dim), dtype=np.float32)
    titles = rng.choice(WORDS, size=(count, 40))
    return [
        {
            "id": first + at,
            "title": f"{first + at}: {' '.join(titles[at])}"[:200].ljust(200, "."),
            "year": 1900 + at % 126,
            "extra": {"score": at / 8, "tags": ["a", at % 7], "source": {"page": at % 400}},
            "vector": floats[at],
            "lang": ("en", "de", "ja")[at % 3],
            "views": at % 10_000,
            "origin": {"crawler": "v2", "depth": at % 5},
        }
        for at in range(count)
    ]


def fill(uri: str, count: int, dim: int) -> None:
    client = MilvusClient(uri=uri)
    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("title", DataType.VARCHAR, max_length=512)
    schema.add_field("year", DataType.INT32)
    schema.add_field("extra", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
    client.create_collection(COLLECTION, schema=schema)
    for first in range(0, count, BATCH):
        client.insert(COLLECTION, rows(first, min(BATCH, count - first), dim))
    client.flush(COLLECTION)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_index(COLLECTION, index)
    client.load_collection(COLLECTION)
    client.close()


def copying(journal: Path) -> float:
    """Seconds from the first row sent to the flush, by what the run wrote down."""
    records = [json.loads(line.split(" ", 1)[1]) for line in journal.read_text().splitlines()]
    phases = [(record["name"], datetime.fromisoformat(record["at"])) for record in records if record["type"] == "phase"]
    begin = next(at for name, at in phases if name == "copying")
    return (next(at for _, at in phases if at > begin) - begin).total_seconds()


def copy(binary: Path, folder: Path, plan: str) -> Run:
    """One apply in a folder of its own."""
    folder.mkdir()
    (folder / "plan.yaml").write_text(plan)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [binary, "apply", "--auto-approve", "--output", "json", "plan.yaml"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            process.kill()
            raise
    whole, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"vecferry ended with {process.returncode}\n{out}{err}")
    [report] = json.loads(out)["collections"]
    [journal] = (folder / ".vecferry" / "jobs").glob("*.journal")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(report["rows_verified"], whole, copying(journal), processor)


def release(uri: str) -> None:
    """A server that still holds what the round before loaded would be slower for it."""
    client = MilvusClient(uri=uri)
    client.drop_collection(COLLECTION)
    client.close()


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} … {max(values):{form}})"


def summary(runs: dict[str, list[Run]]) -> str:
    measures = {
        "apply, rows/s": (lambda run: run.rows / run.whole, ",.0f"),
        "copying, rows/s": (lambda run: run.rows / run.copying, ",.0f"),
        "client, processor s": (lambda run: run.processor, ".2f"),
    }
    lines = [f"{'median (min … max)':22}{'plain':>30}{'mapped':>30}{'mapped/plain':>15}"]
    for name, (measure, form) in measures.items():
        plain, mapped = ([measure(run) for run in runs[variant]] for variant in VARIANTS)
        ratio = statistics.median(mapped) / statistics.median(plain)
        lines.append(f"{name:22}{spread(plain, form):>30}{spread(mapped, form):>30}{ratio:>15.2f}")
    return "\n".join(lines)


def said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def machine(binary: Path) -> str:
    commit = said("git", "rev-parse", "--short", "HEAD") if (ROOT / ".git").exists() else "unknown"
    changed = " with changes" if commit != "unknown" and said("git", "status", "--porcelain", "--untracked-files=no") else ""
    return (
        f"{said(str(binary), '--version')} at commit {commit}{changed}, Milvus 2.3.5 on both sides\n"
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, numpy {np.__version__}"
    )


def target_binary() -> Path:
    """Where cargo puts the release build, wherever it was told to."""
    told = said("cargo", "metadata", "--no-deps", "--format-version", "1", "--locked")
    return Path(json.loads(told)["target_directory"]) / "release" / "vecferry"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3, help="copies of each kind")
    parser.add_argument("--vecferry", type=Path, help="another binary than this checkout's release build")
    args = parser.parse_args()
    binary = (args.vecferry or target_binary()).resolve()
    # So that a plain kill takes the servers and the folder along, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(machine(binary), flush=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vecferry-bench-")))
        old, new = stack.enter_context(server()), stack.enter_context(server())
        fill(old, args.rows, args.dim)
        print(f"{args.rows:,} rows of {args.dim} dimensions, {args.rounds} rounds", flush=True)
        runs: dict[str, list[Run]] = {variant: [] for variant in VARIANTS}
        for number in range(args.rounds):
            for variant, fields in VARIANTS.items():
                plan = PLAN.format(old=old, new=new, collection=COLLECTION, fields=fields)
                run = copy(binary, folder / f"{variant}-{number}", plan)
                runs[variant].append(run)
                release(new)
                print(f"  {variant:7} {run.whole:6.1f} s, copying {run.copying:6.2f} s, client {run.processor:6.2f} s", flush=True)
        print(summary(runs))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
