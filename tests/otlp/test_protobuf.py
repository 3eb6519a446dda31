from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from mastra_convex.otlp import origins, protobuf
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.span import BadSpanError, OtelSpan
from mastra_convex.otlp.wire import MalformedError
from tests.otlp.cases import SPAN, in_protobuf, request_of, span_of


def test_a_broken_span_does_not_take_its_batch_along() -> None:
    body = in_protobuf(request_of([SPAN, {**SPAN, "name": "BROKEN"}, SPAN]))
    # Not UTF-8: by itself, the official decoder refuses the whole request.
    first, broken, last = protobuf.read(body.replace(b"BROKEN", b"\xff\xfe\xfd\xfc\xfb\xfa"))
    assert isinstance(first, OtelSpan)
    assert isinstance(last, OtelSpan)
    assert isinstance(broken, BadSpanError)
    assert "no protobuf message" in str(broken)


def test_a_broken_resource_rejects_its_own_spans() -> None:
    good, bad = request_of([SPAN]), request_of([SPAN, SPAN], {"name": "BROKEN"})
    body = in_protobuf({"resourceSpans": [*bad["resourceSpans"], *good["resourceSpans"]]})
    found = list(protobuf.read(body.replace(b"BROKEN", b"\xff" * 6)))
    assert [type(each) for each in found] == [BadSpanError, BadSpanError, OtelSpan]


def test_what_is_shared_is_small() -> None:
    large = {"x": "y" * origins.MAX_ORIGIN_CHARACTERS}
    (found,) = protobuf.read(in_protobuf(request_of([SPAN], large)))
    assert isinstance(found, BadSpanError)
    assert "the most" in str(found)


def test_a_span_is_bounded() -> None:
    large = span_of({"attributes": {"x": "y" * origins.MAX_SPAN_BYTES}})
    small, refused = protobuf.read(in_protobuf(request_of([SPAN, large])))
    assert isinstance(small, OtelSpan)
    assert isinstance(refused, BadSpanError)
    assert str(origins.MAX_SPAN_BYTES) in str(refused)


def test_attributes_without_number_cost_no_more_than_they_are() -> None:
    # Two bytes each, all of one name: what is odd about them is said once.
    count = 5_000
    (found,) = protobuf.read(_request_of(b"\x4a\x00" * count))
    assert isinstance(found, OtelSpan)
    assert found.attributes == {"": None}
    assert len(found.warnings) == 1


def test_values_nested_beyond_what_protobuf_takes_reject_the_span() -> None:
    value = AnyValue(string_value="x").SerializeToString()
    for _ in range(200):
        # An AnyValue with an array, in which the value is.
        value = _inside(0x2A, _inside(0x0A, value))
    span = _inside(0x4A, KeyValue(key="deep").SerializeToString() + _inside(0x12, value))
    (found,) = protobuf.read(_request_of(span))
    assert isinstance(found, BadSpanError)


@given(st.binary(max_size=80))
def test_any_bytes_give_a_span_or_why_not(content: bytes) -> None:
    (found,) = protobuf.read(_request_of(content))
    if isinstance(found, OtelSpan):
        with suppress(BadSpanError):
            document_of(found)


@given(st.data())
def test_a_changed_byte_gives_a_span_or_why_not(data: st.DataObject) -> None:
    body = bytearray(in_protobuf(request_of([span_of({"attributes": {"a": [1, "x"]}})] * 2)))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadSpanError, MalformedError):
        for each in protobuf.read(bytes(body)):
            if isinstance(each, OtelSpan):
                document_of(each)


def _inside(tag: int, content: bytes) -> bytes:
    """A field of a message, with a length of up to 14 bits."""
    length = len(content)
    return bytes([tag, length & 0x7F | 0x80, length >> 7]) + content


def _request_of(span: bytes) -> bytes:
    """A request with one span, in ScopeSpans, in ResourceSpans."""
    return _inside(0x0A, _inside(0x12, _inside(0x12, span)))
