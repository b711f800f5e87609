#!/usr/bin/env python3
"""How fast vecferry is, side by side with other ways, on the same servers and data: `make bench`.

Starts real servers, fills them, and copies collections of several shapes by vecferry, by the loop that people write with
the Python client, and by what only reads and writes with nothing between. Each side runs in a fresh process, in turn, and
the target is dropped between. Everything lies in a temporary folder that goes away with this; what stays is
docs/benchmarks.md, which a run of parts leaves alone unless it is told to write it.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import alone
import copies
import growth
import keys
import levels
import page
import peaks
import small
from copies import Job
from figures import Section
from process import ProgramFailed
from servers import target_binary, workplace
from shapes import SHAPES


def passages(job: Job) -> list[Section]:
    of = copies.measure(job, SHAPES["768"])
    section = copies.section(of)
    section.claims = copies.claims(of)
    return [section]


def vectors(job: Job) -> list[Section]:
    return [copies.section(copies.measure(job, SHAPES["128"], with_vdf=True))]


def shape(name: str) -> Callable[[Job], list[Section]]:
    return lambda job: [copies.section(copies.measure(job, SHAPES[name]))]


PARTS: dict[str, Callable[[Job], list[Section]]] = {
    "768": passages,
    "levels": levels.measure,
    "small": small.measure,
    "growth": growth.measure,
    "keys": keys.measure,
    "client": alone.measure,
    "memory": peaks.measure,
    # What has nothing to show comes last.
    "128": vectors,
    "varchar": shape("varchar"),
    "sparse": shape("sparse"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", choices=PARTS, help="only this part; may be given several times")
    parser.add_argument("--rounds", type=int, default=3, help="copies by each side")
    parser.add_argument("--quick", action="store_true", help="one round of small collections, to see whether it runs")
    parser.add_argument("--huge", action="store_true", help="ten million rows too")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md after a part or a quick run too")
    parser.add_argument("--vecferry", type=Path, help="another binary than this checkout's release build")
    args = parser.parse_args()
    binary = (args.vecferry or target_binary()).resolve()
    sections: list[Section] = []
    with workplace() as folder:
        job = Job(binary, folder, 1 if args.quick else args.rounds, 0.1 if args.quick else 1.0, args.huge)
        for name in args.shape or PARTS:
            sections += PARTS[name](job)
            written = page.write(sections, binary)
            # After each part, because who ends this early wants to keep what was measured.
            if args.page or not (args.shape or args.quick):
                page.PAGE.write_text(written)
    print(f"\n{written}")


if __name__ == "__main__":
    try:
        main()
    except ProgramFailed as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
