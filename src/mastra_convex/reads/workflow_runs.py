"""Reading workflow runs."""

from __future__ import annotations

from datetime import datetime

from mastra_convex.models import WorkflowRun, WorkflowRunPage
from mastra_convex.reads.listing import Read, given, listing, matching, named, time_range, window


def workflow_run(run_id: str, workflow_name: str | None = None) -> Read[WorkflowRun | None]:
    """One run, or None; without the workflow's name, the newest run of that id."""
    args = {"id": named(run_id, "run_id"), **given(workflowName=workflow_name)}
    found = yield "workflowRuns:get", args
    return None if found is None else WorkflowRun.of(found)


def workflow_runs(
    workflow_name: str | None,
    resource_id: str | None,
    status: str | None,
    from_date: datetime | float | str | None,
    to_date: datetime | float | str | None,
    page: int,
    per_page: int | bool,
    include_total: bool,
) -> Read[WorkflowRunPage]:
    """A page of runs, newest first."""
    wanted = window(page, per_page, include_total)
    args = {"order": "desc", **time_range(from_date, to_date)}
    # Empty text is no filter, as in Mastra.
    criteria = given(workflowName=workflow_name or None, stateType=status or None)
    if not resource_id:
        args |= criteria
        criteria = {}
    args |= given(resourceId=resource_id or None)
    found = yield from listing("workflowRuns:list", args, wanted, matching(criteria))
    return WorkflowRunPage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        runs=[WorkflowRun.of(document) for document in found.documents],
    )
