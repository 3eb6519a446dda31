"""Copying a thread's messages into a new one: newest first, chosen by time, by id, by number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mastra_convex.engine.context import MutationCtx
from mastra_convex.engine.query import RangeBuilder
from mastra_convex.errors import ConflictError, InvalidArgumentError
from mastra_convex.functions.lib.access import Args, Doc
from mastra_convex.functions.lib.paging import MAX_PAGE, MAX_PAGE_BYTES
from mastra_convex.functions.lib.payloads import merge
from mastra_convex.functions.lib.records import by_key, insert
from mastra_convex.values.names import copy_id, copy_prefix
from mastra_convex.values.payload import encode_payload


def copy_thread(ctx: MutationCtx, source: Doc, args: Args) -> Doc:
    """Make the new thread of `threads:clone`, with its messages; returns its document."""
    _require_free_ids(ctx, args["thread"]["id"])
    thread = {"resourceId": source["resourceId"], **args["thread"]}
    if "title" not in thread and source.get("title"):
        thread["title"] = f"Clone of {source['title']}"
    clone = {"sourceThreadId": source["id"], "clonedAt": ctx.now}
    seq = source["lastSeq"]
    limit = _limit_of(args)
    for message in islice(_chosen(ctx, source["id"], args, limit or MAX_PAGE), limit):
        clone.setdefault("lastMessageId", message["id"])
        _copy(ctx, message, args["thread"], seq)
        seq -= 1
    thread["metadata"] = merge(thread.get("metadata"), encode_payload({"clone": clone}))
    times = {"createdAt": ctx.now, "updatedAt": ctx.now}
    counts = {"messageCount": source["lastSeq"] - seq, "lastSeq": source["lastSeq"]}
    return insert(ctx, "threads", {**thread, **times, **counts})


def _limit_of(args: Args) -> int | None:
    limit: float = args.get("limit", 0)
    if limit < 0 or not float(limit).is_integer():
        raise InvalidArgumentError(f"limit must be whole, and 0 for all, not {limit}")
    return int(limit) or None


def _chosen(ctx: MutationCtx, thread_id: str, args: Args, count: int) -> Iterator[Doc]:
    """The messages of the thread that are to be copied, newest first; about `count` of them."""
    if args.get("messageIds"):
        yield from _by_id(ctx, thread_id, args)
        return

    def inside(q: RangeBuilder) -> RangeBuilder:
        q.eq("threadId", thread_id)
        if "from" in args:
            q.gte("createdAt", args["from"])
        if "to" in args:
            q.lte("createdAt", args["to"])
        return q

    cursor: str | None = None
    while True:
        messages = ctx.db.query("messages").with_index("by_thread_created", inside).order("desc")
        found = messages.paginate(cursor, min(count, MAX_PAGE), MAX_PAGE_BYTES)
        yield from found.page
        cursor = found.cursor
        if cursor is None:
            return


def _by_id(ctx: MutationCtx, thread_id: str, args: Args) -> list[Doc]:
    low, high = args.get("from", float("-inf")), args.get("to", float("inf"))
    found = (by_key(ctx, "messages", message_id) for message_id in set(args["messageIds"]))
    chosen = [
        message
        for message in found
        if message and message["threadId"] == thread_id and low <= message["createdAt"] <= high
    ]
    return sorted(chosen, key=lambda message: (message["createdAt"], message["seq"]), reverse=True)


def _require_free_ids(ctx: MutationCtx, thread_id: str) -> None:
    """Raise `ConflictError` if any message has an id like those of the copies.

    An earlier copy of that name may have left one that was moved to another thread.
    """
    prefix = copy_prefix(thread_id)
    taken = (
        ctx.db.query("messages")
        # A full stop comes after the hyphen that the prefix ends with.
        .with_index("by_key", lambda q: q.gte("id", prefix).lt("id", f"{prefix[:-1]}."))
        .first()
    )
    if taken is not None:
        raise ConflictError(
            f"thread {thread_id!r} cannot be made: there is a message with the id of one of its "
            "copies; choose another id for the thread",
            table="threads",
            id=thread_id,
        )


def _copy(ctx: MutationCtx, message: Doc, thread: Doc, seq: float) -> None:
    owner = {"resourceId": thread["resourceId"]} if "resourceId" in thread else {}
    # The id follows from the two, so that a caller knows which copy is whose.
    copied = {"id": copy_id(thread["id"], message["id"]), "threadId": thread["id"], "seq": seq}
    kept = {name: value for name, value in message.items() if name != "_id"}
    insert(ctx, "messages", {**kept, **owner, **copied})
