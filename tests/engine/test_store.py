"""The file: created private, opened by many at once, read in one moment, let go in the end."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine import store
from mastra_convex.engine.store import Store
from mastra_convex.errors import (
    FileBusyError,
    FileUnavailableError,
    StorageClosedError,
)
from tests.engine.files import ours
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import SCHEMA, add, ask, book, opened, titles, watch


def modes(folder: Path) -> dict[str, int]:
    """The permissions of the files in a folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_file_and_what_is_beside_it_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path / "a.db") as engine:
            add(engine, book("a"))
            inbox, _ = watch(engine, {"how": "totals"})
            inbox.until(bool)
            assert modes(tmp_path) == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}
        assert modes(tmp_path) == {"a.db": 0o600}
    finally:
        os.umask(before)


def test_the_mode_of_a_file_that_is_there_is_left(tmp_path: Path) -> None:
    path = ours(tmp_path / "a.db")
    path.chmod(0o640)
    with opened(path) as engine:
        add(engine, book("b"))
        assert set(modes(tmp_path).values()) == {0o640}


def test_a_path_may_be_a_string_or_a_path_and_hold_odd_characters(tmp_path: Path) -> None:
    for name in (
        "plain.db",
        "with space.db",
        "\u00fc.db",
        "q?mode=ro.db",
        "a#b%20.db",
        "'quote\".db",
    ):
        path = tmp_path / name
        with opened(str(path)) as engine:
            assert engine.path == str(path)
            add(engine, book("a"))
        with opened(path) as engine:
            assert titles(ask(engine, index="by_title")) == ["a"]
        assert path.is_file()


def test_an_empty_file_is_ours_to_fill(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    with opened(path) as engine:
        add(engine, book("a"))


def test_durability_is_as_asked(connections: Connections, tmp_path: Path) -> None:
    for durable, synchronous in [(True, 2), (False, 1)]:
        with opened(tmp_path / f"{durable}.db", durable=durable) as engine:
            add(engine, book("a"))
            ask(engine, index="by_title")
            for connection in connections.all:
                assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connections.all.clear()


def test_two_who_make_a_file_at_the_same_moment_agree(
    connections: Connections, tmp_path: Path
) -> None:
    """At each statement of the opening, somebody else opens the new file, writes and closes."""
    statements: list[str] = []
    connections.before = statements.append
    with opened(tmp_path / "first.db"):
        pass
    for number in range(len(statements)):
        path = tmp_path / f"{number}.db"
        countdown = [number]

        def meanwhile(sql: str, path: Path = path, countdown: list[int] = countdown) -> None:
            countdown[0] -= 1
            if countdown[0] == -1:
                connections.before = None
                if not opening_is_exclusive(path):
                    with opened(path) as other:
                        add(other, book("other"))

        connections.before = meanwhile
        with opened(path) as engine:
            add(engine, book("mine"))
            assert set(titles(ask(engine, index="by_title"))) <= {"mine", "other"}
        connections.before = None


def opening_is_exclusive(path: Path) -> bool:
    """Whether the other one would have to wait, which it cannot in the same thread."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


def test_switching_to_wal_waits_for_the_others(
    connections: Connections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.before = fail_once(
        "PRAGMA journal_mode", sqlite3.OperationalError("database is locked")
    )
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
    connections.before = fail_once(
        "PRAGMA journal_mode", sqlite3.OperationalError("disk I/O error")
    )
    with pytest.raises(FileUnavailableError), opened(tmp_path / "b.db"):
        pass

    def locked(sql: str) -> None:
        if sql.startswith("PRAGMA journal_mode"):
            raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("mastra_convex.engine.store.BUSY_SECONDS", 0.05)
    connections.before = locked
    with pytest.raises(FileBusyError), opened(tmp_path / "c.db"):
        pass


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        store = Store(tmp_path / "a.db", SCHEMA, durable=False)
        with store.snapshot() as connection:
            count = "SELECT count(*) FROM books"
            assert connection.execute(count).fetchone() == (1,)
            add(engine, book("b"))
            assert connection.execute(count).fetchone() == (1,)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                connection.execute("DELETE FROM books")
        with store.snapshot() as connection:
            assert connection.execute(count).fetchone() == (2,)
        store.close()


def test_the_log_stays_small_though_somebody_always_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LOG_BYTES", 256 * 1024)
    monkeypatch.setattr(store, "_LOOK_SECONDS", 0.0)
    may_leave = [threading.Semaphore(0), threading.Semaphore(0)]
    ended = threading.Event()

    def read(me: int) -> None:
        """Leave each time when the other one has come in, and not before."""
        first = me == 0
        while not ended.is_set():
            with engine._store.snapshot() as connection:
                connection.execute("SELECT count(*) FROM books").fetchone()
                if not first:
                    may_leave[1 - me].release()
                first = False
                may_leave[me].acquire(timeout=1)

    with opened(tmp_path / "a.db") as engine:
        readers = [threading.Thread(target=read, args=(me,)) for me in (0, 1)]
        for reader in readers:
            reader.start()
        for number in range(100):
            add(engine, book(str(number), note="x" * 40_000))
        size = (tmp_path / "a.db-wal").stat().st_size
        ended.set()
        for reader in readers:
            reader.join()
    assert size < 2_000_000


@pytest.mark.parametrize("where", ["file", ":memory:"])
def test_a_closed_store_says_so(where: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db" if where == "file" else where, SCHEMA, durable=False)
    store.check_open()
    store.close()
    store.close()
    with pytest.raises(StorageClosedError, match="was closed; open a new storage"):
        store.check_open()
    with pytest.raises(StorageClosedError), store.snapshot():
        pass


def test_a_reader_that_is_at_work_when_the_store_closes_finishes(tmp_path: Path) -> None:
    path = ours(tmp_path / "a.db")
    store = Store(path, SCHEMA, durable=False)
    with store.snapshot() as connection:
        store.close()
        assert connection.execute("SELECT count(*) FROM books").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_more_readers_than_are_kept_all_read(connections: Connections, tmp_path: Path) -> None:
    path = ours(tmp_path / "a.db")
    store = Store(path, SCHEMA, durable=False)
    together = threading.Barrier(20)
    seen: list[Any] = []

    def read() -> None:
        with store.snapshot() as connection:
            together.wait()
            seen.append(connection.execute("SELECT count(*) FROM books").fetchone()[0])

    for _ in range(2):
        threads = [threading.Thread(target=read) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    store.close()
    assert seen == [1] * 40
    for connection in connections.all:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_closing_lets_go_of_the_file(connections: Connections, tmp_path: Path) -> None:
    for _ in range(3):
        with opened(tmp_path / "a.db") as engine:
            inbox, _ = watch(engine, {"how": "totals"})
            add(engine, book("a"))
            ask(engine, index="by_title")
            inbox.until(bool)
        for connection in connections.all:
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                connection.execute("SELECT 1")
        assert set(modes(tmp_path)) == {"a.db"}


def test_the_poller_sees_the_commits_of_others(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with opened(path) as engine:
        store = Store(path, SCHEMA, durable=False)
        poller = store.poller()
        first = poller.version()
        assert poller.version() == first
        add(engine, book("a"))
        assert poller.version() != first
        poller.close()
        store.close()
    memory = Store(":memory:", SCHEMA, durable=False)
    poller = memory.poller()
    assert poller.version() == poller.version()
    poller.close()
    memory.close()


def test_stores_in_memory_begin_empty_and_share_nothing() -> None:
    with opened(":memory:") as first, opened(":memory:") as second:
        add(first, book("a"))
        add(second, book("b"))
        with opened(":memory:") as third:
            assert [titles(ask(engine, index="by_title")) for engine in (first, second, third)] == [
                ["a"],
                ["b"],
                [],
            ]
