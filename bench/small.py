"""Many small collections: vecferry beside the servers' own calls, issued in parallel with nothing else.

The rows are put in before the clock starts, and with no rows there would be nothing to flush: so the calls are timed in two
parts, what makes the collections, and what ends them after their rows are there.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
from pymilvus import MilvusClient
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

import ferry
from copies import Job, phases
from figures import Claim, Section, Spread, Table, over, spread
from servers import pair, settle
from shapes import UNLIMITED, Shape, address, create, inserts

COLLECTIONS = 200
SHAPE = Shape("small", "many small collections", 500, 128)
THREADS = (8, 16)
POLL = 0.05
LIMIT = 600.0
INDEX_FINISHED = 3
SUMS = "seconds, summed over all collections, of which several are in a phase at once"


@dataclass
class Calls:
    """Seconds that the servers' own calls took, one of each for all collections."""

    threads: int
    took: dict[str, float] = field(default_factory=dict)

    @property
    def made(self) -> float:
        """All calls but those that load."""
        return sum(seconds for what, seconds in self.took.items() if what != "load")


class Server:
    """The calls, as raw as they are."""

    def __init__(self, uri: str, names: list[str]) -> None:
        self.names = names
        self.client = MilvusClient(uri=uri)
        self.channel = grpc.insecure_channel(address(uri), options=UNLIMITED)
        self.stub = milvus_pb2_grpc.MilvusServiceStub(self.channel)
        [self.rows] = inserts(SHAPE)

    def close(self) -> None:
        self.channel.close()
        self.client.close()

    def create(self, name: str) -> None:
        create(self.client, SHAPE, name)

    def index(self, name: str) -> None:
        request = milvus_pb2.CreateIndexRequest(collection_name=name, field_name="vector")
        for key, value in (("index_type", "FLAT"), ("metric_type", "L2")):
            request.extra_params.add(key=key, value=value)
        answer = self.stub.CreateIndex(request)
        assert not answer.code, answer

    def insert(self, name: str) -> None:
        request = milvus_pb2.InsertRequest()
        request.CopyFrom(self.rows)
        request.collection_name = name
        answer = self.stub.Insert(request)
        assert not answer.status.code, answer.status

    def flush(self) -> None:
        """All of them in one call, and until each is flushed."""
        begun = self.stub.Flush(milvus_pb2.FlushRequest(collection_names=self.names))
        assert not begun.status.code, begun.status

        def is_flushed(name: str) -> bool:
            return self.stub.GetFlushState(milvus_pb2.GetFlushStateRequest(
                segmentIDs=begun.coll_segIDs[name].data, flush_ts=begun.coll_flush_ts[name], collection_name=name,
            )).flushed

        self.until(is_flushed)

    def is_indexed(self, name: str) -> bool:
        answer = self.stub.DescribeIndex(milvus_pb2.DescribeIndexRequest(collection_name=name, field_name="vector"))
        return answer.index_descriptions[0].state == INDEX_FINISHED

    def load(self, name: str) -> None:
        """A server that has many of them to do gives up within itself at times, and wants to be asked again."""
        limit = time.monotonic() + LIMIT
        while True:
            answer = self.stub.LoadCollection(milvus_pb2.LoadCollectionRequest(collection_name=name, replica_number=1))
            if not answer.code:
                return
            if time.monotonic() > limit:
                raise TimeoutError(f"{name} could not be loaded in {LIMIT:.0f} s: {answer}")

    def is_loaded(self, name: str) -> bool:
        return self.stub.GetLoadingProgress(milvus_pb2.GetLoadingProgressRequest(collection_name=name)).progress == 100

    def until(self, is_done: Callable[[str], bool]) -> None:
        """Until it holds for every collection."""
        left, limit = list(self.names), time.monotonic() + LIMIT
        while left := [name for name in left if not is_done(name)]:
            if time.monotonic() > limit:
                raise TimeoutError(f"{len(left)} collections did not get there in {LIMIT:.0f} s, {left[0]} for one")
            time.sleep(POLL)

    def drop(self) -> None:
        for name in self.client.list_collections():
            self.client.drop_collection(name)


def names(job: Job) -> list[str]:
    return [f"small_{number:03}" for number in range(max(int(COLLECTIONS * job.scale), 2))]


def fill(uri: str, collections: list[str]) -> None:
    """The source: every collection with its rows, indexed and loaded."""
    server = Server(uri, collections)
    with ThreadPoolExecutor(max(THREADS)) as threads:
        for step in (server.create, server.index, server.insert):
            list(threads.map(step, collections))
        server.flush()
        server.until(server.is_indexed)
        list(threads.map(server.load, collections))
        server.until(server.is_loaded)
    server.close()


def calls(uri: str, collections: list[str], at_once: int, with_load: bool) -> Calls:
    """Each call for all collections, in the order in which the server is through first: the index before the rows."""
    settle()
    server, found = Server(uri, collections), Calls(at_once)
    with ThreadPoolExecutor(at_once) as threads:
        def each(step: Callable[[str], None]) -> None:
            list(threads.map(step, collections))

        def timed(what: str, *steps: Callable[[], None]) -> None:
            begin = time.monotonic()
            for step in steps:
                step()
            found.took[what] = found.took.get(what, 0.0) + time.monotonic() - begin

        timed("create", lambda: each(server.create))
        timed("index", lambda: each(server.index))
        each(server.insert)
        timed("flush", server.flush)
        timed("index", lambda: server.until(server.is_indexed))
        if with_load:
            timed("load", lambda: each(server.load), lambda: server.until(server.is_loaded))
    server.drop()
    server.close()
    return found


def measure(job: Job) -> list[Section]:
    """vecferry and the calls in turn, the calls with the number of threads that the first round found best."""
    collections = names(job)
    applied: list[ferry.Applied] = []
    alone: list[Calls] = []
    at_once = THREADS[0]
    with pair() as (old, new):
        fill(old, collections)
        for number in range(job.often):
            plan = ferry.plan(old, new, collections)
            settle()
            applied.append(ferry.apply(job.binary, job.folder / f"small-{number}", plan))
            print(f"  small    vecferry, {len(collections)} collections: {applied[-1].run.whole:.1f} s", flush=True)
            server = Server(new, collections)
            server.drop()
            server.close()
            if number == 0:
                # Chosen for being quick, these do not count.
                tried = [calls(new, collections, at_once, False) for at_once in THREADS]
                at_once = min(tried, key=lambda one: one.made).threads
            # Loading takes long and is the same each time, so it is done once.
            alone.append(calls(new, collections, at_once, number + 1 == job.often))
            print(f"  small    calls alone: {alone[-1].made:.1f} s", flush=True)
    return [section(job, applied, alone)]


def section(job: Job, applied: list[ferry.Applied], alone: list[Calls]) -> Section:
    count = len(names(job))
    whole = spread([one.run.whole for one in applied if one.run.whole])
    made = spread([one.made for one in alone])
    load = alone[-1].took["load"]
    text = (
        f"{count} collections of {SHAPE.rows} rows of {SHAPE.dim} dimensions, in one plan with `verify: counts`, whole, {len(applied)} times. "
        f"Beside it stand the target's own calls with nothing else: create, index and flush of the same {count} collections, in the order that is quickest (the "
        "index before the rows; Milvus 2.3.5 can take a minute over indexes that come after), "
        f"{alone[0].threads} in parallel, of {' and '.join(map(str, THREADS))}; the flush is one call for all. The rows are put in between "
        "with the clock stopped. The flush takes the server half or twice as long from one time to the next. By their counts vecferry proves "
        "them without loading a target; what loading them would cost, as `verify: full` does, was measured once."
    )
    table = Table(["median (min … max)", "seconds", "vecferry beside it"])
    table.rows += [
        ["vecferry, `verify: counts`, whole", whole.text(".1f"), ""],
        ["create, index and flush alone", made.text(".1f"), f"{over(whole, made):.2f}"],
        ["with load", f"{made.median + load:.1f}", f"{whole.median / (made.median + load):.2f}"],
    ]
    each = Table(["seconds, median", *alone[-1].took])
    by_call = [spread([one.took[what] for one in alone if what in one.took]).median for what in alone[-1].took]
    each.rows.append(["alone", *(f"{value:.2f}" for value in by_call)])
    claim = claimed(count, whole, made)
    return Section(SHAPE.title.capitalize(), text, [table, each, phases({"counts": applied}, SUMS)], [claim])


def claimed(count: int, whole: Spread, made: Spread) -> Claim:
    times = over(whole, made)
    what = f"{count} collections of {SHAPE.rows} rows: whole, beside the servers' own create, index and flush"
    return Claim(what, "at most 1.5 times", f"{times:.2f} times", times <= 1.5)
