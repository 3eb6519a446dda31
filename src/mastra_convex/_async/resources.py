"""Resources and their working memory (interface, section 3.11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex.models import Resource
from mastra_convex.reads import resources as reads
from mastra_convex.updates import record_change, working_memory_change


class AsyncResources(AsyncStorageBase):
    """The operations on resources."""

    async def get_resource_by_id(self, resource_id: str) -> Resource | None:
        """The resource, or None."""
        read = reads.resource(resource_id)
        return cast("Resource | None", await self._run("get_resource_by_id", read))

    async def save_resource(self, resource: Resource | Mapping[str, Any]) -> Resource:
        """Save a resource by its id, replacing what was saved; `created_at` stays.

        Returns the resource as it is stored. Raises `InvalidArgumentError`.
        """
        saved = await self._mutate(
            "save_resource", "resources:save", lambda: {"resource": Resource.encode(resource)}
        )
        return Resource.of(saved)

    async def update_resource(
        self,
        resource_id: str,
        working_memory: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Resource:
        """Change working memory and metadata; what is left out stays, a missing one is created.

        `metadata` is laid over the old, member by member. Returns the resource as it is stored.
        """
        changed = await self._mutate(
            "update_resource",
            "resources:update",
            lambda: record_change(
                Resource, resource_id, workingMemory=working_memory, metadata=metadata
            ),
        )
        return Resource.of(changed)

    async def update_working_memory(
        self, resource_id: str, update: Callable[[str | None], str | None]
    ) -> Resource | None:
        """Change working memory by what it is: `update` is given the text, and returns the new one.

        It is given None if there is none. What it returns is written only if nobody has changed the
        working memory meanwhile; otherwise it is called again with what is there then. So nothing
        is lost, whoever else writes, here or in another process. None from it leaves everything as
        it is. Returns the resource, which is created if it is missing; or None if it was left
        missing. Raises `ConflictError` if others have been faster for half a minute.
        """
        changed = await self._change(
            "update_working_memory",
            partial(reads.resource, resource_id),
            "resources:update",
            partial(working_memory_change, resource_id, update),
        )
        return Resource.of(changed) if isinstance(changed, dict) else changed
