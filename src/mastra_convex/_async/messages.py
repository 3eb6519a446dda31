"""Messages (interface, sections 3.2 to 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models import Message
from mastra_convex.reads import messages as reads
from mastra_convex.updates import checked_ids, message_changes, message_documents


class AsyncMessages(AsyncStorageBase):
    """The operations on messages."""

    async def save_message(self, message: Message | Mapping[str, Any]) -> Message:
        """Save a message by its id; its thread must exist.

        A message that exists is replaced and keeps its `created_at`; saving the same again changes
        nothing. Returns the message as it is stored, with its `seq`. Raises `NotFoundError` for a
        missing thread, `InvalidArgumentError`, `InvalidPayloadError`.
        """
        saved = await self._mutate(
            "save_message", "messages:save", lambda: {"messages": [Message.encode(message)]}
        )
        return Message.of(saved[0])

    async def save_messages(self, messages: Iterable[Message | Mapping[str, Any]]) -> list[Message]:
        """Save messages, all or none, in one transaction of at most 1,000.

        Returns them as they are stored, in the order given; of one id given twice the last stays.
        Raises as `save_message`, and `LimitExceededError`.
        """
        saved = await self._mutate(
            "save_messages", "messages:save", lambda: {"messages": message_documents(messages)}
        )
        return [Message.of(document) for document in saved]

    async def get_messages(self, thread_id: str, last: int | None = None) -> list[Message]:
        """All messages of a thread in ascending order, or its `last` newest."""
        read = reads.thread_messages(thread_id, last)
        return cast("list[Message]", await self._run("get_messages", read))

    async def list_messages_by_id(self, message_ids: Sequence[str]) -> list[Message]:
        """The messages with these ids that there are, of any thread, in ascending order of time."""
        read = reads.messages_by_id(message_ids)
        return cast("list[Message]", await self._run("list_messages_by_id", read))

    async def update_messages(self, messages: Iterable[Mapping[str, Any]]) -> list[Message]:
        """Change messages: an `id` with any of `role`, `type`, `threadId`, `resourceId`, `content`.

        `content` is laid over the old, member by member, and its `metadata` likewise; a text
        replaces it. Another `threadId` moves the message. Unknown ids are skipped; returns the
        messages found. Raises `NotFoundError` for a missing target thread.
        """
        changed = await self._mutate(
            "update_messages", "messages:update", lambda: {"messages": message_changes(messages)}
        )
        return [Message.of(document) for document in changed]

    async def delete_messages(self, message_ids: Sequence[str]) -> None:
        """Delete messages, at most 1,000 in a call. Unknown ids are fine."""
        await self._mutate(
            "delete_messages", "messages:remove", lambda: {"ids": checked_ids(message_ids)}
        )

    def watch_thread_messages(
        self, thread_id: str, last: int | None = None
    ) -> AsyncWatch[list[Message]]:
        """A thread's messages (or its `last` newest), ascending, now and after each change."""
        return self._watch("watch_thread_messages", partial(reads.thread_messages, thread_id, last))

    def subscribe_to_thread_messages(
        self,
        thread_id: str,
        callback: Callable[[list[Message]], Any],
        last: int | None = None,
    ) -> Unsubscribe:
        """Call `callback` with a thread's messages (or its `last` newest) now and on change."""
        read = partial(reads.thread_messages, thread_id, last)
        return self._subscribe("subscribe_to_thread_messages", read, callback)
