"""Live values: an iterator of them, or a callback that is called with each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from inspect import isawaitable
from typing import Any, Generic, TypeVar

from mastra_convex._mailbox import AsyncMailbox, async_spawn
from mastra_convex._pauses import async_sleep
from mastra_convex.backends.base import AsyncBackend, Read, Unsubscribe
from mastra_convex.errors import StorageClosedError

T = TypeVar("T")
logger = logging.getLogger("mastra_convex")

# How long a callback's loop leaves alone what could not be read.
_RETRY_SECONDS = 1.0


class AsyncWatch(Generic[T]):
    """The values of a live query: the present one first, then each change.

    Iterate over it, and leave it as a context manager or with `aclose`. A reader that is slow
    skips values in between; the last one always comes. Iteration ends when the storage is closed.
    Errors of the query are raised; iteration may go on after them.
    """

    def __init__(self, backend: AsyncBackend, read: Callable[[], Read]) -> None:
        self._backend = backend
        self._read = read
        self._mailbox: AsyncMailbox | None = None
        self._unsubscribe: Unsubscribe | None = None
        self._closed = False

    def __aiter__(self) -> AsyncWatch[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.next()
        except StorageClosedError:
            raise StopAsyncIteration from None

    async def next(self, timeout: float | None = None) -> T:
        """The next value.

        Raises `TimeoutError` when there is none within `timeout` seconds, and
        `StorageClosedError` when there will be none.
        """
        if self._mailbox is None and not self._closed:
            await self._start()
        outcome = None
        if not self._closed and self._mailbox is not None:
            outcome = await self._mailbox.take(timeout)
        if outcome is None:
            raise StorageClosedError("this subscription has ended; subscribe again")
        if outcome.error is not None:
            if isinstance(outcome.error, StorageClosedError):
                await self.aclose()
            raise outcome.to_raise()
        value: T = outcome.value
        return value

    async def _start(self) -> None:
        mailbox = AsyncMailbox()
        self._unsubscribe = await self._backend.subscribe(self._read, mailbox.put)
        self._mailbox = mailbox
        if self._closed:  # while it was subscribing, when there was nothing to stop yet
            self.stop()

    async def aclose(self) -> None:
        """End the subscription. Calling it again does nothing."""
        self.stop()

    def stop(self) -> None:
        """End the subscription, from any thread; whoever waits for a value is woken."""
        self._closed = True
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._mailbox is not None:
            self._mailbox.close()

    async def __aenter__(self) -> AsyncWatch[T]:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()


def start_callback(
    watch: AsyncWatch[Any], callback: Callable[[Any], Any], name: str
) -> Unsubscribe:
    """Call `callback` with each value of `watch`, one at a time; returns how to stop that.

    A callback that raises is logged and called again with the next value.
    """

    async def work() -> None:
        try:
            await tell()
        finally:
            watch.stop()  # The loop may have ended, and the task with it.

    async def tell() -> None:
        while True:
            try:
                value = await watch.next()
            except StorageClosedError:
                return
            except Exception:
                logger.exception("%s: the value could not be read", name)
                await async_sleep(_RETRY_SECONDS)
                continue
            try:
                result = callback(value)  # sync: callback(value)
                if isawaitable(result):  # async-only
                    await result  # async-only
            except Exception:
                logger.exception("%s: the subscriber raised", name)

    async_spawn(work, f"mastra-convex {name}")
    return watch.stop
