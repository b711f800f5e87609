#!/usr/bin/env python3
"""The whole of vecferry on two real Milvus servers: `make demo`.

Starts both on free ports of this machine, fills the first with some thirty thousand passages and their embeddings, moves
them with vecferry, and asks both servers the same question. Everything it makes lies in a temporary folder that goes with
it, however it ends; what stays is `.demo/summary.txt`.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

from pymilvus import DataType, MilvusClient

from passages import BATCH, Embedder, Passage, passages
from picture import picture

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = "verses"
QUESTION = "a storm at sea and a ship in danger of sinking"
PLAN = """\
version: 1
name: demo

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
      - source: verses
        shards: 1          # the source has two
        indexes: copy
        load: true
    verify: full
"""


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


def fill(uri: str, rows: list[Passage]) -> None:
    """Write the passages as any user of the Python client would."""
    client = MilvusClient(uri=uri)
    schema = client.create_schema(enable_dynamic_field=True, description="The World English Bible, verse by verse")
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("book", DataType.VARCHAR, max_length=64)
    schema.add_field("chapter", DataType.INT16)
    schema.add_field("verse", DataType.INT16)
    schema.add_field("text", DataType.VARCHAR, max_length=4096)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=256)
    client.create_collection(COLLECTION, schema=schema, num_shards=2)
    embedder = Embedder()
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        vectors = embedder.embed([row.text for row in batch])
        client.insert(COLLECTION, [
            {
                "id": row.number, "book": row.book, "chapter": row.chapter, "verse": row.verse, "text": row.text,
                "embedding": vector, "testament": row.testament,
            }
            for row, vector in zip(batch, vectors)
        ])
    client.flush(COLLECTION)
    index = client.prepare_index_params()
    index.add_index("embedding", index_type="FLAT", metric_type="COSINE")
    client.create_index(COLLECTION, index)
    client.load_collection(COLLECTION)
    client.close()


def ask(uri: str) -> list[str]:
    """What this server finds nearest to the question."""
    client = MilvusClient(uri=uri)
    found = client.search(
        COLLECTION, data=Embedder().embed([QUESTION]).tolist(), limit=3, output_fields=["book", "chapter", "verse", "text"],
        consistency_level="Strong",
    )
    client.close()
    hits = [(hit["distance"], hit["entity"]) for hit in found[0]]
    return [f"{score:.4f}  {row['book']} {row['chapter']}:{row['verse']}  {row['text']}" for score, row in hits]


def vecferry(binary: Path, folder: Path, *arguments: str, capture: bool = False) -> tuple[float, str]:
    """Run it, showing the command and what it says. Returns the seconds and, where it is captured, its standard output."""
    print(f"\n$ vecferry {shlex.join(arguments)}", flush=True)
    start = time.monotonic()
    with subprocess.Popen([binary, *arguments], cwd=folder, stdout=subprocess.PIPE if capture else None, text=True) as process:
        try:
            said = process.communicate()[0] or ""
        except BaseException:
            # The servers and all that it writes to go away with this process, so there is nothing to end in order.
            process.kill()
            raise
    print(said, end="", flush=True)
    if process.returncode:
        sys.exit(f"vecferry {shlex.join(arguments)} ended with {process.returncode}")
    return time.monotonic() - start, said


def draw(binary: Path, folder: Path, file: Path) -> None:
    """Draw what `plan` writes, in its colours."""
    said = subprocess.run([binary, "--color=always", "plan", "plan.yaml"], cwd=folder, check=True, capture_output=True, text=True)
    file.write_text(picture("vecferry plan plan.yaml", said.stdout))


def demonstrate(binary: Path, folder: Path, old: str, new: str, drawing: Path | None) -> str:
    """Fill, move, prove, ask. Returns the summary."""
    print("Embedding the World English Bible, verse by verse, and writing it into the first server", flush=True)
    rows = list(passages())
    fill(old, rows)
    print(f"{len(rows):,} passages are in {old}; {new} is empty. The plan that moves them:\n")
    plan = PLAN.format(old=old, new=new)
    (folder / "plan.yaml").write_text(plan)
    print(textwrap.indent(plan, "    "), end="")

    vecferry(binary, folder, "validate", "plan.yaml")
    vecferry(binary, folder, "plan", "plan.yaml")
    if drawing:
        draw(binary, folder, drawing)
    copied, _ = vecferry(binary, folder, "apply", "--auto-approve", "plan.yaml")
    verified, _ = vecferry(binary, folder, "verify", "plan.yaml")
    again, said = vecferry(binary, folder, "apply", "--auto-approve", "plan.yaml", capture=True)
    if "0 to create, 0 to update, 0 to replace" not in said:
        sys.exit("The second apply was to find nothing to do.")

    print(f"\nSearching both servers for: {QUESTION}")
    before, after = ask(old), ask(new)
    for name, answers in (("first server", before), ("second server", after)):
        print(f"\n  {name}")
        print("\n".join(f"    {answer}" for answer in answers))
    if before != after:
        sys.exit("The servers give different answers.")
    return (
        f"{len(rows):,} passages of 256 dimensions moved between two Milvus 2.3.5 servers\n"
        f"  apply   {copied:6.1f} s  copied, indexed, loaded, and every row read back and compared\n"
        f"  verify  {verified:6.1f} s  compared once more: no differences\n"
        f"  apply   {again:6.1f} s  again: nothing to do\n"
        f"  both servers find the same passages for: {QUESTION}\n"
    )


def target_binary() -> Path:
    """Where cargo puts the release build, wherever it was told to."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    return Path(json.loads(told)["target_directory"]) / "release" / "vecferry"


def shown(path: Path) -> Path:
    """The path as seen from here, where that is shorter."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def leave(summary: str) -> None:
    """Keep the summary; two demos at once leave that of the later one."""
    home = ROOT / ".demo"
    home.mkdir(exist_ok=True)
    fresh = home / f"summary.{os.getpid()}"
    fresh.write_text(summary)
    fresh.replace(home / "summary.txt")


@contextlib.contextmanager
def stage(prefix: str) -> Iterator[tuple[Path, str, str]]:
    """A folder and two servers, which go away with the block, however it ends."""
    # So that a plain kill takes the servers and the folder along, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        old, new = stack.enter_context(server()), stack.enter_context(server())
        # Runs first of all when this ends: who presses Ctrl-C twice must not stop the cleaning.
        stack.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
        yield folder, old, new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vecferry", type=Path, help="another binary than this checkout's release build")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw what `plan` writes, as the README shows it")
    args = parser.parse_args()
    binary = (args.vecferry or target_binary()).resolve()
    print("Starting two Milvus servers. They and everything they hold go away when this ends.", flush=True)
    with stage("vecferry-demo-") as (folder, old, new):
        summary = demonstrate(binary, folder, old, new, args.picture)
        leave(summary)
        print(f"\n{summary}\nvecferry is {shown(binary)}; the README has a first plan for your own servers.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
