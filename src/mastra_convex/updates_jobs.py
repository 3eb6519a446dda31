"""Arguments of mutations on schedules, background tasks and what else has an id of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models_jobs import BackgroundTask, Schedule
from mastra_convex.record import Record, to_milliseconds

_TASK_FIELDS = (
    *("status", "result", "error", "suspendPayload", "startedAt", "suspendedAt", "completedAt"),
    *("retryCount", "maxRetries", "timeoutMs"),
)
_SCHEDULE_FIELDS = (
    *("target", "cron", "timezone", "status", "nextFireAt", "ownerType", "ownerId", "metadata"),
)


def with_id(kind: type[Record], value: Any, name: str) -> dict[str, Any]:
    """The argument `name` for a record; one without an id gets a random one."""
    if isinstance(value, Mapping) and value.get("id") is None:
        # Imported here: it would be a part of the time that our import takes.
        from uuid import uuid4

        value = {**value, "id": str(uuid4())}
    return {name: kind.encode(value)}


def text(value: Any, name: str, argument: str = "id") -> dict[str, Any]:
    """An argument that is text, from what the caller knows as `name`."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be text, not {value!r:.60}", path=name)
    return {argument: value}


def task_update(task_id: Any, update: Any, expected_status: Any) -> dict[str, Any]:
    """What `backgroundTasks:update` takes; None takes a field away."""
    guard = {} if expected_status is None else text(expected_status, "expected_status", "guard")
    change = _change(BackgroundTask, task_id, update, _TASK_FIELDS)
    args = {**text(task_id, "task_id"), "update": change}
    return {**args, "expectedStatus": guard["guard"]} if guard else args


def schedule_patch(schedule_id: Any, patch: Any) -> dict[str, Any]:
    """What `schedules:update` takes; None takes a field away."""
    change = _change(Schedule, schedule_id, patch, _SCHEDULE_FIELDS)
    return {**text(schedule_id, "schedule_id"), **change}


def next_fire(
    schedule_id: Any, expected: Any, new: Any, last_fire_at: Any, last_run_id: Any
) -> dict[str, Any]:
    """What `schedules:advance` takes."""
    return {
        **text(schedule_id, "schedule_id"),
        "expectedNextFireAt": to_milliseconds(expected, "expected_next_fire_at"),
        "newNextFireAt": to_milliseconds(new, "new_next_fire_at"),
        "lastFireAt": to_milliseconds(last_fire_at, "last_fire_at"),
        **text(last_run_id, "last_run_id", "lastRunId"),
    }


def _change(kind: type[Record], id: Any, given: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """The new values of some fields, by their wire names; None stays None."""
    label = f"{kind.noun} {id!r:.80}"
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(f"{label}: a change is a mapping, not {given!r:.60}")
    known = {field.name: field.wire_name for field in kind.fields}
    change: dict[str, Any] = {}
    for name, value in given.items():
        wire_name = known.get(name, name)
        if wire_name not in fields:
            raise InvalidArgumentError(
                f"{label}: {name} cannot be updated; leave it out", path=name
            )
        if wire_name in change:
            raise InvalidArgumentError(f"{label}: {wire_name} is given twice", path=name)
        encoded = None if value is None else kind.encode_field(wire_name, value, label)
        change[wire_name] = encoded
    return change
