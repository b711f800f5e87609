#!/usr/bin/env python3
"""The mapping's cases, from outside: fill their sources, write their plans, check what came of them.

    mapping.py fill URI/DB                              make and fill the sources; prints the keys that the server made
    mapping.py plan WAY GROUP [--made FILE]             the entries of the group's plan, and what each has to make the plan say
    mapping.py drop URI/DB                              drop all that is in a database
    mapping.py check URI/DB WAY GROUP [--made FILE] [--plan FILE] [--quarantine DIR]
                                                        hold the targets against the cases; prints what is wrong

WAY is `milvus-to-lite` and the like. FILE of --made is what `fill` printed, of --plan what `vecferry plan --scan --output
json` did, and DIR is the folder of the files of rows that do not fit.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cluster
import mapping_check
import mapping_fields
import mapping_fill
import mapping_refused
import mapping_shape
import mapping_unfit
from mapping_case import Case, Way, together

GROUPS = {
    # All that fits, in one plan.
    "fits": [mapping_fields.cases, mapping_shape.cases],
    # Rows that go to the quarantine.
    "unfit": [mapping_unfit.cases],
    # Entries that stop while they are carried out.
    "stopped": [mapping_unfit.stopped],
    # Entries that are refused before anything is made.
    "refused": [mapping_refused.cases],
}


# Loading a collection costs Milvus 2.3.5 seconds, so there cases about different fields share a target, and fewer of them run.
TOGETHER = {
    "renamed_more": ["swapped", "renamed_key", "lifted_kept", "sunk_more"],
    "lifted_all": ["lifted", "lifted_deep", "lifted_json", "constant", "twice"],
    "typed": ["widened", "floats_to_ints", "less_precise", "from_text", "nulled"],
    "typed_more": ["narrowed", "ints_to_floats", "cut"],
}
ON_MILVUS = {
    False: """renamed renamed_more chosen lifted_all sunk typed typed_more to_text key_to_text halves auto auto_kept auto_words
        auto_off_renamed auto_stays promoted promoted_alone by_lang by_region by_nothing by_origin by_more parted_named parted_only
        parted_renamed parted_merged parted_moved parted_sunk declared told owned as_they_are indexed
        q_both q_long q_lang q_parted q_auto q_half s_int8 s_null""",
    True: "lifted_all typed typed_more to_text filled halves auto_stays by_key parted_renamed q_long q_key s_int8",
}


def group(way: Way, name: str) -> list[Case]:
    cases = [case for part in GROUPS[name] for case in part(way)]
    if not way.to_lite and name != "refused":
        by_name = {case.name: case for case in cases}
        if name == "fits":
            cases += [together(whole, [by_name[part] for part in parts]) for whole, parts in TOGETHER.items()]
        cases = [case for case in cases if case.name in ON_MILVUS[way.from_lite].split()]
    names = [case.name for case in cases]
    doubled = {name for name in names if names.count(name) > 1}
    assert not doubled, doubled
    return cases


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["fill", "plan", "check", "drop"])
    parser.add_argument("place", nargs="?", default="", help="URI/DB")
    parser.add_argument("way", nargs="?", default="milvus-to-milvus")
    parser.add_argument("group", nargs="?", choices=GROUPS, default="fits")
    parser.add_argument("--made", type=Path)
    parser.add_argument("--plan", type=Path)
    parser.add_argument("--quarantine", type=Path)
    return parser.parse_args()


def main() -> None:
    args = parse()
    if args.action == "fill":
        print(json.dumps(mapping_fill.fill(*args.place.rsplit("/", 1))))
        return
    if args.action == "drop":
        mapping_fill.drop(*args.place.rsplit("/", 1))
        print("null")
        return
    if args.action == "plan":
        args.way, args.group = args.place, args.way
    source, target = args.way.split("-to-")
    made: list[int] = json.loads(args.made.read_text()) if args.made else []
    way = Way(source == "lite", target == "lite", tuple(made))
    cases = group(way, args.group)
    if args.action == "plan":
        says: dict[str, Any] = {case.name: case.says for case in cases}
        print(json.dumps({"entries": "".join(case.entry(way) for case in cases), "says": says}))
        return
    found = mapping_check.check(args.place, way, cases)
    if args.plan:
        found += mapping_check.scanned(json.loads(args.plan.read_text()), way, cases)
    if args.quarantine:
        found += mapping_check.quarantined(args.quarantine, way, cases)
    print("\n".join(found), file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    cluster.script(main)
