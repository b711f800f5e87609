"""Clusters of the simulated control plane: what they are, and what becomes of them by the clock."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

DEDICATED = ("Standard", "Enterprise")
PREFIX = {"Free": "in03", "Serverless": "in05"}


@dataclass
class Cluster:
    """A cluster with the Milvus behind it. Times are those of `time.monotonic`."""

    clusterId: str
    clusterName: str
    projectId: str
    regionId: str
    plan: str
    milvus: str
    cuType: str = ""
    cuSize: int = 0
    description: str = ""
    # Status words, each with the time from which on it holds.
    stages: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, "RUNNING")])
    # From when on the address for clients is said.
    address_from: float = 0.0
    created: str = field(default_factory=lambda: datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @property
    def tier(self) -> str:
        """Free, Serverless or Dedicated."""
        return "Dedicated" if self.plan in DEDICATED else self.plan

    def status(self) -> str:
        return [word for since, word in self.stages if since <= time.monotonic()][-1]

    def go(self, word: str, seconds: float, then: str) -> None:
        """Say one word for these seconds, and another one from then on."""
        start = time.monotonic()
        self.stages = [(start, word), (start + seconds, then)]

    def progress(self) -> int:
        """How far it is made, in percent."""
        if self.status() != "CREATING":
            return 100
        start, end = self.stages[0][0], self.stages[1][0]
        return min(99, int(100 * (time.monotonic() - start) / (end - start)))

    def listed(self, word: str) -> dict[str, Any]:
        """As in a list of clusters, with this status word."""
        return {
            "clusterId": self.clusterId, "clusterName": self.clusterName, "projectId": self.projectId,
            "description": self.description, "regionId": self.regionId, "cuType": self.cuType, "cuSize": self.cuSize,
            "plan": self.plan, "status": word, "privateLinkAddress": "", "createTime": self.created,
            "connectAddress": self.milvus if time.monotonic() >= self.address_from else "",
            "deploymentOption": self.tier,
        }

    def described(self, word: str) -> dict[str, Any]:
        """As described alone."""
        more = {"replica": 1, "storageSize": 0, "snapshotNumber": 0, "createProgress": self.progress()}
        return self.listed(word) | more


def from_config(given: dict[str, Any]) -> Cluster:
    """A cluster that the configuration names."""
    status = given.pop("status", "RUNNING")
    return Cluster(**given, stages=[(0.0, status)])
