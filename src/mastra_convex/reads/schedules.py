"""Reading schedules, and the history of what they have fired."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models_jobs import Schedule, ScheduleTrigger
from mastra_convex.reads.listing import Doc, Read, Window, given, listing, matching, named
from mastra_convex.record import to_milliseconds

_FILTERS = {"status": "status", "workflowId": "workflowId", "workflow_id": "workflowId"}
_FILTERS |= {"ownerType": "ownerType", "owner_type": "ownerType"}
_FILTERS |= {"ownerId": "ownerId", "owner_id": "ownerId"}


def schedule(schedule_id: str) -> Read[Schedule | None]:
    """One schedule, or None."""
    found = yield "schedules:get", {"id": named(schedule_id, "schedule_id")}
    return None if found is None else Schedule.of(found)


def schedules(filter: Mapping[str, str | None] | None) -> Read[list[Schedule]]:
    """All schedules that match the filter, oldest first; an owner of None is none."""
    criteria, absent = _criteria(filter)
    args = {**criteria, "order": "asc"}
    found = yield from listing("schedules:list", args, _first(None), matching(absent))
    return [Schedule.of(document) for document in found.documents]


def due_schedules(now: Any, limit: Any) -> Read[list[Schedule]]:
    """The active schedules whose time has come, the longest overdue first."""
    args = {"now": to_milliseconds(now, "now"), "order": "asc"}
    found = yield from listing("schedules:listDue", args, _first(limit), look_beyond=False)
    return [Schedule.of(document) for document in found.documents]


def triggers(
    schedule_id: str, limit: Any, from_fire: Any, to_fire: Any
) -> Read[list[ScheduleTrigger]]:
    """What a schedule has fired, newest first, from a time up to another, which is not included."""
    args: Doc = {"scheduleId": named(schedule_id, "schedule_id"), "order": "desc"}
    if from_fire is not None:
        args["from"] = to_milliseconds(from_fire, "from_actual_fire_at")
    if to_fire is not None:
        args["to"] = before(to_fire, "to_actual_fire_at")
    found = yield from listing("schedules:listTriggers", args, _first(limit), look_beyond=False)
    return [ScheduleTrigger.of(document) for document in found.documents]


def before(time: Any, name: str) -> float:
    """The last moment before a time."""
    return math.nextafter(to_milliseconds(time, name), -math.inf)


def _criteria(filter: Any) -> tuple[Doc, Doc]:
    """What a filter asks for, and what must not be there."""
    if filter is None:
        return {}, {}
    if not isinstance(filter, Mapping) or not filter.keys() <= _FILTERS.keys():
        raise InvalidArgumentError(
            "filter is a mapping with status, workflowId, ownerType and ownerId, not "
            f"{filter!r:.80}",
            path="filter",
        )
    wire = {_FILTERS[name]: value for name, value in filter.items()}
    absent: Doc = {n: None for n in ("ownerType", "ownerId") if n in wire and wire[n] is None}
    # An empty status or workflow is no filter, as in Mastra.
    some = {n: x for n, x in wire.items() if x or n in ("ownerType", "ownerId")}
    return given(**some), absent


def _first(limit: Any) -> Window:
    if limit is not None and (type(limit) is not int or limit < 0):
        raise InvalidArgumentError(f"limit must be >= 0 and whole, not {limit!r:.60}", path="limit")
    return Window(0, False if limit is None else limit, include_total=False)
