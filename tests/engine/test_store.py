"""The file: created private, refused with a reason, left alone when refused, let go in the end."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.migrations import FORMAT_VERSION
from mastra_convex.engine.store import Store, translate
from mastra_convex.errors import (
    ConvexStorageError,
    CorruptFileError,
    FileBusyError,
    FileUnavailableError,
    ForeignFileError,
    InvalidArgumentError,
    NewerFormatError,
    StorageClosedError,
)
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import SCHEMA, add, ask, book, do, opened, titles, watch

NOBODY = 65534


def ours(path: Path, books: int = 1) -> Path:
    """A file of ours, closed."""
    with opened(path) as engine:
        add(engine, *(book(f"{number}", note="x" * 1000) for number in range(books)))
    return path


def use(path: Path) -> None:
    """Open, read and write: damage may lie where nobody looks on opening."""
    with opened(path) as engine:
        ask(engine, index="by_title")
        add(engine, book("b"))


def modes(folder: Path) -> dict[str, int]:
    """The permissions of the files in a folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be subject to permissions: root is not, so it becomes nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def guarded() -> Iterator[Path]:
    """A folder of a user who is subject to permissions, which every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)
        os.chmod(folder, 0o700)


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


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.execute("INSERT INTO notes VALUES ('hello')")
        connection.commit()


def foreign_in_wal(path: Path) -> None:
    foreign(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def foreign_by_number(pragma: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA {pragma} = 7")

    return make


def newer(path: Path) -> None:
    ours(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and it goes on for a while. " * 100)


def short(path: Path) -> None:
    path.write_bytes(b"short")


def truncated(path: Path) -> None:
    content = ours(path, books=50).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def truncated_in_the_header(path: Path) -> None:
    path.write_bytes(ours(path).read_bytes()[:60])


def scrambled(path: Path) -> None:
    content = bytearray(ours(path).read_bytes())
    content[100:4096] = random.Random(1).randbytes(3996)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (foreign, ForeignFileError, "of another program"),
        (foreign_in_wal, ForeignFileError, "of another program"),
        (foreign_by_number("application_id"), ForeignFileError, "of another program"),
        (foreign_by_number("user_version"), ForeignFileError, "of another program"),
        (newer, NewerFormatError, "pip install --upgrade"),
        (garbage, CorruptFileError, "no SQLite database"),
        (short, CorruptFileError, "no SQLite database"),
        (truncated, CorruptFileError, "is damaged"),
        (truncated_in_the_header, CorruptFileError, "is damaged"),
        (scrambled, CorruptFileError, "is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_left_as_it_is(
    make: Callable[[Path], None],
    error: type[ConvexStorageError],
    said: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    make(path)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(error, match=said) as caught:
        use(path)
    assert str(path) in str(caught.value)
    assert caught.value.data["path"] == str(path)
    after = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    if error is CorruptFileError:
        # SQLite does not tidy up beside a file that it cannot read.
        assert after.pop("a.db-wal", b"") == b""
        after.pop("a.db-shm", None)
    assert after == before


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    newer(tmp_path / "a.db")
    with pytest.raises(NewerFormatError) as caught, opened(tmp_path / "a.db"):
        pass
    assert caught.value.data["format"] == FORMAT_VERSION + 1


def a_missing_folder(folder: Path) -> Path:
    return folder / "missing" / "a.db"


def a_file_as_folder(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "a.db"


def a_folder(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def a_dangling_link(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "missing" / "a.db")
    return folder / "link"


def too_long_a_name(folder: Path) -> Path:
    return folder / ("a" * 300)


@pytest.mark.parametrize(
    "place", [a_missing_folder, a_file_as_folder, a_folder, a_dangling_link, too_long_a_name]
)
def test_a_path_where_no_file_can_be_is_refused(
    place: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileUnavailableError) as caught, opened(path):
        pass
    assert caught.value.code == "FILE_UNAVAILABLE"
    assert caught.value.data["path"] == str(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_may_not_be_written_is_refused(guarded: Path) -> None:
    guarded.chmod(0o500)
    with unprivileged(), pytest.raises(FileUnavailableError, match="may write there"):
        Store(guarded / "a.db", SCHEMA, durable=False)
    assert list(guarded.iterdir()) == []


@pytest.mark.parametrize("mode", [0o400, 0o000])
def test_a_file_that_may_not_be_written_is_refused(mode: int, guarded: Path) -> None:
    path = guarded / "a.db"
    with unprivileged():
        ours(path)
        path.chmod(mode)
        before = path.stat()
        with pytest.raises(FileUnavailableError), opened(path) as engine:
            add(engine, book("b"))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_mode == before.st_mode


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


def test_opening_that_fails_lets_go_of_the_file(connections: Connections, tmp_path: Path) -> None:
    foreign(tmp_path / "a.db")
    connections.all.clear()
    with pytest.raises(ForeignFileError), opened(tmp_path / "a.db"):
        pass
    assert len(connections.all) == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections.all[0].execute("SELECT 1")


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
