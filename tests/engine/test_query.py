"""Queries: ranges, orders and pages, and that none of them scans or sorts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import Function, query
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.values.validators import v
from tests.engine.flaky import Connections
from tests.engine.support import (
    SCHEMA,
    Doc,
    Spec,
    add,
    ask,
    book,
    do,
    opened,
    settle,
    titles,
    watch,
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with opened() as opened_engine:
        yield opened_engine


def asking(handler: Callable[[QueryCtx], Any]) -> Function:
    """A query without arguments."""

    @query(args={}, returns=v.any())
    def asked(ctx: QueryCtx, args: Doc) -> Any:
        return handler(ctx)

    return asked


def run(handler: Callable[[QueryCtx], Any]) -> Any:
    """What a query without arguments gives on an empty store."""
    with opened(asked=asking(handler)) as engine:
        return engine.query("test:asked", {}, SERVICE)


NOTES = [None, "", "\0", "a", "a\0", "b", "\u00e9", "\uffff", "\U0001f600"]


def test_text_is_in_the_order_of_code_points_and_missing_comes_first(engine: Engine) -> None:
    add(engine, *(book("x", note=note) for note in reversed(NOTES)))
    found = ask(engine, index="by_note")
    assert [one.get("note") for one in found] == NOTES
    assert ask(engine, index="by_note", order="desc") == found[::-1]


def test_numbers_are_in_their_order(engine: Engine) -> None:
    years = [float("-inf"), -(2**53), -1.5, 0, 5e-324, 1, 2**53, float("inf")]
    add(engine, *(book("x", year) for year in reversed(years)))
    assert [one["year"] for one in ask(engine, index="by_year")] == years


def test_equal_keys_are_in_the_order_of_insertion(engine: Engine) -> None:
    ids = add(engine, *[book("x", 1)] * 4)
    for index in ("by_year", "by_title", "by_note", "by_creation_time"):
        assert [one["_id"] for one in ask(engine, index=index)] == ids
        assert [one["_id"] for one in ask(engine, index=index, order="desc")] == ids[::-1]


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ([], [None, "", "a", "b", "c"]),
        ([["gt", "a"]], ["b", "c"]),
        ([["gte", "a"]], ["a", "b", "c"]),
        ([["lt", "b"]], ["", "a"]),
        ([["lte", "b"]], ["", "a", "b"]),
        ([["gt", "a"], ["lt", "c"]], ["b"]),
        ([["lte", "c"], ["gte", "b"]], ["b", "c"]),
        ([["gt", "c"]], []),
        ([["gt", "b"], ["lt", "a"]], []),
    ],
)
def test_bounds(bounds: list[Any], found: list[Any], engine: Engine) -> None:
    """Documents without the field are in a range only if it has no bound."""
    add(engine, *(book("x", note=note) for note in (None, "", "a", "b", "c")))
    assert [one.get("note") for one in ask(engine, index="by_note", bounds=bounds)] == found


def test_equal_to_nothing_finds_documents_without_the_field(engine: Engine) -> None:
    add(engine, book("a"), book("b", note=""), book("c", price=0), book("d", note="x", price=1))
    assert titles(ask(engine, index="by_note", eq=[None])) == ["a", "c"]
    assert titles(ask(engine, index="by_note_price", eq=[None, None])) == ["a"]
    assert titles(ask(engine, index="by_note_price", eq=[None, 0])) == ["c"]
    assert titles(ask(engine, index="by_note_price", eq=[""])) == ["b"]


def test_first_and_unique(engine: Engine) -> None:
    assert ask(engine, index="by_title", how="first") is None
    assert ask(engine, index="by_title", how="unique") is None
    add(engine, book("b"), book("a"))
    assert ask(engine, index="by_title", how="first")["title"] == "a"
    assert ask(engine, index="by_title", how="first", order="desc")["title"] == "b"
    assert ask(engine, index="by_title", eq=["b"], how="unique")["title"] == "b"
    with pytest.raises(ValueError, match="more than one document in 'books'"):
        ask(engine, index="by_title", how="unique")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda q: q.eq("year", 1), "has no 'year' at position 0"),
        (lambda q: q.eq("title", "a").eq("note", "b").eq("year", 1).eq("_id", 1), "at position 3"),
        (lambda q: q.eq("title", "a").gt("year", 1), "has no 'year' at position 1"),
        (lambda q: q.gt("title", "a").eq("note", "b"), "eq comes before"),
        (lambda q: q.gt("title", "a").gte("title", "b"), "two bounds on the same side"),
        (lambda q: q.lt("title", "a").lte("title", "b"), "two bounds on the same side"),
        (lambda q: q.gt("title", "a").lt("note", "b"), "has no 'note' at position 0"),
    ],
)
def test_a_range_that_no_index_serves_is_refused(build: Any, said: str) -> None:
    def handler(ctx: QueryCtx) -> Any:
        return ctx.db.query("books").with_index("by_title_note_year", build).take(1)

    with pytest.raises(ValueError, match=said):
        run(handler)


def test_a_query_without_an_index_is_refused() -> None:
    with pytest.raises(ValueError, match="needs with_index: nothing scans"):
        run(lambda ctx: ctx.db.query("books").first())
    with pytest.raises(ValueError, match="needs with_index: nothing scans"):
        run(lambda ctx: ctx.db.query("books").order("desc").paginate(None, 1))


def test_what_the_schema_has_not_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError):
        run(lambda ctx: ctx.db.query("nothing"))
    with pytest.raises(KeyError):
        run(lambda ctx: ctx.db.query("books").with_index("by_nothing"))


def test_taking_nothing(engine: Engine) -> None:
    add(engine, book("a"))
    assert ask(engine, index="by_title", count=0) == []
    inbox, _ = watch(engine, {"index": "by_title", "count": 0})
    inbox.until_value([])


def test_a_negative_number_is_not_everything(engine: Engine) -> None:
    add(engine, book("a"))
    with pytest.raises(ValueError, match="-1"):
        ask(engine, index="by_title", count=-1)
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"page of {count}"):
            ask(engine, index="by_title", how="paginate", count=count)


def walk(engine: Engine, count: int, **spec: Any) -> list[list[str]]:
    """The titles of all pages."""
    pages = []
    cursor = None
    while True:
        reply = ask(engine, how="paginate", count=count, cursor=cursor, **spec)
        pages.append(titles(reply["page"]))
        cursor = reply["cursor"]
        if cursor is None:
            return pages


@pytest.mark.parametrize("index", ["by_title", "by_note_price", "by_price_title"])
def test_pages_join_to_the_list_in_both_directions(index: str, engine: Engine) -> None:
    kinds = itertools.product("abc", [None, "x", "y"], [None, 1, 2])
    add(engine, *(book(title, note=note, price=price) for title, note, price in kinds))
    for order in ("asc", "desc"):
        whole = titles(ask(engine, index=index, order=order))
        for count in (1, 2, 5, 26, 27, 28):
            pages = walk(engine, count, index=index, order=order)
            assert list(itertools.chain(*pages)) == whole
            assert all(len(page) == count for page in pages[:-1])
            assert len(pages) == -(-27 // count)


@pytest.mark.parametrize("index", ["by_title", "by_note_price", "by_price_title"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_documents_are_passed_over(index: str, order: str, engine: Engine) -> None:
    kinds = itertools.product("ab", [None, "x"], [None, 1])
    add(engine, *(book(title, note=note, price=price) for title, note, price in kinds))
    spec = {"index": index, "order": order, "how": "paginate"}
    whole = ask(engine, index=index, order=order)
    cursors = [None, *(ask(engine, **spec, count=n)["cursor"] for n in (1, 3, 7))]
    for skip, (start, cursor) in itertools.product((1, 4, 7, 8, 9), zip((0, 1, 3, 7), cursors)):
        reply = ask(engine, **spec, count=2, skip=skip, cursor=cursor)
        rest = whole[start:]
        assert (reply["page"], reply["skipped"]) == (rest[skip : skip + 2], min(skip, len(rest)))
        assert (reply["cursor"] is None) == (len(rest) <= skip + 2)
        if reply["cursor"]:
            go_on = ask(engine, **spec, count=9, cursor=reply["cursor"])
            assert go_on["page"] == rest[skip + 2 :]


def test_documents_are_passed_over_inside_a_range(engine: Engine) -> None:
    add(engine, *(book("x", year) for year in range(10)))
    spec = {"index": "by_title_year", "eq": ["x"], "how": "paginate", "count": 9}
    bounds = {"bounds": [["gte", 2], ["lt", 8]]}
    until = ask(engine, **{**spec, **bounds, "count": 4})["cursor"]
    for more, last in (({}, 9), (bounds, 7), ({**bounds, "until": until}, 5)):
        first = 2 if more else 0
        reply = ask(engine, **spec, **more, skip=3)
        assert [one["year"] for one in reply["page"]] == [*range(first + 3, last + 1)]
        assert ask(engine, **spec, **more, skip=99) == {
            "page": [],
            "cursor": None,
            "skipped": last + 1 - first,
        }


def test_a_live_page_knows_what_was_passed_over(engine: Engine) -> None:
    add(engine, *(book("x", year) for year in (1, 2, 3, 4)))
    spec = {"index": "by_year", "how": "paginate", "count": 1, "skip": 2}
    inbox, _ = watch(engine, spec)
    counts, _ = watch(engine, {**spec, "skip": 99})
    settle(engine)
    add(engine, book("x", 5))
    settle(engine)
    add(engine, book("x", 0))
    settle(engine)
    # What comes after the page is no news to it, what comes before it is.
    assert [value["page"][0]["year"] for value in inbox.values] == [3, 2]
    assert [value["skipped"] for value in counts.values] == [4, 5, 6]


def test_passing_over_looks_at_the_index_alone(connections: Connections) -> None:
    with opened() as engine:
        add(engine, *(book("a", year) for year in range(2000)))
        call = {"index": "by_title_year", "eq": ["a"], "how": "paginate", "count": 10}
        reading = steps_of(connections, lambda: ask(engine, **{**call, "count": 2000}))
        for skip, walks in ((1900, 1), (5000, 2)):
            passed = steps_of(connections, partial(ask, engine, **call, skip=skip))
            assert passed < walks * reading / 2, (passed, reading)


def test_an_empty_range_is_one_empty_page(engine: Engine) -> None:
    assert walk(engine, 2, index="by_title") == [[]]


def test_a_page_ends_at_its_bytes(engine: Engine) -> None:
    add(engine, *(book(f"{n}", tags=["x" * 10 * n]) for n in range(1, 6)))
    assert walk(engine, 9, index="by_title", max_bytes=1) == [["1"], ["2"], ["3"], ["4"], ["5"], []]
    assert walk(engine, 9, index="by_title", max_bytes=50) == [["1", "2", "3"], ["4", "5"], []]
    assert walk(engine, 2, index="by_title", max_bytes=10**6) == [["1", "2"], ["3", "4"], ["5"]]


def test_a_cursor_goes_on_from_where_it_was_whatever_has_changed(engine: Engine) -> None:
    ids = add(engine, *(book("x", year) for year in (1, 2, 3, 4)))
    first = ask(engine, index="by_year", how="paginate", count=2)
    do(engine, ["delete", "books", ids[1]], ["insert", "books", book("x", 1.5)])
    do(engine, ["insert", "books", book("x", 2.5)], ["insert", "books", book("x", 2)])
    second = ask(engine, index="by_year", how="paginate", count=9, cursor=first["cursor"])
    # The new book of year 2 comes after the one on which the cursor stands: its id is greater.
    assert [one["year"] for one in second["page"]] == [2, 2.5, 3, 4]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_until_a_cursor_has_what_lies_between(engine: Engine, order: str) -> None:
    add(engine, *(book("x", year) for year in (1, 2, 3, 4, 5)))
    spec = {"index": "by_title_year", "eq": ["x"], "order": order, "how": "paginate"}
    first = ask(engine, **spec, count=2)["cursor"]
    second = ask(engine, **spec, count=2, cursor=first)["cursor"]
    between = {**spec, "cursor": first, "until": second, "count": 9}
    assert [one["year"] for one in ask(engine, **between)["page"]] == (
        [3, 4] if order == "asc" else [3, 2]
    )
    inbox, _ = watch(engine, between)
    settle(engine)
    add(engine, book("x", 3.5), book("x", 2.5))
    add(engine, book("x", 9), book("x", 0))
    settle(engine)
    # Told of what has come between, and of nothing else.
    assert [[one["year"] for one in value["page"]] for value in inbox.values] == (
        [[3, 4], [2.5, 3, 3.5, 4]] if order == "asc" else [[3, 2], [3.5, 3, 2.5, 2]]
    )
    assert ask(engine, **between)["cursor"] is None
    cut = ask(engine, **{**between, "count": 1})
    assert ask(engine, **{**between, "cursor": cut["cursor"]})["cursor"] is None
    with pytest.raises(InvalidArgumentError, match="cursor"):
        ask(engine, **{**between, "until": "x"})


def test_a_page_cannot_end_at_fields_that_may_be_missing(engine: Engine) -> None:
    add(engine, book("x", note="n"), book("y", note="m"))
    spec = {"index": "by_note", "how": "paginate", "count": 1}
    cursor = ask(engine, **spec)["cursor"]
    with pytest.raises(ValueError, match="may be missing"):
        ask(engine, **spec, until=cursor)


def test_a_cursor_of_another_query_is_refused(engine: Engine) -> None:
    add(engine, *(book("a", year, note="n") for year in range(3)))
    spec: Spec = {"index": "by_title_year", "eq": ["a"], "bounds": [["gte", 0]], "order": "asc"}
    cursor = ask(engine, **spec, how="paginate", count=1)["cursor"]
    others: list[Spec] = [
        {"index": "by_title_note_year", "eq": ["a", "n"]},
        {"order": "desc"},
        {"eq": ["b"]},
        {"bounds": [["gt", 0]]},
        {"bounds": [["gte", 1]]},
        {"bounds": []},
        {"table": "shelves", "index": "by_name", "eq": [], "bounds": []},
    ]
    for other in others:
        with pytest.raises(InvalidArgumentError, match="belongs to another query"):
            ask(engine, **{**spec, **other, "how": "paginate", "count": 1, "cursor": cursor})
    assert ask(engine, **spec, how="paginate", count=5, cursor=cursor)["cursor"] is None


def shapes() -> Iterator[Spec]:
    """Every shape of query on books: index, fields that are equal, bounds, order."""
    samples: Doc = {"title": "a", "year": 1, "note": "b", "price": 2, "_id": 3}
    for name, index in SCHEMA.tables["books"].indexes.items():
        for equal in range(len(index.fields) + 1):
            values = [samples[field] for field in index.fields[:equal]]
            bounds: list[list[Any]] = [[]]
            if equal < len(index.fields):
                limit = samples[index.fields[equal]]
                bounds += [[["gt", limit]], [["lte", limit]], [["gte", limit], ["lt", limit]]]
            for bound, order in itertools.product(bounds, ("asc", "desc")):
                yield {"index": name, "eq": values, "bounds": bound, "order": order}


def test_no_query_scans_or_sorts(connections: Connections) -> None:
    with opened() as engine:
        add(engine, *(book("a", 1, note="b", price=2) for _ in range(4)))
        statements: list[str] = []
        connections.before = statements.append
        for spec in shapes():
            page = ask(engine, **spec, how="paginate", count=1)
            if page["cursor"]:
                ask(engine, **spec, how="paginate", count=1, cursor=page["cursor"])
        for index, equal in [("by_title", ["a"]), ("by_title_note_year", ["a", "b", 1])]:
            with pytest.raises(ValueError, match="more than one"):
                ask(engine, how="find", index=index, eq=equal)
        connections.before = None
        selects = {sql for sql in statements if sql.startswith("SELECT") and '"books"' in sql}
        assert len(selects) > 100
        for sql in selects:
            named = "INDEXED BY" in sql  # or SQLite might choose for itself, from what it has seen
            assert named or 'ORDER BY "_id"' in sql or sql.endswith(("_id = ?", "LIMIT 2")), sql
            plan = connections.all[0].execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?"))
            for *_, step in plan:
                assert "TEMP B-TREE" not in step, sql
                assert "USING" in step or "by_creation_time" in sql or "_id" in sql, sql


def steps_of(connections: Connections, ask_for: Callable[[], Any]) -> int:
    """How many hundreds of instructions SQLite has run."""
    count = [0]

    def step() -> int:
        count[0] += 1
        return 0

    for connection in connections.all:
        connection.set_progress_handler(step, 100)
    ask_for()
    for connection in connections.all:
        connection.set_progress_handler(None, 100)
    return count[0]


@pytest.mark.parametrize(
    "spec",
    [
        {"index": "by_year"},
        {"index": "by_creation_time"},
        {"index": "by_title_year", "eq": ["a"]},
        {"index": "by_note_price", "eq": [None, None]},
        {"index": "by_title_year", "eq": ["a"], "bounds": [["gte", 5], ["lte", 1990]]},
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_far_inside_costs_what_the_first_one_costs(
    spec: Spec, order: str, connections: Connections
) -> None:
    with opened() as engine:
        add(engine, *(book("a", year) for year in range(2000)))
        call = {**spec, "order": order, "how": "paginate"}
        far = ask(engine, **call, count=1900)["cursor"]
        first = steps_of(connections, lambda: ask(engine, **call, count=10))
        later = steps_of(connections, lambda: ask(engine, **call, count=10, cursor=far))
        assert later <= first + 10


def test_what_is_read_is_recorded_only_for_subscriptions(engine: Engine) -> None:
    inbox, _ = watch(engine, {"index": "by_title", "how": "paginate", "count": 2})
    settle(engine)
    add(engine, book("a"))
    assert inbox.until(lambda outcomes: len(outcomes) == 2)
    assert inbox.values[-1] == ask(engine, index="by_title", how="paginate", count=2)
