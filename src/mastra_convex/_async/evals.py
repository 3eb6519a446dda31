"""Evals: how well an agent did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import Eval, EvalPage
from mastra_convex.reads import evals as reads


class AsyncEvals(AsyncStorageBase):
    """The operations on evals."""

    async def save_eval(self, eval: Eval | Mapping[str, Any]) -> Eval:
        """Save an eval by its id, replacing what was saved; `created_at` stays.

        Mastra's older row, which has neither id nor type, is taken too (see `Eval`). Returns the
        eval as it is stored. Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        saved = await self._mutate("save_eval", "evals:save", lambda: {"eval": Eval.encode(eval)})
        return Eval.of(saved)

    async def get_eval(self, eval_id: str) -> Eval | None:
        """The eval, or None."""
        return cast("Eval | None", await self._run("get_eval", reads.evaluation(eval_id)))

    async def list_evals(
        self,
        *,
        agent_name: str | None = None,
        type: str | None = None,
        thread_id: str | None = None,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> EvalPage:
        """A page of evals, newest first, that meet all of the criteria given.

        `type` is "test" or "live"; the dates are inclusive bounds of `created_at`.
        Raises `InvalidArgumentError`.
        """
        read = reads.evals(
            agent_name, type, thread_id, from_date, to_date, page, per_page, include_total
        )
        return cast("EvalPage", await self._run("list_evals", read))

    async def get_evals_by_agent_name(self, agent_name: str, type: str | None = None) -> list[Eval]:
        """All evals of an agent, newest first; `type` is "test" or "live"."""
        read = reads.agent_evals(agent_name, type)
        return cast("list[Eval]", await self._run("get_evals_by_agent_name", read))

    def watch_agent_evals(self, agent_name: str, type: str | None = None) -> AsyncWatch[list[Eval]]:
        """An agent's evals, newest first, now and after each change."""
        return self._watch("watch_agent_evals", partial(reads.agent_evals, agent_name, type))

    def subscribe_to_agent_evals(
        self, agent_name: str, callback: Callable[[list[Eval]], Any], type: str | None = None
    ) -> Unsubscribe:
        """Call `callback` with an agent's evals, newest first, now and after each change."""
        read = partial(reads.agent_evals, agent_name, type)
        return self._subscribe("subscribe_to_agent_evals", read, callback)
