"""The rules of conversion once more, by what their documentation says and with nothing but Python and NumPy."""

import json
import math
import struct
from typing import Any

import numpy as np

RANGES = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}


class Misfit(Exception):
    """A value that does not fit, with the reason that vecferry is to give."""


def shown(value: Any) -> str:
    """A value in a reason."""
    return f"`{value}`" if isinstance(value, str) else text(value)


def text(value: Any, is_single: bool = False) -> str:
    """A scalar or an array as text: the shortest that reads back as the same number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Misfit
        # `1e+16` and `1e-05` are how Python writes what JSON writes as 1e16 and 1e-5.
        if is_single:
            value = float(np.format_float_scientific(np.float32(value), unique=True))
        digits, _, power = repr(value).partition("e")
        return f"{digits}e{int(power)}" if power else digits
    if isinstance(value, list):
        return "[" + ",".join(json.dumps(item, ensure_ascii=False) if isinstance(item, str) else text(item) for item in value) + "]"
    return str(value)


def integer(value: Any, to: str, is_single: bool = False) -> int:
    """A number, a truth value or a whole text as an integer of this type."""
    name = to.upper()
    if isinstance(value, str):
        digits = value[1:] if value[:1] in ("+", "-") else value
        if not (digits.isascii() and digits.isdigit()):
            raise Misfit(f"`{value}` is no {name}")
    if isinstance(value, float) and not value.is_integer():
        raise Misfit(f"{text(value, is_single)} is no {name}")
    whole, half = int(value), 1 << (RANGES[to] - 1)
    if not -half <= whole < half:
        raise Misfit(f"{text(value, is_single) if isinstance(value, float) else shown(value)} is outside {name}")
    return whole


def double(value: Any) -> float:
    """A number or a text as a DOUBLE; an integer has to be exact."""
    if isinstance(value, int) and not isinstance(value, bool) and int(float(value)) != value:
        raise Misfit(f"{value} has no exact DOUBLE")
    return float(value)


def single(value: Any) -> float:
    """The same as a FLOAT; a DOUBLE is rounded to nearest, even where little is left of it."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    if isinstance(value, int) and int(rounded) != value:
        raise Misfit(f"{value} has no exact FLOAT")
    if math.isfinite(value) and math.isinf(rounded):
        raise Misfit(f"{text(value)} is outside FLOAT")
    return rounded


def half(values: list[float]) -> np.ndarray:
    """A vector in the sixteen bits that NumPy rounds each number to."""
    return np.asarray(values, dtype=np.float32).astype(np.float16)


def boolean(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise Misfit(f"`{value}` is no BOOL")
        return value.lower() == "true"
    if value not in (0, 1):
        raise Misfit(f"{text(value)} is no BOOL")
    return bool(value)


def cut(value: str, most: int, in_bytes: bool) -> str:
    """The longest beginning of so many bytes or characters that cuts no character in two."""
    return value.encode()[:most].decode(errors="ignore") if in_bytes else value[:most]


def held(value: str, most: int, in_bytes: bool) -> str:
    """A text, if it is not too long."""
    length = len(value.encode()) if in_bytes else len(value)
    if length > most:
        raise Misfit(f"{length} {'bytes' if in_bytes else 'characters'}, but max_length is {most}")
    return value


def lifted(keys: dict[str, Any], *path: str) -> Any:
    """What lies under this path, nothing where the way to it stops."""
    found: Any = keys
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def bits(value: float) -> str:
    """So that a test can tell -0.0 from 0.0."""
    return struct.pack("<d", value).hex()


def json_text(value: Any) -> str:
    return json.dumps(value)


def json_value(value: str | None) -> Any:
    """What a JSON text says; servers write it anew."""
    return None if value is None else json.loads(value)
