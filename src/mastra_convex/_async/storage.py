"""The storage: one flat class over a backend."""

from __future__ import annotations

import os

from mastra_convex._async.arrivals import AsyncArrivals
from mastra_convex._async.copies import AsyncCopies
from mastra_convex._async.evals import AsyncEvals
from mastra_convex._async.messages import AsyncMessages
from mastra_convex._async.resources import AsyncResources
from mastra_convex._async.spans import AsyncSpans
from mastra_convex._async.system import AsyncSystem
from mastra_convex._async.threads import AsyncThreads
from mastra_convex._async.traces import AsyncTraces
from mastra_convex._async.workflow_runs import AsyncWorkflowRuns
from mastra_convex.backends import open_async_backend
from mastra_convex.backends.base import AsyncBackend


class AsyncConvexStorage(
    AsyncThreads,
    AsyncCopies,
    AsyncMessages,
    AsyncResources,
    AsyncTraces,
    AsyncSpans,
    AsyncEvals,
    AsyncWorkflowRuns,
    AsyncArrivals,
    AsyncSystem,
):
    """Convex storage for what agents leave behind; everything in it can be subscribed to.

    `target` is the path of a SQLite file, which is created if it is missing, or ":memory:"; left
    out, it is CONVEX_URL from the environment, or `mastra-convex.db` here. When a save returns, it
    is on the disk; `durability="relaxed"` gives that up for speed: after a power cut the last
    saves may be missing, never half there. `backend` replaces the target, for tests.

    Close it with `aclose`, or use it as a context manager; a program that forgets to still exits
    with nothing lost. Errors are `ConvexStorageError` and its kin.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | None = None,
        *,
        durability: str = "full",
        backend: AsyncBackend | None = None,
    ) -> None:
        self._backend = backend or open_async_backend(target, durability)

    async def aclose(self) -> None:
        """Close the storage; its subscriptions end. Calling it again does nothing."""
        await self._backend.close()

    async def __aenter__(self) -> AsyncConvexStorage:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()
