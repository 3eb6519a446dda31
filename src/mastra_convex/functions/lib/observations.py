"""What the functions of observational memory share: generations, chunks, what becomes active."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.engine.query import Query, RangeBuilder
from mastra_convex.errors import ConflictError, LimitExceededError, UnauthenticatedError
from mastra_convex.functions.lib.access import Args, Ctx, Doc, owns
from mastra_convex.functions.lib.columns import iso, plain
from mastra_convex.functions.lib.records import (
    by_key,
    insert,
    later,
    patch,
    public,
    remove,
    thread_visible,
)
from mastra_convex.values.payload import encode_payload

TABLE = "observationalMemory"
CHUNKS = "observationChunks"
BUFFERED_REFLECTION = (
    "bufferedReflection",
    "bufferedReflectionTokens",
    "bufferedReflectionInputTokens",
    "reflectedObservationLineCount",
)
# So that a record can be read with all of its chunks in one transaction.
MAX_CHUNKS = 500
MAX_CHUNK_BYTES = 4 * 1024 * 1024
_AT_ONCE = 50
# What JavaScript's trim removes.
_SPACE = (
    " \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def subject_index(subject: Args) -> tuple[str, tuple[str | None, ...]]:
    """The index of the generations of a thread, if one is named, else of a resource; its values."""
    thread_id = subject.get("threadId")
    if thread_id is not None:
        return "by_thread", (thread_id,)
    return "by_resource", (None, subject["resourceId"])


def generations(ctx: Ctx, subject: Args) -> Query:
    """The generations of a thread, if one is named, else of a resource."""
    index, values = subject_index(subject)

    def inside(q: RangeBuilder) -> RangeBuilder:
        for field, value in zip(("threadId", "resourceId"), values):
            q.eq(field, value)
        return q

    return ctx.db.query(TABLE).with_index(index, inside)


def is_visible(ctx: Ctx, record: Doc) -> bool:
    """Whether the caller may see and change it: its owner's, and in a thread of its owner's."""
    if not owns(ctx, record["resourceId"]):
        return False
    thread_id = record.get("threadId")
    return thread_id is None or thread_visible(ctx, thread_id)


def require_subject(ctx: Ctx, subject: Args) -> None:
    """Raise `UnauthenticatedError` unless the caller may have memory of this."""
    if not is_visible(ctx, subject):
        raise UnauthenticatedError(
            f"observational memory of resource {subject['resourceId']!r} is not for this token; "
            "use the resource's own token, and its own thread"
        )


def require_visible(ctx: Ctx, record: Doc, id: str) -> Doc:
    """The record. Raises `ConflictError` if it is somebody else's."""
    if not is_visible(ctx, record):
        raise ConflictError(
            f"observational memory {id!r} cannot be saved; choose another id", table=TABLE, id=id
        )
    return record


def chunks_of(ctx: Ctx, id: str) -> list[Doc]:
    """The chunks of a record that wait, oldest first."""
    of_record = ctx.db.query(CHUNKS).with_index("by_record", lambda q: q.eq("recordId", id))
    return of_record.take(MAX_CHUNKS)


def with_chunks(ctx: Ctx, record: Doc) -> Doc:
    """The record as functions return it."""
    chunks = [_chunk(each) for each in chunks_of(ctx, record["id"])]
    return {**public(record), "bufferedObservationChunks": chunks}


def _chunk(document: Doc) -> Doc:
    return {name: x for name, x in document.items() if name not in ("_id", "recordId")}


def add_chunk(ctx: MutationCtx, id: str, chunk: Doc) -> bool:
    """Add a chunk to a record, unless one of its cycle is there; whether it was added."""
    if by_key(ctx, CHUNKS, id, chunk["cycleId"]) is not None:
        return False
    chunks = [*chunks_of(ctx, id), chunk]
    size = sum(len(each["observations"]) + len(each["messageIds"]) for each in chunks)
    if len(chunks) > MAX_CHUNKS or size > MAX_CHUNK_BYTES:
        raise LimitExceededError(
            f"observational memory {id!r} has {len(chunks)} chunks of {size} bytes that wait, with "
            f"this one; at most {MAX_CHUNKS} of {MAX_CHUNK_BYTES} can; activate them first",
            table=TABLE,
            id=id,
        )
    insert(ctx, CHUNKS, {**chunk, "recordId": id})
    return True


def generation(ctx: MutationCtx, of: Doc, count: float) -> Doc:
    """A new generation without observations; `of` has its id and what it takes over."""
    taken_over = ("id", "scope", "threadId", "resourceId", "originType", "config")
    return {
        **{name: of[name] for name in (*taken_over, "observedTimezone") if name in of},
        "createdAt": ctx.now,
        "updatedAt": ctx.now,
        "generationCount": count,
        "totalTokensObserved": of.get("totalTokensObserved", 0),
        "observationTokenCount": 0,
        "pendingMessageTokens": 0,
        "isReflecting": False,
        "isObserving": False,
        "isBufferingObservation": False,
        "isBufferingReflection": False,
        "lastBufferedAtTokens": 0,
        "metadata": "{}",
    }


def next_generation(ctx: MutationCtx, before: Doc, args: Args) -> Doc:
    """Add the generation that comes after all that there are."""
    newest = generations(ctx, before).order("desc").first()
    assert newest is not None
    taken_over = {**public(before), "id": args["newId"], "originType": "reflection"}
    made = {
        **generation(ctx, taken_over, newest["generationCount"] + 1),
        "lastObservedAt": before.get("lastObservedAt", ctx.now),
        "activeObservations": args["reflection"],
        "observationTokenCount": args["tokenCount"],
    }
    return add_generation(ctx, made)


def add_generation(ctx: MutationCtx, made: Doc) -> Doc:
    """Add a generation; returns its document. Raises `ConflictError` if its id is taken."""
    if by_key(ctx, TABLE, made["id"]) is not None:
        raise ConflictError(
            f"observational memory {made['id']!r} cannot be made: the id is taken; choose another",
            table=TABLE,
            id=made["id"],
        )
    return insert(ctx, TABLE, made)


def activate(ctx: MutationCtx, before: Doc, args: Args) -> list[Doc]:
    """Move chunks into the active observations of a record; returns them, as they were."""
    chunks = chunks_of(ctx, before["id"])
    if "weights" in args:
        weights = {each["cycleId"]: each["messageTokens"] for each in args["weights"]}
        chunks = [
            {**each, "messageTokens": weights[each["cycleId"]]}
            for each in chunks
            if each["cycleId"] in weights
        ]
    if not chunks:
        return []
    count = _how_many([each["messageTokens"] for each in chunks], args)
    for chunk in chunks[count:]:
        patch(ctx, CHUNKS, chunk, {"messageTokens": chunk["messageTokens"]})
    chosen = chunks[:count]
    last: float = (
        args["lastObservedAt"] if "lastObservedAt" in args else chosen[-1]["lastObservedAt"]
    )
    fresh = "\n\n".join(plain(each["observations"]) for each in chosen)
    active = plain(before["activeObservations"])
    boundary = f"\n\n--- message boundary ({iso(last)}) ---\n\n"
    pending = before["pendingMessageTokens"] - sum(each["messageTokens"] for each in chosen)
    fields = {
        "activeObservations": encode_payload(f"{active}{boundary}{fresh}" if active else fresh),
        "observationTokenCount": before["observationTokenCount"]
        + sum(each["tokenCount"] for each in chosen),
        "pendingMessageTokens": max(0, pending),
        "lastObservedAt": last,
        "updatedAt": later(ctx, before),
    }
    patch(ctx, TABLE, before, fields)
    for chunk in chosen:
        remove(ctx, CHUNKS, chunk)
    return [_chunk(each) for each in chosen]


def _how_many(weights: list[float], args: Args) -> int:
    """How many chunks to activate, so that what is left is close to the retention floor.

    Rather a little more than too little; but not so much that nearly nothing would be left.
    """
    floor = args["messageTokensThreshold"] * (1 - args["activationRatio"])
    pending = args["currentPendingTokens"]
    target = max(0, pending - floor)
    over, over_tokens, under, under_tokens, tokens = 0, 0.0, 0, 0.0, 0.0
    for count, weight in enumerate(weights, 1):
        tokens += weight
        if tokens >= target:
            if over == 0 or tokens < over_tokens:
                over, over_tokens = count, tokens
        elif tokens > under_tokens:
            under, under_tokens = count, tokens
    least = min(1000, floor)
    leaves_enough = over > 0 and pending - over_tokens >= least
    is_close = over_tokens - target <= floor * 0.95
    if leaves_enough and (args.get("forceMaxActivation") or is_close):
        return over
    if under > 0 and pending - under_tokens >= least:
        return under
    return over or 1


def joined(before: str | None, text: str) -> str:
    """Two texts with an empty line between, or the second alone; both are payloads."""
    old = "" if before is None else plain(before)
    return encode_payload(f"{old}\n\n{plain(text)}") if old else text


def reflection_and_rest(record: Doc) -> str:
    """The reflection put aside, and the lines of observations that it has not seen: a payload."""
    reflection = record.get("bufferedReflection")
    if reflection is None or plain(reflection) == "":
        raise ConflictError(
            f"observational memory {record['id']!r} has no reflection to activate; somebody else "
            "may have activated it",
            table=TABLE,
            id=record["id"],
        )
    lines = plain(record["activeObservations"]).split("\n")
    seen = max(-len(lines), min(record.get("reflectedObservationLineCount", 0), len(lines)))
    rest = "\n".join(lines[int(seen) :]).strip(_SPACE)
    return joined(reflection, encode_payload(rest)) if rest else reflection


def remove_all(ctx: MutationCtx, subject: Args) -> bool:
    """Delete the generations of a subject with their chunks; whether that was all."""
    found = generations(ctx, subject).take(_AT_ONCE)
    ours = [record for record in found if is_visible(ctx, record)]
    for record in ours:
        remove_memory(ctx, record)
    return not ours or len(found) < _AT_ONCE


def remove_memory(ctx: MutationCtx, record: Doc) -> None:
    """Delete a record with its chunks."""
    for chunk in chunks_of(ctx, record["id"]):
        remove(ctx, CHUNKS, chunk)
    remove(ctx, TABLE, record)
