"""Jobs that insert books, and what is in a file after them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from mastra_convex.engine.commit import Job
from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from tests.engine.support import (
    Doc,
    Settled,
    ask,
    book,
)


def job(engine: Engine, settled: Settled, *steps: list[Any], waiter: Any = None) -> Job:
    """A job for `test:write`."""
    return engine.prepare("test:write", {"steps": list(steps)}, SERVICE, settled, waiter)


def inserting(title: str) -> list[Any]:
    return ["insert", "books", book(title)]


def whole(path: Path) -> None:
    """Fail unless SQLite finds the file sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def timestamps(path: Path) -> list[int]:
    """The timestamps in the commit log."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT ts FROM _commits ORDER BY rowid")]


def everything(engine: Engine) -> list[Doc]:
    """All books in the order of insertion; and the totals must know how many."""
    books: list[Doc] = ask(engine, index="by_year", count=100_000)
    assert ask(engine, how="totals")[0] == len(books)
    return sorted(books, key=lambda one: one["_id"])
