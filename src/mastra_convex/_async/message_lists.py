"""Lists of messages (interface, sections 3.4 to 3.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import Message, MessagePage
from mastra_convex.reads import message_lists as reads

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AsyncMessageLists(AsyncStorageBase):
    """The lists of messages, and what follows them."""

    async def list_messages(
        self,
        thread_id: str | Sequence[str],
        resource_id: str | None = None,
        *,
        include: Sequence[Mapping[str, Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        date_range: Mapping[str, Any] | None = None,
        filter: Mapping[str, Any] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 40,
        include_total: bool = True,
    ) -> MessagePage:
        """A page of the messages of one thread or several, oldest first; `per_page=False` is all.

        `resource_id` keeps messages that belong to it. `date_range` is `{"start": ..., "end": ...,
        "startExclusive": ..., "endExclusive": ...}` on `created_at`, `metadata` keeps messages
        whose content has these entries in its metadata, and `filter` is Mastra's `{"dateRange":
        ..., "metadata": ...}` and says the same. What no index serves is walked, to the end unless
        `include_total` is False.

        `include` adds messages to every page, wherever they are: `{"id": ...,
        "withPreviousMessages": 2, "withNextMessages": 2}` each, with so many of their threads'
        before and after them, never of another resource. `order_by` is `{"field": "createdAt",
        "direction": "ASC" or "DESC"}`; equal times are in the order of saving, and wholly reversed
        by DESC. Raises `InvalidArgumentError` for a bad page, order, filter or include.
        """
        options = (include, metadata, date_range, filter, order_by, page, per_page, include_total)
        read = reads.messages(thread_id, resource_id, *options)
        return cast("MessagePage", await self._run("list_messages", read))

    async def list_messages_by_resource_id(
        self,
        resource_id: str,
        *,
        include: Sequence[Mapping[str, Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        date_range: Mapping[str, Any] | None = None,
        filter: Mapping[str, Any] | None = None,
        order_by: Mapping[str, str] | None = None,
        page: int = 0,
        per_page: int | bool = 40,
        include_total: bool = True,
    ) -> MessagePage:
        """A page of the messages that belong to a resource, of all threads, oldest first.

        The rest is as in `list_messages`. The total is the sum of one kept number for each thread
        that has messages of the resource.
        """
        options = (include, metadata, date_range, filter, order_by, page, per_page, include_total)
        read = reads.resource_messages(resource_id, *options)
        return cast("MessagePage", await self._run("list_messages_by_resource_id", read))

    def watch_messages(
        self,
        thread_id: str | Sequence[str],
        resource_id: str | None = None,
        **options: Unpack[reads.ListOptions],
    ) -> AsyncWatch[MessagePage]:
        """The page of `list_messages` with the same arguments, now and after each change."""
        read = partial(reads.messages, thread_id, resource_id, **options)
        return self._watch("watch_messages", read)

    def watch_resource_messages(
        self, resource_id: str, last: int = 20
    ) -> AsyncWatch[list[Message]]:
        """The `last` newest messages of a resource, ascending, now and after each change."""
        read = partial(reads.newest_of_resource, resource_id, last)
        return self._watch("watch_resource_messages", read)

    def subscribe_to_messages(
        self,
        thread_id: str | Sequence[str],
        callback: Callable[[MessagePage], Any],
        resource_id: str | None = None,
        **options: Unpack[reads.ListOptions],
    ) -> Unsubscribe:
        """Call `callback` with the page of `list_messages` now and after each change."""
        read = partial(reads.messages, thread_id, resource_id, **options)
        return self._subscribe("subscribe_to_messages", read, callback)

    def subscribe_to_resource_messages(
        self, resource_id: str, callback: Callable[[list[Message]], Any], last: int = 20
    ) -> Unsubscribe:
        """Call `callback` with the `last` newest messages of a resource now and on change."""
        read = partial(reads.newest_of_resource, resource_id, last)
        return self._subscribe("subscribe_to_resource_messages", read, callback)
