"""Live queries: which of them a commit touches, running them again, and delivering what changed.

A subscription is a read program: a generator that yields calls `(path, args)`, is sent their
results and returns a value. Each distinct call is one live query, whoever asks. The live thread
follows the commit log: it runs the queries that a commit has touched again, on one snapshot, and
continues the programs whose results have changed; the calls of a program that did not change
answer from what is known. So a program that walks a hundred pages re-reads the one that grew.

Local commits wake the thread; commits of other processes are found by asking SQLite every few
milliseconds whether the file has changed (`PRAGMA data_version`), only while anybody watches.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from mastra_convex.engine.context import Principal
from mastra_convex.engine.feed import Feed, Report
from mastra_convex.engine.log import CommitLog, Entry
from mastra_convex.engine.ranges import Key, ReadRange
from mastra_convex.engine.store import Connection, DatabaseError, Poller, Store, translate
from mastra_convex.errors import StorageClosedError
from mastra_convex.values.outcome import Outcome

logger = logging.getLogger("mastra_convex")

# How often to look for the commits of other processes: often while there are some, and, when it is
# quiet, still well within the 30 ms in which a change is to reach another process.
_POLL_SECONDS = 0.004
_QUIET_POLL_SECONDS = 0.02
_POLL_GROWTH = 1.25
# When the file is in trouble (a full disk, a lost mount), how long to leave it alone.
_RETRY_SECONDS = 1.0

Call = tuple[str, dict[str, Any]]
ReadProgram = Callable[[], Generator[Call, Any, Any]]


Deliver = Callable[[Outcome], None]
RunQuery = Callable[[Connection, str, dict[str, Any], "Principal | None", list[ReadRange]], Any]


class LiveQuery:
    """One call that somebody watches: its last outcome and the ranges it has read."""

    __slots__ = ("args", "key", "outcome", "path", "principal", "reads", "subscribers")

    def __init__(self, key: str, call: Call, principal: Principal | None) -> None:
        self.key = key
        self.path, self.args = call
        self.principal = principal
        self.outcome = Outcome()
        self.reads: list[ReadRange] = []
        self.subscribers: set[Subscription] = set()


@dataclass(eq=False, slots=True)
class Subscription:
    """A read program, the queries it has used, and where its value goes."""

    program: ReadProgram
    deliver: Deliver
    principal: Principal | None
    queries: dict[str, LiveQuery] = field(default_factory=dict)
    active: bool = True

    def tell(self, outcome: Outcome) -> None:
        """Deliver, if it still wants to know; a receiver that raises harms no other."""
        if self.active:
            try:
                self.deliver(outcome)
            except Exception:
                logger.exception("a subscription could not be told of a change")


class RangeMap:
    """Live queries by the ranges they have read.

    Ranges are grouped by their equal leading part, so that a commit finds the few that can matter
    by look-up, however many there are.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[Key, dict[LiveQuery, list[ReadRange]]]] = {}

    def add(self, query: LiveQuery) -> None:
        """Enter the ranges of a query."""
        for read in query.reads:
            groups = self._groups.setdefault((read.table, read.index), {})
            groups.setdefault(read.equal, {}).setdefault(query, []).append(read)

    def remove(self, query: LiveQuery) -> None:
        """Take the ranges of a query out."""
        for read in query.reads:
            groups = self._groups.get((read.table, read.index), {})
            members = groups.get(read.equal)
            if members is not None and members.pop(query, None) is not None and not members:
                del groups[read.equal]

    def touched(self, log: CommitLog, entries: Iterable[Entry]) -> set[LiveQuery]:
        """The queries that have read a range which one of the entries changes."""
        found: set[LiveQuery] = set()
        for entry in entries:
            if entry[1] is None and entry[2] is None:
                found |= self._readers_of(entry[0])
            for index, key in log.index_keys(entry):
                groups = self._groups.get((entry[0], index))
                if not groups:
                    continue
                for length in range(len(key) + 1):
                    for query, reads in groups.get(key[:length], {}).items():
                        if query not in found and any(read.contains(key) for read in reads):
                            found.add(query)
        return found

    def _readers_of(self, table: str) -> set[LiveQuery]:
        return {
            query
            for (read_table, _), groups in self._groups.items()
            if read_table == table
            for members in groups.values()
            for query in members
        }


def _tagged(value: Any) -> Any:
    """A value that JSON has not, as one that no other is written as."""
    return {"$": repr(value)}


class LiveQueries:
    """All subscriptions of one engine, and the thread that serves them."""

    def __init__(self, store: Store, log: CommitLog, run: RunQuery) -> None:
        self._store = store
        self._log = log
        self._run = run
        self._ts = 0
        self._queries: dict[str, LiveQuery] = {}
        self._ranges = RangeMap()
        self._condition = threading.Condition()
        self._arrived: list[Subscription] = []
        self._departed: list[Subscription] = []
        self._subscriptions: dict[Subscription, None] = {}
        self._feeds: list[Feed] = []
        # Subscriptions and feeds: while there are none, nobody looks at the file.
        self._count = 0
        # The newest question whether everything is up to date.
        self._turn = 0
        self._woken = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def subscribe(
        self, program: ReadProgram, deliver: Deliver, principal: Principal | None
    ) -> Callable[[], None]:
        """Deliver the value of `program` now and after each change; returns how to stop that.

        `deliver` is called on the live thread and must not block. The last delivered value is
        always the present one; values in between may be left out.
        """
        subscription = Subscription(program, deliver, principal)
        with self._condition:
            if self._closing:
                raise StorageClosedError(f"{self._store.path} was closed; open a new storage")
            self._arrived.append(subscription)
            self._begin()

        def unsubscribe() -> None:
            with self._condition:
                if subscription.active:
                    subscription.active = False
                    self._departed.append(subscription)
                    self._count -= 1
                    self._wake()

        return unsubscribe

    def feed(self, render: Callable[[Outcome], Any], deliver: Callable[[Report], None]) -> Feed:
        """A feed, which reports every commit from now on, until it is closed."""
        feed = Feed(self, render, deliver)
        with self._condition:
            self._feeds = [*self._feeds, feed]
            self._begin()
        return feed

    def detach(self, feed: Feed) -> None:
        """Report nothing more to a feed."""
        with self._condition:
            if feed in self._feeds:
                self._feeds = [other for other in self._feeds if other is not feed]
                self._count -= 1

    def ask(self) -> int:
        """Look at the log soon; the returned turn is reported when that has been done."""
        with self._condition:
            self._turn += 1
            self._wake()
            return self._turn

    def committed(self) -> None:
        """Look at the log soon: this process has committed."""
        if self._count:
            with self._condition:
                self._wake()

    def close(self) -> None:
        """End all subscriptions with `StorageClosedError` and stop the thread."""
        with self._condition:
            self._closing = True
            self._wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(5.0)

    def abandon(self) -> None:
        """In a fork: a lock that the thread held at that moment is held for ever; take another."""
        self._condition = threading.Condition()

    def _begin(self) -> None:
        """Somebody more watches. The caller holds the condition, and has checked `_closing`."""
        self._count += 1
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name="mastra-convex-live", daemon=True)
            thread.start()
            self._thread = thread
        self._wake()

    def _wake(self) -> None:
        self._woken = True
        self._condition.notify()

    def _serve(self) -> None:
        version: int | None = None
        pause = _POLL_SECONDS
        poller: Poller | None = None
        try:
            while True:
                with self._condition:
                    if not self._woken:
                        self._condition.wait(pause if self._count else None)
                    woken, self._woken = self._woken, False
                    if self._closing:
                        break
                    arrived, self._arrived = self._arrived, []
                    departed, self._departed = self._departed, []
                    turn = self._turn
                self._subscriptions.update(dict.fromkeys(arrived))
                for subscription in departed:
                    self._subscriptions.pop(subscription, None)
                    self._release(subscription, subscription.queries.values())
                try:
                    poller = poller or self._store.poller()
                    before, version = version, poller.version()
                    if woken or version != before:
                        pause = _POLL_SECONDS
                        self._follow(arrived, turn)
                    else:
                        pause = min(pause * _POLL_GROWTH, _QUIET_POLL_SECONDS)
                except (DatabaseError, StorageClosedError) as error:
                    self._fail(translate(error, self._store.path))
                    with self._condition:
                        self._arrived += self._subscriptions
                        self._condition.wait_for(lambda: self._closing, _RETRY_SECONDS)
                        self._woken = True
        finally:
            if poller is not None:
                poller.close()
            self._subscriptions.update(dict.fromkeys(self._arrived))
            self._fail(StorageClosedError(f"{self._store.path} was closed; open a new storage"))

    def _follow(self, arrived: list[Subscription], turn: int) -> None:
        """Bring everything to the newest commit, and deliver."""
        deliveries: list[tuple[Subscription, Outcome]] = []
        with self._store.snapshot() as connection:
            ts = self._log.head(connection).ts
            due = dict.fromkeys(arrived)
            for query in self._stale(connection, ts):
                if self._refresh(connection, query):
                    due.update(dict.fromkeys(query.subscribers))
            self._ts = ts
            for subscription in due:
                if subscription.active:
                    deliveries.append((subscription, self._evaluate(connection, subscription)))
        # Outside the snapshot: a slow receiver must not keep it from ending.
        for subscription, outcome in deliveries:
            subscription.tell(outcome)
        for feed in self._feeds:
            feed.followed(ts, turn)

    def _fail(self, error: Exception) -> None:
        """Tell every subscription of a failure, and forget what is known."""
        self._queries.clear()
        self._ranges = RangeMap()
        self._ts = 0
        for subscription in self._subscriptions:
            subscription.queries = {}
            subscription.tell(Outcome(error=error))

    def _stale(self, connection: Connection, ts: int) -> Iterable[LiveQuery]:
        if ts == self._ts or not self._queries:
            return ()
        entries = self._log.since(connection, self._ts)
        if entries is None:
            return list(self._queries.values())
        return self._ranges.touched(self._log, entries)

    def _refresh(self, connection: Connection, query: LiveQuery) -> bool:
        """Run a query again; returns whether its outcome has changed."""
        self._ranges.remove(query)
        query.reads = []
        try:
            value = self._run(connection, query.path, query.args, query.principal, query.reads)
            outcome = Outcome(value)
        except DatabaseError:
            raise
        except Exception as error:
            outcome = Outcome(error=error)
        self._ranges.add(query)
        before = query.outcome
        same = outcome.error is None and before.error is None and outcome.value == before.value
        if not same:
            query.outcome = outcome
        return not same

    def _evaluate(self, connection: Connection, subscription: Subscription) -> Outcome:
        """Run a program from its start, answering its calls from the live queries."""
        before, subscription.queries = subscription.queries, {}
        program = subscription.program()
        try:
            call = next(program)
            while True:
                query = self._live_query(connection, call, subscription)
                if query.outcome.error is not None:
                    call = program.throw(query.outcome.to_raise())
                else:
                    call = program.send(query.outcome.value)
        except StopIteration as stop:
            return Outcome(stop.value)
        except DatabaseError:
            raise
        except Exception as error:
            return Outcome(error=error)
        finally:
            program.close()
            unused = before.keys() - subscription.queries.keys()
            self._release(subscription, [before[key] for key in unused])

    def _live_query(
        self, connection: Connection, call: Call, subscription: Subscription
    ) -> LiveQuery:
        principal = subscription.principal
        owner = None if principal is None else [principal.resource_id]
        key = json.dumps([call, owner], sort_keys=True, default=_tagged)
        query = self._queries.get(key)
        if query is None:
            query = LiveQuery(key, call, principal)
            self._refresh(connection, query)
            self._queries[key] = query
        query.subscribers.add(subscription)
        subscription.queries[key] = query
        return query

    def _release(self, subscription: Subscription, queries: Iterable[LiveQuery]) -> None:
        for query in queries:
            query.subscribers.discard(subscription)
            if not query.subscribers:
                self._queries.pop(query.key, None)
                self._ranges.remove(query)
