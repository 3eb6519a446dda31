"""Reading workflow runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mastra_convex.models import WorkflowRun, WorkflowRunPage
from mastra_convex.reads.listing import (
    Doc,
    Keep,
    Read,
    given,
    listing,
    named,
    time_range,
    window,
)
from mastra_convex.values.payload import open_payload


def workflow_run(run_id: str, workflow_name: str | None = None) -> Read[WorkflowRun | None]:
    """One run, or None; without the workflow's name, the newest run of that id."""
    args = {"id": named(run_id, "run_id"), **given(workflowName=workflow_name or None)}
    found = yield "workflowRuns:get", args
    return None if found is None else WorkflowRun.of(found)


def snapshot(workflow_name: str, run_id: str) -> Read[Any]:
    """The snapshot of a run, or None."""
    run = yield from workflow_run(run_id, named(workflow_name, "workflow_name"))
    return None if run is None else run.state


def workflow_runs(
    workflow_name: str | None,
    resource_id: str | None,
    thread_id: str | None,
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
    args |= given(
        workflowName=workflow_name or None,
        stateType=status or None,
        resourceId=resource_id or None,
    )
    found = yield from listing("workflowRuns:list", args, wanted, _of_thread(thread_id))
    return WorkflowRunPage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        runs=[WorkflowRun.of(document) for document in found.documents],
    )


def _of_thread(thread_id: Any) -> Keep | None:
    """A `keep` for runs whose snapshot belongs to the thread."""
    if not given(threadId=thread_id or None):
        return None

    def keep(document: Doc) -> bool:
        state = document.get("state")
        memory = None if state is None else _memory_info(open_payload(state))
        return isinstance(memory, dict) and memory.get("threadId") == thread_id

    return keep


def _memory_info(snapshot: Any) -> Any:
    """Where the workflow engine keeps thread and resource in a snapshot (interface, 4.6)."""
    context = _at(snapshot, "context")
    for step in context.values() if isinstance(context, dict) else ():
        stream = _at(step, "suspendPayload", "__streamState")
        # An empty map counts, as it does in JavaScript.
        if (stream or stream == {}) and _at(step, "status") == "suspended":
            return _at(stream, "messageList", "memoryInfo")
    return _at(context, "input", "messageListState", "memoryInfo")


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
