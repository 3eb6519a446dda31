"""Traces: what a run did, in spans. Both of Mastra's older shapes: a trace with its spans inside,
and the row of a single span."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.engine.query import RangeBuilder
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import MAX_PAGE, nothing, page_of
from mastra_convex.functions.lib.records import by_key, public, thread_visible
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.lib.spans import save_spans
from mastra_convex.functions.validators import (
    list_args,
    page,
    record,
    saved,
    saved_span_fields,
    spans_at,
    trace_fields,
)
from mastra_convex.values.validators import v

_stored_fields = {**trace_fields, **spans_at}
_CRITERIA = (
    ("threadId", "by_thread"),
    ("runId", "by_run"),
    ("scope", "by_scope"),
    ("name", "by_name"),
)


@storage_query(args={"id": v.string()}, returns=v.union(record(_stored_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The trace, or null."""
    trace = by_key(ctx, "traces", args["id"])
    return public(trace) if trace and thread_visible(ctx, trace.get("threadId")) else None


@storage_query(
    args={
        "threadId": v.optional(v.string()),
        "runId": v.optional(v.string()),
        "scope": v.optional(v.string()),
        "name": v.optional(v.string()),
        **list_args,
    },
    returns=page(_stored_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of traces by `timestamp`: of one thread, else one run, scope or name, else all."""
    if not thread_visible(ctx, args.get("threadId")):
        return nothing(args)
    for field, index in _CRITERIA:
        if field in args:
            return page_of(ctx, "traces", index, (args[field],), args)
    return page_of(ctx, "traces", "by_timestamp", (), args)


@storage_query(
    args={"prefix": v.string(), "after": v.optional(v.string()), "limit": v.number()},
    returns=v.array(v.string()),
)
def list_names(ctx: QueryCtx, args: Args) -> list[str]:
    """The next names of traces that begin with `prefix`, each once, in order, after `after`.

    Each costs one look into the index, however many traces have it.
    """
    require_service(ctx, "listing the names of traces")
    names: list[str] = []
    after = args.get("after")
    while len(names) < min(args["limit"], MAX_PAGE):
        name = _next_name(ctx, args["prefix"], after)
        if name is None:
            break
        names.append(name)
        after = name
    return names


def _next_name(ctx: QueryCtx, prefix: str, after: str | None) -> str | None:
    def following(q: RangeBuilder) -> RangeBuilder:
        return q.gte("name", prefix) if after is None else q.gt("name", after)

    trace = ctx.db.query("traces").with_index("by_name", following).first()
    if trace is None or not trace["name"].startswith(prefix):
        return None
    name: str = trace["name"]
    return name


@storage_mutation(
    args={
        "trace": saved(trace_fields),
        "spans": v.optional(v.array(saved(saved_span_fields))),
    },
    returns=record(_stored_fields),
)
def save(ctx: MutationCtx, args: Args) -> Doc:
    """Save a trace by its id, replacing what was saved before.

    `spans` are those inside it that are to be spans of their own, too. `spansAt` tells their newest
    change: what is newer is not in the trace.
    """
    require_service(ctx, "saving a trace")
    trace = args["trace"]
    before = by_key(ctx, "traces", trace["id"])
    if "timestamp" not in trace:
        trace = {
            **trace,
            "timestamp": before["timestamp"] if before else trace.get("createdAt", ctx.now),
        }
    spans = args.get("spans", [])
    if any(span["traceId"] != trace["id"] for span in spans):
        raise InvalidArgumentError(
            f"spans inside trace {trace['id']!r} are of that trace, and of no other"
        )
    if spans:
        trace = {**trace, "spansAt": save_spans(ctx, spans)}
    return public(save_record(ctx, "traces", before, trace))
