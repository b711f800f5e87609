"""What the control plane does: clusters, projects, jobs and migrations, for a key that sees some of them."""

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import documented
import jobs
from clusters import PREFIX, Cluster, from_config
from faults import Faults
from mover import Failed, Move, Side

REGIONS = (
    ("aws", "aws-us-west-2"), ("aws", "aws-eu-central-1"), ("aws", "aws-eu-west-1"), ("gcp", "gcp-us-west1"),
    ("az", "az-westus3"),
)
CLOUDS = (("aws", "Amazon Web Services"), ("gcp", "Google Cloud Platform"), ("azure", "Microsoft Azure"))
DOMAIN = "api.cloud.zilliz.com"
# Where a source's kind may go. Everything else is refused.
COMPATIBLE = {("Serverless", "Serverless"), ("Free", "Dedicated"), ("Serverless", "Dedicated"), ("Dedicated", "Dedicated")}
MOST_COLLECTIONS = {"Free": 5, "Serverless": 10, "Dedicated": 10}


class Refused(Exception):
    """An answer with a code. Business failures come with status 200; `strict` marks what the reference does not allow."""

    def __init__(self, code: int, message: str, status: int = 200, strict: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.strict = code, message, status, strict


@dataclass
class Speeds:
    """How long things take, in seconds."""

    create_seconds: float = 0.2
    # After the cluster was asked for; later than `create_seconds`, it is RUNNING for a while without an address.
    connect_seconds: float = 0.2
    resume_seconds: float = 0.2
    job_seconds: float = 0.0


@dataclass
class Key:
    """What a key may see: projects, and of their clusters all or some."""

    organisation: str
    projects: list[str]
    clusters: list[str] | None = None


class Plane:
    """The control plane. Every method that answers a request holds the lock; jobs work without it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.lock = threading.RLock()
        self.faults = Faults(config.get("faults", {}))
        self.keys = {key: Key(**what) for key, what in config["keys"].items()}
        self.projects: list[dict[str, Any]] = config["projects"]
        self.clusters = {cluster.clusterId: cluster for cluster in map(from_config, config.get("clusters", []))}
        self.spare: list[str] = list(config.get("spare", []))
        self.speeds = Speeds(**config.get("speeds", {}))
        self.jobs: dict[str, jobs.Job] = {}
        self.backups: dict[str, dict[str, Any]] = config.get("backups", {})
        self.imports: dict[str, dict[str, Any]] = {}
        self.regions = [(cloud, region) for cloud, region in config.get("regions", REGIONS)]

    def do(self, given: dict[str, Any]) -> None:
        """What somebody does in the console, and faults."""
        with self.lock:
            self.faults.set(given)
            for job in self.jobs.values():
                if given.get("cancel") in (job.id, "all"):
                    job.cancel()
            if "suspend" in given:
                self.clusters[given["suspend"]].go("STOPPING", 0, "STOPPED")

    def answer(self, name: str, key: Key, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> Any:
        """The data of the answer to one documented call."""
        with self.lock:
            match name:
                case "clusters":
                    return self._list(key, query)
                case "cluster":
                    cluster = self._cluster(key, parts["cluster"])
                    return cluster.described(self._word(cluster))
                case "createDedicated" | "createServerless" | "createFree":
                    return self._made(self._create(key, name, body))
                case "resume" | "suspend" | "drop":
                    return self._turn(self._cluster(key, parts["cluster"]), name)
                case "projects":
                    return [self._project(project) for project in self.projects if project["projectId"] in key.projects]
                case "clouds":
                    return [{"cloudId": cloud, "description": what} for cloud, what in CLOUDS]
                case "regions":
                    wanted = [(c, r) for c, r in self.regions if query.get("cloudId", c) == c]
                    return [{"cloudId": cloud, "regionId": region, "domain": DOMAIN} for cloud, region in wanted]
                case "job":
                    return self._job(key, parts["job"]).described()
                case "toExisting":
                    return self._to_existing(key, body)
                case "toNewDedicated":
                    return self._to_new(key, body)
                case "startByRemote":
                    return self._from_remote(key, body)
                case "importCreate":
                    return self._import(key, body)
                case "importDescribe" | "importProgress":
                    return self._import_job(key, body)
                case "importList":
                    return self._imports(key, body)
        raise Refused(documented.BAD_PARAMETER, f"{name} is not simulated", 404, strict=True)

    # Clusters.

    def _sees(self, key: Key, cluster: Cluster) -> bool:
        allowed = key.clusters is None or cluster.clusterId in key.clusters
        return allowed and cluster.projectId in key.projects and cluster.status() != "DELETED"

    def _cluster(self, key: Key, number: str) -> Cluster:
        cluster = self.clusters.get(number)
        if cluster is None or not self._sees(key, cluster):
            raise Refused(documented.NO_CLUSTER, f"Invalid clusterId {number}, or no permission to it.")
        return cluster

    def _word(self, cluster: Cluster) -> str:
        word = (self.faults.get("cluster_word") or {}).get(cluster.clusterId)
        migrates = any(job.is_going() and cluster.clusterId in job.clusters for job in self.jobs.values())
        status = cluster.status()
        return word or ("MIGRATING" if migrates and status == "RUNNING" else status)

    def _list(self, key: Key, query: dict[str, str]) -> dict[str, Any]:
        size, page = int(query.get("pageSize", 10)), int(query.get("currentPage", 1))
        if not 1 <= size <= 100:
            raise Refused(documented.BAD_PAGE_SIZE, "pageSize is from 1 to 100.")
        if page < 1:
            raise Refused(documented.BAD_PAGE, "currentPage starts at 1.")
        seen = [c for c in self.clusters.values() if self._sees(key, c) and query.get("region", c.regionId) == c.regionId]
        shown = seen[(page - 1) * size : page * size]
        listed = [cluster.listed(self._word(cluster)) for cluster in shown]
        return {"count": len(seen), "currentPage": page, "pageSize": size, "clusters": listed}

    def _create(self, key: Key, name: str, wanted: dict[str, Any]) -> Cluster:
        dedicated = name in ("createDedicated", "toNewDedicated")
        plan = wanted.get("plan", "Standard") if dedicated else name.removeprefix("create")
        project = next((p for p in self.projects if p["projectId"] == wanted["projectId"]), None)
        if project is None or project["projectId"] not in key.projects:
            raise Refused(documented.BAD_PARAMETER, f"There is no project {wanted['projectId']}, or no permission to it.")
        if wanted["regionId"] not in [region for _, region in self.regions]:
            raise Refused(documented.BAD_PARAMETER, f"There is no region {wanted['regionId']}.")
        if project.get("regionIds") and wanted["regionId"] not in project["regionIds"]:
            raise Refused(documented.BAD_PARAMETER, f"The region {wanted['regionId']} is not bound to the project.")
        if dedicated:
            self._check_units(plan, wanted)
        mine = [cluster for cluster in self.clusters.values() if cluster.status() != "DELETED"]
        if any(c.clusterName == wanted["clusterName"] and c.projectId == wanted["projectId"] for c in mine):
            raise Refused(documented.NAME_TAKEN, f"The cluster name {wanted['clusterName']} is taken.")
        if plan == "Free" and any(c.plan == "Free" and c.projectId in key.projects for c in mine):
            raise Refused(documented.BAD_PARAMETER, "An organization has one Free cluster at most.")
        if not self.spare:
            raise Refused(documented.BAD_PARAMETER, "This simulator has no Milvus left for another cluster.")
        start = time.monotonic()
        cluster = Cluster(
            clusterId=f"{PREFIX.get(plan, 'in01')}-{secrets.token_hex(8)[:15]}", clusterName=wanted["clusterName"],
            projectId=wanted["projectId"], regionId=wanted["regionId"], plan=plan, milvus=self.spare.pop(0),
            cuType=wanted.get("cuType", ""), cuSize=wanted.get("cuSize", 0), description=wanted.get("description", ""),
            address_from=start + self.speeds.connect_seconds,
        )
        cluster.go("CREATING", self.speeds.create_seconds, "RUNNING")
        self.clusters[cluster.clusterId] = cluster
        if key.clusters is not None:
            key.clusters.append(cluster.clusterId)
        return cluster

    def _check_units(self, plan: str, wanted: dict[str, Any]) -> None:
        if plan not in documented.NEW_PLANS:
            raise Refused(documented.BAD_PARAMETER, f"There is no plan {plan} for dedicated clusters.", strict=True)
        if wanted["cuType"] not in documented.CU_TYPES:
            raise Refused(documented.BAD_CU_TYPE, f"There is no cuType {wanted['cuType']}.", strict=True)
        if wanted["cuSize"] not in documented.CU_SIZES or (plan == "Standard" and wanted["cuSize"] > 32):
            raise Refused(documented.BAD_CU_SIZE, f"There is no cuSize {wanted['cuSize']} with the plan {plan}.")

    def _made(self, cluster: Cluster) -> dict[str, Any]:
        """The answer to a creation, which says the password this once. It is kept nowhere."""
        user = "db_admin" if cluster.tier == "Dedicated" else f"db_{secrets.token_hex(4)}"
        return {
            "clusterId": cluster.clusterId, "username": user, "password": f"Sup3rS3cret-{secrets.token_hex(8)}",
            "prompt": "Successfully submitted, the cluster is being created. Describe the cluster to learn how far it is.",
        }

    def _turn(self, cluster: Cluster, what: str) -> dict[str, Any]:
        word = self._word(cluster)
        if what != "drop" and cluster.plan == "Serverless":
            raise Refused(documented.NOT_FOR_SERVERLESS, "The operation is not supported for serverless clusters.")
        start, seconds, end, fits = {
            "resume": ("RESUMING", self.speeds.resume_seconds, "RUNNING", ("STOPPED", "STOPPING")),
            "suspend": ("STOPPING", self.speeds.resume_seconds, "STOPPED", ("RUNNING",)),
            "drop": ("DELETING", 0.0, "DELETED", ("RUNNING", "STOPPED")),
        }[what]
        if word not in fits:
            raise Refused(documented.BAD_STATUS, f"The action is not available while the cluster is {word}.")
        cluster.go(start, seconds, end)
        return {"clusterId": cluster.clusterId, "prompt": "Successfully submitted."}

    def _project(self, project: dict[str, Any]) -> dict[str, Any]:
        many = sum(cluster.projectId == project["projectId"] for cluster in self.clusters.values())
        common = {"createTime": "2024-06-30T16:34:09Z", "plan": "Enterprise", "orgType": "SAAS", "description": ""}
        regions = [region for _, region in self.regions]
        return common | {"regionIds": regions, "instanceCount": many, "projectName": project["projectId"]} | project

    # Jobs.

    def _job(self, key: Key, number: str) -> jobs.Job:
        job = self.jobs.get(number)
        if job is None or not any(self._sees(key, self.clusters[cluster]) for cluster in job.clusters):
            raise Refused(documented.BAD_PARAMETER, f"There is no job {number}.")
        return job

    def _start(self, kind: str, clusters: tuple[str, ...], work: Any) -> dict[str, Any]:
        job = jobs.Job(f"job-{secrets.token_hex(11)}", kind, clusters, self.faults)
        self.jobs[job.id] = job
        job.start(work)
        return {} if self.faults.get("no_job_id") else {"jobId": job.id}

    def _pair(self, key: Key, source: str, target: Cluster) -> Cluster:
        found = self._cluster(key, source)
        if (found.tier, target.tier) not in COMPATIBLE:
            raise Refused(documented.BAD_PARAMETER, f"A migration from {found.tier} to {target.tier} is not supported.")
        if found is target:
            raise Refused(documented.BAD_PARAMETER, "The source and the destination are one cluster.")
        for cluster in (found, target):
            if self._word(cluster) not in ("RUNNING", "MIGRATING", "CREATING"):
                raise Refused(documented.BAD_STATUS, f"The cluster {cluster.clusterId} is {self._word(cluster)}.")
        return found

    def _to_existing(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        target = self._cluster(key, body["destination"]["clusterId"])
        source = self._pair(key, body["source"]["clusterId"], target)
        if "dbCollections" not in body:
            raise Refused(documented.BAD_PARAMETER, "What no dbCollections mean is not documented.", strict=True)
        side, moves = Side(source.milvus), []
        for group in body["dbCollections"]:
            name = group.get("dbName", "default")
            named = [collection.get("collectionName", "") for collection in group.get("collections", [])]
            moves += [Move(name, collection, group.get("destDbName", name)) for collection in named or side.collections(name)]
        most = MOST_COLLECTIONS[target.tier]
        if len(moves) > most:
            raise Refused(documented.BAD_PARAMETER, f"{len(moves)} collections are more than the {most} of a job.", strict=True)
        work = jobs.migration(side, Side(target.milvus), moves, self.speeds.job_seconds)
        return self._start("MIGRATION", (source.clusterId, target.clusterId), work)

    def _to_new(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        source = self._cluster(key, body["source"]["clusterId"])
        target = self._create(key, "toNewDedicated", body["destination"])
        self._pair(key, source.clusterId, target)
        groups, side = body.get("dbCollections") or [{}], Side(source.milvus)

        def work(job: jobs.Job) -> list[str]:
            job.wait_while(lambda: target.status() == "CREATING")
            moves = []
            for group in groups:
                name = group.get("dbName", "default")
                try:
                    moves += [Move(name, one, group.get("destDbName", name)) for one in side.collections(name)]
                except Failed as problem:
                    return [str(problem)]
            return jobs.migration(side, Side(target.milvus), moves, self.speeds.job_seconds)(job)

        made = {name: value for name, value in self._made(target).items() if name != "prompt"}
        return made | self._start("MIGRATION", (source.clusterId, target.clusterId), work)

    def _from_remote(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        target = self._cluster(key, body.get("destination", {}).get("clusterId", ""))
        if self._word(target) not in ("RUNNING", "MIGRATING"):
            raise Refused(documented.BAD_STATUS, f"The cluster {target.clusterId} is {self._word(target)}.")
        source = body.get("source", {})
        folder = [source.get("bucketName"), source.get("path")] if source.get("bucketName") else [source.get("stageName"), source.get("dataPath")]
        place = source.get("objectUrl") or "/".join((part or "").strip("/") for part in folder)
        found = self.backups.get(place)
        if found is None:
            work = jobs.refusal(f"there is no backup at {place} that this simulator knows of")
        else:
            moves = [Move(found["database"], collection, found["database"]) for collection in found["collections"]]
            work = jobs.migration(Side(found["milvus"]), Side(target.milvus), moves, self.speeds.job_seconds)
        return self._start("MIGRATION", (target.clusterId,), work)

    # Imports.

    def _import(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        cluster = self._cluster(key, body.get("clusterId", ""))
        client = Side(cluster.milvus).database(body.get("dbName", "default"))
        if not client.has_collection(body["collectionName"]):
            raise Refused(47005, f"The collection {body['collectionName']} does not exist.")
        reason = "this is a simulator, which has no bucket to read files from"
        answer = self._start("IMPORT", (cluster.clusterId,), jobs.refusal(reason))
        for number in answer.values():
            self.imports[number] = {"collectionName": body["collectionName"], "dbName": body.get("dbName", "default")}
        return answer

    def _import_job(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        cluster, job = self._cluster(key, body["clusterId"]), self.jobs.get(body["jobId"])
        if job is None or job.id not in self.imports or cluster.clusterId not in job.clusters:
            raise Refused(documented.NO_IMPORT_JOB, f"The cluster has no import job {body['jobId']}.")
        common = {
            "fileName": "", "fileSize": 0, "state": self._import_state(job), "progress": job.progress,
            "completeTime": job.ended, "reason": job.reason, "totalRows": 0,
        }
        return {"jobId": job.id, "collectionName": self.imports[job.id]["collectionName"], **common, "details": [common]}

    def _import_state(self, job: jobs.Job) -> str:
        return {"PENDING": "Pending", "IN_PROGRESS": "Importing", "SUCCESSFUL": "Completed"}.get(job.status, "Failed")

    def _imports(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        cluster = self._cluster(key, body["clusterId"])
        size, page = body.get("pageSize", 10), body.get("currentPage", 1)
        records = [
            {"collectionName": what["collectionName"], "jobId": number, "state": self._import_state(self.jobs[number])}
            for number, what in self.imports.items()
            if cluster.clusterId in self.jobs[number].clusters and body.get("dbName", what["dbName"]) == what["dbName"]
        ]
        return {"count": len(records), "currentPage": page, "pageSize": size, "records": records[(page - 1) * size : page * size]}
