from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_convex.otlp import json_text, origins
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.span import BadSpanError, OtelSpan
from mastra_convex.otlp.wire import MalformedError, TooManySpansError
from tests.otlp.cases import SPAN, in_json, request_of


def read(*spans: Any) -> list[OtelSpan | BadSpanError]:
    return list(json_text.read(in_json(request_of(spans))))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": "xyz"}, "traceId is no text in hex"),
        ({"traceId": 7}, "traceId is no text in hex"),
        ({"name": 7}, "7 where a text belongs"),
        ({"startTimeUnixNano": "soon"}, "'soon' where a whole number belongs"),
        ({"startTimeUnixNano": "-1"}, "no number of nanoseconds"),
        ({"startTimeUnixNano": "99999999999999999999"}, "where a whole number belongs"),
        ({"attributes": 7}, "attributes is no list"),
        ({"attributes": [7]}, "an element of attributes is no JSON object"),
        ({"attributes": [{"key": "a", "value": "b"}]}, "value is no object"),
        ({"attributes": [{"key": "a", "value": {"intValue": 1.5}}]}, "whole number"),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "x"}}]}, "where a number belongs"),
        ({"status": []}, "status is no JSON object"),
        ({"events": {}}, "events is no list"),
    ],
)
def test_a_broken_span_says_why_and_takes_no_other_along(change: Any, reason: str) -> None:
    first, broken, last = read(SPAN, {**SPAN, **change}, SPAN)
    assert isinstance(first, OtelSpan)
    assert isinstance(last, OtelSpan)
    assert isinstance(broken, BadSpanError)
    assert reason in str(broken)


def test_a_span_that_is_no_object_is_rejected() -> None:
    found, _ = read(7, SPAN)
    assert isinstance(found, BadSpanError)


def test_nulls_and_members_that_nobody_knows_are_passed_over() -> None:
    (found,) = read({**SPAN, "attributes": None, "status": None, "kind": None, "new": {"x": 1}})
    assert isinstance(found, OtelSpan)
    assert (found.kind, found.attributes) == (0, {})


def test_lone_surrogates_become_what_stands_for_no_character() -> None:
    (found,) = read({**SPAN, "name": "\ud83d!", "traceState": "\udc00"})
    assert isinstance(found, OtelSpan)
    assert (found.name, found.rest["traceState"]) == ("\ufffd!", "\ufffd")


def test_numbers_beyond_a_double_are_infinite() -> None:
    numbers = {"over": 10**400, "under": -(10**400)}
    given = [{"key": key, "value": {"doubleValue": number}} for key, number in numbers.items()]
    (found,) = read({**SPAN, "attributes": given})
    assert isinstance(found, OtelSpan)
    assert found.attributes == {"over": "Infinity", "under": "-Infinity"}


def test_deep_values_reject_the_span_alone() -> None:
    levels = 300
    deep = '{"arrayValue":{"values":[' * levels + "{}" + "]}}" * levels
    deep = json.dumps({**SPAN, "attributes": [{"key": "deep", "value": "DEEP"}]}).replace(
        '"DEEP"', deep
    )
    text = json.dumps(request_of([SPAN, {"in": "place"}, SPAN])).replace('{"in": "place"}', deep)
    first, broken, last = json_text.read(text.encode())
    assert isinstance(first, OtelSpan)
    assert isinstance(last, OtelSpan)
    assert isinstance(broken, BadSpanError)
    assert "nested" in str(broken)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b'{"resourceSpans": 7}',
        b'{"resourceSpans": [7]}',
        b"[" * 99999,
    ],
)
def test_what_is_no_request_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        json_text.read(body)


def test_a_broken_resource_rejects_its_own_spans() -> None:
    bad = {"resource": {"attributes": 7}, "scopeSpans": [{"spans": [SPAN, SPAN]}]}
    good = request_of([SPAN])["resourceSpans"]
    found = list(json_text.read(json.dumps({"resourceSpans": [bad, *good]}).encode()))
    assert [type(each) for each in found] == [BadSpanError, BadSpanError, OtelSpan]


def test_spans_are_counted() -> None:
    with pytest.raises(TooManySpansError):
        json_text.read(in_json(request_of([{}] * (origins.MAX_SPANS + 1))))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["key", "value", "values", "attributes", "arrayValue", "kvlistValue", "intValue"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*SPAN, "attributes", "events", "links", "status"]), anything)
)
def test_any_json_gives_a_span_or_why_not(change: dict[str, Any]) -> None:
    (found,) = read({**SPAN, **change})
    if isinstance(found, OtelSpan):
        with suppress(BadSpanError):
            document_of(found)
