"""The cases of `scenarios/otlp/mapping.json`, as requests in both encodings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mastra_convex.span import Span

FILE = Path(__file__).resolve().parents[2] / "scenarios/otlp/mapping.json"
_GIVEN = json.loads(FILE.read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = _GIVEN["cases"]
SPAN: dict[str, Any] = _GIVEN["span"]
_IDS = ("traceId", "spanId", "parentSpanId")


def any_value(value: Any) -> dict[str, Any]:
    """OTLP's form of a plain value."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    return {"kvlistValue": {"values": attributes(value)}}


def attributes(given: dict[str, Any]) -> list[dict[str, Any]]:
    """OTLP's form of attributes."""
    return [{"key": name, "value": any_value(value)} for name, value in given.items()]


def span_of(case: dict[str, Any]) -> dict[str, Any]:
    """The span of a case, as OTLP's JSON has it."""
    return {**SPAN, "attributes": attributes(case.get("attributes", {})), **case.get("span", {})}


def request_of(
    spans: Iterable[dict[str, Any]],
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A request with spans of one scope."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(resource or {})},
                "scopeSpans": [{"scope": scope or {}, "spans": list(spans)}],
            }
        ]
    }


def in_json(request: dict[str, Any]) -> bytes:
    """The request's body in JSON."""
    return json.dumps(request).encode()


def in_protobuf(request: dict[str, Any]) -> bytes:
    """The request's body in protobuf, made by the official package."""
    message = ExportTraceServiceRequest()
    json_format.ParseDict(_with_base64(request), message)
    return message.SerializeToString()


def _with_base64(node: Any) -> Any:
    """Protobuf's own JSON, which has ids in base64."""
    if isinstance(node, list):
        return [_with_base64(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: base64.b64encode(bytes.fromhex(inner)).decode()
        if name in _IDS
        else _with_base64(inner)
        for name, inner in node.items()
    }


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """A document with its payloads decoded."""
    return Span.of(document).to_dict()
