"""The collections that tests start from. Everything in them follows from the preset's name, the rows and the seed."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient
from pymilvus.milvus_client.index import IndexParams

Row = dict[str, Any]
WORDS = "ferry harbour rope anchor tide wind plan cargo 渡し船 Fähre прилив سفينة ⛴ “quote” back\\slash 'single' \"double\"".split()
ELEMENTS = {
    "bool": DataType.BOOL, "int8": DataType.INT8, "int16": DataType.INT16, "int32": DataType.INT32, "int64": DataType.INT64,
    "float": DataType.FLOAT, "double": DataType.DOUBLE, "varchar": DataType.VARCHAR,
}
# What integers of each width have at their ends, among values in between.
ENDS = {"int8": (-128, 127), "int16": (-32768, 32767), "int32": (-(1 << 31), (1 << 31) - 1), "int64": (-(1 << 63), (1 << 63) - 1)}


@dataclass
class Preset:
    """How a collection is made and filled."""

    # Adds the fields to an empty schema.
    schema: Callable[[CollectionSchema], None]
    # `(generator, first row, how many)` gives that many rows.
    rows: Callable[[np.random.Generator, int, int], Iterator[Row]]
    vectors: dict[str, tuple[str, str, dict[str, Any]]] = field(default_factory=lambda: {"vector": ("FLAT", "L2", {})})
    scalars: dict[str, str] = field(default_factory=dict)
    dynamic: bool = False
    default_rows: int = 1000
    partitions: tuple[str, ...] = ()
    # Which partition takes the row with this number.
    partition_of: Callable[[int], str] | None = None
    num_partitions: int | None = None


def generator(name: str, seed: int, batch: int) -> np.random.Generator:
    """Each batch has its own, so that a row does not depend on how many came before it."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed, batch])


def text(rng: np.random.Generator, words: int) -> str:
    return " ".join(rng.choice(WORDS, size=words))


def vectors(rng: np.random.Generator, count: int, dim: int) -> np.ndarray:
    return rng.standard_normal((count, dim), dtype=np.float32)


# basic, small: what most tests need.


def basic_schema(dim: int) -> Callable[[CollectionSchema], None]:
    def add(schema: CollectionSchema) -> None:
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("title", DataType.VARCHAR, max_length=512, description="What the row is called")
        schema.add_field("year", DataType.INT16)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)

    return add


def basic_rows(dim: int) -> Callable[[np.random.Generator, int, int], Iterator[Row]]:
    def rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
        floats = vectors(rng, count, dim)
        for index in range(count):
            number = first + index
            # The multiples of seven from -1001 on: keys with gaps and of both signs, as real ones are.
            row: Row = {"id": (number - 143) * 7, "title": f"{number}: {text(rng, 4)}", "year": 1900 + number % 150, "vector": floats[index]}
            if number % 2:
                row["lang"] = ["en", "de", "ja"][number % 3]
            if number % 5 == 0:
                row["extra"] = {"score": number / 8, "tags": [number % 7, None, True], "deep": {"ünï": "çødé"}}
            yield row

    return rows


# types: one field for every type.


def array_fields(schema: CollectionSchema) -> None:
    for name, kind in ELEMENTS.items():
        extra = {"max_length": 64} if kind == DataType.VARCHAR else {}
        schema.add_field(f"{name}_array", DataType.ARRAY, element_type=kind, max_capacity=16, **extra)


def element(rng: np.random.Generator, name: str, number: int) -> Any:
    if name == "bool":
        return bool(rng.integers(2))
    if name in ENDS:
        low, high = ENDS[name]
        return int((low, high, 0, rng.integers(low, high, dtype=np.int64))[number % 4])
    if name == "float":
        return float(np.float32((rng.standard_normal(), 1e-42, -0.0, 3.4e38)[number % 4]))
    if name == "double":
        return float((rng.standard_normal(), 5e-324, -0.0, 1.7e308)[number % 4])
    return ("", text(rng, 1), "a\nb\t\"c\"\\", "𝄞\U0010ffff")[number % 4][:16]


def scalar_fields(schema: CollectionSchema) -> None:
    schema.add_field("id", DataType.INT64, is_primary=True)
    for name, kind in ELEMENTS.items():
        schema.add_field(f"{name}_field", kind, **({"max_length": 256} if kind == DataType.VARCHAR else {}))
    schema.add_field("json_field", DataType.JSON)
    array_fields(schema)


def scalar_values(rng: np.random.Generator, number: int) -> Row:
    row: Row = {"id": number}
    for name in ELEMENTS:
        row[f"{name}_field"] = element(rng, name, number)
        # Every third row has empty arrays, which is where servers differ and die.
        row[f"{name}_array"] = [element(rng, name, number + n) for n in range(number % 3 * 2)]
    row["json_field"] = {"n": number, "f": number / 7, "list": [1, "two", None, {"three": 3.0}], "empty": {}, "ünï": "“x”"}
    if number % 4 == 0:
        row["loose"] = {"number": number}
    return row


def types235_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    floats = vectors(rng, count, 16)
    for index in range(count):
        yield scalar_values(rng, first + index) | {"vector": floats[index]}


def types235_schema(schema: CollectionSchema) -> None:
    scalar_fields(schema)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=16)


def one_vector_schema(kind: DataType, dim: int) -> Callable[[CollectionSchema], None]:
    def add(schema: CollectionSchema) -> None:
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", kind, dim=dim)

    return add


def binary_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    for index in range(count):
        yield {"id": first + index, "vector": rng.bytes(16)}


def float16_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    floats = vectors(rng, count, 16).astype(np.float16)
    for index in range(count):
        yield {"id": first + index, "vector": floats[index]}


# lite_types: what only the server of today's protocol holds.


def lite_types_schema(schema: CollectionSchema) -> None:
    scalar_fields(schema)
    for name in ("int64", "double", "varchar", "bool"):
        extra = {"max_length": 256} if name == "varchar" else {}
        schema.add_field(f"nullable_{name}", ELEMENTS[name], nullable=True, **extra)
    schema.add_field("nullable_json", DataType.JSON, nullable=True)
    schema.add_field("nullable_array", DataType.ARRAY, element_type=DataType.INT64, max_capacity=16, nullable=True)
    schema.add_field("default_int32", DataType.INT32, default_value=42)
    schema.add_field("default_varchar", DataType.VARCHAR, max_length=64, default_value="unsaid")
    schema.add_field("nullable_default", DataType.INT64, nullable=True, default_value=7)
    schema.add_field("body", DataType.VARCHAR, max_length=1000, enable_analyzer=True)
    schema.add_field("bm25", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=16)
    schema.add_field("second_vector", DataType.FLOAT_VECTOR, dim=8)
    function = Function("body_bm25", FunctionType.BM25, input_field_names=["body"], output_field_names=["bm25"])
    schema.add_function(function)


def lite_types_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    one, two = vectors(rng, count, 16), vectors(rng, count, 8)
    for index in range(count):
        number = first + index
        row = scalar_values(rng, number)
        # This server refuses the ends of what JSON numbers can say, and a text's length counts in characters.
        for name in ("int64", "double", "varchar", "bool"):
            row[f"nullable_{name}"] = None if number % 3 == 0 else element(rng, name, number)
        row["nullable_json"] = None if number % 4 == 1 else {"n": number}
        row["nullable_array"] = None if number % 4 == 2 else [number, number + 1][: number % 3]
        if number % 2:
            row |= {"default_int32": number, "default_varchar": f"said {number}", "nullable_default": number}
        row["body"] = text(rng, 8)
        row["sparse"] = {int(place): float(np.float32(weight)) for place, weight in zip(rng.choice(5000, 5, replace=False), rng.random(5) + 0.1)}
        yield row | {"vector": one[index], "second_vector": two[index]}


# articles: what the plans in examples/ name.


def articles_schema(schema: CollectionSchema) -> None:
    basic_schema(8)(schema)
    schema.add_field("internal_score", DataType.DOUBLE)
    schema.add_field("draft_notes", DataType.VARCHAR, max_length=256)


def articles_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    for row in basic_rows(8)(rng, first, count):
        row["lang"] = ["en", "zh", "de"][row["id"] % 3]
        yield row | {"internal_score": row["year"] / 7, "draft_notes": text(rng, 3)}


# Keys that are hard to write down.

HARD_KEYS = [
    "", " ", "'", '"', "\\", "\\\\", '\\"', "it's", 'say "hi"', "a\nb", "a\r\nb", "a\tb", "\x00", "a\x00b", "\x01\x02\x1f", "\x7f", "\x80\x9f",
    "%", "a%", "_", "{", "}", "{x}", "ferry", "ferry ", "ferry0", "ferry1", "ferry10", "ferryman", "FERRY", "é", "e\u0301", "渡し船", "😀", "👩\u200d👩\u200d👧",
    "\ufeff", "\uffff", "\U00010000", "\U0010ffff", "\u202eabc", "null", "true", "-1", "1e5", "/* x */", "--", "\\n", "\\u0041", "\\x41", "x" * 60,
]


def varchar_key_schema(schema: CollectionSchema) -> None:
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=256)
    schema.add_field("number", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)


def varchar_key_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    floats = vectors(rng, count, 8)
    for index in range(count):
        number = first + index
        key = HARD_KEYS[number] if number < len(HARD_KEYS) else f"{HARD_KEYS[number % len(HARD_KEYS)]}·{number}"
        yield {"key": key, "number": number, "vector": floats[index]}


# The smallest and the largest integer are left to --with-limits: 2.3.5 counts the largest and never returns it.
EXTREMES = [-(1 << 63) + 1, (1 << 63) - 2, 0, 1, -1] + [sign * ((1 << power) + near) for power in (31, 32, 52, 53, 62) for near in (-1, 0, 1) for sign in (1, -1)]
LIMITS = [-(1 << 63), (1 << 63) - 1]


def int_extremes_schema(schema: CollectionSchema) -> None:
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("number", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)


def int_extremes_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    floats = vectors(rng, count, 8)
    for index in range(count):
        number = first + index
        key = EXTREMES[number] if number < len(EXTREMES) else int(rng.integers(-(1 << 61), 1 << 61))
        yield {"id": key, "number": number, "vector": floats[index]}


# Keys on islands with gaps of every size, of both signs; one in six thousand is there a second time.
ISLANDS = ((-(1 << 62), 3), (-7_000_000, 1), (0, 127), (1 << 40, 8191), (1 << 62, 1_000_003))


def scattered_rows(_: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    for number in range(first, first + count):
        if number % 6000 == 5999:
            number -= 3000
        start, step = ISLANDS[number % len(ISLANDS)]
        yield {"id": start + number * step, "number": number, "vector": np.full(8, number % 97, dtype=np.float32)}


# Roles of fields and partitions.


def partition_key_schema(schema: CollectionSchema) -> None:
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("tenant", DataType.VARCHAR, max_length=64, is_partition_key=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)


def partition_key_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    floats = vectors(rng, count, 8)
    for index in range(count):
        yield {"id": first + index, "tenant": f"tenant {(first + index) % 50}", "vector": floats[index]}


def auto_id_schema(schema: CollectionSchema) -> None:
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=True)
    schema.add_field("number", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)


def auto_id_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    floats = vectors(rng, count, 8)
    for index in range(count):
        yield {"number": first + index, "vector": floats[index]}


def duplicates_schema(schema: CollectionSchema) -> None:
    basic_schema(8)(schema)
    schema.add_field("copy", DataType.INT16, description="0 for the first row of a key, 1 for the second")


def duplicates_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[Row]:
    for row in basic_rows(8)(rng, first, count):
        yield row | {"copy": 0}


def million_schema(schema: CollectionSchema) -> None:
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("group", DataType.INT32)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=64)


HNSW = {"vector": ("HNSW", "COSINE", {"M": 16, "efConstruction": 64})}
PARTITIONS = ("north", "south", "empty")

PRESETS = {
    "basic": Preset(basic_schema(256), basic_rows(256), HNSW, dynamic=True, default_rows=30_000),
    "small": Preset(basic_schema(8), basic_rows(8), dynamic=True, default_rows=200),
    "types235": Preset(types235_schema, types235_rows, scalars={"varchar_field": "Trie", "int64_field": "STL_SORT"}, dynamic=True),
    "binary_vector": Preset(one_vector_schema(DataType.BINARY_VECTOR, 128), binary_rows, {"vector": ("BIN_FLAT", "HAMMING", {})}),
    "float16_vector": Preset(one_vector_schema(DataType.FLOAT16_VECTOR, 16), float16_rows),
    "lite_types": Preset(
        lite_types_schema, lite_types_rows,
        {
            "vector": ("FLAT", "L2", {}), "second_vector": ("FLAT", "IP", {}),
            "sparse": ("SPARSE_INVERTED_INDEX", "IP", {}), "bm25": ("SPARSE_INVERTED_INDEX", "BM25", {}),
        },
        dynamic=True,
    ),
    "varchar_key": Preset(varchar_key_schema, varchar_key_rows),
    "int_extremes": Preset(int_extremes_schema, int_extremes_rows),
    "scattered": Preset(int_extremes_schema, scattered_rows),
    "duplicates": Preset(duplicates_schema, duplicates_rows, dynamic=True),
    "partitions": Preset(
        basic_schema(8), basic_rows(8), dynamic=True, partitions=PARTITIONS,
        partition_of=lambda number: ("_default", "north", "south")[number % 3],
    ),
    "partition_key": Preset(partition_key_schema, partition_key_rows, num_partitions=16),
    "auto_id": Preset(auto_id_schema, auto_id_rows),
    "million": Preset(million_schema, basic_rows(64), default_rows=1_000_000),
    "articles": Preset(articles_schema, articles_rows, dynamic=True, default_rows=500),
    "many": Preset(basic_schema(8), basic_rows(8), dynamic=True, default_rows=100),
}


def index_params(client: MilvusClient, preset: Preset, with_scalars: bool) -> IndexParams:
    """The vector indexes, and on a server that knows them the scalar ones."""
    params = client.prepare_index_params()
    for name, (kind, metric, extra) in preset.vectors.items():
        params.add_index(name, index_name=f"{name}_index", index_type=kind, metric_type=metric, params=extra)
    for name, kind in preset.scalars.items() if with_scalars else ():
        params.add_index(name, index_name=f"{name}_index", index_type=kind)
    return params
