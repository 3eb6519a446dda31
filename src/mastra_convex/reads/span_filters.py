"""What lists of traces and branches are narrowed by (interface, sections 6.4 and 6.5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.listing import Doc, Keep, same_json
from mastra_convex.record import to_milliseconds
from mastra_convex.span import status_of
from mastra_convex.values.names import camel_case
from mastra_convex.values.payload import open_payload

_STATUSES = ("success", "error", "running")
_RANGES = ("startedAt", "endedAt")
_BOUNDS = ("start", "end", "startExclusive", "endExclusive")
# Text that a span may lack; None as a filter is that.
_TEXTS = frozenset(
    {
        *("entityType", "entityId", "entityName", "entityVersionId"),
        *("parentEntityType", "parentEntityId", "parentEntityName", "parentEntityVersionId"),
        *("rootEntityType", "rootEntityId", "rootEntityName", "rootEntityVersionId"),
        *("userId", "organizationId", "resourceId", "runId", "sessionId", "threadId", "messageId"),
        *("requestId", "environment", "source", "serviceName", "experimentId"),
    }
)
_ALWAYS = ("spanType", "traceId")
# While a span runs it stands after all that have ended: no end is as late as this.
_LAST_END = 8.64e15 - 1


@dataclass(slots=True)
class SpanFilters:
    """What the function compares (`args`), and what is compared here."""

    args: Doc = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    keeps: list[Keep] = field(default_factory=list)

    def split(self, order: str) -> tuple[Doc, Keep | None]:
        """Arguments for a list in the order of that field, and what they leave over."""
        args, keeps = dict(self.args), list(self.keeps)
        for name, (low, high) in self.ranges.items():
            if name != order:
                keeps.append(_within(name, low, high))
                continue
            bounds = {"from": low, "to": min(high, _LAST_END) if name == "endedAt" else high}
            args |= {bound: value for bound, value in bounds.items() if math.isfinite(value)}
        return args, (lambda row: all(keep(row) for keep in keeps)) if keeps else None

    def meets(self, row: Doc) -> bool:
        """Whether a row meets all of them."""
        known = {**row, "status": status_of(row)}
        return (
            all(known.get(name) == value for name, value in self.args.items())
            and all(_within(name, *bounds)(row) for name, bounds in self.ranges.items())
            and all(keep(row) for keep in self.keeps)
        )


def span_filters(filters: Any, *, of_traces: bool) -> SpanFilters:
    """The filters in a mapping, under Mastra's names or Python's.

    Raises `InvalidArgumentError` for a name that is none, or a value of another kind.
    """
    found = SpanFilters()
    if filters is not None and not isinstance(filters, Mapping):
        raise InvalidArgumentError(f"filters is a mapping, not {filters!r:.60}", path="filters")
    seen = set()
    for key, value in (filters or {}).items():
        name = camel_case(key) if isinstance(key, str) else ""
        if name in seen:
            raise InvalidArgumentError(f"filters.{name} is given twice", path="filters")
        seen.add(name)
        if name == "hasChildError" and not of_traces:
            name = ""
        add = _KINDS.get(name)
        if add is None:
            raise InvalidArgumentError(
                f"there is no filter {key!r:.60}; the reference lists those that there are",
                path="filters",
            )
        add(found, name, value)
    return found


def _text(found: SpanFilters, name: str, value: Any) -> None:
    if value is None and name in _TEXTS:
        found.keeps.append(lambda row: name not in row)
    elif value is not None:
        if not isinstance(value, str):
            raise _wrong(name, "text", value)
        found.args[name] = value


def _status(found: SpanFilters, name: str, value: Any) -> None:
    if value is None:
        return
    if value not in _STATUSES:
        raise _wrong(name, "'success', 'error' or 'running'", value)
    found.args[name] = value


def _child_error(found: SpanFilters, name: str, value: Any) -> None:
    if value is None:
        return
    wanted = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(wanted, bool):
        raise _wrong(name, "True or False", value)
    found.args[name] = wanted


def _range(found: SpanFilters, name: str, value: Any) -> None:
    if value is None:
        return
    given = {camel_case(str(key)): x for key, x in value.items()} if _is_map(value) else None
    if given is None or not given.keys() <= set(_BOUNDS):
        raise _wrong(name, f"a mapping of {', '.join(_BOUNDS)}", value)
    low, high = -math.inf, math.inf
    if given.get("start") is not None:
        low = to_milliseconds(given["start"], f"filters.{name}.start")
        if given.get("startExclusive"):
            low = math.nextafter(low, math.inf)
    if given.get("end") is not None:
        high = to_milliseconds(given["end"], f"filters.{name}.end")
        if given.get("endExclusive"):
            high = math.nextafter(high, -math.inf)
    found.ranges[name] = low, high


def _within(name: str, low: float, high: float) -> Keep:
    # A trace that runs has no end, and is in no range of ends.
    return lambda row: low <= row.get(name, math.nan) <= high


def _entries(found: SpanFilters, name: str, value: Any) -> None:
    if value is None:
        return
    if not _is_map(value):
        raise _wrong(name, "a mapping", value)

    def keep(row: Doc) -> bool:
        own = open_payload(row[name]) if name in row else None
        return isinstance(own, dict) and all(
            key in own and same_json(own[key], wanted) for key, wanted in value.items()
        )

    found.keeps.append(keep)


def _tags(found: SpanFilters, name: str, value: Any) -> None:
    if value is None or value == []:
        return
    if not isinstance(value, (list, tuple)) or not all(isinstance(tag, str) for tag in value):
        raise _wrong(name, "a list of text", value)

    def keep(row: Doc) -> bool:
        own = open_payload(row[name]) if name in row else None
        return isinstance(own, list) and all(tag in own for tag in value)

    found.keeps.append(keep)


_KINDS: dict[str, Callable[[SpanFilters, str, Any], None]] = {
    **dict.fromkeys((*_TEXTS, *_ALWAYS), _text),
    **dict.fromkeys(_RANGES, _range),
    **dict.fromkeys(("metadata", "scope"), _entries),
    "tags": _tags,
    "status": _status,
    "hasChildError": _child_error,
}


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _wrong(name: str, expected: str, value: Any) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"filters.{name} must be {expected}, not {value!r:.60}", path=f"filters.{name}"
    )
