"""The control plane over HTTP: keys, limits, what is remembered of requests, and what tests ask and set.

    GET  /simulator/requests      every request, in order: method, path, query, body, time, requestid, status, code, organisation
    GET  /simulator/violations    what requests had that the reference does not allow
    GET  /simulator/jobs          all jobs as they are described
    POST /simulator/faults        what goes wrong from now on; `faults.py` lists it

Nothing that is remembered holds a key or a password: the header is not kept, and secret fields of bodies are left out.
"""

import json
import threading
import time
import uuid
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import documented
from documented import Endpoint
from mover import Failed
from plane import Key, Plane, Refused
from shapes import Shapes

# For each key and call.
PER_SECOND = 20
SECRET_FIELDS = {"accessKey", "secretKey", "token", "password"}
DEPRECATED = ("toExisting", "toNewDedicated")


class LostAnswer(Exception):
    """The request was carried out, and its answer never arrives."""


def without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "***" if name in SECRET_FIELDS and inner else without_secrets(inner) for name, inner in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


class Simulator:
    """The plane, and what it remembers of requests."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.plane, self.sloppy = Plane(config), bool(config.get("sloppy"))
        self.shapes = Shapes(self.sloppy)
        self.requests: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.lock = threading.Lock()
        self.recent: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def violation(self, what: str) -> None:
        with self.lock:
            self.violations.append(what)

    def key(self, header: str | None) -> tuple[str, Key]:
        word, _, key = (header or "").partition(" ")
        if word != "Bearer" or key not in self.plane.keys:
            if self.sloppy:
                raise Refused(documented.KEY_ILLEGAL, "The apikey is illegal.")
            raise Refused(documented.BAD_TOKEN, "Invalid token: it is none of this simulator's keys.", 401)
        return key, self.plane.keys[key]

    def limit(self, key: str, endpoint: Endpoint) -> None:
        now = time.monotonic()
        with self.lock:
            recent = self.recent[key, endpoint.name]
            while recent and recent[0] <= now - 1:
                recent.popleft()
            if len(recent) >= PER_SECOND:
                raise Refused(documented.TOO_MANY, f"More than {PER_SECOND} requests a second.", 429)
            recent.append(now)

    def refuse_on_request(self, endpoint: Endpoint) -> None:
        """Faults that come before anything is done."""
        faults = self.plane.faults
        if endpoint.name in DEPRECATED and (gone := faults.get("gone")):
            raise Refused(documented.BAD_PARAMETER, "This endpoint is deprecated and no longer available.", gone)
        if refused := faults.takes("refuse", endpoint.name):
            raise Refused(refused["status"], "Refused on request of the test.", refused["status"])
        if failure := faults.takes("fail", endpoint.name):
            raise Refused(failure["code"], failure["message"])

    def check(self, endpoint: Endpoint, query: dict[str, list[str]], body: Any) -> None:
        found = list(documented.complaints_about_query(query, endpoint))
        if endpoint.body is not None:
            found += documented.complaints(body, endpoint.body, endpoint.name)
        elif body:
            found.append(f"{endpoint.name} takes no body")
        if found:
            raise Refused(documented.BAD_PARAMETER, f"Incorrect parameter: {'; '.join(found)}.", strict=True)

    def answer(self, method: str, target: str, headers: Any, raw: bytes, record: dict[str, Any]) -> dict[str, Any]:
        """The body of the answer. Raises what is wrong instead."""
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = "no JSON"
        record |= {"query": {name: values[0] for name, values in query.items()}, "body": without_secrets(body)}
        key, rights = self.key(headers.get("Authorization"))
        record["organisation"] = rights.organisation
        found = documented.find(method, parts.path)
        if found is None:
            raise Refused(documented.BAD_PARAMETER, "No such path is documented.", 404, strict=True)
        endpoint, variable = found
        record["endpoint"] = endpoint.name
        self.limit(key, endpoint)
        self.refuse_on_request(endpoint)
        if raw and headers.get_content_type() != "application/json":
            raise Refused(documented.BAD_PARAMETER, "The body is not said to be application/json.", strict=True)
        self.check(endpoint, query, body)
        data = self.plane.answer(endpoint.name, rights, variable, record["query"], body or {})
        if self.plane.faults.takes("lose_answer", endpoint.name):
            raise LostAnswer
        return self.shapes.answer(endpoint.name, data)

    def control(self, method: str, path: str, raw: bytes) -> Any:
        """What only tests ask."""
        with self.lock:
            if (method, path) == ("GET", "/simulator/requests"):
                return list(self.requests)
            if (method, path) == ("GET", "/simulator/violations"):
                return list(self.violations)
        if (method, path) == ("GET", "/simulator/jobs"):
            return [job.described() for job in list(self.plane.jobs.values())]
        if (method, path) == ("POST", "/simulator/faults"):
            given = json.loads(raw)
            self.plane.do(given)
            if given.get("forget"):
                self.violations.clear()
            return {}
        raise ValueError(f"{method} {path} is nothing that this simulator knows")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Otherwise an answer on a connection that is kept open waits for the last one's acknowledgement.
    disable_nagle_algorithm = True
    simulator: Simulator

    def answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/simulator/"):
            try:
                return self.send(200, self.simulator.control(self.command, self.path, raw), {})
            except (ValueError, KeyError) as problem:
                return self.send(400, {"message": str(problem)}, {})
        number, path = uuid.uuid4().hex, urlsplit(self.path).path
        record = {"method": self.command, "path": path, "time": time.time(), "requestid": number, "status": 200, "code": 0}
        with self.simulator.lock:
            self.simulator.requests.append(record)
        try:
            body = self.simulator.answer(self.command, self.path, self.headers, raw, record)
        except LostAnswer:
            record["status"] = None
            self.close_connection = True
            return
        except Refused as refused:
            if refused.strict:
                self.simulator.violation(f"{self.command} {path}: {refused.message}")
            record |= {"status": refused.status, "code": refused.code}
            body = {"code": refused.code, "message": refused.message}
        except Failed as problem:
            record["code"] = documented.BAD_PARAMETER
            body = {"code": documented.BAD_PARAMETER, "message": str(problem)}
        except Exception as problem:
            # A mistake of the simulator, which no test may take for the service's.
            self.simulator.violation(f"{self.command} {path}: the simulator failed: {type(problem).__name__}: {problem}")
            record |= {"status": 500, "code": 500}
            body = {"code": 500, "message": "the simulator failed"}
        self.send(record["status"], body, {"requestid": number})

    def send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(raw))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            # Whoever asked has gone, which is no news in a test that kills it.
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = answer

    def log_message(self, *_: Any) -> None:
        """Everything is in `requests`."""


def serve(config: dict[str, Any]) -> ThreadingHTTPServer:
    """Start answering, on a port of 127.0.0.1 that is free."""
    simulator = Simulator(config)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"simulator": simulator}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
