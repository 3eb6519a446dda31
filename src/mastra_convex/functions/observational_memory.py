"""Observational memory: what was observed in a thread, or of a resource, in generations.

A record is one generation; the one with the highest count is the present one, those below it are
history. Observations that wait to become active are chunks, each a document of its own.
"""

from __future__ import annotations

from functools import partial

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import ConflictError, NotFoundError
from mastra_convex.functions.lib import observations as lib
from mastra_convex.functions.lib.access import (
    Args,
    Ctx,
    Doc,
    principal_of,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import page_of
from mastra_convex.functions.lib.payloads import merge_deep
from mastra_convex.functions.lib.records import by_key, insert, later, patch, public
from mastra_convex.functions.validators import (
    Fields,
    chunk_fields,
    observational_memory_fields,
    payload,
    record,
    time,
)
from mastra_convex.values.validators import v

_subject: Fields = {"threadId": v.optional(v.string()), "resourceId": v.string()}
_with_chunks = v.object(
    {**observational_memory_fields, "bufferedObservationChunks": v.array(record(chunk_fields))}
)


@storage_query(args=_subject, returns=v.union(_with_chunks, v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The present generation of a thread, or else of a resource; or null."""
    found = lib.generations(ctx, args).order("desc").first()
    return lib.with_chunks(ctx, found) if found and lib.is_visible(ctx, found) else None


@storage_query(
    args={**_subject, "cursor": v.optional(v.string()), "limit": v.number()},
    returns=v.object(
        {"page": v.array(_with_chunks), "cursor": v.union(v.string(), v.null())},
    ),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of the generations of a thread, or else of a resource, newest first."""
    index, values = lib.subject_index(args)
    keep = None if principal_of(ctx).is_service else partial(lib.is_visible, ctx)
    show = partial(lib.with_chunks, ctx)
    return page_of(ctx, lib.TABLE, index, values, {**args, "order": "desc"}, keep, show)


@storage_mutation(
    args={
        **_subject,
        "id": v.string(),
        "scope": v.union(v.literal("thread"), v.literal("resource")),
        "config": payload(),
        "observedTimezone": v.optional(v.string()),
    },
    returns=_with_chunks,
)
def initialize(ctx: MutationCtx, args: Args) -> Doc:
    """Make the first generation; or give the present one, if somebody was faster."""
    lib.require_subject(ctx, args)
    found = lib.generations(ctx, args).order("desc").first()
    if found is not None:
        return lib.with_chunks(ctx, lib.require_visible(ctx, found, args["id"]))
    first = lib.generation(ctx, {**args, "originType": "initial"}, 0)
    return lib.with_chunks(ctx, lib.add_generation(ctx, {**first, "activeObservations": '""'}))


@storage_mutation(args={"record": _with_chunks}, returns=v.null())
def save(ctx: MutationCtx, args: Args) -> None:
    """Add a ready generation with its chunks. One that is there, and equal, is left alone."""
    given = dict(args["record"])
    chunks = given.pop("bufferedObservationChunks")
    lib.require_subject(ctx, given)
    before = by_key(ctx, lib.TABLE, given["id"])
    if before is not None:
        if public(lib.require_visible(ctx, before, given["id"])) != given:
            raise ConflictError(
                f"observational memory {given['id']!r} is there already, and is another",
                table=lib.TABLE,
                id=given["id"],
            )
        return
    insert(ctx, lib.TABLE, given)
    for chunk in chunks:
        lib.add_chunk(ctx, given["id"], chunk)


@storage_mutation(
    args={
        "id": v.string(),
        "isReflecting": v.optional(v.boolean()),
        "isObserving": v.optional(v.boolean()),
        "isBufferingObservation": v.optional(v.boolean()),
        "isBufferingReflection": v.optional(v.boolean()),
        "lastBufferedAtTokens": v.optional(v.number()),
        "pendingMessageTokens": v.optional(v.number()),
        "config": v.optional(payload()),
    },
    returns=v.null(),
)
def update(ctx: MutationCtx, args: Args) -> None:
    """Set flags and counts; `config` is merged, maps in maps too."""
    before = _existing(ctx, args["id"])
    fields = {**args, "updatedAt": later(ctx, before)}
    if "config" in args:
        fields["config"] = merge_deep(before["config"], args["config"])
    patch(ctx, lib.TABLE, before, fields)


@storage_mutation(
    args={
        "id": v.string(),
        "observations": payload(),
        "tokenCount": v.number(),
        "lastObservedAt": time(),
        "observedMessageIds": v.optional(payload()),
    },
    returns=v.null(),
)
def observe(ctx: MutationCtx, args: Args) -> None:
    """Replace the active observations; pending tokens have been observed with them."""
    before = _existing(ctx, args["id"])
    fields = {
        "activeObservations": args["observations"],
        "observationTokenCount": args["tokenCount"],
        "totalTokensObserved": before["totalTokensObserved"] + args["tokenCount"],
        "pendingMessageTokens": 0,
        "lastObservedAt": args["lastObservedAt"],
        "updatedAt": later(ctx, before),
    }
    if "observedMessageIds" in args:
        fields["observedMessageIds"] = args["observedMessageIds"]
    patch(ctx, lib.TABLE, before, fields)


@storage_mutation(
    args={
        "id": v.string(),
        "chunk": v.object(
            {name: field for name, field in chunk_fields.items() if name != "createdAt"}
        ),
        "lastBufferedAtTime": v.optional(time()),
    },
    returns=v.null(),
)
def buffer(ctx: MutationCtx, args: Args) -> None:
    """Add a chunk of observations, unless one of its cycle is there."""
    before = _existing(ctx, args["id"])
    if lib.add_chunk(ctx, args["id"], {**args["chunk"], "createdAt": ctx.now}):
        fields: Doc = {"updatedAt": later(ctx, before)}
        if "lastBufferedAtTime" in args:
            fields["lastBufferedAtTime"] = args["lastBufferedAtTime"]
        patch(ctx, lib.TABLE, before, fields)


@storage_mutation(
    args={
        "id": v.string(),
        "activationRatio": v.number(),
        "messageTokensThreshold": v.number(),
        "currentPendingTokens": v.number(),
        "forceMaxActivation": v.optional(v.boolean()),
        "lastObservedAt": v.optional(time()),
        "weights": v.optional(
            v.array(v.object({"cycleId": v.string(), "messageTokens": v.number()}))
        ),
    },
    returns=v.array(record(chunk_fields)),
)
def activate(ctx: MutationCtx, args: Args) -> list[Doc]:
    """Make the first chunks active, so many that about the retention floor is left; returns them.

    `weights` are the present numbers of tokens of chunks: only these are looked at, those of them
    that still wait.
    """
    before = _existing(ctx, args["id"])
    return lib.activate(ctx, before, args)


@storage_mutation(
    args={"id": v.string(), "newId": v.string(), "reflection": payload(), "tokenCount": v.number()},
    returns=_with_chunks,
)
def reflect(ctx: MutationCtx, args: Args) -> Doc:
    """Make the next generation, with a reflection as its observations."""
    return lib.with_chunks(ctx, lib.next_generation(ctx, _existing(ctx, args["id"]), args))


@storage_mutation(
    args={
        "id": v.string(),
        "reflection": payload(),
        "tokenCount": v.number(),
        "inputTokenCount": v.number(),
        "reflectedObservationLineCount": v.number(),
    },
    returns=v.null(),
)
def buffer_reflection(ctx: MutationCtx, args: Args) -> None:
    """Put a reflection, after what is there of one, aside until it is activated."""
    before = _existing(ctx, args["id"])
    tokens, inputs = "bufferedReflectionTokens", "bufferedReflectionInputTokens"
    fields = {
        "bufferedReflection": lib.joined(before.get("bufferedReflection"), args["reflection"]),
        tokens: before.get(tokens, 0) + args["tokenCount"],
        inputs: before.get(inputs, 0) + args["inputTokenCount"],
        "reflectedObservationLineCount": args["reflectedObservationLineCount"],
        "updatedAt": later(ctx, before),
    }
    patch(ctx, lib.TABLE, before, fields)


@storage_mutation(
    args={"id": v.string(), "newId": v.string(), "tokenCount": v.number()}, returns=_with_chunks
)
def activate_reflection(ctx: MutationCtx, args: Args) -> Doc:
    """Make the next generation of the reflection put aside and the lines observed since."""
    before = _existing(ctx, args["id"])
    reflection = lib.reflection_and_rest(before)
    made = lib.next_generation(ctx, before, {**args, "reflection": reflection})
    patch(ctx, lib.TABLE, before, dict.fromkeys(lib.BUFFERED_REFLECTION))
    return lib.with_chunks(ctx, made)


@storage_mutation(args=_subject, returns=v.boolean())
def clear(ctx: MutationCtx, args: Args) -> bool:
    """Delete the generations of a thread, or else of a resource, oldest first; whether all."""
    return lib.remove_all(ctx, args)


def _existing(ctx: Ctx, id: str) -> Doc:
    found = by_key(ctx, lib.TABLE, id)
    if found is None or not lib.is_visible(ctx, found):
        raise NotFoundError(
            f"there is no observational memory {id!r}; initialize it first", table=lib.TABLE, id=id
        )
    return found
