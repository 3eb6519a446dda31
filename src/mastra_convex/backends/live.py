"""Live queries of many clients, on one event loop.

Clients that watch the same call as the same caller share it: it is one live query of the engine,
and its outcome is one text. The hub learns of each commit in one report, applies it in one go, and
so knows at any time every query as of one moment. What a client has not been told yet is a set of
numbers; the texts are looked up when it takes them, so a slow client skips and nothing queues up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Protocol

from mastra_convex.backends.base import NOBODY, Call, Caller, Moment, Rendered
from mastra_convex.errors import LimitExceededError
from mastra_convex.values.encoding import encode
from mastra_convex.values.journal import is_open
from mastra_convex.values.outcome import Outcome

# What one client watches, arguments and results together: when it connects anew it is told all of
# it in one message, and Convex's Rust and Python clients take 64 MiB.
MAX_BYTES = 60 * 1024 * 1024
# New queries of one client that are run at a time: how large their results are shows afterwards.
_AT_ONCE = 16


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

    @property
    def size(self) -> int:
        """Bytes of its outcome."""
        return 0 if self.rendered is None else self.rendered.size


class _Watched:
    """A query of one client, and the digest of what it was told last.

    One that has not been asked for yet is shared with nobody; one that was refused has no call.
    """

    __slots__ = ("args_text", "call", "shared", "told")

    def __init__(self, call: Call) -> None:
        self.call: Call | None = call
        self.args_text = json.dumps(encode(call[1]), sort_keys=True)
        self.shared: _Shared | None = None
        self.told = b""

    @property
    def size(self) -> int:
        """Bytes of the arguments and of the outcome."""
        return len(self.args_text) + (0 if self.shared is None else self.shared.size)


class Hub:
    """All live queries of a server. Used on the event loop alone."""

    def __init__(self, source: Source, render: Callable[[Outcome], Rendered]) -> None:
        self._source = source
        self._shared: dict[tuple[str, str, Caller], _Shared] = {}
        self._by_number: dict[int, _Shared] = {}
        self._next = 0
        self.ts = 0
        self.turn = 0
        # Those who wait for a turn or a commit that has not been reported.
        self.waiting: set[HubSet] = set()
        # What a client has instead of a query that is too much.
        self.refusal = _Shared(("", "", NOBODY), 0)
        self.refusal.rendered = render(Outcome(error=_too_much()))

    def report(self, report: Report) -> None:
        """Apply what the source tells, and notify whom it concerns, each once."""
        self.ts, self.turn = report.ts, report.turn
        concerned: set[HubSet] = set()
        for number, rendered in report.changes.items():
            shared = self._by_number.get(number)
            if shared is None or rendered == shared.rendered:
                continue
            grown = rendered.size - shared.size
            shared.rendered = rendered
            for watcher, query in list(shared.watchers):
                watcher.changed(query, grown)
                concerned.add(watcher)
        current = {watcher for watcher in concerned | self.waiting if watcher.advance()}
        self.waiting -= current
        for watcher in current:
            watcher.notify()

    def share(self, queries: Iterable[_Watched], caller: Caller) -> int:
        """Give these queries what they share with others; returns the turn that has them all."""
        new = []
        for watched in queries:
            call, text = watched.call, watched.args_text
            assert call is not None
            # Where such a page ends is found out when it is first read: for each client its own.
            key = (call[0], f"{self._next} {text}" if is_open(call[1]) else text, caller)
            shared = self._shared.get(key)
            if shared is None:
                self._next += 1
                shared = self._shared[key] = _Shared(key, self._next)
                self._by_number[shared.number] = shared
                new.append((shared.number, call, caller))
            watched.shared = shared
        return self._source.watch(new) if new else self.ask()

    def ask(self) -> int:
        """The turn that has every commit of this moment."""
        return self._source.ask()

    def release(self, queries: Iterable[_Shared | None]) -> None:
        """Forget those that nobody watches any longer."""
        unwatched = {each for each in queries if each is not None and not each.watchers}
        unwatched.discard(self.refusal)
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
        # Those that have not been asked for yet, in their order; and those without an outcome yet.
        self._new: dict[int, None] = {}
        self._unknown: set[int] = set()
        self._bytes = 0
        # A moment is due though nothing may have changed; not before this turn, not before this ts.
        self._due = False
        self._turn = 0
        self._ts = 0

    def add(self, queries: Mapping[int, Call]) -> None:
        """See `LiveSet.add`."""
        for number, call in queries.items():
            self._put(number, _Watched(call))
        self._begin()

    def remove(self, numbers: Iterable[int]) -> None:
        """See `LiveSet.remove`."""
        self._hub.release([self._drop(number) for number in numbers])
        self.expect(0)

    def identify(self, caller: Caller) -> None:
        """See `LiveSet.identify`."""
        if caller == self._caller:
            return self.expect(0)
        self._caller = caller
        before = []
        for number, watched in list(self._queries.items()):
            if watched.call is not None:
                before.append(self._drop(number))
                watched.shared = None
                self._put(number, watched)
        self._begin()
        self._hub.release(before)

    def expect(self, ts: int) -> None:
        """See `LiveSet.expect`."""
        self._due = True
        self._ts = max(self._ts, ts)
        if self._is_current():
            self.notify()
        else:
            self._hub.waiting.add(self)

    def changed(self, number: int, grown: int) -> None:
        """A query has another outcome, larger by so much."""
        self.dirty.add(number)
        self._unknown.discard(number)
        self._bytes += grown
        if grown > 0 and self._bytes > MAX_BYTES:
            self._refuse(number)

    def advance(self) -> bool:
        """Ask for what could not be asked for before; returns whether nothing is waited for."""
        self._ask()
        return self._is_current()

    def take(self) -> Moment | None:
        """See `LiveSet.take`."""
        if not self._is_current() or not (self._due or self.dirty):
            return None
        changes = {}
        for number in self.dirty:
            watched = self._queries[number]
            rendered = watched.shared.rendered if watched.shared is not None else None
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
        self._hub.release([self._drop(number) for number in list(self._queries)])

    def _put(self, number: int, watched: _Watched) -> None:
        """Have a query that is to be asked for."""
        self._queries[number] = watched
        self._new[number] = None
        self.changed(number, watched.size)

    def _drop(self, number: int) -> _Shared | None:
        """Have a query no longer; returns what it shared, to be released."""
        watched = self._queries.pop(number)
        self._new.pop(number, None)
        self._unknown.discard(number)
        self.dirty.discard(number)
        self._bytes -= watched.size
        if watched.shared is not None:
            watched.shared.watchers.discard((self, number))
        return watched.shared

    def _refuse(self, number: int) -> None:
        """Have the refusal in the place of a query: what it took is free again."""
        watched = self._queries[number]
        self._hub.release([self._drop(number)])
        watched.call, watched.args_text, watched.shared = None, "", self._hub.refusal
        self._queries[number] = watched
        self._bytes += watched.size
        self.dirty.add(number)

    def _begin(self) -> None:
        """Ask, and have a moment that knows every commit of now, though there may be no query."""
        self._turn = self._hub.ask()
        self._ask()
        self.expect(0)

    def _ask(self) -> None:
        """Ask for new queries, as many as may be without an outcome."""
        while self._new and len(self._unknown) < _AT_ONCE:
            numbers = list(islice(self._new, _AT_ONCE - len(self._unknown)))
            asked = [self._queries[number] for number in numbers]
            self._turn = self._hub.share(asked, self._caller)
            for number, watched in zip(numbers, asked):
                del self._new[number]
                assert watched.shared is not None
                watched.shared.watchers.add((self, number))
                if watched.shared.rendered is None:
                    self._unknown.add(number)
                else:
                    self.changed(number, watched.shared.size)

    def _is_current(self) -> bool:
        """Whether what the client waits for has been reported."""
        return not self._new and self._hub.turn >= self._turn and self._hub.ts >= self._ts


def _too_much() -> LimitExceededError:
    return LimitExceededError(
        f"what a connection watches has {MAX_BYTES} bytes at the most, arguments and results "
        "together; watch less, or connect again",
        limit=MAX_BYTES,
    )
