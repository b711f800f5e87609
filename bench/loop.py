"""The side that is a loop in Python, as people write it: an iterator over one collection, and an insert for each page.

As a script it is that loop, from nothing to a flushed target. The arguments are the two addresses, the name of the shape
and the size of a batch; it says in JSON how long the rows took, and what was spent before them.
"""

import json
import sys
import time
from pathlib import Path

from pymilvus import MilvusClient

from figures import Run
from process import run
from shapes import SHAPES, Shape, create

BATCHES = (500, 1000, 2000, 5000)


def copy(old: str, new: str, shape: Shape, batch: int) -> dict[str, float]:
    source, target = MilvusClient(uri=old), MilvusClient(uri=new)
    create(target, shape)
    pages = source.query_iterator(shape.collection, batch_size=batch, output_fields=shape.fields())
    rows, begin, starting = 0, time.monotonic(), time.process_time()
    while page := pages.next():
        rows += target.insert(shape.collection, page)["insert_count"]
    took = time.monotonic() - begin
    pages.close()
    target.flush(shape.collection)
    return {"rows": rows, "copying": took, "starting": starting}


def measure(folder: Path, old: str, new: str, shape: Shape, batch: int) -> tuple[Run, float]:
    """One copy in a process of its own, and the processor seconds that it took before the first row."""
    out, taken = run([sys.executable, __file__, old, new, shape.name, str(batch)], folder)
    told = json.loads(out)
    return Run(told["rows"], told["copying"], taken.whole, taken.processor, taken.peak), told["starting"]


if __name__ == "__main__":
    print(json.dumps(copy(sys.argv[1], sys.argv[2], SHAPES[sys.argv[3]], int(sys.argv[4]))))
