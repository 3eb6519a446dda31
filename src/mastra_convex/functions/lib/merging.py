"""Messages of several threads as one list: by `createdAt`, then the order of threads, then `seq`.

Only the keys of messages are merged, out of the index; messages are read once they are on the page.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mastra_convex.engine.cursor import damaged, decode_cursor, encode_cursor
from mastra_convex.engine.query import RangeBuilder
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import Args, Ctx, Doc
from mastra_convex.functions.lib.paging import (
    MAX_LOOK,
    MAX_PAGE,
    MAX_PAGE_BYTES,
    limit_of,
    skip_of,
)
from mastra_convex.functions.lib.records import publish

MAX_THREADS = 100
# The most keys that one call merges.
_MAX_KEYS = 20_000
# Messages that are read before it is looked at how large they are.
_AT_ONCE = 20
_LAST_ID = 2**63 - 1
_LAST_SEQ = 2**53

# `createdAt`, the place of the thread in the list of threads, `seq`, `_id`.
Key = tuple[float, int, float, int]


def messages_of(ctx: Ctx, threads: list[Doc | None], args: Args) -> Doc:
    """The reply of `messages:listByThreads` for its threads, without those that are None.

    With a `resourceId`, of what belongs to it. Messages of others are looked at and left out.
    """
    limit, skip = limit_of(args), skip_of(args)
    names = ("from", "to", "order", "resourceId")
    identity = ("messages", "by_threads", args["threadIds"], *(args.get(name) for name in names))
    after = None if "cursor" not in args else _decoded(identity, args["cursor"])
    found = [(rank, thread) for rank, thread in enumerate(threads) if thread is not None]
    owned = [(rank, thread, _owned(ctx, thread, args)) for rank, thread in found]
    # Of whose messages some may belong to others.
    mixed = {rank for rank, thread, count in owned if count != thread["messageCount"]}
    step = math.ceil((limit + skip) / max(len(found), 1)) + 1
    keys = _merged([_keys(ctx, args, rank, each, after, step) for rank, each in found], args)
    page: list[Doc] = []
    skipped = merged = looked = size = 0
    last, more = after, True
    while more and len(page) < limit and size < MAX_PAGE_BYTES:
        if merged >= _MAX_KEYS or looked >= MAX_LOOK:
            break
        left = skip - skipped
        room = min(left, MAX_PAGE) if left > _AT_ONCE else min(left + limit - len(page), _AT_ONCE)
        batch = [*islice(keys, room)]
        # What is only passed over need not be read, unless it may not be in the list at all.
        ids = [key[3] for at, key in enumerate(batch) if at >= left or key[1] in mixed]
        messages = ctx.db.get_all("messages", ids)
        merged, looked = merged + len(batch), looked + len(ids)
        more = len(batch) == room
        for key in batch:
            if size >= MAX_PAGE_BYTES:
                more = True
                break
            last = key
            if key[1] in mixed and messages[key[3]].get("resourceId") != args.get("resourceId"):
                continue
            if skipped < skip:
                skipped += 1
                continue
            message = messages[key[3]]
            size += len(message["content"]) + len(message.get("extra", ""))
            page.append(publish(message))
        else:
            if more and len(page) == limit:
                more = next(keys, None) is not None
    reply: Doc = {"page": page, "cursor": encode_cursor(identity, last) if more and last else None}
    if args.get("withTotal") and "from" not in args and "to" not in args:
        reply["total"] = sum(count for *_, count in owned)
    if skip:
        reply["skipped"] = skipped
    return reply


def _owned(ctx: Ctx, thread: Doc, args: Args) -> float:
    """How many messages of the thread are in the list, whatever their time."""
    if "resourceId" in args:
        return counters.owned(ctx, args["resourceId"], thread["id"])
    count: float = thread["messageCount"]
    return count


def _merged(lists: list[Iterator[Key]], args: Args) -> Iterator[Key]:
    return heapq.merge(*lists, reverse=args["order"] == "desc")


def _keys(
    ctx: Ctx, args: Args, rank: int, thread: Doc, after: Key | None, step: int
) -> Iterator[Key]:
    """The keys of a thread's messages in the list after a key, `step` read at a time."""
    key = None if after is None else _resumed(rank, after)

    def inside(q: RangeBuilder) -> RangeBuilder:
        q.eq("threadId", thread["id"])
        if "from" in args:
            q.gte("createdAt", args["from"])
        if "to" in args:
            q.lte("createdAt", args["to"])
        return q

    query = ctx.db.query("messages").with_index("by_thread_created", inside).order(args["order"])
    while True:
        found = query.keys(step, key)
        for created, seq, document_id in found:
            yield created, rank, seq, document_id
        if len(found) < step:
            return
        key = found[-1]


def _resumed(rank: int, after: Key) -> tuple[Any, ...]:
    """Where a thread's messages go on after a key of the list."""
    created, at, seq, document_id = after
    if rank == at:
        return created, seq, document_id
    # Of the same time, a thread's messages lie all on one side of another thread's.
    return (created, _LAST_SEQ, _LAST_ID) if rank < at else (created, -1, -_LAST_ID)


def _decoded(identity: tuple[Any, ...], cursor: str) -> Key:
    key = decode_cursor(identity, cursor)
    if len(key) != 4 or not all(map(_fits, key, (float, int, float, int))):
        raise damaged()
    created, rank, seq, document_id = key
    return created, rank, seq, document_id


def _fits(value: Any, kind: type) -> bool:
    """Whether a part of a key is a number that SQLite takes; a time may be without end."""
    if type(value) is int:
        return abs(value) <= _LAST_ID
    return kind is float and type(value) is float and not math.isnan(value)
