"""The side that is the ceiling: what two servers can do when one process only reads and another only writes.

Both send and take bytes without looking into them. The pages are the ranges of keys that vecferry read in a run before, and
what is written was put into requests before any clock started. As a script it is one of the two processes: it says `ready`,
waits for a line, and says in JSON when it began and ended.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from figures import Run
from process import Program
from shapes import UNLIMITED, Shape, address

CONCURRENCY = (1, 2, 4)
SERVICE = "/milvus.proto.milvus.MilvusService/"
STRONG, CUSTOMIZED = 0, 4


@dataclass(frozen=True)
class Pages:
    """The pages of one collection, in files that the two processes load."""

    queries: Path
    inserts: Path
    rows: int
    # Of all answers, as they are on the wire.
    bytes: int


def literal(key: dict[str, Any]) -> str:
    """Of the keys that the shapes have; none needs an escape."""
    return str(key["int"]) if "int" in key else f'"{key["text"]}"'


def condition(bounds: dict[str, Any], text_key: bool) -> str:
    parts = []
    if bounds["after"]:
        parts.append(f"id > {literal(bounds['after'])}")
    if bounds["to"]:
        parts.append(f"id <= {literal(bounds['to'])}")
    return " and ".join(parts) or ('id >= ""' if text_key else f"id <= {2**63 - 1}")


def build(folder: Path, uri: str, shape: Shape, ranges: list[dict[str, Any]]) -> Pages:
    """Reads every page once, and leaves the requests that read them and those that write them."""
    pages = Pages(folder / "queries", folder / "inserts", 0, 0)
    rows = size = 0
    with (
        grpc.insecure_channel(address(uri), options=UNLIMITED) as channel,
        pages.queries.open("wb") as queries,
        pages.inserts.open("wb") as inserts,
    ):
        ask = call(channel, "Query")
        moment = timestamp(channel)
        for bounds in ranges:
            query = milvus_pb2.QueryRequest(
                collection_name=shape.collection, expr=condition(bounds, shape.text_keys), output_fields=shape.fields(),
                guarantee_timestamp=moment, consistency_level=CUSTOMIZED if moment else STRONG,
            )
            answer = ask(query.SerializeToString())
            found = milvus_pb2.QueryResults.FromString(answer)
            assert not found.status.code, found.status
            insert = as_insert(shape, found)
            put(queries, query.SerializeToString())
            put(inserts, insert.SerializeToString())
            rows, size = rows + insert.num_rows, size + len(answer)
    return Pages(pages.queries, pages.inserts, rows, size)


def timestamp(channel: grpc.Channel) -> int:
    """Of this moment, for reading what was written by now without waiting at each page; milvus-lite gives out none."""
    try:
        return milvus_pb2_grpc.MilvusServiceStub(channel).AllocTimestamp(milvus_pb2.AllocTimestampRequest()).timestamp
    except grpc.RpcError:
        return 0


def as_insert(shape: Shape, found: milvus_pb2.QueryResults) -> milvus_pb2.InsertRequest:
    wanted = [column for column in found.fields_data if column.field_name in shape.fields()]
    keys = next(column.scalars for column in wanted if column.field_name == "id")
    rows = len(keys.string_data.data if shape.text_keys else keys.long_data.data)
    insert = milvus_pb2.InsertRequest(collection_name=shape.collection, num_rows=rows)
    insert.hash_keys.extend(range(rows))
    for column in wanted:
        # The target numbers its fields itself.
        column.field_id = 0
    insert.fields_data.extend(wanted)
    return insert


def put(file: Any, message: bytes) -> None:
    file.write(len(message).to_bytes(8, "little") + message)


def messages(file: Path) -> list[bytes]:
    content, at, found = file.read_bytes(), 0, []
    while at < len(content):
        end = at + 8 + int.from_bytes(content[at : at + 8], "little")
        found.append(content[at + 8 : end])
        at = end
    return found


def call(channel: grpc.Channel, method: str) -> Any:
    """A call that takes and gives bytes."""
    return channel.unary_unary(SERVICE + method, request_serializer=None, response_deserializer=None)


def command(method: str, uri: str, file: Path, at_once: int) -> list[str]:
    return [sys.executable, __file__, method, uri, str(file), str(at_once)]


def both(folder: Path, old: str, new: str, pages: Pages, at_once: int) -> Run:
    """Reads all pages and writes all of them at the same time. The target's collection is there, and empty."""
    with (
        Program(command("Query", old, pages.queries, at_once), folder / "read") as reader,
        Program(command("Insert", new, pages.inserts, at_once), folder / "write") as writer,
    ):
        for program in (reader, writer):
            program.wait_until_ready()
        for program in (reader, writer):
            program.go()
        told = [json.loads(program.end()[0]) for program in (reader, writer)]
    copying = max(one["end"] for one in told) - min(one["begin"] for one in told)
    # That a process loads all pages before it begins is no part of copying.
    return Run(pages.rows, copying, None, sum(one["processor"] for one in told), None)


def read(folder: Path, uri: str, pages: Pages, at_once: int) -> float:
    """Seconds that reading all pages takes, with nothing beside it."""
    with Program(command("Query", uri, pages.queries, at_once), folder) as reader:
        reader.wait_until_ready()
        reader.go()
        told = json.loads(reader.end()[0])
    return told["end"] - told["begin"]


def sized(answer: bytes) -> int:
    """Bytes of an answer. It begins with its status, of which one byte says whether the server refused."""
    if answer[:1] == b"\x0a" and answer[1:2] != b"\0":
        raise RuntimeError(answer[:500])
    return len(answer)


def work(method: str, uri: str, file: Path, at_once: int) -> None:
    requests = messages(file)
    with grpc.insecure_channel(address(uri), options=UNLIMITED) as channel, ThreadPoolExecutor(at_once) as threads:
        ask = call(channel, method)
        grpc.channel_ready_future(channel).result()
        print("ready", flush=True)
        sys.stdin.readline()
        begin, used = time.monotonic(), time.process_time()
        for _ in threads.map(lambda request: sized(ask(request)), requests):
            pass
        print(json.dumps({"begin": begin, "end": time.monotonic(), "processor": time.process_time() - used}))


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
