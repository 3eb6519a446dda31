"""Both faces of the storage behind one: the async face, driven by blocking calls.

A test is written once, against `ConvexStorage`; for the async face it gets an `AsyncDriver`, which
runs each call on an event loop in a thread of its own.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, cast

from mastra_convex import AsyncConvexStorage, AsyncWatch, ConvexStorage

# No call of a test takes longer, unless something hangs.
SECONDS = 30.0


class LoopThread:
    """An event loop that runs in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine there, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SECONDS)

    def close(self) -> None:
        """Stop the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SECONDS)
        self.loop.close()


class AsyncDriver:
    """`AsyncConvexStorage`, looking like `ConvexStorage`."""

    def __init__(self, storage: AsyncConvexStorage, loop: LoopThread) -> None:
        self.storage = storage
        self.loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.storage, name)

        def call(*args: Any, **keywords: Any) -> Any:
            async def work() -> Any:
                result = method(*args, **keywords)
                return await result if isawaitable(result) else result

            result = self.loop.run(work())
            return WatchDriver(result, self.loop) if isinstance(result, AsyncWatch) else result

        return call

    def close(self) -> None:
        self.loop.run(self.storage.aclose())

    def __enter__(self) -> "AsyncDriver":
        self.loop.run(self.storage.__aenter__())
        return self

    def __exit__(self, *exception: object) -> None:
        self.loop.run(self.storage.__aexit__(*exception))


class WatchDriver:
    """`AsyncWatch`, looking like `Watch`."""

    def __init__(self, watch: AsyncWatch[Any], loop: LoopThread) -> None:
        self._watch = watch
        self._loop = loop

    def next(self, timeout: float | None = None) -> Any:
        return self._loop.run(self._watch.next(timeout))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._loop.run(self._watch.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        self._loop.run(self._watch.aclose())

    def __enter__(self) -> "WatchDriver":
        self._loop.run(self._watch.__aenter__())
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.run(self._watch.__aexit__(*exception))


def blocking(target: str, _loop: LoopThread) -> ConvexStorage:
    """The blocking face of a target."""
    return ConvexStorage(target)


def asynchronous(target: str, loop: LoopThread) -> ConvexStorage:
    """The async face of a target, behind blocking calls."""

    async def make() -> AsyncConvexStorage:
        return AsyncConvexStorage(target)

    return cast("ConvexStorage", AsyncDriver(loop.run(make()), loop))


FACES = {"blocking": blocking, "async": asynchronous}


@dataclass
class Place:
    """One target, and the storages opened on it with one face."""

    target: str
    face: str
    loop: LoopThread
    opened: list[ConvexStorage] = field(default_factory=list)

    def open(self) -> ConvexStorage:
        """One more storage; it is closed at the end of the test."""
        self.opened.append(FACES[self.face](self.target, self.loop))
        return self.opened[-1]


@contextmanager
def stuck_callback(storage: ConvexStorage) -> Iterator[tuple[Callable[[Any], Any], list[Any]]]:
    """A callback that gets stuck with its first value, and the values that it was called with.

    It blocks its thread, or awaits what never comes, as the face of the storage has it.
    """
    got: list[Any] = []
    driver: object = storage
    if not isinstance(driver, AsyncDriver):
        done = threading.Event()

        def block(value: Any) -> None:
            got.append(value)
            done.wait(SECONDS)

        try:
            yield block, got
        finally:
            done.set()
    else:
        loop = driver.loop.loop
        future: asyncio.Future[None] = loop.create_future()

        async def hang(value: Any) -> None:
            got.append(value)
            await future

        try:
            yield hang, got
        finally:
            loop.call_soon_threadsafe(future.set_result, None)
