"""OTLP in protobuf: the spans of a request, one by one."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from mastra_convex.extras import needs_extra
from mastra_convex.otlp.origins import MAX_SPAN_BYTES, MAX_SPANS, origin_of
from mastra_convex.otlp.span import BadSpanError, Origin, OtelSpan, number, warn_twice
from mastra_convex.otlp.wire import Group, groups_of

with needs_extra("server", "reading OTLP in protobuf"):
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

_NO_ID = b"\0"
# Kinds of values that are plain ones of Python.
_PLAIN = frozenset(("string_value", "int_value", "bool_value"))


def read(body: bytes) -> Iterator[OtelSpan | BadSpanError]:
    """The spans of a request, and in the place of each that is broken, why.

    Raises `MalformedError` and `TooManySpansError`, before the first.
    """
    groups = groups_of(body, MAX_SPANS)
    return (each for group in groups for each in _spans_of(group))


def _spans_of(group: Group) -> Iterator[OtelSpan | BadSpanError]:
    try:
        origin = _origin_of(group)
    except (BadSpanError, DecodeError) as error:
        reason = BadSpanError(f"its resource or scope is broken: {error}")
        yield from [reason] * len(group.spans)
        return
    for content in group.spans:
        try:
            yield _span_of(content, origin)
        except DecodeError as error:
            yield BadSpanError(f"it is no protobuf message: {error}")
        except BadSpanError as error:
            yield error


def _origin_of(group: Group) -> Origin:
    resource = Resource.FromString(group.resource)
    scope = InstrumentationScope.FromString(group.scope)
    attributes, _ = _attributes(resource.attributes)
    return origin_of(
        attributes,
        {
            "droppedAttributesCount": resource.dropped_attributes_count,
            "schemaUrl": group.resource_schema,
        },
        {
            "name": scope.name,
            "version": scope.version,
            "attributes": _attributes(scope.attributes)[0],
            "droppedAttributesCount": scope.dropped_attributes_count,
            "schemaUrl": group.scope_schema,
        },
    )


def _span_of(content: memoryview, origin: Origin) -> OtelSpan:
    if len(content) > MAX_SPAN_BYTES:
        raise BadSpanError(f"it has {len(content)} bytes, and {MAX_SPAN_BYTES} is the most")
    message = Message.FromString(bytes(content))
    attributes, twice = _attributes(message.attributes)
    status = message.status
    return OtelSpan(
        origin,
        _id(message.trace_id),
        _id(message.span_id),
        _id(message.parent_span_id),
        message.name,
        message.kind,
        message.start_time_unix_nano,
        message.end_time_unix_nano,
        attributes,
        status.code,
        status.message,
        [_event(each) for each in message.events],
        [_link(each) for each in message.links],
        {
            "traceState": message.trace_state,
            "flags": message.flags,
            "droppedAttributesCount": message.dropped_attributes_count,
            "droppedEventsCount": message.dropped_events_count,
            "droppedLinksCount": message.dropped_links_count,
        },
        twice,
    )


def _id(content: bytes) -> str:
    """An id in hex; one of zeros is none."""
    return content.hex() if content.strip(_NO_ID) else ""


def _attributes(given: Iterable[KeyValue]) -> tuple[dict[str, Any], list[str]]:
    """The attributes, of which the last of a name counts, and a warning if there were others."""
    found: dict[str, Any] = {}
    twice: list[str] = []
    for each in given:
        key = each.key
        if key in found:
            warn_twice(twice, key)
        found[key] = _value(each.value)
    return found, twice


def _value(given: AnyValue) -> Any:
    kind = given.WhichOneof("value")
    if kind in _PLAIN:
        return getattr(given, kind)
    if kind == "double_value":
        return number(given.double_value)
    if kind == "array_value":
        return [_value(each) for each in given.array_value.values]
    if kind == "kvlist_value":
        return _attributes(given.kvlist_value.values)[0]
    if kind == "bytes_value":
        return base64.b64encode(given.bytes_value).decode()
    return None


def _event(given: Message.Event) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": given.name,
        "timeUnixNano": str(given.time_unix_nano),
        "attributes": _attributes(given.attributes)[0],
    }
    if given.dropped_attributes_count:
        event["droppedAttributesCount"] = given.dropped_attributes_count
    return event


def _link(given: Message.Link) -> dict[str, Any]:
    link: dict[str, Any] = {"traceId": given.trace_id.hex(), "spanId": given.span_id.hex()}
    if given.attributes:
        link["attributes"] = _attributes(given.attributes)[0]
    if given.trace_state:
        link["traceState"] = given.trace_state
    if given.flags:
        link["flags"] = given.flags
    if given.dropped_attributes_count:
        link["droppedAttributesCount"] = given.dropped_attributes_count
    return link
