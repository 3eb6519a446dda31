"""Scores (interface, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models_jobs import Score, ScorePage
from mastra_convex.reads import scores as reads
from mastra_convex.updates_jobs import with_id


class AsyncScores(AsyncStorageBase):
    """The operations on scores."""

    async def save_score(self, score: Score | Mapping[str, Any]) -> Score:
        """Save a score by its id, replacing what was saved; without an id it gets a random one.

        `created_at` stays. Returns the score as it is stored. Raises `InvalidArgumentError`, for
        what Mastra's schema does not know, and `InvalidPayloadError`.
        """
        make = partial(with_id, Score, score, "score")
        return Score.of(await self._mutate("save_score", "scores:save", make))

    async def get_score_by_id(self, score_id: str) -> Score | None:
        """The score, or None."""
        return cast("Score | None", await self._run("get_score_by_id", reads.score(score_id)))

    async def list_scores_by_scorer_id(
        self,
        scorer_id: str,
        *,
        entity_id: str | None = None,
        entity_type: str | None = None,
        source: str | None = None,
        filters: Mapping[str, str] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> ScorePage:
        """A page of a scorer's scores, newest first, that meet all of the criteria given.

        `source` is "LIVE" or "TEST"; `filters` has an `organizationId`, a `projectId`, or both;
        `pagination` is Mastra's form of `page` and `per_page`. Raises `InvalidArgumentError`.
        """
        read = reads.scores(
            {"scorer_id": scorer_id},
            {"source": source, "entity_id": entity_id, "entity_type": entity_type},
            filters,
            pagination,
            page,
            per_page,
            include_total,
        )
        return cast("ScorePage", await self._run("list_scores_by_scorer_id", read))

    async def list_scores_by_run_id(
        self,
        run_id: str,
        *,
        filters: Mapping[str, str] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> ScorePage:
        """A page of a run's scores, newest first. Raises `InvalidArgumentError`."""
        how = (filters, pagination, page, per_page, include_total)
        of = {"run_id": run_id}
        read = reads.scores(of, {}, *how)
        return cast("ScorePage", await self._run("list_scores_by_run_id", read))

    async def list_scores_by_entity_id(
        self,
        entity_id: str,
        entity_type: str,
        *,
        filters: Mapping[str, str] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> ScorePage:
        """A page of the scores of an agent, a workflow or another entity, newest first.

        Raises `InvalidArgumentError`.
        """
        read = reads.scores(
            {"entity_id": entity_id, "entity_type": entity_type},
            {},
            filters,
            pagination,
            page,
            per_page,
            include_total,
        )
        return cast("ScorePage", await self._run("list_scores_by_entity_id", read))

    async def list_scores_by_span(
        self,
        trace_id: str,
        span_id: str,
        *,
        filters: Mapping[str, str] | None = None,
        pagination: Mapping[str, int | bool] | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> ScorePage:
        """A page of the scores of a span, newest first. Raises `InvalidArgumentError`."""
        read = reads.scores(
            {"trace_id": trace_id, "span_id": span_id},
            {},
            filters,
            pagination,
            page,
            per_page,
            include_total,
        )
        return cast("ScorePage", await self._run("list_scores_by_span", read))

    def watch_scorer_scores(
        self, scorer_id: str, source: str | None = None, last: int | None = None
    ) -> AsyncWatch[list[Score]]:
        """A scorer's scores, or the `last` of them, newest first, now and after each change."""
        of, also = {"scorer_id": scorer_id}, {"source": source}
        read = partial(reads.newest_scores, of, also, last)
        return self._watch("watch_scorer_scores", read)

    def subscribe_to_scorer_scores(
        self,
        scorer_id: str,
        callback: Callable[[list[Score]], Any],
        source: str | None = None,
        last: int | None = None,
    ) -> Unsubscribe:
        """Call `callback` with a scorer's scores, newest first, now and after each change."""
        of, also = {"scorer_id": scorer_id}, {"source": source}
        read = partial(reads.newest_scores, of, also, last)
        return self._subscribe("subscribe_to_scorer_scores", read, callback)

    def watch_run_scores(self, run_id: str, last: int | None = None) -> AsyncWatch[list[Score]]:
        """A run's scores, or the `last` of them, newest first, now and after each change."""
        read = partial(reads.newest_scores, {"run_id": run_id}, {}, last)
        return self._watch("watch_run_scores", read)

    def subscribe_to_run_scores(
        self, run_id: str, callback: Callable[[list[Score]], Any], last: int | None = None
    ) -> Unsubscribe:
        """Call `callback` with a run's scores, newest first, now and after each change."""
        read = partial(reads.newest_scores, {"run_id": run_id}, {}, last)
        return self._subscribe("subscribe_to_run_scores", read, callback)
