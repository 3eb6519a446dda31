"""Metrics: single observations of a number, such as the tokens of a call. For the service alone."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.engine.query import RangeBuilder
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import arrivals_of, limit_of
from mastra_convex.functions.lib.signals import list_signals, remove_by_traces, save_signals
from mastra_convex.functions.validators import arrivals, arrivals_args, list_args, page, saved
from mastra_convex.functions.validators_signals import (
    CONTEXT,
    criteria,
    metric_fields,
    removal_args,
    removal_result,
)
from mastra_convex.values.validators import v

_INDEXES = {
    "by_trace": ("traceId",),
    "by_name": ("name",),
    "by_resource": ("resourceId",),
    "by_timestamp": (),
}
_OWN = ("name", "provider", "model", "costUnit")


@storage_query(args={**criteria(metric_fields, *_OWN), **list_args}, returns=page(metric_fields))
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of metrics by `timestamp`, that meet all of the criteria given."""
    require_service(ctx, "reading metrics")
    return list_signals(ctx, "metrics", _INDEXES, args, (*CONTEXT, *_OWN))


@storage_query(args=arrivals_args, returns=arrivals(metric_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Metrics in the order in which they came in, whomever they belong to."""
    return arrivals_of(ctx, "metrics", args)


@storage_query(
    args={"prefix": v.string(), "after": v.optional(v.string()), "limit": v.number()},
    returns=v.array(v.string()),
)
def list_names(ctx: QueryCtx, args: Args) -> list[str]:
    """The next names of metrics that begin with `prefix`, each once, in order, after `after`.

    Each costs one look into the index, however many metrics have it.
    """
    require_service(ctx, "reading metrics")
    names: list[str] = []
    after = args.get("after")
    limit = limit_of(args)
    while len(names) < limit:

        def following(q: RangeBuilder, after: str | None = after) -> RangeBuilder:
            return q.gte("name", args["prefix"]) if after is None else q.gt("name", after)

        metric = ctx.db.query("metrics").with_index("by_name", following).first()
        if metric is None or not metric["name"].startswith(args["prefix"]):
            break
        after = metric["name"]
        names.append(metric["name"])
    return names


@storage_mutation(args={"metrics": v.array(saved(metric_fields))}, returns=v.null())
def save(ctx: MutationCtx, args: Args) -> None:
    """Save metrics by their ids, replacing those that are there; all of them, or none."""
    save_signals(ctx, "metrics", args["metrics"])


@storage_mutation(args=removal_args, returns=removal_result)
def remove_of_traces(ctx: MutationCtx, args: Args) -> Doc:
    """Delete the metrics of traces: those of the organization and the resource, if given."""
    return remove_by_traces(ctx, "metrics", args)
