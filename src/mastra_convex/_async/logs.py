"""Logs: what agents have said, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models_signals import Log, LogPage
from mastra_convex.reads import signals as reads
from mastra_convex.reads.deltas import Wanted
from mastra_convex.updates_signals import signal_batches


class AsyncLogs(AsyncStorageBase):
    """The operations on logs."""

    async def batch_create_logs(self, logs: Iterable[Log | Mapping[str, Any]]) -> None:
        """Save any number of logs by their ids, in their order; one that is there is replaced.

        They go in transactions of at most 500, and about 4 MiB. If one fails, those before it are
        saved, and the call may be repeated as a whole. Raises `InvalidArgumentError`,
        `InvalidPayloadError`, before anything is saved.
        """
        make = partial(signal_batches, Log, "logs", "logs", logs)
        await self._in_batches("batch_create_logs", "logs:save", make)

    async def list_logs(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
        mode: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> LogPage:
        """A page of logs, newest first, that meet all of the filters.

        One filter is read from its index, the others are compared on the way, and so the total is
        counted; without filters it is kept. With `mode="delta"` it is what came in `after` a
        `delta_cursor`, at most `limit`, oldest first; without one, the cursor to begin with.
        Raises `InvalidArgumentError`.
        """
        paging = (filters, None, order_by, page, per_page, include_total)
        read = reads.logs(Wanted(*paging, mode, after, limit))
        return cast("LogPage", await self._run("list_logs", read))

    def watch_logs(
        self, filters: Mapping[str, Any] | None = None, last: int = 100
    ) -> AsyncWatch[list[Log]]:
        """The newest logs that meet the filters, newest first, now and after each change."""
        read = partial(reads.newest, reads.LOGS, filters, last)
        return self._watch("watch_logs", read)

    def subscribe_to_logs(
        self,
        callback: Callable[[list[Log]], Any],
        filters: Mapping[str, Any] | None = None,
        last: int = 100,
    ) -> Unsubscribe:
        """Call `callback` with the newest logs now and on change; returns how to stop."""
        read = partial(reads.newest, reads.LOGS, filters, last)
        return self._subscribe("subscribe_to_logs", read, callback)
