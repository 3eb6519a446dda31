"""Evals: how well an agent did, in a test or live."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import nothing, page_of
from mastra_convex.functions.lib.records import by_key, public, thread_visible
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import eval_fields, list_args, page, record, saved
from mastra_convex.values.validators import v


@storage_query(args={"id": v.string()}, returns=v.union(record(eval_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The eval, or null."""
    found = by_key(ctx, "evals", args["id"])
    return public(found) if found and thread_visible(ctx, found.get("threadId")) else None


@storage_query(
    args={
        "threadId": v.optional(v.string()),
        "agentName": v.optional(v.string()),
        "type": v.optional(v.string()),
        **list_args,
    },
    returns=page(eval_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of evals by `createdAt`, of one thread, else one agent (and type), else one type."""
    if not thread_visible(ctx, args.get("threadId")):
        return nothing(args)
    if "threadId" in args:
        return page_of(ctx, "evals", "by_thread", (args["threadId"],), args)
    if "agentName" in args and "type" in args:
        return page_of(ctx, "evals", "by_agent_type", (args["agentName"], args["type"]), args)
    if "agentName" in args:
        return page_of(ctx, "evals", "by_agent", (args["agentName"],), args)
    if "type" in args:
        return page_of(ctx, "evals", "by_type", (args["type"],), args)
    return page_of(ctx, "evals", "by_created", (), args)


@storage_mutation(args={"eval": saved(eval_fields)}, returns=record(eval_fields))
def save(ctx: MutationCtx, args: Args) -> Doc:
    """Save an eval by its id, replacing what was saved before."""
    require_service(ctx, "saving an eval")
    return public(save_record(ctx, "evals", by_key(ctx, "evals", args["eval"]["id"]), args["eval"]))
