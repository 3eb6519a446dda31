"""Live queries of many clients, on one event loop.

Clients that watch the same call as the same caller share it: it is one live query of the engine,
and its outcome is one text. The hub learns of each commit in one report, applies it in one go, and
so knows at any time every query as of one moment. What a client has not been told yet is a set of
numbers; the texts are looked up when it takes them, so a slow client skips and nothing queues up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from mastra_convex.backends.base import NOBODY, Call, Caller, Moment, Rendered
from mastra_convex.values.encoding import encode


class Report(Protocol):
    """What the engine's feed tells (`engine/feed.py`)."""

    @property
    def ts(self) -> int:
        """The commit as of which everything holds."""

    @property
    def turn(self) -> int:
        """The newest question that this answers."""

    @property
    def changes(self) -> dict[int, Any]:
        """Queries by the hub's number, rendered."""


class Source(Protocol):
    """Where the outcomes come from: the feed, with callers for principals."""

    def watch(self, calls: Iterable[tuple[int, Call, Caller]]) -> int:
        """Watch these under the numbers given; returns the turn that has them all."""

    def drop(self, numbers: Iterable[int]) -> None:
        """Watch these no longer."""

    def ask(self) -> int:
        """The turn that has every commit of this moment."""


class _Shared:
    """One call of one caller, for everybody who watches it."""

    __slots__ = ("key", "number", "rendered", "watchers")

    def __init__(self, key: tuple[str, str, Caller], number: int) -> None:
        self.key = key
        self.number = number
        self.rendered: Rendered | None = None
        self.watchers: set[tuple[HubSet, int]] = set()


class _Watched:
    """A query of one client, and the digest of what it was told last."""

    __slots__ = ("call", "shared", "told")

    def __init__(self, call: Call, shared: _Shared) -> None:
        self.call = call
        self.shared = shared
        self.told = b""


class Hub:
    """All live queries of a server. Used on the event loop alone."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._shared: dict[tuple[str, str, Caller], _Shared] = {}
        self._by_number: dict[int, _Shared] = {}
        self._next = 0
        self.ts = 0
        self.turn = 0
        # Those who wait for a turn or a commit that has not been reported.
        self.waiting: set[HubSet] = set()

    def report(self, report: Report) -> None:
        """Apply what the source tells, and notify whom it concerns, each once."""
        self.ts, self.turn = report.ts, report.turn
        concerned = {each for each in self.waiting if each.is_current()}
        self.waiting -= concerned
        for number, rendered in report.changes.items():
            shared = self._by_number.get(number)
            if shared is None or rendered == shared.rendered:
                continue
            shared.rendered = rendered
            for watcher, query in shared.watchers:
                watcher.dirty.add(query)
                concerned.add(watcher)
        for watcher in concerned:
            watcher.notify()

    def share(self, calls: Iterable[Call], caller: Caller) -> tuple[list[_Shared], int]:
        """The shared queries of these calls, and the turn that has them all."""
        found, new = [], []
        for call in calls:
            key = (call[0], json.dumps(encode(call[1]), sort_keys=True), caller)
            shared = self._shared.get(key)
            if shared is None:
                self._next += 1
                shared = self._shared[key] = _Shared(key, self._next)
                self._by_number[shared.number] = shared
                new.append((shared.number, call, caller))
            found.append(shared)
        return found, self._source.watch(new) if new else self._source.ask()

    def release(self, queries: Iterable[_Shared]) -> None:
        """Forget those that nobody watches any longer."""
        unwatched = {shared for shared in queries if not shared.watchers}
        for shared in unwatched:
            del self._shared[shared.key], self._by_number[shared.number]
        if unwatched:
            self._source.drop([shared.number for shared in unwatched])


class HubSet:
    """A `LiveSet` of a hub."""

    def __init__(self, hub: Hub, notify: Callable[[], None]) -> None:
        self._hub = hub
        self.notify = notify
        self.dirty: set[int] = set()
        self._caller = NOBODY
        self._queries: dict[int, _Watched] = {}
        # A moment is due though nothing may have changed; not before this turn, not before this ts.
        self._due = False
        self._turn = 0
        self._ts = 0

    def add(self, queries: Mapping[int, Call]) -> None:
        """See `LiveSet.add`."""
        found, turn = self._hub.share(queries.values(), self._caller)
        for (number, call), shared in zip(queries.items(), found):
            self._queries[number] = _Watched(call, shared)
            shared.watchers.add((self, number))
        self.dirty |= queries.keys()
        self._wait(turn, 0)

    def remove(self, numbers: Iterable[int]) -> None:
        """See `LiveSet.remove`."""
        released = []
        for number in numbers:
            shared = self._queries.pop(number).shared
            shared.watchers.discard((self, number))
            self.dirty.discard(number)
            released.append(shared)
        self._hub.release(released)
        self.expect(0)

    def identify(self, caller: Caller) -> None:
        """See `LiveSet.identify`."""
        self._caller = caller
        before = [watched.shared for watched in self._queries.values()]
        found, turn = self._hub.share([each.call for each in self._queries.values()], caller)
        for (number, watched), shared in zip(self._queries.items(), found):
            watched.shared.watchers.discard((self, number))
            watched.shared = shared
            shared.watchers.add((self, number))
        self._hub.release(before)
        self.dirty |= self._queries.keys()
        self._wait(turn, 0)

    def expect(self, ts: int) -> None:
        """See `LiveSet.expect`."""
        self._wait(0, ts)

    def is_current(self) -> bool:
        """Whether what the client waits for has been reported."""
        return self._hub.turn >= self._turn and self._hub.ts >= self._ts

    def take(self) -> Moment | None:
        """See `LiveSet.take`."""
        if not self.is_current() or not (self._due or self.dirty):
            return None
        changes = {}
        for number in self.dirty:
            watched = self._queries[number]
            rendered = watched.shared.rendered
            # None: the file is in trouble; its outcome will come.
            if rendered is None:
                return None
            if rendered.digest != watched.told:
                changes[number] = rendered
        for number, rendered in changes.items():
            self._queries[number].told = rendered.digest
        self.dirty.clear()
        due, self._due = self._due, False
        return Moment(self._hub.ts, changes) if due or changes else None

    def close(self) -> None:
        """See `LiveSet.close`."""
        self._hub.waiting.discard(self)
        for number, watched in self._queries.items():
            watched.shared.watchers.discard((self, number))
        self._hub.release([watched.shared for watched in self._queries.values()])
        self._queries.clear()
        self.dirty.clear()

    def _wait(self, turn: int, ts: int) -> None:
        self._due = True
        self._turn, self._ts = max(self._turn, turn), max(self._ts, ts)
        if self.is_current():
            self.notify()
        else:
            self._hub.waiting.add(self)
