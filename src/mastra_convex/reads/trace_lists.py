"""Reading lists of traces and of branches: pages, and what has come in since."""

from __future__ import annotations

from typing import Any, NamedTuple

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Message
from mastra_convex.reads import spans
from mastra_convex.reads.deltas import arrivals, start
from mastra_convex.reads.listing import (
    MAX_PAGE,
    Doc,
    Found,
    Read,
    listing,
    named,
    order_of,
    page_numbers,
    window,
)
from mastra_convex.reads.messages import messages_by_id
from mastra_convex.reads.span_filters import span_filters
from mastra_convex.span import BranchPage, LightSpan, LightSpanPage, Span, SpanPage

_PATHS = {"traces": "spans:listTraces", "branches": "spans:listBranches"}
_MOST = 100
_FIRST = (0, 10)


class Wanted(NamedTuple):
    """The arguments of a list, as they were given."""

    filters: Any = None
    pagination: Any = None
    order_by: Any = None
    page: Any = _FIRST[0]
    per_page: Any = _FIRST[1]
    include_total: bool = True
    mode: Any = None
    after: Any = None
    limit: Any = None


def traces(wanted: Wanted) -> Read[SpanPage]:
    """A page of traces, their roots with bodies."""
    rows, about = yield from _rows("traces", wanted)
    whole = yield from _whole(rows)
    return SpanPage(**about, spans=[Span.of(document) for document in whole])


def light_traces(wanted: Wanted) -> Read[LightSpanPage]:
    """A page of traces, their roots without bodies."""
    rows, about = yield from _rows("traces", wanted)
    return LightSpanPage(**about, spans=[LightSpan.of(row) for row in rows])


def branches(wanted: Wanted) -> Read[BranchPage]:
    """A page of branches, the spans that anchor them with bodies."""
    rows, about = yield from _rows("branches", wanted)
    whole = yield from _whole(rows)
    return BranchPage(**about, branches=[Span.of(document) for document in whole])


def of_message(message_id: str) -> Read[list[LightSpan]]:
    """The traces of which a span names the message, by their beginnings."""
    args: Doc = {"messageId": named(message_id, "message_id"), "limit": MAX_PAGE}
    found: list[Doc] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = yield "spans:listByMessage", {**args, "cursor": cursor}
        found += reply["page"]
        cursor = reply["cursor"]
    found.sort(key=lambda row: row["startedAt"])
    return [LightSpan.of(row) for row in found]


def messages_of(trace_id: str) -> Read[list[Message]]:
    """The messages that spans of a trace name, and that there are, in ascending order of time."""
    args: Doc = {"traceId": named(trace_id, "trace_id"), "limit": MAX_PAGE}
    ids: list[str] = []
    while True:
        after = {"after": ids[-1]} if ids else {}
        more = yield "spans:listMessageIds", {**args, **after}
        ids += more
        if len(more) < MAX_PAGE:
            return (yield from messages_by_id(ids))


def _whole(rows: list[Doc]) -> Read[list[Doc]]:
    keys = [{"traceId": row["traceId"], "spanId": row["spanId"]} for row in rows]
    return (yield from spans.whole(keys))


def _rows(of: str, wanted: Wanted) -> Read[tuple[list[Doc], Doc]]:
    """The rows that are wanted of a list, and what a page says about itself."""
    if wanted.mode not in (None, "page", "delta"):
        raise InvalidArgumentError(
            f"mode is 'page' or 'delta', not {wanted.mode!r:.60}", path="mode"
        )
    if wanted.mode == "delta":
        return (yield from _delta(of, wanted))
    for name in ("after", "limit"):
        if getattr(wanted, name) is not None:
            raise InvalidArgumentError(f"{name} is for mode='delta' alone", path=name)
    page, per_page = wanted.page, wanted.per_page
    if wanted.pagination is not None:
        page, per_page = page_numbers(wanted.pagination, page, per_page)
    field, order = order_of(wanted.order_by, ("startedAt", "endedAt"), "desc")
    args, keep = span_filters(wanted.filters, of_traces=of == "traces").split(field)
    if per_page is not False:
        _check("per_page", per_page)
    part = window(page, per_page, wanted.include_total)
    args |= {"orderBy": field, "order": order}
    found: Found = yield from listing(_PATHS[of], args, part, keep)
    about = {"total": found.total, "page": page, "per_page": per_page, "has_more": found.has_more}
    return found.documents, {**about, "delta_cursor": None}


def _delta(of: str, wanted: Wanted) -> Read[tuple[list[Doc], Doc]]:
    given = wanted.pagination, wanted.order_by, (wanted.page, wanted.per_page)
    if given != (None, None, _FIRST):
        raise InvalidArgumentError(
            "mode='delta' has no pages and no other order; leave pagination, page, per_page and "
            "order_by out",
            path="mode",
        )
    limit = 10 if wanted.limit is None else wanted.limit
    _check("limit", limit)
    filters = span_filters(wanted.filters, of_traces=of == "traces")
    about = {"total": None, "page": 0, "per_page": limit}
    if wanted.after is None:
        cursor = yield from start(of)
        return [], {**about, "has_more": False, "delta_cursor": cursor}
    found = yield from arrivals(of, wanted.after, limit, filters.meets)
    return found.rows, {**about, "has_more": found.has_more, "delta_cursor": found.cursor}


def _check(name: str, number: Any) -> None:
    if type(number) is not int or not 1 <= number <= _MOST:
        also = ", or False for all" if name == "per_page" else ""
        raise InvalidArgumentError(
            f"{name} must be whole, from 1 to {_MOST}{also}, not {number!r:.60}", path=name
        )
