"""Group commit: many mutations, one transaction, one fsync.

A caller that finds nobody committing commits for itself and for all who queued meanwhile, in its
own thread: no hop when there is no company. Callers that cannot wait (an event loop) queue, and
the commit thread takes their turn.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from mastra_convex.engine.context import MutationCtx, Principal
from mastra_convex.engine.found import FoundDocuments
from mastra_convex.engine.log import CommitLog, Head
from mastra_convex.engine.registry import Function
from mastra_convex.engine.schema import Schema
from mastra_convex.engine.store import Connection, DatabaseError, Store, translate
from mastra_convex.engine.transaction import Change, Writer

# More would keep the first of a group waiting for the last.
_GROUP_LIMIT = 512
_CLOSE_SECONDS = 5.0


class Job:
    """One mutation on its way: what to run, and then its outcome."""

    __slots__ = (
        "args",
        "done",
        "error",
        "function",
        "path",
        "principal",
        "settle",
        "value",
        "waiter",
    )

    def __init__(
        self,
        path: str,
        function: Function,
        args: dict[str, Any],
        principal: Principal | None,
        settle: Callable[[Sequence[Job]], None] | None = None,
        waiter: Any = None,
    ) -> None:
        self.waiter = waiter
        self.path = path
        self.function = function
        self.args = args
        self.principal = principal
        self.settle = settle
        self.done = False
        self.value: Any = None
        self.error: Exception | None = None

    def finish(self, value: Any, error: Exception | None) -> None:
        """Set the outcome."""
        self.value, self.error, self.done = value, error, True


class Committer:
    """Runs mutations one after another and commits them in groups."""

    def __init__(
        self,
        store: Store,
        log: CommitLog,
        schema: Schema,
        committed: Callable[[], None],
        *,
        strict: bool,
    ) -> None:
        self._store = store
        self._log = log
        self._schema = schema
        self._committed = committed
        self._strict = strict
        self._found = FoundDocuments()
        self._queue: deque[Job] = deque()
        self._wake = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closing = False

    def run(self, job: Job) -> Any:
        """Run one job and return its value when it is durable; raises its error."""
        self._queue.append(job)
        try:
            while not job.done:
                with self._store.lock:
                    if not job.done:
                        self._commit_group(job)
        except BaseException:
            # Interrupted (Ctrl-C): what has not begun must not happen some time later.
            with suppress(ValueError):
                self._queue.remove(job)
            raise
        if job.error is not None:
            raise job.error
        return job.value

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Queue jobs and return; each `settle` is called, on the commit thread, with its group."""
        self._queue.extend(jobs)
        if self._thread is None:
            with self._store.lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._serve, name="mastra-convex-commit", daemon=True
                    )
                    self._thread.start()
        self._wake.release()

    def close(self) -> None:
        """Commit what is queued, then stop. Later jobs fail with `StorageClosedError`."""
        self._closing = True
        self._wake.release()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_SECONDS)

    def _serve(self) -> None:
        while True:
            self._wake.acquire()
            while self._queue:
                with self._store.lock:
                    self._commit_group(None)
            if self._closing:
                return

    def _commit_group(self, own: Job | None) -> None:
        """Run and commit what is queued. The caller holds the lock."""
        jobs: list[Job] = []
        with suppress(IndexError):
            while len(jobs) < _GROUP_LIMIT:
                jobs.append(self._queue.popleft())
        if not jobs:
            return
        connection = self._store.writer
        try:
            self._store.check_open()
            wrote = self._transact(connection, jobs)
        except Exception as error:
            self._roll_back()
            known = translate(error, self._store.path)
            for job in jobs:
                job.finish(None, known)
            wrote = False
        except BaseException:
            # The thread was interrupted (Ctrl-C): its own job dies with it, the others do not.
            self._roll_back()
            self.enqueue([job for job in jobs if job is not own and not job.done])
            raise
        if wrote:
            self._committed()
        _settle(jobs)

    def _transact(self, connection: Connection, jobs: Sequence[Job]) -> bool:
        """Run the jobs in one transaction; returns whether anything was written."""
        connection.execute("BEGIN IMMEDIATE")
        head = self._log.head(connection)
        clock = time.time_ns()
        # Time never runs backwards in the records, whatever the machine's clock does.
        ts = max(clock, head.ts + 1)
        totals = {table: list(pair) for table, pair in head.totals.items()}
        self._found.begin(head.ts)
        outcomes: list[tuple[Any, Exception | None]] = []
        changes: list[Change] = []
        several = len(jobs) > 1
        for job in jobs:
            if several:
                connection.execute("SAVEPOINT job")
            writer = Writer(
                connection, self._schema, lambda: totals, self._found, strict=self._strict
            )
            try:
                context = MutationCtx(writer, job.principal, ts // 1_000_000)
                value = job.function.handler(context, job.args)
                if self._strict:
                    job.function.returns.validate(value, f"the result of {job.path}")
                outcomes.append((value, None))
            except Exception as error:
                if not connection.in_transaction:
                    raise  # SQLite has given up the whole transaction: a full disk, say.
                if several:
                    connection.execute("ROLLBACK TO job")
                elif writer.changes:
                    connection.execute("ROLLBACK")
                    connection.execute("BEGIN IMMEDIATE")
                writer.undone()
                outcomes.append((None, translate(error, self._store.path)))
            else:
                changes += writer.changes
                for table, grown in writer.grown.items():
                    total = totals.setdefault(table, [0, 0])
                    total[0] += grown[0]
                    total[1] += grown[1]
            if several:
                connection.execute("RELEASE job")
        if changes:
            self._log.append(connection, Head(ts, totals), changes)
        connection.execute("COMMIT")
        if changes:
            self._found.committed(ts)
        for job, (value, failure) in zip(jobs, outcomes):
            job.finish(value, failure)
        return bool(changes)

    def _roll_back(self) -> None:
        self._found.forget()
        with suppress(DatabaseError):
            if self._store.writer.in_transaction:
                self._store.writer.execute("ROLLBACK")


def _settle(jobs: Sequence[Job]) -> None:
    """Tell the waiting, each listener once for all its jobs of the group."""
    listeners: dict[Callable[[Sequence[Job]], None], list[Job]] = {}
    for job in jobs:
        if job.settle is not None:
            listeners.setdefault(job.settle, []).append(job)
    for settle, settled in listeners.items():
        settle(settled)
