"""Resources: the working memory and metadata of a user or another owner."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import UnauthenticatedError
from mastra_convex.functions.lib.access import Args, Ctx, Doc, owns, storage_mutation, storage_query
from mastra_convex.functions.lib.payloads import merge
from mastra_convex.functions.lib.records import (
    by_key,
    insert,
    later,
    patch,
    public,
    require_expected,
)
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import payload, record, resource_fields, saved
from mastra_convex.values.validators import v


def _require_owner(ctx: Ctx, resource_id: str) -> None:
    if not owns(ctx, resource_id):
        raise UnauthenticatedError(
            f"resource {resource_id!r} is not the one this token is for; use its own token"
        )


@storage_query(args={"id": v.string()}, returns=v.union(record(resource_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The resource, or null."""
    resource = by_key(ctx, "resources", args["id"]) if owns(ctx, args["id"]) else None
    return public(resource) if resource else None


@storage_mutation(args={"resource": saved(resource_fields)}, returns=record(resource_fields))
def save(ctx: MutationCtx, args: Args) -> Doc:
    """Save a resource by its id, replacing what was saved before."""
    resource = args["resource"]
    _require_owner(ctx, resource["id"])
    before = by_key(ctx, "resources", resource["id"])
    if before is None:
        created = resource.get("createdAt", ctx.now)
        resource = {"createdAt": created, "updatedAt": created, **resource}
    return public(save_record(ctx, "resources", before, resource))


@storage_mutation(
    args={
        "id": v.string(),
        "workingMemory": v.optional(payload()),
        "metadata": v.optional(payload()),
        "expected": v.optional(v.object({"workingMemory": v.union(payload(), v.null())})),
    },
    returns=record(resource_fields),
)
def update(ctx: MutationCtx, args: Args) -> Doc:
    """Change working memory and metadata; a missing resource is created.

    With `expected`, only if the working memory is still that, to the letter; null is none.
    """
    _require_owner(ctx, args["id"])
    before = by_key(ctx, "resources", args["id"])
    require_expected(before or {"id": args["id"]}, args, "resources")
    if before is None:
        times = {"createdAt": ctx.now, "updatedAt": ctx.now}
        given = {name: value for name, value in args.items() if name != "expected"}
        return public(insert(ctx, "resources", {"metadata": "{}", **given, **times}))
    fields: Doc = {"updatedAt": later(ctx, before)}
    if "workingMemory" in args:
        fields["workingMemory"] = args["workingMemory"]
    if "metadata" in args:
        fields["metadata"] = merge(before.get("metadata"), args["metadata"])
    return public(patch(ctx, "resources", before, fields))
