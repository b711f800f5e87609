#!/usr/bin/env python3
"""Compare two collections row by row: `compare.py URI/DB/A URI/DB/B [options]`.

Ends with 0 when B holds exactly the rows of A, each once, equal in every field and in the same partition; with 1 and the
first differences when it does not. `--where` selects rows of A only, for a B that is meant to hold just those.
`--allow-duplicates` lets A (not B) hold a key several times. `--known-by FIELD` finds the rows of B by a field that holds
the keys of A, for a B whose own keys are others; `--by-content` compares rows without any key.
"""

import argparse
import json
import sys
from typing import Any

import cluster
from canonical import digest
from dump import canonical_rows, options

SHOWN = 5


def read(address: cluster.Address, **selection: Any) -> tuple[int, dict[int | str, bytes], int]:
    """Physical rows, the digest of every key's row, and how many keys were read from more than one partition."""
    client, name = address.connect(), address.collection
    digests: dict[int | str, bytes] = {}
    again = 0
    with cluster.loaded(client, name):
        for key, row in canonical_rows(client, name, **selection):
            again += key in digests
            digests[key] = digest(row)
        return cluster.count(client, name, selection["where"]), digests, again


def explain(a: cluster.Address, b: cluster.Address, keys: list[int | str], **selection: Any) -> list[str]:
    """What differs in these rows, field by field, cut to a readable length."""
    found = []
    for address in (a, b):
        client, name = address.connect(), address.collection
        key_name, _ = cluster.key_of(client, name)
        wanted = " or ".join(f"{key_name} == {cluster.literal(key)}" for key in keys)
        with cluster.loaded(client, name):
            found.append(dict(canonical_rows(client, name, **(selection | {"where": wanted}))))
    lines = []
    for key in keys:
        left, right = (side.get(key, {}) for side in found)
        for field in sorted(set(left) | set(right)):
            if left.get(field) != right.get(field):
                lines.append(f"  {key!r}.{field}: {str(left.get(field))[:120]} != {str(right.get(field))[:120]}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a", type=cluster.Address)
    parser.add_argument("b", type=cluster.Address)
    parser.add_argument("--allow-duplicates", action="store_true", help="A may hold keys several times")
    parser.add_argument("--known-by", metavar="FIELD", help="field of B that holds the keys of A")
    parser.add_argument("--by-content", action="store_true", help="compare rows without any key")
    options(parser)
    args = parser.parse_args()
    selection = {"drop": args.drop, "ignore_partitions": args.ignore_partitions}
    known_by = "" if args.by_content else args.known_by
    key_a = cluster.key_of(args.a.connect(), args.a.collection)[0] if args.known_by else known_by
    count_a, rows_a, again_a = read(args.a, where=args.where, known_by=key_a, **selection)
    count_b, rows_b, again_b = read(args.b, where="", known_by=known_by, **selection)

    missing = sorted(set(rows_a) - set(rows_b))
    extra = sorted(set(rows_b) - set(rows_a))
    different = sorted(key for key, row in rows_a.items() if key in rows_b and rows_b[key] != row)
    problems = []
    if (count_a != len(rows_a) or again_a) and not args.allow_duplicates:
        problems.append(f"A holds {count_a} rows, but {len(rows_a)} distinct keys were read")
    if count_b != len(rows_b) or again_b:
        problems.append(f"B holds {count_b} rows, but {len(rows_b)} distinct keys were read")
    for what, keys in (("missing in B", missing), ("only in B", extra), ("different", different)):
        if keys:
            problems.append(f"{len(keys)} rows {what}, the first: {keys[:SHOWN]}")
    if different and known_by is None:
        problems += explain(args.a, args.b, different[:SHOWN], **selection)
    summary = {"identical": not problems, "count": [count_a, count_b], "distinct": [len(rows_a), len(rows_b)]}
    print(json.dumps(summary | {"missing": len(missing), "extra": len(extra), "different": len(different)}))
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    cluster.script(main)
