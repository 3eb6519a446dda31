"""Metrics: numbers that were observed one by one, and what is computed from them."""

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
    Metric,
    MetricPage,
    PercentileSeries,
    Series,
)
from mastra_convex.reads import analytics, discovery
from mastra_convex.reads import signals as reads
from mastra_convex.reads.deltas import Wanted
from mastra_convex.updates_signals import signal_batches


class AsyncMetrics(AsyncStorageBase):
    """The operations on metrics."""

    async def batch_create_metrics(self, metrics: Iterable[Metric | Mapping[str, Any]]) -> None:
        """Save any number of metrics by their ids, in their order; one that is there is replaced.

        They go in transactions of at most 500, and about 4 MiB. If one fails, those before it are
        saved, and the call may be repeated as a whole. Raises `InvalidArgumentError`,
        `InvalidPayloadError`, before anything is saved.
        """
        make = partial(signal_batches, Metric, "metrics", "metrics", metrics)
        await self._in_batches("batch_create_metrics", "metrics:save", make)

    async def list_metrics(
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
    ) -> MetricPage:
        """A page of metrics, newest first, that meet all of the filters.

        One filter is read from its index, the others are compared on the way, and so the total is
        counted; without filters it is kept. With `mode="delta"` it is what came in `after` a
        `delta_cursor`, at most `limit`, oldest first; without one, the cursor to begin with.
        Raises `InvalidArgumentError`.
        """
        paging = (filters, None, order_by, page, per_page, include_total)
        read = reads.metrics(Wanted(*paging, mode, after, limit))
        return cast("MetricPage", await self._run("list_metrics", read))

    async def get_metric_aggregate(
        self,
        name: str | Sequence[str],
        aggregation: str,
        *,
        distinct_column: str | None = None,
        filters: Mapping[str, Any] | None = None,
        compare_period: str | None = None,
    ) -> Aggregate:
        """One number of the metrics of a name, or of several; None if there is none.

        `aggregation` is sum, avg, min, max, count, count_distinct (of `distinct_column`) or last.
        `compare_period` (previous_period, previous_day or previous_week) compares with an earlier
        period, and needs `filters` with a timestamp's start and end. Raises `InvalidArgumentError`.
        """
        subject = analytics.metric(name)
        read = analytics.aggregate(subject, aggregation, filters, compare_period, distinct_column)
        return cast("Aggregate", await self._run("get_metric_aggregate", read))

    async def get_metric_breakdown(
        self,
        name: str | Sequence[str],
        aggregation: str,
        group_by: Sequence[str],
        *,
        distinct_column: str | None = None,
        filters: Mapping[str, Any] | None = None,
        limit: int | None = None,
        order_direction: str = "DESC",
    ) -> list[Group]:
        """One number of each group of metrics, the greatest first unless ordered otherwise.

        Raises `InvalidArgumentError`.
        """
        subject = analytics.metric(name)
        read = analytics.breakdown(
            subject, group_by, aggregation, filters, limit, order_direction, distinct_column
        )
        return cast("list[Group]", await self._run("get_metric_breakdown", read))

    async def get_metric_time_series(
        self,
        name: str | Sequence[str],
        aggregation: str,
        interval: str,
        *,
        distinct_column: str | None = None,
        filters: Mapping[str, Any] | None = None,
        group_by: Sequence[str] | None = None,
    ) -> list[Series]:
        """One number of metrics for each interval (1m, 5m, 15m, 1h, 1d).

        One series, or one for each group; intervals are those of UTC. Raises
        `InvalidArgumentError`.
        """
        subject = analytics.metric(name)
        read = analytics.time_series(
            subject, interval, aggregation, filters, group_by, distinct_column
        )
        return cast("list[Series]", await self._run("get_metric_time_series", read))

    async def get_metric_percentiles(
        self,
        name: str,
        percentiles: Sequence[float],
        interval: str,
        *,
        filters: Mapping[str, Any] | None = None,
    ) -> list[PercentileSeries]:
        """Percentiles (0 to 1) of a metric for each interval.

        Raises `InvalidArgumentError`.
        """
        subject = analytics.metric(name)
        read = analytics.percentiles(subject, percentiles, interval, filters)
        return cast("list[PercentileSeries]", await self._run("get_metric_percentiles", read))

    async def get_metric_names(
        self, prefix: str | None = None, limit: int | None = None
    ) -> list[str]:
        """The names of metrics that begin with `prefix`, in order; all, or the first `limit`."""
        read = discovery.metric_names(prefix, limit)
        return cast("list[str]", await self._run("get_metric_names", read))

    async def get_metric_label_keys(self, metric_name: str) -> list[str]:
        """The keys of the labels that a metric has had, in order."""
        read = discovery.label_keys(metric_name)
        return cast("list[str]", await self._run("get_metric_label_keys", read))

    async def get_metric_label_values(
        self,
        metric_name: str,
        label_key: str,
        prefix: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """The values that a label of a metric has had, in order, that begin with `prefix`.

        Raises `InvalidArgumentError`.
        """
        read = discovery.label_values(metric_name, label_key, prefix, limit)
        return cast("list[str]", await self._run("get_metric_label_values", read))

    def watch_metrics(
        self, filters: Mapping[str, Any] | None = None, last: int = 100
    ) -> AsyncWatch[list[Metric]]:
        """The newest metrics that meet the filters, newest first, now and after each change."""
        read = partial(reads.newest, reads.METRICS, filters, last)
        return self._watch("watch_metrics", read)

    def subscribe_to_metrics(
        self,
        callback: Callable[[list[Metric]], Any],
        filters: Mapping[str, Any] | None = None,
        last: int = 100,
    ) -> Unsubscribe:
        """Call `callback` with the newest metrics now and on change; returns how to stop."""
        read = partial(reads.newest, reads.METRICS, filters, last)
        return self._subscribe("subscribe_to_metrics", read, callback)
