"""OTLP in JSON: ids are hex, 64-bit integers are text, enumerations are numbers.

Members that are not known are passed over, as the specification asks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from mastra_convex.errors import InvalidPayloadError
from mastra_convex.otlp.origins import MAX_SPANS, origin_of
from mastra_convex.otlp.span import BadSpanError, Origin, OtelSpan, number, warn_twice
from mastra_convex.otlp.wire import MalformedError, TooManySpansError

_HEX = re.compile(r"[0-9a-fA-F]*")
_DIGITS = re.compile(r"-?[0-9]{1,20}")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What is wrong with one span, however it shows.
_BROKEN = (BadSpanError, InvalidPayloadError, MalformedError)
# As deep as protobuf nests, in which each value has two messages around it.
_MAX_DEPTH = 50
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def read(body: bytes) -> Iterator[OtelSpan | BadSpanError]:
    """The spans of a request, and in the place of each that is broken, why.

    Raises `MalformedError` and `TooManySpansError`, before the first.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is no JSON: {error}") from None
    groups = list(_groups(_object(request, "the body")))
    if sum(len(spans) for _, spans in groups) > MAX_SPANS:
        raise TooManySpansError
    return (_read(given, origin) for origin, spans in groups for given in spans)


def _groups(request: dict[str, Any]) -> Iterator[tuple[Origin | BadSpanError, list[Any]]]:
    for resource_spans in _objects(request, "resourceSpans"):
        for scope_spans in _objects(resource_spans, "scopeSpans"):
            yield _origin(resource_spans, scope_spans), _list(scope_spans, "spans")


def _origin(resource_spans: dict[str, Any], scope_spans: dict[str, Any]) -> Origin | BadSpanError:
    """What the spans share; or why none of them can be read."""
    try:
        resource = _member(resource_spans, "resource")
        scope = _member(scope_spans, "scope")
        return origin_of(
            _attributes(resource),
            {
                "droppedAttributesCount": _count(resource.get("droppedAttributesCount")),
                "schemaUrl": _text(resource_spans.get("schemaUrl")),
            },
            {
                "name": _text(scope.get("name")),
                "version": _text(scope.get("version")),
                "attributes": _attributes(scope),
                "droppedAttributesCount": _count(scope.get("droppedAttributesCount")),
                "schemaUrl": _text(scope_spans.get("schemaUrl")),
            },
        )
    except _BROKEN as error:
        return BadSpanError(f"its resource or scope is broken: {error}")


def _read(given: Any, origin: Origin | BadSpanError) -> OtelSpan | BadSpanError:
    if isinstance(origin, BadSpanError):
        return origin
    try:
        return _span_of(_object(given, "it"), origin)
    except _BROKEN as error:
        return BadSpanError(str(error))


def _span_of(given: dict[str, Any], origin: Origin) -> OtelSpan:
    status = _member(given, "status")
    warnings: list[str] = []
    return OtelSpan(
        origin,
        _id(given, "traceId"),
        _id(given, "spanId"),
        _id(given, "parentSpanId"),
        _text(given.get("name")),
        _count(given.get("kind")),
        _time(given.get("startTimeUnixNano")),
        _time(given.get("endTimeUnixNano")),
        _attributes(given, warnings),
        _count(status.get("code")),
        _text(status.get("message")),
        [_event(each) for each in _objects(given, "events")],
        [_link(each) for each in _objects(given, "links")],
        {
            "traceState": _text(given.get("traceState")),
            "flags": _count(given.get("flags")),
            **{
                name: _count(given.get(name))
                for name in (
                    "droppedAttributesCount",
                    "droppedEventsCount",
                    "droppedLinksCount",
                )
            },
        },
        warnings,
    )


def _event(given: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": _text(given.get("name")),
        "timeUnixNano": str(_time(given.get("timeUnixNano"))),
        "attributes": _attributes(given),
    }
    dropped = _count(given.get("droppedAttributesCount"))
    return {**event, "droppedAttributesCount": dropped} if dropped else event


def _link(given: dict[str, Any]) -> dict[str, Any]:
    more = {
        "attributes": _attributes(given),
        "traceState": _text(given.get("traceState")),
        "flags": _count(given.get("flags")),
        "droppedAttributesCount": _count(given.get("droppedAttributesCount")),
    }
    ids = {"traceId": _id(given, "traceId"), "spanId": _id(given, "spanId")}
    return {**ids, **{name: value for name, value in more.items() if value}}


def _attributes(
    owner: dict[str, Any], warnings: list[str] | None = None, depth: int = 0
) -> dict[str, Any]:
    """The attributes of something, of which the last of a name counts."""
    found: dict[str, Any] = {}
    for each in _objects(owner, "attributes"):
        key = _text(each.get("key"))
        if key in found and warnings is not None:
            warn_twice(warnings, key)
        found[key] = _value(each.get("value"), depth)
    return found


def _value(given: Any, depth: int) -> Any:
    """An AnyValue in plain values."""
    if depth > _MAX_DEPTH:
        raise BadSpanError("an attribute's value is nested too deeply")
    if not isinstance(given, dict):
        if given is None:
            return None
        raise BadSpanError('an attribute\'s value is no object, such as {"stringValue": ...}')
    if "stringValue" in given:
        return _text(given["stringValue"])
    if "intValue" in given:
        return _integer(given["intValue"])
    if "boolValue" in given:
        return given["boolValue"] is True
    if "doubleValue" in given:
        return _double(given["doubleValue"])
    if "arrayValue" in given:
        return [_value(each, depth + 1) for each in _list(_member(given, "arrayValue"), "values")]
    if "kvlistValue" in given:
        return _attributes(
            {"attributes": _member(given, "kvlistValue").get("values")}, None, depth + 1
        )
    if "bytesValue" in given:
        return _text(given["bytesValue"])
    return None


def _id(given: dict[str, Any], name: str) -> str:
    """An id in lower-case hex; one of zeros is none."""
    text = given.get(name)
    if text is None:
        return ""
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise BadSpanError(f"its {name} is no text in hex: {text!r:.60}")
    return text.lower() if text.strip("0") else ""


def _text(given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise BadSpanError(f"there is {given!r:.60} where a text belongs")
    # What no protobuf text can be, no text of a span is.
    return given if given.isascii() else _SURROGATE.sub("\ufffd", given)


def _integer(given: Any) -> int:
    found = int(given) if isinstance(given, str) and _DIGITS.fullmatch(given) else given
    if type(found) is int and -(2**63) <= found < 2**64:
        return found
    raise BadSpanError(f"there is {given!r:.60} where a whole number belongs")


def _count(given: Any) -> int:
    return 0 if given is None else _integer(given)


def _time(given: Any) -> int:
    nanoseconds = _count(given)
    if nanoseconds < 0:
        raise BadSpanError(f"the time {nanoseconds} is no number of nanoseconds since 1970")
    return nanoseconds


def _double(given: Any) -> float | str:
    if isinstance(given, str) and given in _SPECIAL:
        return number(_SPECIAL[given])
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise BadSpanError(f"there is {given!r:.60} where a number belongs")
    try:
        return number(float(given))
    except OverflowError:  # an integer beyond what a double holds
        return number(math.inf if given > 0 else -math.inf)


def _object(given: Any, what: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise MalformedError(f"{what} is no JSON object")
    return given


def _member(owner: dict[str, Any], name: str) -> dict[str, Any]:
    found = owner.get(name)
    return {} if found is None else _object(found, name)


def _list(owner: dict[str, Any], name: str) -> list[Any]:
    found = owner.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedError(f"{name} is no list")
    return found


def _objects(owner: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [_object(each, f"an element of {name}") for each in _list(owner, name)]
