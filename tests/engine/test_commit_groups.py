"""What the mutations of one group share: a transaction, and the documents that they patch."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.commit import Job
from mastra_convex.engine.context import SERVICE, MutationCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import mutation
from mastra_convex.values.validators import v
from tests.engine.jobs import everything, inserting, job
from tests.engine.support import SCHEMA, Doc, Settled, add, ask, book, opened, registry_of

FAIL = ["raise", "in vain"]


def run(engine: Engine, *mutations: list[list[Any]]) -> list[Job]:
    """Run mutations as one group; returns their jobs."""
    settled = Settled()
    jobs = [job(engine, settled, *steps) for steps in mutations]
    engine.enqueue(jobs)
    settled.until(len(jobs))
    assert settled.groups == [jobs]
    return jobs


def last_commit(path: Path) -> list[Any]:
    """What the newest commit says that it has changed."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT changes FROM _commits ORDER BY ts DESC LIMIT 1"
        found: list[Any] = json.loads(connection.execute(query).fetchone()[0])
        return found


def test_a_document_that_many_patch_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with opened(path) as engine:
        add(engine, book("a", note="some text"), book("b"))
        run(
            engine,
            [["patch", "books", 2, {"price": 3}]],
            *([["patch", "books", 1, {"price": price}]] for price in range(9)),
            [["patch", "books", 1, {"note": None, "year": 2001}]],
        )
        assert everything(engine) == [
            {"_id": 1, "title": "a", "year": 2001, "price": 8},
            {"_id": 2, "title": "b", "year": 2000, "price": 3},
        ]
        assert ask(engine, how="totals") == [2, 2 * (1 + 8 + 8)]
    entries = last_commit(path)
    assert [entry[1][0] for entry in entries] == [2, 1]
    assert {"some text", 2000} <= set(entries[1][1])
    assert {8, 2001} <= set(entries[1][2])


READS: list[tuple[Doc, Any]] = [
    ({"index": "by_year", "eq": [7]}, ["a"]),
    ({"index": "by_year", "eq": [2000]}, ["b"]),
    ({"how": "get", "id": 1}, "a"),
    ({"how": "find", "index": "by_title_year", "eq": ["a", 7]}, "a"),
    ({"how": "find", "index": "by_title_year", "eq": ["a", 2000]}, None),
    ({"how": "first", "index": "by_title_note_year", "eq": ["a", None, 7]}, "a"),
]


@pytest.mark.parametrize("together", [True, False], ids=["one mutation", "two of a group"])
@pytest.mark.parametrize(("spec", "expected"), READS, ids=str)
def test_what_was_patched_is_what_is_read(spec: Doc, expected: Any, together: bool) -> None:
    patching = [["patch", "books", 1, {"year": 7}]]
    reading = [["read", {"table": "books", **spec}]]
    with opened() as engine:
        add(engine, book("a"), book("b"))
        jobs = run(engine, patching + reading) if together else run(engine, patching, reading)
    [found] = jobs[-1].value
    if isinstance(found, list):
        assert [one["title"] for one in found] == expected
    else:
        assert (found and found["title"]) == expected


def test_totals_and_deletions_know_what_was_patched() -> None:
    with opened() as engine:
        add(engine, book("a"), book("b"), book("c"))
        size = 1 + 8
        jobs = run(
            engine,
            [["patch", "books", 1, {"note": "1234"}], ["patch", "books", 2, {"note": "1234"}]],
            [["read", {"table": "books", "how": "totals"}]],
            [["patch", "books", 1, {"note": "123456"}], ["delete", "books", 1]],
            [["patch", "books", 2, {"year": 3}]],
            [["delete_range", {"table": "books", "index": "by_year", "eq": [3]}]],
        )
        assert [one.error for one in jobs] == [None] * 5
        assert jobs[1].value == [[3, 3 * size + 2 * 4]]
        assert [one["title"] for one in everything(engine)] == ["c"]
        assert ask(engine, how="totals") == [1, size]


def test_a_failure_takes_back_what_its_mutation_patched_and_nothing_else() -> None:
    with opened() as engine:
        add(engine, book("a"), book("b"))
        first, failed, last = run(
            engine,
            [["patch", "books", 1, {"price": 1}]],
            [
                ["patch", "books", 1, {"year": 1}],
                ["patch", "books", 2, {"year": 1}],
                ["read", {"table": "books", "index": "by_year"}],
                ["patch", "books", 2, {"note": "x"}],
                FAIL,
            ],
            [
                ["read", {"table": "books", "how": "find", "index": "by_title", "eq": ["a"]}],
                ["read", {"table": "books", "how": "find", "index": "by_title", "eq": ["b"]}],
            ],
        )
        assert first.error is None
        assert str(failed.error) == "in vain"
        assert last.value == [
            {"_id": 1, "title": "a", "year": 2000, "price": 1},
            {"_id": 2, "title": "b", "year": 2000},
        ]
        assert everything(engine) == last.value


def test_what_cannot_be_written_fails_nobody_else_who_comes_upon_it() -> None:
    engine = Engine(":memory:", SCHEMA, registry_of(), durable=False)
    try:
        add(engine, book("a"), book("b"))
        jobs = run(
            engine,
            [["patch", "books", 1, {"note": "x"}], ["patch", "books", 2, {"price": 10**30}]],
            [["read", {"table": "books", "index": "by_year"}]],
            [["patch", "books", 2, {"price": 1}]],
        )
        assert [type(one.error) for one in jobs] == [OverflowError, type(None), type(None)]
        assert ask(engine, how="totals") == [2, 2 * (1 + 8) + 8]
        assert [one.get("note") for one in everything(engine)] == [None, None]
    finally:
        engine.close()


def test_what_cannot_be_written_fails_the_mutation_that_patched_it() -> None:
    # Lax, as users have it: that the number is too large is noticed when it is written.
    engine = Engine(":memory:", SCHEMA, registry_of(), durable=False)
    try:
        add(engine, book("a"), book("b"), book("c"))
        jobs = run(
            engine,
            [["patch", "books", 1, {"price": 1}]],
            [["patch", "books", 3, {"price": 2}], ["patch", "books", 2, {"price": 10**30}]],
            [["patch", "books", 2, {"year": 1}]],
            [["read", {"table": "books", "how": "find", "index": "by_title", "eq": ["b"]}]],
        )
        assert [type(one.error) for one in jobs] == [
            type(None),
            OverflowError,
            type(None),
            type(None),
        ]
        assert jobs[3].value == [{"_id": 2, "title": "b", "year": 1}]
        assert everything(engine) == [
            {"_id": 1, "title": "a", "year": 2000, "price": 1},
            {"_id": 2, "title": "b", "year": 1},
            {"_id": 3, "title": "c", "year": 2000},
        ]
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("steps", "runs"),
    [
        ([FAIL], 2),
        ([["read", {"table": "books", "index": "by_year"}], FAIL], 2),
        ([inserting("x"), FAIL], 3),
        ([["patch", "books", 1, {"year": 1}], FAIL], 3),
        ([["patch", "books", 1, {"year": 2000}], FAIL], 3),
    ],
    ids=["fails", "reads and fails", "inserts and fails", "patches and fails", "changes nothing"],
)
def test_a_group_runs_again_only_when_a_mutation_has_written_in_vain(
    steps: list[list[Any]], runs: int
) -> None:
    counted = 0

    @mutation(args={}, returns=v.number())
    def count(ctx: MutationCtx, _args: Doc) -> int:
        nonlocal counted
        counted += 1
        return ctx.db.insert("books", book("counted"))

    with opened(count=count) as engine:
        add(engine, book("a"))
        settled = Settled()
        jobs = [
            engine.prepare("test:count", {}, SERVICE, settled),
            job(engine, settled, *steps),
            engine.prepare("test:count", {}, SERVICE, settled),
        ]
        engine.enqueue(jobs)
        settled.until(3)
        # The first time it ends with the mutation that fails.
        assert counted == runs
        assert [jobs[0].value, str(jobs[1].error), jobs[2].value] == [2, "in vain", 3]
        assert len(everything(engine)) == 3
