"""The mapping's cases, which the functions in TypeScript are held against too."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mastra_convex.otlp import json_text, protobuf
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.span import BadSpanError, OtelSpan
from mastra_convex.span import Span
from tests.otlp.cases import CASES, in_json, in_protobuf, request_of, shown, span_of

READERS = {"json": (in_json, json_text.read), "protobuf": (in_protobuf, protobuf.read)}


def read(case: dict[str, Any], encoding: str) -> OtelSpan:
    encode, decode = READERS[encoding]
    request = request_of([span_of(case)], case.get("resource"), case.get("scope"))
    (found,) = decode(encode(request))
    assert isinstance(found, OtelSpan), found
    return found


@pytest.mark.parametrize("encoding", READERS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any], encoding: str) -> None:
    span = read(case, encoding)
    if "rejected" in case:
        with pytest.raises(BadSpanError, match=case["rejected"]):
            document_of(span)
        return
    document = document_of(span)
    found = shown(document)
    raw = case.get("raw", case.get("attributes", {}))
    gives = {**case.get("gives", {})}
    if "attributes" in gives:
        gives["attributes"] = {**gives["attributes"], **raw}
    assert {name: found.get(name) for name in gives} == gives
    assert raw.items() <= found.get("attributes", {}).items()
    assert not [name for name in case.get("lacks", ()) if name in found]
    assert found["otel"].get("warnings", []) == case.get("warnings", [])
    # It is what the public API would have made of it.
    assert Span.of(Span.encode(found)) == Span.of(document)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_both_encodings_give_the_same_text(case: dict[str, Any]) -> None:
    if "rejected" not in case:
        first, second = (document_of(read(case, encoding)) for encoding in READERS)
        assert first == second


def test_messages_in_pieces_are_gathered_within_bounds() -> None:
    pieces = {
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0": "a text where an object is",
        "gen_ai.prompt." + "1." * 10_000 + "x": "deep",
        "gen_ai.prompt." + "9" * 5_000 + ".role": "far",
        "gen_ai.prompt.0.role.x": "below a text",
        "openinference.span.kind": "LLM",
    }
    found = shown(document_of(read({"attributes": pieces}, "json")))
    assert found["input"]["0"] == {"role": "user"}
    assert pieces.items() <= found["attributes"].items()


def test_json_with_a_number_beyond_a_double_stays_a_text() -> None:
    given = {"metadata": '{"x": 1e999}', "llm.invocation_parameters": '{"temperature": -1e999}'}
    found = shown(document_of(read({"attributes": given}, "json")))
    assert found["attributes"] == given
    assert "metadata" not in found


def test_what_mastra_calls_so_stands_in_the_order_of_the_attributes() -> None:
    # Not in that of a set: sent again by another process, a span must not look changed.
    case = next(case for case in CASES if case["name"] == "GenAI: a call of a model")
    text = document_of(read(case, "json"))["attributes"]
    assert re.findall(r'"(\w+)":', text)[:3] == ["provider", "model", "responseModel"]
