"""Schemas: what can be declared, and how documents become rows and rows documents."""

from __future__ import annotations

from typing import Any

import pytest

from mastra_convex.engine.schema import define_schema, define_table
from mastra_convex.values.validators import Validator, v
from tests.engine.support import SCHEMA

NAMES = ["", "_id", "_x", "1a", "a-b", "a b", 'a"b', "\u00fc", "a" * 65, "a\n"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a field name"):
        define_table({name: v.string()})
    with pytest.raises(ValueError, match="cannot be a table name"):
        define_schema({name: define_table({})})
    with pytest.raises(ValueError, match="cannot name an index"):
        define_table({"a": v.string()}).index(name, ["a"])


@pytest.mark.parametrize("name", ["by_id", "by_creation_time", "by_a"])
def test_an_index_needs_a_name_of_its_own(name: str) -> None:
    table = define_table({"a": v.string()}).index("by_a", ["a"])
    with pytest.raises(ValueError, match="reserved, bad or taken"):
        table.index(name, ["a"])


@pytest.mark.parametrize(
    "field",
    [
        v.boolean(),
        v.array(v.string()),
        v.object({}),
        v.any(),
        v.null(),
        v.union(v.string(), v.number()),
        v.literal(1),
        v.union(v.literal("a"), v.literal(1)),
    ],
)
def test_only_text_and_numbers_are_indexed(field: Validator) -> None:
    with pytest.raises(ValueError, match="needs 'a' to be a text or number field"):
        define_table({"a": field}).index("by_a", ["a"])
    with pytest.raises(ValueError, match="needs 'b' to be"):
        define_table({"a": field}).index("by_b", ["b"])


def test_indexes_know_their_fields_and_which_may_be_missing() -> None:
    table = define_table(
        {"a": v.string(), "b": v.optional(v.number()), "c": v.union(v.literal("x"), v.literal("y"))}
    ).index("by_all", ["c", "b", "a"])
    index = table.indexes["by_all"]
    assert index.fields == ("c", "b", "a")
    assert index.nullable == (False, True, False)
    assert table.indexed_fields == ("a", "b", "c")


def test_tables_know_their_names() -> None:
    assert {name: table.name for name, table in SCHEMA.tables.items()} == {
        "books": "books",
        "shelves": "shelves",
    }


FIELDS: list[tuple[Validator, list[Any]]] = [
    (v.string(), ["", "1", "null", "\0"]),
    (v.number(), [0, 1.5, -0.0, 2**53, float("inf")]),
    (v.boolean(), [True, False]),
    (v.literal("a"), ["a"]),
    (v.literal(5), [5]),
    (v.literal(True), [True]),
    (v.union(v.literal("a"), v.literal("b")), ["a", "b"]),
    (v.union(v.literal("a"), v.literal(5)), ["a", 5]),
    (v.union(v.literal(5), v.literal("5")), [5, "5"]),
    (v.union(v.string(), v.number(), v.null()), ["5", 5, "", 0.5, "[1]"]),
    (v.array(v.any()), [[], [1, "1", None, True], [[{}]]]),
    (v.object({"a": v.any()}), [{"a": None}, {"a": 1}]),
    (v.any(), [0, 1, -1.5, 10**15, "5", "text", True, False, [], {}, {"": "\ud800"}]),
]


@pytest.mark.parametrize(("field", "values"), FIELDS)
@pytest.mark.parametrize("optional", [False, True])
def test_values_come_back_from_their_column(
    field: Validator, values: list[Any], optional: bool
) -> None:
    """Through a column of SQLite, which has ideas of its own about types."""
    import sqlite3

    table = define_table({"a": v.optional(field) if optional else field})
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t (_id INTEGER PRIMARY KEY, a {table.column_types['a']})")
    for key, value in enumerate(values):
        row = [key, table.value_of("a", value)]
        connection.execute("INSERT INTO t VALUES (?, ?)", row)
        stored = connection.execute("SELECT * FROM t WHERE _id = ?", [key]).fetchone()
        document = table.document_of(stored)
        assert document == {"_id": key, "a": value}
        assert type(document["a"]) is type(value) or isinstance(value, (int, float))
        assert isinstance(document["a"], bool) == isinstance(value, bool)
    connection.close()


def test_what_is_missing_is_left_out() -> None:
    table = SCHEMA.tables["books"]
    row = [7, "a", 1.0, *[None] * (len(table.columns) - 3)]
    assert table.document_of(row) == {"_id": 7, "title": "a", "year": 1.0}
    assert table.value_of("tags", None) is None
    assert table.value_of("tags", [1]) == "[1]"
    assert table.value_of("title", "a") == "a"


def test_bytes_are_where_no_index_looks() -> None:
    table = SCHEMA.tables["books"]
    assert [table.columns[position] for position in table.bulky] == ["tags", "more"]
