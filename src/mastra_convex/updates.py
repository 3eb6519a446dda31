"""Arguments of mutations that are more than one record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Message, Thread
from mastra_convex.record import Record, to_milliseconds
from mastra_convex.span import Span
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


# What one call carries of spans: within what a transaction may, with room for what it reads.
_SPANS_AT_ONCE = 500
_SPAN_BYTES_AT_ONCE = 4 * 1024 * 1024
_TRACES_AT_ONCE = 50


def span_batches(spans: Iterable[Span | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The arguments of the calls that save several spans."""
    return _batches([Span.encode(span) for span in _several(spans, "records")])


def span_change_batches(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The arguments of the calls that change several spans."""
    return _batches([Span.encode_change(change) for change in _several(records, "records")])


def trace_removals(
    trace_ids: Sequence[str], organization_id: str | None, resource_id: str | None
) -> list[dict[str, Any]]:
    """The arguments of the calls that delete several traces."""
    ids = _several(trace_ids, "trace_ids")
    label = Span.noun
    scope = {
        name: Span.encode_field(name, value, label)
        for name, value in (("organizationId", organization_id), ("resourceId", resource_id))
        if value is not None
    }
    for trace_id in ids:
        Span.encode_field("traceId", trace_id, label)
    starts = range(0, len(ids), _TRACES_AT_ONCE)
    return [{"traceIds": ids[start : start + _TRACES_AT_ONCE], **scope} for start in starts]


def _batches(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    batches: list[list[dict[str, Any]]] = []
    size = 0
    for span in spans:
        own = sum(_bytes_of(value) for value in span.values() if isinstance(value, str))
        full = not batches or len(batches[-1]) == _SPANS_AT_ONCE
        if full or size + own > _SPAN_BYTES_AT_ONCE:
            batches.append([])
            size = 0
        batches[-1].append(span)
        size += own
    return [{"spans": batch} for batch in batches]


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


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
