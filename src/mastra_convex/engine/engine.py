"""The engine: open a file, run queries and mutations, watch, close."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from mastra_convex.engine.commit import Committer, Job
from mastra_convex.engine.context import Principal, QueryCtx
from mastra_convex.engine.feed import Feed, Report
from mastra_convex.engine.log import CommitLog
from mastra_convex.engine.ranges import ReadRange
from mastra_convex.engine.registry import Function, Kind, Registry
from mastra_convex.engine.requests import RequestKey
from mastra_convex.engine.schema import Schema
from mastra_convex.engine.snapshots import HeldSnapshots
from mastra_convex.engine.store import Connection, Store
from mastra_convex.engine.transaction import Reader
from mastra_convex.engine.watch import Deliver, LiveQueries, ReadProgram
from mastra_convex.values.outcome import Outcome

Args = dict[str, Any]

_HOLD_SECONDS = 1.0


class Engine:
    """A store with its functions, in this process. All methods may be called from any thread.

    `durable=False` lets the last commits before a power cut be lost (SQLite `synchronous=NORMAL`).
    `strict` checks documents and return values against their validators; it is for tests.
    Raises `StorageFileError` and its kin when the file cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        schema: Schema,
        registry: Registry,
        *,
        durable: bool = True,
        strict: bool = False,
    ) -> None:
        self._schema = schema
        self._registry = registry
        self._strict = strict
        self._store = Store(path, schema, durable=durable)
        self._log = CommitLog(schema)
        self._held = HeldSnapshots(self._store, self._log)
        self._live = LiveQueries(self._store, self._log, self._run_query)
        self._committer = Committer(
            self._store, self._log, schema, self._live.committed, strict=strict
        )
        self._abandoned = False
        _OPEN.add(self)

    @property
    def path(self) -> str:
        """The file, or ":memory:"."""
        return self._store.path

    def query(self, path: str, args: Args, principal: Principal | None) -> Any:
        """Run a query on a snapshot of its own. Raises what the function raises."""
        with self._store.translated(), self._store.snapshot() as connection:
            return self._run_query(connection, path, args, principal, None)

    def mutation(self, path: str, args: Args, principal: Principal | None) -> Any:
        """Run a mutation; when it returns, its writes are durable. Raises what it raises."""
        return self._committer.run(self.prepare(path, args, principal))

    def prepare(
        self,
        path: str,
        args: Args,
        principal: Principal | None,
        settle: Callable[[Sequence[Job]], None] | None = None,
        waiter: Any = None,
        request: RequestKey | None = None,
    ) -> Job:
        """A job for `enqueue`; `waiter` is the caller's own. Raises what is wrong with the call.

        A job with a `request` that succeeded before is not run: it has the outcome of that time.
        """
        self._committer.check_open()
        function = self._find(path, "mutation", args)
        return Job(path, function, args, principal, settle, waiter, request)

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Queue jobs and return without waiting for a disk.

        Each job's `settle` is called with the jobs of its group, on the commit thread, when they
        are durable or have failed.
        """
        self._committer.enqueue(jobs)

    def subscribe(
        self, program: ReadProgram, deliver: Deliver, principal: Principal | None
    ) -> Callable[[], None]:
        """Keep the value of `program` up to date; see `LiveQueries.subscribe`."""
        self._store.check_open()
        return self._live.subscribe(program, deliver, principal)

    def feed(self, render: Callable[[Outcome], Any], deliver: Callable[[Report], None]) -> Feed:
        """Watch many single queries with one receiver; see `Feed`."""
        self._store.check_open()
        return self._live.feed(render, deliver)

    def hold_snapshot(self) -> int:
        """The timestamp of the newest commit, at which `query_at` will read for a while."""
        with self._store.translated():
            return self._held.hold()

    def query_at(self, ts: int, path: str, args: Args, principal: Principal | None) -> Any:
        """Run a query as of a commit that was held. Raises `SnapshotGoneError` if it is no more."""
        with self._store.translated(), self._held.at(ts) as connection:
            return self._run_query(connection, path, args, principal, None)

    def close(self) -> None:
        """Commit what is queued, end the subscriptions, close the file. Again: does nothing."""
        _OPEN.discard(self)
        if self._abandoned:
            return  # All that could be closed is the parent's.
        self._live.close()
        self._committer.close()
        self._held.close()
        self._store.close()

    def hold(self) -> bool:
        """Before a fork: wait until nobody writes, and let nobody begin; returns whether it does.

        A writer that takes longer waits for another process, and holds nothing in this one.
        """
        return self._store.lock.acquire(timeout=_HOLD_SECONDS)

    def release(self) -> None:
        """After a fork, in the parent: let others write again."""
        self._store.lock.release()

    def abandon(self) -> None:
        """In a fork: leave everything to the parent; every call raises `StorageClosedError`."""
        self._store.abandon()
        self._live.abandon()
        self._abandoned = True

    def _run_query(
        self,
        connection: Connection,
        path: str,
        args: Args,
        principal: Principal | None,
        reads: list[ReadRange] | None,
    ) -> Any:
        function = self._find(path, "query", args)
        reader = Reader(connection, self._schema, lambda: self._log.head(connection).totals, reads)
        value = function.handler(QueryCtx(reader, principal), args)
        if self._strict:
            function.returns.validate(value, f"the result of {path}")
        return value

    def _find(self, path: str, kind: Kind, args: Args) -> Function:
        function = self._registry.find(path, kind)
        function.args.validate(args, path)
        return function


# Engines that nobody closed are closed when the interpreter ends, so that their threads are not
# caught in the middle of something.
_OPEN: weakref.WeakSet[Engine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for engine in list(_OPEN):
        engine.close()


# The engines that a forking thread holds, of that thread.
_held = threading.local()


def _hold_all() -> None:
    """Let no thread be in the middle of a write: SQLite's own locks would stay locked for ever."""
    _held.engines = [engine for engine in list(_OPEN) if engine.hold()]


def _release_all() -> None:
    for engine in _held.engines:
        engine.release()


def _abandon_all() -> None:
    for engine in list(_OPEN):
        engine.abandon()
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_abandon_all)
