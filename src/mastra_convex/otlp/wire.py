"""The skeleton of an OTLP request in protobuf: where in the bytes each span is.

Each span is then decoded by itself. So a broken one does not take its batch along, and what is
decoded at a time is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10
# Field numbers of ExportTraceServiceRequest, ResourceSpans and ScopeSpans.
_RESOURCE_SPANS = 1
_RESOURCE, _SCOPE_SPANS = 1, 2
_SCOPE, _SPANS = 1, 2
_SCHEMA_URL = 3


class MalformedError(Exception):
    """The bytes are no protobuf message, or the text no JSON, of an OTLP request."""


class TooManySpansError(Exception):
    """A request has more spans than one may have."""


@dataclass(slots=True)
class Group:
    """Spans of one scope: the bytes of their resource, of their scope, and of each."""

    resource: bytes = b""
    scope: bytes = b""
    resource_schema: str = ""
    scope_schema: str = ""
    spans: list[memoryview] = field(default_factory=list)


def groups_of(body: bytes, most: int) -> list[Group]:
    """The groups of spans in a request. Raises `MalformedError`, `TooManySpansError`."""
    groups = []
    room = most
    for number, content in _messages(memoryview(body)):
        if number == _RESOURCE_SPANS:
            for group in _resource_spans(content, room):
                room -= len(group.spans)
                groups.append(group)
    return groups


def _resource_spans(content: memoryview, room: int) -> Iterator[Group]:
    resource, schema, scopes = b"", "", []
    for number, inner in _messages(content):
        if number == _RESOURCE:
            resource = bytes(inner)
        elif number == _SCOPE_SPANS:
            scopes.append(inner)
        elif number == _SCHEMA_URL:
            schema = _text(inner)
    for scope in scopes:
        group = Group(resource, resource_schema=schema)
        for number, inner in _messages(scope):
            if number == _SCOPE:
                group.scope = bytes(inner)
            elif number == _SPANS:
                group.spans.append(inner)
                if len(group.spans) > room:
                    raise TooManySpansError
            elif number == _SCHEMA_URL:
                group.scope_schema = _text(inner)
        room -= len(group.spans)
        yield group


def _messages(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that have a length, in their order; others are passed over."""
    at, end = 0, len(content)
    while at < end:
        tag, at = _varint(content, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, at = _varint(content, at, end)
            if length > end - at:
                raise MalformedError("the body breaks off inside a message")
            yield number, content[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(content, at, end)
        elif kind in _WIDTHS:
            at += _WIDTHS[kind]
        else:
            raise MalformedError(f"the body is no protobuf: there is no wire type {kind}")
    if at != end:
        raise MalformedError("the body breaks off inside a field")


def _varint(content: memoryview, at: int, end: int) -> tuple[int, int]:
    """A number, and the place behind it."""
    value = shift = 0
    for place in range(at, min(end, at + _MAX_VARINT_BYTES)):
        byte = content[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    raise MalformedError("the body is no protobuf: a number does not end")


def _text(content: memoryview) -> str:
    return bytes(content).decode("utf-8", "replace")
