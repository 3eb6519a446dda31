"""Logs: what agents and what runs them have said, line by line. For the service alone."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import arrivals_of
from mastra_convex.functions.lib.signals import list_signals, remove_by_traces, save_signals
from mastra_convex.functions.validators import arrivals, arrivals_args, list_args, page, saved
from mastra_convex.functions.validators_signals import (
    CONTEXT,
    criteria,
    log_fields,
    removal_args,
    removal_result,
)
from mastra_convex.values.validators import v

_INDEXES = {
    "by_trace": ("traceId",),
    "by_run": ("runId",),
    "by_thread": ("threadId",),
    "by_resource": ("resourceId",),
    "by_level": ("level",),
    "by_timestamp": (),
}


@storage_query(args={**criteria(log_fields, "level"), **list_args}, returns=page(log_fields))
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of logs by `timestamp`, that meet all of the criteria given."""
    require_service(ctx, "reading logs")
    return list_signals(ctx, "logs", _INDEXES, args, CONTEXT)


@storage_query(args=arrivals_args, returns=arrivals(log_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Logs in the order in which they came in, whomever they belong to."""
    return arrivals_of(ctx, "logs", args)


@storage_mutation(args={"logs": v.array(saved(log_fields))}, returns=v.null())
def save(ctx: MutationCtx, args: Args) -> None:
    """Save logs by their ids, replacing those that are there; all of them, or none."""
    save_signals(ctx, "logs", args["logs"])


@storage_mutation(args=removal_args, returns=removal_result)
def remove_of_traces(ctx: MutationCtx, args: Args) -> Doc:
    """Delete the logs of traces: those of the organization and the resource, if given."""
    return remove_by_traces(ctx, "logs", args)
