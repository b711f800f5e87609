"""Runs a program in a fresh process and says what it took.

As a script this is the small process in between: Linux counts the memory of the process that started a program towards the
program's own peak, so whoever starts it must be smaller than anything that is measured. It writes the figures to the file
that its first argument names.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


class ProgramFailed(Exception):
    """It ended otherwise than well; the message has what it said."""


@dataclass(frozen=True)
class Taken:
    """What a program took."""

    # Seconds from start to end.
    whole: float
    # Processor seconds, user and system.
    processor: float
    # Bytes of memory, at the most.
    peak: int


class Program:
    """A program that runs, and goes away with its block."""

    def __init__(self, command: Sequence[str | Path], folder: Path) -> None:
        """Starts it in the folder, where it leaves what it says on stderr and what it took."""
        self.command, self.folder = [str(part) for part in command], folder
        folder.mkdir(parents=True, exist_ok=True)
        launcher = [sys.executable, "-I", "-S", __file__, str(folder / "taken.json")]
        with (folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                launcher + self.command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
                start_new_session=True,
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait_until_ready(self) -> None:
        """Until it says so in a line of its own."""
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            self.fail()

    def go(self) -> None:
        """What a program that said it was ready waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> tuple[str, Taken]:
        """What it said, and what it took."""
        out, _ = self.process.communicate()
        if self.process.returncode:
            self.fail(out)
        return out, Taken(**json.loads((self.folder / "taken.json").read_text()))

    def fail(self, out: str = "") -> None:
        err = (self.folder / "stderr").read_text(errors="replace")
        raise ProgramFailed(f"This failed: {' '.join(self.command)}\n{out}{err}")


def run(command: Sequence[str | Path], folder: Path) -> tuple[str, Taken]:
    """Runs it to its end."""
    with Program(command, folder) as program:
        return program.end()


def launch(report: str, command: list[str]) -> int:
    """Returns the exit status."""
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    whole = time.monotonic() - start
    # Linux gives kilobytes.
    taken = {"whole": whole, "processor": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}
    Path(report).write_text(json.dumps(taken))
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1], sys.argv[2:]))
