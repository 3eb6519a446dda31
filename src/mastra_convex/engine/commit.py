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
from itertools import repeat
from typing import Any, NamedTuple

from mastra_convex.engine.context import MutationCtx, Principal
from mastra_convex.engine.found import FoundDocuments
from mastra_convex.engine.log import CommitLog, Head
from mastra_convex.engine.registry import Function
from mastra_convex.engine.requests import Answer, AnsweredRequests, RequestKey
from mastra_convex.engine.schema import Schema
from mastra_convex.engine.store import Connection, DatabaseError, Store, translate
from mastra_convex.engine.transaction import Change, Writer
from mastra_convex.errors import StorageClosedError

# More would keep the first of a group waiting for the last.
_GROUP_LIMIT = 512
_CLOSE_SECONDS = 5.0
# A clock that steps back further than this (nanoseconds) was wrong before.
_CLOCK_STEP = 3600 * 10**9


class Job:
    """One mutation on its way: what to run, and then its outcome."""

    __slots__ = (
        "args",
        "done",
        "error",
        "function",
        "path",
        "principal",
        "request",
        "settle",
        "ts",
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
        request: RequestKey | None = None,
    ) -> None:
        self.waiter = waiter
        self.request = request
        self.path = path
        self.function = function
        self.args = args
        self.principal = principal
        self.settle = settle
        self.done = False
        self.value: Any = None
        # Of the commit; of the one before it if nothing was written; 0 for an error.
        self.ts = 0
        self.error: Exception | None = None

    def finish(self, value: Any, error: Exception | None) -> None:
        """Set the outcome."""
        self.value, self.error, self.done = value, error, True


class _Attempt(NamedTuple):
    """What a group did: the commit that it saw, its own, its changes, its answers to requests."""

    seen: int
    head: Head
    changes: list[Change]
    requests: dict[RequestKey, Job]


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
        self._requests = AnsweredRequests()
        self._queue: deque[Job] = deque()
        self._wake = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closing = False
        self._stopped = False
        # What the present group is about to commit, or has committed.
        self._decided: _Attempt | None = None

    def check_open(self) -> None:
        """Raise `StorageClosedError` once `close` has begun, or it would never end."""
        self._store.check_open()
        if self._closing:
            raise StorageClosedError(f"{self._store.path} was closed; open a new storage")

    def run(self, job: Job) -> Any:
        """Run one job and return its value when it is durable; raises its error."""
        try:
            self._queue.append(job)
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
        if self._thread is None and not self._closing:
            with self._store.lock:
                if self._thread is None:
                    thread = threading.Thread(
                        target=self._serve, name="mastra-convex-commit", daemon=True
                    )
                    thread.start()
                    self._thread = thread
        self._wake.release()
        if self._stopped:
            self._drain()

    def close(self) -> None:
        """Commit what is queued, then stop. Later jobs fail with `StorageClosedError`."""
        self._closing = True
        self._wake.release()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_SECONDS)
        # What is queued from now on finds nobody who serves it, and is seen to by who queues it.
        self._stopped = True
        self._drain()

    def _serve(self) -> None:
        while True:
            self._wake.acquire()
            self._drain()
            if self._closing:
                return

    def _drain(self) -> None:
        while self._queue:
            with self._store.lock:
                self._commit_group(None)

    def _commit_group(self, own: Job | None) -> None:
        """Run and commit what is queued. The caller holds the lock."""
        jobs: list[Job] = []
        self._decided = None
        try:
            try:
                # In one step of the interpreter: Ctrl-C must not find a job that is nowhere.
                with suppress(IndexError):  # an interrupted caller takes its job back at any moment
                    count = min(len(self._queue), _GROUP_LIMIT)
                    jobs.extend(map(deque.popleft, repeat(self._queue, count)))
                if not jobs:
                    return
                self._store.check_open()
                self._transact(self._store.writer, jobs)
            except Exception as error:
                self._decided = None
                self._roll_back()
                for job in jobs:
                    job.finish(None, translate(error, self._store.path))
            self._conclude(jobs)
        except BaseException:
            # The thread was interrupted (Ctrl-C), which is noticed most often when the disk has
            # answered. Then all has happened; else its own job dies with it, and no other does.
            if not self._has_committed():
                self._decided = None
                self._roll_back()
                others = [job for job in jobs if job is not own and not job.done]
                self._queue.extendleft(reversed(others))
                self._wake.release()
            self._conclude(jobs)
            raise
        self._store.fold_log()

    def _has_committed(self) -> bool:
        return self._decided is not None and not self._store.writer.in_transaction

    def _conclude(self, jobs: Sequence[Job]) -> None:
        """Make known what has been decided, and done; again, it changes nothing."""
        attempt = self._decided
        if attempt is not None:
            if attempt.changes:
                self._log.committed(attempt.head)
                self._found.committed(attempt.head.ts)
            for job in jobs:
                job.done = True
        # First those who wait: a server answers a mutation before it tells what that has changed.
        _settle([job for job in jobs if job.done])
        if attempt is not None and attempt.changes:
            self._committed()

    def _transact(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Run the jobs in one transaction, and commit it.

        What is `_decided` has been committed as soon as the connection is in no transaction.
        """
        # Savepoints cost more than a small mutation, and hardly any fails once it has written. A
        # function gives the same result twice, so the group may simply run again, with them.
        attempt = self._attempt(connection, jobs, savepoints=False)
        if attempt is None:
            attempt = self._attempt(connection, jobs, savepoints=True)
            assert attempt is not None
        seen, head, changes, requests = attempt
        if changes:
            self._log.append(connection, head, changes)
        ts = head.ts if changes else seen
        for job in jobs:
            if not job.ts and job.error is None:
                job.ts = ts
        if requests:
            answers = [(key, Answer(job.value, ts)) for key, job in requests.items()]
            # By the clock as it is: were it ahead by years once, answers would be kept for years.
            self._requests.record(connection, answers, time.time_ns())
        self._decided = attempt
        connection.execute("COMMIT")

    def _is_answered(
        self, connection: Connection, job: Job, requests: dict[RequestKey, Job]
    ) -> bool:
        """Whether the job's request was answered before; then that is its outcome."""
        assert job.request is not None
        twin = requests.get(job.request)
        answer = Answer(twin.value, 0) if twin else self._requests.find(connection, job.request)
        if answer is None:
            return False
        (job.value, job.ts), job.error = answer, None
        return True

    def _attempt(
        self, connection: Connection, jobs: Sequence[Job], *, savepoints: bool
    ) -> _Attempt | None:
        """Run the jobs in a new transaction and set their outcomes.

        None, with nothing changed, if that takes savepoints.
        """
        connection.execute("BEGIN IMMEDIATE")
        head = self._log.head(connection)
        seen = head.ts
        self._found.begin(seen)
        clock = time.time_ns()
        head = Head(max(clock, seen + 1), head.totals.copy())
        writer = Writer(connection, self._schema, head.totals, self._found, strict=self._strict)
        # Time does not run backwards in the records when the machine's clock steps back. One that
        # was far ahead once must not date them for years, though.
        now = (head.ts if head.ts - clock < _CLOCK_STEP else clock) // 1_000_000
        requests: dict[RequestKey, Job] = {}
        for job in jobs:
            job.ts = 0
            if job.request is not None and self._is_answered(connection, job, requests):
                continue
            writer.begin()
            totals = head.totals
            if savepoints:
                connection.execute("SAVEPOINT job")
                totals = totals.copy()
            try:
                value = job.function.handler(MutationCtx(writer, job.principal, now), job.args)
                if self._strict:
                    job.function.returns.validate(value, f"the result of {job.path}")
                if savepoints:
                    writer.flush()
                job.value, job.error = value, None
                if job.request is not None:
                    requests[job.request] = job
            except Exception as error:
                if not connection.in_transaction:
                    raise  # SQLite has given up the whole transaction: a full disk, say.
                if savepoints:
                    connection.execute("ROLLBACK TO job")
                    writer.undo(totals)
                elif writer.wrote:
                    self._roll_back()
                    return None
                job.value, job.error = None, translate(error, self._store.path)
            if savepoints:
                connection.execute("RELEASE job")
        try:
            writer.flush()
        except Exception:
            if not connection.in_transaction:
                raise
            self._roll_back()
            return None  # With savepoints it will be seen whose write it was.
        return _Attempt(seen, head, writer.changes, requests)

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
