"""The client alone, against a stand-in for both servers, which answers pages from memory and swallows what is written."""

import importlib.util

from copies import Job
from figures import Claim, Section, Table, spread

# Rows of the stand-in's collection.
ROWS = 500_000


def measure(job: Job) -> list[Section]:
    """What bench/client.py measures, where this checkout has it."""
    if importlib.util.find_spec("client") is None:
        return []
    import client

    found = client.measure(job.binary, job.rounds, rows=int(ROWS * job.scale))
    speed, effort = spread(found["gb_per_s"]), spread(found["gb_per_processor_s"])
    text = (
        f"{found['rows']:,} rows of {found['dim']} dimensions and a key, with `verify: {found['verify']}`. Both servers are one stand-in, "
        "which is no Milvus: it answers from memory and throws away what it is sent. The client has one core to itself and the stand-in the "
        "others, so this is what the client does for a row, without the noise of servers. A byte counts once, though it is read and "
        "written ([bench/client.py](../bench/client.py))."
    )
    table = Table(["median (min … max)", "copying, GB of vectors/s", "GB of vectors for a processor second, whole", "peak memory, MiB"])
    table.rows.append(["vecferry", speed.text(".2f"), effort.text(".2f"), spread(found["peak_mib"]).text(".0f")])
    claim = Claim(
        "The client alone: vectors on one core", "at least 1 GB/s", f"{speed.median:.2f} GB/s", speed.median >= 1,
    )
    return [Section("The client alone", text, [table], [claim])]
