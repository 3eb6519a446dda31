"""Reading observational memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import ObservationalMemory
from mastra_convex.reads.listing import Read, given, named, time_range

# Generations are large, and few are wanted.
_AT_ONCE = 20


def subject(thread_id: Any, resource_id: Any) -> dict[str, Any]:
    """The thread, or else the resource, that memory is of; an empty thread id is none."""
    return {**given(threadId=thread_id or None), "resourceId": named(resource_id, "resource_id")}


def memory(thread_id: str | None, resource_id: str) -> Read[ObservationalMemory | None]:
    """The present generation, or None."""
    found = yield "observationalMemory:get", subject(thread_id, resource_id)
    return None if found is None else ObservationalMemory.of(found)


def history(
    thread_id: str | None,
    resource_id: str,
    limit: int | None,
    from_date: datetime | float | str | None,
    to_date: datetime | float | str | None,
    offset: int,
) -> Read[list[ObservationalMemory]]:
    """Generations, newest first; dates are inclusive, and come before offset and limit."""
    for name, value in (("limit", limit), ("offset", offset)):
        if value is not None and (type(value) is not int or value < 0):
            raise InvalidArgumentError(f"{name} must be >= 0 and whole, not {value!r}", path=name)
    times = time_range(from_date, to_date)
    low, high = times.get("from", float("-inf")), times.get("to", float("inf"))
    found: list[ObservationalMemory] = []
    args = {**subject(thread_id, resource_id), "limit": _AT_ONCE}
    end = None if limit is None else offset + limit
    while end is None or len(found) < end:
        reply = yield "observationalMemory:list", args
        inside = (each for each in reply["page"] if low <= each["createdAt"] <= high)
        found += [ObservationalMemory.of(document) for document in inside]
        if reply["cursor"] is None:
            break
        args = {**args, "cursor": reply["cursor"]}
    return found[offset:end]
