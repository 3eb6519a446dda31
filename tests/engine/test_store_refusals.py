"""Files and paths that cannot be used: refused with a reason, and left as they are."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mastra_convex.engine.migrations import FORMAT_VERSION
from mastra_convex.engine.store import Store
from mastra_convex.errors import (
    ConvexStorageError,
    CorruptFileError,
    FileUnavailableError,
    ForeignFileError,
    NewerFormatError,
)
from tests.engine.files import ours
from tests.engine.flaky import Connections
from tests.engine.support import SCHEMA, add, ask, book, opened

NOBODY = 65534


def use(path: Path) -> None:
    """Open, read and write: damage may lie where nobody looks on opening."""
    with opened(path) as engine:
        ask(engine, index="by_title")
        add(engine, book("b"))


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


def test_opening_that_fails_lets_go_of_the_file(connections: Connections, tmp_path: Path) -> None:
    foreign(tmp_path / "a.db")
    connections.all.clear()
    with pytest.raises(ForeignFileError), opened(tmp_path / "a.db"):
        pass
    assert len(connections.all) == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections.all[0].execute("SELECT 1")
