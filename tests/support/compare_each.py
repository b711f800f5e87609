#!/usr/bin/env python3
"""Compare one collection with many: `compare_each.py URI/DB/A URI/DB NAME... [--where EXPR] [--rename old=new] [--known-by FIELD]`.

Each of the named collections has to hold the rows of A that `--where` selects, each once, equal in every field and in the same
partition; `--rename` says which fields of A are called otherwise there, and `--known-by` which field there holds the keys of A.
Prints one JSON object with what is wrong, by collection, and ends with 1 where there is anything.
"""

import argparse
import json
import sys
import time
from typing import Any

import cluster
from dump import canonical_rows

SHOWN = 5
# How often a collection that is not as it should be is loaded and read again, and the seconds before.
AGAIN = 4
PAUSE = 5
# Loading several at once takes the server little longer than loading one; with many it chokes.
AT_ONCE = 6


def differences(wanted: dict[Any, Any], client: Any, name: str, known_by: str | None) -> list[str]:
    """What is wrong with one collection."""
    found: dict[Any, Any] = {}
    read = 0
    for key, row in canonical_rows(client, name, known_by=known_by):
        read += 1
        found[key] = row
    counted = cluster.count(client, name)
    problems = []
    if (counted, read, len(found)) != (len(wanted),) * 3:
        problems.append(f"{counted} rows, {read} read, {len(found)} keys; {len(wanted)} wanted")
    for what, keys in (
        ("missing", set(wanted) - set(found)),
        ("not wanted", set(found) - set(wanted)),
        ("different", {key for key in set(found) & set(wanted) if found[key] != wanted[key]}),
    ):
        if keys:
            problems.append(f"{len(keys)} {what}, such as {sorted(keys)[:SHOWN]}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a", type=cluster.Address)
    parser.add_argument("database", help="URI/DB of the many")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--where", default="")
    parser.add_argument("--rename", default="", metavar="OLD=NEW")
    parser.add_argument("--known-by", metavar="FIELD")
    args = parser.parse_args()
    source = args.a.connect()
    key = cluster.key_of(source, args.a.collection)[0]
    old, _, new = args.rename.partition("=")
    with cluster.loaded(source, args.a.collection):
        rows = canonical_rows(
            source, args.a.collection, where=args.where, known_by=key if args.known_by else None
        )
        wanted = {key: {new if name == old else name: value for name, value in row.items()} for key, row in rows}
    client = cluster.Address(f"{args.database}/").connect()
    wrong = {}
    for first in range(0, len(args.names), AT_ONCE):
        names = args.names[first : first + AT_ONCE]
        for name in names:
            if not client.list_indexes(name):
                params = client.prepare_index_params()
                params.add_index(cluster.vector_field(client, name), index_type="FLAT", metric_type="L2")
                client.create_index(name, params)
        cluster.wait_loaded(client, names)
        for name in names:
            problems = differences(wanted, client, name, args.known_by)
            for _ in range(AGAIN):
                if not problems:
                    break
                # 2.3.5 merges segments behind one's back, and who loads at that moment may miss one for a while. What is lost
                # stays lost, and a double stays a double.
                print(f"{name} once more, because of {problems}", file=sys.stderr)
                client.release_collection(name)
                time.sleep(PAUSE)
                cluster.wait_loaded(client, [name])
                problems = differences(wanted, client, name, args.known_by)
            client.release_collection(name)
            if problems:
                wrong[name] = problems
    print(json.dumps(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    cluster.script(main)
