"""Spans: what a run did, step by step. Those of one trace make a tree.

A span is a row, which lists and filters look at, and a body, which may be large. The spans of a
trace may come in any order. They are written by the service; a resource reads the traces whose root
names it.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import InvalidArgumentError, NotFoundError
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
    save_span,
    some_by_id,
    visible_trace,
    whole,
)
from mastra_convex.functions.validators import (
    light_span_fields,
    list_args,
    page,
    record,
    saved,
    span_change,
    span_fields,
)
from mastra_convex.values.validators import v

_LIST_ARGS = {name: list_args[name] for name in ("order", "cursor", "skip", "limit", "withTotal")}


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
    found = page_of(ctx, "spans", "by_trace", (key_of(trace),), args)
    found["page"] = [
        {name: span[name] for name in light_span_fields if name in span} for span in found["page"]
    ]
    return found


@storage_query(
    args={"traceId": v.string(), "spanIds": v.array(v.string())},
    returns=v.object({"page": v.array(record(span_fields)), "rest": v.number()}),
)
def list_by_id(ctx: QueryCtx, args: Args) -> Doc:
    """The spans of a trace with these ids that there are, with their bodies, in that order.

    A call ends before it reads too much; `rest` says how many ids it has not looked at.
    """
    return some_by_id(ctx, args["traceId"], args["spanIds"])


@storage_mutation(args={"spans": v.array(saved(span_fields))}, returns=v.null())
def save(ctx: MutationCtx, args: Args) -> None:
    """Save spans by trace and id, replacing those that are there; all of them, or none."""
    require_service(ctx, "saving spans")
    check_count(len(args["spans"]), "spans", MAX_SPANS)
    traces = Traces(ctx)
    for span in args["spans"]:
        if not span["traceId"] or not span["spanId"]:
            raise InvalidArgumentError("a span's traceId and spanId must not be empty; give both")
        save_span(ctx, traces, span)
    traces.write()


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
