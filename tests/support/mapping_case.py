"""What a case of the mapping is, and what is known of the two servers that it runs between."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mapping_rows import COLLECTIONS, Row, Schema
from mapping_rules import Misfit


@dataclass(frozen=True)
class Way:
    """From one server to another."""

    from_lite: bool
    to_lite: bool
    # Keys that the source made for `auto`, in the order of its rows.
    made: tuple[int, ...] = ()

    @property
    def in_bytes(self) -> bool:
        """What `max_length` counts on the target."""
        return not self.to_lite

    def behind(self, count: int) -> str:
        """The line for so many partitions behind a partition key. Each costs Milvus time, and milvus-lite has its own number."""
        return "" if self.to_lite else f"num_partitions: {count}\n"

    def missing(self, default: str) -> str:
        """How a field says that a row may lack its value: Milvus 2.3.5 has no nulls."""
        return "nullable: true" if self.to_lite else f"default: {default}"

    def field(self, name: str, spec: str, default: str) -> str:
        """The line of such a field in a plan."""
        return f"  {name}: {{{spec}, {self.missing(default)}}}\n"

    def absent(self, value: Any, default: Any) -> Any:
        """And what such a row has then."""
        return value if value is not None else None if self.to_lite else default

    def maybe(self, kind: str, default: Any, **more: Any) -> dict[str, Any]:
        """And what such a field looks like."""
        return {"type": kind, **more, **({"nullable": True} if self.to_lite else {"default": default})}


@dataclass
class Case:
    """One entry of a plan, and what it has to make."""

    # The target's name.
    name: str
    source: str
    # The entry's YAML after `source` and `target`.
    plan: str
    # The row of the target that comes of a row of the source, none where it stays behind. May change what it is given.
    row: Callable[[Row], Row | None] = lambda row: row
    # Fields of the target that differ from the source's; none for those that it does not have.
    schema: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    # What else is looked at: see `mapping_check.FACTS`.
    facts: dict[str, Any] = field(default_factory=dict)
    # Fields whose values the server makes.
    made: tuple[str, ...] = ()
    # By field, what is compared instead of its value, on both sides.
    seen_as: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    # What `plan --scan` says that the rules touch, as far as the case counts it.
    touched: Callable[[list[Row]], dict[str, int]] | None = None
    # What the plan has to say about the entry.
    says: tuple[str, ...] = ()
    # A search for this text in this field has to find rows with these keys, and no others.
    search: tuple[str, str, list[int]] | None = None

    def entry(self, way: Way) -> str:
        lines = [f"- source: {self.source}", f"  target: {self.name}"]
        if not way.to_lite and "load:" not in self.plan:
            # Releasing it, so that whoever reads it loads it again, costs Milvus seconds.
            lines.append("  load: true")
        return "\n".join(lines + [f"  {line}" for line in self.plan.strip().splitlines()]) + "\n"

    def source_rows(self, way: Way) -> list[Row]:
        rows = [copy.deepcopy(row) for row in COLLECTIONS[self.source].rows()]
        if self.source == "auto":
            rows = [{"id": key, **row} for key, row in zip(way.made, rows, strict=True)]
        return rows

    def rows(self, way: Way) -> list[Row]:
        """The target's rows."""
        kept = []
        for row in self.source_rows(way):
            try:
                mapped = self.row(row)
            except Misfit:
                continue
            if mapped is not None:
                kept.append(mapped)
        return kept

    def misfits(self, way: Way) -> dict[Any, str]:
        """By key, the reasons of the rows that do not fit."""
        collection = COLLECTIONS[self.source]
        key = next(name for name, said in collection.schema.items() if said.get("key"))
        found = {}
        for row in self.source_rows(way):
            name = row[key]
            try:
                self.row(row)
            except Misfit as misfit:
                found[name] = str(misfit)
        return found

    def expected_schema(self, way: Way) -> Schema:
        schema = copy.deepcopy(COLLECTIONS[self.source].schema)
        for name, said in schema.items():
            # milvus-lite forgets the length of texts in arrays, and Milvus needs one.
            if way.from_lite and said.get("element") == "varchar":
                said["max_length"] = 65_535
            # Keys are carried wherever the plan does not ask for others.
            if name not in self.schema:
                said.pop("auto", None)
        for name, said in self.schema.items():
            if said is None:
                del schema[name]
            else:
                schema[name] = dict(said)
        if way.to_lite:
            for said in schema.values():
                if said.get("element") == "varchar":
                    said.pop("max_length", None)
        return schema


def together(name: str, cases: list[Case]) -> Case:
    """Several cases about different fields as one, for servers to which a collection costs much."""
    assert all(case.plan.startswith("fields:") and case.source == cases[0].source for case in cases), name

    def row(given: Row) -> Row | None:
        for case in cases:
            mapped = case.row(given)
            if mapped is None:
                return None
            given = mapped
        return given

    def touched(source: list[Row]) -> dict[str, int]:
        return {rule: count for case in cases if case.touched for rule, count in case.touched(source).items()}

    lines = [line for case in cases for line in case.plan.strip().splitlines()[1:]]
    fields = [line.split(":")[0] for line in lines]
    assert len(set(fields)) == len(fields), fields
    whole = Case(name, cases[0].source, "\n".join(["fields:", *lines]), row, touched=touched)
    for case in cases:
        whole.schema |= case.schema
        whole.facts |= case.facts
        whole.seen_as |= case.seen_as
    return whole


def rename(row: Row, **names: str) -> Row:
    """The row with fields under new names: `rename(row, new="old")`."""
    for new, old in names.items():
        row[new] = row.pop(old)
    return row


def without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def take(keys: dict[str, Any], *path: str) -> Any:
    """A value out of nested objects, which lose it; the objects around it stay."""
    *way, last = path
    for key in way:
        keys = keys.get(key) if isinstance(keys, dict) else None
    return keys.pop(last, None) if isinstance(keys, dict) else None


def changed(row: Row, **rules: Callable[[Any], Any]) -> Row:
    """The row with values of some fields put through a rule; a null stays one."""
    for name, rule in rules.items():
        if row[name] is not None:
            row[name] = rule(row[name])
    return row


