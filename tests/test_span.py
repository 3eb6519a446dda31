"""Spans as models: their status, their light form, and updates."""

from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.validators import (
    light_span_fields,
    listed_span_fields,
    saved,
    saved_span_fields,
    span_change,
    span_fields,
)
from mastra_convex.span import LightSpan, Span, status_of
from mastra_convex.values.validators import v
from tests.contract.records import span

CHANGE: dict[str, Any] = {"traceId": "t", "spanId": "s"}


def test_models_have_the_fields_that_functions_take() -> None:
    assert {field.wire_name for field in Span.fields} == span_fields.keys() - {"extra"}
    assert {field.wire_name for field in LightSpan.fields} == {
        *light_span_fields,
        *("metadata", "inputPreview", "hasChildError"),  # of lists
    }
    assert light_span_fields.keys() < listed_span_fields.keys()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "running"),
        ({"endedAt": 1}, "success"),
        ({"error": {"m": 1}}, "error"),
        ({"error": "", "endedAt": 1}, "error"),
        ({"error": None, "endedAt": None}, "running"),
    ],
)
def test_the_status_of_a_span(fields: dict[str, Any], status: str) -> None:
    wire = Span.encode(span(**fields))
    assert status_of(wire) == Span.of(wire).status == LightSpan.of(wire).status == status
    saved(saved_span_fields).validate(wire, "span")


def test_an_update_is_what_the_function_takes() -> None:
    updates = {"ended_at": 5, "input": {"a": 1}, "error": None, "custom": [1], "isEvent": True}
    change = Span.encode_change({**CHANGE, "updates": updates})
    assert change == {
        **CHANGE,
        "endedAt": 5.0,
        "input": '{"a":1}',
        "inputPreview": '{"a":1}',
        "isEvent": True,
        "cleared": ["error"],
        "extra": '{"custom":[1]}',
    }
    v.object(span_change).validate(change, "change")
    assert Span.encode_change({"trace_id": "t", "span_id": "s", "updates": {}}) == CHANGE


def test_an_update_may_clear_what_a_span_may_lack() -> None:
    optional = [f.wire_name for f in Span.fields if f.default is None or f.wire_name == "isEvent"]
    for name in set(optional) - {"createdAt", "updatedAt"}:
        change = Span.encode_change({**CHANGE, "updates": {name: None}})
        v.object(span_change).validate(change, "change")
    for name in ("traceId", "createdAt", "updated_at"):
        with pytest.raises(InvalidArgumentError, match=f"span 's': {name} cannot be changed"):
            Span.encode_change({**CHANGE, "updates": {name: "x"}})
