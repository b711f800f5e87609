#!/usr/bin/env python3
"""Make a collection and fill it: `fill.py URI --collection NAME --preset PRESET [--db DB] [--rows N] [--seed S] [...]`.

The presets are in presets.py. The rows depend on preset, rows and seed only. `many` makes `--collections` of them, named
NAME00, NAME01 and so on. By default the collection ends flushed, indexed and loaded.
"""

import argparse
import json
from typing import Any

import numpy as np
from pymilvus import MilvusClient
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

import cluster
import presets

BATCH = 5000
BULK_BATCH = 50_000


def create(client: MilvusClient, name: str, preset: presets.Preset, args: argparse.Namespace) -> None:
    schema = client.create_schema(enable_dynamic_field=preset.dynamic, description=args.description)
    preset.schema(schema)
    options: dict[str, Any] = {"consistency_level": args.consistency}
    if args.shards:
        options["num_shards"] = args.shards
    if partitions := args.num_partitions or preset.num_partitions:
        options["num_partitions"] = partitions
    if args.ttl:
        options["properties"] = {"collection.ttl.seconds": args.ttl}
    client.create_collection(name, schema=schema, **options)
    for partition in preset.partitions:
        client.create_partition(name, partition)


def insert_rows(client: MilvusClient, name: str, preset: presets.Preset, args: argparse.Namespace, count: int) -> None:
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        rows = list(preset.rows(presets.generator(args.preset, args.seed, first), first, size))
        if preset.partition_of is None:
            client.insert(name, rows)
            continue
        by_partition: dict[str, list[presets.Row]] = {}
        for offset, row in enumerate(rows):
            by_partition.setdefault(preset.partition_of(first + offset), []).append(row)
        for partition, part in by_partition.items():
            client.insert(name, part, partition_name=partition)


def packed(numbers: np.ndarray, message: Any) -> Any:
    """A message whose field 1 is a packed list of fixed-width numbers, made from their bytes without a step per number."""
    data = numbers.tobytes()
    length, prefix = len(data), b"\x0a"
    while True:
        prefix += bytes([(length & 127) | (128 if length > 127 else 0)])
        length >>= 7
        if not length:
            return message.FromString(prefix + data)


def insert_million(client: MilvusClient, name: str, args: argparse.Namespace, count: int) -> None:
    """Column by column, past the client's row by row encoding, which takes minutes for this many."""
    connection = client._get_connection()
    kinds = schema_pb2.DataType
    for first in range(0, count, BULK_BATCH):
        size = min(BULK_BATCH, count - first)
        floats = presets.vectors(presets.generator(args.preset, args.seed, first), size, 64)
        ids, vector = schema_pb2.FieldData(field_name="id", type=kinds.Int64), schema_pb2.FieldData(field_name="vector", type=kinds.FloatVector)
        group = schema_pb2.FieldData(field_name="group", type=kinds.Int32)
        ids.scalars.long_data.data.extend(range(first, first + size))
        group.scalars.int_data.data.extend(number % 1000 for number in range(first, first + size))
        vector.vectors.dim = 64
        vector.vectors.float_vector.CopyFrom(packed(floats, schema_pb2.FloatArray))
        request = milvus_pb2.InsertRequest(
            db_name=args.db, collection_name=name, num_rows=size, fields_data=[ids, group, vector], hash_keys=[0] * size
        )
        answer = connection._stub.Insert(request)
        if answer.status.code or answer.insert_cnt != size:
            raise RuntimeError(f"insert of {size} rows from {first}: {answer.status}")


def duplicate(client: MilvusClient, name: str, preset: presets.Preset, args: argparse.Namespace, count: int) -> None:
    """Insert keys again that are there: half of them beside flushed rows, half beside rows that are not flushed yet.

    The first copies of the second half, the rows from `count` on, are inserted here after the flush.
    """
    client.flush(name)
    again = list(preset.rows(presets.generator(args.preset, args.seed, 0), 0, count))[: args.duplicates - args.duplicates // 2]
    fresh = list(preset.rows(presets.generator(args.preset, args.seed, count), count, args.duplicates // 2))
    if fresh:
        client.insert(name, fresh)
    client.insert(name, [row | {"copy": 1} for row in again + fresh])


def insert(client: MilvusClient, name: str, preset: presets.Preset, args: argparse.Namespace) -> None:
    count = preset.default_rows if args.rows is None else args.rows
    if args.preset == "million":
        return insert_million(client, name, args, count)
    if args.preset == "duplicates":
        # So many distinct keys in all, half of the doubled ones among those that stay unflushed.
        count -= args.duplicates // 2
    insert_rows(client, name, preset, args, count)
    if args.preset == "duplicates":
        duplicate(client, name, preset, args, count)
    if args.preset == "int_extremes" and args.with_limits:
        floats = presets.vectors(presets.generator("limits", args.seed, 0), len(presets.LIMITS), 8)
        client.insert(name, [{"id": key, "number": -1, "vector": floats[n]} for n, key in enumerate(presets.LIMITS)])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri")
    parser.add_argument("--collection", required=True)
    parser.add_argument("--preset", choices=presets.PRESETS, required=True)
    parser.add_argument("--db", default="default", help="made when it is not there")
    parser.add_argument("--rows", type=int, help="default: the preset's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--collections", type=int, default=50, help="of `many`")
    parser.add_argument("--duplicates", type=int, default=100, help="keys of `duplicates` that are there twice")
    parser.add_argument("--with-limits", action="store_true", help="`int_extremes` with the smallest and the largest key too")
    parser.add_argument("--no-index", action="store_true", help="neither index nor load")
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--no-flush", action="store_true")
    parser.add_argument("--ttl", type=int, help="seconds")
    parser.add_argument("--shards", type=int)
    parser.add_argument("--num-partitions", type=int, help="of a partition key")
    parser.add_argument("--description", default="")
    parser.add_argument("--consistency", default="Bounded", choices=["Strong", "Session", "Bounded", "Eventually"])
    return parser.parse_args()


def main() -> None:
    args = parse()
    preset = presets.PRESETS[args.preset]
    if args.db != "default":
        cluster.ensure_database(args.uri, args.db)
    client = MilvusClient(uri=args.uri, db_name=args.db, token=cluster.LOGIN)
    many = args.preset == "many"
    names = [f"{args.collection}{n:02}" for n in range(args.collections)] if many else [args.collection]
    for name in names:
        create(client, name, preset, args)
        insert(client, name, preset, args)
        # A flush of fifty small collections costs half a minute and shows nothing that one does not.
        if not (args.no_flush or many or args.preset == "duplicates"):
            client.flush(name)
        if not args.no_index:
            client.create_index(name, presets.index_params(client, preset, with_scalars=not cluster.is_lite(client)))
    if not (args.no_index or args.no_load):
        cluster.wait_loaded(client, names)
    print(json.dumps({"collections": names}))


if __name__ == "__main__":
    cluster.script(main)
