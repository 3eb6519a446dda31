"""Scores of the observability domain: those of traces, spans, messages and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models_signals import (
    Aggregate,
    Group,
    PercentileSeries,
    ScoreEvent,
    ScoreEventPage,
    Series,
)
from mastra_convex.reads import analytics
from mastra_convex.reads import signals as reads
from mastra_convex.reads.deltas import Wanted
from mastra_convex.updates_signals import signal_batches, signal_removals


class AsyncScoreEvents(AsyncStorageBase):
    """The operations on scores of traces."""

    async def create_score(self, score: ScoreEvent | Mapping[str, Any]) -> None:
        """Save a score by its id, replacing what is there; saving the same again changes nothing.

        Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        await self._mutate(
            "create_score", "scoreEvents:save", lambda: {"scores": [ScoreEvent.encode(score)]}
        )

    async def batch_create_scores(self, scores: Iterable[ScoreEvent | Mapping[str, Any]]) -> None:
        """Save any number of scores by their ids, in their order; one that is there is replaced.

        They go in transactions of at most 500, and about 4 MiB. If one fails, those before it are
        saved, and the call may be repeated as a whole. Raises `InvalidArgumentError`,
        `InvalidPayloadError`, before anything is saved.
        """
        make = partial(signal_batches, ScoreEvent, "scores", "scores", scores)
        await self._in_batches("batch_create_scores", "scoreEvents:save", make)

    async def get_score_event(self, score_id: str) -> ScoreEvent | None:
        """The score, or None."""
        return cast("ScoreEvent | None", await self._run("get_score_event", reads.score(score_id)))

    async def list_scores(
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
    ) -> ScoreEventPage:
        """A page of scores, newest first, that meet all of the filters.

        One filter is read from its index, the others are compared on the way, and so the total is
        counted; without filters it is kept. With `mode="delta"` it is what came in `after` a
        `delta_cursor`, at most `limit`, oldest first; without one, the cursor to begin with.
        Raises `InvalidArgumentError`.
        """
        paging = (filters, None, order_by, page, per_page, include_total)
        read = reads.scores(Wanted(*paging, mode, after, limit))
        return cast("ScoreEventPage", await self._run("list_scores", read))

    async def delete_scores(
        self,
        score_ids: Sequence[str],
        *,
        organization_id: str | None = None,
        resource_id: str | None = None,
    ) -> None:
        """Delete scores: those of the organization and the resource, if given.

        Unknown ids are fine. Raises `InvalidArgumentError`.
        """
        make = partial(
            signal_removals, ScoreEvent, "score_ids", score_ids, organization_id, resource_id
        )
        await self._in_batches("delete_scores", "scoreEvents:remove", make)

    async def get_score_aggregate(
        self,
        scorer_id: str,
        aggregation: str,
        *,
        score_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
        compare_period: str | None = None,
    ) -> Aggregate:
        """One number of a scorer's scores, of all sources or one; None if there is none.

        `aggregation` is sum, avg, min, max, count or last. `compare_period`
        (previous_period, previous_day or previous_week) compares with an earlier period, and needs
        `filters` with a timestamp's start and end. Raises `InvalidArgumentError`.
        """
        subject = analytics.score(scorer_id, score_source)
        read = analytics.aggregate(subject, aggregation, filters, compare_period)
        return cast("Aggregate", await self._run("get_score_aggregate", read))

    async def get_score_breakdown(
        self,
        scorer_id: str,
        aggregation: str,
        group_by: Sequence[str],
        *,
        score_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Group]:
        """One number of each group of a scorer's scores, of all sources or one, the greatest first.

        Raises `InvalidArgumentError`.
        """
        subject = analytics.score(scorer_id, score_source)
        read = analytics.breakdown(subject, group_by, aggregation, filters)
        return cast("list[Group]", await self._run("get_score_breakdown", read))

    async def get_score_time_series(
        self,
        scorer_id: str,
        aggregation: str,
        interval: str,
        *,
        score_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
        group_by: Sequence[str] | None = None,
    ) -> list[Series]:
        """One number of a scorer's scores for each interval (1m, 5m, 15m, 1h, 1d).

        One series, or one for each group; intervals are those of UTC. Raises
        `InvalidArgumentError`.
        """
        subject = analytics.score(scorer_id, score_source)
        read = analytics.time_series(subject, interval, aggregation, filters, group_by)
        return cast("list[Series]", await self._run("get_score_time_series", read))

    async def get_score_percentiles(
        self,
        scorer_id: str,
        percentiles: Sequence[float],
        interval: str,
        *,
        score_source: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[PercentileSeries]:
        """Percentiles (0 to 1) of a scorer's scores for each interval.

        Raises `InvalidArgumentError`.
        """
        subject = analytics.score(scorer_id, score_source)
        read = analytics.percentiles(subject, percentiles, interval, filters)
        return cast("list[PercentileSeries]", await self._run("get_score_percentiles", read))

    def watch_score_events(
        self, filters: Mapping[str, Any] | None = None, last: int = 100
    ) -> AsyncWatch[list[ScoreEvent]]:
        """The newest scores that meet the filters, newest first, now and after each change."""
        read = partial(reads.newest, reads.SCORES, filters, last)
        return self._watch("watch_score_events", read)

    def subscribe_to_score_events(
        self,
        callback: Callable[[list[ScoreEvent]], Any],
        filters: Mapping[str, Any] | None = None,
        last: int = 100,
    ) -> Unsubscribe:
        """Call `callback` with the newest scores now and on change; returns how to stop."""
        read = partial(reads.newest, reads.SCORES, filters, last)
        return self._subscribe("subscribe_to_score_events", read, callback)
