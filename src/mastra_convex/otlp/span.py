"""A span as OpenTelemetry has it, whatever it was read from, in plain values of Python.

What JSON cannot say is written as OTLP writes it in JSON: bytes in base64, NaN and the infinities
as text, times as the digits of their nanoseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

UNSET, OK, ERROR = 0, 1, 2
SERVER, CLIENT = 2, 3


@dataclass(slots=True)
class Origin:
    """What spans share: the resource that made them, and the scope, which is their library.

    `fields` are those of a span that follow from them, `text` is both as members of a JSON object:
    made once for all.
    """

    fields: dict[str, str]
    text: str


@dataclass(slots=True)
class OtelSpan:
    """One span. Ids are lower-case hex; times are nanoseconds since the epoch, 0 for none."""

    origin: Origin
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start: int
    end: int
    attributes: dict[str, Any]
    status: int = UNSET
    status_message: str = ""
    # Each as it goes into the stored document.
    events: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    # What else there is, under OTLP's names: traceState, flags, droppedAttributesCount, ...
    rest: dict[str, Any] = field(default_factory=dict)
    # What is odd about it, in words.
    warnings: list[str] = field(default_factory=list)


# As many warnings as one wants to read.
_MAX_WARNINGS = 8


def warn_twice(warnings: list[str], name: str) -> None:
    """Note that an attribute is given twice: each name once, and not more names than one reads."""
    text = f"the attribute {name!r:.80} is given twice; the last one counts"
    if len(warnings) < _MAX_WARNINGS and text not in warnings:
        warnings.append(text)


class BadSpanError(Exception):
    """A span that cannot be stored; the text says why."""


def number(value: float) -> float | str:
    """A double as JSON can say it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def first_text(attributes: dict[str, Any], names: Iterable[str]) -> str:
    """The first of some attributes that is a text or a whole number, as text; "" for none."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str):
            if value:
                return value
        elif type(value) is int:
            return str(value)
    return ""
