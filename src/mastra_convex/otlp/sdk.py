"""Spans of OpenTelemetry's SDK, as they are in the program that makes them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from mastra_convex.otlp.origins import origin_of
from mastra_convex.otlp.span import Origin, OtelSpan, number

# What OTLP's flags say of the context that they are of.
_IS_REMOTE_IS_KNOWN, _IS_REMOTE = 256, 512
_MAX_ORIGINS = 256
# A span that is open may be changed while it is read.
_TRIES = 10


class Reader:
    """Reads spans. What they share is read once; a reader is used on one thread."""

    def __init__(self) -> None:
        # With what they were made of, so that nothing else gets its id.
        self._origins: dict[tuple[int, int], tuple[Origin, Any, Any]] = {}

    def read(self, span: Any) -> OtelSpan:
        """An SDK's `ReadableSpan`, ended or not. Raises `BadSpanError`."""
        context, parent, status = span.context, span.parent, span.status
        attributes = _attributes(span.attributes)
        return OtelSpan(
            self._origin(span.resource, span.instrumentation_scope),
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            f"{parent.span_id:016x}" if parent is not None else "",
            _text(span.name),
            # The SDK counts them from 0, OTLP has 0 for none.
            span.kind.value + 1,
            span.start_time or 0,
            span.end_time or 0,
            attributes,
            status.status_code.value,
            _text(status.description or ""),
            [_event(each) for each in span.events],
            [_link(each) for each in span.links],
            {
                "traceState": context.trace_state.to_header() if context.trace_state else "",
                "flags": _flags(parent),
                "droppedAttributesCount": span.dropped_attributes,
                "droppedEventsCount": span.dropped_events,
                "droppedLinksCount": span.dropped_links,
            },
        )

    def _origin(self, resource: Any, scope: Any) -> Origin:
        known = self._origins.get((id(resource), id(scope)))
        if known is not None:
            return known[0]
        origin = origin_of(
            _attributes(resource.attributes),
            {"schemaUrl": resource.schema_url},
            {
                "name": scope.name,
                "version": scope.version,
                "attributes": _attributes(scope.attributes),
                "schemaUrl": scope.schema_url,
            },
        )
        if len(self._origins) >= _MAX_ORIGINS:
            self._origins.clear()
        self._origins[id(resource), id(scope)] = origin, resource, scope
        return origin


def _attributes(given: Mapping[str, Any] | None) -> dict[str, Any]:
    if not given:
        return {}
    # The SDK's own kind makes a copy of its dict at once; of any other, each member is asked for.
    copied = getattr(given, "copy", given.items)
    for _ in range(_TRIES):
        try:
            items = dict(copied())
        except RuntimeError:
            continue
        return {_text(name): _value(value) for name, value in items.items()}
    return {}


def _value(given: Any) -> Any:
    if isinstance(given, str):
        return _text(given)
    if given is None or isinstance(given, (bool, int)):
        return given
    if isinstance(given, float):
        return number(given)
    if isinstance(given, bytes):
        return base64.b64encode(given).decode()
    if isinstance(given, Mapping):
        return {_text(str(name)): _value(value) for name, value in given.items()}
    if isinstance(given, Sequence):
        return [_value(each) for each in given]
    return _text(str(given))


def _text(given: str) -> str:
    """A text as protobuf would have it."""
    return given if given.isascii() else given.encode("utf-8", "replace").decode()


def _event(given: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": _text(given.name),
        "timeUnixNano": str(given.timestamp),
        "attributes": _attributes(given.attributes),
    }
    if given.dropped_attributes:
        event["droppedAttributesCount"] = given.dropped_attributes
    return event


def _link(given: Any) -> dict[str, Any]:
    context = given.context
    link: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
    }
    if given.attributes:
        link["attributes"] = _attributes(given.attributes)
    if context.trace_state:
        link["traceState"] = context.trace_state.to_header()
    link["flags"] = _flags(context)
    if given.dropped_attributes:
        link["droppedAttributesCount"] = given.dropped_attributes
    return link


def _flags(context: Any) -> int:
    if context is not None and context.is_remote:
        return _IS_REMOTE_IS_KNOWN | _IS_REMOTE
    return _IS_REMOTE_IS_KNOWN
