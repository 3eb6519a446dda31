"""Threads: a conversation, its owner and its metadata."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import ConflictError, NotFoundError
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    principal_of,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.batches import check_batch
from mastra_convex.functions.lib.copying import copy_thread
from mastra_convex.functions.lib.ownership import change_owner
from mastra_convex.functions.lib.paging import arrivals_of, nothing, page_of
from mastra_convex.functions.lib.payloads import merge
from mastra_convex.functions.lib.records import by_key, later, patch, public, require_expected
from mastra_convex.functions.lib.records import remove as remove_document
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import (
    arrivals,
    arrivals_args,
    list_args,
    page,
    payload,
    record,
    saved,
    thread_fields,
    time,
)
from mastra_convex.values.validators import v


@storage_query(args={"id": v.string()}, returns=v.union(record(thread_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The thread, or null."""
    thread = by_key(ctx, "threads", args["id"])
    return public(thread) if thread and owns(ctx, thread["resourceId"]) else None


@storage_query(
    args={
        "resourceId": v.optional(v.string()),
        "orderBy": v.union(v.literal("createdAt"), v.literal("updatedAt")),
        **list_args,
    },
    returns=page(thread_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of the threads of one resource, or of all."""
    principal = principal_of(ctx)
    resource_id = args.get("resourceId") if principal.is_service else principal.resource_id
    if not owns(ctx, args.get("resourceId", resource_id)):
        return nothing(args)
    updated = args["orderBy"] == "updatedAt"
    if resource_id is None:
        return page_of(ctx, "threads", "by_updated" if updated else "by_created", (), args)
    index = "by_resource_updated" if updated else "by_resource_created"
    return page_of(ctx, "threads", index, (resource_id,), args)


@storage_query(args=arrivals_args, returns=arrivals(thread_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Threads in the order in which they arrived, whoever they belong to."""
    return arrivals_of(ctx, "threads", args)


@storage_mutation(args={"thread": saved(thread_fields)}, returns=record(thread_fields))
def save(ctx: MutationCtx, args: Args) -> Doc:
    """Save a thread by its id, replacing what was saved before; its messages stay."""
    thread = args["thread"]
    before = by_key(ctx, "threads", thread["id"])
    _require_owner(ctx, thread["id"], thread["resourceId"], before)
    if before is None:
        created = thread.get("createdAt", ctx.now)
        thread = {
            "createdAt": created,
            "updatedAt": created,
            "messageCount": 0,
            "lastSeq": 0,
            **thread,
        }
    return public(save_record(ctx, "threads", before, thread))


@storage_mutation(
    args={
        "id": v.string(),
        "title": v.optional(v.string()),
        "metadata": v.optional(payload()),
        "expected": v.optional(
            v.object({"resourceId": v.string(), "metadata": v.union(payload(), v.null())})
        ),
    },
    returns=record(thread_fields),
)
def update(ctx: MutationCtx, args: Args) -> Doc:
    """Change title and metadata; metadata is laid over the old, member by member.

    With `expected`, only if owner and metadata are still those, to the letter.
    """
    thread = _existing(ctx, args["id"])
    require_expected(thread, args, "threads")
    fields: Doc = {"updatedAt": later(ctx, thread)}
    if "title" in args:
        fields["title"] = args["title"]
    if "metadata" in args:
        fields["metadata"] = merge(thread.get("metadata"), args["metadata"])
    return public(patch(ctx, "threads", thread, fields))


@storage_mutation(args={"id": v.string(), "resourceId": v.string()}, returns=record(thread_fields))
def update_resource_id(ctx: MutationCtx, args: Args) -> Doc:
    """Give a thread to another owner, and all of its messages with it, whoever had them."""
    thread = _existing(ctx, args["id"])
    if thread["resourceId"] == args["resourceId"]:
        return public(thread)
    _require_owner(ctx, args["id"], args["resourceId"], thread)
    return public(change_owner(ctx, thread, args["resourceId"]))


@storage_mutation(args={"id": v.string()}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete a thread with its messages. A missing one is fine."""
    thread = by_key(ctx, "threads", args["id"])
    if thread is not None and owns(ctx, thread["resourceId"]):
        ctx.db.delete_range(
            ctx.db.query("messages").with_index(
                "by_thread_created", lambda q: q.eq("threadId", args["id"])
            )
        )
        counters.forget_thread(ctx, args["id"])
        remove_document(ctx, "threads", thread)


@storage_mutation(
    args={
        "id": v.string(),
        "thread": v.object(
            {
                "id": v.string(),
                "resourceId": v.optional(v.string()),
                "title": v.optional(v.string()),
                "metadata": v.optional(payload()),
            }
        ),
        "from": v.optional(time()),
        "to": v.optional(time()),
        "messageIds": v.optional(v.array(v.string())),
        "limit": v.optional(v.number()),
    },
    returns=record(thread_fields),
)
def clone(ctx: MutationCtx, args: Args) -> Doc:
    """Copy a thread and its messages, or those in a range of time, with given ids, the newest.

    The id of a copy follows from the new thread's id and the message's.
    """
    check_batch(len(args.get("messageIds", ())), "ids")
    source = _existing(ctx, args["id"])
    thread = args["thread"]
    before = by_key(ctx, "threads", thread["id"])
    _require_owner(ctx, thread["id"], thread.get("resourceId", source["resourceId"]), before)
    if before is not None:
        raise ConflictError(
            f"thread {thread['id']!r} is there already; choose another id for the copy",
            table="threads",
            id=thread["id"],
        )
    return public(copy_thread(ctx, source, args))


def _existing(ctx: MutationCtx, thread_id: str) -> Doc:
    thread = by_key(ctx, "threads", thread_id)
    if thread is None or not owns(ctx, thread["resourceId"]):
        raise NotFoundError(
            f"there is no thread {thread_id!r}; save it first", table="threads", id=thread_id
        )
    return thread


def _require_owner(ctx: MutationCtx, thread_id: str, owner: str, before: Doc | None) -> None:
    if not owns(ctx, owner) or (before and not owns(ctx, before["resourceId"])):
        raise ConflictError(
            f"thread {thread_id!r} cannot be saved for resource {owner!r} with this token; use "
            "the resource's own id and a new thread id",
            table="threads",
            id=thread_id,
        )
