"""Jobs of the control plane. A migration moves its rows for real, in a thread of its own, whoever asks about it meanwhile.

Of a collection that fails the reference says nothing but that a job has one reason. Here the others of its job arrive, the job
ends FAILED, and its reason names each that did not arrive; with the fault `stop_at_first` those behind it are left alone.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from pymilvus import MilvusException

import mover
from faults import Faults
from mover import Failed, Move, Side

GOING = ("PENDING", "IN_PROGRESS", "CANCELING")
STEP = 0.02


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Canceled(Exception):
    """Somebody stopped the job."""


class Job:
    """A job as `GET /v2/jobs/{id}` describes it."""

    def __init__(self, number: str, kind: str, clusters: tuple[str, ...], faults: Faults) -> None:
        self.id, self.kind, self.clusters, self.faults = number, kind, clusters, faults
        self.status, self.progress, self.reason = "PENDING", 0, ""
        self.started, self.ended = now(), ""
        self.canceled = threading.Event()

    def described(self) -> dict[str, Any]:
        return {
            "jobId": self.id, "type": self.kind, "status": self.faults.get("job_word") or self.status,
            "progress": str(self.progress), "startTime": self.started, "endTime": self.ended, "reason": self.reason,
        }

    def is_going(self) -> bool:
        return self.status in GOING

    def cancel(self) -> None:
        if self.is_going():
            self.status = "CANCELING"
            self.canceled.set()

    def start(self, work: Callable[["Job"], list[str]]) -> None:
        """Carry out `work` in the background; it returns what went wrong."""
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def wait_while(self, condition: Callable[[], Any]) -> None:
        """Wait as long as this holds; a cancellation ends it."""
        while condition():
            if self.canceled.wait(STEP):
                raise Canceled

    def check(self) -> None:
        if self.canceled.is_set():
            raise Canceled

    def _run(self, work: Callable[["Job"], list[str]]) -> None:
        began = time.monotonic()
        wrong: list[str] = []
        end = "FAILED"
        try:
            pending = self.faults.get("pending_seconds") or 0
            self.wait_while(lambda: self.faults.get("hold_pending") or time.monotonic() < began + pending)
            self.check()
            self.status = "IN_PROGRESS"
            wrong = work(self)
            self.wait_while(lambda: self.faults.get("hold_jobs"))
            end = "FAILED" if wrong else "SUCCESSFUL"
        except Canceled:
            # Seen by somebody who asks now and then.
            time.sleep(STEP * 10)
            end = "CANCELED"
        except Exception as problem:
            wrong.append(str(problem))
        if end == "SUCCESSFUL":
            self.progress = 100
        self.reason, self.ended = "; ".join(wrong), now()
        # Last, because whoever reads it expects the rest to be there.
        self.status = end


def migration(source: Side, target: Side, moves: list[Move], seconds: float) -> Callable[[Job], list[str]]:
    """The work of a migration job, which takes these seconds at least."""

    def open_source(job: Job, move: Move) -> mover.Source | str:
        reason = (job.faults.get("fail_collections") or {}).get(str(move))
        if reason:
            return reason
        try:
            found = mover.Source(source, move)
            found.load()
            return found
        except (Failed, MilvusException) as problem:
            return str(problem)

    def work(job: Job) -> list[str]:
        began, wrong = time.monotonic(), []
        opened = [(move, open_source(job, move)) for move in moves]
        try:
            for number, (move, found) in enumerate(opened, 1):
                job.check()
                try:
                    if isinstance(found, str):
                        raise Failed(found)
                    found.wait_loaded()
                    mover.copy(found, target)
                except (Failed, MilvusException) as problem:
                    wrong.append(f"{move}: {problem}")
                    if job.faults.get("stop_at_first"):
                        break
                due = began + seconds * number / len(opened)
                job.wait_while(lambda: time.monotonic() < due)
                job.progress = min(99, 100 * number // len(opened))
        finally:
            for _, found in opened:
                if isinstance(found, mover.Source):
                    found.put_back()
        return wrong

    return work


def refusal(reason: str) -> Callable[[Job], list[str]]:
    """Work that this simulator cannot do, and says so."""
    return lambda _: [reason]
