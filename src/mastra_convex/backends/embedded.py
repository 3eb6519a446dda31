"""The engine and the functions in this process. The principal is the service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from mastra_convex.backends.base import Args, Deliver, Read, Unsubscribe
from mastra_convex.engine.commit import Job
from mastra_convex.engine.context import SERVICE, Principal
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.requests import RequestKey
from mastra_convex.errors import StorageClosedError
from mastra_convex.functions import registry, schema

# Readers beyond the number of cores only wait for one another; the interpreter's lock sees to it.
_READERS = 4
T = TypeVar("T")


class EmbeddedBackend:
    """The blocking backend: calls run in the caller's thread."""

    def __init__(self, path: str, *, durable: bool = True, strict: bool = False) -> None:
        self._engine = Engine(path, schema, registry, durable=durable, strict=strict)

    def query(self, path: str, args: Args) -> Any:
        """See `Backend.query`."""
        return self._engine.query(path, args, SERVICE)

    def mutation(self, path: str, args: Args) -> Any:
        """See `Backend.mutation`."""
        return self._engine.mutation(path, args, SERVICE)

    def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """See `Backend.subscribe`."""
        return self._engine.subscribe(read, deliver, SERVICE)

    def close(self) -> None:
        """See `Backend.close`."""
        self._engine.close()


class AsyncEmbeddedBackend:
    """The `async` backend. The file is opened with the first call."""

    def __init__(self, path: str, *, durable: bool = True, strict: bool = False) -> None:
        self._calls = AsyncEngine(path, durable=durable, strict=strict)

    async def query(self, path: str, args: Args) -> Any:
        """See `AsyncBackend.query`."""
        engine = await self._calls.engine()
        return await self._calls.read(engine.query, path, args, SERVICE)

    async def mutation(self, path: str, args: Args) -> Any:
        """See `AsyncBackend.mutation`.

        A call that is cancelled may still have happened: its turn can have come before.
        """
        calls = self._calls
        if not calls.is_open:
            await calls.engine()
        return (await calls.submit(path, args, SERVICE)).value

    async def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """See `AsyncBackend.subscribe`."""
        return (await self._calls.engine()).subscribe(read, deliver, SERVICE)

    async def close(self) -> None:
        """See `AsyncBackend.close`."""
        await self._calls.close()


class AsyncEngine:
    """An engine with our functions, for event loops: they never wait for the disk.

    Queries run on reader threads. Mutations that one turn of the loop makes go to the commit
    thread together, and so share a transaction. The file is opened with the first call.
    """

    def __init__(self, path: str, *, durable: bool, strict: bool = False) -> None:
        self._path = path
        self._options = {"durable": durable, "strict": strict}
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="mastra-convex-read")
        self._engine: Engine | None = None
        # Of no loop: the storage may outlive the one that opened it.
        self._opening: Future[Engine] | None = None
        self._outbox: deque[Job] = deque()
        # The loop that will empty it soon. One that ends before it has is not waited for.
        self._flushing: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether the file has been opened."""
        return self._engine is not None

    async def engine(self) -> Engine:
        """The engine, opened if need be. Raises `StorageClosedError` after `close`."""
        if self._closed:
            raise StorageClosedError(f"{self._path} was closed; open a new storage")
        if self._engine is not None:
            return self._engine
        opening = self._opening
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = self._opening = self._readers.submit(self._open)
        # Shielded: a caller that gives up must not take the file away from the others.
        return await asyncio.shield(asyncio.wrap_future(opening))

    async def read(self, run: Callable[..., T], *args: Any) -> T:
        """Run something on a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, *args)

    def submit(
        self, path: str, args: Args, principal: Principal | None, request: RequestKey | None = None
    ) -> asyncio.Future[Job]:
        """Run a mutation, after those given before; the future is done when it is durable.

        The file must be open. Raises at once what is wrong with the call; the future raises what
        the function does.
        """
        if self._engine is None or self._closed:
            was = "was closed" if self._closed else "is not open yet"
            raise StorageClosedError(f"{self._path} {was}; open a new storage")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Job] = loop.create_future()
        self._outbox.append(self._engine.prepare(path, args, principal, _settle, waiter, request))
        if self._flushing is not loop:
            self._flushing = loop
            loop.call_soon(self._flush, self._engine)
        return waiter

    async def close(self) -> None:
        """Commit what was given, and close the file. Again: does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._opening is not None:
            await asyncio.wait([asyncio.wrap_future(self._opening)])
        if self._engine is not None:
            await self.read(self._engine.close)
        self._readers.shutdown(wait=False)

    def _flush(self, engine: Engine) -> None:
        self._flushing = None
        jobs = []
        with suppress(IndexError):
            while True:
                jobs.append(self._outbox.popleft())
        engine.enqueue(jobs)

    def _open(self) -> Engine:
        engine = Engine(self._path, schema, registry, **self._options)
        self._engine = engine
        return engine


def _settle(jobs: Sequence[Job]) -> None:
    """Hand a group's outcomes to the loops that wait for them, one call for each loop.

    What was handed over before is left alone.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if (waiter := job.waiter) is not None:
            by_loop.setdefault(waiter.get_loop(), []).append(job)
    for loop, settled in by_loop.items():
        # A loop that was closed meanwhile has nobody left who could be told.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, settled)


def _resolve(jobs: Sequence[Job]) -> None:
    for job in jobs:
        # Its result will hold the job. If the job held it too, both would stay, with all that was
        # saved, until somebody looks for cycles.
        waiter, job.waiter = job.waiter, None
        if waiter is not None and not waiter.done():
            if job.error is not None:
                waiter.set_exception(job.error)
            else:
                waiter.set_result(job)
