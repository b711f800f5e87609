"""Moves collections from one Milvus to another, as the migration service says that it does.

The schema is copied unchanged, with shards and partitions; vector fields get an AUTOINDEX; the collection is left unloaded.
What the reference leaves open was decided here: the target's database is made where it is missing; properties and aliases
stay behind; a source that is not loaded is loaded for the reading and released again; of rows that stand there twice under
one key, one arrives. Keys that a server makes itself cannot be kept on this Milvus, so such a collection fails and says so.
2.3.5 has no AUTOINDEX for binary and half-precision vectors, which get the plain index instead.
"""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pymilvus import DataType, MilvusClient, MilvusException
from pymilvus.client.types import LoadState
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

PAGE = 2048
LOAD_LIMIT = 120.0
LAST_NUMBER = (1 << 63) - 1
# What every new Milvus lets in; one that asks for no login does not look at it.
LOGIN = "root:Milvus"

# The client logs a traceback of its own for every refusal, also for those that are expected.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


class Failed(Exception):
    """Why one collection could not be moved."""


@dataclass(frozen=True)
class Move:
    """One collection and where it goes."""

    database: str
    collection: str
    to_database: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


class Side:
    """One Milvus, with a client for each database. Clients are kept, because the library shares connections between them."""

    _clients: dict[tuple[str, str], MilvusClient] = {}
    _lock = threading.Lock()

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def database(self, name: str) -> MilvusClient:
        with self._lock:
            key = (self.uri, name)
            if key not in self._clients:
                self._clients[key] = MilvusClient(uri=self.uri, db_name=name, token=LOGIN)
            return self._clients[key]

    def collections(self, database: str) -> list[str]:
        if not self.has_database(database):
            raise Failed(f"the source has no database {database}")
        return sorted(self.database(database).list_collections())

    def has_database(self, name: str) -> bool:
        return name in self.database("default").list_databases()

    def make_database(self, name: str) -> None:
        """Make it unless it is there; another job may be making it at the same moment."""
        try:
            if not self.has_database(name):
                self.database("default").create_database(name)
        except MilvusException:
            if not self.has_database(name):
                raise


def describe(client: MilvusClient, move: Move) -> Any:
    """Undecoded, since the client's own description leaves half of it out."""
    request = milvus_pb2.DescribeCollectionRequest(db_name=move.database, collection_name=move.collection)
    return client._get_connection()._stub.DescribeCollection(request)


def is_lite(client: MilvusClient) -> bool:
    """Whether the server is milvus-lite. The packaged Milvus calls itself `v2.3.5-lite`, so the number decides."""
    return not client.get_server_version().startswith("v2.")


def is_vector(field: Any) -> bool:
    return 100 <= field.data_type < 200


def key_of(schema: Any) -> Any:
    return next(field for field in schema.fields if field.is_primary_key)


def has_partition_key(schema: Any) -> bool:
    return any(field.is_partition_key for field in schema.fields)


def literal(text: str) -> str:
    """A text as servers read it in an expression: these four characters escaped, all others as they are."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def pages(client: MilvusClient, name: str, schema: Any, partition: str | None) -> Iterator[list[dict[str, Any]]]:
    """All rows, in the order of the key, each key once. The end is an empty page, because a short one is none."""
    key = key_of(schema)
    is_text = key.data_type == DataType.VARCHAR
    wanted = [field.name for field in schema.fields if not field.is_dynamic] + ["*"]
    # Both ask for the smallest keys. Where `iterator` is said, the client leaves consistency to the collection, whatever it was told.
    options: dict[str, Any] = {"iterator": "True"} if is_lite(client) else {"reduce_stop_for_best": "True"}
    if partition:
        options["partition_names"] = [partition]
    where, level = (f'{key.name} >= ""' if is_text else f"{key.name} <= {LAST_NUMBER}"), "Strong"
    while page := client.query(name, where, output_fields=wanted, limit=PAGE, consistency_level=level, **options):
        yield list(page)
        last = page[-1][key.name]
        if last == LAST_NUMBER:
            return
        where, level = f"{key.name} > {literal(last) if is_text else last}", "Eventually"


def writable(row: dict[str, Any], schema: Any) -> dict[str, Any]:
    """A row as read, in the form in which it can be written: byte vectors unwrapped, what a function makes left out."""
    made = {field.name for field in schema.fields if field.is_function_output}
    bare = {name: value[0] if isinstance(value, list) and value and isinstance(value[0], bytes) else value for name, value in row.items()}
    return {name: value for name, value in bare.items() if name not in made}


class Source:
    """A collection that is to be read."""

    def __init__(self, side: Side, move: Move) -> None:
        if not side.has_database(move.database):
            raise Failed(f"the source has no database {move.database}")
        self.client, self.move = side.database(move.database), move
        described = describe(self.client, move)
        if described.status.error_code or described.status.code:
            raise Failed("the source has no such collection")
        self.described, self.schema = described, described.schema
        if key_of(self.schema).autoID and not is_lite(self.client):
            raise Failed("the server makes its keys, and this simulator's Milvus cannot keep them")
        self.was_loaded = self.is_loaded()
        self.added: str | None = None

    def is_loaded(self) -> bool:
        return self.client.get_load_state(self.move.collection)["state"] == LoadState.Loaded

    def metrics(self) -> dict[str, str]:
        """How the indexes of the source measure, by field."""
        name = self.move.collection
        found = [self.client.describe_index(name, index) for index in self.client.list_indexes(name)]
        return {index["field_name"]: index["metric_type"] for index in found if index and index.get("metric_type")}

    def load(self) -> None:
        """Ask for it only: the server takes seconds for each, but does not take them one after another."""
        name = self.move.collection
        if self.was_loaded:
            return
        if not is_lite(self.client) and not self.client.list_indexes(name):
            self.added = next(field.name for field in self.schema.fields if is_vector(field))
            make_index(self.client, name, next(field for field in self.schema.fields if is_vector(field)), None, plain=True)
        self.client.load_collection(name, _async=True)

    def wait_loaded(self) -> None:
        end = time.monotonic() + LOAD_LIMIT
        while not self.is_loaded():
            if time.monotonic() > end:
                raise Failed(f"it was not loaded in {LOAD_LIMIT:.0f} s")
            time.sleep(0.05)

    def put_back(self) -> None:
        """As it was found."""
        if self.was_loaded:
            return
        self.client.release_collection(self.move.collection)
        if self.added:
            self.client.drop_index(self.move.collection, self.added)

    def count(self) -> int:
        answer = self.client.query(self.move.collection, "", output_fields=["count(*)"], consistency_level="Strong")
        return int(answer[0]["count(*)"])

    def partitions(self) -> list[str]:
        return [] if has_partition_key(self.schema) else self.client.list_partitions(self.move.collection)


def make_index(client: MilvusClient, name: str, field: Any, metric: str | None, plain: bool = False) -> None:
    params = client.prepare_index_params()
    binary = field.data_type == DataType.BINARY_VECTOR
    kinds = ["BIN_FLAT"] if binary else ["FLAT"] if plain else ["AUTOINDEX", "FLAT"]
    for kind in kinds:
        params = client.prepare_index_params()
        params.add_index(field.name, index_type=kind, metric_type=metric or ("HAMMING" if binary else "COSINE"))
        try:
            client.create_index(name, params, sync=False)
            return
        except MilvusException:
            if kind == kinds[-1]:
                raise


def make(source: Source, target: Side) -> MilvusClient:
    """The collection on the target, empty."""
    move, described = source.move, source.described
    target.make_database(move.to_database)
    client = target.database(move.to_database)
    if client.has_collection(move.collection):
        raise Failed("the target has a collection of this name already")
    schema = schema_pb2.CollectionSchema()
    schema.CopyFrom(described.schema)
    del schema.fields[:]
    schema.fields.extend(field for field in described.schema.fields if not field.is_dynamic)
    request = milvus_pb2.CreateCollectionRequest(
        db_name=move.to_database, collection_name=move.collection, schema=schema.SerializeToString(),
        shards_num=described.shards_num, consistency_level=described.consistency_level,
        num_partitions=described.num_partitions if has_partition_key(schema) else 0,
    )
    status: common_pb2.Status = client._get_connection()._stub.CreateCollection(request)
    if status.error_code or status.code:
        raise Failed(f"the target refused the collection: {status.reason}")
    for partition in source.partitions():
        if partition != "_default":
            client.create_partition(move.collection, partition)
    return client


def copy(source: Source, target: Side) -> None:
    """One collection, from the first row to the index."""
    if source.count() == 0:
        raise Failed("the source collection is empty")
    name, metrics = source.move.collection, source.metrics()
    client = make(source, target)
    for partition in source.partitions() or [None]:
        options = {"partition_name": partition} if partition else {}
        for page in pages(source.client, name, source.schema, partition):
            client.insert(name, [writable(row, source.schema) for row in page], **options)
    # So that statistics know the rows; nobody waits for it.
    flush = milvus_pb2.FlushRequest(db_name=source.move.to_database, collection_names=[name])
    client._get_connection()._stub.Flush(flush)
    for field in source.schema.fields:
        if is_vector(field):
            make_index(client, name, field, metrics.get(field.name) if field.name != source.added else None)
