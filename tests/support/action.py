#!/usr/bin/env python3
"""Do one thing to a collection, or ask one thing about it: `action.py URI/DB/COLLECTION ACTION [ARGUMENT...]`.

A key is given as JSON: `7`, or `"text"`. Every answer is one JSON value.

    count [EXPR]              physical rows
    count-in PARTITION        physical rows of a partition
    describe                  the server's whole answer: fields, shards, consistency level, properties
    partitions | indexes | aliases | load-state | collections
    row KEY                   the row, as the Python client returns it
    by-field FIELD VALUE      the one row with this value, by another field than the key
    some-keys                 a few keys
    upsert KEY FIELD=JSON...  change fields of one row; dynamic keys too
    duplicate KEY             insert the row once more, as a plain insert that no server refuses
    copy KEY NEW              insert the row under another key
    meddle CHANGED REMOVED COPIED NEW   all three at once: change `title` of a row, remove one, copy one under a new key
    delete KEY | drop | load | release | flush
    create-user NAME PASSWORD  one who may do everything
    limited-user NAME PASSWORD OBJECT:PRIVILEGE:NAME...   one who may do these things only; again, to let one do more
    alias NAME | create-partition NAME | property NAME=VALUE | create-database | drop-database | databases
    nearest FIELD N LIMIT     keys of the rows nearest to each of the first N rows' vectors, by their distance
    seen                      all of that which can be asked without loading, in one answer
    segments                  what was written for good: the ids and rows of all flushed segments
"""

import json
import sys
from typing import Any

from google.protobuf.json_format import MessageToDict
from pymilvus import MilvusClient
from pymilvus.grpc_gen import milvus_pb2

import cluster


def describe(client: MilvusClient, address: cluster.Address) -> Any:
    """Undecoded, since the client's own description leaves half of it out."""
    request = milvus_pb2.DescribeCollectionRequest(collection_name=address.collection, db_name=address.database)
    return MessageToDict(client._get_connection()._stub.DescribeCollection(request), preserving_proto_field_name=True)


def existing(client: MilvusClient, name: str, key: Any) -> dict[str, Any]:
    row = cluster.row(client, name, key)
    if row is None:
        sys.exit(f"{name} has no row {key!r}")
    return row


def writable(client: MilvusClient, name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row as read, in the form in which it can be written: byte vectors unwrapped, what a function makes left out."""
    made = {field["name"] for field in cluster.fields_of(client, name) if field.get("is_function_output")}
    bare = {field: value[0] if isinstance(value, list) and value and isinstance(value[0], bytes) else value for field, value in row.items()}
    return {field: value for field, value in bare.items() if field not in made}


def aliases(client: MilvusClient, address: cluster.Address) -> list[str]:
    """2.3.5 names them in its description, and its listing of aliases looks in the default database only."""
    if cluster.is_lite(client):
        return client.list_aliases(address.collection)["aliases"]
    return describe(client, address).get("aliases", [])


def segments(client: MilvusClient, address: cluster.Address) -> list[list[int]]:
    request = milvus_pb2.GetPersistentSegmentInfoRequest(dbName=address.database, collectionName=address.collection)
    answer = client._get_connection()._stub.GetPersistentSegmentInfo(request)
    return sorted([info.segmentID, info.num_rows] for info in answer.infos)


def act(address: cluster.Address, action: str, arguments: list[str]) -> Any:
    name = address.collection
    if action == "create-database":
        return cluster.ensure_database(address.uri, address.database)
    if action == "drop-database":
        return MilvusClient(uri=address.uri, token=cluster.LOGIN).drop_database(address.database)
    if action == "create-user":
        client = MilvusClient(uri=address.uri, token=cluster.LOGIN)
        client.create_user(*arguments)
        return client.grant_role(arguments[0], "admin")
    if action == "limited-user":
        client = MilvusClient(uri=address.uri, token=cluster.LOGIN)
        user, password, *granted = arguments
        if user not in client.list_users():
            client.create_user(user, password)
            client.create_role(user)
            client.grant_role(user, user)
        for grant in granted:
            client.grant_privilege(user, *grant.split(":"))
        return None
    if action == "databases":
        return sorted(MilvusClient(uri=address.uri, token=cluster.LOGIN).list_databases())
    client = address.connect()
    key = json.loads(arguments[0]) if action in ("row", "upsert", "duplicate", "copy", "delete") else None
    match action:
        case "count":
            with cluster.loaded(client, name):
                return cluster.count(client, name, *arguments)
        case "nearest":
            field, many, limit = arguments[0], int(arguments[1]), int(arguments[2])
            with cluster.loaded(client, name):
                vectors = [row[field] for _, row in zip(range(many), cluster.rows(client, name))]
                hits = client.search(name, data=vectors, anns_field=field, limit=limit, consistency_level="Strong")
                return [[hit["id"] for hit in found] for found in hits]
        case "count-in":
            with cluster.loaded(client, name):
                return cluster.count(client, name, partition_names=[arguments[0]])
        case "describe":
            return describe(client, address)
        case "partitions":
            return client.list_partitions(name)
        case "indexes":
            return [client.describe_index(name, index) for index in client.list_indexes(name)]
        case "aliases":
            return aliases(client, address)
        case "seen":
            asked = ("describe", "partitions", "indexes", "aliases", "load-state")
            # milvus-lite does not tell its segments.
            return {what: act(address, what, []) for what in asked + (() if cluster.is_lite(client) else ("segments",))}
        case "segments":
            return segments(client, address)
        case "load-state":
            return client.get_load_state(name)["state"].name
        case "collections":
            return sorted(client.list_collections())
        case "row":
            with cluster.loaded(client, name):
                return existing(client, name, key)
        case "by-field":
            with cluster.loaded(client, name):
                where = f"{arguments[0]} == {cluster.literal(json.loads(arguments[1]))}"
                return next(cluster.rows(client, name, where))
        case "some-keys":
            with cluster.loaded(client, name):
                field = cluster.key_of(client, name)[0]
                return [row[field] for _, row in zip(range(3), cluster.rows(client, name))]
        case "upsert":
            with cluster.loaded(client, name):
                changes = dict(argument.split("=", 1) for argument in arguments[1:])
                row = existing(client, name, key) | {field: json.loads(value) for field, value in changes.items()}
                client.upsert(name, [writable(client, name, row)])
        case "duplicate":
            with cluster.loaded(client, name):
                client.insert(name, [writable(client, name, existing(client, name, key))])
        case "copy":
            with cluster.loaded(client, name):
                changed = {cluster.key_of(client, name)[0]: json.loads(arguments[1])}
                client.insert(name, [writable(client, name, existing(client, name, key)) | changed])
        case "meddle":
            with cluster.loaded(client, name):
                changed, removed, copied, new = map(json.loads, arguments)
                client.upsert(name, [writable(client, name, existing(client, name, changed)) | {"title": "meddled with"}])
                client.delete(name, ids=[removed])
                field = cluster.key_of(client, name)[0]
                client.insert(name, [writable(client, name, existing(client, name, copied)) | {field: new}])
        case "delete":
            with cluster.loaded(client, name):
                existing(client, name, key)
                client.delete(name, ids=[key])
        case "drop":
            client.drop_collection(name)
        case "load":
            cluster.wait_loaded(client, [name])
        case "release":
            client.release_collection(name)
        case "flush":
            client.flush(name)
        case "alias":
            client.create_alias(name, arguments[0])
        case "create-partition":
            client.create_partition(name, arguments[0])
        case "property":
            client.alter_collection_properties(name, dict([arguments[0].split("=", 1)]))
        case _:
            sys.exit(f"unknown action {action}\n{__doc__}")
    return None


def plain(value: Any) -> Any:
    """What JSON has no word for: bytes of a vector, numbers of numpy."""
    if isinstance(value, bytes):
        return value.hex()
    return value.item() if hasattr(value, "item") else str(value)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    answer = act(cluster.Address(sys.argv[1]), sys.argv[2], sys.argv[3:])
    print(json.dumps(answer, default=plain, ensure_ascii=False))


if __name__ == "__main__":
    cluster.script(main)
