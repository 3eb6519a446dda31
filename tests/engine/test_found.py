"""What mutations have found by key is kept while nobody else commits, and never stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.engine import Engine
from tests.engine.flaky import Connections
from tests.engine.support import add, ask, book, do, opened


@pytest.fixture
def reads(connections: Connections) -> list[str]:
    """The reads of books that reach SQLite: whether there is one, and then the document."""
    statements: list[str] = []

    def note(sql: str) -> None:
        if sql.startswith("SELECT") and 'FROM "books"' in sql:
            statements.append(sql)

    connections.before = note
    return statements


@pytest.fixture
def engine(reads: list[str], tmp_path: Path) -> Iterator[Engine]:
    with opened(tmp_path / "a.db") as opened_engine:
        yield opened_engine


def find(engine: Engine, title: str, index: str = "by_title", *more: Any) -> Any:
    """Find a book in a mutation."""
    return do(
        engine, ["read", {"table": "books", "how": "find", "index": index, "eq": [title, *more]}]
    )[0]


def test_what_was_found_need_not_be_read_again(engine: Engine, reads: list[str]) -> None:
    add(engine, book("a", 1))
    assert find(engine, "a")["year"] == 1
    assert find(engine, "a")["year"] == 1
    assert find(engine, "nobody") is find(engine, "nobody") is None
    assert len(reads) == 2 + 2  # what is not there is looked for each time


def test_it_follows_what_is_written(engine: Engine, reads: list[str]) -> None:
    add(engine, book("a", 1), book("b", 2))
    for title in "ab":
        find(engine, title)
    reads.clear()
    do(engine, ["patch", "books", 1, {"year": 5, "note": "x"}])
    assert find(engine, "a") == {"_id": 1, "title": "a", "year": 5, "note": "x"}
    assert len(reads) <= 1
    do(engine, ["patch", "books", 1, {"title": "c"}])
    assert find(engine, "a") is None
    assert find(engine, "c")["_id"] == 1
    do(engine, ["delete", "books", 1])
    assert find(engine, "c") is None
    assert find(engine, "b")["year"] == 2
    do(engine, ["delete_range", {"table": "books", "index": "by_year"}])
    assert find(engine, "b") is None
    add(engine, book("b", 7))
    assert find(engine, "b")["year"] == 7


def test_a_second_one_is_noticed(engine: Engine) -> None:
    add(engine, book("a", 1))
    find(engine, "a")
    add(engine, book("a", 2))
    with pytest.raises(ValueError, match="more than one"):
        find(engine, "a")
    do(engine, ["delete", "books", 1])
    assert find(engine, "a")["year"] == 2
    add(engine, book("b", 3))
    find(engine, "b")
    do(engine, ["patch", "books", 2, {"title": "b"}])
    with pytest.raises(ValueError, match="more than one"):
        find(engine, "b")


def test_it_forgets_what_was_rolled_back(engine: Engine) -> None:
    add(engine, book("a", 1), book("b", 1))
    for title in "ab":
        find(engine, title)
    changes: list[list[Any]] = [
        ["patch", "books", 1, {"year": 9}],
        ["patch", "books", 1, {"title": "c"}],
        ["delete", "books", 1],
        ["insert", "books", book("a")],
        ["insert", "books", book("c")],
        ["delete_range", {"table": "books", "index": "by_title"}],
    ]
    for change in changes:
        for looked in "abc":
            with pytest.raises(ValueError, match=r"on purpose|more than one"):
                do(
                    engine,
                    change,
                    [
                        "read",
                        {"table": "books", "how": "find", "index": "by_title", "eq": [looked]},
                    ],
                    ["raise", "on purpose"],
                )
            assert find(engine, "a") == {"_id": 1, "title": "a", "year": 1}
            assert find(engine, "b") == {"_id": 2, "title": "b", "year": 1}
            assert find(engine, "c") is None


def test_it_forgets_when_another_commits(engine: Engine) -> None:
    add(engine, book("a", 1))
    with opened(engine.path) as other:
        for year in (2, 3, 4):
            find(engine, "a")
            do(other, ["patch", "books", 1, {"year": year}])
            assert find(engine, "a")["year"] == year
            do(engine, ["patch", "books", 1, {"note": f"{year}"}])
            assert ask(other, how="get", id=1) == find(other, "a")
        do(other, ["delete", "books", 1])
        assert find(engine, "a") is None


def test_it_forgets_when_a_commit_fails(engine: Engine, connections: Connections) -> None:
    add(engine, book("a", 1))
    find(engine, "a")

    def fail(sql: str) -> None:
        if sql == "COMMIT":
            connections.before = None
            raise OSError("the disk is gone")

    connections.before = fail
    with pytest.raises(OSError, match="gone"):
        do(engine, ["patch", "books", 1, {"year": 2}])
    assert find(engine, "a")["year"] == 1


def test_one_document_may_be_found_by_several_indexes(engine: Engine, reads: list[str]) -> None:
    add(engine, book("a", 1))
    for _ in range(2):
        assert find(engine, "a")["_id"] == find(engine, "a", "by_title_year", 1)["_id"] == 1
    assert len(reads) == 2 * 2
    do(engine, ["patch", "books", 1, {"year": 2}])
    assert find(engine, "a")["year"] == 2
    assert find(engine, "a", "by_title_year", 1) is None
    assert find(engine, "a", "by_title_year", 2)["_id"] == 1


def test_large_documents_are_not_kept(engine: Engine, reads: list[str]) -> None:
    add(engine, book("a", more="x" * 20_000), book("b", tags=[1] * 5, more=7))
    for title, times in (("a", 2), ("b", 1)):
        reads.clear()
        assert find(engine, title) == find(engine, title)
        assert len(reads) == 2 * times


def test_not_more_are_kept_than_a_bound(engine: Engine, reads: list[str]) -> None:
    add(engine, *(book(f"{number}") for number in range(1500)))
    reads.clear()
    for number in range(1500):
        find(engine, f"{number}")
    find(engine, "1499")
    assert len(reads) == 2 * 1500
    find(engine, "0")
    assert len(reads) == 2 * 1501
