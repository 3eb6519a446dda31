"""Traces: one document a trace with its spans inside, or the row of one span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import Trace, TracePage
from mastra_convex.reads import traces as reads
from mastra_convex.updates import trace_save


class AsyncTraces(AsyncStorageBase):
    """The operations on traces."""

    async def save_trace(self, trace: Trace | Mapping[str, Any]) -> Trace:
        """Save a trace by its id, replacing what was saved.

        Lists are in the order of `timestamp`; where it is left out, it is `createdAt`, or now. What
        among its `spans` is a span in Mastra's form is saved as such, too. Returns the trace as it
        is stored. Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        make = partial(trace_save, trace)
        return Trace.of(await self._mutate("save_trace", "traces:save", make))

    async def get_trace(self, trace_id: str) -> Trace | None:
        """The trace, or None."""
        return cast("Trace | None", await self._run("get_trace", reads.trace(trace_id)))

    async def get_traces(
        self,
        *,
        thread_id: str | None = None,
        run_id: str | None = None,
        name: str | None = None,
        scope: str | None = None,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
    ) -> TracePage:
        """A page of traces, newest first, that meet all of the criteria given.

        `name` is the beginning of a name; the dates are inclusive bounds of `timestamp` (aware
        datetimes, milliseconds, ISO 8601). One criterion is read from its index with its total;
        more of them, or dates with a total, walk the narrowest range.
        Raises `InvalidArgumentError`.
        """
        read = reads.traces(
            thread_id, run_id, name, scope, from_date, to_date, page, per_page, include_total
        )
        return cast("TracePage", await self._run("get_traces", read))

    def watch_trace(self, trace_id: str) -> AsyncWatch[Trace | None]:
        """The trace now, then after each change; None while there is none."""
        return self._watch("watch_trace", partial(reads.trace, trace_id))

    def subscribe_to_trace(
        self, trace_id: str, callback: Callable[[Trace | None], Any]
    ) -> Unsubscribe:
        """Call `callback` with the trace now and after each change; returns how to stop."""
        return self._subscribe("subscribe_to_trace", partial(reads.trace, trace_id), callback)
