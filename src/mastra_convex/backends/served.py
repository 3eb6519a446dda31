"""The engine and the functions in this process, for callers who come over a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import Any, TypeVar, cast

from mastra_convex.backends.base import (
    Args,
    Call,
    Caller,
    Committed,
    OutOfRetentionError,
    Rendered,
)
from mastra_convex.backends.embedded import AsyncEngine
from mastra_convex.backends.live import Hub, HubSet
from mastra_convex.engine.context import SERVICE, Principal
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.feed import Feed, Report
from mastra_convex.engine.registry import Kind
from mastra_convex.engine.snapshots import SnapshotGoneError
from mastra_convex.errors import ConvexStorageError, FunctionNotFoundError
from mastra_convex.functions import registry
from mastra_convex.values.journal import journal_of, pinned
from mastra_convex.values.outcome import Outcome

T = TypeVar("T")


class EmbeddedServedBackend:
    """A `ServedBackend` over a file.

    With a `prefix` ("mastra/"), the functions are where a deployment has them that was made with
    it, and nowhere else.
    """

    def __init__(self, path: str, *, durable: bool = True, prefix: str = "") -> None:
        self._calls = AsyncEngine(path, durable=durable)
        self.prefix = prefix
        self._hub: Hub | None = None
        self._feed: Feed | None = None

    async def open(self) -> None:
        """See `ServedBackend.open`."""
        await self._calls.engine()

    async def query(
        self,
        path: str,
        args: Args,
        caller: Caller,
        render: Callable[[Any], T],
        ts: int | None = None,
    ) -> T:
        """See `ServedBackend.query`."""
        path, principal = self._find(path, "query", caller), _principal(caller)
        engine = await self._calls.engine()

        def read() -> T:
            try:
                if ts is None:
                    return render(engine.query(path, args, principal))
                return render(engine.query_at(ts, path, args, principal))
            except SnapshotGoneError:
                raise OutOfRetentionError from None

        return await self._calls.read(read)

    def mutation(
        self, path: str, args: Args, caller: Caller, request: tuple[str, int] | None = None
    ) -> asyncio.Future[Committed]:
        """See `ServedBackend.mutation`."""
        try:
            path = self._find(path, "mutation", caller)
            waiter = self._calls.submit(path, args, _principal(caller), request)
        except ConvexStorageError as error:
            failed: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed
        return cast("asyncio.Future[Committed]", waiter)

    async def timestamp(self) -> int:
        """See `ServedBackend.timestamp`."""
        engine = await self._calls.engine()
        return await self._calls.read(engine.hold_snapshot)

    async def live(
        self, render: Callable[[Outcome], Rendered], notify: Callable[[], None]
    ) -> HubSet:
        """See `ServedBackend.live`."""
        engine = await self._calls.engine()
        if self._hub is None:
            self._hub = self._open_hub(engine, render)
        return HubSet(self._hub, notify)

    async def close(self) -> None:
        """See `ServedBackend.close`."""
        if self._feed is not None:
            self._feed.close()
        await self._calls.close()

    def _open_hub(self, engine: Engine, render: Callable[[Outcome], Rendered]) -> Hub:
        loop = asyncio.get_running_loop()

        def deliver(report: Report) -> None:
            # A loop that was closed meanwhile has nobody left who could be told.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(hub.report, report)

        feed = self._feed = engine.feed(render, deliver)
        hub = Hub(_Source(feed, self._read_of), render)
        return hub

    def _read_of(self, call: Call, caller: Caller) -> Callable[[], Generator[Call, Any, Any]]:
        """A read that makes one call, or raises why the caller may not."""
        path, args = call
        refusal: FunctionNotFoundError | None = None
        try:
            path = self._find(path, "query", caller)
        except FunctionNotFoundError as error:
            refusal = error

        def read() -> Generator[Call, Any, Any]:
            nonlocal args
            if refusal is not None:
                raise refusal
            value = yield path, args
            args = pinned(args, journal_of(value))
            return value

        return read

    def _find(self, path: str, kind: Kind, caller: Caller) -> str:
        """The function's path without the prefix. Raises `FunctionNotFoundError`."""
        if not path.startswith(self.prefix):
            raise FunctionNotFoundError(f"there is no function {path!r}", path=path)
        try:
            found = path.removeprefix(self.prefix)
            registry.find(found, kind, internal=caller.operator)
        except FunctionNotFoundError as error:
            raise FunctionNotFoundError(error.message, **{**error.data, "path": path}) from None
        return found


class _Source:
    """The feed as the hub sees it."""

    def __init__(
        self,
        feed: Feed,
        read_of: Callable[[Call, Caller], Callable[[], Generator[Call, Any, Any]]],
    ) -> None:
        self._read_of = read_of
        self._feed = feed
        self.drop = feed.drop
        self.ask = feed.ask

    def watch(self, calls: Iterable[tuple[int, Call, Caller]]) -> int:
        """Watch calls, each as its caller."""
        return self._feed.watch(
            (number, self._read_of(call, caller), _principal(caller))
            for number, call, caller in calls
        )


def _principal(caller: Caller) -> Principal | None:
    if caller.service:
        return SERVICE
    return None if caller.resource_id is None else Principal(caller.resource_id)
