"""Cases about fields: names, places within JSON, constants, types, lengths, nulls."""

import json
from typing import Any

import mapping_rules as rules
from mapping_case import Case, Way, changed, rename, take, without
from mapping_rows import I64, RICH, Row


def names(way: Way) -> list[Case]:
    copied = {} if way.from_lite or way.to_lite else {
        "vector": ("HNSW", "L2", {"M": 8, "efConstruction": 64}), "i64": ("STL_SORT", "", {}), "headline": ("Trie", "", {}),
    }
    return [
        Case("as_it_is", "rich", ""),
        Case(
            "renamed", "rich", "fields:\n  headline: {from: text}\nindexes: copy", lambda row: rename(row, headline="text"),
            {"text": None, "headline": RICH["text"]}, {"indexes": copied} if copied else {},
        ),
        # milvus-lite forgets the parameters that clients send one by one.
        Case(
            "renamed_vector", "rich", "fields:\n  embedding: {from: vector}\nindexes: copy", lambda row: rename(row, embedding="vector"),
            {"vector": None, "embedding": RICH["vector"]}, {"indexed": {"embedding": ("HNSW", "L2", {} if way.from_lite or way.to_lite else {"M": 8, "efConstruction": 64})}},
        ),
        Case(
            "swapped", "rich", "fields:\n  small: {from: exact}\n  exact: {from: small}",
            lambda row: row | {"small": row["exact"], "exact": row["small"]},
        ),
        Case(
            "twice", "rich", "fields:\n  small: {}\n  smaller: {from: small, type: int8}", lambda row: row | {"smaller": row["small"]},
            {"smaller": {"type": "int8"}},
        ),
        Case(
            "renamed_key", "rich", "fields:\n  number: {from: id}", lambda row: rename(row, number="id"),
            {"id": None, "number": RICH["id"]},
        ),
        Case(
            "chosen", "rich", "drop: [text, doc, names, wild, i8]\nwhere: \"small >= 100 and flag == true\"",
            lambda row: without(row, "text", "doc", "names", "wild", "i8") if row["small"] >= 100 and row["flag"] else None,
            dict.fromkeys(("text", "doc", "names", "wild", "i8")),
        ),
    ]


def lifts(way: Way) -> list[Case]:
    def typed(row: Row) -> Row:
        keys = row["$meta"]
        lifted = {"lang": way.absent(take(keys, "lang"), "?"), "rank": way.absent(take(keys, "rank"), -7)}
        score = take(keys, "score")
        return row | lifted | {"score": way.absent(None if score is None else float(score), 0.5), "hot": way.absent(take(keys, "hot"), False)}

    typed_fields = {
        "lang": way.maybe("varchar", "?", max_length=16), "rank": way.maybe("int64", -7),
        "score": way.maybe("double", 0.5), "hot": way.maybe("bool", False),
    }

    def counted(source: list[Row]) -> dict[str, int]:
        found = {}
        for name in ("lang", "rank", "score", "hot"):
            have = sum(row["$meta"].get(name) is not None for row in source)
            found[f"{name}: taken from $meta.{name}"] = have
            if not way.to_lite:
                found[f"{name}: null became the default"] = len(source) - have
        return found

    def nested(row: Row) -> Row:
        return row | {"deep_b": way.absent(take(row["$meta"], "deep", "a", "b"), -1), "dotted": way.absent(take(row["$meta"], "a.b"), "-")}

    def kept(row: Row) -> Row:
        keys = row["$meta"]
        return row | {"language": way.absent(keys.get("lang"), "?"), "deep_b": way.absent(rules.lifted(keys, "deep", "a", "b"), -1)}

    def from_json(row: Row) -> Row:
        doc = row["doc"]
        return row | {
            "half": way.absent(take(doc, "half"), -0.5), "y": way.absent(take(doc, "nested", "x", "y"), "none"),
            "s": way.absent(rules.lifted(doc, "s"), "none"), "ok": way.absent(take(doc, "ok"), True),
        }

    cases = [
        Case(
            "lifted", "rich",
            "fields:\n"
            + way.field("lang", "from: $meta.lang, type: varchar, max_length: 16", "'?'")
            + way.field("rank", "from: $meta.rank, type: int64", "-7")
            + way.field("score", "from: $meta.score, type: double", "0.5")
            + way.field("hot", "from: $meta.hot, type: bool", "false"),
            typed, typed_fields, touched=counted,
        ),
        Case(
            "lifted_deep", "rich",
            "fields:\n"
            + way.field("deep_b", "from: $meta.deep.a.b, type: int64", "-1")
            + way.field("dotted", "from: '$meta[\"a.b\"]', type: varchar, max_length: 8", "'-'"),
            nested, {"deep_b": way.maybe("int64", -1), "dotted": way.maybe("varchar", "-", max_length=8)},
        ),
        Case(
            "lifted_kept", "rich",
            "fields:\n"
            + way.field("language", "from: $meta.lang, keep: true, type: varchar, max_length: 16", "'?'")
            + way.field("deep_b", "from: $meta.deep.a.b, keep: true, type: int64", "-1"),
            kept, {"language": way.maybe("varchar", "?", max_length=16), "deep_b": way.maybe("int64", -1)},
        ),
        Case(
            "lifted_json", "rich",
            "fields:\n"
            + way.field("half", "from: doc.half, type: double", "-0.5")
            + way.field("y", "from: doc.nested.x.y, type: varchar, max_length: 20", "none")
            + way.field("s", "from: doc.s, keep: true, type: varchar, max_length: 200", "none")
            + way.field("ok", "from: doc.ok, type: bool", "true"),
            from_json,
            {
                "half": way.maybe("double", -0.5), "y": way.maybe("varchar", "none", max_length=20),
                "s": way.maybe("varchar", "none", max_length=200), "ok": way.maybe("bool", True),
            },
        ),
        Case(
            "constant", "rich",
            "fields:\n"
            "  c_bool: {value: true, type: bool}\n  c_i8: {value: -128, type: int8}\n  c_i16: {value: 32767, type: int16}\n"
            f"  c_i32: {{value: -2147483648, type: int32}}\n  c_i64: {{value: {I64[1]}, type: int64}}\n"
            "  c_float: {value: 0.1, type: float}\n  c_double: {value: 1.7e308, type: double}\n"
            "  c_text: {value: \"渡し 𝄞\", type: varchar, max_length: 32}\n  c_empty: {value: \"\", type: varchar, max_length: 1}\n"
            "  c_json: {value: {a: [1, null, {b: 渡}]}, type: json}\n"
            "  c_list: {value: [1, -2], type: array, element_type: int64, max_capacity: 4}\n"
            "  c_texts: {value: [a, \"\"], type: array, element_type: varchar, max_length: 8, max_capacity: 4}",
            lambda row: row | {
                "c_bool": True, "c_i8": -128, "c_i16": 32767, "c_i32": -(1 << 31), "c_i64": I64[1], "c_float": 0.1, "c_double": 1.7e308,
                "c_text": "渡し 𝄞", "c_empty": "", "c_json": {"a": [1, None, {"b": "渡"}]}, "c_list": [1, -2], "c_texts": ["a", ""],
            },
            {
                "c_bool": {"type": "bool"}, "c_i8": {"type": "int8"}, "c_i16": {"type": "int16"}, "c_i32": {"type": "int32"},
                "c_i64": {"type": "int64"}, "c_float": {"type": "float"}, "c_double": {"type": "double"},
                "c_text": {"type": "varchar", "max_length": 32}, "c_empty": {"type": "varchar", "max_length": 1}, "c_json": {"type": "json"},
                "c_list": {"type": "array", "element": "int64", "max_capacity": 4},
                "c_texts": {"type": "array", "element": "varchar", "max_capacity": 4, "max_length": 8},
            },
        ),
    ]
    if way.to_lite:
        cases.append(Case(
            "lifted_whole", "rich",
            "fields:\n  nested: {from: doc.nested, type: json, nullable: true}\n"
            "  list: {from: doc.list, type: array, element_type: int64, max_capacity: 4, nullable: true}\n"
            "  tags: {from: $meta.tags, type: array, element_type: varchar, max_length: 8, max_capacity: 4, nullable: true}",
            lambda row: row | {"nested": take(row["doc"], "nested"), "list": take(row["doc"], "list"), "tags": take(row["$meta"], "tags")},
            {
                "nested": {"type": "json", "nullable": True}, "list": {"type": "array", "element": "int64", "max_capacity": 4, "nullable": True},
                "tags": {"type": "array", "element": "varchar", "max_capacity": 4, "nullable": True},
            },
        ))
    return cases


def sinks(way: Way) -> list[Case]:
    def moved(row: Row) -> Row:
        keys = {"small": row["small"], "longs": row["longs"], "doc": row["doc"], "f32": json.loads(rules.text(row["f32"], True))}
        row["$meta"] |= keys
        return without(row, *keys)

    def added(row: Row) -> Row:
        half = take(row["doc"], "half")
        row["$meta"] |= {"origin": "渡", **({} if half is None else {"halved": half})}
        return row

    return [
        Case(
            "sunk", "rich", "drop: [doc, f32]\nfields:\n  $meta.small: {}\n  $meta.longs: {}\n  $meta.doc: {}\n  $meta.f32: {}",
            moved, dict.fromkeys(("small", "longs", "doc", "f32")),
        ),
        Case("sunk_more", "rich", "fields:\n  $meta.origin: {value: 渡}\n  $meta.halved: {from: doc.half}", added),
    ]


def types(way: Way) -> list[Case]:
    as_text = {"type": "varchar", "max_length": 4096}
    texts = ("flag", "i8", "i64", "f32", "f64", "longs", "names", "reals", "doc")

    def to_text(row: Row) -> Row:
        row["f32"] = rules.text(row["f32"], is_single=True)
        row["doc"] = json.dumps(row["doc"])
        return changed(row, **dict.fromkeys(("flag", "i8", "i64", "f64", "longs", "names", "reals"), rules.text))

    def halves(row: Row) -> Row | None:
        return changed(row, vector=rules.half) if row["id"] < 785 else None

    int_array = {"type": "array", "max_capacity": 8}
    cases = [
        Case(
            "widened", "rich",
            "fields:\n  i8: {type: int16}\n  i16: {type: int32}\n  i32: {type: int64}\n  flag: {type: int8}\n  f32: {type: double}\n"
            "  shorts: {type: array, element_type: int64}",
            lambda row: changed(row, flag=int),
            {
                "i8": {"type": "int16"}, "i16": {"type": "int32"}, "i32": {"type": "int64"}, "flag": {"type": "int8"},
                "f32": {"type": "double"}, "shorts": int_array | {"element": "int64"},
            },
        ),
        Case("narrowed", "rich", "fields:\n  small: {type: int8}\n  again: {type: int16}", schema={"small": {"type": "int8"}, "again": {"type": "int16"}}),
        Case(
            "ints_to_floats", "rich", "fields:\n  exact: {type: float}\n  i32: {type: double}\n  code: {type: double}\n  shorts: {type: array, element_type: float}",
            lambda row: changed(row, exact=rules.single, i32=rules.double, code=rules.double),
            {"exact": {"type": "float"}, "i32": {"type": "double"}, "code": {"type": "double"}, "shorts": int_array | {"element": "float"}},
        ),
        Case(
            "floats_to_ints", "rich", "fields:\n  whole: {type: int64}\n", lambda row: changed(row, whole=lambda value: rules.integer(value, "int64")),
            {"whole": {"type": "int64"}},
        ),
        Case("less_precise", "rich", "fields:\n  mild: {type: float}\n  wild: {type: float}", lambda row: changed(row, mild=rules.single), {"mild": {"type": "float"}, "wild": {"type": "float"}}),
        Case(
            "to_text", "rich", "fields:\n" + "".join(f"  {name}: {{type: varchar, max_length: 4096}}\n" for name in texts), to_text,
            dict.fromkeys(texts, as_text), seen_as={"doc": json.loads},
        ),
        Case(
            "from_text", "rich", "fields:\n  digits: {type: int64}\n  decimals: {type: double}\n  truth: {type: bool}\n  longs: {type: array, element_type: varchar, max_length: 20}",
            lambda row: changed(row, digits=lambda text: rules.integer(text, "int64"), decimals=rules.double, truth=rules.boolean, longs=lambda items: [str(item) for item in items]),
            {
                "digits": {"type": "int64"}, "decimals": {"type": "double"}, "truth": {"type": "bool"},
                "longs": int_array | {"element": "varchar", "max_length": 20},
            },
        ),
        Case("key_to_text", "rich", "fields:\n  id: {type: varchar, max_length: 20}", lambda row: changed(row, id=str), {"id": {"type": "varchar", "max_length": 20, "key": True}}),
        Case(
            "cut", "rich",
            "fields:\n  text: {max_length: 10, on_misfit: truncate}\n  longs: {max_capacity: 2, on_misfit: truncate}\n  names: {max_length: 5, on_misfit: truncate}",
            lambda row: changed(
                row, text=lambda text: rules.cut(text, 10, way.in_bytes), longs=lambda items: items[:2],
                names=lambda items: [rules.cut(item, 5, way.in_bytes) for item in items],
            ),
            {
                "text": {"type": "varchar", "max_length": 10}, "longs": int_array | {"max_capacity": 2, "element": "int64"},
                "names": int_array | {"element": "varchar", "max_length": 5},
            },
            touched=lambda source: {
                "text: cut to fit": sum(rules.cut(row["text"], 10, way.in_bytes) != row["text"] for row in source),
                "longs: cut to fit": sum(len(row["longs"]) > 2 for row in source),
                "names: cut to fit": sum(any(rules.cut(name, 5, way.in_bytes) != name for name in row["names"]) for row in source),
            },
        ),
    ]
    if not way.to_lite:
        cases.append(Case(
            "halves", "rich", "where: id < 785\nfields:\n  vector: {type: float16_vector}", halves,
            {"vector": {"type": "float16_vector", "dim": 8}}, {"indexes": {"vector": ("FLAT", "L2", {})}},
        ))
    return cases


def int8_or(value: str, instead: Any) -> Any:
    try:
        return rules.integer(value, "int8")
    except rules.Misfit:
        return instead


def short_or(value: str, instead: Any, way: Way) -> Any:
    try:
        return rules.held(value, 10, way.in_bytes)
    except rules.Misfit:
        return instead


def misfits(way: Way) -> list[Case]:
    """Values that do not fit and become null, or the default of a field that takes no null."""
    def unfit(source: list[Row]) -> dict[str, int]:
        found = {"mixed: did not fit and became null": sum(int8_or(row["mixed"], None) is None for row in source)}
        found["text: did not fit and became null"] = sum(short_or(row["text"], None, way) is None for row in source)
        if not way.to_lite:
            found |= {f"{name}: null became the default": found[f"{name}: did not fit and became null"] for name in ("mixed", "text")}
        return found

    return [
        Case(
            "nulled", "rich",
            "fields:\n"
            + way.field("mixed", "type: int8, on_misfit: 'null'", "-100")
            + way.field("text", "max_length: 10, on_misfit: null", "long"),
            lambda row: changed(
                row, mixed=lambda value: int8_or(value, None if way.to_lite else -100),
                text=lambda value: short_or(value, None if way.to_lite else "long", way),
            ),
            {"mixed": way.maybe("int8", -100), "text": way.maybe("varchar", "long", max_length=10)},
            touched=unfit,
        ),
    ]


def cases(way: Way) -> list[Case]:
    return names(way) + lifts(way) + sinks(way) + types(way) + misfits(way)
