#!/usr/bin/env python3
"""A migration of Zilliz Cloud from a plan file, on a simulator: `make cloud-demo`.

Nothing here is Zilliz Cloud. Two real Milvus servers stand behind a simulator of its control plane. The plan names the source
by its cluster id and wants the target made; vecferry asks the control plane for both, starts the managed migration, follows its
job, and proves every row on the target. All of it lies in a temporary folder that goes with it, however it ends.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

from demo import ROOT, stage, target_binary, vecferry

PROJECT, REGION = "proj-00000000000000000001", "aws-us-west-2"
SOURCE = "in01-00000000000000a"
COLLECTIONS = {"articles": 3000, "pictures": 2000, "questions": 500}
DIMENSIONS = 64
# A key of the simulator, which a run takes from its environment as it would a real one.
KEY = "a-key-of-the-simulator"
PLAN = """\
version: 1
name: cloud-demo

sources:
  old:
    zilliz_cloud:
      cluster_id: {source}
      api: {api}       # the simulator; leave it out for the real service
      api_key: {{env: ZILLIZ_API_KEY}}
targets:
  new:
    zilliz_cloud:
      api: {api}
      api_key: {{env: ZILLIZ_API_KEY}}
      create:
        name: kb-prod
        project_id: {project}
        region: {region}
        plan: standard
        cu_size: 1
        password_file: kb-prod.password

migrations:
  - from: old
    to: new
    engine: zilliz_cloud
    collections:
{collections}
"""


@contextlib.contextmanager
def simulator(config: dict[str, Any]) -> Iterator[str]:
    """The simulator for as long as the block runs. It ends when its input is closed, so also with this process."""
    command = [sys.executable, str(ROOT / "servers" / "cloud" / "simulator.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(config) + "\n")
        process.stdin.flush()
        print(process.stdout.readline(), end="", flush=True)
        event = json.loads(process.stdout.readline() or '{"reason": "it ended"}')
        if event.get("event") != "ready":
            sys.exit(f"The simulator did not start: {event['reason']}")
        yield event["api"]
    finally:
        process.stdin.close()
        process.wait()


def configuration(old: str, new: str) -> dict[str, Any]:
    return {
        "keys": {KEY: {"organisation": "demo", "projects": [PROJECT]}},
        "projects": [{"projectId": PROJECT, "projectName": "demo", "regionIds": [REGION]}],
        "clusters": [{
            "clusterId": SOURCE, "clusterName": "kb-old", "projectId": PROJECT, "regionId": REGION, "plan": "Standard",
            "cuType": "Performance-optimized", "cuSize": 1, "milvus": old,
        }],
        "spare": [new],
        "speeds": {"create_seconds": 4, "connect_seconds": 5, "job_seconds": 6},
    }


def fill(uri: str) -> None:
    """Write rows as any user of the Python client would."""
    client, random = MilvusClient(uri=uri), np.random.default_rng(7)
    for name, rows in COLLECTIONS.items():
        schema = client.create_schema(enable_dynamic_field=True)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("title", DataType.VARCHAR, max_length=128)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIMENSIONS)
        client.create_collection(name, schema=schema, num_shards=1)
        vectors = random.standard_normal((rows, DIMENSIONS), dtype=np.float32)
        client.insert(name, [
            {"id": number, "title": f"{name} {number}", "embedding": vector, "kind": number % 5}
            for number, vector in enumerate(vectors)
        ])
        client.flush(name)
        index = client.prepare_index_params()
        index.add_index("embedding", index_type="FLAT", metric_type="COSINE")
        client.create_index(name, index)
        client.load_collection(name)
    client.close()


def asked(api: str, what: str) -> list[Any]:
    with urllib.request.urlopen(f"{api}/simulator/{what}", timeout=10) as answer:
        return json.load(answer)


def demonstrate(binary: Path, folder: Path, api: str) -> str:
    """Plan, apply, look at it, and plan again. Returns the summary."""
    listed = "\n".join(f"      - source: {name}" for name in COLLECTIONS)
    plan = PLAN.format(source=SOURCE, api=api, project=PROJECT, region=REGION, collections=listed)
    (folder / "plan.yaml").write_text(plan)
    print(f"The plan, with {len(COLLECTIONS)} collections of the source to move into a cluster that is not there yet:\n")
    print(textwrap.indent(plan, "    "), end="")
    os.environ["ZILLIZ_API_KEY"] = KEY

    vecferry(binary, folder, "plan", "plan.yaml")
    applied, _ = vecferry(binary, folder, "apply", "--auto-approve", "plan.yaml")
    vecferry(binary, folder, "status")
    vecferry(binary, folder, "plan", "--detailed-exitcode", "plan.yaml")

    requests, violations = asked(api, "requests"), asked(api, "violations")
    if violations:
        sys.exit(f"Requests that the reference does not allow: {violations}")
    calls = [request["endpoint"] for request in requests]
    mode = (folder / "kb-prod.password").stat().st_mode & 0o777
    if (calls.count("createDedicated"), mode) != (1, 0o600):
        sys.exit("The cluster was to be made once, and its password to lie in a file of mode 0600.")
    return (
        f"{sum(COLLECTIONS.values()):,} rows of {len(COLLECTIONS)} collections moved between two clusters of a simulator\n"
        f"  apply   {applied:6.1f} s  the cluster made, its password in a file of mode 0600, rows moved, each compared\n"
        f"  plan            once more: nothing to do\n"
        f"  {len(calls)} requests to the control plane: 1 made the cluster, {calls.count('toExisting')} started a job\n"
        "  This was a simulator of Zilliz Cloud; vecferry was not tried against the real service.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vecferry", type=Path, help="another binary than this checkout's release build")
    args = parser.parse_args()
    binary = (args.vecferry or target_binary()).resolve()
    print("This is a simulator of Zilliz Cloud with two Milvus servers behind it. All go away when this ends.", flush=True)
    with stage("vecferry-cloud-demo-") as (folder, old, new), simulator(configuration(old, new)) as api:
        fill(old)
        print(f"\n{demonstrate(binary, folder, api)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
