"""Cases about the collection as a whole: keys, partitions, indexes, functions, properties, nulls of every column."""

import mapping_rules as rules
from mapping_case import Case, Way, changed, rename, take, without
from mapping_rows import AUTO, COLLECTIONS, KEYED, NULLS, RICH, WORDS, Row

MANY = "1000000000"


def keys(way: Way) -> list[Case]:
    made = {"type": "int64", "key": True, "auto": True}
    plain_id = {"type": "int64"}
    cases = [
        Case("auto", "rich", "primary_key: {auto_id: true}", schema={"id": made}, made=("id",), says=("keep_as",)),
        Case(
            "auto_kept", "rich", "primary_key: {auto_id: true, keep_as: legacy_id}", lambda row: row | {"legacy_id": row["id"]},
            {"id": made, "legacy_id": plain_id}, made=("id",),
        ),
        Case(
            "auto_words", "words", "primary_key: {auto_id: true, keep_as: old_word}", lambda row: row | {"old_word": row["word"]},
            {"word": made, "old_word": {"type": "varchar", "max_length": 128}}, made=("word",),
        ),
        Case(
            "auto_beside", "words", "primary_key: {field: pk, auto_id: true}", lambda row: row | {"pk": 0},
            {"pk": made, "word": {"type": "varchar", "max_length": 128}}, made=("pk",),
        ),
        Case("auto_off", "auto", ""),
        Case("auto_off_renamed", "auto", "fields:\n  number: {from: id}\n  id: {from: number}\nprimary_key: number", lambda row: row | {"number": row["id"], "id": row["number"]}, {"number": {"type": "int64", "key": True}, "id": {"type": "int64"}}),
        Case(
            "auto_stays", "auto", "primary_key: {auto_id: true, keep_as: first_id}", lambda row: row | {"first_id": row["id"]},
            {"id": AUTO["id"], "first_id": plain_id}, made=("id",),
        ),
        Case("promoted", "rich", "primary_key: code", schema={"id": plain_id, "code": {"type": "int64", "key": True}}),
        Case(
            "promoted_alone", "rich", "primary_key: label\ndrop: [id]", lambda row: without(row, "id"),
            {"id": None, "label": RICH["label"] | {"key": True}},
        ),
        Case(
            "promoted_text", "rich", "primary_key: number\nfields:\n  number: {from: code, type: varchar, max_length: 20}\ndrop: [id]",
            lambda row: rename(without(row, "id"), number="code") | {"number": str(row["code"])},
            {"id": None, "code": None, "number": {"type": "varchar", "max_length": 20, "key": True}},
        ),
    ]
    if way.to_lite:
        allowed = "primary_key: {auto_id: true, allow_insert_auto_id: true}"
        cases.append(Case("auto_sent", "rich", allowed, schema={"id": made}, facts={"properties": {"allow_insert_auto_id": "true"}}))
    return cases


def partition_keys(way: Way) -> list[Case]:
    def lang(row: Row) -> Row:
        value = take(row["$meta"], "lang")
        return row | {"lang": "none" if value is None else value}

    # milvus-lite has the number of them that it has.
    def behind(count: int) -> dict[str, int]:
        return {} if way.to_lite else {"num_partitions": count}

    tenant = {"type": "varchar", "max_length": 64}
    return [
        Case("by_tenant", "rich", way.behind(3) + "fields:\n  tenant: {partition_key: true}", schema={"tenant": RICH["tenant"] | {"partition_key": True}}, facts=behind(3)),
        Case(
            "by_lang", "rich", way.behind(3) + "fields:\n  lang: {from: $meta.lang, type: varchar, max_length: 16, default: none, partition_key: true}", lang,
            {"lang": {"type": "varchar", "max_length": 16, "default": "none", "partition_key": True}}, behind(3),
        ),
        Case("by_key", "keyed", way.behind(4) if way.from_lite else "", facts=behind(4) if not way.from_lite else {}),
        Case(
            "by_region", "keyed", (way.behind(4) if way.from_lite else "") + "fields:\n  region: {partition_key: true}",
            schema={"tenant": tenant, "region": KEYED["region"] | {"partition_key": True}},
        ),
        Case("by_nothing", "keyed", "fields:\n  tenant: {partition_key: false}", schema={"tenant": tenant}, facts={"partitions": ["_default"]}),
        Case(
            "by_origin", "parted", way.behind(2) + "fields:\n  origin: {from: $partition, partition_key: true}", lambda row: row | {"origin": row["$partition"]},
            {"origin": {"type": "varchar", "max_length": 255, "partition_key": True}},
        ),
    ] + ([] if way.to_lite else [Case("by_more", "keyed", way.behind(6), facts=behind(6))])


def partitions(way: Way) -> list[Case]:
    def renamed(**names: str):
        return lambda row: row | {"$partition": names.get(row["$partition"].strip("_"), row["$partition"])}

    every = ["_default", "empty", "north", "south", "west"]
    return [
        Case("parted_copy", "parted", "partitions: copy", facts={"partitions": every}),
        Case(
            "parted_named", "parted", "fields:\n  origin: {from: $partition}", lambda row: row | {"origin": row["$partition"]},
            {"origin": {"type": "varchar", "max_length": 255}}, {"partitions": every},
        ),
        Case(
            "parted_only", "parted", "partitions: {only: [north, empty]}", lambda row: row if row["$partition"] == "north" else None,
            facts={"partitions": ["_default", "empty", "north"]},
        ),
        Case(
            "parted_renamed", "parted", "partitions: {rename: {north: nord, empty: leer}}", renamed(north="nord"),
            facts={"partitions": ["_default", "leer", "nord", "south", "west"]},
        ),
        Case(
            "parted_merged", "parted", "partitions: {rename: {north: polar, south: polar, west: _default}}", renamed(north="polar", south="polar", west="_default"),
            facts={"partitions": ["_default", "empty", "polar"]},
        ),
        Case(
            "parted_moved", "parted", "partitions: {only: [_default, west], rename: {_default: rest}}\nwhere: id >= 10",
            lambda row: renamed(default="rest")(row) if row["$partition"] in ("_default", "west") and row["id"] >= 10 else None,
            facts={"partitions": ["_default", "rest", "west"]},
        ),
        Case("parted_none", "parted", "partitions: none", lambda row: row | {"$partition": "_default"}, facts={"partitions": ["_default"]}),
        Case(
            "parted_sunk", "parted", "partitions: none\ndynamic_field: true\nfields:\n  $meta.origin: {from: $partition}",
            lambda row: row | {"$partition": "_default", "$meta": {"origin": row["$partition"]}}, facts={"dynamic": True, "partitions": ["_default"]},
        ),
    ]


def whole(way: Way) -> list[Case]:
    rich = list(COLLECTIONS["rich"].rows())
    lost = {name: sum(name in row["$meta"] for row in rich) for row in rich for name in row["$meta"] if name != "lang"}

    def declared(row: Row) -> Row:
        lang = take(row["$meta"], "lang")
        return without(row, "$meta") | {"lang": "" if lang is None else lang}

    cases = [
        Case(
            "declared", "rich", "dynamic_field: false\nfields:\n  lang: {from: $meta.lang, type: varchar, max_length: 16, default: ''}", declared,
            {"lang": {"type": "varchar", "max_length": 16, "default": ""}}, {"dynamic": False},
            says=tuple(f"{name} ({count} rows" for name, count in lost.items()),
        ),
        Case(
            "open", "words", "dynamic_field: true\nfields:\n  lang: {}\n  $meta.kept: {from: lang}\n  $meta.n: {value: 7}\n",
            lambda row: row | {"$meta": {"kept": row["lang"], "n": 7}}, facts={"dynamic": True},
        ),
        # A field that sinks is a column no more.
        Case(
            "moved", "words", "dynamic_field: true\nfields:\n  $meta.tongue: {from: lang}\n",
            lambda row: without(row, "lang") | {"$meta": {"tongue": row["lang"]}}, {"lang": None}, facts={"dynamic": True},
        ),
        Case("told", "words", "description: “neu” 渡\nconsistency: strong\nload: true\naliases: [told_live, told_too]" + ("" if way.to_lite else "\nshards: 3"), facts={"loaded": True, "aliases": ["told_live", "told_too"]} | ({} if way.to_lite else {"description": "“neu” 渡", "consistency": "Strong", "shards": 3})),
        Case(
            "owned", "words", "shards: auto\nproperties: {collection.ttl.seconds: 2000000000, mmap.enabled: null, custom.owner: null, custom.new: x, custom.flag: true}",
            facts={"shards": 1, "properties": {"collection.ttl.seconds": "2000000000", "custom.new": "x", "custom.flag": "true"}},
        ),
        Case("as_they_are", "words", "", facts={"properties": COLLECTIONS["words"].settings["properties"]} | ({} if way.from_lite or way.to_lite else {"shards": 2, "consistency": "Session", "description": "Wörter “beschrieben”"})),
        Case("indexed_auto", "rich", "indexes: auto", facts={"indexes": {"vector": ("AUTOINDEX", "L2", {})}}),
    ]
    if way.to_lite:
        cases += [
            Case("bare", "words", "indexes: none", facts={"indexes": {}}),
            Case(
                "indexed", "rich", "indexes:\n  vector: {index_type: HNSW, metric_type: COSINE, params: {M: 16, efConstruction: 32}}\n  i64: {index_type: INVERTED}\n  text: auto",
                facts={"indexes": {"vector": ("HNSW", "COSINE", {"M": 16, "efConstruction": 32}), "i64": ("INVERTED", "NONE", {}), "text": ("INVERTED", "NONE", {})}},
            ),
            Case(
                "found", "rich", "fields:\n  text: {enable_analyzer: true}\nfunctions:\n  find: {type: bm25, input_fields: [text], output_fields: [words]}",
                schema={"text": RICH["text"] | {"analyzer": True}, "words": {"type": "sparse_float_vector", "output": True}},
                facts={"functions": {"find": (["text"], ["words"])}}, search=("words", "bytes", [row["id"] for row in rich if "bytes" in row["text"]]),
            ),
        ]
    else:
        cases += [
            Case(
                "indexed", "rich", "indexes:\n  vector: {index_type: IVF_FLAT, metric_type: IP, params: {nlist: 16}}\n  i64: {index_type: STL_SORT}\n  f64: {index_type: STL_SORT}\n  text: {index_type: Trie}",
                facts={"indexes": {"vector": ("IVF_FLAT", "IP", {"nlist": 16}), "i64": ("STL_SORT", "", {}), "f64": ("STL_SORT", "", {}), "text": ("Trie", "", {})}},
            ),
        ]
    return cases


FILLED = {"n_bool": True, "n_i8": -1, "n_i64": 7, "n_float": 0.5, "n_double": -0.25, "n_text": "渡", "n_mixed": ""}


def of_nulls(way: Way) -> list[Case]:
    """Cases from what only milvus-lite holds."""
    def filled(row: Row) -> Row:
        gone = () if way.to_lite else ("weights", "second")
        return without(row, "n_doc", "n_longs", *gone) | {name: value if row[name] is None else row[name] for name, value in FILLED.items()}

    texts = {True: "true", "渡": "渡", "": "''"}
    lines = "".join(f"  {name}: {{nullable: false, default: {texts.get(value, value)}}}\n" for name, value in FILLED.items())
    drop = "n_doc, n_longs" if way.to_lite else "n_doc, n_longs, weights, bm25, second"
    schema = {name: {key: value for key, value in NULLS[name].items() if key != "nullable"} | {"default": FILLED[name]} for name in FILLED}
    schema |= dict.fromkeys(drop.split(", "))
    if not way.to_lite:
        # The analyzer is a word that Milvus 2.3.5 does not know and keeps.
        lines += "  both: {nullable: false}\n"
        schema["both"] = {"type": "int64", "default": 7}
    cases = [
        Case("filled", "nulls", f"drop: [{drop}]\nfields:\n{lines}", filled, schema, touched=lambda source: {f"{name}: null became the default": sum(row[name] is None for row in source) for name in FILLED}),
    ]
    if not way.to_lite:
        return cases
    kept = "fields:\n  n_i64: {on_null: keep}\n  n_text: {on_null: default, default: leer}\n  n_double: {type: varchar, max_length: 400}\n  fixed: {default: null}\n  both: {default: 8}"

    def as_said(row: Row) -> Row:
        row["n_text"] = "leer" if row["n_text"] is None else row["n_text"]
        return changed(row, n_double=rules.text)

    return cases + [
        Case("nulls_stay", "nulls", "load: true", facts={"functions": {"search": (["body"], ["bm25"])}, "loaded": True}, search=("bm25", "needle", [33])),
        Case(
            "nulls_said", "nulls", kept, as_said,
            {
                "n_text": NULLS["n_text"] | {"default": "leer"}, "n_double": {"type": "varchar", "max_length": 400, "nullable": True},
                "fixed": {"type": "int32"}, "both": NULLS["both"] | {"default": 8},
            },
            touched=lambda source: {"n_text: null became the default": sum(row["n_text"] is None for row in source)},
        ),
        Case(
            "nulls_typed", "nulls", "fields:\n  n_i8: {type: int64}\n  n_float: {type: double}\n  n_bool: {type: int8}\n  n_longs: {type: array, element_type: varchar, max_length: 20}\n  n_doc: {type: varchar, max_length: 400}\n  fixed: {type: int64}",
            lambda row: changed(row, n_bool=int, n_longs=lambda items: [str(item) for item in items], n_doc=lambda doc: rules.json_text(doc)),
            {
                "n_i8": {"type": "int64", "nullable": True}, "n_float": {"type": "double", "nullable": True}, "n_bool": {"type": "int8", "nullable": True},
                "n_longs": {"type": "array", "element": "varchar", "max_capacity": 8, "nullable": True}, "n_doc": {"type": "varchar", "max_length": 400, "nullable": True},
                "fixed": {"type": "int64", "default": 42},
            },
            seen_as={"n_doc": rules.json_value},
        ),
        Case(
            "nulls_by_key", "nulls", "fields:\n  n_i64: {partition_key: true, default: 0}", lambda row: row | {"n_i64": 0 if row["n_i64"] is None else row["n_i64"]},
            {"n_i64": {"type": "int64", "partition_key": True, "default": 0}},
        ),
        Case("nullable", "nulls", "fields:\n  body: {nullable: true}\n  fixed: {nullable: true, default: null}\n  n_i8: {nullable: true}", schema={"body": NULLS["body"] | {"nullable": True}, "fixed": {"type": "int32", "nullable": True}}),
        Case(
            "sought", "nulls", "fields:\n  content: {from: body}\n  sparse: {from: bm25}\nindexes: copy", lambda row: rename(row, content="body"),
            {"body": None, "bm25": None, "content": NULLS["body"], "sparse": NULLS["bm25"]},
            {"functions": {"search": (["content"], ["sparse"])}, "indexed": {"sparse": ("SPARSE_INVERTED_INDEX", "BM25", {})}}, search=("sparse", "needle", [33]),
        ),
        Case("unsought", "nulls", "functions: {search: none}", schema={"bm25": None}, facts={"functions": {}}),
        Case("unsought_too", "nulls", "drop: [bm25]", schema={"bm25": None}, facts={"functions": {}}),
    ]


def cases(way: Way) -> list[Case]:
    return keys(way) + partition_keys(way) + partitions(way) + whole(way) + (of_nulls(way) if way.from_lite else [])
