"""Cases of rows that do not fit: those that go to the quarantine, and those that stop the copy."""

import mapping_rules as rules
from mapping_case import Case, Way, changed, take
from mapping_rows import NULLS, RICH, Row
from mapping_rules import Misfit


def cases(way: Way) -> list[Case]:
    def named(field: str, rule):
        """A rule whose misfits say which field they are about, as the files of the quarantine do."""
        def tried(value):
            try:
                return rule(value)
            except Misfit as misfit:
                raise Misfit(f"{field}: {misfit}") from misfit
        return tried

    def on(field: str, rule):
        return lambda row: changed(row, **{field: named(field, rule)})

    def at_most(items: list, most: int) -> list:
        if len(items) > most:
            raise Misfit(f"{len(items)} elements, but max_capacity is {most}")
        return items

    def lang(row: Row) -> Row:
        value = take(row["$meta"], "lang")
        if value is None:
            raise Misfit("lang: null, and the field takes none")
        return row | {"lang": value}

    def both(row: Row) -> Row:
        # The target's fields are in the source's order, and the first that does not fit is named.
        return on("mixed", lambda text: rules.integer(text, "int8"))(on("i32", lambda value: rules.integer(value, "int16"))(row))

    int_array = RICH["longs"]
    found = [
        Case("q_int8", "rich", "fields:\n  mixed: {type: int8, on_misfit: quarantine}", on("mixed", lambda text: rules.integer(text, "int8")), {"mixed": {"type": "int8"}}),
        Case("q_narrow", "rich", "fields:\n  i64: {type: int32, on_misfit: quarantine}", on("i64", lambda value: rules.integer(value, "int32")), {"i64": {"type": "int32"}}),
        Case("q_exact", "rich", "fields:\n  i64: {type: double, on_misfit: quarantine}", on("i64", rules.double), {"i64": {"type": "double"}}),
        Case("q_float", "rich", "fields:\n  f64: {type: float, on_misfit: quarantine}", on("f64", rules.single), {"f64": {"type": "float"}}),
        Case("q_whole", "rich", "fields:\n  f32: {type: int16, on_misfit: quarantine}", lambda row: changed(row, f32=named("f32", lambda value: rules.integer(value, "int16", True))), {"f32": {"type": "int16"}}),
        Case(
            "q_bool", "rich", "fields:\n  text: {type: bool, on_misfit: quarantine}\nwhere: text in ['true', 'plain']",
            lambda row: on("text", rules.boolean)(row) if row["text"] in ("true", "plain") else None, {"text": {"type": "bool"}},
        ),
        Case("q_long", "rich", "fields:\n  text: {max_length: 10, on_misfit: quarantine}", on("text", lambda text: rules.held(text, 10, way.in_bytes)), {"text": {"type": "varchar", "max_length": 10}}),
        Case("q_capacity", "rich", "fields:\n  longs: {max_capacity: 2, on_misfit: quarantine}", on("longs", lambda items: at_most(items, 2)), {"longs": int_array | {"max_capacity": 2}}),
        Case("q_lang", "rich", way.behind(3) + "fields:\n  lang: {from: $meta.lang, type: varchar, max_length: 16, partition_key: true, on_misfit: quarantine}", lang, {"lang": {"type": "varchar", "max_length": 16, "partition_key": True}}),
        Case("q_both", "rich", "fields:\n  i32: {type: int16, on_misfit: quarantine}\n  mixed: {type: int8, on_misfit: quarantine}", both, {"i32": {"type": "int16"}, "mixed": {"type": "int8"}}),
        Case(
            "q_parted", "parted", "fields:\n  number: {type: int8, on_misfit: quarantine}\n  origin: {from: $partition}",
            lambda row: on("number", lambda value: rules.integer(value, "int8"))(row) | {"origin": row["$partition"]},
            {"number": {"type": "int8"}, "origin": {"type": "varchar", "max_length": 255}},
        ),
        Case("q_key", "words", "fields:\n  word: {max_length: 5, on_misfit: quarantine}", on("word", lambda text: rules.held(text, 5, way.in_bytes)), {"word": {"type": "varchar", "max_length": 5, "key": True}}),
        Case(
            "q_auto", "rich", "primary_key: {auto_id: true, keep_as: old}\nfields:\n  mixed: {type: int8, on_misfit: quarantine}",
            lambda row: on("mixed", lambda text: rules.integer(text, "int8"))(row) | {"old": row["id"]},
            {"id": {"type": "int64", "key": True, "auto": True}, "old": {"type": "int64"}, "mixed": {"type": "int8"}}, made=("id",),
        ),
    ]
    if not way.to_lite:
        def halves(values: list[float]) -> object:
            if abs(values[0]) >= 65520:
                raise Misfit("element 0: 1000000.0 is outside FLOAT16_VECTOR")
            return rules.half(values)
        found.append(Case("q_half", "rich", "fields:\n  vector: {type: float16_vector, on_misfit: quarantine}", on("vector", halves), {"vector": {"type": "float16_vector", "dim": 8}}))
    if way.from_lite and way.to_lite:
        def rejected(row: Row) -> Row:
            if row["n_i64"] is None:
                raise Misfit("n_i64: null, and the field takes none")
            return row
        found += [
            Case("q_null", "nulls", "fields:\n  n_i64: {on_null: reject, on_misfit: quarantine}", rejected),
            Case("q_not_null", "nulls", "fields:\n  n_i64: {nullable: false, on_misfit: quarantine}", rejected, {"n_i64": {"type": "int64"}}),
            Case("q_mixed", "nulls", "fields:\n  n_mixed: {type: int8, on_misfit: quarantine}", on("n_mixed", lambda text: rules.integer(text, "int8")), {"n_mixed": NULLS["n_i8"]}),
        ]
    return found


def stopped(way: Way) -> list[Case]:
    """Nothing is known of the rows before they are read, so `plan` without `--scan` lets these pass."""
    # Sorted by the servers themselves: the first key that does not fit.
    return [
        Case("s_int8", "rich", "fields:\n  mixed: {type: int8}\naliases: [s_live]", says=("`mixed`", "`abc` is no INT8", "-97")),
        Case("s_null", "rich", "fields:\n  lang: {from: $meta.lang, type: varchar, max_length: 16, nullable: false}", says=("`lang`", "null, and the field takes none", "-100")),
    ]
