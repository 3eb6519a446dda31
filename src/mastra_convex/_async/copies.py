"""Copies of threads (interface, section 3.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex.models import Thread, ThreadClone, ThreadCopy
from mastra_convex.reads import messages, threads
from mastra_convex.updates import thread_copy

# How long a copy that is made in steps may go without being complete.
_PATIENCE_SECONDS = 60.0


class AsyncCopies(AsyncStorageBase):
    """The operations that copy threads."""

    async def clone_thread(
        self,
        source_thread_id: str,
        new_thread_id: str | None = None,
        *,
        resource_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        message_ids: Sequence[str] | None = None,
        start_date: datetime | float | str | None = None,
        end_date: datetime | float | str | None = None,
        message_limit: int | None = None,
    ) -> ThreadClone:
        """Copy a thread with its messages; the source stays as it is.

        The copy has a random id unless one is given, the source's owner, the title "Clone of ..."
        and, beside `metadata`, what it is a clone of. `message_ids` and the dates, inclusive, say
        which messages are copied; of those, `message_limit` keeps the newest. Raises
        `NotFoundError` for a missing source, `ConflictError` if the new thread is there already,
        `InvalidArgumentError`, `InvalidPayloadError`, `LimitExceededError`.
        """
        thread = await self._copy(
            "clone_thread",
            source_thread_id,
            *(new_thread_id, resource_id, title, metadata),
            *(message_ids, start_date, end_date, message_limit),
        )
        read = messages.copies(source_thread_id, thread.id)
        id_map, cloned = await self._run("clone_thread", read)
        return ThreadClone(thread, id_map, cloned)

    async def copy_thread(
        self,
        source_thread_id: str,
        new_thread_id: str | None = None,
        *,
        resource_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        message_ids: Sequence[str] | None = None,
        start_date: datetime | float | str | None = None,
        end_date: datetime | float | str | None = None,
        message_limit: int | None = None,
    ) -> ThreadCopy:
        """As `clone_thread`, without the messages in the result."""
        thread = await self._copy(
            "copy_thread",
            source_thread_id,
            *(new_thread_id, resource_id, title, metadata),
            *(message_ids, start_date, end_date, message_limit),
        )
        read = messages.copies(source_thread_id, thread.id)
        id_map, _ = await self._run("copy_thread", read)
        return ThreadCopy(thread, id_map)

    async def _copy(self, operation: str, source_id: str, new_id: str | None, *how: Any) -> Thread:
        """Make the copy, and return when its messages can be read."""
        # Imported here: it would be a part of the time that our import takes.
        from uuid import uuid4

        make = partial(thread_copy, source_id, str(uuid4()) if new_id is None else new_id, *how)
        thread = Thread.of(await self._mutate(operation, "threads:clone", make))
        # A long copy can be made in steps, and is there when the last of them is done.
        if await self._run(operation, threads.thread(thread.id)) is None:
            async with self._watch(operation, partial(threads.thread, thread.id)) as values:
                while await values.next(_PATIENCE_SECONDS) is None:
                    pass
        return thread
