#!/usr/bin/env python3
"""Run one real server in a folder of its own, for as long as whoever started this holds our standard input open.

    .servers/venv/bin/python servers/serve.py milvus|lite|s3 [NAME=JSON...]

The settings are for Milvus, by the names that the wheel's configuration gives them: `authorization_enabled=true`.

The server ends when standard input is closed, so it also ends when the test process or the demo is killed: the kernel
closes their end of the pipe. Should this process itself be killed, the kernel kills the server (PR_SET_PDEATHSIG). That
signal is sent when the *thread* that started a process ends, which is why a test, whose threads come and go, leaves the
starting to this process with its one thread.

Standard output carries one JSON object a line: `{"event": "ready", "uri": …, "pid": …, "dir": …}` or
`{"event": "failed", "reason": …}` after a start, `{"event": "killed"}` after a kill.
Standard input takes one command a line: `kill` (SIGKILL), `restart` (orderly end, if it still lives, and a new start over
the same data on the same ports), `stop`.

"Ready" is not an open port but an answer: GetVersion and a listing of collections over gRPC, and for Milvus also its own
health page, which waits for every component inside. The object store has to give out a place to write to.
"""

import base64
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc

from ports import Ports

HERE = Path(__file__).resolve().parent
MILVUS = HERE.parent / ".servers" / "milvus"
START_LIMIT = 120.0
STOP_LIMIT = 10.0
TRIES = 3
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class StartFailed(Exception):
    """The server ended or stayed silent; the message holds the end of its log."""


def die_with_parent() -> None:
    """Between fork and exec: ask the kernel to kill the server when this process ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def call(port: int, method: str) -> bytes:
    """One gRPC call with an empty request. The reply is left undecoded, so no generated client has to be loaded.

    The login is the one that every new server has; one that asks for none does not look at it.
    """
    login = [("authorization", base64.b64encode(b"root:Milvus").decode())]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = channel.unary_unary(f"/milvus.proto.milvus.MilvusService/{method}")
        return stub(b"", timeout=5, metadata=login)


def answers(port: int) -> bool:
    """Whether the server knows its version and lists collections; an error status has a first byte other than zero."""
    try:
        return bool(call(port, "GetVersion")) and call(port, "ShowCollections")[1:2] in (b"", b"\0")
    except grpc.RpcError:
        return False


class Milvus:
    """The real Milvus 2.3.5 standalone, with etcd and the message queue inside its one process.

    Its etcd, told by ETCD_CONFIG_PATH, listens on loopback. Every other port of 2.3.5 is opened on all interfaces, whatever
    the configuration says: `ip` only chooses the address that the components tell each other.
    """

    # By the index into the block of ports. The wheel's starter knows these names.
    PORTS = [
        "proxy_port", "proxy_internal_port", "root_coord_port", "query_coord_port", "query_node_port", "index_coord_port",
        "index_node_port", "data_coord_port", "data_node_port", "etcd_port",
    ]
    ETCD, ETCD_PEER, METRICS = 9, 10, 11

    def __init__(self, folder: Path, ports: Ports, settings: dict[str, Any]) -> None:
        self.folder, self.ports, self.port, self.settings = folder, ports, ports[0], settings
        self.log = folder / "server.log"
        self.scheme = "https" if settings.get("tls_mode") else "http"

    def prepare(self) -> None:
        """Write the configuration from the template that the wheel brings."""
        from milvus import MilvusServerConfig

        chosen = {name: self.ports[index] for index, name in enumerate(self.PORTS)}
        config = MilvusServerConfig(data_dir=str(self.folder), **chosen)
        for part in ("proxy", "rootCoord", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode"):
            config.set(f"{part}.ip", "127.0.0.1")
        config.set("log.level", "warn")
        for name, value in self.settings.items():
            config.set(name, value)
        config.resolve()
        client = f"http://127.0.0.1:{self.ports[self.ETCD]}"
        peer = f"http://127.0.0.1:{self.ports[self.ETCD_PEER]}"
        (self.folder / "etcd.yaml").write_text(
            f"data-dir: {self.folder}/data/etcd.data\n"
            f"listen-client-urls: {client}\nadvertise-client-urls: {client}\n"
            f"listen-peer-urls: {peer}\ninitial-advertise-peer-urls: {peer}\ninitial-cluster: default={peer}\n"
            "log-level: warn\nquota-backend-bytes: 4294967296\n"
            "auto-compaction-mode: revision\nauto-compaction-retention: '1000'\n"
        )

    def command(self) -> tuple[list[str], dict[str, str]]:
        return [str(MILVUS / "bin" / "milvus"), "run", "standalone"], {
            "DEPLOY_MODE": "STANDALONE",
            "ETCD_CONFIG_PATH": str(self.folder / "etcd.yaml"),
            "LD_LIBRARY_PATH": str(MILVUS / "bin"),
            "METRICS_PORT": str(self.ports[self.METRICS]),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
            # The template has some of the settings only; from the environment the server takes any.
            **{name: json.dumps(value) for name, value in self.settings.items() if "." in name},
        }

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[self.METRICS]}/healthz", timeout=5) as page:
                # A server with TLS would want a certificate for an answer, and its own word is nearly as good.
                return b"OK" in page.read() and (self.scheme == "https" or answers(self.port))
        except OSError:
            return False


class Lite:
    """milvus-lite 3.2.2, which speaks the protocol of today's Milvus."""

    scheme = "http"

    def __init__(self, folder: Path, ports: Ports, settings: dict[str, Any]) -> None:
        self.folder, self.ports, self.port = folder, ports, ports[0]
        self.log = folder / "server.log"
        if settings:
            raise StartFailed(f"milvus-lite has no settings: {settings}")

    def prepare(self) -> None:
        """It takes everything on its command line."""

    def command(self) -> tuple[list[str], dict[str, str]]:
        start = "from milvus_lite.cmdline import main; main()"
        place = ["--data-dir", str(self.folder / "data"), "--host", "127.0.0.1", "--port", str(self.port)]
        return [sys.executable, "-c", start, "server", *place], {}

    def is_ready(self) -> bool:
        return answers(self.port)


class S3:
    """SeaweedFS 4.48, a real object store that speaks S3 and keeps the conditions of a put. One bucket, and two keys: one that
    may do everything, and one that may do nothing.
    """

    scheme = "http"
    # By the index into the block of ports.
    S3, MASTER, FILER, VOLUME = 0, 2, 4, 6
    BUCKET = "vecferry-tests"

    def __init__(self, folder: Path, ports: Ports, settings: dict[str, Any]) -> None:
        self.folder, self.ports, self.port = folder, ports, ports[self.S3]
        self.log = folder / "server.log"
        if settings:
            raise StartFailed(f"the object store has no settings: {settings}")

    def prepare(self) -> None:
        """Write who may do what. The keys carry the mark by which tests look for secrets in what is printed."""
        def identity(name: str, actions: list[str]) -> dict[str, Any]:
            return {"name": name, "actions": actions, "credentials": [{"accessKey": name, "secretKey": f"Sup3rS3cret-of-{name}"}]}

        everything = ["Admin", "Read", "Write", "List"]
        allowed = {"identities": [identity("tests", everything), identity("nobody", [])]}
        (self.folder / "s3.json").write_text(json.dumps(allowed))

    def command(self) -> tuple[list[str], dict[str, str]]:
        # Alone, it need not find out who leads, and what it knew of that only keeps it waiting after a kill.
        shutil.rmtree(self.folder / f"m{self.ports[self.MASTER]}", ignore_errors=True)
        command = [
            str(Path(sys.executable).parent / "weed"), "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-filer", "-s3", f"-s3.config={self.folder}/s3.json", "-s3.iam=false", "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=20",
            "-master.telemetry=false", "-master.electionTimeout=1s",
        ]
        for name, index in (("s3", self.S3), ("master", self.MASTER), ("filer", self.FILER), ("volume", self.VOLUME)):
            command += [f"-{name}.port={self.ports[index]}", f"-{name}.port.grpc={self.ports[index + 1]}"]
        return command, {}

    def is_ready(self) -> bool:
        try:
            place = f"http://127.0.0.1:{self.ports[self.MASTER]}/dir/assign?collection={self.BUCKET}"
            with urllib.request.urlopen(place, timeout=5) as page:
                if b"fid" not in page.read():
                    return False
            self.make_bucket()
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as page:
                return page.status == 200
        except OSError:
            return False

    def make_bucket(self) -> None:
        """A bucket is a folder of the server's own file system. After a restart it is there already."""
        bucket = f"http://127.0.0.1:{self.ports[self.FILER]}/buckets/{self.BUCKET}/"
        try:
            urllib.request.urlopen(urllib.request.Request(bucket, method="POST"), timeout=5).close()
        except urllib.error.HTTPError as problem:
            if problem.code != 409:
                raise


KINDS = {"milvus": Milvus, "lite": Lite, "s3": S3}


class Supervisor:
    """Starts, ends and restarts the one server."""

    def __init__(self, kind: str, settings: dict[str, Any]) -> None:
        self.kind, self.settings = kind, settings
        self.folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start_somewhere(self) -> None:
        """Start with a fresh folder and fresh ports; with others, should somebody take one of these in between."""
        for attempt in range(TRIES):
            self.folder = Path(tempfile.mkdtemp(prefix=f"vecferry-{self.kind}-"))
            ports = Ports()
            try:
                self.server = KINDS[self.kind](self.folder, ports, self.settings)
                self.server.prepare()
                return self.start()
            except (StartFailed, RuntimeError):
                self.clean_up()
                ports.release()
                if attempt + 1 == TRIES:
                    raise

    def start(self) -> None:
        command, variables = self.server.command()
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        with self.server.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent,
            )
        limit = time.monotonic() + START_LIMIT
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                raise StartFailed(f"{self.kind} ended with status {self.process.returncode} at its start\n{self.log_tail()}")
            if self.server.is_ready():
                return
            if is_input_closed():
                raise KeyboardInterrupt
            time.sleep(0.1)
        raise StartFailed(f"{self.kind} was not ready after {START_LIMIT:.0f} s\n{self.log_tail()}")

    def log_tail(self) -> str:
        lines = self.server.log.read_text(errors="replace").splitlines()
        return "\n".join(line[:500] for line in lines[-40:])

    def end(self, first: signal.Signals) -> None:
        """End the server and everything it started, if it still lives."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(first)
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def clean_up(self) -> None:
        """The data is thrown away, so nobody waits for an orderly end."""
        self.end(signal.SIGKILL)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def say_ready(self) -> None:
        say("ready", uri=f"{self.server.scheme}://127.0.0.1:{self.server.port}", pid=self.process.pid, dir=str(self.folder))


def say(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def is_input_closed() -> bool:
    """Whether the other end of standard input is gone, without taking a command from it."""
    poll = select.poll()
    poll.register(0, 0)
    return any(state & (select.POLLHUP | select.POLLERR) for _, state in poll.poll(0))


def serve(supervisor: Supervisor) -> None:
    supervisor.start_somewhere()
    supervisor.say_ready()
    for line in sys.stdin:
        match line.strip():
            case "kill":
                supervisor.end(signal.SIGKILL)
                say("killed")
            case "restart":
                supervisor.end(signal.SIGTERM)
                supervisor.start()
                supervisor.say_ready()
            case "stop":
                return


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    # Ctrl-C reaches the whole group of the terminal; whoever started us decides, by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, interrupt)
    settings = dict(argument.split("=", 1) for argument in sys.argv[2:])
    supervisor = Supervisor(sys.argv[1], {name: json.loads(value) for name, value in settings.items()})
    try:
        serve(supervisor)
    except KeyboardInterrupt:
        pass
    except Exception as problem:
        try:
            say("failed", reason=str(problem))
        except BrokenPipeError:
            pass
    finally:
        # A second signal must not stop the cleaning.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.clean_up()


if __name__ == "__main__":
    main()
