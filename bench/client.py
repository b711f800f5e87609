"""Measures vecferry alone, by `make bench-client`: how many bytes of vectors one core of the client copies a second.

Both servers are a stand-in (`benches/stand_in`), which is no Milvus: it hands out rows from memory and throws away what it
is sent, on another core than the client's. All bytes of the vectors cross the sockets, in frames of the size that real
servers use. What the client does for a row is thus seen without what a server does for it.

A byte counts once, though it is read and written. Measured are the bytes a second of the copying (from the first row asked for
to the last one acknowledged, by the run's journal), the bytes for each processor second of the whole `apply`, and the most
memory that the client ever held. On a machine that does other things as well, only the processor seconds mean something.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLAN = """\
version: 1
name: client
sources:
  old:
    milvus: {{uri: "{uri}"}}
targets:
  new:
    milvus: {{uri: "{uri}"}}
migrations:
  - from: old
    to: new
    collections:
      - source: rows
        target: copy_{number}
        indexes: {{vector: {{index_type: FLAT, metric_type: L2}}}}
    verify: {verify}
"""


def target_folder() -> Path:
    """Where cargo puts what it builds, wherever it was told to."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return Path(json.loads(told)["target_directory"])


def build() -> Path:
    """The stand-in; quick when it is there."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "--example", "stand_in"], cwd=ROOT, check=True)
    return target_folder() / "release" / "examples" / "stand_in"


def cores() -> tuple[set[int], set[int]]:
    """One core for the client, and the others for the stand-in; the same one where there is no other."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


@contextlib.contextmanager
def stand_in(program: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A stand-in for as long as the block runs, which ends when its input is closed, so also with this process."""
    _, elsewhere = cores()
    process = subprocess.Popen(
        [program, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, elsewhere),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdout.readline()
        uri = process.stdout.readline().strip()
        if not uri:
            sys.exit("The stand-in did not start.")
        yield uri, process
    finally:
        process.stdin.close()
        process.wait()


def copying(journal: Path) -> float:
    """Seconds from the first row asked for to the last one acknowledged, by what the run wrote down."""
    records = [json.loads(line.split(" ", 1)[1]) for line in journal.read_text().splitlines()]
    phases = [(record["name"], datetime.fromisoformat(record["at"])) for record in records if record["type"] == "phase"]
    begin = next(at for name, at in phases if name == "copying")
    return (next(at for _, at in phases if at > begin) - begin).total_seconds()


def run(binary: Path, folder: Path, plan: str) -> dict[str, float]:
    """One apply in a folder of its own."""
    folder.mkdir()
    (folder / "plan.yaml").write_text(plan)
    client, _ = cores()
    with (folder / "out").open("w+") as out:
        process = subprocess.Popen(
            [binary, "apply", "--auto-approve", "--output", "json", "plan.yaml"],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, client),
        )
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            out.seek(0)
            sys.exit(f"vecferry ended with {process.returncode}\n{out.read()}")
    [journal] = (folder / ".vecferry" / "jobs").glob("*.journal")
    return {
        "copying_s": copying(journal),
        "processor_s": used.ru_utime + used.ru_stime,
        "user_s": used.ru_utime,
        "system_s": used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def measure(
    binary: Path, rounds: int, *, rows: int = 500_000, dim: int = 768, text: bool = False, verify: str = "counts"
) -> dict[str, Any]:
    """Copies several times and returns what each copy took, with `gb_per_s` and `gb_per_processor_s` as lists too."""
    runs = []
    vector_bytes = rows * dim * 4
    options = ["--rows", str(rows), "--dim", str(dim), *(["--text"] if text else [])]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vecferry-bench-")))
        uri, process = stack.enter_context(stand_in(build(), *options))
        for number in range(rounds):
            plan = PLAN.format(uri=uri, number=number, verify=verify)
            runs.append(run(binary.resolve(), folder / str(number), plan))
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        traffic = json.loads(process.stdout.readline())
    if traffic["inserted_rows"] != rows * rounds or traffic["vector_bytes"] < vector_bytes * rounds:
        sys.exit(f"The stand-in did not get each row once: {traffic}")
    return {
        "rows": rows,
        "dim": dim,
        "text": text,
        "verify": verify,
        "vector_bytes": vector_bytes,
        "runs": runs,
        "gb_per_s": [vector_bytes / 1e9 / each["copying_s"] for each in runs],
        "gb_per_processor_s": [vector_bytes / 1e9 / each["processor_s"] for each in runs],
        "peak_mib": [each["peak_mib"] for each in runs],
        "traffic": traffic,
    }


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} … {max(values):{form}})"


def summary(found: dict[str, Any]) -> str:
    columns = "float vectors, text and JSON" if found["text"] else "float vectors"
    seconds = {
        name: spread([each[f"{name}_s"] for each in found["runs"]], ".2f") for name in ("copying", "user", "system")
    }
    return "\n".join(
        [
            f"{found['rows']:,} rows of {found['dim']} dimensions, {columns}, verify: {found['verify']}, "
            f"{len(found['runs'])} rounds; median (min … max)",
            f"  copied, GB of vectors/s                  {spread(found['gb_per_s'], '.2f')}",
            f"  GB of vectors/processor s of the client  {spread(found['gb_per_processor_s'], '.2f')}",
            f"  copying, s                               {seconds['copying']}",
            f"  client, processor s in the program       {seconds['user']}",
            f"  client, processor s in the kernel        {seconds['system']}",
            f"  client, most memory, MiB                 {spread(found['peak_mib'], '.0f')}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--text", action="store_true", help="with text and JSON in each row")
    parser.add_argument("--verify", choices=("counts", "sample", "full"), default="counts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vecferry", type=Path, help="another binary than this checkout's release build")
    args = parser.parse_args()
    # So that a plain kill takes the stand-in and the folder along, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary = args.vecferry or target_folder() / "release" / "vecferry"
    found = measure(binary, args.rounds, rows=args.rows, dim=args.dim, text=args.text, verify=args.verify)
    print(summary(found))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
