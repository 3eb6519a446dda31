"""A span of OpenTelemetry as a document of ours: what `spans:save` takes.

`attributes` has every attribute under its own name, and beside them what Mastra calls the same
things (`model`, `usage`, ...). `otel` has the rest: kind, status, events, resource, scope, the
times in nanoseconds, and what is odd about the span.
"""

from __future__ import annotations

from typing import Any

from mastra_convex.errors import InvalidPayloadError
from mastra_convex.otlp.meaning import identity_of, metadata_of, span_type, tags_of, typed
from mastra_convex.otlp.span import ERROR, OK, BadSpanError, OtelSpan, first_text
from mastra_convex.otlp.told import payloads_of
from mastra_convex.values.payload import encode_payload

Attributes = dict[str, Any]
Document = dict[str, Any]

_TRACE_ID_DIGITS, _SPAN_ID_DIGITS = 32, 16
_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUSES = {OK: "ok", ERROR: "error"}
_NANOSECONDS = 1_000_000


def document_of(span: OtelSpan) -> Document:
    """The document of a span. Raises `BadSpanError` if it has no ids, or is no JSON at all."""
    _check_ids(span)
    attributes = span.attributes
    kind = span_type(span)
    document: Document = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "spanType": kind,
        "isEvent": False,
        "startedAt": (span.start or span.end) / _NANOSECONDS,
    }
    if span.parent_span_id:
        document["parentSpanId"] = span.parent_span_id
    if span.end:
        document["endedAt"] = span.end / _NANOSECONDS
    document.update(span.origin.fields)
    document.update(identity_of(attributes, kind))
    try:
        for field, value in (
            ("error", _error(span)),
            ("attributes", {**typed(attributes, kind), **attributes}),
            ("metadata", metadata_of(attributes)),
            ("tags", tags_of(attributes)),
            ("links", span.links),
        ):
            if value:
                document[field] = encode_payload(value)
        document.update(payloads_of(span, kind))
        document["extra"] = _otel(span)
    except InvalidPayloadError as error:
        raise BadSpanError(error.message) from None
    return document


def _check_ids(span: OtelSpan) -> None:
    if len(span.trace_id) != _TRACE_ID_DIGITS:
        raise BadSpanError(
            f"its trace id has to have 16 bytes that are not all 0: {span.trace_id!r:.80}"
        )
    if len(span.span_id) != _SPAN_ID_DIGITS:
        raise BadSpanError(
            f"its span id has to have 8 bytes that are not all 0: {span.span_id!r:.80}"
        )


def _error(span: OtelSpan) -> Attributes | None:
    """Mastra's error of a span whose status says that it has failed."""
    if span.status != ERROR:
        return None
    attributes = span.attributes
    raised: Attributes = {}
    for event in span.events:
        if event["name"] == "exception":
            raised = event["attributes"]
    message = (
        span.status_message
        or first_text(raised, ("exception.message",))
        or first_text(attributes, ("error.message", "error.type"))
        or "error"
    )
    name = first_text(raised, ("exception.type",)) or first_text(attributes, ("error.type",))
    more = {
        "name": name,
        "stack": first_text(raised, ("exception.stacktrace",)),
        "domain": first_text(attributes, ("error.domain",)),
        "category": first_text(attributes, ("error.category",)),
    }
    return {"message": message, **{key: value for key, value in more.items() if value}}


def _otel(span: OtelSpan) -> str:
    """The text of the field `otel`, in the object that holds fields Mastra does not know."""
    own: Attributes = {}
    if span.kind in _KINDS:
        own["kind"] = _KINDS[span.kind]
    if span.status or span.status_message:
        own["status"] = {"code": _STATUSES.get(span.status, "unset")}
        if span.status_message:
            own["status"]["message"] = span.status_message
    own["startTimeUnixNano"] = str(span.start)
    own["endTimeUnixNano"] = str(span.end)
    own.update((name, value) for name, value in span.rest.items() if value)
    if span.events:
        own["events"] = span.events
    warnings = [*span.warnings, *_oddities(span)]
    if warnings:
        own["warnings"] = warnings
    return f'{{"otel":{encode_payload(own)[:-1]},{span.origin.text}}}}}'


def _oddities(span: OtelSpan) -> list[str]:
    found = []
    if not span.start:
        found.append("it has no start; what is shown is its end, or 1970")
    if span.end and span.end < span.start:
        found.append("it ends before it starts")
    if span.parent_span_id and len(span.parent_span_id) != _SPAN_ID_DIGITS:
        found.append("its parent's id has not 8 bytes")
    if span.parent_span_id == span.span_id:
        found.append("it is its own parent")
    return found
