"""Feedback: what people have said of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models_signals import (
    Aggregate,
    Feedback,
    FeedbackPage,
    Group,
    PercentileSeries,
    Series,
)
from mastra_convex.reads import analytics
from mastra_convex.reads import signals as reads
from mastra_convex.reads.deltas import Wanted
from mastra_convex.updates_signals import feedback_review, signal_batches, signal_removals


class AsyncFeedbackRecords(AsyncStorageBase):
    """The operations on feedback."""

    async def create_feedback(self, feedback: Feedback | Mapping[str, Any]) -> None:
        """Save feedback by its id, replacing what is there; saving the same again changes nothing.

        Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        await self._mutate(
            "create_feedback", "feedback:save", lambda: {"feedback": [Feedback.encode(feedback)]}
        )

    async def batch_create_feedback(
        self, feedbacks: Iterable[Feedback | Mapping[str, Any]]
    ) -> None:
        """Save any number of feedback by its ids, in its order; what is there is replaced.

        They go in transactions of at most 500, and about 4 MiB. If one fails, those before it are
        saved, and the call may be repeated as a whole. Raises `InvalidArgumentError`,
        `InvalidPayloadError`, before anything is saved.
        """
        make = partial(signal_batches, Feedback, "feedback", "feedbacks", feedbacks)
        await self._in_batches("batch_create_feedback", "feedback:save", make)

    async def get_feedback(self, feedback_id: str) -> Feedback | None:
        """The feedback, or None."""
        read = reads.one_feedback(feedback_id)
        return cast("Feedback | None", await self._run("get_feedback", read))

    async def list_feedback(
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
    ) -> FeedbackPage:
        """A page of feedback, newest first, that meets all of the filters.

        One filter is read from its index, the others are compared on the way, and so the total is
        counted; without filters it is kept. With `mode="delta"` it is what came in `after` a
        `delta_cursor`, at most `limit`, oldest first; without one, the cursor to begin with.
        Raises `InvalidArgumentError`.
        """
        paging = (filters, None, order_by, page, per_page, include_total)
        read = reads.feedback(Wanted(*paging, mode, after, limit))
        return cast("FeedbackPage", await self._run("list_feedback", read))

    async def update_feedback_review_status(self, feedback_id: str, review_status: str) -> Feedback:
        """Set whether feedback was reviewed ("reviewed" or "needs-review"); returns it.

        Raises `NotFoundError`, `InvalidArgumentError`.
        """
        make = partial(feedback_review, feedback_id, review_status)
        operation = "update_feedback_review_status"
        return Feedback.of(await self._mutate(operation, "feedback:review", make))

    async def delete_feedback(
        self,
        feedback_ids: Sequence[str],
        *,
        organization_id: str | None = None,
        resource_id: str | None = None,
    ) -> None:
        """Delete feedback: that of the organization and the resource, if given.

        Unknown ids are fine. Raises `InvalidArgumentError`.
        """
        make = partial(
            signal_removals, Feedback, "feedback_ids", feedback_ids, organization_id, resource_id
        )
        await self._in_batches("delete_feedback", "feedback:remove", make)

    async def get_feedback_aggregate(
        self,
        feedback_type: str,
        aggregation: str,
        *,
        feedback_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
        compare_period: str | None = None,
    ) -> Aggregate:
        """One number of the feedback of a type that is numbers; None if there is none.

        `aggregation` is sum, avg, min, max, count or last. `compare_period`
        (previous_period, previous_day or previous_week) compares with an earlier period, and needs
        `filters` with a timestamp's start and end. Raises `InvalidArgumentError`.
        """
        subject = analytics.feedback(feedback_type, feedback_source)
        read = analytics.aggregate(subject, aggregation, filters, compare_period)
        return cast("Aggregate", await self._run("get_feedback_aggregate", read))

    async def get_feedback_breakdown(
        self,
        feedback_type: str,
        aggregation: str,
        group_by: Sequence[str],
        *,
        feedback_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Group]:
        """One number of each group of feedback that is numbers, the greatest first.

        Raises `InvalidArgumentError`.
        """
        subject = analytics.feedback(feedback_type, feedback_source)
        read = analytics.breakdown(subject, group_by, aggregation, filters)
        return cast("list[Group]", await self._run("get_feedback_breakdown", read))

    async def get_feedback_time_series(
        self,
        feedback_type: str,
        aggregation: str,
        interval: str,
        *,
        feedback_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
        group_by: Sequence[str] | None = None,
    ) -> list[Series]:
        """One number of feedback that is numbers for each interval (1m, 5m, 15m, 1h, 1d).

        One series, or one for each group; intervals are those of UTC. Raises
        `InvalidArgumentError`.
        """
        subject = analytics.feedback(feedback_type, feedback_source)
        read = analytics.time_series(subject, interval, aggregation, filters, group_by)
        return cast("list[Series]", await self._run("get_feedback_time_series", read))

    async def get_feedback_percentiles(
        self,
        feedback_type: str,
        percentiles: Sequence[float],
        interval: str,
        *,
        feedback_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[PercentileSeries]:
        """Percentiles (0 to 1) of feedback that is numbers for each interval.

        Raises `InvalidArgumentError`.
        """
        subject = analytics.feedback(feedback_type, feedback_source)
        read = analytics.percentiles(subject, percentiles, interval, filters)
        return cast("list[PercentileSeries]", await self._run("get_feedback_percentiles", read))

    def watch_feedback(
        self, filters: Mapping[str, Any] | None = None, last: int = 100
    ) -> AsyncWatch[list[Feedback]]:
        """The newest feedback that meets the filters, newest first, now and after each change."""
        read = partial(reads.newest, reads.FEEDBACK, filters, last)
        return self._watch("watch_feedback", read)

    def subscribe_to_feedback(
        self,
        callback: Callable[[list[Feedback]], Any],
        filters: Mapping[str, Any] | None = None,
        last: int = 100,
    ) -> Unsubscribe:
        """Call `callback` with the newest feedback now and on change; returns how to stop."""
        read = partial(reads.newest, reads.FEEDBACK, filters, last)
        return self._subscribe("subscribe_to_feedback", read, callback)
