"""Giving a thread to another owner, with all that was said in it."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib.access import Doc
from mastra_convex.functions.lib.paging import MAX_PAGE, MAX_PAGE_BYTES
from mastra_convex.functions.lib.records import later, patch


def change_owner(ctx: MutationCtx, thread: Doc, resource_id: str) -> Doc:
    """Give a thread and all its messages to a resource; returns the thread's document."""
    cursor: str | None = None
    messages = ctx.db.query("messages").with_index(
        "by_thread_created", lambda q: q.eq("threadId", thread["id"])
    )
    while True:
        found = messages.paginate(cursor, MAX_PAGE, MAX_PAGE_BYTES)
        for message in found.page:
            if message.get("resourceId") != resource_id:
                patch(ctx, "messages", message, {"resourceId": resource_id})
        cursor = found.cursor
        if cursor is None:
            break
    fields = {"resourceId": resource_id, "updatedAt": later(ctx, thread)}
    return patch(ctx, "threads", thread, fields)
