"""What the entities' methods share: running a read, a mutation, a subscription."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from mastra_convex._async.subscription import AsyncWatch, start_callback
from mastra_convex._pauses import async_sleep, pauses
from mastra_convex.backends.base import AsyncBackend, Read, Unsubscribe
from mastra_convex.errors import ConflictError, ConvexStorageError, NotFoundError

T = TypeVar("T")


class AsyncStorageBase:
    """A storage over a backend."""

    _backend: AsyncBackend

    async def _run(self, operation: str, read: Read) -> Any:
        """The value of a read; its errors name the operation."""
        try:
            call = next(read)
            while True:
                call = read.send(await self._backend.query(*call))
        except StopIteration as stop:
            return stop.value
        except ConvexStorageError as error:
            error.operation = operation
            raise
        finally:
            read.close()

    async def _mutate(self, operation: str, path: str, make: Callable[[], dict[str, Any]]) -> Any:
        """The result of a mutation whose arguments `make` gives; its errors name the operation."""
        try:
            return await self._backend.mutation(path, make())
        except ConvexStorageError as error:
            error.operation = operation
            raise

    def _made(
        self, operation: str, make: Callable[[], list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """The arguments of several calls; an error in making them names the operation."""
        try:
            return make()
        except ConvexStorageError as error:
            error.operation = operation
            raise

    async def _in_batches(
        self, operation: str, path: str, make: Callable[[], list[dict[str, Any]]]
    ) -> None:
        """Run one mutation after another; what is wrong with any is raised before the first."""
        for batch in self._made(operation, make):
            await self._mutate(operation, path, partial(dict, batch))

    async def _change(
        self,
        operation: str,
        read: Callable[[], Read],
        path: str,
        make: Callable[[Any], dict[str, Any] | None],
    ) -> Any:
        """Read, and change what was read: a mutation that is refused once somebody was faster.

        `make` gives its arguments for what was read, with what it expects to find unchanged; or
        None to leave it. Returns the mutation's result, or what was read if it was left. Raises
        `ConflictError` if others have been faster for half a minute.
        """
        missed: ConvexStorageError | None = None
        for pause in pauses():
            found = await self._run(operation, read())
            try:
                args = make(found)
            except ConvexStorageError as error:
                error.operation = operation
                raise
            if args is None:
                return found
            try:
                return await self._mutate(operation, path, partial(dict, args))
            except (ConflictError, NotFoundError) as error:
                missed = error
            await async_sleep(pause)
        assert missed is not None
        raise missed

    def _watch(self, operation: str, read: Callable[[], Read]) -> AsyncWatch[Any]:
        """The values of a read. What is wrong with its arguments is raised here and now."""
        trial = read()
        try:
            next(trial, None)
        except ConvexStorageError as error:
            error.operation = operation
            raise
        finally:
            trial.close()
        return AsyncWatch(self._backend, read)

    def _subscribe(
        self, operation: str, read: Callable[[], Read], callback: Callable[[Any], Any]
    ) -> Unsubscribe:
        return start_callback(self._watch(operation, read), callback, operation)
