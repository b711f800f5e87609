#!/usr/bin/env python3
"""Read a whole collection: `dump.py URI/DB/COLLECTION [--ndjson] [--drop a,b] [--where EXPR] [--ignore-partitions]`.

Prints what there is as one JSON object (physical rows, rows read, distinct keys, a digest over all rows in the order of
their keys), or with --ndjson every row.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pymilvus import MilvusClient

import cluster
from canonical import canonical, digest


def options(parser: argparse.ArgumentParser) -> None:
    """What dump and compare have in common."""
    parser.add_argument("--drop", default="", help="fields to leave out, with commas between them")
    parser.add_argument("--where", default="", help="an expression that the rows have to meet")
    parser.add_argument("--ignore-partitions", action="store_true", help="do not look at which partition holds a row")


def canonical_rows(
    client: MilvusClient,
    collection: str,
    drop: str = "",
    where: str = "",
    ignore_partitions: bool = False,
    known_by: str | None = None,
) -> Iterator[tuple[int | str, dict[str, Any]]]:
    """Every row by its key, in canonical form; `#partition` says where it lies. The collection has to be loaded.

    With `known_by`, a row is known by that field instead of its key, or by its whole content where that is empty, and
    neither is part of the row.
    """
    fields = {field["name"]: field for field in cluster.fields_of(client, collection)}
    for field in fields.values():
        field.setdefault("element_type", field["params"].get("element_type", 0) if "params" in field else 0)
    key, _ = cluster.key_of(client, collection)
    left_out = frozenset(name for name in drop.split(",") if name)
    if known_by is not None:
        left_out |= {key, known_by}
    fields = {name: field for name, field in fields.items() if name not in left_out}
    by_partition = not ignore_partitions and not cluster.has_partition_key(client, collection)
    for partition in client.list_partitions(collection) if by_partition else [None]:
        for row in cluster.rows(client, collection, where, partition):
            plain = canonical(row, fields, left_out)
            if partition is not None:
                plain["#partition"] = partition
            yield digest(plain).hex() if known_by == "" else row[known_by or key], plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", type=cluster.Address)
    parser.add_argument("--ndjson", action="store_true")
    options(parser)
    args = parser.parse_args()
    client, name = args.address.connect(), args.address.collection
    digests: dict[int | str, bytes] = {}
    read = 0
    with cluster.loaded(client, name):
        for key, row in canonical_rows(client, name, args.drop, args.where, args.ignore_partitions):
            read += 1
            digests[key] = digest(row)
            if args.ndjson:
                print(json.dumps(row, ensure_ascii=False))
        total = cluster.count(client, name, args.where)
    if not args.ndjson:
        whole = hashlib.blake2b(digest_size=16)
        for key in sorted(digests):
            whole.update(digests[key])
        print(json.dumps({"count": total, "rows": read, "distinct": len(digests), "digest": whole.hexdigest()}))


if __name__ == "__main__":
    cluster.script(main)
