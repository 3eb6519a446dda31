"""Giving a thread to another owner, with all that was said in it."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import Doc
from mastra_convex.functions.lib.records import later, patch


def change_owner(ctx: MutationCtx, thread: Doc, resource_id: str) -> Doc:
    """Give a thread and all its messages to a resource; returns the thread's document."""
    messages = ctx.db.query("messages").with_index(
        "by_thread_created", lambda q: q.eq("threadId", thread["id"])
    )
    ctx.db.patch_range(messages, "resourceId", resource_id)
    counters.give_thread(ctx, thread["id"], resource_id, thread["messageCount"])
    fields = {"resourceId": resource_id, "updatedAt": later(ctx, thread)}
    return patch(ctx, "threads", thread, fields)
