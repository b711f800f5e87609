"""What is copied: the shapes of collections, and how a server is filled with one, column by column.

Rows go in as numpy columns through the protocol's own requests, because filling is not what is measured.
"""

import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc, schema_pb2

# Rows of one insert, and bytes of its vectors: servers refuse more than 64 MiB.
BATCH, BATCH_BYTES = 5000, 32 << 20
REST_LIMIT = 300.0
# Numbers of a sparse vector that are not zero, out of so many dimensions.
SPARSE_VALUES, SPARSE_DIM = 40, 30_000
WORDS = np.array("ferry harbour rope anchor tide wind plan cargo crew chart lantern quay current passage".split())
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class Shape:
    """A collection: its key, its vector and what stands beside it."""

    name: str
    title: str
    rows: int
    # Of a dense vector; 0 is a sparse one.
    dim: int
    # A text of two hundred bytes, an int32 and a JSON field.
    passages: bool = False
    # How its keys lie. Of int64: `ascending`, `gaps` (a thousand, and then a gap that is ever larger) or `auto` (the server's own). Of text:
    # `uuids`, or `prefix` (all beginning alike).
    keys: str = "ascending"
    # What serves it: Milvus 2.3.5, or milvus-lite for what that does not have.
    servers: str = "milvus"

    @property
    def collection(self) -> str:
        return f"bench_{self.name}"

    def of(self, rows: int) -> "Shape":
        return replace(self, rows=rows)

    @property
    def text_keys(self) -> bool:
        return self.keys in ("uuids", "prefix")

    def fields(self) -> list[str]:
        return ["id", *(["title", "year", "extra"] if self.passages else []), "vector"]


SHAPES = {
    shape.name: shape
    for shape in (
        # A gigabyte: servers that were just started take longer for the first rows than for all others.
        Shape("768", "768 dimensions with text and JSON", 300_000, 768, passages=True),
        Shape("128", "128 dimensions, and nothing else", 50_000, 128),
        Shape("varchar", "Keys of uuid strings, 128 dimensions", 50_000, 128, keys="uuids"),
        Shape("sparse", "Sparse vectors, on milvus-lite", 3_000, 0, servers="lite"),
    )
}


def create(client: MilvusClient, shape: Shape, name: str | None = None) -> None:
    """The collection without rows and without an index."""
    schema = client.create_schema(enable_dynamic_field=False)
    if shape.text_keys:
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=36)
    else:
        schema.add_field("id", DataType.INT64, is_primary=True, auto_id=shape.keys == "auto")
    if shape.passages:
        schema.add_field("title", DataType.VARCHAR, max_length=512)
        schema.add_field("year", DataType.INT32)
        schema.add_field("extra", DataType.JSON)
    if shape.dim:
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=shape.dim)
    else:
        schema.add_field("vector", DataType.SPARSE_FLOAT_VECTOR)
    client.create_collection(name or shape.collection, schema=schema)


def index(client: MilvusClient, shape: Shape, name: str | None = None) -> None:
    """The index that costs a server least, so that building it does not drown everything else."""
    params = client.prepare_index_params()
    if shape.dim:
        params.add_index("vector", index_type="FLAT", metric_type="L2")
    else:
        params.add_index("vector", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    client.create_index(name or shape.collection, params)


def load(client: MilvusClient, shape: Shape, name: str | None = None) -> None:
    index(client, shape, name)
    client.load_collection(name or shape.collection)


def fill(uri: str, shape: Shape, merge: bool = True) -> None:
    """Creates, fills, flushes, indexes and loads it, and leaves it at rest: merged, where one flush may have left several segments."""
    client = MilvusClient(uri=uri)
    create(client, shape)
    with grpc.insecure_channel(address(uri), options=UNLIMITED) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        for request in inserts(shape):
            answer = stub.Insert(request)
            assert not answer.status.code, answer.status
    client.flush(shape.collection)
    load(client, shape)
    if merge and shape.servers == "milvus":
        rest(client, shape.collection)
    client.close()


def rest(client: MilvusClient, collection: str) -> None:
    """Until the server has merged what it would merge by and by. Left alone it does so in the first minutes, for several seconds of
    its processors each time, and whichever side is measured at that moment would pay for it.
    """
    limit = time.monotonic() + REST_LIMIT
    segments = 0
    while segments != (left := len(client.list_persistent_segments(collection))):
        segments = left
        job = client.compact(collection)
        # Merged segments are loaded in place of the old ones.
        while client.get_compaction_state(job) != "Completed" or len(client.list_loaded_segments(collection)) != len(
            client.list_persistent_segments(collection)
        ):
            if time.monotonic() > limit:
                sys.exit(f"The source's segments were still being merged after {REST_LIMIT:.0f} s")
            time.sleep(0.5)


def held(uri: str, collection: str) -> int:
    """Rows of a flushed collection, loaded or not."""
    client = MilvusClient(uri=uri)
    rows = int(client.get_collection_stats(collection)["row_count"])
    client.close()
    return rows


def drop(uri: str, collection: str) -> None:
    """What the side before left; a server that still holds it would be slower for it."""
    client = MilvusClient(uri=uri)
    client.drop_collection(collection)
    client.close()


def address(uri: str) -> str:
    """As a channel wants it."""
    return uri.split("://", 1)[1]


def inserts(shape: Shape, name: str | None = None) -> Iterator[milvus_pb2.InsertRequest]:
    """The rows, the same in every run."""
    batch = min(BATCH, BATCH_BYTES // max(shape.dim * 4, 1))
    for first in range(0, shape.rows, batch):
        count = min(batch, shape.rows - first)
        request = milvus_pb2.InsertRequest(collection_name=name or shape.collection, num_rows=count)
        request.hash_keys.extend(range(count))
        request.fields_data.extend(columns(shape, first, count))
        yield request


def columns(shape: Shape, first: int, count: int) -> list[schema_pb2.FieldData]:
    rng = np.random.default_rng(first)
    numbers = range(first, first + count)
    made = []
    match shape.keys:
        case "ascending":
            made.append(scalars("id", DataType.INT64, "long_data", numbers))
        case "gaps":
            made.append(scalars("id", DataType.INT64, "long_data", [(at // 1000) ** 3 * 10**9 + at % 1000 for at in numbers]))
        case "uuids":
            made.append(scalars("id", DataType.VARCHAR, "string_data", [str(uuid.UUID(bytes=rng.bytes(16))) for _ in numbers]))
        case "prefix":
            made.append(scalars("id", DataType.VARCHAR, "string_data", [f"https://example.com/item/{at:010}" for at in numbers]))
    if shape.passages:
        words = rng.choice(WORDS, size=(count, 40))
        titles = [f"{number}: {' '.join(row)}"[:200].ljust(200, ".") for number, row in zip(numbers, words)]
        extras = [{"score": at / 8, "tags": ["a", at % 7], "source": {"page": at % 400}} for at in numbers]
        made.append(scalars("title", DataType.VARCHAR, "string_data", titles))
        made.append(scalars("year", DataType.INT32, "int_data", [1900 + at % 126 for at in numbers]))
        made.append(scalars("extra", DataType.JSON, "json_data", [json.dumps(extra).encode() for extra in extras]))
    made.append(dense(rng, count, shape.dim) if shape.dim else sparse(rng, count))
    return made


def scalars(name: str, kind: DataType, slot: str, values: Any) -> schema_pb2.FieldData:
    column = schema_pb2.FieldData(field_name=name, type=kind)
    getattr(column.scalars, slot).data.extend(values)
    return column


def dense(rng: np.random.Generator, count: int, dim: int) -> schema_pb2.FieldData:
    column = schema_pb2.FieldData(field_name="vector", type=DataType.FLOAT_VECTOR)
    column.vectors.dim = dim
    values = rng.standard_normal(count * dim, dtype=np.float32).astype("<f4").tobytes()
    # The message as it is on the wire: one field, packed. Adding each value by itself would take longer than the server.
    column.vectors.float_vector.MergeFromString(b"\x0a" + varint(len(values)) + values)
    return column


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def sparse(rng: np.random.Generator, count: int) -> schema_pb2.FieldData:
    column = schema_pb2.FieldData(field_name="vector", type=DataType.SPARSE_FLOAT_VECTOR)
    column.vectors.dim = SPARSE_DIM
    column.vectors.sparse_float_vector.dim = SPARSE_DIM
    for _ in range(count):
        row = np.empty(SPARSE_VALUES, dtype=[("index", "<u4"), ("value", "<f4")])
        row["index"] = np.sort(rng.choice(SPARSE_DIM, SPARSE_VALUES, replace=False))
        row["value"] = rng.random(SPARSE_VALUES, dtype=np.float32) + 0.01
        column.vectors.sparse_float_vector.contents.append(row.tobytes())
    return column
