"""Spans: the steps of a run, under Mastra's names in snake_case (interface, section 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import ListedPage
from mastra_convex.preview import preview_of
from mastra_convex.record import Record, flag, instant, payload, text
from mastra_convex.values.names import camel_case
from mastra_convex.values.payload import encode_payload

_RUNNING, _FAILED, _DONE = "running", "error", "success"


class Span(Record):
    """One step of a run. `span_id` tells it from the others of its trace.

    It is a root if it has no `parent_span_id`, runs until it has an `ended_at`, and failed if it
    has an `error`.
    """

    noun = "span"
    key = "spanId"

    trace_id: str = text()
    span_id: str = text()
    parent_span_id: str | None = text(default=None)
    name: str = text()
    span_type: str = text()
    is_event: bool = flag(default=False)
    started_at: datetime = instant()
    ended_at: datetime | None = instant(default=None)
    input: Any = payload(default=None)
    output: Any = payload(default=None)
    error: Any = payload(default=None)
    attributes: dict[str, Any] | None = payload(default=None)
    metadata: dict[str, Any] | None = payload(default=None)
    scope: dict[str, Any] | None = payload(default=None)
    request_context: dict[str, Any] | None = payload(default=None)
    links: list[Any] | None = payload(default=None)
    tags: list[str] | None = payload(default=None)
    entity_type: str | None = text(default=None)
    entity_id: str | None = text(default=None)
    entity_name: str | None = text(default=None)
    entity_version_id: str | None = text(default=None)
    parent_entity_type: str | None = text(default=None)
    parent_entity_id: str | None = text(default=None)
    parent_entity_name: str | None = text(default=None)
    parent_entity_version_id: str | None = text(default=None)
    root_entity_type: str | None = text(default=None)
    root_entity_id: str | None = text(default=None)
    root_entity_name: str | None = text(default=None)
    root_entity_version_id: str | None = text(default=None)
    user_id: str | None = text(default=None)
    organization_id: str | None = text(default=None)
    resource_id: str | None = text(default=None)
    run_id: str | None = text(default=None)
    session_id: str | None = text(default=None)
    thread_id: str | None = text(default=None)
    message_id: str | None = text(default=None)
    request_id: str | None = text(default=None)
    environment: str | None = text(default=None)
    source: str | None = text(default=None)
    service_name: str | None = text(default=None)
    experiment_id: str | None = text(default=None)
    opened_by: str | None = text(default=None)
    opened_in: str | None = text(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)

    @property
    def status(self) -> str:
        """ "error", "running" or "success"."""
        return status_of(self.wire)

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> dict[str, Any]:
        """As every record's, with the preview that lists show of the input."""
        wire = super().encode(value)
        preview = preview_of(wire["input"]) if "input" in wire else None
        return wire if preview is None else {**wire, _PREVIEW: preview}

    @classmethod
    def encode_change(cls, change: Any) -> dict[str, Any]:
        """What an update takes for `{"traceId", "spanId", "updates": {...}}`.

        None among the updates removes a field. Raises `InvalidArgumentError`,
        `InvalidPayloadError`.
        """
        if not isinstance(change, Mapping) or not isinstance(change.get("updates"), Mapping):
            raise InvalidArgumentError(
                "an update of a span is a mapping with traceId, spanId and updates, not "
                f"{change!r:.60}",
                path="updates",
            )
        ids = {camel_case(name): value for name, value in change.items() if name != "updates"}
        label = cls.label(ids)
        wire: dict[str, Any] = {
            name: cls.encode_field(name, ids.get(name), label) for name in ("traceId", "spanId")
        }
        cleared, extra = [], {}
        for name, value in change["updates"].items():
            field = cls._by_name.get(name)
            if field is None:
                extra[name] = value
                continue
            wire_name = field.wire_name
            if wire_name in _STAYS or (value is None and wire_name in cls._required):
                raise InvalidArgumentError(
                    f"{label}: {name} cannot be {'removed' if value is None else 'changed'}; "
                    "leave it out",
                    path=name,
                )
            if wire_name in wire or wire_name in cleared:
                raise InvalidArgumentError(f"{label}: {wire_name} is given twice", path=name)
            if value is None:
                cleared.append(wire_name)
            else:
                wire[wire_name] = field.encode(value, label)
        preview = preview_of(wire["input"]) if "input" in wire else None
        if preview is not None:
            wire[_PREVIEW] = preview
        elif "input" in wire or "input" in cleared:
            cleared.append(_PREVIEW)
        if cleared:
            wire["cleared"] = cleared
        if extra:
            wire["extra"] = encode_payload(extra, label)
        return wire


# On the wire beside the input, of which it is the beginning; no field of a span to its users.
_PREVIEW = "inputPreview"
_STAYS = frozenset({"traceId", "spanId", "createdAt", "updatedAt"})


class LightSpan(Record):
    """A span without what may be large: in a trace's structure, and in light lists.

    Lists alone give `metadata`, `input_preview` and, of a trace, `has_child_error`: whether any
    span of it has an error.
    """

    noun = "span"
    key = "spanId"

    trace_id: str = text()
    span_id: str = text()
    parent_span_id: str | None = text(default=None)
    name: str = text()
    span_type: str = text()
    is_event: bool = flag(default=False)
    started_at: datetime = instant()
    ended_at: datetime | None = instant(default=None)
    error: Any = payload(default=None)
    entity_type: str | None = text(default=None)
    entity_id: str | None = text(default=None)
    entity_name: str | None = text(default=None)
    metadata: dict[str, Any] | None = payload(default=None)
    input_preview: str | None = text(default=None)
    has_child_error: bool | None = flag(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)
    opened_by: str | None = text(default=None)
    opened_in: str | None = text(default=None)

    @property
    def status(self) -> str:
        """ "error", "running" or "success"."""
        return status_of(self.wire)


@dataclass(frozen=True, slots=True)
class SpanPage(ListedPage):
    """A page of traces: their roots."""

    spans: list[Span]


@dataclass(frozen=True, slots=True)
class LightSpanPage(ListedPage):
    """A page of traces: their roots without what may be large."""

    spans: list[LightSpan]


@dataclass(frozen=True, slots=True)
class BranchPage(ListedPage):
    """A page of branches: the spans that anchor them."""

    branches: list[Span]


def status_of(wire: Mapping[str, Any]) -> str:
    """How the span of a document stands: an error counts whether it has ended or not."""
    if "error" in wire:
        return _FAILED
    return _DONE if "endedAt" in wire else _RUNNING
