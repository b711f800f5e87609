"""The collections that the mapping's cases start from: their schemas, and their rows as Python knows them.

A schema is a dict from a field's name to its attributes, and says only what is not the default:
`{"type": "varchar", "max_length": 64, "nullable": True}`. A row is a dict from a field's name to its value; `$meta` holds
the dynamic keys and `$partition` the name of its partition. Rows depend on nothing but their number, so whoever needs them
makes them again instead of reading them from a server.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Row = dict[str, Any]
Schema = dict[str, dict[str, Any]]

I64 = (-(1 << 63), (1 << 63) - 1)
ENDS = {"i8": (-128, 127), "i16": (-32768, 32767), "i32": (-(1 << 31), (1 << 31) - 1), "i64": I64}
DIM = 8
# The last rows of `rich`: what a FLOAT16_VECTOR cannot hold.
STEEP = 5

TEXTS = [
    "", " ", "plain", "渡し船の港", "e\u0301 and é", "𝄞𝄞𝄞 four bytes each", 'a\nb\t"c"\\', "x" * 60, "ÄÖÜ" * 9,
    "👩\u200d👩\u200d👧", "null", "0", "true", "'single'", "\u202eabc", "\U0010ffff", "tab\tand\r\nlines", "%_{}", "ひらがな" * 5,
]
SINGLES = [0.1, 1e-42, -0.0, 3.4e38, 1.5, -2.25, 1e-10, 16777216.0, 123456.79, -3.4e38]
DOUBLES = [0.1, 5e-324, -0.0, 1.7e308, 1e300, 1 / 3, 1e16, 123456789.125, -1e-5, 1e15, 0.0001, -1.7976931348623157e308]
MILD = [0.1, 1e-46, 1e-40, -0.0, 3.4028235e38, 1 / 3, 16777217.0, -123456789.123, 1e-5]
WHOLE = [0.0, -0.0, 1.0, -1.0, 2.0**53, -(2.0**53) - 2, 2.0**62, -(2.0**63), 255.0]
DIGITS = ["0", "-1", "+5", "007", str(I64[0]), str(I64[1]), "-0"]
DECIMALS = ["0", "-0.0", "0.1", "1e5", "1E-400", "-1.5e300", "+2.25", "5e-324", "12345678901234567890", ".5", "3."]
TRUTHS = ["true", "false", "TRUE", "False"]
MIXED = ["12", "abc", "300", "", " 1", "-128", "1.0", "-129", "127", "12 "]
TENANTS = ["acme", "渡し船", "", "O'Hara \"x\"", "tenant-5"]
LANGS = ["en", "ja 渡", "de", ""]


def single(value: float) -> float:
    """The FLOAT that a server keeps of a number."""
    return float(np.float32(value))


def vector(seed: int, dim: int = DIM) -> list[float]:
    values = np.random.default_rng(seed).standard_normal(dim, dtype=np.float32)
    # A value below what float16 holds, one of its denormals, its largest, and a tie that goes to even.
    values[: 4] = [(1e-9, 3e-6, 65504.0, 2049.0), (-0.0, 6e-8, 65519.0, 2051.0)][seed % 2]
    return [float(value) for value in values]


def ends(name: str, number: int) -> int:
    low, high = ENDS[name]
    return (low, high, 0, -1, 1, number % 100, low + 1, high - 1)[number % 8]


def dynamic(number: int) -> dict[str, Any]:
    """Keys that are there or not, null, of several types, nested, and oddly named."""
    keys: dict[str, Any] = {}
    if number % 4:
        keys["lang"] = None if number % 4 == 1 else LANGS[number % len(LANGS)]
    if number % 3:
        keys["rank"] = (number, -number, I64[0], I64[1], 0)[number % 5]
    if number % 5:
        keys["score"] = number if number % 5 == 1 else (number / 8, 5e-324, -1.5e300, 0.1)[number % 4]
    if number % 2:
        keys["hot"] = number % 4 == 1
    if number % 6 in (0, 1):
        keys["deep"] = {"a": {"b": number, "c": "x"}, "z": [1, {"k": None}]}
    elif number % 6 in (2, 3):
        # The way to `deep.a.b` stops half way.
        keys["deep"] = {"a": 5} if number % 6 == 2 else {"a": {"b": None}}
    if number % 7 == 0:
        keys["a.b"] = "dotted"
    if number % 8 == 0:
        keys["ünï"] = {"çødé": ["渡", number]}
    if number % 9 == 0:
        keys["tags"] = [] if number % 2 else ["a", "渡", ""]
    return keys


def rich(number: int) -> Row:
    steep = number >= COLLECTIONS["rich"].count - STEEP
    return {
        "id": number * 3 - 100,
        "flag": number % 3 == 0,
        **{name: ends(name, number) for name in ENDS},
        "small": number % 256 - 128,
        "exact": (number - 150) << 20,
        "f32": single(SINGLES[number % len(SINGLES)]),
        "f64": DOUBLES[number % len(DOUBLES)],
        "mild": MILD[number % len(MILD)],
        "whole": WHOLE[number % len(WHOLE)],
        "wild": (float("nan"), float("inf"), float("-inf"), float(number))[number % 4],
        "text": TEXTS[number % len(TEXTS)],
        "digits": DIGITS[number % len(DIGITS)],
        "decimals": DECIMALS[number % len(DECIMALS)],
        "truth": TRUTHS[number % len(TRUTHS)],
        "mixed": MIXED[number % len(MIXED)],
        "doc": {} if number % 10 == 9 else {
            "n": number, "s": TEXTS[number % len(TEXTS)], "half": number / 2, "list": [number, number + 1], "ok": number % 2 == 0,
            "nested": {"x": {"y": f"y{number}"}, "ünï": [None, 1.5]},
        },
        "longs": [ends("i64", number + n) for n in range(number % 5)],
        "shorts": [ends("i16", number + n) for n in range(number % 4)],
        "reals": [DOUBLES[(number + n) % len(DOUBLES)] for n in range(number % 3)],
        "names": [TEXTS[(number + n) % len(TEXTS)] for n in range(number % 4)],
        "tenant": TENANTS[number % len(TENANTS)],
        "code": 10**12 + number * 17,
        "label": f"ключ {number} \"quoted\" \\ {TEXTS[number % len(TEXTS)]}",
        "again": number // 2,
        "vector": [1e6] + vector(number)[1:] if steep else vector(number),
        "$meta": dynamic(number),
    }


RICH: Schema = {
    "id": {"type": "int64", "key": True},
    "flag": {"type": "bool"},
    "i8": {"type": "int8"}, "i16": {"type": "int16"}, "i32": {"type": "int32"}, "i64": {"type": "int64"},
    "small": {"type": "int64"}, "exact": {"type": "int64"},
    "f32": {"type": "float"}, "f64": {"type": "double"}, "mild": {"type": "double"}, "whole": {"type": "double"},
    "wild": {"type": "double"},
    "text": {"type": "varchar", "max_length": 200},
    "digits": {"type": "varchar", "max_length": 32}, "decimals": {"type": "varchar", "max_length": 32},
    "truth": {"type": "varchar", "max_length": 8}, "mixed": {"type": "varchar", "max_length": 8},
    "doc": {"type": "json"},
    "longs": {"type": "array", "element": "int64", "max_capacity": 8},
    "shorts": {"type": "array", "element": "int16", "max_capacity": 8},
    "reals": {"type": "array", "element": "double", "max_capacity": 8},
    "names": {"type": "array", "element": "varchar", "max_capacity": 8, "max_length": 200},
    "tenant": {"type": "varchar", "max_length": 32},
    "code": {"type": "int64"}, "label": {"type": "varchar", "max_length": 300}, "again": {"type": "int64"},
    "vector": {"type": "float_vector", "dim": DIM},
}


def parted(number: int) -> Row:
    return {"id": number, "number": number * 2, "vector": vector(number), "$partition": ("_default", "north", "south", "west")[number % 4]}


PARTED: Schema = {"id": {"type": "int64", "key": True}, "number": {"type": "int64"}, "vector": {"type": "float_vector", "dim": DIM}}


def keyed(number: int) -> Row:
    return {"id": number, "tenant": f"tenant {number % 20}", "region": number % 7, "vector": vector(number)}


KEYED: Schema = {
    "id": {"type": "int64", "key": True}, "tenant": {"type": "varchar", "max_length": 64, "partition_key": True},
    "region": {"type": "int64"}, "vector": {"type": "float_vector", "dim": DIM},
}


def auto(number: int) -> Row:
    """Its `id` is known once the server has made it."""
    return {"number": number, "vector": vector(number), "$meta": {"twice": number * 2} if number % 2 else {}}


AUTO: Schema = {
    "id": {"type": "int64", "key": True, "auto": True}, "number": {"type": "int64"}, "vector": {"type": "float_vector", "dim": DIM},
}
HARD = ["", " ", "'", '"', "\\", "a\nb", "\x00", "%", "{x}", "ferry", "FERRY", "é", "e\u0301", "渡し船", "😀", "\ufeff", "\U0010ffff", "-1", "--", "\\u0041"]


def words(number: int) -> Row:
    key = HARD[number] if number < len(HARD) else f"{HARD[number % len(HARD)]}·{number}"
    return {"word": key, "number": number, "lang": LANGS[number % len(LANGS)], "vector": vector(number)}


WORDS: Schema = {
    "word": {"type": "varchar", "max_length": 128, "key": True}, "number": {"type": "int32"},
    "lang": {"type": "varchar", "max_length": 16}, "vector": {"type": "float_vector", "dim": DIM},
}
SENTENCES = ["the ferry leaves the harbour", "渡し船 and rope", "anchor tide wind", "Zebra crossing ahead", "plan cargo rope rope", ""]


def nulls(number: int) -> Row:
    """Every third value is a null, in each column in other rows."""

    def or_null(value: Any, shift: int) -> Any:
        return None if (number + shift) % 3 == 0 else value

    row: Row = {
        "id": number,
        "n_bool": or_null(number % 2 == 0, 0), "n_i8": or_null(ends("i8", number), 1), "n_i64": or_null(ends("i64", number), 2),
        "n_float": or_null(single(SINGLES[number % len(SINGLES)]), 0), "n_double": or_null(DOUBLES[number % len(DOUBLES)], 1),
        "n_text": or_null(TEXTS[number % len(TEXTS)], 2), "n_mixed": or_null(MIXED[number % len(MIXED)], 0),
        "n_doc": or_null({"n": number, "s": TEXTS[number % len(TEXTS)]}, 1),
        "n_longs": or_null([ends("i64", number + n) for n in range(number % 4)], 2),
        "fixed": 42 if number % 2 == 0 else number, "both": number,
        "body": SENTENCES[number % len(SENTENCES)] + (" needle" if number == 33 else ""),
        "weights": {number % 50: 0.5, 1000 + number: single(0.1), 4_000_000_000: 2.0},
        "vector": vector(number), "second": vector(number + 1000, 4),
        "$meta": dynamic(number),
    }
    return row


NULLS: Schema = {
    "id": {"type": "int64", "key": True},
    "n_bool": {"type": "bool", "nullable": True}, "n_i8": {"type": "int8", "nullable": True}, "n_i64": {"type": "int64", "nullable": True},
    "n_float": {"type": "float", "nullable": True}, "n_double": {"type": "double", "nullable": True},
    "n_text": {"type": "varchar", "max_length": 200, "nullable": True}, "n_mixed": {"type": "varchar", "max_length": 8, "nullable": True},
    "n_doc": {"type": "json", "nullable": True},
    "n_longs": {"type": "array", "element": "int64", "max_capacity": 8, "nullable": True},
    "fixed": {"type": "int32", "default": 42}, "both": {"type": "int64", "nullable": True, "default": 7},
    "body": {"type": "varchar", "max_length": 400, "analyzer": True},
    "weights": {"type": "sparse_float_vector"}, "bm25": {"type": "sparse_float_vector", "output": True},
    "vector": {"type": "float_vector", "dim": DIM}, "second": {"type": "float_vector", "dim": 4},
}


@dataclass
class Collection:
    """A source, as it is made and filled."""

    schema: Schema
    row: Callable[[int], Row]
    count: int = 100
    dynamic: bool = False
    # By field: index type, metric, parameters. Scalar ones are made on Milvus only.
    indexes: dict[str, tuple[str, str, dict[str, Any]]] = field(default_factory=lambda: {"vector": ("HNSW", "L2", {"M": 8, "efConstruction": 64})})
    scalars: dict[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    # What is set beside the schema; milvus-lite keeps the properties of it only.
    settings: dict[str, Any] = field(default_factory=dict)
    lite_only: bool = False
    functions: dict[str, tuple[str, str]] = field(default_factory=dict)

    def rows(self) -> Iterator[Row]:
        return (self.row(number) for number in range(self.count))


COLLECTIONS = {
    "rich": Collection(RICH, rich, count=300, dynamic=True, scalars={"i64": "STL_SORT", "text": "Trie"}),
    "parted": Collection(PARTED, parted, partitions=("north", "south", "west", "empty")),
    "keyed": Collection(KEYED, keyed, settings={"num_partitions": 4}),
    "auto": Collection(AUTO, auto, dynamic=True),
    "words": Collection(
        WORDS, words,
        settings={
            "description": "Wörter “beschrieben”", "consistency_level": "Session", "num_shards": 2,
            "properties": {"mmap.enabled": "true", "custom.owner": "team 渡", "collection.ttl.seconds": "1000000000"},
        },
    ),
    "nulls": Collection(
        NULLS, nulls, count=120, dynamic=True, lite_only=True, functions={"search": ("body", "bm25")},
        indexes={
            "vector": ("FLAT", "L2", {}), "second": ("FLAT", "IP", {}), "weights": ("SPARSE_INVERTED_INDEX", "IP", {}),
            "bm25": ("SPARSE_INVERTED_INDEX", "BM25", {}),
        },
    ),
}
