from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_convex.otlp.intake import Rejected, TooLargeError, calls_of, unpacked
from mastra_convex.otlp.wire import MalformedError
from tests.otlp.cases import SPAN, in_json, in_protobuf, request_of


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_gzip_comes_back(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    packed = b"".join(gzip.compress(part) for part in parts)
    assert unpacked(packed, len(whole)) == whole
    if whole:
        with pytest.raises(TooLargeError):
            unpacked(packed, len(whole) - 1)


def test_a_bomb_is_not_unpacked() -> None:
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(pack.compress(bytes(2**20)) for _ in range(256)) + pack.flush()
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        unpacked(bomb, 2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


@pytest.mark.parametrize("body", [b"x", gzip.compress(b"x" * 99)[:-9], gzip.compress(b"x") + b"y"])
def test_what_is_no_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        unpacked(body, 1000)


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_calls_are_small_and_what_is_rejected_is_counted(encoding: str) -> None:
    bad = {**SPAN, "traceId": ""}
    spans = [bad, *({**SPAN, "spanId": f"{number + 1:016x}"} for number in range(1001)), *[bad] * 4]
    rejected = Rejected()
    request = request_of(spans)
    if encoding == "json":
        calls = list(calls_of(in_json(request), "json", rejected))
    else:
        calls = list(calls_of(in_protobuf(request), "protobuf", rejected))
    assert [len(call["spans"]) for call in calls] == [500, 500, 1]
    assert rejected.count == 5
    assert rejected.message().startswith("span 1: its trace id has to have 16 bytes")
    assert rejected.message().endswith("and 2 more")


def test_nothing_rejected_says_nothing() -> None:
    assert Rejected().message() == ""
