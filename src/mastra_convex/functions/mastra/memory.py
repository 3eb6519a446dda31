"""Operations on threads, resources and observational memory that are one transaction each."""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import LimitExceededError
from mastra_convex.functions import observational_memory, resources, threads
from mastra_convex.functions.lib import columns, records
from mastra_convex.functions.lib.access import Args, Doc
from mastra_convex.functions.lib.columns import CHUNKS, milliseconds
from mastra_convex.functions.lib.payloads import decoded
from mastra_convex.functions.mastra.requests import Operation, done, found, operation, whole
from mastra_convex.functions.mastra.tables import subject_of
from mastra_convex.functions.validators import Fields
from mastra_convex.values.payload import encode_payload
from mastra_convex.values.validators import v

# The most generations that one request reads: each may be large, with its chunks.
_MAX_HISTORY = 500
_iso = v.string
_maybe_iso = v.optional(v.string())


@operation(
    {
        "id": v.string(),
        "title": v.optional(v.string()),
        "metadata": v.optional(v.any()),
        "updatedAt": _iso(),
    }
)
def update_thread(ctx: MutationCtx, args: Args) -> Doc:
    """Change title and metadata; null for a thread that is not there."""
    if records.by_key(ctx, "threads", args["id"]) is None:
        return found(None)
    change: Doc = {name: args[name] for name in ("id", "title") if name in args}
    if args.get("metadata") is not None:
        change["metadata"] = encode_payload(args["metadata"])
    return found(columns.THREADS.row(threads.update.handler(ctx, change)))


@operation(
    {
        "resourceId": v.string(),
        "workingMemory": v.optional(v.string()),
        "metadata": v.optional(v.any()),
        "createdAt": _iso(),
        "updatedAt": _iso(),
    }
)
def update_resource(ctx: MutationCtx, args: Args) -> Doc:
    """Change working memory and metadata; a missing resource is created."""
    change = {"id": args["resourceId"]}
    for name in ("workingMemory", "metadata"):
        if args.get(name) is not None:
            change[name] = encode_payload(args[name])
    return found(columns.RESOURCES.row(resources.update.handler(ctx, change)))


@operation({"lookupKey": v.string()})
def latest(ctx: MutationCtx, args: Args) -> Doc:
    """The present generation, or null."""
    record = observational_memory.get.handler(ctx, subject_of(args["lookupKey"]))
    return found(record and columns.memory_row(record))


@operation(
    {
        "lookupKey": v.string(),
        "limit": v.number(),
        "from": _maybe_iso,
        "to": _maybe_iso,
        "offset": v.optional(v.number()),
    }
)
def history(ctx: MutationCtx, args: Args) -> Doc:
    """The newest generations, those of a range of time, after `offset` of them."""
    low = milliseconds(args["from"]) if "from" in args else float("-inf")
    high = milliseconds(args["to"]) if "to" in args else float("inf")
    start = whole(args.get("offset", 0))
    end = start + whole(args["limit"])
    if end > _MAX_HISTORY:
        raise LimitExceededError(
            f"at most {_MAX_HISTORY} generations of observational memory can be read at once; "
            "use observationalMemory:list, which has pages",
            limit=_MAX_HISTORY,
            given=end,
        )
    asked: dict[str, Any] = {**subject_of(args["lookupKey"]), "limit": _MAX_HISTORY}
    page = observational_memory.list_.handler(ctx, asked)
    wanted = [each for each in page["page"] if low <= each["createdAt"] <= high]
    if len(wanted) < end and page["cursor"] is not None:
        raise LimitExceededError(
            f"there are more than {_MAX_HISTORY} generations of observational memory; use "
            "observationalMemory:list, which has pages",
            limit=_MAX_HISTORY,
        )
    return found([columns.memory_row(each) for each in wanted[start:end]])


@operation(
    {
        "id": v.string(),
        "observations": v.string(),
        "tokenCount": v.number(),
        "lastObservedAt": _iso(),
        "observedMessageIds": v.union(v.array(v.string()), v.null()),
        "updatedAt": _iso(),
    }
)
def update_active(ctx: MutationCtx, args: Args) -> Doc:
    """Replace the active observations."""
    ids = args["observedMessageIds"]
    observational_memory.observe.handler(
        ctx,
        {
            "id": args["id"],
            "observations": encode_payload(args["observations"]),
            "tokenCount": args["tokenCount"],
            "lastObservedAt": milliseconds(args["lastObservedAt"]),
            **({} if ids is None else {"observedMessageIds": encode_payload(ids)}),
        },
    )
    return done()


@operation(
    {
        "id": v.string(),
        "chunk": v.any(),
        "lastBufferedAtTime": _maybe_iso,
        "updatedAt": _iso(),
    }
)
def append_chunk(ctx: MutationCtx, args: Args) -> Doc:
    """Add a chunk of observations, unless one of its cycle is there."""
    chunk = CHUNKS.record(args["chunk"])
    # The store sets it.
    chunk.pop("createdAt", None)
    given = {"id": args["id"], "chunk": chunk}
    if "lastBufferedAtTime" in args:
        given["lastBufferedAtTime"] = milliseconds(args["lastBufferedAtTime"])
    observational_memory.buffer.handler(ctx, given)
    return done()


_activation: Fields = {
    "id": v.string(),
    "activationRatio": v.number(),
    "messageTokensThreshold": v.number(),
    "currentPendingTokens": v.number(),
    "forceMaxActivation": v.optional(v.boolean()),
}


@operation(
    {
        **_activation,
        "lastObservedAt": _maybe_iso,
        "bufferedChunks": v.optional(v.array(v.any())),
        "now": _iso(),
    }
)
def swap_buffered(ctx: MutationCtx, args: Args) -> Doc:
    """Make the first chunks active; tells which, and what they hold."""
    given = {name: args[name] for name in _activation if name in args}
    if "lastObservedAt" in args:
        given["lastObservedAt"] = milliseconds(args["lastObservedAt"])
    if "bufferedChunks" in args:
        weighed = [CHUNKS.record(each) for each in args["bufferedChunks"]]
        names = ("cycleId", "messageTokens")
        given["weights"] = [{name: each[name] for name in names} for each in weighed]
    chunks = [CHUNKS.row(each) for each in observational_memory.activate.handler(ctx, given)]
    message_ids = [id for each in chunks for id in each["messageIds"]]
    result: Doc = {
        "chunksActivated": len(chunks),
        "messageTokensActivated": sum(each["messageTokens"] for each in chunks),
        "observationTokensActivated": sum(each["tokenCount"] for each in chunks),
        "messagesActivated": len(message_ids),
        "activatedCycleIds": [each["cycleId"] for each in chunks],
        "activatedMessageIds": message_ids,
    }
    if chunks:
        result["observations"] = "\n\n".join(each["observations"] for each in chunks)
        result["perChunk"] = [
            {
                "cycleId": each["cycleId"],
                "messageTokens": each["messageTokens"],
                "observationTokens": each["tokenCount"],
                "messageCount": len(each["messageIds"]),
                "observations": each["observations"],
            }
            for each in chunks
        ]
        for name in ("suggestedContinuation", "currentTask"):
            if name in chunks[-1]:
                result[name] = chunks[-1][name]
    return found(result)


@operation(
    {
        "id": v.string(),
        "reflection": v.string(),
        "tokenCount": v.number(),
        "inputTokenCount": v.number(),
        "reflectedObservationLineCount": v.number(),
        "updatedAt": _iso(),
    }
)
def buffer_reflection(ctx: MutationCtx, args: Args) -> Doc:
    """Put a reflection aside until it is activated."""
    given = {name: x for name, x in args.items() if name not in ("op", "tableName", "updatedAt")}
    given["reflection"] = encode_payload(args["reflection"])
    observational_memory.buffer_reflection.handler(ctx, given)
    return done()


@operation({"currentRecord": v.any(), "newId": v.string(), "tokenCount": v.number(), "now": _iso()})
def swap_reflection(ctx: MutationCtx, args: Args) -> Doc:
    """Make the next generation of the reflection put aside."""
    current = args["currentRecord"]
    v.string().validate(
        current.get("id") if isinstance(current, dict) else None, "currentRecord.id"
    )
    given = {"id": current["id"], "newId": args["newId"], "tokenCount": args["tokenCount"]}
    return found(columns.memory_row(observational_memory.activate_reflection.handler(ctx, given)))


@operation({"id": v.string(), "config": v.string(), "updatedAt": _iso()})
def update_config(ctx: MutationCtx, args: Args) -> Doc:
    """Merge into the configuration, maps in maps too."""
    decoded(args["config"])
    change = {"id": args["id"], "config": args["config"]}
    observational_memory.update.handler(ctx, change)
    return done()


OPERATIONS: dict[str, Operation] = {
    "updateThread": update_thread,
    "updateResource": update_resource,
    "omGetLatest": latest,
    "omGetHistory": history,
    "omUpdateActive": update_active,
    "omAppendBufferedChunk": append_chunk,
    "omSwapBuffered": swap_buffered,
    "omUpdateBufferedReflection": buffer_reflection,
    "omSwapBufferedReflection": swap_reflection,
    "omUpdateConfig": update_config,
}
