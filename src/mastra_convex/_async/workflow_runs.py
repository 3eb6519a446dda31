"""Workflow runs (interface, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import WorkflowRun, WorkflowRunPage
from mastra_convex.reads import workflow_runs as reads


class AsyncWorkflowRuns(AsyncStorageBase):
    """The operations on workflow runs."""

    async def save_workflow_run(self, workflow_run: WorkflowRun | Mapping[str, Any]) -> WorkflowRun:
        """Save a run by workflow name and id, replacing what was saved.

        `created_at` stays, and the owner too when none is given. Mastra's form, with `runId` and
        `snapshot`, is taken as well (see `WorkflowRun`). Returns the run as it is stored. Raises
        `InvalidArgumentError`, `InvalidPayloadError`.
        """
        saved = await self._mutate(
            "save_workflow_run",
            "workflowRuns:save",
            lambda: {"run": WorkflowRun.encode(workflow_run)},
        )
        return WorkflowRun.of(saved)

    async def get_workflow_run_by_id(
        self, run_id: str, workflow_name: str | None = None
    ) -> WorkflowRun | None:
        """The run, or None; without the workflow's name, the newest run of that id."""
        read = reads.workflow_run(run_id, workflow_name)
        return cast("WorkflowRun | None", await self._run("get_workflow_run_by_id", read))

    async def list_workflow_runs(
        self,
        *,
        workflow_name: str | None = None,
        resource_id: str | None = None,
        status: str | None = None,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> WorkflowRunPage:
        """A page of runs, newest first, that meet all of the criteria given.

        `status` is a run's `state_type`; the dates are inclusive bounds of `created_at`.
        Raises `InvalidArgumentError`.
        """
        read = reads.workflow_runs(
            workflow_name, resource_id, status, from_date, to_date, page, per_page, include_total
        )
        return cast("WorkflowRunPage", await self._run("list_workflow_runs", read))

    def watch_workflow_run(
        self, run_id: str, workflow_name: str | None = None
    ) -> AsyncWatch[WorkflowRun | None]:
        """The run now, then after each change; None while there is none."""
        return self._watch("watch_workflow_run", partial(reads.workflow_run, run_id, workflow_name))

    def subscribe_to_workflow_run(
        self,
        run_id: str,
        callback: Callable[[WorkflowRun | None], Any],
        workflow_name: str | None = None,
    ) -> Unsubscribe:
        """Call `callback` with the run now and after each change; returns how to stop."""
        read = partial(reads.workflow_run, run_id, workflow_name)
        return self._subscribe("subscribe_to_workflow_run", read, callback)
