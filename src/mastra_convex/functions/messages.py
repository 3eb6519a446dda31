"""Messages: what was said in a thread.

Each message gets a `seq`, a number per thread, given out in the transaction that adds it.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import InvalidArgumentError, NotFoundError, UnauthenticatedError
from mastra_convex.functions.lib import counters, records
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    principal_of,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.batches import check_batch
from mastra_convex.functions.lib.beside import messages_beside
from mastra_convex.functions.lib.merging import MAX_THREADS, messages_of
from mastra_convex.functions.lib.pagination import nothing_paginated, paginated
from mastra_convex.functions.lib.paging import (
    MAX_LOOK,
    arrivals_of,
    limit_of,
    nothing,
    page_of,
)
from mastra_convex.functions.lib.payloads import merge_content
from mastra_convex.functions.lib.records import by_key, later, public
from mastra_convex.functions.lib.touched import Threads
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


@storage_query(
    args={"threadId": v.string(), "resourceId": v.optional(v.string()), **list_args},
    returns=page(message_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of a thread's messages, by `createdAt` and then `seq`.

    With `resourceId`, of those that belong to it: messages of others are looked at and left out,
    so that the page may have fewer. The thread is read only for its total or its owner, or to pass
    over what belongs to a resource: a page that was asked for without them is not touched by what
    happens to other pages.
    """
    thread_id, resource_id = args["threadId"], args.get("resourceId")
    total = owned = None
    skips = resource_id is not None and args.get("skip")
    if args.get("withTotal") or skips or not principal_of(ctx).is_service:
        thread = by_key(ctx, "threads", thread_id)
        if thread is None or not owns(ctx, thread["resourceId"]):
            return nothing(args)
        total = owned = thread["messageCount"]
        if resource_id is not None:
            owned = counters.owned(ctx, resource_id, thread_id)
    # What all belongs to the resource need not be looked at.
    mine = lambda message: message.get("resourceId") == resource_id  # noqa: E731
    keep = None if resource_id is None or (owned and owned == total) else mine
    found = page_of(ctx, "messages", "by_thread_created", (thread_id,), args, keep)
    if args.get("withTotal") and "from" not in args and "to" not in args:
        found["total"] = owned
    return found


@storage_query(
    args={
        "threadIds": v.array(v.string()),
        "resourceId": v.optional(v.string()),
        **list_args,
    },
    returns=page(message_fields),
)
def list_by_threads(ctx: QueryCtx, args: Args) -> Doc:
    """A page of the messages of up to 100 threads, by `createdAt`, then thread, then `seq`.

    Threads are in the order given; those that the caller may not see are left out.
    """
    ids = args["threadIds"]
    if len(ids) > MAX_THREADS or len({*ids}) < len(ids):
        raise InvalidArgumentError(
            f"threadIds are up to {MAX_THREADS} different ids, not {len(ids)}", path="threadIds"
        )
    return messages_of(ctx, [*map(Threads(ctx).get, ids)], args)


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
    if not Threads(ctx).is_visible(thread_id):
        return nothing_paginated(options)
    messages = ctx.db.query("messages").with_index(
        "by_thread_created", lambda q: q.eq("threadId", thread_id)
    )
    return paginated(messages.order(args["order"]), options)


@storage_query(args={"resourceId": v.string(), **list_args}, returns=page(message_fields))
def list_by_resource(ctx: QueryCtx, args: Args) -> Doc:
    """A page of the messages that belong to a resource, by `createdAt` and then `seq`.

    Their total is `messages:countByResource`. What is in threads that the caller may not see is
    left out, so that the page may have fewer.
    """
    if not owns(ctx, args["resourceId"]):
        return nothing(args)
    threads = Threads(ctx)
    visible = lambda message: threads.is_visible(message["threadId"])  # noqa: E731
    keep = None if principal_of(ctx).is_service else visible
    return page_of(ctx, "messages", "by_resource_created", (args["resourceId"],), args, keep)


@storage_query(
    args={"resourceId": v.string(), "after": v.optional(v.string()), "limit": v.number()},
    returns=v.object({"count": v.number(), "after": v.union(v.string(), v.null())}),
)
def count_by_resource(ctx: QueryCtx, args: Args) -> Doc:
    """How many messages belong to a resource in the next `limit` threads that have any, by ids.

    Threads that the caller may not see are left out. The answer's `after` is the next call's; it is
    null at the end.
    """
    limit = limit_of(args)
    if not owns(ctx, args["resourceId"]):
        return {"count": 0, "after": None}
    threads = Threads(ctx)
    count = counted = 0
    last = at = args.get("after", "")
    # It goes on past the threads of others, so that where it ends says nothing of them.
    for looked, each in enumerate(counters.owned_after(ctx, args["resourceId"], at)):
        if looked == MAX_LOOK:
            return {"count": count, "after": at}
        at = each["second"]
        if threads.is_visible(at):
            if counted == limit:
                return {"count": count, "after": last}
            count, counted, last = count + each["count"], counted + 1, at
    return {"count": count, "after": None}


_around = v.array(
    v.object(
        {
            "id": v.string(),
            "previous": v.number(),
            "next": v.number(),
            "seen": v.optional(v.boolean()),
        }
    )
)


@storage_query(
    args={
        "around": _around,
        "resourceId": v.optional(v.string()),
        "threadIds": v.optional(v.array(v.string())),
    },
    returns=v.object({"page": v.array(record(message_fields)), "rest": _around}),
)
def list_beside(ctx: QueryCtx, args: Args) -> Doc:
    """Messages with as many of their threads' before and after them as asked for, each once.

    Only what belongs to `resourceId`; without it, only from threads with an owner in common with
    `threadIds`. `seen` ones are not wanted themselves. What the call had no room for is `rest`: the
    `around` of the next.
    """
    return messages_beside(ctx, args)


@storage_query(args=arrivals_args, returns=arrivals(message_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Messages in the order in which they arrived, whoever they belong to."""
    return arrivals_of(ctx, "messages", args)


@storage_query(args={"ids": v.array(v.string())}, returns=v.array(record(message_fields)))
def list_by_id(ctx: QueryCtx, args: Args) -> list[Doc]:
    """The messages with these ids that there are, in the order of the ids."""
    check_batch(len(args["ids"]), "ids")
    found = [by_key(ctx, "messages", message_id) for message_id in dict.fromkeys(args["ids"])]
    threads = Threads(ctx)
    return [
        public(message) for message in found if message and threads.is_visible(message["threadId"])
    ]


@storage_mutation(
    args={"messages": v.array(saved(message_fields))}, returns=v.array(record(message_fields))
)
def save(ctx: MutationCtx, args: Args) -> list[Doc]:
    """Save messages by their ids, replacing those that are there; all of them, or none.

    A message that is there already, and equal, is left alone, and so is its thread.
    """
    check_batch(len(args["messages"]), "messages")
    threads = Threads(ctx)
    saved = [_save_one(ctx, threads, message) for message in args["messages"]]
    threads.write(ctx)
    return saved


def _save_one(ctx: MutationCtx, threads: Threads, message: Doc) -> Doc:
    message_id, thread_id = message["id"], message["threadId"]
    _require_owner(ctx, message)
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
        records.insert(ctx, "messages", record)
        return record
    if not threads.is_visible(before["threadId"]):
        raise InvalidArgumentError(f"message {message_id!r} cannot be saved; choose another id")
    record = {**message, "createdAt": before["createdAt"], "seq": before["seq"]}
    if record == public(before):
        return record
    if before["threadId"] == thread_id:
        threads.touch(thread_id, 0, ctx.now)
    else:
        threads.touch(before["threadId"], -1, 0)
        record["seq"] = threads.touch(thread_id, 1, ctx.now)
    return public(records.replace(ctx, "messages", before, record))


def _require_owner(ctx: MutationCtx, message: Doc) -> None:
    """Raise `UnauthenticatedError` for a message that is to belong to somebody else."""
    if "resourceId" in message and not owns(ctx, message["resourceId"]):
        raise UnauthenticatedError(
            f"message {message['id']!r} cannot be given to resource {message['resourceId']!r} with "
            "this token; use the resource's own id, or none"
        )


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
    threads = Threads(ctx)
    found = []
    for change in args["messages"]:
        before = by_key(ctx, "messages", change["id"])
        if before is None or not threads.is_visible(before["threadId"]):
            continue
        _require_owner(ctx, change)
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
        found.append(public(records.patch(ctx, "messages", before, fields)))
    threads.write(ctx)
    return found


@storage_mutation(args={"ids": v.array(v.string())}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete messages. Unknown ids are fine."""
    check_batch(len(args["ids"]), "ids")
    threads = Threads(ctx)
    for message_id in args["ids"]:
        message = by_key(ctx, "messages", message_id)
        if message is not None and threads.is_visible(message["threadId"]):
            records.remove(ctx, "messages", message)
            threads.touch(message["threadId"], -1, ctx.now)
    threads.write(ctx)
