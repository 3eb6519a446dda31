"""Reading traces: documents of the older shape, and those that spans make."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mastra_convex.models import Trace, TracePage
from mastra_convex.reads import spans
from mastra_convex.reads.listing import (
    MAX_PAGE,
    Found,
    Keep,
    Read,
    Window,
    given,
    listing,
    matching,
    merged,
    named,
    time_range,
    window,
)
from mastra_convex.span import Span
from mastra_convex.values.payload import encode_payload, open_payload


def trace(trace_id: str) -> Read[Trace | None]:
    """One trace, of either shape, or None."""
    found = yield "traces:get", {"id": named(trace_id, "trace_id")}
    if found is None:
        found = yield from spans.trace_document(trace_id)
    elif "spansAt" in found:
        changed = yield from spans.changed_since(trace_id, found["spansAt"])
        if changed:
            found = {**found, "spans": _laid_over(found.get("spans", "[]"), changed)}
    return None if found is None else Trace.of(found)


def _laid_over(text: str, changed: list[Span]) -> str:
    """Spans inside a trace, as JSON text, with those that have changed since as they are now."""
    now = {span.span_id: span.to_dict() for span in changed}
    given = open_payload(text)
    inside = given if isinstance(given, list) else []
    for position, each in enumerate(inside):
        span_id = each.get("spanId") if isinstance(each, dict) else None
        if isinstance(span_id, str) and span_id in now:
            inside[position] = now.pop(span_id)
    return encode_payload([*inside, *now.values()])


def traces(
    thread_id: str | None,
    run_id: str | None,
    name: str | None,
    scope: str | None,
    from_date: datetime | float | str | None,
    to_date: datetime | float | str | None,
    page: int,
    per_page: int | bool,
    include_total: bool,
) -> Read[TracePage]:
    """A page of traces, newest first; `name` is the beginning of one (interface, section 8)."""
    wanted = window(page, per_page, include_total)
    args = {"order": "desc", **time_range(from_date, to_date)}
    # The function reads one index; what that leaves over is compared here.
    criteria = given(threadId=thread_id, runId=run_id, scope=scope)
    given(name=name)
    if name and not criteria:
        found = yield from _named(name, args, wanted)
    else:
        for field in list(criteria)[:1]:
            args[field] = criteria.pop(field)
        found = yield from listing("traces:list", args, wanted, _keep(criteria, name or ""))
    return TracePage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        traces=[Trace.of(document) for document in found.documents],
    )


def _keep(residual: dict[str, Any], prefix: str) -> Keep | None:
    equal = matching(residual)
    if not prefix:
        return equal
    return lambda document: (
        document.get("name", "").startswith(prefix) and (equal is None or equal(document))
    )


def _named(prefix: str, args: dict[str, Any], wanted: Window) -> Read[Found]:
    """Traces whose name begins with `prefix`: the lists of all such names, merged by time."""
    names: list[str] = []
    while True:
        after = {"after": names[-1]} if names else {}
        more = yield "traces:listNames", {"prefix": prefix, "limit": MAX_PAGE, **after}
        names += more
        if len(more) < MAX_PAGE:
            break
    lists = [("traces:list", {**args, "name": name}) for name in names]
    return (yield from merged(lists, wanted, lambda document: document["timestamp"]))
