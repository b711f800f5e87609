"""The real servers that a benchmark runs on, the folder it works in, and what it runs them with."""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Processors that two servers take together when they have nothing to do are a tenth of one, or less.
IDLE = 0.2
SETTLED_AFTER = 1.0
SETTLE_LIMIT = 60.0
UNMERGED = "dataCoord.compaction.enableAutoCompaction=false"
# The process of each server that runs, by its address.
PROCESSES: dict[str, int] = {}


@contextlib.contextmanager
def server(kind: str = "milvus", *settings: str) -> Iterator[str]:
    """A server for as long as the block runs. It ends when its supervisor's input is closed, so also with this process."""
    command = [sys.executable, str(ROOT / "servers" / "serve.py"), kind, *settings]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdin is not None and supervisor.stdout is not None
    event: dict[str, Any] = {}
    try:
        event = json.loads(supervisor.stdout.readline() or '{"reason": "its supervisor ended"}')
        if event.get("event") != "ready":
            sys.exit(f"A {kind} server did not start: {event['reason']}")
        PROCESSES[event["uri"]] = event["pid"]
        yield event["uri"]
    finally:
        PROCESSES.pop(event.get("uri", ""), None)
        supervisor.stdin.close()
        supervisor.wait()


@contextlib.contextmanager
def pair(kind: str = "milvus") -> Iterator[tuple[str, str]]:
    """Two fresh servers, source and target: what one shape left in their memory must not slow the next one.

    The source merges only what it is told to. Left alone, it would merge what it was just filled with in the middle of a copy.
    """
    with server(kind, *([UNMERGED] if kind == "milvus" else [])) as old, server(kind) as new:
        yield old, new


def used(pid: int) -> float:
    """Processor seconds that a process has taken so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle() -> None:
    """Waits until the servers are through with what the run before left them to do: flushing, merging and dropping go on after
    the last answer, and would slow down whoever comes next. One that does not come to rest is not waited for for ever.
    """
    limit = time.monotonic() + SETTLE_LIMIT
    while time.monotonic() < limit:
        before = sum(used(pid) for pid in PROCESSES.values())
        time.sleep(SETTLED_AFTER)
        if sum(used(pid) for pid in PROCESSES.values()) - before < IDLE * SETTLED_AFTER:
            return


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder that goes away with the block, however it ends: a plain kill takes servers and folder along, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="vecferry-bench-") as folder:
        try:
            yield Path(folder)
        finally:
            # Who presses Ctrl-C twice must not stop the cleaning.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def target_binary() -> Path:
    """Where cargo puts the release build, wherever it was told to."""
    told = said("cargo", "metadata", "--no-deps", "--format-version", "1", "--locked")
    return Path(json.loads(told)["target_directory"]) / "release" / "vecferry"


def commit() -> str:
    """The commit of this checkout, and whether files differ from it. The page does, while it is written."""
    if not (ROOT / ".git").exists():
        return "unknown"
    changed = " with changes" if said("git", "status", "--porcelain", "--untracked-files=no", ".", ":!docs/benchmarks.md") else ""
    return said("git", "rev-parse", "--short", "HEAD") + changed


def processor() -> str:
    """The processor's name, as Linux gives it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
