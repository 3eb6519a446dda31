"""SQLite's errors become ours, once, in the store."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from mastra_convex.engine.store import translate
from mastra_convex.errors import (
    ConvexStorageError,
    CorruptFileError,
    FileBusyError,
    FileUnavailableError,
    InvalidArgumentError,
    StorageClosedError,
)
from tests.engine.files import ours
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import add, ask, book, do, opened, titles


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sqlite3.OperationalError("database is locked"), FileBusyError),
        (sqlite3.OperationalError("disk I/O error"), FileUnavailableError),
        (sqlite3.OperationalError("database or disk is full"), FileUnavailableError),
        (sqlite3.OperationalError("unable to open database file"), FileUnavailableError),
        (sqlite3.OperationalError("attempt to write a readonly database"), FileUnavailableError),
        (sqlite3.DatabaseError("database disk image is malformed"), CorruptFileError),
        (sqlite3.DatabaseError("file is not a database"), CorruptFileError),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), StorageClosedError),
        (sqlite3.DataError("string or blob too big"), InvalidArgumentError),
        (sqlite3.InterfaceError("Error binding parameter 1"), InvalidArgumentError),
    ],
)
def test_errors_are_translated(error: sqlite3.Error, ours: type[ConvexStorageError]) -> None:
    translated = translate(error, "/a/b.db")
    assert type(translated) is ours
    if ours is not InvalidArgumentError:
        assert translated.data["path"] == "/a/b.db"
        assert "/a/b.db" in str(translated)


def test_errors_that_are_not_of_sqlite_are_left() -> None:
    error = LookupError("x")
    assert translate(error, "/a/b.db") is error


def test_a_read_that_fails_is_said_in_our_words(connections: Connections, tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        connections.before = fail_once("SELECT", sqlite3.OperationalError("disk I/O error"))
        with pytest.raises(FileUnavailableError, match="disk I/O error") as caught:
            ask(engine, index="by_title")
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert titles(ask(engine, index="by_title")) == ["a"]


def test_a_snapshot_that_cannot_begin_is_said(connections: Connections, tmp_path: Path) -> None:
    with opened(ours(tmp_path / "a.db")) as engine:
        connections.before = fail_once("BEGIN", sqlite3.OperationalError("disk I/O error"))
        with pytest.raises(FileUnavailableError, match="disk I/O error"):
            ask(engine, index="by_title")
        assert titles(ask(engine, index="by_title")) == ["0"]


def test_what_sqlite_cannot_hold_is_an_invalid_argument(connections: Connections) -> None:
    with opened() as engine:
        connections.before = fail_once("INSERT", sqlite3.DataError("string or blob too big"))
        with pytest.raises(InvalidArgumentError, match="too big"):
            add(engine, book("a", note="x" * 200_000))
        assert ask(engine, how="totals") == [0, 0]
        do(engine, ["insert", "books", book("b")])


def test_waiting_for_the_lock_does_not_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mastra_convex.engine.store.BUSY_SECONDS", 0.3)
    path = ours(tmp_path / "a.db")
    with opened(path) as engine, closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        busy = time.thread_time()
        with pytest.raises(FileBusyError):
            add(engine, book("a"))
        assert time.thread_time() - busy < 0.15
        holder.execute("ROLLBACK")
