"""The client alone, against a stand-in for both servers: a program in memory that answers pages and swallows inserts."""

import importlib.util

from copies import Job
from figures import Section, Table


def measure(job: Job) -> list[Section]:
    """What bench/client.py measures, where this checkout has it."""
    if importlib.util.find_spec("client") is None:
        return []
    import client

    found = client.measure(job.binary, job.rounds)
    table = Table(["what", "measured"])
    table.rows += [[str(name), f"{value:,.2f}" if isinstance(value, float) else str(value)] for name, value in found.items()]
    return [Section("The client alone", (client.__doc__ or "").strip(), [table])]
