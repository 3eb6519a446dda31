"""What is in the store, and clearing it."""

from __future__ import annotations

from typing import cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex.models import TableStatistics
from mastra_convex.reads import system as reads


class AsyncSystem(AsyncStorageBase):
    """The operations on the store as a whole."""

    async def get_statistics(self) -> list[TableStatistics]:
        """Records and bytes of each table: kept with every write, not counted."""
        return cast("list[TableStatistics]", await self._run("get_statistics", reads.statistics()))

    async def clear_table(self, table: str) -> None:
        """Delete every record of a table; threads take their messages along.

        `table` is one of threads, messages, resources, traces, evals, workflowRuns. Raises
        `InvalidArgumentError` for another.
        """
        await self._mutate("clear_table", "system:clear", lambda: {"table": table})

    async def get_format_version(self) -> int:
        """The number of the format in which the records are stored."""
        return cast("int", await self._run("get_format_version", reads.format_version()))
