"""The SQLite file: opening it, its connections, its errors. The only file that imports sqlite3.

One connection writes; readers have connections of their own and see snapshots (WAL). A store in
memory has one connection for everything, because SQLite shares memory only within one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from mastra_convex.engine.migrations import APPLICATION_ID, FORMAT_VERSION, migrate
from mastra_convex.engine.schema import Schema
from mastra_convex.errors import (
    CorruptFileError,
    FileBusyError,
    FileUnavailableError,
    ForeignFileError,
    InvalidArgumentError,
    NewerFormatError,
    StorageClosedError,
)

Connection = sqlite3.Connection
DatabaseError = sqlite3.Error

MEMORY = ":memory:"
# Longer than any healthy writer holds the lock; whoever waits longer learns who is to blame.
BUSY_SECONDS = 60.0
_IDLE_READERS = 8
# Where the write-ahead log is large, how often to look (seconds), and how long readers may keep it.
_LOG_BYTES = 64 * 1024 * 1024
_LOOK_SECONDS = 1.0
_FOLD_MILLISECONDS = 250
_CACHED_STATEMENTS = 512

# Empty stores in memory, to be copied: that takes a tenth of making all tables. Whoever copies one
# takes it out meanwhile, so that no fork finds it in use.
_BLANKS: WeakKeyDictionary[Schema, list[Connection]] = WeakKeyDictionary()
# Kept, so that nothing closes them, until the process ends.
_ABANDONED: list[tuple[Connection, list[Connection]]] = []


class Store:
    """An open database. `writer` is used by one thread at a time; `lock` says whose turn it is."""

    def __init__(self, path: str | os.PathLike[str], schema: Schema, *, durable: bool) -> None:
        self.path = os.fspath(path)
        self.in_memory = self.path == MEMORY
        self.lock = threading.RLock()
        self._durable = durable
        self._idle: list[Connection] = []
        # Why it can no longer be used, if so.
        self._closed = ""
        # SQLite puts it beside the file that a link leads to.
        self._log = f"{os.path.realpath(self.path)}-wal"
        self._log_limit = _LOG_BYTES
        self._looked = 0.0
        if not self.in_memory:
            _create(Path(self.path))
        with self.translated():
            self.writer = self._connect(readonly=False)
            try:
                if self.in_memory:
                    _copy_blank(self.writer, schema)
                else:
                    _prepare(self.writer, self.path, schema)
            except BaseException:
                self.writer.close()
                raise

    def _connect(self, *, readonly: bool) -> Connection:
        # Not sqlite3.connect: instrumentation puts itself there, and would trace the storing of
        # traces.
        connection = Connection(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            # On macOS fsync alone leaves data in the drive's cache; elsewhere this changes nothing.
            connection.execute(f"PRAGMA fullfsync = {'ON' if self._durable else 'OFF'}")
            if readonly:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection inside a read transaction: everything it reads is of one moment."""
        if self.in_memory:
            with self.lock:
                self.check_open()
                yield self.writer
            return
        self.check_open()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect(readonly=True)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._closed or len(self._idle) >= _IDLE_READERS:
                connection.close()
            else:
                self._idle.append(connection)

    def fold_log(self) -> None:
        """Have the write-ahead log begin anew if it has grown large. The caller holds `lock`.

        SQLite does so by itself when it commits and nobody reads. Where somebody always reads, the
        log would grow for as long as that goes on; so readers are waited for, for a moment. Those
        who come meanwhile find all in the file.
        """
        now = time.monotonic()
        if self.in_memory or now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        # Whatever goes wrong here has lost nothing, and is met again where it matters.
        with suppress(OSError, sqlite3.Error):
            if (size := os.path.getsize(self._log)) < self._log_limit:
                return
            try:
                self.writer.execute(f"PRAGMA busy_timeout = {_FOLD_MILLISECONDS}")
                (busy, *_) = self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self.writer.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
            self._log_limit = 2 * size if busy else _LOG_BYTES

    def reader(self) -> Connection:
        """A read connection of the caller's own, inside a read transaction; to be closed by it."""
        self.check_open()
        connection = self._connect(readonly=True)
        connection.execute("BEGIN")
        return connection

    def poller(self) -> Poller:
        """A way to ask cheaply whether anybody has committed."""
        return Poller(None if self.in_memory else self._connect(readonly=True))

    def check_open(self) -> None:
        """Raise `StorageClosedError` after `close`, and in a fork of the process that opened it."""
        if self._closed:
            raise StorageClosedError(self._closed)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def abandon(self) -> None:
        """Stop using the connections without closing them: they belong to the parent process.

        SQLite forbids both over a fork (https://www.sqlite.org/howtocorrupt.html, section 2.6).
        """
        self.lock = threading.RLock()
        self._closed = f"{self.path} was opened before this process was forked; open it again here"
        _ABANDONED.append((self.writer, self._idle))
        self._idle = []

    def close(self) -> None:
        """Close all connections. Calling it again does nothing."""
        with self.lock:
            if self._closed:
                return
            self._closed = f"{self.path} was closed; open a new storage"
            while self._idle:
                self._idle.pop().close()
            # The last connection folds the write-ahead log into the file; data is safe without it.
            with suppress(sqlite3.Error):
                self.writer.close()


class Poller:
    """Asks SQLite for its data version, which moves with the commits of other connections.

    A store in memory has no other connections.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    def version(self) -> int:
        """A number that differs from the last one if another connection has committed."""
        if self._connection is None:
            return 0
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def translate(error: Exception, path: str) -> Exception:
    """Our error for one of sqlite3's; any other error is returned as it is."""
    if not isinstance(error, sqlite3.Error):
        return error
    text = str(error)
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in text:
        return StorageClosedError(f"{path} was closed; open a new storage", path=path)
    if "locked" in text or "busy" in text:
        return FileBusyError(
            f"another process has held the write lock of {path} for {BUSY_SECONDS:.0f} seconds; "
            "find it (a program stopped in a debugger?) and let it finish",
            path=path,
        )
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        return CorruptFileError(
            f"{path} is damaged or no SQLite database ({text}); restore it from a backup, "
            "or give the path of another file",
            path=path,
        )
    if isinstance(error, (sqlite3.DataError, sqlite3.InterfaceError)) or "too big" in text:
        return InvalidArgumentError(f"SQLite cannot hold a value: {text}")
    return FileUnavailableError(
        f"{path} cannot be used: {text}; check that its folder exists, that you may write there, "
        "and that the disk has room",
        path=path,
    )


def _create(path: Path) -> None:
    """Make the file with mode 0600, so that nobody else reads it from its first moment on."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise FileUnavailableError(
            f"{path} cannot be created: {error.strerror}; check that its folder exists and that "
            "you may write there",
            path=str(path),
        ) from error


def _copy_blank(connection: Connection, schema: Schema) -> None:
    """Make a new database in memory an empty store."""
    blanks = _BLANKS.setdefault(schema, [])
    try:
        blank = blanks.pop()
    except IndexError:
        blank = Connection(MEMORY, isolation_level=None, check_same_thread=False)
        migrate(blank, schema)
    blank.backup(connection)
    blanks.append(blank)


def _prepare(connection: Connection, path: str, schema: Schema) -> None:
    """Check that the file is ours, switch it to WAL and bring it to the present format."""
    # One snapshot: another process may be making the file at this moment.
    connection.execute("BEGIN")
    application, version = _identify(connection)
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("COMMIT")
    if application != APPLICATION_ID and (tables or version or application):
        raise ForeignFileError(
            f"{path} is a SQLite database of another program; give the path of another file",
            path=path,
        )
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{path} has format {version} and this package knows up to {FORMAT_VERSION}; "
            "upgrade it: pip install --upgrade mastra-convex",
            path=path,
            format=version,
        )
    _switch_to_wal(connection)
    if version < FORMAT_VERSION:
        migrate(connection, schema)


def _identify(connection: Connection) -> tuple[int, int]:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return application, connection.execute("PRAGMA user_version").fetchone()[0]


def _switch_to_wal(connection: Connection) -> None:
    """SQLite does not wait for its lock here, so processes that open a new file together must."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
