"""Scores: what a scorer has found of a run of an agent, a workflow or a step."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    principal_of,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import list_by
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import list_args, page, record, saved, score_fields
from mastra_convex.values.validators import v

_INDEXES = {
    "by_scorer_source": ("scorerId", "source"),
    "by_scorer": ("scorerId",),
    "by_run": ("runId",),
    "by_span": ("traceId", "spanId"),
    "by_entity": ("entityId", "entityType"),
}
_TENANCY = ("organizationId", "projectId")


@storage_query(args={"id": v.string()}, returns=v.union(record(score_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The score, or null."""
    score = by_key(ctx, "scores", args["id"])
    return public(score) if score and owns(ctx, score.get("resourceId")) else None


@storage_query(
    args={
        "scorerId": v.optional(v.string()),
        "source": v.optional(score_fields["source"]),
        "runId": v.optional(v.string()),
        "traceId": v.optional(v.string()),
        "spanId": v.optional(v.string()),
        "entityId": v.optional(v.string()),
        "entityType": v.optional(v.string()),
        "organizationId": v.optional(v.string()),
        "projectId": v.optional(v.string()),
        **list_args,
    },
    returns=page(score_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of scores by `createdAt`, that meet all of the criteria given.

    The index is that of the scorer (and source), else the run, the span or the entity; for a
    resource, that of its own scores.
    """
    own = principal_of(ctx).resource_id
    if own is None:
        return list_by(ctx, "scores", _INDEXES, args, _TENANCY)
    also = (*(name for names in _INDEXES.values() for name in names), *_TENANCY)
    indexes = {"by_resource": ("resourceId",)}
    return list_by(ctx, "scores", indexes, {**args, "resourceId": own}, also)


@storage_mutation(args={"score": saved(score_fields)}, returns=record(score_fields))
def save(ctx: MutationCtx, args: Args) -> Doc:
    """Save a score by its id, replacing what was saved before."""
    require_service(ctx, "saving a score")
    score = args["score"]
    before = by_key(ctx, "scores", score["id"])
    if before is None:
        score = {"updatedAt": ctx.now, **score}
    return public(save_record(ctx, "scores", before, score))
