#!/usr/bin/env python3
"""Install the real Milvus servers and the Python client into `.servers/` of this checkout.

Needs nothing but Python's standard library. Running it again costs a fraction of a second when nothing has changed,
and two that run at once wait for each other.

    .servers/venv      a virtual environment with everything in requirements.txt
    .servers/milvus    the Milvus 2.3.5 server, unpacked once instead of at every start
"""

import fcntl
import hashlib
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".servers"
VENV = HOME / "venv"
PYTHON = VENV / "bin" / "python"
MILVUS = HOME / "milvus"
STAMP = HOME / "installed"
OLDEST_PYTHON = (3, 11)


def fingerprint() -> str:
    """What an installation was made from: when it changes, everything is made again."""
    parts = (HERE / "requirements.txt").read_bytes() + Path(__file__).read_bytes() + sys.version.encode()
    # A virtual environment holds absolute paths, so one that moved with its checkout is of no use.
    return hashlib.sha256(parts + str(VENV).encode()).hexdigest()


def is_current() -> bool:
    """Whether the last installation finished and was made from the same things."""
    return PYTHON.exists() and MILVUS.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def run(*command: str) -> None:
    """Run one step in silence; its output is shown only when it fails."""
    environment = os.environ | {"PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"servers/setup.py: this failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


def check_python() -> None:
    """Say what to install when this Python can't make a virtual environment."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"servers/setup.py: Python {'.'.join(map(str, OLDEST_PYTHON))} or later is needed, this is {sys.version}")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        sys.exit("servers/setup.py: this Python can't make virtual environments; on Debian: apt-get install python3-venv")


def unpack_milvus() -> None:
    """Unpack the server's binary and libraries, which the wheel carries compressed."""
    packed = next(VENV.glob("lib/python3*/site-packages/milvus/data"))
    fresh = HOME / "milvus.new"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "bin").mkdir(parents=True)
    for source in sorted((packed / "bin").glob("*.lzma")):
        target = fresh / "bin" / source.stem
        with lzma.open(source) as compressed, target.open("wb") as plain:
            shutil.copyfileobj(compressed, plain, 1 << 20)
        target.chmod(0o755)
    shutil.rmtree(MILVUS, ignore_errors=True)
    fresh.rename(MILVUS)


def install() -> None:
    """Make everything from nothing. The stamp comes last, so an interrupted installation is started over."""
    print("Installing the servers into .servers/ (once, about a minute)", file=sys.stderr, flush=True)
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-m", "venv", str(VENV))
    # Every package is listed with its version, so nothing is left for pip to resolve, and nothing is compiled here.
    requirements = str(HERE / "requirements.txt")
    run(str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--only-binary", ":all:", "-r", requirements)
    unpack_milvus()
    STAMP.write_text(fingerprint())


def main() -> None:
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current():
            check_python()
            install()


if __name__ == "__main__":
    main()
