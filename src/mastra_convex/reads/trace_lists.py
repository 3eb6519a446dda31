"""Reading lists of traces and of branches: pages, and what has come in since."""

from __future__ import annotations

from mastra_convex.models import Message
from mastra_convex.reads import spans
from mastra_convex.reads.deltas import Source, Wanted, check_size, delta, is_delta
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
_SOURCES = {
    name: Source(name, "spans:listArrived", {"list": name}, ("traceId", "spanId"))
    for name in _PATHS
}


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
    if is_delta(wanted):
        filters = span_filters(wanted.filters, of_traces=of == "traces")
        return (yield from delta(_SOURCES[of], wanted, filters.meets))
    page, per_page = wanted.page, wanted.per_page
    if wanted.pagination is not None:
        page, per_page = page_numbers(wanted.pagination, page, per_page)
    field, order = order_of(wanted.order_by, ("startedAt", "endedAt"), "desc")
    args, keep = span_filters(wanted.filters, of_traces=of == "traces").split(field)
    if per_page is not False:
        check_size("per_page", per_page)
    part = window(page, per_page, wanted.include_total)
    args |= {"orderBy": field, "order": order}
    found: Found = yield from listing(_PATHS[of], args, part, keep)
    about = {"total": found.total, "page": page, "per_page": per_page, "has_more": found.has_more}
    return found.documents, {**about, "delta_cursor": None}
