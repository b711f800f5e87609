#!/usr/bin/env python3
"""A simulator of the Zilliz Cloud control plane, for tests and for the demo. It is no Zilliz Cloud.

    .servers/venv/bin/python servers/cloud/simulator.py [CONFIG.json]

The configuration is a file, or one line on standard input:

    keys        {"KEY": {"organisation": "…", "projects": ["proj-…"], "clusters": ["in01-…"]}}; no `clusters` are all
    projects    [{"projectId": "proj-…", "projectName": "…", "regionIds": ["aws-us-west-2"]}]
    clusters    [{"clusterId", "clusterName", "projectId", "regionId", "plan", "cuType", "cuSize", "status", "milvus"}];
                `milvus` is the address of the real server behind it
    spare       addresses of servers for clusters that are made
    backups     {"BUCKET/PATH": {"milvus", "database", "collections": ["…"]}}; also by "VOLUME/PATH" or the whole URL. No file of
                a backup is ever read: what lies in one are, for this simulator, those collections of a real Milvus
    speeds      {"create_seconds", "connect_seconds", "resume_seconds", "job_seconds"}; `plane.py` has what they are for
    sloppy      true: the documentation's contradictory shapes of answers in turn; `shapes.py` lists them
    faults      what goes wrong from the start on; `faults.py` lists it

It ends when standard input is closed, and so with whoever started it. Standard output says in its first line what this is, and
in its second one `{"event": "ready", "api": …, "pid": …}` or `{"event": "failed", "reason": …}`.

Which file follows which part of the public reference:

    documented.py   paths, parameters, bodies and codes; what a request has that is not in it is refused and remembered
    shapes.py       the envelope of answers, and where the reference contradicts itself
    plane.py        clusters, projects, regions; plans that a migration can go between; collections of a job; imports
    clusters.py     a cluster's keys and status words
    jobs.py         states of a job and its one reason; mover.py moves its rows
    web.py          bearer keys, 20 requests a second for each key and call, `requestid`, statuses of HTTP

What it does not follow: making and reading backups, volumes, changing a cluster's size. A suspended cluster's Milvus can be reached all the same.
"""

import json
import os
import signal
import sys
from pathlib import Path

WHAT = "This is a simulator of the Zilliz Cloud control plane for tests, and no Zilliz Cloud."


def say(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def main() -> None:
    print(WHAT, flush=True)
    # Ctrl-C reaches the whole group of the terminal; whoever started us decides, by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # The client of Milvus takes a second to load, and is wanted only once there is something to say.
        from web import serve

        config = json.loads(Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.readline())
        server = serve(config)
    except Exception as problem:
        return say("failed", reason=f"{type(problem).__name__}: {problem}")
    say("ready", api=f"http://127.0.0.1:{server.server_address[1]}", pid=os.getpid())
    for _ in sys.stdin:
        pass
    # Jobs may be at work, and whoever closed our input waits for nothing.
    os._exit(0)


if __name__ == "__main__":
    main()
