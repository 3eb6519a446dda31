"""Tables and indexes, declared with Convex's words.

    define_schema({"books": define_table({"id": v.string()}).index("by_key", ["id"])})

Each field of a table is a column of its own, so that a row needs no parsing: text, numbers and
booleans as SQLite has them, anything else as JSON text. A missing field is SQL NULL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from mastra_convex.values.validators import Validator, v

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_COLUMN_TYPES = {"string": "TEXT", "number": "REAL", "boolean": "INTEGER"}
_INDEXABLE = {"TEXT", "REAL"}
BY_CREATION_TIME = "by_creation_time"
# The word TEXT in it keeps SQLite from making numbers of JSON that looks like one.
JSON = "JSON_TEXT"


@dataclass(frozen=True, eq=False)
class Index:
    """An index: its name, its fields in order, and which of them a document may lack."""

    name: str
    fields: tuple[str, ...]
    nullable: tuple[bool, ...]
    # Statements of queries over the index, by their shape: `Query` keeps them here.
    statements: dict[Any, str] = field(default_factory=dict)


def _column_type(field: Validator) -> str:
    shape = field.describe()
    shapes = shape["value"] if shape["type"] == "union" else [shape]
    if all(s["type"] == "literal" and isinstance(s["value"], str) for s in shapes):
        return "TEXT"
    return _COLUMN_TYPES.get(shape["type"], JSON)


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


class Table:
    """One table: fields with their validators, and indexes. Build it with `define_table`."""

    def __init__(self, fields: Mapping[str, Validator]) -> None:
        self.name = ""
        self.fields = dict(fields)
        self.document = v.object(self.fields)
        # Every table can be read in the order of insertion, as on Convex.
        self.indexes = {BY_CREATION_TIME: Index(BY_CREATION_TIME, ("_id",), (False,))}
        self.column_types = {name: _column_type(field) for name, field in self.fields.items()}
        self.columns = ("_id", *self.fields)
        # Most tables hold text and numbers only; then rows need no conversion at all.
        self.readers: dict[str, Callable[[Any], Any]] = {}
        self.writers: dict[str, Callable[[Any], Any]] = {}
        for name, kind in self.column_types.items():
            if kind == JSON:
                self.readers[name], self.writers[name] = json.loads, _dump
            elif kind == "INTEGER":
                self.readers[name] = bool
        for name in self.fields:
            if not _NAME.match(name):
                raise ValueError(f"{name!r} cannot be a field name: use an identifier")

    def index(self, name: str, fields: Sequence[str]) -> Table:
        """Add an index over `fields`, which must be text or numbers; returns the table."""
        if not _NAME.match(name) or name in self.indexes or name == "by_id":
            raise ValueError(f"{name!r} cannot name an index here: it is reserved, bad or taken")
        for each in fields:
            if self.column_types.get(each) not in _INDEXABLE:
                raise ValueError(f"index {name!r} needs {each!r} to be a text or number field")
        self.indexes[name] = Index(
            name, tuple(fields), tuple(self.fields[name].optional for name in fields)
        )
        return self

    @cached_property
    def bulky(self) -> tuple[int, ...]:
        """Positions in `columns` of text that no index needs: where the bytes of a row are."""
        indexed = set(self.indexed_fields)
        return tuple(
            position
            for position, name in enumerate(self.columns)
            if self.column_types.get(name) in {"TEXT", JSON} and name not in indexed
        )

    @property
    def indexed_fields(self) -> tuple[str, ...]:
        """The fields that any index mentions."""
        used = {name for index in self.indexes.values() for name in index.fields}
        return tuple(field for field in self.fields if field in used)

    def size_sql(self, *fields: str) -> str:
        """SQL for the bytes of some fields in all rows, or of all fields, as the writer counts."""
        sizes = [
            f'ifnull(length(CAST("{name}" AS BLOB)), 0)'
            if self.column_types[name] in {"TEXT", JSON}
            else f'("{name}" IS NOT NULL) * 8'
            for name in fields or self.fields
        ]
        return f"ifnull(sum({' + '.join(sizes)}), 0)"

    def document_of(self, row: Sequence[Any]) -> dict[str, Any]:
        """The document in a row of `columns`; missing fields are left out."""
        document = {k: x for k, x in zip(self.columns, row) if x is not None}
        for name, read in self.readers.items():
            if name in document:
                document[name] = read(document[name])
        return document

    def value_of(self, field: str, value: Any) -> Any:
        """What is stored in the column of `field` for `value`."""
        write = self.writers.get(field)
        return value if write is None or value is None else write(value)

    def values_of(self, document: Mapping[str, Any], fields: Collection[str]) -> list[Any]:
        """What is stored in the columns of `fields` for a document."""
        values = [*map(document.get, fields)]
        if self.writers:
            values = [*map(self.value_of, fields, values)]
        return values


class Upgrade(NamedTuple):
    """What a file of an older format needs besides new tables: a statement that fills a table."""

    table: str
    statement: str


class Schema:
    """The tables of a store, by name. Build it with `define_schema`."""

    def __init__(
        self, tables: Mapping[str, Table], upgrades: Mapping[int, Sequence[Upgrade]] | None = None
    ) -> None:
        self.tables = dict(tables)
        # By the number of the format that a file is brought to.
        self.upgrades = dict(upgrades or {})
        for name, table in self.tables.items():
            if not _NAME.match(name):
                raise ValueError(f"{name!r} cannot be a table name: use an identifier")
            table.name = name


def define_table(fields: Mapping[str, Validator]) -> Table:
    """A table whose documents have these fields."""
    return Table(fields)


def define_schema(
    tables: Mapping[str, Table], upgrades: Mapping[int, Sequence[Upgrade]] | None = None
) -> Schema:
    """A schema of these tables; `upgrades` are run on files of older formats."""
    return Schema(tables, upgrades)
