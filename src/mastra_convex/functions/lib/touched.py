"""The threads that one call touches: read once each, and written once at the end."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib.access import Ctx, Doc, owns, principal_of


class Threads:
    """The threads of one call, as they are for its caller."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self._read: dict[str, Doc | None] = {}
        self._touched: dict[str, Doc] = {}

    def get(self, thread_id: str) -> Doc | None:
        """The thread with this call's changes, or None if there is none for the caller."""
        if thread_id not in self._read:
            thread = self._ctx.db.find("threads", "by_key", thread_id)
            visible = thread is not None and owns(self._ctx, thread["resourceId"])
            self._read[thread_id] = thread if visible else None
        return self._read[thread_id]

    def is_visible(self, thread_id: str) -> bool:
        """Whether the caller may see what is in the thread of a message."""
        # A message goes with its thread, so that there always is one.
        return principal_of(self._ctx).is_service or self.get(thread_id) is not None

    def touch(self, thread_id: str, added: int, updated_at: float) -> float:
        """Count messages in or out and bump the thread; returns the newest `seq` afterwards."""
        thread = self._touched.get(thread_id)
        if thread is None:
            found = self.get(thread_id)
            if found is None:
                return 0
            thread = self._read[thread_id] = self._touched[thread_id] = found.copy()
        thread["messageCount"] += added
        if added > 0:
            thread["lastSeq"] += added
        thread["updatedAt"] = max(thread["updatedAt"], updated_at)
        seq: float = thread["lastSeq"]
        return seq

    def write(self, ctx: MutationCtx) -> None:
        """Patch the threads that were touched."""
        for thread in self._touched.values():
            fields = {
                "messageCount": thread["messageCount"],
                "lastSeq": thread["lastSeq"],
                "updatedAt": thread["updatedAt"],
            }
            ctx.db.patch("threads", thread["_id"], fields)
