"""Reading messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Message
from mastra_convex.reads.listing import Read, Window, listing, newest
from mastra_convex.values.names import copy_id

_IDS_AT_ONCE = 500


def _thread_args(thread_id: Any) -> dict[str, Any]:
    if not isinstance(thread_id, str) or not thread_id.strip():
        raise InvalidArgumentError(
            f"thread_id must be the id of a thread, not {thread_id!r:.60}", path="thread_id"
        )
    return {"threadId": thread_id}


def thread_messages(thread_id: str, last: int | None = None) -> Read[list[Message]]:
    """All messages of a thread, or its `last` newest, in ascending order."""
    if last is not None and type(last) is not int:
        raise InvalidArgumentError(f"last must be a whole number, not {last!r:.60}", path="last")
    args = _thread_args(thread_id)
    if last is None:
        everything = Window(0, False, include_total=False)
        found = yield from listing("messages:list", {**args, "order": "asc"}, everything)
        documents = found.documents
    else:
        documents = yield from newest("messages:list", args, last)
    return [Message.of(document) for document in documents]


def copies(source_id: str, thread_id: str) -> Read[tuple[dict[str, str], list[Message]]]:
    """The messages of a thread that was cloned, and their ids by those of the source's."""
    everything = Window(0, False, include_total=False)
    args = {"threadId": thread_id, "order": "asc"}
    found = (yield from listing("messages:list", args, everything)).documents
    if not found:
        return {}, []
    # A copy has the time of its source.
    times = {"from": found[0]["createdAt"], "to": found[-1]["createdAt"]}
    args = {"threadId": source_id, "order": "asc", **times}
    sources = (yield from listing("messages:list", args, everything)).documents
    ids = {document["id"] for document in found}
    pairs = ((each["id"], copy_id(thread_id, each["id"])) for each in sources)
    id_map = {source: copy for source, copy in pairs if copy in ids}
    return id_map, [Message.of(document) for document in found]


def messages_by_id(message_ids: Sequence[str]) -> Read[list[Message]]:
    """The messages with these ids that there are, in ascending order of time."""
    if isinstance(message_ids, (str, bytes, Mapping)) or not isinstance(message_ids, Iterable):
        raise InvalidArgumentError(
            f"message_ids is a list of ids, not {message_ids!r:.60}", path="message_ids"
        )
    ids = list(message_ids)
    for position, message_id in enumerate(ids):
        if not isinstance(message_id, str):
            raise InvalidArgumentError(
                f"message_ids[{position}] must be text, not {message_id!r:.60}", path="message_ids"
            )
    ids = list(dict.fromkeys(ids))
    documents: list[dict[str, Any]] = []
    for start in range(0, len(ids), _IDS_AT_ONCE):
        documents += yield "messages:listById", {"ids": ids[start : start + _IDS_AT_ONCE]}
    documents.sort(key=lambda document: (document["createdAt"], document["seq"]))
    return [Message.of(document) for document in documents]
