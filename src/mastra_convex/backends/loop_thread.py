"""An event loop in a thread of its own, which does the waiting for callers of either colour.

One loop for both faces: a deadline ends a call whatever it waits for, no loop of the user's is ever
blocked, and the storage may be used from several. The thread is started with the first call, and
keeps no program alive.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from mastra_convex.errors import StorageClosedError

T = TypeVar("T")

# How long to wait, when closing, for what is cancelled to end.
_STOP_SECONDS = 5.0


class LoopThread:
    """The loop. `what` names its owner in errors, `closing` runs there when it is stopped."""

    def __init__(self, what: str, closing: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._what = what
        self._closing = closing
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._stopped = False

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine there. Raises `StorageClosedError` once stopped, and after a fork."""
        try:
            with self._running() as loop:
                return asyncio.run_coroutine_threadsafe(work, loop)
        except StorageClosedError:
            work.close()
            raise

    def call_soon(self, work: Callable[..., object], *args: Any) -> None:
        """Call something there, soon; raises as `submit`."""
        with self._running() as loop:
            loop.call_soon_threadsafe(work, *args)

    def call_soon_if_running(self, work: Callable[..., object], *args: Any) -> None:
        """The same, and nothing when there is no loop (any more)."""
        loop = self._loop
        if loop is not None and os.getpid() == self._pid:
            with suppress(RuntimeError):  # It has ended at this moment.
                loop.call_soon_threadsafe(work, *args)

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped

    def stop(self) -> None:
        """Cancel what runs there and end the thread. Calling it again does nothing."""
        if self._loop is not None and os.getpid() != self._pid:
            return  # It is in another process, and so may be who has the lock.
        with self._lock:
            self._stopped = True
            loop, self._loop = self._loop, None
        if loop is None:
            return
        with suppress(RuntimeError):  # The loop may have ended by itself, with the program.
            loop.call_soon_threadsafe(loop.stop)
        if self._thread is not threading.current_thread() and self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def closed(self) -> StorageClosedError:
        """The error of a call that comes too late, or was under way."""
        return StorageClosedError(f"{self._what} was closed; open a new storage")

    @contextmanager
    def _running(self) -> Iterator[asyncio.AbstractEventLoop]:
        """The loop. It is not stopped meanwhile: what it were given then, it would never do."""
        if self._loop is not None and os.getpid() != self._pid:
            raise StorageClosedError(
                f"{self._what} was opened in another process; open a new storage after a fork"
            )
        with self._lock:
            if self._stopped:
                raise self.closed()
            if self._loop is None:
                self._pid = os.getpid()
                self._loop = _Loop()
                self._thread = threading.Thread(
                    target=self._serve, args=(self._loop,), name="mastra-convex-remote", daemon=True
                )
                self._thread.start()
            yield self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(self._closing())
        loop.close()


class _Loop(asyncio.SelectorEventLoop):
    """Names are looked up in threads that keep no program alive; an executor's would."""

    async def getaddrinfo(  # type: ignore[override]
        self,
        host: str,
        port: int,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As every loop's."""
        return await in_thread(lambda: socket.getaddrinfo(host, port, family, type, proto, flags))


async def in_thread(work: Callable[[], T], discard: Callable[[T], object] = id) -> T:
    """The result of something that blocks, run in a thread that keeps no program alive.

    An executor's threads would: the interpreter waits for them when it ends. A result that nobody
    waits for any more is given to `discard`.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]
        elif error is None:
            discard(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # The loop was closed meanwhile.
            if error is None:
                discard(result)  # type: ignore[arg-type]

    threading.Thread(target=run, name="mastra-convex-wait", daemon=True).start()
    return await future
