#!/usr/bin/env python3
"""Make and fill the collections that a specification describes: `fill_spec.py URI [FILE] --db DB`, by default from standard input.

The specification is a JSON list, one object for each collection:

    name, dynamic, num_partitions     as their names say; `num_partitions` goes with a partition key
    partitions                        names of partitions to make
    fields                            each with `name` and `type` as plans write it, and as the type has them `element_type`,
                                      `max_length`, `max_capacity`, `dim`, `nullable`, `default`, `primary`, `partition_key`
    index                             `index_type` and `metric_type` of the field `vector`
    flush                             whether the rows are flushed
    rows                              by field; `#partition` is where a row goes

JSON has no word for some numbers, so a text in a field of numbers is read as Python reads it: `"NaN"`, `"-Infinity"`. A text in a
field of JSON is taken as it is, so a specification decides its very bytes. The collections end loaded.
"""

import argparse
import json
import sys
from typing import Any

from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import schema_pb2

import cluster

FLOATS = ("float", "double")
SMALL = ("int8", "int16", "int32")


def add_field(schema: Any, field: dict[str, Any], lite: bool) -> None:
    options = {name: field[name] for name in ("max_length", "max_capacity", "dim", "nullable") if name in field}
    if "element_type" in field:
        options["element_type"] = DataType[field["element_type"].upper()]
    if "default" in field:
        value = options["default_value"] = number(field["type"], field["default"])
        if field["type"] in SMALL and not lite:
            # The client sends it as a wide one, which 2.3.5 refuses.
            options["default_value"] = schema_pb2.ValueField(int_data=value)
    if field.get("primary"):
        options["is_primary"] = True
    if field.get("partition_key"):
        options["is_partition_key"] = True
    schema.add_field(field["name"], DataType[field["type"].upper()], **options)


def number(kind: str, value: Any) -> Any:
    return float(value) if kind in FLOATS and value is not None else value


def read(row: dict[str, Any], fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The row as the client takes it."""
    plain = {}
    for name, value in row.items():
        field = fields.get(name, {})
        if field.get("type") == "array" and value is not None:
            value = [number(field["element_type"], item) for item in value]
        plain[name] = number(field.get("type", ""), value)
    return plain


def make(client: MilvusClient, spec: dict[str, Any]) -> None:
    name, fields = spec["name"], {field["name"]: field for field in spec["fields"]}
    schema = client.create_schema(enable_dynamic_field=spec["dynamic"])
    for field in spec["fields"]:
        add_field(schema, field, cluster.is_lite(client))
    options = {"num_partitions": spec["num_partitions"]} if "num_partitions" in spec else {}
    client.create_collection(name, schema=schema, **options)
    by_partition: dict[str | None, list[dict[str, Any]]] = {partition: [] for partition in spec.get("partitions", [])}
    for partition in by_partition:
        client.create_partition(name, partition)
    for row in spec["rows"]:
        by_partition.setdefault(row.pop("#partition", None), []).append(read(row, fields))
    for partition, rows in by_partition.items():
        if rows:
            client.insert(name, rows, **({"partition_name": partition} if partition else {}))
    if spec.get("flush"):
        client.flush(name)
    params = client.prepare_index_params()
    params.add_index("vector", index_name="vector", **spec["index"])
    client.create_index(name, params)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri")
    parser.add_argument("--db", required=True, help="made when it is not there")
    parser.add_argument("file", nargs="?", type=argparse.FileType(), default=sys.stdin)
    args = parser.parse_args()
    specs = json.load(args.file)
    cluster.ensure_database(args.uri, args.db)
    client = MilvusClient(uri=args.uri, db_name=args.db, token=cluster.LOGIN)
    for spec in specs:
        make(client, spec)
    cluster.wait_loaded(client, [spec["name"] for spec in specs])
    print(json.dumps({"collections": [spec["name"] for spec in specs]}))


if __name__ == "__main__":
    cluster.script(main)
