"""Threads (interface, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import Thread, ThreadPage
from mastra_convex.reads import threads as reads
from mastra_convex.updates import metadata_change, record_change, some_text


class AsyncThreads(AsyncStorageBase):
    """The operations on threads."""

    async def save_thread(self, thread: Thread | Mapping[str, Any]) -> Thread:
        """Save a thread by its id, replacing what was saved; its messages stay.

        A thread that exists keeps its `created_at`. Times that are left out are now. Returns the
        thread as it is stored. Raises `InvalidArgumentError`.
        """
        saved = await self._mutate(
            "save_thread", "threads:save", lambda: {"thread": Thread.encode(thread)}
        )
        return Thread.of(saved)

    async def get_thread_by_id(
        self, thread_id: str, resource_id: str | None = None
    ) -> Thread | None:
        """The thread, or None; with `resource_id`, only if that resource owns it."""
        return cast(
            "Thread | None",
            await self._run("get_thread_by_id", reads.thread(thread_id, resource_id)),
        )

    async def list_threads(
        self,
        resource_id: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        filter: Mapping[str, Any] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> ThreadPage:
        """A page of threads, of one resource or of all, newest first.

        `order_by` is `{"field": "createdAt" or "updatedAt", "direction": "ASC" or "DESC"}`;
        `per_page=False` gives all. `metadata` keeps threads that have these entries; no index
        serves it, so the resource's threads are walked, to the end unless `include_total` is
        False. `filter` is Mastra's `{"resourceId": ..., "metadata": ...}` and says the same.
        Raises `InvalidArgumentError` for a bad page, order or key.
        """
        read = reads.threads(resource_id, metadata, filter, order_by, page, per_page, include_total)
        return cast("ThreadPage", await self._run("list_threads", read))

    async def update_thread(
        self,
        id: str,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Thread:
        """Change title and metadata; what is left out stays.

        `metadata` is laid over the old, member by member. `updated_at` moves on. Raises
        `NotFoundError` if there is no such thread.
        """
        return await self._update_thread("update_thread", id, title, metadata)

    async def patch_thread(
        self,
        id: str,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Thread:
        """The same as `update_thread`, which changes only what is given.

        Mastra has it for stores whose `updateThread` clears what is left out.
        """
        return await self._update_thread("patch_thread", id, title, metadata)

    async def _update_thread(
        self, operation: str, id: str, title: str | None, metadata: Mapping[str, Any] | None
    ) -> Thread:
        changed = await self._mutate(
            operation,
            "threads:update",
            lambda: record_change(Thread, id, title=title, metadata=metadata),
        )
        return Thread.of(changed)

    async def update_thread_metadata(
        self,
        id: str,
        update: Callable[[Thread], Mapping[str, Any] | None],
        resource_id: str | None = None,
    ) -> Thread | None:
        """Change metadata by what it is: `update` is given the thread, and returns members to set.

        They are written only if nobody has changed the metadata meanwhile; otherwise it
        is called again with the thread as it then is. So nothing is lost, whoever else writes, here
        or in another process. None from it leaves the thread as it is. Returns the thread, or None
        if there is none, or `resource_id` does not own it. Raises `ConflictError` if others have
        been faster for half a minute.
        """
        changed = await self._change(
            "update_thread_metadata",
            partial(reads.thread, id, resource_id),
            "threads:update",
            partial(metadata_change, update),
        )
        return Thread.of(changed) if isinstance(changed, dict) else changed

    async def update_thread_resource_id(self, thread_id: str, resource_id: str) -> Thread:
        """Give a thread to another resource, with all its messages, whoever they belonged to.

        Nobody sees some of it as the old owner's and some as the new one's. Returns the thread; if
        the resource has it already, nothing changes. Raises `NotFoundError` if there is no such
        thread, `ConflictError` while it is still on its way from an earlier call.
        """
        changed = await self._mutate(
            "update_thread_resource_id",
            "threads:updateResourceId",
            lambda: {
                "id": some_text(thread_id, "thread_id"),
                "resourceId": some_text(resource_id, "resource_id"),
            },
        )
        return Thread.of(changed)

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread and all its messages. A missing one is fine."""
        await self._mutate("delete_thread", "threads:remove", lambda: {"id": thread_id})

    def watch_thread(self, thread_id: str) -> AsyncWatch[Thread | None]:
        """The thread now, then after each change; None while there is none."""
        return self._watch("watch_thread", partial(reads.thread, thread_id))

    def watch_resource_threads(self, resource_id: str) -> AsyncWatch[list[Thread]]:
        """A resource's threads, newest first, now and after each change."""
        return self._watch("watch_resource_threads", partial(reads.resource_threads, resource_id))

    def watch_threads(self, last: int = 20) -> AsyncWatch[list[Thread]]:
        """The `last` threads of all resources that changed last, now and after each change.

        A thread changes with its messages too; the newest change comes first.
        """
        return self._watch("watch_threads", partial(reads.recent_threads, last))

    def subscribe_to_thread(
        self, thread_id: str, callback: Callable[[Thread | None], Any]
    ) -> Unsubscribe:
        """Call `callback` with the thread now and after each change; returns how to stop."""
        return self._subscribe("subscribe_to_thread", partial(reads.thread, thread_id), callback)

    def subscribe_to_resource_threads(
        self, resource_id: str, callback: Callable[[list[Thread]], Any]
    ) -> Unsubscribe:
        """Call `callback` with a resource's threads, newest first, now and after each change."""
        return self._subscribe(
            "subscribe_to_resource_threads", partial(reads.resource_threads, resource_id), callback
        )

    def subscribe_to_threads(
        self, callback: Callable[[list[Thread]], Any], last: int = 20
    ) -> Unsubscribe:
        """Call `callback` with the `last` threads that changed last, now and after each change."""
        read = partial(reads.recent_threads, last)
        return self._subscribe("subscribe_to_threads", read, callback)
