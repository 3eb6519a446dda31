"""Spans: what a run did, step by step. Those of one trace make a tree.

A span is a row, which lists and filters look at, and a body, which may be large. The spans of a
trace may come in any order. They are written by the service; a resource reads the traces whose root
names it.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import NotFoundError
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import nothing, page_of
from mastra_convex.functions.lib.records import by_key
from mastra_convex.functions.lib.spans import (
    MAX_SPANS,
    MAX_TRACES,
    Traces,
    change_span,
    check_count,
    key_of,
    remove_trace,
    save_spans,
    some_by_key,
    visible_trace,
    whole,
)
from mastra_convex.functions.lib.trace_lists import (
    LISTS,
    arrived,
    listed,
    message_ids_of,
    traces_of_message,
)
from mastra_convex.functions.validators import (
    light_span_fields,
    list_args,
    listed_span_fields,
    page,
    record,
    saved,
    saved_span_fields,
    span_change,
    span_fields,
    span_filters,
)
from mastra_convex.values.validators import v

_LIST_ARGS = {name: list_args[name] for name in ("order", "cursor", "skip", "limit", "withTotal")}
_ORDER_BY = v.union(v.literal("startedAt"), v.literal("endedAt"))


@storage_query(
    args={"traceId": v.string(), "spanId": v.string()},
    returns=v.union(record(span_fields), v.null()),
)
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The span with its body, or null."""
    trace = visible_trace(ctx, args["traceId"])
    row = trace and by_key(ctx, "spans", key_of(trace), args["spanId"])
    return whole(ctx, row) if row else None


@storage_query(args={"traceId": v.string()}, returns=v.union(record(span_fields), v.null()))
def get_root(ctx: QueryCtx, args: Args) -> Doc | None:
    """The root span of a trace with its body, or null while there is none."""
    trace = visible_trace(ctx, args["traceId"])
    if trace is None or "startedAt" not in trace:
        return None
    row = by_key(ctx, "spans", key_of(trace), trace["headSpanId"])
    return whole(ctx, row) if row else None


@storage_query(args={"traceId": v.string(), **_LIST_ARGS}, returns=page(light_span_fields))
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of a trace's spans without their bodies, in the order in which they arrived."""
    trace = visible_trace(ctx, args["traceId"])
    if trace is None:
        return nothing(args)
    return _light(page_of(ctx, "spans", "by_trace", (key_of(trace),), args))


def _light(found: Doc) -> Doc:
    """The page with as much of each span as a light one has."""
    found["page"] = [
        {name: span[name] for name in light_span_fields if name in span} for span in found["page"]
    ]
    return found


@storage_query(args={"openedBy": v.string(), **_LIST_ARGS}, returns=page(light_span_fields))
def list_open(ctx: QueryCtx, args: Args) -> Doc:
    """A page of the spans that somebody has opened and not closed, without their bodies."""
    require_service(ctx, "listing open spans")
    return _light(page_of(ctx, "spans", "by_opener", (args["openedBy"],), args))


@storage_query(
    args={"spans": v.array(v.object({"traceId": v.string(), "spanId": v.string()}))},
    returns=v.object({"page": v.array(record(span_fields)), "rest": v.number()}),
)
def list_by_id(ctx: QueryCtx, args: Args) -> Doc:
    """The spans with these ids that there are, with their bodies, in that order.

    A call ends before it reads too much; `rest` says how many ids it has not looked at.
    """
    return some_by_key(ctx, args["spans"])


@storage_query(
    args={
        **span_filters,
        "hasChildError": v.optional(v.boolean()),
        "orderBy": _ORDER_BY,
        **list_args,
    },
    returns=page(listed_span_fields),
)
def list_traces(ctx: QueryCtx, args: Args) -> Doc:
    """A page of traces, a row each, by beginning or end: those whose root meets all criteria.

    The narrowest criterion is read from its index, with its total. What differs from another one is
    left out: then a page may be shorter than asked for, and has no total.
    """
    return listed(ctx, "traceRoots", args)


@storage_query(
    args={**span_filters, "orderBy": _ORDER_BY, **list_args}, returns=page(listed_span_fields)
)
def list_branches(ctx: QueryCtx, args: Args) -> Doc:
    """As `list_traces`, of the spans that anchor a branch, whatever their traces' roots are."""
    return listed(ctx, "traceBranches", args)


@storage_query(
    args={
        "list": v.union(*map(v.literal, LISTS)),
        "after": v.optional(v.number()),
        "limit": v.number(),
    },
    returns=v.object(
        {
            "page": v.array(record(listed_span_fields)),
            "position": v.number(),
            "isDone": v.boolean(),
        }
    ),
)
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Rows of either list in the order in which they came into it, after `after` or the newest."""
    return arrived(ctx, LISTS[args["list"]], args)


@storage_query(
    args={"messageId": v.string(), "cursor": v.optional(v.string()), "limit": v.number()},
    returns=v.object(
        {
            "page": v.array(record(listed_span_fields)),
            "cursor": v.union(v.string(), v.null()),
        }
    ),
)
def list_by_message(ctx: QueryCtx, args: Args) -> Doc:
    """Rows of the traces of which some span names the message; `cursor` is where to go on."""
    return traces_of_message(ctx, args)


@storage_query(
    args={"traceId": v.string(), "after": v.optional(v.string()), "limit": v.number()},
    returns=v.array(v.string()),
)
def list_message_ids(ctx: QueryCtx, args: Args) -> list[str]:
    """The ids of the messages that spans of a trace name, each once, in order, after `after`."""
    return message_ids_of(ctx, args)


@storage_mutation(args={"spans": v.array(saved(saved_span_fields))}, returns=v.null())
def save(ctx: MutationCtx, args: Args) -> None:
    """Save spans by trace and id, replacing those that are there; all of them, or none."""
    require_service(ctx, "saving spans")
    save_spans(ctx, args["spans"])


@storage_mutation(args={"spans": v.array(v.object(span_change))}, returns=v.null())
def update(ctx: MutationCtx, args: Args) -> None:
    """Change spans, field by field; all of them, or none. Each must be there."""
    require_service(ctx, "changing spans")
    check_count(len(args["spans"]), "spans", MAX_SPANS)
    traces = Traces(ctx)
    for change in args["spans"]:
        trace = traces.get(change["traceId"])
        before = trace and by_key(ctx, "spans", key_of(trace), change["spanId"])
        if not before:
            raise NotFoundError(
                f"there is no span {change['spanId']!r} in trace {change['traceId']!r}; "
                "create it first",
                table="spans",
                id=change["spanId"],
            )
        change_span(ctx, traces, before, change)
    traces.write()


@storage_mutation(
    args={
        "traceIds": v.array(v.string()),
        "organizationId": v.optional(v.string()),
        "resourceId": v.optional(v.string()),
    },
    returns=v.null(),
)
def remove_traces(ctx: MutationCtx, args: Args) -> None:
    """Delete traces with their spans: those of the organization and the resource, if given.

    Whose a trace is, its root says, or until there is one its first span. Unknown ids are fine.
    """
    require_service(ctx, "deleting traces")
    check_count(len(args["traceIds"]), "ids of traces", MAX_TRACES)
    for trace_id in dict.fromkeys(args["traceIds"]):
        trace = by_key(ctx, "spanTraces", trace_id)
        scope = ("organizationId", "resourceId")
        if trace and all(trace.get(name) == args.get(name, trace.get(name)) for name in scope):
            remove_trace(ctx, trace)
