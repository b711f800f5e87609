"""One way to write down a row, so that two rows are equal exactly when they are written alike.

Floats are kept to the bit, but for those that are no number. JSON counts by its value, since milvus-lite writes it anew, and the two ways in which servers
return an empty array are one.
"""

import hashlib
import json
import struct
from typing import Any

import numpy as np
from pymilvus import DataType

FLOAT_TYPES = {DataType.FLOAT: "<f", DataType.DOUBLE: "<d"}
WORD = {"<f": "f32", "<d": "f64"}


def _bits(value: float, form: str) -> str:
    if value != value:
        # 2.3.5 returns other bits of a NaN once it has flushed the row.
        return f"{WORD[form]}:nan"
    return f"{WORD[form]}:{struct.pack(form, value).hex()}"


def _vector(value: Any, kind: DataType) -> Any:
    if kind == DataType.SPARSE_FLOAT_VECTOR:
        return [[int(index), _bits(weight, "<f")] for index, weight in sorted(value.items())]
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        value = value[0]
    if isinstance(value, bytes):
        return value.hex()
    if kind == DataType.FLOAT_VECTOR:
        return np.asarray(value, dtype="<f4").tobytes().hex()
    return np.asarray(value).tobytes().hex()


def _value(value: Any, field: dict[str, Any] | None) -> Any:
    if field is None:
        return ["json", json.dumps(value, sort_keys=True, ensure_ascii=False)]
    kind = DataType(field["type"])
    if kind == DataType.ARRAY:
        if value is None and field.get("nullable"):
            return None
        form = FLOAT_TYPES.get(DataType(field["element_type"]))
        return [_bits(item, form) if form else item for item in value or []]
    if value is None:
        return None
    if kind in FLOAT_TYPES:
        return _bits(value, FLOAT_TYPES[kind])
    if kind == DataType.JSON:
        value = json.loads(value) if isinstance(value, (str, bytes)) else value
        return ["json", json.dumps(value, sort_keys=True, ensure_ascii=False)]
    return _vector(value, kind) if 100 <= int(kind) < 200 else value


def canonical(row: dict[str, Any], fields: dict[str, dict[str, Any]], drop: frozenset[str]) -> dict[str, Any]:
    """The row by field, dynamic keys included; a declared field that did not come back is null."""
    names = (set(row) | set(fields)) - drop - {"$meta"}
    return {name: _value(row.get(name), fields.get(name)) for name in sorted(names)}


def digest(row: dict[str, Any]) -> bytes:
    """A canonical row in sixteen bytes."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
