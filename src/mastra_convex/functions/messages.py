"""Messages: what was said in a thread.

Each message gets a `seq`, a number per thread, given out in the transaction that adds it.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import InvalidArgumentError, NotFoundError
from mastra_convex.functions.lib.access import Args, Doc, owns, storage_mutation, storage_query
from mastra_convex.functions.lib.batches import check_batch
from mastra_convex.functions.lib.pagination import nothing_paginated, paginated
from mastra_convex.functions.lib.paging import arrivals_of, nothing, page_of
from mastra_convex.functions.lib.payloads import merge_content
from mastra_convex.functions.lib.records import by_key, later, public, thread_visible
from mastra_convex.functions.validators import (
    arrivals,
    arrivals_args,
    list_args,
    message_fields,
    page,
    pagination_options,
    pagination_result,
    payload,
    record,
    saved,
)
from mastra_convex.values.validators import v


class _Threads:
    """The threads that one mutation touches: read once, written once at the end."""

    def __init__(self, ctx: MutationCtx) -> None:
        self._ctx = ctx
        self._read: dict[str, Doc | None] = {}
        self._touched: dict[str, Doc] = {}

    def get(self, thread_id: str) -> Doc | None:
        """The thread with this mutation's changes, or None if there is none for the caller."""
        if thread_id not in self._read:
            thread = by_key(self._ctx, "threads", thread_id)
            visible = thread is not None and owns(self._ctx, thread["resourceId"])
            self._read[thread_id] = thread if visible else None
        return self._read[thread_id]

    def touch(self, thread_id: str, added: int, updated_at: float) -> float:
        """Count messages in or out and bump the thread; returns the newest `seq` afterwards."""
        thread = self._touched.get(thread_id)
        if thread is None:
            found = self.get(thread_id)
            if found is None:
                return 0
            thread = self._read[thread_id] = self._touched[thread_id] = found.copy()
        thread["messageCount"] += added
        seq: float = thread["lastSeq"] + max(added, 0)
        thread["lastSeq"] = seq
        thread["updatedAt"] = max(thread["updatedAt"], updated_at)
        return seq

    def write(self) -> None:
        """Patch the threads that were touched."""
        for thread in self._touched.values():
            fields = {name: thread[name] for name in ("messageCount", "lastSeq", "updatedAt")}
            self._ctx.db.patch("threads", thread["_id"], fields)


@storage_query(args={"threadId": v.string(), **list_args}, returns=page(message_fields))
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of a thread's messages, by `createdAt` and then `seq`.

    The thread is read only for its total or its owner: a page that was asked for without them is
    not touched by what happens to other pages.
    """
    thread_id, total = args["threadId"], None
    principal = ctx.principal
    assert principal is not None
    if args.get("withTotal") or not principal.is_service:
        thread = by_key(ctx, "threads", thread_id)
        if thread is None or not owns(ctx, thread["resourceId"]):
            return nothing(args)
        total = thread["messageCount"]
    found = page_of(ctx, "messages", "by_thread_created", (thread_id,), args)
    if args.get("withTotal") and "from" not in args and "to" not in args:
        found["total"] = total
    return found


@storage_query(
    args={
        "threadId": v.string(),
        "order": v.union(v.literal("asc"), v.literal("desc")),
        "paginationOpts": pagination_options,
    },
    returns=pagination_result(message_fields),
)
def paginate(ctx: QueryCtx, args: Args) -> Doc:
    """A thread's messages as `list_` has them, for clients that paginate as Convex's do."""
    thread_id, options = args["threadId"], args["paginationOpts"]
    if not thread_visible(ctx, thread_id):
        return nothing_paginated(options)
    messages = ctx.db.query("messages").with_index(
        "by_thread_created", lambda q: q.eq("threadId", thread_id)
    )
    return paginated(messages.order(args["order"]), options)


@storage_query(args=arrivals_args, returns=arrivals(message_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Messages in the order in which they arrived, whoever they belong to."""
    return arrivals_of(ctx, "messages", args)


@storage_query(args={"ids": v.array(v.string())}, returns=v.array(record(message_fields)))
def list_by_id(ctx: QueryCtx, args: Args) -> list[Doc]:
    """The messages with these ids that there are, in the order of the ids."""
    check_batch(len(args["ids"]), "ids")
    found = [by_key(ctx, "messages", message_id) for message_id in dict.fromkeys(args["ids"])]
    return [
        public(message) for message in found if message and thread_visible(ctx, message["threadId"])
    ]


@storage_mutation(
    args={"messages": v.array(saved(message_fields))}, returns=v.array(record(message_fields))
)
def save(ctx: MutationCtx, args: Args) -> list[Doc]:
    """Save messages by their ids, replacing those that are there; all of them, or none.

    A message that is there already, and equal, is left alone, and so is its thread.
    """
    check_batch(len(args["messages"]), "messages")
    threads = _Threads(ctx)
    records = [_save_one(ctx, threads, message) for message in args["messages"]]
    threads.write()
    return records


def _save_one(ctx: MutationCtx, threads: _Threads, message: Doc) -> Doc:
    message_id, thread_id = message["id"], message["threadId"]
    thread = threads.get(thread_id)
    if thread is None:
        raise NotFoundError(
            f"message {message_id!r} names thread {thread_id!r}, which does not exist; "
            "save the thread first",
            table="threads",
            id=thread_id,
        )
    before = by_key(ctx, "messages", message_id)
    if before is None:
        seq = threads.touch(thread_id, 1, ctx.now)
        record = {"createdAt": ctx.now, **message, "seq": seq}
        ctx.db.insert("messages", record)
        return record
    if not thread_visible(ctx, before["threadId"]):
        raise InvalidArgumentError(f"message {message_id!r} cannot be saved; choose another id")
    record = {**message, "createdAt": before["createdAt"], "seq": before["seq"]}
    if record == public(before):
        return record
    if before["threadId"] == thread_id:
        threads.touch(thread_id, 0, ctx.now)
    else:
        threads.touch(before["threadId"], -1, 0)
        record["seq"] = threads.touch(thread_id, 1, ctx.now)
    ctx.db.replace("messages", before["_id"], record)
    return record


_update_fields = {
    "id": v.string(),
    "role": v.optional(v.string()),
    "type": v.optional(v.string()),
    "threadId": v.optional(v.string()),
    "resourceId": v.optional(v.string()),
    "content": v.optional(payload()),
}


@storage_mutation(
    args={"messages": v.array(v.object(_update_fields))}, returns=v.array(record(message_fields))
)
def update(ctx: MutationCtx, args: Args) -> list[Doc]:
    """Change messages; content is merged over the old. Unknown ids are skipped.

    A message may move to another thread; both are bumped, the new one at least 1 ms later.
    """
    check_batch(len(args["messages"]), "messages")
    threads = _Threads(ctx)
    found = []
    for change in args["messages"]:
        before = by_key(ctx, "messages", change["id"])
        if before is None or not thread_visible(ctx, before["threadId"]):
            continue
        fields = {name: value for name, value in change.items() if name != "id"}
        if "content" in fields:
            fields["content"] = merge_content(before["content"], fields["content"])
        source, target = before["threadId"], change.get("threadId", before["threadId"])
        left = threads.get(source)
        bumped = later(ctx, left) if left else ctx.now
        if source == target:
            threads.touch(source, 0, bumped)
        else:
            entered = threads.get(target)
            if entered is None:
                raise NotFoundError(
                    f"message {change['id']!r} cannot move to thread {target!r}, which does not "
                    "exist; save the thread first",
                    table="threads",
                    id=target,
                )
            threads.touch(source, -1, bumped)
            fields["seq"] = threads.touch(target, 1, later(ctx, entered, bumped + 1))
        ctx.db.patch("messages", before["_id"], fields)
        found.append(public({**before, **fields}))
    threads.write()
    return found


@storage_mutation(args={"ids": v.array(v.string())}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete messages. Unknown ids are fine."""
    check_batch(len(args["ids"]), "ids")
    threads = _Threads(ctx)
    for message_id in args["ids"]:
        message = by_key(ctx, "messages", message_id)
        if message is not None and thread_visible(ctx, message["threadId"]):
            ctx.db.delete("messages", message["_id"])
            threads.touch(message["threadId"], -1, ctx.now)
    threads.write()
