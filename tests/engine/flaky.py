"""SQLite connections that do what a test says when a statement is run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mastra_convex.engine import store

Hook = Callable[[str], None]


class Connections:
    """What all connections that are opened meanwhile do before and after each statement."""

    def __init__(self) -> None:
        self.all: list[sqlite3.Connection] = []
        self.before: Hook | None = None
        self.after: Hook | None = None


def fail_once(statement: str, error: BaseException) -> Hook:
    """A hook that raises `error` at the next statement that begins with `statement`."""
    left = [error]

    def hook(sql: str) -> None:
        if sql.startswith(statement) and left:
            raise left.pop()

    return hook


@contextmanager
def hooked() -> Iterator[Connections]:
    """Hook into the connections that are opened inside."""
    connections = Connections()

    class Hooked(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if connections.before is not None:
                connections.before(sql)
            cursor = super().execute(sql, *parameters)
            if connections.after is not None:
                connections.after(sql)
            return cursor

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = Hooked(*arguments, **options)
        connections.all.append(connection)
        return connection

    plain = store.Connection
    store.Connection = connect  # type: ignore[assignment]
    try:
        yield connections
    finally:
        store.Connection = plain
