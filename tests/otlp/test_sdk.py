from __future__ import annotations

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from mastra_convex.otlp import protobuf
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.sdk import Reader
from mastra_convex.otlp.span import OtelSpan
from tests.otlp.programs import travel


def test_a_span_is_the_same_whether_it_comes_by_http_or_not() -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource.create({"service.name": "ü", "list": ["a"]}, "https://schema.invalid/1"),
        span_limits=SpanLimits(max_events=1, max_links=1, max_span_attributes=9),
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("lib", "2", "https://schema.invalid/2", {"scope": "attribute"})
    travel(tracer)
    remote = SpanContext(7, 8, True, TraceFlags(1), TraceState([("a", "b")]))
    context = set_span_in_context(NonRecordingSpan(remote))
    with tracer.start_as_current_span("remote", context, kind=SpanKind.SERVER) as span:
        span.add_link(remote)
        span.add_link(SpanContext(9, 10, False))
        span.set_attributes({str(n): float(n) for n in range(20)})
        span.set_attribute("nan", float("nan"))
        span.add_event("first")
        span.add_event("second", {"bytes": b"\x00\x01", "seen": [1.5]})
    with tracer.start_as_current_span("links", links=[Link(remote, {"n": 1})]):
        pass
    spans = memory.get_finished_spans()
    assert len(spans) == 6
    reader = Reader()
    direct = {each.name: document_of(reader.read(each)) for each in spans}
    by_http = {}
    for each in protobuf.read(encode_spans(spans).SerializeToString()):
        assert isinstance(each, OtelSpan)
        by_http[each.name] = document_of(each)
    for name, document in by_http.items():
        # The SDK's encoder leaves the trace state of links out; here they have it.
        if name in {"remote", "links"}:
            links = direct[name].pop("links")
            assert '"traceState":"a=b"' in links or name == "remote"
            document.pop("links")
        assert direct[name] == document
    assert direct["remote"]["parentSpanId"] == f"{8:016x}"
