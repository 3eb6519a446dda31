"""Snapshots that are held for a while, so that several calls can read at one commit.

A held snapshot is a read transaction that stays open. It keeps SQLite from folding the write-ahead
log behind it, so there are few, and not for long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mastra_convex.engine.log import CommitLog
from mastra_convex.engine.store import Connection, Store

HOLD_SECONDS = 30.0
_AT_MOST = 8


class SnapshotGoneError(Exception):
    """The commit can no longer be read, or was never held."""


@dataclass(slots=True)
class _Held:
    connection: Connection
    until: float
    # A connection is used by one thread at a time.
    turn: threading.Lock = field(default_factory=threading.Lock)


class HeldSnapshots:
    """Held snapshots by the timestamp of their commit; methods may be called from any thread.

    What was held for long enough is let go, whether or not anybody asks again.
    """

    def __init__(self, store: Store, log: CommitLog) -> None:
        self._store = store
        self._log = log
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._timer: threading.Timer | None = None

    def hold(self) -> int:
        """Hold the newest commit; returns its timestamp. The oldest makes room for it."""
        self.expire()
        # Under the lock, so that no newer one is held meanwhile.
        with self._lock:
            with self._store.snapshot() as connection:
                ts = self._log.head(connection).ts
            if self._store.in_memory:
                return ts  # It has one connection: only the newest commit can be read.
            until = time.monotonic() + HOLD_SECONDS
            if ts in self._held:
                self._held[ts].until = until
                return ts
            connection = self._store.reader()
            ts = self._log.head(connection).ts
            self._held[ts] = _Held(connection, until)
            if len(self._held) > _AT_MOST:
                self._let_go(min(self._held))
            self._wind()
            return ts

    @contextmanager
    def at(self, ts: int) -> Iterator[Connection]:
        """A connection that sees the commit `ts`. Raises `SnapshotGoneError`."""
        with self._store.snapshot() as newest:
            if self._log.head(newest).ts == ts:
                yield newest
                return
        self.expire()
        held = self._held.get(ts)
        if held is None:
            raise SnapshotGoneError
        with held.turn:
            if self._held.get(ts) is not held:
                raise SnapshotGoneError  # It was let go while others read.
            yield held.connection

    def expire(self) -> None:
        """Let go of what was held for long enough."""
        now = time.monotonic()
        with self._lock:
            for ts in [ts for ts, held in self._held.items() if held.until < now]:
                self._let_go(ts)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            for ts in list(self._held):
                self._let_go(ts)

    def _wind(self) -> None:
        """See to it that somebody looks when the first is over."""
        if self._timer is None and self._held:
            left = min(held.until for held in self._held.values()) - time.monotonic()
            self._timer = threading.Timer(max(left, 0) + 0.1, self._ring)
            self._timer.name = "mastra-convex-snapshots"
            self._timer.daemon = True
            self._timer.start()

    def _ring(self) -> None:
        self.expire()
        with self._lock:
            self._timer = None
            self._wind()

    def _let_go(self, ts: int) -> None:
        held = self._held.pop(ts)
        with held.turn:
            held.connection.close()
