"""Makes and fills the collections that the mapping's cases start from."""

from typing import Any

from pymilvus import DataType, Function, FunctionType, MilvusClient

import cluster
from mapping_rows import COLLECTIONS, Collection, Row

PARAMS = ("max_length", "max_capacity", "dim", "nullable")


def make(client: MilvusClient, name: str, collection: Collection, is_lite: bool) -> None:
    settings = dict(collection.settings)
    if is_lite:
        settings = {key: value for key, value in settings.items() if key == "properties"}
    description = settings.pop("description", "")
    schema = client.create_schema(enable_dynamic_field=collection.dynamic, description=description)
    for field, said in collection.schema.items():
        options: dict[str, Any] = {key: said[key] for key in PARAMS if key in said}
        for key, option in (("key", "is_primary"), ("auto", "auto_id"), ("partition_key", "is_partition_key"), ("analyzer", "enable_analyzer")):
            if said.get(key):
                options[option] = True
        if "default" in said:
            options["default_value"] = said["default"]
        if "element" in said:
            options["element_type"] = DataType[said["element"].upper()]
        schema.add_field(field, DataType[said["type"].upper()], **options)
    for function, (reads, fills) in collection.functions.items():
        schema.add_function(Function(function, FunctionType.BM25, input_field_names=[reads], output_field_names=[fills]))
    client.create_collection(name, schema=schema, **settings)
    for partition in collection.partitions:
        client.create_partition(name, partition)
    params = client.prepare_index_params()
    for field, (kind, metric, extra) in collection.indexes.items():
        params.add_index(field, index_type=kind, metric_type=metric, params=extra)
    for field, kind in {} if is_lite else collection.scalars.items():
        params.add_index(field, index_type=kind)
    client.create_index(name, params)


def insert(client: MilvusClient, name: str, rows: list[Row]) -> list[Any]:
    """The keys of the rows, in their order where there is one partition."""
    by_partition: dict[str | None, list[Row]] = {}
    for row in rows:
        flat = {key: value for key, value in row.items() if key not in ("$meta", "$partition")} | row.get("$meta", {})
        # A default is what a row gets that brings no value.
        if name == "nulls" and flat["fixed"] == 42:
            del flat["fixed"]
        by_partition.setdefault(row.get("$partition"), []).append(flat)
    keys: list[Any] = []
    for partition, part in by_partition.items():
        keys += client.insert(name, part, **({"partition_name": partition} if partition else {}))["ids"]
    return keys


def fill(uri: str, database: str) -> list[int]:
    """All sources that the server can hold, loaded. The keys that it made for `auto`."""
    cluster.ensure_database(uri, database)
    client = MilvusClient(uri=uri, db_name=database, token=cluster.LOGIN)
    is_lite = cluster.is_lite(client)
    made: list[int] = []
    names = [name for name, collection in COLLECTIONS.items() if is_lite or not collection.lite_only]
    for name in names:
        collection = COLLECTIONS[name]
        make(client, name, collection, is_lite)
        keys = insert(client, name, list(collection.rows()))
        if name == "auto":
            made = [int(key) for key in keys]
    cluster.wait_loaded(client, names)
    return made


def drop(uri: str, database: str) -> None:
    """Drop all collections of a database, if it is there; loaded ones cost the server memory."""
    if database not in MilvusClient(uri=uri, token=cluster.LOGIN).list_databases():
        return
    client = MilvusClient(uri=uri, db_name=database, token=cluster.LOGIN)
    for name in client.list_collections():
        is_aliased = [] if cluster.is_lite(client) else client.describe_collection(name).get("aliases", [])
        for alias in is_aliased:
            client.drop_alias(alias)
        client.drop_collection(name)
