"""Arguments of mutations that are more than one record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Message, Resource, Thread
from mastra_convex.record import Record, to_milliseconds
from mastra_convex.values.payload import encode_payload

_CHANGEABLE = {"role": "role", "type": "type", "content": "content"}
_CHANGEABLE |= {"threadId": "threadId", "thread_id": "threadId"}
_CHANGEABLE |= {"resourceId": "resourceId", "resource_id": "resourceId"}


def record_change(kind: type[Record], id: Any, **fields: Any) -> dict[str, Any]:
    """The id and the new values of a record's fields, by their wire names; None is not given."""
    change: dict[str, Any] = {"id": kind.encode_field("id", id, kind.noun)}
    for name, value in fields.items():
        if value is not None:
            change[name] = kind.encode_field(name, value, f"{kind.noun} {id!r:.80}")
    return change


def metadata_change(
    update: Callable[[Thread], Mapping[str, Any] | None], thread: Thread | None
) -> dict[str, Any] | None:
    """What `threads:update` takes for a change that `update` makes of the thread; None for none."""
    metadata = None if thread is None else update(thread)
    if thread is None or metadata is None:
        return None
    expected = {"resourceId": thread.resource_id, "metadata": thread.wire.get("metadata")}
    return {**record_change(Thread, thread.id, metadata=metadata), "expected": expected}


def working_memory_change(
    resource_id: str, update: Callable[[str | None], str | None], resource: Resource | None
) -> dict[str, Any] | None:
    """What `resources:update` takes for a change that `update` makes of the text; None for none."""
    text = update(None if resource is None else resource.working_memory)
    if text is None:
        return None
    expected = None if resource is None else resource.wire.get("workingMemory")
    change = record_change(Resource, resource_id, workingMemory=text)
    return {**change, "expected": {"workingMemory": expected}}


def some_text(value: Any, name: str) -> str:
    """An argument that is text, and not empty. Raises `InvalidArgumentError` otherwise."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"{name} must be text, not {value!r:.60}", path=name)
    return value


def _several(given: Any, what: str) -> list[Any]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise InvalidArgumentError(f"{what} is a list of them, not {given!r:.60}", path=what)
    return list(given)


def message_documents(messages: Iterable[Message | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The documents of several messages."""
    return [Message.encode(message) for message in _several(messages, "messages")]


def checked_ids(ids: Sequence[str]) -> list[str]:
    """The ids, each of which must be text."""
    checked = _several(ids, "message_ids")
    for position, item in enumerate(checked):
        if not isinstance(item, str):
            raise InvalidArgumentError(f"message_ids[{position}] must be text, not {item!r:.60}")
    return checked


def message_changes(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `messages:update` takes for partial messages; None counts as not given."""
    return [_message_change(message) for message in _several(messages, "messages")]


def _message_change(message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping) or not isinstance(message.get("id"), str):
        raise InvalidArgumentError(
            f"a change of a message is a mapping with its id, not {message!r:.60}", path="id"
        )
    change = {"id": message["id"]}
    label = f"message {message['id']!r:.80}"
    for name, value in message.items():
        if name == "id" or value is None:
            continue
        if name not in _CHANGEABLE:
            raise InvalidArgumentError(
                f"{label}: {name} cannot be updated; leave it out, or save the whole message",
                path=name,
            )
        if _CHANGEABLE[name] in change:
            raise InvalidArgumentError(f"{label}: {_CHANGEABLE[name]} is given twice", path=name)
        change[_CHANGEABLE[name]] = (
            encode_payload(value, f"{label}: content") if name == "content" else value
        )
    return change


def thread_copy(
    source_id: Any,
    new_id: str,
    resource_id: Any,
    title: Any,
    metadata: Any,
    message_ids: Any,
    start_date: Any,
    end_date: Any,
    message_limit: Any,
) -> dict[str, Any]:
    """What `threads:clone` takes; None is not given."""
    thread = {"resourceId": resource_id, "title": title, "metadata": metadata}
    args: dict[str, Any] = {
        "id": Thread.encode_field("id", source_id, "thread"),
        "thread": record_change(Thread, new_id, **thread),
    }
    if message_ids is not None:
        args["messageIds"] = checked_ids(message_ids)
    for name, date, label in (("from", start_date, "start_date"), ("to", end_date, "end_date")):
        if date is not None:
            args[name] = to_milliseconds(date, label)
    if message_limit is not None:
        if type(message_limit) is not int or message_limit < 0:
            raise InvalidArgumentError(
                f"message_limit must be >= 0 and whole, not {message_limit!r:.60}",
                path="message_limit",
            )
        args["limit"] = message_limit
    return args
