"""Writing: a mutation sees what it has written, keeps to the schema, and keeps the totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE, MutationCtx, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import mutation
from mastra_convex.engine.transaction import TableTotals
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.values.validators import v
from tests.engine.support import Doc, add, ask, book, do, opened, ranged, registry_of, titles


@pytest.fixture
def engine() -> Iterator[Engine]:
    with opened() as opened_engine:
        yield opened_engine


def test_a_document_comes_back_as_it_is_stored(engine: Engine) -> None:
    whole = book("a", 5, note="", price=0, lent=False, tags=[None, {"a": [1, "\ud800"]}], more={})
    (key,) = add(engine, {**whole, "more": {}})
    found = ask(engine, how="get", id=key)
    assert found == {"_id": key, **whole}
    assert type(found["year"]) is float
    assert found["lent"] is False
    assert ask(engine, how="get", id=key + 1) is None


def test_none_is_a_missing_field(engine: Engine) -> None:
    (key,) = add(engine, book("a", note=None, tags=None))
    assert ask(engine, how="get", id=key) == {"_id": key, **book("a")}


def test_a_mutation_reads_what_it_has_written(engine: Engine) -> None:
    everything = {"table": "books", "index": "by_title"}
    read: list[Any] = ["read", everything]
    count: list[Any] = ["read", {"table": "books", "how": "totals"}]
    answers = do(
        engine,
        ["insert", "books", book("a")],
        ["insert", "books", book("b")],
        read,
        ["patch", "books", 1, {"title": "c", "note": "x"}],
        read,
        ["replace", "books", 2, book("d", 7)],
        ["delete", "books", 1],
        read,
        count,
        ["delete_range", everything],
        read,
        count,
    )
    assert answers[:2] == [1, 2]
    assert titles(answers[2]) == ["a", "b"]
    assert titles(answers[3]) == ["b", "c"]
    assert answers[4:] == [[{"_id": 2, **book("d", 7)}], [1, 9], [], [0, 0]]


def test_a_patch_changes_only_its_fields(engine: Engine) -> None:
    add(engine, book("a", 1, note="n", tags=[1]))
    do(engine, ["patch", "books", 1, {"year": 2, "note": None, "tags": [True]}])
    found = ask(engine, how="get", id=1)
    assert found == {"_id": 1, **book("a", 2, tags=[True])}
    assert found["tags"][0] is True


def test_a_replacement_is_the_whole_document(engine: Engine) -> None:
    add(engine, book("a", 1, note="n", tags=[1], lent=True))
    do(engine, ["replace", "books", 1, {"_id": 1, **book("b", 1, price=3)}])
    assert ask(engine, how="get", id=1) == {"_id": 1, **book("b", 1, price=3)}


@pytest.mark.parametrize(
    "step",
    [
        ["insert", "books", {"title": "a"}],
        ["insert", "books", book("a", isbn="x")],
        ["insert", "books", {"title": 1, "year": 1}],
        ["insert", "books", book("a", float("nan"))],
        ["insert", "books", book("a", note="\ud800")],
        ["patch", "books", 1, {"title": None}],
        ["patch", "books", 1, {"year": "1"}],
        ["patch", "books", 1, {"isbn": "x"}],
        ["replace", "books", 1, {"title": "b"}],
    ],
)
def test_documents_keep_to_the_schema(step: list[Any], engine: Engine) -> None:
    add(engine, book("a"))
    with pytest.raises(InvalidArgumentError, match=r"^books\."):
        do(engine, step)
    assert ask(engine, index="by_title") == [{"_id": 1, **book("a")}]


@pytest.mark.parametrize(
    "step",
    [
        ["patch", "books", 9, {"year": 1}],
        ["replace", "books", 9, book("a")],
        ["delete", "books", 9],
    ],
)
def test_a_document_that_is_not_there_cannot_be_changed(step: list[Any], engine: Engine) -> None:
    with pytest.raises(ValueError, match="no document 9 in 'books'"):
        do(engine, step)
    add(engine, book("a"))
    with pytest.raises(ValueError, match="no document 1 in 'books'"):
        do(engine, ["delete", "books", 1], ["delete", "books", 1])
    with pytest.raises(ValueError, match="no document 1 in 'books'"):
        do(
            engine,
            ["read", {"table": "books", "how": "get", "id": 1}],
            ["delete_range", {"table": "books", "index": "by_title"}],
            ["patch", "books", 1, {"year": 2}],
        )


def test_an_id_never_comes_twice(engine: Engine) -> None:
    assert add(engine, book("a"), book("b")) == [1, 2]
    do(engine, ["delete", "books", 2])
    assert add(engine, book("c")) == [3]
    do(engine, ["delete_range", {"table": "books", "index": "by_title"}])
    assert do(engine, ["insert", "books", book("d")], ["delete", "books", 4]) == [4]
    assert add(engine, book("e")) == [5]
    assert do(engine, ["insert", "shelves", {"name": "x"}]) == [1]


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, 0),
        ({"note": "abc"}, 3),
        ({"note": "\u00fc\U0001f600"}, 6),
        ({"note": "a\0b"}, 3),
        ({"price": 1.5}, 8),
        ({"lent": False}, 8),
        ({"tags": []}, 2),
        ({"more": 5}, 1),
        ({"more": "5"}, 3),
    ],
)
def test_totals_count_documents_and_bytes(fields: Doc, size: int, engine: Engine) -> None:
    def totals() -> list[int]:
        found: list[int] = ask(engine, how="totals")
        return found

    plain, whole = 1 + 8, 1 + 8 + size
    assert totals() == [0, 0]
    add(engine, book("a", **fields))
    assert totals() == [1, whole]
    do(engine, ["replace", "books", 1, book("a")])
    assert totals() == [1, plain]
    do(engine, ["patch", "books", 1, fields])
    assert totals() == [1, whole]
    do(engine, ["insert", "books", book("b")])
    do(engine, ["delete_range", {"table": "books", "index": "by_title", "eq": ["a"]}])
    assert totals() == [1, plain]
    do(engine, ["delete", "books", 2])
    assert totals() == [0, 0]
    assert ask(engine, table="shelves", how="totals") == [0, 0]


def test_a_table_of_plain_columns(engine: Engine) -> None:
    do(
        engine,
        ["insert", "shelves", {"name": "a"}],
        ["insert", "shelves", {"name": "b", "room": 1}],
    )
    do(engine, ["patch", "shelves", 1, {"room": 2}], ["patch", "shelves", 2, {"room": None}])
    do(engine, ["patch", "shelves", 1, {"name": "c"}], ["delete", "shelves", 2])
    found = ask(engine, table="shelves", index="by_name")
    assert found == [{"_id": 1, "name": "c", "room": 2}]
    assert ask(engine, table="shelves", how="totals") == [1, 9]


def test_totals_have_names(engine: Engine) -> None:
    assert TableTotals(1, 2).documents == 1
    assert TableTotals(1, 2).bytes == 2


def test_a_range_is_deleted_whatever_its_bounds(engine: Engine) -> None:
    add(engine, *(book("a", year, note=None if year % 2 else "n") for year in range(10)))
    bounds = [["gt", 2], ["lte", 8]]
    do(engine, ["delete_range", {"table": "books", "index": "by_year", "bounds": bounds}])
    assert [one["year"] for one in ask(engine, index="by_year")] == [0, 1, 2, 9]
    do(engine, ["delete_range", {"table": "books", "index": "by_note", "eq": [None]}])
    assert [one["year"] for one in ask(engine, index="by_year")] == [0, 2]


def test_without_strictness_functions_are_trusted() -> None:
    """The checks are for tests: what a function writes and returns is not validated again."""

    @mutation(args={}, returns=v.string())
    def careless(ctx: MutationCtx, args: Doc) -> Any:
        return ctx.db.insert("books", {"title": "a"})

    from tests.engine.support import SCHEMA

    engine = Engine(":memory:", SCHEMA, registry_of(careless=careless))
    assert engine.mutation("test:careless", {}, SERVICE) == 1
    assert engine.query("test:read", {"spec": {"table": "books", "how": "get", "id": 1}}, None) == {
        "_id": 1,
        "title": "a",
    }
    engine.mutation("test:write", {"steps": [["patch", "books", 1, {"note": "x"}]]}, SERVICE)
    engine.close()


def test_a_writer_is_a_reader() -> None:
    @mutation(args={}, returns=v.any())
    def both(ctx: MutationCtx, args: Doc) -> Any:
        reader = QueryCtx(ctx.db, ctx.principal)
        ctx.db.insert("books", book("a"))
        return ranged(reader.db, {"table": "books", "index": "by_title"}).first()

    with opened(both=both) as engine:
        assert engine.mutation("test:both", {}, SERVICE) == {"_id": 1, **book("a")}


def test_a_range_is_patched_with_its_totals(engine: Engine) -> None:
    for title, note in (("a", None), ("b", "\u00fc"), ("c", "abc"), ("d", "kept")):
        add(engine, book(title, ord(title), note=note) if note else book(title, ord(title)))
    inside = {"table": "books", "index": "by_year", "bounds": [["lte", ord("c")]]}
    before = ask(engine, how="totals")
    # What was patched and not written yet is patched over, and read again.
    do(
        engine,
        ["patch", "books", 1, {"note": "first"}],
        ["patch_range", inside, "note", "four"],
        ["patch", "books", 2, {"price": 1}],
        ["patch_range", inside, "price", 2.5],
    )
    found = ask(engine, index="by_year")
    assert [each.get("note") for each in found] == ["four", "four", "four", "kept"]
    assert [each.get("price") for each in found] == [2.5, 2.5, 2.5, None]
    after = ask(engine, how="totals")
    assert after == [before[0], before[1] - 2 - 3 + 3 * 4 + 3 * 8]
    nobody = {"table": "books", "index": "by_title", "eq": ["nobody"]}
    do(engine, ["patch_range", nobody, "note", "x"])
    assert ask(engine, how="totals") == after
