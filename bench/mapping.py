#!/usr/bin/env python3
"""What mapping costs: `make bench-mapping`.

Starts two real Milvus servers on free ports, fills one collection on the first, and copies it to the second several times in
turn: as it is (plain), and with a field renamed, a key of the dynamic field lifted into a column and a column changed in
type (mapped). Each copy goes into a fresh target, with the same FLAT index, so that building an index does not drown it.

Measured are the rows per second of the whole `apply` (looking, copying, indexing, loading and reading everything back),
the rows per second of its copying alone (from the first row asked for to the last one acknowledged, by the run's journal), and the processor
seconds of the client. No time limit is asserted. Everything lies in a temporary folder that goes away with this.
"""

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

import ferry
from figures import Run, over, rate, spread
from process import ProgramFailed
from servers import commit, pair, said, target_binary, workplace
from shapes import BATCH, WORDS, drop

COLLECTION = "passages"
VARIANTS = {
    "plain": "",
    "mapped": """\
        fields:
          headline: {from: title}
          lang: {from: $meta.lang, type: varchar, max_length: 8, default: none, on_null: default}
          year: {type: int64}
""",
}


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


def summary(runs: dict[str, list[Run]]) -> str:
    measures = {
        "apply, rows/s": (lambda of: spread([run.rows / run.whole for run in of if run.whole]), ",.0f"),
        "copying, rows/s": (rate, ",.0f"),
        "client, processor s": (lambda of: spread([run.processor for run in of]), ".2f"),
    }
    lines = [f"{'median (min … max)':22}{'plain':>30}{'mapped':>30}{'mapped/plain':>15}"]
    for name, (measure, form) in measures.items():
        plain, mapped = (measure(runs[variant]) for variant in VARIANTS)
        lines.append(f"{name:22}{plain.text(form):>30}{mapped.text(form):>30}{over(mapped, plain):>15.2f}")
    return "\n".join(lines)


def machine(binary: Path) -> str:
    return (
        f"{said(str(binary), '--version')} at commit {commit()}, Milvus 2.3.5 on both sides\n"
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, numpy {np.__version__}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3, help="copies of each kind")
    parser.add_argument("--vecferry", type=Path, help="another binary than this checkout's release build")
    args = parser.parse_args()
    binary = (args.vecferry or target_binary()).resolve()
    print(machine(binary), flush=True)
    with workplace() as folder, pair() as (old, new):
        fill(old, args.rows, args.dim)
        print(f"{args.rows:,} rows of {args.dim} dimensions, {args.rounds} rounds", flush=True)
        runs: dict[str, list[Run]] = {variant: [] for variant in VARIANTS}
        for number in range(args.rounds):
            for variant, fields in VARIANTS.items():
                plan = ferry.plan(old, new, [COLLECTION], "full", fields)
                run = ferry.apply(binary, folder / f"{variant}-{number}", plan).run
                runs[variant].append(run)
                drop(new, COLLECTION)
                print(f"  {variant:7} {run.whole:6.1f} s, copying {run.copying:6.2f} s, client {run.processor:6.2f} s", flush=True)
        print(summary(runs))


if __name__ == "__main__":
    try:
        main()
    except ProgramFailed as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
