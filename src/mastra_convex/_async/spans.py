"""Spans: the steps of a run, written as it goes, read as a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.reads import spans as reads
from mastra_convex.span import LightSpan, Span
from mastra_convex.updates import span_batches, span_change_batches, trace_removals
from mastra_convex.updates_signals import REMOVALS, left_of


class AsyncSpans(AsyncStorageBase):
    """The operations on spans."""

    async def create_span(self, span: Span | Mapping[str, Any]) -> None:
        """Save a span by its trace and id; its parent may come later.

        One that is there is replaced as a whole and keeps its `created_at`; saving the same again
        changes nothing. Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        await self._mutate("create_span", "spans:save", lambda: {"spans": [Span.encode(span)]})

    async def batch_create_spans(self, records: Iterable[Span | Mapping[str, Any]]) -> None:
        """Save any number of spans, in their order.

        They go in transactions of at most 500 spans and about 4 MiB. If one fails, those before it
        are saved, and the call may be repeated as a whole. Raises as `create_span`, for a bad span
        before anything is saved.
        """
        make = partial(span_batches, records)
        await self._in_batches("batch_create_spans", "spans:save", make)

    async def update_span(self, trace_id: str, span_id: str, updates: Mapping[str, Any]) -> None:
        """Set fields of a span; None removes one, and fields that the model does not know stay.

        Raises `NotFoundError` if there is no such span, `InvalidArgumentError`,
        `InvalidPayloadError`.
        """
        change = {"traceId": trace_id, "spanId": span_id, "updates": updates}
        await self._mutate(
            "update_span", "spans:update", lambda: {"spans": [Span.encode_change(change)]}
        )

    async def batch_update_spans(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Change any number of spans: each of `records` has `traceId`, `spanId` and `updates`.

        They go in transactions as in `batch_create_spans`. Raises as `update_span`; if a span is
        missing, nothing of its transaction is written.
        """
        make = partial(span_change_batches, records)
        await self._in_batches("batch_update_spans", "spans:update", make)

    async def get_span(self, trace_id: str, span_id: str) -> Span | None:
        """The span, or None."""
        return cast("Span | None", await self._run("get_span", reads.span(trace_id, span_id)))

    async def get_spans(self, trace_id: str, span_ids: Sequence[str]) -> list[Span]:
        """The spans of a trace with these ids, in that order; unknown ids are left out."""
        return cast("list[Span]", await self._run("get_spans", reads.by_id(trace_id, span_ids)))

    async def get_root_span(self, trace_id: str) -> Span | None:
        """The root of a trace (the last one saved, if there are several), or None."""
        return cast("Span | None", await self._run("get_root_span", reads.root(trace_id)))

    async def get_trace_structure(self, trace_id: str) -> list[LightSpan] | None:
        """The spans of a trace without what may be large, by `started_at`; None if it has none."""
        read = reads.structure(trace_id)
        return cast("list[LightSpan] | None", await self._run("get_trace_structure", read))

    async def get_branch(
        self, trace_id: str, span_id: str, depth: int | None = None
    ) -> list[Span] | None:
        """A span and those below it, by `started_at`; None if it is not there.

        `depth` 0 is the span alone, 1 has its children as well; None is all.
        Raises `InvalidArgumentError`.
        """
        read = reads.branch(trace_id, span_id, depth)
        return cast("list[Span] | None", await self._run("get_branch", read))

    async def list_open_spans(self, opened_by: str) -> list[LightSpan]:
        """The spans that somebody has opened, by its name in their `opened_by`, and not closed.

        What a process has left behind when it died is among them.
        """
        found = await self._run("list_open_spans", reads.opened(opened_by))
        return cast("list[LightSpan]", found)

    async def batch_delete_traces(
        self,
        trace_ids: Sequence[str],
        *,
        organization_id: str | None = None,
        resource_id: str | None = None,
    ) -> None:
        """Delete traces with their spans, logs, metrics, scores and feedback; unknown ids are fine.

        With an organization or a resource, only traces whose root is of it (until a trace has a
        root, its first span counts), and only the signals that are of it themselves. The spans go
        last, so that a call that failed can be repeated.
        """
        make = partial(trace_removals, trace_ids, organization_id, resource_id)
        for batch in self._made("batch_delete_traces", make):
            for path in REMOVALS:
                left: dict[str, Any] | None = batch
                while left is not None:
                    reply = await self._mutate("batch_delete_traces", path, partial(dict, left))
                    left = left_of(left, reply)
            await self._mutate("batch_delete_traces", "spans:removeTraces", partial(dict, batch))

    def watch_trace_structure(self, trace_id: str) -> AsyncWatch[list[LightSpan] | None]:
        """The structure of a trace now, then after each change; None while it has no spans."""
        return self._watch("watch_trace_structure", partial(reads.structure, trace_id))

    def subscribe_to_trace_structure(
        self, trace_id: str, callback: Callable[[list[LightSpan] | None], Any]
    ) -> Unsubscribe:
        """Call `callback` with the structure of a trace now and on change; returns how to stop."""
        read = partial(reads.structure, trace_id)
        return self._subscribe("subscribe_to_trace_structure", read, callback)
