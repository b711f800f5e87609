"""What goes wrong on request. Tests set it with `POST /simulator/faults`; what a request names replaces what was there.

    fail_collections    {"database.collection": "reason"}: these fail in every job
    stop_at_first       true: a job ends at the first collection that fails, and leaves the ones after it alone
    lose_answer         {"toExisting": 1}: as often, a call is carried out and its answer is lost
    refuse              {"clusters": {"status": 503, "times": 2}}: as often, a call is refused and not carried out
    fail                {"createDedicated": {"code": 80010, "message": "…", "times": 1}}: the same as a failure in an answer
    hold_pending        true: jobs stay PENDING until it is false
    hold_jobs           true: jobs stay IN_PROGRESS with their rows moved, until it is false
    pending_seconds     how long a job stays PENDING
    job_word            status word of every job, whatever it does
    cluster_word        {"in01-…": "WORD"}: status word of a cluster
    gone                404 or 410: what the migration endpoints answer that are deprecated
    no_job_id           true: the answer that starts a migration says no job id
    cancel              a job's id, or "all": canceled as in the console; it is CANCELING first, then CANCELED
    suspend             a cluster's id: suspended as in the console
    forget              true: violations so far were made on purpose
"""

import threading
from typing import Any

NAMES = {
    "fail_collections", "stop_at_first", "lose_answer", "refuse", "fail", "hold_pending", "hold_jobs", "pending_seconds",
    "job_word", "cluster_word", "gone", "no_job_id",
}
# Done once, by `plane.py` and `web.py`, instead of being kept.
DEEDS = {"cancel", "suspend", "forget"}


class Faults:
    """The faults that are set."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._lock = threading.Lock()
        self._set: dict[str, Any] = {}
        self.set(given)

    def set(self, given: dict[str, Any]) -> None:
        """Set these and keep the others; a name that nobody knows is a mistake in the test."""
        unknown = given.keys() - NAMES - DEEDS
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        with self._lock:
            self._set.update({name: value for name, value in given.items() if name in NAMES})

    def get(self, name: str) -> Any:
        """What is set, or nothing."""
        with self._lock:
            return self._set.get(name)

    def takes(self, name: str, key: str) -> Any:
        """The fault of this call, once less often from now on."""
        with self._lock:
            each = self._set.get(name) or {}
            found = each.get(key)
            times = found.get("times", 1) if isinstance(found, dict) else found
            if not times:
                return None
            if isinstance(found, dict):
                found["times"] = times - 1
            else:
                each[key] = times - 1
            return found
