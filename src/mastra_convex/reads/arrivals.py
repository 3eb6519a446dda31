"""Reading what has arrived: threads and messages in the order in which they were saved.

Where several machines commit at the same time, a record may become visible after one that is newer.
So the position of the newest record lies a little before it, and what follows is given again: a
sweep begins there, and drops what the sweep before it has given already.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Message, Thread
from mastra_convex.reads.listing import MAX_PAGE, Doc, Read

# What following gives, in the two colours.
Records = Generator[Thread | Message, None, None]
AsyncRecords = AsyncGenerator[Thread | Message, None]
_TABLES = ("threads", "messages")

# The most by which the newest position lies before the newest record: ten seconds of milliseconds,
# which positions are on Convex. In a file nothing is late, and positions are exact.
OVERLAP = 10_000.0
LATE_SECONDS = OVERLAP / 1000

# A record that was deleted and saved anew has another `createdAt`, and arrives anew.
_Key = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What has arrived; `done` when that was all."""

    threads: list[Thread]
    messages: list[Message]
    done: bool


class Sweeps:
    """A table, read again and again from where late records may be to its end, page by page."""

    def __init__(self, table: str) -> None:
        self._path = f"{table}:listArrived"
        self._start: float | None = None
        self._position = 0.0
        # Where the sweep after this one begins; None between two sweeps. It is asked for before the
        # first page: what is late then may come while the other pages are read.
        self._next: float | None = None
        # What may come again: of the sweep before, and of this one.
        self._before: set[_Key] = set()
        self._given: set[_Key] = set()

    @property
    def remembered(self) -> int:
        """How many records are kept in mind."""
        return len(self._before) + len(self._given)

    def newest(self, count: int) -> Read[list[Doc]]:
        """The newest documents; they will not be new again."""
        reply = yield self._path, {"limit": min(count, MAX_PAGE)}
        page: list[Doc] = reply["page"]
        self._before.update(map(_key, page))
        return page

    def page(self) -> Read[tuple[list[Doc], bool]]:
        """What is new on the next page, and whether the table ends with it."""
        if self._next is None:
            newest = yield self._path, {"limit": 1}
            self._next = newest["position"]
            if self._start is None:
                self._start = self._next
            self._next = max(self._start, self._next)
            self._position = self._start
        reply = yield self._path, {"after": self._position, "limit": MAX_PAGE}
        self._position, done = reply["position"], reply["isDone"]
        page = {_key(document): document for document in reply["page"]}
        new = [document for key, document in page.items() if key not in self._before]
        if done or self._position > self._next:
            self._given.update(page)
        # It ends where the table did when it began: the next one goes on from there.
        if done or self._position > self._next + OVERLAP:
            self._before, self._given = self._given, set()
            self._start, self._next = self._next, None
        return new, done

    def rest(self) -> Read[list[Doc]]:
        """What is new up to the end of the table."""
        found: list[Doc] = []
        done = False
        while not done:
            new, done = yield from self.page()
            found += new
        return found


class Following:
    """How far threads and messages have been given."""

    def __init__(self) -> None:
        self._threads, self._messages = Sweeps("threads"), Sweeps("messages")

    def begin(self, last: Any) -> Read[list[Message]]:
        """Follow from here on; returns the `last` newest messages."""
        if type(last) is not int or last < 0:
            raise InvalidArgumentError(
                f"last must be >= 0 and whole, not {last!r:.60}", path="last"
            )
        # What comes again of what is there is no news.
        yield from self._threads.rest()
        yield from self._messages.rest()
        newest = (yield from self._messages.newest(last)) if last else []
        return [Message.of(document) for document in newest]

    def more(self) -> Read[Arrivals]:
        """What has arrived since, up to a page of messages."""
        messages, done = yield from self._messages.page()
        # All of the threads, and after the messages: so each message's thread is among them.
        threads = yield from self._threads.rest()
        return Arrivals(
            [Thread.of(document) for document in threads],
            [Message.of(document) for document in messages],
            # Until a look finds nothing: then, where nothing is late, nothing is kept in mind.
            done=done and not threads and not messages,
        )


def latest() -> Read[tuple[float, float]]:
    """The positions of the newest thread and message: they move with every arrival."""
    newest = []
    for table in _TABLES:
        reply = yield f"{table}:listArrived", {"limit": 1}
        newest.append(reply["position"])
    return newest[0], newest[1]


def _key(document: Doc) -> _Key:
    return document["id"], document["createdAt"]
