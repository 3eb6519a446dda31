"""Discovery: what there is to filter spans, logs and metrics by."""

from __future__ import annotations

from typing import cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex.reads import discovery

# Under Mastra's names. `delta-polling` is not among them: it stands for all of the domain's lists,
# and logs, metrics, scores and feedback have pages alone.
_FEATURES = (
    "metrics",
    "logs",
    "entity-type-discovery",
    "entity-name-discovery",
    "service-name-discovery",
    "environment-discovery",
    "tag-discovery",
    "metric-discovery",
    "feedback",
)


class AsyncDiscovery(AsyncStorageBase):
    """What spans, logs and metrics have had until their tables are cleared: each once, in order."""

    def get_features(self) -> list[str]:
        """The optional features of Mastra's observability that are here, under Mastra's names."""
        return list(_FEATURES)

    async def get_entity_types(self) -> list[str]:
        """The types of entities."""
        read = discovery.entity_types()
        return cast("list[str]", await self._run("get_entity_types", read))

    async def get_entity_names(self, entity_type: str | None = None) -> list[str]:
        """The names of entities, of a type or of all."""
        read = discovery.entity_names(entity_type)
        return cast("list[str]", await self._run("get_entity_names", read))

    async def get_service_names(self) -> list[str]:
        """The names of services."""
        read = discovery.service_names()
        return cast("list[str]", await self._run("get_service_names", read))

    async def get_environments(self) -> list[str]:
        """The environments."""
        read = discovery.environments()
        return cast("list[str]", await self._run("get_environments", read))

    async def get_tags(self, entity_type: str | None = None) -> list[str]:
        """The tags of what a type of entity has done, or of all."""
        read = discovery.tags(entity_type)
        return cast("list[str]", await self._run("get_tags", read))
