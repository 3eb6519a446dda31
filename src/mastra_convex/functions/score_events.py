"""Scores of the observability domain: what was found of a trace, a span, a message, a run.

They are records of their own beside those of the scores domain (`scores.py`), as in Mastra, which
writes both. The service writes them; a resource reads those that name it.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import arrivals_of, list_by
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.signals import (
    list_signals,
    remove_by_traces,
    remove_signals,
    save_signals,
)
from mastra_convex.functions.validators import (
    arrivals,
    arrivals_args,
    list_args,
    page,
    record,
    saved,
)
from mastra_convex.functions.validators_signals import (
    CONTEXT,
    criteria,
    removal_args,
    removal_result,
    score_event_fields,
    tenant,
)
from mastra_convex.values.validators import v

_INDEXES = {
    "by_span": ("traceId", "spanId"),
    "by_trace": ("traceId",),
    "by_message": ("messageId",),
    "by_run": ("runId",),
    "by_thread": ("threadId",),
    "by_scorer": ("scorerId",),
    "by_resource": ("resourceId",),
    "by_timestamp": (),
}
_BY_SCORE = {"by_scorer_score": ("scorerId",), "by_score": ()}
_OWN = ("scorerId", "scoreSource")


@storage_query(args={"id": v.string()}, returns=v.union(record(score_event_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The score, or null."""
    score = by_key(ctx, "scoreEvents", args["id"])
    return public(score) if score and owns(ctx, score.get("resourceId")) else None


@storage_query(
    args={
        **criteria(score_event_fields, *_OWN),
        "orderBy": v.union(v.literal("timestamp"), v.literal("score")),
        **list_args,
    },
    returns=page(score_event_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of scores by `timestamp` or by `score`, that meet all of the criteria given.

    By `score`, which is for the service, `from` and `to` are compared on the way.
    """
    also = (*CONTEXT, *_OWN)
    if args["orderBy"] == "timestamp":
        return list_signals(ctx, "scoreEvents", _INDEXES, args, also)
    require_service(ctx, "listing scores by score")
    rest = {name: value for name, value in args.items() if name not in ("from", "to")}
    if len(rest) == len(args):
        return list_by(ctx, "scoreEvents", _BY_SCORE, args, also)
    low, high = args.get("from", float("-inf")), args.get("to", float("inf"))
    return list_by(
        ctx, "scoreEvents", _BY_SCORE, rest, also, lambda score: low <= score["timestamp"] <= high
    )


@storage_query(args=arrivals_args, returns=arrivals(score_event_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Scores in the order in which they came in, whomever they belong to."""
    return arrivals_of(ctx, "scoreEvents", args)


@storage_mutation(args={"scores": v.array(saved(score_event_fields))}, returns=v.null())
def save(ctx: MutationCtx, args: Args) -> None:
    """Save scores by their ids, replacing those that are there; all of them, or none."""
    save_signals(ctx, "scoreEvents", args["scores"])


@storage_mutation(args={"ids": v.array(v.string()), **tenant}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete scores: those of the organization and the resource, if given. Unknown ids are fine."""
    remove_signals(ctx, "scoreEvents", args["ids"], args)


@storage_mutation(args=removal_args, returns=removal_result)
def remove_of_traces(ctx: MutationCtx, args: Args) -> Doc:
    """Delete the scores of traces: those of the organization and the resource, if given."""
    return remove_by_traces(ctx, "scoreEvents", args)
