"""The narrow waist: what every backend offers, and all that the client knows of it.

Arguments and results are JSON-like values; payloads in them are JSON text. Errors are those of
`mastra_convex.errors`, with the same codes on every backend.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from mastra_convex.values.outcome import Outcome

Args = dict[str, Any]
Call = tuple[str, Args]


# A read is a generator: it yields calls, is sent their results (or has their errors raised in it),
# and returns a value. So one text of it can be run once, in either colour, or be kept live.
Read = Generator[Call, Any, Any]
Deliver = Callable[[Outcome], None]
Unsubscribe = Callable[[], None]


class Backend(Protocol):
    """A backend that blocks."""

    def query(self, path: str, args: Args) -> Any:
        """Run a query, on one snapshot."""

    def mutation(self, path: str, args: Args) -> Any:
        """Run a mutation; when it returns, it is durable."""

    def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """Deliver the read's value now and after each change, until unsubscribed.

        `deliver` is called on a thread of the backend and must return at once.
        """

    def close(self) -> None:
        """Let go of everything; every accepted write is durable."""


class AsyncBackend(Protocol):
    """A backend that awaits."""

    async def query(self, path: str, args: Args) -> Any:
        """Run a query, on one snapshot."""

    async def mutation(self, path: str, args: Args) -> Any:
        """Run a mutation; when it returns, it is durable."""

    async def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """Deliver the read's value now and after each change, until unsubscribed.

        `deliver` may be called on a thread of the backend and must return at once.
        """

    async def close(self) -> None:
        """Let go of everything; every accepted write is durable."""


# What follows is the seam of the server, which knows callers, and many of them at once.

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as has been proven: the service, one resource, or (neither) nobody.

    An operator may call internal functions too.
    """

    service: bool = False
    resource_id: str | None = None
    operator: bool = False


NOBODY = Caller()


class Committed(Protocol):
    """What a mutation has returned, and the timestamp of its commit."""

    value: Any
    ts: int


class OutOfRetentionError(Exception):
    """The moment that was asked for can no longer be read."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A live query's outcome as text for all who watch it; equal digests mean equal texts.

    `size` is in bytes.
    """

    text: str
    digest: bytes
    size: int


class Moment(NamedTuple):
    """All live queries hold at `ts`; those not in `changes` are as they were told last."""

    ts: int
    changes: dict[int, Rendered]


class LiveSet(Protocol):
    """The live queries of one client. Its methods are called on the event loop alone.

    It calls `notify`, on the loop, when `take` may have something. Nothing is kept for a client
    that does not take: only which of its queries have changed. What it watches is bounded: a query
    that is too much has `LimitExceededError` for its outcome, until it is removed.
    """

    def add(self, queries: Mapping[int, Call]) -> None:
        """Watch queries, under numbers that are not in use."""

    def remove(self, numbers: Iterable[int]) -> None:
        """Watch these no longer."""

    def identify(self, caller: Caller) -> None:
        """Ask everything anew, for another caller."""

    def expect(self, ts: int) -> None:
        """Give a moment soon, at `ts` or later, though nothing may have changed in it."""

    def take(self) -> Moment | None:
        """What is to be told, if there is something; then it counts as told."""

    def close(self) -> None:
        """Watch nothing any longer."""


class ServedBackend(Protocol):
    """A backend that a server can put behind a port; used on one event loop, once it is open.

    `prefix` stands before the paths of its functions.
    """

    prefix: str

    async def open(self) -> None:
        """Open what is behind it. Again: does nothing."""

    async def query(
        self,
        path: str,
        args: Args,
        caller: Caller,
        render: Callable[[Any], T],
        ts: int | None = None,
    ) -> T:
        """Run a query, now or at a moment of `timestamp`; `render` its value where it was read.

        Raises `OutOfRetentionError` besides what the function raises.
        """

    def mutation(
        self, path: str, args: Args, caller: Caller, request: tuple[str, int] | None = None
    ) -> Future[Committed]:
        """Run a mutation; the future is done when it is durable, and before a live set tells of it.

        Mutations happen in the order of these calls, without waiting for one another. A `request`
        (session, number) that succeeded before is answered again and not run again.
        """

    async def timestamp(self) -> int:
        """The newest commit's, at which queries can be asked for some seconds."""

    async def live(
        self, render: Callable[[Outcome], Rendered], notify: Callable[[], None]
    ) -> LiveSet:
        """An empty set of live queries, of nobody. `render` is the same for all of a server."""

    async def close(self) -> None:
        """Let go of everything; every accepted write is durable."""
