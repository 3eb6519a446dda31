"""Workflow runs (interface, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.errors import ConflictError
from mastra_convex.models import WorkflowRun, WorkflowRunPage
from mastra_convex.reads import workflow_runs as reads
from mastra_convex.updates import run_key, run_snapshot, run_state, step_result
from mastra_convex.values.payload import decode_payload


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
        thread_id: str | None = None,
        status: str | None = None,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> WorkflowRunPage:
        """A page of runs, newest first, that meet all of the criteria given.

        `status` is a run's `state_type`; the dates are inclusive bounds of `created_at`;
        `thread_id` is looked for where the workflow engine keeps it in a snapshot.
        Raises `InvalidArgumentError`.
        """
        read = reads.workflow_runs(
            workflow_name,
            resource_id,
            thread_id,
            status,
            from_date,
            to_date,
            page,
            per_page,
            include_total,
        )
        return cast("WorkflowRunPage", await self._run("list_workflow_runs", read))

    def supports_concurrent_updates(self) -> bool:
        """Whether merges and guards are atomic: True, for they are one transaction each."""
        return True

    async def persist_workflow_snapshot(
        self,
        workflow_name: str,
        run_id: str,
        snapshot: Mapping[str, Any] | str,
        *,
        resource_id: str | None = None,
        created_at: datetime | float | str | None = None,
        updated_at: datetime | float | str | None = None,
    ) -> None:
        """Save the snapshot of a run, whole; its status becomes the run's.

        The owner stays if none is given, and `created_at` always. Raises `InvalidArgumentError`,
        `InvalidPayloadError`.
        """
        make = partial(
            run_snapshot, workflow_name, run_id, snapshot, resource_id, created_at, updated_at
        )
        await self._mutate("persist_workflow_snapshot", "workflowRuns:persist", make)

    async def load_workflow_snapshot(self, workflow_name: str, run_id: str) -> Any:
        """The snapshot of a run, or None."""
        return await self._run("load_workflow_snapshot", reads.snapshot(workflow_name, run_id))

    async def update_workflow_results(
        self,
        workflow_name: str,
        run_id: str,
        step_id: str,
        result: Any,
        request_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Merge the result of one step into a run's snapshot; returns the results of all steps.

        Slots of a `foreach` are merged one by one, so that concurrent iterations lose nothing; a
        run that is missing begins with the result. Raises `ConflictError` for a snapshot without
        context, `InvalidArgumentError`, `InvalidPayloadError`.
        """
        make = partial(step_result, workflow_name, run_id, step_id, result, request_context)
        context = await self._mutate("update_workflow_results", "workflowRuns:updateResults", make)
        return cast("dict[str, Any]", decode_payload(context))

    async def update_workflow_state(
        self,
        workflow_name: str,
        run_id: str,
        opts: Mapping[str, Any],
        *,
        expected_status: str | Sequence[str] | None = None,
    ) -> dict[str, Any] | None:
        """Lay `opts`, with a status, over a run's snapshot; returns the new snapshot.

        With `expected_status`, one or several, only if the run has one of them; check and write
        are one transaction. None, and nothing written, if it has not or there is no run. Raises
        `ConflictError` for a snapshot without context, `InvalidArgumentError`,
        `InvalidPayloadError`.
        """
        make = partial(run_state, workflow_name, run_id, opts, expected_status)
        state = await self._mutate("update_workflow_state", "workflowRuns:updateState", make)
        return None if state is None else cast("dict[str, Any]", decode_payload(state))

    async def claim_workflow_run(
        self,
        workflow_name: str,
        run_id: str,
        *,
        status: str = "running",
        expected_status: str | Sequence[str] = "suspended",
    ) -> dict[str, Any]:
        """Take a suspended run to resume it: of many that try, one gets the snapshot.

        As `update_workflow_state`, for callers that cannot go on without. Raises `ConflictError`
        if the run has none of the expected statuses, as after somebody else's claim, or is missing.
        """
        make = partial(run_state, workflow_name, run_id, {"status": status}, expected_status)
        state = await self._mutate("claim_workflow_run", "workflowRuns:updateState", make)
        if state is None:
            error = ConflictError(
                f"run {run_id!r} of workflow {workflow_name!r} cannot be claimed: it is not "
                f"{expected_status!r}, or not there; somebody else may have claimed it",
                table="workflowRuns",
                id=run_id,
            )
            error.operation = "claim_workflow_run"
            raise error
        return cast("dict[str, Any]", decode_payload(state))

    async def delete_workflow_run_by_id(self, run_id: str, workflow_name: str) -> None:
        """Delete a run. A missing one is fine."""
        make = partial(run_key, workflow_name, run_id)
        await self._mutate("delete_workflow_run_by_id", "workflowRuns:remove", make)

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
