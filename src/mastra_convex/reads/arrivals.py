"""Reading what has arrived: threads and messages in the order in which they were saved."""

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


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What has arrived since, and the place to go on from: a position in each table."""

    threads: list[Thread]
    messages: list[Message]
    positions: tuple[float, float]


def latest() -> Read[tuple[float, float]]:
    """The positions of the newest thread and message: they move with every arrival."""
    newest = []
    for table in _TABLES:
        reply = yield f"{table}:listArrived", {"limit": 1}
        newest.append(reply["position"])
    return newest[0], newest[1]


def recent(last: Any) -> Read[Arrivals]:
    """The `last` newest messages, and the positions from which to follow."""
    if type(last) is not int or last < 0:
        raise InvalidArgumentError(f"last must be >= 0 and whole, not {last!r:.60}", path="last")
    positions = yield from latest()
    messages: list[Doc] = []
    if last > 0:
        reply = yield "messages:listArrived", {"limit": min(last, MAX_PAGE)}
        # Later ones have come between the two calls; they will be followed.
        messages = reply["page"]
        positions = (positions[0], reply["position"])
    return Arrivals([], [Message.of(document) for document in messages], positions)


def since(positions: tuple[float, float]) -> Read[Arrivals]:
    """What has arrived after these positions, up to a page of messages; empty when nothing has."""
    after_threads, after_messages = positions
    messages = yield "messages:listArrived", {"after": after_messages, "limit": MAX_PAGE}
    # All of the threads, and after the messages: so each message's thread is among them.
    threads: list[Doc] = []
    done = False
    while not done:
        reply = yield "threads:listArrived", {"after": after_threads, "limit": MAX_PAGE}
        threads += reply["page"]
        after_threads, done = reply["position"], reply["isDone"]
    return Arrivals(
        [Thread.of(document) for document in threads],
        [Message.of(document) for document in messages["page"]],
        (after_threads, messages["position"]),
    )
