"""What a traced program did, against what is stored of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from mastra_convex import ConvexStorage, Span

_STATUSES = {StatusCode.OK: "ok", StatusCode.ERROR: "error"}


def check_stored(storage: ConvexStorage, spans: Iterable[ReadableSpan]) -> dict[str, Span]:
    """Fail unless each span is stored as it was, to the last attribute; returns them by name."""
    found = {}
    for span in spans:
        assert span.context is not None
        stored = storage.get_span(f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
        assert stored is not None, span.name
        check_same(span, stored)
        found[span.name] = stored
    return found


def check_same(span: ReadableSpan, stored: Span) -> None:
    """Fail unless a stored span is what the program's was."""
    otel = stored.extra["otel"]
    assert span.start_time is not None
    assert span.end_time is not None
    assert stored.name == span.name
    assert stored.parent_span_id == (f"{span.parent.span_id:016x}" if span.parent else None)
    assert otel["startTimeUnixNano"] == str(span.start_time)
    assert otel["endTimeUnixNano"] == str(span.end_time)
    assert abs(stored.started_at.timestamp() - span.start_time / 1e9) < 1e-5
    assert stored.ended_at is not None
    assert abs(stored.ended_at.timestamp() - span.end_time / 1e9) < 1e-5
    assert otel["kind"] == span.kind.name.lower()
    assert otel.get("status", {}).get("code") == _STATUSES.get(span.status.status_code)
    assert otel.get("status", {}).get("message") == span.status.description
    assert (stored.error is not None) == (span.status.status_code is StatusCode.ERROR)
    given = plain(span.attributes or {})
    assert given.items() <= (stored.attributes or {}).items()
    assert otel.get("events", []) == [
        {
            "name": event.name,
            "timeUnixNano": str(event.timestamp),
            "attributes": plain(event.attributes or {}),
        }
        for event in span.events
    ]
    assert [
        (link["traceId"], link["spanId"], link.get("attributes", {})) for link in stored.links or []
    ] == [
        (
            f"{link.context.trace_id:032x}",
            f"{link.context.span_id:016x}",
            plain(link.attributes or {}),
        )
        for link in span.links
    ]
    assert otel["resource"]["attributes"] == plain(span.resource.attributes)
    assert stored.service_name == span.resource.attributes["service.name"]
    scope = span.instrumentation_scope
    assert scope is not None
    assert otel["scope"]["name"] == scope.name
    assert otel["scope"].get("version", "") == (scope.version or "")


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes with lists for tuples."""
    found: dict[str, Any] = json.loads(json.dumps(dict(attributes)))
    return found


def travel(tracer: Any) -> None:
    """A program that does all that can be done to a span."""
    with tracer.start_as_current_span("before") as before:
        pass
    with tracer.start_as_current_span(
        "invoke_agent travel",
        kind=SpanKind.INTERNAL,
        attributes={
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "travel",
            "gen_ai.conversation.id": "thread-1",
            "mastra.metadata.resourceId": "resource-1",
            "list": ["a", "b"],
            "numbers": [1, 2**62],
            "ratio": 0.1,
            "flag": True,
            "ünï": "☃",
        },
    ) as agent:
        agent.add_event("thinking", {"depth": 3})
        agent.add_link(before.get_span_context(), {"why": "continued"})
        with tracer.start_as_current_span("execute_tool weather", kind=SpanKind.CLIENT) as tool:
            tool.set_attribute("gen_ai.operation.name", "execute_tool")
            tool.set_attribute("gen_ai.tool.name", "weather")
            tool.set_status(StatusCode.OK)
        try:
            with tracer.start_as_current_span("broken"):
                raise ValueError("no seats")
        except ValueError:
            pass


REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4-0613",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "To Oslo."},
        }
    ],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}


class _Scripted(BaseHTTPRequestHandler):
    """Answers each request with the reply."""

    def do_POST(self) -> None:
        """A completion."""
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(REPLY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def scripted_model() -> Iterator[str]:
    """The address of an endpoint that answers as OpenAI's does."""
    endpoint = ThreadingHTTPServer(("127.0.0.1", 0), _Scripted)
    thread = Thread(target=endpoint.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{endpoint.server_port}/v1"
    finally:
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()


def ask_model(url: str) -> None:
    """One call of a model, through OpenAI's client."""
    import openai

    with openai.OpenAI(api_key="none", base_url=url, max_retries=0) as client:
        reply = client.chat.completions.create(
            model="gpt-4",
            temperature=0.5,
            messages=[{"role": "user", "content": "Where to?"}],
        )
    assert reply.choices[0].message.content == "To Oslo."
