"""What the public reference of the control plane says about requests, as data: paths, parameters, bodies and codes.

A shape is written as the reference writes a body: a key that ends in `*` is required. `str`, `int` and `dict` stand for
a value of that type, a list of one shape for a list of such values.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Shape = Any

# Codes of the service, from its list of errors.
KEY_ILLEGAL = 21119
BAD_STATUS = 40003
BAD_PARAMETER = 80000
BAD_TOKEN = 80001
BAD_PAGE_SIZE = 80003
BAD_PAGE = 80004
BAD_CU_TYPE = 80005
BAD_CU_SIZE = 80006
NAME_TAKEN = 80010
NO_CLUSTER = 80020
NOT_FOR_SERVERLESS = 80021
NO_IMPORT_JOB = 90144
# How the service says that it is asked too often is documented nowhere; the status of HTTP is the usual one.
TOO_MANY = 429

CU_TYPES = ("Performance-optimized", "Capacity-optimized", "Tiered-storage")
CU_SIZES = (1, 2, 4, *range(8, 65, 4), *range(72, 257, 8), *range(272, 1025, 16))
NEW_PLANS = ("Standard", "Enterprise")


@dataclass(frozen=True)
class Endpoint:
    """One call of the reference. `name` is how faults and limits name it."""

    name: str
    method: str
    path: str
    body: Shape | None = None
    query: dict[str, type] = field(default_factory=dict)

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The variable parts of the path, where this is the call."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return found.groupdict() if found else None


CLUSTER = {"clusterId*": str}
TO_EXISTING = {
    "source*": CLUSTER,
    "destination*": CLUSTER,
    "dbCollections": [{"dbName": str, "destDbName": str, "collections": [{"collectionName": str}]}],
}
TO_NEW_DEDICATED = {
    "source*": CLUSTER,
    "destination*": {"clusterName*": str, "projectId*": str, "regionId*": str, "plan*": str, "cuType*": str, "cuSize*": int},
    "dbCollections": [{"dbName": str, "destDbName": str}],
}
BUCKET = ("cloud", "region", "bucketName", "path", "objectUrl", "accessKey", "secretKey", "token", "stageName", "dataPath")
START_BY_REMOTE = {"source": {name: str for name in BUCKET}, "destination": {"clusterId": str}}
CREATE_SERVERLESS = {"clusterName*": str, "projectId*": str, "regionId*": str, "description": str}
CREATE_DEDICATED = CREATE_SERVERLESS | {
    "cuType*": str, "cuSize*": int, "plan": str, "labels": dict, "bucketInfo": {"bucketName": str, "prefix": str},
    "keyIdentifier": str,
}
IMPORT = {
    "clusterId": str, "projectId": str, "regionId": str, "dbName": str, "collectionName*": str, "partitionName": str,
    "objectUrls": [[str]], "objectUrl": str, "accessKey": str, "secretKey": str, "token": str, "volumeName": str,
    "dataPaths": [[str]],
}
IMPORT_JOB = {"clusterId*": str, "jobId*": str}
IMPORT_LIST = {"clusterId*": str, "dbName": str, "pageSize": int, "currentPage": int}

ENDPOINTS = (
    Endpoint("clusters", "GET", "/v2/clusters", query={"pageSize": int, "currentPage": int, "region": str}),
    Endpoint("createDedicated", "POST", "/v2/clusters/createDedicated", CREATE_DEDICATED),
    Endpoint("createServerless", "POST", "/v2/clusters/createServerless", CREATE_SERVERLESS),
    Endpoint("createFree", "POST", "/v2/clusters/createFree", CREATE_SERVERLESS),
    Endpoint("cluster", "GET", "/v2/clusters/{cluster}"),
    Endpoint("resume", "POST", "/v2/clusters/{cluster}/resume"),
    Endpoint("suspend", "POST", "/v2/clusters/{cluster}/suspend"),
    Endpoint("drop", "DELETE", "/v2/clusters/{cluster}/drop"),
    Endpoint("projects", "GET", "/v2/projects"),
    Endpoint("clouds", "GET", "/v2/clouds"),
    Endpoint("regions", "GET", "/v2/regions", query={"cloudId": str}),
    Endpoint("job", "GET", "/v2/jobs/{job}"),
    Endpoint("toExisting", "POST", "/v2/migrations/toExisting", TO_EXISTING),
    Endpoint("toNewDedicated", "POST", "/v2/migrations/toNewDedicated", TO_NEW_DEDICATED),
    Endpoint("startByRemote", "POST", "/v2/migrations/startByRemote", START_BY_REMOTE),
    Endpoint("importCreate", "POST", "/v2/vectordb/jobs/import/create", IMPORT),
    Endpoint("importDescribe", "POST", "/v2/vectordb/jobs/import/describe", IMPORT_JOB),
    Endpoint("importProgress", "POST", "/v2/vectordb/jobs/import/get_progress", IMPORT_JOB),
    Endpoint("importList", "POST", "/v2/vectordb/jobs/import/list", IMPORT_LIST),
)


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The documented call, and the variable parts of its path."""
    for endpoint in ENDPOINTS:
        if (parts := endpoint.match(method, path)) is not None:
            return endpoint, parts
    return None


def complaints(value: Any, shape: Shape, at: str) -> Iterator[str]:
    """What about this value the reference does not know."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        if not value:
            yield f"{at} is an empty list, of which nothing is documented"
        for number, item in enumerate(value):
            yield from complaints(item, shape[0], f"{at}[{number}]")
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{at} is no object"
            return
        known = {name.rstrip("*"): inner for name, inner in shape.items()}
        for name in shape:
            if name.endswith("*") and value.get(name[:-1]) in (None, ""):
                yield f"{at}.{name[:-1]} is required"
        for name, inner in value.items():
            if name not in known:
                yield f"{at}.{name} is not documented"
            else:
                yield from complaints(inner, known[name], f"{at}.{name}")
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        yield f"{at} is no {shape.__name__}"


def complaints_about_query(query: dict[str, list[str]], endpoint: Endpoint) -> Iterator[str]:
    """The same for what stands behind the question mark."""
    for name, values in query.items():
        if name not in endpoint.query:
            yield f"?{name} is not documented"
        elif len(values) > 1 or (endpoint.query[name] is int and not values[0].isdecimal()):
            yield f"?{name} is no {endpoint.query[name].__name__}"
