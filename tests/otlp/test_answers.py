from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mastra_convex.otlp import answers


@given(st.integers(1, 2**40), st.text())
def test_official_decoders_read_partial_success(rejected: int, message: str) -> None:
    in_bytes = ExportTraceServiceResponse.FromString(
        answers.success("protobuf", rejected, message)
    ).partial_success
    in_text = json_format.Parse(
        answers.success("json", rejected, message), ExportTraceServiceResponse()
    ).partial_success
    assert in_bytes.rejected_spans == in_text.rejected_spans == rejected
    assert in_bytes.error_message == in_text.error_message == message


def test_full_success_says_nothing() -> None:
    assert answers.success("protobuf", 0, "") == b""
    assert json.loads(answers.success("json", 0, "")) == {}


@pytest.mark.parametrize(("status", "code"), [(400, 3), (401, 16), (429, 8), (503, 14), (418, 2)])
def test_official_decoders_read_failures(status: int, code: int) -> None:
    text = "ü" * 100
    in_bytes = Status.FromString(answers.failure("protobuf", status, text))
    in_text = json_format.Parse(answers.failure("json", status, text), Status())
    assert (in_bytes.code, in_bytes.message) == (in_text.code, in_text.message) == (code, text)


@pytest.mark.parametrize(
    ("given", "encoding"),
    [
        ("application/x-protobuf", "protobuf"),
        ("application/protobuf", "protobuf"),
        ("Application/JSON; charset=utf-8", "json"),
        ("text/plain", None),
        ("", None),
    ],
)
def test_content_types(given: str, encoding: str | None) -> None:
    assert answers.encoding_of(given) == encoding
