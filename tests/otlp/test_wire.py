from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from mastra_convex.otlp.wire import MalformedError, TooManySpansError, groups_of

names = st.text(max_size=4)
scopes = st.builds(
    lambda spans, url: ScopeSpans(spans=[Span(name=name) for name in spans], schema_url=url),
    st.lists(names, max_size=3),
    names,
)
requests = st.builds(
    lambda groups, url: ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=group, schema_url=url) for group in groups]
    ),
    st.lists(st.lists(scopes, max_size=3), max_size=3),
    names,
)


@given(requests)
def test_groups_are_those_of_the_official_decoder(request: ExportTraceServiceRequest) -> None:
    found = groups_of(request.SerializeToString(), 100)
    expected = [
        (
            each.schema_url,
            group.schema_url,
            group.scope.SerializeToString(),
            [span.SerializeToString() for span in group.spans],
        )
        for each in request.resource_spans
        for group in each.scope_spans
    ]
    assert [
        (each.resource_schema, each.scope_schema, each.scope, [bytes(span) for span in each.spans])
        for each in found
    ] == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_groups_or_malformed(body: bytes) -> None:
    with suppress(MalformedError):
        groups_of(body, 100)


def test_fields_that_are_not_known_are_passed_over() -> None:
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans()])])
    known = request.SerializeToString()
    varint, fixed64, fixed32, text = (
        b"\x50\x96\x01",
        b"\x51" + b"x" * 8,
        b"\x55" + b"x" * 4,
        b"\x52\x01x",
    )
    assert len(groups_of(varint + known + fixed64 + text + known + fixed32, 10)) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x0a\x05ab", "breaks off inside a message"),
        (b"\x51abc", "breaks off inside a field"),
        (b"\x0b", "no wire type 3"),
        (b"\x0a" + b"\xff" * 11, "does not end"),
        (b"\x0a", "does not end"),
    ],
)
def test_what_is_no_protobuf_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        groups_of(body, 10)


def test_spans_are_counted_over_all_groups() -> None:
    group = ResourceSpans(scope_spans=[ScopeSpans(spans=[Span()] * 2), ScopeSpans(spans=[Span()])])
    body = ExportTraceServiceRequest(resource_spans=[group, group]).SerializeToString()
    assert len(groups_of(body, 6)) == 4
    with pytest.raises(TooManySpansError):
        groups_of(body, 5)
