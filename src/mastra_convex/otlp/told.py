"""What went into a span and came out of it, which its attributes tell in many ways."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from mastra_convex.otlp import conventions
from mastra_convex.otlp.span import OtelSpan
from mastra_convex.values.payload import encode_payload

Attributes = dict[str, Any]

# Steps in a name of a message's attribute: no convention has as many.
_MAX_STEPS = 16
_INDEX = re.compile(r"[0-9]{1,6}")


class _Side(NamedTuple):
    """One side of a span: the names that tell it, before and after messages in pieces."""

    name: str
    first: tuple[str, ...]
    # A family of names, what stands around each message in it, and names that are there if it is.
    families: tuple[tuple[str, str, tuple[str, ...]], ...]
    then: tuple[str, ...]

    def names(self) -> frozenset[str]:
        """All that are looked for, but those with the type in them."""
        probes = (probe for _, _, probes in self.families for probe in probes)
        return frozenset((*self.first, *probes, *self.then))


def _families(given: Iterable[tuple[str, str]]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple(
        (
            family,
            around,
            tuple(
                ".".join(filter(None, (family, "0", around, member)))
                for member in ("role", "content", "contents.0.message_content.type")
            ),
        )
        for family, around in given
    )


_INPUT = _Side(
    "input",
    conventions.INPUT_FIRST,
    _families(conventions.INPUT_FAMILIES),
    conventions.INPUT_THEN,
)
_OUTPUT = _Side(
    "output",
    conventions.OUTPUT_FIRST,
    _families(conventions.OUTPUT_FAMILIES),
    conventions.OUTPUT_THEN,
)
_ALL = _INPUT.names() | _OUTPUT.names()


def payloads_of(span: OtelSpan, kind: str) -> dict[str, str]:
    """The payloads `input` and `output` of a span of a type: those that are told."""
    attributes = span.attributes
    in_events = bool(span.events) and kind in conventions.MODEL_TYPES
    if _ALL.isdisjoint(attributes) and conventions.MASTRA_TYPE not in attributes and not in_events:
        return {}
    found = {}
    for side in (_INPUT, _OUTPUT):
        text = _in_attributes(attributes, kind, side)
        if text is None and in_events:
            text = _in_events(span.events, side)
        if text is not None:
            found[side.name] = text
    return found


def _in_attributes(attributes: Attributes, kind: str, side: _Side) -> str | None:
    for name in (*side.first, f"mastra.{kind}.{side.name}"):
        if name in attributes:
            return _payload(attributes[name])
    for family, around, probes in side.families:
        if not attributes.keys().isdisjoint(probes):
            return encode_payload(_gathered(attributes, family, around))
    for name in side.then:
        if name in attributes:
            return _payload(attributes[name])
    return None


def _in_events(events: list[dict[str, Any]], side: _Side) -> str | None:
    for event in events:
        for name in (*side.first, *side.then):
            if name in event["attributes"]:
                return _payload(event["attributes"][name])
    return None


def _payload(value: Any) -> str:
    """A payload's text. JSON is left as it was written."""
    return value if isinstance(value, str) and opened(value) is not value else encode_payload(value)


def opened(value: Any) -> Any:
    """What a text says that is JSON of a list or an object; anything else as it is."""
    if not isinstance(value, str) or value.lstrip(" \t\r\n")[:1] not in {"{", "["}:
        return value
    try:
        return _decode(value)
    except (ValueError, RecursionError):
        return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    """A number of JSON. Raises `ValueError` for one that could not be written again."""
    found = float(text)
    if math.isinf(found):
        raise ValueError(f"{text:.60} is beyond what a double holds")
    return found


_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).decode


def _gathered(attributes: Attributes, family: str, around: str) -> Any:
    """The list that attributes named `family.0.a.1.b` describe; `around` stands around each."""
    root: dict[str, Any] = {}
    for name, value in attributes.items():
        if name.startswith(f"{family}."):
            *way, last = name[len(family) + 1 :].split(".")
            if len(way) < _MAX_STEPS:
                inner: Any = root
                for step in way:
                    inner = inner.setdefault(step, {}) if isinstance(inner, dict) else None
                if isinstance(inner, dict):
                    inner.setdefault(last, value)
    messages = _listed(root)
    if around and isinstance(messages, list):
        return [each.get(around, each) if isinstance(each, dict) else each for each in messages]
    return messages


def _listed(node: Any) -> Any:
    """The same with a list for each object whose names are all numbers."""
    if not isinstance(node, dict):
        return node
    if node and all(map(_INDEX.fullmatch, node)):
        return [_listed(node[name]) for name in sorted(node, key=int)]
    return {name: _listed(inner) for name, inner in node.items()}
