"""A deployment, or our server, at an address: calls over HTTP, subscriptions over a WebSocket.

Both faces do their work on one thread with an event loop (`loop_thread.py`), which is started when
it is needed.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import time
import weakref
from collections.abc import Callable
from typing import Any

from mastra_convex.backends.attempts import Functions, Kind
from mastra_convex.backends.base import Args, Deliver, Read, Unsubscribe
from mastra_convex.backends.calls import Calls, address_of
from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.loop_thread import LoopThread
from mastra_convex.backends.subscriptions import Subscriptions
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.protocol.live_reads import LiveRead


class _Remote:
    """What both colours share. Nothing is connected before the first call."""

    def __init__(self, url: str, prefix: str, credentials: Credentials, timeout: float) -> None:
        if not timeout > 0:
            raise InvalidArgumentError(f"timeout is a number of seconds above 0, not {timeout!r}")
        url = address_of(url)
        credentials.require()
        folder = prefix.strip("/")
        functions = Functions(url, f"{folder}/" if folder else "", timeout, time.monotonic)
        self._calls = Calls(functions, credentials)
        self._subscriptions: Subscriptions | None = None
        self._thread = LoopThread(url, self._end)
        _OPEN.add(self)

    def _subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        live = LiveRead(read, deliver)
        self._thread.call_soon(self._add, live)

        def unsubscribe() -> None:
            if live.active:
                live.active = False
                self._thread.call_soon_if_running(self._remove, live)

        return unsubscribe

    def _add(self, live: LiveRead) -> None:
        if self._subscriptions is None:
            self._subscriptions = Subscriptions(self._calls)
        self._subscriptions.add(live)

    def _remove(self, live: LiveRead) -> None:
        if self._subscriptions is not None:
            self._subscriptions.remove(live)

    async def _end(self) -> None:
        if self._subscriptions is not None:
            self._subscriptions.end(self._thread.closed())
        await self._calls.close()

    def _stop(self) -> None:
        """Close, and wait for it."""
        _OPEN.discard(self)
        self._thread.stop()


class RemoteBackend(_Remote):
    """The blocking backend."""

    def query(self, path: str, args: Args) -> Any:
        """See `Backend.query`."""
        return self._call("query", path, args)

    def mutation(self, path: str, args: Args) -> Any:
        """See `Backend.mutation`."""
        return self._call("mutation", path, args)

    def _call(self, kind: Kind, path: str, args: Args) -> Any:
        future = self._thread.submit(self._calls.call(kind, path, args))
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise self._thread.closed() from None
        finally:
            future.cancel()  # Whoever was interrupted does not want it any more.

    def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """See `Backend.subscribe`."""
        return self._subscribe(read, deliver)

    def close(self) -> None:
        """See `Backend.close`. Calls that are under way raise `StorageClosedError`."""
        self._stop()


class AsyncRemoteBackend(_Remote):
    """The `async` backend; it may be used from several loops."""

    async def query(self, path: str, args: Args) -> Any:
        """See `AsyncBackend.query`."""
        return await self._call("query", path, args)

    async def mutation(self, path: str, args: Args) -> Any:
        """See `AsyncBackend.mutation`.

        A call that is cancelled may still have happened.
        """
        return await self._call("mutation", path, args)

    async def _call(self, kind: Kind, path: str, args: Args) -> Any:
        future = self._thread.submit(self._calls.call(kind, path, args))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._thread.stopped:
                raise self._thread.closed() from None
            raise

    async def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """See `AsyncBackend.subscribe`."""
        return self._subscribe(read, deliver)

    async def close(self) -> None:
        """See `AsyncBackend.close`. Calls that are under way raise `StorageClosedError`."""
        await asyncio.get_running_loop().run_in_executor(None, self._stop)


# Closed when the interpreter ends, so that no thread is caught in the middle of something.
_OPEN: weakref.WeakSet[_Remote] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for backend in list(_OPEN):
        backend._stop()
