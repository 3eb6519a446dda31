"""Lists of traces and of branches, and what joins traces to messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import Message
from mastra_convex.reads import trace_lists as reads
from mastra_convex.reads.deltas import Wanted
from mastra_convex.span import BranchPage, LightSpan, LightSpanPage, SpanPage


class AsyncTraceLists(AsyncStorageBase):
    """The lists of traces and branches."""

    async def list_traces(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
        mode: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> SpanPage:
        """A page of traces, each as its root span, newest first, that meet all of the filters.

        `order_by` is by `startedAt` or `endedAt`; what runs ends after everything. With
        `mode="delta"` it is what came into the list `after` a `delta_cursor`, at most `limit`;
        without one, the cursor to begin with. Raises `InvalidArgumentError`.
        """
        paging = (filters, pagination, order_by, page, per_page, include_total)
        read = reads.traces(Wanted(*paging, mode, after, limit))
        return cast("SpanPage", await self._run("list_traces", read))

    async def list_traces_light(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
        mode: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> LightSpanPage:
        """As `list_traces`, without what may be large, and with a preview of the input."""
        paging = (filters, pagination, order_by, page, per_page, include_total)
        read = reads.light_traces(Wanted(*paging, mode, after, limit))
        return cast("LightSpanPage", await self._run("list_traces_light", read))

    async def list_branches(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
        mode: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> BranchPage:
        """As `list_traces`, of the spans that anchor a branch: runs and tool calls, at any depth.

        The filters are of these spans, whatever their traces' roots are.
        """
        paging = (filters, pagination, order_by, page, per_page, include_total)
        read = reads.branches(Wanted(*paging, mode, after, limit))
        return cast("BranchPage", await self._run("list_branches", read))

    async def list_traces_by_message_id(self, message_id: str) -> list[LightSpan]:
        """The traces of which any span names the message, each as its root, oldest first."""
        read = reads.of_message(message_id)
        return cast("list[LightSpan]", await self._run("list_traces_by_message_id", read))

    async def list_messages_by_trace_id(self, trace_id: str) -> list[Message]:
        """The messages that spans of the trace name, in ascending order of time."""
        read = reads.messages_of(trace_id)
        return cast("list[Message]", await self._run("list_messages_by_trace_id", read))

    def watch_traces(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
    ) -> AsyncWatch[LightSpanPage]:
        """The page that `list_traces_light` gives, now and after each change."""
        wanted = Wanted(filters, None, order_by, page, per_page, include_total)
        return self._watch("watch_traces", partial(reads.light_traces, wanted))

    def subscribe_to_traces(
        self,
        callback: Callable[[LightSpanPage], Any],
        *,
        filters: Mapping[str, Any] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 10,
        include_total: bool = True,
    ) -> Unsubscribe:
        """Call `callback` with what `watch_traces` gives; returns how to stop."""
        wanted = Wanted(filters, None, order_by, page, per_page, include_total)
        read = partial(reads.light_traces, wanted)
        return self._subscribe("subscribe_to_traces", read, callback)
