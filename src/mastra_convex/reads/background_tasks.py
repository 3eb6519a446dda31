"""Reading background tasks."""

from __future__ import annotations

import math
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models_jobs import BackgroundTask, BackgroundTaskPage
from mastra_convex.reads.listing import (
    Doc,
    Found,
    Keep,
    Read,
    Window,
    direction,
    given,
    listing,
    named,
    window,
)
from mastra_convex.record import to_milliseconds
from mastra_convex.values.names import camel_case

_PATH = "backgroundTasks:list"
_DATES = ("createdAt", "startedAt", "suspendedAt", "completedAt")
_EVERYTHING = Window(0, False, include_total=False)
# What one deletion takes: few enough, and small enough, for one transaction.
_BATCH = 200
_BATCH_BYTES = 2 * 1024 * 1024


def task(task_id: str) -> Read[BackgroundTask | None]:
    """One task, or None."""
    found = yield "backgroundTasks:get", {"id": named(task_id, "task_id")}
    return None if found is None else BackgroundTask.of(found)


def tasks(
    criteria: Doc,
    order_by: Any,
    order_direction: Any,
    page: int,
    per_page: int | bool,
    include_total: bool,
) -> Read[BackgroundTaskPage]:
    """A page of tasks, by one of their dates; one that is missing counts as the oldest."""
    wanted = window(page, per_page, include_total)
    args, keep = _criteria(**criteria)
    order = direction(order_direction)
    field = _date(order_by, "order_by")
    if field == "createdAt":
        found = yield from listing(_PATH, {**args, "order": order}, wanted, keep)
    else:
        every = yield from listing(_PATH, {**args, "order": "asc"}, _EVERYTHING, keep)
        documents = sorted(every.documents, key=lambda document: document.get(field, 0))
        found = _part(documents if order == "asc" else documents[::-1], wanted)
    return BackgroundTaskPage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        tasks=[BackgroundTask.of(document) for document in found.documents],
    )


def deletions(criteria: Doc) -> Read[list[Doc]]:
    """Arguments of `backgroundTasks:remove` for all tasks that meet the criteria, in batches.

    Each is deleted only if it still has the status that it was found with.
    """
    args, keep = _criteria(**criteria)
    found = yield from listing(_PATH, {**args, "order": "asc"}, _EVERYTHING, keep)
    batches: list[list[Doc]] = [[]]
    size = 0
    for document in found.documents:
        size += sum(len(value) for value in document.values() if isinstance(value, str))
        if batches[-1] and (size > _BATCH_BYTES or len(batches[-1]) == _BATCH):
            batches.append([])
            size = 0
        batches[-1].append({"id": document["id"], "status": document["status"]})
    return [{"tasks": batch} for batch in batches if batch]


def running() -> Read[int]:
    """How many tasks are running."""
    found = yield "backgroundTasks:count", {"status": "running"}
    return int(found)


def running_of(agent_id: str) -> Read[int]:
    """How many tasks of an agent are running."""
    args = {"status": "running", "agentId": named(agent_id, "agent_id")}
    found = yield "backgroundTasks:count", args
    return int(found)


def _criteria(
    status: Any, from_date: Any, to_date: Any, date_filter_by: Any, **equal: Any
) -> tuple[Doc, Keep | None]:
    """Arguments of the list, and what they leave over; empty text is nothing, as in Mastra."""
    args = {camel_case(name): x for name, x in given(**equal).items() if x}
    keeps: list[Keep] = []
    statuses = [status] if isinstance(status, str) else status
    several = isinstance(statuses, (list, tuple)) and all(isinstance(x, str) for x in statuses)
    if statuses is not None and not several:
        raise InvalidArgumentError(
            f"status is a status or a list of them, not {status!r:.60}", path="status"
        )
    if statuses and len(statuses) == 1:
        args["status"] = statuses[0]
    elif statuses is not None:
        keeps.append(lambda document: document["status"] in statuses)
    field = _date(date_filter_by, "date_filter_by")
    low, high = -math.inf, math.inf
    if from_date is not None:
        low = to_milliseconds(from_date, "from_date")
    if to_date is not None:
        # The bound itself is not included.
        high = math.nextafter(to_milliseconds(to_date, "to_date"), -math.inf)
    if field == "createdAt":
        bounds = {"from": low, "to": high}
        args |= {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    elif math.isfinite(low) or math.isfinite(high):
        keeps.append(lambda document: low <= document.get(field, math.nan) <= high)
    return args, (lambda document: all(keep(document) for keep in keeps)) if keeps else None


def _date(field: Any, name: str) -> str:
    """The wire name of a date, which may be given as such or as in Python."""
    found = camel_case(field) if isinstance(field, str) else field
    if found not in _DATES:
        raise InvalidArgumentError(
            f"{name} is one of {', '.join(_DATES)}, not {field!r:.60}", path=name
        )
    return str(found)


def _part(documents: list[Doc], wanted: Window) -> Found:
    """The window of documents that are all there."""
    total = len(documents)
    more = wanted.end is not None and wanted.end < total
    part = documents[wanted.offset : wanted.end]
    return Found(part, total if wanted.include_total else None, more)
