"""A connection to a server, and an independent way to read all rows of a collection.

The client's `query_iterator` is not used: it does not escape text keys and it stops at short pages. The reader here is a
cursor, `key > last` with a limit, that ends at an empty page and at nothing else.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymilvus import DataType, MilvusClient, MilvusException
from pymilvus.client.types import LoadState

PAGE = 8192
# What every new server lets in; one that asks for no login does not look at it.
LOGIN = "root:Milvus"
I64_MAX = (1 << 63) - 1
I64_MIN = -(1 << 63)

# The client logs a traceback of its own for every refusal, also for those that are expected.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


def script(main: Callable[[], None]) -> None:
    """Run a script; what a server refuses is one line and status 2, since 1 means a difference."""
    try:
        main()
    except MilvusException as refused:
        print(f"{sys.argv[0]}: {refused}", file=sys.stderr)
        sys.exit(2)


class Address:
    """`http://host:port/database/collection`, as the command lines of these scripts take it."""

    def __init__(self, text: str) -> None:
        self.uri, self.database, self.collection = text.rsplit("/", 2)

    def connect(self) -> MilvusClient:
        return MilvusClient(uri=self.uri, db_name=self.database, token=LOGIN)


def is_lite(client: MilvusClient) -> bool:
    """Whether the server is milvus-lite. The packaged Milvus calls itself `v2.3.5-lite`, so the number decides."""
    return not client.get_server_version().startswith("v2.")


def quote(text: str) -> str:
    """A text as both servers read it in an expression: these four characters escaped, all others as they are."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def literal(key: int | str) -> str:
    """A key in an expression. 2.3.5 can't read the smallest integer, but can compute it."""
    if isinstance(key, str):
        return quote(key)
    return "-9223372036854775807 - 1" if key == I64_MIN else str(key)


def both(*parts: str) -> str:
    """Several conditions at once."""
    return " and ".join(f"({part})" for part in parts if part)


def fields_of(client: MilvusClient, collection: str) -> list[dict[str, Any]]:
    """The declared fields; milvus-lite also lists the dynamic one."""
    fields = client.describe_collection(collection)["fields"]
    return [field for field in fields if not field.get("is_dynamic") and field["name"] != "$meta"]


def key_of(client: MilvusClient, collection: str) -> tuple[str, bool]:
    """The primary key's name, and whether it is a text."""
    for field in fields_of(client, collection):
        if field.get("is_primary"):
            return field["name"], field["type"] == DataType.VARCHAR
    raise LookupError(f"{collection} has no primary key")


def has_partition_key(client: MilvusClient, collection: str) -> bool:
    return any(field.get("is_partition_key") for field in fields_of(client, collection))


def is_loaded(client: MilvusClient, collection: str) -> bool:
    return client.get_load_state(collection)["state"] == LoadState.Loaded


def wait_loaded(client: MilvusClient, collections: list[str], limit: float = 120) -> None:
    """Load many at once: the server takes seconds for each, but does not take them one after another."""
    for collection in collections:
        client.load_collection(collection, _async=True)
    end = time.monotonic() + limit
    for collection in collections:
        while not is_loaded(client, collection):
            if time.monotonic() > end:
                raise TimeoutError(f"{collection} was not loaded in {limit} s")
            time.sleep(0.05)


def vector_field(client: MilvusClient, collection: str) -> str:
    return next(field["name"] for field in fields_of(client, collection) if 100 <= int(field["type"]) < 200)


@contextmanager
def loaded(client: MilvusClient, collection: str) -> Iterator[None]:
    """The collection in memory, and afterwards as it was found: not loaded, without an index."""
    if is_loaded(client, collection):
        yield
        return
    added = None
    if not is_lite(client) and not client.list_indexes(collection):
        added = vector_field(client, collection)
        params = client.prepare_index_params()
        binary = next(f for f in fields_of(client, collection) if f["name"] == added)["type"] == DataType.BINARY_VECTOR
        params.add_index(added, index_type="BIN_FLAT" if binary else "FLAT", metric_type="HAMMING" if binary else "L2")
        client.create_index(collection, params)
    wait_loaded(client, [collection])
    try:
        yield
    finally:
        client.release_collection(collection)
        if added:
            client.drop_index(collection, added)


def count(client: MilvusClient, collection: str, where: str = "", **options: Any) -> int:
    """`count(*)`: physical rows, a key that is there twice counted twice."""
    answer = client.query(collection, where, output_fields=["count(*)"], consistency_level="Strong", **options)
    return int(answer[0]["count(*)"])


def ascending(client: MilvusClient) -> dict[str, Any]:
    """What makes a server answer with the smallest keys. Newer ones ask for `iterator`; but where that is said, the client leaves
    consistency to the collection, whatever it was told, and Milvus 2.3.5 then gives rows of five seconds ago.
    """
    return {"iterator": "True"} if is_lite(client) else {"reduce_stop_for_best": "True"}


def rows(client: MilvusClient, collection: str, where: str = "", partition: str | None = None) -> Iterator[dict[str, Any]]:
    """All rows with all fields, in the order of the key, each key once."""
    key, is_text = key_of(client, collection)
    declared = [field["name"] for field in fields_of(client, collection)]
    wanted = declared + ["*"]
    options = ascending(client) | ({"partition_names": [partition]} if partition else {})
    # The first condition has to let the smallest key pass, which `key > …` can't say.
    place = f'{key} >= ""' if is_text else f"{key} <= {I64_MAX}"
    # One strong read makes everything written before visible, and what was visible once stays visible.
    level = "Strong"
    while True:
        page = client.query(
            collection, both(place, where), output_fields=wanted, limit=PAGE, consistency_level=level, **options,
        )
        if not page:
            return
        yield from page
        last = page[-1][key]
        if last == I64_MAX:
            return
        place, level = f"{key} > {literal(last)}", "Eventually"


def row(client: MilvusClient, collection: str, key: int | str) -> dict[str, Any] | None:
    """One row by its key."""
    name, _ = key_of(client, collection)
    found = client.query(collection, f"{name} == {literal(key)}", output_fields=["*"], limit=1, consistency_level="Strong")
    return dict(found[0]) if found else None


def ensure_database(uri: str, name: str) -> None:
    """Make the database unless it is there; another process may be making it at the same moment."""
    client = MilvusClient(uri=uri, token=LOGIN)
    try:
        if name not in client.list_databases():
            client.create_database(name)
    except MilvusException:
        if name not in client.list_databases():
            raise
    finally:
        client.close()
