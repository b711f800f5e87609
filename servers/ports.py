"""Ports for servers that run side by side, also those of other test processes and of a demo at the same time.

Asking the kernel for a free port and giving it back before the server binds it leaves seconds in which any outgoing
connection may be given the same one. So ports are taken from below the kernel's own range, in blocks, and a block
belongs to whoever holds the lock on its file. The lock lasts as long as its holder, so a server can be restarted on
the ports it had.

As a script, it prints the first port of a block and holds the block until standard input is closed.
"""

import fcntl
import os
import random
import socket
import sys
import tempfile
from pathlib import Path
from typing import IO

FIRST = 10240
BLOCK = 16


def _end() -> int:
    """The first port that the kernel may hand out by itself."""
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        lowest = 32768
    return lowest if lowest > FIRST + 100 * BLOCK else 32768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


class Ports:
    """A block of ports that nobody else who asks here will get while this object lives."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"vecferry-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        starts = list(range(FIRST, _end() - BLOCK, BLOCK))
        random.shuffle(starts)
        for start in starts:
            lock = (folder / str(start)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            if all(_is_free(port) for port in range(start, start + BLOCK)):
                self._lock: IO[str] = lock
                self._start = start
                return
            lock.close()
        raise RuntimeError("there is no block of free ports left on this machine")

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < BLOCK:
            raise IndexError(index)
        return self._start + index

    def release(self) -> None:
        """Give the block back."""
        self._lock.close()


if __name__ == "__main__":
    held = Ports()
    print(held[0], flush=True)
    sys.stdin.read()
