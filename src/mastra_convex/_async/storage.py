"""The storage: one flat class over a backend."""

from __future__ import annotations

import os
from collections.abc import Callable

from mastra_convex._async.arrivals import AsyncArrivals
from mastra_convex._async.background_tasks import AsyncBackgroundTasks
from mastra_convex._async.channels import AsyncChannels
from mastra_convex._async.copies import AsyncCopies
from mastra_convex._async.discovery import AsyncDiscovery
from mastra_convex._async.evals import AsyncEvals
from mastra_convex._async.feedback import AsyncFeedbackRecords
from mastra_convex._async.logs import AsyncLogs
from mastra_convex._async.message_lists import AsyncMessageLists
from mastra_convex._async.messages import AsyncMessages
from mastra_convex._async.metrics import AsyncMetrics
from mastra_convex._async.observational_memory import AsyncObservations
from mastra_convex._async.resources import AsyncResources
from mastra_convex._async.schedules import AsyncSchedules
from mastra_convex._async.score_events import AsyncScoreEvents
from mastra_convex._async.scores import AsyncScores
from mastra_convex._async.spans import AsyncSpans
from mastra_convex._async.system import AsyncSystem
from mastra_convex._async.threads import AsyncThreads
from mastra_convex._async.trace_lists import AsyncTraceLists
from mastra_convex._async.traces import AsyncTraces
from mastra_convex._async.workflow_runs import AsyncWorkflowRuns
from mastra_convex.backends import Options, open_async_backend
from mastra_convex.backends.base import AsyncBackend
from mastra_convex.backends.credentials import Credentials
from mastra_convex.domains import require_domain
from mastra_convex.errors import ConvexStorageError


class AsyncConvexStorage(
    AsyncThreads,
    AsyncCopies,
    AsyncMessages,
    AsyncMessageLists,
    AsyncResources,
    AsyncObservations,
    AsyncTraces,
    AsyncSpans,
    AsyncTraceLists,
    AsyncLogs,
    AsyncMetrics,
    AsyncScoreEvents,
    AsyncFeedbackRecords,
    AsyncDiscovery,
    AsyncEvals,
    AsyncWorkflowRuns,
    AsyncScores,
    AsyncSchedules,
    AsyncBackgroundTasks,
    AsyncChannels,
    AsyncArrivals,
    AsyncSystem,
):
    """Convex storage for what agents leave behind; everything in it can be subscribed to.

    `target` is the path of a SQLite file, which is created if it is missing, or ":memory:", or the
    address of a Convex deployment or of `mastra-convex dev`; left out, it is CONVEX_URL from the
    environment, or `mastra-convex.db` here.

    For an address: `key` is the signing key, or MASTRA_CONVEX_KEY from the environment; or `token`
    is a token, or a function that gives one, and is called in a thread whenever a new one is
    needed. `prefix` is the sub-folder of `convex/` with the functions. Every call ends within
    `timeout` seconds.

    For a file: when a save returns, it is on the disk; `durability="relaxed"` gives that up for
    speed: after a power cut the last saves may be missing, never half there.

    `backend` replaces the target, for tests. Close the storage with `aclose`, or use it as a
    context manager; a program that forgets to still exits with nothing lost. Errors are
    `ConvexStorageError` and its kin.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | None = None,
        *,
        key: str | None = None,
        token: str | Callable[[], str] | None = None,
        prefix: str = "",
        timeout: float = 30.0,
        durability: str = "full",
        backend: AsyncBackend | None = None,
    ) -> None:
        self._credentials = Credentials(key, token)
        options = Options(self._credentials, prefix, timeout, durability)
        self._backend = backend or open_async_backend(target, options)

    def token_for(self, resource_id: str, ttl: float = 600.0) -> str:
        """A token with which a browser, say, acts for one resource, for `ttl` seconds.

        Whoever has it sees and changes what belongs to `resource_id`, and nothing else. Raises
        `UnauthenticatedError` when there is no key to sign it with.
        """
        try:
            return self._credentials.resource_token(resource_id, ttl)
        except ConvexStorageError as error:
            error.operation = "token_for"
            raise

    def get_store(self, domain: str) -> AsyncConvexStorage:
        """The storage itself, which has the methods of every domain of Mastra's that it supports.

        Raises `UnsupportedDomainError`, which names the domain, for any other.
        """
        try:
            require_domain(domain)
        except ConvexStorageError as error:
            error.operation = "get_store"
            raise
        return self

    async def aclose(self) -> None:
        """Close the storage; its subscriptions end. Calling it again does nothing."""
        await self._backend.close()

    async def __aenter__(self) -> AsyncConvexStorage:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()
