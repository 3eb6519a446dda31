"""The narrow waist: what every backend offers, and all that the client knows of it.

Arguments and results are JSON-like values; payloads in them are JSON text. Errors are those of
`mastra_convex.errors`, with the same codes on every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

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
