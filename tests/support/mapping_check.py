"""Reads targets back with the vendor's client, and holds them against the cases. What is wrong is one line each."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import cluster
from canonical import canonical
from mapping_case import Case, Way
from mapping_rows import COLLECTIONS, Row, Schema

SHOWN = 3
SIMILAR = 400


def describe(client: MilvusClient, database: str, name: str) -> dict[str, Any]:
    request = milvus_pb2.DescribeCollectionRequest(collection_name=name, db_name=database)
    return MessageToDict(client._get_connection()._stub.DescribeCollection(request), preserving_proto_field_name=True)


def schema_of(described: dict[str, Any], outputs: set[str]) -> Schema:
    """The schema in the words of `mapping_rows`."""
    schema: Schema = {}
    for field in described["schema"]["fields"]:
        if field.get("is_dynamic") or field["name"] == "$meta":
            continue
        said: dict[str, Any] = {"type": DataType[type_name(field["data_type"])].name.lower()}
        params = {pair["key"]: pair["value"] for pair in field.get("type_params", [])}
        said |= {key: int(params[key]) for key in ("max_length", "max_capacity", "dim") if key in params}
        if field.get("element_type", "None") != "None":
            said["element"] = type_name(field["element_type"]).lower()
        if params.get("enable_analyzer", "").lower() == "true":
            said["analyzer"] = True
        for key, flag in (("is_primary_key", "key"), ("autoID", "auto"), ("is_partition_key", "partition_key"), ("nullable", "nullable")):
            if field.get(key):
                said[flag] = True
        if field.get("is_function_output") or field["name"] in outputs:
            said["output"] = True
        if "default_value" in field:
            # An oneof with one member; a default that is zero, empty or false is left out of what it prints.
            (kind, value), = (field["default_value"] or {"string_data": ""}).items()
            said["default"] = int(value) if kind == "long_data" else value
        schema[field["name"]] = said
    return schema


def type_name(name: str) -> str:
    """`VarChar` as the client's enumeration has it."""
    named = {"VarChar": "VARCHAR", "FloatVector": "FLOAT_VECTOR", "Float16Vector": "FLOAT16_VECTOR", "SparseFloatVector": "SPARSE_FLOAT_VECTOR"}
    return named.get(name, name.upper())


def actual_rows(client: MilvusClient, name: str, by_partition: bool) -> Iterator[Row]:
    for partition in client.list_partitions(name) if by_partition else [None]:
        for row in cluster.rows(client, name, partition=partition):
            yield dict(row) | ({"$partition": partition} if partition else {})


def plain(row: Row, fields: dict[str, Any], case: Case, by_partition: bool) -> str:
    """A row as one text, equal for equal rows only."""
    flat = {name: value for name, value in row.items() if name not in ("$meta", "$partition")} | row.get("$meta", {})
    seen = {name: rule(flat.pop(name)) for name, rule in case.seen_as.items()}
    whole = canonical(flat, {name: field for name, field in fields.items() if name not in seen}, frozenset(case.made))
    whole |= {f"{name} as seen": value for name, value in seen.items()}
    if by_partition:
        whole["#partition"] = row.get("$partition", "_default")
    return json.dumps(whole, sort_keys=True, ensure_ascii=False)


def same_rows(client: MilvusClient, case: Case, way: Way) -> Iterator[str]:
    fields = {field["name"]: field for field in cluster.fields_of(client, case.name)}
    for field in fields.values():
        field.setdefault("element_type", field["params"].get("element_type", 0) if "params" in field else 0)
    # What a function computes is for the server alone.
    outputs = {name for name, said in case.expected_schema(way).items() if said.get("output")}
    fields = {name: field for name, field in fields.items() if name not in outputs}
    by_partition = not cluster.has_partition_key(client, case.name)
    wanted = Counter(plain(row, fields, case, by_partition) for row in case.rows(way))
    there = list(actual_rows(client, case.name, by_partition))
    found = Counter(plain({name: value for name, value in row.items() if name not in outputs}, fields, case, by_partition) for row in there)
    if (physical := cluster.count(client, case.name)) != wanted.total():
        yield f"count(*) is {physical}, and {wanted.total()} rows were to come"
    missing, extra = wanted - found, found - wanted
    for what, rows in (("missing", missing), ("there and not wanted", extra)):
        if rows:
            yield f"{rows.total()} rows {what}"
    yield from differences(missing, extra)
    if not wanted:
        yield "the case has no rows, and shows nothing"


def differences(missing: Counter[str], extra: Counter[str]) -> Iterator[str]:
    """A few of the rows that were wanted, each with what differs in the row that is most like it."""
    there = [json.loads(row) for row in list(extra)[:SIMILAR]]
    for row in list(missing)[:SHOWN]:
        wanted = json.loads(row)
        unlike = [{name: (wanted.get(name), found.get(name)) for name in wanted | found if wanted.get(name) != found.get(name)} for found in there]
        yield f"  wanted and found: {min(unlike, key=len)}"[:1000] if unlike else f"  wanted: {row}"[:1000]


def same_search(client: MilvusClient, case: Case) -> Iterator[str]:
    if case.search:
        field, text, keys = case.search
        name, _ = cluster.key_of(client, case.name)
        found = client.search(case.name, data=[text], anns_field=field, limit=3, search_params={"metric_type": "BM25"})[0]
        if not found or any(hit[name] not in keys for hit in found):
            yield f"a search for {text!r} in {field} finds {found}, and not {keys!r}"


def index_of(client: MilvusClient, case: Case, database: str) -> dict[str, Any]:
    request = milvus_pb2.DescribeIndexRequest(collection_name=case.name, db_name=database)
    answer = client._get_connection()._stub.DescribeIndex(request)
    found = {}
    for index in answer.index_descriptions:
        pairs = {pair.key: pair.value for pair in index.params}
        extra = json.loads(pairs.pop("params", "{}")) | {key: value for key, value in pairs.items() if key not in ("index_type", "metric_type", "mmap.enabled")}
        extra = {key: int(value) for key, value in extra.items() if value != ""}
        found[index.field_name] = (pairs.get("index_type", ""), pairs.get("metric_type", ""), extra)
    return found


def facts(client: MilvusClient, case: Case, database: str, described: dict[str, Any]) -> dict[str, Any]:
    """Everything that `Case.facts` can ask for."""
    indexes = index_of(client, case, database)
    consistency = common_pb2.ConsistencyLevel.Name(0) if "consistency_level" not in described else described["consistency_level"]
    return {
        "indexes": indexes,
        # Some of them only.
        "indexed": indexes,
        "shards": described.get("shards_num"),
        "consistency": consistency,
        "description": described["schema"].get("description", ""),
        "num_partitions": int(described.get("num_partitions", 0)),
        "partitions": sorted(client.list_partitions(case.name)),
        "properties": {pair["key"]: pair["value"] for pair in described.get("properties", []) if not pair["key"].startswith("vecferry.")},
        "functions": {
            function["name"]: (function["input_field_names"], function["output_field_names"])
            for function in described["schema"].get("functions", [])
        },
        "loaded": cluster.is_loaded(client, case.name),
        "aliases": sorted(client.list_aliases(case.name)["aliases"] if cluster.is_lite(client) else described.get("aliases", [])),
    }


def same_shape(client: MilvusClient, case: Case, way: Way, database: str) -> Iterator[str]:
    described = describe(client, database, case.name)
    wanted = case.expected_schema(way)
    outputs = {name for function in described["schema"].get("functions", []) for name in function.get("output_field_names", [])}
    there = schema_of(described, outputs)
    for name in sorted(set(wanted) | set(there)):
        if wanted.get(name) != there.get(name):
            yield f"field {name} is {there.get(name)}, and not {wanted.get(name)}"
    dynamic = case.facts.get("dynamic", COLLECTIONS[case.source].dynamic)
    if described["schema"].get("enable_dynamic_field", False) != dynamic:
        yield f"the dynamic field is not {dynamic}"
    found = facts(client, case, database, described)
    for what, expected in case.facts.items():
        if what == "dynamic":
            continue
        actual = {key: value for key, value in found[what].items() if key in expected} if what in ("indexed", "some_properties") else found[what]
        if actual != expected:
            yield f"{what}: {actual}, and not {expected}"


def check(place: str, way: Way, cases: list[Case]) -> list[str]:
    """What is wrong with the targets in a database, `URI/DB`. They stay loaded, because loading many takes its time."""
    uri, database = place.rsplit("/", 1)
    client = MilvusClient(uri=uri, db_name=database, token=cluster.LOGIN)
    found = []
    there = set(client.list_collections())
    for name in sorted(there.symmetric_difference(case.name for case in cases)):
        found.append(f"{name}: {'was not to be made' if name in there else 'is not there'}")
    cases = [case for case in cases if case.name in there]
    # The shape first, because it is looked at as vecferry left it.
    found += [f"{case.name}: {line}" for case in cases for line in same_shape(client, case, way, database)]
    cluster.wait_loaded(client, [case.name for case in cases])
    for case in cases:
        found += [f"{case.name}: {line}" for line in same_rows(client, case, way)]
        found += [f"{case.name}: {line}" for line in same_search(client, case)]
    return found


def scanned(plan: dict[str, Any], way: Way, cases: list[Case]) -> list[str]:
    """What `plan --scan` says about each case, beside what Python counts."""
    found = []
    entries = {entry["target"]["collection"]: entry for entry in plan["entries"]}
    for case in cases:
        entry = entries[case.name]
        said = json.dumps([entry[part] for part in ("blocked", "warnings", "notes", "lines")], ensure_ascii=False)
        found += [f"{case.name}: the plan does not say {text!r}: {said}" for text in case.says if text not in said]
        if not case.touched:
            continue
        rows = case.source_rows(way)
        note = next(note["message"] for note in entry["notes"] if note["message"].startswith("all "))
        head, _, tail = note.partition(": ")
        if head != f"all {len(rows)} rows were read":
            found.append(f"{case.name}: {note}")
        counts = dict(part.removesuffix(" rows)").rsplit(" (", 1) for part in tail.split("; ")) if "(" in tail else {}
        counted = case.touched(rows)
        wanted = {rule: str(count) for rule, count in counted.items() if count}
        # The rules of fields that the case counts, and all of those.
        fields = {rule.split(":")[0] for rule in counted}
        counts = {rule: count for rule, count in counts.items() if rule.split(":")[0] in fields}
        if counts != wanted:
            found.append(f"{case.name}: the scan counted {counts}, and Python {wanted}")
    return found


def quarantined(folder: Path, way: Way, cases: list[Case]) -> list[str]:
    """The files of rows that do not fit hold what Python says does not fit, with Python's reasons."""
    found = []
    by_case: dict[str, list[dict[str, Any]]] = {case.name: [] for case in cases}
    for path in sorted(folder.rglob("*.ndjson")):
        # <state>/quarantine/<database>.<name>-<hash>/<run>/split-00012.ndjson
        name = path.relative_to(folder).parts[0].rsplit("-", 1)[0].split(".")[-1]
        by_case.setdefault(name, []).extend(json.loads(line) for line in path.read_text().splitlines())
    for case in cases:
        lines, wanted = by_case.pop(case.name), case.misfits(way)
        reasons = {line["key"]: f"{line['field']}: {line['reason']}" for line in lines}
        if len(reasons) != len(lines):
            found.append(f"{case.name}: {len(lines)} lines for {len(reasons)} keys")
        if not wanted:
            found.append(f"{case.name}: the case has no misfits, and shows nothing")
        for key in sorted(set(wanted) | set(reasons), key=str):
            if wanted.get(key) != reasons.get(key):
                found.append(f"{case.name}: the row {key!r} is listed with {reasons.get(key)!r}, and not {wanted.get(key)!r}")
        partitions = {row.get("$partition") for row in case.source_rows(way)} - {None}
        if any(name in case.plan for name in ("$partition",)) and {line.get("partition") for line in lines} - partitions:
            found.append(f"{case.name}: lines without their partition")
    return found + [f"{name}: a quarantine that no case asked for" for name in by_case]
